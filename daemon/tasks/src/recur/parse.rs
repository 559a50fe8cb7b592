//! The text of a rule.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::error::{RuleError, excerpt};
use super::rule::{COUNT_MAX, Frequency, INTERVAL_MAX, OnDay, RULE_MAX_BYTES, Rule, Until};

/// Every part that RFC 5545 has.
const PARTS: [&str; 14] = [
    "FREQ",
    "UNTIL",
    "COUNT",
    "INTERVAL",
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
];

/// Reads a rule; whether it ever fires is not yet looked at.
pub(super) fn read(text: &str) -> Result<Rule, RuleError> {
    if text.len() > RULE_MAX_BYTES {
        return Err(RuleError::TooLong);
    }
    let text = text.trim().to_ascii_uppercase();
    let text = text.strip_prefix("RRULE:").unwrap_or(&text);
    let mut values: [Option<&str>; PARTS.len()] = [None; PARTS.len()];
    // A semicolon at the end is common, and says nothing.
    for piece in text.strip_suffix(';').unwrap_or(text).split(';') {
        let Some((name, value)) = piece.split_once('=') else {
            return Err(RuleError::NoPair(excerpt(piece)));
        };
        let Some(i) = PARTS.iter().position(|part| *part == name) else {
            return Err(RuleError::UnknownPart(excerpt(name)));
        };
        if values[i].replace(value).is_some() {
            return Err(RuleError::Twice(PARTS[i]));
        }
    }
    let [
        freq,
        until,
        count,
        interval,
        seconds,
        minutes,
        hours,
        days,
        month_days,
        year_days,
        week_numbers,
        months,
        positions,
        week_start,
    ] = values;
    if seconds.is_some() {
        return Err(RuleError::Seconds("BYSECOND"));
    }
    let rule = Rule {
        freq: frequency(freq)?,
        interval: match interval {
            None => 1,
            Some(value) => match positive("INTERVAL", value)? {
                n if n > u64::from(INTERVAL_MAX) => return Err(RuleError::Interval),
                n => n as u32,
            },
        },
        count: match count {
            None => None,
            Some(value) => match positive("COUNT", value)? {
                n if n > u64::from(COUNT_MAX) => return Err(RuleError::Count),
                n => Some(n as u32),
            },
        },
        until: until.map(end).transpose()?,
        months: mask("BYMONTH", months, 1, 12)? as u16,
        week_numbers: signed("BYWEEKNO", week_numbers, 53)?
            .iter()
            .map(|n| *n as i8)
            .collect(),
        year_days: signed("BYYEARDAY", year_days, 366)?,
        month_days: signed("BYMONTHDAY", month_days, 31)?
            .iter()
            .map(|n| *n as i8)
            .collect(),
        days: on_days(days)?,
        hours: mask("BYHOUR", hours, 0, 23)? as u32,
        minutes: mask("BYMINUTE", minutes, 0, 59)?,
        positions: signed("BYSETPOS", positions, 366)?,
        week_start: match week_start {
            None => 0,
            Some(value) => day("WKST", value)?,
        },
    };
    allowed(&rule)?;
    Ok(rule)
}

/// What RFC 5545 does not let stand together.
fn allowed(rule: &Rule) -> Result<(), RuleError> {
    let not = |wrong: bool, part, beside| {
        if wrong {
            Err(RuleError::Beside { part, beside })
        } else {
            Ok(())
        }
    };
    if rule.count.is_some() && rule.until.is_some() {
        return Err(RuleError::TwoEnds);
    }
    let freq = rule.freq;
    not(
        !rule.week_numbers.is_empty() && freq != Frequency::Yearly,
        "BYWEEKNO",
        "any FREQ but YEARLY",
    )?;
    let by_year_day = !rule.year_days.is_empty();
    not(
        by_year_day && freq == Frequency::Daily,
        "BYYEARDAY",
        "FREQ=DAILY",
    )?;
    not(
        by_year_day && freq == Frequency::Weekly,
        "BYYEARDAY",
        "FREQ=WEEKLY",
    )?;
    not(
        by_year_day && freq == Frequency::Monthly,
        "BYYEARDAY",
        "FREQ=MONTHLY",
    )?;
    not(
        !rule.month_days.is_empty() && freq == Frequency::Weekly,
        "BYMONTHDAY",
        "FREQ=WEEKLY",
    )?;
    let ordinals = rule.days.iter().any(|day| day.nth != 0);
    not(
        ordinals && !matches!(freq, Frequency::Monthly | Frequency::Yearly),
        "a number in BYDAY",
        "any FREQ but MONTHLY and YEARLY",
    )?;
    not(
        ordinals && !rule.week_numbers.is_empty(),
        "a number in BYDAY",
        "BYWEEKNO",
    )?;
    let others = !rule.is_without_by();
    not(
        !rule.positions.is_empty() && !others,
        "BYSETPOS",
        "no other BY part",
    )
}

