//! What can go wrong with a task.

use convergio_store::StoreError;
use uuid::Uuid;

/// An error of the book. Nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The store's: nothing was acknowledged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such task (any more).
    #[error("there is no task {task}")]
    NotFound {
        /// As it was asked for.
        task: String,
    },
    /// There is no such reminder (any more).
    #[error("there is no reminder {id}")]
    NoOccurrence {
        /// Its id.
        id: Uuid,
    },
    /// The id stands for another task.
    #[error("the id {id} was used before for another task")]
    Conflict {
        /// The id.
        id: Uuid,
    },
    /// The task was changed since.
    #[error("task {number} is of revision {found}, not {expected}")]
    Stale {
        /// The task.
        number: u64,
        /// What was expected.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// A task would be a part of itself.
    #[error("task {parent} is task {number} or a part of it")]
    Cycle {
        /// The task.
        number: u64,
        /// What was to be its parent.
        parent: u64,
    },
    /// Parts of parts of parts.
    #[error("tasks would be {depth} deep, at most {max}")]
    TooDeep {
        /// How deep they would be.
        depth: usize,
        /// How deep they may be.
        max: usize,
    },
    /// A task with parts that are not done is not done.
    #[error("task {number} has parts that are not done: {}", numbers(parts))]
    OpenParts {
        /// The task.
        number: u64,
        /// Its open parts.
        parts: Vec<u64>,
    },
    /// A task with parts goes with them or not at all.
    #[error("task {number} has parts: {}", numbers(parts))]
    HasParts {
        /// The task.
        number: u64,
        /// Its parts.
        parts: Vec<u64>,
    },
    /// No more are kept.
    #[error("there are {max} tasks already, and no more are kept")]
    Full {
        /// How many are kept.
        max: usize,
    },
    /// A task that ended is not reminded of.
    #[error("task {number} is {state}")]
    Ended {
        /// The task.
        number: u64,
        /// Where it stands.
        state: &'static str,
    },
    /// A value that is not taken.
    #[error("{what}: {why}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The way back is no longer open.
    #[error("task {number} was changed since: {what}")]
    ChangedSince {
        /// The task.
        number: u64,
        /// What is not as it was left.
        what: &'static str,
    },
    /// The way back leads to a task that was purged.
    #[error("task {number} is no longer kept")]
    Gone {
        /// The task.
        number: u64,
    },
}

impl BookError {
    pub(super) fn invalid(what: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid {
            what,
            why: why.into(),
        }
    }
}

/// A few numbers for people.
fn numbers(numbers: &[u64]) -> String {
    const SHOWN: usize = 10;
    let mut text = numbers
        .iter()
        .take(SHOWN)
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if numbers.len() > SHOWN {
        text.push_str(&format!(" and {} more", numbers.len() - SHOWN));
    }
    text
}
