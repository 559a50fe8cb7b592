//! The settings as requests see them: read again when a file changed, an error with its place
//! when a file is broken, never a silent default.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use convergio_config::{
    Catalog, Config, ConfigError, Environment, ErrorKind, Paths, RETENTION_EVENT_LOG_DAYS,
    RETENTION_REVIEW_DAYS, RETENTION_UNDO_DAYS, Settings,
};
use convergio_contract::{ErrorCode, RpcError};
use convergio_runs::Retention;

/// Where the settings come from.
pub(crate) struct Configuration {
    pub(crate) paths: Paths,
    pub(crate) environment: Environment,
    pub(crate) catalog: Catalog,
    loaded: Mutex<Option<Loaded>>,
    /// What was wrong when it was last looked.
    fault: Mutex<Option<(Instant, Option<String>)>>,
}

/// The files as they were read last.
struct Loaded {
    config: Config,
    /// What they come to in the daemon's own environment, once somebody asked.
    own: Option<Settings>,
}

/// For so long a look at the files counts where only their state is asked.
const LOOK_COUNTS: Duration = Duration::from_millis(100);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long runs and ways back are kept.
pub(crate) fn retention(settings: &Settings) -> Retention {
    let days = |days: u64| {
        i64::try_from(days)
            .unwrap_or(i64::MAX)
            .saturating_mul(DAY_MS)
    };
    let review = days(settings.value(&RETENTION_REVIEW_DAYS));
    let events = days(settings.value(&RETENTION_EVENT_LOG_DAYS));
    Retention {
        content_ms: review.min(events),
        undo_ms: days(settings.value(&RETENTION_UNDO_DAYS)),
        ..Retention::default()
    }
}

impl Configuration {
    /// Nothing is read yet.
    pub(crate) fn new(paths: Paths, environment: Environment) -> Self {
        Self {
            paths,
            environment,
            catalog: catalog(),
            loaded: Mutex::new(None),
            fault: Mutex::new(None),
        }
    }

    /// What is wrong with the files, looked at now or a moment ago.
    pub(crate) fn fault(&self, now: Instant) -> Option<String> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((looked, known)) = &*fault
            && now.saturating_duration_since(*looked) < LOOK_COUNTS
        {
            return known.clone();
        }
        let found = self.load().err().map(|error| error.to_string());
        fault.insert((now, found)).1.clone()
    }

    /// Both files, as they are now.
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.fresh(&mut loaded).map(|loaded| loaded.config.clone())
    }

    fn fresh<'a>(&self, loaded: &'a mut Option<Loaded>) -> Result<&'a mut Loaded, ConfigError> {
        let kept = loaded.take().filter(|loaded| !loaded.config.is_stale());
        let fresh = match kept {
            Some(kept) => kept,
            None => Loaded {
                config: Config::load(&self.paths, &self.environment, &self.catalog)?,
                own: None,
            },
        };
        Ok(loaded.insert(fresh))
    }

    /// The settings that hold in the daemon's own environment.
    pub(crate) fn own_settings(&self) -> Result<Settings, RpcError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.fresh(&mut loaded).and_then(|loaded| {
            if let Some(own) = &loaded.own {
                return Ok(own.clone());
            }
            let own = loaded.config.settings(&self.environment.variables, &[])?;
            Ok(loaded.own.insert(own).clone())
        });
        own.map_err(|error| self.error(&error))
    }

    /// The settings that hold for a caller with these variables.
    pub(crate) fn settings(
        &self,
        variables: &BTreeMap<String, OsString>,
    ) -> Result<Settings, RpcError> {
        let settings = self
            .load()
            .and_then(|config| config.settings(variables, &[]));
        settings.map_err(|error| self.error(&error))
    }

    /// The settings of the daemon's own life: its environment, and the defaults where a file is
    /// broken, because the daemon must be there to say so.
    pub(crate) fn own(&self) -> Settings {
        let settings = self
            .load()
            .and_then(|config| config.settings(&self.environment.variables, &[]));
        settings.unwrap_or_else(|_| Settings::defaults())
    }

    /// As it travels. What the managed policy says or lacks is a refusal, not a mistake.
    pub(crate) fn error(&self, error: &ConfigError) -> RpcError {
        let first = error.first();
        let of_policy = error.path() == Some(self.environment.policy_file.as_path());
        let code = match error.kind() {
            ErrorKind::FixedByPolicy | ErrorKind::PolicyUntrusted | ErrorKind::ForeignOwner => {
                ErrorCode::Forbidden
            }
            _ if of_policy => ErrorCode::Forbidden,
            ErrorKind::Conflict => ErrorCode::Conflict,
            ErrorKind::TooLarge => ErrorCode::TooLarge,
            ErrorKind::Io | ErrorKind::NotAFile | ErrorKind::NoFolder => ErrorCode::StorageError,
            ErrorKind::Syntax
            | ErrorKind::UnknownKey
            | ErrorKind::WrongType
            | ErrorKind::OutOfRange
            | ErrorKind::NewerVersion => ErrorCode::InvalidParams,
        };
        let mut why = match &first.origin {
            Some(origin) => format!("{origin}: {}", first.reason),
            None => first.reason.clone(),
        };
        let more = error.faults().count() - 1;
        if more > 0 {
            why.push_str(&format!(" (and {more} more)"));
        }
        RpcError::new(code, format!("can't {}", first.activity))
            .why(why)
            .hint(&first.hint)
    }
}

/// The keys that exist, every review rule's switch among them.
pub(crate) fn catalog() -> Catalog {
    Catalog::with_rules(convergio_review::rules::RULES.iter().map(|rule| rule.id))
}
