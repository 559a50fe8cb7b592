//! `cv attach`

use convergio_contract::{
    Uuid,
    run::{RunGet, RunGetParams},
};

use super::{printer::Printer, settings::FailOn};
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    render::ReviewFormat,
    spinner,
    waiting::{self, Deadline},
};

/// Reads a run from its beginning: one that goes on, or one that ended.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The run, as `cv runs list` names it.
    #[arg(value_name = "RUN", value_parser = crate::cli::run_id)]
    pub run_id: Uuid,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ReviewFormat,
    /// Exit 1 when a finding is at least this bad.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
}

/// Prints the run's events until its end. Ctrl-C leaves; the run goes on.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let mut printer = Printer::new(args.format, context);
    let outcome = read(&args, context, &mut printer);
    printer.close(outcome, context)
}

fn read(args: &Args, context: &mut Context, printer: &mut Printer) -> Result<Exit, Failure> {
    let options = daemon::options(context, Start::IfNeeded)?;
    let deadline_ms = context.global.timeout;
    let run_id = args.run_id;
    waiting::block_on(async {
        let work = async {
            let client = daemon::connect(options).await?;
            // An unknown run is told by this call, before a stream that could only be empty.
            client
                .call::<RunGet>(&RunGetParams { run_id })
                .await
                .map_err(daemon::failure)?;
            let mut events = client.subscribe(run_id, 0).map_err(daemon::failure)?;
            loop {
                let next =
                    spinner::during(&mut context.notes, "Waiting for the run", events.next());
                let Some(event) = next.await.map_err(daemon::failure)? else {
                    return Ok(());
                };
                printer.event(&event, &mut context.answer)?;
            }
        };
        Deadline::from_now(deadline_ms)
            .guard("reading the run", work)
            .await?;
        printer.end(args.fail_on.and_then(FailOn::severity), context)
    })
}
