//! Finding a key by its name, and checking a value against it.

use crate::error::{ErrorKind, quoted};
use crate::forms::Form;
use crate::keys::{KEYS, KeySpec, Kind, SWITCH_WORDS};
use crate::providers;
use crate::value::Value;

/// The keys that exist: the table, plus the ids of the rules that can be
/// switched.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    rules: Option<Vec<String>>,
}

/// A key, and where it is repeated: which one is meant.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) spec: &'static KeySpec,
    pub(crate) place: Place,
}

/// Where a key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is there once.
    Alone,
    /// It is the switch of this rule.
    Switch(String),
    /// It is the list of this name.
    Named(String),
    /// It belongs to this provider.
    Provider(String),
    /// It belongs to a provider's model.
    Model {
        /// The provider's name.
        provider: String,
        /// The model's id.
        id: String,
    },
}

/// Why a name or a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: ErrorKind,
    pub(crate) reason: String,
    /// The nearest name that exists, for a name that doesn't.
    pub(crate) nearest: Option<String>,
}

const RULE_ID_MAX_BYTES: usize = 64;
/// The most entries of a list.
const LIST_MAX: usize = 32;

impl Catalog {
    /// A catalogue that takes any well-formed rule id.
    pub fn any_rule() -> Self {
        Self { rules: None }
    }

    /// A catalogue in which only these rules exist, so that a mistyped id is an
    /// error and not a switch that never acts.
    pub fn with_rules<I>(ids: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            rules: Some(ids.into_iter().map(Into::into).collect()),
        }
    }

    /// Every rule id that can be switched; empty when any is taken.
    pub(crate) fn rules(&self) -> &[String] {
        self.rules.as_deref().unwrap_or_default()
    }

    pub(crate) fn find(&self, name: &str) -> Result<Target, Refusal> {
        if let Some(found) = providers::find(name) {
            return found;
        }
        for spec in KEYS {
            let dotted = spec.dotted();
            if spec.is_table() {
                if let Some(id) = name.strip_prefix(&format!("{dotted}.")) {
                    return match spec.kind {
                        Kind::Lists(_, names) => find_list(spec, names, id),
                        _ => self.find_switch(spec, id),
                    };
                }
                if name == dotted {
                    let (what, entry) = match spec.kind {
                        Kind::Lists(..) => ("lists", "NAME"),
                        _ => ("switches", "ID"),
                    };
                    return Err(Refusal {
                        kind: ErrorKind::WrongType,
                        reason: format!("`{name}` is a table of {what}, not a value"),
                        nearest: Some(format!("{dotted}.{entry}")),
                    });
                }
            } else if name == dotted {
                return Ok(Target {
                    spec,
                    place: Place::Alone,
                });
            }
        }
        Err(Refusal {
            kind: ErrorKind::UnknownKey,
            reason: format!("no setting is called {}", quoted(name)),
            nearest: self.nearest(name),
        })
    }

    fn find_switch(&self, spec: &'static KeySpec, id: &str) -> Result<Target, Refusal> {
        let dotted = spec.dotted();
        let known = match &self.rules {
            Some(rules) => rules.iter().any(|rule| rule == id),
            None => is_rule_id(id),
        };
        if known {
            return Ok(Target {
                spec,
                place: Place::Switch(id.to_owned()),
            });
        }
        Err(Refusal {
            kind: ErrorKind::UnknownKey,
            reason: format!("no review rule is called {}", quoted(id)),
            nearest: closest(id, self.rules().iter().map(String::as_str))
                .map(|rule| format!("{dotted}.{rule}")),
        })
    }

    /// The nearest existing name to one that doesn't exist, if any is near.
    fn nearest(&self, name: &str) -> Option<String> {
        let names: Vec<String> = KEYS.iter().map(|spec| spec.dotted()).collect();
        // `strict` at the top of the file wants `review.strict`.
        let last = name.rsplit('.').next().unwrap_or(name);
        closest(name, names.iter().map(String::as_str))
            .map(str::to_owned)
            .or_else(|| {
                let near = closest(last, KEYS.iter().map(|spec| spec.name))?;
                let spec = KEYS.iter().find(|spec| spec.name == near)?;
                Some(spec.dotted())
            })
    }

    /// The nearest section to a top-level table that doesn't exist.
    pub(crate) fn nearest_section(name: &str) -> Option<&'static str> {
        let sections = KEYS.iter().map(|spec| spec.section);
        closest(name, sections.chain([providers::SECTION]))
    }
}

