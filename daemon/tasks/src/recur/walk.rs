//! From one occurrence to the next.
//!
//! Days are walked one by one; turns that the interval leaves out and months that do not count are
//! jumped over. For rules by the hour and minute the hours and minutes are walked within the days
//! that fit.

use std::collections::VecDeque;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::days::{self, Day};
use super::filter::Filter;
use super::rule::{Frequency, Rule, Until};

/// Days and times that are looked at for one answer.
const STEPS_MAX: u32 = 8_000_000;
/// Days without an occurrence after which there is none.
const GAP_MAX_DAYS: i32 = 1_000 * 366;
/// The last day that there is.
const LAST: Date = Date::constant(9999, 12, 31);
const MINUTES_OF_DAY: i64 = 1_440;

/// The occurrences of a rule in order. Ends where the rule ends, and where nothing comes for 1,000
/// years.
#[derive(Clone, Debug)]
pub struct Occurrences<'a> {
    rule: &'a Rule,
    start: DateTime,
    /// The first and last second that count, and the second behind which it is asked for; since
    /// 1970, on the wall clock.
    from_s: i64,
    until_s: i64,
    after_s: Option<i64>,
    last_day: i32,
    first: Day,
    filter: Filter,
    /// Times of a day, for rules by the day and longer.
    times: Vec<u16>,
    /// For rules by the hour and minute.
    hours: u32,
    minutes: u64,
    /// Found, not yet given.
    ready: VecDeque<(i32, u16)>,
    /// The next day to look at; for rules by the hour and minute the next minute since 1970.
    day: i32,
    minute: i64,
    /// The last day that was seen to fit, or not to.
    seen: Option<(i32, bool)>,
    left: Option<u32>,
    found_day: i32,
    steps: u32,
    over: bool,
}

/// What `positions` choose of `set`, in order and each once.
fn choose<T: Copy>(set: &[T], positions: &[i16]) -> Vec<T> {
    let length = i64::try_from(set.len()).unwrap_or(i64::MAX);
    let mut at: Vec<i64> = positions
        .iter()
        .map(|p| i64::from(*p))
        .map(|p| if p > 0 { p - 1 } else { length + p })
        .filter(|i| (0..length).contains(i))
        .collect();
    at.sort_unstable();
    at.dedup();
    at.iter()
        .filter_map(|i| set.get(usize::try_from(*i).ok()?).copied())
        .collect()
}

/// Seconds since 1970 on the wall clock; what is less than a second is cut off.
fn seconds(at: DateTime) -> i64 {
    let minutes = i64::from(at.hour()) * 60 + i64::from(at.minute());
    let day = i64::from(Day::from_date(at.date()).number);
    (day * MINUTES_OF_DAY + minutes) * 60 + i64::from(at.second())
}

