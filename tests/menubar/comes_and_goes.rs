//! Panel, bus and daemon come and go, each on its own; the menu bar stays.

use super::{MenuBar, command, item::Watcher};
use crate::{
    desktop::bus::{Bus, has_bus},
    harness::{
        daemon::Daemon,
        home::Home,
        process::{lives, run},
    },
};

#[test]
fn it_waits_for_a_panel_and_says_so_once() {
    if !has_bus("a menu bar without a panel") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let mut menu_bar = MenuBar::start(&home, &bus);
    let said: Vec<String> = (0..3).map(|_| menu_bar.line()).collect();
    assert!(said[0].contains("No panel"), "{said:?}");
    assert!(said[1].starts_with("  why: "), "{said:?}");
    assert!(said[2].starts_with("  try: "), "{said:?}");
    for _ in 0..3 {
        let mut watcher = Watcher::come(&bus);
        let item = watcher.item(&bus);
        item.menu_with(&bus, "Start Convergio");
        watcher.go(&bus);
    }
    let mut watcher = Watcher::come(&bus);
    let item = watcher.item(&bus);
    let menu = item.menu(&bus);
    item.click(&bus, menu.id(&["Quit"])).unwrap();
    assert_eq!(menu_bar.code(), Some(0));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut menu_bar.said, &mut rest).unwrap();
    assert_eq!(rest, "", "it says it once");
}

#[test]
fn it_outlives_daemons_and_follows_the_next() {
    if !has_bus("a menu bar and its daemons") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let mut watcher = Watcher::come(&bus);
    let _menu_bar = MenuBar::start(&home, &bus);
    let item = watcher.item(&bus);
    for _ in 0..2 {
        item.menu_with(&bus, "Start Convergio");
        let daemon = Daemon::start(&home);
        item.menu_with(&bus, "No reminders");
        daemon.kill();
    }
    item.menu_with(&bus, "Convergio does not answer (grey)");
    assert_eq!(home.owner(), None, "it starts none by itself");
}

#[test]
fn who_asks_for_it_gets_a_daemon_and_quitting_leaves_it() {
    if !has_bus("a daemon from the menu bar") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let mut watcher = Watcher::come(&bus);
    let mut menu_bar = MenuBar::start(&home, &bus);
    let item = watcher.item(&bus);
    let menu = item.menu_with(&bus, "Start Convergio");
    item.click(&bus, menu.id(&["Start Convergio"])).unwrap();
    let menu = item.menu_with(&bus, "No reminders");
    let owner = home.owner().expect("a daemon");
    item.click(&bus, menu.id(&["Quit"])).unwrap();
    assert_eq!(menu_bar.code(), Some(0));
    assert!(lives(owner));
    let stopped = home.cv(&home.path(), &["stop"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}

#[test]
fn it_outlives_the_bus() {
    if !has_bus("a menu bar and its bus") {
        return;
    }
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let bus = Bus::start(&home, "session");
    let mut watcher = Watcher::come(&bus);
    let mut menu_bar = MenuBar::start(&home, &bus);
    watcher.item(&bus).menu_with(&bus, "No reminders");
    drop(bus);
    // It is told that there is none before there is one again.
    assert!(menu_bar.line().contains("D-Bus cannot be used"));
    let bus = Bus::start(&home, "session");
    let mut watcher = Watcher::come(&bus);
    let item = watcher.item(&bus);
    item.menu_with(&bus, "No reminders");
}

#[test]
fn there_is_one_in_a_session() {
    if !has_bus("two menu bars") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let mut watcher = Watcher::come(&bus);
    let first = MenuBar::start(&home, &bus);
    watcher.item(&bus);
    let second = run(&mut command(&home, &bus, &[]), b"");
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.err.contains("another menu bar"), "{second:?}");
    assert!(lives(first.pid()));
}
