//! A home, a policy and an environment of a test's own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't set up its home must stop"
)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use convergio_config::{Catalog, Config, Editor, Environment, Os, Paths, Settings};

pub(crate) const RULES: [&str; 3] = ["tls-verify-off", "swallowed-error", "secret/aws.key"];

pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) environment: Environment,
    pub(crate) paths: Paths,
    pub(crate) catalog: Catalog,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = [(
            OsString::from("CONVERGIO_HOME"),
            folder.path().join("home").into_os_string(),
        )];
        let uid = rustix::process::geteuid().as_raw();
        let mut environment = Environment::from_variables(variables, uid, Os::Linux);
        let policy = folder.path().join("policy");
        fs::DirBuilder::new().mode(0o755).create(&policy).unwrap();
        environment.policy_file = policy.join("policy.toml");
        environment.policy_owner_uid = uid;
        let paths = Paths::derive(&environment).unwrap();
        fs::create_dir_all(&paths.config_dir).unwrap();
        Self {
            folder,
            environment,
            paths,
            catalog: Catalog::with_rules(RULES),
        }
    }

    pub(crate) fn user(self, text: &str) -> Self {
        fs::write(&self.paths.config_file, text).unwrap();
        self
    }

    pub(crate) fn policy(self, text: &str) -> Self {
        fs::write(&self.environment.policy_file, text).unwrap();
        chmod(&self.environment.policy_file, 0o644);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment
            .variables
            .insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn load(&self) -> Result<Config, convergio_config::ConfigError> {
        Config::load(&self.paths, &self.environment, &self.catalog)
    }

    pub(crate) fn settings(&self) -> Result<Settings, convergio_config::ConfigError> {
        self.load()?.settings(&self.environment.variables, &[])
    }

    pub(crate) fn editor(&self) -> Editor {
        Editor::new(&self.paths, &self.environment, &self.catalog)
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.paths.config_file).unwrap()
    }

    pub(crate) fn config_file(&self) -> &Path {
        &self.paths.config_file
    }

    pub(crate) fn policy_dir(&self) -> PathBuf {
        self.environment.policy_file.parent().unwrap().to_owned()
    }
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
