//! Rows out of the tables and into them.

use convergio_store::{Connection, StoreError, Tx, at};
use jiff::civil::DateTime;
use rusqlite::{OptionalExtension, Row, params, types::Type};
use uuid::Uuid;

use super::{BookError, Fate, Next, Occurrence, TaskRef, TaskRow, Times};
use crate::{Basis, Repeat};

const READ: &str = "read a task";
const WRITE: &str = "write a task";

/// Columns in the order in which [`row`] reads them.
pub(super) const COLUMNS: &str = "t.id, t.number, t.request_hash, t.uid, t.title, t.notes, \
    t.state, t.priority, t.project, t.parent_id, t.start_local, t.zone, t.all_day, t.due_local, \
    t.due_ms, t.rrule, t.basis, t.reminders_json, t.next_due_ms, t.next_before_min, \
    t.next_fire_ms, t.fired_until_ms, t.snoozed_until_ms, t.created_ms, t.modified_ms, \
    t.completed_ms, t.deleted_ms, t.rev";

fn bad(
    column: usize,
    kind: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}

fn local(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime>> {
    row.get_ref(column)?
        .as_str_or_null()?
        .map(|text| {
            text.parse()
                .map_err(|error: jiff::Error| bad(column, Type::Text, error))
        })
        .transpose()
}

/// A task without its tags.
pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<TaskRow> {
    let zone: Option<String> = row.get(11)?;
    let times = match (local(row, 10)?, local(row, 13)?, zone) {
        (Some(start), Some(due), Some(zone)) => Some(Times {
            start,
            due,
            due_ms: row.get(14)?,
            zone,
            all_day: row.get(12)?,
        }),
        _ => None,
    };
    let basis = match row.get_ref(16)?.as_str_or_null()? {
        Some("after_completion") => Basis::AfterCompletion,
        _ => Basis::Schedule,
    };
    let repeat = row.get::<_, Option<String>>(15)?;
    let reminders = row.get_ref(17)?.as_str()?;
    let next_fire: Option<i64> = row.get(20)?;
    Ok(TaskRow {
        id: row.get(0)?,
        number: row.get(1)?,
        request_hash: row.get(2)?,
        uid: row.get(3)?,
        title: row.get(4)?,
        notes: row.get(5)?,
        state: row.get(6)?,
        priority: row.get(7)?,
        project: row.get(8)?,
        parent: row.get(9)?,
        tags: Vec::new(),
        times,
        repeat: repeat.map(|rrule| Repeat { rrule, basis }),
        remind_before_min: match reminders {
            "[]" => Vec::new(),
            "[0]" => vec![0],
            json => serde_json::from_str(json).map_err(|error| bad(17, Type::Text, error))?,
        },
        next: match next_fire {
            Some(fire_ms) => Some(Next {
                due_ms: row.get::<_, Option<i64>>(18)?.unwrap_or(fire_ms),
                before_min: row.get::<_, Option<u32>>(19)?.unwrap_or(0),
                fire_ms,
            }),
            None => None,
        },
        fired_until_ms: row.get(21)?,
        snoozed_until_ms: row.get(22)?,
        created_ms: row.get(23)?,
        modified_ms: row.get(24)?,
        completed_ms: row.get(25)?,
        deleted_ms: row.get(26)?,
        rev: row.get(27)?,
    })
}

/// Tags of a task, sorted.
pub(super) fn tags(connection: &Connection, id: Uuid) -> Result<Vec<String>, StoreError> {
    let told = at(connection, READ);
    connection
        .prepare_cached("SELECT tag FROM task_tag WHERE task_id = ?1 ORDER BY tag")
        .and_then(|mut statement| statement.query_map([id], |row| row.get(0))?.collect())
        .map_err(told)
}

/// The task of that id or number, a removed one too.
pub(super) fn find(
    connection: &Connection,
    tenant: Uuid,
    task: TaskRef,
) -> Result<Option<TaskRow>, StoreError> {
    let told = at(connection, READ);
    let found = match task {
        TaskRef::Number(number) => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM task t WHERE t.tenant_id = ?1 AND t.number = ?2"
            ))
            .and_then(|mut statement| {
                // SQLite's integers end where ours do not.
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                statement.query_row(params![tenant, number], row).optional()
            }),
        TaskRef::Id(id) => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM task t WHERE t.tenant_id = ?1 AND t.id = ?2"
            ))
            .and_then(|mut statement| statement.query_row(params![tenant, id], row).optional()),
    };
    let Some(mut found) = found.map_err(told)? else {
        return Ok(None);
    };
    found.tags = tags(connection, found.id)?;
    Ok(Some(found))
}

/// The task, which stands in the lists.
///
/// # Errors
/// [`BookError::NotFound`], or what the store said.
pub fn get(connection: &Connection, tenant: Uuid, task: TaskRef) -> Result<TaskRow, BookError> {
    find(connection, tenant, task)?
        .filter(|row| row.deleted_ms.is_none())
        .ok_or_else(|| BookError::NotFound {
            task: task.to_string(),
        })
}

/// The tasks that a query finds, with their tags.
pub(super) fn all(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<TaskRow>, StoreError> {
    let told = at(connection, READ);
    let mut rows: Vec<TaskRow> = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map(params, row)?.collect())
        .map_err(&told)?;
    for found in &mut rows {
        found.tags = tags(connection, found.id)?;
    }
    Ok(rows)
}

