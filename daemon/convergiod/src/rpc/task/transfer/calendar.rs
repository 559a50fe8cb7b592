//! Tasks as items of a calendar.

use convergio_contract::{RpcError, Uuid};
use convergio_store::Connection;
use convergio_tasks::{
    Basis, Repeat,
    book::{self, Fields, Incoming, NewTimes, Priority, State, TaskRow},
    ics::{self, Due, Item, Kind, Status},
};
use jiff::Timestamp;

use super::{Coming, LeftOut, notes, reminders, shown, tags, title, word};
use crate::{
    failure,
    rpc::task::{WriteError, place::Place},
};

/// A task as an item.
pub(super) fn item(
    connection: &Connection,
    tenant: Uuid,
    row: TaskRow,
) -> Result<Item, WriteError> {
    let parent = match row.parent {
        Some(id) => book::by_id(connection, tenant, id)?.map(|parent| name(&parent)),
        None => None,
    };
    let at = |ms: i64| Timestamp::from_millisecond(ms).ok();
    Ok(Item {
        kind: Kind::Todo,
        uid: Some(name(&row)),
        rule: book::remaining_rule(&row)?,
        basis: row
            .repeat
            .as_ref()
            .map_or(Basis::Schedule, |repeat| repeat.basis),
        due: row.times.map(|times| match times.zone.as_str() {
            _ if times.all_day => Due::Day(times.due.date()),
            "UTC" | "Etc/UTC" => Due::Utc(at(times.due_ms).unwrap_or_default()),
            _ => Due::Zoned {
                at: times.due,
                zone: times.zone,
            },
        }),
        title: row.title,
        notes: row.notes,
        priority: row.priority.map(|priority| match priority {
            Priority::High => 1,
            Priority::Medium => 5,
            Priority::Low => 9,
        }),
        tags: row.tags,
        project: row.project,
        status: match row.state {
            State::Open => Status::Open,
            State::Waiting => Status::Waiting,
            State::Done => Status::Done,
            State::Cancelled => Status::Cancelled,
        },
        completed: row.completed_ms.and_then(at),
        created: at(row.created_ms),
        modified: at(row.modified_ms),
        parent,
        reminders: {
            let mut minutes = row.remind_before_min;
            minutes.sort_unstable();
            minutes
        },
    })
}

/// What a calendar calls a task.
fn name(row: &TaskRow) -> String {
    row.uid.clone().unwrap_or_else(|| row.id.to_string())
}

/// Reads a calendar.
pub(super) fn read(
    text: &str,
    place: &Place,
    left_out: &mut LeftOut,
) -> Result<Vec<Coming>, RpcError> {
    let import = ics::import(text.as_bytes()).map_err(|error| {
        failure::invalid(error.to_string())
            .why("it is not taken for a calendar; nothing was taken")
            .hint("cv task import --help")
    })?;
    for one in import.left_out {
        left_out.add_many(one.what, one.count);
    }
    let items = import.items.into_iter();
    Ok(items
        .filter_map(|item| coming(item, place, left_out))
        .collect())
}

fn coming(item: Item, place: &Place, left_out: &mut LeftOut) -> Option<Coming> {
    let mut text = item.notes.clone();
    let Some(title) = title(&item.title, &mut text, left_out) else {
        left_out.add("an item without a title");
        return None;
    };
    let notes = notes(&text, &title, left_out);
    let times = item.due.as_ref().and_then(|due| {
        let times = times(due, item.rule.is_some(), place);
        if times.is_none() {
            left_out.add(format!("{}: when it is due", shown(&title)));
        }
        times
    });
    let repeat = item
        .rule
        .as_ref()
        .filter(|_| times.is_some())
        .map(|rule| Repeat {
            rrule: rule.to_string(),
            basis: item.basis,
        });
    if item.rule.is_some() && repeat.is_none() {
        left_out.add(format!("{}: how it comes again", shown(&title)));
    }
    let minutes = reminders(&item.reminders, &title, left_out);
    if times.is_none() && !minutes.is_empty() {
        left_out.add(format!(
            "{}: its reminders, as it has no time",
            shown(&title)
        ));
    }
    let project = item.project.as_deref().and_then(word);
    if item.project.is_some() && project.is_none() {
        left_out.add(format!("{}: its project", shown(&title)));
    }
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let fields = Fields {
        notes: Some(notes),
        priority: Some(item.priority.and_then(|priority| match priority {
            1..=4 => Some(Priority::High),
            5 => Some(Priority::Medium),
            6..=9 => Some(Priority::Low),
            _ => None,
        })),
        project: Some(project),
        tags: Some(tags(&item.tags, &title, left_out)),
        parent: None,
        state: Some(match item.status {
            Status::Open => State::Open,
            Status::Waiting => State::Waiting,
            Status::Done => State::Done,
            Status::Cancelled => State::Cancelled,
        }),
        remind_before_min: Some(match &times {
            Some(_) => minutes,
            None => Vec::new(),
        }),
        repeat: Some(repeat),
        times: Some(times),
        title: Some(title.clone()),
    };
    let own = item
        .uid
        .as_deref()
        .and_then(|uid| Uuid::try_parse(uid).ok());
    // Where it is our own name for it, no other is needed.
    let own = own.filter(|id| id.get_version_num() == 7);
    Some(Coming {
        incoming: Incoming {
            id: own,
            uid: item.uid.clone().filter(|_| own.is_none()),
            fields,
            created_ms: ms(item.created),
            modified_ms: ms(item.modified),
            completed_ms: ms(item.completed),
        },
        name: item.uid,
        parent: item.parent,
        shown: shown(&title),
    })
}

/// When it is due. A time of nowhere is one of here.
fn times(due: &Due, repeats: bool, place: &Place) -> Option<NewTimes> {
    let here = || place.zone_name().to_owned();
    Some(match due {
        Due::Day(date) => NewTimes {
            due: date.at(0, 0, 0, 0),
            zone: here(),
            all_day: true,
        },
        Due::Floating(at) => NewTimes {
            due: *at,
            zone: here(),
            all_day: false,
        },
        Due::Zoned { at, zone } => NewTimes {
            due: *at,
            zone: book::zone(zone).ok().map(|_| zone.clone())?,
            all_day: false,
        },
        // A rule counts in the zone in which it was made.
        Due::Utc(at) if repeats => NewTimes {
            due: jiff::tz::TimeZone::UTC.to_datetime(*at),
            zone: "UTC".to_owned(),
            all_day: false,
        },
        Due::Utc(at) => NewTimes {
            due: place.zone().to_datetime(*at),
            zone: here(),
            all_day: false,
        },
    })
}
