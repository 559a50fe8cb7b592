//! What is on a screen, or should have been. Only reads.

use convergio_store::{Connection, StoreError, at};
use rusqlite::params;
use uuid::Uuid;

use super::{BookError, Occurrence, table::occurrences};

/// Reminders that a notification server took and nobody answered, oldest first, `limit` at most.
///
/// # Errors
/// What the database said.
pub fn on_screen(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<Vec<Occurrence>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    occurrences(
        connection,
        "o.state = 'shown' AND t.tenant_id = ?1 AND t.deleted_ms IS NULL
         ORDER BY o.fired_ms, o.id LIMIT ?2",
        params![tenant, limit],
    )
}

/// The reminder of that id.
///
/// # Errors
/// [`BookError::NoOccurrence`], or what the database said.
pub fn reminder(connection: &Connection, tenant: Uuid, id: Uuid) -> Result<Occurrence, BookError> {
    let found = occurrences(
        connection,
        "o.id = ?2 AND t.tenant_id = ?1",
        params![tenant, id],
    )?;
    found
        .into_iter()
        .next()
        .ok_or(BookError::NoOccurrence { id })
}

/// Reminders that nobody could show and nobody saw, oldest first, `limit` at most, and how many
/// there are in all.
///
/// # Errors
/// What the database said.
pub fn unseen(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<(Vec<Occurrence>, u64), StoreError> {
    const WHERE: &str = "o.state = 'missed' AND t.tenant_id = ?1 AND t.deleted_ms IS NULL";
    let count: u64 = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM occurrence o JOIN task t ON t.id = o.task_id WHERE {WHERE}"
        ))
        .and_then(|mut statement| statement.query_row([tenant], |row| row.get(0)))
        .map_err(at(connection, "count missed reminders"))?;
    if count == 0 {
        return Ok((Vec::new(), 0));
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let first = occurrences(
        connection,
        &format!("{WHERE} ORDER BY o.fired_ms, o.id LIMIT ?2"),
        params![tenant, limit],
    )?;
    Ok((first, count))
}
