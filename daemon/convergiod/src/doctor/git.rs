//! git, which the client runs.

use std::os::unix::fs::PermissionsExt;

use convergio_contract::health::Check;

use super::{Patient, fine, note};

const ID: &str = "git";

pub(super) fn look(patient: &Patient<'_>) -> Vec<Check> {
    let path = patient.surroundings.path.clone().unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("git"))
        .find(|file| {
            file.metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        });
    vec![match found {
        Some(git) => fine(ID, format!("git is {}", git.display())),
        None => note(
            ID,
            "git is not on PATH",
            "without it `cv review` reads a diff from a pipe or a file only",
            "command -v git",
        ),
    }]
}