impl Target {
    /// `section.name`, `section.name.switch`, `provider.NAME.name`, or
    /// `provider.NAME.model."ID".name`.
    pub(crate) fn dotted(&self) -> String {
        let KeySpec { section, name, .. } = self.spec;
        match &self.place {
            Place::Alone => self.spec.dotted(),
            Place::Switch(id) | Place::Named(id) => format!("{}.{id}", self.spec.dotted()),
            Place::Provider(provider) => format!("{section}.{provider}.{name}"),
            Place::Model { provider, id } => {
                format!("{section}.{provider}.model.\"{id}\".{name}")
            }
        }
    }

    /// The name as a person types it in a shell.
    pub(crate) fn typed(&self) -> String {
        match self.place {
            Place::Model { .. } => format!("'{}'", self.dotted()),
            _ => self.dotted(),
        }
    }

    /// The tables and the key that lead to the value in a document.
    pub(crate) fn segments(&self) -> Vec<&str> {
        let mut segments = vec![self.spec.section];
        match &self.place {
            Place::Alone | Place::Switch(_) | Place::Named(_) => {}
            Place::Provider(provider) => segments.push(provider),
            Place::Model { provider, id } => segments.extend([provider, "model", id]),
        }
        segments.extend(self.spec.name.split('.'));
        if let Place::Switch(id) | Place::Named(id) = &self.place {
            segments.push(id);
        }
        segments
    }

    /// The variable that sets it; providers stand in files only, so that
    /// nothing but the user's own file and the policy says where keys go.
    pub(crate) fn variable(&self) -> Option<String> {
        match &self.place {
            Place::Alone => Some(self.spec.variable()),
            Place::Switch(id) => Some(format!("{}_{}", self.spec.variable(), variable_word(id))),
            Place::Named(_) | Place::Provider(_) | Place::Model { .. } => None,
        }
    }

    /// Reads a value that was written as text (variable, flag, command line).
    pub(crate) fn read_text(&self, text: &str) -> Result<Value, Refusal> {
        let trimmed = text.trim();
        let value = match self.spec.kind {
            Kind::Boolean => match trimmed {
                "true" | "1" | "on" | "yes" => Some(Value::Boolean(true)),
                "false" | "0" | "off" | "no" => Some(Value::Boolean(false)),
                _ => None,
            },
            Kind::Integer { .. } => trimmed.parse().ok().map(Value::Integer),
            Kind::Choice(_) | Kind::Switches | Kind::Text(_) => {
                Some(Value::Word(trimmed.to_owned()))
            }
            Kind::List(_) | Kind::Lists(..) if trimmed.is_empty() => Some(Value::List(Vec::new())),
            Kind::List(_) | Kind::Lists(..) if trimmed.starts_with('[') => bracketed(trimmed),
            Kind::List(_) | Kind::Lists(..) => Some(Value::List(
                trimmed
                    .split(',')
                    .map(|part| part.trim().to_owned())
                    .collect(),
            )),
        };
        let Some(value) = value else {
            return Err(self.refuse(ErrorKind::WrongType, &quoted(text)));
        };
        self.check(value)
    }

    /// Reads a value of a TOML document.
    pub(crate) fn read_item(&self, item: &toml_edit::Item) -> Result<Value, Refusal> {
        let value = match self.spec.kind {
            Kind::Boolean => item.as_bool().map(Value::Boolean),
            Kind::Integer { .. } => item.as_integer().map(Value::Integer),
            Kind::Choice(_) | Kind::Switches | Kind::Text(_) => {
                item.as_str().map(|word| Value::Word(word.to_owned()))
            }
            Kind::List(_) | Kind::Lists(..) => item.as_array().and_then(|array| {
                let texts = array.iter().map(|one| Some(one.as_str()?.to_owned()));
                texts.collect::<Option<Vec<_>>>().map(Value::List)
            }),
        };
        let Some(value) = value else {
            let found = match item.type_name() {
                "integer" => "an integer".to_owned(),
                "array" => "an array".to_owned(),
                "array of tables" => "an array of tables".to_owned(),
                "inline table" => "an inline table".to_owned(),
                other => format!("a {other}"),
            };
            let mut refusal = self.refuse(ErrorKind::WrongType, &found);
            if self.spec.kind == Kind::Text(Form::Usd) && (item.is_integer() || item.is_float()) {
                // Binary fractions hold few amounts of money exactly.
                refusal.reason.push_str("; put it in quotes");
            }
            return Err(refusal);
        };
        self.check(value)
    }

