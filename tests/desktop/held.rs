//! Background work that is held back: what has expired stays until it may go.

use std::{os::unix::net::UnixDatagram, time::Instant};

use convergio_store::{Store, StoreError, StoreOptions, at};
use serde_json::json;

use crate::harness::{binaries, daemon::Daemon, diffs, home::Home, process::LIMIT, wire::Wire};

/// Makes everything of all runs expire long ago. No daemon runs.
fn expire(home: &Home) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let store = Store::open(&StoreOptions::new(&home.convergio().join("data")));
    let store = store.expect("a database");
    let changed = runtime.block_on(store.write("expire", |tx| {
        tx.execute("UPDATE run SET expires_ms = 1", [])
            .map_err(at(tx, "expire"))
    }));
    let changed: Result<usize, StoreError> = changed;
    assert_eq!(changed.expect("it is written"), 1);
    runtime.block_on(store.close()).expect("it closes");
}

fn has_events(wire: &mut Wire, run: &str) -> bool {
    let params = json!({"run_id": run, "after_seq": 0});
    wire.call("run.subscribe", params)["error"].is_null()
}

#[test]
fn what_has_expired_stays_while_background_work_waits_and_goes_then() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let events = wire.review(&home.folder("w"), &diffs::with_findings(3));
    let run = events[0]["run_id"].as_str().expect("a run").to_owned();
    wire.result("background.pause", json!({"paused": true}));
    daemon.kill();
    expire(&home);
    // A service manager that wants a word now and then makes for short ticks, and hears of each.
    let ear = UnixDatagram::bind(home.everything().join("notify")).expect("a socket");
    ear.set_read_timeout(Some(LIMIT)).expect("a timeout");
    let mut command = home.command(binaries().join("convergiod"));
    command
        .args(["serve", "--spawned"])
        .env("NOTIFY_SOCKET", home.everything().join("notify"))
        .env("WATCHDOG_USEC", "400000");
    let _daemon = Daemon::start_by(&home, command);
    let mut ticks = 0;
    while ticks < 4 {
        let mut word = [0; 4096];
        let count = ear.recv(&mut word).expect("a word in time");
        ticks += usize::from(word[..count].starts_with(b"WATCHDOG=1"));
    }
    let mut wire = Wire::open(&home);
    assert!(has_events(&mut wire, &run), "it did not wait");
    wire.result("background.pause", json!({"paused": false}));
    let begun = Instant::now();
    while has_events(&mut wire, &run) {
        assert!(begun.elapsed() < LIMIT, "it waits for nothing");
    }
}
