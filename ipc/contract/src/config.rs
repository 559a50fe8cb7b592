//! Settings: layered, with provenance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::method::{Empty, method};

method!(
    /// Effective values, all or one.
    ConfigGet, "config.get", ConfigGetParams => ConfigGetResponse, 10_000
);
method!(
    /// Sets a value in the user's file.
    ConfigSet, "config.set", ConfigSetParams => ConfigChanged, 10_000
);
method!(
    /// Removes a value from the user's file.
    ConfigUnset, "config.unset", ConfigUnsetParams => ConfigChanged, 10_000
);
method!(
    /// Where a value comes from, and what every layer says.
    ConfigExplain, "config.explain", ConfigExplainParams => ConfigExplainResponse, 10_000
);
method!(
    /// JSON Schema of the configuration file.
    ConfigSchema, "config.schema", Empty => serde_json::Value, 10_000
);

/// Which key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigGetParams {
    /// `section.key`; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// One effective value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigValue {
    /// `section.key`.
    pub key: String,
    /// The value; null where none is set and there is no default.
    pub value: serde_json::Value,
    /// `default`, `file`, `environment`, `flag`, `policy`.
    pub layer: String,
    /// File and line, or variable.
    pub source: String,
}

/// Effective values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigGetResponse {
    /// In the order of the schema.
    pub values: Vec<ConfigValue>,
    /// The user's file; it need not exist.
    pub file: String,
    /// Changes whenever the file does; for `expected_rev`.
    pub rev: String,
}

/// What to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigSetParams {
    /// `section.key`.
    pub key: String,
    /// As a person types it; parsed by the key's type.
    pub value: String,
    /// Refuse if the file has changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_rev: Option<String>,
}

/// What to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigUnsetParams {
    /// `section.key`.
    pub key: String,
    /// Refuse if the file has changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_rev: Option<String>,
}

/// The file was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigChanged {
    /// The value in force now.
    pub value: ConfigValue,
    /// The file that was changed.
    pub file: String,
    /// The file's new revision.
    pub rev: String,
    /// The way back.
    pub undo_id: Uuid,
}

/// Which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigExplainParams {
    /// `section.key`.
    pub key: String,
}

/// What every layer says about a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigExplainResponse {
    /// What the key does.
    pub doc: String,
    /// What may be set.
    pub accepts: String,
    /// The value in force.
    pub effective: ConfigValue,
    /// Every layer that says something, the winning one last.
    pub layers: Vec<ConfigValue>,
    /// The organization's policy fixes it.
    pub fixed_by_policy: bool,
}
