//! Who the daemon is to others on the session bus.

use serde_json::json;

use super::{
    bus::{Bus, has_bus},
    remind,
};
use crate::harness::{
    binaries,
    daemon::Daemon,
    home::Home,
    wire::{VERSION, Wire, new_id},
};

const DAEMON: (&str, &str, &str) = (
    "org.convergio.Daemon1",
    "/org/convergio/Daemon1",
    "org.convergio.Daemon1",
);
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

fn daemon_on(home: &Home, address: &str) -> Daemon {
    let mut command = home.command(binaries().join("convergiod"));
    command
        .args(["serve", "--spawned"])
        .env("DBUS_SESSION_BUS_ADDRESS", address);
    Daemon::start_by(home, command)
}

/// None where nobody has the name.
fn try_property(bus: &Bus, name: &str) -> Option<String> {
    let place = (DAEMON.0, DAEMON.1, PROPERTIES);
    let value: zbus::zvariant::OwnedValue = bus.call(place, "Get", &(DAEMON.2, name)).ok()?;
    Some(value.try_into().expect("a text"))
}

fn property(bus: &Bus, name: &str) -> String {
    try_property(bus, name).expect("a property")
}

#[test]
fn others_find_the_daemon_search_its_tasks_and_are_told_that_there_is_no_launcher() {
    if !has_bus("presence") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let _daemon = daemon_on(&home, &bus.address());
    bus.has_name(DAEMON.0);
    assert_eq!(
        property(&bus, "SocketPath"),
        home.socket().display().to_string()
    );
    assert_eq!(property(&bus, "Version"), VERSION);
    let mut wire = Wire::open(&home);
    let number = remind(&mut wire, "Portare il caffè a <b>Mario</b>");
    let plain = json!({"task_id": new_id(), "fields": {"title": "coffee"}});
    wire.result("task.create", plain);
    let search = |words: &str| -> Vec<(String, String, String)> {
        bus.call(DAEMON, "Search", &(words,)).expect("results")
    };
    let found = search("CAFFE mario");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, format!("task:{number}"));
    assert_eq!(found[0].1, "Portare il caffè a <b>Mario</b>");
    assert!(found[0].2.contains(':'), "{found:?}");
    assert!(search("   ").is_empty() && search("nothing like it").is_empty());
    let long = "x".repeat(5_000);
    let refused = bus.call::<_, Vec<(String, String, String)>>(DAEMON, "Search", &(long,));
    assert!(refused.unwrap_err().to_string().contains("at most"));
    let refused = bus.call::<_, ()>(DAEMON, "ShowLauncher", &());
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("no launcher is installed")
    );
}

#[test]
fn a_bus_that_comes_back_finds_the_daemon_again() {
    if !has_bus("a bus that comes back") {
        return;
    }
    let home = Home::new();
    let mut bus = Bus::start(&home, "session");
    let mut command = home.command(binaries().join("convergiod"));
    command
        .args(["serve", "--spawned"])
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
        // A service manager that wants a word now and then makes for short ticks.
        .env("WATCHDOG_USEC", "400000");
    let _daemon = Daemon::start_by(&home, command);
    bus.has_name(DAEMON.0);
    for _ in 0..2 {
        drop(bus);
        let mut wire = Wire::open(&home);
        let there = |wire: &mut Wire| {
            let report = wire.result("health.doctor", json!({})).to_string();
            report.contains("others find us as org.convergio.Daemon1")
        };
        while there(&mut wire) {}
        bus = Bus::start(&home, "session");
        bus.has_name(DAEMON.0);
        let found = bus.until(|bus| try_property(bus, "Version"), Option::is_some);
        assert_eq!(found.as_deref(), Some(VERSION));
    }
}

#[test]
fn the_second_daemon_waits_for_the_name_of_the_first() {
    if !has_bus("two daemons on one bus") {
        return;
    }
    let (first, second) = (Home::new(), Home::new());
    let bus = Bus::start(&first, "session");
    let one = daemon_on(&first, &bus.address());
    bus.has_name(DAEMON.0);
    let _two = daemon_on(&second, &bus.address());
    let mut wire = Wire::open(&second);
    let wire = std::cell::RefCell::new(&mut wire);
    let told = |_: &Bus| {
        wire.borrow_mut()
            .result("health.doctor", json!({}))
            .to_string()
    };
    bus.until(told, |told| told.contains("another daemon is"));
    assert_eq!(
        property(&bus, "SocketPath"),
        first.socket().display().to_string()
    );
    one.kill();
    let heir = second.socket().display().to_string();
    bus.until(
        |bus| try_property(bus, "SocketPath"),
        |path| path.as_ref() == Some(&heir),
    );
}
