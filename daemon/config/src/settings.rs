//! Layers put together: which value holds, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::catalog::{Catalog, Refusal, Target};
use crate::error::{ConfigError, ErrorKind, Fault};
use crate::keys::{KEYS, Key, REVIEW_RULES};
use crate::parse::Values;
use crate::value::{Entry, Layer, Origin, Value};

/// A setting given by a flag of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagSetting {
    /// The flag as typed, for messages: `--fail-on`.
    pub flag: String,
    /// The key's dotted name: `review.fail_on`.
    pub key: String,
    /// The value as text.
    pub value: String,
}

/// The settings of one moment and one command. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Settings {
    catalog: Catalog,
    /// Weakest first; the built-in layer is the table itself.
    layers: Arc<[(Layer, Arc<Values>)]>,
    warnings: Arc<[String]>,
}

/// An effective value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The key's dotted name.
    pub key: String,
    /// What holds.
    pub value: Value,
    /// The layer it came from.
    pub layer: Layer,
    /// Where it was written.
    pub origin: Origin,
}

/// What one layer says about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerValue {
    /// The layer.
    pub layer: Layer,
    /// Its value and place; `None` when it says nothing.
    pub entry: Option<Entry>,
}

/// Everything about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The key's dotted name.
    pub key: String,
    /// What it does, in one line.
    pub doc: &'static str,
    /// The values it takes, in words.
    pub allowed: String,
    /// The variable that sets it; `None` for a provider's, which stand in
    /// files only.
    pub variable: Option<String>,
    /// What holds.
    pub value: Value,
    /// The layer that wins.
    pub winner: Layer,
    /// One sentence: which source wins, and over what.
    pub why: String,
    /// Whether the managed policy fixes it: `set` would be refused.
    pub fixed_by_policy: bool,
    /// All five layers, weakest first.
    pub layers: Vec<LayerValue>,
}

impl Settings {
    pub(crate) fn new(
        catalog: Catalog,
        layers: Vec<(Layer, Arc<Values>)>,
        warnings: Vec<String>,
    ) -> Self {
        debug_assert!(
            layers.is_sorted_by_key(|(layer, _)| *layer),
            "weakest first"
        );
        Self {
            catalog,
            layers: layers.into(),
            warnings: warnings.into(),
        }
    }

    /// What the program ships with, for when nothing else can be read. Not for
    /// acting while a policy can't be read: see [`crate::Inspection`].
    pub fn defaults() -> Self {
        Self::new(Catalog::any_rule(), Vec::new(), Vec::new())
    }

