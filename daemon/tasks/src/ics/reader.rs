//! From a component's properties to an item.

use crate::Basis;
use crate::recur::Rule;

use super::alarm;
use super::import::{Component, Tally, excerpt};
use super::item::{Due, Item, Kind, Status};
use super::line::Line;
use super::value::{When, duration};
use super::zones::Zones;

/// Tags of an item that are taken over.
const TAGS_MAX: usize = 256;

/// What is read of an item before it is put together.
#[derive(Debug, Default)]
struct Raw {
    start: Option<(When, Option<String>)>,
    due: Option<(When, Option<String>)>,
    end: Option<(When, Option<String>)>,
    duration_s: Option<i64>,
    status: Option<String>,
    percent: Option<u8>,
    waiting: bool,
}

/// Puts items together.
pub(super) struct Reader<'a> {
    pub(super) zones: &'a mut Zones,
    pub(super) left_out: &'a mut Tally,
}

impl Reader<'_> {
    pub(super) fn item(&mut self, kind: Kind, component: Component) -> Item {
        let mut item = Item {
            kind,
            ..Item::default()
        };
        let mut raw = Raw::default();
        let mut seen: Vec<String> = Vec::new();
        for line in component.lines {
            // CATEGORIES and what is left out anyway may stand there several times.
            if line.name != "CATEGORIES" && taken(&line.name) {
                if seen.contains(&line.name) {
                    self.left_out.add(format!("{} (again)", line.name));
                    continue;
                }
                seen.push(line.name.clone());
            }
            self.property(&mut item, &mut raw, &line);
        }
        self.times(&mut item, &raw);
        item.status = self.status(&item, &raw);
        let before_due_s = before(&raw, &item);
        for within in component.within {
            if within.name == "VALARM" {
                alarm::read(&mut item, &within, &before_due_s, self.left_out);
            } else {
                self.left_out
                    .add(format!("{} {}", component.name, within.name));
            }
        }
        item.reminders.sort_unstable();
        item.reminders.dedup();
        item
    }

    fn property(&mut self, item: &mut Item, raw: &mut Raw, line: &Line) {
        let read = match line.name.as_str() {
            // What says nothing about the task itself.
            "DTSTAMP" | "SEQUENCE" => true,
            "UID" => set(
                &mut item.uid,
                Some(line.text()).filter(|uid| !uid.is_empty()),
            ),
            "SUMMARY" => {
                item.title = line.text();
                true
            }
            "DESCRIPTION" => {
                item.notes = line.text();
                true
            }
            "DTSTART" => set(&mut raw.start, self.time(line)),
            "DUE" => set(&mut raw.due, self.time(line)),
            "DTEND" => set(&mut raw.end, self.time(line)),
            "DURATION" => set(&mut raw.duration_s, duration(&line.value)),
            "RRULE" => match Rule::parse(&line.value) {
                Ok(rule) => set(&mut item.rule, Some(rule)),
                Err(error) => {
                    self.left_out.add(format!("RRULE ({error})"));
                    return;
                }
            },
            "PRIORITY" => match line.value.trim().parse::<u8>() {
                Ok(0) => true,
                Ok(n @ 1..=9) => set(&mut item.priority, Some(n)),
                _ => false,
            },
            "CATEGORIES" => {
                for tag in line.texts().map(|tag| tag.replace(char::is_control, " ")) {
                    let tag = tag.trim();
                    if tag.is_empty() || item.tags.iter().any(|known| known == tag) {
                        continue;
                    }
                    if item.tags.len() >= TAGS_MAX {
                        self.left_out.add("CATEGORIES (too many)");
                    } else {
                        item.tags.push(tag.to_owned());
                    }
                }
                true
            }
            "STATUS" => set(
                &mut raw.status,
                Some(line.value.trim().to_ascii_uppercase()),
            ),
            "PERCENT-COMPLETE" => set(
                &mut raw.percent,
                line.value.trim().parse().ok().filter(|n| *n <= 100),
            ),
            "COMPLETED" => set(&mut item.completed, self.instant(line)),
            "CREATED" => set(&mut item.created, self.instant(line)),
            "LAST-MODIFIED" => set(&mut item.modified, self.instant(line)),
            "RELATED-TO" if is_parent(line) => set(&mut item.parent, Some(line.text())),
            "X-CONVERGIO-PROJECT" => set(&mut item.project, Some(line.text())),
            "X-CONVERGIO-REPEAT" if line.value == "AFTER-COMPLETION" => {
                item.basis = Basis::AfterCompletion;
                true
            }
            "X-CONVERGIO-STATE" if line.value == "WAITING" => {
                raw.waiting = true;
                true
            }
            name => {
                let kind = if item.kind == Kind::Todo {
                    "VTODO"
                } else {
                    "VEVENT"
                };
                self.left_out.add(format!("{kind} {}", excerpt(name)));
                return;
            }
        };
        if !read {
            self.left_out.add(format!("{} (not understood)", line.name));
        }
    }

    /// A time and its zone's name. Where the zone is not in the list it is said what became of the
    /// time: that of a zone whose clock goes alike, the instant that the calendar defines, or the
    /// wall clock wherever one is.
    fn time(&mut self, line: &Line) -> Option<(When, Option<String>)> {
        let when = When::read(&line.value)?;
        let (When::Local(at), Some(tzid)) = (when, line.param("TZID")) else {
            return Some((when, None));
        };
        let name = excerpt(tzid);
        match self.zones.find(tzid, at) {
            Some(found) => {
                if found.guessed {
                    let like = &found.name;
                    self.left_out
                        .add(format!("TZID (taken as {like}, which goes alike): {name}"));
                }
                Some((when, Some(found.name)))
            }
            None => match self.zones.instant(tzid, at) {
                Some(at) => {
                    self.left_out
                        .add(format!("TZID (unknown zone, taken as UTC): {name}"));
                    Some((When::Utc(at), None))
                }
                None => {
                    self.left_out
                        .add(format!("TZID (unknown zone, taken as local): {name}"));
                    Some((when, None))
                }
            },
        }
    }

    fn instant(&mut self, line: &Line) -> Option<jiff::Timestamp> {
        let (when, zone) = self.time(line)?;
        match (when, zone) {
            (When::Local(at), Some(zone)) => {
                let zone = jiff::tz::TimeZone::get(&zone).ok()?;
                Some(crate::recur::at_zone(at, &zone).0)
            }
            (when, _) => when.instant(),
        }
    }

    fn times(&mut self, item: &mut Item, raw: &Raw) {
        let after = raw.duration_s.filter(|seconds| *seconds >= 0);
        let due = match (&raw.due, &raw.start, after) {
            (Some(due), _, _) => Some(due.clone()),
            (None, Some((start, zone)), Some(after)) if item.kind == Kind::Todo => start
                .moved(after)
                .map(|due| (due, zone.clone()))
                .or_else(|| raw.start.clone()),
            (None, start, _) => start.clone(),
        };
        let chosen = match (&raw.start, due) {
            // A rule that names days fits its start, and not a later day.
            (Some(start), Some(due))
                if item.rule.as_ref().is_some_and(|rule| !rule.is_plain())
                    && start.0.wall().date() != due.0.wall().date() =>
            {
                self.left_out.add("DUE (repeats by its start)");
                Some(start.clone())
            }
            (_, due) => due,
        };
        if item.kind == Kind::Event {
            for there in [raw.end.is_some(), raw.duration_s.is_some()] {
                if there {
                    self.left_out.add("VEVENT (its length)");
                }
            }
        } else if raw.start.is_some() && raw.start != chosen {
            self.left_out.add("DTSTART (starts before it is due)");
        }
        if chosen.is_none() && item.rule.take().is_some() {
            self.left_out.add("RRULE (without a time)");
        }
        item.due = chosen.map(|(when, zone)| match (when, zone) {
            (When::Day(day), _) => Due::Day(day),
            (When::Utc(at), _) => Due::Utc(at),
            (When::Local(at), Some(zone)) => Due::Zoned { at, zone },
            (When::Local(at), None) => Due::Floating(at),
        });
    }

    fn status(&mut self, item: &Item, raw: &Raw) -> Status {
        match raw.status.as_deref() {
            Some("COMPLETED") => return Status::Done,
            Some("CANCELLED") => return Status::Cancelled,
            None | Some("NEEDS-ACTION" | "CONFIRMED") => {}
            Some(other) => self.left_out.add(format!("STATUS:{}", excerpt(other))),
        }
        match raw.percent {
            None | Some(0 | 100) => {}
            Some(_) => self.left_out.add("PERCENT-COMPLETE"),
        }
        let done = item.completed.is_some() || raw.percent == Some(100);
        match (done && raw.status.is_none(), raw.waiting) {
            (true, _) => Status::Done,
            (_, true) => Status::Waiting,
            _ => Status::Open,
        }
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let there = value.is_some();
    if there {
        *place = value;
    }
    there
}

