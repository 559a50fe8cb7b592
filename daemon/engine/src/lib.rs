//! What happens between a question and its answer, whoever asks and whoever answers: which models
//! are tried in which order, when one is tried again, what is shown, what is settled.
//!
//! - [`router`] makes the plan, and says why: [`causes`] tell which failures lead on to which
//!   model, [`health`] who is left alone for now.
//! - [`machine`] decides. It is pure: inputs in, effects out as data.
//! - [`driver`] does the effects through the [`ports`].
//!
//! The engine never sends anything: only what admission permitted reaches a provider, one permit
//! a wire request. It never repeats a call whose answer has begun.

pub mod causes;
pub mod driver;
pub mod health;
pub mod machine;
pub mod ports;
pub mod router;

pub use causes::{Cause, Causes};
pub use driver::{Answer, Broken, Failure, ask};
pub use health::{BreakerLimits, Cooling, Health, State};
pub use machine::{Effect, Input, Limits, Machine, Outcome, Step};
pub use ports::{
    Admission, Admitted, Ask, Channel, Ending, Instead, Refusal, RunLog, Settlement, Shown, Verdict,
};
pub use router::{
    Candidate, Facts, Fallback, Ladder, LeftOut, Need, Needs, NoModel, Plan, Route, Selection,
    Target, Unfit, plan,
};
