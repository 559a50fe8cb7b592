//! Reminders that nobody could show are told at the next use of a terminal, once.

use super::User;
use crate::harness::terminal;

#[test]
fn what_was_missed_is_told_once_where_a_person_can_see_it() {
    let user = User::new("en_GB.UTF-8");
    let number = user.missed("check the oven");
    // Neither a pipe nor a prompt is a person.
    let piped = user.cv(&["tasks", "--format", "json"]);
    assert!(
        !piped.err.contains("oven") && piped.err.is_empty(),
        "{piped:?}"
    );
    for arguments in [&["status", "--line"][..], &["-q", "status"]] {
        let line = terminal::run(user.command(arguments), 80);
        assert!(!line.seen.contains("oven"), "{}", line.seen);
    }
    let line = format!("Missed: #{number} check the oven · today");
    let first = terminal::run(user.command(&["status"]), 80);
    assert!(first.seen.contains(&line), "{}", first.seen);
    let second = terminal::run(user.command(&["status"]), 80);
    assert!(!second.seen.contains("oven"), "{}", second.seen);
    // Its task waits all the same.
    assert_eq!(user.numbers(&["overdue"]), [number]);
}

#[test]
fn the_inbox_keeps_reminders_until_they_are_answered() {
    let user = User::new("it_IT.UTF-8");
    let number = user.missed("spegni il forno");
    for _ in 0..2 {
        let inbox = user.ok(&["inbox"]);
        assert!(
            inbox.starts_with("Promemoria\n") && inbox.contains("spegni il forno"),
            "{inbox}"
        );
        let today = user.ok(&["today"]);
        assert!(
            today.contains("Scadute\n") && today.contains("Promemoria\n"),
            "{today}"
        );
        let tasks = user.ok(&["tasks"]);
        assert!(
            tasks.starts_with(&format!("Promemoria: #{number} spegni il forno")),
            "{tasks}"
        );
    }
    let seen = user.json(&["inbox", "--seen"]);
    assert_eq!(seen["waiting"].as_array().map(Vec::len), Some(1));
    let after = user.json(&["inbox"]);
    assert_eq!(
        after["waiting"].as_array().map(Vec::len),
        Some(0),
        "{after}"
    );

    let second = user.missed("chiudi il gas");
    user.ok(&["task", "done", &second.to_string()]);
    let after = user.json(&["inbox"]);
    assert_eq!(
        after["waiting"].as_array().map(Vec::len),
        Some(0),
        "{after}"
    );
}

#[test]
fn the_notification_test_says_what_was_tried() {
    let user = User::new("en_GB.UTF-8");
    let ran = user.cv(&["notify", "test"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out.contains("Path") && ran.out.contains("Tried"),
        "{ran:?}"
    );
    let json = user.cv(&["notify", "test", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(value["shown"], false);
    assert!(
        value["tried"]
            .as_array()
            .is_some_and(|tried| !tried.is_empty())
    );
}
