//! What a glance shows: the next reminders, and those that wait for an answer. Only reads.

use convergio_store::{Connection, StoreError, at};
use rusqlite::params;
use uuid::Uuid;

/// A reminder to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// Its task, for people.
    pub number: u64,
    /// The task's title.
    pub title: String,
    /// The time that it is for, UTC milliseconds; a whole day's first moment.
    pub due_ms: i64,
    /// When it is shown, UTC milliseconds.
    pub fire_ms: i64,
    /// It is for a whole day.
    pub all_day: bool,
}

/// A reminder that fired and was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its identity.
    pub occurrence_id: Uuid,
    /// Its task, for people.
    pub number: u64,
    /// The task's title.
    pub title: String,
    /// The time that it is for, UTC milliseconds; a whole day's first moment.
    pub due_ms: i64,
    /// It is for a whole day.
    pub all_day: bool,
}

/// The next reminders, soonest first, `limit` at most.
///
/// # Errors
/// What the database said.
pub fn coming(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<Vec<Coming>, StoreError> {
    let told = at(connection, "read the next reminders");
    let mut statement = connection
        .prepare_cached(
            "SELECT number, title, coalesce(next_due_ms, next_fire_ms), next_fire_ms, all_day
             FROM task
             WHERE tenant_id = ?1 AND next_fire_ms IS NOT NULL AND deleted_ms IS NULL
               AND state IN ('open', 'waiting')
             ORDER BY next_fire_ms, number LIMIT ?2",
        )
        .map_err(&told)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![tenant, limit], |row| {
            Ok(Coming {
                number: row.get::<_, i64>(0)?.unsigned_abs(),
                title: row.get(1)?,
                due_ms: row.get(2)?,
                fire_ms: row.get(3)?,
                all_day: row.get(4)?,
            })
        })
        .map_err(&told)?;
    rows.collect::<Result<_, _>>().map_err(told)
}

/// The reminders that wait for an answer, latest first, `limit` at most, and how many there are.
///
/// # Errors
/// What the database said.
pub fn waiting(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<(Vec<Waiting>, u64), StoreError> {
    let told = at(connection, "read the reminders that wait");
    let mut statement = connection
        .prepare_cached(
            "SELECT o.id, t.number, t.title, o.due_ms, t.all_day, count(*) OVER ()
             FROM occurrence o JOIN task t ON t.id = o.task_id
             WHERE o.state IN ('claimed', 'shown', 'missed') AND t.tenant_id = ?1
               AND t.deleted_ms IS NULL
             ORDER BY o.fired_ms DESC, t.number LIMIT ?2",
        )
        .map_err(&told)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut total = 0;
    let rows = statement
        .query_map(params![tenant, limit], |row| {
            total = row.get::<_, i64>(5)?.unsigned_abs();
            Ok(Waiting {
                occurrence_id: row.get(0)?,
                number: row.get::<_, i64>(1)?.unsigned_abs(),
                title: row.get(2)?,
                due_ms: row.get(3)?,
                all_day: row.get(4)?,
            })
        })
        .map_err(&told)?;
    let rows = rows.collect::<Result<_, _>>().map_err(told)?;
    Ok((rows, total))
}
