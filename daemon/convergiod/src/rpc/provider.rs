//! Providers: who may answer, and with which key.

use std::{collections::BTreeMap, time::Instant};

use convergio_config::{
    ErrorKind, ModelRef, Models, Settings,
    secrets::{KeyName, Missing, SecretError, SecretString},
};
use convergio_contract::{
    ErrorCode, RpcError,
    provider::{
        ProviderAdd, ProviderAddParams, ProviderInfo, ProviderList, ProviderListParams,
        ProviderListResponse, ProviderRemove, ProviderRemoveParams, ProviderRemoveResponse,
        ProviderSetKey, ProviderSetKeyParams, ProviderSetKeyResponse, ProviderTest,
        ProviderTestParams, ProviderTestResponse, StillNamed,
    },
};
use convergio_models_api::{ErrorClass, ModelError};
use convergio_models_remote::{Catalog, Endpoint, ListedModel, list_models, list_models_url};
use tokio::time::{Duration, timeout};

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    egress::Leaving,
    failure,
    providers::{
        failure as told, routes,
        seen::{KeySeen, everybody, source_name},
    },
};

/// A list of models takes at most this long.
const TEST_WITHIN: Duration = Duration::from_secs(30);
/// Models that an answer names.
const MODELS_MAX: usize = 200;

impl Handle<ProviderList> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ProviderListParams,
    ) -> Result<ProviderListResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        let (seen, key_store) = tokio::join!(
            self.look_at(
                &settings,
                &params.keys,
                everybody(&settings, &self.models.lists)
            ),
            self.key_store(&settings)
        );
        let default_model = self.default_model(&settings, &params.keys).await;
        let shown = seen?.into_iter().filter(|one| {
            let has_key = matches!(one.key, KeySeen::Found(_));
            params.all || one.provider.in_settings || has_key || !one.here.is_empty()
        });
        Ok(ProviderListResponse {
            providers: shown.map(|one| one.info()).collect(),
            key_store,
            default_model: default_model.map(|model| model.to_string()),
        })
    }
}

/// The keys below `provider.NAME` that the parameters give, as text.
fn fields(params: &ProviderAddParams, is_new: bool) -> Vec<(String, String)> {
    // A new table of a name that the catalogue knows speaks as the catalogue says.
    let row = Catalog::builtin().provider(&params.name);
    let of_row = row
        .filter(|_| is_new)
        .map(|row| row.kind.as_str().to_owned());
    let mut fields: Vec<(String, String)> = [
        ("kind", params.kind.clone().or(of_row)),
        ("base_url", params.base_url.clone()),
        ("key_env", params.key_env.clone()),
        ("key_cmd", params.key_cmd.clone()),
        ("ca_file", params.ca_file.clone()),
        ("local", params.local.map(|local| local.to_string())),
        (
            "allow_plain_http",
            params.allow_plain_http.map(|allow| allow.to_string()),
        ),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect();
    for (id, model) in &params.models {
        let of_model = [
            ("price.input", model.input_price.clone()),
            ("price.output", model.output_price.clone()),
            ("context", model.context.map(|tokens| tokens.to_string())),
        ];
        fields.extend(
            of_model
                .into_iter()
                .filter_map(|(key, value)| Some((format!("model.\"{id}\".{key}"), value?))),
        );
    }
    fields
}

impl Daemon {
    async fn provider_info(
        &self,
        settings: &Settings,
        name: &str,
    ) -> Result<ProviderInfo, RpcError> {
        let mut one = everybody(settings, &self.models.lists);
        one.retain(|(provider, _)| provider.name == name);
        let seen = self.look_at(settings, &Default::default(), one).await?;
        let info = seen.first().map(crate::providers::seen::Seen::info);
        info.ok_or_else(|| {
            failure::internal(
                format!("the provider {name:?} was written and is not there"),
                "the settings do not name it",
            )
        })
    }
}

impl Handle<ProviderAdd> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ProviderAddParams,
    ) -> Result<ProviderInfo, RpcError> {
        let name = params.name.clone();
        let before = self.settings_of(&call)?;
        let fields = fields(&params, !before.providers().contains_key(&name));
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let default = params.default_model.as_deref();
        let plan = self.editor().put_provider(&name, &fields, default, None);
        let plan = plan.map_err(|error| self.configuration.error(&error))?;
        if plan.changes_anything() {
            self.write_settings(&format!("cv provider add {name}"), plan)
                .await?;
        }
        if let Ok(key) = KeyName::new(&name) {
            self.models.secrets.forget(&key);
        }
        self.provider_info(&self.settings_of(&call)?, &name).await
    }
}

