//! What is asked for, where it was found, and why it was not.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

use crate::forms::is_provider_name;

/// Names a key: it has the name of its provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// A text that can't be a provider's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a provider's name takes 1 to 64 letters, digits, `_` and `-`")]
pub struct InvalidKeyName;

impl KeyName {
    /// The key of this provider.
    ///
    /// # Errors
    /// [`InvalidKeyName`] for what can't be a provider's name.
    pub fn new(provider: &str) -> Result<Self, InvalidKeyName> {
        if is_provider_name(provider) {
            Ok(Self(provider.to_owned()))
        } else {
            Err(InvalidKeyName)
        }
    }

    /// The provider's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A question for a provider's key.
#[derive(Debug, Clone, Copy)]
pub struct KeyQuery<'a> {
    /// The provider.
    pub provider: &'a KeyName,
    /// The variables that may hold its key, the first one first.
    pub env_names: &'a [String],
    /// What the client sent of its environment.
    pub client: &'a BTreeMap<String, SecretString>,
    /// The command that prints the key. It must come from the user's own file
    /// or the managed policy.
    pub key_cmd: Option<&'a str>,
    /// Whether the settings allow the encrypted file.
    pub file_allowed: bool,
}

/// A place where a key can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A variable of the client that asks.
    ClientEnvironment {
        /// Its name.
        name: String,
    },
    /// The service manager's credentials.
    Credentials,
    /// The keychain of the operating system.
    Keychain,
    /// The command of the settings.
    Command,
    /// A variable of the daemon.
    DaemonEnvironment {
        /// Its name.
        name: String,
    },
    /// The encrypted file.
    File,
}

impl Source {
    /// A word for machines.
    pub fn label(&self) -> &'static str {
        match self {
            Self::ClientEnvironment { .. } => "client_environment",
            Self::Credentials => "credentials",
            Self::Keychain => "keychain",
            Self::Command => "key_cmd",
            Self::DaemonEnvironment { .. } => "daemon_environment",
            Self::File => "encrypted_file",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientEnvironment { name } => write!(out, "${name} of the client"),
            Self::Credentials => out.write_str("credentials of the service"),
            Self::Keychain => out.write_str("keychain"),
            Self::Command => out.write_str("key_cmd"),
            Self::DaemonEnvironment { name } => write!(out, "${name} of the daemon"),
            Self::File => out.write_str("encrypted file"),
        }
    }
}

/// Why a place has no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The variable is not set, or there is no such credential.
    #[error("not set")]
    NotSet,
    /// The settings do not name it.
    #[error("not configured")]
    NotConfigured,
    /// The settings or the system do not allow it.
    #[error("not in use")]
    Off,
    /// It was asked and has no such key.
    #[error("has no key for it")]
    NoItem,
    /// It is locked, and nobody is asked to unlock it.
    #[error("is locked")]
    Locked,
    /// There is nothing that answers.
    #[error("is not there ({0})")]
    Absent(String),
    /// It did not answer in time.
    #[error("did not answer within {} s", .after_ms / 1_000)]
    TimedOut {
        /// How long was waited, in milliseconds.
        after_ms: u128,
    },
    /// It failed.
    #[error("failed: {0}")]
    Failed(String),
    /// What it has can't be a key.
    #[error("has what can't be a key: {0}")]
    Unusable(&'static str),
}

/// A provider's key is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no key for the provider \"{provider}\": {}", told(.tried))]
pub struct KeyUnavailable {
    /// The provider.
    pub provider: String,
    /// The variables that could hold its key: what a client may send.
    pub env_names: Vec<String>,
    /// Every place that was looked at, in order, and why it had none.
    pub tried: Vec<(Source, Missing)>,
}

/// What a person can use: the places that are in use, in one line.
fn told(tried: &[(Source, Missing)]) -> String {
    let told: Vec<String> = tried
        .iter()
        .filter(|(source, why)| {
            let unused = matches!(why, Missing::NotConfigured | Missing::Off);
            let unset = *why == Missing::NotSet && *source == Source::Credentials;
            !unused && !unset
        })
        .map(|(source, why)| format!("{source} {why}"))
        .collect();
    if told.is_empty() {
        return "no place is set up that could have it".to_owned();
    }
    told.join("; ")
}

impl KeyUnavailable {
    /// The way out, in words and commands.
    pub fn hint(&self) -> String {
        let mut ways = Vec::new();
        if self.tried.iter().any(|(_, why)| *why == Missing::Locked) {
            ways.push("unlock the keychain".to_owned());
        }
        if let Some(name) = self.env_names.first() {
            ways.push(format!("export {name}=…"));
        }
        ways.push(format!("cv provider set-key {}", self.provider));
        ways.join(", or: ")
    }
}
