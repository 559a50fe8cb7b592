//! The models that can be named.

use std::collections::{BTreeMap, BTreeSet};

use convergio_config::{ModelRef, Settings};
use convergio_contract::{
    RpcError,
    model::{ModelInfo, ModelList, ModelListParams, ModelListResponse, ModelPricedBy},
};
use convergio_models_api::{Capabilities, Policy};

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    providers::{
        prices, routes,
        seen::{KeySeen, Seen, everybody},
    },
};

/// What the settings name, by provider: it is listed although nobody else knows it.
fn named(settings: &Settings) -> BTreeMap<String, BTreeSet<String>> {
    let models = settings.models();
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let all = models.default.into_iter().chain(models.review);
    for one in all.chain(models.fallback) {
        named.entry(one.provider).or_default().insert(one.model);
    }
    named
}

/// The names of what a model can do.
fn words(has: Capabilities) -> Vec<String> {
    let names = Capabilities::default().missing(has);
    names.into_iter().map(str::to_owned).collect()
}

fn info(seen: &Seen, id: &str, policy: Policy, default: Option<&ModelRef>) -> ModelInfo {
    let provider = &seen.provider;
    // An Ollama lists tags; without one the latest is meant.
    let listed = seen.here.iter().find(|listed| {
        listed.id == id
            || listed
                .id
                .strip_suffix(":latest")
                .is_some_and(|name| name == id)
    });
    let local = provider.runs_here(id) && listed.is_none_or(|listed| listed.local);
    let facts = provider.facts(id);
    let listed_context = listed.and_then(|listed| listed.context);
    let unavailable = if let Some(problem) = &seen.problem {
        Some(problem.clone())
    } else if policy == Policy::LocalOnly && !local {
        Some("not asked: the policy is local-only".to_owned())
    } else if let KeySeen::Missing(missing) = &seen.key {
        Some(match missing.env_names.first() {
            Some(name) => format!("no key: export {name}=…"),
            None => format!("no key: cv provider set-key {}", provider.name),
        })
    } else if provider.local && listed.is_none() {
        Some("its server does not have it".to_owned())
    } else if !local && facts.prices.is_none() {
        Some("nobody says what it costs".to_owned())
    } else {
        None
    };
    ModelInfo {
        name: format!("{}/{id}", provider.name),
        provider: provider.name.clone(),
        model: id.to_owned(),
        local,
        context: facts.context.or(listed_context),
        max_output: facts
            .max_output
            .or(listed.and_then(|listed| listed.max_output)),
        capabilities: facts
            .capabilities
            .or(listed.and_then(|listed| listed.capabilities))
            .map(words),
        tags: facts.tags,
        price_tiers: facts.prices.as_ref().map(prices::tiers).unwrap_or_default(),
        priced_by: facts.priced_by.map(|by| {
            let (next_from, next_input_usd, next_output_usd) = match by.next {
                Some((from, input, output)) => (Some(from), Some(input), Some(output)),
                None => (None, None, None),
            };
            ModelPricedBy {
                list: by.list,
                source: by.source,
                as_of: by.as_of,
                next_from,
                next_input_usd,
                next_output_usd,
            }
        }),
        price_nano_usd_per_million: facts
            .prices
            .as_ref()
            .map(prices::by_resource)
            .unwrap_or_default(),
        default: default.is_some_and(|one| one.provider == provider.name && one.model == id),
        unavailable,
    }
}

impl Handle<ModelList> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ModelListParams,
    ) -> Result<ModelListResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        let mut providers = everybody(&settings, &self.models.lists);
        if let Some(name) = &params.provider {
            providers.retain(|(provider, _)| provider.name == *name);
            if providers.is_empty() {
                // Says which ones there are.
                self.provider(&settings, name)?;
            }
        }
        let mut seen = self.look_at(&settings, &params.keys, providers).await?;
        for one in &mut seen {
            self.describe_here(&one.provider, &mut one.here).await;
        }
        let default = self.default_model(&settings, &params.keys).await;
        let policy = routes::policy(settings.models().policy);
        let mut named = named(&settings);
        if let Some(default) = &default {
            let of_provider = named.entry(default.provider.clone()).or_default();
            of_provider.insert(default.model.clone());
        }
        let mut models: Vec<ModelInfo> = Vec::new();
        for one in &seen {
            let mut ids = one.model_ids();
            ids.extend(named.remove(&one.provider.name).unwrap_or_default());
            let rows = ids.iter().map(|id| info(one, id, policy, default.as_ref()));
            models.extend(rows);
        }
        models.sort_by(|one, other| {
            let key = |model: &ModelInfo| model.unavailable.is_some();
            let by_name = || one.name.cmp(&other.name);
            key(one).cmp(&key(other)).then_with(by_name)
        });
        Ok(ModelListResponse { models })
    }
}
