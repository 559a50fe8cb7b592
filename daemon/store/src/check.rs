//! Looking for damage.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::connection::immutable_uri;
use crate::error::{StoreError, at};
use crate::files::{self, beside};

/// Problems listed at most; a badly damaged file has thousands.
const PROBLEMS_MAX: usize = 100;

const CHECK: &str = "check the database";

/// Reads the whole database at `path` (a file, not its folder) and lists what is wrong with it,
/// nothing if it is sound; 100 lines at most. For a store that is closed; an open one has
/// [`crate::Store::integrity_check`]. Takes as long as reading the file takes.
///
/// # Errors
/// When the file can't be opened at all; a file that is no database is [`StoreError::Damaged`].
/// [`StoreError::ReadOnly`] where it has a log whose index cannot be made beside it: that says
/// nothing about the database.
pub fn integrity_check(path: &Path) -> Result<Vec<String>, StoreError> {
    let conn = open_for_check(path)?;
    let error = match problems(&conn) {
        Err(error @ StoreError::Device { .. })
            if path.parent().is_some_and(files::is_read_only) =>
        {
            error
        }
        other => return other,
    };
    drop(conn);
    let log = fs::metadata(beside(path, "-wal"));
    if log.is_ok_and(|log| log.len() > 0) {
        tracing::warn!(%error, "a log that cannot be read stands beside the database");
        return Err(StoreError::ReadOnly {
            path: path.to_path_buf(),
            activity: CHECK,
        });
    }
    problems(&open(
        path,
        &immutable_uri(path),
        OpenFlags::SQLITE_OPEN_URI,
    )?)
}

pub(crate) fn open_for_check(path: &Path) -> Result<Connection, StoreError> {
    open(path, path, OpenFlags::empty())
}

fn open(path: &Path, name: &Path, more: OpenFlags) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE
        | more;
    Connection::open_with_flags(name, flags).map_err(|e| StoreError::from_sqlite(path, CHECK, e))
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
