//! Everything outside of the program that decides what it does, taken once.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use convergio_config as settings;
use convergio_transport as transport;

/// The environment as the daemon's parts see it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// For folders and settings.
    pub settings: settings::Environment,
    /// For socket and locks.
    pub transport: transport::Environment,
    /// `PATH`.
    pub path: Option<OsString>,
}

impl Surroundings {
    /// Those of this process.
    pub fn from_process() -> Self {
        Self {
            settings: settings::Environment::capture(),
            transport: transport::Environment::from_process(),
            path: std::env::var_os("PATH"),
        }
    }

    /// Everything under one folder and nothing from the process: for tests and benchmarks.
    pub fn under(home: &Path) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let home: PathBuf = home.to_owned();
        let variables = [
            ("HOME", home.clone().into_os_string()),
            ("CONVERGIO_HOME", home.clone().into_os_string()),
        ];
        let variables = variables.map(|(name, value)| (OsString::from(name), value));
        let os = settings::Os::current();
        Self {
            settings: settings::Environment::from_variables(variables, uid, os),
            transport: transport::Environment {
                home: Some(home.clone()),
                convergio_home: Some(home),
                uid,
                ..transport::Environment::default()
            },
            path: std::env::var_os("PATH"),
        }
    }
}