/// Properties of which an item has one.
fn taken(name: &str) -> bool {
    matches!(
        name,
        "UID"
            | "SUMMARY"
            | "DESCRIPTION"
            | "DTSTART"
            | "DUE"
            | "DTEND"
            | "DURATION"
            | "RRULE"
            | "PRIORITY"
            | "STATUS"
            | "PERCENT-COMPLETE"
            | "COMPLETED"
            | "CREATED"
            | "LAST-MODIFIED"
            | "X-CONVERGIO-PROJECT"
    )
}

fn is_parent(line: &Line) -> bool {
    line.param("RELTYPE")
        .is_none_or(|kind| kind.eq_ignore_ascii_case("PARENT"))
}

/// What an alarm's trigger is counted from, in seconds before the item is due.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) start_s: Option<i64>,
    pub(super) end_s: Option<i64>,
}

fn before(raw: &Raw, item: &Item) -> Before {
    let wall = |at: &Option<(When, Option<String>)>| {
        at.as_ref()
            .map(|(when, zone)| (when.wall(), matches!(when, When::Utc(_)), zone.clone()))
    };
    // Two times of one kind and zone are as far apart as their wall clocks are.
    let apart = |from: &Option<(When, Option<String>)>, to: &Option<(When, Option<String>)>| {
        let ((from, utc, zone), (to, to_utc, to_zone)) = (wall(from)?, wall(to)?);
        (utc == to_utc && zone == to_zone).then(|| to.duration_since(from).as_secs())
    };
    if item.kind == Kind::Event {
        let length = raw.duration_s.or_else(|| apart(&raw.start, &raw.end));
        return Before {
            start_s: Some(0),
            end_s: length.map(|length| -length),
        };
    }
    let at_start = item.due.is_some() && raw.due.is_none() && raw.duration_s.is_none();
    let repeats_by_start =
        item.rule.as_ref().is_some_and(|rule| !rule.is_plain()) && raw.start.is_some();
    let length = raw.duration_s.or_else(|| apart(&raw.start, &raw.due));
    if at_start || raw.start.is_none() {
        Before {
            start_s: Some(0),
            end_s: Some(0),
        }
    } else if repeats_by_start && length.is_some_and(|length| length >= 86_400) {
        Before {
            start_s: Some(0),
            end_s: length.map(|length| -length),
        }
    } else {
        Before {
            start_s: length,
            end_s: Some(0),
        }
    }
}
