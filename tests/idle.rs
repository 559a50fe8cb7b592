//! What a daemon costs that nobody uses. Two minutes long, so only `just campaign-idle` plays it.

use std::time::Duration;

use crate::harness::{
    daemon::Daemon,
    diffs,
    home::Home,
    process::{ended_within, status_field, switches},
    wire::Wire,
};

const RSS_ANON_MAX_KB: u64 = 15 * 1024;
const TICK_S: u64 = 30;
const SWITCHES_PER_TICK_MAX: u64 = 3;

#[test]
#[ignore = "measures for CONVERGIO_IDLE_S seconds: just campaign-idle"]
fn an_idle_daemon_costs_next_to_nothing() {
    let seconds: u64 = std::env::var("CONVERGIO_IDLE_S").map_or(120, |text| {
        text.parse().expect("CONVERGIO_IDLE_S is a number")
    });
    let home = Home::new();
    let folder = home.folder("w");
    let daemon = Daemon::start(&home);
    // One that has worked, so that its memory is what stays after work.
    Wire::open(&home).review(&folder, &diffs::with_findings(500));
    // Settling belongs to the work, not to idling.
    assert!(!ended_within(daemon.pid, Duration::from_secs(5)));
    let before = switches(daemon.pid);
    assert!(!ended_within(daemon.pid, Duration::from_secs(seconds)));
    let switched = switches(daemon.pid) - before;
    let rss_anon_kb = status_field(daemon.pid, "RssAnon");
    let ticks = seconds.div_ceil(TICK_S);
    eprintln!("RssAnon {rss_anon_kb} kB, {switched} voluntary switches in {ticks} ticks");
    assert!(rss_anon_kb < RSS_ANON_MAX_KB, "{rss_anon_kb} kB");
    assert!(
        switched <= ticks * SWITCHES_PER_TICK_MAX,
        "{switched} in {ticks} ticks"
    );
}
