//! Which days fit a rule.

use super::days::{self, Day};
use super::rule::{Frequency, Rule};

/// Which days fit, what the start says included.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// Bit n is month n; 0 is all.
    months: u16,
    week_numbers: Vec<i8>,
    year_days: Vec<i16>,
    month_days: Vec<i8>,
    /// Bit n: weekday n, without a number.
    weekdays: u8,
    /// Weekdays with a number.
    numbered: Vec<(i8, u8)>,
    /// Their numbers count within the year, not the month.
    in_year: bool,
    pub(super) week_start: u8,
}

impl Filter {
    pub(super) fn new(rule: &Rule, start: Day) -> Self {
        let mut filter = Self {
            months: rule.months,
            week_numbers: rule.week_numbers.clone(),
            year_days: rule.year_days.clone(),
            month_days: rule.month_days.clone(),
            weekdays: 0,
            numbered: Vec::new(),
            in_year: rule.freq == Frequency::Yearly && rule.months == 0,
            week_start: rule.week_start,
        };
        for day in &rule.days {
            if day.nth == 0 {
                filter.weekdays |= 1 << day.weekday;
            } else {
                filter.numbered.push((day.nth, day.weekday));
            }
        }
        let says_day =
            !(rule.days.is_empty() && rule.month_days.is_empty() && rule.year_days.is_empty());
        if !says_day {
            match rule.freq {
                Frequency::Yearly if !rule.week_numbers.is_empty() => {
                    filter.weekdays = 1 << start.weekday();
                }
                Frequency::Yearly => {
                    if filter.months == 0 {
                        filter.months = 1 << start.month;
                    }
                    filter.month_days = vec![start.day as i8];
                }
                Frequency::Monthly => filter.month_days = vec![start.day as i8],
                Frequency::Weekly => filter.weekdays = 1 << start.weekday(),
                _ => {}
            }
        }
        filter
    }

    pub(super) fn month_fits(&self, month: u8) -> bool {
        self.months == 0 || self.months & (1 << month) != 0
    }

    pub(super) fn fits(&self, day: Day) -> bool {
        if !self.month_fits(day.month) {
            return false;
        }
        let listed = self.weekdays != 0 || !self.numbered.is_empty();
        if listed && !self.weekday_fits(day) {
            return false;
        }
        if !self.month_days.is_empty() {
            let of = i32::from(day.day);
            let back = of - 1 - days::month_length(day.year, day.month);
            if !self
                .month_days
                .iter()
                .any(|n| i32::from(*n) == of || i32::from(*n) == back)
            {
                return false;
            }
        }
        if !self.year_days.is_empty() {
            let of = day.of_year();
            let back = of - 1 - days::year_length(day.year);
            if !self
                .year_days
                .iter()
                .any(|n| i32::from(*n) == of || i32::from(*n) == back)
            {
                return false;
            }
        }
        if !self.week_numbers.is_empty() {
            let (of, weeks) = days::week(day, self.week_start);
            let back = of - 1 - weeks;
            if !self
                .week_numbers
                .iter()
                .any(|n| i32::from(*n) == of || i32::from(*n) == back)
            {
                return false;
            }
        }
        true
    }

    fn weekday_fits(&self, day: Day) -> bool {
        let weekday = day.weekday();
        if self.weekdays & (1 << weekday) != 0 {
            return true;
        }
        if !self.numbered.iter().any(|(_, of)| *of == weekday) {
            return false;
        }
        let (of, length) = if self.in_year {
            (day.of_year(), days::year_length(day.year))
        } else {
            (i32::from(day.day), days::month_length(day.year, day.month))
        };
        let nth = (of - 1) / 7 + 1;
        let back = -((length - of) / 7 + 1);
        self.numbered
            .iter()
            .any(|(n, of)| *of == weekday && (i32::from(*n) == nth || i32::from(*n) == back))
    }
}
