//! Adding and removing whole providers, and refusing changes that can't hold.

use std::path::Path;

use super::check::Problem;
use super::keys::bad_provider;
use super::{SECTION, problems};
use crate::config::policy_values;
use crate::document;
use crate::edit::{ACTIVITY, Editor, PlannedEdit, Revision};
use crate::error::{ConfigError, ErrorKind, Fault};
use crate::forms::is_provider_name;
use crate::keys::{MODELS_ALLOWED_PROVIDERS, MODELS_DEFAULT};
use crate::parse::{Values, parse, parse_toml};
use crate::settings;
use crate::value::{Layer, Origin, Value};

impl Editor {
    /// Plans to add a provider: `fields` are the keys below `provider.NAME`
    /// with their values as text, for instance `("kind", "openai")` and
    /// `("model.\"gpt-test\".context", "128000")`.
    ///
    /// # Errors
    /// As [`Editor::set`]; [`ErrorKind::Conflict`] when the file has this
    /// provider already; [`ErrorKind::OutOfRange`] when the fields don't fit
    /// together; [`ErrorKind::FixedByPolicy`] when the policy does not allow
    /// the provider.
    pub fn add_provider(
        &self,
        name: &str,
        fields: &[(&str, &str)],
        expected_rev: Option<&Revision>,
    ) -> Result<PlannedEdit, ConfigError> {
        self.plan_provider(name, fields, None, expected_rev, |text, path| {
            if table(text, path, name)? {
                return Err(Fault {
                    kind: ErrorKind::Conflict,
                    activity: ACTIVITY,
                    origin: Some(Origin::file(path)),
                    reason: format!("there is a provider \"{name}\" already"),
                    hint: format!(
                        "change it: cv config set {SECTION}.{name}.KEY VALUE, \
                         or remove it first: cv provider remove {name}"
                    ),
                });
            }
            Ok(())
        })
    }

    /// Plans to add a provider, or to change one that is there: what `fields`
    /// do not name stays. `default` is a model that is asked from then on
    /// where a command names none; it is the same edit.
    ///
    /// # Errors
    /// As [`Editor::add_provider`], but for a provider that is there already.
    pub fn put_provider(
        &self,
        name: &str,
        fields: &[(&str, &str)],
        default: Option<&str>,
        expected_rev: Option<&Revision>,
    ) -> Result<PlannedEdit, ConfigError> {
        self.plan_provider(name, fields, default, expected_rev, |_, _| Ok(()))
    }

    fn plan_provider(
        &self,
        name: &str,
        fields: &[(&str, &str)],
        default: Option<&str>,
        expected_rev: Option<&Revision>,
        may: impl FnOnce(&str, &Path) -> Result<(), Fault>,
    ) -> Result<PlannedEdit, ConfigError> {
        check_name(name)?;
        self.refuse_forbidden(name)?;
        if fields.is_empty() {
            return Err(Fault {
                kind: ErrorKind::OutOfRange,
                activity: ACTIVITY,
                origin: None,
                reason: format!("nothing is said about the provider \"{name}\""),
                hint: "say at least its kind, for instance: openai".to_owned(),
            }
            .into());
        }
        let fields = fields
            .iter()
            .map(|(field, text)| (format!("{SECTION}.{name}.{field}"), *text));
        let default = default.map(|model| (MODELS_DEFAULT.dotted(), model));
        let mut values = Vec::new();
        for (key, text) in fields.chain(default) {
            let target = settings::find(&self.catalog, &key, ACTIVITY)?;
            let value = target.read_text(text).map_err(|refusal| Fault {
                kind: refusal.kind,
                activity: ACTIVITY,
                origin: None,
                reason: refusal.reason,
                hint: format!("for instance: {}", target.spec.example()),
            })?;
            self.refuse_fixed(&target.dotted())?;
            values.push((target, value));
        }
        let policy = policy_values(&self.environment, &self.catalog)?;
        self.plan(expected_rev, |text, path| {
            may(text, path)?;
            let mut after = text.to_owned();
            for (target, value) in &values {
                after = document::set(&after, path, &target.segments(), value)?;
            }
            let user = parse(after.as_bytes(), path, Layer::User, &self.catalog).values;
            let mut own = problems(&user, &policy)
                .into_iter()
                .filter(|problem| problem.provider == name);
            match own.next() {
                Some(problem) => Err(refused(problem)),
                None => Ok(Some(after)),
            }
        })
    }

