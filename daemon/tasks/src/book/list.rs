//! What is read of tasks.

use std::collections::HashMap;

use convergio_store::{Connection, StoreError, Tx, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::{
    Fate, Occurrence, TaskRow, parts,
    table::{self, COLUMNS, set_fate},
};

const LIST: &str = "list tasks";

/// What is read of every task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those that ended, too.
    pub ended: bool,
    /// Their notes; else these are empty.
    pub notes: bool,
    /// Their tags; else there are none.
    pub tags: bool,
}

/// Every task that is not removed, with its tags; those that ended, and notes, only where asked
/// for. By number.
///
/// # Errors
/// What the database said.
pub fn every(
    connection: &Connection,
    tenant: Uuid,
    ended: bool,
    notes: bool,
) -> Result<Vec<TaskRow>, StoreError> {
    let tags = true;
    every_with(connection, tenant, Wanted { ended, notes, tags })
}

/// Every task that is not removed, with no more than what is wanted. By number.
///
/// # Errors
/// What the database said.
pub fn every_with(
    connection: &Connection,
    tenant: Uuid,
    wanted: Wanted,
) -> Result<Vec<TaskRow>, StoreError> {
    let told = at(connection, LIST);
    let columns = if wanted.notes {
        COLUMNS.to_owned()
    } else {
        COLUMNS.replacen("t.notes", "''", 1)
    };
    let states = if wanted.ended {
        "'open', 'waiting', 'done', 'cancelled'"
    } else {
        "'open', 'waiting'"
    };
    let sql = format!(
        "SELECT {columns} FROM task t WHERE t.tenant_id = ?1 AND t.deleted_ms IS NULL
         AND t.state IN ({states}) ORDER BY t.number"
    );
    let mut rows: Vec<TaskRow> = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_map([tenant], table::row)?.collect())
        .map_err(&told)?;
    if !wanted.tags {
        return Ok(rows);
    }
    let mut tags: HashMap<Uuid, Vec<String>> = HashMap::new();
    let mut statement = connection
        .prepare_cached("SELECT task_id, tag FROM task_tag ORDER BY task_id, tag")
        .map_err(&told)?;
    let mut found = statement.query([]).map_err(&told)?;
    while let Some(row) = found.next().map_err(&told)? {
        let id = row.get(0).map_err(&told)?;
        tags.entry(id).or_default().push(row.get(1).map_err(&told)?);
    }
    if !tags.is_empty() {
        for row in &mut rows {
            row.tags = tags.remove(&row.id).unwrap_or_default();
        }
    }
    Ok(rows)
}

/// Puts notes and tags into tasks that were read without.
///
/// # Errors
/// What the database said.
pub fn fill(
    connection: &Connection,
    tasks: &mut [TaskRow],
    read: Wanted,
) -> Result<(), StoreError> {
    let told = at(connection, LIST);
    let mut notes = connection
        .prepare_cached("SELECT notes FROM task WHERE id = ?1")
        .map_err(&told)?;
    for task in tasks {
        if !read.notes {
            task.notes = notes
                .query_row([task.id], |row| row.get(0))
                .optional()
                .map_err(&told)?
                .unwrap_or_default();
        }
        if !read.tags {
            task.tags = table::tags(connection, task.id)?;
        }
    }
    Ok(())
}

/// The task's parts, by number.
///
/// # Errors
/// What the database said.
pub fn parts_of(
    connection: &Connection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Vec<TaskRow>, StoreError> {
    parts::of(connection, tenant, id)
}

/// The number of a task, a removed one too.
///
/// # Errors
/// What the database said.
pub fn number_of(connection: &Connection, id: Uuid) -> Result<Option<u64>, StoreError> {
    connection
        .prepare_cached("SELECT number FROM task WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
        .map_err(at(connection, LIST))
}

/// The task that a calendar calls so, a removed one too.
///
/// # Errors
/// What the database said.
pub fn by_uid(
    connection: &Connection,
    tenant: Uuid,
    uid: &str,
) -> Result<Option<TaskRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM task t WHERE t.tenant_id = ?1 AND t.uid = ?2");
    Ok(table::all(connection, &sql, params![tenant, uid])?.pop())
}

/// The task of that id, a removed one too.
///
/// # Errors
/// What the database said.
pub fn by_id(
    connection: &Connection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Option<TaskRow>, StoreError> {
    table::find(connection, tenant, super::TaskRef::Id(id))
}

/// The reminders of a task that fired, latest first.
///
/// # Errors
/// What the database said.
pub fn history(
    connection: &Connection,
    tenant: Uuid,
    task_id: Uuid,
    limit: usize,
) -> Result<Vec<Occurrence>, StoreError> {
    table::occurrences(
        connection,
        "t.tenant_id = ?1 AND o.task_id = ?2 ORDER BY o.fired_ms DESC, o.id DESC LIMIT ?3",
        params![tenant, task_id, i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// Reminders that wait for an answer, latest first, and how many there are in all.
///
/// # Errors
/// What the database said.
pub fn inbox(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<(Vec<Occurrence>, u64), StoreError> {
    const WAITING: &str = "o.state IN ('claimed', 'shown', 'missed') AND t.tenant_id = ?1 \
         AND t.deleted_ms IS NULL";
    let rows = table::occurrences(
        connection,
        &format!("{WAITING} ORDER BY o.fired_ms DESC, o.id DESC LIMIT ?2"),
        params![tenant, i64::try_from(limit).unwrap_or(i64::MAX)],
    )?;
    let total = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM occurrence o JOIN task t ON t.id = o.task_id WHERE {WAITING}"
        ))
        .and_then(|mut statement| statement.query_row([tenant], |row| row.get(0)))
        .map_err(at(connection, "count reminders"))?;
    Ok((rows, total))
}

/// Somebody saw these reminders; what was answered stays answered. Says how many were waiting.
///
/// # Errors
/// What the database said.
pub fn mark_seen(tx: &Tx<'_>, ids: &[Uuid], now_ms: i64) -> Result<usize, StoreError> {
    let mut seen = 0;
    for id in ids {
        let waiting: Option<Fate> = tx
            .prepare_cached("SELECT state FROM occurrence WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
            .map_err(at(tx, "answer a reminder"))?;
        if waiting.is_some_and(Fate::is_waiting) {
            set_fate(tx, *id, Fate::Seen, Some(now_ms))?;
            seen += 1;
        }
    }
    Ok(seen)
}

/// Every tag in use, sorted, `limit` at most.
///
/// # Errors
/// What the database said.
pub fn tags_in_use(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    in_use(
        connection,
        "SELECT d.tag FROM (SELECT DISTINCT tag FROM task_tag) d
         WHERE EXISTS (SELECT 1 FROM task_tag g JOIN task t ON t.id = g.task_id
                       WHERE g.tag = d.tag AND t.tenant_id = ?1 AND t.deleted_ms IS NULL)
         ORDER BY d.tag LIMIT ?2",
        tenant,
        limit,
    )
}

/// Every project in use, sorted, `limit` at most.
///
/// # Errors
/// What the database said.
pub fn projects_in_use(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    in_use(
        connection,
        "SELECT DISTINCT project FROM task
         WHERE tenant_id = ?1 AND deleted_ms IS NULL AND project IS NOT NULL
         ORDER BY project LIMIT ?2",
        tenant,
        limit,
    )
}

fn in_use(
    connection: &Connection,
    sql: &str,
    tenant: Uuid,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant, limit], |row| row.get(0))?
                .collect()
        })
        .map_err(at(connection, LIST))
}
