//! What is chosen in the menu happens, once.

use serde_json::json;

use super::{CONFLICT, entry, listen, menu_where, remind, shown};
use crate::harness::{daemon::Daemon, home::Home, wire::Wire};

#[test]
fn a_reminder_is_done_in_the_menu_and_only_once() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let mut other = Wire::open(&home);
    listen(&mut wire, "en");
    menu_where(&mut wire, |menu| menu.contains("No reminders"));
    let number = remind(&mut other, "call Mario");
    let menu = menu_where(&mut wire, |menu| menu.contains("call Mario"));
    let done = entry(&menu, &format!("task:{number}:"), ":done");
    let said = other.result("menu.act", json!({"id": done, "language": "en"}));
    assert!(
        said["said"].as_str().unwrap().contains("call Mario"),
        "{said}"
    );
    menu_where(&mut wire, |menu| menu.contains("No reminders"));
    assert_eq!(other.error_code("menu.act", json!({"id": done})), CONFLICT);
    let listed = other.result("task.list", json!({"filter": ["state:done"]}));
    assert_eq!(listed["total"], 1, "{listed}");
    // What it did can be taken back.
    let undone = home.cv(&home.path(), &["undo"]);
    assert_eq!(undone.code, Some(0), "{undone:?}");
    menu_where(&mut wire, |menu| menu.contains("call Mario"));
}

#[test]
fn a_reminder_sleeps_ten_minutes_from_its_time_or_until_the_next_morning() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let number = remind(&mut wire, "tea");
    let task = json!({"task": number.to_string()});
    let before = wire.result("task.get", task.clone());
    let planned = before["task"]["next_reminder_ms"].as_i64().unwrap();
    let menu = wire.result("menu.get", json!({"language": "it"}));
    assert!(shown(&menu).contains("Rimanda di 10 min"));
    let snooze = entry(&menu, &format!("task:{number}:"), ":snooze");
    wire.result("menu.act", json!({"id": snooze, "language": "it"}));
    let after = wire.result("task.get", task);
    let moved = after["task"]["next_reminder_ms"].as_i64().unwrap() - planned;
    // It is said in minutes.
    assert!((540_000..=600_000).contains(&moved), "{moved}");
    assert_eq!(after["task"]["due"], before["task"]["due"], "due stays");
    // What was meant is another one now.
    assert_eq!(wire.error_code("menu.act", json!({"id": snooze})), CONFLICT);
    let menu = wire.result("menu.get", json!({}));
    let tomorrow = entry(&menu, &format!("task:{number}:"), ":tomorrow");
    let said = wire.result("menu.act", json!({"id": tomorrow}));
    assert!(said["said"].as_str().unwrap().contains("09:00"), "{said}");
}

#[test]
fn what_cannot_be_chosen_is_a_conflict_and_does_nothing() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    remind(&mut wire, "x");
    for id in [
        "",
        "task:1",
        "task:1:0:done",
        "task:99:0:done",
        "label:coming",
        "run:00000000-0000-7000-8000-000000000000:cancel",
        "reminder:00000000-0000-7000-8000-000000000000:done",
        "rm -rf /",
    ] {
        assert_eq!(
            wire.error_code("menu.act", json!({"id": id})),
            CONFLICT,
            "{id}"
        );
    }
    let listed = wire.result("task.list", json!({}));
    assert_eq!(listed["total"], 1, "{listed}");
}

#[test]
fn titles_of_people_are_inert_in_the_menu() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    for title in [
        "-rf \"quoted\" <b>bold</b> & _mnemonic",
        "left\u{202e}thgir",
        &"long ".repeat(150),
    ] {
        remind(&mut wire, title);
    }
    let text = shown(&wire.result("menu.get", json!({"language": "en"})));
    assert!(
        text.contains("-rf \"quoted\" <b>bold</b> & _mnemonic"),
        "{text}"
    );
    assert!(!text.contains('\u{202e}'), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() < 160, "{line}");
    }
}

#[test]
fn background_work_waits_while_somebody_wants_it_so_and_after_a_kill_too() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    assert_eq!(wire.result("background.get", json!({}))["paused"], false);
    let said = wire.result(
        "menu.act",
        json!({"id": "background:pause", "language": "en"}),
    );
    assert_eq!(said["said"], "Background work waits");
    daemon.kill();
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let state = wire.result("background.get", json!({}));
    assert_eq!(state, json!({"paused": true, "reasons": ["asked"]}));
    let text = shown(&wire.result("menu.get", json!({"language": "en"})));
    assert!(text.contains("[x] Pause background work"), "{text}");
    let state = wire.result("background.pause", json!({"paused": false}));
    assert_eq!(state["paused"], false);
}
