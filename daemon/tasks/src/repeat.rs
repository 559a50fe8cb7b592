//! How something comes again.

use serde::{Deserialize, Serialize};

/// From what the next time is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// From the plan: every Monday, done or not.
    #[default]
    Schedule,
    /// From the day it was done: three days after each time.
    AfterCompletion,
}

impl Basis {
    /// As it stands in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::AfterCompletion => "after_completion",
        }
    }
}

/// A rule by which something comes again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Repeat {
    /// The value of an RFC 5545 `RRULE`, without the property's name: `FREQ=WEEKLY;BYDAY=MO`.
    pub rrule: String,
    /// From what the next time is counted.
    pub basis: Basis,
}
