//! Two locks, both `flock(2)`, so that the kernel releases them however their holder ends: one
//! says that a daemon lives, the other that somebody is starting or replacing one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest content of a lock file that is read, in bytes.
const OWNER_MAX_BYTES: u64 = 4096;

/// Who holds the instance lock, as written by the holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Where it listens.
    pub socket: PathBuf,
    /// Its version.
    pub version: String,
}

/// Why a lock could not be taken or read.
#[derive(Debug, Error)]
pub enum LockError {
    /// Opening, locking or writing failed.
    #[error("cannot {activity} {path}: {source}")]
    Io {
        /// What was tried.
        activity: &'static str,
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody else holds it.
    #[error("{path} is held by another process")]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote about itself, if it is readable.
        owner: Option<Owner>,
    },
}

fn io_error(activity: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LockError {
    let path = path.to_owned();
    move |source| LockError::Io {
        activity,
        path,
        source,
    }
}

fn open(path: &Path) -> Result<File, LockError> {
    let not_through_a_link = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(not_through_a_link)
        .open(path);
    // A lock needs no writing; only its holder's name does.
    let opened = match opened {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => OpenOptions::new()
            .read(true)
            .custom_flags(not_through_a_link)
            .open(path)
            .map_err(|_| error),
        other => other,
    };
    opened.map_err(io_error("open the lock file", path))
}

fn read_owner(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(OWNER_MAX_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Held by the one running daemon for its life.
#[derive(Debug)]
pub struct InstanceLock {
    file: File,
    path: PathBuf,
}

impl InstanceLock {
    /// Takes the lock at once or says who has it. The file stays when the holder ends: removing
    /// it would let two processes lock two files of one name.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let mut file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                file,
                path: path.to_owned(),
            }),
            Err(Errno::WOULDBLOCK) => {
                let owner = read_owner(&mut file);
                Err(LockError::Held {
                    path: path.to_owned(),
                    owner,
                })
            }
            Err(errno) => Err(io_error("lock", path)(errno.into())),
        }
    }

    /// Writes who holds it. A full disk is no reason not to run: the caller decides.
    pub fn write_owner(&mut self, owner: &Owner) -> Result<(), LockError> {
        let text = serde_json::to_string(owner).map_err(|error| {
            io_error("describe the holder in", &self.path)(io::Error::other(error))
        })?;
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(text.as_bytes())
        };
        write(&mut self.file).map_err(io_error("write", &self.path))
    }
}

/// Who holds the instance lock now; `None` if nobody does or the file is missing.
///
/// Asks with a shared lock that is dropped at once. In that instant a starting daemon would see
/// the file held and leave, hence the start lock: whoever starts a daemon holds it. A daemon that
/// a service manager starts, and that finds the file held, takes the start lock and tries once
/// more before it believes it.
pub fn instance_owner(path: &Path, _no_start_now: &StartLock) -> Option<Owner> {
    let mut file = File::open(path).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => read_owner(&mut file),
    }
}

/// Held while somebody starts, installs or replaces the daemon.
#[derive(Debug)]
pub struct StartLock {
    _file: File,
}

impl StartLock {
    /// Waits for the lock. Blocks the thread: an asynchronous caller gives it one of its own.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        if let Some(folder) = path.parent() {
            use std::os::unix::fs::DirBuilderExt;
            let created = fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder);
            created.map_err(io_error("create the folder of", path))?;
        }
        let file = open(path)?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(io_error("lock", path)(errno.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            pid: 7,
            socket: "/run/cv.sock".into(),
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn the_second_one_learns_who_the_first_is() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let start = StartLock::acquire(&temp.path().join("start.lock")).unwrap();
        assert_eq!(instance_owner(&path, &start), None);
        let mut first = InstanceLock::acquire(&path).unwrap();
        first.write_owner(&owner()).unwrap();
        match InstanceLock::acquire(&path) {
            Err(LockError::Held { owner: found, .. }) => assert_eq!(found, Some(owner())),
            other => panic!("{other:?}"),
        }
        assert_eq!(instance_owner(&path, &start), Some(owner()));
        drop(first);
        assert_eq!(instance_owner(&path, &start), None);
        assert!(InstanceLock::acquire(&path).is_ok());
    }

    #[test]
    fn a_lock_file_is_never_opened_through_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        std::os::unix::fs::symlink(temp.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(
            InstanceLock::acquire(&path),
            Err(LockError::Io { .. })
        ));
    }
}
