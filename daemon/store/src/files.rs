//! Folders and files with the right modes from their first moment, and the syncs that make a
//! directory entry durable.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The database's name inside its folder.
pub const DATABASE_FILE: &str = "core.db";

/// The folder of backups, inside the database's folder.
pub const BACKUPS_DIR: &str = "backups";

/// `core.db` → `core.db-wal`, and so on.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the folder with mode 0700 where it is missing, and refuses one that others could change.
pub(crate) fn private_dir(dir: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(dir) {
        Ok(()) => {}
        // A full or read-only disk matters only where the folder isn't there yet.
        Err(_) if dir.is_dir() => {}
        Err(source) => return Err(StoreError::io(dir, "create the folder", source)),
    }
    let meta = fs::metadata(dir).map_err(|e| StoreError::io(dir, "look at the folder", e))?;
    let refuse = |reason: String| StoreError::UnsafeFolder {
        path: dir.to_path_buf(),
        reason,
    };
    if !meta.is_dir() {
        return Err(refuse("it is not a folder".into()));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(refuse(format!("it belongs to user {}", meta.uid())));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(refuse(format!(
            "others can write to it (mode {:o}): chmod 700 it",
            meta.mode() & 0o7777
        )));
    }
    Ok(())
}

/// Makes an empty file of mode 0600, durably; `false` when it is there already.
///
/// `SQLite` gives its `-wal` and `-shm` files the mode of the database, so that making the database
/// first is what keeps all three private without touching the process's umask.
pub(crate) fn private_file(path: &Path) -> Result<bool, StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(file) => {
            file.sync_all()
                .map_err(|e| StoreError::io(path, "sync", e))?;
            sync_parent(path)?;
            Ok(true)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let meta = fs::symlink_metadata(path)
                .map_err(|e| StoreError::io(path, "look at the file", e))?;
            if !meta.file_type().is_file() {
                return Err(StoreError::UnsafeFolder {
                    path: path.to_path_buf(),
                    reason: "it is not a plain file".into(),
                });
            }
            if meta.mode() & 0o077 != 0 {
                // A file that was copied here by hand; ours are born private.
                tracing::warn!(path = %path.display(), "others could read the database: mode set to 0600");
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))
                    .map_err(|e| StoreError::io(path, "make private", e))?;
            }
            Ok(false)
        }
        // A folder that nothing may be made in is to the database what a read-only disk is.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(StoreError::ReadOnly {
            path: path.to_path_buf(),
            activity: "create",
        }),
        Err(source) => Err(StoreError::io(path, "create", source)),
    }
}

/// Whether nothing can be made in the folder: its file system or its mode forbids it.
pub(crate) fn is_read_only(dir: &Path) -> bool {
    use rustix::{fs::Access, io::Errno};
    matches!(
        rustix::fs::access(dir, Access::WRITE_OK),
        Err(Errno::ROFS | Errno::ACCESS | Errno::PERM)
    )
}

/// Syncs a file's content.
pub(crate) fn sync_file(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|e| StoreError::io(path, "sync", e))
}

/// Syncs the folder that holds `path`, so that its name is durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| StoreError::io(dir, "sync the folder", e))
}

/// Removes a file; one that isn't there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, "remove", e)),
        _ => Ok(()),
    }
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
