//! A run's cost looked at afterwards: why it is what it is, and what of it is not believed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    method::{Empty, method},
    privacy::EgressRow,
};

method!(
    /// Why a run cost what it did: every attempt, what was held, which prices held, each line.
    UsageWhy, "usage.why", UsageWhyParams => UsageWhyResponse, 20_000
);
method!(
    /// Marks an attempt whose bill somebody does not believe, or takes the mark back; answers with
    /// the evidence.
    UsageDispute, "usage.dispute", UsageDisputeParams => UsageDisputeResponse, 20_000
);
method!(
    /// The marked attempts, the latest first.
    UsageDisputes, "usage.disputes", Empty => UsageDisputesResponse, 10_000
);

/// Which run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWhyParams {
    /// The id of a run or of an attempt, or 4 or more of its first or last digits; without it, the
    /// latest run that asked a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Why a run cost what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWhyResponse {
    /// The run.
    pub run_id: Uuid,
    /// Its events are still kept; without them nobody knows why a model was chosen.
    pub events_kept: bool,
    /// In their order.
    pub attempts: Vec<WhyAttempt>,
    /// What they came to.
    pub amount_nano_usd: i64,
}

/// One attempt, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyAttempt {
    /// Its row.
    pub attempt: AttemptRow,
    /// Why this model, or why again; none where the run's events are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// What was less than wanted because of a budget: `max_output 4096 → max_output 512: …`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downgraded: Vec<String>,
    /// What was held before the call; none for a model on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<WhyHold>,
    /// The budgets that it counted in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<WhyBudget>,
    /// The prices; none for a model on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<WhyPrices>,
    /// What was used and what that cost; empty where nothing was billed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<WhyLine>,
    /// What the provider billed beyond the hold.
    #[serde(default)]
    pub overage_nano_usd: i64,
    /// What left this machine for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<EgressRow>,
    /// Its rows in the books.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<TransferRow>,
    /// It is marked as disputed, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<DisputeInfo>,
}

/// What was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyHold {
    /// Input tokens at most.
    pub input_tokens_max: u64,
    /// Output tokens at most.
    pub output_tokens_max: u64,
    /// The dearest rate of the input that may have applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<WhyStep>,
    /// The dearest rate of the output that may have applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<WhyStep>,
    /// Both together, rounded up.
    pub amount_nano_usd: i64,
}

/// A budget's window that a hold counted in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyBudget {
    /// `the daily budget`, `the monthly budget of provider x` …
    pub name: String,
    /// Its limit now.
    pub limit_nano_usd: i64,
    /// The window begins, UTC milliseconds; none for a run's or a session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_ms: Option<i64>,
    /// The window ends, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<i64>,
}

/// A table of prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyPrices {
    /// Its id.
    pub version_id: Uuid,
    /// Where it comes from.
    pub source: String,
    /// Hex SHA-256 of its prices.
    pub sha256: String,
    /// Since when it holds, UTC milliseconds.
    pub effective_from_ms: i64,
    /// When it was first used here, UTC milliseconds.
    pub recorded_ms: i64,
}

/// One line of a bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyLine {
    /// `in_uncached`, `out_text` …
    pub resource: String,
    /// How much of it.
    pub quantity: u64,
    /// Whose price it has; another resource's where it has none of its own.
    pub priced_as: String,
    /// The rates that applied.
    pub steps: Vec<WhyStep>,
    /// The sum of the steps, rounded half to even once.
    pub amount_nano_usd: i64,
}

/// A quantity at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyStep {
    /// Units.
    pub quantity: u64,
    /// Nano-USD for a million of them.
    pub nano_usd_per_million: i64,
}

/// One call of a model, as the books have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptRow {
    /// Its id.
    pub attempt_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// Its number within the run, from 1.
    pub n: u32,
    /// The conversation.
    pub session_id: Option<Uuid>,
    /// The agent.
    pub agent: Option<String>,
    /// The program that asked.
    pub client: Option<String>,
    /// The token that it came in with.
    pub token: Option<String>,
    /// The folder.
    pub cwd: Option<String>,
    /// The provider's configured name.
    pub provider: String,
    /// The model that was asked.
    pub model: String,
    /// The model that answered, where it said so.
    pub answered_by: Option<String>,
    /// It ran on this machine.
    pub local: bool,
    /// The policy that allowed it.
    pub policy: String,
    /// `reserved`, `dispatched`, `settled`, `voided`, `unknown`.
    pub state: String,
    /// Why it stopped.
    pub stop: Option<String>,
    /// The provider's name for the call.
    pub provider_req_id: Option<String>,
    /// The table of prices.
    pub price_version_id: Option<Uuid>,
    /// What was held.
    pub hold_nano_usd: i64,
    /// What it cost; none while it is under way.
    pub amount_nano_usd: Option<i64>,
    /// Where the figures come from: `reported`, `estimate`, `estimate_ceiling`, `nothing`.
    pub source: Option<String>,
    /// The provider's figures contradicted each other; the higher ones were taken.
    pub inconsistent: bool,
    /// Quantities by resource.
    pub usage: BTreeMap<String, u64>,
    /// What they cost, by resource.
    pub lines_nano_usd: BTreeMap<String, i64>,
    /// Admitted, UTC milliseconds.
    pub started_ms: i64,
    /// Ended, UTC milliseconds.
    pub ended_ms: Option<i64>,
}

/// One movement of money, as the books have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransferRow {
    /// Its number, from 1, without a gap.
    pub seq: i64,
    /// Its id.
    pub transfer_id: Uuid,
    /// `pending`, `post`, `void`, `expire`, `overage`, `adjust`, `grant`.
    pub kind: String,
    /// The hold that it resolves.
    pub pending_id: Option<Uuid>,
    /// The account that is charged.
    pub debit: String,
    /// The account that is credited.
    pub credit: String,
    /// `nano_usd`, or a quota.
    pub unit: String,
    /// How much.
    pub amount: i64,
    /// The attempt.
    pub attempt_id: Option<Uuid>,
    /// When, UTC milliseconds.
    pub wall_ms: i64,
    /// The machine's boot.
    pub boot_id: Uuid,
    /// Monotonic nanoseconds since then.
    pub mono_ns: i64,
    /// Hex hash of the row before.
    pub prev_hash: String,
    /// Hex SHA-256 over that and this row's canonical JSON.
    pub hash: String,
}

/// Which attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageDisputeParams {
    /// The attempt's id, or 4 or more of its first or last digits.
    pub attempt: String,
    /// Why, in a person's words; 2,000 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Takes the mark back.
    #[serde(default)]
    pub withdraw: bool,
}

/// The mark and the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageDisputeResponse {
    /// The mark as it stands.
    pub dispute: DisputeInfo,
    /// All that the books know of the attempt. No text of question or answer is in it.
    pub evidence: Box<WhyAttempt>,
}

/// A marked attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DisputeInfo {
    /// Which.
    pub attempt_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// `provider/model`.
    pub model: String,
    /// What it cost by the books.
    pub amount_nano_usd: i64,
    /// Why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Since when, UTC milliseconds.
    pub opened_ms: i64,
    /// Until when; none while it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_ms: Option<i64>,
}

/// The marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageDisputesResponse {
    /// The latest first; withdrawn ones too.
    pub disputes: Vec<DisputeInfo>,
}
