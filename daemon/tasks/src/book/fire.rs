//! Reminders: what fires, what was shown, what was answered.

use convergio_store::{Connection, StoreError, Tx, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::{
    BookError, Fate, Next, Occurrence, TaskRef, TaskRow,
    plan::{self, Plan},
    table::{self, find, set_fate},
};
use crate::Basis;

/// A clock that goes back by less has only been set right.
const SET_RIGHT_MS: i64 = 60_000;

/// The earliest time at which something fires, UTC milliseconds.
///
/// # Errors
/// What the database said.
pub fn next_wake(connection: &Connection, tenant: Uuid) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached(
            "SELECT min(next_fire_ms) FROM task WHERE tenant_id = ?1 AND next_fire_ms IS NOT NULL",
        )
        .and_then(|mut statement| statement.query_row([tenant], |row| row.get(0)))
        .map_err(at(connection, "look for the next reminder"))
}

/// Tasks for which [`claim`] has something to do, the earliest first. Among them are those that
/// fired in a future that did not come, because the clock has gone back since.
///
/// # Errors
/// What the database said.
pub fn due(
    connection: &Connection,
    tenant: Uuid,
    now_ms: i64,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let told = at(connection, "look for reminders that are due");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ids = |sql: &str, until: i64| -> rusqlite::Result<Vec<Uuid>> {
        connection
            .prepare_cached(sql)?
            .query_map(params![tenant, until, limit], |row| row.get(0))?
            .collect()
    };
    let mut found = ids(
        "SELECT id FROM task WHERE tenant_id = ?1 AND next_fire_ms <= ?2
         ORDER BY next_fire_ms, number LIMIT ?3",
        now_ms,
    )
    .map_err(&told)?;
    let ahead = ids(
        "SELECT id FROM task WHERE tenant_id = ?1 AND fired_until_ms > ?2
         AND due_ms IS NOT NULL AND deleted_ms IS NULL AND state IN ('open', 'waiting')
         ORDER BY fired_until_ms LIMIT ?3",
        now_ms.saturating_add(SET_RIGHT_MS),
    )
    .map_err(&told)?;
    for id in ahead {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

/// A reminder that is to be shown now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The reminder, written down.
    pub occurrence: Occurrence,
    /// Its task, moved on.
    pub task: TaskRow,
}

/// Writes the reminder down that a task has now, and moves the task on. `None`: there is none (any
/// more). After a time in which nothing ran it is one reminder, for the latest time, with the
/// number of earlier ones. Older reminders of the task that nobody answered end here: this one
/// stands for them, and counts those that nobody was shown.
///
/// # Errors
/// What the database said, or a rule that cannot be read any more.
pub fn claim(
    tx: &Tx<'_>,
    tenant: Uuid,
    task_id: Uuid,
    now_ms: i64,
) -> Result<Option<Claimed>, BookError> {
    let Some(mut task) = find(tx, tenant, TaskRef::Id(task_id))? else {
        return Ok(None);
    };
    if task.deleted_ms.is_some() || !task.state.is_unfinished() {
        return Ok(None);
    }
    let rewound = rewind(tx, &mut task, now_ms)?;
    // Bounded by the rule's own bound on looks; each turn moves `fired_until_ms` on.
    loop {
        let Some(found) = firing(tx, &task, now_ms)? else {
            // What was planned for now under other rules of a zone would be looked at for ever.
            if rewound || task.next.is_some_and(|next| next.fire_ms <= now_ms) {
                save(tx, tenant, &mut task)?;
            }
            return Ok(None);
        };
        let planned = found.snooze == 0;
        task.fired_until_ms = task.fired_until_ms.max(found.next.fire_ms);
        task.snoozed_until_ms = None;
        if planned {
            move_due(&mut task, found.next.due_ms)?;
        }
        let occurrence = Occurrence {
            id: Uuid::now_v7(),
            task_id,
            number: task.number,
            title: task.title.clone(),
            due_ms: found.next.due_ms,
            before_min: found.next.before_min,
            snooze: found.snooze,
            fire_ms: found.next.fire_ms,
            fired_ms: now_ms,
            missed: found.missed,
            state: Fate::Claimed,
            shown_as: None,
            all_day: task.times.as_ref().is_some_and(|times| times.all_day),
            zone: task
                .times
                .as_ref()
                .map_or_else(|| "UTC".to_owned(), |times| times.zone.clone()),
        };
        let unseen = older_unseen(tx, task_id)?;
        let occurrence = Occurrence {
            missed: occurrence.missed.saturating_add(unseen),
            ..occurrence
        };
        if insert(tx, &occurrence)? {
            let others: Vec<(Uuid, Fate)> = waiting_of(tx, task_id, occurrence.id)?;
            for (id, _) in others {
                set_fate(tx, id, Fate::Dismissed, Some(now_ms))?;
            }
            save(tx, tenant, &mut task)?;
            return Ok(Some(Claimed { occurrence, task }));
        }
        // It fired before the clock went back.
        save(tx, tenant, &mut task)?;
    }
}

/// What fires for a task.
struct Firing {
    next: Next,
    missed: u32,
    snooze: u32,
}

fn firing(tx: &Tx<'_>, task: &TaskRow, now_ms: i64) -> Result<Option<Firing>, BookError> {
    let plan = Plan::of(task)?;
    let planned = plan
        .as_ref()
        .and_then(|plan| plan.last_between(task.fired_until_ms, now_ms));
    let Some(until_ms) = task.snoozed_until_ms else {
        return Ok(planned.map(|(next, missed)| Firing {
            next,
            missed,
            snooze: 0,
        }));
    };
    if until_ms > now_ms {
        return Ok(None);
    }
    if let Some((next, others)) = planned
        && next.fire_ms > until_ms
    {
        return Ok(Some(Firing {
            next,
            missed: others.saturating_add(1),
            snooze: 0,
        }));
    }
    // Again, what was put off.
    let last: Option<(i64, u32)> = tx
        .prepare_cached(
            "SELECT due_ms, before_min FROM occurrence WHERE task_id = ?1 AND state = 'snoozed'
             ORDER BY fired_ms DESC, id DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([task.id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(at(tx, "read a task's reminders"))?;
    let (due_ms, before_min) = match (&task.times, last) {
        (Some(times), Some((due_ms, before_min))) if due_ms <= times.due_ms => (due_ms, before_min),
        (Some(times), _) => (times.due_ms, 0),
        (None, Some(last)) => last,
        (None, None) => (until_ms, 0),
    };
    let snooze: u32 = tx
        .prepare_cached(
            "SELECT coalesce(max(snooze), 0) + 1 FROM occurrence
             WHERE task_id = ?1 AND due_ms = ?2 AND before_min = ?3",
        )
        .and_then(|mut statement| {
            statement.query_row(params![task.id, due_ms, before_min], |row| row.get(0))
        })
        .map_err(at(tx, "read a task's reminders"))?;
    Ok(Some(Firing {
        next: Next {
            due_ms,
            before_min,
            fire_ms: until_ms,
        },
        missed: 0,
        snooze,
    }))
}

/// Its plan goes on by itself.
fn goes_on(task: &TaskRow) -> bool {
    let repeat = task.repeat.as_ref();
    repeat.is_some_and(|repeat| repeat.basis == Basis::Schedule)
}

/// The latest time that fired is what is due, where a plan goes on by itself.
fn move_due(task: &mut TaskRow, due_ms: i64) -> Result<(), BookError> {
    let Some(plan) = Plan::of(task)?.filter(|_| goes_on(task)) else {
        return Ok(());
    };
    if let Some(times) = &mut task.times
        && due_ms > times.due_ms
    {
        times.due = plan.time_of(due_ms);
        times.due_ms = due_ms;
    }
    Ok(())
}

/// The clock has gone back: what is planned from now on fires, even where the future that did not
/// come had passed it. What fired by itself there does not fire again.
fn rewind(tx: &Tx<'_>, task: &mut TaskRow, now_ms: i64) -> Result<bool, BookError> {
    if task.times.is_none() || task.fired_until_ms <= now_ms.saturating_add(SET_RIGHT_MS) {
        return Ok(false);
    }
    task.fired_until_ms = now_ms;
    let plan = Plan::of(task)?.filter(|_| goes_on(task));
    if let (Some(plan), Some(times)) = (plan, &mut task.times) {
        // Only where a reminder brought it there, and nobody's doing.
        let fired: bool = tx
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM occurrence WHERE task_id = ?1 AND due_ms = ?2)",
            )
            .and_then(|mut statement| {
                statement.query_row(params![task.id, times.due_ms], |row| row.get(0))
            })
            .map_err(at(tx, "read a task's reminders"))?;
        if fired
            && times.due_ms > now_ms
            && let Some(first) = plan.first_time_after(now_ms)
        {
            times.due = first;
            times.due_ms = plan.due_ms(first);
        }
    }
    plan::settle(task)?;
    Ok(true)
}

/// Writes what the clock did to a task. That is nobody's change: its revision stays.
fn save(tx: &Tx<'_>, tenant: Uuid, task: &mut TaskRow) -> Result<(), BookError> {
    plan::settle(task)?;
    table::put(tx, tenant, Uuid::nil(), task)?;
    Ok(())
}

fn insert(tx: &Tx<'_>, occurrence: &Occurrence) -> Result<bool, StoreError> {
    let rows = tx
        .prepare_cached(
            "INSERT INTO occurrence (id, task_id, due_ms, before_min, snooze, fire_ms, fired_ms,
                 missed, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (task_id, due_ms, before_min, snooze) DO NOTHING",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                occurrence.id,
                occurrence.task_id,
                occurrence.due_ms,
                occurrence.before_min,
                occurrence.snooze,
                occurrence.fire_ms,
                occurrence.fired_ms,
                occurrence.missed,
                occurrence.state,
            ])
        })
        .map_err(at(tx, "write a reminder down"))?;
    Ok(rows > 0)
}

