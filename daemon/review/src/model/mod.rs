//! What a language model is asked about a diff, and what of its answers stands.
//!
//! Pure like the rest of the crate: no model is called here. [`Review::run_planned`] makes a
//! [`Plan`] of what the rules have already parsed; [`ModelReview`] is a machine that takes what the
//! models answered and says what to ask next and what to show. Whoever drives it makes the calls.
//!
//! What never happens here: a finding is never shown before its second pass, nor without a quote
//! that stands in the change; a reply that was not understood never counts as "no findings"; text
//! of the diff never stands outside of the boundary that names it data; what was not read is never
//! left unsaid.
//!
//! [`Review::run_planned`]: crate::Review::run_planned

mod anchor;
mod fill;
mod hide;
mod lines;
mod machine;
mod masked;
mod plan;
mod prompt;
mod rank;
mod reply;
mod same;
mod schema;
mod summary;
mod synthesis;
mod text;
mod wording;

use std::{fmt, sync::Arc};

pub use hide::Redacted;
pub use lines::Piece;
pub use machine::{Effect, Input, ModelReview};
pub use masked::{Masked, SecretPlace, Unsearched, mask_secrets};
pub use plan::{Chunk, Estimate, Plan, Unplanned, Unread};
pub use reply::{RawFinding, RawSuggestion, Reply, Verdict, Verdicts, parse_reply, parse_verdicts};
pub use schema::{findings_schema, verdicts_schema};
pub use summary::{DropReason, ModelSummary};

/// A ceiling for the tokens of a text. UTF-8 bytes are one for every model in use.
pub type TokenCount = Arc<dyn Fn(&str) -> u64 + Send + Sync>;

/// The rule's name under which findings of a model go.
pub const RULE: &str = "model";

/// How much a model may be given and may answer.
#[derive(Clone)]
pub struct Limits {
    /// What the model takes in one call, input and output together.
    pub context_tokens: u64,
    /// What it may answer per chunk. At most a quarter of the context is used.
    pub max_output_tokens: u32,
    /// Input of one call, so that a large context isn't filled with everything at once.
    pub chunk_input_tokens_max: u64,
    /// Chunks of one review.
    pub chunks_max: u32,
    /// Input of all calls of one review.
    pub input_tokens_max: u64,
    /// Counts tokens.
    pub count: TokenCount,
}

impl Limits {
    /// The defaults: 2,048 tokens of output and 32,000 of input per chunk, 64 chunks, 2,000,000
    /// tokens of input for the review.
    pub fn new(context_tokens: u64, count: TokenCount) -> Self {
        Self {
            context_tokens,
            max_output_tokens: 2_048,
            chunk_input_tokens_max: 32_000,
            chunks_max: 64,
            input_tokens_max: 2_000_000,
            count,
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("context_tokens", &self.context_tokens)
            .field("max_output_tokens", &self.max_output_tokens)
            .field("chunk_input_tokens_max", &self.chunk_input_tokens_max)
            .field("chunks_max", &self.chunks_max)
            .field("input_tokens_max", &self.input_tokens_max)
            .finish_non_exhaustive()
    }
}

/// What a plan is made by.
#[derive(Clone, Debug)]
pub struct PlanSettings {
    /// Tells data from instruction in the prompts.
    pub boundary: Boundary,
    /// How much fits.
    pub limits: Limits,
    /// Hide the secrets that the rules know; due before text goes to a model that is not local.
    pub redact: bool,
    /// What the user asks to look at, in the user's own words: an instruction. The first 500
    /// characters are used.
    pub focus: Option<String>,
    /// The commit's message: data. The first 2,000 characters are used.
    pub commit_text: Option<String>,
}

/// A random mark, drawn for each run, that fences data in prompts: a diff can't know it, so it
/// can't forge the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

/// The text is no boundary.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a boundary is 16 to 64 lower-case hexadecimal digits")]
pub struct BadBoundary;

impl Boundary {
    /// Takes 16 to 64 lower-case hexadecimal digits, which have to be random.
    ///
    /// # Errors
    /// [`BadBoundary`] for anything else.
    pub fn new(nonce: &str) -> Result<Self, BadBoundary> {
        let hexadecimal = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if (16..=64).contains(&nonce.len()) && nonce.bytes().all(hexadecimal) {
            Ok(Self(nonce.to_owned()))
        } else {
            Err(BadBoundary)
        }
    }

    /// The digits.
    pub fn nonce(&self) -> &str {
        &self.0
    }
}

/// One call to a model, as neutral text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Instructions. The same for all calls of one pass, so that it can be cached.
    pub system: String,
    /// The data, fenced.
    pub user: String,
    /// What the answer looks like, for providers that can be held to a schema. The format stands in
    /// `system` too.
    pub schema: Option<serde_json::Value>,
    /// The schema's name, where a provider wants one.
    pub schema_name: &'static str,
    /// Tokens that the answer may have.
    pub max_output_tokens: u32,
}

/// Names one call of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// About what.
    pub part: Part,
    /// To what end.
    pub pass: Pass,
}

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The chunk of this index.
    Chunk(u32),
    /// The changed declarations of all chunks.
    Synthesis,
}

/// What a call is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pass {
    /// Finding faults.
    Find,
    /// Arguing against what was found.
    Argue,
}

/// A fault that the rules have seen here, shown or silenced: the model need not name it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounding {
    /// The rule's id.
    pub rule: String,
    /// The finding's title.
    pub title: String,
    /// Why it is a fault.
    pub reason: String,
    /// The file.
    pub path: String,
    /// First and last line in the new file.
    pub line_range: (u32, u32),
    /// The quoted lines, masked.
    pub evidence: String,
}
