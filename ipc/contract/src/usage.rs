//! What was used and what it cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{budget::BudgetInfo, method::method};

method!(
    /// What was used and what it cost.
    UsageQuery, "usage.query", UsageQueryParams => UsageQueryResponse, 20_000
);

/// What rows are summed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    /// Calendar day of the user's time zone.
    #[default]
    Day,
    /// `provider/model`.
    Model,
    /// The provider.
    Provider,
    /// The agent.
    Agent,
    /// The client program.
    Client,
    /// The folder it was called in.
    Cwd,
    /// The token that a program came in with.
    Token,
    /// The run.
    Run,
}

/// Which usage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageQueryParams {
    /// Summed by.
    #[serde(default)]
    pub by: UsageBy,
    /// From here on, UTC milliseconds; without it, 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Before here, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// Only this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// Rows at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageRow {
    /// The day, model, provider, agent, client, folder, token or run.
    pub key: String,
    /// Runs that called a model.
    pub runs: u64,
    /// Wire attempts.
    pub attempts: u64,
    /// Attempts that are not settled yet.
    pub open: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Of them read from a provider's cache.
    #[serde(default)]
    pub cached_input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// What it cost.
    pub amount_nano_usd: i64,
    /// Attempts whose amount is an estimate, because the provider did not say.
    pub estimated: u64,
    /// What is held for attempts that are not settled yet; not in the amount.
    #[serde(default)]
    pub held_nano_usd: i64,
    /// What providers' invoices corrected, below zero where less was billed; not in the amount.
    #[serde(default)]
    pub adjusted_nano_usd: i64,
}

/// The sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageQueryResponse {
    /// Latest, or dearest, first.
    pub rows: Vec<UsageRow>,
    /// Rows beyond the limit.
    pub rows_more: u32,
    /// All of them together.
    pub total: UsageRow,
    /// Calls that a kept answer was given to: nobody was asked, and nothing is in the sums. Of runs
    /// whose log is still there.
    #[serde(default)]
    pub cached: u64,
    /// The budgets as they stand.
    pub budgets: Vec<BudgetInfo>,
}
