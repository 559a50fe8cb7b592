//! A review from its start to its last event.

use std::time::Duration;

use convergio_client::Client;
use convergio_contract::{
    EventBody, Uuid,
    config::{ConfigGet, ConfigGetParams},
    model::Attempt,
    review::{ReviewStart, ReviewStartParams},
};
use serde_json::json;

use super::{
    preview,
    printer::Printer,
    review::{Args, options},
    settings::Settings,
};
use crate::{
    ask::words,
    context::Context,
    daemon,
    error::Failure,
    keys::{Mending, tell_empty},
    output::{Answer, escape, layout::Piece, paint::Role, reader::Reader},
    render::ReviewFormat,
    spinner,
};

/// How often NDJSON says that the review still goes on.
const HEARTBEAT_MS: u64 = 5_000;

/// Starts the run and prints its events. The settings, unless the run goes on without a reader.
pub async fn stream(
    client: &Client,
    params: &mut ReviewStartParams,
    args: &Args,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<Option<Settings>, Failure> {
    let run_id = params.run_id;
    let mut mending = Mending::default();
    let (accepted, configured, events) = loop {
        let starting = async {
            let configured = client.queue::<ConfigGet>(&ConfigGetParams::default())?;
            let started = client.queue::<ReviewStart>(params)?;
            let events = (!args.detach).then(|| client.subscribe(run_id, 0));
            let events = events.transpose()?;
            client.flush().await?;
            // Whatever is wrong with the settings, the run's own refusal says it better.
            let configured = configured.response().await;
            Ok((started.response().await?, configured?, events))
        };
        match spinner::during(&mut context.notes, "Sending the diff", starting).await {
            Ok(started) => break started,
            Err(error) => {
                // The rules need no key: without one they look alone, and it is said why.
                let mut without = params.options.keys.clone();
                let goes_on = tell_empty(&error, &mut without);
                let mended = mending.mend(error, &mut params.options, client, context);
                if let Err(failure) = mended.await {
                    if goes_on {
                        params.options.keys = without;
                    } else if mending.declined() && !params.no_model {
                        // The rules cost nothing: they look all the same.
                        params.no_model = true;
                        params.options.keys.clear();
                    } else {
                        return Err(failure);
                    }
                }
            }
        }
    };
    let settings = options(args, Settings::of(&configured), printer);
    let Some(mut events) = events else {
        detached(accepted.run_id, args.format, context)?;
        return Ok(None);
    };
    let mut told_model = false;
    let mut told_switch = None;
    let reader = Reader::of_stdout();
    loop {
        let next = async {
            tokio::select! {
                biased;
                event = events.next() => event.map_err(daemon::failure),
                () = reader.gone() => Err(Failure::reader_gone()),
            }
        };
        let next = spinner::during(&mut context.notes, "Reviewing", next);
        let event = beating(printer, &mut context.answer, next).await?;
        match event {
            Some(event) => {
                match &event.body {
                    EventBody::Plan(attempt) => {
                        // Each switch once: many calls make the same one.
                        if let Some(line) = words::instead(attempt)
                            && told_switch.as_ref() != Some(&line)
                        {
                            context.notes.note(&line);
                            told_switch = Some(line);
                        }
                        tell_model(attempt, run_id, args.format, &mut told_model, context);
                    }
                    EventBody::BudgetWarning(budget) => {
                        context.notes.note(&words::nearly_used(budget));
                    }
                    EventBody::Downgraded { from, to, reason } => {
                        context.notes.note(&words::downgraded(from, to, reason));
                    }
                    _ => {}
                }
                printer.event(&event, &mut context.answer)?;
                if event.body.is_terminal() {
                    return Ok(Some(settings));
                }
            }
            None => return Ok(Some(settings)),
        }
    }
}

/// Says which model looks, and where; with `-v` of each of its calls.
fn tell_model(
    attempt: &Attempt,
    run_id: Uuid,
    format: ReviewFormat,
    told: &mut bool,
    context: &mut Context,
) {
    if context.global.verbose {
        context.notes.pieces(&preview::attempt(attempt, run_id), 2);
    } else if !*told && (format == ReviewFormat::Text || context.notes.animated) {
        let place = if attempt.local {
            "on this machine".to_owned()
        } else {
            escape::line(&attempt.destination).into_owned()
        };
        let line = format!(
            "{}/{} looks too, {place}",
            escape::line(&attempt.provider),
            escape::line(&attempt.model)
        );
        context.notes.pieces(&[Piece::new("", line, Role::Dim)], 2);
    }
    *told = true;
}

/// Waits, and lets the format say from time to time that the wait goes on.
pub async fn beating<T>(
    printer: &mut Printer,
    answer: &mut Answer,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    let pause = Duration::from_millis(HEARTBEAT_MS);
    loop {
        match tokio::time::timeout(pause, &mut work).await {
            Ok(outcome) => return outcome,
            Err(_) => printer.heartbeat(crate::now_ms(), answer)?,
        }
    }
}

fn detached(run_id: Uuid, format: ReviewFormat, context: &mut Context) -> Result<(), Failure> {
    if format.is_json() {
        context.answer.json(&json!({
            "v": 1, "type": "detached", "run_id": run_id, "complete": false,
        }))?;
    } else {
        context.answer.line(&run_id.to_string())?;
    }
    context.answer.flush()?;
    context.notes.note(&format!("Read it: cv attach {run_id}"));
    Ok(())
}
