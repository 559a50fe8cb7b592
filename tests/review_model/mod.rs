//! Reviews in which a model looks behind the rules: the real programs before a scripted provider.

mod course;
mod endings;
mod hostile;
mod wires;

use std::{fs, path::PathBuf, process::Command};

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Request, Script};
use serde_json::{Value, json};

use crate::harness::{
    diffs,
    home::{Home, Ran},
    process::run,
    wire::{Wire, new_id, review_params},
};

/// The client's key.
const KEY: &str = "sk-canary-77c1e0";

/// What rules find nothing in and a model may.
const CART: &str = "\
diff --git a/shop/cart.py b/shop/cart.py
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -1,2 +1,4 @@
 def total(items):
-    return sum(items)
+    count = len(items)
+    average = sum(items) / count
+    return average * count
";

/// A fault in it that stands.
fn fault() -> Value {
    claim(
        "shop/cart.py",
        3,
        "average = sum(items) / count",
        "Division by zero for an empty cart",
    )
}

fn claim(path: &str, line: u32, quote: &str, title: &str) -> Value {
    json!({
        "path": path, "line_start": line, "line_end": line, "quote": quote,
        "severity": "major", "confidence": 0.9, "title": title,
        "body": "The list may be empty.", "trigger": "total([])", "suggestion": null,
    })
}

/// The rules' two findings, and room for a model's.
fn both() -> String {
    format!("{}{CART}", diffs::SMALL)
}

/// Whether a request is a second look.
fn argues(request: &Request) -> bool {
    request.prompt().contains("You check findings")
}

/// Whether a request is the look across files.
fn across(request: &Request) -> bool {
    request.prompt().contains("the last pass, across files")
}

/// All numbered findings of a second look stand, or fall.
fn verdicts(request: &Request, stands: bool) -> Reply {
    let prompt = request.prompt();
    let listed = prompt.split("The findings:").nth(1).unwrap_or_default();
    let numbers = (1..=20).filter(|n| listed.contains(&format!("\n{n}. ")));
    let verdicts: Vec<Value> = numbers
        .map(|n| json!({"n": n, "reason": "so it is", "stands": stands}))
        .collect();
    Reply::json(&json!({"verdicts": verdicts}))
}

/// A model that finds these in whatever holds their file, and stands by them or not.
fn model(findings: Vec<Value>, stands: bool) -> Script {
    Script::answer(move |request| {
        if argues(request) {
            return verdicts(request, stands);
        }
        if across(request) {
            return Reply::json(&json!({"findings": []}));
        }
        Reply::json(&json!({ "findings": findings }))
    })
}

/// A home whose model is a fake's.
struct Desk {
    home: Home,
    folder: PathBuf,
    provider: FakeProvider,
}

impl Desk {
    fn new(script: Script) -> Self {
        Self::with(Dialect::OpenAi, script, "", "context = 128000")
    }

    /// With further lines of the provider's table, and of its model's.
    fn with(dialect: Dialect, script: Script, more: &str, of_model: &str) -> Self {
        let desk = Self {
            home: Home::new(),
            folder: PathBuf::new(),
            provider: FakeProvider::start(script),
        };
        let desk = Self {
            folder: desk.home.folder("w"),
            ..desk
        };
        desk.configure(dialect, "2.00", "", more, of_model);
        desk
    }

    fn configure(&self, dialect: Dialect, daily: &str, models: &str, more: &str, of_model: &str) {
        let kind = match dialect {
            Dialect::Anthropic => "anthropic",
            Dialect::OpenAi => "openai",
            Dialect::Responses => "openai-responses",
            Dialect::Gemini => "gemini",
            Dialect::Ollama => "ollama",
        };
        let base = self.provider.base_url(dialect);
        let folder = self.home.convergio().join("config");
        fs::create_dir_all(&folder).expect("a folder");
        let text = format!(
            "[models]\ndefault = \"mock/gpt-test\"\n{models}\n[budget]\ndaily_usd = \"{daily}\"\n\
             [provider.mock]\nkind = \"{kind}\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
             {more}\n[provider.mock.model.\"gpt-test\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\n{of_model}\n"
        );
        fs::write(folder.join("config.toml"), text).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.cv_command(&self.folder, arguments);
        command.env("MOCK_KEY", KEY).env("CONVERGIO_NO_PROMPT", "1");
        command
    }

    /// `cv` with a diff on stdin.
    fn cv(&self, arguments: &[&str], diff: &str) -> Ran {
        run(&mut self.command(arguments), diff.as_bytes())
    }

    /// A review as one JSON document.
    fn json(&self, arguments: &[&str], diff: &str) -> (Ran, Value) {
        let mut all = vec!["review", "--format", "json"];
        all.extend(arguments);
        let ran = self.cv(&all, diff);
        let document = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
        (ran, document)
    }

    /// Starts a review over the wire and subscribes to it.
    fn start(&self, diff: &str, more: Value) -> (Wire, String) {
        let mut wire = Wire::open(&self.home);
        let run_id = new_id();
        let mut params = review_params(&run_id, &self.folder, diff);
        params["keys"] = json!({"MOCK_KEY": KEY});
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        wire.result("review.start", params);
        wire.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
        (wire, run_id)
    }

    /// A review over the wire, to its end.
    fn events(&self, diff: &str) -> Vec<Value> {
        assert_eq!(self.cv(&["status"], "").code, Some(0));
        self.start(diff, json!({})).0.events_to_end()
    }
}

/// The titles of what was found, in order.
fn titles(findings: &Value) -> Vec<String> {
    let findings = findings.as_array().expect("findings").iter();
    findings
        .map(|finding| finding["title"].as_str().expect("a title").to_owned())
        .collect()
}

fn of_type<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

/// Each attempt was settled once, and the numbers of the events have no gap.
fn settled(events: &[Value]) {
    let attempts = |kind: &str| {
        let mut numbers: Vec<u64> = of_type(events, kind)
            .iter()
            .map(|event| event["attempt"].as_u64().expect("a number"))
            .collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(attempts("plan"), attempts("usage"), "{events:#?}");
    let numbers: Vec<u64> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "{events:#?}");
}
