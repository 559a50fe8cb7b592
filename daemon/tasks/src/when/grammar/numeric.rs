//! Dates and times in digits, which are of no language.

use jiff::civil::Time;
use jiff::{Zoned, tz::Offset, tz::TimeZone};

use super::super::DateOrder;
use super::super::piece::{Candidate, Clock, Piece, Strength, Why};
use super::Grammar;

impl Grammar<'_> {
    pub(super) fn numeric(&self, at: usize) -> Vec<Candidate> {
        let mut out = Vec::new();
        out.extend(self.iso(at));
        if out.is_empty() {
            out.extend(self.digits_date(at));
        }
        out.extend(self.digital(at, false));
        out
    }

    fn neutral(pieces: Vec<Piece>, end: usize, strength: Strength) -> Candidate {
        Candidate {
            pieces,
            end,
            strength,
            language: None,
        }
    }

    /// `2026-11-22`, `2026-11-22T09:00`, `2026-11-22 09:00:00+01:00`, `20261122T090000Z`.
    fn iso(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        let (first, len) = t.digits(at)?;
        if len == 8 && (t.is(at + 1, "t") && t.glued(at + 1)) {
            let (time, time_len) = t.digits(at + 2)?;
            let seconds = match time_len {
                6 => time,
                4 => time * 100,
                _ => return None,
            };
            let (month, day) = (first / 100 % 100, first % 100);
            let clock = exact(seconds / 10_000, seconds / 100 % 100, seconds % 100)?;
            return self.iso_end(first / 10_000, month, day, Some(clock), at + 3);
        }
        if len != 4 || !self.mark(at + 1, "-") {
            return None;
        }
        let (month, _) = t.digits(at + 2).filter(|_| t.glued(at + 2))?;
        if !self.mark(at + 3, "-") {
            return None;
        }
        let (day, _) = t.digits(at + 4).filter(|_| t.glued(at + 4))?;
        let time_at = if t.is(at + 5, "t") && t.glued(at + 5) {
            at + 6
        } else {
            at + 5
        };
        match self.hms(time_at).filter(|_| time_at > at + 5) {
            Some((time, end)) => self.iso_end(first, month, day, Some(time), end),
            None => self.iso_end(first, month, day, None, at + 5),
        }
    }

    fn iso_end(
        &self,
        year: u32,
        month: u32,
        day: u32,
        time: Option<Time>,
        end: usize,
    ) -> Option<Candidate> {
        let (year, month, day) = (i16::try_from(year).ok()?, small(month)?, small(day)?);
        let date = jiff::civil::Date::new(year, month, day).ok()?;
        let piece = Piece::Date {
            year: Some(year),
            month,
            day,
        };
        let Some(time) = time else {
            return Some(Self::neutral(vec![piece], end, Strength::Strong));
        };
        if let Some((offset, end)) = self.offset(end) {
            let zone = TimeZone::fixed(offset);
            let instant: Zoned = date.to_datetime(time).to_zoned(zone).ok()?;
            return Some(Self::neutral(
                vec![Piece::Instant(instant)],
                end,
                Strength::Strong,
            ));
        }
        let clock = Piece::Clock(Clock::Exact(time));
        Some(Self::neutral(vec![piece, clock], end, Strength::Strong))
    }

    /// `Z`, `+01:00`, `+0100`, `+01`, glued to a time.
    fn offset(&self, at: usize) -> Option<(Offset, usize)> {
        let t = self.text;
        if !t.glued(at) {
            return None;
        }
        if t.is(at, "z") {
            return Some((Offset::UTC, at + 1));
        }
        let sign = if t.is(at, "+") {
            1
        } else if t.is(at, "-") {
            -1
        } else {
            return None;
        };
        let (n, len) = t.digits(at + 1).filter(|_| t.glued(at + 1))?;
        let (hours, minutes, end) = match len {
            4 => (n / 100, n % 100, at + 2),
            2 if self.mark(at + 2, ":") => (n, t.digits(at + 3)?.0, at + 4),
            2 => (n, 0, at + 2),
            _ => return None,
        };
        if hours > 18 || minutes > 59 {
            return None;
        }
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        Some((Offset::from_seconds(sign * seconds).ok()?, end))
    }

    /// A mark without a space before it.
    pub(super) fn mark(&self, at: usize, mark: &str) -> bool {
        self.text.is(at, mark) && self.text.glued(at)
    }

    /// `3/12`, `03/12/2026`, `3-12-26`, `3.12.2026`, `2/2013`.
    fn digits_date(&self, at: usize) -> Vec<Candidate> {
        let t = self.text;
        let Some((first, first_len)) = t.digits(at) else {
            return Vec::new();
        };
        let Some(sep) = ["/", "-", "."].into_iter().find(|mark| t.is(at + 1, mark)) else {
            return Vec::new();
        };
        let Some((second, second_len)) = t.digits(at + 2) else {
            return Vec::new();
        };
        let spaced = !t.glued(at + 1) || !t.glued(at + 2);
        if spaced && sep == "." {
            return Vec::new();
        }
        if first_len == 4 && sep == "/" && t.is(at + 3, "/") {
            // 2026/11/22
            return (|| {
                let (day, _) = t.digits(at + 4)?;
                self.iso_end(first, second, day, None, at + 5)
            })()
            .into_iter()
            .collect();
        }
        if first_len <= 2 && second_len == 4 && sep == "/" {
            let month = small(first).filter(|m| (1..=12).contains(m));
            let year = i16::try_from(second).ok();
            if let (Some(month), Some(year @ 1..)) = (month, year) {
                let which = super::super::piece::Which::Plain;
                let piece = Piece::Month {
                    month,
                    year: Some(year),
                    which,
                };
                return vec![Self::neutral(vec![piece], at + 3, Strength::Edge)];
            }
        }
        if first_len > 2 || second_len > 2 {
            return Vec::new();
        }
        let (year, end) = match (t.is(at + 3, sep), t.digits(at + 4)) {
            (true, Some((year, 4))) => (Some(year), at + 5),
            (true, Some((year, 2))) => (self.near(year), at + 5),
            // 3.12. as it is written in the north; but 3-4-5000 or 1.2.3 is no date.
            (true, None) if sep == "." => (None, at + 4),
            (true, Some(_)) => return Vec::new(),
            _ => (None, at + 3),
        };
        // 10-12 is as likely an interval, 8.30 an hour or a price, 3/4 a part.
        let strength = match (year, sep) {
            (Some(_), _) => Strength::Strong,
            (None, "/") if !spaced => Strength::Edge,
            _ => Strength::Weak,
        };
        if year.is_none() && sep == "." && end == at + 3 && second_len == 2 && second > 12 {
            return Vec::new();
        }
        let year = match year.map(i16::try_from) {
            Some(Ok(year)) => Some(year),
            Some(Err(_)) => return Vec::new(),
            None => None,
        };
        let date = |day: u32, month: u32| {
            let (day, month) = (small(day)?, small(month)?);
            // 29 February of a year that nobody named is looked for later.
            jiff::civil::Date::new(year.unwrap_or(2000), month, day).ok()?;
            Some(Piece::Date { year, month, day })
        };
        let day_first = date(first, second);
        let month_first = if first == second {
            None
        } else {
            date(second, first)
        };
        let known = match (self.order, sep) {
            (Some(order), _) => Some(order),
            (None, ".") => Some(DateOrder::DayMonth),
            (None, _) => None,
        };
        let pieces = match (day_first, month_first, known) {
            (Some(day), Some(_), Some(DateOrder::DayMonth)) => vec![vec![day]],
            (Some(_), Some(month), Some(DateOrder::MonthDay)) => vec![vec![month]],
            (Some(day), Some(month), None) => vec![
                vec![day, Piece::Because(Why::DayFirst)],
                vec![month, Piece::Because(Why::MonthFirst)],
            ],
            (Some(only), None, _) | (None, Some(only), _) => vec![vec![only]],
            (None, None, _) => Vec::new(),
        };
        pieces
            .into_iter()
            .map(|pieces| Self::neutral(pieces, end, strength))
            .collect()
    }

    /// The year that ends in two digits: from 60 years ago to 39 ahead.
    fn near(&self, two: u32) -> Option<u32> {
        let least = u32::try_from(self.year).ok()?.checked_sub(60)?;
        Some(least + (100 + two - least % 100) % 100)
    }

    /// `9:30`, `09:30:15`: hours, minutes, seconds.
    pub(super) fn hms(&self, at: usize) -> Option<(Time, usize)> {
        let t = self.text;
        let (hour, hour_len) = t.digits(at)?;
        if hour_len > 2 || !self.mark(at + 1, ":") {
            return None;
        }
        let (minute, 2) = t.digits(at + 2).filter(|_| t.glued(at + 2))? else {
            return None;
        };
        let mut end = at + 3;
        let mut second = 0;
        if self.mark(end, ":")
            && let Some((n, 2)) = t.digits(end + 1).filter(|_| t.glued(end + 1))
        {
            second = n;
            end += 2;
            // Fractions of a second say nothing here, as ISO 8601 may carry them.
            if self.mark(end, ".") && t.digits(end + 1).is_some() && t.glued(end + 1) {
                end += 2;
            }
        }
        Some((exact(hour, minute, second)?, end))
    }

    /// `9:30` with its morning or evening, `15:30`, `24:00`.
    pub(super) fn digital(&self, at: usize, marked: bool) -> Option<Candidate> {
        let t = self.text;
        if t.is(at, "24") && self.mark(at + 1, ":") && t.is(at + 2, "00") {
            return Some(Self::neutral(
                vec![Piece::Clock(Clock::DayEnd)],
                at + 3,
                Strength::Strong,
            ));
        }
        let (time, end) = match self.hms(at) {
            Some(found) => found,
            None => self.other_digital(at, marked)?,
        };
        if let Some((pm, end)) = self.meridiem(end) {
            let clock = twelve(time, pm)?;
            return Some(Self::neutral(
                vec![Piece::Clock(clock)],
                end,
                Strength::Strong,
            ));
        }
        let zero = t.token(at).is_some_and(|token| token.norm.starts_with('0'));
        let clock = match bare(time) {
            Clock::Bare(time) if zero => Clock::Exact(time),
            Clock::Bare(time) if self.full_clock && self.mark(at + 1, ":") => Clock::Full(time),
            clock => clock,
        };
        Some(Self::neutral(
            vec![Piece::Clock(clock)],
            end,
            Strength::Strong,
        ))
    }

    /// `15h30`, `9.30` behind "at".
    fn other_digital(&self, at: usize, marked: bool) -> Option<(Time, usize)> {
        let t = self.text;
        let (hour, hour_len) = t.digits(at)?;
        let dotted = marked && (self.mark(at + 1, ".") || self.mark(at + 1, ","));
        if hour_len > 2 || !(dotted || self.mark(at + 1, "h")) {
            return None;
        }
        let (minute, 2) = t.digits(at + 2).filter(|_| t.glued(at + 2))? else {
            return None;
        };
        // 1h30 is as likely a length.
        if !marked && hour < 6 {
            return None;
        }
        Some((exact(hour, minute, 0)?, at + 3))
    }
}

/// A small number as a day or a month.
pub(super) fn small(n: u32) -> Option<i8> {
    i8::try_from(n).ok()
}

/// A time of a 24-hour clock.
pub(super) fn exact(hour: u32, minute: u32, second: u32) -> Option<Time> {
    Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()
}

/// 1 to 12 may be twice a day.
pub(super) fn bare(time: Time) -> Clock {
    if (1..=12).contains(&time.hour()) {
        Clock::Bare(time)
    } else {
        Clock::Exact(time)
    }
}

/// A time with am or pm. No clock of twelve hours shows 13 pm.
pub(super) fn twelve(time: Time, pm: bool) -> Option<Clock> {
    let hour = match (time.hour(), pm) {
        (12, false) => 0,
        (12, true) => 12,
        (hour @ 1..12, true) => hour + 12,
        (hour @ 1..12, false) => hour,
        _ => return None,
    };
    let time = Time::new(hour, time.minute(), time.second(), 0).ok()?;
    // 12am ends the day that one names as often as it begins it.
    Some(if hour == 0 && time.minute() == 0 && time.second() == 0 {
        Clock::Midnight
    } else {
        Clock::Exact(time)
    })
}
