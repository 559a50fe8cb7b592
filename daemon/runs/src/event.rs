//! What an event is.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::run::{RunState, text_enum};

/// The types of durable events. Text deltas and what is made up for a late reader (gaps,
/// snapshots) are not among them: they have no `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// The run began.
    Started,
    /// A part of an answer, whole.
    Message,
    /// A part of a model's reasoning, whole.
    Reasoning,
    /// A tool is about to run.
    ToolCall,
    /// A tool has run.
    ToolResult,
    /// Somebody must decide.
    ApprovalRequired,
    /// Another agent took over.
    AgentDelegated,
    /// What is going to be done.
    Plan,
    /// A review's finding.
    Finding,
    /// What a review read and what it left out.
    Coverage,
    /// Money runs out.
    BudgetWarning,
    /// A lesser model took over.
    Downgraded,
    /// What was used.
    Usage,
    /// Terminal: ended by itself.
    Completed,
    /// Terminal: ended by an error.
    Failed,
    /// Terminal: ended on request.
    Cancelled,
}

text_enum!(EventType {
    Started = "started",
    Message = "message",
    Reasoning = "reasoning",
    ToolCall = "tool_call",
    ToolResult = "tool_result",
    ApprovalRequired = "approval_required",
    AgentDelegated = "agent_delegated",
    Plan = "plan",
    Finding = "finding",
    Coverage = "coverage",
    BudgetWarning = "budget_warning",
    Downgraded = "downgraded",
    Usage = "usage",
    Completed = "completed",
    Failed = "failed",
    Cancelled = "cancelled",
});

impl EventType {
    /// The state that this event puts its run into, if it is a terminal one.
    #[must_use]
    pub const fn ends_as(self) -> Option<RunState> {
        match self {
            Self::Completed => Some(RunState::Completed),
            Self::Failed => Some(RunState::Failed),
            Self::Cancelled => Some(RunState::Cancelled),
            _ => None,
        }
    }
}

/// One durable event.
#[derive(Debug, Clone)]
pub struct Event {
    /// The run.
    pub run_id: Uuid,
    /// From 1, without a gap.
    pub seq: u64,
    /// What it is.
    pub event_type: EventType,
    /// When it was made, UTC.
    pub at_ms: i64,
    /// One JSON value on one line.
    pub payload: Box<RawValue>,
}

/// A stretch of a run's log.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// In order of `seq`.
    pub events: Vec<Event>,
    /// Whether the log goes on behind them.
    pub more: bool,
}
