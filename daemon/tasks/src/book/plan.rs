//! When a task fires: its times and rule become the one reminder that is next.

use jiff::{Timestamp, ToSpan, civil::DateTime, tz::TimeZone};

use super::{BookError, Next, TaskRow, Times};
use crate::{
    Basis,
    recur::{Rule, at_zone},
    schedule,
};

/// A whole day's reminders count from this hour of it.
pub const ALL_DAY_HOUR: i8 = 9;

const MINUTE_MS: i64 = 60_000;
/// No clock jumps by more hours.
const JUMP_HOURS: i64 = 26;
/// Times of a rule at which one instant's wall-clock time is looked for.
const LOOKS_MAX: usize = 10_000;

/// A task's times, ready for questions.
pub(super) struct Plan {
    /// From what is due on.
    ahead: schedule::Plan,
    /// From the beginning.
    whole: schedule::Plan,
    all_day: bool,
}

/// What a task that is done goes on to.
pub(super) struct Following {
    /// From what its rule counts.
    pub(super) start: DateTime,
    /// When it is due.
    pub(super) due: DateTime,
    /// Its rule, where that is another now.
    pub(super) rrule: Option<String>,
}

/// The zone of that name.
///
/// # Errors
/// [`BookError::Invalid`] where nobody knows it.
pub fn zone(name: &str) -> Result<TimeZone, BookError> {
    TimeZone::get(name).map_err(|_| {
        let shown: String = name.chars().take(60).collect();
        BookError::invalid(
            "zone",
            format!("{shown:?} is no time zone of the IANA's list"),
        )
    })
}

/// A wall-clock time's instant, UTC milliseconds.
pub(super) fn instant(local: DateTime, zone: &TimeZone) -> i64 {
    at_zone(local, zone).0.as_millisecond()
}

fn at_ms(ms: i64) -> Timestamp {
    let bound = if ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_millisecond(ms).unwrap_or(bound)
}

/// Reads a rule.
pub(super) fn rule(rrule: &str) -> Result<Rule, BookError> {
    Rule::parse(rrule).map_err(|error| BookError::invalid("repeat", error.to_string()))
}

/// The wall-clock time that counts for reminders and rules: a whole day has one, too.
fn counted(local: DateTime, all_day: bool) -> DateTime {
    if all_day {
        local.date().at(ALL_DAY_HOUR, 0, 0, 0)
    } else {
        local
    }
}

/// The rule from a later time of its own on: with `COUNT`, what is left of it.
fn rest(rule: &Rule, start: DateTime, from: DateTime) -> Rule {
    let Some(count) = rule.count() else {
        return rule.clone();
    };
    let second = 1.second();
    let gone = rule.count_between(
        start,
        start.saturating_sub(second),
        from.saturating_sub(second),
        u64::from(count),
    );
    let left = count.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
    rule.clone().with_count(Some(left))
}

impl Plan {
    /// The plan of a task; `None` where it has no time.
    pub(super) fn of(task: &TaskRow) -> Result<Option<Self>, BookError> {
        let Some(times) = &task.times else {
            return Ok(None);
        };
        let rule = match &task.repeat {
            Some(repeat) => Some((self::rule(&repeat.rrule)?, repeat.basis)),
            None => None,
        };
        Ok(Some(Self::new(times, rule, &task.remind_before_min)?))
    }

    fn new(
        times: &Times,
        rule: Option<(Rule, Basis)>,
        reminders: &[u32],
    ) -> Result<Self, BookError> {
        let start = counted(times.start, times.all_day);
        let due = counted(times.due, times.all_day);
        let (rule, basis) =
            rule.map_or((None, Basis::Schedule), |(rule, basis)| (Some(rule), basis));
        let whole = schedule::Plan {
            start,
            zone: zone(&times.zone)?,
            rule,
            basis,
            snoozed_until: None,
            reminders: reminders.to_vec(),
        };
        let mut ahead = whole.clone();
        ahead.start = due;
        ahead.rule = whole.rule.as_ref().map(|rule| rest(rule, start, due));
        Ok(Self {
            ahead,
            whole,
            all_day: times.all_day,
        })
    }

    /// The first time of a rule that is not before `times`, which need not fit it.
    pub(super) fn first(
        times: &Times,
        rule: &Rule,
        basis: Basis,
    ) -> Result<Option<DateTime>, BookError> {
        let plan = Self::new(times, Some((rule.clone(), basis)), &[])?;
        if basis == Basis::AfterCompletion {
            return Ok(Some(times.due));
        }
        let zone = &plan.whole.zone;
        let found = rule.occurrences_in(zone, plan.whole.start, None).next();
        Ok(found.map(|local| plan.told(local)))
    }

