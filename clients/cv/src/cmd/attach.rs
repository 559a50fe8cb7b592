//! `cv attach`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    run::{RunGet, RunGetParams, RunInfo},
};

use super::{answer as answering, printer::Printer, settings::FailOn};
use crate::{
    ask::{Asked, Printer as AnswerPrinter},
    context::{Context, ErrorForm},
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    render::ReviewFormat,
    spinner,
    table::Format,
    waiting::{self, Deadline},
};

/// Reads a run from its beginning: one that goes on, or one that ended.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The run, as `cv runs list` names it.
    #[arg(value_name = "RUN", value_parser = crate::cli::run_id)]
    pub run_id: Uuid,
    /// How to print it; an answer is text, md, json or ndjson.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ReviewFormat,
    /// Exit 1 when a finding is at least this bad.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
}

/// Prints the run's events until its end. Ctrl-C leaves; the run goes on.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    context.error_form = match args.format {
        ReviewFormat::Json => ErrorForm::Json,
        ReviewFormat::Ndjson => ErrorForm::Ndjson,
        _ => ErrorForm::Notes,
    };
    let options = daemon::options(context, Start::IfNeeded)?;
    let deadline_ms = context.global.timeout;
    let run_id = args.run_id;
    waiting::block_on(async {
        let deadline = Deadline::from_now(deadline_ms);
        let finding = async {
            let client = daemon::connect(options).await?;
            // An unknown run is told by this call, before a stream that could only be empty.
            let run = client
                .call::<RunGet>(&RunGetParams { run_id })
                .await
                .map_err(daemon::failure)?;
            Ok((client, run))
        };
        let finding = spinner::during(&mut context.notes, "Looking for the run", finding);
        let (client, run) = deadline.guard("looking for the run", finding).await?;
        if run.kind == "chat" {
            let mut printer = AnswerPrinter::new(
                Asked {
                    format: answer_format(args.format)?,
                    ..Asked::default()
                },
                context,
            );
            let reading = Box::pin(answer(&client, &run, context, &mut printer));
            let outcome = deadline.guard("reading the run", reading).await;
            if let Err(failure) = &outcome {
                printer.failed(failure, context)?;
            }
            return outcome;
        }
        let mut printer = Printer::new(args.format, context);
        let reading = Box::pin(review(&client, run_id, context, &mut printer));
        let outcome = match deadline.guard("reading the run", reading).await {
            Ok(()) => printer.end(args.fail_on.and_then(FailOn::severity), context),
            Err(failure) => Err(failure),
        };
        printer.close(outcome, context)
    })
}

fn answer_format(format: ReviewFormat) -> Result<Format, Failure> {
    match format {
        ReviewFormat::Text => Ok(Format::Text),
        ReviewFormat::Md => Ok(Format::Md),
        ReviewFormat::Json => Ok(Format::Json),
        ReviewFormat::Ndjson => Ok(Format::Ndjson),
        ReviewFormat::Sarif
        | ReviewFormat::Rdjson
        | ReviewFormat::Rdjsonl
        | ReviewFormat::Github
        | ReviewFormat::Vim => Err(Failure::new(
            Kind::Usage,
            "An answer has no such form",
            "the run is a question; its answer is text, md, json or ndjson",
            Hint::RUNS,
        )),
    }
}

async fn answer(
    client: &Client,
    run: &RunInfo,
    context: &mut Context,
    printer: &mut AnswerPrinter,
) -> Result<Exit, Failure> {
    let mut events = client.subscribe(run.run_id, 0).map_err(daemon::failure)?;
    answering::follow(&mut events, client, &run.root, context, printer).await
}

async fn review(
    client: &Client,
    run_id: Uuid,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let mut events = client.subscribe(run_id, 0).map_err(daemon::failure)?;
    loop {
        let next = spinner::during(&mut context.notes, "Waiting for the run", events.next());
        let Some(event) = next.await.map_err(daemon::failure)? else {
            return Ok(());
        };
        printer.event(&event, &mut context.answer)?;
    }
}
