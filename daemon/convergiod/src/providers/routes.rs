//! Which models may answer a run: what is named, else what is found.

use std::{collections::BTreeMap, str::FromStr, time::Instant};

use convergio_config::{ModelPolicy, ModelRef, Settings};
use convergio_contract::{
    ErrorCode, RpcError, model::Policy as WirePolicy, run::RunOptions, secret::SecretText,
};
use convergio_engine::{Candidate, Plan, Selection, Target};
use convergio_models_api::Policy;
use convergio_models_remote::{ListedModel, list_models, list_models_url};
use tokio::time::{Duration, timeout};

use super::{Configured, configured, failure, one};
use crate::{daemon::Daemon, egress::Leaving, failure::invalid};

/// A server on this machine that does not answer in this time is not there.
const LOOK_WITHIN: Duration = Duration::from_secs(2);
/// Keys that no client sent are looked for this long altogether, where nothing is configured.
const KEYS_WITHIN: Duration = Duration::from_secs(3);

/// The settings' policy as the engine has it.
pub(crate) fn policy(policy: ModelPolicy) -> Policy {
    match policy {
        ModelPolicy::LocalFirst => Policy::LocalFirst,
        ModelPolicy::CloudFirst => Policy::CloudFirst,
        ModelPolicy::LocalOnly => Policy::LocalOnly,
        ModelPolicy::Cheapest => Policy::Cheapest,
    }
}

fn from_wire(policy: WirePolicy) -> Policy {
    match policy {
        WirePolicy::LocalFirst => Policy::LocalFirst,
        WirePolicy::CloudFirst => Policy::CloudFirst,
        WirePolicy::LocalOnly => Policy::LocalOnly,
        WirePolicy::Cheapest => Policy::Cheapest,
    }
}

/// The engine's policy as it travels.
pub(crate) fn to_wire(policy: Policy) -> WirePolicy {
    match policy {
        Policy::LocalFirst => WirePolicy::LocalFirst,
        Policy::CloudFirst => WirePolicy::CloudFirst,
        Policy::LocalOnly => WirePolicy::LocalOnly,
        Policy::Cheapest => WirePolicy::Cheapest,
    }
}

/// The policy of a run. `local-only` is a hard line: a request may draw it, never cross it.
pub(crate) fn policy_of(settings: &Settings, options: &RunOptions) -> Result<Policy, RpcError> {
    let set = policy(settings.models().policy);
    match options.policy.map(from_wire) {
        Some(wanted) if set == Policy::LocalOnly && wanted != Policy::LocalOnly => {
            Err(RpcError::new(
                ErrorCode::EgressDenied,
                format!("the policy {wanted} is not allowed"),
            )
            .why("the settings say local-only")
            .hint("cv config explain models.policy"))
        }
        Some(wanted) => Ok(wanted),
        None => Ok(set),
    }
}

/// Whether a server on this machine takes connections; nothing is said to it.
async fn listens(url: &url::Url) -> bool {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    tokio::net::TcpStream::connect((host, port)).await.is_ok()
}

fn candidate(all: &BTreeMap<String, Configured>, named: ModelRef) -> Result<Candidate, RpcError> {
    let Some(provider) = all.get(&named.provider) else {
        let known = all.keys().cloned();
        return Err(failure::unknown_provider(&named.provider, known));
    };
    Ok(Candidate {
        local: provider.runs_here(&named.model),
        target: Target {
            provider: named.provider,
            model: named.model,
        },
    })
}

impl Configured {
    /// Whether this model runs on this machine.
    pub(crate) fn runs_here(&self, model: &str) -> bool {
        let mut bare = self.clone();
        // Only the address counts here.
        bare.ca_file = None;
        bare.endpoint(None)
            .is_ok_and(|endpoint| endpoint.is_local_model(model))
    }
}

impl Daemon {
    /// The ways to an answer for a run. `named` is what the settings name for its kind.
    pub(crate) async fn plan(
        &self,
        settings: &Settings,
        options: &RunOptions,
        named: Option<ModelRef>,
    ) -> Result<Plan, RpcError> {
        let policy = policy_of(settings, options)?;
        let all = configured(settings);
        let explicit = match &options.model {
            Some(text) => {
                let named = ModelRef::from_str(text).map_err(|_| {
                    invalid(format!("{text:?} names no model"))
                        .why("a model is named provider/model")
                        .hint("cv provider list")
                })?;
                Some(candidate(&all, named)?)
            }
            None => None,
        };
        let configured = match named.filter(|_| explicit.is_none()) {
            Some(named) => Some(candidate(&all, named)?),
            None => None,
        };
        let fallback = settings.models().fallback;
        let fallback = fallback
            .into_iter()
            .map(|named| candidate(&all, named))
            .collect::<Result<_, _>>()?;
        let found = match explicit.is_some() || configured.is_some() {
            true => Vec::new(),
            false => self.find(&all, settings, policy, &options.keys).await,
        };
        convergio_engine::plan(Selection {
            explicit,
            configured,
            fallback,
            found,
            policy,
        })
        .map_err(|why| failure::no_model(&why))
    }

