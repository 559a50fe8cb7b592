//! One word for several models: `fast`, `smart`, `code`, `private`, `cheap`, and the user's own.

use std::collections::BTreeMap;

use convergio_config::{ModelRef, Settings};
use convergio_contract::{RpcError, secret::SecretText};
use convergio_engine::{Candidate, Ladder, LeftOut, Target, Unfit};
use convergio_models_api::Policy;
use convergio_models_remote::ModelRow;

use super::{
    Configured, failure,
    routes::{View, names_nothing},
};
use crate::daemon::Daemon;

/// The names that are always there. A user's own of the same name goes before.
pub(crate) const BUILT_IN: [&str; 5] = ["fast", "smart", "code", "private", "cheap"];

/// The models of a provider that are meant by a built-in name: for `cheap` all that have a price.
fn meant(provider: &Configured, name: &str) -> Vec<String> {
    let tagged = |model: &&ModelRow| match name {
        "cheap" => model.price.is_some(),
        _ => model.tags.iter().any(|tag| tag == name),
    };
    let rows = provider.row.into_iter().flat_map(|row| &row.models);
    let mut ids: Vec<String> = rows.filter(tagged).map(|model| model.id.clone()).collect();
    if name == "cheap" {
        let priced = provider
            .models
            .iter()
            .filter(|(_, said)| said.price.is_some());
        for (id, _) in priced {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
    }
    ids
}

/// What the user's own word stands for; its unknown providers are passed over and told.
pub(super) struct Own {
    pub(super) ladder: Ladder,
    pub(super) unknown: Vec<LeftOut>,
    /// The first of its models is one of them.
    pub(super) leads: bool,
}

fn own(view: &View<'_>, name: &str, models: &[ModelRef]) -> Result<Own, RpcError> {
    let (mut rungs, mut unknown, mut first) = (Vec::new(), Vec::new(), None);
    for (place, named) in models.iter().enumerate() {
        match view.named(named.clone()) {
            Ok(candidate) => rungs.push(candidate),
            Err(error) => {
                first.get_or_insert((place, error));
                unknown.push(LeftOut {
                    target: Target {
                        provider: named.provider.clone(),
                        model: named.model.clone(),
                    },
                    local: false,
                    why: Unfit::NoProvider,
                });
            }
        }
    }
    let leads = matches!(first, Some((0, _)));
    if let Some((_, error)) = first.filter(|_| rungs.is_empty()) {
        return Err(error);
    }
    Ok(Own {
        ladder: Ladder {
            name: name.to_owned(),
            rungs,
            local_only: false,
            by_cost: false,
            by_settings: false,
        },
        unknown,
        leads,
    })
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
    ) -> Result<Own, RpcError> {
        let models = settings.models();
        if let Some(named) = models.alias.get(name) {
            return own(view, name, named);
        }
        let ladder = |rungs, local_only, by_cost| Own {
            ladder: Ladder {
                name: name.to_owned(),
                rungs,
                local_only,
                by_cost,
                by_settings: false,
            },
            unknown: Vec::new(),
            leads: false,
        };
        if !BUILT_IN.contains(&name) {
            let own = models.alias.keys().map(String::as_str);
            let known: Vec<&str> = BUILT_IN.into_iter().chain(own).collect();
            return Err(names_nothing(name, &known));
        }
        let here = self.find_here(view).await;
        if name == "private" {
            if here.is_empty() {
                return Err(failure::nobody_is_called(name, policy, None));
            }
            return Ok(ladder(here, true, false));
        }
        let mut rungs: Vec<Candidate> = Vec::new();
        if policy != Policy::LocalOnly {
            let of_user = view
                .all
                .values()
                .filter(|one| one.in_settings && !one.local);
            super::ask_for_keys(of_user.clone(), keys)?;
            let mut clouds = self.keyed(view, settings, keys).await;
            for provider in of_user.filter(|one| one.row.is_none() && one.kind.is_supported()) {
                let key = self.models.key(provider, keys, settings.secrets_file());
                if key.await.is_ok() {
                    clouds.push(provider);
                }
            }
            // Whom the user chose goes first among equals.
            let chosen = models.default.as_ref().map(|named| named.provider.as_str());
            clouds.sort_by_key(|provider| Some(provider.name.as_str()) != chosen);
            for provider in clouds {
                for model in meant(provider, name) {
                    let local = provider.runs_here(&model);
                    rungs.push(view.candidate(provider, &model, local));
                }
            }
        }
        rungs.extend(here);
        if rungs.is_empty() {
            let priced =
                |provider: &&Configured| provider.models.values().any(|said| said.price.is_some());
            let example = models.default.map(|named| named.to_string()).or_else(|| {
                let provider = view.all.values().find(priced)?;
                let model = provider.models.keys().next()?;
                Some(format!("{}/{model}", provider.name))
            });
            return Err(failure::nobody_is_called(name, policy, example.as_deref()));
        }
        Ok(ladder(rungs, false, name == "cheap"))
    }
}
