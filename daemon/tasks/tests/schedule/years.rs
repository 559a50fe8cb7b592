//! Ten years of a thousand tasks on a clock that the test moves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use convergio_tasks::schedule::{Plan, due_now, next_fire};
use jiff::{SignedDuration, Timestamp};

use super::{at, expected, plan};

const ZONES: [&str; 10] = [
    "Europe/Rome",
    "America/New_York",
    "UTC",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Pacific/Apia",
    "America/St_Johns",
];

const RULES: [&str; 20] = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU",
    "FREQ=WEEKLY;BYDAY=SA,SU",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYDAY=1MO",
    "FREQ=MONTHLY;BYDAY=-1SU",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
    "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=30;COUNT=200",
    "FREQ=WEEKLY;UNTIL=20291231T120000Z",
    "FREQ=HOURLY;INTERVAL=36",
    "FREQ=MINUTELY;INTERVAL=5000",
    "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=31",
];

/// Times of day, those that clocks jump over or repeat among them.
const TIMES: [&str; 5] = ["02:30", "00:00", "09:00", "01:15", "23:59"];

fn the_plan(i: usize) -> Plan {
    let day = 1 + i % 28;
    let start = format!("2025-12-{day:02}T{}", TIMES[(i / 7) % TIMES.len()]);
    let mut plan = plan(
        &start,
        ZONES[i % ZONES.len()],
        RULES[(i / ZONES.len()) % RULES.len()],
    );
    match i % 5 {
        0 => plan.reminders = vec![15, 0],
        1 => plan.reminders = vec![24 * 60],
        _ => {}
    }
    plan
}

#[test]
fn a_thousand_tasks_for_ten_years_each_reminder_once_at_its_time() {
    let begin = at("2026-01-01T00:00:00Z");
    let end = at("2036-01-01T00:00:00Z");
    let plans: Vec<Plan> = (0..1_000).map(the_plan).collect();
    let mut fired: Vec<Vec<Timestamp>> = vec![Vec::new(); plans.len()];
    let mut wakes: BinaryHeap<Reverse<(Timestamp, usize)>> = plans
        .iter()
        .enumerate()
        .filter_map(|(i, plan)| Some(Reverse((next_fire(plan, begin)?, i))))
        .collect();
    let mut looks = 0_u32;
    while let Some(Reverse((wake, i))) = wakes.pop() {
        if wake > end {
            break;
        }
        looks += 1;
        // A timer is never early, and a few milliseconds late.
        let now = wake + SignedDuration::from_millis(i64::from(looks % 7));
        let last = fired[i].last().copied().unwrap_or(begin);
        assert_eq!(
            due_now(&plans[i], Some(last), wake - SignedDuration::from_millis(1)),
            None
        );
        let fire = due_now(&plans[i], Some(last), now).unwrap();
        assert_eq!((fire.fire, fire.missed, fire.is_late()), (wake, 0, false));
        fired[i].push(fire.fire);
        if let Some(next) = fire.next {
            wakes.push(Reverse((next, i)));
        }
    }
    let mut all = 0;
    for (plan, fired) in plans.iter().zip(&fired) {
        let mut want = expected(plan, end);
        want.retain(|at| *at > begin);
        assert_eq!(fired, &want, "{plan:?}");
        all += want.len();
    }
    assert!(all > 400_000, "{all} reminders");
}
