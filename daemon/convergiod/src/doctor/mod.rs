//! What could be wrong, looked at one by one; each finding with its fix.

use convergio_contract::health::Check;
use convergio_store::StoreError;

use crate::{Surroundings, daemon::Daemon};

/// What is examined.
pub(crate) struct Subject {
    pub(crate) surroundings: Surroundings,
}

impl Subject {
    /// The installation that a running daemon belongs to.
    pub(crate) fn of_daemon(daemon: &Daemon) -> Self {
        Self {
            surroundings: daemon.surroundings.clone(),
        }
    }
}

/// Every check, in the order in which they build on each other.
pub(crate) fn examine(
    _subject: &Subject,
    _integrity: Option<Result<Vec<String>, StoreError>>,
) -> Vec<Check> {
    Vec::new()
}
