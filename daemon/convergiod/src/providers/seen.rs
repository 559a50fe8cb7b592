//! How the providers are at this moment: whose key is there, what answers on this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use convergio_config::{
    ModelRef, Settings,
    secrets::{KeyUnavailable, KeychainState, Missing, Source},
};
use convergio_contract::{
    RpcError,
    provider::{KeyState, ProviderInfo},
    run::RunOptions,
    secret::SecretText,
};
use convergio_engine::{State, Unfit};
use convergio_models_api::Policy;
use convergio_models_remote::ListedModel;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, timeout},
};

use super::{Configured, configured, lists::PriceLists, routes};
use crate::{daemon::Daemon, failure::internal};

/// Looks at one time.
const LOOKS_MAX: usize = 16;
/// A keychain has 2 s and a command 10 s: what takes longer is not waited for.
const LOOK_WITHIN: Duration = Duration::from_secs(13);

/// One provider, looked at.
pub(crate) struct Seen {
    /// It.
    pub(crate) provider: Configured,
    /// Its key.
    pub(crate) key: KeySeen,
    /// Models that its server on this machine lists; none of another's.
    pub(crate) here: Vec<ListedModel>,
    /// Why it is not asked; none where nothing is known to be wrong.
    pub(crate) problem: Option<String>,
    /// It, or a model of it, is left alone for now, and why.
    pub(crate) resting: Option<String>,
}

/// A key, looked for.
pub(crate) enum KeySeen {
    /// It is there.
    Found(Source),
    /// None is needed.
    NotNeeded,
    /// It is nowhere.
    Missing(KeyUnavailable),
}

/// Where a key is, as it travels.
pub(crate) fn source_name(source: &Source) -> &'static str {
    match source {
        Source::ClientEnvironment { .. } => "client environment",
        Source::Credentials => "credentials directory",
        Source::Keychain => "keychain",
        Source::Command => "key_cmd",
        Source::DaemonEnvironment { .. } => "daemon environment",
        Source::File => "encrypted file",
    }
}

impl KeySeen {
    /// As it travels.
    pub(crate) fn state(&self) -> KeyState {
        match self {
            Self::Found(source) => KeyState::Found {
                source: source_name(source).to_owned(),
            },
            Self::NotNeeded => KeyState::NotNeeded,
            Self::Missing(missing) => KeyState::Missing {
                env_names: missing.env_names.clone(),
                tried: missing
                    .tried
                    .iter()
                    .filter(|(_, why)| !matches!(why, Missing::NotConfigured | Missing::Off))
                    .map(|(source, why)| format!("{source}: {why}"))
                    .collect(),
            },
        }
    }
}

impl Seen {
    /// Ids of the models that are known of it, in their order.
    pub(crate) fn model_ids(&self) -> BTreeSet<String> {
        let row = self.provider.row.iter().flat_map(|row| &row.models);
        let listed = self.provider.row.zip(self.provider.listed.as_deref());
        let listed = listed.map_or(&[][..], |(row, listed)| listed.file.models(&row.name));
        let listed = listed.iter();
        self.provider
            .models
            .keys()
            .cloned()
            .chain(row.map(|model| model.id.clone()))
            .chain(listed.map(|model| model.id.clone()))
            .chain(self.here.iter().map(|model| model.id.clone()))
            .collect()
    }

    /// As it travels.
    pub(crate) fn info(&self) -> ProviderInfo {
        let base_url = self.provider.base_url.as_ref();
        ProviderInfo {
            name: self.provider.name.clone(),
            kind: self.provider.kind.as_str().to_owned(),
            base_url: base_url.map(ToString::to_string).unwrap_or_default(),
            local: self.provider.local,
            configured: self.provider.in_settings,
            key: self.key.state(),
            models: u32::try_from(self.model_ids().len()).unwrap_or(u32::MAX),
            problem: self.problem.clone().or_else(|| self.resting.clone()),
        }
    }
}

/// What keeps a provider from being asked, its key aside.
fn problem(provider: &Configured, here: &[ListedModel], policy: Policy) -> Option<String> {
    if let Err(error) = provider.endpoint(None) {
        let why = error.data.and_then(|data| data.why);
        return Some(match why {
            Some(why) => format!("{}: {why}", error.message),
            None => error.message,
        });
    }
    if policy == Policy::LocalOnly && !provider.local {
        return Some("not asked: the policy is local-only".to_owned());
    }
    (provider.local && here.is_empty())
        .then(|| "nothing answers there, or it has no models".to_owned())
}

