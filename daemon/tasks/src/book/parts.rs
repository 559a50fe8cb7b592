//! Tasks that are parts of others.

use std::collections::BTreeSet;

use convergio_store::{Connection, StoreError, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::{
    BookError, TaskRow,
    table::{self, COLUMNS},
};

/// Tasks in a line from the topmost to a part without parts, at most.
pub const DEPTH_MAX: usize = 8;

const READ: &str = "read a task's parts";

fn parent_of(connection: &Connection, tenant: Uuid, id: Uuid) -> Result<Option<Uuid>, StoreError> {
    let parent = connection
        .prepare_cached("SELECT parent_id FROM task WHERE tenant_id = ?1 AND id = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant, id], |row| row.get::<_, Option<Uuid>>(0))
                .optional()
        })
        .map_err(at(connection, READ))?;
    Ok(parent.flatten())
}

/// The tasks whose parent it is, without those that were removed, by number.
pub(super) fn of(
    connection: &Connection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Vec<TaskRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM task t WHERE t.parent_id = ?2 AND t.tenant_id = ?1
         AND t.deleted_ms IS NULL ORDER BY t.number"
    );
    table::all(connection, &sql, params![tenant, id])
}

/// All its parts and theirs, the topmost first.
pub(super) fn below(
    connection: &Connection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Vec<TaskRow>, StoreError> {
    let mut found = of(connection, tenant, id)?;
    let mut seen: BTreeSet<Uuid> = found.iter().map(|row| row.id).collect();
    seen.insert(id);
    let mut next = 0;
    while let Some(row) = found.get(next) {
        let parts = of(connection, tenant, row.id)?;
        found.extend(parts.into_iter().filter(|part| seen.insert(part.id)));
        next += 1;
    }
    Ok(found)
}

/// How many levels hang under it.
fn height(connection: &Connection, tenant: Uuid, id: Uuid) -> Result<usize, StoreError> {
    let mut level = vec![id];
    let mut height = 0;
    // Deeper than allowed is not looked.
    while height <= DEPTH_MAX {
        let mut next = Vec::new();
        for id in level {
            next.extend(of(connection, tenant, id)?.into_iter().map(|row| row.id));
        }
        if next.is_empty() {
            break;
        }
        height += 1;
        level = next;
    }
    Ok(height)
}

/// Whether `task` may be a part of `parent`.
pub(super) fn check(
    connection: &Connection,
    tenant: Uuid,
    task: &TaskRow,
    parent: &TaskRow,
) -> Result<(), BookError> {
    let mut above = 1;
    let mut at = Some(parent.id);
    while let Some(id) = at {
        if id == task.id {
            return Err(BookError::Cycle {
                number: task.number,
                parent: parent.number,
            });
        }
        if above > DEPTH_MAX + 1 {
            break;
        }
        above += 1;
        at = parent_of(connection, tenant, id)?;
    }
    let depth = above + height(connection, tenant, task.id)?;
    if depth > DEPTH_MAX {
        return Err(BookError::TooDeep {
            depth,
            max: DEPTH_MAX,
        });
    }
    Ok(())
}
