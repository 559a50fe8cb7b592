//! The desktop: the menu and its topics, and a mocked machine that sleeps, runs on a battery and
//! loses its network.

mod acts;
pub mod bus;
mod held;
mod machine;
mod presence;
mod topics;

use serde_json::{Value, json};

use crate::harness::wire::{Wire, new_id};

const CONFLICT: i64 = -32025;

/// Listens to the menu, in this language.
pub fn listen(wire: &mut Wire, language: &str) {
    let params = json!({"topics": ["menu.changed"], "language": language});
    let heard = wire.result("events.subscribe", params);
    assert_eq!(heard["topics"], json!(["menu.changed"]));
}

/// The next event that fits.
fn event_where(wire: &mut Wire, mut fits: impl FnMut(&Value) -> bool) -> Value {
    loop {
        let mut line = wire.line();
        if line["method"] == "events.notification" && fits(&line["params"]) {
            return line["params"].take();
        }
    }
}

/// The next menu that fits; the present one is not looked at again.
pub fn menu_where(wire: &mut Wire, fits: impl Fn(&str) -> bool) -> Value {
    let event = event_where(wire, |event| {
        event["topic"] == "menu.changed" && fits(&shown(&event["menu"]))
    });
    event["menu"].clone()
}

/// A menu as text, an entry a line, for a test to look into.
fn shown(menu: &Value) -> String {
    fn lines(entries: &Value, into: &mut String) {
        for entry in entries.as_array().expect("entries") {
            let check = match entry["checked"].as_bool() {
                Some(true) => "[x] ",
                Some(false) => "[ ] ",
                None => "",
            };
            let text = entry["text"].as_str().unwrap_or("---");
            let id = entry["id"].as_str().expect("an id");
            into.push_str(&format!("{id} | {check}{text}\n"));
            if entry["entries"].is_array() {
                lines(&entry["entries"], into);
            }
        }
    }
    let mut text = format!("{} {}\n", menu["icon"], menu["tooltip"]);
    lines(&menu["entries"], &mut text);
    text
}

/// Writes a task down that is due in an hour; its number.
pub fn remind(wire: &mut Wire, title: &str) -> u64 {
    remind_in(wire, title, 60)
}

/// Writes a task down that is due in so many minutes; its number.
fn remind_in(wire: &mut Wire, title: &str, minutes: u64) -> u64 {
    let params = json!({
        "task_id": new_id(),
        "fields": {"title": title, "when": format!("in {minutes} minutes")},
        "locale": {"languages": ["en"]},
    });
    let created = wire.result("task.create", params);
    created["task"]["number"]
        .as_u64()
        .unwrap_or_else(|| panic!("{created}"))
}

/// The id of the entry whose id begins and ends so.
fn entry(menu: &Value, begins: &str, ends: &str) -> String {
    let text = shown(menu);
    let ids = text.lines().filter_map(|line| line.split(" | ").next());
    ids.filter(|id| id.starts_with(begins) && id.ends_with(ends))
        .map(str::to_owned)
        .next()
        .unwrap_or_else(|| panic!("no {begins}…{ends}: {text}"))
}
