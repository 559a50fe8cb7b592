//! Reviews: a diff goes in, findings come out as events of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    finding::{Coverage, Finding, ReviewSummary, Severity},
    method::{Empty, method},
    model::Preview,
    run::{RunAccepted, RunInfo, RunOptions},
};

method!(
    /// Reviews a diff. Answered when the run is durable; findings follow as events.
    ReviewStart, "review.start", ReviewStartParams => RunAccepted, 60_000
);
method!(
    /// What `review.start` with the same parameters would send to a model, at what cost. Sends
    /// nothing.
    ReviewPreview, "review.preview", ReviewStartParams => Preview, 60_000
);
method!(
    /// The latest complete review of a git top level or folder.
    ReviewLatest, "review.latest", ReviewLatestParams => ReviewLatestResponse, 10_000
);
method!(
    /// Silences one fault in one place from now on.
    ReviewAllow, "review.allow", ReviewAllowParams => Empty, 10_000
);
method!(
    /// What is silenced in a git top level or folder, newest first.
    ReviewSilences, "review.silences", ReviewSilencesParams => ReviewSilencesResponse, 10_000
);
method!(
    /// Ends a silence. Repeating it is harmless.
    ReviewUnallow, "review.unallow", ReviewUnallowParams => ReviewUnallowResponse, 10_000
);

/// How bytes travel inside JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As they are.
    Utf8,
    /// Base64, standard alphabet, padded.
    Base64,
    /// Gzip, then base64.
    Gzip,
}

/// Bytes inside JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blob {
    /// How `data` is encoded.
    pub encoding: Encoding,
    /// The bytes.
    pub data: String,
}

/// What to review, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewStartParams {
    /// UUIDv7, made by the client, so that `run.subscribe` can be pipelined.
    pub run_id: Uuid,
    /// The diff, 64 MiB at most after decompression. Never stored.
    pub diff: Blob,
    /// Git top level, or the client's folder; absolute.
    pub root: String,
    /// What was selected: `stdin`, `worktree`, `staged`, `base main`, `HEAD~1` … Reviews of the
    /// same root and selection are compared with each other.
    pub selection: String,
    /// The commit that the diff starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_sha: Option<String>,
    /// `.convergio/review.toml` as it stands at the base, never as the diff leaves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_silences: Option<String>,
    /// Run the opt-in rules too; without it the configuration decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Only these rules; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Nothing below; without it the configuration decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Severity>,
    /// Let the rules alone look, whatever models there are.
    #[serde(default)]
    pub no_model: bool,
    /// What the model should look for above all; the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<String>,
    /// What every run takes.
    #[serde(flatten)]
    pub options: RunOptions,
}

/// Of which folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewLatestParams {
    /// Git top level, or folder; absolute.
    pub root: String,
}

/// The latest complete review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewLatestResponse {
    /// Its run.
    pub run: RunInfo,
    /// Findings that stand, in order of discovery.
    pub findings: Vec<Finding>,
    /// What was read.
    pub coverage: Coverage,
    /// The numbers.
    pub summary: ReviewSummary,
}

/// What to silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewAllowParams {
    /// Git top level, or folder; absolute.
    pub root: String,
    /// The finding's fingerprint.
    pub fingerprint: String,
    /// Its rule.
    pub rule: String,
    /// Why it is no fault here; not empty.
    pub reason: String,
}

/// The silences of which folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewSilencesParams {
    /// Git top level, or folder; absolute.
    pub root: String,
    /// Only those whose fingerprint starts so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Rows at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A fault that is silenced in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordedSilence {
    /// The finding's fingerprint.
    pub fingerprint: String,
    /// Its rule.
    pub rule: String,
    /// Why it is no fault there.
    pub reason: String,
    /// Since when, UTC milliseconds.
    pub created_ms: i64,
}

/// Silences, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewSilencesResponse {
    /// Newest first.
    pub silences: Vec<RecordedSilence>,
    /// How many there are, those beyond the limit too.
    pub total: u32,
}

/// Which silence ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewUnallowParams {
    /// As in `review.allow`.
    pub root: String,
    /// As in `review.allow`.
    pub fingerprint: String,
}

/// Whether a silence ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewUnallowResponse {
    /// False if there was none.
    pub removed: bool,
}
