//! Where the socket and the locks are: a pure function of the environment.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// `sun_path` holds 108 bytes on Linux and 104 on macOS, its final NUL included.
const SOCKET_PATH_MAX_BYTES: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

/// The part of the process environment that decides where things are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub xdg_data_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `CONVERGIO_HOME`: everything under one folder.
    pub convergio_home: Option<PathBuf>,
    /// `CONVERGIO_SOCKET`: the socket, wherever the rest is.
    pub convergio_socket: Option<PathBuf>,
    /// The real user id.
    pub uid: u32,
    /// `/run/user/UID`, if that folder exists and belongs to the user.
    pub run_user: Option<PathBuf>,
    /// macOS layout.
    pub macos: bool,
}

impl Environment {
    /// Reads the process environment once. Empty and relative values count as unset, as the XDG
    /// base directory specification has it.
    pub fn from_process() -> Self {
        let var = |name: &str| -> Option<PathBuf> {
            let value: OsString = std::env::var_os(name)?;
            let path = PathBuf::from(value);
            path.is_absolute().then_some(path)
        };
        let uid = rustix::process::getuid().as_raw();
        let run_user = PathBuf::from(format!("/run/user/{uid}"));
        let ours = std::fs::symlink_metadata(&run_user).is_ok_and(|found| {
            use std::os::unix::fs::MetadataExt;
            found.is_dir() && found.uid() == uid
        });
        let relative_to_here = |name: &str| -> Option<PathBuf> {
            let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
            std::path::absolute(value).ok()
        };
        Self {
            home: var("HOME"),
            xdg_runtime_dir: var("XDG_RUNTIME_DIR"),
            xdg_data_home: var("XDG_DATA_HOME"),
            xdg_config_home: var("XDG_CONFIG_HOME"),
            convergio_home: relative_to_here("CONVERGIO_HOME"),
            convergio_socket: relative_to_here("CONVERGIO_SOCKET"),
            uid,
            run_user: ours.then_some(run_user),
            macos: cfg!(target_os = "macos"),
        }
    }
}

/// Where a client finds the daemon, and where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The Unix socket.
    pub socket: PathBuf,
    /// Held by the running daemon for its life; in the data folder, so that a cron job without
    /// `XDG_RUNTIME_DIR` finds the same daemon.
    pub lock_file: PathBuf,
    /// Held while somebody starts, installs or replaces the daemon.
    pub start_lock: PathBuf,
    /// `CONVERGIO_HOME` or `CONVERGIO_SOCKET` is set: an installed service is not meant.
    pub explicit: bool,
    /// The unit or property list whose presence says that the service is enabled.
    pub service_marker: Option<PathBuf>,
}

/// Why there is no endpoint.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// Neither HOME nor CONVERGIO_HOME is set.
    #[error("HOME is not set to an absolute path, so there is no place for data and socket")]
    NoHome,
    /// The path does not fit into a socket address.
    #[error("the socket's path {path} is {length} bytes long, and the system takes {max}")]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The longest that fits.
        max: usize,
    },
}

impl Endpoint {
    /// Where things are, for this environment.
    pub fn resolve(env: &Environment) -> Result<Self, EndpointError> {
        let data_dir = data_dir(env)?;
        let socket = socket_path(env)?;
        let length = socket.as_os_str().as_bytes().len();
        if length > SOCKET_PATH_MAX_BYTES {
            return Err(EndpointError::TooLong {
                path: socket,
                length,
                max: SOCKET_PATH_MAX_BYTES,
            });
        }
        Ok(Self {
            socket,
            lock_file: data_dir.join("convergiod.lock"),
            start_lock: data_dir.join("start.lock"),
            explicit: env.convergio_home.is_some() || env.convergio_socket.is_some(),
            service_marker: service_marker(env),
        })
    }

    /// Whether the user's service is enabled and meant.
    pub fn service_enabled(&self) -> bool {
        !self.explicit
            && self
                .service_marker
                .as_deref()
                .is_some_and(|marker| marker.symlink_metadata().is_ok())
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        self.lock_file.parent().unwrap_or(Path::new("/"))
    }
}

