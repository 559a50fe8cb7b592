//! Calendars that mean harm, or came to it.

use convergio_tasks::ics::{BYTES_MAX, DEPTH_MAX, ITEMS_MAX, IcsError, export, import};

use super::{calendar, left_out, one, read};

#[test]
fn nothing_of_half_a_calendar_is_taken() {
    let whole = calendar("BEGIN:VTODO\nUID:1\nSUMMARY:x\nEND:VTODO\nBEGIN:VTODO\nUID:2\nEND:VTODO");
    assert_eq!(import(whole.as_bytes()).unwrap().items.len(), 2);
    let end = whole.trim_end().len();
    for cut in 0..end - 1 {
        assert!(import(&whole.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
    assert_eq!(import(b""), Err(IcsError::NoCalendar));
    assert_eq!(
        import(b"BEGIN:VTODO\r\nEND:VTODO\r\n"),
        Err(IcsError::NoCalendar)
    );
    assert_eq!(import(b"{\"a\": 1}"), Err(IcsError::NoCalendar));
    let wrong = "BEGIN:VCALENDAR\nBEGIN:VTODO\nEND:VEVENT\nEND:VCALENDAR\n";
    assert_eq!(
        import(wrong.as_bytes()),
        Err(IcsError::WrongEnd { line: 3 })
    );
    let old = "BEGIN:VCALENDAR\nVERSION:1.0\nEND:VCALENDAR\n";
    assert_eq!(
        import(old.as_bytes()),
        Err(IcsError::Version("VERSION:1.0".into()))
    );
}

#[test]
fn bounds_hold() {
    let deep = "BEGIN:VCALENDAR\n".repeat(200_000);
    assert_eq!(
        import(deep.as_bytes()),
        Err(IcsError::TooDeep {
            line: DEPTH_MAX + 1
        })
    );
    let many = calendar(&"BEGIN:VTODO\nEND:VTODO\n".repeat(ITEMS_MAX));
    assert_eq!(import(many.as_bytes()).unwrap().items.len(), ITEMS_MAX);
    let many = calendar(&"BEGIN:VTODO\nEND:VTODO\n".repeat(ITEMS_MAX + 1));
    assert_eq!(import(many.as_bytes()), Err(IcsError::TooMany));
    // What we write of as many, with their zone, is read.
    let due = "BEGIN:VTODO\nDUE;TZID=Europe/Rome:20261122T090000\nEND:VTODO\n";
    let found = import(calendar(&due.repeat(ITEMS_MAX)).as_bytes()).unwrap();
    let text = export(&found.items, jiff::Timestamp::UNIX_EPOCH);
    assert!(text.contains("BEGIN:VTIMEZONE"));
    assert_eq!(import(text.as_bytes()).unwrap().items.len(), ITEMS_MAX);
    let long = vec![b'A'; BYTES_MAX + 1];
    assert_eq!(import(&long), Err(IcsError::TooLong));
    // Very many lines, names and alarms in one.
    let names: String = (0..4_000).map(|i| format!("X-{i}:1\n")).collect();
    let alarms = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT1M\nEND:VALARM\n".repeat(6_000);
    let found = read(&format!(
        "BEGIN:VTODO\nDUE:20261122T090000\n{names}{alarms}END:VTODO"
    ));
    assert_eq!(found.items[0].reminders, [1]);
    assert!(found.left_out.len() < 600);
    let count = |what: &str| {
        found
            .left_out
            .iter()
            .find(|l| l.what == what)
            .map(|l| l.count)
    };
    assert_eq!(count("component with too many parts"), Some(1_000));
    assert_eq!(
        found.left_out.iter().map(|l| l.count).sum::<u64>(),
        4_000 + 6_000 - 64
    );
}

#[test]
fn text_is_inert() {
    let item = one("BEGIN:VTODO
        UID:-rf
        SUMMARY:<b>&amp;</b> \\nBEGIN:VTODO\\nEND:VTODO\\, -x \u{202e}
        END:VTODO");
    assert_eq!(
        item.title,
        "<b>&amp;</b> \nBEGIN:VTODO\nEND:VTODO, -x \u{202e}"
    );
    assert_eq!(item.uid.as_deref(), Some("-rf"));
    // Names of what is left out hold nothing that drives a terminal.
    let found = read("BEGIN:X-\u{1b}[31mEVIL\u{7}\nEND:X-\u{1b}[31mEVIL\u{7}");
    assert_eq!(left_out(&found), ["X-?[31MEVIL?×1"]);
}

#[test]
fn folded_anywhere_and_ended_in_any_way() {
    // Folded within a character of three bytes, by a tab, ended by a line feed alone.
    let mut text =
        b"\xef\xbb\xbfBEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTODO\nSUMM\n ARY:a \xe2\x82\n".to_vec();
    text.extend(b"\t\xac b\\\r\n ,c\n\nEND:VTODO\nEND:VCALENDAR");
    let found = import(&text).unwrap();
    assert_eq!(found.left_out, []);
    assert_eq!(found.items[0].title, "a € b,c");
    // Empty lines within, and line ends that were doubled.
    let text = "BEGIN:VCALENDAR\r\r\nBEGIN:VTODO\r\r\nSUMMARY\n\n :a\r\r\n\r\n b\n\n\
                END:VTODO\nEND:VCALENDAR\n\n";
    let found = import(text.as_bytes()).unwrap();
    assert_eq!(found.left_out, []);
    assert_eq!(found.items[0].title, "ab");
    let found =
        import(b"BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:a\xff\nEND:VTODO\nEND:VCALENDAR").unwrap();
    assert_eq!(found.items[0].title, "a\u{fffd}");
    assert_eq!(left_out(&found), ["bytes that are no UTF-8×1"]);
}