fn key_name(name: &str) -> Result<KeyName, RpcError> {
    KeyName::new(name).map_err(|error| failure::invalid(error.to_string()))
}

fn not_kept(error: &SecretError) -> RpcError {
    let code = match error {
        SecretError::NoKeychain { .. } => ErrorCode::KeyUnavailable,
        SecretError::Unusable(_) => ErrorCode::InvalidParams,
        SecretError::File { .. } => ErrorCode::StorageError,
    };
    RpcError::new(code, error.to_string()).hint(error.hint())
}

impl Handle<ProviderSetKey> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ProviderSetKeyParams,
    ) -> Result<ProviderSetKeyResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        let name = key_name(&params.name)?;
        // A key of nobody would never be used, nor be seen to be there.
        let provider = self.provider(&settings, &params.name)?;
        if provider.takes_no_key() {
            let name = &params.name;
            let variable = name.to_uppercase().replace('-', "_");
            return Err(RpcError::new(
                ErrorCode::Conflict,
                format!("the provider {name:?} is asked without a key"),
            )
            .why("it is on this machine, and its settings name no key")
            .hint(format!("cv provider add {name} --key-env {variable}_KEY")));
        }
        let key = SecretString::from(params.key.into_exposed());
        let set = self.models.secrets.set(&name, key, settings.secrets_file());
        let stored = set.await.map_err(|error| not_kept(&error))?;
        Ok(ProviderSetKeyResponse {
            stored_in: stored.label().to_owned(),
        })
    }
}

impl Daemon {
    /// What a provider did wrong, without any key in it.
    fn test_failure(&self, error: &ModelError, name: &str) -> RpcError {
        let mut told = told::model(error, name);
        let hint = match error.class {
            ErrorClass::Connect
            | ErrorClass::Tls
            | ErrorClass::Timeout(_)
            | ErrorClass::Redirect
            | ErrorClass::ModelNotFound => {
                Some(format!("cv config explain provider.{name}.base_url"))
            }
            _ => None,
        };
        let redactor = self.models.secrets.redactor();
        told.message = redactor.redact(&told.message).into_owned();
        if let Some(data) = &mut told.data {
            if let Some(why) = &mut data.why {
                *why = redactor.redact(why).into_owned();
            }
            data.hint = hint.or(data.hint.take());
        }
        told
    }

    async fn listed(&self, leaving: Leaving, endpoint: &Endpoint) -> Result<Listed, RpcError> {
        let permit = self.permit(leaving).await?;
        let asking = list_models(&self.models.egress, permit, endpoint);
        Ok(match timeout(TEST_WITHIN, asking).await {
            Ok(answer) => Listed::Answer(answer),
            Err(_) => Listed::Silence,
        })
    }
}

/// How a provider took the question.
enum Listed {
    Answer(Result<Vec<ListedModel>, ModelError>),
    Silence,
}

