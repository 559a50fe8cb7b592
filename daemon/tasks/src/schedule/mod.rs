//! What is due and when to look again: pure, with the time as an argument.
//!
//! A [`Plan`] is a task's wall-clock time in a zone, perhaps a rule, and how long before it is
//! reminded of. Nothing of it is an instant but a snooze: when a zone's rules change, the same
//! plan has other instants.
//!
//! # Occurrences
//!
//! An occurrence is known by the instant it was planned for ([`Fire::fire`]). It fires once:
//! [`due_now`] looks only behind `last_fired`, the newest planned instant **not later than now**
//! that has fired. Two that fall on one instant, because a clock jumped, are one.
//!
//! After a pause there is one [`Fire`], the newest, with the number of those before it. Where the
//! clock is set back, what fired stays fired; a caller that keeps what fired gives the newest that
//! is not later than the new now, so that a clock which was wrong for a moment silences nothing:
//!
//! ```text
//! last_fired = SELECT max(fire_ms) FROM occurrence WHERE task_id = ? AND fire_ms <= now
//! ```
//!
//! For a task on which nothing has fired yet it is the instant from which it is to remind: when it
//! was written down.

mod fires;
mod plan;
mod times;

pub use fires::{Fire, LATE_FROM_MS, MISSED_MAX, due_now, next_fire};
pub use plan::{Completed, Plan, REMINDER_MAX_MINUTES, after_completion};
pub use times::{Times, next_due};
