//! `cv remind`: what was understood is said back, and what is not clear is not done.

use super::{User, WHEN, lines, three_lines};
use crate::harness::{
    binaries, skip,
    terminal::{Shown, run_typing},
};

#[test]
fn what_was_understood_is_said_in_the_users_language_with_the_way_back() {
    for (locale, said, back) in [
        ("en_GB.UTF-8", "Tue 24 Dec 2030, 18:00", "back: cv undo"),
        ("it_IT.UTF-8", "mar 24 dic 2030, 18:00", "annulla: cv undo"),
        ("C.UTF-8", "Tue 24 Dec 2030, 18:00", "back: cv undo"),
    ] {
        let user = User::new(locale);
        let sentence = format!("call Mario {WHEN}");
        let ran = user.cv(&["remind", &sentence]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
        assert!(ran.out.starts_with("#1 call Mario · "), "{ran:?}");
        assert!(ran.out.contains(said) && ran.out.contains(back), "{ran:?}");
        // Nobody installed the daemon as a service, and where its place is named nobody could.
        let only = ["it fires only while", "scatta solo mentre"];
        assert!(only.iter().any(|text| ran.err.contains(text)), "{ran:?}");
        assert!(!ran.err.contains("cv service install"), "{ran:?}");
        let quiet = user.cv(&["-q", "remind", &sentence]);
        assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""), "{quiet:?}");
    }
}

#[test]
fn words_need_no_quotes_and_italian_is_understood_everywhere() {
    let user = User::new("en_GB.UTF-8");
    let words = "remind chiama Luigi il 24 dicembre 2030 alle 18 --tag casa --tag +x --priority h \
                 --project house.garden --before 10m,1d --notes more";
    let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
    let made = user.json(&words);
    let task = &made["task"];
    assert_eq!(made["outcome"], "created");
    assert_eq!(task["title"], "chiama Luigi");
    assert_eq!(task["due"]["local"], "2030-12-24T18:00:00");
    assert_eq!(task["due"]["zone"], "Europe/Rome");
    assert_eq!(task["tags"], serde_json::json!(["casa", "x"]));
    assert_eq!(task["priority"], "high");
    assert_eq!(task["project"], "house.garden");
    assert_eq!(task["notes"], "more");
    let before = task["remind_before_min"].as_array().expect("minutes");
    assert_eq!(before.len(), 2, "{task}");
}

#[test]
fn the_first_locale_variable_that_says_something_counts() {
    let user = User::new("en_GB.UTF-8");
    for (variables, italian) in [
        (&[("LC_TIME", "it_IT.UTF-8")][..], true),
        (&[("LC_ALL", "it_IT"), ("LC_TIME", "en_GB")], true),
        (&[("LC_ALL", "en_GB"), ("LC_TIME", "it_IT")], false),
        (&[("LC_ALL", ""), ("LC_TIME", "")], false),
    ] {
        let mut command = user.command(&["remind", "x", WHEN]);
        command.envs(variables.iter().copied());
        let ran = crate::harness::process::run(&mut command, b"");
        assert_eq!(
            ran.out.contains("mar 24 dic"),
            italian,
            "{variables:?}: {ran:?}"
        );
    }
}

