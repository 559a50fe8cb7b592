//! Our folders are ours alone.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use convergio_contract::health::Check;
use rustix::{fs::Access, io::Errno};

use super::{Patient, fault, fine, note, quoted};

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let paths = patient.paths;
    let mut checks = vec![
        folder(patient, "folder-data", &paths.data_dir),
        folder(patient, "folder-state", &paths.state_dir),
        folder(patient, "folder-config", &paths.config_dir),
    ];
    if let Some(run) = patient.endpoint.socket.parent() {
        checks.push(folder(patient, "folder-run", run));
    }
    checks
}

/// A command with which a folder that cannot be written can be made so, or that shows why not.
pub(super) fn way_to_write(path: &Path) -> String {
    match rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK) {
        Err(Errno::ROFS) => format!("findmnt -T {}   # then: mount -o remount,rw", quoted(path)),
        Err(Errno::PERM) => format!("lsattr -d {0}   # then: sudo chattr -i {0}", quoted(path)),
        _ => format!("chmod 700 {}", quoted(path)),
    }
}

fn folder(patient: &Patient<'_>, id: &str, path: &Path) -> Check {
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return fine(id, format!("{shown} is made when it is needed"));
        }
        Err(error) => {
            let fix = format!("ls -ld {}", quoted(path));
            return fault(id, format!("{shown}: {error}"), "it cannot be used", fix);
        }
    };
    let uid = patient.surroundings.transport.uid;
    if !found.is_dir() {
        let fix = format!("mv {0} {0}.old", quoted(path));
        return fault(
            id,
            format!("{shown} is not a folder"),
            "it cannot be used",
            fix,
        );
    }
    if found.uid() != uid {
        let why = "the daemon does not start in a folder of somebody else";
        let fix = format!("sudo chown {uid} {}", quoted(path));
        return fault(
            id,
            format!("{shown} belongs to user id {}", found.uid()),
            why,
            fix,
        );
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o022 != 0 {
        let why = "others could put something else in our place; the daemon refuses it";
        let fix = format!("chmod 700 {}", quoted(path));
        return fault(
            id,
            format!("others can write to {shown} (mode {mode:o})"),
            why,
            fix,
        );
    }
    if let Err(errno) = rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK) {
        let what = format!("{shown} cannot be written: {}", io::Error::from(errno));
        let fix = way_to_write(path);
        return match id {
            "folder-data" => fault(id, what, "runs are not saved", fix),
            "folder-run" => fault(id, what, "the daemon cannot make its socket there", fix),
            "folder-state" => note(id, what, "nothing is written to the log", fix),
            _ => note(id, what, "`cv config set` fails", fix),
        };
    }
    // The settings may be public, and often are: dotfiles.
    if mode & 0o077 != 0 && id != "folder-config" {
        let fix = format!("chmod 700 {}", quoted(path));
        let why = "what lies there is closed itself, its names are not";
        return note(
            id,
            format!("others can look into {shown} (mode {mode:o})"),
            why,
            fix,
        );
    }
    fine(id, format!("{shown} is yours alone"))
}