    /// Plans to remove a provider with everything that the file says about it.
    /// Its key, wherever it is, stays.
    ///
    /// # Errors
    /// As [`Editor::unset`]; [`ErrorKind::UnknownKey`] when the file has no
    /// such provider.
    pub fn remove_provider(
        &self,
        name: &str,
        expected_rev: Option<&Revision>,
    ) -> Result<PlannedEdit, ConfigError> {
        check_name(name)?;
        policy_values(&self.environment, &self.catalog)?;
        self.plan(expected_rev, |text, path| {
            if !table(text, path, name)? {
                return Err(Fault {
                    kind: ErrorKind::UnknownKey,
                    activity: ACTIVITY,
                    origin: Some(Origin::file(path)),
                    reason: format!("the file names no provider \"{name}\""),
                    hint: "all of them: cv provider list".to_owned(),
                });
            }
            document::unset(text, path, &format!("{SECTION}.{name}"))
        })
    }

    /// Refuses a change after which a provider could not hold although it
    /// could before: with it no settings could be read any more, and no
    /// command would work. A provider that is wrong already may be mended
    /// step by step.
    pub(crate) fn refuse_new_problem(
        &self,
        before: &str,
        after: &str,
        path: &Path,
        policy: &Values,
    ) -> Result<(), Fault> {
        let found = |text: &str| {
            let user: Values = parse(text.as_bytes(), path, Layer::User, &self.catalog).values;
            problems(&user, policy)
        };
        let after = found(after);
        if after.is_empty() {
            return Ok(());
        }
        let known = found(before);
        let new = after
            .into_iter()
            .find(|problem| !known.iter().any(|old| old.provider == problem.provider));
        match new {
            Some(problem) => Err(refused(problem)),
            None => Ok(()),
        }
    }

    fn refuse_forbidden(&self, name: &str) -> Result<(), ConfigError> {
        let policy = policy_values(&self.environment, &self.catalog)?;
        let Some(entry) = policy.get(&MODELS_ALLOWED_PROVIDERS.dotted()) else {
            return Ok(());
        };
        match &entry.value {
            Value::List(allowed) if !allowed.iter().any(|one| one == name) => Err(Fault {
                kind: ErrorKind::FixedByPolicy,
                activity: ACTIVITY,
                origin: Some(entry.origin.clone()),
                reason: format!("the managed policy does not allow the provider \"{name}\""),
                hint: format!("cv config explain {}", MODELS_ALLOWED_PROVIDERS.dotted()),
            }
            .into()),
            _ => Ok(()),
        }
    }
}

/// A fault about a text that was not written: its line says nothing.
fn refused(problem: Problem) -> Fault {
    Fault {
        activity: ACTIVITY,
        origin: None,
        hint: problem.instead,
        ..problem.fault
    }
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    if is_provider_name(name) {
        return Ok(());
    }
    Err(Fault {
        kind: ErrorKind::OutOfRange,
        activity: ACTIVITY,
        origin: None,
        reason: bad_provider(name).reason,
        hint: "choose a name such as \"mock\"".to_owned(),
    }
    .into())
}

/// Whether the file has this provider's table.
fn table(text: &str, path: &Path, name: &str) -> Result<bool, Fault> {
    let document = parse_toml(text, path, Layer::User, ACTIVITY)?;
    Ok(document
        .as_table()
        .get(SECTION)
        .and_then(|item| item.as_table_like())
        .is_some_and(|providers| providers.contains_key(name)))
}
