//! The database, read from its first page to its last.

use convergio_contract::health::Check;
use convergio_store::{BACKUPS_DIR, DATABASE_FILE, StoreError, integrity_check};

use super::{Integrity, Patient, fault, fine, folders::way_to_write, note, quoted};

const ID: &str = "database";
/// Problems that are told one by one.
const TOLD_MAX: usize = 5;

pub(super) fn look(patient: &Patient<'_>, integrity: Option<Integrity>) -> Vec<Check> {
    let folder = &patient.paths.data_dir;
    let file = folder.join(DATABASE_FILE);
    if integrity.is_none() && !file.exists() {
        return vec![fine(ID, "no database yet")];
    }
    let backups = folder.join(BACKUPS_DIR);
    let fix = if backups.is_dir() {
        format!(
            "ls -t {} | head -1   # then: cv restore FILE",
            quoted(&backups)
        )
    } else {
        format!("mv {0} {0}.damaged", quoted(&file))
    };
    let why = "runs and the way back from changes may be lost; nothing else is";
    match integrity.unwrap_or_else(|| integrity_check(&file)) {
        Ok(problems) if problems.is_empty() => {
            vec![fine(ID, format!("{} is sound", file.display()))]
        }
        Ok(problems) => {
            let told = problems.iter().take(TOLD_MAX);
            let mut checks: Vec<Check> = told
                .map(|problem| fault(ID, format!("{}: {problem}", file.display()), why, &fix))
                .collect();
            if problems.len() > TOLD_MAX {
                let more = problems.len() - TOLD_MAX;
                checks.push(fault(ID, format!("and {more} more problems"), why, &fix));
            }
            checks
        }
        Err(error @ StoreError::SchemaNewer { .. }) => {
            let why = "a newer release wrote it";
            vec![fault(ID, error.to_string(), why, "cv --version")]
        }
        Err(error @ StoreError::Busy { .. }) => {
            vec![fault(
                ID,
                error.to_string(),
                "another process holds it",
                "cv status",
            )]
        }
        Err(error @ StoreError::ReadOnly { .. }) => {
            let why =
                "it was not closed in order; what is in it can be told when it can be written";
            vec![note(ID, error.to_string(), why, way_to_write(folder))]
        }
        Err(error) => vec![fault(ID, error.to_string(), why, fix)],
    }
}
