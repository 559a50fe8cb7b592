//! The encrypted file: for machines without a keychain, and only where the
//! settings allow it.
//!
//! What its protection is worth depends on the key. With the credential
//! `convergio-passphrase` (stretched by Argon2id) the file is useless to whoever
//! lacks that credential. Without it the key is a random file beside it: that
//! protects copies and backups that hold only one of the two, and does not
//! protect from anybody who can read this user's files.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use argon2::Argon2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::credentials::read_file;
use super::lookup::{KeyName, Missing};
use super::{SecretError, usable_bytes};
use crate::edit::{Revision, replace};

const VERSION: u32 = 1;
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
/// Bound into every seal, so that nothing else of ours passes for this file.
const PURPOSE: &[u8] = b"convergio secrets 1";
const GROUP_OR_OTHER: u32 = 0o077;

/// What the encrypted file's key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// A random file beside it: protects backups, not this machine.
    KeyFile,
    /// The credential `convergio-passphrase` of the service manager.
    Passphrase,
}

/// How the encrypted file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// There is none.
    Absent,
    /// It can be read.
    Present {
        /// What its key is made of.
        protection: Protection,
        /// How many keys it holds.
        keys: usize,
    },
    /// It can't be read.
    Broken {
        /// Why not.
        why: String,
    },
}

/// The encrypted file at its place.
#[derive(Debug, Clone)]
pub(super) struct Sealed(Arc<Place>);

#[derive(Debug)]
struct Place {
    file: PathBuf,
    passphrase: Option<PathBuf>,
    uid: u32,
    /// One change at a time in this process; others meet the folder's lock.
    changing: tokio::sync::Mutex<()>,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    protection: Protection,
    salt: String,
    nonce: String,
    sealed: String,
}

/// The keys by provider, wiped when dropped.
type Keys = BTreeMap<String, Zeroizing<String>>;

/// What was read.
struct Opened {
    keys: Keys,
    protection: Protection,
    revision: Revision,
}

impl Sealed {
    pub(super) fn new(file: PathBuf, passphrase: Option<PathBuf>, uid: u32) -> Self {
        Self(Arc::new(Place {
            file,
            passphrase,
            uid,
            changing: tokio::sync::Mutex::default(),
        }))
    }

    pub(super) async fn get(&self, name: &KeyName) -> Result<SecretString, Missing> {
        match self.blocking(Place::open).await {
            Ok(Some(opened)) => match opened.keys.get(name.as_str()) {
                Some(key) => usable_bytes(key.as_bytes()),
                None => Err(Missing::NoItem),
            },
            Ok(None) => Err(Missing::NoItem),
            Err(why) => Err(Missing::Failed(why)),
        }
    }

    /// Keeps a key, or removes it; whether that changed anything.
    pub(super) async fn set(
        &self,
        name: &KeyName,
        secret: Option<SecretString>,
    ) -> Result<bool, SecretError> {
        let _turn = self.0.changing.lock().await;
        let name = name.as_str().to_owned();
        let changed = self.blocking(move |place| place.change(name, secret)).await;
        changed.map_err(|why| SecretError::File {
            path: self.0.file.clone(),
            why,
        })
    }

    pub(super) async fn state(&self) -> FileState {
        match self.blocking(Place::open).await {
            Ok(Some(opened)) => FileState::Present {
                protection: opened.protection,
                keys: opened.keys.len(),
            },
            Ok(None) => FileState::Absent,
            Err(why) => FileState::Broken { why },
        }
    }

    /// Files and Argon2 take their time; the event loop must not wait for them.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let place = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&place)).await {
            Ok(result) => result,
            Err(_) => Err("the work on it stopped".to_owned()),
        }
    }
}

