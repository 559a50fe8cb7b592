//! Answers as they stand in the tables: readings in order, ` | ` between them; each a time or a
//! day, its zone where it is not the user's, its rule, whether clocks change.

use jiff::{Zoned, civil::DateTime, tz::TimeZone};

use crate::when::{Answer, Basis, DateOrder, Here, Language, Shifted, When, WhenError};

/// `2026-11-21T10:00` in a zone.
pub(crate) fn at(local: &str, zone: &str) -> Zoned {
    let local: DateTime = local.parse().expect("a local time");
    local
        .to_zoned(TimeZone::get(zone).expect("a zone"))
        .expect("a time")
}

/// `en`, `it`, `en-us` (month first), `en-gb` and `it-it` (day first), in the order of preference.
pub(crate) fn here(now: Zoned, words: &str) -> Here {
    let mut here = Here::new(now);
    here.languages.clear();
    for word in words.split(',') {
        let (language, place) = word.split_once('-').unwrap_or((word, ""));
        here.languages.push(match language {
            "en" => Language::English,
            "it" => Language::Italian,
            "past" => {
                here.past = true;
                continue;
            }
            other => panic!("no language {other}"),
        });
        match place {
            "us" => here.date_order = Some(DateOrder::MonthDay),
            "" => {}
            _ => here.date_order = Some(DateOrder::DayMonth),
        }
    }
    here
}

pub(crate) fn time(when: &When, home: &TimeZone) -> String {
    let mut out = if when.all_day {
        when.due.date().to_string()
    } else if when.due.second() == 0 {
        when.due.strftime("%Y-%m-%dT%H:%M").to_string()
    } else {
        when.due.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    };
    if when.due.time_zone() != home {
        let zone = when.due.time_zone();
        out.push_str(&format!(" [{}]", zone.iana_name().unwrap_or("?")));
    }
    if let Some(repeat) = &when.repeat {
        out.push_str(&format!(" {}", repeat.rrule));
        if repeat.basis == Basis::AfterCompletion {
            out.push_str(" after");
        }
    }
    match &when.shifted {
        Some(Shifted::Gap { .. }) => out.push_str(" gap"),
        Some(Shifted::Overlap { .. }) => out.push_str(" overlap"),
        None => {}
    }
    out
}

pub(crate) fn said(answer: &Result<Answer, WhenError>, here: &Here) -> String {
    let home = here.now.time_zone();
    match answer {
        Ok(Answer::One(when)) => time(when, home),
        Ok(Answer::Several(readings)) => {
            let all: Vec<String> = readings
                .iter()
                .map(|reading| time(&reading.when, home))
                .collect();
            all.join(" | ")
        }
        Ok(Answer::Nothing) => "nothing".to_owned(),
        Err(error) => format!("!{}", kind(error)),
    }
}

fn kind(error: &WhenError) -> String {
    match error {
        WhenError::TooLong { .. } => "too long".to_owned(),
        WhenError::Unknown { word, .. } => format!("unknown {word}"),
        WhenError::Past { .. } => "past".to_owned(),
        WhenError::Twice { .. } => "twice".to_owned(),
        WhenError::Contradiction { .. } => "contradiction".to_owned(),
        WhenError::Weekday { .. } => "weekday".to_owned(),
        WhenError::NoSuchDay { .. } => "no such day".to_owned(),
        WhenError::Interval { .. } => "interval".to_owned(),
        WhenError::Never => "never".to_owned(),
        WhenError::OutOfRange => "out of range".to_owned(),
        WhenError::TooManyReadings => "too many".to_owned(),
    }
}
