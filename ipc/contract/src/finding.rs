//! What a review found, as it travels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RpcError;

/// How bad a fault is; ordered, `Critical` is the greatest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look; nothing breaks.
    Nit,
    /// A small fault.
    Minor,
    /// A fault that bites in production.
    Major,
    /// Security, data loss or certain failure.
    Critical,
}

impl Severity {
    /// All, worst first.
    pub const ALL: &[Self] = &[Self::Critical, Self::Major, Self::Minor, Self::Nit];

    /// The name on the wire and in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Nit => "nit",
        }
    }
}

/// Compared with the last complete review of the same selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    /// Not there last time.
    New,
    /// There last time too.
    Persisting,
    /// There last time, gone now.
    Resolved,
}

/// A complete replacement for whole lines of the new file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// First and last line replaced, 1-based, inclusive.
    pub line_range: (u32, u32),
    /// The lines that must stand there now, joined by `\n`.
    pub original: String,
    /// What to put there, at most ten lines; `null` removes the lines.
    pub replacement: Option<String>,
}

/// One fault that a change introduces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The N of `cv fix N` and `cv allow N`: 1-based, in the order of discovery; 0 for a
    /// resolved one.
    pub n: u32,
    /// Rule id, or `model`.
    pub rule: String,
    /// Names the fault, at most 80 characters.
    pub title: String,
    /// One paragraph: why, and what to do.
    pub body: String,
    /// How bad.
    pub severity: Severity,
    /// How sure, 0 to 1.
    pub confidence: f32,
    /// Path in the new tree, `/`-separated, relative to the run's root.
    pub path: String,
    /// First and last line, 1-based, inclusive, in the new file.
    pub line_range: (u32, u32),
    /// Columns on the first line, 1-based characters, end exclusive; none where whole lines are
    /// the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<(u32, u32)>,
    /// The quoted lines, secrets masked.
    pub evidence: String,
    /// A concrete scenario in which it bites.
    pub trigger: String,
    /// A remedy that `cv fix N` applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
    /// Hex SHA-256; names the fault across reviews.
    pub fingerprint: String,
    /// Against the last complete review of the same selection.
    pub status: FindingStatus,
}

/// A file that was left out of the review, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOutFile {
    /// Its path.
    pub path: String,
    /// `binary`, `lock file`, `generated`, `vendored`, `minified`, `deleted` …
    pub reason: String,
}

/// What was read and what was not. Files left out by rule count as covered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Files of the diff.
    pub files_total: u32,
    /// Files reviewed, those left out by rule not counted.
    pub files_reviewed: u32,
    /// Files left out by rule, each with its reason.
    pub left_out: Vec<LeftOutFile>,
    /// Files left out by rule beyond those that are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out_more: u32,
    /// What should have been reviewed and was not, a sentence each; not empty means exit 6.
    pub unreviewed: Vec<String>,
    /// Added lines that were reviewed.
    pub lines_reviewed: u64,
}

/// A finding that a silence took off the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilencedFinding {
    /// Rule id.
    pub rule: String,
    /// Path and line.
    pub path: String,
    /// Line in the new file.
    pub line: u32,
    /// The reviewed change itself brought the silence.
    pub by_this_change: bool,
}

/// The numbers at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewSummary {
    /// Findings that stand (new and persisting).
    pub findings: u32,
    /// Of these, by severity.
    pub critical: u32,
    /// Of these, by severity.
    pub major: u32,
    /// Of these, by severity.
    pub minor: u32,
    /// Of these, by severity.
    pub nit: u32,
    /// Found for the first time.
    pub new: u32,
    /// Found last time too.
    pub persisting: u32,
    /// Found last time, gone now.
    pub resolved: u32,
    /// Whether there was an earlier review of the same selection to compare with.
    pub compared: bool,
    /// Findings beyond a rule's per-file cap, which are counted and not listed.
    pub held_back: u32,
    /// What silences took off the list.
    pub silenced: Vec<SilencedFinding>,
    /// Silenced findings beyond those that are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silenced_more: u32,
    /// Time in the daemon from acceptance to the end.
    pub duration_ms: u64,
    /// `rules only`, or the model's name.
    pub reviewer: String,
    /// Bytes that left this machine for this review.
    pub bytes_sent: u64,
    /// False where the result could not be saved.
    pub saved: bool,
    /// What a model did; none where only the rules looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelLayer>,
}

/// What a model did in a review.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelLayer {
    /// `provider/model`.
    pub name: String,
    /// Runs on this machine.
    pub local: bool,
    /// It looked at everything that it was given.
    pub complete: bool,
    /// Why it did not, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RpcError>,
    /// Parts that the diff was cut into.
    pub chunks: u32,
    /// Parts that the model looked at.
    pub chunks_done: u32,
    /// Findings that it proposed.
    pub proposed: u32,
    /// Dropped, because what they quote does not stand there.
    pub unanchored: u32,
    /// Dropped by the second look.
    pub rejected: u32,
    /// Dropped, because they were known already.
    pub duplicates: u32,
    /// Secrets that were masked in what was sent.
    pub redactions: u32,
    /// Input tokens; none where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Output tokens; none where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// What it cost.
    pub amount_nano_usd: i64,
    /// Some of it is an estimate, because a provider did not say.
    #[serde(default)]
    pub estimated: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
