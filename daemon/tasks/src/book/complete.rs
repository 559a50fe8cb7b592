//! Done, and on to the next time.

use convergio_store::Tx;
use uuid::Uuid;

use super::{
    BookError, Changed, Fate, State, TaskRef, TaskRow,
    change::{self, retire},
    parts,
    plan::Plan,
    table,
};

/// A task is done. One that comes again goes on to the first time after now and after what was
/// due, unless `for_good`, or unless its rule has no more.
///
/// # Errors
/// [`BookError::OpenParts`], [`BookError::NotFound`].
pub fn complete(
    tx: &Tx<'_>,
    tenant: Uuid,
    task: TaskRef,
    for_good: bool,
    now_ms: i64,
) -> Result<Changed, BookError> {
    let before = table::get(tx, tenant, task)?;
    if before.state == State::Done {
        return Ok(Changed::nothing(before));
    }
    no_open_parts(tx, tenant, &before)?;
    let mut after = before.clone();
    if for_good || !go_on(&mut after, now_ms)? {
        after.state = State::Done;
    }
    after.completed_ms = Some(now_ms);
    after.snoozed_until_ms = None;
    let reminders = retire(tx, after.id, Fate::Done, now_ms)?;
    change::keep(tx, tenant, before, after, reminders, now_ms)
}

/// A task with parts that are not done is not done itself.
pub(super) fn no_open_parts(tx: &Tx<'_>, tenant: Uuid, task: &TaskRow) -> Result<(), BookError> {
    let open: Vec<u64> = parts::below(tx, tenant, task.id)?
        .into_iter()
        .filter(|part| part.state.is_unfinished())
        .map(|part| part.number)
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    Err(BookError::OpenParts {
        number: task.number,
        parts: open,
    })
}

/// Moves what is due to the next time; `false`: there is none.
fn go_on(task: &mut TaskRow, now_ms: i64) -> Result<bool, BookError> {
    let Some(plan) = Plan::of(task)? else {
        return Ok(false);
    };
    let (Some(times), Some(repeat)) = (&mut task.times, &mut task.repeat) else {
        return Ok(false);
    };
    let Some(following) = plan.following(times.due_ms, now_ms) else {
        return Ok(false);
    };
    times.start = following.start;
    times.due = following.due;
    times.due_ms = plan.due_ms(following.due);
    if let Some(rrule) = following.rrule {
        repeat.rrule = rrule;
    }
    Ok(true)
}
