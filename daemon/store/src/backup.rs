//! Backup and restore. A backup is whole or absent: it is built under another name, checked,
//! synced, and only then given its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::check;
use crate::connection::{Mode, Target};
use crate::error::{StoreError, at};
use crate::files::{self, DATABASE_FILE, beside};
use crate::migrate;

/// Backups that migrations leave behind, at most.
const MIGRATION_BACKUPS_MAX: usize = 3;

/// Prefix of those: `before-schema-2-1763660000000.db`.
const MIGRATION_PREFIX: &str = "before-schema-";

/// How long a backup of before a migration is kept: 35 days.
const MIGRATION_BACKUP_MS: i64 = 35 * 24 * 60 * 60 * 1_000;

const BACK_UP: &str = "back up the database";
const RESTORE: &str = "restore the backup";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The file that was written, mode 0600.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
    /// Its schema.
    pub version: i64,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// The database that was there before, kept aside; `None` if there was none.
    pub kept_aside: Option<PathBuf>,
    /// The schema of what was restored; opening migrates it.
    pub version: i64,
}

/// Copies the database of `conn` to `path`, which must not exist.
pub(crate) fn write(conn: &Connection, path: &Path) -> Result<BackupReport, StoreError> {
    if path.symlink_metadata().is_ok() {
        return Err(StoreError::io(
            path,
            BACK_UP,
            io::Error::from(io::ErrorKind::AlreadyExists),
        ));
    }
    let partial = beside(path, ".partial");
    files::remove(&partial)?;
    let written = write_partial(conn, &partial, path);
    if written.is_err() {
        // What a full disk left half-written would keep it full.
        let _ = files::remove(&partial);
    }
    written
}

fn write_partial(
    conn: &Connection,
    partial: &Path,
    path: &Path,
) -> Result<BackupReport, StoreError> {
    files::private_file(partial)?;
    let name = partial.to_str().ok_or_else(|| {
        let error = io::Error::new(io::ErrorKind::InvalidFilename, "not UTF-8");
        StoreError::io(partial, BACK_UP, error)
    })?;
    // The errors of the copy name the backup: it is its disk that is full.
    let fail = |e| StoreError::from_sqlite(path, BACK_UP, e);
    conn.execute("VACUUM INTO ?1", [name]).map_err(fail)?;
    let version = sound(partial)?;
    files::sync_file(partial)?;
    let size_bytes = fs::metadata(partial)
        .map_err(|e| StoreError::io(partial, BACK_UP, e))?
        .len();
    fs::rename(partial, path).map_err(|e| StoreError::io(path, BACK_UP, e))?;
    files::sync_parent(path)?;
    Ok(BackupReport {
        path: path.to_path_buf(),
        size_bytes,
        version,
    })
}

/// Checks a database file and tells its schema.
fn sound(path: &Path) -> Result<i64, StoreError> {
    let conn = check::open_for_check(path)?;
    if let Some(detail) = check::problems(&conn)?.into_iter().next() {
        return Err(StoreError::Damaged {
            path: path.to_path_buf(),
            activity: "check the backup",
            detail,
        });
    }
    migrate::version(&conn, path, i64::MAX)
}

/// Keeps a copy of a database that is about to change its schema, and drops the oldest ones.
pub(crate) fn before_migration(
    conn: &Connection,
    dir: &Path,
    from: i64,
    to: i64,
) -> Result<(), StoreError> {
    files::private_dir(dir)?;
    let now_ms = files::now_ms();
    let path = dir.join(format!(
        "{MIGRATION_PREFIX}{to}-from-{from}-{now_ms:013}.db"
    ));
    let report = write(conn, &path)?;
    tracing::info!(path = %report.path.display(), size_bytes = report.size_bytes, "backed up before a migration");
    drop_old(dir, now_ms);
    Ok(())
}

