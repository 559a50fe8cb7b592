//! Opening: the whole way where the disk allows it, and as far as possible where it doesn't.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use crate::backup::truncate_log;
use crate::connection::{self, Mode, Target};
use crate::error::{StoreError, at};
use crate::files::{self, BACKUPS_DIR, DATABASE_FILE, beside};
use crate::health::Health;
use crate::migrate;
use crate::options::StoreOptions;
use crate::readers::Readers;
use crate::store::{Inner, Store};
use crate::writer::{Opened, Writer};

const OPEN: &str = "open the database";

pub(crate) fn open(options: &StoreOptions) -> Result<Store, StoreError> {
    connection::assert_library()?;
    match on_disk(options) {
        Err(error) if error.is_unwritable() => {
            tracing::error!(%error, "nothing will be saved until the next start");
            in_memory(options, &error.to_string())
        }
        other => other,
    }
}

pub(crate) fn in_memory(options: &StoreOptions, why: &str) -> Result<Store, StoreError> {
    connection::assert_library()?;
    let path = Path::new(":memory:");
    let conn = Connection::open_in_memory().map_err(|e| StoreError::from_sqlite(path, OPEN, e))?;
    connection::apply(&conn).map_err(at(&conn, OPEN))?;
    migrate::run(&conn, path, options.migrations, None)?;
    let opened = Opened {
        conn,
        mode: Mode::Exclusive,
        target: None,
        readers: None,
        suspect: false,
    };
    start(options, opened, Health::Unsaved { why: why.into() })
}

fn on_disk(options: &StoreOptions) -> Result<Store, StoreError> {
    files::private_dir(&options.dir)?;
    let path = options.dir.join(DATABASE_FILE);
    files::private_file(&path)?;
    let target = Target {
        path: path.clone(),
        vfs: options.vfs.clone(),
        busy_timeout_ms: options.busy_timeout_ms,
    };
    let has_log = fs::metadata(beside(&path, "-wal")).is_ok_and(|meta| meta.len() > 0);
    let (conn, mode, mut health) = connect(options, &target, has_log)?;
    let mut suspect = false;
    if has_log && mode != Mode::Immutable {
        // After a crash the log may show what was never synced. Whoever reads it now must not lose
        // it to a power cut: sync it before anything is answered.
        match truncate_log(&conn) {
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the log of the last session stays");
                suspect = error.makes_suspect();
                let why = error.to_string();
                health = if error.is_unwritable() {
                    Health::ReadOnly { why }
                } else {
                    Health::Failing { why }
                };
            }
        }
    }
    let readers =
        (mode == Mode::Shared).then(|| Arc::new(Readers::new(target.clone(), options.readers)));
    let opened = Opened {
        conn,
        mode,
        target: Some(target),
        readers,
        suspect,
    };
    start(options, opened, health)
}

/// The best connection that the disk allows: shared; alone with its log index in memory; frozen.
fn connect(
    options: &StoreOptions,
    target: &Target,
    has_log: bool,
) -> Result<(Connection, Mode, Health), StoreError> {
    let attempt = |mode| {
        let conn = target.writer(mode)?;
        ready(options, target, &conn)?;
        Ok::<_, StoreError>(conn)
    };
    let error = match attempt(Mode::Shared) {
        Ok(conn) => return Ok((conn, Mode::Shared, Health::Ok)),
        // "Unable to open" and "I/O error" are how a disk without room for one more file sounds.
        Err(StoreError::Device { .. }) if is_full(&options.dir) => StoreError::DiskFull {
            path: target.path.clone(),
            activity: OPEN,
        },
        // And so it sounds where the log's index cannot be made beside the database.
        Err(StoreError::Device { .. }) if files::is_read_only(&options.dir) => {
            StoreError::ReadOnly {
                path: target.path.clone(),
                activity: OPEN,
            }
        }
        Err(error) => error,
    };
    if !(error.is_unwritable() || matches!(error, StoreError::Device { .. })) {
        return Err(error);
    }
    for mode in [Mode::Exclusive, Mode::Immutable] {
        // Without its log a database is not what it was.
        if mode == Mode::Immutable && has_log {
            break;
        }
        if let Ok(conn) = attempt(mode) {
            tracing::warn!(%error, ?mode, "opened with what the disk allows");
            let why = error.to_string();
            return Ok((conn, mode, Health::ReadOnly { why }));
        }
    }
    Err(error)
}

fn ready(options: &StoreOptions, target: &Target, conn: &Connection) -> Result<(), StoreError> {
    let backups = options.dir.join(BACKUPS_DIR);
    migrate::run(conn, &target.path, options.migrations, Some(&backups))?;
    // Reads a table, so that a file whose first page alone is sound is noticed here.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(at(conn, OPEN))
}

fn is_full(dir: &Path) -> bool {
    rustix::fs::statvfs(dir).is_ok_and(|fs| fs.f_bavail == 0 || fs.f_favail == 0)
}

fn start(options: &StoreOptions, opened: Opened, health: Health) -> Result<Store, StoreError> {
    let path = opened.target.as_ref().map(|target| target.path.clone());
    let readers = opened.readers.clone().zip(opened.target.clone());
    let (health_sender, health) = watch::channel(health);
    let (queue, jobs) = mpsc::channel(options.queue.max(1));
    let shown = path.clone().unwrap_or_else(|| ":memory:".into());
    let writer =
        Writer::new(opened, health_sender).map_err(|e| StoreError::from_sqlite(&shown, OPEN, e))?;
    let thread = std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || writer.run(jobs))
        .map_err(|e| StoreError::io(&shown, "start the writer of", e))?;
    Ok(Store::from_inner(Inner {
        path,
        queue,
        readers,
        health,
        thread: Mutex::new(Some(thread)),
    }))
}
