//! Room for the database.

use std::path::Path;

use convergio_contract::health::Check;

use super::{Patient, fault, fine, note, quoted};

const ID: &str = "disk";
/// Below this nothing can be relied on.
const FULL_BYTES: u64 = 16 << 20;
/// Below this it will not be long.
const SHORT_BYTES: u64 = 256 << 20;

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let folder = existing(&patient.paths.data_dir);
    let fix = format!("df -h {}", quoted(folder));
    let check = match rustix::fs::statvfs(folder) {
        Err(error) => note(
            ID,
            format!("free space cannot be told: {error}"),
            "it may run out unseen",
            fix,
        ),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let shown = format!("{} MB free under {}", free >> 20, folder.display());
            if free < FULL_BYTES {
                fault(
                    ID,
                    shown,
                    "runs go on in memory and are marked as not saved",
                    fix,
                )
            } else if free < SHORT_BYTES {
                note(ID, shown, "when it is full, runs are no longer saved", fix)
            } else {
                fine(ID, shown)
            }
        }
    };
    vec![check]
}

fn existing(path: &Path) -> &Path {
    let exists = |path: &&Path| path.exists();
    path.ancestors().find(exists).unwrap_or(Path::new("/"))
}