impl Place {
    fn open(&self) -> Result<Option<Opened>, String> {
        let Some(bytes) = private(&self.file, self.uid)? else {
            return Ok(None);
        };
        let document: Document =
            serde_json::from_slice(&bytes).map_err(|error| format!("it is damaged: {error}"))?;
        if document.version != VERSION {
            return Err(format!(
                "it has version {}; this program reads version {VERSION}",
                document.version
            ));
        }
        let decode = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|_| "it is damaged: this is not Base64".to_owned())
        };
        let salt = decode(&document.salt)?;
        let nonce: [u8; NONCE_BYTES] = decode(&document.nonce)?
            .try_into()
            .map_err(|_| "it is damaged: its nonce has another length".to_owned())?;
        let key = match document.protection {
            Protection::Passphrase => match self.passphrase()? {
                Some(passphrase) => stretched(&passphrase, &salt)?,
                None => {
                    return Err(
                        "it was sealed with the credential convergio-passphrase, which is not \
                         there"
                            .to_owned(),
                    );
                }
            },
            Protection::KeyFile => self
                .key_file()?
                .ok_or_else(|| format!("its key {} is not there", self.key_path().display()))?,
        };
        let sealed = decode(&document.sealed)?;
        let opened = cipher(&key)
            .decrypt(&XNonce::from(nonce), payload(&sealed))
            .map_err(|_| "its key does not fit, or it is damaged".to_owned())?;
        let opened = Zeroizing::new(opened);
        let keys: Keys = serde_json::from_slice::<BTreeMap<String, String>>(&opened)
            .map_err(|_| "it is damaged: what was sealed can't be read".to_owned())?
            .into_iter()
            .map(|(name, key)| (name, Zeroizing::new(key)))
            .collect();
        Ok(Some(Opened {
            keys,
            protection: document.protection,
            revision: Revision::of(Some(&bytes)),
        }))
    }

    fn change(&self, name: String, secret: Option<SecretString>) -> Result<bool, String> {
        let (mut keys, revision) = match self.open()? {
            Some(opened) => (opened.keys, opened.revision),
            None => (Keys::new(), Revision::of(None)),
        };
        match secret {
            Some(secret) => {
                keys.insert(name, Zeroizing::new(secret.expose_secret().to_owned()));
            }
            None => {
                if keys.remove(&name).is_none() {
                    return Ok(false);
                }
            }
        }
        let content = self.seal(&keys)?;
        replace(&self.file, &revision, Some(&content), self.uid).map_err(|fault| fault.reason)?;
        Ok(true)
    }

    fn seal(&self, keys: &Keys) -> Result<Vec<u8>, String> {
        let salt = random::<SALT_BYTES>()?;
        let nonce = random::<NONCE_BYTES>()?;
        let (protection, key) = match self.passphrase()? {
            Some(passphrase) => (Protection::Passphrase, stretched(&passphrase, &*salt)?),
            None => (Protection::KeyFile, self.key_file_or_new()?),
        };
        let plain: BTreeMap<&str, &str> = keys
            .iter()
            .map(|(name, key)| (name.as_str(), key.as_str()))
            .collect();
        let plain = serde_json::to_vec(&plain).map_err(|error| error.to_string())?;
        let plain = Zeroizing::new(plain);
        let sealed = cipher(&key)
            .encrypt(&XNonce::from(*nonce), payload(&plain))
            .map_err(|_| "it could not be sealed".to_owned())?;
        let document = Document {
            version: VERSION,
            protection,
            salt: STANDARD.encode(*salt),
            nonce: STANDARD.encode(*nonce),
            sealed: STANDARD.encode(sealed),
        };
        let mut content =
            serde_json::to_vec_pretty(&document).map_err(|error| error.to_string())?;
        content.push(b'\n');
        Ok(content)
    }

    fn passphrase(&self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        match &self.passphrase {
            Some(path) => read_file(path),
            None => Ok(None),
        }
    }

    fn key_path(&self) -> PathBuf {
        self.file.with_extension("key")
    }

    fn key_file(&self) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, String> {
        let path = self.key_path();
        let Some(bytes) = private(&path, self.uid)? else {
            return Ok(None);
        };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return Err(format!("its key {} is damaged", path.display()));
        }
        key.copy_from_slice(&bytes);
        Ok(Some(key))
    }

    fn key_file_or_new(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, String> {
        if let Some(key) = self.key_file()? {
            return Ok(key);
        }
        let path = self.key_path();
        let io = |error: std::io::Error| format!("its key {}: {error}", path.display());
        let folder = path.parent().unwrap_or(Path::new("/"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io)?;
        let key = random::<KEY_BYTES>()?;
        // Written whole under another name, so that a crash leaves no half key.
        let new = self.file.with_extension("key.new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .map_err(io)?;
        file.write_all(&*key)
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::hard_link(&new, &path))
            .and_then(|()| std::fs::remove_file(&new))
            .map_err(io)?;
        Ok(key)
    }
}

/// A file that nobody else can read; `None` when there is none.
fn private(path: &Path, uid: u32) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    if metadata.uid() != uid {
        return Err(format!("{} belongs to another user", path.display()));
    }
    if metadata.mode() & GROUP_OR_OTHER != 0 {
        return Err(format!(
            "others can read {0}: chmod 600 '{0}'",
            path.display()
        ));
    }
    read_file(path)
}

fn payload(message: &[u8]) -> Payload<'_, '_> {
    Payload {
        msg: message,
        aad: PURPOSE,
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

/// Argon2id with its default cost (19 MiB, two passes).
fn stretched(passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, String> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::default()
        .hash_password_into(passphrase, salt, &mut *key)
        .map_err(|error| format!("its passphrase can't be used: {error}"))?;
    Ok(key)
}

fn random<const BYTES: usize>() -> Result<Zeroizing<[u8; BYTES]>, String> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(&mut *bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes)
}
