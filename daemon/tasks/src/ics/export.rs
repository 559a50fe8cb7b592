//! Items as a calendar.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Basis;
use crate::recur::{Rule, Until, at_zone};

use super::item::{Due, Item, Status};
use super::line::{escape, write};
use super::zones;

/// Years of a zone's changes that are written.
const ZONE_YEARS: i64 = 12;

/// A calendar of `VTODO`s with the zones that they need. `now` is the stamp of each.
///
/// Where an item repeats, its start is written beside the time that it is due, and is the same: a
/// rule is counted from the start. An `UNTIL` takes the form that RFC 5545 asks for beside its
/// start: a date, a wall-clock time or UTC.
#[must_use]
pub fn export(items: &[Item], now: Timestamp) -> String {
    let mut out = String::new();
    write(&mut out, "BEGIN:VCALENDAR");
    write(&mut out, "VERSION:2.0");
    write(&mut out, "PRODID:-//Convergio//Convergio//EN");
    write(&mut out, "CALSCALE:GREGORIAN");
    let mut named: BTreeMap<&str, (TimeZone, Timestamp)> = BTreeMap::new();
    for item in items {
        if let Some(Due::Zoned { at, zone }) = &item.due
            && let Ok(found) = TimeZone::get(zone)
        {
            let at = at_zone(*at, &found).0;
            let first = named.entry(zone).or_insert((found, at.min(now)));
            first.1 = first.1.min(at);
        }
    }
    for (name, (zone, first)) in &named {
        let from = super::value::When::Utc(*first)
            .moved(-366 * 86_400)
            .and_then(super::value::When::instant)
            .unwrap_or(*first);
        zones::write(&mut out, name, zone, from, ZONE_YEARS);
    }
    for (i, item) in items.iter().enumerate() {
        todo(&mut out, item, i, now);
    }
    write(&mut out, "END:VCALENDAR");
    out
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Parameters and value.
fn due_text(due: &Due) -> String {
    match due {
        Due::Day(day) => format!(";VALUE=DATE:{}", day.strftime("%Y%m%d")),
        Due::Floating(at) => format!(":{}", at.strftime("%Y%m%dT%H%M%S")),
        // A name of a zone holds no quote; nothing but a quoted text is safe.
        Due::Zoned { at, zone } => {
            let zone: String = zone
                .chars()
                .filter(|c| *c != '"' && !c.is_control())
                .collect();
            let quote = if zone.contains([':', ';', ',']) {
                "\""
            } else {
                ""
            };
            format!(
                ";TZID={quote}{zone}{quote}:{}",
                at.strftime("%Y%m%dT%H%M%S")
            )
        }
        Due::Utc(at) => format!(":{}", utc(*at)),
    }
}

/// The rule with its end in the form that goes with the start.
fn rule_text(rule: &Rule, due: &Due) -> String {
    let Some(until) = rule.until() else {
        return rule.to_string();
    };
    let wall = match until {
        Until::Day(day) => day.at(23, 59, 59, 0),
        Until::Local(at) => at,
        Until::Utc(at) => match due {
            Due::Zoned { zone, .. } => TimeZone::get(zone).unwrap_or(TimeZone::UTC).to_datetime(at),
            _ => TimeZone::UTC.to_datetime(at),
        },
    };
    let end = match (due, until) {
        (Due::Day(_), _) => Until::Day(wall.date()),
        (Due::Floating(_), _) => Until::Local(wall),
        (_, Until::Utc(at)) => Until::Utc(at),
        (Due::Zoned { zone, .. }, _) => {
            Until::Utc(at_zone(wall, &TimeZone::get(zone).unwrap_or(TimeZone::UTC)).0)
        }
        (Due::Utc(_), _) => Until::Utc(at_zone(wall, &TimeZone::UTC).0),
    };
    rule.clone().with_until(end).to_string()
}

fn todo(out: &mut String, item: &Item, number: usize, now: Timestamp) {
    write(out, "BEGIN:VTODO");
    match &item.uid {
        Some(uid) => write(out, &format!("UID:{}", escape(uid))),
        None => write(out, &format!("UID:{}-{number}@convergio", utc(now))),
    }
    write(out, &format!("DTSTAMP:{}", utc(now)));
    for (name, at) in [("CREATED", item.created), ("LAST-MODIFIED", item.modified)] {
        if let Some(at) = at {
            write(out, &format!("{name}:{}", utc(at)));
        }
    }
    write(out, &format!("SUMMARY:{}", escape(&item.title)));
    if !item.notes.is_empty() {
        write(out, &format!("DESCRIPTION:{}", escape(&item.notes)));
    }
    if let Some(due) = &item.due {
        if let Some(rule) = &item.rule {
            write(out, &format!("DTSTART{}", due_text(due)));
            write(out, &format!("RRULE:{}", rule_text(rule, due)));
            if item.basis == Basis::AfterCompletion {
                write(out, "X-CONVERGIO-REPEAT:AFTER-COMPLETION");
            }
        }
        write(out, &format!("DUE{}", due_text(due)));
    }
    if let Some(priority) = item.priority {
        write(out, &format!("PRIORITY:{}", priority.min(9)));
    }
    if !item.tags.is_empty() {
        let tags: Vec<String> = item.tags.iter().map(|tag| escape(tag)).collect();
        write(out, &format!("CATEGORIES:{}", tags.join(",")));
    }
    if let Some(project) = &item.project {
        write(out, &format!("X-CONVERGIO-PROJECT:{}", escape(project)));
    }
    let status = match item.status {
        Status::Open | Status::Waiting => "NEEDS-ACTION",
        Status::Done => "COMPLETED",
        Status::Cancelled => "CANCELLED",
    };
    write(out, &format!("STATUS:{status}"));
    if item.status == Status::Waiting {
        write(out, "X-CONVERGIO-STATE:WAITING");
    }
    if let Some(at) = item.completed {
        write(out, &format!("COMPLETED:{}", utc(at)));
    }
    if let Some(parent) = &item.parent {
        write(
            out,
            &format!("RELATED-TO;RELTYPE=PARENT:{}", escape(parent)),
        );
    }
    if item.due.is_some() {
        for minutes in &item.reminders {
            alarm(out, &item.title, *minutes);
        }
    }
    write(out, "END:VTODO");
}

fn alarm(out: &mut String, title: &str, minutes: u32) {
    let before = match minutes {
        0 => "PT0S".to_owned(),
        n if n % (24 * 60) == 0 => format!("-P{}D", n / (24 * 60)),
        n if n % 60 == 0 => format!("-PT{}H", n / 60),
        n => format!("-PT{n}M"),
    };
    write(out, "BEGIN:VALARM");
    write(out, "ACTION:DISPLAY");
    write(out, &format!("DESCRIPTION:{}", escape(title)));
    write(out, &format!("TRIGGER;RELATED=END:{before}"));
    write(out, "END:VALARM");
}
