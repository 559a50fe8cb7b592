//! Lists: filters, orders, the day, the inbox, narrow terminals, pipes.

use std::process::Stdio;

use super::{User, WHEN, lines};
use crate::harness::terminal;

fn filled() -> User {
    let user = User::new("en_GB.UTF-8");
    for words in [
        &[
            "remind",
            "call Mario",
            WHEN,
            "--tag",
            "work",
            "--project",
            "house.garden",
        ][..],
        &[
            "task",
            "add",
            "buy milk",
            "--tag",
            "later",
            "--priority",
            "low",
        ],
        &[
            "task",
            "add",
            "write report",
            "--tag",
            "work,later",
            "--priority",
            "high",
        ],
        &["task", "add", "Perché no"],
    ] {
        user.ok(words);
    }
    user
}

#[test]
fn filters_are_as_in_taskwarrior_and_a_dash_takes_a_tag_away() {
    let user = filled();
    for (filter, numbers) in [
        (&["+work"][..], &[1, 3][..]),
        (&["-later"], &[1, 4]),
        (&["+work", "-later"], &[1]),
        (&["project:house"], &[1]),
        (&["priority:high"], &[3]),
        (&["has:due"], &[1]),
        (&["due.before:2031-01-01"], &[1]),
        (&["/report/"], &[3]),
        (&["perche"], &[4]),
        (&["state:done"], &[]),
        (&["--", "-work"], &[2, 4]),
    ] {
        assert_eq!(user.numbers(filter), numbers, "{filter:?}");
    }
    let bare = user.ok(&["task", "list", "+work", "-later", "--format", "json"]);
    assert!(bare.contains("\"number\":1"), "{bare}");
    assert_eq!(user.ok(&["task"]), user.ok(&["tasks"]));
}

#[test]
fn every_format_is_what_it_says() {
    let user = filled();
    let ran = user.cv(&["tasks", "--format", "ndjson"]);
    assert_eq!(lines(&ran).len(), 5, "{ran:?}");
    for verb in [
        &["today"][..],
        &["inbox"],
        &["task", "show", "1"],
        &["task", "snooze", "1"],
    ] {
        let mut all = verb.to_vec();
        all.extend(["--format", "ndjson"]);
        let ran = user.cv(&all);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!lines(&ran).is_empty());
        assert_eq!(user.json(verb)["v"], 1, "{verb:?}");
    }
    let md = user.ok(&["tasks", "--format", "md"]);
    assert!(md.starts_with("| # |"), "{md}");
}

#[test]
fn pages_are_said_and_all_of_them_can_be_had() {
    let user = User::new("en_GB.UTF-8");
    let list: String = (1..=12).map(|n| format!("task {n}\n")).collect();
    user.cv_with(&["task", "add", "-"], &list);
    let some = user.cv(&["tasks", "--limit", "5"]);
    assert_eq!(some.out.lines().count(), 1 + 5, "{some:?}");
    assert!(some.err.contains("7 more: cv tasks --all"), "{some:?}");
    let all = user.cv(&["tasks", "--all"]);
    assert_eq!(all.out.lines().count(), 1 + 12, "{all:?}");
    assert_eq!(all.err, "");
}

#[test]
fn the_day_is_said_in_the_users_language() {
    for (locale, heading, nothing) in [
        ("en_GB.UTF-8", "Next\n", "Nothing is due today"),
        ("it_IT.UTF-8", "Prossime\n", "Niente in scadenza oggi"),
    ] {
        let user = User::new(locale);
        assert!(user.ok(&["today"]).starts_with(nothing));
        user.ok(&["remind", "call Mario", WHEN]);
        let today = user.ok(&["today"]);
        assert!(
            today.starts_with(heading) && today.contains("call Mario"),
            "{today}"
        );
    }
}

#[test]
fn a_list_fits_a_narrow_terminal_and_loses_nothing() {
    let user = filled();
    let title = "a title with quite some words in it that no narrow line can hold at once";
    user.ok(&["task", "add", title]);
    for columns in [20, 40, 80] {
        let shown = terminal::run(user.command(&["tasks"]), columns);
        assert_eq!(shown.code, Some(0), "{}", shown.seen);
        for line in shown.seen.lines() {
            assert!(
                line.chars().count() <= usize::from(columns),
                "{columns}: {line}"
            );
        }
        let words = shown.seen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(title), "{columns}: {}", shown.seen);
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let user = User::new("en_GB.UTF-8");
    let list: String = (1..=500)
        .map(|n| format!("a task of some length, number {n}\n"))
        .collect();
    user.cv_with(&["task", "add", "-"], &list);
    let mut command = user.command(&["tasks", "--all"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cv starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}
