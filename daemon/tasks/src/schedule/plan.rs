//! A plan, and what becomes of it when its task is done.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::Basis;
use crate::recur::{Frequency, Rule, at_zone};

use super::times::next_due;

/// Minutes before it is due at which a reminder may come, at most: a year and a day.
pub const REMINDER_MAX_MINUTES: u32 = 367 * 24 * 60;

/// When a task is due and reminded of.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The first time it is due, and what its rule is counted from.
    pub start: DateTime,
    /// Where that is.
    pub zone: TimeZone,
    /// How it comes again.
    pub rule: Option<Rule>,
    /// From what the next time is counted. After completion the plan is its start alone, until
    /// [`after_completion`].
    pub basis: Basis,
    /// One reminder more, at this instant.
    pub snoozed_until: Option<Timestamp>,
    /// Minutes before it is due at which it reminds; beyond [`REMINDER_MAX_MINUTES`] they are
    /// taken as that. Without any it never does, but is still due.
    pub reminders: Vec<u32>,
}

impl Plan {
    /// Due once, reminded of when it is due.
    #[must_use]
    pub fn once(start: DateTime, zone: TimeZone) -> Self {
        Self {
            start,
            zone,
            rule: None,
            basis: Basis::Schedule,
            snoozed_until: None,
            reminders: vec![0],
        }
    }

    /// The rule, where it fires by itself.
    pub(super) fn schedule(&self) -> Option<&Rule> {
        self.rule.as_ref().filter(|_| self.basis == Basis::Schedule)
    }
}

/// What comes after a task was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// The plan as it goes on, without a snooze.
    pub plan: Plan,
    /// When it is due next.
    pub due: Timestamp,
}

/// How a plan goes on after the task that was due at `due` was done at `done`; `None` where it
/// does not.
///
/// On schedule it is due at the first time after both. After completion it is counted from the day
/// it was done, at the time of day that it had; by the hour and minute from the moment it was done.
/// `COUNT` is one less then. A month after the 31st of January is the last of February.
#[must_use]
pub fn after_completion(plan: &Plan, due: Timestamp, done: Timestamp) -> Option<Completed> {
    let rule = plan.rule.as_ref()?;
    let mut next = plan.clone();
    next.snoozed_until = None;
    match plan.basis {
        Basis::Schedule => {
            let due = next_due(plan, done.max(due))?;
            Some(Completed { plan: next, due })
        }
        Basis::AfterCompletion => {
            let left = match rule.count() {
                Some(n) if n <= 1 => return None,
                other => other.map(|n| n - 1),
            };
            let done_at = plan.zone.to_datetime(done);
            let from = if rule.frequency() < Frequency::Daily {
                done_at.with().second(0).subsec_nanosecond(0).build().ok()?
            } else {
                DateTime::from_parts(done_at.date(), plan.start.time())
            };
            next.start = following(rule, from, plan)?;
            if left.is_some() {
                next.rule = Some(rule.clone().with_count(left));
            }
            let (due, _) = at_zone(next.start, &next.zone);
            Some(Completed { plan: next, due })
        }
    }
}

fn following(rule: &Rule, from: DateTime, plan: &Plan) -> Option<DateTime> {
    let uncounted = match rule.count() {
        Some(_) => rule.clone().with_count(None),
        None => rule.clone(),
    };
    let by_month = matches!(rule.frequency(), Frequency::Monthly | Frequency::Yearly);
    if !(by_month && rule.is_plain() && !rule.has_times()) {
        return uncounted
            .occurrences_in(&plan.zone, from, Some(from))
            .next();
    }
    let interval = i64::from(rule.interval());
    let span = if rule.frequency() == Frequency::Monthly {
        jiff::Span::new().try_months(interval)
    } else {
        jiff::Span::new().try_years(interval)
    };
    let at = from.checked_add(span.ok()?).ok()?;
    let ended = match rule.until() {
        None => false,
        Some(crate::recur::Until::Day(day)) => at.date() > day,
        Some(crate::recur::Until::Local(until)) => at > until,
        Some(crate::recur::Until::Utc(until)) => at_zone(at, &plan.zone).0 > until,
    };
    (!ended).then_some(at)
}
