//! The instants at which a plan reminds, and which of them is due.

use jiff::Timestamp;

use crate::recur::at_zone;

use super::plan::{Plan, REMINDER_MAX_MINUTES};
use super::times::{Times, moved, next_due};

/// From how many milliseconds on a reminder is late.
pub const LATE_FROM_MS: i64 = 60_000;
/// Missed reminders that are counted; this many is this many or more.
pub const MISSED_MAX: u64 = 10_000;

/// A reminder that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fire {
    /// When the task is due.
    pub due: Timestamp,
    /// When it was to remind: what the occurrence is known by.
    pub fire: Timestamp,
    /// How long ago that is, in milliseconds.
    pub late_ms: i64,
    /// Reminders before this one that nobody saw, [`MISSED_MAX`] at most.
    pub missed: u64,
    /// When it reminds next.
    pub next: Option<Timestamp>,
}

impl Fire {
    /// Whether it is so late that it has to be said.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.late_ms >= LATE_FROM_MS
    }
}

/// A reminder and what it reminds of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    fire: Timestamp,
    /// None for a snooze.
    due: Option<Timestamp>,
}

/// The reminders of a plan after an instant, in order, each instant once.
struct Fires<'a> {
    /// Seconds before, ascending, and the next time that is due.
    reminders: Vec<(i64, Option<Timestamp>, Times<'a>)>,
    snooze: Option<Timestamp>,
}

impl<'a> Fires<'a> {
    fn after(plan: &'a Plan, after: Timestamp) -> Self {
        let mut minutes: Vec<u32> = plan
            .reminders
            .iter()
            .map(|m| (*m).min(REMINDER_MAX_MINUTES))
            .collect();
        minutes.sort_unstable();
        minutes.dedup();
        let reminders = minutes
            .into_iter()
            .map(|minutes| {
                let before_s = i64::from(minutes) * 60;
                let mut times = Times::after(plan, moved(after, before_s));
                (before_s, times.next(), times)
            })
            .collect();
        Self {
            reminders,
            snooze: plan.snoozed_until.filter(|at| *at > after),
        }
    }
}

impl Iterator for Fires<'_> {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        let mut found: Option<Point> = None;
        for (before_s, due, _) in &self.reminders {
            if let Some(due) = *due {
                let fire = moved(due, -before_s);
                // Of two at once the one that is due first: it stands before.
                if found.is_none_or(|point| fire < point.fire) {
                    found = Some(Point {
                        fire,
                        due: Some(due),
                    });
                }
            }
        }
        if let Some(at) = self.snooze
            && found.is_none_or(|point| at < point.fire)
        {
            found = Some(Point {
                fire: at,
                due: None,
            });
        }
        let point = found?;
        for (before_s, due, times) in &mut self.reminders {
            if due.is_some_and(|due| moved(due, -*before_s) == point.fire) {
                *due = times.next();
            }
        }
        if self.snooze == Some(point.fire) {
            self.snooze = None;
        }
        Some(point)
    }
}

/// When a plan reminds next, after an instant.
#[must_use]
pub fn next_fire(plan: &Plan, after: Timestamp) -> Option<Timestamp> {
    Fires::after(plan, after).next().map(|point| point.fire)
}

/// The reminder that is due now: the newest after `last_fired`, with the number of those that were
/// missed before it. What `last_fired` has to be where a clock was set back says the module; `None`
/// is from the beginning.
#[must_use]
pub fn due_now(plan: &Plan, last_fired: Option<Timestamp>, now: Timestamp) -> Option<Fire> {
    let since = last_fired.unwrap_or_else(|| beginning(plan));
    let mut fires = Fires::after(plan, since);
    let mut newest = fires.next().filter(|point| point.fire <= now)?;
    let mut missed = 0;
    let mut next = fires.next();
    while let Some(point) = next.filter(|point| point.fire <= now) {
        if missed == MISSED_MAX {
            (newest, next) = last(plan, now).unwrap_or((newest, next));
            break;
        }
        missed += 1;
        newest = point;
        next = fires.next();
    }
    Some(Fire {
        due: newest
            .due
            .or_else(|| reminded_of(plan, newest.fire))
            .unwrap_or(newest.fire),
        fire: newest.fire,
        late_ms: now
            .as_millisecond()
            .saturating_sub(newest.fire.as_millisecond()),
        missed,
        next: next.map(|point| point.fire),
    })
}

/// Before anything that a plan does.
fn beginning(plan: &Plan) -> Timestamp {
    let first = at_zone(plan.start, &plan.zone).0;
    let first = plan.snoozed_until.map_or(first, |at| at.min(first));
    moved(first, -i64::from(REMINDER_MAX_MINUTES) * 60 - 1)
}

const HOUR_S: i64 = 60 * 60;

/// How far to look back for the last of something: where it comes often little is looked at, and
/// where it comes seldom there is little.
const LOOKS_S: [i64; 5] = [
    2 * HOUR_S,
    50 * HOUR_S,
    63 * 24 * HOUR_S,
    800 * 24 * HOUR_S,
    40 * 366 * 24 * HOUR_S,
];

/// The newest reminder not later than `now`, and the one behind it.
fn last(plan: &Plan, now: Timestamp) -> Option<(Point, Option<Point>)> {
    for look in LOOKS_S {
        let mut newest = None;
        for point in Fires::after(plan, moved(now, -look)) {
            if point.fire > now {
                return newest.map(|newest| (newest, Some(point)));
            }
            newest = Some(point);
        }
        if let Some(newest) = newest {
            return Some((newest, None));
        }
    }
    None
}

/// What a snooze reminds of: the newest time that had begun to be reminded of, or the next one.
fn reminded_of(plan: &Plan, at: Timestamp) -> Option<Timestamp> {
    let before = plan
        .reminders
        .iter()
        .copied()
        .max()
        .unwrap_or(0)
        .min(REMINDER_MAX_MINUTES);
    let upto = moved(at, i64::from(before) * 60);
    for look in LOOKS_S {
        let newest = Times::after(plan, moved(upto, -look))
            .take_while(|due| *due <= upto)
            .last();
        if newest.is_some() {
            return newest;
        }
    }
    let first = at_zone(plan.start, &plan.zone).0;
    if first <= upto {
        Some(first)
    } else {
        next_due(plan, at)
    }
}
