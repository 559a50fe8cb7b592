//! What is written is read again as it was.

use convergio_tasks::Basis;
use convergio_tasks::ics::{Due, Item, Kind, Status, export, import};
use convergio_tasks::recur::Rule;
use jiff::Timestamp;
use jiff::civil::{DateTime, date};
use proptest::prelude::*;

const ZONES: [&str; 4] = ["Europe/Rome", "America/New_York", "Asia/Kathmandu", "UTC"];

fn civil() -> impl Strategy<Value = DateTime> {
    (1980..2100_i16, 1..=12_i8, 1..=28_i8, 0..24_i8, 0..60_i8)
        .prop_map(|(y, m, d, h, min)| date(y, m, d).at(h, min, 0, 0))
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_i64).prop_map(|s| Timestamp::from_second(s).unwrap())
}

/// Any text that a task may have: line breaks, no other control characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ,;:\\\\\"'<>^=\n]{0,40}", "[^\\p{C}]{0,120}"]
}

fn due() -> impl Strategy<Value = Due> {
    prop_oneof![
        civil().prop_map(|at| Due::Day(at.date())),
        civil().prop_map(Due::Floating),
        (civil(), prop::sample::select(&ZONES[..])).prop_map(|(at, zone)| Due::Zoned {
            at,
            zone: zone.to_owned()
        }),
        instant().prop_map(Due::Utc),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop::sample::select(vec![
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=MO,FR;WKST=SU",
        "FREQ=MONTHLY;BYDAY=-1SU;COUNT=5",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=HOURLY;INTERVAL=6",
    ])
    .prop_map(|text| Rule::parse(text).unwrap())
}

fn item() -> impl Strategy<Value = Item> {
    let texts = (
        text(),
        text(),
        prop::option::of("[a-z0-9@-]{1,30}"),
        prop::option::of(text()),
    );
    let times = (
        prop::option::of((due(), prop::option::of((rule(), any::<bool>())))),
        prop::option::of(instant()),
        prop::option::of(instant()),
        prop::collection::btree_set(0..50_000_u32, 0..4),
    );
    let rest = (
        prop::option::of(1..=9_u8),
        prop::collection::btree_set("[a-zà-ù,;\\\\]{1,10}", 0..4),
        prop::sample::select(vec![
            Status::Open,
            Status::Waiting,
            Status::Done,
            Status::Cancelled,
        ]),
        prop::option::of("[a-z-]{1,20}"),
    );
    (texts, times, rest).prop_map(|(texts, times, rest)| {
        let (due, repeats) = match times.0 {
            None => (None, None),
            Some((due, repeats)) => (Some(due), repeats),
        };
        let basis = match &repeats {
            Some((_, true)) => Basis::AfterCompletion,
            _ => Basis::Schedule,
        };
        Item {
            kind: Kind::Todo,
            uid: Some(texts.2.unwrap_or_else(|| "a,b;c\\d".to_owned())),
            title: texts.0,
            notes: texts.1,
            rule: repeats.map(|(rule, _)| rule),
            basis,
            priority: rest.0,
            tags: rest.1.into_iter().collect(),
            project: texts.3,
            completed: (rest.2 == Status::Done).then_some(times.1).flatten(),
            status: rest.2,
            created: times.2,
            modified: times.1,
            parent: rest.3,
            reminders: if due.is_some() {
                times.3.into_iter().collect()
            } else {
                Vec::new()
            },
            due,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(items in prop::collection::vec(item(), 0..6)) {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let text = export(&items, now);
        for line in text.split("\r\n") {
            prop_assert!(line.len() <= 75, "{line}");
            prop_assert!(!line.contains(['\r', '\n']));
        }
        let found = import(text.as_bytes()).unwrap();
        prop_assert_eq!(found.left_out, vec![]);
        prop_assert_eq!(&found.items, &items);
        // And what was read is written as it was.
        prop_assert_eq!(export(&found.items, now), text);
    }

    #[test]
    fn no_text_breaks_it(lines in prop::collection::vec(
        prop_oneof![
            Just("BEGIN:VCALENDAR".to_owned()), Just("END:VCALENDAR".to_owned()),
            Just("BEGIN:VTODO".to_owned()), Just("END:VTODO".to_owned()),
            Just("BEGIN:VALARM".to_owned()), Just("END:VALARM".to_owned()),
            Just("DUE;TZID=Europe/Rome:20261122T090000".to_owned()),
            "(DUE|DTSTART|DURATION|TRIGGER|RRULE|SUMMARY|CATEGORIES)[;:=A-Z0-9\"\\\\,^ ]{0,30}",
            "\\PC{0,40}",
        ],
        0..40,
    )) {
        let text = lines.join("\n");
        for text in [text.clone(), format!("BEGIN:VCALENDAR\nBEGIN:VTODO\n{text}\nEND:VTODO\nEND:VCALENDAR")] {
            if let Ok(found) = import(text.as_bytes()) {
                let now = Timestamp::from_second(1_795_000_000).unwrap();
                let again = import(export(&found.items, now).as_bytes()).unwrap();
                prop_assert_eq!(found.items.len(), again.items.len());
            }
        }
    }
}

/// A rule's end takes the form that its start asks for, and means the same.
#[test]
fn an_end_is_written_as_its_start_asks() {
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    let at = date(2026, 11, 22).at(9, 0, 0, 0);
    let zoned = Due::Zoned {
        at,
        zone: "America/New_York".into(),
    };
    let utc = Due::Utc("2026-11-22T14:00:00Z".parse().unwrap());
    let table = [
        (&zoned, "20261224", "20261225T045959Z"),
        (&zoned, "20261224T090000", "20261224T140000Z"),
        (&zoned, "20261224T140000Z", "20261224T140000Z"),
        (&utc, "20261224T140000", "20261224T140000Z"),
        (&Due::Day(at.date()), "20261224T140000Z", "20261224"),
        (&Due::Floating(at), "20261224", "20261224T235959"),
    ];
    for (due, until, want) in table {
        let rule = Rule::parse(&format!("FREQ=DAILY;UNTIL={until}")).unwrap();
        let item = Item {
            due: Some(due.clone()),
            rule: Some(rule),
            ..Item::default()
        };
        let text = export(&[item], now);
        let line = text
            .lines()
            .find(|line| line.starts_with("RRULE:"))
            .unwrap();
        assert_eq!(
            line,
            format!("RRULE:FREQ=DAILY;UNTIL={want}"),
            "{until} beside {due:?}"
        );
    }
}

#[test]
fn a_zone_is_written_with_its_changes() {
    let at = date(2026, 11, 22).at(9, 0, 0, 0);
    let due = Some(Due::Zoned {
        at,
        zone: "Europe/Rome".into(),
    });
    let item = Item {
        uid: Some("1".into()),
        title: "x".into(),
        due,
        ..Item::default()
    };
    let text = export(&[item], "2026-11-21T00:00:00Z".parse().unwrap());
    let expected = "BEGIN:DAYLIGHT\r\nDTSTART:20270328T020000\r\nTZOFFSETFROM:+0100\r\n\
                    TZOFFSETTO:+0200\r\nTZNAME:CEST\r\nEND:DAYLIGHT\r\n";
    assert!(text.contains(expected), "{text}");
}
