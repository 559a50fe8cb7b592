//! What is due when, on a clock that the test moves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod jumps;
mod years;

use convergio_tasks::Basis;
use convergio_tasks::recur::{Rule, at_zone};
use convergio_tasks::schedule::Plan;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn plan(start: &str, zone_name: &str, rule: &str) -> Plan {
    Plan {
        start: start.parse().unwrap(),
        zone: zone(zone_name),
        rule: (!rule.is_empty()).then(|| Rule::parse(rule).unwrap()),
        basis: Basis::Schedule,
        snoozed_until: None,
        reminders: vec![0],
    }
}

/// Every instant at which a plan has to remind up to `end`, without any of the scheduler's ways:
/// all wall-clock times, each put into the zone, sorted, each once.
fn expected(plan: &Plan, end: Timestamp) -> Vec<Timestamp> {
    let beyond = end + jiff::SignedDuration::from_hours(24 * 800);
    let walls: Vec<DateTime> = match &plan.rule {
        None => vec![plan.start],
        Some(rule) => rule
            .occurrences_in(&plan.zone, plan.start, None)
            .take_while(|wall| at_zone(*wall, &plan.zone).0 <= beyond)
            .collect(),
    };
    let mut all: Vec<Timestamp> = plan
        .reminders
        .iter()
        .flat_map(|minutes| {
            let before = jiff::SignedDuration::from_mins(i64::from(*minutes));
            walls
                .iter()
                .map(move |wall| at_zone(*wall, &plan.zone).0 - before)
        })
        .chain(plan.snoozed_until)
        .filter(|at| *at <= end)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}