#[test]
fn a_time_that_is_said_apart_leaves_the_words_as_they_are() {
    let user = User::new("en_GB.UTF-8");
    let made = user.json(&[
        "remind",
        "read 1984 tomorrow",
        "--at",
        "24 december 2030 18:00",
    ]);
    assert_eq!(made["task"]["title"], "read 1984 tomorrow");
    assert_eq!(made["task"]["due"]["local"], "2030-12-24T18:00:00");
    let every = user.json(&["remind", "stand up", "--at", "9", "--every", "weekday"]);
    assert_eq!(every["task"]["title"], "stand up");
    assert!(every["task"]["repeat"]["rrule"].is_string(), "{every}");
    let rule = [
        "remind",
        "stand up",
        "--at",
        "24 december 2030 18:00",
        "--every",
        "FREQ=DAILY",
    ];
    let rule = user.json(&rule);
    assert_eq!(rule["task"]["repeat"]["rrule"], "FREQ=DAILY");
    let beside = user.json(&["remind", "stand up at 9", "--every", "2 weeks"]);
    assert_eq!(beside["task"]["title"], "stand up");
    assert!(
        beside["task"]["repeat"]["rrule"]
            .as_str()
            .is_some_and(|rule| rule.contains("INTERVAL=2")),
        "{beside}"
    );
    // Without its quotes the rest of the rule would be words of the title.
    three_lines(
        &user.cv(&["remind", "stand", "up", "at", "9", "--every", "2", "weeks"]),
        2,
    );
    assert_eq!(user.numbers(&[]).len(), 4);
}

#[test]
fn what_is_not_clear_is_listed_with_the_commands_that_are() {
    let user = User::new("C.UTF-8");
    let asked = [
        "remind",
        "pay 'the rent'; now",
        "on",
        "3/4/2031",
        "--tag",
        "home",
    ];
    let ran = user.cv(&asked);
    three_lines(&ran, 2);
    assert_eq!(ran.out, "");
    assert!(
        user.numbers(&["state:all"]).is_empty(),
        "nothing is created"
    );
    let commands: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| !line.starts_with("  try: "))
        .filter_map(|line| line.find(": cv remind ").map(|at| &line[at + 2..]))
        .collect();
    assert_eq!(commands.len(), 2, "{ran:?}");
    for (i, command) in commands.iter().enumerate() {
        // As a shell takes it.
        let mut shell = user.home.command("bash");
        shell
            .args([
                "-c",
                &format!("cv() {{ \"$0\" \"$@\"; }}; {command} --format json"),
            ])
            .arg(binaries().join("cv"))
            .env("TZ", "Europe/Rome")
            .current_dir(user.folder());
        let ran = crate::harness::process::run(&mut shell, b"");
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
        let made: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        assert_eq!(made["task"]["title"], "pay 'the rent'; now", "{command}");
        assert_eq!(made["task"]["tags"][0], "home", "{command}");
        let local = ["2031-03-04", "2031-04-03"][i];
        assert_eq!(made["task"]["due"]["local"], local, "{command}");
    }

    let mut json = asked.to_vec();
    json.extend(["--format", "json"]);
    let ran = user.cv(&json);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let value: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(
        value["readings"].as_array().map(Vec::len),
        Some(2),
        "{value}"
    );
    assert_eq!(value["complete"], false);
    assert_eq!(value["error"]["exit_code"], 2);
    let mut ndjson = asked.to_vec();
    ndjson.extend(["--format", "ndjson"]);
    let ran = user.cv(&ndjson);
    let lines = lines(&ran);
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert_eq!(lines[0]["type"], "reading");
    assert_eq!(lines[2]["type"], "failed");

    // Who writes dates in one way is not asked.
    let british = User::new("en_GB.UTF-8");
    let made = british.json(&asked);
    assert_eq!(made["task"]["due"]["local"], "2031-04-03");
}

/// At a terminal of its own.
fn typed(user: &User, arguments: &[&str], talk: &[(&str, &str)]) -> Option<Shown> {
    if !skip::has_program("setsid") {
        skip::loudly("questions at the terminal", "setsid");
        return None;
    }
    let mut command = user.home.command("setsid");
    command
        .args(["--ctty", "--wait"])
        .arg(binaries().join("cv"))
        .args(arguments)
        .env("LANG", user.locale)
        .env("TZ", "Europe/Rome")
        .current_dir(user.folder());
    Some(run_typing(command, 80, talk))
}

