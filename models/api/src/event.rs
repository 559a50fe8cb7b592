//! The events of an answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    End,
    /// It reached `max_output`: the answer is cut.
    MaxOutput,
    /// It reached the model's context.
    ContextFull,
    /// It met a stop sequence.
    StopSequence,
    /// It wants a tool.
    ToolUse,
    /// It refused.
    Refusal,
    /// The provider's filter ended it.
    ContentFilter,
    /// Something that only the provider's documentation knows.
    Other(String),
}

impl StopReason {
    /// The answer is whole.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::End | Self::StopSequence | Self::ToolUse)
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "end",
            Self::MaxOutput => "max_output",
            Self::ContextFull => "context_full",
            Self::StopSequence => "stop_sequence",
            Self::ToolUse => "tool_use",
            Self::Refusal => "refusal",
            Self::ContentFilter => "content_filter",
            Self::Other(name) => name,
        })
    }
}

/// One event of an answer. A stream that ends without [`ModelEvent::Stop`] and without an error
/// does not exist: a provider's stream that breaks off is an error of class `broken_stream`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time exists, and a box would cost an allocation where none is needed"
)]
pub enum ModelEvent {
    /// The provider took the request.
    Started {
        /// Its own name for the call.
        request_id: Option<String>,
        /// The model that answers, where it names one.
        model: Option<String>,
    },
    /// More of the answer; never empty, whole characters.
    Text(String),
    /// More of the model's reasoning.
    Reasoning(String),
    /// What the provider wants back unchanged with the reasoning that came last.
    ReasoningSignature(String),
    /// A piece of reasoning whose text is withheld: what the provider wants back unchanged.
    RedactedReasoning(String),
    /// The model begins to call a tool. Calls are numbered from 0 in the order in which they begin,
    /// whatever numbers the provider gives them.
    ToolCall {
        /// Which call.
        index: u32,
        /// Names the call; made by the dialect where the provider gives none.
        id: String,
        /// The tool.
        name: String,
        /// What the provider wants back unchanged with the call.
        signature: Option<String>,
    },
    /// More of the arguments of a call that began. Before the answer stops all of a call's pieces
    /// together are one JSON object; a dialect that finds something else fails the answer.
    ToolArguments {
        /// Which call.
        index: u32,
        /// JSON text; never empty, cut anywhere between characters.
        json: String,
    },
    /// What the call used so far: replaces what was said before.
    Usage(Usage),
    /// The last event but for a `Usage` that some providers send behind it.
    Stop(StopReason),
}
