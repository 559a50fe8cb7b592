//! An answer from its first event to what is said after it; shared by all verbs that print one.

use std::time::Duration;

use convergio_client::{Client, RunEvents};
use convergio_contract::{
    EventBody, Uuid,
    budget::{BudgetInfo, BudgetList},
    method::Empty,
    run::{RunCancel, RunCancelParams},
    usage::{UsageQuery, UsageQueryParams},
};
use tokio::sync::oneshot;

use super::preview;
use crate::{
    ask::{Printer, words},
    context::Context,
    daemon,
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::{escape, layout::Piece, paint::Role, reader::Reader},
    render::words::count,
    spinner,
};

/// How long a cancelled run may take to say so.
const CANCEL_MS: u64 = 500;
/// How often NDJSON says that the answer is still awaited.
const HEARTBEAT_MS: u64 = 5_000;

/// Prints the run's events until its end. Bytes on stdin that come only now end the run: they
/// were meant to be part of the question. So does the end of whoever reads the answer.
pub async fn listen(
    events: &mut RunEvents,
    late: &mut Option<oneshot::Receiver<bool>>,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let reader = Reader::of_stdout();
    let to_stdout = printer.asked.target.is_none();
    loop {
        let message = match printer.reply.model() {
            Some(model) => format!("Asking {}", escape::line(model)),
            None => "Asking".to_owned(),
        };
        let next = async {
            tokio::select! {
                biased;
                event = events.next() => event.map_err(daemon::failure),
                () = bytes(late) => Err(Failure::new(
                    Kind::Usage,
                    "stdin came too late to be part of the question",
                    "the question went out without it after 3 s; it is cancelled",
                    Hint::WAIT_FOR_STDIN,
                )),
                () = reader.gone(), if to_stdout => Err(Failure::reader_gone()),
            }
        };
        let occupied = printer.occupies(&context.answer);
        let next = async {
            let pause = Duration::from_millis(HEARTBEAT_MS);
            let mut next = std::pin::pin!(next);
            loop {
                match tokio::time::timeout(pause, &mut next).await {
                    Ok(event) => return event,
                    Err(_) => printer.heartbeat(crate::now_ms(), &mut context.answer)?,
                }
            }
        };
        let event = if occupied {
            next.await
        } else {
            spinner::during(&mut context.notes, &message, next).await
        };
        let Some(event) = event? else {
            return Ok(());
        };
        if context.global.verbose
            && let EventBody::Plan(attempt) = &event.body
        {
            context.notes.still();
            let line = preview::attempt(attempt, event.run_id);
            context.notes.pieces(&line, 2);
        }
        let before = printer.reply.attempt.as_ref();
        if let EventBody::Plan(attempt) = &event.body
            && let Some(line) = words::instead(attempt)
            // Each switch once, not with every retry behind it.
            && before.is_none_or(|last| last.model != attempt.model || last.provider != attempt.provider)
        {
            context.notes.still();
            context.notes.note(&line);
        }
        let masked = printer.reply.redactions;
        printer.event(&event, context)?;
        if printer.reply.redactions > masked {
            context.notes.still();
            let secrets = count(printer.reply.redactions.into(), "secret", "secrets");
            let note = format!("{secrets} masked before the question left");
            context.notes.note(&note);
        }
        if event.body.is_terminal() {
            return Ok(());
        }
    }
}

