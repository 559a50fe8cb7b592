//! Which folders Convergio uses, as a pure function of the environment.
//!
//! The socket and the start lock are not here: clients need them too, and
//! clients don't know this crate.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{ConfigError, ErrorKind, Fault};
use crate::value::Origin;

/// The operating system whose conventions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// Linux and other systems that follow the XDG base folders.
    Linux,
    /// macOS.
    MacOs,
}

impl Os {
    /// The system that this program was built for.
    pub const fn current() -> Self {
        if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

/// A snapshot of everything outside the program that decides paths and
/// settings. It is taken once and passed on; nothing else reads the process's
/// environment.
#[derive(Debug, Clone)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub xdg_data_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `CONVERGIO_HOME`: one folder for config, data, state and socket.
    pub convergio_home: Option<PathBuf>,
    /// Every `CONVERGIO_*` variable, the ones that are no settings included.
    pub variables: BTreeMap<String, OsString>,
    /// The effective user.
    pub uid: u32,
    /// Whose conventions hold.
    pub os: Os,
    /// Where the organization's policy is. Only code can change it, never a
    /// variable: a user must not be able to look away from the policy.
    pub policy_file: PathBuf,
    /// The user that must own the policy: root, except in tests that can't be
    /// root.
    pub policy_owner_uid: u32,
}

impl Environment {
    /// The snapshot of this process. A relative `CONVERGIO_HOME` is taken from
    /// the current folder, as a person at a prompt means it and as clients do.
    pub fn capture() -> Self {
        let mut environment = Self::from_variables(
            std::env::vars_os(),
            rustix::process::geteuid().as_raw(),
            Os::current(),
        );
        if let Some(home) = &mut environment.convergio_home
            && let Ok(absolute) = std::path::absolute(&*home)
        {
            *home = absolute;
        }
        environment
    }

    /// A snapshot made of the given variables. Empty ones count as unset.
    pub fn from_variables<I>(variables: I, uid: u32, os: Os) -> Self
    where
        I: IntoIterator<Item = (OsString, OsString)>,
    {
        let mut environment = Self {
            home: None,
            xdg_config_home: None,
            xdg_data_home: None,
            xdg_state_home: None,
            convergio_home: None,
            variables: BTreeMap::new(),
            uid,
            os,
            policy_file: Self::system_policy_file(os),
            policy_owner_uid: 0,
        };
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            if value.is_empty() {
                continue;
            }
            match name {
                "HOME" => environment.home = Some(value.into()),
                "XDG_CONFIG_HOME" => environment.xdg_config_home = Some(value.into()),
                "XDG_DATA_HOME" => environment.xdg_data_home = Some(value.into()),
                "XDG_STATE_HOME" => environment.xdg_state_home = Some(value.into()),
                _ if name.starts_with("CONVERGIO_") => {
                    if name == "CONVERGIO_HOME" {
                        environment.convergio_home = Some(PathBuf::from(&value));
                    }
                    environment.variables.insert(name.to_owned(), value);
                }
                _ => {}
            }
        }
        environment
    }

    /// Where an organization puts its policy on this system.
    pub fn system_policy_file(os: Os) -> PathBuf {
        match os {
            Os::Linux => "/etc/convergio/policy.toml",
            Os::MacOs => "/Library/Application Support/convergio/policy.toml",
        }
        .into()
    }
}

/// The files and folders that Convergio uses; all absolute. Nothing here was
/// created or looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Settings, the user's agents.
    pub config_dir: PathBuf,
    /// The settings: `config.toml` in `config_dir`.
    pub config_file: PathBuf,
    /// Databases, and the lock.
    pub data_dir: PathBuf,
    /// Logs, and what may be lost.
    pub state_dir: PathBuf,
    /// The daemon's log, in `state_dir`.
    pub log_file: PathBuf,
    /// The one-instance lock, in `data_dir`: it doesn't move with the socket.
    pub lock_file: PathBuf,
}

impl Paths {
    /// Derives the paths from a snapshot.
    ///
    /// # Errors
    /// [`ErrorKind::NoFolder`] when `CONVERGIO_HOME` is relative, or when a
    /// folder needs `HOME` and that is unset or relative. Relative `XDG_*`
    /// folders are ignored, as their specification says.
    pub fn derive(environment: &Environment) -> Result<Self, ConfigError> {
        if let Some(home) = &environment.convergio_home {
            if !home.is_absolute() {
                return Err(no_folder(
                    "CONVERGIO_HOME",
                    format!("{} is not an absolute path", home.display()),
                    format!("export CONVERGIO_HOME=\"$PWD/{}\"", home.display()),
                ));
            }
            return Ok(Self::under(
                home.join("config"),
                home.join("data"),
                home.join("state"),
            ));
        }
        if environment.os == Os::MacOs {
            let base = user_home(environment)?.join("Library/Application Support/convergio");
            return Ok(Self::under(
                base.clone(),
                base.join("data"),
                base.join("state"),
            ));
        }
        let folder = |xdg: &Option<PathBuf>, below_home: &str| match xdg {
            Some(base) if base.is_absolute() => Ok(base.join("convergio")),
            _ => user_home(environment).map(|home| home.join(below_home).join("convergio")),
        };
        Ok(Self::under(
            folder(&environment.xdg_config_home, ".config")?,
            folder(&environment.xdg_data_home, ".local/share")?,
            folder(&environment.xdg_state_home, ".local/state")?,
        ))
    }