    fn check(&self, value: Value) -> Result<Value, Refusal> {
        let allowed = match (&value, self.spec.kind) {
            (Value::Boolean(_), Kind::Boolean) => true,
            (Value::Integer(number), Kind::Integer { min, max }) => (min..=max).contains(number),
            (Value::Word(word), Kind::Choice(words)) => words.contains(&word.as_str()),
            (Value::Word(word), Kind::Switches) => SWITCH_WORDS.contains(&word.as_str()),
            (Value::Word(word), Kind::Text(form)) => form.allows(word),
            (Value::List(words), Kind::List(form) | Kind::Lists(form, _)) => {
                words.len() <= LIST_MAX && words.iter().all(|word| form.allows(word))
            }
            _ => false,
        };
        if allowed {
            return Ok(value);
        }
        let found = match &value {
            Value::Word(word) => quoted(word),
            Value::List(words) if words.len() > LIST_MAX => {
                format!("{} of them (at most {LIST_MAX})", words.len())
            }
            Value::List(words) => quoted(&words.join(",")),
            Value::Boolean(_) | Value::Integer(_) | Value::Unset => value.to_string(),
        };
        Err(self.refuse(ErrorKind::OutOfRange, &found))
    }

    fn refuse(&self, kind: ErrorKind, found: &str) -> Refusal {
        Refusal {
            kind,
            reason: format!(
                "`{}` takes {}, not {found}",
                self.dotted(),
                self.spec.allowed()
            ),
            nearest: None,
        }
    }
}

/// The list of this name in a table of lists.
fn find_list(
    spec: &'static KeySpec,
    names: &'static [&'static str],
    name: &str,
) -> Result<Target, Refusal> {
    let known = match names.is_empty() {
        true => is_list_name(name),
        false => names.contains(&name),
    };
    if known {
        return Ok(Target {
            spec,
            place: Place::Named(name.to_owned()),
        });
    }
    let reason = match names.is_empty() {
        true => format!(
            "{} is no name for `{}`: it takes lower-case letters, digits and `-`",
            quoted(name),
            spec.dotted()
        ),
        false => format!(
            "`{}` knows no {}; it has {}",
            spec.dotted(),
            quoted(name),
            names.join(", ")
        ),
    };
    Err(Refusal {
        kind: ErrorKind::UnknownKey,
        reason,
        nearest: closest(name, names.iter().copied())
            .map(|near| format!("{}.{near}", spec.dotted())),
    })
}

/// Whether a list can have this name: 1 to 64 lower-case letters, digits and `-`, the first a
/// letter.
/// A list as TOML and JSON write it: texts in quotes.
fn bracketed(text: &str) -> Option<Value> {
    let value: toml_edit::Value = text.parse().ok()?;
    let texts = value
        .as_array()?
        .iter()
        .map(|one| Some(one.as_str()?.to_owned()));
    texts.collect::<Option<Vec<_>>>().map(Value::List)
}

fn is_list_name(name: &str) -> bool {
    (1..=RULE_ID_MAX_BYTES).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether a variable of the environment can have this name.
pub(crate) fn is_environment_name(name: &str) -> bool {
    const NAME_MAX_BYTES: usize = 128;
    (1..=NAME_MAX_BYTES).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A rule id as a word of a variable's name.
pub(crate) fn variable_word(id: &str) -> String {
    id.chars()
        .map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_uppercase(),
            _ => '_',
        })
        .collect()
}

fn is_rule_id(id: &str) -> bool {
    (1..=RULE_ID_MAX_BYTES).contains(&id.len())
        && id.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && id.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_/.".contains(&byte)
        })
}

/// The candidate with the least edit distance, if it is near enough to be a
/// typing error.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // The distance costs length × length, so absurd names are not compared.
    const COMPARED_BYTES: usize = 128;
    if name.len() > COMPARED_BYTES {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    candidates
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&name, &candidate.replace('-', "_"));
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
