//! The provider of GNOME Shell's search, asked as the Shell asks it.

use std::{
    collections::HashMap,
    process::{Child, Stdio},
};

use rustix::process::Signal;
use serde_json::json;
use zbus::zvariant::OwnedValue;

use super::{HOSTILE, opened, terminal};
use crate::{
    desktop::bus::{Bus, has_bus},
    harness::{
        binaries,
        daemon::Daemon,
        home::Home,
        process::{LIMIT, ended_within, signal},
        wire::{Wire, new_id},
    },
};

const PROVIDER: (&str, &str, &str) = (
    "org.convergio.SearchProvider",
    "/org/convergio/SearchProvider",
    "org.gnome.Shell.SearchProvider2",
);

/// The provider's process; killed when it is dropped.
struct Provider(Child);

impl Provider {
    fn start(home: &Home, bus: &Bus, terminal: &std::path::Path) -> Self {
        let child = home
            .command(binaries().join("cv-search-provider"))
            .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
            .env("TERMINAL", terminal)
            .stdin(Stdio::null())
            .spawn()
            .expect("the provider starts");
        let provider = Self(child);
        bus.has_name(PROVIDER.0);
        provider
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn search(bus: &Bus, terms: &[&str]) -> Vec<String> {
    bus.call(PROVIDER, "GetInitialResultSet", &(terms,))
        .expect("results")
}

fn metas(bus: &Bus, ids: &[&str]) -> Vec<HashMap<String, String>> {
    let metas: Vec<HashMap<String, OwnedValue>> = bus
        .call(PROVIDER, "GetResultMetas", &(ids,))
        .expect("what is shown");
    metas
        .into_iter()
        .map(|meta| {
            meta.into_iter()
                .map(|(key, value)| (key, value.try_into().expect("a text")))
                .collect()
        })
        .collect()
}

fn activate(bus: &Bus, id: &str) {
    bus.call::<_, ()>(PROVIDER, "ActivateResult", &(id, vec![""], 0_u32))
        .expect("it is taken");
}

#[test]
fn what_is_kept_here_is_found_while_typing_and_shown_as_it_was_written() {
    if !has_bus("GNOME's search") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let params = json!({"task_id": new_id(), "fields": {"title": HOSTILE}});
    let number = wire.result("task.create", params)["task"]["number"].clone();
    let (terminal, opens) = terminal(&home);
    let _provider = Provider::start(&home, &bus, &terminal);

    let found = search(&bus, &["CAFFE", "mario"]);
    let task = format!("task:{number}");
    assert_eq!(
        found,
        [task.as_str(), "remind:CAFFE mario", "ask:CAFFE mario"]
    );
    let fewer: Vec<String> = bus
        .call(
            PROVIDER,
            "GetSubsearchResultSet",
            &(&found, vec!["caffe", "nothing-like-it"]),
        )
        .expect("results");
    assert_eq!(fewer.len(), 2, "{fewer:?}");
    let shown = metas(&bus, &[&task, "ask:a\nb", "task:999", "no such"]);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[0]["id"], task);
    assert!(shown[0]["name"].contains("<b>Mario's</b> & \"caffè\""));
    assert!(!shown[0]["name"].contains('\u{202e}'), "{shown:?}");
    assert_eq!(shown[1]["description"], "a b");
    // Nothing typed, or a book: nothing looked for.
    assert!(search(&bus, &[]).is_empty() && search(&bus, &["  "]).is_empty());
    assert!(search(&bus, &[&"x".repeat(100_000)]).is_empty());
    // All of that changed nothing.
    let listed = wire.result("task.list", json!({}));
    assert_eq!(listed["total"], 1);

    activate(&bus, &task);
    let words = opened(&opens);
    assert_eq!(words[0], "-e");
    assert_eq!(words[2..], ["pick", "--stay", &format!("--run={task}")]);
}

#[test]
fn typing_starts_no_daemon_and_enter_does_what_was_chosen_once() {
    if !has_bus("GNOME's search without a daemon") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let (terminal, opens) = terminal(&home);
    let provider = Provider::start(&home, &bus, &terminal);
    let typed = ["call", "Mario", "tomorrow", "at", "9"];
    let found = search(&bus, &typed);
    assert_eq!(
        found,
        [
            "remind:call Mario tomorrow at 9",
            "ask:call Mario tomorrow at 9"
        ]
    );
    assert!(home.owner().is_none(), "typing started a daemon");

    activate(&bus, &found[0]);
    let there = |_: &Bus| {
        home.owner()
            .and_then(|_| Wire::try_connect(&home.socket()).ok())
    };
    bus.until(there, Option::is_some);
    let wire = std::cell::RefCell::new(Wire::open(&home));
    let listed = |_: &Bus| wire.borrow_mut().result("task.list", json!({}));
    let listed = bus.until(listed, |listed| listed["total"] != 0);
    assert_eq!(listed["tasks"][0]["title"], "call Mario");
    assert!(!opens.exists(), "nothing was to be read");
    // Found from here on, by the provider that began without a daemon.
    let found = |bus: &Bus| search(bus, &["mario"]);
    let found = bus.until(found, |found| found.len() == 3);
    assert_eq!(found[0], "task:1");

    // What cannot be understood is said where it can be read, and is one argument.
    activate(&bus, "remind:--help; $(id) 'x");
    let words = opened(&opens);
    assert_eq!(words.last().unwrap(), "--run=remind:--help; $(id) 'x");
    assert_eq!(wire.borrow_mut().result("task.list", json!({}))["total"], 1);
    signal(provider.0.id(), Signal::TERM);
    assert!(ended_within(provider.0.id(), LIMIT));
}

#[test]
fn it_is_installed_where_the_bus_looks_and_says_what_only_root_can_do() {
    let home = Home::new();
    let data = home.folder("data");
    let provider = |argument: &str| {
        let mut command = home.command(binaries().join("cv-search-provider"));
        command.arg(argument).env("XDG_DATA_HOME", &data);
        crate::harness::process::run(&mut command, b"")
    };
    let told = provider("--install");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.out.contains("sudo install -Dm644"), "{told:?}");
    let service = data.join("dbus-1/services/org.convergio.SearchProvider.service");
    let service = std::fs::read_to_string(service).unwrap();
    let program = binaries().join("cv-search-provider");
    assert!(service.contains(&format!("Exec={}\n", program.display())));
    assert!(data.join("gnome-shell/search-providers").is_dir());
    let told = provider("--remove");
    assert_eq!(told.out.matches("Removed ").count(), 3, "{told:?}");
    let told = provider("--remove");
    assert!(told.out.contains("Nothing was installed"), "{told:?}");
}
