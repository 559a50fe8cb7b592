//! What left this machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::method::method;

method!(
    /// What left this machine, to whom, why; written before it left. Newest first.
    PrivacyEgress, "privacy.egress", PrivacyEgressParams => PrivacyEgressResponse, 10_000
);

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrivacyEgressParams {
    /// From here on, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Only this run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One request that left, or was about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EgressRow {
    /// Its own id.
    pub egress_id: Uuid,
    /// The run, if it was for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// Recorded, UTC milliseconds.
    pub at_ms: i64,
    /// Scheme, host and port.
    pub destination: String,
    /// That is this machine itself (loopback).
    pub loopback: bool,
    /// Bytes of the request's body.
    pub bytes: u64,
    /// `answer`, `review`, `list models` …
    pub purpose: String,
    /// `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Secrets that were masked in it.
    pub redactions: u32,
    /// The policy in force.
    pub policy: String,
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrivacyEgressResponse {
    /// Newest first.
    pub rows: Vec<EgressRow>,
    /// For the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Bytes of all rows since then.
    pub bytes_total: u64,
    /// All rows since then.
    pub rows_total: u64,
    /// Bytes of them that went to other machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere_bytes_total: Option<u64>,
    /// How many of them went to other machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere_rows_total: Option<u64>,
}
