//! What happens between a question and its answer, whoever asks and whoever answers: which models
//! are tried in which order, when one is tried again, what is shown, what is settled.
//!
//! - [`machine`] decides. It is pure: inputs in, effects out as data.
//! - [`driver`] does the effects through the [`ports`].
//! - [`router`] makes the plan.
//!
//! The engine never sends anything: only what admission permitted reaches a provider, one permit
//! a wire request. It never repeats a call whose answer has begun.

pub mod driver;
pub mod machine;
pub mod ports;
pub mod router;

pub use driver::{Answer, Broken, Failure, ask};
pub use machine::{Effect, Input, Limits, Machine, Outcome};
pub use ports::{
    Admission, Admitted, Ask, Channel, Ending, Refusal, RunLog, Settlement, Shown, Verdict,
};
pub use router::{Candidate, NoModel, Plan, Route, Selection, Target, plan};