impl Rule {
    fn is_without_by(&self) -> bool {
        self.months == 0
            && self.week_numbers.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.days.is_empty()
            && self.hours == 0
            && self.minutes == 0
    }
}

fn value_error(part: &'static str, value: &str) -> RuleError {
    RuleError::Value {
        part,
        value: excerpt(value),
    }
}

fn frequency(value: Option<&str>) -> Result<Frequency, RuleError> {
    match value {
        None => Err(RuleError::NoFrequency),
        Some("SECONDLY") => Err(RuleError::Seconds("FREQ=SECONDLY")),
        Some("MINUTELY") => Ok(Frequency::Minutely),
        Some("HOURLY") => Ok(Frequency::Hourly),
        Some("DAILY") => Ok(Frequency::Daily),
        Some("WEEKLY") => Ok(Frequency::Weekly),
        Some("MONTHLY") => Ok(Frequency::Monthly),
        Some("YEARLY") => Ok(Frequency::Yearly),
        Some(other) => Err(value_error("FREQ", other)),
    }
}

/// Digits alone: `+3` and ` 3` are none.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn positive(part: &'static str, value: &str) -> Result<u64, RuleError> {
    digits(value)
        .filter(|n| *n > 0)
        .ok_or_else(|| value_error(part, value))
}

fn mask(part: &'static str, value: Option<&str>, low: u64, high: u64) -> Result<u64, RuleError> {
    let mut out = 0;
    for text in value.into_iter().flat_map(|value| value.split(',')) {
        let n = digits(text).filter(|n| (low..=high).contains(n));
        out |= 1 << n.ok_or_else(|| value_error(part, text))?;
    }
    Ok(out)
}

fn signed(part: &'static str, value: Option<&str>, top: i16) -> Result<Vec<i16>, RuleError> {
    let mut out = Vec::new();
    for text in value.into_iter().flat_map(|value| value.split(',')) {
        out.push(signed_number(text, top).ok_or_else(|| value_error(part, text))?);
    }
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

/// 1 to `top`, or as much below zero.
fn signed_number(text: &str, top: i16) -> Option<i16> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text),
    };
    let n = i16::try_from(digits(rest)?).ok()?;
    (1..=top).contains(&n).then_some(n * sign)
}

fn day(part: &'static str, value: &str) -> Result<u8, RuleError> {
    Ok(match value {
        "MO" => 0,
        "TU" => 1,
        "WE" => 2,
        "TH" => 3,
        "FR" => 4,
        "SA" => 5,
        "SU" => 6,
        other => return Err(value_error(part, other)),
    })
}

fn on_days(value: Option<&str>) -> Result<Vec<OnDay>, RuleError> {
    let mut out = Vec::new();
    for text in value.into_iter().flat_map(|value| value.split(',')) {
        let at = text.len().saturating_sub(2);
        let (Some(number), Some(name)) = (text.get(..at), text.get(at..)) else {
            return Err(value_error("BYDAY", text));
        };
        let weekday = day("BYDAY", name).map_err(|_| value_error("BYDAY", text))?;
        let nth = if number.is_empty() {
            0
        } else {
            signed_number(number, 53).ok_or_else(|| value_error("BYDAY", text))? as i8
        };
        out.push(OnDay { nth, weekday });
    }
    out.sort_unstable_by_key(|day| (day.weekday, day.nth));
    out.dedup();
    Ok(out)
}

/// `20261231`, `20261231T090000`, `20261231T090000Z`.
fn end(value: &str) -> Result<Until, RuleError> {
    read_end(value).ok_or_else(|| value_error("UNTIL", value))
}

fn read_end(value: &str) -> Option<Until> {
    let number = |from: usize, to: usize| digits(value.get(from..to)?);
    let date = Date::new(
        i16::try_from(number(0, 4)?).ok()?,
        i8::try_from(number(4, 6)?).ok()?,
        i8::try_from(number(6, 8)?).ok()?,
    )
    .ok()?;
    if value.len() == 8 {
        return Some(Until::Day(date));
    }
    if value.get(8..9)? != "T" {
        return None;
    }
    // 60 is a leap second, which no clock of ours shows.
    let second = i8::try_from(number(13, 15)?.min(60)).ok()?.min(59);
    let hour = i8::try_from(number(9, 11)?).ok()?;
    let minute = i8::try_from(number(11, 13)?).ok()?;
    let at = DateTime::from_parts(date, jiff::civil::Time::new(hour, minute, second, 0).ok()?);
    match value.get(15..)? {
        "" => Some(Until::Local(at)),
        "Z" => Some(Until::Utc(utc(at)?)),
        _ => None,
    }
}

fn utc(at: DateTime) -> Option<Timestamp> {
    jiff::tz::TimeZone::UTC.to_timestamp(at).ok()
}
