//! The daemon's durable memory: one `SQLite` file, one writer thread with group commit, a small
//! pool of readers, ordered migrations, backup and restore.
//!
//! What other crates may rely on:
//!
//! - **A reply is a promise.** [`Store::write`] answers `Ok` only after the `COMMIT` that holds the
//!   change was synced to the disk. When that commit fails, every job that shared it gets the
//!   error; nothing is retried as if it had worked.
//! - **One job's failure is its own.** Jobs that arrive while a commit runs share the next one, each
//!   in its own savepoint.
//! - **The daemon opens on a full disk.** An existing database is readable; without one the store
//!   lives in memory and says so through [`Store::health`].
//! - **A newer schema is refused** ([`StoreError::SchemaNewer`]), an older one is migrated after a
//!   backup.
//!
//! The SQL of a table lives in the crate that owns it; this crate owns the connection, the writer
//! and the order of the migrations, and knows none of the other crates.

mod backup;
mod check;
mod connection;
mod error;
mod files;
mod health;
mod migrate;
mod open;
mod options;
mod readers;
mod store;
mod writer;

pub use backup::{BackupReport, RestoreReport, restore};
pub use check::integrity_check;
pub use error::{StoreError, at};
pub use files::{BACKUPS_DIR, DATABASE_FILE};
pub use health::Health;
pub use migrate::{KNOWN_VERSION, MIGRATIONS, Migration};
pub use options::StoreOptions;
/// What a reader gets, so that an adapter can compose readings without naming the library.
pub use rusqlite::Connection;
pub use store::Store;
pub use writer::Tx;