/// Every provider that may be asked, and those of the settings that may not.
pub(crate) fn everybody(settings: &Settings, lists: &PriceLists) -> Vec<(Configured, bool)> {
    let mut all: BTreeMap<String, (Configured, bool)> = configured(settings, lists)
        .into_iter()
        .map(|(name, provider)| (name, (provider, true)))
        .collect();
    for (name, table) in settings.providers() {
        all.entry(name)
            .or_insert_with(|| (Configured::from_settings(table, None, None), false));
    }
    all.into_values().collect()
}

impl Daemon {
    /// Looks at these providers, all at one time. Only servers on this machine are called.
    pub(crate) async fn look_at(
        &self,
        settings: &Settings,
        keys: &BTreeMap<String, SecretText>,
        providers: Vec<(Configured, bool)>,
    ) -> Result<Vec<Seen>, RpcError> {
        let daemon = self.shared()?;
        let keys = Arc::new(keys.clone());
        let places = Arc::new(Semaphore::new(LOOKS_MAX));
        let policy = routes::policy(settings.models().policy);
        let file_allowed = settings.secrets_file();
        let mut looks = JoinSet::new();
        for (provider, allowed) in providers {
            let (daemon, keys, places) =
                (Arc::clone(&daemon), Arc::clone(&keys), Arc::clone(&places));
            looks.spawn(async move {
                let _place = places.acquire().await;
                let (key, here) = tokio::join!(
                    daemon.look_for_key(&provider, &keys, file_allowed),
                    daemon.look_here(&provider)
                );
                let problem = if allowed {
                    problem(&provider, &here, policy)
                } else {
                    Some("not asked: models.allowed_providers does not name it".to_owned())
                };
                let states = daemon.models.breakers.of_provider(&provider.name);
                let resting = states.into_iter().find_map(|state| match state {
                    State::Cooling(cooling) => Some(Unfit::Cooling(cooling).to_string()),
                    State::Ready | State::Probing => None,
                });
                Seen {
                    provider,
                    key,
                    here,
                    problem,
                    resting,
                }
            });
        }
        let mut seen = Vec::with_capacity(looks.len());
        while let Some(one) = looks.join_next().await {
            seen.push(one.map_err(|error| {
                internal("a provider could not be looked at", error.to_string())
            })?);
        }
        seen.sort_by(|one, other| one.provider.name.cmp(&other.provider.name));
        Ok(seen)
    }

    async fn look_for_key(
        &self,
        provider: &Configured,
        keys: &BTreeMap<String, SecretText>,
        file_allowed: bool,
    ) -> KeySeen {
        let look = self.models.look_for_key(provider, keys, file_allowed);
        match timeout(LOOK_WITHIN, look).await {
            Ok(Ok(Some(found))) => KeySeen::Found(found.source),
            Ok(Ok(None)) => KeySeen::NotNeeded,
            Ok(Err(missing)) => KeySeen::Missing(missing),
            Err(_) => KeySeen::Missing(KeyUnavailable {
                provider: provider.name.clone(),
                env_names: provider.key_env.clone(),
                tried: vec![(
                    Source::Command,
                    Missing::TimedOut {
                        after_ms: LOOK_WITHIN.as_millis(),
                    },
                )],
            }),
        }
    }

    async fn look_here(&self, provider: &Configured) -> Vec<ListedModel> {
        if provider.local {
            self.models_here(provider).await
        } else {
            Vec::new()
        }
    }

    /// The model of a run that names none, as such a run would choose it.
    pub(crate) async fn default_model(
        &self,
        settings: &Settings,
        keys: &BTreeMap<String, SecretText>,
    ) -> Option<ModelRef> {
        let options = RunOptions {
            keys: keys.clone(),
            ..RunOptions::default()
        };
        let named = settings.models().default;
        let plan = self.plan(settings, &options, named).await.ok()?;
        let target = plan.routes.into_iter().next()?.target;
        Some(ModelRef {
            provider: target.provider,
            model: target.model,
        })
    }

    /// Where a key would be kept: `keychain`, `encrypted file`, or why nowhere.
    pub(crate) async fn key_store(&self, settings: &Settings) -> String {
        let keychain = self.models.secrets.keychain_state().await;
        match unusable(&keychain) {
            None => "keychain".to_owned(),
            Some(_) if settings.secrets_file() => "encrypted file".to_owned(),
            Some(why) => format!("nowhere: {why}, and secrets.file is not set"),
        }
    }
}

/// Why the keychain keeps nothing; none where it does.
pub(crate) fn unusable(keychain: &KeychainState) -> Option<String> {
    match keychain {
        KeychainState::Available => None,
        KeychainState::Off => Some("no keychain is in use".to_owned()),
        KeychainState::Locked => Some("the keychain is locked".to_owned()),
        KeychainState::Absent { why } => Some(format!("there is no keychain ({why})")),
        KeychainState::Failing { why } => Some(format!("the keychain does not work ({why})")),
    }
}
