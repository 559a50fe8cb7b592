//! Tasks in and out, as other programs see them.

use std::fs;

use serde_json::Value;

use super::{User, WHEN, three_lines};

/// A calendar of somebody else's.
const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//somebody//else//EN\r\n\
    BEGIN:VTODO\r\nUID:one@example.org\r\nSUMMARY:Pay\\, then <b>rest</b>\r\n\
    DUE:20301224T170000Z\r\nRRULE:FREQ=WEEKLY\r\nPRIORITY:1\r\nCATEGORIES:home,bills\r\n\
    END:VTODO\r\nBEGIN:VJOURNAL\r\nUID:two@example.org\r\nSUMMARY:a diary\r\nEND:VJOURNAL\r\n\
    END:VCALENDAR\r\n";

#[test]
fn what_comes_in_is_not_doubled_and_what_does_not_is_named() {
    let user = User::new("en_GB.UTF-8");
    let file = user.folder().join("theirs.ics");
    fs::write(&file, CALENDAR).expect("a file");
    let tried = user.cv(&["task", "import", "--dry-run", "theirs.ics"]);
    assert_eq!(tried.code, Some(6), "{tried:?}");
    assert!(tried.out.starts_with("Would be: 1 new"), "{tried:?}");
    assert!(user.numbers(&["state:all"]).is_empty());

    let ran = user.cv(&["task", "import", "theirs.ics"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert!(ran.out.starts_with("1 new, "), "{ran:?}");
    assert!(
        ran.out.contains("cv undo") && ran.err.contains("VJOURNAL"),
        "{ran:?}"
    );
    let task = &user.json(&["task", "show", "1"])["task"];
    assert_eq!(task["title"], "Pay, then <b>rest</b>");
    assert_eq!(task["tags"], serde_json::json!(["bills", "home"]));

    let again = user.cv_with(&["task", "import", "-", "--format", "json"], CALENDAR);
    assert_eq!(again.code, Some(6), "{again:?}");
    let again: Value = serde_json::from_str(&again.out).expect("JSON");
    assert_eq!(
        (&again["created"], &again["unchanged"]),
        (&0.into(), &1.into()),
        "{again}"
    );

    user.ok(&["undo"]);
    assert!(user.numbers(&["state:all"]).is_empty());
}

#[test]
fn an_export_is_whole_and_comes_back_elsewhere() {
    let user = User::new("en_GB.UTF-8");
    user.ok(&[
        "remind",
        "call Mario",
        WHEN,
        "--tag",
        "work",
        "--notes",
        "two\nlines",
    ]);
    user.ok(&[
        "task",
        "add",
        "--priority",
        "high",
        "--",
        "- \"quoted\" <b>",
    ]);
    user.ok(&["task", "done", "2"]);
    for name in ["tasks.ics", "tasks.json"] {
        let told = user.cv(&["task", "export", "-o", name]);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.err.contains("Wrote 2 tasks"), "{told:?}");
        let file = user.folder().join(name);
        let elsewhere = User::new("it_IT.UTF-8");
        let path = file.to_str().expect("UTF-8");
        let taken = elsewhere.cv(&["task", "import", path]);
        assert_eq!(taken.code, Some(0), "{name}: {taken:?}");
        let filter = &["tasks", "state:all", "--sort", "number"];
        let (ours, theirs) = (user.json(filter), elsewhere.json(filter));
        for (mine, other) in ours["tasks"]
            .as_array()
            .expect("tasks")
            .iter()
            .zip(theirs["tasks"].as_array().expect("tasks"))
        {
            for same in [
                "title",
                "tags",
                "priority",
                "state",
                "due",
                "notes",
                "remind_before_min",
            ] {
                assert_eq!(mine[same], other[same], "{name}: {same}");
            }
        }
        assert_eq!(ours["total"], theirs["total"]);
        // It is not written over by mistake.
        three_lines(&user.cv(&["task", "export", "-o", name]), 2);
        user.ok(&["task", "export", "--force", "-o", name]);
    }
    let some: Value =
        serde_json::from_str(&user.ok(&["task", "export", "--format", "json", "+work"]))
            .expect("JSON");
    assert_eq!(some.as_array().map(Vec::len), Some(1));
    let calendar = user.ok(&["task", "export"]);
    assert_eq!(calendar.matches("BEGIN:VCALENDAR").count(), 1);
}

#[test]
fn what_holds_no_tasks_is_refused_with_a_way_out() {
    let user = User::new("en_GB.UTF-8");
    let folder = user.folder();
    fs::write(folder.join("words.txt"), "buy milk\n").expect("a file");
    fs::write(folder.join("binary.ics"), b"BEGIN:VCALENDAR\r\n\0\xff").expect("a file");
    fs::write(folder.join("broken.json"), "[{\"title\":").expect("a file");
    fs::write(folder.join("large.ics"), vec![b' '; (3 << 20) + 1]).expect("a file");
    for file in [
        "words.txt",
        "binary.ics",
        "broken.json",
        "large.ics",
        ".",
        "/dev/zero",
        "-",
    ] {
        three_lines(&user.cv(&["task", "import", file]), 2);
    }
    assert!(user.numbers(&["state:all"]).is_empty());
}
