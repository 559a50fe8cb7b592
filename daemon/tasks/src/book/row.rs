//! A task as it is kept.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Repeat;

macro_rules! text_enum {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// As it stands in the database and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(
                value: rusqlite::types::ValueRef<'_>,
            ) -> rusqlite::types::FromSqlResult<Self> {
                Self::from_name(value.as_str()?)
                    .ok_or(rusqlite::types::FromSqlError::InvalidType)
            }
        }
    };
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be done.
    #[default]
    Open,
    /// For somebody or something else; still reminded of.
    Waiting,
    /// Done.
    Done,
    /// Will not be done.
    Cancelled,
}

text_enum!(State {
    Open = "open",
    Waiting = "waiting",
    Done = "done",
    Cancelled = "cancelled",
});

impl State {
    /// It is neither done nor given up.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Open | Self::Waiting)
    }
}

/// How much a task matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// When there is time.
    Low,
    /// As usual.
    Medium,
    /// First.
    High,
}

text_enum!(Priority {
    Low = "low",
    Medium = "medium",
    High = "high",
});

/// What became of a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Written down, on its way to be shown.
    Claimed,
    /// A notification server took it.
    Shown,
    /// Nobody could show it.
    Missed,
    /// Somebody saw it.
    Seen,
    /// Answered by "Done".
    Done,
    /// Answered by "Snooze".
    Snoozed,
    /// Closed by hand, its task is gone, or a newer reminder of it stands for it.
    Dismissed,
}

text_enum!(Fate {
    Claimed = "claimed",
    Shown = "shown",
    Missed = "missed",
    Seen = "seen",
    Done = "done",
    Snoozed = "snoozed",
    Dismissed = "dismissed",
});

impl Fate {
    /// Nobody has answered it yet.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Claimed | Self::Shown | Self::Missed)
    }
}

/// When a task is due: wall clock and zone. The instant follows from them and is kept for order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The first time, from which a rule counts.
    pub start: DateTime,
    /// The time that is due now: the first, or the one that a rule has come to.
    pub due: DateTime,
    /// The same, UTC milliseconds; a whole day's first moment.
    pub due_ms: i64,
    /// IANA name of the zone in which both are read.
    pub zone: String,
    /// It is for a whole day.
    pub all_day: bool,
}

/// The reminder that fires next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// The time that it is for, UTC milliseconds; of a snooze without one, when it fires.
    pub due_ms: i64,
    /// Minutes before it.
    pub before_min: u32,
    /// When it fires, UTC milliseconds.
    pub fire_ms: i64,
}

/// A task as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    /// UUIDv7.
    pub id: Uuid,
    /// For people; never given twice.
    pub number: u64,
    /// SHA-256 of the call that created it.
    #[serde(skip)]
    pub request_hash: Option<[u8; 32]>,
    /// What the calendar calls it that it came from.
    pub uid: Option<String>,
    /// What is to be done, one line.
    pub title: String,
    /// More of it.
    pub notes: String,
    /// Where it stands.
    pub state: State,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// What it belongs to.
    pub project: Option<String>,
    /// The task that it is a part of.
    pub parent: Option<Uuid>,
    /// Sorted, each once.
    pub tags: Vec<String>,
    /// When it is due.
    pub times: Option<Times>,
    /// How it comes again. Only with `times`.
    pub repeat: Option<Repeat>,
    /// Minutes before it is due at which it is reminded of, the most first.
    pub remind_before_min: Vec<u32>,
    /// What fires next.
    pub next: Option<Next>,
    /// What was planned up to here has fired, or was never to.
    pub fired_until_ms: i64,
    /// Not reminded of before, but then.
    pub snoozed_until_ms: Option<i64>,
    /// UTC milliseconds.
    pub created_ms: i64,
    /// UTC milliseconds.
    pub modified_ms: i64,
    /// When it was done; of a repeating one, the last time.
    pub completed_ms: Option<i64>,
    /// When it was removed; such a task is hidden, and purged later.
    pub deleted_ms: Option<i64>,
    /// Goes up with each change that somebody makes.
    pub rev: u64,
}

/// A reminder that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// UUIDv7; the one identity under which it is shown.
    pub id: Uuid,
    /// Its task.
    pub task_id: Uuid,
    /// Its task, for people.
    pub number: u64,
    /// The task's title.
    pub title: String,
    /// The time that it is for, UTC milliseconds; a whole day's first moment.
    pub due_ms: i64,
    /// Minutes before it.
    pub before_min: u32,
    /// Which snooze of it this is; 0 is none.
    pub snooze: u32,
    /// When it should have fired, UTC milliseconds.
    pub fire_ms: i64,
    /// When it did, UTC milliseconds.
    pub fired_ms: i64,
    /// Earlier ones that it stands for.
    pub missed: u32,
    /// What became of it.
    pub state: Fate,
    /// Which notification server showed it, and what that called it.
    pub shown_as: Option<(String, u32)>,
    /// It is for a whole day.
    pub all_day: bool,
    /// The zone of its task; UTC where that has none.
    pub zone: String,
}

/// From here on a reminder is late, in milliseconds.
pub const LATE_MS: i64 = 60_000;

impl Occurrence {
    /// It came a minute or more after its time.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.fired_ms.saturating_sub(self.fire_ms) >= LATE_MS
    }
}

/// Which task: by its number (`12`, `#12`) or its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskRef {
    /// For people.
    Number(u64),
    /// For programs.
    Id(Uuid),
}

impl std::fmt::Display for TaskRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl std::str::FromStr for TaskRef {
    type Err = super::BookError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.trim();
        let digits = bare.strip_prefix('#').unwrap_or(bare);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            if let Ok(number) = digits.parse()
                && number > 0
            {
                return Ok(Self::Number(number));
            }
        } else if let Ok(id) = Uuid::try_parse(bare) {
            return Ok(Self::Id(id));
        }
        let shown: String = bare.chars().take(40).collect();
        Err(super::BookError::invalid(
            "task",
            format!("{shown:?} is neither a task's number nor its id"),
        ))
    }
}
