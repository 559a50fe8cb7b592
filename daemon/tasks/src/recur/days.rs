//! Days as numbers: a rule looks at very many of them, and needs no more than this of a calendar.

use jiff::civil::Date;

/// Days since 1970-01-01 of a proleptic Gregorian day.
pub(super) fn number(year: i32, month: u8, day: u8) -> i32 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let m = (i32::from(month) + 9) % 12;
    let of_year = (153 * m + 2) / 5 + i32::from(day) - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A day with what a rule asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    /// Days since 1970-01-01.
    pub(super) number: i32,
    pub(super) year: i32,
    /// 1 to 12.
    pub(super) month: u8,
    /// 1 to 31.
    pub(super) day: u8,
}

impl Day {
    pub(super) fn from_number(number: i32) -> Self {
        let z = number + 719_468;
        let era = z.div_euclid(146_097);
        let of_era = z.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let m = (5 * of_year + 2) / 153;
        let day = (of_year - (153 * m + 2) / 5 + 1) as u8;
        let month = if m < 10 { m + 3 } else { m - 9 } as u8;
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        Self {
            number,
            year,
            month,
            day,
        }
    }

    pub(super) fn from_date(date: Date) -> Self {
        let (year, month, day) = (i32::from(date.year()), date.month() as u8, date.day() as u8);
        Self {
            number: number(year, month, day),
            year,
            month,
            day,
        }
    }

    /// None beyond the years that a date has.
    pub(super) fn date(self) -> Option<Date> {
        let year = i16::try_from(self.year).ok()?;
        Date::new(year, self.month as i8, self.day as i8).ok()
    }

    /// 0 is Monday.
    pub(super) fn weekday(self) -> u8 {
        weekday(self.number)
    }

    /// 1 to 366.
    pub(super) fn of_year(self) -> i32 {
        self.number - number(self.year, 1, 1) + 1
    }
}

/// 0 is Monday.
pub(super) fn weekday(number: i32) -> u8 {
    (number + 3).rem_euclid(7) as u8
}

pub(super) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn year_length(year: i32) -> i32 {
    if is_leap(year) { 366 } else { 365 }
}

pub(super) fn month_length(year: i32, month: u8) -> i32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The first day of the week that `number` lies in.
pub(super) fn week_start(number: i32, first: u8) -> i32 {
    number - (i32::from(weekday(number)) - i32::from(first)).rem_euclid(7)
}

/// Number of the week that a day lies in, and how many weeks its year has: the first week is the
/// first with at least four days in the year.
pub(super) fn week(day: Day, first: u8) -> (i32, i32) {
    let fourth = Day::from_number(week_start(day.number, first) + 3);
    let last = number(fourth.year, 12, 28);
    // Four days at least of 28 December's week lie in its year, and of the next one's fewer.
    let last_fourth = Day::from_number(week_start(last, first) + 3);
    (
        (fourth.of_year() - 1) / 7 + 1,
        (last_fourth.of_year() - 1) / 7 + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_goes_there_and_back_as_jiff_has_it() {
        let mut date = jiff::civil::date(1895, 1, 1);
        while date.year() < 2110 {
            let day = Day::from_date(date);
            assert_eq!(Day::from_number(day.number), day);
            assert_eq!(day.date(), Some(date));
            assert_eq!(
                i32::from(day.weekday()),
                i32::from(date.weekday().to_monday_zero_offset())
            );
            assert_eq!(day.of_year(), i32::from(date.day_of_year()));
            assert_eq!(
                week(day, 0).0,
                i32::from(date.iso_week_date().week()),
                "{date}"
            );
            let weeks = date.iso_week_date().weeks_in_year();
            assert_eq!(week(day, 0).1, i32::from(weeks), "{date}");
            date = date.tomorrow().unwrap();
        }
    }
}
