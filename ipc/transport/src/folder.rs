//! The folder that holds the socket: ours alone, or not used.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why a place is not fit for the socket.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Reading or creating failed.
    #[error("cannot {activity} {path}: {source}")]
    Io {
        /// What was tried.
        activity: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another user owns it.
    #[error("{path} belongs to user id {owner}, not to {uid}")]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user who asked.
        uid: u32,
    },
    /// Others could replace the socket.
    #[error("others can write to {path} (mode {mode:o})")]
    WritableByOthers {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Something else stands where the socket belongs.
    #[error("{path} is {found}, not a socket")]
    NotASocket {
        /// The socket's path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
}

fn io_error(activity: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io {
        activity,
        path,
        source,
    }
}

/// Creates `path` with mode 0700 where it is missing, and refuses a folder that is not ours or
/// that others can write.
pub fn prepare(path: &Path, uid: u32) -> Result<(), FolderError> {
    let created = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    created.map_err(io_error("create the folder", path))?;
    check(path, uid)
}

/// Refuses a folder that is not ours or that others can write.
pub fn check(path: &Path, uid: u32) -> Result<(), FolderError> {
    let found = fs::metadata(path).map_err(io_error("look at the folder", path))?;
    if found.uid() != uid {
        let owner = found.uid();
        return Err(FolderError::ForeignOwner {
            path: path.to_owned(),
            owner,
            uid,
        });
    }
    if found.mode() & 0o022 != 0 {
        let mode = found.mode() & 0o7777;
        return Err(FolderError::WritableByOthers {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// Whether a socket stands at `path`. A symlink or anything else there is refused, never
/// followed and never removed.
pub fn socket_stands_at(path: &Path) -> Result<bool, FolderError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(io_error("look at", path)(source)),
    };
    let found = if found.is_socket() {
        return Ok(true);
    } else if found.is_symlink() {
        "a symbolic link"
    } else if found.is_dir() {
        "a folder"
    } else {
        "another kind of file"
    };
    Err(FolderError::NotASocket {
        path: path.to_owned(),
        found,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_new_folder_is_closed_to_others() {
        let temp = tempfile::tempdir().unwrap();
        let uid = rustix::process::getuid().as_raw();
        let folder = temp.path().join("a/b");
        prepare(&folder, uid).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let uid = rustix::process::getuid().as_raw();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(
            prepare(temp.path(), uid),
            Err(FolderError::WritableByOthers { .. })
        ));
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(prepare(temp.path(), uid).is_ok());
        assert!(matches!(
            prepare(temp.path(), uid + 1),
            Err(FolderError::ForeignOwner { .. })
        ));
    }

    #[test]
    fn only_a_socket_may_stand_in_the_sockets_place() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("cv.sock");
        assert!(!socket_stands_at(&path).unwrap());
        symlink("/nowhere", &path).unwrap();
        let refused = socket_stands_at(&path).unwrap_err().to_string();
        assert!(refused.contains("symbolic link"), "{refused}");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    }
}
