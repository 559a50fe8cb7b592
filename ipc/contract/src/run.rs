//! Runs: event logs that clients read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{method::method, model::Policy, secret::SecretText};

method!(
    /// Streams a run's events as `run.event` notifications: those after `after_seq`, then new
    /// ones until the terminal one. May be pipelined behind the call that starts the run.
    RunSubscribe, "run.subscribe", RunSubscribeParams => RunSubscribeResponse, 30_000
);
method!(
    /// One run.
    RunGet, "run.get", RunGetParams => RunInfo, 10_000
);
method!(
    /// Runs, newest first.
    RunList, "run.list", RunListParams => RunListResponse, 10_000
);
method!(
    /// Ends a run. Answered when its terminal event is recorded.
    RunCancel, "run.cancel", RunCancelParams => RunInfo, 15_000
);

/// What every call that starts a run takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunOptions {
    /// The same key with the same request answers with the first run, with another request it is
    /// a conflict. Defaults to the run id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What happens when nobody reads the run's events any more.
    #[serde(default)]
    pub on_last_reader_gone: OnLastReaderGone,
    /// Keep no content: only that the run was, what it cost and what left.
    #[serde(default)]
    pub ephemeral: bool,
    /// `provider/model`, or one word for several (`fast`, `smart`, `code`, `private`, `cheap`, one of
    /// `models.alias`); without it the configuration decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where answers may come from; without it the configuration decides. May only be stricter
    /// than a managed policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Tokens that one answer may have at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u32>,
    /// What the whole run may cost at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_nano_usd: Option<i64>,
    /// The yes to a cost: from the `confirmation_required` that the same request was answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_token: Option<Uuid>,
    /// A person can be asked (a terminal is there): the first cloud use is answered with
    /// `confirmation_required` where no daily cap was ever chosen.
    #[serde(default)]
    pub can_ask: bool,
    /// Keep the answer, and give a kept one to the same question: that costs nothing and sends
    /// nothing. Never with `ephemeral`.
    #[serde(default)]
    pub cache: bool,
    /// The client's own provider keys, by variable: held in memory for this run only, never
    /// stored or logged, and no part of what makes two requests the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, SecretText>,
}

/// What happens when nobody reads a run's events any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLastReaderGone {
    /// After 2 s of grace the run is cancelled.
    #[default]
    Cancel,
    /// The run goes on.
    Continue,
}

/// The answer to a call that starts a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunAccepted {
    /// The run; another than asked for where an idempotency key named an earlier one.
    pub run_id: Uuid,
    /// The same request was accepted before; nothing was started.
    pub replayed: bool,
    /// The run is in the database. False where nothing can be saved (full disk).
    pub saved: bool,
    /// The conversation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Uuid>,
}

/// Which run, from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunSubscribeParams {
    /// The run.
    pub run_id: Uuid,
    /// Events up to this one are known already; 0 for all.
    #[serde(default)]
    pub after_seq: u64,
}

/// The stream is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunSubscribeResponse {
    /// The last durable event at this moment.
    pub last_seq: u64,
}

/// Which run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunGetParams {
    /// The run.
    pub run_id: Uuid,
}

/// Which run to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunCancelParams {
    /// The run.
    pub run_id: Uuid,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// In progress.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Ended by somebody.
    Cancelled,
}

/// A run without its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// UUIDv7, made by the client.
    pub run_id: Uuid,
    /// `review` or `chat`.
    pub kind: String,
    /// Where it stands.
    pub state: RunState,
    /// Git top level, or folder.
    pub root: String,
    /// What is worked on.
    pub selection: String,
    /// Accepted, UTC milliseconds.
    pub started_ms: i64,
    /// Ended, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// Findings that stand, for a complete review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<u32>,
    /// The last durable event.
    pub last_seq: u64,
    /// In the database.
    pub saved: bool,
    /// Slug of the error, for a failed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunListParams {
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only those in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RunState>,
}

/// A page of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunListResponse {
    /// Newest first.
    pub runs: Vec<RunInfo>,
    /// For the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
