//! Calendars as others write them.

use convergio_tasks::ics::{Due, Kind, Status};
use jiff::civil::date;

use super::{left_out, one, read};

#[test]
fn a_task_with_everything_that_is_taken_over() {
    let item = one("BEGIN:VTODO
        UID:20261122T080000Z-1@example.org
        DTSTAMP:20261120T101112Z
        CREATED:20261101T101112Z
        LAST-MODIFIED:20261102T101112Z
        SUMMARY:Call Mario\\, please\\; \"now\"
        DESCRIPTION:one\\ntwo \\\\n three
        DUE;TZID=Europe/Rome:20261122T090000
        DTSTART;TZID=Europe/Rome:20261122T090000
        RRULE:FREQ=WEEKLY;BYDAY=SU
        PRIORITY:1
        CATEGORIES:phone, a\\,b,,phone
        CATEGORIES:home
        STATUS:NEEDS-ACTION
        RELATED-TO:parent-1
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER:-PT15M
        DESCRIPTION:Call Mario\\, please\\; \"now\"
        END:VALARM
        BEGIN:VALARM
        ACTION:AUDIO
        TRIGGER;RELATED=END:-P1DT2H
        END:VALARM
        END:VTODO");
    assert_eq!(item.kind, Kind::Todo);
    assert_eq!(item.uid.as_deref(), Some("20261122T080000Z-1@example.org"));
    assert_eq!(item.title, "Call Mario, please; \"now\"");
    assert_eq!(item.notes, "one\ntwo \\n three");
    let at = date(2026, 11, 22).at(9, 0, 0, 0);
    assert_eq!(
        item.due,
        Some(Due::Zoned {
            at,
            zone: "Europe/Rome".into()
        })
    );
    assert_eq!(item.rule.unwrap().to_string(), "FREQ=WEEKLY;BYDAY=SU");
    assert_eq!(item.priority, Some(1));
    assert_eq!(item.tags, ["phone", "a,b", "home"]);
    assert_eq!(item.parent.as_deref(), Some("parent-1"));
    assert_eq!(item.reminders, [15, 26 * 60]);
    assert_eq!(item.created.unwrap().to_string(), "2026-11-01T10:11:12Z");
    assert_eq!(item.modified.unwrap().to_string(), "2026-11-02T10:11:12Z");
}

#[test]
fn every_way_of_being_due() {
    let due = |lines: &str| one(&format!("BEGIN:VTODO\nUID:1\n{lines}\nEND:VTODO")).due;
    let at = date(2026, 11, 22).at(9, 0, 0, 0);
    assert_eq!(due("DUE:20261122T090000"), Some(Due::Floating(at)));
    assert_eq!(
        due("DUE:20261122T090000Z"),
        Some(Due::Utc("2026-11-22T09:00:00Z".parse().unwrap()))
    );
    assert_eq!(
        due("DUE;VALUE=DATE:20261122"),
        Some(Due::Day(date(2026, 11, 22)))
    );
    assert_eq!(
        due("DTSTART;VALUE=DATE:20261122"),
        Some(Due::Day(date(2026, 11, 22)))
    );
    assert_eq!(due("SUMMARY:never"), None);
    let zoned = |zone: &str| {
        Some(Due::Zoned {
            at,
            zone: zone.into(),
        })
    };
    for (tzid, zone) in [
        ("Europe/Rome", "Europe/Rome"),
        ("\"Europe/Rome\"", "Europe/Rome"),
        ("europe/rome", "Europe/Rome"),
        (
            "/freeassociation.sourceforge.net/Europe/Rome",
            "Europe/Rome",
        ),
        (
            "/mozilla.org/20071231_1/America/Argentina/Salta",
            "America/Argentina/Salta",
        ),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Eastern Standard Time", "America/New_York"),
        ("UTC", "UTC"),
        ("posix/Europe/Vaduz", "Europe/Vaduz"),
        ("America/Los Angeles", "America/Los_Angeles"),
    ] {
        assert_eq!(
            due(&format!("DUE;TZID={tzid}:20261122T090000")),
            zoned(zone),
            "{tzid}"
        );
    }
    // What the calendar itself says of a zone's place.
    let found = read(
        "BEGIN:VTODO
        UID:1
        DUE;TZID=\"My: Zone\":20261122T090000
        END:VTODO
        BEGIN:VTIMEZONE
        TZID:My: Zone
        X-LIC-LOCATION:Europe/Rome
        BEGIN:STANDARD
        DTSTART:19701025T030000
        END:STANDARD
        END:VTIMEZONE",
    );
    assert_eq!(found.items[0].due, zoned("Europe/Rome"));
    assert_eq!(left_out(&found), [""; 0]);
    let found = read("BEGIN:VTODO\nUID:1\nDUE;TZID=Middle-earth:20261122T090000\nEND:VTODO");
    assert_eq!(found.items[0].due, Some(Due::Floating(at)));
    assert_eq!(
        left_out(&found),
        ["TZID (unknown zone, taken as local): Middle-earth×1"]
    );
}

/// Outlook's name for a zone that somebody made; its clock is that of Central Europe, by rules as
/// Exchange writes them, or by a list of dates.
#[test]
fn a_zone_that_the_calendar_defines_itself() {
    let zone = |standard: &str, daylight: &str| {
        format!(
            "BEGIN:VTIMEZONE
            TZID:Customized Time Zone
            BEGIN:STANDARD
            {standard}
            TZOFFSETFROM:+0200
            TZOFFSETTO:+0100
            END:STANDARD
            BEGIN:DAYLIGHT
            {daylight}
            TZOFFSETFROM:+0100
            TZOFFSETTO:+0200
            END:DAYLIGHT
            END:VTIMEZONE
            BEGIN:VTODO
            DUE;TZID=Customized Time Zone:20261122T090000
            END:VTODO"
        )
    };
    let due = |zone: &str| {
        let found = read(zone);
        let told = left_out(&found).join(" ");
        match &found.items[0].due {
            Some(Due::Zoned { zone, .. }) => {
                assert_eq!(
                    told,
                    format!("TZID (taken as {zone}, which goes alike): Customized Time Zone×1")
                );
                let zone = jiff::tz::TimeZone::get(zone).unwrap();
                let in_may = date(2027, 5, 1).at(9, 0, 0, 0);
                Some(zone.to_timestamp(in_may).unwrap().to_string())
            }
            Some(Due::Floating(_)) => {
                assert_eq!(
                    told,
                    "TZID (unknown zone, taken as local): Customized Time Zone×1"
                );
                None
            }
            Some(Due::Utc(at)) => {
                assert_eq!(
                    told,
                    "TZID (unknown zone, taken as UTC): Customized Time Zone×1"
                );
                Some(at.to_string())
            }
            other => panic!("{other:?}"),
        }
    };
    let by_rules = zone(
        "DTSTART:16010101T030000\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10",
        "DTSTART:16010101T020000\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3",
    );
    assert_eq!(due(&by_rules).as_deref(), Some("2027-05-01T07:00:00Z"));
    let by_dates = zone(
        "DTSTART:20251026T030000\nRDATE:20261025T030000,20271031T030000",
        "DTSTART:20260329T020000\nRDATE:20270328T020000",
    );
    assert_eq!(due(&by_dates).as_deref(), Some("2027-05-01T07:00:00Z"));
    // Nobody's clock goes like this: at that instant, then.
    let odd = zone(
        "DTSTART:16010101T030000\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=12",
        "DTSTART:16010101T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    );
    assert_eq!(due(&odd).as_deref(), Some("2026-11-22T07:00:00Z"));
    let broken = zone("DTSTART:never", "DTSTART:20260329T020000");
    assert_eq!(due(&broken), None);
}

#[test]
fn an_event_is_due_at_its_start() {
    let found = read(
        "BEGIN:VEVENT
        UID:e1
        DTSTART;TZID=Europe/Rome:20261122T090000
        DTEND;TZID=Europe/Rome:20261122T100000
        SUMMARY:Dentist
        LOCATION:Via Roma 1
        ORGANIZER;CN=\"Rossi; Mario\":mailto:mario@example.org
        ATTENDEE:mailto:a@example.org
        ATTENDEE:mailto:b@example.org
        EXDATE;TZID=Europe/Rome:20261123T090000
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER;RELATED=END:-PT90M
        END:VALARM
        BEGIN:VALARM
        ACTION:EMAIL
        TRIGGER:-PT1H
        END:VALARM
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER:PT1H
        END:VALARM
        END:VEVENT
        BEGIN:VEVENT
        UID:e1
        RECURRENCE-ID:20261123T080000Z
        DTSTART:20261123T090000Z
        END:VEVENT
        BEGIN:VEVENT
        UID:e2
        END:VEVENT
        BEGIN:VJOURNAL
        UID:j
        SUMMARY:not counted apart
        END:VJOURNAL
        BEGIN:VFREEBUSY
        END:VFREEBUSY",
    );
    assert_eq!(found.items.len(), 1);
    let item = &found.items[0];
    assert_eq!((item.kind, item.title.as_str()), (Kind::Event, "Dentist"));
    assert_eq!(item.reminders, [30]);
    assert_eq!(
        left_out(&found),
        [
            "VALARM (ACTION:EMAIL)×1",
            "VALARM (after it is due)×1",
            "VEVENT (a changed occurrence of a repeating one)×1",
            "VEVENT (its length)×1",
            "VEVENT (without a start)×1",
            "VEVENT ATTENDEE×2",
            "VEVENT EXDATE×1",
            "VEVENT LOCATION×1",
            "VEVENT ORGANIZER×1",
            "VFREEBUSY×1",
            "VJOURNAL×1",
        ]
    );
}

#[test]
fn where_a_task_stands() {
    let status = |lines: &str| {
        let found = read(&format!("BEGIN:VTODO\nUID:1\n{lines}\nEND:VTODO"));
        (found.items[0].status, left_out(&found).join(" "))
    };
    let plain = |status| (status, String::new());
    assert_eq!(
        status("STATUS:COMPLETED\nCOMPLETED:20261120T090000Z"),
        plain(Status::Done)
    );
    assert_eq!(status("COMPLETED:20261120T090000Z"), plain(Status::Done));
    assert_eq!(status("PERCENT-COMPLETE:100"), plain(Status::Done));
    assert_eq!(status("STATUS:CANCELLED"), plain(Status::Cancelled));
    assert_eq!(status("STATUS:needs-action"), plain(Status::Open));
    assert_eq!(
        status("STATUS:NEEDS-ACTION\nX-CONVERGIO-STATE:WAITING"),
        plain(Status::Waiting)
    );
    assert_eq!(
        status("STATUS:IN-PROCESS"),
        (Status::Open, "STATUS:IN-PROCESS×1".into())
    );
    assert_eq!(
        status("PERCENT-COMPLETE:40"),
        (Status::Open, "PERCENT-COMPLETE×1".into())
    );
}

#[test]
fn a_task_that_starts_before_it_is_due() {
    // Alarms are counted from the start; the task is due when it is due.
    let found = read(
        "BEGIN:VTODO
        UID:1
        DTSTART:20261122T080000
        DUE:20261122T090000
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER:-PT10M
        END:VALARM
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER;RELATED=END:-PT10M
        END:VALARM
        END:VTODO",
    );
    assert_eq!(found.items[0].reminders, [10, 70]);
    assert_eq!(
        found.items[0].due,
        Some(Due::Floating(date(2026, 11, 22).at(9, 0, 0, 0)))
    );
    assert_eq!(left_out(&found), ["DTSTART (starts before it is due)×1"]);
    // A rule that names days is one of the start.
    let found = read(
        "BEGIN:VTODO
        UID:1
        DTSTART:20261123T080000
        DUE:20261127T170000
        RRULE:FREQ=WEEKLY;BYDAY=MO
        END:VTODO",
    );
    assert_eq!(
        found.items[0].due,
        Some(Due::Floating(date(2026, 11, 23).at(8, 0, 0, 0)))
    );
    assert_eq!(left_out(&found), ["DUE (repeats by its start)×1"]);
    // A duration in place of the time that it is due.
    let found = read("BEGIN:VTODO\nUID:1\nDTSTART:20261122T080000\nDURATION:PT90M\nEND:VTODO");
    assert_eq!(
        found.items[0].due,
        Some(Due::Floating(date(2026, 11, 22).at(9, 30, 0, 0)))
    );
    // One that goes back, or further than a hundred years, is none.
    let found = read("BEGIN:VTODO\nUID:1\nDTSTART:20261122T080000\nDURATION:-PT90M\nEND:VTODO");
    assert_eq!(
        found.items[0].due,
        Some(Due::Floating(date(2026, 11, 22).at(8, 0, 0, 0)))
    );
    let found = read("BEGIN:VTODO\nUID:1\nDTSTART:20261122T080000\nDURATION:P40000D\nEND:VTODO");
    assert_eq!(left_out(&found), ["DURATION (not understood)×1"]);
    // An alarm at an instant.
    let item = one("BEGIN:VTODO
        UID:1
        DUE;TZID=Europe/Rome:20261122T090000
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER;VALUE=DATE-TIME:20261122T073000Z
        END:VALARM
        END:VTODO");
    assert_eq!(item.reminders, [30]);
}

#[test]
fn alarms_that_are_no_reminders_before_it_is_due() {
    let alarm = |lines: &str, trigger: &str| {
        let found = read(&format!(
            "BEGIN:VTODO\nUID:1\n{lines}\nBEGIN:VALARM\nACTION:DISPLAY\n{trigger}\nEND:VALARM\nEND:VTODO"
        ));
        (found.items[0].reminders.clone(), left_out(&found).join(" "))
    };
    let due = "DUE:20261122T090000Z";
    let plain = |minutes| (vec![minutes], String::new());
    let not = |why: &str| (vec![], format!("VALARM ({why})×1"));
    // Rather half a minute early than late.
    assert_eq!(alarm(due, "TRIGGER:-PT90S"), plain(2));
    assert_eq!(alarm(due, "TRIGGER:PT0S"), plain(0));
    assert_eq!(alarm(due, "TRIGGER:PT30S"), not("after it is due"));
    assert_eq!(alarm(due, "TRIGGER:-P400D"), not("too long before"));
    assert_eq!(
        alarm(due, "TRIGGER:soon"),
        not("its time is not counted from when it is due")
    );
    assert_eq!(
        alarm(due, "X-NONE:1").1,
        "VALARM (without a TRIGGER)×1 VALARM X-NONE×1"
    );
    let at = "TRIGGER;VALUE=DATE-TIME:20261122T080000Z";
    assert_eq!(alarm(due, at), plain(60));
    let daily = "DTSTART:20261122T090000Z\nDUE:20261122T090000Z\nRRULE:FREQ=DAILY";
    assert_eq!(
        alarm(daily, at),
        not("its time is not counted from when it is due")
    );
    assert_eq!(
        alarm("DUE:20261122T090000", at),
        not("its time is not counted from when it is due")
    );
}

#[test]
fn what_is_not_understood_is_named_and_the_rest_is_taken() {
    let found = read(
        "BEGIN:VTODO
        UID:1
        SUMMARY:first
        SUMMARY:second
        DUE:tomorrow
        RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30
        PRIORITY:12
        this is no line
        X-APPLE-SORT-ORDER:3
        URL:https://example.org
        END:VTODO
        BEGIN:VTODO
        UID:2
        RRULE:FREQ=DAILY
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER:-PT5M
        END:VALARM
        END:VTODO",
    );
    assert_eq!(found.items.len(), 2);
    assert_eq!(
        (found.items[0].title.as_str(), &found.items[0].due),
        ("first", &None)
    );
    assert_eq!(
        left_out(&found),
        [
            "DUE (not understood)×1",
            "PRIORITY (not understood)×1",
            "RRULE (it never fires)×1",
            "RRULE (without a time)×1",
            "SUMMARY (again)×1",
            "VALARM (without a time)×1",
            "VTODO URL×1",
            "VTODO X-APPLE-SORT-ORDER×1",
            "line that is no property×1",
        ]
    );
}
