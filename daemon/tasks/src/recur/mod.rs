//! Recurrence rules of RFC 5545, on wall-clock time without a zone, and the way into a zone.
//!
//! [`Rule`] is the value of an `RRULE`, checked. Its occurrences are wall-clock times
//! ([`jiff::civil::DateTime`]) counted from a start; [`at_zone`] makes instants of them.
//!
//! ```
//! use convergio_tasks::recur::Rule;
//! use jiff::civil::date;
//!
//! let rule = Rule::parse("FREQ=MONTHLY;BYDAY=1MO")?;
//! let start = date(2026, 11, 2).at(9, 0, 0, 0);
//! assert_eq!(rule.next_after(start, start), Some(date(2026, 12, 7).at(9, 0, 0, 0)));
//! # Ok::<(), convergio_tasks::recur::RuleError>(())
//! ```
//!
//! # What the RFC leaves open
//!
//! - The start is an occurrence where it fits the rule, and not otherwise.
//! - A day that a month does not have (30 February, 31 April) is left out, not moved.
//! - `UNTIL` as a date holds for the whole of that day. In UTC it needs a zone:
//!   [`Rule::occurrences_in`].
//! - Seconds are the start's. `FREQ=SECONDLY` and `BYSECOND` are refused.
//!
//! # Roads not taken
//!
//! The crate `rrule`: of 500 random rules it gave 11 other times than python-dateutil (by the
//! minute with an interval and hours), needed more than a second for some, and walks from the
//! start every time.
//!
//! # Bounds
//!
//! `INTERVAL` and `COUNT` have a top ([`INTERVAL_MAX`], [`COUNT_MAX`]), and a search looks at a
//! bounded number of days and times; what is found beyond is none. A rule that can never fire is
//! refused where it is read.

mod days;
mod error;
mod filter;
mod parse;
mod rule;
mod show;
mod walk;
mod zone;

pub use error::RuleError;
pub use rule::{COUNT_MAX, Frequency, INTERVAL_MAX, RULE_MAX_BYTES, Rule, Until};
pub use walk::Occurrences;
pub use zone::{Shifted, at_zone};
