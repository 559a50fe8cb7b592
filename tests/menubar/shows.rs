//! What is in the menu, and what comes of choosing something.

use serde_json::json;
use zbus::zvariant::{Array, Structure, Value};

use super::{MenuBar, command, item::Watcher};
use crate::{
    desktop::{
        bus::{Bus, has_bus},
        remind,
    },
    harness::{daemon::Daemon, home::Home, wire::Wire},
};

const HOSTILE: &str = "-rf <b>\"bold\"</b> & a_b";

#[test]
fn the_daemons_menu_is_on_the_bus_and_what_is_chosen_is_done() {
    if !has_bus("the menu bar on a bus") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    remind(&mut wire, HOSTILE);
    let mut watcher = Watcher::come(&bus);
    let _menu_bar = MenuBar::start(&home, &bus);
    let item = watcher.item(&bus);

    assert_eq!(item.text(&bus, "Id"), "convergio");
    assert_eq!(item.text(&bus, "Title"), "Convergio");
    assert_eq!(item.text(&bus, "Category"), "ApplicationStatus");
    assert_eq!(item.text(&bus, "Status"), "Active");
    assert_eq!(bool::try_from(item.property(&bus, "ItemIsMenu")), Ok(true));

    // An underscore is one as it stands there; everything else is as it was written.
    let title = HOSTILE.replace('_', "__");
    let menu = item.menu_with(&bus, &title);
    let text = menu.text();
    assert!(text.contains("Next reminders (grey)\n"), "{text}");
    assert!(text.contains("[ ] Pause background work\n"), "{text}");
    assert!(text.ends_with("---\nQuit this menu\n"), "{text}");
    let tooltip = item.property(&bus, "ToolTip");
    let tooltip = Structure::try_from(Value::from(tooltip)).unwrap();
    let description: &str = tooltip.fields()[3].downcast_ref().unwrap();
    assert!(description.starts_with("next: "), "{description}");

    item.click(&bus, menu.id(&["Pause background work"]))
        .unwrap();
    item.menu_with(&bus, "[x] Pause background work");
    assert_eq!(wire.result("background.get", json!({}))["paused"], true);

    item.click(&bus, menu.id(&["<b>", "Done"])).unwrap();
    item.menu_with(&bus, "No reminders");
    let done = wire.result("task.list", json!({"filter": ["state:done"]}));
    assert_eq!(done["total"], 1, "{done}");
}

#[test]
fn the_picture_is_whole_in_every_size() {
    if !has_bus("the menu bar's picture") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let mut watcher = Watcher::come(&bus);
    let _menu_bar = MenuBar::start(&home, &bus);
    let item = watcher.item(&bus);
    let pictures = Array::try_from(Value::from(item.property(&bus, "IconPixmap"))).unwrap();
    assert!(pictures.len() >= 3);
    for picture in pictures.iter() {
        let Value::Structure(picture) = picture else {
            panic!("{picture:?}");
        };
        let side = |place: usize| -> usize {
            let side: i32 = picture.fields()[place].downcast_ref().unwrap();
            side.try_into().unwrap()
        };
        let data: &Array<'_> = picture.fields()[2].downcast_ref().unwrap();
        assert_eq!(side(0), side(1));
        assert_eq!(data.len(), 4 * side(0) * side(1));
    }
}

#[test]
fn a_click_on_an_old_menu_reaches_no_new_entry() {
    if !has_bus("clicks on an old menu") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    remind(&mut wire, "first");
    remind(&mut wire, "second");
    let mut watcher = Watcher::come(&bus);
    let _menu_bar = MenuBar::start(&home, &bus);
    let item = watcher.item(&bus);
    let old = item.menu_with(&bus, "second");
    // Another way does the first; one more is written, so that there are two again, and each
    // stands where another one did.
    wire.result("task.complete", json!({"task": "1"}));
    remind(&mut wire, "third");
    let new = item.menu_where(&bus, |menu| {
        let text = menu.text();
        !text.contains("first") && text.contains("third")
    });
    assert_eq!(new.below.len(), old.below.len());
    for label in ["first", "second"] {
        item.click(&bus, old.id(&[label, "Done"])).unwrap_err();
    }
    // What is meant now is done now, behind which the old clicks would have been.
    item.click(&bus, new.id(&["third", "Done"])).unwrap();
    item.menu_where(&bus, |menu| !menu.text().contains("third"));
    let open = wire.result("task.list", json!({}));
    assert_eq!(open["total"], 1, "{open}");
    assert_eq!(open["tasks"][0]["title"], "second", "{open}");
}

#[test]
fn it_speaks_the_users_language() {
    if !has_bus("the menu bar in Italian") {
        return;
    }
    let home = Home::new();
    let bus = Bus::start(&home, "session");
    let _daemon = Daemon::start(&home);
    let mut watcher = Watcher::come(&bus);
    let mut command = command(&home, &bus, &[]);
    command.env("LANG", "it_IT.UTF-8");
    let _menu_bar = MenuBar::start_by(command);
    let item = watcher.item(&bus);
    let menu = item.menu_with(&bus, "Nessun promemoria");
    assert!(menu.find("Chiudi questo menu").is_some(), "{}", menu.text());
}
