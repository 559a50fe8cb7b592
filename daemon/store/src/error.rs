//! What can go wrong, sorted by what the caller can do about it.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode};

/// An error of the store. Cloneable, because every job of a failed commit gets it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No space (or quota) is left; nothing was changed, and a later write may work.
    #[error("cannot {activity}: no space is left on the disk that holds {}", path.display())]
    DiskFull {
        /// The database.
        path: PathBuf,
        /// What was being done.
        activity: &'static str,
    },
    /// Reading, writing or syncing failed on the device. Whether the change is on the disk is
    /// unknown; it was not acknowledged.
    #[error("cannot {activity}: the disk failed under {}: {source}", path.display())]
    Device {
        /// The database.
        path: PathBuf,
        /// What was being done.
        activity: &'static str,
        /// The library's words.
        source: Arc<rusqlite::Error>,
    },
    /// The file or its file system accepts no writes.
    #[error("cannot {activity}: {} is read-only", path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// What was being done.
        activity: &'static str,
    },
    /// Another process held the database for longer than the waiting time.
    #[error("cannot {activity}: another process holds {}", path.display())]
    Busy {
        /// The database.
        path: PathBuf,
        /// What was being done.
        activity: &'static str,
    },
    /// The file's content is not a sound database.
    #[error("cannot {activity}: {} is damaged: {detail}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was being done.
        activity: &'static str,
        /// What was found.
        detail: String,
    },
    /// The database was written by a newer release.
    #[error(
        "{} has schema {found}, this release knows up to {known}: install the newer release again, or restore a backup",
        path.display()
    )]
    SchemaNewer {
        /// The version in the file.
        found: i64,
        /// The newest version known here.
        known: i64,
        /// The database.
        path: PathBuf,
    },
    /// The file is a database of another program.
    #[error("{} belongs to another program (application id {found:#010x})", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
        /// The `application_id` in the file.
        found: i64,
    },
    /// A migration did not apply; the database is as it was before it.
    #[error("cannot migrate {} to schema {version}: {reason}", path.display())]
    Migration {
        /// The database.
        path: PathBuf,
        /// The version that was being reached.
        version: i64,
        /// Why.
        reason: String,
    },
    /// The linked `SQLite` lacks the fix for write-ahead-log resets.
    #[error("SQLite {found} is linked, at least {needed} is needed (corruption after a log reset)")]
    LibraryTooOld {
        /// As `SQLite` numbers itself: 3051003 is 3.51.3.
        found: i32,
        /// The oldest version accepted.
        needed: i32,
    },
    /// The folder is one that other users could change.
    #[error("{} is not safe to use: {reason}", path.display())]
    UnsafeFolder {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        reason: String,
    },
    /// A file operation outside of `SQLite` failed.
    #[error("cannot {activity} {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        activity: &'static str,
        /// The system's words.
        source: Arc<io::Error>,
    },
    /// Anything else that the library refused: a constraint, a statement, a conversion.
    #[error("cannot {activity} in {}: {source}", path.display())]
    Sql {
        /// The database.
        path: PathBuf,
        /// What was being done.
        activity: &'static str,
        /// The library's words.
        source: Arc<rusqlite::Error>,
    },
    /// A job panicked; its changes were undone, the store goes on.
    #[error("cannot {activity}: the job panicked")]
    Panicked {
        /// What was being done.
        activity: &'static str,
    },
    /// A job ended the transaction that it was lent; everything in it was undone.
    #[error("cannot {activity}: the transaction was ended inside of it")]
    TransactionEnded {
        /// What was being done.
        activity: &'static str,
    },
    /// The store was closed.
    #[error("cannot {activity}: the store is closed")]
    Closed {
        /// What was being done.
        activity: &'static str,
    },
}

impl StoreError {
    /// Whether the disk (or quota) is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }

    /// Whether nothing can be written at the moment although reading works: full or read-only.
    #[must_use]
    pub fn is_unwritable(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::ReadOnly { .. })
    }

    /// Sorts an error of the library. Prefer [`at`], which takes the path from the connection.
    #[must_use]
    pub fn from_sqlite(path: &Path, activity: &'static str, error: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, activity },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path, activity },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { path, activity }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                path,
                activity,
                detail: error.to_string(),
            },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Self::Device {
                path,
                activity,
                source: Arc::new(error),
            },
            _ => Self::Sql {
                path,
                activity,
                source: Arc::new(error),
            },
        }
    }

    pub(crate) fn io(path: &Path, activity: &'static str, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, activity }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, activity },
            _ => Self::Io {
                path,
                activity,
                source: Arc::new(source),
            },
        }
    }

    /// After these, what the connection believes about the file cannot be trusted.
    pub(crate) fn makes_suspect(&self) -> bool {
        matches!(self, Self::Device { .. } | Self::Damaged { .. })
    }
}

thread_local! {
    static DISK_ERROR: RefCell<Option<StoreError>> = const { RefCell::new(None) };
}

/// The latest error of the disk that [`at`] sorted on this thread since this was asked before.
///
/// A full disk in mid-statement makes the library undo the whole transaction. The job that met it
/// hands back an error of its own type, from which the writer can't learn what to tell the jobs
/// that shared the transaction, nor how healthy the store is.
pub(crate) fn take_disk_error() -> Option<StoreError> {
    DISK_ERROR.take()
}

/// Sorts a library error of `connection`, for `map_err(at(&tx, "append an event"))`.
pub fn at<'c>(
    connection: &'c Connection,
    activity: &'static str,
) -> impl Fn(rusqlite::Error) -> StoreError + use<'c> {
    move |error| {
        let path = connection.path().filter(|path| !path.is_empty());
        let path = Path::new(path.unwrap_or(":memory:"));
        let sorted = StoreError::from_sqlite(path, activity, error);
        if sorted.is_unwritable() || sorted.makes_suspect() {
            DISK_ERROR.set(Some(sorted.clone()));
        }
        sorted
    }
}
