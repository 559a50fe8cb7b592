//! The command line's contract.

mod asking;
mod formats;
mod hints;
mod hooks;
mod hostile;
mod models;
mod money;
mod policy;
mod questions;
mod runs;
mod secrets;
mod streams;
mod undoing;
mod verbs;

use crate::harness::home::Ran;

/// An error as the contract has it: three lines on stderr.
fn three_lines(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let lines: Vec<&str> = ran.err.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.starts_with("error: "))
        .unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!(lines.len(), at + 3, "{ran:?}");
    assert!(
        lines[at + 1].starts_with("  why: ") && lines[at + 2].starts_with("  try: "),
        "{ran:?}"
    );
}