#[test]
fn at_a_terminal_the_person_is_asked_and_enter_is_no() {
    let user = User::new("C.UTF-8");
    let asked = ["remind", "pay the rent on 3/4/2031"];
    let question = "Enter for none] ";
    let Some(none) = typed(&user, &asked, &[(question, "\r")]) else {
        return;
    };
    assert_eq!(none.code, Some(2), "{}", none.seen);
    assert!(
        none.seen.contains("error: Nothing was changed"),
        "{}",
        none.seen
    );
    assert!(user.numbers(&["state:all"]).is_empty());
    let talk = [(question, "7\r"), (question, "2\r")];
    let second = typed(&user, &asked, &talk).expect("as before");
    assert_eq!(second.code, Some(0), "{}", second.seen);
    assert!(
        second.seen.contains("  1  Tue 4 Mar 2031"),
        "{}",
        second.seen
    );
    assert!(
        second.seen.contains("#1 pay the rent · Thu 3 Apr 2031"),
        "{}",
        second.seen
    );
    // A program that reads JSON is never asked, wherever stderr is.
    let json = typed(&user, &["remind", "x on 3/4/2031", "--format", "json"], &[]);
    assert_eq!(json.expect("as before").code, Some(2));
}

#[test]
fn what_cannot_be_reminded_of_is_an_error_with_a_way_out() {
    let user = User::new("en_GB.UTF-8");
    for wrong in [
        &["remind"][..],
        &["remind", " "],
        &["remind", "call Mario"],
        &["remind", "call Mario yesterday at 9"],
        &["remind", "call Mario on 30 february 2031"],
        &["remind", "tomorrow at 9"],
        &["remind", "x", "--at", "some time"],
        &["remind", "x", "--at", "tomorrow", "--before", "soon"],
        &["remind", "x tomorrow at 9", "--priority", "most"],
        &["remind", "-x tomorrow at 9"],
        &["task", "add"],
        &["task", "add", ""],
        &["task", "done"],
        &["task", "done", "x"],
        &["task", "done", "5-3"],
        &["task", "done", "1-100000"],
        &["task", "done", "7"],
        &["task", "snooze", "7", "8", "tomorrow"],
        &["task", "edit", "7"],
        &["task", "edit", "7", "--title", "x"],
        &["task", "rm", "7"],
        &["task", "show", "7"],
        &["task", "show", "7-8"],
        &["task", "import", "nowhere.ics"],
        &["tasks", "colour:red"],
        &["tasks", "due.before:someday"],
        &["tasks", "--limit", "0"],
    ] {
        three_lines(&user.cv(wrong), 2);
    }
    assert!(user.numbers(&["state:all"]).is_empty());
}

#[test]
fn a_trial_writes_nothing_down() {
    let user = User::new("en_GB.UTF-8");
    let tried = user.json(&["remind", "--dry-run", "call Mario", WHEN]);
    assert_eq!(tried["readings"][0]["title"], "call Mario");
    assert_eq!(tried["readings"][0]["due"]["local"], "2030-12-24T18:00:00");
    let apart = user.json(&[
        "task",
        "add",
        "--dry-run",
        "call Mario",
        "--at",
        "24 december 2030",
    ]);
    assert_eq!(apart["readings"][0]["title"], "call Mario");
    let text = user.ok(&["remind", "--dry-run", "call Mario", WHEN]);
    assert!(text.contains("cv remind --at "), "{text}");
    // What is refused in earnest is refused here.
    for wrong in [
        &["buy milk"][..],
        &["tomorrow at 9"],
        &["x", "--at", "some time"],
        &["x on 2031-02-30"],
        &["x", "--at", "9", "--every", "nonsense"],
    ] {
        for trial in [&["remind", "--dry-run"][..], &["remind"]] {
            let arguments = [trial, wrong].concat();
            three_lines(&user.cv(&arguments), 2);
        }
    }
    // Nobody is up then: the clocks skip it.
    let skipped = user.cv(&["remind", "--dry-run", "wake at 2:30 am on 30 march 2031"]);
    assert!(skipped.err.contains("skip"), "{skipped:?}");
    assert!(user.numbers(&["state:all"]).is_empty());
}
