//! Dates in natural language, English and Italian: a fixed grammar, no guess that is not told.
//!
//! [`parse`] takes a phrase that is a date and nothing else; [`extract`] finds the date in a
//! sentence and leaves the rest as a title. Words of both languages may stand side by side. What is
//! understood in more than one way that people use is [`Answer::Several`]; what is not understood
//! is an error that names the word. What was decided where speakers differ:
//!
//! - Hours 7 to 12 beside a day are what a 24-hour clock shows: "tomorrow at 9" is 09:00. Hours 1
//!   to 6 without morning or evening are asked about. Without a day the next time on a clock of 24
//!   hours is taken if it is also the next on one of 12; else both are readings. 0:00, 13:00 and
//!   more, and hours with a leading zero are never asked about, nor are digits with a colon where the
//!   user's language is Italian, which counts to 24.
//! - A morning is 09:00, an afternoon 15:00, an evening 19:00, today's evening ("tonight", "this
//!   evening", "stasera") 20:00, a night 22:00, "stanotte" 23:00. Midnight beside a day may be the
//!   night before or after it.
//! - "friday" is the next Friday after today; with an hour still to come on a Friday, today is a
//!   second reading. "next friday" is the first Friday after today, as independent English parsers
//!   read it, and asked about where that is tomorrow. "venerdì prossimo" is Friday of next week
//!   where this week's has passed, and asked about where it has not.
//! - "in 3 days" keeps the hour; "in 3 days at 9" and days by name do not. Hours, minutes and
//!   seconds are absolute time, everything else wall-clock time.
//! - A week begins on Monday. "next week", "next month", a month alone are their first day.
//! - 3/4 with neither order known is two readings.
//! - A time that clocks skip is shifted forward by the gap; of one that they show twice, the first
//!   is taken. Both are told in [`When::shifted`].
//! - "the 31st of every month" is the last day of a shorter month.
//! - "until june" counts June's last day.

mod describe;
mod draft;
mod error;
mod grammar;
mod hours;
mod lexicon;
mod number;
mod piece;
mod resolve;
mod rule;
mod scan;
mod text;
mod token;

use std::ops::Range;

use jiff::Zoned;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

pub use crate::repeat::{Basis, Repeat};
pub use describe::{describe, describe_repeat, describe_shift, phrase};
pub use error::WhenError;
pub use piece::Why;

/// Bytes of a text at most.
pub const TEXT_MAX_BYTES: usize = 4 << 10;

/// Readings of one text at most; what has more is refused.
pub const READINGS_MAX: usize = 16;

/// A language that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    English,
    /// Italian.
    Italian,
}

/// Which number of 3/4 is the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// The third of April.
    DayMonth,
    /// The fourth of March.
    MonthDay,
}

/// Where and when the words are said.
#[derive(Clone, Debug)]
pub struct Here {
    /// Now, in the user's zone.
    pub now: Zoned,
    /// What is understood; the first is the user's.
    pub languages: Vec<Language>,
    /// How the user writes dates in digits; none: it is asked about.
    pub date_order: Option<DateOrder>,
    /// Take times that have passed, as a filter needs them; else they are an error.
    pub past: bool,
}

impl Here {
    /// Both languages, English first, no order of dates, no past.
    #[must_use]
    pub fn new(now: Zoned) -> Self {
        Self {
            now,
            languages: vec![Language::English, Language::Italian],
            date_order: None,
            past: false,
        }
    }
}

/// When something is due.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The time, or the first moment of the day; of a rule the first time. In the zone that was
    /// named, else in the user's.
    pub due: Zoned,
    /// The whole day is meant.
    pub all_day: bool,
    /// How it comes again.
    pub repeat: Option<Repeat>,
    /// The clocks change just then.
    pub shifted: Option<Shifted>,
    /// Bytes of the text that say it, in order.
    pub spans: Vec<Range<usize>>,
}

impl When {
    /// The wall-clock time that was asked for, from which a rule counts: the first time of a rule
    /// may fall where clocks skip it, and the next ones do not.
    #[must_use]
    pub fn start(&self) -> DateTime {
        match &self.shifted {
            Some(Shifted::Gap { asked }) => *asked,
            _ => self.due.datetime(),
        }
    }
}

/// What became of a time at which clocks change.
#[derive(Clone, Debug, PartialEq)]
pub enum Shifted {
    /// It does not exist; the due time is later by the gap.
    Gap {
        /// What was asked for.
        asked: DateTime,
    },
    /// It exists twice; the due time is the first.
    Overlap {
        /// The second.
        other: Zoned,
    },
}

/// One of several ways to read a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What it says in this way.
    pub when: When,
    /// What tells it from the others.
    pub why: Vec<Why>,
}

impl Reading {
    /// What tells it from the others, in words.
    #[must_use]
    pub fn label(&self, language: Language) -> String {
        describe::label(&self.why, language)
    }
}

/// What a text says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One time.
    One(When),
    /// Two or more, soonest first.
    Several(Vec<Reading>),
    /// No time.
    Nothing,
}

/// A sentence, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted {
    /// What is left of it, on one line.
    pub title: String,
    /// The time in it.
    pub answer: Answer,
}

/// Reads a text that is a date and nothing else.
///
/// # Errors
///
/// Names the first word that is not understood; a time that has passed, contradictions, days that
/// do not exist, texts over [`TEXT_MAX_BYTES`].
pub fn parse(text: &str, here: &Here) -> Result<Answer, WhenError> {
    bounded(text)?;
    let tokens = token::tokens(text);
    if tokens.is_empty() {
        return Ok(Answer::Nothing);
    }
    let hits = scan::whole(text, &tokens, here)?;
    resolve::answer(&hits, here)
}

/// Finds the date in a sentence. Quoted parts are title, and so are numbers and names of months
/// and days that nothing makes a date, and a feast where another word says the day.
///
/// # Errors
///
/// A time that has passed, contradictions and intervals; an hour beside the date that cannot be
/// read, as "at 25" and "at 9 and 10"; texts over [`TEXT_MAX_BYTES`].
pub fn extract(text: &str, here: &Here) -> Result<Extracted, WhenError> {
    bounded(text)?;
    let tokens = token::tokens(text);
    let hits = scan::within(text, &tokens, here)?;
    if hits.is_empty() {
        return Ok(Extracted {
            title: scan::title(text, &[]),
            answer: Answer::Nothing,
        });
    }
    let spans: Vec<Range<usize>> = hits.iter().map(|hit| hit.span.clone()).collect();
    let answer = resolve::answer(&hits, here)?;
    Ok(Extracted {
        title: scan::title(text, &spans),
        answer,
    })
}

fn bounded(text: &str) -> Result<(), WhenError> {
    if text.len() > TEXT_MAX_BYTES {
        return Err(WhenError::TooLong { bytes: text.len() });
    }
    Ok(())
}
