//! Changes of tasks that are there.

use convergio_store::{StoreError, Tx, at};
use uuid::Uuid;

use super::{
    BookError, Fate, Fields, Image, Images, State, TaskRef, TaskRow, complete,
    parts::{self},
    plan,
    table::{self, set_fate},
    undo,
};

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The task as it is now; of one that was removed, as it was.
    pub task: TaskRow,
    /// It was so already, and nothing was written.
    pub unchanged: bool,
    /// The way back.
    pub images: Images,
}

impl Changed {
    pub(super) fn nothing(task: TaskRow) -> Self {
        Self {
            task,
            unchanged: true,
            images: Images::default(),
        }
    }
}

/// The reminders of a task that wait for an answer get one. Says what they were.
pub(super) fn retire(
    tx: &Tx<'_>,
    task_id: Uuid,
    fate: Fate,
    now_ms: i64,
) -> Result<Vec<(Uuid, Fate)>, StoreError> {
    let waiting: Vec<(Uuid, Fate)> = tx
        .prepare_cached(
            "SELECT id, state FROM occurrence
             WHERE task_id = ?1 AND state IN ('claimed', 'shown', 'missed')",
        )
        .and_then(|mut statement| {
            statement
                .query_map([task_id], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(at(tx, "read a task's reminders"))?;
    for (id, _) in &waiting {
        set_fate(tx, *id, fate, Some(now_ms))?;
    }
    Ok(waiting)
}

/// Writes a task that has changed, as its next revision.
pub(super) fn keep(
    tx: &Tx<'_>,
    tenant: Uuid,
    before: TaskRow,
    mut after: TaskRow,
    reminders: Vec<(Uuid, Fate)>,
    now_ms: i64,
) -> Result<Changed, BookError> {
    plan::settle(&mut after)?;
    after.rev = before.rev + 1;
    after.modified_ms = now_ms;
    // Of a row that is there, the profile stays.
    table::put(tx, tenant, Uuid::nil(), &after)?;
    let mut images = Images::of(Image {
        before: Some(before),
        after: after.clone(),
    });
    images.reminders = reminders;
    Ok(Changed {
        task: after,
        unchanged: false,
        images,
    })
}

/// Changes what is named and leaves the rest. `Done` as a state ends a repeating task, too.
///
/// # Errors
/// [`BookError::Stale`], [`BookError::NotFound`], [`BookError::OpenParts`], what the tree of parts
/// or a field does not take.
pub fn update(
    tx: &Tx<'_>,
    tenant: Uuid,
    task: TaskRef,
    expected_rev: Option<u64>,
    fields: &Fields,
    now_ms: i64,
) -> Result<Changed, BookError> {
    let before = table::get(tx, tenant, task)?;
    if let Some(expected) = expected_rev
        && expected != before.rev
    {
        return Err(BookError::Stale {
            number: before.number,
            expected,
            found: before.rev,
        });
    }
    let mut after = before.clone();
    fields.apply(&mut after, now_ms)?;
    match fields.parent {
        None => {}
        Some(None) => after.parent = None,
        Some(Some(parent)) => {
            let parent = table::get(tx, tenant, parent)?;
            if after.parent != Some(parent.id) {
                parts::check(tx, tenant, &after, &parent)?;
                after.parent = Some(parent.id);
            }
        }
    }
    if let Some(state) = fields.state
        && state != after.state
    {
        if state == State::Done {
            complete::no_open_parts(tx, tenant, &after)?;
            after.completed_ms = Some(now_ms);
        } else if after.state == State::Done {
            after.completed_ms = None;
        }
        if !after.state.is_unfinished() && state.is_unfinished() {
            // What was planned while it was over is not made up for.
            after.fired_until_ms = after.fired_until_ms.max(now_ms);
        }
        if !state.is_unfinished() {
            after.snoozed_until_ms = None;
        }
        after.state = state;
    }
    if undo::same(&before, &after) {
        return Ok(Changed::nothing(before));
    }
    let reminders = if !after.state.is_unfinished() {
        let fate = if after.state == State::Done {
            Fate::Done
        } else {
            Fate::Dismissed
        };
        retire(tx, after.id, fate, now_ms)?
    } else if before.times != after.times {
        // They were for another time.
        retire(tx, after.id, Fate::Dismissed, now_ms)?
    } else {
        Vec::new()
    };
    keep(tx, tenant, before, after, reminders, now_ms)
}

/// Reminds again at `until_ms`, and not before. What is due stays due.
///
/// # Errors
/// [`BookError::Ended`] for a task that is over, [`BookError::Invalid`] for a time that has passed,
/// [`BookError::NotFound`].
pub fn snooze(
    tx: &Tx<'_>,
    tenant: Uuid,
    task: TaskRef,
    until_ms: i64,
    now_ms: i64,
) -> Result<Changed, BookError> {
    let before = table::get(tx, tenant, task)?;
    if !before.state.is_unfinished() {
        return Err(BookError::Ended {
            number: before.number,
            state: before.state.as_str(),
        });
    }
    if until_ms <= now_ms {
        return Err(BookError::invalid("until", "that time has passed"));
    }
    let mut after = before.clone();
    after.snoozed_until_ms = Some(until_ms);
    let reminders = retire(tx, after.id, Fate::Snoozed, now_ms)?;
    if reminders.is_empty() && undo::same(&before, &after) {
        return Ok(Changed::nothing(before));
    }
    keep(tx, tenant, before, after, reminders, now_ms)
}

/// Removes a task: hidden at once, purged by [`super::purge()`] later.
///
/// # Errors
/// [`BookError::HasParts`] without `with_parts`, [`BookError::NotFound`].
pub fn delete(
    tx: &Tx<'_>,
    tenant: Uuid,
    task: TaskRef,
    with_parts: bool,
    now_ms: i64,
) -> Result<Changed, BookError> {
    let before = table::get(tx, tenant, task)?;
    let below = parts::below(tx, tenant, before.id)?;
    if !below.is_empty() && !with_parts {
        return Err(BookError::HasParts {
            number: before.number,
            parts: below.iter().map(|part| part.number).collect(),
        });
    }
    let mut images = Images::default();
    // The parts first: the way back goes the other way.
    for row in below.into_iter().rev().chain([before.clone()]) {
        let mut gone = row.clone();
        gone.deleted_ms = Some(now_ms);
        let reminders = retire(tx, gone.id, Fate::Dismissed, now_ms)?;
        images.add(keep(tx, tenant, row, gone, reminders, now_ms)?.images);
    }
    Ok(Changed {
        task: before,
        unchanged: false,
        images,
    })
}