    /// Whether these are the same settings, and not only equal ones: what was made of one of them
    /// holds for the other.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.layers, &other.layers)
    }

    /// The value of a key of the table.
    pub fn value<T: Copy>(&self, key: &Key<T>) -> T {
        // Layers hold only values that were checked against the same table, so
        // `read` always succeeds on what was found.
        self.entry(&key.spec.dotted())
            .and_then(|(_, entry)| (key.read)(&key.spec, &entry.value))
            .unwrap_or(key.fallback)
    }

    /// The review rules that some layer switches: `true` is on. Rules that are
    /// not in it are on.
    pub fn rules(&self) -> BTreeMap<String, bool> {
        let prefix = format!("{}.", REVIEW_RULES.spec.dotted());
        let mut rules = BTreeMap::new();
        for (_, values) in self.layers.iter() {
            for (name, entry) in values.iter() {
                let Some(id) = name.strip_prefix(&prefix) else {
                    continue;
                };
                if let Some(on) = (REVIEW_RULES.read)(&REVIEW_RULES.spec, &entry.value) {
                    rules.insert(id.to_owned(), on);
                }
            }
        }
        rules
    }

    /// The effective value of a key by its dotted name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownKey`], with the nearest known name as a hint.
    pub fn get(&self, name: &str) -> Result<Resolved, ConfigError> {
        let target = find(&self.catalog, name, "look up a setting")?;
        Ok(self.resolve(&target))
    }

    /// Every key of the table and every switch that some layer sets, by name.
    pub fn list(&self) -> Vec<Resolved> {
        self.names()
            .iter()
            .filter_map(|name| self.catalog.find(name).ok())
            .map(|target| self.resolve(&target))
            .collect()
    }

    /// Everything about a key: all its layers, which one wins, and why.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownKey`], with the nearest known name as a hint.
    pub fn explain(&self, name: &str) -> Result<Explanation, ConfigError> {
        let target = find(&self.catalog, name, "explain a setting")?;
        let key = target.dotted();
        let resolved = self.resolve(&target);
        let layers: Vec<LayerValue> = Layer::ALL
            .into_iter()
            .map(|layer| LayerValue {
                layer,
                entry: self.layer_entry(layer, &target),
            })
            .collect();
        let beaten: Vec<&str> = layers
            .iter()
            .filter(|row| row.layer < resolved.layer && row.entry.is_some())
            .map(|row| row.layer.label())
            .collect();
        let why = match resolved.layer {
            Layer::Default => "no layer sets it, so the default holds".to_owned(),
            Layer::Policy => format!(
                "the managed policy ({}) fixes it; nothing else can change it",
                resolved.origin
            ),
            Layer::User | Layer::Environment | Layer::Flag => format!(
                "the {} ({}) beats the {}",
                resolved.layer.label(),
                resolved.origin,
                beaten.join(" and the ")
            ),
        };
        Ok(Explanation {
            key,
            doc: target.spec.doc,
            allowed: target.spec.allowed(),
            variable: target.variable(),
            value: resolved.value,
            winner: resolved.layer,
            why,
            fixed_by_policy: resolved.layer == Layer::Policy,
            layers,
        })
    }

    /// Things that stop nothing but that a person should hear once: variables
    /// that look like ours and set nothing.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The layers that say something, weakest first, but for the built-in one.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (Layer, &Values)> {
        self.layers
            .iter()
            .map(|(layer, values)| (*layer, values.as_ref()))
    }

    fn names(&self) -> BTreeSet<String> {
        let table = KEYS
            .iter()
            .filter(|spec| !spec.is_table())
            .map(|spec| spec.dotted());
        let set = self
            .layers
            .iter()
            .flat_map(|(_, values)| values.keys().cloned());
        table.chain(set).collect()
    }

    pub(crate) fn entry(&self, name: &str) -> Option<(Layer, &Entry)> {
        self.layers
            .iter()
            .rev()
            .find_map(|(layer, values)| values.get(name).map(|entry| (*layer, entry)))
    }

    fn layer_entry(&self, layer: Layer, target: &Target) -> Option<Entry> {
        if layer == Layer::Default {
            return Some(built_in(target));
        }
        let (_, values) = self.layers.iter().find(|(other, _)| *other == layer)?;
        values.get(&target.dotted()).cloned()
    }

    fn resolve(&self, target: &Target) -> Resolved {
        let key = target.dotted();
        let (layer, entry) = match self.entry(&key) {
            Some((layer, entry)) => (layer, entry.clone()),
            None => (Layer::Default, built_in(target)),
        };
        Resolved {
            key,
            value: entry.value,
            layer,
            origin: entry.origin,
        }
    }
}

fn built_in(target: &Target) -> Entry {
    Entry {
        value: target.spec.default_value(),
        origin: Origin::Default,
    }
}

/// Finds a key that a person named.
pub(crate) fn find(
    catalog: &Catalog,
    name: &str,
    activity: &'static str,
) -> Result<Target, ConfigError> {
    catalog.find(name).map_err(|refusal| {
        let hint = match refusal.nearest {
            Some(nearest) => format!("did you mean `{nearest}`? All of them: cv config get"),
            None => "all of them: cv config get".to_owned(),
        };
        Fault {
            kind: refusal.kind,
            activity,
            origin: None,
            reason: refusal.reason,
            hint,
        }
        .into()
    })
}

/// Refuses keys that stand in files only.
fn file_only(target: Target) -> Result<Target, Refusal> {
    match target.variable() {
        Some(_) => Ok(target),
        None => Err(Refusal {
            kind: ErrorKind::UnknownKey,
            reason: format!("`{}` stands in the settings file only", target.dotted()),
            nearest: None,
        }),
    }
}

/// The layer of one command's flags. A flag that is given twice has its last
/// value.
pub(crate) fn flags(flags: &[FlagSetting], catalog: &Catalog) -> Result<Values, ConfigError> {
    let mut values = Values::new();
    for flag in flags {
        let origin = Origin::Flag {
            name: flag.flag.clone(),
        };
        let target = catalog.find(&flag.key).and_then(file_only);
        let hint = match &target {
            Ok(target) => format!(
                "for instance: {} {}",
                flag.flag,
                target.spec.typed_example()
            ),
            Err(_) => format!("leave out {}", flag.flag),
        };
        let value = target.and_then(|target| Ok((target.dotted(), target.read_text(&flag.value)?)));
        match value {
            Ok((name, value)) => {
                values.insert(name, Entry { value, origin });
            }
            Err(refusal) => {
                return Err(Fault {
                    kind: refusal.kind,
                    activity: "read the flags",
                    origin: Some(origin),
                    reason: refusal.reason,
                    hint,
                }
                .into());
            }
        }
    }
    Ok(values)
}
