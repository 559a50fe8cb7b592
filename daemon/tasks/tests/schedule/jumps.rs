//! Any plan under pauses and clocks that jump.

use std::collections::BTreeSet;

use convergio_tasks::schedule::{MISSED_MAX, Plan, due_now, next_fire};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{at, expected, plan};

const RULES: [&str; 12] = [
    "",
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=2;COUNT=30",
    "FREQ=WEEKLY;BYDAY=SA,SU",
    "FREQ=WEEKLY;INTERVAL=3",
    "FREQ=MONTHLY;BYDAY=-1SU",
    "FREQ=YEARLY",
    "FREQ=HOURLY;INTERVAL=5",
    "FREQ=HOURLY;BYMONTH=3,10;BYDAY=SU",
    "FREQ=MINUTELY;INTERVAL=45;BYDAY=SU",
    "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30",
    "FREQ=DAILY;UNTIL=20270401T000000Z",
];

const ZONES: [&str; 5] = [
    "Europe/Rome",
    "America/New_York",
    "UTC",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
];

fn plans() -> impl Strategy<Value = Plan> {
    let start = (
        1..=12_u8,
        1..=28_u8,
        0..24_u8,
        prop::sample::select(vec![0, 15, 30, 59_u8]),
    );
    let reminders = prop::collection::vec(
        prop::sample::select(vec![0, 0, 5, 60, 1_440, 10_080_u32]),
        1..4,
    );
    let snooze = prop::option::of(0..600 * 86_400_i64);
    (
        start,
        prop::sample::select(&ZONES[..]),
        prop::sample::select(&RULES[..]),
        reminders,
        snooze,
    )
        .prop_map(
            |((month, day, hour, minute), zone, rule, reminders, snooze)| {
                let start = format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}");
                let mut plan = plan(&start, zone, rule);
                plan.reminders = reminders;
                plan.snoozed_until =
                    snooze.map(|s| at("2025-12-01T00:00:00Z") + SignedDuration::from_secs(s));
                plan
            },
        )
}

/// How the clock goes on: minutes, at times days, and at times it is set back.
fn moves() -> impl Strategy<Value = Vec<i64>> {
    let minute = 60_i64;
    let day = 24 * 60 * minute;
    prop::collection::vec(
        prop_oneof![
            6 => 1..30 * minute,
            3 => 1..3 * day,
            1 => 1..200 * day,
        ],
        1..120,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Looked at whenever: what fires are its own times, each once and in order, the newest each
    /// time, and those between are counted.
    #[test]
    fn after_pauses_every_reminder_fired_or_was_counted(plan in plans(), moves in moves()) {
        let begin = at("2025-12-01T00:00:00Z");
        let mut now = begin;
        let mut last = begin;
        let mut told = 0;
        let moved: i64 = moves.iter().sum();
        let all = expected(&plan, begin + SignedDuration::from_secs(moved));
        let all: Vec<Timestamp> = all.into_iter().filter(|at| *at > begin).collect();
        for seconds in moves {
            now += SignedDuration::from_secs(seconds);
            let newest = all[..all.partition_point(|at| *at <= now)].last().copied();
            match due_now(&plan, Some(last), now) {
                None => prop_assert!(newest.is_none_or(|newest| newest <= last)),
                Some(fire) => {
                    prop_assert!(fire.fire > last);
                    prop_assert_eq!(Some(fire.fire), newest);
                    prop_assert_eq!(fire.next, next_fire(&plan, now));
                    prop_assert!(fire.missed < MISSED_MAX);
                    told += 1 + fire.missed;
                    last = fire.fire;
                }
            }
        }
        prop_assert_eq!(told as usize, all.len());
    }

    /// A clock that is set forward and back: nothing fires twice, what fires is planned, and what
    /// comes after the clock is right again is not silenced by what fired in the future.
    #[test]
    fn jumps_repeat_and_silence_nothing(
        plan in plans(),
        moves in prop::collection::vec((1..3 * 86_400_i64, prop::option::of(-400..400_i64)), 1..60),
    ) {
        let begin = at("2025-12-01T00:00:00Z");
        let mut right = begin;
        let mut fired = BTreeSet::new();
        let horizon = begin + SignedDuration::from_hours(24 * 600);
        let all: BTreeSet<Timestamp> = expected(&plan, horizon).into_iter().collect();
        let look = |fired: &mut BTreeSet<Timestamp>, now: Timestamp| {
            let last = fired.range(..=now).next_back().copied().unwrap_or(begin);
            let fire = due_now(&plan, Some(last), now)?;
            assert!(fired.insert(fire.fire), "{} twice", fire.fire);
            assert!(all.contains(&fire.fire), "{} is not planned", fire.fire);
            Some(fire)
        };
        for (seconds, wrong_by_days) in moves {
            if let Some(days) = wrong_by_days {
                let wrong = right + SignedDuration::from_hours(24 * days);
                if wrong > begin {
                    look(&mut fired, wrong);
                    prop_assert_eq!(look(&mut fired, wrong), None);
                }
            }
            right += SignedDuration::from_secs(seconds);
            look(&mut fired, right);
            // However the clock went: the newest that is planned up to now has fired.
            if let Some(newest) = all.range(..=right).next_back().filter(|at| **at > begin) {
                prop_assert!(fired.contains(newest), "{} is silenced", newest);
            }
        }
    }
}
