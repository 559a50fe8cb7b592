//! The session that the README shows, played on a real terminal.

use std::{fs, path::Path, process::Command};

use crate::harness::{
    home::Home,
    repository::{self, CLIENT_AFTER},
    root, skip,
    terminal::{self, Shown},
};

struct Session {
    home: Home,
    shop: std::path::PathBuf,
    columns: u16,
    text: String,
}

impl Session {
    fn new(columns: u16) -> Self {
        let home = Home::new();
        let shop = repository::shop(&home);
        Self {
            home,
            shop,
            columns,
            text: String::new(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Shown {
        let command = self.home.cv_command(&self.shop, arguments);
        terminal::run(command, self.columns)
    }

    /// Runs a command and writes it and what it shows down.
    fn play(&mut self, prompt: &str, arguments: &[&str]) {
        let shown = self.run(arguments);
        assert_eq!(shown.code, Some(0), "{}", shown.seen);
        self.text.push_str("$ ");
        self.text.push_str(prompt);
        self.text.push('\n');
        self.text.push_str(&steady(&shown.seen));
    }
}

/// Durations differ from run to run.
fn steady(seen: &str) -> String {
    let mut out = String::new();
    for line in seen.trim_end().lines() {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            if words[at] == "ms" && words[at - 1].bytes().all(|byte| byte.is_ascii_digit()) {
                words[at - 1] = "14";
            }
        }
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    out
}

fn golden(columns: u16) {
    let mut session = Session::new(columns);
    session.play("cd shop && cv review", &["review"]);
    session.play("cv fix 1", &["fix", "1"]);
    session.play("cv review", &["review"]);
    // A diff is shown as it is, whatever the width.
    let (before, rest) = session.text.split_once("--- a/").expect("a diff");
    let (_, after) = rest.split_once("\nApplied").expect("its end");
    for line in before.lines().chain(after.lines()) {
        let wide = line.chars().count();
        let typed = line.starts_with("$ ");
        assert!(
            typed || wide <= usize::from(columns),
            "{wide} columns: {line}"
        );
    }
    let path = root().join(format!("tests/golden/session-{columns}.txt"));
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, &session.text).expect("the golden file is ours");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        session.text == expected,
        "session-{columns}.txt is\n{expected}\nand the session was\n{}",
        session.text
    );
}

#[test]
fn the_session_at_80_columns_is_as_the_readme_shows_it() {
    golden(80);
}

#[test]
fn the_session_at_40_columns_is_as_written() {
    golden(40);
}

#[test]
fn fix_allow_and_undo_go_there_and_back() {
    let session = Session::new(80);
    session.run(&["review"]);
    let client = session.shop.join("pay/client.py");
    let read = || fs::read_to_string(&client).expect("the file");

    let fixed = session.run(&["fix", "1"]);
    assert_eq!(fixed.code, Some(0), "{}", fixed.seen);
    assert!(!read().contains("verify=False"));
    let undone = session.run(&["undo"]);
    assert_eq!(undone.code, Some(0), "{}", undone.seen);
    assert_eq!(read(), CLIENT_AFTER);

    session.run(&["fix", "1"]);
    let again = session.run(&["review"]);
    assert!(
        again.seen.contains("1 resolved, 1 remains"),
        "{}",
        again.seen
    );

    let silences = session.shop.join(".convergio/review.toml");
    let allowed = session.run(&["allow", "1", "the caller retries"]);
    assert_eq!(allowed.code, Some(0), "{}", allowed.seen);
    assert!(allowed.seen.contains("cv undo"), "{}", allowed.seen);
    let written = fs::read_to_string(&silences).expect("the silence is written");
    assert!(written.contains("the caller retries"), "{written}");
    let silent = session.run(&["review"]);
    assert!(silent.seen.contains("No findings"), "{}", silent.seen);
    let undone = session.run(&["undo"]);
    assert_eq!(undone.code, Some(0), "{}", undone.seen);
    assert!(!silences.exists(), "the file was not there before");
    let loud = session.run(&["review"]);
    assert!(
        loud.seen.contains("Every error is swallowed"),
        "{}",
        loud.seen
    );
}

#[test]
fn a_fix_never_overwrites_what_changed_meanwhile() {
    let session = Session::new(80);
    session.run(&["review"]);
    let client = session.shop.join("pay/client.py");
    let edited = CLIENT_AFTER.replace("verify=False", "verify=False, timeout=3");
    fs::write(&client, &edited).expect("a file");
    let refused = session.run(&["fix", "1"]);
    assert_eq!(refused.code, Some(2), "{}", refused.seen);
    assert_eq!(fs::read_to_string(&client).expect("the file"), edited);

    fs::write(&client, CLIENT_AFTER).expect("a file");
    session.run(&["review"]);
    assert_eq!(session.run(&["fix", "1"]).code, Some(0));
    let touched = fs::read_to_string(&client).expect("the file") + "# mine\n";
    fs::write(&client, &touched).expect("a file");
    let refused = session.run(&["undo"]);
    assert_eq!(refused.code, Some(2), "{}", refused.seen);
    assert_eq!(fs::read_to_string(&client).expect("the file"), touched);
}

#[test]
fn the_picture_shows_the_session() {
    if !skip::has_program("python3") {
        skip::loudly("the picture of the session", "python3");
        return;
    }
    let mut script = Command::new("python3");
    script
        .current_dir(root())
        .args(["scripts/session_svg.py", "--check"]);
    let output = script.output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let readme = fs::read_to_string(root().join("README.md")).unwrap_or_default();
    if Path::new(&root().join("README.md")).exists() {
        assert!(
            readme.contains("docs/session.svg"),
            "the README does not show it"
        );
    }
}
