//! A rule as text: one form for each meaning.

use std::fmt;

use super::rule::{Frequency, OnDay, Rule, Until};

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Frequency {
    /// As RFC 5545 names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minutely => "MINUTELY",
            Self::Hourly => "HOURLY",
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Yearly => "YEARLY",
        }
    }
}

impl fmt::Display for OnDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nth != 0 {
            write!(f, "{}", self.nth)?;
        }
        f.write_str(DAYS[usize::from(self.weekday % 7)])
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{}", day.strftime("%Y%m%d")),
            Self::Local(at) => write!(f, "{}", at.strftime("%Y%m%dT%H%M%S")),
            Self::Utc(at) => write!(f, "{}", at.strftime("%Y%m%dT%H%M%SZ")),
        }
    }
}

fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    values: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (i, value) in values.into_iter().enumerate() {
        if i == 0 {
            write!(f, ";{name}={value}")?;
        } else {
            write!(f, ",{value}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", self.freq.as_str())?;
        if let Some(until) = &self.until {
            write!(f, ";UNTIL={until}")?;
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        list(
            f,
            "BYMONTH",
            (1..=12).filter(|m| self.months & (1 << m) != 0),
        )?;
        list(f, "BYWEEKNO", &self.week_numbers)?;
        list(f, "BYYEARDAY", &self.year_days)?;
        list(f, "BYMONTHDAY", &self.month_days)?;
        list(f, "BYDAY", &self.days)?;
        list(f, "BYHOUR", (0..24).filter(|h| self.hours & (1 << h) != 0))?;
        list(
            f,
            "BYMINUTE",
            (0..60).filter(|m| self.minutes & (1 << m) != 0),
        )?;
        list(f, "BYSETPOS", &self.positions)?;
        if self.week_start != 0 {
            write!(f, ";WKST={}", DAYS[usize::from(self.week_start % 7)])?;
        }
        Ok(())
    }
}
