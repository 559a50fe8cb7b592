//! Keys of providers: where they are looked for, and where they are kept.
//!
//! A key is looked for in this order, and the first place that has it wins:
//! the environment of the client that asks, the service manager's credentials
//! (`$CREDENTIALS_DIRECTORY/<provider>`), the keychain of the operating system,
//! the command that the settings name, the daemon's own environment, and the
//! encrypted file, if the settings allow that file.
//!
//! Nothing is touched before somebody asks for a key, and no connection stays
//! open afterwards. Every question to the keychain ends within 2 seconds, a
//! locked one is never asked to unlock, and what was locked or absent is tried
//! again next time. Keys that were found are held in memory that is wiped when
//! it is given back.

mod command;
mod credentials;
mod keychain;
mod lookup;
mod redactor;
mod sealed;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use secrecy::{ExposeSecret, SecretString};

use redactor::Registry;
use sealed::Sealed;

pub use keychain::{Keychain, KeychainState};
pub use lookup::{InvalidKeyName, KeyName, KeyQuery, KeyUnavailable, Missing, Source};
pub use redactor::{Known, Redactor};
pub use sealed::{FileState, Protection};
pub use sources::SecretSources;

/// Longer secrets are refused.
const SECRET_MAX_BYTES: usize = 16 * 1024;
/// The credential that the encrypted file's key is made of.
const PASSPHRASE_CREDENTIAL: &str = "convergio-passphrase";

/// A key that was found. While it (or a copy of it) lives, redactors know it:
/// keep it for as long as the key is in use.
#[derive(Clone)]
pub struct Found {
    /// Where it was.
    pub source: Source,
    secret: Arc<SecretString>,
    _known: Known,
}

impl Found {
    /// The key.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Found({})", self.source)
    }
}

/// Where a key was put, or taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredIn {
    /// The keychain of the operating system.
    Keychain,
    /// The encrypted file.
    File,
}

impl StoredIn {
    /// As people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::File => "encrypted file",
        }
    }
}

/// Why a key could not be kept or removed.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no keychain that takes it, and the file is not allowed.
    #[error("the key can't be kept: keychain: {why}")]
    NoKeychain {
        /// What the keychain said.
        why: Missing,
    },
    /// The text can't be a key.
    #[error("this can't be a key: {0}")]
    Unusable(&'static str),
    /// The encrypted file could not be read or written.
    #[error("the encrypted file {} can't be used: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl SecretError {
    /// The way out, in words and commands.
    pub fn hint(&self) -> String {
        match self {
            Self::NoKeychain { why } => {
                let unlock = match why {
                    Missing::Locked => "unlock the keychain, ",
                    _ => "",
                };
                format!(
                    "{unlock}export the provider's variable, set its key_cmd, or keep keys in an \
                     encrypted file: cv config set secrets.file true"
                )
            }
            Self::Unusable(_) => "give the key as one line without blanks at its ends".to_owned(),
            Self::File { path, .. } => format!("see who may: ls -l '{}'", path.display()),
        }
    }
}

/// Finds and keeps keys. Cheap to clone; making one touches nothing.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    sources: SecretSources,
    sealed: Sealed,
    registry: Registry,
    cache: Mutex<BTreeMap<KeyName, Cached>>,
    /// One run of a provider's command at a time: it may ask its user.
    commands: Mutex<BTreeMap<KeyName, Arc<tokio::sync::Mutex<()>>>>,
}

/// What was found below the sources that are asked each time.
#[derive(Clone)]
struct Cached {
    found: Found,
    /// The question that it answers.
    key_cmd: Option<String>,
    env_names: Vec<String>,
    file_allowed: bool,
    /// The keychain said that it has none, or gave this one. If it was locked
    /// or absent, it is asked again.
    settled: bool,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secrets({:?})", self.0.sources)
    }
}

impl Secrets {
    /// Keys of these sources.
    pub fn new(sources: SecretSources) -> Self {
        let passphrase = sources
            .credentials_dir
            .as_ref()
            .map(|folder| folder.join(PASSPHRASE_CREDENTIAL));
        Self(Arc::new(Inner {
            sealed: Sealed::new(sources.file.clone(), passphrase, sources.uid),
            sources,
            registry: Registry::default(),
            cache: Mutex::default(),
            commands: Mutex::default(),
        }))
    }

