//! Why a text is no date.

use std::ops::Range;

use jiff::Zoned;
use jiff::civil::{Date, Weekday};

use super::TEXT_MAX_BYTES;

/// Why a text is no date that can be taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WhenError {
    /// Longer than [`TEXT_MAX_BYTES`].
    #[error("a text of {bytes} bytes is too long to hold a date: {TEXT_MAX_BYTES} at most")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A word that says nothing about a time.
    #[error("'{word}' is not understood as a date or a time")]
    Unknown {
        /// The word.
        word: String,
        /// Where it stands in the text, in bytes.
        span: Range<usize>,
    },
    /// It has passed.
    #[error("{} has passed", moment(.due, *.all_day))]
    Past {
        /// The time.
        due: Box<Zoned>,
        /// A whole day.
        all_day: bool,
    },
    /// Two parts say the same thing twice.
    #[error("'{words}' says {what} that something else says already")]
    Twice {
        /// The part that came second.
        words: String,
        /// What it says.
        what: &'static str,
    },
    /// Two parts that do not go together.
    #[error("{what}")]
    Contradiction {
        /// Which.
        what: String,
    },
    /// A date beside the wrong name of a day.
    #[error("{date} is not a {}", day_name(*.said))]
    Weekday {
        /// The date.
        date: Date,
        /// The day that was said.
        said: Weekday,
    },
    /// Something like 31 February.
    #[error("there is no {what}")]
    NoSuchDay {
        /// The day.
        what: String,
    },
    /// From, before, after, between: no single time.
    #[error(
        "'{words}' makes it a stretch of time; say one time, or put what is no date in quotation marks"
    )]
    Interval {
        /// The word.
        words: String,
    },
    /// A rule without a time.
    #[error("the rule has no time before its end")]
    Never,
    /// Beyond the years that are counted.
    #[error("that is outside the years that can be counted")]
    OutOfRange,
    /// More than can be asked about.
    #[error("it can be read in too many ways")]
    TooManyReadings,
}

fn moment(due: &Zoned, all_day: bool) -> String {
    if all_day {
        due.date().to_string()
    } else {
        due.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
