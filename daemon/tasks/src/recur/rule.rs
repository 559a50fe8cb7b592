//! A rule, checked.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::error::RuleError;
use super::parse;
use super::walk::Occurrences;

/// Bytes of a rule's text at most.
pub const RULE_MAX_BYTES: usize = 2 << 10;
/// `INTERVAL` at most.
pub const INTERVAL_MAX: u32 = 1_000_000;
/// `COUNT` at most.
pub const COUNT_MAX: u32 = 100_000;

/// How long one turn of a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Frequency {
    /// By the minute.
    Minutely,
    /// By the hour.
    Hourly,
    /// By the day.
    Daily,
    /// By the week.
    Weekly,
    /// By the month.
    Monthly,
    /// By the year.
    Yearly,
}

/// The last moment of a rule, which is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// The whole of that day.
    Day(Date),
    /// A wall-clock time.
    Local(DateTime),
    /// An instant: [`Rule::occurrences_in`] knows the zone. Elsewhere it is taken as a wall-clock
    /// time.
    Utc(Timestamp),
}

/// A day of the week, perhaps the nth of its month or year; below zero it is counted from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OnDay {
    /// 0 is any.
    pub(super) nth: i8,
    /// 0 is Monday.
    pub(super) weekday: u8,
}

/// The value of an `RRULE`, checked. [`Display`](std::fmt::Display) writes it in one canonical
/// form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    pub(super) freq: Frequency,
    pub(super) interval: u32,
    pub(super) count: Option<u32>,
    pub(super) until: Option<Until>,
    /// Bit n is month n; 0 is all.
    pub(super) months: u16,
    pub(super) week_numbers: Vec<i8>,
    pub(super) year_days: Vec<i16>,
    pub(super) month_days: Vec<i8>,
    pub(super) days: Vec<OnDay>,
    /// Bit n is hour n; 0 is none given.
    pub(super) hours: u32,
    /// Bit n is minute n; 0 is none given.
    pub(super) minutes: u64,
    pub(super) positions: Vec<i16>,
    /// First day of the week; 0 is Monday.
    pub(super) week_start: u8,
}

impl Rule {
    /// Reads the value of an `RRULE`, with or without `RRULE:` before it; small letters do.
    ///
    /// # Errors
    ///
    /// What RFC 5545 does not allow, seconds, what is beyond the bounds, and what never fires.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let rule = parse::read(text)?;
        if rule.never() {
            return Err(RuleError::Never);
        }
        Ok(rule)
    }

    /// How long one turn is.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        self.freq
    }

    /// Every how many turns.
    #[must_use]
    pub fn interval(&self) -> u32 {
        self.interval
    }

    /// How often it fires in all.
    #[must_use]
    pub fn count(&self) -> Option<u32> {
        self.count
    }

    /// The last moment.
    #[must_use]
    pub fn until(&self) -> Option<Until> {
        self.until
    }

    /// The same rule with another number of times, or none; takes `UNTIL`'s place where one is
    /// given. 0 is taken as 1, and more than [`COUNT_MAX`] as that.
    #[must_use]
    pub fn with_count(mut self, count: Option<u32>) -> Self {
        if count.is_some() {
            self.until = None;
        }
        self.count = count.map(|n| n.clamp(1, COUNT_MAX));
        self
    }

    /// The same rule that ends there; takes `COUNT`'s place.
    #[must_use]
    pub fn with_until(mut self, until: Until) -> Self {
        self.count = None;
        self.until = Some(until);
        self
    }

    /// Whether nothing but the start says on which days it fires.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.months == 0
            && self.week_numbers.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.days.is_empty()
            && self.positions.is_empty()
    }

    /// Whether it says at what times of day it fires.
    #[must_use]
    pub fn has_times(&self) -> bool {
        self.hours != 0 || self.minutes != 0
    }

    /// The first occurrence after a wall-clock time. `None`: there is none within the
    /// next 1,000 years.
    ///
    /// With `COUNT` it is counted from the start: [`Rule::occurrences`] is the cheaper for many.
    #[must_use]
    pub fn next_after(&self, start: DateTime, after: DateTime) -> Option<DateTime> {
        self.occurrences(start, Some(after)).next()
    }

    /// The occurrences in order, only those after a wall-clock time where one is given.
    #[must_use]
    pub fn occurrences(&self, start: DateTime, after: Option<DateTime>) -> Occurrences<'_> {
        Occurrences::new(self, start, after, &TimeZone::UTC)
    }

    /// The occurrences in a zone, in its wall-clock time: an `UNTIL` in UTC is an instant there.
    #[must_use]
    pub fn occurrences_in(
        &self,
        zone: &TimeZone,
        start: DateTime,
        after: Option<DateTime>,
    ) -> Occurrences<'_> {
        Occurrences::new(self, start, after, zone)
    }

    /// How many occurrences lie after `after`, up to and with `upto`; `most` where there are more.
    #[must_use]
    pub fn count_between(
        &self,
        start: DateTime,
        after: DateTime,
        upto: DateTime,
        most: u64,
    ) -> u64 {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let found = self
            .occurrences(start, Some(after))
            .take_while(|at| *at <= upto)
            .take(most)
            .count();
        found as u64
    }

    /// Whether no day and time fits at all, whenever it starts.
    fn never(&self) -> bool {
        let weekdays_alone = self.positions.is_empty()
            && self.month_days.is_empty()
            && self.year_days.is_empty()
            && self.week_numbers.is_empty();
        if weekdays_alone && self.days.iter().all(|day| day.nth.unsigned_abs() < 5) {
            return false;
        }
        let mut plain = self.clone();
        plain.interval = 1;
        plain.count = None;
        // These years are of every kind: leap or not, after a leap year or not, on each weekday.
        plain.until = Some(Until::Day(Date::constant(2029, 12, 31)));
        let start = Date::constant(2000, 1, 1).at(0, 0, 0, 0);
        plain.occurrences(start, None).next().is_none()
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}
