//! One word for several models: `fast`, `smart`, `code`, `private`, `cheap`, and the user's own.

use std::collections::BTreeMap;

use convergio_config::Settings;
use convergio_contract::{RpcError, secret::SecretText};
use convergio_engine::{Candidate, Ladder};
use convergio_models_api::Policy;
use convergio_models_remote::{ModelRow, ProviderRow};

use super::routes::{View, names_nothing};
use crate::daemon::Daemon;

/// The names that are always there. A user's own of the same name goes before.
pub(crate) const BUILT_IN: [&str; 5] = ["fast", "smart", "code", "private", "cheap"];

/// The models of a provider that are meant by a built-in name: for `cheap` all that have a price.
fn meant<'a>(row: &'a ProviderRow, name: &str) -> impl Iterator<Item = &'a ModelRow> {
    let tagged = move |model: &&ModelRow| match name {
        "cheap" => model.price.is_some(),
        _ => model.tags.iter().any(|tag| tag == name),
    };
    row.models.iter().filter(tagged)
}

impl Daemon {
    /// The models behind a name.
    pub(super) async fn ladder(
        &self,
        view: &View<'_>,
        settings: &Settings,
        name: &str,
        policy: Policy,
        keys: &BTreeMap<String, SecretText>,
    ) -> Result<Ladder, RpcError> {
        let models = settings.models();
        let ladder = |rungs, local_only, by_cost| Ladder {
            name: name.to_owned(),
            rungs,
            local_only,
            by_cost,
        };
        if let Some(own) = models.alias.get(name) {
            let rungs = own.iter().map(|named| view.named(named.clone()));
            return Ok(ladder(rungs.collect::<Result<_, _>>()?, false, false));
        }
        if !BUILT_IN.contains(&name) {
            let own = models.alias.keys().map(String::as_str);
            let known: Vec<&str> = BUILT_IN.into_iter().chain(own).collect();
            return Err(names_nothing(name, &known));
        }
        let here = self.find_here(view).await;
        if name == "private" {
            return Ok(ladder(here, true, false));
        }
        let mut rungs: Vec<Candidate> = Vec::new();
        if policy != Policy::LocalOnly {
            let mut clouds = self.keyed(view, settings, keys).await;
            // Whom the user chose goes first among equals.
            let chosen = models.default.as_ref().map(|named| named.provider.as_str());
            clouds.sort_by_key(|provider| Some(provider.name.as_str()) != chosen);
            for provider in clouds {
                let meant = provider.row.into_iter().flat_map(|row| meant(row, name));
                rungs.extend(meant.map(|model| view.candidate(provider, &model.id, false)));
            }
        }
        rungs.extend(here);
        Ok(ladder(rungs, false, name == "cheap"))
    }
}
