//! What RFC 5545 says: its own examples, the forms that dateutil reads otherwise, and what is
//! refused.

use convergio_tasks::recur::{Rule, RuleError, Shifted, at_zone};
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;

/// The first occurrences, as short as can be told: `1997-09-02`, or with a time where it is not
/// 09:00.
fn first(start: DateTime, rule: &str, n: usize) -> String {
    let rule = Rule::parse(rule).unwrap();
    let mut out = Vec::new();
    for at in rule.occurrences(start, None).take(n) {
        out.push(if at.time() == jiff::civil::time(9, 0, 0, 0) {
            at.date().to_string()
        } else {
            at.strftime("%Y-%m-%dT%H:%M").to_string()
        });
    }
    out.join(" ")
}

fn rfc_start() -> DateTime {
    date(1997, 9, 2).at(9, 0, 0, 0)
}

#[test]
fn the_examples_of_the_rfc() {
    let table: &[(&str, &str)] = &[
        ("FREQ=DAILY;COUNT=3", "1997-09-02 1997-09-03 1997-09-04"),
        (
            "FREQ=DAILY;INTERVAL=10;COUNT=5",
            "1997-09-02 1997-09-12 1997-09-22 1997-10-02 1997-10-12",
        ),
        (
            "FREQ=DAILY;BYMONTH=1;UNTIL=20000131T140000Z",
            "1998-01-01 1998-01-02 1998-01-03 1998-01-04 1998-01-05",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
            "1997-09-02 1997-09-16 1997-09-30 1997-10-14 1997-10-28",
        ),
        (
            "FREQ=WEEKLY;COUNT=4;WKST=SU;BYDAY=TU,TH",
            "1997-09-02 1997-09-04 1997-09-09 1997-09-11",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=1FR",
            "1997-09-05 1997-10-03 1997-11-07",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=2;COUNT=5;BYDAY=1SU,-1SU",
            "1997-09-07 1997-09-28 1997-11-02 1997-11-30 1998-01-04",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=-2MO",
            "1997-09-22 1997-10-20 1997-11-17",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            "1997-09-28 1997-10-29 1997-11-28 1997-12-29 1998-01-29",
        ),
        (
            "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1",
            "1997-09-30 1997-10-01 1997-10-31 1997-11-01",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=18;COUNT=4;BYMONTHDAY=10,11,12",
            "1997-09-10 1997-09-11 1997-09-12 1999-03-10",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
            "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30",
        ),
        (
            "FREQ=YEARLY;COUNT=4;BYMONTH=6,7",
            "1998-06-02 1998-07-02 1999-06-02 1999-07-02",
        ),
        (
            "FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100,200",
            "2000-01-01 2000-04-09 2000-07-18 2003-01-01",
        ),
        (
            "FREQ=YEARLY;BYDAY=20MO",
            "1998-05-18 1999-05-17 2000-05-15 2001-05-14 2002-05-20",
        ),
        (
            "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
            "1998-05-11 1999-05-17 2000-05-15 2001-05-14 2002-05-13",
        ),
        (
            "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
            "1998-03-05 1998-03-12 1998-03-19 1998-03-26 1999-03-04",
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13",
        ),
        (
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            "1997-09-13 1997-10-11 1997-11-08 1997-12-13 1998-01-10",
        ),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "1997-11-04 2001-11-06 2005-11-08 2009-11-03 2013-11-05",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
            "1997-09-04 1997-10-07 1997-11-06",
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            "1997-09-29 1997-10-30 1997-11-27 1997-12-30 1998-01-29",
        ),
        (
            "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000",
            "1997-09-02 1997-09-02T12:00 1997-09-02T15:00",
        ),
        (
            "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
            "1997-09-02 1997-09-02T10:30 1997-09-02T12:00 1997-09-02T13:30",
        ),
        (
            "FREQ=DAILY;BYHOUR=9,10,11;BYMINUTE=0,40;COUNT=5",
            "1997-09-02 1997-09-02T09:40 1997-09-02T10:00 1997-09-02T10:40 1997-09-02T11:00",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
            "1997-09-15 1997-09-30 1997-10-15 1997-10-30 1997-11-15",
        ),
    ];
    for (rule, want) in table {
        let n = want.split(' ').count();
        assert_eq!(first(rfc_start(), rule, n), *want, "{rule}");
    }
    // The week's first day changes which weeks count.
    let start = date(1997, 8, 5).at(9, 0, 0, 0);
    let rule = "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=";
    assert_eq!(
        first(start, &format!("{rule}MO"), 9),
        "1997-08-05 1997-08-10 1997-08-19 1997-08-24"
    );
    assert_eq!(
        first(start, &format!("{rule}SU"), 9),
        "1997-08-05 1997-08-17 1997-08-19 1997-08-31"
    );
}

