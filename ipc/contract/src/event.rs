//! The events of a run: the only way in which a client learns what happens in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    budget::BudgetInfo,
    chat::{AnswerSummary, Stop},
    error::RpcError,
    finding::{Coverage, Finding, ReviewSummary},
    model::{Attempt, UsageReport},
};

/// The notification that carries a [`RunEvent`].
pub const RUN_EVENT: &str = "run.event";

/// The notification that carries a [`RunClosed`].
pub const RUN_CLOSED: &str = "run.closed";

/// A subscription ended before its run did: the client did not read for 30 s. What follows
/// `after_seq` is had by subscribing again; the connection still counts as a reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunClosed {
    /// The run.
    pub run_id: Uuid,
    /// No event after this one was sent.
    pub after_seq: u64,
}

/// One event of one run. `seq` counts durable events only, from 1, without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEvent {
    /// The run.
    pub run_id: Uuid,
    /// Number of a durable event; sent only after its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When it was recorded, UTC milliseconds.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// The run was accepted.
    Started {
        /// `review` or `chat`.
        kind: String,
        /// What is worked on.
        selection: String,
    },
    /// A model is about to be asked; durable before the first byte leaves.
    Plan(Box<Attempt>),
    /// More of an answer, not durable: text that goes on at `offset` of its part. When the part
    /// ends all of it is in a `message`.
    Delta {
        /// The last durable event before it.
        after_seq: u64,
        /// Which part of the answer, from 0.
        part: u32,
        /// Where the text stands in its part, in bytes.
        offset: u64,
        /// The text.
        text: String,
    },
    /// More of a model's reasoning, not durable.
    Reasoning {
        /// The last durable event before it.
        after_seq: u64,
        /// Which part of the answer, from 0.
        part: u32,
        /// Where the text stands in its part, in bytes.
        offset: u64,
        /// The text.
        text: String,
    },
    /// A part of the answer, whole, as far as it came.
    Message {
        /// Which part, from 0.
        part: u32,
        /// All of it.
        text: String,
        /// Why it ended; anything but `end` means that it is not all that there should be.
        stop: Stop,
    },
    /// An attempt was settled.
    Usage(Box<UsageReport>),
    /// A budget is used to more than four fifths.
    BudgetWarning(Box<BudgetInfo>),
    /// Less was asked for than wanted, because of a budget.
    Downgraded {
        /// What was wanted: `max_output 4096`, a model …
        from: String,
        /// What it became.
        to: String,
        /// Why.
        reason: String,
    },
    /// A fault. Emitted is final.
    Finding(Box<Finding>),
    /// What was read and what was not.
    Coverage(Coverage),
    /// Events from `from_seq` to `to_seq` are no longer kept.
    Gap {
        /// First missing.
        from_seq: u64,
        /// Last missing.
        to_seq: u64,
    },
    /// The run ended well; terminal.
    Completed {
        /// The numbers, for a review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<ReviewSummary>,
        /// The numbers, for an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Box<AnswerSummary>>,
    },
    /// The run ended badly; terminal.
    Failed {
        /// Why.
        error: RpcError,
    },
    /// Somebody ended the run; terminal.
    Cancelled {
        /// Who or what.
        reason: String,
    },
}

impl EventBody {
    /// After this one there is no other.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled { .. } => true,
            Self::Started { .. }
            | Self::Plan(_)
            | Self::Delta { .. }
            | Self::Reasoning { .. }
            | Self::Message { .. }
            | Self::Usage(_)
            | Self::BudgetWarning(_)
            | Self::Downgraded { .. }
            | Self::Finding(_)
            | Self::Coverage(_)
            | Self::Gap { .. } => false,
        }
    }

    /// The value of `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Plan(_) => "plan",
            Self::Delta { .. } => "delta",
            Self::Reasoning { .. } => "reasoning",
            Self::Message { .. } => "message",
            Self::Usage(_) => "usage",
            Self::BudgetWarning(_) => "budget_warning",
            Self::Downgraded { .. } => "downgraded",
            Self::Finding(_) => "finding",
            Self::Coverage(_) => "coverage",
            Self::Gap { .. } => "gap",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}
