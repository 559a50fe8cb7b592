//! What could answer although nobody named it: models that run here, providers whose key is there.

use std::{collections::BTreeMap, sync::Mutex, time::Instant};

use convergio_config::Settings;
use convergio_contract::secret::SecretText;
use convergio_engine::Candidate;
use convergio_models_api::Policy;
use convergio_models_remote::{ListedModel, list_models, list_models_url};
use tokio::time::{Duration, timeout};

use super::{Configured, routes::View};
use crate::{daemon::Daemon, egress::Leaving};

/// A server on this machine that does not answer in this time is not there.
const LOOK_WITHIN: Duration = Duration::from_secs(2);
/// Keys that no client sent are looked for this long altogether, where nothing is configured.
const KEYS_WITHIN: Duration = Duration::from_secs(3);
/// Models of this machine that are considered.
const HERE_MAX: usize = 64;

/// Whether a server on this machine takes connections; nothing is said to it.
async fn listens(url: &url::Url) -> bool {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    tokio::net::TcpStream::connect((host, port)).await.is_ok()
}

/// What the client exported needs no looking.
fn is_exported(provider: &Configured, keys: &BTreeMap<String, SecretText>) -> bool {
    let names = provider.key_env.iter();
    names
        .filter_map(|name| keys.get(name))
        .any(|key| !key.expose().is_empty())
}

impl Daemon {
    /// What could answer although nobody named it.
    pub(super) async fn find(
        &self,
        view: &View<'_>,
        settings: &Settings,
        policy: Policy,
        keys: &BTreeMap<String, SecretText>,
    ) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::new();
        // What is there and cannot answer this is told, and nobody is kept from answering by it.
        let fits = |found: &[Candidate]| {
            found
                .iter()
                .any(|candidate| candidate.fits(policy, &view.what.needs))
        };
        if policy != Policy::CloudFirst {
            found.extend(self.find_here(view).await);
        }
        if policy != Policy::LocalOnly && !fits(&found) {
            found.extend(self.find_keys(view, settings, policy, keys).await);
        }
        if policy == Policy::CloudFirst && !fits(&found) {
            found.extend(self.find_here(view).await);
        }
        found
    }

    /// Models that run on this machine now, in the order of the providers' names.
    pub(super) async fn find_here(&self, view: &View<'_>) -> Vec<Candidate> {
        let mut here = Vec::new();
        for provider in view.all.values().filter(|provider| provider.local) {
            let listed = self.models_here(provider).await;
            let answers = |model: &&ListedModel| {
                // Models that only embed answer nothing.
                let embeds = model.id.to_ascii_lowercase().contains("embed");
                !embeds && model.local && provider.runs_here(&model.id)
            };
            here.extend(listed.iter().filter(answers).map(|model| {
                let mut candidate = view.candidate(provider, &model.id, true);
                let context = &mut candidate.facts.context;
                *context = context.or(model.context);
                let capabilities = &mut candidate.facts.capabilities;
                *capabilities = capabilities.or(model.capabilities);
                candidate
            }));
            if here.len() >= HERE_MAX {
                here.truncate(HERE_MAX);
                break;
            }
        }
        here
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
        let mut models = models.unwrap_or_default();
        self.models.described.fill(&origin, &mut models);
        self.models.remember(origin, now, models.clone());
        models
    }

    /// The catalogue's providers in the cloud that can be asked, in its order.
    fn clouds<'a>(view: &View<'a>) -> Vec<(&'a Configured, &'static str)> {
        let rows = convergio_models_remote::Catalog::builtin()
            .providers()
            .iter();
        rows.filter(|row| !row.local)
            .filter_map(|row| Some((view.all.get(&row.name)?, row.default_model.as_deref()?)))
            .filter(|(provider, _)| provider.kind.is_supported())
            .collect()
    }

    /// Those of them whose key is there: what the client exported first.
    pub(super) async fn keyed<'a>(
        &self,
        view: &View<'a>,
        settings: &Settings,
        keys: &BTreeMap<String, SecretText>,
    ) -> Vec<&'a Configured> {
        let clouds = Self::clouds(view);
        let (exported, others): (Vec<_>, Vec<_>) = clouds
            .into_iter()
            .map(|(provider, _)| provider)
            .partition(|provider| is_exported(provider, keys));
        // What was found until the time is over counts.
        let found = Mutex::new(exported);
        let look = async {
            for provider in others {
                let key = self.models.key(provider, keys, settings.secrets_file());
                if key.await.is_ok_and(|key| key.is_some())
                    && let Ok(mut found) = found.lock()
                {
                    found.push(provider);
                }
            }
        };
        // Its time being over is no failure.
        let _ = timeout(KEYS_WITHIN, look).await;
        found.into_inner().unwrap_or_default()
    }

    async fn find_keys(
        &self,
        view: &View<'_>,
        settings: &Settings,
        policy: Policy,
        keys: &BTreeMap<String, SecretText>,
    ) -> Vec<Candidate> {
        if policy == Policy::Cheapest {
            let mut all = Vec::new();
            for provider in self.keyed(view, settings, keys).await {
                let models = provider.row.iter().flat_map(|row| &row.models);
                all.extend(models.map(|model| view.candidate(provider, &model.id, false)));
            }
            return all;
        }
        let clouds = Self::clouds(view);
        if let Some((provider, model)) = clouds.iter().find(|(one, _)| is_exported(one, keys)) {
            return vec![view.candidate(provider, model, false)];
        }
        let look = async {
            for (provider, model) in &clouds {
                let key = self.models.key(provider, keys, settings.secrets_file());
                if key.await.is_ok_and(|key| key.is_some()) {
                    return Some(view.candidate(provider, model, false));
                }
            }
            None
        };
        let found = timeout(KEYS_WITHIN, look).await.ok().flatten();
        found.into_iter().collect()
    }
}
