//! What the engine needs of others: admission before every wire request, and the run's log.

use std::{future::Future, sync::Arc};

use convergio_models_api::{
    ErrorClass, ModelEvent, ModelRequest, Permitted, Provider, StopReason, Usage,
};
use uuid::Uuid;

use crate::causes::Cause;

/// What is asked of admission: one wire request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which route of the plan, from 0.
    pub route: usize,
    /// Which attempt of this call it is, from 1.
    pub attempt: u32,
    /// Why this model, or why again, for a person.
    pub reason: String,
    /// The routes that it stands in for, in the order in which they did not answer, and why: those
    /// since the last one that was asked.
    pub instead_of: Vec<Instead>,
}

/// A route that another one stands in for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    /// Which route of the plan did not answer.
    pub route: usize,
    /// Why not.
    pub cause: Cause,
    /// The same, for a person.
    pub why: String,
}

/// Leave to make one wire request: its rows are committed.
pub struct Admitted {
    /// The request with its permit.
    pub request: Permitted<ModelRequest>,
    /// Who answers it.
    pub provider: Arc<dyn Provider>,
}

/// What a refusal means for the rest of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This route does not go; one that is there for this cause may.
    Next(Cause),
    /// No other route may be tried.
    Stop,
}

/// Why a wire request may not be made. Nothing was written and nothing is held.
#[derive(Debug)]
pub struct Refusal<E> {
    /// What it means for the plan.
    pub verdict: Verdict,
    /// Why, in short, for the event of the next attempt.
    pub reason: String,
    /// Why, in full.
    pub error: E,
}

/// Decides about every wire request before it is made.
pub trait Admission: Sync {
    /// A refusal in full.
    type Error: Send;

    /// Admits one wire request; answers after the commit that holds its rows. It ends soon by
    /// itself where nobody wants the answer any more. Dropping the future leaves it open whether
    /// its rows were written: who implements it settles them then.
    fn admit(
        &self,
        ask: Ask,
    ) -> impl Future<Output = Result<Admitted, Refusal<Self::Error>>> + Send;
}

/// What of an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The answer.
    Text,
    /// The model's reasoning.
    Reasoning,
}

/// A piece of an answer, for readers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time exists, and a box would cost an allocation where none is needed"
)]
pub enum Shown {
    /// More text.
    Piece {
        /// Of what.
        channel: Channel,
        /// The part that it belongs to, from 0; parts are counted per channel.
        part: u32,
        /// More of that part.
        text: String,
    },
    /// What is neither text nor the end: a tool's call, its arguments, signatures, usage so far,
    /// the provider's name for the call.
    Event(ModelEvent),
}

/// How a wire request ended, as far as money is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The provider said what it used.
    Reported(Usage),
    /// It broke off, was cancelled, or the provider did not say.
    Partial {
        /// What the provider said so far.
        usage: Usage,
        /// Output tokens at most, by what came.
        counted_output: u64,
    },
    /// Nothing of it can have reached the provider.
    NothingSent,
    /// The provider answered with an error instead of an answer.
    RefusedWhole,
}

/// The end of one wire request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The permit's attempt.
    pub attempt_id: Uuid,
    /// How it ended.
    pub ending: Ending,
    /// The provider's name for the call.
    pub request_id: Option<String>,
    /// The model that answered, where the provider named it.
    pub model: Option<String>,
    /// Why it ended.
    pub stop: Result<StopReason, ErrorClass>,
    /// The patience that the provider asked for.
    pub retry_after_ms: Option<u64>,
    /// Somebody ended it, or what it waited for is gone.
    pub cancelled: bool,
}

/// A run's log, as a call of a model uses it.
pub trait RunLog: Sync {
    /// Shows a piece of the answer to whoever reads. Never waits.
    fn show(&self, shown: Shown);

    /// Takes the end of a wire request. It is in the run's next commit, at the latest in that of
    /// its terminal event. Never waits and never fails: it is called where a future is dropped.
    fn ended(&self, settlement: Settlement);

    /// Commits what [`Self::ended`] took, before a wait. Where that does not work, the next commit
    /// takes it.
    fn settle(&self) -> impl Future<Output = ()> + Send;
}