    /// Looks for a provider's key, in the order that the module tells. It ends
    /// within 2 seconds, and 10 more if a command is run. Dropping it stops
    /// that command.
    ///
    /// # Errors
    /// Every place that was looked at, and why it had no key.
    pub async fn find(&self, query: &KeyQuery<'_>) -> Result<Found, KeyUnavailable> {
        let mut tried = Vec::new();
        for name in query.env_names {
            let source = Source::ClientEnvironment { name: name.clone() };
            match of_environment(query.client, name) {
                Ok(secret) => return Ok(self.found(source, secret)),
                Err(why) => tried.push((source, why)),
            }
        }
        let folder = self.0.sources.credentials_dir.as_deref();
        match credentials::read(folder, query.provider).await {
            Ok(secret) => return Ok(self.found(Source::Credentials, secret)),
            Err(why) => tried.push((Source::Credentials, why)),
        }

        let cached = self.cached(query);
        if let Some(cached) = cached.as_ref().filter(|cached| cached.settled) {
            return Ok(cached.found.clone());
        }
        let settled = match self.0.sources.keychain.get(query.provider).await {
            Ok(secret) => {
                return Ok(self.keep(query, self.found(Source::Keychain, secret), true));
            }
            Err(why) => {
                let settled = matches!(why, Missing::NoItem | Missing::Off);
                tried.push((Source::Keychain, why));
                settled
            }
        };
        match (cached, query.key_cmd) {
            (Some(cached), _) if cached.found.source == Source::Command => {
                return Ok(self.keep(query, cached.found, settled));
            }
            (_, Some(line)) => match self.run(query.provider, line, query).await {
                Ok(found) => return Ok(self.keep(query, found, settled)),
                Err(why) => tried.push((Source::Command, why)),
            },
            (_, None) => tried.push((Source::Command, Missing::NotConfigured)),
        }
        for name in query.env_names {
            let source = Source::DaemonEnvironment { name: name.clone() };
            match of_environment(&self.0.sources.environment, name) {
                Ok(secret) => {
                    return Ok(self.keep(query, self.found(source, secret), settled));
                }
                Err(why) => tried.push((source, why)),
            }
        }
        if query.file_allowed {
            match self.0.sealed.get(query.provider).await {
                Ok(secret) => {
                    return Ok(self.keep(query, self.found(Source::File, secret), settled));
                }
                Err(why) => tried.push((Source::File, why)),
            }
        } else {
            tried.push((Source::File, Missing::Off));
        }
        Err(KeyUnavailable {
            provider: query.provider.as_str().to_owned(),
            env_names: query.env_names.to_vec(),
            tried,
        })
    }

    /// Keeps a key: in the keychain, or in the encrypted file where there is
    /// no keychain that takes it and `file_allowed` says that the settings
    /// allow the file. It can't be read back but by [`Secrets::find`]. Where a
    /// locked keychain has an older key of the provider, that one is found
    /// first once it is unlocked: tell the user where the key was put.
    ///
    /// # Errors
    /// [`SecretError`]; nothing was kept then, unless the keychain stopped
    /// answering in the middle.
    pub async fn set(
        &self,
        name: &KeyName,
        secret: SecretString,
        file_allowed: bool,
    ) -> Result<StoredIn, SecretError> {
        let _known = self.know(&secret);
        let secret = usable(secret.expose_secret()).map_err(SecretError::Unusable)?;
        self.forget(name);
        let stored = match self.0.sources.keychain.set(name, &secret).await {
            Ok(()) => Ok(StoredIn::Keychain),
            Err(_) if file_allowed => {
                let stored = self.0.sealed.set(name, Some(secret)).await;
                stored.map(|_| StoredIn::File)
            }
            Err(why) => Err(SecretError::NoKeychain { why }),
        };
        // A question that was under way meanwhile may have kept the old one.
        self.forget(name);
        stored
    }

