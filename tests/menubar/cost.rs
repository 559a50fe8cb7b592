//! What it costs to have a menu bar.

use std::time::Duration;

use super::{MenuBar, item::Watcher};
use crate::{
    desktop::{
        bus::{Bus, has_bus},
        remind,
    },
    harness::{
        daemon::Daemon,
        home::Home,
        process::{ended_within, status_field, switches},
        wire::Wire,
    },
};

const RSS_MAX_KB: u64 = 15 * 1024;
/// Of a whole minute.
const SWITCHES_MAX: u64 = 4;

/// A menu bar that has drawn something; then `measure`.
fn with_menu_bar(measure: impl FnOnce(u32)) {
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    for number in 0..20 {
        remind(&mut wire, &format!("task {number}"));
    }
    let mut watcher = Watcher::come(&bus);
    let menu_bar = MenuBar::start(&home, &bus);
    let item = watcher.item(&bus);
    item.menu_with(&bus, "task 0");
    item.property(&bus, "IconPixmap");
    measure(menu_bar.pid());
}

#[test]
fn it_is_small() {
    if !has_bus("the menu bar's size") {
        return;
    }
    with_menu_bar(|pid| {
        let (all, anonymous) = (status_field(pid, "VmRSS"), status_field(pid, "RssAnon"));
        eprintln!("VmRSS {all} kB, RssAnon {anonymous} kB");
        assert!(all < RSS_MAX_KB, "{all} kB");
    });
}

#[test]
#[ignore = "measures for CONVERGIO_IDLE_S seconds: just campaign-idle"]
fn an_idle_menu_bar_sleeps() {
    let seconds: u64 = std::env::var("CONVERGIO_IDLE_S").map_or(60, |text| {
        text.parse().expect("CONVERGIO_IDLE_S is a number")
    });
    with_menu_bar(|pid| {
        // Settling belongs to the drawing, not to idling.
        assert!(!ended_within(pid, Duration::from_secs(15)));
        let before = switches(pid);
        assert!(!ended_within(pid, Duration::from_secs(seconds)));
        let switched = switches(pid) - before;
        eprintln!("{switched} voluntary switches in {seconds} s");
        assert!(
            switched <= SWITCHES_MAX * seconds.div_ceil(60),
            "{switched}"
        );
    });
}
