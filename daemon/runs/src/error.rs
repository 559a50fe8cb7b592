//! What can go wrong with a run.

use convergio_store::StoreError;
use uuid::Uuid;

use crate::run::RunState;

/// An error of this crate.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// The store's: nothing was acknowledged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such thing (any more).
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: Uuid,
    },
    /// The id or key was used for something else before.
    #[error("the {what} was used before with another content, for {id}")]
    Conflict {
        /// What collides: run id, idempotency key, undo entry.
        what: &'static str,
        /// What used it.
        id: Uuid,
    },
    /// The run has its terminal event.
    #[error("run {id} has ended ({state})")]
    Ended {
        /// The run.
        id: Uuid,
        /// How it ended.
        state: RunState,
    },
    /// Only an ended run can be deleted.
    #[error("run {id} is still running")]
    StillRunning {
        /// The run.
        id: Uuid,
    },
    /// The undo entry was used already.
    #[error("undo entry {id} is {state}")]
    UndoSpent {
        /// The entry.
        id: Uuid,
        /// What became of it.
        state: &'static str,
    },
    /// Above a limit.
    #[error("{what} is {size}, at most {limit} is kept")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// How large.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a value that is accepted here.
    #[error("{what}: {reason}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Refuses a text above its limit.
pub(crate) fn bounded(
    what: &'static str,
    text: Option<&str>,
    limit: usize,
) -> Result<(), RunsError> {
    let size = text.map_or(0, str::len);
    if size > limit {
        return Err(RunsError::TooLarge { what, size, limit });
    }
    Ok(())
}

/// Refuses an id that is not a version 7 UUID: the order of lists rests on its time.
pub(crate) fn version_7(what: &'static str, id: Uuid) -> Result<(), RunsError> {
    if id.get_version_num() != 7 {
        return Err(RunsError::Invalid {
            what,
            reason: "not a UUID of version 7",
        });
    }
    Ok(())
}
