//! A rule as RFC 5545 writes it.

use jiff::civil::{Date, Weekday};

use super::super::piece::{Freq, Rule};

fn code(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "MO",
        Weekday::Tuesday => "TU",
        Weekday::Wednesday => "WE",
        Weekday::Thursday => "TH",
        Weekday::Friday => "FR",
        Weekday::Saturday => "SA",
        Weekday::Sunday => "SU",
    }
}

/// The rule as RFC 5545 writes it; `first` is its first day.
pub(super) fn text(rule: &Rule, first: Date) -> String {
    let freq = match rule.freq {
        Freq::Minutely => "MINUTELY",
        Freq::Hourly => "HOURLY",
        Freq::Daily => "DAILY",
        Freq::Weekly => "WEEKLY",
        Freq::Monthly => "MONTHLY",
        Freq::Yearly => "YEARLY",
    };
    let mut out = format!("FREQ={freq}");
    if rule.interval > 1 {
        out.push_str(&format!(";INTERVAL={}", rule.interval));
    }
    let mut month = rule.month;
    let mut month_days = rule.month_days.clone();
    // A rule by month on a day that some months lack: say which day it is, so that none is skipped.
    if rule.freq == Freq::Monthly
        && rule.days.is_empty()
        && month_days.is_empty()
        && first.day() > 28
    {
        month_days = vec![first.day()];
    }
    if rule.freq == Freq::Yearly
        && rule.days.is_empty()
        && month_days.is_empty()
        && (first.month(), first.day()) == (2, 29)
    {
        month = Some(2);
        month_days = vec![29];
    }
    if let Some(month) = month {
        out.push_str(&format!(";BYMONTH={month}"));
    }
    let short = month.is_none() || month == Some(2);
    match month_days.as_slice() {
        [day @ 29..=31] if short && (month.is_none() || *day == 29) => {
            let days: Vec<String> = (28..=*day).map(|day| day.to_string()).collect();
            out.push_str(&format!(";BYMONTHDAY={};BYSETPOS=-1", days.join(",")));
        }
        [] => {}
        days => {
            let days: Vec<String> = days.iter().map(i8::to_string).collect();
            out.push_str(&format!(";BYMONTHDAY={}", days.join(",")));
        }
    }
    if !rule.days.is_empty() {
        let mut days = rule.days.clone();
        days.sort_by_key(|(nth, day)| (day.to_monday_zero_offset(), *nth));
        let days: Vec<String> = days
            .iter()
            .map(|(nth, day)| match nth {
                0 => code(*day).to_owned(),
                nth => format!("{nth}{}", code(*day)),
            })
            .collect();
        out.push_str(&format!(";BYDAY={}", days.join(",")));
    }
    out
}
