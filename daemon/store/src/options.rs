//! How a store is opened.

use std::path::{Path, PathBuf};

use crate::migrate::{MIGRATIONS, Migration};

/// How to open a store. [`StoreOptions::new`] is right for the daemon; the rest is for tests.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The folder that holds the database and its backups; created with mode 0700.
    pub dir: PathBuf,
    /// The migrations to know, in order of version. The daemon's own by default.
    pub migrations: &'static [Migration],
    /// Reader connections at most (each is opened when first needed).
    pub readers: usize,
    /// Jobs that may wait for the writer before `write` itself waits.
    pub queue: usize,
    /// How long to wait for another process that holds the database.
    pub busy_timeout_ms: u32,
    /// A registered `SQLite` file system to use, for fault injection.
    pub vfs: Option<String>,
}

impl StoreOptions {
    /// The daemon's settings, for the database in `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            migrations: MIGRATIONS,
            readers: 4,
            queue: 1024,
            busy_timeout_ms: 2_000,
            vfs: None,
        }
    }
}