    /// Removes a key from the keychain, and from the encrypted file if there is
    /// one. Gives back where it was; nowhere is no error.
    ///
    /// # Errors
    /// [`SecretError::NoKeychain`] when the keychain could not be asked and the
    /// file did not have the key; [`SecretError::File`].
    pub async fn remove(&self, name: &KeyName) -> Result<Vec<StoredIn>, SecretError> {
        let mut from = Vec::new();
        let keychain = self.0.sources.keychain.remove(name).await;
        if matches!(keychain, Ok(true)) {
            from.push(StoredIn::Keychain);
        }
        let file = self.0.sealed.set(name, None).await;
        self.forget(name);
        if file? {
            from.push(StoredIn::File);
        }
        match keychain {
            Err(why) if from.is_empty() && why != Missing::Off => {
                Err(SecretError::NoKeychain { why })
            }
            Ok(_) | Err(_) => Ok(from),
        }
    }

    /// Lets go of a key that was found, so that the next question reads it
    /// again: for a provider that refused it.
    pub fn forget(&self, name: &KeyName) {
        let mut cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.remove(name);
    }

    /// Makes a secret known to redactors for as long as the answer lives: for
    /// what a client sent and nobody asked for yet.
    pub fn know(&self, secret: &SecretString) -> Known {
        self.0.registry.know(secret)
    }

    /// A redactor of every secret that is known now; cheap, and empty where
    /// none is.
    pub fn redactor(&self) -> Redactor {
        self.0.registry.redactor()
    }

    /// How the keychain is, for the doctor. It ends within 2 seconds.
    pub async fn keychain_state(&self) -> KeychainState {
        self.0.sources.keychain.state().await
    }

    /// How the encrypted file is, for the doctor.
    pub async fn file_state(&self) -> FileState {
        self.0.sealed.state().await
    }

    fn found(&self, source: Source, secret: SecretString) -> Found {
        Found {
            source,
            _known: self.know(&secret),
            secret: Arc::new(secret),
        }
    }

    fn cached(&self, query: &KeyQuery<'_>) -> Option<Cached> {
        let cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache
            .get(query.provider)
            .filter(|cached| {
                cached.key_cmd.as_deref() == query.key_cmd
                    && cached.env_names == query.env_names
                    && cached.file_allowed == query.file_allowed
            })
            .cloned()
    }

    fn keep(&self, query: &KeyQuery<'_>, found: Found, settled: bool) -> Found {
        let cached = Cached {
            found: found.clone(),
            key_cmd: query.key_cmd.map(str::to_owned),
            env_names: query.env_names.to_vec(),
            file_allowed: query.file_allowed,
            settled,
        };
        let mut cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(query.provider.clone(), cached);
        found
    }

    async fn run(
        &self,
        name: &KeyName,
        line: &str,
        query: &KeyQuery<'_>,
    ) -> Result<Found, Missing> {
        let turn = {
            let commands = &self.0.commands;
            let mut commands = commands.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(commands.entry(name.clone()).or_default())
        };
        let run = async {
            let _turn = turn.lock().await;
            // Whoever was first may have found it meanwhile.
            if let Some(cached) = self.cached(query)
                && cached.found.source == Source::Command
            {
                return Ok(cached.found);
            }
            let secret = command::run(line).await?;
            let found = self.found(Source::Command, secret);
            Ok(self.keep(query, found, false))
        };
        match tokio::time::timeout(command::LIMIT, run).await {
            Ok(found) => found,
            Err(_) => Err(Missing::TimedOut {
                after_ms: command::LIMIT.as_millis(),
            }),
        }
    }
}

fn of_environment(
    variables: &BTreeMap<String, SecretString>,
    name: &str,
) -> Result<SecretString, Missing> {
    match variables.get(name).map(ExposeSecret::expose_secret) {
        None | Some("") => Err(Missing::NotSet),
        Some(text) => usable(text).map_err(Missing::Unusable),
    }
}

/// A text as a key: without one line end behind it, and fit to travel in a
/// header.
fn usable(text: &str) -> Result<SecretString, &'static str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > SECRET_MAX_BYTES {
        return Err("it is longer than 16 KiB");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a line end or another control character in it");
    }
    if text.trim() != text {
        return Err("it begins or ends with a blank");
    }
    Ok(SecretString::from(text))
}

/// The same of bytes.
fn usable_bytes(bytes: &[u8]) -> Result<SecretString, Missing> {
    match std::str::from_utf8(bytes) {
        Ok(text) => usable(text).map_err(Missing::Unusable),
        Err(_) => Err(Missing::Unusable("it is not UTF-8")),
    }
}
