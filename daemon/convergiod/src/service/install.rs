//! `cv service install|uninstall|status`, on the user's word only.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use convergio_transport::{
    Endpoint,
    endpoint::EndpointError,
    lock::{LockError, StartLock},
};
use thiserror::Error;

use super::{
    predecessor::{self, StayError},
    units::{self, Installation},
};
use crate::Surroundings;

/// Variables that are given to the service where they are set.
const CAPTURED: &[&str] = &["PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"];

/// Why the service could not be changed.
#[derive(Debug, Error)]
pub(crate) enum ServiceError {
    /// `CONVERGIO_HOME` or `CONVERGIO_SOCKET` names another daemon than the service would be.
    #[error(
        "CONVERGIO_HOME or CONVERGIO_SOCKET is set: the service is the daemon of the usual places"
    )]
    Explicit,
    /// There is no place for it.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No home.
    #[error("HOME is not set to an absolute path")]
    NoHome,
    /// A lock could not be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The running daemon stays.
    #[error(transparent)]
    Stays(#[from] StayError),
    /// A file could not be written or removed.
    #[error("cannot {activity} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        activity: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The manager refused.
    #[error("`{command}` failed: {why}")]
    Manager {
        /// What was run.
        command: String,
        /// What it said.
        why: String,
    },
}

impl ServiceError {
    /// A command that gets the person on.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Explicit => "env -u CONVERGIO_HOME -u CONVERGIO_SOCKET cv service install".into(),
            Self::Endpoint(_) | Self::NoHome => "export HOME=~".into(),
            Self::Stays(StayError::Newer { .. }) => "cv --version".into(),
            Self::Stays(_) => "cv stop".into(),
            Self::Lock(_) | Self::Io { .. } => "cv doctor".into(),
            Self::Manager { .. } => "systemctl --user status convergio.socket".into(),
        }
    }
}

fn io_error(activity: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ServiceError {
    let path = path.to_owned();
    move |source| ServiceError::Io {
        activity,
        path,
        source,
    }
}

/// What was done or found, a line each.
pub(crate) type Lines = Vec<String>;

/// The files of a service, and how they are enabled.
struct Files {
    home: PathBuf,
    macos: bool,
    folder: PathBuf,
    endpoint: Endpoint,
}

impl Files {
    fn of(surroundings: &Surroundings) -> Result<Self, ServiceError> {
        let environment = &surroundings.transport;
        let home = environment.home.clone().ok_or(ServiceError::NoHome)?;
        let folder = if environment.macos {
            home.join("Library/LaunchAgents")
        } else {
            units::systemd_folder(&home, environment.xdg_config_home.as_deref())
        };
        Ok(Self {
            home,
            macos: environment.macos,
            folder,
            endpoint: Endpoint::resolve(environment)?,
        })
    }

    fn socket_unit(&self) -> PathBuf {
        self.folder.join(format!("{}.socket", units::UNIT))
    }

    fn service_unit(&self) -> PathBuf {
        self.folder.join(format!("{}.service", units::UNIT))
    }

    fn wants(&self) -> PathBuf {
        self.folder
            .join("sockets.target.wants")
            .join(format!("{}.socket", units::UNIT))
    }

    fn all(&self) -> Vec<PathBuf> {
        if self.macos {
            return vec![units::launchd_file(&self.home)];
        }
        vec![self.wants(), self.socket_unit(), self.service_unit()]
    }
}

fn write(path: &Path, text: &str) -> Result<(), ServiceError> {
    if let Some(folder) = path.parent() {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(io_error("create the folder", folder))?;
    }
    fs::write(path, text).map_err(io_error("write", path))
}

/// Runs a manager's command; `None` where there is no such manager to talk to.
fn manager(program: &str, arguments: &[&str]) -> Option<Result<(), ServiceError>> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    if output.status.success() {
        return Some(Ok(()));
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    // No session, no manager of the user: nothing that could refuse.
    let absent = [
        "Failed to connect to bus",
        "Failed to get D-Bus connection",
        "No medium found",
    ];
    if absent.iter().any(|text| why.contains(text)) {
        return None;
    }
    Some(Err(ServiceError::Manager {
        command: format!("{program} {}", arguments.join(" ")),
        why: if why.is_empty() {
            output.status.to_string()
        } else {
            why
        },
    }))
}

/// Ends the daemon that runs, writes the units, enables them.
pub(crate) fn install(surroundings: &Surroundings, binary: PathBuf) -> Result<Lines, ServiceError> {
    let files = Files::of(surroundings)?;
    if files.endpoint.explicit {
        return Err(ServiceError::Explicit);
    }
    let start_lock = StartLock::acquire(&files.endpoint.start_lock)?;
    let mut lines = Lines::new();
    if let Some(owner) = predecessor::end(&files.endpoint, &start_lock)? {
        lines.push(format!("Ended the daemon that ran (process {})", owner.pid));
    }
    let variables = CAPTURED.iter().filter_map(|name| {
        let value = surroundings.variable(name)?;
        Some(((*name).to_owned(), value))
    });
    let installation = Installation {
        home: files.home.clone(),
        binary,
        variables: variables.collect(),
    };
    if files.macos {
        let plist = units::launchd_file(&files.home);
        write(&plist, &units::launchd_plist(&installation))?;
        lines.push(format!("Wrote {}", plist.display()));
        let path = plist.to_string_lossy().into_owned();
        match manager("launchctl", &["load", "-w", &path]) {
            Some(outcome) => outcome?,
            None => lines.push(format!("To start it now: launchctl load -w '{path}'")),
        }
    } else {
        write(&files.socket_unit(), &units::systemd_socket())?;
        write(
            &files.service_unit(),
            &units::systemd_service(&installation),
        )?;
        lines.push(format!("Wrote {}", files.socket_unit().display()));
        lines.push(format!("Wrote {}", files.service_unit().display()));
        enable(&files, &mut lines)?;
    }
    lines.push(
        "The daemon starts with the next `cv` and after a restart · back: cv service uninstall"
            .into(),
    );
    Ok(lines)
}

fn enable(files: &Files, lines: &mut Lines) -> Result<(), ServiceError> {
    let reloaded = manager("systemctl", &["--user", "daemon-reload"]);
    let enabled = match reloaded {
        Some(Ok(())) => manager(
            "systemctl",
            &["--user", "enable", "--now", "convergio.socket"],
        ),
        other => other,
    };
    if let Some(outcome) = enabled {
        outcome?;
        lines.push("Enabled convergio.socket".into());
        return Ok(());
    }
    let wants = files.wants();
    if let Some(folder) = wants.parent() {
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
    }
    match symlink(files.socket_unit(), &wants) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error("enable", &wants)(error)),
    }
    lines.push("Enabled convergio.socket; no systemd of yours answers now".into());
    lines.push(
        "To start it now: systemctl --user daemon-reload && systemctl --user start convergio.socket"
            .into(),
    );
    Ok(())
}

