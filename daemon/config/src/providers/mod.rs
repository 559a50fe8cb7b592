//! Providers and their models: tables that a user names.
//!
//! They come from the user's own file and from the managed policy, and from
//! nowhere else: whoever could add one could have keys and text sent to a place
//! of his choice.

mod check;
mod edit;
mod keys;
mod read;
mod settings;

pub(crate) use check::{check, problems};
pub(crate) use keys::{MODEL_KEYS, PROVIDER_KEYS, SECTION, find};
pub use settings::{
    BudgetSettings, DEFAULT_DAILY_NANO_USD, ModelPolicy, ModelRef, ModelSettings, Models,
    NotAModel, Price, ProviderKind, ProviderSettings, ProviderTimeouts,
};

use std::collections::BTreeMap;

use crate::catalog::Place;
use crate::parse::Values;
use crate::value::{Entry, Layer, Value};

/// What the strongest layer says about a key.
type Said = (Layer, Entry);

/// One provider's tables, layers put together.
#[derive(Debug, Default)]
struct Tables {
    keys: BTreeMap<&'static str, Said>,
    models: BTreeMap<String, BTreeMap<&'static str, Said>>,
}

impl Tables {
    /// The tables of every provider that some layer names.
    fn collect<'a>(layers: impl Iterator<Item = (Layer, &'a Values)>) -> BTreeMap<String, Self> {
        let mut providers: BTreeMap<String, Self> = BTreeMap::new();
        let prefix = format!("{SECTION}.");
        for (layer, values) in layers {
            let ours = values
                .range(prefix.clone()..)
                .take_while(|(name, _)| name.starts_with(&prefix));
            for (name, entry) in ours {
                let Some(Ok(target)) = find(name) else {
                    continue;
                };
                let said = (layer, entry.clone());
                match target.place {
                    Place::Provider(provider) => {
                        let tables = providers.entry(provider).or_default();
                        tables.keys.insert(target.spec.name, said);
                    }
                    Place::Model { provider, id } => {
                        let tables = providers.entry(provider).or_default();
                        let model = tables.models.entry(id).or_default();
                        model.insert(target.spec.name, said);
                    }
                    Place::Alone | Place::Switch(_) | Place::Named(_) => {}
                }
            }
        }
        providers
    }

    fn text(&self, name: &str) -> Option<&str> {
        text(&self.keys, name)
    }

    fn boolean(&self, name: &str) -> Option<bool> {
        boolean(&self.keys, name)
    }

    fn integer(&self, name: &str) -> Option<u64> {
        integer(&self.keys, name)
    }

    /// Where the provider was said to be, the table's first line if that is
    /// all there is.
    fn first(&self) -> Option<&Said> {
        self.keys
            .get("kind")
            .or_else(|| self.keys.values().next())
            .or_else(|| self.models.values().next()?.values().next())
    }
}

fn text<'a>(keys: &'a BTreeMap<&'static str, Said>, name: &str) -> Option<&'a str> {
    match keys.get(name) {
        Some((
            _,
            Entry {
                value: Value::Word(word),
                ..
            },
        )) => Some(word),
        _ => None,
    }
}

fn boolean(keys: &BTreeMap<&'static str, Said>, name: &str) -> Option<bool> {
    match keys.get(name)?.1.value {
        Value::Boolean(value) => Some(value),
        _ => None,
    }
}

fn integer(keys: &BTreeMap<&'static str, Said>, name: &str) -> Option<u64> {
    match keys.get(name)?.1.value {
        Value::Integer(value) => u64::try_from(value).ok(),
        _ => None,
    }
}
