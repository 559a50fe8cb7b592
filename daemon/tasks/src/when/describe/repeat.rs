//! RFC 5545 rules in words.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::super::{Basis, Language, Repeat};
use super::{month, weekday};

/// A rule in words; its end apart, because a beginning stands before it.
pub(super) struct InWords {
    pub(super) words: String,
    pub(super) end: String,
}

/// The parts of a rule that words know.
#[derive(Default)]
struct Parts {
    freq: String,
    interval: u32,
    days: Vec<(i8, Weekday)>,
    month_days: Vec<i8>,
    month: Option<i8>,
    position: Option<i8>,
    count: Option<u32>,
    until: Option<String>,
}

/// A rule in words: `every 2 weeks on Monday until 30 June 2027`. One that words do not cover is
/// said as it is written. `zone` is the one in which it counts.
#[must_use]
pub fn describe_repeat(repeat: &Repeat, language: Language, zone: &TimeZone) -> String {
    let Some(InWords { mut words, end }) = in_words(repeat, language, zone) else {
        return match language {
            Language::English => format!("by the rule {}", repeat.rrule),
            Language::Italian => format!("con la regola {}", repeat.rrule),
        };
    };
    if repeat.rrule.contains("BYSETPOS=-1") {
        words.push_str(match language {
            Language::English => " or the last day of a shorter month",
            Language::Italian => " o l'ultimo giorno di un mese più corto",
        });
    }
    words + &end
}

fn parts(rrule: &str) -> Option<Parts> {
    let mut out = Parts {
        interval: 1,
        ..Parts::default()
    };
    for part in rrule.split(';') {
        let (name, value) = part.split_once('=')?;
        match name {
            "FREQ" => out.freq = value.to_owned(),
            "INTERVAL" => out.interval = value.parse().ok()?,
            "COUNT" => out.count = Some(value.parse().ok()?),
            "UNTIL" => out.until = Some(value.to_owned()),
            "BYMONTH" => out.month = Some(value.parse().ok().filter(|m| (1..=12).contains(m))?),
            "BYSETPOS" => out.position = Some(value.parse().ok()?),
            "BYMONTHDAY" => {
                for day in value.split(',') {
                    out.month_days
                        .push(day.parse().ok().filter(|d| (-31..=31).contains(d))?);
                }
            }
            "BYDAY" => {
                for day in value.split(',') {
                    let at = day.len().checked_sub(2)?;
                    let (nth, code) = (day.get(..at)?, day.get(at..)?);
                    let nth = if nth.is_empty() { 0 } else { nth.parse().ok()? };
                    out.days.push((nth, by_code(code)?));
                }
            }
            "WKST" if value == "MO" => {}
            _ => return None,
        }
    }
    Some(out)
}

