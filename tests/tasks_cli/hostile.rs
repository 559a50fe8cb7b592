//! Titles that were made to hurt are text, wherever they show.

use super::{User, WHEN};
use crate::harness::terminal;

/// What no terminal, shell, page or calendar may act on.
const TITLES: &[&str] = &[
    "\"quotes\" and 'single' ones",
    "<b>bold</b> & <script>alert(1)</script>",
    "-rf --help",
    "--format json",
    "$(touch pwned) `touch pwned` ; touch pwned | touch pwned",
    "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
    "right\u{202e}to left\u{200b}",
    "tab\there \u{9b}31m",
    "c:\\path\\n %s %n {{x}}",
    "=1+1 | pipe | here",
    "émoji 👩‍🚀 漢字",
];

/// The title as a list must show it.
fn shown(title: &str) -> bool {
    title
        .chars()
        .all(|c| !c.is_control() && !matches!(c, '\u{202e}' | '\u{200b}'))
}

#[test]
fn titles_are_inert_in_every_list_and_survive_in_json() {
    let user = User::new("en_GB.UTF-8");
    let mut kept = Vec::new();
    for title in TITLES {
        let added = user.cv(&["task", "add", "--at", "24 december 2030 18:00", "--", title]);
        if title.chars().any(char::is_control) {
            // Typed control characters are refused, never carried along.
            assert_eq!(added.code, Some(2), "{title:?}: {added:?}");
        } else {
            assert_eq!(added.code, Some(0), "{title:?}: {added:?}");
            kept.push(*title);
        }
        for text in [&added.out, &added.err] {
            assert!(
                text.chars().all(|c| c == '\n' || shown(&c.to_string())),
                "{added:?}"
            );
        }
    }
    assert!(kept.len() >= 8, "{kept:?}");
    let listed = user.json(&["tasks", "--sort", "number"]);
    let titles: Vec<&str> = listed["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .map(|task| task["title"].as_str().expect("a title"))
        .collect();
    assert_eq!(titles, kept);
    for verb in [
        &["tasks"][..],
        &["tasks", "--format", "md"],
        &["tasks", "--format", "json"],
        &["tasks", "--format", "ndjson"],
        &["today"],
        &["inbox"],
        &["task", "show", "1"],
        &["complete", "tasks"],
        &["undo", "--list"],
    ] {
        let ran = user.cv(verb);
        assert_eq!(ran.code, Some(0), "{verb:?}: {ran:?}");
        let text = format!("{}{}", ran.out, ran.err);
        let tabs = verb[0] == "complete";
        let inert = |c: char| c == '\n' || (tabs && c == '\t') || shown(&c.to_string());
        assert!(text.chars().all(inert), "{verb:?}: {ran:?}");
    }
    let seen = terminal::run(user.command(&["tasks"]), 100);
    assert!(
        !seen.raw.contains("\u{1b}]") && !seen.raw.contains('\u{202e}'),
        "{}",
        seen.raw
    );
    // Nothing of them ran.
    assert!(!user.folder().join("pwned").exists());
}

#[test]
fn a_title_is_bounded_and_one_line() {
    let user = User::new("en_GB.UTF-8");
    let long = "x".repeat(10 << 10);
    super::three_lines(&user.cv(&["task", "add", "--verbatim", &long]), 2);
    super::three_lines(&user.cv(&["task", "add", "--verbatim", "two\nlines"]), 2);
    let most = "y".repeat(1 << 10);
    let kept = user.json(&["task", "add", "--verbatim", &most]);
    assert_eq!(kept["task"]["title"], most.as_str());
    let verbatim = user.json(&["task", "add", "--verbatim", &format!("x {WHEN}")]);
    assert_eq!(verbatim["task"]["title"], format!("x {WHEN}"));
    assert!(verbatim["task"]["due"].is_null(), "{verbatim}");
}