impl Handle<ProviderTest> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ProviderTestParams,
    ) -> Result<ProviderTestResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        let name = params.name;
        let provider = self.provider(&settings, &name)?;
        let file_allowed = settings.secrets_file();
        // Refused before a key is looked for: a command may ask its user for it.
        let bare = provider.endpoint(None)?;
        let policy = routes::policy(settings.models().policy);
        self.refuse_elsewhere(policy, &list_models_url(&bare), provider.local)?;
        let found = self
            .models
            .look_for_key(&provider, &params.keys, file_allowed)
            .await
            .map_err(|missing| crate::providers::failure::key(&missing))?;
        let secret = found.as_ref().map(|found| found.secret().clone());
        let endpoint = provider.endpoint(secret)?;
        let leaving = Leaving {
            url: list_models_url(&endpoint),
            bytes: 0,
            purpose: "list models".to_owned(),
            policy,
            model: None,
            run_id: None,
        };
        let began = Instant::now();
        let listed = self.listed(leaving, &endpoint).await?;
        let mut response = ProviderTestResponse {
            ok: false,
            key_source: found
                .as_ref()
                .map(|key| source_name(&key.source).to_owned()),
            models: Vec::new(),
            models_more: 0,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            error: None,
        };
        match listed {
            Listed::Answer(Ok(models)) => {
                let more = models.len().saturating_sub(MODELS_MAX);
                response.ok = true;
                // It is there again: nobody needs to wait for it.
                self.models.breakers.clear(&name);
                response.models_more = u32::try_from(more).unwrap_or(u32::MAX);
                let models = models.into_iter().take(MODELS_MAX);
                response.models = models.map(|model| model.id).collect();
            }
            Listed::Answer(Err(error)) => {
                if error.class == ErrorClass::Auth {
                    // It may have been replaced where it comes from.
                    self.models.secrets.forget(&key_name(&name)?);
                }
                response.error = Some(self.test_failure(&error, &name));
            }
            Listed::Silence => {
                let within = TEST_WITHIN.as_secs();
                response.error = Some(
                    RpcError::new(ErrorCode::ProviderError, format!("{name} did not answer"))
                        .why(format!("nothing came within {within} s"))
                        .hint(format!("cv config explain provider.{name}.base_url")),
                );
            }
        }
        // The redactor knew it until here.
        drop(found);
        Ok(response)
    }
}

/// The settings beside `models.default` that name models of this provider.
fn still_named(models: Models, provider: &str) -> Vec<StillNamed> {
    let of = |table: &'static str, chains: BTreeMap<String, Vec<ModelRef>>| {
        let named = move |(name, chain)| (format!("models.{table}.{name}"), chain);
        chains.into_iter().map(named)
    };
    let review = ("models.review".to_owned(), Vec::from_iter(models.review));
    std::iter::once(review)
        .chain([("models.fallback".to_owned(), models.fallback)])
        .chain(of("fallback_on", models.fallback_on))
        .chain(of("alias", models.alias))
        .filter(|(_, chain)| chain.iter().any(|model| model.provider == provider))
        .map(|(key, chain)| StillNamed {
            key,
            others: chain
                .iter()
                .filter(|model| model.provider != provider)
                .map(ToString::to_string)
                .collect(),
        })
        .collect()
}

impl Handle<ProviderRemove> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ProviderRemoveParams,
    ) -> Result<ProviderRemoveResponse, RpcError> {
        let name = key_name(&params.name)?;
        let plan = if params.key_only {
            None
        } else {
            match self.editor().remove_provider(&params.name, None) {
                Ok(plan) => Some(plan),
                // Nothing stands there; its key may be kept all the same.
                Err(error) if error.kind() == ErrorKind::UnknownKey => None,
                Err(error) => return Err(self.configuration.error(&error)),
            }
        };
        // First what may fail for reasons of others: then nothing was changed.
        let key_removed = match self.models.secrets.remove(&name).await {
            Ok(from) => !from.is_empty(),
            // What is not there keeps no key.
            Err(SecretError::NoKeychain {
                why: Missing::Absent(_),
            }) => false,
            Err(error) => {
                let what = format!("the stored key of {} could not be removed", params.name);
                return Err(RpcError::new(ErrorCode::KeyUnavailable, what)
                    .why(format!("{error}; nothing was changed"))
                    .hint("cv provider list"));
            }
        };
        let removed = plan.is_some();
        if let Some(plan) = plan {
            let label = format!("cv provider remove {}", params.name);
            self.write_settings(&label, plan).await?;
        }
        // One that the catalogue knows is still there, without what the settings said of it.
        let settings = self.settings_of(&call)?;
        let default_left = settings
            .models()
            .default
            .filter(|model| removed && model.provider == params.name)
            .filter(|_| self.provider(&settings, &params.name).is_err())
            .map(|model| model.to_string());
        let gone = removed && self.provider(&settings, &params.name).is_err();
        let still_named = match gone {
            true => still_named(settings.models(), &params.name),
            false => Vec::new(),
        };
        Ok(ProviderRemoveResponse {
            removed,
            key_removed,
            default_left,
            still_named,
        })
    }
}
