//! The daemon's life, from the first client to the last.

mod place;
mod service;
mod start;
mod stop;
mod versions;

use serde_json::Value;

use crate::harness::home::{Home, Ran};

/// What `cv status --format json` says.
fn status_of(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The process id in it.
fn pid_in(status: &Value) -> u32 {
    let pid = status["pid"].as_u64().unwrap_or_else(|| panic!("{status}"));
    u32::try_from(pid).expect("a process id")
}

/// The daemon's process id, started where it did not run.
fn pid_by_cv(home: &Home) -> u32 {
    pid_in(&status_of(
        &home.cv(&home.path(), &["status", "--format", "json"]),
    ))
}

/// An error as the contract has it: nothing on stdout, three lines on stderr.
fn three_lines(ran: &Ran, codes: &[i32]) {
    let code = ran.code.expect("an exit code");
    assert!(codes.contains(&code), "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(lines[0].starts_with("error: ") && lines[1].trim_start().starts_with("why: "));
    assert!(lines[2].trim_start().starts_with("try: "), "{ran:?}");
}
