//! Properties of any rule and any text.

use convergio_tasks::recur::Rule;
use jiff::civil::{DateTime, date};
use proptest::prelude::*;

fn start() -> impl Strategy<Value = DateTime> {
    (
        1970..2100_i16,
        1..=12_i8,
        1..=28_i8,
        0..24_i8,
        0..60_i8,
        0..60_i8,
    )
        .prop_map(|(y, m, d, h, min, s)| date(y, m, d).at(h, min, s, 0))
}

/// Pieces that a rule may be made of, and some that it may not.
fn piece() -> impl Strategy<Value = String> {
    let numbers = |low: i32, high: i32| {
        prop::collection::vec(low..=high, 1..4)
            .prop_map(|n| n.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
    };
    let days = prop::collection::vec(
        (
            prop::option::of(-6..=6_i32),
            prop::sample::select(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU"]),
        ),
        1..4,
    )
    .prop_map(|days| {
        let text = |(n, day): &(Option<i32>, &str)| match n {
            Some(n) if *n != 0 => format!("{n}{day}"),
            _ => (*day).to_owned(),
        };
        days.iter().map(text).collect::<Vec<_>>().join(",")
    });
    prop_oneof![
        (1..2_000_u32).prop_map(|n| format!("INTERVAL={n}")),
        (1..5_000_u32).prop_map(|n| format!("COUNT={n}")),
        (1990..2200_i32, 1..=12, 1..=31).prop_map(|(y, m, d)| format!("UNTIL={y:04}{m:02}{d:02}")),
        numbers(1, 12).prop_map(|n| format!("BYMONTH={n}")),
        numbers(-31, 31).prop_map(|n| format!("BYMONTHDAY={n}")),
        numbers(-366, 366).prop_map(|n| format!("BYYEARDAY={n}")),
        numbers(-53, 53).prop_map(|n| format!("BYWEEKNO={n}")),
        numbers(-5, 5).prop_map(|n| format!("BYSETPOS={n}")),
        numbers(0, 23).prop_map(|n| format!("BYHOUR={n}")),
        numbers(0, 59).prop_map(|n| format!("BYMINUTE={n}")),
        days.prop_map(|d| format!("BYDAY={d}")),
        Just("WKST=SU".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let freq = prop::sample::select(vec![
        "YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY",
    ]);
    (freq, prop::collection::vec(piece(), 0..4))
        .prop_map(|(freq, parts)| format!("FREQ={freq};{}", parts.join(";")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn occurrences_ascend_and_wherever_one_looks_they_are_the_same(
        text in text(),
        start in start(),
        days in 0..3_000_i64,
    ) {
        let Ok(rule) = Rule::parse(&text) else { return Ok(()) };
        prop_assert_eq!(&Rule::parse(&rule.to_string()).unwrap(), &rule);
        let all: Vec<DateTime> = rule.occurrences(start, None).take(12).collect();
        for at in &all {
            prop_assert!(*at >= start);
        }
        for pair in all.windows(2) {
            prop_assert!(pair[0] < pair[1]);
            prop_assert_eq!(rule.next_after(start, pair[0]), Some(pair[1]));
        }
        // From anywhere: the first that lies behind, and none between.
        let after = start.checked_add(jiff::Span::new().days(days)).unwrap();
        if let Some(next) = rule.next_after(start, after) {
            prop_assert!(next > after);
            prop_assert_eq!(rule.count_between(start, after, next, 5), 1);
            let before = jiff::Span::new().seconds(1);
            prop_assert_eq!(rule.next_after(start, next.checked_sub(before).unwrap()), Some(next));
        }
        if let Some(count) = rule.count() {
            prop_assert!(rule.occurrences(start, None).count() <= count as usize);
        }
    }

    #[test]
    fn no_text_breaks_it(text in "[A-Z0-9=;,+:TZé -]{0,60}") {
        if let Ok(rule) = Rule::parse(&text) {
            prop_assert_eq!(&Rule::parse(&rule.to_string()).unwrap(), &rule);
        }
    }
}
