//! Clients of other versions.

use std::time::Duration;

use serde_json::json;

use crate::harness::{
    daemon::Daemon,
    home::Home,
    process::{LIMIT, ended_within, lives},
    wire::Wire,
};

#[test]
fn an_older_client_never_stops_a_newer_daemon() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    for version in ["0.0.1", "0.1.0-alpha.1", "not-a-version"] {
        let mut old = Wire::open_as(&home.socket(), version);
        assert_eq!(old.error_code("shutdown", json!({})), -32023, "{version}");
        assert_eq!(
            old.error_code("shutdown", json!({"when": "idle"})),
            -32023,
            "{version}"
        );
        old.result("health.get", json!({}));
    }
    assert!(!ended_within(daemon.pid, Duration::from_millis(300)));
    let health = Wire::open(&home).result("health.get", json!({}));
    assert_eq!(health["state"], "ok", "{health}");
}

#[test]
fn a_newer_client_makes_an_idle_daemon_leave_and_disturbs_nobody() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let mut present = Wire::open(&home);
    let mut newer = Wire::open_as(&home.socket(), "99.0.0");
    newer.result("health.get", json!({}));
    drop(newer);
    // Somebody else is connected.
    present.result("run.list", json!({}));
    assert!(lives(daemon.pid));
    drop(present);
    assert!(ended_within(daemon.pid, LIMIT), "the old daemon stays");
}
