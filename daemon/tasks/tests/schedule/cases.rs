//! Single days.

use convergio_tasks::Basis;
use convergio_tasks::recur::Rule;
use convergio_tasks::schedule::{
    LATE_FROM_MS, MISSED_MAX, Plan, Times, after_completion, due_now, next_due, next_fire,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{at, plan};

fn local(plan: &Plan, at: Timestamp) -> String {
    plan.zone
        .to_datetime(at)
        .strftime("%Y-%m-%dT%H:%M")
        .to_string()
}

#[test]
fn a_task_without_a_rule_is_due_once() {
    let plan = plan("2026-11-22T09:00", "Europe/Rome", "");
    let due = at("2026-11-22T08:00:00Z");
    assert_eq!(next_due(&plan, at("2026-11-21T00:00:00Z")), Some(due));
    assert_eq!(next_due(&plan, due), None);
    assert_eq!(
        due_now(&plan, None, due - jiff::SignedDuration::from_millis(1)),
        None
    );
    let fire = due_now(&plan, None, due).unwrap();
    assert_eq!(
        (fire.due, fire.fire, fire.late_ms, fire.missed, fire.next),
        (due, due, 0, 0, None)
    );
    assert_eq!(
        due_now(&plan, Some(fire.fire), at("2099-01-01T00:00:00Z")),
        None
    );
}

#[test]
fn late_is_from_a_minute_on() {
    let plan = plan("2026-11-22T09:00", "Europe/Rome", "");
    let due = at("2026-11-22T08:00:00Z");
    let after_ms = |ms| {
        let now = due + jiff::SignedDuration::from_millis(ms);
        let fire = due_now(&plan, None, now).unwrap();
        assert_eq!(fire.late_ms, ms);
        fire.is_late()
    };
    assert!(!after_ms(LATE_FROM_MS - 1));
    assert!(after_ms(LATE_FROM_MS));
}

#[test]
fn after_a_pause_there_is_one_with_the_count() {
    let plan = plan("2026-01-01T09:00", "Europe/Rome", "FREQ=DAILY");
    let last = at("2026-08-01T07:00:00Z");
    let now = at("2026-11-09T12:00:00Z");
    let fire = due_now(&plan, Some(last), now).unwrap();
    assert_eq!(local(&plan, fire.fire), "2026-11-09T09:00");
    assert_eq!(fire.missed, 99);
    assert!(fire.is_late());
    assert_eq!(fire.next, Some(at("2026-11-10T08:00:00Z")));
    assert_eq!(due_now(&plan, Some(fire.fire), now), None);
}

#[test]
fn a_pause_of_many_reminders_is_counted_up_to_a_bound() {
    let plan = plan("2020-01-01T00:00", "Europe/Rome", "FREQ=MINUTELY");
    let now = at("2026-11-21T12:34:56Z");
    let fire = due_now(&plan, None, now).unwrap();
    assert_eq!(fire.missed, MISSED_MAX);
    assert_eq!(fire.fire, at("2026-11-21T12:34:00Z"));
    assert_eq!(fire.next, Some(at("2026-11-21T12:35:00Z")));
    // The same where it comes densely on a few days of the year only, and where it has ended.
    let rule = "FREQ=MINUTELY;BYMONTH=1;UNTIL=20250105";
    let plan = super::plan("2020-01-01T00:00", "Europe/Rome", rule);
    let fire = due_now(&plan, None, now).unwrap();
    assert_eq!(
        (fire.missed, local(&plan, fire.fire)),
        (MISSED_MAX, "2025-01-05T23:59".to_owned())
    );
    assert_eq!(fire.next, None);
}

#[test]
fn a_clock_that_was_wrong_for_a_moment_repeats_and_silences_nothing() {
    let plan = plan("2026-11-01T09:00", "Europe/Rome", "FREQ=DAILY");
    let mut fired = std::collections::BTreeSet::new();
    let mut look = |now: &str| {
        let now = at(now);
        // What the caller does: the newest that has fired and is not later than now.
        let last = fired.range(..=now).next_back().copied();
        let fire = due_now(&plan, last.or(Some(at("2026-11-20T12:00:00Z"))), now)?;
        assert!(fired.insert(fire.fire), "{} twice", fire.fire);
        Some((local(&plan, fire.fire), fire.missed))
    };
    assert_eq!(
        look("2026-11-21T08:00:01Z"),
        Some(("2026-11-21T09:00".into(), 0))
    );
    assert_eq!(
        look("2027-11-21T12:00:00Z"),
        Some(("2027-11-21T09:00".into(), 364))
    );
    assert_eq!(look("2026-11-21T08:00:30Z"), None);
    assert_eq!(look("2026-11-21T07:00:00Z"), None);
    assert_eq!(look("2026-11-21T08:00:30Z"), None);
    assert_eq!(
        look("2026-11-22T08:00:00Z"),
        Some(("2026-11-22T09:00".into(), 0))
    );
}

#[test]
fn a_reminder_before_it_is_due_is_one_of_its_own() {
    let mut plan = plan("2026-11-22T09:00", "Europe/Rome", "FREQ=WEEKLY");
    plan.reminders = vec![0, 60, 24 * 60, 60];
    let mut last = at("2026-11-20T00:00:00Z");
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let now = next_fire(&plan, last).unwrap();
        let fire = due_now(&plan, Some(last), now).unwrap();
        assert_eq!(fire.missed, 0);
        assert_eq!(fire.next, next_fire(&plan, fire.fire));
        seen.push(format!(
            "{} {}",
            local(&plan, fire.fire),
            local(&plan, fire.due)
        ));
        last = fire.fire;
    }
    assert_eq!(
        seen,
        [
            "2026-11-21T09:00 2026-11-22T09:00",
            "2026-11-22T08:00 2026-11-22T09:00",
            "2026-11-22T09:00 2026-11-22T09:00",
            "2026-11-28T09:00 2026-11-29T09:00",
        ]
    );
    // One day's reminder falls on the time that the day before is due: one, of what is due now.
    let mut daily = super::plan("2026-11-22T09:00", "Europe/Rome", "FREQ=DAILY");
    daily.reminders = vec![24 * 60, 0];
    let fire = due_now(
        &daily,
        Some(at("2026-11-21T12:00:00Z")),
        at("2026-11-22T08:00:00Z"),
    )
    .unwrap();
    assert_eq!(
        (fire.fire, fire.due, fire.missed),
        (fire.due, at("2026-11-22T08:00:00Z"), 0)
    );
    // Without any it is due and never reminds.
    daily.reminders.clear();
    assert_eq!(next_fire(&daily, at("2026-11-21T12:00:00Z")), None);
    assert!(next_due(&daily, at("2026-11-21T12:00:00Z")).is_some());
}

