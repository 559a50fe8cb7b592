//! Looking for damage.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::{StoreError, at};

/// Problems listed at most; a badly damaged file has thousands.
const PROBLEMS_MAX: usize = 100;

const CHECK: &str = "check the database";

/// Reads the whole database at `path` (a file, not its folder) and lists what is wrong with it,
/// nothing if it is sound; 100 lines at most. For a store that is closed; an open one has
/// [`crate::Store::integrity_check`]. Takes as long as reading the file takes.
///
/// # Errors
/// When the file can't be opened at all; a file that is no database is [`StoreError::Damaged`].
pub fn integrity_check(path: &Path) -> Result<Vec<String>, StoreError> {
    let conn = open_for_check(path)?;
    problems(&conn)
}

pub(crate) fn open_for_check(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    Connection::open_with_flags(path, flags).map_err(|e| StoreError::from_sqlite(path, CHECK, e))
}

pub(crate) fn problems(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<String> = Vec::new();
    let mut collect =
        |sql: &str, describe: &dyn Fn(&rusqlite::Row<'_>) -> rusqlite::Result<String>| {
            let mut statement = conn.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if found.len() == PROBLEMS_MAX {
                    return Ok(());
                }
                found.push(describe(row)?);
            }
            Ok::<(), rusqlite::Error>(())
        };
    collect(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"), &|row| {
        row.get(0)
    })
    .and_then(|()| {
        collect("PRAGMA foreign_key_check", &|row| {
            let table: String = row.get(0)?;
            let parent: String = row.get(2)?;
            Ok(format!("a row of {table} has lost its {parent}"))
        })
    })
    .map_err(at(conn, CHECK))?;
    found.retain(|line| line != "ok");
    Ok(found)
}
