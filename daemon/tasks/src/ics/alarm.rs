//! Alarms, as far as they are reminders before something is due.

use jiff::tz::TimeZone;

use super::import::{Component, Tally, excerpt};
use super::item::{Due, Item};
use super::reader::Before;
use super::value::{When, duration};
use crate::recur::at_zone;
use crate::schedule::REMINDER_MAX_MINUTES;

/// Reminders of an item that are taken over.
const REMINDERS_MAX: usize = 64;

/// Adds an alarm to an item's reminders, or says why not.
pub(super) fn read(item: &mut Item, alarm: &Component, before: &Before, left_out: &mut Tally) {
    let mut trigger = None;
    for line in &alarm.lines {
        match line.name.as_str() {
            "TRIGGER" if trigger.is_none() => trigger = Some(line),
            "ACTION" => {
                let action = line.value.trim().to_ascii_uppercase();
                if !matches!(action.as_str(), "DISPLAY" | "AUDIO") {
                    left_out.add(format!("VALARM (ACTION:{})", excerpt(&action)));
                    return;
                }
            }
            // Its own words are no more than the title.
            "DESCRIPTION" if line.text() == item.title => {}
            name => left_out.add(format!("VALARM {}", excerpt(name))),
        }
    }
    for within in &alarm.within {
        left_out.add(format!("VALARM {}", within.name));
    }
    let Some(trigger) = trigger else {
        left_out.add("VALARM (without a TRIGGER)");
        return;
    };
    let seconds_before = match (duration(&trigger.value), When::read(&trigger.value)) {
        (Some(after), _) => {
            let at_end = trigger
                .param("RELATED")
                .is_some_and(|r| r.eq_ignore_ascii_case("END"));
            let from = if at_end { before.end_s } else { before.start_s };
            from.map(|from| from - after)
        }
        (None, Some(When::Utc(at))) if item.rule.is_none() => {
            let due = match &item.due {
                Some(Due::Utc(due)) => Some(*due),
                Some(Due::Zoned { at, zone }) => {
                    TimeZone::get(zone).ok().map(|zone| at_zone(*at, &zone).0)
                }
                _ => None,
            };
            due.map(|due| due.duration_since(at).as_secs())
        }
        _ => None,
    };
    let Some(seconds) = seconds_before else {
        left_out.add("VALARM (its time is not counted from when it is due)");
        return;
    };
    // Rather half a minute early than late.
    let minutes = u32::try_from(seconds.saturating_add(59).div_euclid(60));
    match minutes {
        _ if item.due.is_none() => left_out.add("VALARM (without a time)"),
        _ if seconds < 0 => left_out.add("VALARM (after it is due)"),
        Ok(minutes) if minutes <= REMINDER_MAX_MINUTES => {
            if item.reminders.len() < REMINDERS_MAX {
                item.reminders.push(minutes);
            } else {
                left_out.add("VALARM (too many)");
            }
        }
        _ => left_out.add("VALARM (too long before)"),
    }
}
