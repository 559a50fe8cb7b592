//! How it ends.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use super::pid_by_cv;
use crate::frames::Dice;
use crate::harness::{
    daemon::Daemon,
    diffs,
    home::Home,
    process::{LIMIT, ended_within, lives, signal},
    wire::{Wire, is_terminal, new_id, review_params},
};

fn ends_well(mut daemon: Daemon, limit: Duration) {
    assert!(
        ended_within(daemon.pid, limit),
        "it still runs after {limit:?}"
    );
    let status = daemon.child.wait().expect("it was our child");
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn sigterm_ends_an_idle_daemon_and_leaves_no_socket() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    signal(daemon.pid, Signal::TERM);
    // A client that does nothing holds nothing up.
    ends_well(daemon, Duration::from_secs(5));
    assert!(wire.try_line().is_none());
    assert!(!home.socket().exists());
    assert!(pid_by_cv(&home) > 0);
}

#[test]
fn sigterm_lets_a_run_end_and_refuses_new_ones() {
    let home = Home::new();
    let folder = home.folder("w");
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let run_id = new_id();
    let diff = diffs::with_findings(8_000);
    wire.result("review.start", review_params(&run_id, &folder, &diff));
    wire.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
    signal(daemon.pid, Signal::TERM);
    let mut last = json!(null);
    while let Some(event) = wire.try_event() {
        last = event;
        if is_terminal(&last) {
            break;
        }
    }
    assert!(is_terminal(&last), "the run has no end: {last}");
    ends_well(daemon, Duration::from_secs(12));
    let _daemon = Daemon::start(&home);
    let state = Wire::open(&home).result("run.get", json!({"run_id": run_id}));
    assert_eq!(state["state"], last["type"], "{state}");
}

#[test]
fn a_second_sigterm_is_quicker() {
    let home = Home::new();
    let folder = home.folder("w");
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let diff = diffs::with_findings(20_000);
    wire.result("review.start", review_params(&new_id(), &folder, &diff));
    signal(daemon.pid, Signal::TERM);
    // The second one counts when the first was heard.
    while wire.result("health.get", json!({}))["state"] != "draining" {
        std::thread::yield_now();
    }
    signal(daemon.pid, Signal::TERM);
    ends_well(daemon, Duration::from_secs(3));
}

#[test]
fn cv_stop_ends_it_and_may_be_repeated() {
    let home = Home::new();
    let pid = pid_by_cv(&home);
    let ran = home.cv(&home.path(), &["stop"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ended_within(pid, Duration::from_secs(12)));
    let again = home.cv(&home.path(), &["stop"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(home.owner(), None);
}

#[test]
fn an_idle_daemon_leaves_and_a_connection_keeps_it() {
    let home = Home::new();
    let config = home.convergio().join("config");
    fs::create_dir_all(&config).expect("a folder");
    fs::write(config.join("config.toml"), "[daemon]\nidle_exit_ms = 300\n").expect("a file");
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    assert!(!ended_within(daemon.pid, Duration::from_secs(1)));
    wire.result("health.get", json!({}));
    drop(wire);
    let left = Instant::now();
    ends_well(daemon, LIMIT);
    assert!(left.elapsed() >= Duration::from_millis(200));
    assert!(!home.socket().exists());
}

/// `CONVERGIO_ROUNDS=500` is the campaign.
#[test]
fn who_comes_while_the_daemon_leaves_is_served() {
    let rounds = std::env::var("CONVERGIO_ROUNDS").map_or(20, |text| {
        text.parse().expect("CONVERGIO_ROUNDS is a number")
    });
    let home = Home::new();
    let mut dice = Dice::seeded();
    for round in 0..rounds {
        let pid = pid_by_cv(&home);
        signal(pid, Signal::TERM);
        // Somewhere between the signal and the end.
        ended_within(pid, Duration::from_millis(dice.roll(12)));
        let ran = home.cv(&home.path(), &["status", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "round {round}: {ran:?}");
    }
}

#[test]
fn a_daemon_in_the_foreground_does_not_leave() {
    let home = Home::new();
    let config = home.convergio().join("config");
    fs::create_dir_all(&config).expect("a folder");
    fs::write(config.join("config.toml"), "[daemon]\nidle_exit_ms = 100\n").expect("a file");
    let (command, notify) = super::service::foreground(&home);
    let mut child = super::service::Foreground::start(command);
    notify.wait_for("READY=1");
    assert!(!ended_within(child.0.id(), Duration::from_secs(1)));
    assert!(lives(child.0.id()));
    signal(child.0.id(), Signal::INT);
    assert!(ended_within(child.0.id(), Duration::from_secs(5)));
    assert_eq!(child.0.wait().expect("our child").code(), Some(0));
}