/// Older reminders of the task that nobody was shown, with those for which they stand.
fn older_unseen(tx: &Tx<'_>, task_id: Uuid) -> Result<u32, StoreError> {
    tx.prepare_cached(
        "SELECT coalesce(sum(missed + 1), 0) FROM occurrence
         WHERE task_id = ?1 AND state IN ('claimed', 'missed')",
    )
    .and_then(|mut statement| statement.query_row([task_id], |row| row.get(0)))
    .map_err(at(tx, "read a task's reminders"))
}

fn waiting_of(tx: &Tx<'_>, task_id: Uuid, but: Uuid) -> Result<Vec<(Uuid, Fate)>, StoreError> {
    tx.prepare_cached(
        "SELECT id, state FROM occurrence
         WHERE task_id = ?1 AND state IN ('claimed', 'shown', 'missed') AND id <> ?2",
    )
    .and_then(|mut statement| {
        statement
            .query_map(params![task_id, but], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    })
    .map_err(at(tx, "read a task's reminders"))
}

/// Reminders that nobody was shown: claimed by a daemon that died before it showed them, or missed
/// because nothing could. Oldest first.
///
/// # Errors
/// What the database said.
pub fn unshown(
    connection: &Connection,
    tenant: Uuid,
    limit: usize,
) -> Result<Vec<Occurrence>, StoreError> {
    table::occurrences(
        connection,
        "t.tenant_id = ?1 AND o.state IN ('claimed', 'missed') ORDER BY o.fired_ms, o.id LIMIT ?2",
        params![tenant, i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// A notification server took it. One that was answered in between stays answered.
///
/// # Errors
/// What the database said.
pub fn shown(
    tx: &Tx<'_>,
    occurrence_id: Uuid,
    server: &str,
    server_id: u32,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE occurrence SET server = ?2, server_id = ?3, shown_ms = ?4,
             state = CASE WHEN state IN ('claimed', 'missed') THEN 'shown' ELSE state END
         WHERE id = ?1",
    )
    .and_then(|mut statement| statement.execute(params![occurrence_id, server, server_id, now_ms]))
    .map_err(at(tx, "note that a reminder was shown"))?;
    Ok(())
}

/// Nobody could show it. Told at the next chance.
///
/// # Errors
/// What the database said.
pub fn missed(tx: &Tx<'_>, occurrence_id: Uuid, _now_ms: i64) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE occurrence SET state = 'missed' WHERE id = ?1 AND state = 'claimed'")
        .and_then(|mut statement| statement.execute([occurrence_id]))
        .map_err(at(tx, "note that a reminder was missed"))?;
    Ok(())
}

/// The reminder that a notification server calls so, the latest.
///
/// # Errors
/// What the database said.
pub fn shown_as(
    connection: &Connection,
    server: &str,
    server_id: u32,
) -> Result<Option<Uuid>, StoreError> {
    connection
        .prepare_cached(
            "SELECT id FROM occurrence WHERE server = ?1 AND server_id = ?2
             ORDER BY shown_ms DESC, id DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![server, server_id], |row| row.get(0))
                .optional()
        })
        .map_err(at(connection, "look for a reminder"))
}

/// Something will fire, or was not shown yet.
///
/// # Errors
/// What the database said.
pub fn keeps_awake(connection: &Connection, tenant: Uuid) -> Result<bool, StoreError> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM task WHERE tenant_id = ?1 AND next_fire_ms IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM occurrence o JOIN task t ON t.id = o.task_id
                            WHERE o.state IN ('claimed', 'missed') AND t.tenant_id = ?1)",
        )
        .and_then(|mut statement| statement.query_row([tenant], |row| row.get(0)))
        .map_err(at(connection, "look for reminders"))
}
