//! Runs that are left, read later, interrupted, or cannot be whole.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    daemon::Daemon,
    diffs,
    home::Home,
    process::{LIMIT, ended_within, finish, readable_within, signal},
    wire::{Wire, new_id, review_params},
};

/// Files enough that a review of them takes a while.
const MANY: usize = 20_000;

fn state_of(wire: &mut Wire, run_id: &str) -> Value {
    wire.result("run.get", json!({"run_id": run_id}))
}

/// Waits until a run has ended.
fn ended(wire: &mut Wire, run_id: &str) -> Value {
    let asked = Instant::now();
    loop {
        let run = state_of(wire, run_id);
        if run["state"] != "running" {
            return run;
        }
        assert!(asked.elapsed() < LIMIT, "{run}");
        // A reader would keep the run, so it is looked at from time to time.
        readable_within(&wire.stream, Duration::from_millis(100));
    }
}

#[test]
fn a_detached_review_is_read_later() {
    let home = Home::new();
    let folder = home.folder("w");
    let left = home.cv_with_input(&folder, &["review", "--detach"], diffs::SMALL.as_bytes());
    assert_eq!(left.code, Some(0), "{left:?}");
    let run = left.out.trim();
    let read = home.cv(&folder, &["attach", run]);
    assert_eq!(read.code, Some(0), "{read:?}");
    assert!(
        read.out.contains("pay/client.py:5") && read.out.contains("2 findings"),
        "{read:?}"
    );
    let failing = home.cv(&folder, &["attach", run, "--fail-on", "critical"]);
    assert_eq!(failing.code, Some(1), "{failing:?}");
    let shown = home.cv(&folder, &["runs", "show", run, "--format", "json"]);
    let document: Value = serde_json::from_str(&shown.out).unwrap_or_else(|_| panic!("{shown:?}"));
    assert_eq!(document["state"], "completed", "{document}");
}

#[test]
fn a_run_that_nobody_reads_is_cancelled_and_one_that_may_go_on_is_not() {
    let home = Home::new();
    let folder = home.folder("w");
    let _daemon = Daemon::start(&home);
    let diff = diffs::with_findings(MANY);
    let mut looker = Wire::open(&home);
    for (policy, expected) in [("cancel", "cancelled"), ("continue", "completed")] {
        let run_id = new_id();
        let mut params = review_params(&run_id, &folder, &diff);
        params["on_last_reader_gone"] = json!(policy);
        let mut reader = Wire::open(&home);
        reader.result("review.start", params);
        reader.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
        reader.try_event().expect("the run has begun");
        drop(reader);
        let run = ended(&mut looker, &run_id);
        let took_ms =
            run["ended_ms"].as_i64().expect("a time") - run["started_ms"].as_i64().expect("a time");
        // A fast machine is done within the two seconds of grace.
        let in_time = run["state"] == "completed" && took_ms < 2_500;
        assert!(run["state"] == expected || in_time, "{run}");
    }
}

#[test]
fn ctrl_c_cancels_the_run() {
    let home = Home::new();
    let folder = home.folder("w");
    let file = home.everything().join("big.diff");
    std::fs::write(&file, diffs::with_findings(MANY)).expect("a file");
    let (output, written) = std::io::pipe().expect("a pipe");
    let mut command = home.cv_command(&folder, &["review", "--format", "ndjson"]);
    command
        .stdin(std::fs::File::open(&file).expect("a file"))
        .stdout(written)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    drop(command);
    assert!(readable_within(&output, LIMIT));
    signal(child.id(), Signal::INT);
    let mut lines = String::new();
    std::io::Read::read_to_string(
        &mut std::fs::File::from(std::os::fd::OwnedFd::from(output)),
        &mut lines,
    )
    .expect("text");
    let ran = finish(child, &home.command("cv"));
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let last: Value = serde_json::from_str(lines.lines().last().expect("lines")).expect("JSON");
    assert_eq!(last["type"], "cancelled", "{last}");
    let mut wire = Wire::open(&home);
    let runs = wire.result("run.list", json!({}));
    let run_id = runs["runs"][0]["run_id"]
        .as_str()
        .expect("a run")
        .to_owned();
    assert_eq!(ended(&mut wire, &run_id)["state"], "cancelled");
}

