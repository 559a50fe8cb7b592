//! The books as a whole: whether they are what they were, all of their rows, and a provider's
//! invoice beside them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    audit::{AttemptRow, TransferRow},
    method::{Empty, method},
    review::Blob,
};

method!(
    /// Replays the books: numbers, hashes, caches, costs and prices.
    UsageVerify, "usage.verify", Empty => UsageVerifyResponse, 300_000
);
method!(
    /// A page of the books' rows, in a fixed order.
    UsageExport, "usage.export", UsageExportParams => UsageExportResponse, 30_000
);
method!(
    /// Compares the books with a provider's export. Without `apply` nothing is changed; with it,
    /// only by rows that are added.
    UsageReconcile, "usage.reconcile", UsageReconcileParams => UsageReconcileResponse, 120_000
);

/// The largest file that `usage.reconcile` reads, in bytes, after decompression.
pub const INVOICE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// What replaying the books found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageVerifyResponse {
    /// Nothing is wrong.
    pub sound: bool,
    /// Sound rows, up to the first that is not.
    pub rows: u64,
    /// The number of the first row that is not what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_bad_seq: Option<i64>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Hex hash of the last row; whoever keeps it elsewhere can tell later that the books before
    /// it are unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Budgets whose cached figures are not those of the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<CacheDifference>,
    /// Attempts whose hold, state, cost or lines are not what their rows and prices make of them;
    /// 100 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptFault>,
    /// Tables of prices that were changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Uuid>,
    /// Numbers of corrections that no invoice stands behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<i64>,
}

/// An attempt that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptFault {
    /// Which.
    pub attempt_id: Uuid,
    /// The number of its first row; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// What is wrong with it.
    pub why: String,
}

/// A budget whose cached figures are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CacheDifference {
    /// The budget.
    pub budget_id: Uuid,
    /// Its window begins, UTC milliseconds.
    pub starts_ms: i64,
    /// Spent, as cached.
    pub cached_posted_nano_usd: i64,
    /// Spent, by the rows.
    pub posted_nano_usd: i64,
    /// Held, as cached.
    pub cached_pending_nano_usd: i64,
    /// Held, by the rows.
    pub pending_nano_usd: i64,
}

/// Which of the books' rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportWhat {
    /// Attempts: what was asked, used and paid.
    #[default]
    Attempts,
    /// Transfers: every movement of money, chained by hashes.
    Transfers,
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageExportParams {
    /// Attempts or transfers.
    #[serde(default)]
    pub what: ExportWhat,
    /// From here on, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Before here, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageExportResponse {
    /// Attempts, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptRow>,
    /// Transfers, by their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<TransferRow>,
    /// For the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows of all pages.
    pub rows_total: u64,
}

/// A file, and what to do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageReconcileParams {
    /// The file, 16 MiB at most after decompression. Never stored.
    pub file: Blob,
    /// The provider's configured name, where the file names none or another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The `digest` of an answer that a person agreed to: what it lists is corrected. Where the
    /// books changed since, `conflict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<String>,
}

/// A file beside the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageReconcileResponse {
    /// `neutral`, `anthropic_cost`, `anthropic_usage`, `openai_cost`, `openai_usage`.
    pub shape: String,
    /// First day of the file, UTC; none for an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_day: Option<String>,
    /// Its last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<String>,
    /// Lines of the file.
    pub lines: u64,
    /// Days of a provider that agree: within 1 % or a cent, whichever is more.
    pub days_within: u64,
    /// By the books, earlier corrections included.
    pub local_nano_usd: i64,
    /// By the provider.
    pub remote_nano_usd: i64,
    /// Calls of these days that are not settled yet.
    pub open: u64,
    /// What differs, by day, provider and model; 1,000 at most.
    pub differences: Vec<UsageDifference>,
    /// Differences beyond that.
    pub differences_more: u64,
    /// Names what differs; `apply` takes it.
    pub digest: String,
    /// What correcting it would add, or has added.
    pub adjust_nano_usd: i64,
    /// Numbers of the rows that were added; none without `apply`.
    pub adjusted: Vec<i64>,
}

/// One day of one model that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageDifference {
    /// UTC: `2026-11-20`.
    pub day: String,
    /// The provider's configured name.
    pub provider: String,
    /// The model; none where the file names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `missing_local`, `missing_remote`, `price_drift`, `usage_drift`.
    pub drift: String,
    /// Calls in the books.
    pub attempts: u64,
    /// By the books, earlier corrections included.
    pub local_nano_usd: i64,
    /// By the provider; none where it names only quantities that have no price here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_nano_usd: Option<i64>,
    /// The provider named that amount; else its quantities have the books' prices.
    pub remote_said: bool,
    /// Quantities by the books.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub local: BTreeMap<String, u64>,
    /// Quantities by the provider.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remote: BTreeMap<String, u64>,
    /// What correcting it adds; none where the provider named no amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjust_nano_usd: Option<i64>,
}