/// The number after the one that was given last.
pub(super) fn next_number(tx: &Tx<'_>, tenant: Uuid) -> Result<u64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO task_number (tenant_id, last) VALUES (?1, 1)
         ON CONFLICT (tenant_id) DO UPDATE SET last = last + 1 RETURNING last",
    )
    .and_then(|mut statement| statement.query_row([tenant], |row| row.get(0)))
    .map_err(at(tx, "number a task"))
}

/// Writes a task, new or not. `profile` counts for a new one alone.
pub(super) fn put(
    tx: &Tx<'_>,
    tenant: Uuid,
    profile: Uuid,
    task: &TaskRow,
) -> Result<(), StoreError> {
    let told = at(tx, WRITE);
    let times = task.times.as_ref();
    let reminders = match task.remind_before_min.as_slice() {
        [] => "[]".to_owned(),
        some => format!(
            "[{}]",
            some.iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(",")
        ),
    };
    tx.prepare_cached(
        "INSERT INTO task (tenant_id, id, profile_id, number, request_hash, uid, title, notes,
             state, priority, project, parent_id, start_local, zone, all_day, due_local, due_ms,
             rrule, basis, reminders_json, next_due_ms, next_before_min, next_fire_ms,
             fired_until_ms, snoozed_until_ms, created_ms, modified_ms, completed_ms, deleted_ms,
             rev)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
             ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)
         ON CONFLICT (tenant_id, id) DO UPDATE SET
             uid = excluded.uid, title = excluded.title, notes = excluded.notes,
             state = excluded.state, priority = excluded.priority, project = excluded.project,
             parent_id = excluded.parent_id, start_local = excluded.start_local,
             zone = excluded.zone, all_day = excluded.all_day, due_local = excluded.due_local,
             due_ms = excluded.due_ms, rrule = excluded.rrule, basis = excluded.basis,
             reminders_json = excluded.reminders_json, next_due_ms = excluded.next_due_ms,
             next_before_min = excluded.next_before_min, next_fire_ms = excluded.next_fire_ms,
             fired_until_ms = excluded.fired_until_ms,
             snoozed_until_ms = excluded.snoozed_until_ms, modified_ms = excluded.modified_ms,
             completed_ms = excluded.completed_ms, deleted_ms = excluded.deleted_ms,
             rev = excluded.rev",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            tenant,
            task.id,
            profile,
            task.number,
            task.request_hash,
            task.uid,
            task.title,
            task.notes,
            task.state,
            task.priority,
            task.project,
            task.parent,
            times.map(|times| times.start.to_string()),
            times.map(|times| &times.zone),
            times.is_some_and(|times| times.all_day),
            times.map(|times| times.due.to_string()),
            times.map(|times| times.due_ms),
            task.repeat.as_ref().map(|repeat| &repeat.rrule),
            task.repeat.as_ref().map(|repeat| repeat.basis.as_str()),
            reminders,
            task.next.map(|next| next.due_ms),
            task.next.map(|next| next.before_min),
            task.next.map(|next| next.fire_ms),
            task.fired_until_ms,
            task.snoozed_until_ms,
            task.created_ms,
            task.modified_ms,
            task.completed_ms,
            task.deleted_ms,
            task.rev,
        ])
    })
    .map_err(&told)?;
    let kept = tags(tx, task.id)?;
    if kept == task.tags {
        return Ok(());
    }
    tx.execute("DELETE FROM task_tag WHERE task_id = ?1", [task.id])
        .map_err(&told)?;
    for tag in &task.tags {
        tx.prepare_cached("INSERT INTO task_tag (task_id, tag) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute(params![task.id, tag]))
            .map_err(&told)?;
    }
    Ok(())
}

const OCCURRENCE: &str = "SELECT o.id, o.task_id, t.number, t.title, o.due_ms, o.before_min, \
    o.snooze, o.fire_ms, o.fired_ms, o.missed, o.state, o.server, o.server_id, t.all_day, \
    coalesce(t.zone, 'UTC') FROM occurrence o JOIN task t ON t.id = o.task_id";

fn occurrence_row(row: &Row<'_>) -> rusqlite::Result<Occurrence> {
    let server: Option<String> = row.get(11)?;
    let server_id: Option<u32> = row.get(12)?;
    Ok(Occurrence {
        id: row.get(0)?,
        task_id: row.get(1)?,
        number: row.get(2)?,
        title: row.get(3)?,
        due_ms: row.get(4)?,
        before_min: row.get(5)?,
        snooze: row.get(6)?,
        fire_ms: row.get(7)?,
        fired_ms: row.get(8)?,
        missed: row.get(9)?,
        state: row.get(10)?,
        shown_as: server.zip(server_id),
        all_day: row.get(13)?,
        zone: row.get(14)?,
    })
}

/// The reminders that a condition on `o` and `t` (with its order and limit) finds.
pub(super) fn occurrences(
    connection: &Connection,
    condition: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Occurrence>, StoreError> {
    connection
        .prepare_cached(&format!("{OCCURRENCE} WHERE {condition}"))
        .and_then(|mut statement| statement.query_map(params, occurrence_row)?.collect())
        .map_err(at(connection, "read reminders"))
}

/// Sets what became of a reminder.
pub(super) fn set_fate(
    tx: &Tx<'_>,
    id: Uuid,
    fate: Fate,
    answered_ms: Option<i64>,
) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE occurrence SET state = ?2, answered_ms = ?3 WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![id, fate, answered_ms]))
        .map_err(at(tx, "answer a reminder"))?;
    Ok(())
}
