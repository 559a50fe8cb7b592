//! What the daemon knows at boot about where keys can be.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::keychain::Keychain;
use crate::paths::{Environment, Paths};

/// Where keys can be.
pub struct SecretSources {
    /// `$CREDENTIALS_DIRECTORY`, of the service manager. The file
    /// `convergio-passphrase` in it protects the encrypted file, every other
    /// one is the key of the provider that it is named after.
    pub credentials_dir: Option<PathBuf>,
    /// The keychain of the operating system.
    pub keychain: Keychain,
    /// The daemon's own environment, as it was when it started.
    pub environment: BTreeMap<String, SecretString>,
    /// The encrypted file. Its key, where no passphrase is there, lies beside
    /// it with the ending `.key`.
    pub file: PathBuf,
    /// The user to whom the encrypted file must belong.
    pub uid: u32,
}

impl fmt::Debug for SecretSources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SecretSources")
            .field("credentials_dir", &self.credentials_dir)
            .field("keychain", &self.keychain)
            .field("environment", &self.environment.len())
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl SecretSources {
    /// The sources of this process, read from its environment. To be called
    /// once, at boot.
    pub fn capture(environment: &Environment, paths: &Paths) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::from_variables(variables, environment, paths)
    }

    /// The sources that these variables describe.
    pub fn from_variables(
        variables: BTreeMap<String, String>,
        environment: &Environment,
        paths: &Paths,
    ) -> Self {
        let folder = |name: &str| {
            let folder = PathBuf::from(variables.get(name)?);
            folder.is_absolute().then_some(folder)
        };
        let bus = variables
            .get("DBUS_SESSION_BUS_ADDRESS")
            .filter(|address| !address.is_empty());
        Self {
            credentials_dir: folder("CREDENTIALS_DIRECTORY"),
            keychain: Keychain::of_system(
                environment.os,
                environment.uid,
                bus.map(String::as_str),
                folder("XDG_RUNTIME_DIR").as_deref(),
            ),
            environment: variables
                .into_iter()
                .map(|(name, value)| (name, SecretString::from(value)))
                .collect(),
            file: paths.data_dir.join("secrets.json"),
            uid: environment.uid,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::paths::Os;

    fn of(variables: &[(&str, &str)]) -> SecretSources {
        let home = [(OsString::from("CONVERGIO_HOME"), OsString::from("/one"))];
        let environment = Environment::from_variables(home, 7, Os::Linux);
        let paths = Paths::derive(&environment).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        SecretSources::from_variables(variables, &environment, &paths)
    }

    #[test]
    fn the_environment_says_where_keys_are_and_is_not_shown() {
        let sources = of(&[
            ("CREDENTIALS_DIRECTORY", "/run/credentials/c"),
            ("XDG_RUNTIME_DIR", "/run/user/7"),
            ("MOCK_KEY", "canary"),
        ]);
        assert_eq!(
            sources.credentials_dir.as_deref(),
            Some(Path::new("/run/credentials/c"))
        );
        let bus = "unix:path=/run/user/7/bus".to_owned();
        assert_eq!(sources.keychain, Keychain::SecretService { address: bus });
        assert_eq!(sources.environment["MOCK_KEY"].expose_secret(), "canary");
        assert_eq!(sources.file, Path::new("/one/data/secrets.json"));
        assert!(!format!("{sources:?}").contains("canary"));
        let sources = of(&[
            ("CREDENTIALS_DIRECTORY", "relative"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:abstract=x"),
        ]);
        assert_eq!(sources.credentials_dir, None);
        let bus = "unix:abstract=x".to_owned();
        assert_eq!(sources.keychain, Keychain::SecretService { address: bus });
    }
}
