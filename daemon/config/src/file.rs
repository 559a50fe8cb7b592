//! Reading a file once, bounded, and telling later whether it changed.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::{ErrorKind, Fault};
use crate::value::Origin;

/// Settings and policies larger than this are refused.
pub(crate) const FILE_MAX_BYTES: u64 = 256 * 1024;

/// What identifies one content of one file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    len_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether `path` still has what was found there, absence included. When
    /// that can't be told, it has not.
    pub(crate) fn still_at(found: Option<&Self>, path: &Path) -> bool {
        match std::fs::metadata(path) {
            Ok(metadata) => found == Some(&Self::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.is_none() && std::fs::symlink_metadata(path).is_err()
            }
            Err(_) => false,
        }
    }
}

/// The bytes of a file, and the stamp of the descriptor they were read from.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stamp: Stamp,
}

/// Opens for reading without ever waiting for a writer on a FIFO.
pub(crate) fn open(path: &Path, extra: OFlags) -> io::Result<File> {
    // The flag bits are those of open(2) and fit its int.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "open(2) flags are small positive bits"
    )]
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC | extra).bits() as i32;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Reads a regular file of at most [`FILE_MAX_BYTES`]; `None` when there is
/// none.
pub(crate) fn read(path: &Path, activity: &'static str) -> Result<Option<Content>, Fault> {
    match open(path, OFlags::empty()) {
        Ok(file) => read_open(&file, path, activity).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere is not an absent file: writing through
            // it, or taking defaults instead, would surprise its owner.
            if std::fs::symlink_metadata(path).is_ok() {
                return Err(Fault {
                    kind: ErrorKind::NotAFile,
                    activity,
                    origin: Some(Origin::file(path)),
                    reason: "it is a link to a file that does not exist".to_owned(),
                    hint: format!(
                        "restore the link's target, or remove it: rm '{}'",
                        path.display()
                    ),
                });
            }
            Ok(None)
        }
        Err(error) => Err(io_fault(path, activity, &error)),
    }
}

/// Reads an open file to its end, within the limit.
pub(crate) fn read_open(
    file: &File,
    path: &Path,
    activity: &'static str,
) -> Result<Content, Fault> {
    let metadata = file
        .metadata()
        .map_err(|error| io_fault(path, activity, &error))?;
    if !metadata.is_file() {
        return Err(Fault {
            kind: ErrorKind::NotAFile,
            activity,
            origin: Some(Origin::file(path)),
            reason: "it is not a regular file".to_owned(),
            hint: format!("move it away: mv '{0}' '{0}.old'", path.display()),
        });
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| io_fault(path, activity, &error))?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err(Fault {
            kind: ErrorKind::TooLarge,
            activity,
            origin: Some(Origin::file(path)),
            reason: format!("it is larger than {FILE_MAX_BYTES} bytes"),
            hint: format!("move it away: mv '{0}' '{0}.old'", path.display()),
        });
    }
    Ok(Content {
        bytes,
        stamp: Stamp::of(&metadata),
    })
}

/// The operating system's refusal, with path and activity.
pub(crate) fn io_fault(path: &Path, activity: &'static str, error: &io::Error) -> Fault {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => format!("see who may: ls -ld '{}'", path.display()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space on that disk, then try again".to_owned()
        }
        _ => "run `cv doctor`".to_owned(),
    };
    Fault {
        kind: ErrorKind::Io,
        activity,
        origin: Some(Origin::file(path)),
        reason: error.to_string(),
        hint,
    }
}
