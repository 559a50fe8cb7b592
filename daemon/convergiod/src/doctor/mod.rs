//! What could be wrong, looked at one by one; each finding with its fix. Every check works on a
//! broken installation: it reads, and changes nothing.

mod daemon;
mod database;
mod disk;
mod folders;
mod git;
mod log;
pub(crate) mod models;
pub(crate) mod notifications;
mod runtime_folder;
mod service;
mod settings;
mod socket;

use convergio_config::Paths;
use convergio_contract::health::{Check, CheckState};
use convergio_store::StoreError;
use convergio_transport::Endpoint;

use crate::{Surroundings, daemon::Daemon as RunningDaemon};

/// What the database's own check said.
pub(crate) type Integrity = Result<Vec<String>, StoreError>;

/// What is examined.
pub(crate) struct Subject {
    pub(crate) surroundings: Surroundings,
    /// This very process is the daemon.
    pub(crate) within: bool,
}

impl Subject {
    /// The installation that a running daemon belongs to.
    pub(crate) fn of_daemon(daemon: &RunningDaemon) -> Self {
        Self {
            surroundings: daemon.surroundings.clone(),
            within: true,
        }
    }
}

/// A subject whose places are known.
struct Patient<'a> {
    surroundings: &'a Surroundings,
    paths: &'a Paths,
    endpoint: &'a Endpoint,
    within: bool,
}

/// One look.
type Look = fn(&Patient<'_>) -> Vec<Check>;

/// Every look, in the order in which they build on each other. The database comes behind them.
const LOOKS: &[Look] = &[
    folders::look,
    runtime_folder::look,
    socket::look,
    daemon::look,
    service::look,
    settings::look,
    disk::look,
    log::look,
    git::look,
];

/// Every check, in the order in which they build on each other. `integrity` is what the open
/// database says of itself; without it the file is read.
pub(crate) fn examine(subject: &Subject, integrity: Option<Integrity>) -> Vec<Check> {
    let paths = match Paths::derive(&subject.surroundings.settings) {
        Ok(paths) => paths,
        Err(found) => {
            let hint = found.hint().to_owned();
            return vec![fault(
                "folders",
                found.to_string(),
                "nothing can be stored",
                hint,
            )];
        }
    };
    let endpoint = match Endpoint::resolve(&subject.surroundings.transport) {
        Ok(endpoint) => endpoint,
        Err(found) => {
            let fix = "export CONVERGIO_SOCKET=/run/user/$(id -u)/cv.sock";
            return vec![fault(
                "socket",
                found.to_string(),
                "nobody can reach the daemon",
                fix,
            )];
        }
    };
    let patient = Patient {
        surroundings: &subject.surroundings,
        paths: &paths,
        endpoint: &endpoint,
        within: subject.within,
    };
    let mut checks: Vec<Check> = LOOKS.iter().flat_map(|look| look(&patient)).collect();
    checks.extend(database::look(&patient, integrity));
    checks
}

pub(crate) fn fine(id: &str, what: impl Into<String>) -> Check {
    Check {
        id: id.to_owned(),
        state: CheckState::Ok,
        what: what.into(),
        why: String::new(),
        fix: String::new(),
    }
}

fn note(
    id: &str,
    what: impl Into<String>,
    why: impl Into<String>,
    fix: impl Into<String>,
) -> Check {
    Check {
        id: id.to_owned(),
        state: CheckState::Warning,
        what: what.into(),
        why: why.into(),
        fix: fix.into(),
    }
}

pub(crate) fn fault(
    id: &str,
    what: impl Into<String>,
    why: impl Into<String>,
    fix: impl Into<String>,
) -> Check {
    Check {
        state: CheckState::Error,
        ..note(id, what, why, fix)
    }
}

/// A path as a word of a shell command.
fn quoted(path: &std::path::Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::*;

    fn examined(home: &Path) -> Vec<Check> {
        let subject = Subject {
            surroundings: Surroundings::under(home),
            within: false,
        };
        examine(&subject, None)
    }

    fn state(checks: &[Check], id: &str) -> CheckState {
        checks
            .iter()
            .find(|check| check.id == id)
            .unwrap_or_else(|| panic!("no {id}: {checks:?}"))
            .state
    }

    #[test]
    fn an_empty_home_is_healthy_and_every_finding_has_a_fix() {
        let temp = tempfile::tempdir().unwrap();
        let checks = examined(temp.path());
        for check in &checks {
            assert_ne!(check.state, CheckState::Error, "{check:?}");
            let told = check.state != CheckState::Ok;
            assert_eq!(!check.fix.is_empty(), told, "{check:?}");
            assert_eq!(!check.why.is_empty(), told, "{check:?}");
        }
    }

    #[test]
    fn what_is_broken_is_named_with_its_place() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path();
        for folder in ["config", "data", "run", "state"] {
            fs::create_dir(home.join(folder)).unwrap();
        }
        fs::set_permissions(home.join("run"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(home.join("data"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(home.join("config/config.toml"), "[review]\nstrict = 3\n").unwrap();
        fs::write(
            home.join("data/core.db"),
            "no database at all, not even nearly one",
        )
        .unwrap();
        std::os::unix::fs::symlink("/nowhere", home.join("run/cv.sock")).unwrap();
        let checks = examined(home);
        for id in ["folder-run", "socket", "settings", "database"] {
            assert_eq!(state(&checks, id), CheckState::Error, "{id}");
        }
        // A way out that works for a folder too.
        let socket = checks.iter().find(|check| check.id == "socket").unwrap();
        let place = home.join("run/cv.sock");
        let way_out = format!("mv '{0}' '{0}'.old", place.display());
        assert_eq!(socket.fix, way_out);
        let settings = checks.iter().find(|check| check.id == "settings").unwrap();
        assert!(settings.what.contains("config.toml:2"), "{settings:?}");
        assert!(settings.fix.starts_with("cv config "), "{settings:?}");
    }

    #[test]
    fn a_stale_socket_is_told_from_a_living_one() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path();
        fs::create_dir(home.join("run")).unwrap();
        fs::set_permissions(home.join("run"), fs::Permissions::from_mode(0o700)).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(home.join("run/cv.sock")).unwrap();
        fs::set_permissions(home.join("run/cv.sock"), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(state(&examined(home), "socket"), CheckState::Ok);
        drop(listener);
        assert_eq!(state(&examined(home), "socket"), CheckState::Warning);
    }
}
