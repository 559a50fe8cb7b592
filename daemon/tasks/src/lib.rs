//! Tasks and reminders: what is to be done, when it is due, what of it was shown.
//!
//! Five pure rooms, each without I/O and with time as an argument, and one with the SQL:
//!
//! - [`when`]: dates in English and Italian become due times and rules.
//! - [`recur`]: RFC 5545 recurrence rules, on wall-clock time, put into a zone.
//! - [`schedule`]: which occurrence is due, what was missed, when to look again.
//! - [`ics`]: iCalendar in and out.
//! - [`filter`]: words that say which tasks are meant.
//! - [`book`]: the tables of tasks and occurrences.

pub mod book;
pub mod filter;
pub mod ics;
pub mod recur;
mod repeat;
pub mod schedule;
pub mod when;

pub use repeat::{Basis, Repeat};
