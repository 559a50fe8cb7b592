//! One connection, with every setting that the data contract asks for.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, config::DbConfig, ffi};

use crate::error::{StoreError, at};

/// The first release with the fix for the write-ahead-log reset: 3.51.3.
const SQLITE_NEEDED: i32 = 3_051_003;

/// "CvDB", big-endian.
pub(crate) const APPLICATION_ID: i64 = 0x4376_4442;

/// The log is copied into the database after this many frames (of 4 KiB), beside live traffic.
pub(crate) const CHECKPOINT_FRAMES: i32 = 1_000;

/// A log that grew past this (a long reader held it) is cut back to it when it restarts.
const WAL_LIMIT_BYTES: i64 = 16 << 20;

/// Page cache of the writer and of each reader, in KiB.
const CACHE_KIB: i64 = 1_024;

/// Statements that each connection keeps ready: more than one call's books need.
const STATEMENTS: usize = 128;

const OPEN: &str = "open the database";

/// Has the library count none of its allocations, which nobody asks for: it would take one lock for
/// all threads around each of them. Only before its first use; later it refuses, and counts on.
#[expect(unsafe_code, reason = "the library's own call, without a safe wrapper")]
fn count_no_allocations() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: takes one int, and refuses by itself when the library is in use already. The
        // call is made once and by one thread; who else opens a connection waits for it here.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0_i32) };
    });
}

/// Refuses an `SQLite` that can corrupt a log.
pub(crate) fn assert_library() -> Result<(), StoreError> {
    count_no_allocations();
    let found = rusqlite::version_number();
    if found < SQLITE_NEEDED {
        return Err(StoreError::LibraryTooOld {
            found,
            needed: SQLITE_NEEDED,
        });
    }
    Ok(())
}

/// How a connection reaches its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Many connections, shared memory beside the file.
    Shared,
    /// This connection alone, its log index in its own heap: needs no shared-memory file, which a
    /// full disk can't hold.
    Exclusive,
    /// Reads a file that nothing changes, without a log.
    Immutable,
}

/// Where and how to connect.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) path: std::path::PathBuf,
    pub(crate) vfs: Option<String>,
    pub(crate) busy_timeout_ms: u32,
}

impl Target {
    /// The connection that writes.
    pub(crate) fn writer(&self, mode: Mode) -> Result<Connection, StoreError> {
        let conn = self.raw(mode)?;
        if mode == Mode::Exclusive {
            // Before the first access, else the shared-memory file is already in use.
            conn.pragma_update(None, "locking_mode", "exclusive")
                .map_err(at(&conn, OPEN))?;
        }
        self.settings(&conn)?;
        if mode != Mode::Immutable {
            let journal = write_ahead(&conn).map_err(at(&conn, OPEN))?;
            if journal != "wal" {
                return Err(StoreError::Migration {
                    path: self.path.clone(),
                    version: 0,
                    reason: format!("the file system offers no write-ahead log (got {journal})"),
                });
            }
            // The writer copies the log itself, after it has answered.
            conn.pragma_update(None, "wal_autocheckpoint", 0)
                .and_then(|()| {
                    conn.pragma_update_and_check(
                        None,
                        "journal_size_limit",
                        WAL_LIMIT_BYTES,
                        |row| row.get::<_, i64>(0),
                    )
                })
                .map_err(at(&conn, OPEN))?;
        }
        Ok(conn)
    }

    /// A connection that cannot write.
    pub(crate) fn reader(&self) -> Result<Connection, StoreError> {
        let conn = self.raw(Mode::Shared)?;
        self.settings(&conn)?;
        conn.pragma_update(None, "query_only", true)
            .map_err(at(&conn, OPEN))?;
        Ok(conn)
    }

    fn raw(&self, mode: Mode) -> Result<Connection, StoreError> {
        let fail = |e| StoreError::from_sqlite(&self.path, OPEN, e);
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        // Never CREATE: the file was made first, with its mode.
        let (path, flags) = match mode {
            Mode::Immutable => (
                immutable_uri(&self.path),
                flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
            ),
            Mode::Shared | Mode::Exclusive => {
                (self.path.clone(), flags | OpenFlags::SQLITE_OPEN_READ_WRITE)
            }
        };
        match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
            None => Connection::open_with_flags(path, flags),
        }
        .map_err(fail)
    }

    fn settings(&self, conn: &Connection) -> Result<(), StoreError> {
        conn.busy_timeout(Duration::from_millis(self.busy_timeout_ms.into()))
            .map_err(at(conn, OPEN))?;
        apply(conn).map_err(at(conn, OPEN))
    }
}

/// Turns the write-ahead log on; answers the mode that the database is in then.
fn write_ahead(conn: &Connection) -> rusqlite::Result<String> {
    let mut statement = conn.prepare("PRAGMA journal_mode = wal")?;
    let mut rows = statement.query([])?;
    let mut mode = String::new();
    // To the last row and beyond: the change is committed after the row that announces it, and
    // whoever stops at that row doesn't hear that the disk refused.
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    Ok(mode)
}

/// The settings that need no file: also those of a database in memory.
pub(crate) fn apply(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan is made once, whatever is bound to it: without this, every statement that a partial
    // index might serve is compiled anew for each new value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Sorting never spills content into /tmp.
    conn.pragma_update(None, "temp_store", "memory")?;
    if cfg!(target_os = "macos") {
        conn.pragma_update(None, "fullfsync", true)?;
        conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    }
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))
}

/// `file:` URI of a path, with what has a meaning in a URI escaped.
pub(crate) fn immutable_uri(path: &Path) -> std::path::PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?mode=ro&immutable=1");
    uri.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_library_has_the_fix() {
        assert_library().unwrap();
    }

    #[test]
    fn a_uri_escapes_what_a_uri_would_read() {
        assert_eq!(
            immutable_uri(Path::new("/a b/c?d#é%.db")),
            Path::new("file:/a%20b/c%3Fd%23%C3%A9%25.db?mode=ro&immutable=1")
        );
    }
}