fn by_code(code: &str) -> Option<Weekday> {
    Some(match code {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

pub(super) fn in_words(repeat: &Repeat, language: Language, zone: &TimeZone) -> Option<InWords> {
    let mut parts = parts(&repeat.rrule)?;
    // The last of 28 to 31 is our way to say the 31st, or a shorter month's last.
    match (parts.position, parts.month_days.as_slice()) {
        (None, _) => {}
        (Some(-1), [28, .., last @ 29..=31]) => parts.month_days = vec![*last],
        _ => return None,
    }
    let mut words = body(&parts, language)?;
    if repeat.basis == Basis::AfterCompletion {
        words.push_str(match language {
            Language::English => " after completion",
            Language::Italian => " dopo averlo fatto",
        });
    }
    Some(InWords {
        words,
        end: end(&parts, language, zone)?,
    })
}

fn body(parts: &Parts, language: Language) -> Option<String> {
    let n = parts.interval;
    let (one, many) = match (parts.freq.as_str(), language) {
        ("MINUTELY", Language::English) => ("minute", "minutes"),
        ("HOURLY", Language::English) => ("hour", "hours"),
        ("DAILY", Language::English) => ("day", "days"),
        ("WEEKLY", Language::English) => ("week", "weeks"),
        ("MONTHLY", Language::English) => ("month", "months"),
        ("YEARLY", Language::English) => ("year", "years"),
        ("MINUTELY", Language::Italian) => ("minuto", "minuti"),
        ("HOURLY", Language::Italian) => ("ora", "ore"),
        ("DAILY", Language::Italian) => ("giorno", "giorni"),
        ("WEEKLY", Language::Italian) => ("settimana", "settimane"),
        ("MONTHLY", Language::Italian) => ("mese", "mesi"),
        ("YEARLY", Language::Italian) => ("anno", "anni"),
        _ => return None,
    };
    let every = match language {
        Language::English => "every",
        Language::Italian => "ogni",
    };
    let unit = if n == 1 {
        format!("{every} {one}")
    } else {
        format!("{every} {n} {many}")
    };
    let on = on(parts, language)?;
    let plain: Vec<Weekday> = parts
        .days
        .iter()
        .filter(|(nth, _)| *nth == 0)
        .map(|(_, day)| *day)
        .collect();
    if parts.freq == "WEEKLY" && n == 1 && !plain.is_empty() {
        let workdays = [
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
        ];
        return Some(match (plain.as_slice(), language) {
            (days, Language::English) if days == workdays => "every weekday".to_owned(),
            (days, Language::Italian) if days == workdays => "ogni giorno feriale".to_owned(),
            ([Weekday::Saturday, Weekday::Sunday], Language::English) => "every weekend".to_owned(),
            ([Weekday::Saturday, Weekday::Sunday], Language::Italian) => {
                "ogni fine settimana".to_owned()
            }
            (days, _) => format!("{every} {}", list(days, language)),
        });
    }
    Some(if on.is_empty() {
        unit
    } else {
        format!("{unit} {on}")
    })
}

fn list(days: &[Weekday], language: Language) -> String {
    let names: Vec<&str> = days.iter().map(|day| weekday(*day, language)).collect();
    join(&names, language)
}

fn join(names: &[&str], language: Language) -> String {
    let and = match language {
        Language::English => "and",
        Language::Italian => "e",
    };
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

/// The days of a rule: `on Monday`, `on the 15th`, `il primo lunedì del mese`.
fn on(parts: &Parts, language: Language) -> Option<String> {
    let yearly = parts.freq == "YEARLY";
    match (
        parts.days.as_slice(),
        parts.month_days.as_slice(),
        parts.month,
    ) {
        ([], [], None) => Some(String::new()),
        (days, [], None) if parts.freq == "WEEKLY" && days.iter().all(|(nth, _)| *nth == 0) => {
            let days: Vec<Weekday> = days.iter().map(|(_, day)| *day).collect();
            Some(match language {
                Language::English => format!("on {}", list(&days, language)),
                Language::Italian => {
                    let names: Vec<String> = days
                        .iter()
                        .map(|day| format!("{} {}", the(*day), weekday(*day, language)))
                        .collect();
                    join(
                        &names.iter().map(String::as_str).collect::<Vec<_>>(),
                        language,
                    )
                }
            })
        }
        ([], [-1], None) if parts.freq == "MONTHLY" => Some(match language {
            Language::English => "on the last day of the month".to_owned(),
            Language::Italian => "l'ultimo giorno del mese".to_owned(),
        }),
        ([], [day @ 1..=31], None) if parts.freq == "MONTHLY" => Some(match language {
            Language::English => format!("on the {day}{}", suffix(*day)),
            Language::Italian => italian_day(*day),
        }),
        ([(nth, day)], [], None) if parts.freq == "MONTHLY" => {
            let nth = ordinal(*nth, *day, language)?;
            Some(match language {
                Language::English => {
                    format!("on the {nth} {} of the month", weekday(*day, language))
                }
                Language::Italian => format!("{nth} {} del mese", weekday(*day, language)),
            })
        }
        ([], [day @ 1..=31], Some(number)) if yearly => Some(match language {
            Language::English => format!("on {day} {}", month(number, language)),
            Language::Italian => format!("{} {}", italian_day(*day), month(number, language)),
        }),
        ([], [-1], Some(number)) if yearly => Some(match language {
            Language::English => format!("on the last day of {}", month(number, language)),
            Language::Italian => format!("l'ultimo giorno di {}", month(number, language)),
        }),
        ([(nth, day)], [], Some(number)) if yearly => {
            let nth = ordinal(*nth, *day, language)?;
            Some(match language {
                Language::English => {
                    format!(
                        "on the {nth} {} of {}",
                        weekday(*day, language),
                        month(number, language)
                    )
                }
                Language::Italian => {
                    format!(
                        "{nth} {} di {}",
                        weekday(*day, language),
                        month(number, language)
                    )
                }
            })
        }
        _ => None,
    }
}

fn the(day: Weekday) -> &'static str {
    if day == Weekday::Sunday { "la" } else { "il" }
}

fn italian_day(day: i8) -> String {
    match day {
        1 => "il primo".to_owned(),
        8 | 11 => format!("l'{day}"),
        _ => format!("il {day}"),
    }
}

fn suffix(day: i8) -> &'static str {
    match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    }
}

/// `first`, `l'ultima`: one to five, or the last.
fn ordinal(nth: i8, day: Weekday, language: Language) -> Option<String> {
    let at = match nth {
        -1 => 5,
        1..=5 => usize::from(nth.unsigned_abs()) - 1,
        _ => return None,
    };
    Some(match (language, day) {
        (Language::English, _) => {
            ["first", "second", "third", "fourth", "fifth", "last"][at].to_owned()
        }
        (Language::Italian, Weekday::Sunday) => [
            "la prima",
            "la seconda",
            "la terza",
            "la quarta",
            "la quinta",
            "l'ultima",
        ][at]
            .to_owned(),
        (Language::Italian, _) => [
            "il primo",
            "il secondo",
            "il terzo",
            "il quarto",
            "il quinto",
            "l'ultimo",
        ][at]
            .to_owned(),
    })
}

fn end(parts: &Parts, language: Language, zone: &TimeZone) -> Option<String> {
    match (parts.count, &parts.until) {
        (None, None) => Some(String::new()),
        (Some(count), None) => Some(match (language, count) {
            (Language::English, 1) => " for 1 time".to_owned(),
            (Language::English, _) => format!(" for {count} times"),
            (Language::Italian, 1) => " per 1 volta".to_owned(),
            (Language::Italian, _) => format!(" per {count} volte"),
        }),
        (None, Some(until)) => {
            let date = until_date(until, zone)?;
            Some(match language {
                Language::English => {
                    format!(
                        " until {} {} {}",
                        date.day(),
                        month(date.month(), language),
                        date.year()
                    )
                }
                Language::Italian => {
                    let day = italian_day(date.day());
                    let day = day
                        .strip_prefix("il ")
                        .map(|day| format!("al {day}"))
                        .unwrap_or(format!("all{}", day.trim_start_matches('l')));
                    format!(
                        " fino {day} {} {}",
                        month(date.month(), language),
                        date.year()
                    )
                }
            })
        }
        (Some(_), Some(_)) => None,
    }
}

fn until_date(until: &str, zone: &TimeZone) -> Option<Date> {
    if let Some(utc) = until.strip_suffix('Z') {
        let at = DateTime::strptime("%Y%m%dT%H%M%S", utc).ok()?;
        return Some(
            at.to_zoned(TimeZone::UTC)
                .ok()?
                .with_time_zone(zone.clone())
                .date(),
        );
    }
    match until.len() {
        8 => Date::strptime("%Y%m%d", until).ok(),
        _ => Some(DateTime::strptime("%Y%m%dT%H%M%S", until).ok()?.date()),
    }
}
