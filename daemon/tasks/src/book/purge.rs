//! What was removed goes for good when the way back has expired.

use convergio_store::{StoreError, Tx, at};
use rusqlite::params;
use uuid::Uuid;

/// Removes up to `limit` tasks that were removed before `before_ms`, with their reminders and
/// tags; and reminders that were answered before it. Says how many rows went.
///
/// # Errors
/// What the database said.
pub fn purge(tx: &Tx<'_>, tenant: Uuid, before_ms: i64, limit: usize) -> Result<usize, StoreError> {
    let told = at(tx, "remove what has expired");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let tasks = tx
        .prepare_cached(
            "DELETE FROM task WHERE rowid IN (SELECT rowid FROM task
             WHERE tenant_id = ?1 AND deleted_ms <= ?2 LIMIT ?3)",
        )
        .and_then(|mut statement| statement.execute(params![tenant, before_ms, limit]))
        .map_err(&told)?;
    Ok(tasks)
}
