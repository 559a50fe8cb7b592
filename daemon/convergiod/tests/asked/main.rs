//! Questions as a client sees them.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod courses;
mod leave;
#[path = "../support/mod.rs"]
mod support;

use std::fs;

use convergio_fake_provider::{Dialect, FakeProvider};
use convergiod::{BootOptions, Keys};
use serde_json::{Value, json};
use support::{Served, Wire};
use uuid::Uuid;

const BUDGET_EXCEEDED: i64 = -32030;
const CONFIRMATION_REQUIRED: i64 = -32031;
const PRICE_UNKNOWN: i64 = -32034;
const EGRESS_DENIED: i64 = -32036;
const MODEL_UNAVAILABLE: i64 = -32041;
const KEY_UNAVAILABLE: i64 = -32043;
const CONFLICT: i64 = -32025;
const CANCELLED: i64 = -32800;

const PRICED: &str = "price = { input = \"3.00\", output = \"15.00\" }\ncontext = 128000\n";

/// A provider's table.
fn table(name: &str, provider: &FakeProvider, more: &str, model: &str) -> String {
    let base = provider.base_url(Dialect::OpenAi);
    format!(
        "[provider.{name}]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n{more}\n\
         [provider.{name}.model.\"gpt-test\"]\n{model}\n"
    )
}

fn settings(options: &BootOptions, text: &str) {
    let home = options.surroundings.transport.convergio_home.as_ref();
    let folder = home.expect("a home").join("config");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("config.toml"), text).expect("a file");
}

/// A daemon with these settings, whose environment has the key.
fn served(text: &str) -> Served {
    Served::with(|_, options| {
        settings(options, text);
        options.surroundings.keys = key();
    })
}

fn key() -> Keys {
    Keys::Given([("MOCK_KEY".to_owned(), "sk-canary-0123456789".to_owned())].into())
}

fn usual(provider: &FakeProvider) -> Served {
    let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n";
    served(&format!("{head}{}", table("mock", provider, "", PRICED)))
}

fn question(run_id: Uuid, more: Value) -> Value {
    let mut params = json!({
        "run_id": run_id,
        "input": [{"kind": "prompt", "text": "Say hi."}],
        "root": "/r",
        // As a client says that it has not got it.
        "keys": {"MOCK_KEY": ""},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        params[key] = value.clone();
    }
    params
}

/// Asks and reads to the end.
fn ask(wire: &mut Wire, more: Value) -> (Uuid, Vec<Value>) {
    let run_id = Uuid::now_v7();
    wire.result("run.start", question(run_id, more));
    (run_id, wire.events(run_id))
}

fn only<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    let mut found = events.iter().filter(|event| event["type"] == kind);
    let one = found.next().expect(kind);
    assert!(found.next().is_none(), "two of {kind}");
    one
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let durable = events.iter().filter(|event| !event["seq"].is_null());
    durable.filter_map(|event| event["type"].as_str()).collect()
}

/// What the deltas say when they are put together.
fn streamed(events: &[Value]) -> String {
    let mut text = String::new();
    for delta in events.iter().filter(|event| event["type"] == "delta") {
        assert_eq!(delta["offset"], text.len(), "{delta}");
        text.push_str(delta["text"].as_str().expect("text"));
    }
    text
}
