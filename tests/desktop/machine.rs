//! A machine that sleeps, runs on its battery and loses its network; and one that is no machine.

use std::time::Instant;

use serde_json::{Value as Json, json};
use zbus::zvariant::Value;

use super::{
    bus::{Bus, Mock, can_mock, emit, has_bus, set},
    listen, menu_where, remind,
};
use crate::harness::{binaries, daemon::Daemon, home::Home, process::LIMIT, wire::Wire};

const LOGIN: (&str, &str, &str) = (
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
);
const UPOWER: (&str, &str, &str) = (
    "org.freedesktop.UPower",
    "/org/freedesktop/UPower",
    "org.freedesktop.UPower",
);
const NETWORK: (&str, &str, &str) = (
    "org.freedesktop.NetworkManager",
    "/org/freedesktop/NetworkManager",
    "org.freedesktop.NetworkManager",
);

type Inhibitor = (String, String, String, String, u32, u32);

fn daemon_on(home: &Home, bus: &Bus) -> Daemon {
    let mut command = home.command(binaries().join("convergiod"));
    command
        .args(["serve", "--spawned"])
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
    Daemon::start_by(home, command)
}

fn inhibitors(bus: &Bus) -> Vec<Inhibitor> {
    bus.call(LOGIN, "ListInhibitors", &()).expect("a list")
}

fn sleeps(bus: &Bus, start: bool) {
    emit(bus, LOGIN, "PrepareForSleep", "b", start);
}

fn check(wire: &mut Wire, id: &str) -> String {
    let report = wire.result("health.doctor", json!({}));
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["id"] == id);
    let found = found.unwrap_or_else(|| panic!("no {id}: {report}"));
    assert_eq!(found["state"], "ok", "{found}");
    found["what"].as_str().expect("words").to_owned()
}

#[test]
fn everything_is_written_before_the_machine_sleeps_and_clocks_are_read_after() {
    if !can_mock("sleep") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "system");
    let mock = Mock::start(&bus, "logind", LOGIN.0);
    let _daemon = daemon_on(&home, &bus);
    let mut wire = Wire::open(&home);
    listen(&mut wire, "en");
    let held = bus.until(inhibitors, |held| !held.is_empty());
    assert_eq!(held.len(), 1, "{held:?}");
    let (what, who, _, mode, ..) = &held[0];
    assert_eq!(
        (what.as_str(), who.as_str(), mode.as_str()),
        ("sleep", "Convergio", "delay")
    );
    assert!(check(&mut wire, "sleep").contains("waits until all is written"));
    for round in 0..3 {
        remind(&mut wire, &format!("round {round}"));
        sleeps(&bus, true);
        bus.until(inhibitors, Vec::is_empty);
        menu_where(&mut wire, |menu| menu.contains("going to sleep"));
        // All of it is in the file itself, and the log beside it is empty.
        let log = home.convergio().join("data/core.db-wal");
        let left = std::fs::metadata(&log).map_or(0, |log| log.len());
        assert_eq!(left, 0, "round {round}");
        sleeps(&bus, false);
        bus.until(inhibitors, |held| held.len() == 1);
        menu_where(&mut wire, |menu| !menu.contains("going to sleep"));
    }
    // A login manager that goes takes its word with it, and one that comes is asked again.
    sleeps(&bus, true);
    menu_where(&mut wire, |menu| menu.contains("going to sleep"));
    drop(mock);
    menu_where(&mut wire, |menu| !menu.contains("going to sleep"));
    let _mock = Mock::start(&bus, "logind", LOGIN.0);
    bus.until(inhibitors, |held| held.len() == 1);
}

fn reasons(wire: &mut Wire) -> Json {
    wire.result("background.get", json!({}))["reasons"].take()
}

#[test]
fn battery_and_network_hold_background_work_back_and_let_it_go() {
    if !can_mock("battery and network") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "system");
    let _daemon = daemon_on(&home, &bus);
    let mut wire = Wire::open(&home);
    listen(&mut wire, "en");
    // Neither is there yet.
    menu_where(&mut wire, |menu| !menu.contains("Background work waits"));
    assert!(check(&mut wire, "battery").contains("not there"));
    let power = Mock::start(&bus, "upower", UPOWER.0);
    set(&bus, UPOWER, "OnBattery", Value::from(true));
    menu_where(&mut wire, |menu| {
        menu.contains("Background work waits: on battery\n")
    });
    assert!(check(&mut wire, "battery").contains("on battery"));
    let _network = Mock::start(&bus, "networkmanager", NETWORK.0);
    for (connectivity, offline) in [(1_u32, true), (4, false), (3, true)] {
        set(&bus, NETWORK, "Connectivity", Value::from(connectivity));
        menu_where(&mut wire, |menu| menu.contains("no network") == offline);
    }
    assert_eq!(reasons(&mut wire), json!(["battery", "offline"]));
    assert_eq!(wire.result("background.get", json!({}))["paused"], true);
    // What somebody asked for is kept apart from it.
    wire.result("background.pause", json!({"paused": true}));
    assert_eq!(reasons(&mut wire), json!(["asked", "battery", "offline"]));
    wire.result("background.pause", json!({"paused": false}));
    set(&bus, UPOWER, "OnBattery", Value::from(false));
    menu_where(&mut wire, |menu| {
        menu.contains("Background work waits: no network\n")
    });
    set(&bus, UPOWER, "OnBattery", Value::from(true));
    menu_where(&mut wire, |menu| menu.contains("on battery, no network"));
    // Who does not tell any more has nothing to say.
    drop(power);
    menu_where(&mut wire, |menu| {
        menu.contains("Background work waits: no network\n")
    });
}

#[test]
fn a_machine_without_a_bus_is_served_at_once_and_one_that_comes_is_found() {
    let home = Home::new();
    let nowhere = format!("unix:path={}/nowhere", home.everything().display());
    let mut command = home.command(binaries().join("convergiod"));
    command
        .args(["serve", "--spawned"])
        .env("DBUS_SYSTEM_BUS_ADDRESS", &nowhere)
        .env("DBUS_SESSION_BUS_ADDRESS", &nowhere)
        // A service manager that wants a word now and then makes for short ticks.
        .env("WATCHDOG_USEC", "400000");
    let begun = Instant::now();
    let _daemon = Daemon::start_by(&home, command);
    let mut wire = Wire::open(&home);
    assert!(begun.elapsed() < LIMIT);
    for id in ["desktop", "sleep", "battery", "network"] {
        assert!(check(&mut wire, id).contains("not there"));
    }
    assert_eq!(reasons(&mut wire), json!([]));
    if has_bus("a bus that comes") {
        let bus = Bus::start(&home, "nowhere");
        bus.has_name("org.convergio.Daemon1");
    }
}