/// The numbers of the bits that are set, ascending.
fn bits(mut mask: u64) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (bit < 64).then_some(bit as u16)
    })
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl<'a> Occurrences<'a> {
    /// An `UNTIL` in UTC is put into `zone`.
    pub(super) fn new(
        rule: &'a Rule,
        start: DateTime,
        after: Option<DateTime>,
        zone: &TimeZone,
    ) -> Self {
        let first = Day::from_date(start.date());
        let until = match rule.until {
            None => LAST.at(23, 59, 59, 0),
            Some(Until::Day(day)) => day.at(23, 59, 59, 0),
            Some(Until::Local(at)) => at,
            Some(Until::Utc(at)) => zone.to_datetime(at),
        };
        let start_minute = u16::from(start.hour() as u8) * 60 + u16::from(start.minute() as u8);
        let hours = if rule.hours == 0 && rule.freq >= Frequency::Daily {
            1 << start.hour()
        } else {
            rule.hours
        };
        let minutes = if rule.minutes == 0 && rule.freq >= Frequency::Hourly {
            1 << start.minute()
        } else {
            rule.minutes
        };
        // What an interval starts at has to be known from the start; where it is not counted the
        // walk can begin where it is looked for.
        let from = match after {
            Some(after) if rule.count.is_none() => start.max(after),
            _ => start,
        };
        let day = Day::from_date(from.date()).number;
        let mut walk = Self {
            rule,
            start,
            from_s: seconds(start),
            until_s: seconds(until),
            after_s: after.map(seconds),
            last_day: Day::from_date(until.date()).number,
            first,
            filter: Filter::new(rule, first),
            times: Vec::new(),
            hours,
            minutes,
            ready: VecDeque::new(),
            day,
            minute: 0,
            seen: None,
            left: rule.count,
            found_day: day,
            steps: STEPS_MAX,
            over: false,
        };
        walk.positions_within_a_day();
        if rule.freq < Frequency::Daily {
            let in_day = i64::from(from.hour()) * 60 + i64::from(from.minute());
            walk.minute = walk.aligned(i64::from(day) * MINUTES_OF_DAY + in_day);
            walk.over |= !walk.ever_in_a_day(start_minute);
        }
        walk
    }

    /// Every hour and day is like the next: what `BYSETPOS` chooses there is known beforehand.
    fn positions_within_a_day(&mut self) {
        let positions = &self.rule.positions;
        if self.rule.freq >= Frequency::Daily {
            for hour in bits(u64::from(self.hours)) {
                self.times
                    .extend(bits(self.minutes).map(|minute| hour * 60 + minute));
            }
        }
        if positions.is_empty() {
            return;
        }
        match self.rule.freq {
            Frequency::Minutely => self.over = !positions.iter().any(|p| p.abs() == 1),
            Frequency::Hourly => {
                let set: Vec<u16> = bits(self.minutes).collect();
                self.minutes = choose(&set, positions)
                    .iter()
                    .fold(0, |mask, m| mask | 1 << m);
                self.over = self.minutes == 0;
            }
            Frequency::Daily => {
                self.times = choose(&self.times, positions);
                self.over = self.times.is_empty();
            }
            _ => {}
        }
    }

    /// Minutes from one turn to the next, for rules by the hour and minute.
    fn step(&self) -> i64 {
        let unit = if self.rule.freq == Frequency::Hourly {
            60
        } else {
            1
        };
        i64::from(self.rule.interval) * unit
    }

    /// Where turns are counted from: the start's minute, or the beginning of its hour.
    fn origin(&self) -> i64 {
        let minute = if self.rule.freq == Frequency::Hourly {
            0
        } else {
            self.start.minute()
        };
        let in_day = i64::from(self.start.hour()) * 60 + i64::from(minute);
        i64::from(self.first.number) * MINUTES_OF_DAY + in_day
    }

    /// The first turn that begins at a minute or later; for rules by the hour, the one it is in.
    fn aligned(&self, minute: i64) -> i64 {
        let (step, origin) = (self.step(), self.origin());
        let minute = if self.rule.freq == Frequency::Hourly {
            minute - minute.rem_euclid(60)
        } else {
            minute
        };
        let turns = (minute - origin + step - 1).div_euclid(step).max(0);
        origin + turns * step
    }

    /// Whether any turn ever falls on a time of day that fits.
    fn ever_in_a_day(&self, start_minute: u16) -> bool {
        let hour_fits = |h: i64| self.hours == 0 || self.hours & (1 << h) != 0;
        if self.rule.freq == Frequency::Hourly {
            let every = greatest_common_divisor(i64::from(self.rule.interval), 24);
            let start = i64::from(start_minute) / 60;
            return (0..24).any(|h| hour_fits(h) && (h - start) % every == 0);
        }
        let every = greatest_common_divisor(i64::from(self.rule.interval), MINUTES_OF_DAY);
        (0..MINUTES_OF_DAY).any(|m| {
            hour_fits(m / 60)
                && (self.minutes == 0 || self.minutes & (1 << (m % 60)) != 0)
                && (m - i64::from(start_minute)) % every == 0
        })
    }

    /// Takes a step; false where there are none left.
    fn may_go_on(&mut self, day: i32) -> bool {
        self.steps = self.steps.saturating_sub(1);
        let far = day.saturating_sub(self.found_day) > GAP_MAX_DAYS;
        self.over |= self.steps == 0 || far || day > self.last_day;
        !self.over
    }

    /// The first day of the month after.
    fn next_month(day: Day) -> i32 {
        day.number + days::month_length(day.year, day.month) - i32::from(day.day) + 1
    }

    fn day_fits(&mut self, day: Day) -> bool {
        match self.seen {
            Some((number, fits)) if number == day.number => fits,
            _ => {
                let fits = self.filter.fits(day);
                self.seen = Some((day.number, fits));
                fits
            }
        }
    }

    fn look_by_minutes(&mut self) {
        while self.ready.is_empty() {
            let Ok(number) = i32::try_from(self.minute.div_euclid(MINUTES_OF_DAY)) else {
                self.over = true;
                return;
            };
            if !self.may_go_on(number) {
                return;
            }
            let day = Day::from_number(number);
            if !self.day_fits(day) {
                let next = if self.filter.month_fits(day.month) {
                    number + 1
                } else {
                    Self::next_month(day)
                };
                self.minute = self.aligned(i64::from(next) * MINUTES_OF_DAY);
                continue;
            }
            let in_day = self.minute.rem_euclid(MINUTES_OF_DAY);
            let (hour, of_hour) = (in_day / 60, in_day % 60);
            if self.hours != 0 && self.hours & (1 << hour) == 0 {
                self.minute = self.aligned(self.minute - of_hour + 60);
                continue;
            }
            if self.rule.freq == Frequency::Hourly {
                let minutes = bits(self.minutes);
                self.ready
                    .extend(minutes.map(|m| (number, hour as u16 * 60 + m)));
            } else if self.minutes == 0 || self.minutes & (1 << of_hour) != 0 {
                self.ready.push_back((number, in_day as u16));
            }
            self.minute += self.step();
        }
    }

    fn look_by_days(&mut self) {
        while self.ready.is_empty() {
            if !self.may_go_on(self.day) {
                return;
            }
            let day = Day::from_number(self.day);
            if let Some(next) = self.next_turn(day) {
                self.day = next;
                continue;
            }
            if !self.filter.month_fits(day.month) {
                self.day = Self::next_month(day);
                continue;
            }
            if self.rule.positions.is_empty() || self.rule.freq == Frequency::Daily {
                if self.filter.fits(day) {
                    self.ready
                        .extend(self.times.iter().map(|t| (day.number, *t)));
                }
                self.day += 1;
            } else {
                self.choose_of_turn(day);
            }
        }
    }

    /// The first day of the next turn that counts, where this day's turn does not.
    fn next_turn(&self, day: Day) -> Option<i32> {
        let every = i64::from(self.rule.interval);
        // How many of the unit have passed since the start; none is less than none.
        let passed = match self.rule.freq {
            Frequency::Yearly => day.year - self.first.year,
            Frequency::Monthly => {
                (day.year - self.first.year) * 12 + i32::from(day.month)
                    - i32::from(self.first.month)
            }
            Frequency::Weekly => {
                let first = self.filter.week_start;
                (days::week_start(day.number, first) - days::week_start(self.first.number, first))
                    / 7
            }
            _ => day.number - self.first.number,
        };
        let over = i64::from(passed).rem_euclid(every);
        if over == 0 {
            return None;
        }
        // Beyond the last day is far enough.
        let ahead = i32::try_from(every - over)
            .unwrap_or(i32::MAX)
            .min(4_000_000);
        Some(match self.rule.freq {
            Frequency::Yearly => days::number(day.year + ahead.min(20_000), 1, 1),
            Frequency::Monthly => {
                let month = day.year * 12 + i32::from(day.month) - 1 + ahead;
                days::number(month.div_euclid(12), month.rem_euclid(12) as u8 + 1, 1)
            }
            Frequency::Weekly => {
                days::week_start(day.number, self.filter.week_start) + ahead.saturating_mul(7)
            }
            _ => day.number + ahead,
        })
    }

    /// The whole of a day's turn, of which `BYSETPOS` takes some.
    fn choose_of_turn(&mut self, day: Day) {
        let (begin, end) = match self.rule.freq {
            Frequency::Yearly => (
                days::number(day.year, 1, 1),
                days::number(day.year + 1, 1, 1),
            ),
            Frequency::Monthly => (days::number(day.year, day.month, 1), Self::next_month(day)),
            _ => {
                let begin = days::week_start(day.number, self.filter.week_start);
                (begin, begin + 7)
            }
        };
        let mut set = Vec::new();
        for number in begin..end {
            if self.filter.fits(Day::from_number(number)) {
                set.extend(self.times.iter().map(|t| (number, *t)));
            }
        }
        self.steps = self
            .steps
            .saturating_sub(set.len() as u32 + (end - begin) as u32);
        self.ready.extend(choose(&set, &self.rule.positions));
        self.day = end;
    }

    fn civil(&self, day: i32, minute: u16) -> Option<DateTime> {
        let date = Day::from_number(day).date()?;
        let time = Time::new(
            (minute / 60) as i8,
            (minute % 60) as i8,
            self.start.second(),
            0,
        );
        Some(DateTime::from_parts(date, time.ok()?))
    }
}

impl Iterator for Occurrences<'_> {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        loop {
            if self.left == Some(0) {
                self.over = true;
            }
            if self.over {
                return None;
            }
            let Some((day, minute)) = self.ready.pop_front() else {
                if self.rule.freq < Frequency::Daily {
                    self.look_by_minutes();
                } else {
                    self.look_by_days();
                }
                continue;
            };
            let at_s = (i64::from(day) * MINUTES_OF_DAY + i64::from(minute)) * 60
                + i64::from(self.start.second());
            if at_s < self.from_s {
                continue;
            }
            if at_s > self.until_s {
                self.over = true;
                return None;
            }
            self.found_day = day;
            if let Some(left) = &mut self.left {
                *left -= 1;
            }
            if self.after_s.is_none_or(|after_s| at_s > after_s) {
                self.steps = STEPS_MAX;
                return self.civil(day, minute);
            }
            // What is passed over on the way costs a step, too.
            if !self.may_go_on(day) {
                return None;
            }
        }
    }
}
