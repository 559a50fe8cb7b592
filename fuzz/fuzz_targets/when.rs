//! Arbitrary text as a date and as a sentence, in several places and at several times: read or
//! refused, in the future, with spans that stand in the text, and said back so that it reads as
//! itself.

#![no_main]

use convergio_tasks::when::{self, Answer, DateOrder, Here, Language, When};
use jiff::{Timestamp, tz::TimeZone};
use libfuzzer_sys::fuzz_target;

const ZONES: [&str; 4] = ["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "UTC"];

fuzz_target!(|input: &[u8]| {
    let [place, low, high, text @ ..] = input else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let zone = TimeZone::get(ZONES[usize::from(place & 3)]).expect("a zone");
    let second = 1_767_225_600 + (i64::from(*low) | i64::from(*high) << 8) * 977;
    let mut here = Here::new(Timestamp::from_second(second).expect("a time").to_zoned(zone));
    if place & 4 != 0 {
        here.languages.reverse();
    }
    here.date_order = match place >> 3 & 3 {
        0 => None,
        1 => Some(DateOrder::DayMonth),
        _ => Some(DateOrder::MonthDay),
    };
    if let Ok(answer) = when::parse(text, &here) {
        holds(text, &here, &answer);
    }
    if let Ok(found) = when::extract(text, &here) {
        holds(text, &here, &found.answer);
    }
});

fn holds(text: &str, here: &Here, answer: &Answer) {
    let readings: Vec<&When> = match answer {
        Answer::One(found) => vec![found],
        Answer::Several(all) => all.iter().map(|one| &one.when).collect(),
        Answer::Nothing => Vec::new(),
    };
    for found in readings {
        for span in &found.spans {
            assert!(text.get(span.clone()).is_some());
        }
        assert!(found.all_day || found.due.timestamp().as_second() >= here.now.timestamp().as_second());
        assert!(!when::describe(found, Language::Italian, &here.now).is_empty());
        let phrase = when::phrase(found, here.languages[0], here.now.time_zone());
        match when::parse(&phrase, here) {
            Ok(Answer::One(again)) => {
                assert_eq!(again.due.timestamp(), found.due.timestamp(), "{phrase}");
                assert_eq!(again.repeat, found.repeat, "{phrase}");
            }
            other => panic!("{phrase}: {other:?}"),
        }
    }
}
