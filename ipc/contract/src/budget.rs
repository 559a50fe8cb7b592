//! Budgets: what may be spent, and how much of it is left.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Empty, method};

method!(
    /// The budgets and how much of them is used.
    BudgetList, "budget.list", Empty => BudgetListResponse, 10_000
);
method!(
    /// Sets a budget's limit: in the user's configuration file, a token's in the database. What was
    /// used stays used.
    BudgetSet, "budget.set", BudgetSetParams => BudgetListResponse, 10_000
);
method!(
    /// Takes a limit away; the daily one of everybody goes back to the built-in default. What was
    /// used stays used.
    BudgetRemove, "budget.remove", BudgetRemoveParams => BudgetListResponse, 10_000
);
method!(
    /// Which budgets a call would count in, and whether they have room for it. Holds nothing.
    BudgetPreview, "budget.preview", BudgetPreviewParams => BudgetPreviewResponse, 10_000
);

/// One budget in its current window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetInfo {
    /// Whose: `tenant` for everybody, `provider`, `agent`, `plugin`, `token`.
    #[serde(default = "everybody")]
    pub scope: String,
    /// Which provider, agent, plugin or token; empty for everybody.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope_key: String,
    /// `day`, `month`, or `total` for one that never begins anew.
    pub window: String,
    /// The limit.
    pub limit_nano_usd: i64,
    /// Settled in this window.
    pub posted_nano_usd: i64,
    /// Held for calls in progress.
    pub pending_nano_usd: i64,
    /// The window ends, UTC milliseconds; 0 where it never does.
    pub resets_ms: i64,
    /// The user or a policy set the limit; else it is the built-in default.
    pub chosen: bool,
    /// A provider billed more than was held: nothing more is admitted in this window.
    pub frozen: bool,
    /// It is only told, and stops nothing.
    #[serde(default)]
    pub warns: bool,
}

fn everybody() -> String {
    "tenant".to_owned()
}

/// The budgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetListResponse {
    /// As they stand.
    pub budgets: Vec<BudgetInfo>,
}

/// A new limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetSetParams {
    /// `day`, `month`, `run` and `session` for each one of them, `total`.
    pub window: String,
    /// Decimal USD, for instance `2.00`; `0` stops all cloud spending.
    pub limit_usd: String,
    /// Whose; everybody's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<BudgetOf>,
    /// It is only told, and stops nothing. Not for the daily limit of everybody, nor for a token's.
    #[serde(default)]
    pub warns: bool,
}

/// Whose budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scope", content = "name", rename_all = "snake_case")]
pub enum BudgetOf {
    /// What a provider is paid.
    Provider(String),
    /// An agent's.
    Agent(String),
    /// A plugin's.
    Plugin(String),
    /// A token's of the gateway.
    Token(String),
}

/// Which limit goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetRemoveParams {
    /// As in `budget.set`.
    pub window: String,
    /// Whose; everybody's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<BudgetOf>,
}

/// A call that might be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetPreviewParams {
    /// The provider that would be asked.
    pub provider: String,
    /// What it would hold, 0 or more: `cost_max_nano_usd` of `run.preview`.
    pub hold_nano_usd: i64,
    /// The agent that would ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Where it would count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetPreviewResponse {
    /// The budgets, as they are before it.
    pub counts_in: Vec<BudgetRoom>,
    /// Every one that stops has room for it. Where it is false the output is cut to what fits, a
    /// cheaper model is asked, or the call is refused.
    pub fits: bool,
}

/// A budget and a call that would count in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetRoom {
    /// The budget.
    pub budget: BudgetInfo,
    /// What it leaves, 0 or more.
    pub room_nano_usd: i64,
    /// The call's hold fits.
    pub fits: bool,
}
