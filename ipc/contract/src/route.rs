//! Routes: which models would answer, in which order, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{chat::RunStartParams, error::RpcError, method::method, model::Policy};

method!(
    /// The models that would answer a question, in order, and why; and why others would not. Sends
    /// nothing off this machine.
    RouteExplain, "route.explain", RouteExplainParams => RouteExplainResponse, 20_000
);

/// What a model must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// It calls tools.
    Tools,
    /// It sees pictures.
    Vision,
    /// It can be told how much to reason.
    Reasoning,
}

/// Which question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RouteExplainParams {
    /// As `run.start` takes it; nothing of it is kept.
    pub question: RunStartParams,
    /// What it needs besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
}

/// A model that would be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteStep {
    /// `provider/model`.
    pub model: String,
    /// Runs on this machine.
    pub local: bool,
    /// Where the request would go: scheme, host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Why it is tried.
    pub reason: String,
    /// For which failures of the one before, as `models.fallback_on` names them; none for the
    /// first, and where it is for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// What the answer is expected to cost; none where nobody says what it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_nano_usd: Option<i64>,
    /// What would be held of the budgets for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_nano_usd: Option<i64>,
    /// Tokens that it reads and writes at most together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// How it is: `ready`, or that it is tried again after it failed.
    pub health: String,
    /// What would keep it from answering all the same: no key, no budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A model that would not be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteLeftOut {
    /// `provider/model`.
    pub model: String,
    /// Runs on this machine.
    pub local: bool,
    /// Why not.
    pub reason: String,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteExplainResponse {
    /// The policy in force.
    pub policy: Policy,
    /// What the question needs.
    pub needs: Vec<Need>,
    /// Tokens of the question at least.
    pub input_tokens_min: u64,
    /// Tokens of the question at most.
    pub input_tokens_max: u64,
    /// Tried one after the other.
    pub routes: Vec<RouteStep>,
    /// Not tried.
    pub left_out: Vec<RouteLeftOut>,
    /// Why nobody would be asked; none where somebody would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RpcError>,
}
