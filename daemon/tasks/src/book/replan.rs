//! Zones change their rules: what was planned is wall-clock time, and its instants follow.

use convergio_store::{Connection, StoreError, Tx};
use uuid::Uuid;

use super::{
    BookError, TaskRef, TaskRow,
    list::{Wanted, every_with},
    plan::{self, Plan},
    table::{self, find},
};

/// The task as its wall-clock time and the zone's rules of today have it.
fn planned_anew(task: &TaskRow) -> Result<TaskRow, BookError> {
    let mut anew = task.clone();
    if let (Some(plan), Some(times)) = (Plan::of(task)?, &mut anew.times) {
        times.due_ms = plan.due_ms(times.due);
    }
    plan::settle(&mut anew)?;
    Ok(anew)
}

/// Unfinished tasks whose instants are no longer those of their wall-clock times. What cannot be
/// read any more is not among them: it fires as it was planned.
///
/// # Errors
/// What the database said.
pub fn misplanned(connection: &Connection, tenant: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let rows = every_with(connection, tenant, Wanted::default())?;
    Ok(rows
        .into_iter()
        .filter(|row| row.times.is_some())
        .filter(|row| planned_anew(row).is_ok_and(|anew| anew != *row))
        .map(|row| row.id)
        .collect())
}

/// Plans these tasks anew. That is nobody's change: their revisions stay. Says how many it were.
///
/// # Errors
/// What the database said.
pub fn replan(tx: &Tx<'_>, tenant: Uuid, ids: &[Uuid]) -> Result<usize, BookError> {
    let mut count = 0;
    for id in ids {
        let Some(row) = find(tx, tenant, TaskRef::Id(*id))? else {
            continue;
        };
        let anew = planned_anew(&row)?;
        if anew != row {
            table::put(tx, tenant, Uuid::nil(), &anew)?;
            count += 1;
        }
    }
    Ok(count)
}
