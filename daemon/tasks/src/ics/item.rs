//! What of a calendar a task is made of.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use crate::Basis;
use crate::recur::Rule;

/// What an item was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `VTODO`.
    #[default]
    Todo,
    /// `VEVENT`: due when it starts.
    Event,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// To be done.
    #[default]
    Open,
    /// For somebody or something else. Written as a property of ours, to others it is open.
    Waiting,
    /// Done.
    Done,
    /// Will not be done.
    Cancelled,
}

/// When an item is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// A whole day.
    Day(Date),
    /// Wall clock, wherever one is.
    Floating(DateTime),
    /// Wall clock of a zone.
    Zoned {
        /// The wall clock.
        at: DateTime,
        /// IANA name.
        zone: String,
    },
    /// An instant.
    Utc(Timestamp),
}

/// A task of a calendar. Its texts are what stood there, line breaks and all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Task or event.
    pub kind: Kind,
    /// What it is known by in its calendar.
    pub uid: Option<String>,
    /// `SUMMARY`; empty where there was none.
    pub title: String,
    /// `DESCRIPTION`.
    pub notes: String,
    /// When it is due.
    pub due: Option<Due>,
    /// How it comes again.
    pub rule: Option<Rule>,
    /// From what the next time is counted. After completion is a property of ours.
    pub basis: Basis,
    /// 1 is the highest, 9 the lowest; 1 to 4 are commonly high, 5 medium, 6 to 9 low.
    pub priority: Option<u8>,
    /// `CATEGORIES`.
    pub tags: Vec<String>,
    /// A property of ours.
    pub project: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// When it was done.
    pub completed: Option<Timestamp>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last changed.
    pub modified: Option<Timestamp>,
    /// The `uid` of what it is a part of.
    pub parent: Option<String>,
    /// Minutes before it is due at which it reminds, ascending.
    pub reminders: Vec<u32>,
}