/// Waits for a first byte on a stdin that was silent; an end without one never comes.
async fn bytes(late: &mut Option<oneshot::Receiver<bool>>) {
    if let Some(first) = late {
        let came = first.await;
        *late = None;
        if came == Ok(true) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Reads a run that exists: what it said so far, then what it says.
pub async fn follow(
    events: &mut RunEvents,
    client: &Client,
    root: &str,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    listen(events, &mut None, context, printer).await?;
    finish(client, root, 0, context, printer).await
}

/// What comes after the answer: the file, the cost, the way the process ends.
pub async fn finish(
    client: &Client,
    root: &str,
    took_ms: u64,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let mut outcome = printer.verdict();
    if outcome.is_ok() {
        outcome = match printer.end(context) {
            Ok(Some(text)) => write_file(&text, client, root, context, printer).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
    }
    if let Err(failure) = outcome {
        printer.failed(&failure, context)?;
        tell_cost(client, took_ms, context, printer).await;
        return Err(failure);
    }
    tell_cost(client, took_ms, context, printer).await;
    Ok(Exit::Ok)
}

async fn write_file(
    text: &str,
    client: &Client,
    root: &str,
    context: &mut Context,
    printer: &Printer,
) -> Result<(), Failure> {
    let Some(target) = &printer.asked.target else {
        return Ok(());
    };
    target.write(text, client, root).await?;
    let what = format!("Wrote {}", escape::line(&target.shown()));
    context.notes.pieces(
        &[
            Piece::new("", what, Role::Good),
            Piece::new(" · ", "back: cv undo", Role::Plain),
        ],
        2,
    );
    Ok(())
}

/// The quiet line of numbers, and what else a person should know.
async fn tell_cost(client: &Client, took_ms: u64, context: &mut Context, printer: &Printer) {
    if context.notes.quiet {
        return;
    }
    // Without the time that a person or a pipe took.
    let took_ms = printer
        .reply
        .summary
        .as_ref()
        .map_or(took_ms, |summary| summary.duration_ms);
    for remark in words::remarks(&printer.reply) {
        context.notes.note(&remark);
    }
    let budgets = if printer.reply.amount_nano_usd().is_some_and(|nano| nano > 0) {
        budgets(client).await
    } else {
        Vec::new()
    };
    let mut line = words::cost(&printer.reply, took_ms);
    if !line.is_empty() {
        let left = words::left(&budgets).into_iter();
        line.extend(left.map(|left| Piece::new(" · ", left, Role::Dim)));
        context.notes.pieces(&line, 2);
    }
    caps(&budgets, context);
}

/// The budgets as they stand. A remark: whoever cannot have it misses nothing of the answer.
pub async fn budgets(client: &Client) -> Vec<BudgetInfo> {
    let found = client.call::<BudgetList>(&Empty {}).await;
    found.map(|found| found.budgets).unwrap_or_default()
}

fn caps(budgets: &[BudgetInfo], context: &mut Context) {
    let lines = [words::frozen(budgets), words::unchosen_cap(budgets)];
    for line in lines.into_iter().flatten() {
        context.notes.note(&line);
    }
}

/// Says what is left of the day, and names the daily cap where it is frozen or nobody's choice.
pub async fn tell_cap(client: &Client, context: &mut Context) {
    let budgets = budgets(client).await;
    if let Some(left) = words::left(&budgets) {
        context.notes.pieces(&words::line(vec![left]), 2);
    }
    caps(&budgets, context);
}

/// Ends the run. It ends by itself soon after its last reader went, so nothing hangs on this.
/// Whether its end was recorded while somebody waited.
pub async fn cancel(client: &Client, run_id: Uuid) -> bool {
    let params = RunCancelParams { run_id };
    let cancelling = client.call::<RunCancel>(&params);
    // Whoever interrupts does not wait for the answer longer than this.
    let cancelled = tokio::time::timeout(Duration::from_millis(CANCEL_MS), cancelling).await;
    matches!(cancelled, Ok(Ok(_)))
}

/// Ends a run whose answer is not awaited any more, and learns what it cost until then, where
/// that is known at once.
pub async fn abandon(client: &Client, run_id: Uuid, printer: &mut Printer) {
    if !cancel(client, run_id).await {
        return;
    }
    let params = UsageQueryParams {
        run_id: Some(run_id),
        ..UsageQueryParams::default()
    };
    let asking = client.call::<UsageQuery>(&params);
    let used = tokio::time::timeout(Duration::from_millis(CANCEL_MS), asking).await;
    if let Ok(Ok(used)) = used {
        printer.reply.settled = Some(used.total);
    }
}

/// Says what an abandoned run cost.
pub fn tell_abandoned(context: &mut Context, printer: &Printer, took_ms: u64) {
    let line = words::cost(&printer.reply, took_ms);
    if !line.is_empty() {
        context.notes.still();
        context.notes.pieces(&line, 2);
    }
}
