//! What somebody answers to a reminder.

use convergio_store::Tx;
use rusqlite::params;
use uuid::Uuid;

use super::{
    BookError, Changed, Fate, Images, Occurrence, TaskRef, TaskRow, change, complete,
    table::{self, find, set_fate},
};

/// What somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// Again later.
    Snooze {
        /// From now.
        minutes: u32,
    },
    /// Closed by hand.
    Dismiss,
    /// Somebody saw it.
    Seen,
}

/// What an answer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// It did something; `false`: it was answered so before, or its task is over.
    pub changed: bool,
    /// The task as it is now.
    pub task: TaskRow,
    /// The way back; empty where no task was changed.
    pub images: Images,
}

/// Answers a reminder. The same answer again changes nothing and says so. "Done" on a reminder
/// whose task has come to a later time since ends that reminder alone.
///
/// # Errors
/// [`BookError::NoOccurrence`], [`BookError::OpenParts`].
pub fn answer(
    tx: &Tx<'_>,
    tenant: Uuid,
    occurrence_id: Uuid,
    reply: Reply,
    now_ms: i64,
) -> Result<Answered, BookError> {
    let gone = || BookError::NoOccurrence { id: occurrence_id };
    let occurrence = table::occurrences(
        tx,
        "o.id = ?2 AND t.tenant_id = ?1",
        params![tenant, occurrence_id],
    )?
    .pop()
    .ok_or_else(gone)?;
    let task = find(tx, tenant, TaskRef::Id(occurrence.task_id))?.ok_or_else(gone)?;
    let id = TaskRef::Id(task.id);
    let over = task.deleted_ms.is_some() || !task.state.is_unfinished();
    let untouched = |task: TaskRow, changed: bool| Answered {
        changed,
        task,
        images: Images::default(),
    };
    let fate = match reply {
        Reply::Done => Fate::Done,
        Reply::Snooze { .. } => Fate::Snoozed,
        Reply::Dismiss => Fate::Dismissed,
        Reply::Seen => Fate::Seen,
    };
    if occurrence.state == fate {
        return Ok(untouched(task, false));
    }
    let changed: Changed = match reply {
        Reply::Seen | Reply::Dismiss => {
            if occurrence.state.is_waiting() {
                set_fate(tx, occurrence_id, fate, Some(now_ms))?;
            }
            return Ok(untouched(task, occurrence.state.is_waiting()));
        }
        Reply::Done | Reply::Snooze { .. } if over || matches!(occurrence.state, Fate::Done) => {
            return Ok(untouched(task, false));
        }
        Reply::Done if is_past(&task, &occurrence) => {
            set_fate(tx, occurrence_id, fate, Some(now_ms))?;
            return Ok(untouched(task, true));
        }
        Reply::Done => complete::complete(tx, tenant, id, false, now_ms)?,
        Reply::Snooze { minutes } => {
            let until_ms = now_ms.saturating_add(i64::from(minutes.max(1)) * 60_000);
            change::snooze(tx, tenant, id, until_ms, now_ms)?
        }
    };
    set_fate(tx, occurrence_id, fate, Some(now_ms))?;
    let mut images = changed.images;
    if !images.reminders.iter().any(|(id, _)| *id == occurrence_id) {
        images.reminders.push((occurrence_id, occurrence.state));
    }
    Ok(Answered {
        changed: true,
        task: changed.task,
        images,
    })
}

/// The task has gone on to a later time.
fn is_past(task: &TaskRow, occurrence: &Occurrence) -> bool {
    task.repeat.is_some()
        && task
            .times
            .as_ref()
            .is_some_and(|times| times.due_ms > occurrence.due_ms)
}
