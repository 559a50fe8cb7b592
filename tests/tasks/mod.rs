//! Tasks through the real daemon: written down, changed, listed, taken back, out and in again.

mod changes;
mod transfer;
mod words;

use serde_json::{Value, json};

use crate::harness::wire::{Wire, new_id};

/// Who asks: somebody in Rome.
fn rome(language: &str) -> Value {
    json!({"zone": "Europe/Rome", "languages": [language], "day_first": true})
}

/// Asks for a task in a sentence.
fn create(wire: &mut Wire, text: &str) -> Value {
    let params = json!({"task_id": new_id(), "text": text, "locale": rome("en")});
    wire.result("task.create", params)
}

/// Asks for a task with this title alone.
fn titled(wire: &mut Wire, title: &str) -> Value {
    let params = json!({"task_id": new_id(), "fields": {"title": title}});
    wire.result("task.create", params)
}

/// The titles of a list, in its order.
fn titles(wire: &mut Wire, filter: &[&str]) -> Vec<String> {
    let params = json!({"filter": filter, "sort": "number", "locale": rome("en")});
    let listed = wire.result("task.list", params);
    let tasks = listed["tasks"].as_array().unwrap();
    tasks
        .iter()
        .map(|task| task["title"].as_str().unwrap().to_owned())
        .collect()
}

fn task(wire: &mut Wire, number: u64) -> Value {
    let params = json!({"task": number.to_string(), "locale": rome("en")});
    wire.result("task.get", params)["task"].take()
}

/// Takes a change back.
fn take_back(wire: &mut Wire, changed: &Value) {
    let params = json!({"undo_id": changed["undo_id"], "files": []});
    let done = wire.result("undo.apply", params);
    assert_eq!(done["done"], true);
    // Once more is the same.
    let params = json!({"undo_id": changed["undo_id"], "files": []});
    assert_eq!(wire.result("undo.apply", params)["done"], true);
}

/// Codes of the error table.
const INVALID: i64 = -32602;
const NOT_FOUND: i64 = -32024;
const CONFLICT: i64 = -32025;
const TOO_LARGE: i64 = -32026;