    fn under(config_dir: PathBuf, data_dir: PathBuf, state_dir: PathBuf) -> Self {
        Self {
            config_file: config_dir.join("config.toml"),
            lock_file: data_dir.join("convergiod.lock"),
            log_file: state_dir.join("convergiod.log"),
            config_dir,
            data_dir,
            state_dir,
        }
    }
}

fn user_home(environment: &Environment) -> Result<&Path, ConfigError> {
    match &environment.home {
        Some(home) if home.is_absolute() => Ok(home),
        Some(home) => Err(no_folder(
            "HOME",
            format!("{} is not an absolute path", home.display()),
            "set HOME to your home folder, or CONVERGIO_HOME to a folder of its own".to_owned(),
        )),
        None => Err(no_folder(
            "HOME",
            "the variable is not set".to_owned(),
            "set HOME to your home folder, or CONVERGIO_HOME to a folder of its own".to_owned(),
        )),
    }
}

fn no_folder(variable: &str, reason: String, hint: String) -> ConfigError {
    Fault {
        kind: ErrorKind::NoFolder,
        activity: "find the folders for settings and data",
        origin: Some(Origin::Variable {
            name: variable.to_owned(),
        }),
        reason,
        hint,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(os: Os, variables: &[(&str, &str)]) -> Environment {
        let variables = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Environment::from_variables(variables, 1000, os)
    }

    #[test]
    fn linux_without_xdg_uses_the_dot_folders() {
        let paths = Paths::derive(&environment(Os::Linux, &[("HOME", "/h")])).unwrap();
        assert_eq!(
            paths.config_file,
            Path::new("/h/.config/convergio/config.toml")
        );
        assert_eq!(paths.data_dir, Path::new("/h/.local/share/convergio"));
        assert_eq!(
            paths.lock_file,
            Path::new("/h/.local/share/convergio/convergiod.lock")
        );
        assert_eq!(
            paths.log_file,
            Path::new("/h/.local/state/convergio/convergiod.log")
        );
    }

    #[test]
    fn xdg_folders_win_unless_relative_or_empty() {
        let variables = [
            ("HOME", "/h"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_DATA_HOME", "d"),
            ("XDG_STATE_HOME", ""),
        ];
        let paths = Paths::derive(&environment(Os::Linux, &variables)).unwrap();
        assert_eq!(paths.config_dir, Path::new("/c/convergio"));
        assert_eq!(paths.data_dir, Path::new("/h/.local/share/convergio"));
        assert_eq!(paths.state_dir, Path::new("/h/.local/state/convergio"));
    }

    #[test]
    fn all_xdg_folders_need_no_home() {
        let variables = [
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_DATA_HOME", "/d"),
            ("XDG_STATE_HOME", "/s"),
        ];
        let paths = Paths::derive(&environment(Os::Linux, &variables)).unwrap();
        assert_eq!(paths.state_dir, Path::new("/s/convergio"));
    }

    #[test]
    fn macos_keeps_everything_in_application_support() {
        let variables = [("HOME", "/Users/u"), ("XDG_CONFIG_HOME", "/c")];
        let paths = Paths::derive(&environment(Os::MacOs, &variables)).unwrap();
        let base = Path::new("/Users/u/Library/Application Support/convergio");
        assert_eq!(paths.config_file, base.join("config.toml"));
        assert_eq!(paths.data_dir, base.join("data"));
        assert_eq!(paths.state_dir, base.join("state"));
    }

    #[test]
    fn convergio_home_holds_everything_on_both_systems() {
        for os in [Os::Linux, Os::MacOs] {
            let variables = [
                ("HOME", "/h"),
                ("XDG_DATA_HOME", "/d"),
                ("CONVERGIO_HOME", "/one"),
            ];
            let paths = Paths::derive(&environment(os, &variables)).unwrap();
            assert_eq!(paths.config_file, Path::new("/one/config/config.toml"));
            assert_eq!(paths.lock_file, Path::new("/one/data/convergiod.lock"));
            assert_eq!(paths.state_dir, Path::new("/one/state"));
        }
    }

    #[test]
    fn a_relative_or_missing_home_is_refused_by_name() {
        for variables in [
            &[("CONVERGIO_HOME", "here"), ("HOME", "/h")][..],
            &[("HOME", "h")],
            &[],
        ] {
            let error = Paths::derive(&environment(Os::Linux, variables)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoFolder);
            assert!(error.to_string().contains("HOME"), "{error}");
        }
    }

    #[test]
    fn no_variable_moves_the_policy() {
        let variables = [
            ("HOME", "/h"),
            ("CONVERGIO_HOME", "/one"),
            ("CONVERGIO_POLICY", "/mine"),
            ("CONVERGIO_POLICY_FILE", "/mine"),
        ];
        let environment = environment(Os::Linux, &variables);
        assert_eq!(
            environment.policy_file,
            Path::new("/etc/convergio/policy.toml")
        );
        assert_eq!(environment.policy_owner_uid, 0);
    }
}
