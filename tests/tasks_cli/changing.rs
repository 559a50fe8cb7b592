//! Changes of one task and of several, and the way back from each.

use super::{User, WHEN, lines, three_lines};

fn user_with(count: u64) -> User {
    let user = User::new("en_GB.UTF-8");
    let list: String = (1..=count).map(|n| format!("task {n}\n")).collect();
    let added = user.cv_with(&["task", "add", "-"], &list);
    assert_eq!(added.code, Some(0), "{added:?}");
    assert_eq!(added.out.lines().count() as u64, count, "{added:?}");
    user
}

#[test]
fn several_are_ticked_off_and_each_comes_back_by_its_own_name() {
    let user = user_with(7);
    let done = user.cv(&["task", "done", "1", "3-5", "7,1"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(user.numbers(&[]), [2, 6]);
    let rows: Vec<&str> = done.out.lines().collect();
    assert_eq!(rows.len(), 5, "{done:?}");
    assert!(
        rows[1].starts_with("#3 task 3 · done · back: cv undo "),
        "{done:?}"
    );
    let back = rows[1].rsplit(' ').next().expect("an id");
    user.ok(&["undo", back]);
    assert_eq!(user.numbers(&[]), [2, 3, 6]);
    // The latest change needs no name.
    user.ok(&["undo"]);
    assert_eq!(user.numbers(&[]), [2, 3, 6, 7]);
}

#[test]
fn a_failure_in_the_middle_is_told_and_stops_nothing_else() {
    let user = user_with(3);
    let ran = user.cv(&["task", "done", "1", "99", "3"]);
    three_lines(&ran, 2);
    assert!(ran.err.contains("99"), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 2, "{ran:?}");
    assert_eq!(user.numbers(&[]), [2]);

    let user = user_with(3);
    let ran = user.cv(&["task", "rm", "1", "99", "3", "--format", "ndjson"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let told: Vec<String> = lines(&ran)
        .iter()
        .map(|line| line["type"].as_str().expect("a type").to_owned())
        .collect();
    assert_eq!(told, ["changed", "refused", "changed", "failed"]);
    let ran = user.cv(&["task", "done", "2", "99", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(value["complete"], false);
    assert_eq!(value["results"][0]["task"]["state"], "done");
    assert_eq!(value["results"][1]["error"]["slug"], "not_found");
}

#[test]
fn what_is_done_already_stays_done_and_says_so() {
    let user = user_with(1);
    user.ok(&["task", "done", "1"]);
    let again = user.ok(&["task", "done", "#1"]);
    assert!(
        again.contains("it was so already") && !again.contains("cv undo"),
        "{again}"
    );
}

#[test]
fn a_snooze_moves_the_reminder_and_not_what_is_due() {
    let user = User::new("en_GB.UTF-8");
    user.ok(&["remind", "call Mario", WHEN]);
    let due = user.json(&["task", "show", "1"])["task"]["due"].clone();
    for until in [
        &["task", "snooze", "1"][..],
        &["task", "snooze", "1", "2", "hours"],
        &["task", "snooze", "1", "until", "tomorrow", "at", "10:00"],
        &["task", "snooze", "1", "--for", "3 days"],
        &["task", "snooze", "1", "--until", "tomorrow at 10:00"],
    ] {
        let changed = user.json(until);
        assert!(
            changed["task"]["snoozed_until_ms"].is_i64(),
            "{until:?}: {changed}"
        );
        assert_eq!(changed["task"]["due"], due, "{until:?}");
    }
    let text = user.ok(&["task", "snooze", "1", "tomorrow", "at", "10:30"]);
    assert!(
        text.contains("snoozed until tomorrow 10:30 · back: cv undo"),
        "{text}"
    );
}

#[test]
fn an_edit_changes_what_is_named_and_none_takes_it_away() {
    let user = User::new("en_GB.UTF-8");
    user.ok(&[
        "remind",
        "call Mario",
        WHEN,
        "--tag",
        "a,b",
        "--project",
        "p",
        "--priority",
        "low",
    ]);
    let edited = user.json(&[
        "task",
        "edit",
        "1",
        "--title",
        "call Anna",
        "--tag",
        "c",
        "--untag",
        "a",
    ]);
    let task = &edited["task"];
    assert_eq!(task["title"], "call Anna");
    assert_eq!(task["tags"], serde_json::json!(["b", "c"]));
    assert_eq!(task["due"]["local"], "2030-12-24T18:00:00");
    assert_eq!(task["project"], "p");
    let cleared = user.json(&[
        "task",
        "edit",
        "1",
        "--at",
        "none",
        "--project",
        "none",
        "--priority",
        "none",
        "--untag",
        "b,c",
    ]);
    for gone in ["due", "project", "priority", "tags"] {
        assert!(cleared["task"][gone].is_null(), "{gone}: {cleared}");
    }
    user.ok(&["undo"]);
    let back = user.json(&["task", "show", "1"]);
    assert_eq!(back["task"]["project"], "p");
    assert_eq!(back["task"]["due"]["local"], "2030-12-24T18:00:00");
    let waiting = user.json(&["task", "edit", "1", "--state", "waiting"]);
    assert_eq!(waiting["task"]["state"], "waiting");
}

#[test]
fn lines_of_stdin_become_tasks_and_a_bad_one_is_named() {
    let user = User::new("C.UTF-8");
    let list = format!("buy milk\n\n  call Mario {WHEN}  \npay on 3/4/2031\n-dash\n");
    let ran = user.cv_with(&["task", "add", "-", "--tag", "in"], &list);
    three_lines(&ran, 2);
    assert!(ran.err.contains("line 4"), "{ran:?}");
    assert_eq!(user.numbers(&["+in"]).len(), 3, "{ran:?}");
    let empty = user.cv(&["task", "add", "-"]);
    three_lines(&empty, 2);
    // A dash among words is a word.
    let dash = user.json(&["task", "add", "milk", "-", "and", "bread"]);
    assert_eq!(dash["task"]["title"], "milk - and bread");
}

#[test]
fn a_repeating_task_goes_on_until_it_ends_for_good() {
    let user = User::new("en_GB.UTF-8");
    user.ok(&["remind", "water plants every day at 9"]);
    let done = user.ok(&["task", "done", "1"]);
    assert!(done.contains("done; next: "), "{done}");
    assert_eq!(user.numbers(&[]), [1]);
    let ended = user.ok(&["task", "done", "1", "--for-good"]);
    assert!(ended.contains(" · done · "), "{ended}");
    assert!(user.numbers(&[]).is_empty());
}

#[test]
fn a_rule_that_is_given_later_leaves_the_time_of_day() {
    let user = User::new("en_GB.UTF-8");
    user.ok(&["remind", "call Mario", WHEN]);
    let edited = user.json(&["task", "edit", "1", "--every", "tuesday"]);
    assert_eq!(edited["task"]["due"]["local"], "2030-12-24T18:00:00");
    let rule = edited["task"]["repeat"]["rrule"].as_str().expect("a rule");
    assert!(rule.contains("BYDAY=TU"), "{rule}");
    let once = user.json(&["task", "edit", "1", "--every", "none"]);
    assert!(once["task"]["repeat"].is_null(), "{once}");
    assert_eq!(once["task"]["due"]["local"], "2030-12-24T18:00:00");
}