#[test]
fn a_killed_daemon_is_told_with_the_runs_true_end() {
    let home = Home::new();
    let folder = home.folder("w");
    let file = home.everything().join("big.diff");
    std::fs::write(&file, diffs::with_findings(MANY)).expect("a file");
    let daemon = Daemon::start(&home);
    let (output, written) = std::io::pipe().expect("a pipe");
    let mut command = home.cv_command(&folder, &["review", "--format", "ndjson"]);
    command
        .stdin(std::fs::File::open(&file).expect("a file"))
        .stdout(written)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    drop(command);
    assert!(readable_within(&output, LIMIT));
    daemon.kill();
    let output = std::fs::File::from(std::os::fd::OwnedFd::from(output));
    let lines = std::io::read_to_string(output).expect("text");
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["seq"].as_u64())
        .collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "gaps or repetitions");
    let last = events.last().expect("an end");
    let ran = finish(child, &home.command("cv"));
    // A fast machine may have been done.
    match last["type"].as_str() {
        Some("completed") => assert_eq!(ran.code, Some(0), "{ran:?}"),
        _ => {
            assert_eq!(last["type"], "failed", "{last}");
            assert_eq!(last["error"]["data"]["slug"], "interrupted", "{last}");
            super::three_lines(&ran, 7);
        }
    }
}

#[test]
fn what_was_not_read_is_said_and_exits_6() {
    let home = Home::new();
    let folder = home.folder("w");
    let cut = &diffs::SMALL[..diffs::SMALL.len() - 20];
    let ran = home.cv_with_input(&folder, &["review"], cut.as_bytes());
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert!(ran.out.contains("not reviewed: "), "{ran:?}");
    let json = home.cv_with_input(&folder, &["review", "--format", "json"], cut.as_bytes());
    assert_eq!(json.code, Some(6), "{json:?}");
    let document: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(document["complete"], false, "{document}");
    // A finding at the threshold weighs less than what is missing.
    let both = home.cv_with_input(&folder, &["review", "--fail-on", "nit"], cut.as_bytes());
    assert_eq!(both.code, Some(6), "{both:?}");
}

#[test]
fn a_diff_beyond_the_limit_is_refused_with_narrower_ones() {
    let home = Home::new();
    let folder = home.folder("w");
    let mut diff = diffs::SMALL.as_bytes().to_vec();
    diff.resize(65 * 1024 * 1024, b'\n');
    let ran = home.cv_with_input(&folder, &["review"], &diff);
    super::three_lines(&ran, 2);
    assert!(
        ran.err.contains("64 MiB") && ran.err.contains("cv review --staged"),
        "{ran:?}"
    );
}

#[test]
fn a_diff_larger_than_a_line_travels_all_the_same() {
    let home = Home::new();
    let folder = home.folder("w");
    let mut diff = diffs::SMALL.to_owned();
    diff.push_str(
        "diff --git a/data.txt b/data.txt\n--- a/data.txt\n+++ b/data.txt\n@@ -0,0 +1,200000 @@\n",
    );
    for line in 0..200_000 {
        diff.push_str(&format!(
            "+this is line {line} of a long and boring text without a fault in it\n"
        ));
    }
    assert!(diff.len() > 10 * 1024 * 1024);
    let ran = home.cv_with_input(&folder, &["review"], diff.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("2 findings · 2/2 files"), "{ran:?}");
}

#[test]
#[ignore = "its reader sleeps for 35 seconds: just campaign-stall"]
fn a_reader_that_sleeps_reads_everything_in_the_end() {
    let home = Home::new();
    let folder = home.folder("w");
    let file = home.everything().join("big.diff");
    std::fs::write(&file, diffs::with_findings(MANY)).expect("a file");
    let (output, written) = std::io::pipe().expect("a pipe");
    let mut command = home.cv_command(&folder, &["review", "--format", "ndjson"]);
    command
        .stdin(std::fs::File::open(&file).expect("a file"))
        .stdout(written)
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("cv starts");
    drop(command);
    assert!(
        !ended_within(child.id(), Duration::from_secs(35)),
        "it ended unread"
    );
    let output = std::fs::File::from(std::os::fd::OwnedFd::from(output));
    let (mut findings, mut last) = (0, Value::Null);
    for line in std::io::BufRead::lines(std::io::BufReader::new(output)) {
        last = serde_json::from_str(&line.expect("text")).expect("JSON");
        findings += usize::from(last["type"] == "finding");
    }
    assert_eq!(last["type"], "completed", "{last}");
    assert_eq!(findings, MANY);
    assert!(child.wait().expect("it ended").success());
}
