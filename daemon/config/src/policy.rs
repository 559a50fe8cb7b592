//! The organization's policy: read only if nobody but its owner can change it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::{ErrorKind, Fault};
use crate::file::{self, Content};
use crate::paths::Environment;
use crate::value::Origin;

const ACTIVITY: &str = "read the managed policy";
const GROUP_OR_OTHER_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// The policy's bytes; `None` when the organization has none.
///
/// A policy that exists and can't be trusted is a fault, never "none": a user
/// who could spoil the file must not thereby get rid of it.
pub(crate) fn read(environment: &Environment) -> Result<Option<Content>, Fault> {
    let path = &environment.policy_file;
    let owner = environment.policy_owner_uid;
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => {
            return Err(untrusted(path, "it is a symbolic link".to_owned(), owner));
        }
        Ok(metadata) if !metadata.is_file() => {
            return Err(untrusted(
                path,
                "it is not a regular file".to_owned(),
                owner,
            ));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file::io_fault(path, ACTIVITY, &error)),
    }
    check_folders(path, owner)?;
    // What was looked at above may have been replaced since: the open file is
    // what decides.
    let file = match file::open(path, OFlags::NOFOLLOW) {
        Ok(file) => file,
        Err(error) => return Err(file::io_fault(path, ACTIVITY, &error)),
    };
    let metadata = file
        .metadata()
        .map_err(|error| file::io_fault(path, ACTIVITY, &error))?;
    if let Some(reason) = distrust(&metadata, owner) {
        return Err(untrusted(path, reason, owner));
    }
    file::read_open(&file, path, ACTIVITY).map(Some)
}

/// The folder must be as safe as the file; those above it too, but for sticky
/// ones, in which nobody can replace another's entry.
fn check_folders(path: &Path, owner: u32) -> Result<(), Fault> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let metadata = std::fs::symlink_metadata(folder)
        .map_err(|error| file::io_fault(folder, ACTIVITY, &error))?;
    if !metadata.is_dir() {
        return Err(untrusted(
            folder,
            "it is not a folder of its own".to_owned(),
            owner,
        ));
    }
    if let Some(reason) = distrust(&metadata, owner) {
        return Err(untrusted(folder, reason, owner));
    }
    let real: PathBuf = folder
        .canonicalize()
        .map_err(|error| file::io_fault(folder, ACTIVITY, &error))?;
    for above in real.ancestors().skip(1) {
        let metadata = std::fs::symlink_metadata(above)
            .map_err(|error| file::io_fault(above, ACTIVITY, &error))?;
        let sticky = metadata.mode() & STICKY != 0;
        let owned = metadata.uid() == 0 || metadata.uid() == owner;
        if !owned || (metadata.mode() & GROUP_OR_OTHER_WRITE != 0 && !sticky) {
            let reason = distrust(&metadata, owner)
                .unwrap_or_else(|| "others can replace what is in it".to_owned());
            return Err(untrusted(above, reason, owner));
        }
    }
    Ok(())
}

fn distrust(metadata: &Metadata, owner: u32) -> Option<String> {
    if metadata.uid() != owner {
        return Some(format!("user {} owns it, not user {owner}", metadata.uid()));
    }
    if metadata.mode() & GROUP_OR_OTHER_WRITE != 0 {
        return Some(format!(
            "others than its owner can write to it (mode {:04o})",
            metadata.mode() & 0o7777
        ));
    }
    None
}

fn untrusted(path: &Path, reason: String, owner: u32) -> Fault {
    Fault {
        kind: ErrorKind::PolicyUntrusted,
        activity: ACTIVITY,
        origin: Some(Origin::file(path)),
        reason,
        hint: format!(
            "an administrator must make it a plain file or folder of user {owner} that only \
             its owner can write: chown {owner} '{0}' && chmod go-w '{0}'",
            path.display()
        ),
    }
}
