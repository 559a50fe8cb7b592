//! What was removed goes for good when the way back has expired.

use convergio_store::{StoreError, Tx, at};
use rusqlite::params;
use uuid::Uuid;

/// Purges up to `limit` tasks that were removed at `before_ms` or earlier, with their reminders and
/// tags. Says how many went; their numbers are not given again.
///
/// # Errors
/// What the database said.
pub fn purge(tx: &Tx<'_>, tenant: Uuid, before_ms: i64, limit: usize) -> Result<usize, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tx.prepare_cached(
        "DELETE FROM task WHERE rowid IN (SELECT rowid FROM task
             WHERE tenant_id = ?1 AND deleted_ms <= ?2 LIMIT ?3)",
    )
    .and_then(|mut statement| statement.execute(params![tenant, before_ms, limit]))
    .map_err(at(tx, "remove what has expired"))
}