fn home(env: &Environment) -> Result<&Path, EndpointError> {
    env.home.as_deref().ok_or(EndpointError::NoHome)
}

fn data_dir(env: &Environment) -> Result<PathBuf, EndpointError> {
    if let Some(root) = &env.convergio_home {
        return Ok(root.join("data"));
    }
    if env.macos {
        return Ok(home(env)?.join("Library/Application Support/convergio/data"));
    }
    match &env.xdg_data_home {
        Some(data) => Ok(data.join("convergio")),
        None => Ok(home(env)?.join(".local/share/convergio")),
    }
}

fn socket_path(env: &Environment) -> Result<PathBuf, EndpointError> {
    if let Some(socket) = &env.convergio_socket {
        return Ok(socket.clone());
    }
    if let Some(root) = &env.convergio_home {
        return Ok(root.join("run/cv.sock"));
    }
    if env.macos {
        return Ok(home(env)?.join("Library/Application Support/convergio/cv.sock"));
    }
    if let Some(runtime) = env.xdg_runtime_dir.as_ref().or(env.run_user.as_ref()) {
        return Ok(runtime.join("convergio/cv.sock"));
    }
    Ok(home(env)?.join(".local/state/convergio/run/cv.sock"))
}

fn service_marker(env: &Environment) -> Option<PathBuf> {
    if env.macos {
        let home = env.home.as_ref()?;
        return Some(home.join("Library/LaunchAgents/com.convergio.daemon.plist"));
    }
    let config = match (&env.xdg_config_home, &env.home) {
        (Some(config), _) => config.clone(),
        (None, Some(home)) => home.join(".config"),
        (None, None) => return None,
    };
    Some(config.join("systemd/user/sockets.target.wants/convergio.socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linux() -> Environment {
        Environment {
            home: Some("/home/ada".into()),
            uid: 1000,
            ..Environment::default()
        }
    }

    #[test]
    fn the_runtime_folder_comes_first_then_run_user_then_the_state_folder() {
        let mut env = linux();
        let socket = |env: &Environment| Endpoint::resolve(env).unwrap().socket;
        assert_eq!(
            socket(&env),
            Path::new("/home/ada/.local/state/convergio/run/cv.sock")
        );
        env.run_user = Some("/run/user/1000".into());
        assert_eq!(socket(&env), Path::new("/run/user/1000/convergio/cv.sock"));
        env.xdg_runtime_dir = Some("/run/other".into());
        assert_eq!(socket(&env), Path::new("/run/other/convergio/cv.sock"));
        env.convergio_home = Some("/srv/c".into());
        assert_eq!(socket(&env), Path::new("/srv/c/run/cv.sock"));
        env.convergio_socket = Some("/srv/s".into());
        assert_eq!(socket(&env), Path::new("/srv/s"));
    }

    #[test]
    fn the_lock_does_not_move_with_the_runtime_folder() {
        let mut env = linux();
        let without = Endpoint::resolve(&env).unwrap().lock_file;
        env.xdg_runtime_dir = Some("/run/user/1000".into());
        assert_eq!(Endpoint::resolve(&env).unwrap().lock_file, without);
    }

    #[test]
    fn a_path_that_no_socket_address_holds_is_refused() {
        let mut env = linux();
        env.convergio_home = Some(format!("/{}", "d".repeat(120)).into());
        assert!(matches!(
            Endpoint::resolve(&env),
            Err(EndpointError::TooLong { .. })
        ));
    }

    #[test]
    fn macos_has_its_own_layout_and_no_home_is_an_error() {
        let env = Environment {
            macos: true,
            ..linux()
        };
        let endpoint = Endpoint::resolve(&env).unwrap();
        assert!(
            endpoint
                .socket
                .ends_with("Application Support/convergio/cv.sock")
        );
        let nobody = Environment {
            home: None,
            ..linux()
        };
        assert_eq!(Endpoint::resolve(&nobody), Err(EndpointError::NoHome));
    }
}
