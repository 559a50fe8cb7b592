//! What goes into a step of the machine, and what comes out.

use convergio_models_api::{ErrorClass, ModelError, ModelEvent, StopReason};

use crate::{
    causes::Causes,
    ports::{Ask, Ending, Shown, Verdict},
};

/// A route, as far as the machine needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Why it is tried.
    pub reason: String,
    /// For which failures of the one before.
    pub on: Causes,
    /// Tokens that it reads and writes at most together, where that is known.
    pub context: Option<u64>,
}

/// Bounds of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts after the first on one route.
    pub retries: u32,
    /// The first wait, doubled with each retry of a route.
    pub backoff_ms: u64,
    /// No wait of our own is longer.
    pub backoff_max_ms: u64,
    /// A provider that wants a longer wait than this is not waited for.
    pub retry_after_max_ms: u64,
    /// The same where another route may answer meanwhile.
    pub wait_beside_max_ms: u64,
    /// All waits together.
    pub wait_total_max_ms: u64,
    /// Bytes of an answer, its reasoning included.
    pub answer_max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            retries: 2,
            backoff_ms: 500,
            backoff_max_ms: 8_000,
            retry_after_max_ms: 60_000,
            wait_beside_max_ms: 5_000,
            wait_total_max_ms: 90_000,
            answer_max_bytes: 4 << 20,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The call begins.
    Start,
    /// The attempt that was asked for may be made.
    Admitted {
        /// Tokens that its answer may have at most.
        max_output: u32,
    },
    /// It may, but nobody wants the answer any more: nothing was sent.
    AdmittedTooLate,
    /// It may not.
    Refused {
        /// Whether another route may be tried.
        verdict: Verdict,
        /// Why, in short.
        reason: String,
    },
    /// The provider said something.
    Event(ModelEvent),
    /// The attempt failed.
    Failed(ModelError),
    /// The provider has nothing more to say.
    StreamEnded,
    /// The wait is over.
    TimerFired,
    /// Nobody wants the answer any more.
    Cancelled,
}

/// What to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask admission for one wire request.
    Admit(Ask),
    /// Make the wire request that was admitted.
    Open,
    /// Show a piece of the answer.
    Show(Shown),
    /// Settle the open attempt; its stream is dropped.
    Settle {
        /// How it ended.
        ending: Ending,
        /// Why.
        stop: Result<StopReason, ErrorClass>,
        /// The patience that the provider asked for.
        retry_after_ms: Option<u64>,
        /// The provider's name for the call.
        request_id: Option<String>,
        /// The model that answered.
        model: Option<String>,
        /// Somebody ended it.
        cancelled: bool,
    },
    /// Commit the settlement, then wait before the next attempt.
    Wait {
        /// So long.
        wait_ms: u64,
    },
    /// The call is over; the last effect.
    Finish(Outcome),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The provider said that it is done.
    Answered(StopReason),
    /// The last attempt failed; what came before is kept.
    Failed(ModelError),
    /// No route was admitted, or none was left after a failure that is told instead.
    Refused,
    /// Somebody ended it.
    Cancelled,
}
