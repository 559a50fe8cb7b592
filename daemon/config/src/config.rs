//! The two files, read together, and what they give for one command.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::edit::Revision;
use crate::error::{ConfigError, Fault};
use crate::file::{self, Stamp};
use crate::parse::{self, Parsed, Values};
use crate::paths::{Environment, Paths};
use crate::policy;
use crate::providers;
use crate::settings::{self, FlagSetting, Settings};
use crate::value::Layer;

/// The user's file and the managed policy as they were when they were read.
///
/// [`Config::is_stale`] costs two `stat` calls: ask it per request and load
/// again when it says so.
#[derive(Debug, Clone)]
pub struct Config {
    user: Arc<Values>,
    policy: Arc<Values>,
    revision: Revision,
    catalog: Catalog,
    watched: [(PathBuf, Option<Stamp>); 2],
}

/// One file as it was found.
#[derive(Debug, Clone)]
pub enum Health {
    /// There is none; that is fine.
    Absent,
    /// It was read, and sets this many keys.
    Good {
        /// How many keys it sets.
        keys: usize,
    },
    /// It can't be used.
    Broken(ConfigError),
}

/// A look at both files that never fails, for the doctor.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The user's `config.toml`.
    pub user: Health,
    /// The organization's `policy.toml`. While it is broken, nothing may act.
    pub policy: Health,
    /// The variables.
    pub environment: Health,
}

/// A file's layer, and what it takes to tell that it changed.
struct Loaded {
    parsed: Parsed,
    stamp: Option<Stamp>,
    revision: Revision,
}

impl Config {
    /// Reads the user's file and the policy.
    ///
    /// # Errors
    /// Everything that is wrong in either file, the policy's faults first. A
    /// policy that exists but can't be trusted, read or understood is always an
    /// error: nothing may act without it. [`Config::inspect`] still works.
    pub fn load(
        paths: &Paths,
        environment: &Environment,
        catalog: &Catalog,
    ) -> Result<Self, ConfigError> {
        let policy = load_policy(environment, catalog);
        let user = load_user(paths, catalog);
        let mut faults = Vec::new();
        faults.extend(policy.parsed.faults);
        faults.extend(user.parsed.faults);
        if faults.is_empty() {
            faults = providers::check(&user.parsed.values, &policy.parsed.values);
        }
        if let Some(error) = ConfigError::from_faults(faults) {
            return Err(error);
        }
        Ok(Self {
            user: Arc::new(user.parsed.values),
            policy: Arc::new(policy.parsed.values),
            revision: user.revision,
            catalog: catalog.clone(),
            watched: [
                (paths.config_file.clone(), user.stamp),
                (environment.policy_file.clone(), policy.stamp),
            ],
        })
    }

    /// Looks at every source without failing.
    pub fn inspect(paths: &Paths, environment: &Environment, catalog: &Catalog) -> Inspection {
        let health = |parsed: Parsed, present: bool| {
            let keys = parsed.values.len();
            match ConfigError::from_faults(parsed.faults) {
                Some(error) => Health::Broken(error),
                None if present => Health::Good { keys },
                None => Health::Absent,
            }
        };
        let mut user = load_user(paths, catalog);
        let policy = load_policy(environment, catalog);
        if user.parsed.faults.is_empty() && policy.parsed.faults.is_empty() {
            user.parsed.faults = providers::check(&user.parsed.values, &policy.parsed.values);
        }
        let (variables, _) = crate::variables::read(&environment.variables, catalog);
        let any_variable = !variables.values.is_empty();
        Inspection {
            user: health(user.parsed, user.stamp.is_some()),
            policy: health(policy.parsed, policy.stamp.is_some()),
            environment: health(variables, any_variable),
        }
    }

    /// The settings for one command: its environment and its flags between the
    /// two files. `variables` are those of whoever asked (a client's), which
    /// need not be this process's.
    ///
    /// # Errors
    /// A variable or flag that names no setting of ours or has a value that
    /// the setting does not take.
    pub fn settings(
        &self,
        variables: &BTreeMap<String, OsString>,
        flags: &[FlagSetting],
    ) -> Result<Settings, ConfigError> {
        let (environment, warnings) = crate::variables::read(variables, &self.catalog);
        if let Some(error) = ConfigError::from_faults(environment.faults) {
            return Err(error);
        }
        let flags = settings::flags(flags, &self.catalog)?;
        Ok(Settings::new(
            self.catalog.clone(),
            vec![
                (Layer::User, Arc::clone(&self.user)),
                (Layer::Environment, Arc::new(environment.values)),
                (Layer::Flag, Arc::new(flags)),
                (Layer::Policy, Arc::clone(&self.policy)),
            ],
            warnings,
        ))
    }

    /// The revision of the user's file, for `expected_rev`.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// Whether a file changed, came or went since it was read. A change
    /// within one tick of the file system's clock that keeps inode and length
    /// is not seen.
    pub fn is_stale(&self) -> bool {
        self.watched
            .iter()
            .any(|(path, stamp)| !Stamp::still_at(stamp.as_ref(), path))
    }
}

fn load_user(paths: &Paths, catalog: &Catalog) -> Loaded {
    let path = &paths.config_file;
    match file::read(path, parse::activity(Layer::User)) {
        Ok(Some(content)) => Loaded {
            parsed: parse::parse(&content.bytes, path, Layer::User, catalog),
            revision: Revision::of(Some(&content.bytes)),
            stamp: Some(content.stamp),
        },
        Ok(None) => absent(),
        Err(fault) => broken(fault),
    }
}

fn load_policy(environment: &Environment, catalog: &Catalog) -> Loaded {
    match policy::read(environment) {
        Ok(Some(content)) => Loaded {
            parsed: parse::parse(
                &content.bytes,
                &environment.policy_file,
                Layer::Policy,
                catalog,
            ),
            revision: Revision::of(Some(&content.bytes)),
            stamp: Some(content.stamp),
        },
        Ok(None) => absent(),
        Err(fault) => broken(fault),
    }
}

fn absent() -> Loaded {
    Loaded {
        parsed: Parsed::default(),
        stamp: None,
        revision: Revision::of(None),
    }
}

fn broken(fault: Fault) -> Loaded {
    Loaded {
        parsed: Parsed {
            values: Values::new(),
            faults: vec![fault],
        },
        stamp: None,
        revision: Revision::of(None),
    }
}

/// The policy's values, or why nothing may act.
pub(crate) fn policy_values(
    environment: &Environment,
    catalog: &Catalog,
) -> Result<Values, ConfigError> {
    let loaded = load_policy(environment, catalog);
    match ConfigError::from_faults(loaded.parsed.faults) {
        Some(error) => Err(error),
        None => Ok(loaded.parsed.values),
    }
}
