//! The way back from changes of tasks.
//!
//! What a change did is put back field by field, and only where it still stands: what somebody did
//! since is never lost. What fires next follows from that; a reminder that fired stays fired.

use convergio_store::Tx;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    BookError, Fate, TaskRef, TaskRow, change, parts,
    table::{self, find, set_fate},
};

/// A task before and after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `None`: there was none.
    pub before: Option<TaskRow>,
    /// As the change left it.
    pub after: TaskRow,
}

/// All that one change did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// In the order in which it did it.
    pub tasks: Vec<Image>,
    /// Reminders that it answered, and what they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminders: Vec<(Uuid, Fate)>,
}

impl Images {
    pub(super) fn of(image: Image) -> Self {
        Self {
            tasks: vec![image],
            reminders: Vec::new(),
        }
    }

    /// Another change in the same commit.
    pub fn add(&mut self, other: Self) {
        self.tasks.extend(other.tasks);
        self.reminders.extend(other.reminders);
    }

    /// Nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

/// Puts one field back.
macro_rules! put_back {
    ($current:ident, $before:ident, $after:ident: $($field:ident = $name:literal),+ $(,)?) => {
        $(if $before.$field != $after.$field {
            if $current.$field != $after.$field {
                return Err(BookError::ChangedSince {
                    number: $current.number,
                    what: $name,
                });
            }
            $current.$field.clone_from(&$before.$field);
        })+
    };
}

/// Takes a change back. Answers the tasks as they are now.
///
/// # Errors
/// [`BookError::ChangedSince`], [`BookError::Gone`]; [`BookError::Cycle`] and
/// [`BookError::TooDeep`] where the tree of parts has grown elsewhere since. Then nothing of it is
/// taken back.
pub fn take_back(
    tx: &Tx<'_>,
    tenant: Uuid,
    images: &Images,
    now_ms: i64,
) -> Result<Vec<TaskRow>, BookError> {
    let mut changed = Vec::new();
    for Image { before, after } in images.tasks.iter().rev() {
        let Some(current) = find(tx, tenant, TaskRef::Id(after.id))? else {
            return Err(BookError::Gone {
                number: after.number,
            });
        };
        let now = match before {
            None => uncreated(tx, tenant, &current, after, now_ms)?,
            Some(before) => Some(unchanged(tx, tenant, current, before, after, now_ms)?),
        };
        changed.extend(now);
    }
    for (id, fate) in &images.reminders {
        set_fate(tx, *id, *fate, None)?;
    }
    Ok(changed)
}

/// A task that the change made goes.
fn uncreated(
    tx: &Tx<'_>,
    tenant: Uuid,
    current: &TaskRow,
    after: &TaskRow,
    now_ms: i64,
) -> Result<Option<TaskRow>, BookError> {
    if current.deleted_ms.is_some() {
        return Ok(None);
    }
    // A rule moves what is due by itself, and that is nobody's work.
    let mut untouched = after.clone();
    if after.repeat.is_some() {
        untouched.times.clone_from(&current.times);
    }
    untouched.snoozed_until_ms = current.snoozed_until_ms;
    if !same(&untouched, current) {
        return Err(BookError::ChangedSince {
            number: current.number,
            what: "it is no longer as it was made",
        });
    }
    if !parts::of(tx, tenant, current.id)?.is_empty() {
        return Err(BookError::ChangedSince {
            number: current.number,
            what: "it has parts",
        });
    }
    let changed = change::delete(tx, tenant, TaskRef::Id(current.id), false, now_ms)?;
    Ok(Some(changed.task))
}

fn unchanged(
    tx: &Tx<'_>,
    tenant: Uuid,
    current: TaskRow,
    before: &TaskRow,
    after: &TaskRow,
    now_ms: i64,
) -> Result<TaskRow, BookError> {
    let left = current.clone();
    let mut current = current;
    put_back!(current, before, after:
        uid = "its calendar's name",
        title = "its title",
        notes = "its notes",
        state = "its state",
        priority = "its priority",
        project = "its project",
        parent = "what it is a part of",
        tags = "its tags",
        times = "when it is due",
        repeat = "how it comes again",
        remind_before_min = "its reminders",
        snoozed_until_ms = "until when it sleeps",
        completed_ms = "when it was done",
        deleted_ms = "it was removed or brought back",
    );
    if current.deleted_ms.is_none()
        && let Some(parent) = current.parent
    {
        let parent =
            table::get(tx, tenant, TaskRef::Id(parent)).map_err(|_| BookError::ChangedSince {
                number: current.number,
                what: "the task that it is a part of was removed",
            })?;
        parts::check(tx, tenant, &current, &parent)?;
    }
    Ok(change::keep(tx, tenant, left, current, Vec::new(), now_ms)?.task)
}

/// Whether both are the same for people: what the clock does by itself is left out.
pub(super) fn same(one: &TaskRow, other: &TaskRow) -> bool {
    one.uid == other.uid
        && one.title == other.title
        && one.notes == other.notes
        && one.state == other.state
        && one.priority == other.priority
        && one.project == other.project
        && one.parent == other.parent
        && one.tags == other.tags
        && one.times == other.times
        && one.repeat == other.repeat
        && one.remind_before_min == other.remind_before_min
        && one.snoozed_until_ms == other.snoozed_until_ms
        && one.completed_ms == other.completed_ms
        && one.deleted_ms == other.deleted_ms
}
