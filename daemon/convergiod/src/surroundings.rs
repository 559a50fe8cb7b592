//! Everything outside of the program that decides what it does, taken once.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use convergio_config::{
    self as settings,
    secrets::{Keychain, SecretSources},
};
use convergio_egress::ProxySettings;
use convergio_transport as transport;

use crate::desktop::bus::address_of;

/// The environment as the daemon's parts see it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// For folders and settings.
    pub settings: settings::Environment,
    /// For socket and locks.
    pub transport: transport::Environment,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `XDG_RUNTIME_DIR` is set.
    pub has_runtime_dir: bool,
    /// Where keys of providers and proxies are looked for.
    pub keys: Keys,
    /// Where the desktop is.
    pub buses: Buses,
    /// The locale whose language people are answered in where they name none: `it_IT.UTF-8`.
    pub locale: String,
}

/// Addresses of D-Bus, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Buses {
    /// The user's: notifications, and who else wants to know of us.
    pub session: Option<String>,
    /// The machine's: sleep, battery, network.
    pub system: Option<String>,
}

impl Buses {
    /// As the process's environment names them, else where they usually are.
    fn from_process(uid: u32) -> Self {
        let named = |name| {
            std::env::var(name)
                .ok()
                .filter(|address| !address.is_empty())
        };
        let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR")
            .filter(|folder| !folder.is_empty())
            .map_or_else(|| format!("/run/user/{uid}").into(), PathBuf::from);
        let usual = |path: &Path| cfg!(target_os = "linux").then(|| address_of(path));
        Self {
            session: named("DBUS_SESSION_BUS_ADDRESS").or_else(|| usual(&runtime_dir.join("bus"))),
            system: named("DBUS_SYSTEM_BUS_ADDRESS")
                .or_else(|| usual(Path::new("/run/dbus/system_bus_socket"))),
        }
    }
}

/// Where keys of providers and proxies are looked for.
#[derive(Clone, Debug)]
pub enum Keys {
    /// In the environment of the process, its credentials and the keychain.
    OfProcess,
    /// In these variables alone: for tests and benchmarks.
    Given(BTreeMap<String, String>),
}

/// The locale of messages, as these variables name it.
fn locale(get: impl Fn(&str) -> Option<String>) -> String {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(get)
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

impl Keys {
    /// The sources that this means.
    pub(crate) fn sources(
        &self,
        environment: &settings::Environment,
        paths: &settings::Paths,
    ) -> SecretSources {
        match self {
            Self::OfProcess => SecretSources::capture(environment, paths),
            Self::Given(variables) => SecretSources {
                keychain: Keychain::Off,
                ..SecretSources::from_variables(variables.clone(), environment, paths)
            },
        }
    }

    /// The proxies that the variables name.
    pub(crate) fn proxies(&self) -> ProxySettings {
        match self {
            Self::OfProcess => ProxySettings::from_variables(|name| std::env::var(name).ok()),
            Self::Given(variables) => {
                ProxySettings::from_variables(|name| variables.get(name).cloned())
            }
        }
    }
}

impl Surroundings {
    /// Those of this process.
    pub fn from_process() -> Self {
        Self {
            settings: settings::Environment::capture(),
            transport: transport::Environment::from_process(),
            path: std::env::var_os("PATH"),
            has_runtime_dir: std::env::var_os("XDG_RUNTIME_DIR").is_some(),
            keys: Keys::OfProcess,
            buses: Buses::from_process(rustix::process::getuid().as_raw()),
            locale: locale(|name| std::env::var(name).ok()),
        }
    }

    /// One of the variables that a service gets.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let folder =
            |folder: &Option<PathBuf>| Some(folder.as_ref()?.to_string_lossy().into_owned());
        match name {
            "PATH" => Some(self.path.as_ref()?.to_string_lossy().into_owned()),
            "XDG_CONFIG_HOME" => folder(&self.settings.xdg_config_home),
            "XDG_DATA_HOME" => folder(&self.settings.xdg_data_home),
            "XDG_STATE_HOME" => folder(&self.settings.xdg_state_home),
            _ => None,
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
            has_runtime_dir: true,
            keys: Keys::Given(BTreeMap::new()),
            buses: Buses::default(),
            locale: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_variable_names_the_locale_and_an_empty_one_says_nothing() {
        let named = |variables: &[(&str, &str)]| {
            locale(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(named(&[("LANG", "it_IT.UTF-8")]), "it_IT.UTF-8");
        assert_eq!(named(&[("LANG", "it"), ("LC_ALL", "")]), "it");
        assert_eq!(named(&[("LANG", "it"), ("LC_ALL", "en")]), "en");
        assert_eq!(named(&[]), "");
    }
}
