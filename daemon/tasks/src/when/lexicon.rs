//! The words of a language. Phrases are written as tokens: lower case, without accents, one space
//! where an apostrophe or nothing stood.

use jiff::civil::Weekday;

use super::Language;
use super::piece::{Freq, PartOfDay, Strength, Unit};

mod english;
mod italian;

/// A word of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hand {
    Noon,
    Midnight,
}

type Table<T> = &'static [(&'static str, T)];
type Phrases = &'static [&'static str];

/// All that a language says.
pub(super) struct Lexicon {
    pub(super) language: Language,
    pub(super) weekdays: Table<Weekday>,
    /// Names that are other words as well, alone.
    pub(super) weak_names: Phrases,
    /// `mondays`: each of them.
    pub(super) weekdays_each: Table<Weekday>,
    pub(super) months: Table<i8>,
    /// Feasts on the same day of each year.
    pub(super) feasts: Table<(i8, i8)>,
    pub(super) units: Table<(Unit, i64)>,
    pub(super) this: Phrases,
    pub(super) next_before: Phrases,
    pub(super) next_behind: Phrases,
    pub(super) last_before: Phrases,
    pub(super) last_behind: Phrases,
    pub(super) after_next_behind: Phrases,
    pub(super) now: Phrases,
    pub(super) days: Table<i32>,
    /// Parts of a day: which, days from today where the words say it.
    pub(super) parts: Table<(PartOfDay, Option<i32>, Strength)>,
    /// Before an hour.
    pub(super) at: Phrases,
    pub(super) hands: Table<Hand>,
    pub(super) meridiem: Table<bool>,
    pub(super) oclock: Phrases,
    /// `half past`, `a quarter past`, `a quarter to`: minutes before the hour's number.
    pub(super) minutes_before: Table<i32>,
    /// `past`: +1, `to`: -1, behind a number of minutes.
    pub(super) past_to: Table<i32>,
    /// Behind the hour: `e mezza`, `meno un quarto`.
    pub(super) minutes_behind: Table<i32>,
    /// `e`: +1, `meno`: -1, between hour and minutes.
    pub(super) plus_minus: Table<i32>,
    /// Lengths in one phrase: seconds.
    pub(super) lengths: Table<i64>,
    pub(super) one: Phrases,
    pub(super) pair: Phrases,
    pub(super) and: Phrases,
    pub(super) half: Phrases,
    pub(super) quarter: Phrases,
    pub(super) in_before: Phrases,
    pub(super) in_behind: Phrases,
    pub(super) ago: Phrases,
    pub(super) from_day: Phrases,
    /// Between the day's number and its month.
    pub(super) of: Phrases,
    /// Before a day's number, which it makes a date: `the 15th`, `il 15`.
    pub(super) day_number: Phrases,
    /// `of the month`: months from this one; none: the next in which it comes.
    pub(super) of_month: Table<Option<i32>>,
    pub(super) of_every_month: Phrases,
    pub(super) last: Phrases,
    pub(super) day: Phrases,
    pub(super) edges: Table<bool>,
    pub(super) edge_periods: Table<(Unit, i32)>,
    pub(super) periods: Table<(Unit, i32, Strength)>,
    pub(super) weekends: Table<i32>,
    pub(super) every: Phrases,
    pub(super) other: Phrases,
    pub(super) workdays: Phrases,
    pub(super) weekend_days: Phrases,
    /// Working days or weekends with an "every" in them.
    pub(super) each: Table<(Each, Strength)>,
    pub(super) done: Phrases,
    pub(super) until: Phrases,
    pub(super) start: Phrases,
    pub(super) times: Phrases,
    pub(super) during: Phrases,
    pub(super) zone_before: Phrases,
    pub(super) zone_behind: Phrases,
    pub(super) cities: Table<&'static str>,
    /// Say nothing of their own before a piece.
    pub(super) fillers: Phrases,
    /// Make an interval of what follows.
    pub(super) ranges: Phrases,
}

/// What comes again, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    Every(Freq, u32),
    Workday,
    Weekend,
    Part(PartOfDay),
}

impl Lexicon {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &english::WORDS,
            Language::Italian => &italian::WORDS,
        }
    }
}
