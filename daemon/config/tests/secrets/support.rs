//! Sources of a test's own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't set up its sources must stop"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use convergio_config::secrets::{
    ExposeSecret, Found, KeyName, KeyQuery, KeyUnavailable, Keychain, SecretSources, SecretString,
    Secrets,
};

/// A folder, and sources that lie in it; no keychain.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) name: KeyName,
    pub(crate) client: BTreeMap<String, SecretString>,
    pub(crate) daemon: BTreeMap<String, SecretString>,
    pub(crate) keychain: Keychain,
    pub(crate) key_cmd: Option<String>,
    pub(crate) file_allowed: bool,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            name: KeyName::new("mock").unwrap(),
            client: BTreeMap::new(),
            daemon: BTreeMap::new(),
            keychain: Keychain::Off,
            key_cmd: None,
            file_allowed: false,
        }
    }

    pub(crate) fn credentials_dir(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("data/secrets.json")
    }

    pub(crate) fn credential(&self, name: &str, content: &str) {
        std::fs::create_dir_all(self.credentials_dir()).unwrap();
        std::fs::write(self.credentials_dir().join(name), content).unwrap();
    }

    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::new(SecretSources {
            credentials_dir: Some(self.credentials_dir()),
            keychain: self.keychain.clone(),
            environment: self.daemon.clone(),
            file: self.file(),
            uid: rustix::process::geteuid().as_raw(),
        })
    }

    pub(crate) async fn find(&self, secrets: &Secrets) -> Result<Found, KeyUnavailable> {
        let env_names = ["MOCK_KEY".to_owned(), "MOCK_KEY_2".to_owned()];
        let query = KeyQuery {
            provider: &self.name,
            env_names: &env_names,
            client: &self.client,
            key_cmd: self.key_cmd.as_deref(),
            file_allowed: self.file_allowed,
        };
        secrets.find(&query).await
    }
}

pub(crate) fn variable(name: &str, value: &str) -> BTreeMap<String, SecretString> {
    BTreeMap::from([(name.to_owned(), SecretString::from(value))])
}

pub(crate) fn text(found: &Found) -> &str {
    found.secret().expose_secret()
}

#[cfg(target_os = "linux")]
/// Says that a test did not run, and fails where it must.
pub(crate) fn skip(what: &str, lacks: &str) {
    let required = std::env::var("CONVERGIO_REQUIRE_SERVICES").is_ok_and(|set| set == "1");
    assert!(!required, "{lacks} was to be here");
    // Not `eprintln!`, which is kept from sight where a test passes.
    let line = format!("SKIPPED {what}: this machine has no {lacks}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}