/// Bounds the backups that nobody asked for, in number and age. Failing to is no reason not to open.
pub(crate) fn drop_old(dir: &Path, now_ms: i64) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let mut old: Vec<(i64, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let stem = name.strip_prefix(MIGRATION_PREFIX)?.strip_suffix(".db")?;
            let (_, made_ms) = stem.rsplit_once('-')?;
            Some((made_ms.parse().ok()?, path))
        })
        .collect();
    old.sort_by_key(|(made_ms, _)| std::cmp::Reverse(*made_ms));
    for (position, (made_ms, path)) in old.iter().enumerate() {
        let expired = now_ms.saturating_sub(*made_ms) > MIGRATION_BACKUP_MS;
        if (position >= MIGRATION_BACKUPS_MAX || expired)
            && let Err(error) = files::remove(path)
        {
            tracing::warn!(%error, "an old backup stays");
        }
    }
}

/// Puts `backup` in the place of the database in `dir`. The store must be closed, and the caller
/// must hold whatever keeps a second daemon out.
///
/// The backup is checked first, and nothing is changed if it is not sound or of a newer schema.
/// The present database is kept aside under the name that the report gives. At every moment there
/// is a whole database under the usual name.
///
/// # Errors
/// [`StoreError::Damaged`], [`StoreError::SchemaNewer`] or [`StoreError::Foreign`] for an unfit
/// backup; otherwise what the disk said.
pub fn restore(dir: &Path, backup: &Path) -> Result<RestoreReport, StoreError> {
    files::private_dir(dir)?;
    let version = sound(backup)?;
    if version > migrate::KNOWN_VERSION {
        return Err(StoreError::SchemaNewer {
            found: version,
            known: migrate::KNOWN_VERSION,
            path: backup.to_path_buf(),
        });
    }
    if version == 0 {
        return Err(StoreError::Damaged {
            path: backup.to_path_buf(),
            activity: RESTORE,
            detail: "it is empty".into(),
        });
    }
    let database = dir.join(DATABASE_FILE);
    let fresh = beside(&database, ".restoring");
    files::remove(&fresh)?;
    copy_sound(backup, &fresh)?;

    let kept_aside = keep_aside(&database)?;
    // Only now: a log of the old database beside the new one would be played into it. The old
    // database has taken its log in already, or is damaged and was kept aside with it.
    for suffix in ["-wal", "-shm", "-journal"] {
        files::remove(&beside(&database, suffix))?;
    }
    files::sync_parent(&database)?;
    fs::rename(&fresh, &database).map_err(|e| StoreError::io(&database, RESTORE, e))?;
    files::sync_parent(&database)?;
    Ok(RestoreReport {
        kept_aside,
        version,
    })
}

/// Copies through `SQLite`, so that a backup with a log of its own is copied whole.
fn copy_sound(backup: &Path, fresh: &Path) -> Result<(), StoreError> {
    let source = check::open_for_check(backup)?;
    write(&source, fresh).map(|_| ())
}

/// Gives the present database (and what of its log it can't take in) a second name.
fn keep_aside(database: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !database.exists() {
        return Ok(None);
    }
    if let Err(error) = take_in_log(database) {
        tracing::warn!(%error, "the old database is kept aside together with its log");
    }
    let aside = beside(
        database,
        &format!(".before-restore-{:013}", files::now_ms()),
    );
    for suffix in ["", "-wal"] {
        let (from, to) = (beside(database, suffix), beside(&aside, suffix));
        match fs::hard_link(&from, &to) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            // A file system without hard links.
            Err(_) => {
                fs::copy(&from, &to).map_err(|e| StoreError::io(&to, RESTORE, e))?;
                files::sync_file(&to)?;
            }
        }
    }
    files::sync_parent(database)?;
    Ok(Some(aside))
}

fn take_in_log(database: &Path) -> Result<(), StoreError> {
    let target = Target {
        path: database.to_path_buf(),
        vfs: None,
        busy_timeout_ms: 1_000,
    };
    let conn = target.writer(Mode::Shared)?;
    truncate_log(&conn).map(|_| ())
}

/// Copies the whole log into the database, syncs it, and empties the log. `false` when a reader
/// held a part of it.
pub(crate) fn truncate_log(conn: &Connection) -> Result<bool, StoreError> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0)
    })
    .map(|busy| busy == 0)
    .map_err(at(conn, "copy the log into the database"))
}