    /// A counted time as a task has it.
    fn told(&self, local: DateTime) -> DateTime {
        if self.all_day {
            local.date().at(0, 0, 0, 0)
        } else {
            local
        }
    }

    /// The instant of a time of the task, UTC milliseconds.
    pub(super) fn due_ms(&self, local: DateTime) -> i64 {
        instant(local, &self.whole.zone)
    }

    /// The instant of a time of the plan as the task has it.
    fn told_ms(&self, at: Timestamp) -> i64 {
        if self.all_day {
            self.due_ms(self.told(self.whole.zone.to_datetime(at)))
        } else {
            at.as_millisecond()
        }
    }

    fn next(&self, fire: &schedule::Fire) -> Next {
        let before_ms = fire.due.as_millisecond() - fire.fire.as_millisecond();
        Next {
            due_ms: self.told_ms(fire.due),
            before_min: u32::try_from(before_ms / MINUTE_MS).unwrap_or(0),
            fire_ms: fire.fire.as_millisecond(),
        }
    }

    /// The earliest reminder after `after_ms`.
    pub(super) fn first_after(&self, after_ms: i64) -> Option<Next> {
        let after = at_ms(after_ms);
        let fire = schedule::next_fire(&self.ahead, after)?;
        schedule::due_now(&self.ahead, Some(after), fire).map(|fire| self.next(&fire))
    }

    /// The latest reminder after `after_ms` and not after `until_ms`, and how many others were
    /// planned in between.
    pub(super) fn last_between(&self, after_ms: i64, until_ms: i64) -> Option<(Next, u32)> {
        let fire = schedule::due_now(&self.ahead, Some(at_ms(after_ms)), at_ms(until_ms))?;
        let missed = u32::try_from(fire.missed).unwrap_or(u32::MAX);
        Some((self.next(&fire), missed))
    }

    /// The wall-clock time of a planned instant. In a gap of the clock that is not what the clock
    /// shows then: the rule's own counts, or the gap would move all that follow.
    pub(super) fn time_of(&self, due_ms: i64) -> DateTime {
        let zone = &self.whole.zone;
        let shown = zone.to_datetime(at_ms(due_ms));
        let from = shown.saturating_sub(JUMP_HOURS.hours());
        let own = self.whole.rule.as_ref().and_then(|rule| {
            rule.occurrences_in(zone, self.whole.start, Some(from))
                .take(LOOKS_MAX)
                .map(|local| self.told(local))
                .take_while(|local| self.due_ms(*local) <= due_ms)
                .find(|local| self.due_ms(*local) == due_ms)
        });
        own.unwrap_or_else(|| self.told(shown))
    }

    /// What the task goes on to when it is done at `done_ms`.
    pub(super) fn following(&self, due_ms: i64, done_ms: i64) -> Option<Following> {
        let due = if self.all_day {
            // The whole of the day is over.
            let day = self.whole.zone.to_datetime(at_ms(due_ms)).date();
            at_zone(day.at(ALL_DAY_HOUR, 0, 0, 0), &self.whole.zone).0
        } else {
            at_ms(due_ms)
        };
        let done = schedule::after_completion(&self.whole, due, at_ms(done_ms))?;
        if self.whole.basis == Basis::AfterCompletion {
            let start = self.told(done.plan.start);
            return Some(Following {
                start,
                due: start,
                rrule: done.plan.rule.map(|rule| rule.to_string()),
            });
        }
        Some(Following {
            start: self.told(self.whole.start),
            due: self.time_of(self.told_ms(done.due)),
            rrule: None,
        })
    }

    /// The first planned time after `after_ms`, whatever is due.
    pub(super) fn first_time_after(&self, after_ms: i64) -> Option<DateTime> {
        let due = schedule::next_due(&self.whole, at_ms(after_ms))?;
        Some(self.time_of(self.told_ms(due)))
    }
}

/// The rule of a task from what is due on: with `COUNT`, what is left of it.
///
/// # Errors
/// A rule or zone that cannot be read any more.
pub fn remaining_rule(task: &TaskRow) -> Result<Option<Rule>, BookError> {
    Ok(Plan::of(task)?.and_then(|plan| plan.ahead.rule))
}

/// Sets what fires next, after any change.
pub(super) fn settle(task: &mut TaskRow) -> Result<(), BookError> {
    task.next = None;
    if !task.state.is_unfinished() || task.deleted_ms.is_some() {
        return Ok(());
    }
    task.next = match task.snoozed_until_ms {
        Some(until_ms) => Some(Next {
            due_ms: task.times.as_ref().map_or(until_ms, |times| times.due_ms),
            before_min: 0,
            fire_ms: until_ms,
        }),
        None => match Plan::of(task)? {
            Some(plan) => plan.first_after(task.fired_until_ms),
            None => None,
        },
    };
    Ok(())
}
