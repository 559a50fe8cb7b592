//! The keychain of the operating system: one item for each provider.

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
mod secret_service;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::lookup::{KeyName, Missing};
use crate::paths::Os;

/// How long one question may take, with everything that belongs to it.
const LIMIT: Duration = Duration::from_secs(2);

/// Which keychain is asked. No connection is open but during a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keychain {
    /// None.
    Off,
    /// The Secret Service of freedesktop.org.
    SecretService {
        /// The D-Bus address of the user's session. Nothing need be there yet.
        address: String,
    },
    /// The login keychain of macOS. A build that is not signed asks its user
    /// again after each update.
    MacOs,
}

/// How a keychain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeychainState {
    /// None is in use.
    Off,
    /// It can be read and written.
    Available,
    /// It is locked.
    Locked,
    /// There is none, or it has no collection yet.
    Absent {
        /// What was said.
        why: String,
    },
    /// It did not answer within 2 seconds, or failed.
    Failing {
        /// What was said.
        why: String,
    },
}

impl Keychain {
    /// The keychain of this system. `bus` is `DBUS_SESSION_BUS_ADDRESS`; where
    /// it is not set, the bus is where systemd puts it.
    pub fn of_system(os: Os, uid: u32, bus: Option<&str>, runtime_dir: Option<&Path>) -> Self {
        match os {
            Os::MacOs => Self::MacOs,
            Os::Linux => Self::SecretService {
                address: match (bus, runtime_dir) {
                    (Some(address), _) => address.to_owned(),
                    (None, Some(folder)) => unix_address(&folder.join("bus")),
                    (None, None) => format!("unix:path=/run/user/{uid}/bus"),
                },
            },
        }
    }

    pub(super) async fn get(&self, name: &KeyName) -> Result<SecretString, Missing> {
        match self {
            Self::Off => Err(Missing::Off),
            #[cfg(target_os = "linux")]
            Self::SecretService { address } => bounded(secret_service::get(address, name)).await,
            #[cfg(target_os = "macos")]
            Self::MacOs => bounded(macos::get(name)).await,
            #[cfg(not(target_os = "linux"))]
            Self::SecretService { .. } => Err(elsewhere()),
            #[cfg(not(target_os = "macos"))]
            Self::MacOs => Err(elsewhere()),
        }
    }

    pub(super) async fn set(&self, name: &KeyName, secret: &SecretString) -> Result<(), Missing> {
        match self {
            Self::Off => Err(Missing::Off),
            #[cfg(target_os = "linux")]
            Self::SecretService { address } => {
                bounded(secret_service::set(address, name, secret)).await
            }
            #[cfg(target_os = "macos")]
            Self::MacOs => bounded(macos::set(name, secret)).await,
            #[cfg(not(target_os = "linux"))]
            Self::SecretService { .. } => Err(elsewhere()),
            #[cfg(not(target_os = "macos"))]
            Self::MacOs => Err(elsewhere()),
        }
    }

    /// Whether there was one.
    pub(super) async fn remove(&self, name: &KeyName) -> Result<bool, Missing> {
        match self {
            Self::Off => Err(Missing::Off),
            #[cfg(target_os = "linux")]
            Self::SecretService { address } => bounded(secret_service::remove(address, name)).await,
            #[cfg(target_os = "macos")]
            Self::MacOs => bounded(macos::remove(name)).await,
            #[cfg(not(target_os = "linux"))]
            Self::SecretService { .. } => Err(elsewhere()),
            #[cfg(not(target_os = "macos"))]
            Self::MacOs => Err(elsewhere()),
        }
    }

    pub(super) async fn state(&self) -> KeychainState {
        let asked: Result<(), Missing> = match self {
            Self::Off => return KeychainState::Off,
            #[cfg(target_os = "linux")]
            Self::SecretService { address } => bounded(secret_service::look(address)).await,
            // Looking is asking for an item, and that may ask the user.
            #[cfg(target_os = "macos")]
            Self::MacOs => Ok(()),
            #[cfg(not(target_os = "linux"))]
            Self::SecretService { .. } => Err(elsewhere()),
            #[cfg(not(target_os = "macos"))]
            Self::MacOs => Err(elsewhere()),
        };
        match asked {
            Ok(()) => KeychainState::Available,
            Err(Missing::Locked) => KeychainState::Locked,
            Err(Missing::Absent(why)) => KeychainState::Absent { why },
            Err(other) => KeychainState::Failing {
                why: other.to_string(),
            },
        }
    }
}

async fn bounded<T>(question: impl Future<Output = Result<T, Missing>>) -> Result<T, Missing> {
    match tokio::time::timeout(LIMIT, question).await {
        Ok(answer) => answer,
        Err(_) => Err(Missing::TimedOut {
            after_ms: LIMIT.as_millis(),
        }),
    }
}

fn elsewhere() -> Missing {
    Missing::Absent("this system has another kind".to_owned())
}

/// A socket's path as a D-Bus address.
fn unix_address(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut address = "unix:path=".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'-' | b'_' | b'/' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                address.push(char::from(*byte));
            }
            other => address.push_str(&format!("%{other:02x}")),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_is_the_variables_or_where_systemd_puts_it() {
        let of = |bus, folder: Option<&str>| {
            Keychain::of_system(Os::Linux, 7, bus, folder.map(Path::new))
        };
        let at = |address: &str| Keychain::SecretService {
            address: address.to_owned(),
        };
        assert_eq!(of(Some("unix:path=/x"), Some("/run/u")), at("unix:path=/x"));
        assert_eq!(of(None, Some("/run/a b")), at("unix:path=/run/a%20b/bus"));
        assert_eq!(of(None, None), at("unix:path=/run/user/7/bus"));
        assert_eq!(
            Keychain::of_system(Os::MacOs, 7, None, None),
            Keychain::MacOs
        );
    }
}
