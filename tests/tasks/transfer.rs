use serde_json::{Value, json};

use super::{INVALID, TOO_LARGE, create, rome, take_back, task, titled, titles};
use crate::harness::{
    daemon::Daemon,
    home::Home,
    wire::{Wire, new_id},
};

/// What is left when a task has moved to another house.
fn content(task: &Value) -> Value {
    let mut task = task.clone();
    for own in ["number", "rev", "modified_ms", "task_id", "said", "parent"] {
        task.as_object_mut().unwrap().remove(own);
    }
    task
}

fn export(wire: &mut Wire, format: &str) -> String {
    let params = json!({"format": format, "locale": rome("en")});
    let exported = wire.result("task.export", params);
    assert_eq!(exported["cursor"], json!(null));
    exported["text"].as_str().unwrap().to_owned()
}

fn import(wire: &mut Wire, format: &str, text: &str, dry_run: bool) -> Value {
    let params = json!({"format": format, "text": text, "dry_run": dry_run, "locale": rome("en")});
    wire.result("task.import", params)
}

fn fill(wire: &mut Wire) {
    titled(wire, "it's \"quoted\", <b>; \\ & co");
    create(wire, "call Mario on 3 December 2099 at 09:00");
    create(wire, "water the plants every monday at 09:00");
    let fields = json!({
        "title": "a part", "notes": "two\nlines, and; a \\", "parent": "1", "priority": "low",
        "project": "house.garden", "tags": ["a", "b"], "when": "2099-12-24",
        "remind_before_min": [60, 0],
    });
    let params = json!({"task_id": new_id(), "fields": fields, "locale": rome("en")});
    wire.result("task.create", params);
    titled(wire, "done");
    wire.result("task.complete", json!({"task": "5"}));
}

#[test]
fn what_goes_out_comes_in_elsewhere_as_it_was() {
    for format in ["ics", "json"] {
        let (here, there) = (Home::new(), Home::new());
        let _daemons = (Daemon::start(&here), Daemon::start(&there));
        let (mut from, mut to) = (Wire::open(&here), Wire::open(&there));
        fill(&mut from);
        let text = export(&mut from, format);
        titled(&mut to, "was here");

        let dry = import(&mut to, format, &text, true);
        assert_eq!(
            (&dry["created"], &dry["undo_id"]),
            (&json!(5), &json!(null)),
            "{dry}"
        );
        assert_eq!(titles(&mut to, &["state:all"]), ["was here"]);
        let came = import(&mut to, format, &text, false);
        assert_eq!(came["created"], 5, "{came}");
        assert_eq!(
            (&came["left_out_total"], &came["left_out"]),
            (&json!(0), &json!([]))
        );
        for number in 1..=5 {
            let (mut one, mut other) = (task(&mut from, number), task(&mut to, number + 1));
            assert_eq!(one["task_id"], other["task_id"]);
            if format == "ics" {
                // A calendar counts in seconds.
                for one in [&mut one, &mut other] {
                    for at in ["created_ms", "completed_ms"] {
                        if let Some(ms) = one[at].as_i64() {
                            one[at] = json!(ms / 1_000);
                        }
                    }
                }
            }
            assert_eq!(content(&one), content(&other), "{format}");
        }
        assert_eq!(task(&mut to, 5)["parent"], 2);
        let again = import(&mut to, format, &text, false);
        assert_eq!(
            (&again["created"], &again["updated"], &again["unchanged"]),
            (&json!(0), &json!(0), &json!(5)),
            "{format}: {again}"
        );
        take_back(&mut to, &came);
        assert_eq!(titles(&mut to, &["state:all"]), ["was here"]);
        // What was removed comes back when it comes again.
        let back = import(&mut to, format, &text, false);
        assert_eq!(back["created"], 5, "{back}");
        assert_eq!(task(&mut to, 3)["title"], "call Mario");
    }
}

#[test]
fn what_others_write_is_taken_as_far_as_it_goes_and_the_rest_is_told() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n\
        BEGIN:VTODO\r\nUID:a@example.org\r\nSUMMARY:two\\nlines\r\nDUE:20991203T080000Z\r\n\
        CATEGORIES:with space,plain\r\nATTENDEE:mailto:x@example.org\r\nEND:VTODO\r\n\
        BEGIN:VEVENT\r\nUID:b@example.org\r\nSUMMARY:dinner\r\n\
        DTSTART;TZID=Europe/London:20991203T190000\r\nEND:VEVENT\r\n\
        BEGIN:VTODO\r\nUID:c@example.org\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let came = import(&mut wire, "ics", text, false);
    assert_eq!(came["created"], 2, "{came}");
    let left_out = came["left_out"].to_string();
    for told in ["ATTENDEE", "line ends", "without a title"] {
        assert!(left_out.contains(told), "{told}: {left_out}");
    }
    let first = task(&mut wire, 1);
    assert_eq!(first["title"], "two lines");
    assert_eq!(first["due"]["local"], "2099-12-03T09:00:00");
    assert_eq!(first["tags"], json!(["plain", "with-space"]));
    assert_eq!(task(&mut wire, 2)["due"]["zone"], "Europe/London");
    // Known by its calendar's name, changed since.
    let newer = text.replace("dinner", "supper");
    let came = import(&mut wire, "ics", &newer, false);
    assert_eq!(
        (&came["created"], &came["updated"]),
        (&json!(0), &json!(1)),
        "{came}"
    );
    assert_eq!(task(&mut wire, 2)["title"], "supper");

    let json_text = r#"[{"title": "a"}, {"nothing": 1}, {"title": "b\u001b[2J", "tags": ["x"]}]"#;
    let came = import(&mut wire, "json", json_text, false);
    assert_eq!(
        (&came["created"], &came["left_out_total"]),
        (&json!(2), &json!(1)),
        "{came}"
    );
    assert_eq!(import(&mut wire, "json", json_text, false)["unchanged"], 2);
    assert_eq!(task(&mut wire, 4)["title"], "b [2J");

    for (format, text) in [("ics", "nonsense"), ("json", "{}"), ("json", "[")] {
        let params = json!({"format": format, "text": text});
        assert_eq!(wire.error_code("task.import", params), INVALID, "{text}");
    }
    let long = " ".repeat((3 << 20) + 1);
    let params = json!({"format": "json", "text": long});
    assert_eq!(wire.error_code("task.import", params), TOO_LARGE);
}
