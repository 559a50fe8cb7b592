//! Models: which there are, what they cost, and what a call of one did.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{error::RpcError, method::method, secret::SecretText};

method!(
    /// The models that can be named, configured, built in and found on this machine.
    ModelList, "model.list", ModelListParams => ModelListResponse, 20_000
);

/// Where answers may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// This machine where it can do the job, else the cloud within budget.
    #[default]
    LocalFirst,
    /// The cloud within budget, else this machine.
    CloudFirst,
    /// This machine alone: a hard line.
    LocalOnly,
    /// Whatever costs least.
    Cheapest,
}

/// Which models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelListParams {
    /// Only this provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The client's own provider keys, by variable: held for this call only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, SecretText>,
}

/// One model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelInfo {
    /// `provider/model`: what `--model` takes.
    pub name: String,
    /// The provider's configured name.
    pub provider: String,
    /// The model's id as that provider knows it.
    pub model: String,
    /// Runs on this machine.
    pub local: bool,
    /// Tokens that it reads and writes at most together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Tokens that it writes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// What it can do beside text: `tools`, `vision`, `reasoning`, `cache`, `json`. None where
    /// nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// What it is good for: `fast`, `smart`, `code`, `cheap`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Nano-USD per million tokens, by resource; none where no price is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub price_nano_usd_per_million: BTreeMap<String, i64>,
    /// Other prices for the whole request when its prompt is long; ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub price_tiers: Vec<ModelPriceTier>,
    /// Who says what it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priced_by: Option<ModelPricedBy>,
    /// It is what a run takes that names no model.
    pub default: bool,
    /// Why it cannot be used now; none where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
}

/// Prices of a request whose prompt is long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelPriceTier {
    /// From this many input tokens on.
    pub from_prompt_tokens: u64,
    /// Nano-USD per million tokens, by resource.
    pub price_nano_usd_per_million: BTreeMap<String, i64>,
}

/// Where a model's price comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelPricedBy {
    /// `config` (the settings), `catalog` (this release), or the name of a signed list.
    pub list: String,
    /// Where it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The day on which it was so, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The day from which on another price is announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_from: Option<String>,
    /// What input costs from then on: US dollars per million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_input_usd: Option<String>,
    /// What output costs from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_output_usd: Option<String>,
}

/// The models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelListResponse {
    /// Those that can be used first, then by name.
    pub models: Vec<ModelInfo>,
}

/// One attempt to get an answer: announced, and durable, before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// From 1; a retry or a fallback is another one.
    pub attempt: u32,
    /// The provider's configured name.
    pub provider: String,
    /// The model's id.
    pub model: String,
    /// Runs on this machine.
    pub local: bool,
    /// Where the request goes: scheme, host and port; empty inside the daemon.
    pub destination: String,
    /// Tokens that the answer may have at most.
    pub max_output: u32,
    /// What is held of the budgets until it is settled.
    pub hold_nano_usd: i64,
    /// What it is for: `answer`, `chunk 3 of 7`, `second look at chunk 3` …
    pub purpose: String,
    /// Why this model, or why again: `configured default`, `rate limited: waited 2.0 s` …
    pub reason: String,
    /// Secrets that were masked in what the model reads.
    #[serde(default)]
    pub redactions: u32,
    /// It stands in for a model that did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<InsteadOf>,
    /// Models between that one and this one that were not asked either, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<InsteadOf>,
}

/// A model that another one stands in for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InsteadOf {
    /// `provider/model`.
    pub model: String,
    /// Why it did not answer: `overloaded`, `no budget is left` …
    pub why: String,
}

/// What an attempt used and cost; settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageReport {
    /// As in [`Attempt`].
    pub attempt: u32,
    /// The provider's configured name.
    pub provider: String,
    /// The model's id.
    pub model: String,
    /// Quantities by resource (`in_uncached`, `out_text` …); what was not reported is not there.
    pub resources: BTreeMap<String, u64>,
    /// What it cost.
    pub amount_nano_usd: i64,
    /// `provider` (reported), `counted` (by us, because it was not), or `none` (nothing was sent).
    pub source: String,
    /// Answered from this machine.
    pub local: bool,
    /// Nobody was asked: a kept answer was given again.
    #[serde(default)]
    pub cached: bool,
}

/// A tool for whoever asks: what would be sent, to whom, at what cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// Nothing would be sent: the rules alone would answer, or there is no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing_sent: Option<String>,
    /// `provider/model`; none where none would be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Runs on this machine.
    pub local: bool,
    /// Where the request would go: scheme, host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Wire requests, retries not counted.
    pub calls: u32,
    /// Bytes of the requests.
    pub bytes: u64,
    /// Input tokens at most.
    pub input_tokens_max: u64,
    /// Output tokens at most.
    pub output_tokens_max: u64,
    /// What it would cost at most; none where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_max_nano_usd: Option<i64>,
    /// What it is expected to cost; none where that cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_expected_nano_usd: Option<i64>,
    /// The policy in force.
    pub policy: Policy,
    /// Secrets that would be masked.
    #[serde(default)]
    pub redactions: u32,
    /// Why it would be refused; none where it would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RpcError>,
}
