//! The ways back: which change `cv undo` takes, and how a silence ends.

use std::{fs, path::Path};

use serde_json::Value;

use super::three_lines;
use crate::harness::{
    home::{Home, Ran},
    process::run,
    repository::{self, write},
};

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

/// The command in backticks that an error offers.
fn offered(ran: &Ran) -> Vec<String> {
    let hint = ran.err.lines().find(|line| line.starts_with("  try: "));
    let quoted = hint.and_then(|line| line.split('`').nth(1));
    let words = quoted.expect("a command").split(' ').skip(1);
    words.map(str::to_owned).collect()
}

fn fingerprint(home: &Home, repo: &Path) -> String {
    let listed = ok(home.cv(repo, &["allow", "--list", "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
    let found = listed["silences"][0]["fingerprint"].as_str();
    found.expect("a fingerprint").to_owned()
}

#[test]
fn undo_takes_the_latest_change_of_the_folder_it_is_in() {
    let home = Home::new();
    let first = repository::shop(&home);
    let read = || fs::read_to_string(first.join("pay/client.py")).expect("the file");
    ok(home.cv(&first, &["review"]));
    let before = read();
    ok(home.cv(&first, &["fix", "1"]));
    let fixed = read();
    assert_ne!(before, fixed);

    let second = repository::empty(&home, "second");
    let refused = home.cv(&second, &["undo"]);
    three_lines(&refused, 2);
    assert!(
        refused.err.contains("cv fix 1: pay/client.py"),
        "{refused:?}"
    );
    assert!(refused.err.contains("shop"), "{refused:?}");
    assert_eq!(read(), fixed);

    // Settings belong to no folder.
    ok(home.cv(&first, &["config", "set", "review.max_findings", "3"]));
    let undone = ok(home.cv(&second, &["undo"]));
    assert!(undone.out.contains("Took back cv config set"), "{undone:?}");

    // What the refusal offered takes back the change that it named.
    let refused = home.cv(&second, &["undo"]);
    let command = offered(&refused);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let undone = ok(home.cv(&second, &command));
    assert!(undone.out.contains("elsewhere: /"), "{undone:?}");
    assert_eq!(read(), before);
    three_lines(&home.cv(&second, &command), 2);
    three_lines(&home.cv(&second, &["undo", "ffff"]), 2);
    three_lines(&home.cv(&second, &["undo", "last"]), 2);

    // A later change elsewhere is told of and stays.
    ok(home.cv(&first, &["fix", "1"]));
    write(
        &second,
        "b.py",
        "import requests\np = requests.get(u, verify=False)\n",
    );
    ok(home.cv(&second, &["review"]));
    ok(home.cv(&second, &["fix", "1"]));
    let undone = ok(home.cv(&first, &["undo"]));
    assert!(undone.err.contains("elsewhere and stays"), "{undone:?}");
    assert_eq!(read(), before);
    let other = fs::read_to_string(second.join("b.py")).expect("the file");
    assert!(!other.contains("verify=False"), "{other}");
}

#[test]
fn a_change_that_cannot_be_taken_back_hides_no_other() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let call = "import requests\np = requests.get(u, verify=False)\n";
    write(&repo, "a.py", call);
    ok(home.cv(&repo, &["review"]));
    ok(home.cv(&repo, &["fix", "1"]));
    write(&repo, "b.py", call);
    ok(home.cv(&repo, &["review"]));
    ok(home.cv(&repo, &["fix", "1"]));
    write(&repo, "b.py", "other = 1\n");

    let refused = home.cv(&repo, &["undo"]);
    three_lines(&refused, 2);
    assert!(
        refused.err.contains("b.py was changed since"),
        "{refused:?}"
    );
    assert!(refused.err.contains("`cv undo ID`"), "{refused:?}");

    let listed = ok(home.cv(&repo, &["undo", "--list"]));
    let line = listed.out.lines().find(|line| line.ends_with("a.py"));
    let id = line.and_then(|line| line.split(' ').next()).expect("an id");
    ok(home.cv(&repo, &["undo", id]));
    assert_eq!(fs::read_to_string(repo.join("a.py")).expect("a.py"), call);
    assert_eq!(
        fs::read_to_string(repo.join("b.py")).expect("b.py"),
        "other = 1\n"
    );
}

#[test]
fn a_silence_is_seen_listed_and_ended_whatever_became_of_its_file() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    write(
        &repo,
        "a.py",
        "import requests\np = requests.get(u, verify=False)\n",
    );
    let review = || ok(home.cv(&repo, &["review"])).out;
    review();
    ok(home.cv(&repo, &["allow", "1", "a test server"]));
    let silences = repo.join(".convergio/review.toml");
    let written = fs::read_to_string(&silences).expect("the silence");
    fs::remove_dir_all(repo.join(".convergio")).expect("removes");
    let silent = review();
    assert!(silent.contains("No findings"), "{silent}");
    assert!(silent.contains("silenced before: 1"), "{silent}");

    let listed = ok(home.cv(&repo, &["allow", "--list"])).out;
    assert!(listed.contains("a test server"), "{listed}");
    let prefix = fingerprint(&home, &repo)[..8].to_owned();
    assert!(listed.contains(&prefix), "{listed}");
    ok(home.cv(&repo, &["allow", "--remove", &prefix]));
    assert!(review().contains("1 finding ·"));
    let none = ok(home.cv(&repo, &["allow", "--list"])).out;
    assert!(none.contains("Nothing is silenced"), "{none}");
    three_lines(&home.cv(&repo, &["allow", "--remove", &prefix]), 2);
    three_lines(&home.cv(&repo, &["allow", "--remove", "xy"]), 2);

    // The end of a silence is taken back too.
    ok(home.cv(&repo, &["undo"]));
    assert!(review().contains("silenced before: 1"));

    // In the file as well: only its own entry goes, and comes back with it.
    let more = format!("{written}\n[[allow]]\nrule = \"secret\"\npath = \"x\"\nreason = \"y\"\n");
    write(&repo, ".convergio/review.toml", &more);
    ok(home.cv(&repo, &["allow", "--remove", &prefix]));
    let left = fs::read_to_string(&silences).expect("the file");
    assert!(
        !left.contains(&prefix) && left.contains("\"secret\""),
        "{left}"
    );
    ok(home.cv(&repo, &["undo"]));
    assert_eq!(fs::read_to_string(&silences).expect("the file"), more);
    assert!(review().contains("silenced before: 1"));
}

#[test]
fn undoing_a_silence_whose_file_was_edited_takes_out_only_its_own_entry() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    write(
        &repo,
        "a.py",
        "import requests\np = requests.get(u, verify=False)\n",
    );
    ok(home.cv(&repo, &["review"]));
    for gone in [true, false] {
        ok(home.cv(&repo, &["allow", "1", "a test server"]));
        let silences = repo.join(".convergio/review.toml");
        if gone {
            fs::remove_dir_all(repo.join(".convergio")).expect("removes");
        } else {
            let written = fs::read_to_string(&silences).expect("the silence");
            write(
                &repo,
                ".convergio/review.toml",
                &format!("{written}# mine\n"),
            );
        }
        ok(home.cv(&repo, &["undo"]));
        let loud = ok(home.cv(&repo, &["review"])).out;
        assert!(loud.contains("TLS verification turned off"), "{loud}");
        assert_eq!(silences.exists(), !gone);
        if !gone {
            let left = fs::read_to_string(&silences).expect("the file");
            assert!(
                left.contains("# mine") && !left.contains("[[allow]]"),
                "{left}"
            );
        }
    }
}

#[test]
fn a_commit_that_changes_nothing_is_the_empty_state() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    for args in [
        &["commit", "-q", "--allow-empty", "-m", "Begin"][..],
        &["checkout", "-q", "-b", "topic"],
        &["commit", "-q", "--allow-empty", "-m", "Topic"],
        &["checkout", "-q", "-"],
        &["merge", "-q", "--no-ff", "-m", "Merge it", "topic"],
    ] {
        home.git(&repo, args);
    }
    let shown = home.git(&repo, &["show"]);
    let ran = home.cv_with_input(&repo, &["review"], shown.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("Nothing to review"), "{ran:?}");
    let mut prose = home.cv_command(&repo, &["review"]);
    let ran = run(&mut prose, b"Dear all,\nthis is no diff.\n");
    assert_eq!(ran.code, Some(6), "{ran:?}");
}
