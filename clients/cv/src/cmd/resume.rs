//! `cv runs resume`

use std::time::Instant;

use convergio_contract::{
    Uuid,
    chat::{RunResume, RunResumeParams},
    run::RunOptions,
};

use super::{answer, ask::elapsed_ms, latest};
use crate::{
    ask::{Asked, Printer},
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    keys::{self, Mending},
    spinner,
    table::Format,
    terminal,
    waiting::{self, Deadline},
};

/// Asks the question of an ended run again, as a run of its own.
pub fn run(run_id: Uuid, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let asked = Asked {
        format,
        ..Asked::default()
    };
    let mut printer = Printer::new(asked, context);
    let outcome = ask_again(run_id, format, context, &mut printer);
    if let Err(failure) = &outcome {
        printer.failed(failure, context)?;
    }
    outcome
}

fn ask_again(
    run_id: Uuid,
    format: Format,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let (_, root) = latest::root(context)?;
    let reach = daemon::options(context, Start::IfNeeded)?;
    let deadline_ms = context.global.timeout;
    let for_programs = matches!(format, Format::Json | Format::Ndjson);
    let mut params = RunResumeParams {
        run_id,
        new_run_id: Uuid::now_v7(),
        options: RunOptions {
            can_ask: !for_programs && terminal::can_ask(),
            keys: keys::exported(),
            ..RunOptions::default()
        },
    };
    let new_run_id = params.new_run_id;
    waiting::block_on(async {
        let began = Instant::now();
        let deadline = Deadline::from_now(deadline_ms);
        let connect = daemon::connect(reach);
        let connect = spinner::during(&mut context.notes, "Reaching the daemon", connect);
        let client = deadline.guard("reaching the daemon", connect).await?;
        let asking = Box::pin(async {
            let mut mending = Mending::default();
            let mut events = loop {
                let resuming = async {
                    client.call::<RunResume>(&params).await?;
                    // Only now: the new run exists when the old one was read.
                    client.subscribe(new_run_id, 0)
                };
                match spinner::during(&mut context.notes, "Asking again", resuming).await {
                    Ok(events) => break events,
                    Err(error) => {
                        mending
                            .mend(error, &mut params.options, &client, context)
                            .await?;
                    }
                }
            };
            answer::listen(&mut events, &mut None, context, printer).await
        });
        let outcome = deadline.guard("waiting for the answer", asking).await;
        if let Err(failure) = &outcome
            && printer.reply.end.is_none()
        {
            answer::abandon(&client, new_run_id, printer).await;
            printer.failed(failure, context)?;
            answer::tell_abandoned(context, printer, elapsed_ms(began));
        }
        outcome?;
        let took_ms = elapsed_ms(began);
        let finishing = answer::finish(&client, &root, took_ms, context, printer);
        deadline.guard("finishing the answer", finishing).await
    })
}