    /// What could answer although nobody named it: a model that runs here, a provider whose key is
    /// there.
    async fn find(
        &self,
        all: &BTreeMap<String, Configured>,
        settings: &Settings,
        policy: Policy,
        keys: &BTreeMap<String, SecretText>,
    ) -> Vec<Candidate> {
        let mut found = Vec::new();
        if policy != Policy::CloudFirst {
            found.extend(self.find_here(all).await);
        }
        if policy != Policy::LocalOnly && found.is_empty() {
            found.extend(self.find_keys(all, settings, keys).await);
        }
        if policy == Policy::CloudFirst && found.is_empty() {
            found.extend(self.find_here(all).await);
        }
        found
    }

    async fn find_here(&self, all: &BTreeMap<String, Configured>) -> Option<Candidate> {
        for provider in all.values().filter(|provider| provider.local) {
            let listed = self.models_here(provider).await;
            let here = |model: &&ListedModel| {
                // Models that only embed answer nothing.
                let answers = !model.id.to_ascii_lowercase().contains("embed");
                answers && model.local && provider.runs_here(&model.id)
            };
            if let Some(model) = listed.iter().find(here) {
                return Some(Candidate {
                    target: Target {
                        provider: provider.name.clone(),
                        model: model.id.clone(),
                    },
                    local: true,
                });
            }
        }
        None
    }

    /// The models of a server on this machine, as it listed them a moment ago; none where it is
    /// not there.
    pub(crate) async fn models_here(&self, provider: &Configured) -> Vec<ListedModel> {
        let now = Instant::now();
        let Ok(endpoint) = provider.endpoint(None) else {
            return Vec::new();
        };
        if !endpoint.is_loopback() {
            return Vec::new();
        }
        let origin = endpoint.origin();
        if let Some(models) = self.models.remembered(&origin, now) {
            return models;
        }
        let look = async {
            // Where nobody listens nothing is asked, and no row needs to tell of it.
            if !listens(&list_models_url(&endpoint)).await {
                return None;
            }
            let leaving = Leaving {
                url: list_models_url(&endpoint),
                bytes: 0,
                purpose: "look for models on this machine".to_owned(),
                policy: Policy::LocalOnly,
                model: None,
                run_id: None,
            };
            let permit = self.permit(leaving).await.ok()?;
            list_models(&self.models.egress, permit, &endpoint)
                .await
                .ok()
        };
        let models = timeout(LOOK_WITHIN, look).await.ok().flatten();
        let models = models.unwrap_or_default();
        self.models.remember(origin, now, models.clone());
        models
    }

    async fn find_keys(
        &self,
        all: &BTreeMap<String, Configured>,
        settings: &Settings,
        keys: &BTreeMap<String, SecretText>,
    ) -> Option<Candidate> {
        let rows = convergio_models_remote::Catalog::builtin()
            .providers()
            .iter();
        let clouds: Vec<(&Configured, &str)> = rows
            .filter(|row| !row.local)
            .filter_map(|row| Some((all.get(&row.name)?, row.default_model.as_deref()?)))
            .filter(|(provider, _)| provider.kind.is_supported())
            .collect();
        let named = |provider: &Configured, model: &str| Candidate {
            target: Target {
                provider: provider.name.clone(),
                model: model.to_owned(),
            },
            local: false,
        };
        // What the client exported needs no looking.
        let exported = |provider: &Configured| {
            let names = provider.key_env.iter();
            names
                .filter_map(|name| keys.get(name))
                .any(|key| !key.expose().is_empty())
        };
        if let Some((provider, model)) = clouds.iter().find(|(one, _)| exported(one)) {
            return Some(named(provider, model));
        }
        let look = async {
            for (provider, model) in &clouds {
                let key = self.models.key(provider, keys, settings.secrets_file());
                if key.await.is_ok_and(|key| key.is_some()) {
                    return Some(named(provider, model));
                }
            }
            None
        };
        timeout(KEYS_WITHIN, look).await.ok().flatten()
    }

    /// A provider that may be asked.
    pub(crate) fn provider(&self, settings: &Settings, name: &str) -> Result<Configured, RpcError> {
        one(settings, name)
            .ok_or_else(|| failure::unknown_provider(name, configured(settings).into_keys()))
    }
}