/// Disables and removes the units, and ends the daemon that runs.
pub(crate) fn uninstall(surroundings: &Surroundings) -> Result<Lines, ServiceError> {
    let files = Files::of(surroundings)?;
    if files.endpoint.explicit {
        return Err(ServiceError::Explicit);
    }
    let present: Vec<PathBuf> = files
        .all()
        .into_iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    if present.is_empty() {
        return Ok(vec![
            "The service is not installed · install: cv service install".into(),
        ]);
    }
    let start_lock = StartLock::acquire(&files.endpoint.start_lock)?;
    let mut lines = Lines::new();
    // The files go whatever the manager says; what it still runs ends below.
    let told = if files.macos {
        let path = units::launchd_file(&files.home)
            .to_string_lossy()
            .into_owned();
        manager("launchctl", &["unload", "-w", &path])
    } else {
        manager(
            "systemctl",
            &["--user", "disable", "--now", "convergio.socket"],
        );
        manager("systemctl", &["--user", "stop", "convergio.service"])
    };
    if let Some(Err(error)) = told {
        lines.push(format!("Note: {error}"));
    }
    for path in present {
        match fs::remove_file(&path) {
            Ok(()) => lines.push(format!("Removed {}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("remove", &path)(error)),
        }
    }
    if !files.macos {
        manager("systemctl", &["--user", "daemon-reload"]);
    }
    if let Some(owner) = predecessor::end(&files.endpoint, &start_lock)? {
        lines.push(format!("Ended the daemon that ran (process {})", owner.pid));
    }
    lines.push("`cv` starts the daemon when it needs it · back: cv service install".into());
    Ok(lines)
}

/// Whether it is installed, enabled, running.
pub(crate) fn status(surroundings: &Surroundings) -> Result<Lines, ServiceError> {
    let files = Files::of(surroundings)?;
    let installed = if files.macos {
        units::launchd_file(&files.home).exists()
    } else {
        files.socket_unit().exists() && files.service_unit().exists()
    };
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let marker = files.endpoint.service_marker.as_ref();
    let enabled = marker.is_some_and(|marker| marker.symlink_metadata().is_ok());
    let mut lines = vec![
        format!("installed  {}", yes(installed)),
        format!("enabled    {}", yes(enabled)),
    ];
    if files.endpoint.explicit {
        lines.push("ignored    CONVERGIO_HOME or CONVERGIO_SOCKET is set here".into());
    }
    let running = if files.macos {
        manager("launchctl", &["list", units::LABEL])
    } else {
        manager(
            "systemctl",
            &["--user", "is-active", "--quiet", "convergio.service"],
        )
    };
    lines.push(match running {
        Some(outcome) => format!("running    {}", yes(outcome.is_ok())),
        None => "running    unknown: no service manager of yours answers".into(),
    });
    lines.push(match (installed, enabled) {
        (false, _) => "Install: cv service install".into(),
        (true, false) => "Enable: cv service install".into(),
        (true, true) => "Remove: cv service uninstall".into(),
    });
    Ok(lines)
}
