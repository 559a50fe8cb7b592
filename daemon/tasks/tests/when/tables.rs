//! Phrases and sentences with what they must mean.

use crate::said::{at, here, said};
use crate::when::{self, Language};

/// The lines of a table, without those that say something about it.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

const PHRASES: &str = include_str!("phrases.tsv");
const SENTENCES: &str = include_str!("sentences.tsv");

#[test]
fn phrases_mean_what_the_table_says() {
    let mut wrong = Vec::new();
    let mut counted = 0;
    for row in rows(PHRASES) {
        let [now, zone, words, text, expected] = row.as_slice() else {
            panic!("five columns: {row:?}")
        };
        let here = here(at(now, zone), words);
        let found = said(&when::parse(text, &here), &here);
        counted += 1;
        if found != *expected {
            wrong.push(format!(
                "{now} {zone} {words} {text:?}: {found}, not {expected}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {counted}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(counted >= 500, "{counted} phrases are left");
}

#[test]
fn sentences_are_parted_as_the_table_says() {
    let mut wrong = Vec::new();
    for row in rows(SENTENCES) {
        let [now, zone, words, text, title, expected] = row.as_slice() else {
            panic!("six columns: {row:?}")
        };
        let here = here(at(now, zone), words);
        let (found_title, found) = match when::extract(text, &here) {
            Ok(found) => (found.title, said(&Ok(found.answer), &here)),
            Err(error) => (String::new(), said(&Err(error), &here)),
        };
        if found != *expected || found_title != *title {
            wrong.push(format!(
                "{text:?}: {found_title:?} {found}, not {title:?} {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_order_of_languages_changes_no_phrase_that_has_one_reading() {
    for row in rows(PHRASES) {
        let [now, zone, words, text, expected] = row.as_slice() else {
            continue;
        };
        // The first language alone says how hours in digits are counted.
        let both = *words == "en,it" || *words == "it,en";
        if !both || expected.contains('|') || expected.starts_with('!') || text.contains(':') {
            continue;
        }
        let swapped = if *words == "en,it" { "it,en" } else { "en,it" };
        let here = here(at(now, zone), swapped);
        assert_eq!(
            said(&when::parse(text, &here), &here),
            *expected,
            "{text:?} in {swapped}"
        );
    }
}

#[test]
fn what_was_understood_is_said_back() {
    let rows = [
        ("en", "tomorrow at 9", "Sun 22 Nov, 09:00, in 23 h"),
        ("it", "domani alle 9", "dom 22 nov, 09:00, tra 23 ore"),
        ("en", "in 6 hours", "Sat 21 Nov, 16:00, in 6 h"),
        ("it", "tra 6 ore", "sab 21 nov, 16:00, tra 6 ore"),
        (
            "it",
            "tra un'ora e mezza",
            "sab 21 nov, 11:30, tra 1 ora e 30 min",
        ),
        ("en", "3 march 2027", "Wed 3 Mar 2027, in 102 days"),
        ("it", "tra un minuto", "sab 21 nov, 10:01, tra 1 minuto"),
        (
            "en",
            "every other tuesday at 9",
            "Tue 24 Nov, 09:00, in 3 days; every 2 weeks on Tuesday",
        ),
        (
            "en",
            "at 9 New York time",
            "Sat 21 Nov, 09:00 (America/New_York), in 5 h",
        ),
        (
            "it",
            "l'ultimo venerdì di ogni mese fino al primo giugno",
            "ven 27 nov, tra 6 giorni; ogni mese l'ultimo venerdì del mese fino al primo giugno 2027",
        ),
        (
            "en",
            "every 31st",
            "Mon 30 Nov, in 9 days; every month on the 31st or the last day of a shorter month",
        ),
        (
            "it",
            "ogni giorno fino all'8 dicembre",
            "sab 21 nov, oggi; ogni giorno fino all'8 dicembre 2026",
        ),
    ];
    for (words, text, expected) in rows {
        let here = here(at("2026-11-21T10:00", "Europe/Rome"), words);
        let language = here.languages[0];
        match when::parse(text, &here) {
            Ok(when::Answer::One(found)) => {
                assert_eq!(when::describe(&found, language, &here.now), expected);
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn rules_of_others_are_said_as_they_are() {
    let repeat = |rrule: &str| when::Repeat {
        rrule: rrule.to_owned(),
        basis: when::Basis::Schedule,
    };
    let zone = jiff::tz::TimeZone::UTC;
    let said = |rrule| when::describe_repeat(&repeat(rrule), Language::English, &zone);
    assert_eq!(
        said("FREQ=YEARLY;BYWEEKNO=20"),
        "by the rule FREQ=YEARLY;BYWEEKNO=20"
    );
    assert_eq!(
        said("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2"),
        "by the rule FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2"
    );
    assert_eq!(
        said("FREQ=DAILY;UNTIL=20270101T120000Z"),
        "every day until 1 January 2027"
    );
    assert_eq!(said("nonsense"), "by the rule nonsense");
}

#[test]
fn a_word_that_is_not_understood_is_named_with_its_place() {
    let here = here(at("2026-11-21T10:00", "Europe/Rome"), "en,it");
    let text = "domani flub alle 9";
    match when::parse(text, &here) {
        Err(when::WhenError::Unknown { word, span }) => {
            assert_eq!(word, "flub");
            assert_eq!(&text[span], "flub");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rule_counts_from_the_time_that_was_asked_for() {
    let here = here(at("2026-03-28T10:00", "Europe/Rome"), "en");
    let Ok(when::Answer::One(found)) = when::parse("every day at 02:30", &here) else {
        panic!("one reading")
    };
    assert_eq!(found.due.time(), jiff::civil::time(3, 30, 0, 0));
    assert_eq!(found.start().time(), jiff::civil::time(2, 30, 0, 0));
    let phrase = when::phrase(&found, Language::English, here.now.time_zone());
    assert_eq!(phrase, "every day at 02:30 from 2026-03-29");
}

#[test]
fn zones_need_no_database_of_the_system() {
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    for zone in ["Europe/Rome", "America/New_York", "Asia/Tokyo", "Etc/GMT-1"] {
        assert!(bundled.get(zone).is_ok(), "{zone}");
    }
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let here = here(at("2026-11-21T10:00", "Europe/Rome"), "en");
    let text = "a".repeat(when::TEXT_MAX_BYTES + 1);
    assert!(matches!(
        when::parse(&text, &here),
        Err(when::WhenError::TooLong { .. })
    ));
    assert!(matches!(
        when::extract(&text, &here),
        Err(when::WhenError::TooLong { .. })
    ));
}