#[test]
fn a_snooze_is_one_reminder_more_and_moves_nothing() {
    let mut plan = plan("2026-11-22T09:00", "Europe/Rome", "FREQ=DAILY");
    let first = at("2026-11-22T08:00:00Z");
    let later = at("2026-11-22T08:10:00Z");
    plan.snoozed_until = Some(later);
    assert_eq!(next_fire(&plan, first), Some(later));
    let fire = due_now(&plan, Some(first), later).unwrap();
    assert_eq!((fire.due, fire.fire, fire.missed), (first, later, 0));
    assert_eq!(fire.next, Some(at("2026-11-23T08:00:00Z")));
    assert_eq!(due_now(&plan, Some(later), later), None);
    // One that was slept through counts among the missed.
    let fire = due_now(&plan, Some(first), at("2026-11-23T08:00:00Z")).unwrap();
    assert_eq!((fire.fire, fire.missed), (at("2026-11-23T08:00:00Z"), 1));
    // Of a reminder that comes before the time: it is the time that it reminded of.
    plan.reminders = vec![60];
    let fire = due_now(&plan, Some(at("2026-11-22T07:00:00Z")), later).unwrap();
    assert_eq!((fire.due, fire.fire), (first, later));
}

#[test]
fn days_on_which_the_clock_jumps() {
    // Each day at 02:30: on 29 March at 03:30, on 25 October the first of the two.
    let daily = plan("2026-03-28T02:30", "Europe/Rome", "FREQ=DAILY");
    let mut times = Times::after(&daily, at("2026-03-27T12:00:00Z"));
    let next: Vec<String> = times.by_ref().take(3).map(|at| local(&daily, at)).collect();
    assert_eq!(
        next,
        ["2026-03-28T02:30", "2026-03-29T03:30", "2026-03-30T02:30"]
    );
    let october: Vec<String> = Times::after(&daily, at("2026-10-24T12:00:00Z"))
        .take(2)
        .map(|at| at.to_string())
        .collect();
    assert_eq!(october, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    // By the half hour: the hour that is left out gives no second one at the same instant.
    let half = plan(
        "2026-03-29T00:00",
        "Europe/Rome",
        "FREQ=MINUTELY;INTERVAL=30",
    );
    let want = [
        "00:00", "00:30", "01:00", "01:30", "03:00", "03:30", "04:00",
    ]
    .map(|t| format!("2026-03-29T{t}"));
    let all: Vec<String> = Times::after(&half, at("2026-03-28T22:59:59Z"))
        .take(7)
        .map(|at| local(&half, at))
        .collect();
    assert_eq!(all, want);
    // And the same from wherever one looks.
    for pair in Times::after(&half, at("2026-03-28T22:59:59Z"))
        .take(9)
        .collect::<Vec<_>>()
        .windows(2)
    {
        assert_eq!(next_due(&half, pair[0]), Some(pair[1]));
    }
    // A time that was put off by the jump stands behind others that were not.
    let mixed = plan(
        "2026-03-28T02:45",
        "Europe/Rome",
        "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45",
    );
    let all: Vec<String> = Times::after(&mixed, at("2026-03-29T00:59:00Z"))
        .take(3)
        .map(|at| local(&mixed, at))
        .collect();
    assert_eq!(
        all,
        ["2026-03-29T03:15", "2026-03-29T03:45", "2026-03-30T02:15"]
    );
    assert_eq!(
        next_due(&mixed, at("2026-03-29T01:20:00Z")),
        Some(at("2026-03-29T01:45:00Z"))
    );
}

#[test]
fn when_a_zones_rules_change_the_plan_has_other_instants() {
    // The same wall clock under the rules that hold, and where summer time is given up.
    let mut plan = plan("2026-07-01T09:00", "Europe/Rome", "FREQ=YEARLY");
    let after = at("2026-12-01T00:00:00Z");
    assert_eq!(next_due(&plan, after), Some(at("2027-07-01T07:00:00Z")));
    plan.zone = TimeZone::posix("CET-1").unwrap();
    assert_eq!(next_due(&plan, after), Some(at("2027-07-01T08:00:00Z")));
}

#[test]
fn on_schedule_it_goes_on_behind_both_the_time_and_the_doing() {
    let mut weekly = plan("2026-11-02T09:00", "Europe/Rome", "FREQ=WEEKLY;COUNT=5");
    weekly.snoozed_until = Some(at("2026-11-16T08:10:00Z"));
    let due = at("2026-11-16T08:00:00Z");
    let next = after_completion(&weekly, due, at("2026-11-15T08:00:00Z")).unwrap();
    assert_eq!(
        (next.due, next.plan.snoozed_until),
        (at("2026-11-23T08:00:00Z"), None)
    );
    let late = after_completion(&weekly, due, at("2026-11-24T08:00:00Z")).unwrap();
    assert_eq!(late.due, at("2026-11-30T08:00:00Z"));
    assert_eq!(
        after_completion(&weekly, due, at("2026-12-24T08:00:00Z")),
        None
    );
    assert_eq!(
        after_completion(&plan("2026-11-02T09:00", "UTC", ""), due, due),
        None
    );
}

#[test]
fn after_completion_it_is_counted_from_the_doing() {
    let next = |start: &str, rule: &str, done: &str| {
        let mut plan = plan(start, "Europe/Rome", rule);
        plan.basis = Basis::AfterCompletion;
        let due = next_due(&plan, Timestamp::MIN).unwrap();
        // It does not come by itself.
        assert_eq!(next_due(&plan, due), None);
        let next = after_completion(&plan, due, at(done))?;
        assert_eq!(next_due(&next.plan, due), Some(next.due));
        let rule = next.plan.rule.as_ref().map(Rule::to_string).unwrap();
        Some(format!("{} {rule}", local(&next.plan, next.due)))
    };
    let table = [
        (
            "2026-11-02T09:00",
            "FREQ=DAILY;INTERVAL=3",
            "2026-11-10T22:59:00Z",
            "2026-11-13T09:00 FREQ=DAILY;INTERVAL=3",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=DAILY;INTERVAL=3",
            "2026-11-10T23:01:00Z",
            "2026-11-14T09:00 FREQ=DAILY;INTERVAL=3",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=WEEKLY;BYDAY=MO",
            "2026-11-09T07:00:00Z",
            "2026-11-16T09:00 FREQ=WEEKLY;BYDAY=MO",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=MONTHLY",
            "2027-01-31T07:00:00Z",
            "2027-02-28T09:00 FREQ=MONTHLY",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=YEARLY",
            "2028-02-29T07:00:00Z",
            "2029-02-28T09:00 FREQ=YEARLY",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=HOURLY;INTERVAL=6",
            "2026-11-10T22:10:50Z",
            "2026-11-11T05:10 FREQ=HOURLY;INTERVAL=6",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=DAILY;COUNT=3",
            "2026-11-10T07:00:00Z",
            "2026-11-11T09:00 FREQ=DAILY;COUNT=2",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=MONTHLY;UNTIL=20261210",
            "2026-11-10T07:00:00Z",
            "2026-12-10T09:00 FREQ=MONTHLY;UNTIL=20261210",
        ),
        (
            "2026-11-02T09:00",
            "FREQ=MONTHLY;UNTIL=20261210T080000Z",
            "2026-11-10T07:00:00Z",
            "2026-12-10T09:00 FREQ=MONTHLY;UNTIL=20261210T080000Z",
        ),
    ];
    for (start, rule, done, want) in table {
        assert_eq!(
            next(start, rule, done).as_deref(),
            Some(want),
            "{rule} {done}"
        );
    }
    assert_eq!(
        next(
            "2026-11-02T09:00",
            "FREQ=DAILY;COUNT=1",
            "2026-11-10T07:00:00Z"
        ),
        None
    );
    assert_eq!(
        next(
            "2026-11-02T09:00",
            "FREQ=MONTHLY;UNTIL=20261209",
            "2026-11-10T07:00:00Z"
        ),
        None
    );
    assert_eq!(
        next(
            "2026-11-02T09:00",
            "FREQ=DAILY;UNTIL=20261110",
            "2026-11-10T07:00:00Z"
        ),
        None
    );
}
