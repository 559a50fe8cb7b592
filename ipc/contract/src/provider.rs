//! Providers: who may answer, and with which key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{error::RpcError, method::method, secret::SecretText};

method!(
    /// Providers: configured ones, and those of the built-in catalogue that have a key or run here.
    ProviderList, "provider.list", ProviderListParams => ProviderListResponse, 20_000
);
method!(
    /// Adds or changes a provider in the user's configuration file.
    ProviderAdd, "provider.add", ProviderAddParams => ProviderInfo, 10_000
);
method!(
    /// Stores a key, write-only.
    ProviderSetKey, "provider.set_key", ProviderSetKeyParams => ProviderSetKeyResponse, 10_000
);
method!(
    /// Asks a provider for its models: shows that address, certificate and key work. Costs nothing.
    ProviderTest, "provider.test", ProviderTestParams => ProviderTestResponse, 60_000
);
method!(
    /// Removes a provider from the configuration file, and its stored key.
    ProviderRemove, "provider.remove", ProviderRemoveParams => ProviderRemoveResponse, 10_000
);

/// What the caller has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderListParams {
    /// The client's own provider keys, by variable: held for this call only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, SecretText>,
    /// List the whole built-in catalogue.
    #[serde(default)]
    pub all: bool,
}

/// Where a key is, without the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum KeyState {
    /// It was found.
    Found {
        /// `client environment`, `credentials directory`, `keychain`, `key_cmd`, `daemon
        /// environment`, `encrypted file`.
        source: String,
    },
    /// None is needed.
    NotNeeded,
    /// It was not found.
    Missing {
        /// The variables that would hold it.
        env_names: Vec<String>,
        /// Where it was looked for, and why it was not there.
        tried: Vec<String>,
    },
}

/// One provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderInfo {
    /// The name in `provider/model`.
    pub name: String,
    /// `anthropic`, `openai`, `openai-responses`, `azure`, `gemini`, `ollama`.
    pub kind: String,
    /// Where it is.
    pub base_url: String,
    /// Its models run on this machine.
    pub local: bool,
    /// It stands in the configuration; else it comes from the built-in catalogue.
    pub configured: bool,
    /// Its key.
    pub key: KeyState,
    /// Models that are known of it.
    pub models: u32,
    /// What is wrong with it; none where nothing is known to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderListResponse {
    /// By name.
    pub providers: Vec<ProviderInfo>,
    /// Where `provider.set_key` would store: `keychain`, `encrypted file`, or why nowhere.
    pub key_store: String,
    /// `provider/model` of a run that names none; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
}

/// A provider's settings; what is not given stays, or comes from the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderAddParams {
    /// The name in `provider/model`.
    pub name: String,
    /// The dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The variable that holds its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// A command that prints its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_cmd: Option<String>,
    /// More trusted roots, a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Its models run on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<bool>,
    /// It may be asked without encryption although it is another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_plain_http: Option<bool>,
    /// Prices and limits by model id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ProviderModel>,
    /// Make `provider/model` the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
}

/// What is known of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderModel {
    /// Decimal USD per million input tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_price: Option<String>,
    /// Decimal USD per million output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_price: Option<String>,
    /// Tokens that it reads and writes at most together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
}

/// A key to store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderSetKeyParams {
    /// The provider.
    pub name: String,
    /// The key.
    pub key: SecretText,
}

/// Where the key went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderSetKeyResponse {
    /// `keychain` or `encrypted file`.
    pub stored_in: String,
}

/// What to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderTestParams {
    /// The provider.
    pub name: String,
    /// The client's own provider keys, by variable: held for this call only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, SecretText>,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderTestResponse {
    /// Address, certificate and key work.
    pub ok: bool,
    /// Where the key came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_source: Option<String>,
    /// Models that it lists, 200 at most.
    pub models: Vec<String>,
    /// Models beyond those.
    #[serde(default)]
    pub models_more: u32,
    /// How long the answer took.
    pub duration_ms: u64,
    /// What failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RpcError>,
}

/// What to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderRemoveParams {
    /// The provider.
    pub name: String,
    /// Only the stored key.
    #[serde(default)]
    pub key_only: bool,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderRemoveResponse {
    /// It stood in the configuration file.
    pub removed: bool,
    /// A stored key went with it.
    pub key_removed: bool,
    /// `models.default`, where it still names a model of the provider that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_left: Option<String>,
    /// Other settings that still name models of the provider that is gone; those are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub still_named: Vec<StillNamed>,
}

/// A setting that still names models of a provider that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StillNamed {
    /// The setting, for instance `models.fallback`.
    pub key: String,
    /// The models that it names beside them.
    pub others: Vec<String>,
}