/// What `random_rules.py` leaves out.
#[test]
fn forms_that_dateutil_reads_otherwise() {
    let start = date(2026, 1, 1).at(9, 0, 0, 0);
    let union = "FREQ=MONTHLY;BYDAY=MO,1TU";
    assert_eq!(
        first(start, union, 5),
        "2026-01-05 2026-01-06 2026-01-12 2026-01-19 2026-01-26"
    );
    // 1 January 2026 is a Thursday.
    assert_eq!(
        first(start, "FREQ=YEARLY;BYWEEKNO=20", 2),
        "2026-05-14 2027-05-20"
    );
    // 2026 has 53 weeks: the last but 52 is the first. 29 December 2025 would be in it, too.
    assert_eq!(
        first(start, "FREQ=YEARLY;BYWEEKNO=-53;BYDAY=TH,MO", 2),
        "2026-01-01 2031-12-29"
    );
    // Saturday 1 January 2022 is in week 52 of 2021, Sunday 3 January 2027 in week 53 of 2026; with
    // weeks from Sunday on that is 1 January 2027, in week 52.
    let old = date(2021, 6, 1).at(9, 0, 0, 0);
    assert_eq!(
        first(old, "FREQ=YEARLY;BYWEEKNO=52;BYDAY=SA,SU", 3),
        "2022-01-01 2022-01-02 2022-12-31"
    );
    let weeks = "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU,MO";
    assert_eq!(first(start, weeks, 3), "2026-12-28 2027-01-03 2032-12-27");
    let weeks = "FREQ=YEARLY;BYWEEKNO=52;BYDAY=FR,SU;WKST=SU";
    assert_eq!(first(start, weeks, 3), "2026-12-27 2027-01-01 2027-12-26");
    let whole = "FREQ=WEEKLY;BYDAY=MO,TH,FR;BYSETPOS=2";
    assert_eq!(first(start, whole, 2), "2026-01-01 2026-01-08");
}

#[test]
fn an_end_is_part_of_the_rule() {
    let start = date(2026, 3, 1).at(9, 0, 0, 0);
    assert_eq!(
        first(start, "FREQ=DAILY;UNTIL=20260302", 9),
        "2026-03-01 2026-03-02"
    );
    assert_eq!(
        first(start, "FREQ=DAILY;UNTIL=20260302T090000", 9),
        "2026-03-01 2026-03-02"
    );
    assert_eq!(
        first(start, "FREQ=DAILY;UNTIL=20260302T085959", 9),
        "2026-03-01"
    );
    assert_eq!(first(start, "FREQ=DAILY;UNTIL=20260228", 9), "");
    // 09:00 in New York is 14:00 in UTC.
    let zone = TimeZone::get("America/New_York").unwrap();
    let rule = Rule::parse("FREQ=DAILY;UNTIL=20260302T135959Z").unwrap();
    assert_eq!(rule.occurrences_in(&zone, start, None).count(), 1);
    let rule = Rule::parse("FREQ=DAILY;UNTIL=20260302T140000Z").unwrap();
    assert_eq!(rule.occurrences_in(&zone, start, None).count(), 2);
    assert_eq!(rule.to_string(), "FREQ=DAILY;UNTIL=20260302T140000Z");
}

