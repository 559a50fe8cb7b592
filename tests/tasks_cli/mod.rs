//! Tasks and reminders on the command line.

mod changing;
mod completing;
mod hostile;
mod listing;
mod reminding;
mod seen;
mod travel;

use std::{path::PathBuf, process::Command};

use serde_json::Value;

use crate::harness::{
    home::{Home, Ran},
    process::run,
};

/// A time that is the same whenever the test runs.
const WHEN: &str = "on 24 december 2030 at 18:00";

/// A home whose user is somewhere and speaks something.
struct User {
    home: Home,
    locale: &'static str,
}

impl User {
    /// Somebody in Rome who speaks the locale's language.
    fn new(locale: &'static str) -> Self {
        Self {
            home: Home::new(),
            locale,
        }
    }

    fn folder(&self) -> PathBuf {
        self.home.folder("w")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.cv_command(&self.folder(), arguments);
        command.env("LANG", self.locale).env("TZ", "Europe/Rome");
        command
    }

    /// `cv` with nothing on stdin.
    fn cv(&self, arguments: &[&str]) -> Ran {
        self.cv_with(arguments, "")
    }

    fn cv_with(&self, arguments: &[&str], input: &str) -> Ran {
        run(&mut self.command(arguments), input.as_bytes())
    }

    /// What must work; says what stood on stdout.
    fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.cv(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// The same as one JSON document.
    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--format", "json"]);
        let out = self.ok(&all);
        assert_eq!(out.lines().count(), 1, "{out}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// The numbers that a filter finds.
    fn numbers(&self, filter: &[&str]) -> Vec<u64> {
        let mut arguments = vec!["tasks", "--sort", "number", "--format", "json"];
        arguments.extend(filter);
        let listed: Value = serde_json::from_str(&self.ok(&arguments)).expect("JSON");
        let tasks = listed["tasks"].as_array().expect("tasks").iter();
        tasks
            .map(|task| task["number"].as_u64().expect("a number"))
            .collect()
    }

    /// Reminds of something at once, and waits until it fired. Nobody can show it here.
    fn missed(&self, title: &str) -> u64 {
        let made = self.json(&["remind", title, "in", "1", "second"]);
        let number = made["task"]["number"].as_u64().expect("a number");
        loop {
            let inbox = self.json(&["inbox"]);
            let waiting = inbox["waiting"].as_array().expect("reminders");
            if waiting
                .iter()
                .any(|one| one["number"] == number && one["state"] == "missed")
            {
                return number;
            }
        }
    }
}

/// Lines of NDJSON: each has its version, and the last alone ends them.
fn lines(ran: &Ran) -> Vec<Value> {
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(lines.iter().all(|line| line["v"] == 1), "{ran:?}");
    let ends = |line: &&Value| line["type"] == "completed" || line["type"] == "failed";
    assert_eq!(lines.iter().filter(ends).count(), 1, "{ran:?}");
    assert!(lines.last().is_some_and(|last| ends(&last)), "{ran:?}");
    lines
}

/// An error as the contract has it, with a way out.
fn three_lines(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let lines: Vec<&str> = ran.err.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("error: "));
    let at = at.unwrap_or_else(|| panic!("{ran:?}"));
    assert!(
        lines
            .get(at + 1)
            .is_some_and(|line| line.starts_with("  why: "))
            && lines
                .get(at + 2)
                .is_some_and(|line| line.starts_with("  try: ")),
        "{ran:?}"
    );
}