#[test]
fn a_count_is_counted_from_the_start_wherever_one_looks() {
    let start = date(2026, 1, 31).at(9, 0, 0, 0);
    let rule = Rule::parse("FREQ=MONTHLY;COUNT=3").unwrap();
    assert_eq!(
        first(start, "FREQ=MONTHLY;COUNT=3", 9),
        "2026-01-31 2026-03-31 2026-05-31"
    );
    let after = |m, d| rule.next_after(start, date(2026, m, d).at(9, 0, 0, 0));
    assert_eq!(after(3, 30), Some(date(2026, 3, 31).at(9, 0, 0, 0)));
    assert_eq!(after(5, 31), None);
    assert_eq!(
        rule.count_between(start, start, date(2030, 1, 1).at(0, 0, 0, 0), 99),
        2
    );
    assert_eq!(
        rule.count_between(start, start, date(2030, 1, 1).at(0, 0, 0, 0), 1),
        1
    );
}

#[test]
fn what_is_no_rule_says_why() {
    let table: &[(&str, &str)] = &[
        ("", "`` is not of the form NAME=VALUE"),
        ("FREQ", "`FREQ` is not of the form NAME=VALUE"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=OFTEN", "`OFTEN` is no value of FREQ"),
        (
            "FREQ=SECONDLY",
            "FREQ=SECONDLY: a rule repeats by the minute at most",
        ),
        (
            "FREQ=DAILY;BYSECOND=1",
            "BYSECOND: a rule repeats by the minute at most",
        ),
        ("FREQ=DAILY;BYEASTER=0", "`BYEASTER` is no part of a rule"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands there twice"),
        ("FREQ=DAILY;INTERVAL=0", "`0` is no value of INTERVAL"),
        ("FREQ=DAILY;INTERVAL=1000001", "INTERVAL is above 1000000"),
        ("FREQ=DAILY;COUNT=-1", "`-1` is no value of COUNT"),
        (
            "FREQ=DAILY;COUNT=100001",
            "COUNT is above 100000: end it by UNTIL",
        ),
        (
            "FREQ=DAILY;COUNT=1;UNTIL=20260101",
            "COUNT and UNTIL exclude each other",
        ),
        (
            "FREQ=DAILY;UNTIL=20260230",
            "`20260230` is no value of UNTIL",
        ),
        (
            "FREQ=DAILY;UNTIL=2026-02-03",
            "`2026-02-03` is no value of UNTIL",
        ),
        ("FREQ=DAILY;BYMONTH=13", "`13` is no value of BYMONTH"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "`0` is no value of BYMONTHDAY"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=32",
            "`32` is no value of BYMONTHDAY",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=1,,2",
            "`` is no value of BYMONTHDAY",
        ),
        ("FREQ=WEEKLY;BYDAY=XX", "`XX` is no value of BYDAY"),
        (
            "FREQ=WEEKLY;BYDAY=1MO",
            "a number in BYDAY is not allowed with any FREQ but MONTHLY and YEARLY",
        ),
        (
            "FREQ=WEEKLY;BYMONTHDAY=1",
            "BYMONTHDAY is not allowed with FREQ=WEEKLY",
        ),
        (
            "FREQ=MONTHLY;BYWEEKNO=1",
            "BYWEEKNO is not allowed with any FREQ but YEARLY",
        ),
        (
            "FREQ=DAILY;BYYEARDAY=1",
            "BYYEARDAY is not allowed with FREQ=DAILY",
        ),
        (
            "FREQ=DAILY;BYSETPOS=1",
            "BYSETPOS is not allowed with no other BY part",
        ),
        (
            "FREQ=DAILY;BYDAY=\u{202e}\u{7}é",
            "`??é` is no value of BYDAY",
        ),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "it never fires"),
        ("FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=31", "it never fires"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYMONTH=12", "it never fires"),
        ("FREQ=MINUTELY;BYHOUR=9;BYSETPOS=2", "it never fires"),
        ("FREQ=MONTHLY;BYDAY=6MO", "it never fires"),
    ];
    for (text, why) in table {
        match Rule::parse(text) {
            Ok(rule) => panic!("{text} is taken as {rule}"),
            Err(error) => assert_eq!(error.to_string(), *why, "{text}"),
        }
    }
    assert_eq!(
        Rule::parse(&format!("FREQ=DAILY;X={}", "1".repeat(4_000))),
        Err(RuleError::TooLong)
    );
}

/// Of one minute in a minute, the first and the last are it.
#[test]
fn positions_within_a_minute() {
    let start = date(2026, 1, 1).at(9, 0, 0, 0);
    for position in ["1", "-1", "-1,3"] {
        let rule = format!("FREQ=MINUTELY;INTERVAL=90;BYHOUR=9,10;BYSETPOS={position}");
        assert_eq!(
            first(start, &rule, 3),
            "2026-01-01 2026-01-01T10:30 2026-01-02"
        );
    }
}

#[test]
fn one_meaning_has_one_text() {
    let same = |text: &str, want: &str| {
        assert_eq!(Rule::parse(text).unwrap().to_string(), want, "{text}");
    };
    same(
        "rrule:freq=weekly;byday=fr,mo,MO;interval=1;wkst=mo;",
        "FREQ=WEEKLY;BYDAY=MO,FR",
    );
    same(
        "FREQ=MONTHLY;BYDAY=+1MO,-1MO",
        "FREQ=MONTHLY;BYDAY=-1MO,1MO",
    );
    same(
        "INTERVAL=2;FREQ=YEARLY;BYHOUR=9,8;BYMONTH=12,1",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,12;BYHOUR=8,9",
    );
}

/// Rules that fit in principle and never meet: the search ends.
#[test]
fn a_search_ends() {
    let start = date(2026, 11, 21).at(9, 1, 0, 0);
    for text in [
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31",
        "FREQ=YEARLY;INTERVAL=4;BYYEARDAY=366",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=10",
        "FREQ=HOURLY;INTERVAL=168;BYDAY=MO",
        "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=2",
        "FREQ=MINUTELY;INTERVAL=10080;BYDAY=MO",
        "FREQ=MINUTELY;INTERVAL=1440;BYMONTH=2;BYMONTHDAY=29;BYHOUR=3",
        "FREQ=YEARLY;INTERVAL=1000000",
        // More than a thousand years ahead.
        "FREQ=YEARLY;INTERVAL=2000",
    ] {
        let rule = Rule::parse(text).unwrap();
        assert_eq!(rule.next_after(start, start), None, "{text}");
    }
    let late = date(9999, 12, 31).at(23, 59, 59, 0);
    assert_eq!(
        Rule::parse("FREQ=MINUTELY").unwrap().next_after(late, late),
        None
    );
    assert_eq!(
        Rule::parse("FREQ=DAILY;COUNT=9")
            .unwrap()
            .next_after(late, late),
        None
    );
}

#[test]
fn a_gap_shifts_forward_and_of_two_the_first_is_taken() {
    let rome = TimeZone::get("Europe/Rome").unwrap();
    let (at, shifted) = at_zone(date(2026, 3, 29).at(2, 30, 0, 0), &rome);
    assert_eq!(at.to_string(), "2026-03-29T01:30:00Z");
    assert_eq!(
        shifted,
        Some(Shifted::Gap {
            asked: date(2026, 3, 29).at(2, 30, 0, 0)
        })
    );
    let (at, shifted) = at_zone(date(2026, 10, 25).at(2, 30, 0, 0), &rome);
    assert_eq!(at.to_string(), "2026-10-25T00:30:00Z");
    let Some(Shifted::Overlap { other }) = shifted else {
        panic!("{shifted:?}")
    };
    assert_eq!(other.to_string(), "2026-10-25T01:30:00Z");
    // A whole day that was left out.
    let apia = TimeZone::get("Pacific/Apia").unwrap();
    let (at, shifted) = at_zone(date(2011, 12, 30).at(9, 0, 0, 0), &apia);
    assert_eq!(apia.to_datetime(at), date(2011, 12, 31).at(9, 0, 0, 0));
    assert!(matches!(shifted, Some(Shifted::Gap { .. })));
}
