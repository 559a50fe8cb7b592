//! Usage, budgets, what left, templates and conversations, before a daemon that says what it is
//! told to.

use serde_json::{Value, json};

use super::three_lines;
use crate::harness::{
    home::Home,
    scripted::{Said, ScriptedDaemon},
};

const RUN: &str = "01900000-0000-7000-8000-00000000000a";

fn budget(limit_nano_usd: i64) -> Value {
    json!({"window": "day", "limit_nano_usd": limit_nano_usd, "posted_nano_usd": 250_000_000,
        "pending_nano_usd": 0, "resets_ms": 1_795_219_200_000_i64, "chosen": true, "frozen": false})
}

fn sum(key: &str, nano: i64) -> Value {
    json!({"key": key, "runs": 1, "attempts": 2, "open": 0, "input_tokens": 1204,
        "output_tokens": 310, "amount_nano_usd": nano, "estimated": 0})
}

fn script(method: &str, params: &Value) -> Said {
    match method {
        "usage.query" => Said::result(json!({
            "rows": [sum("2026-11-20", 8_300_000), sum("2026-11-19", 0)],
            "rows_more": 0, "total": sum("", 8_300_000), "budgets": [budget(2_000_000_000)]})),
        "budget.list" => Said::result(json!({"budgets": [budget(2_000_000_000)]})),
        "budget.set" if params["limit_usd"] == "5.00" => {
            // A policy allows less.
            Said::result(json!({"budgets": [budget(3_000_000_000)]}))
        }
        "budget.set" => Said::result(json!({"budgets": [budget(2_000_000_000)]})),
        "privacy.egress" => Said::result(json!({"rows": [{
            "egress_id": RUN, "run_id": RUN, "at_ms": 1_795_208_935_544_i64,
            "destination": "https://api.example.org:443", "loopback": false, "bytes": 2048,
            "purpose": "answer", "model": "mock/\u{1b}[31mgpt", "redactions": 1,
            "policy": "local-first"}], "bytes_total": 2048, "rows_total": 1})),
        "template.save" => Said::result(json!({"replaced": {"name": params["name"],
            "prompt": "It's {{input}}"}})),
        "template.list" => Said::result(json!({"templates": [
            {"name": "tldr", "prompt": "Summarize: {{input}}", "system": "Be brief"}]})),
        "template.remove" if params["name"] == "tldr" => Said::result(json!({"removed":
            {"name": "tldr", "prompt": "Summarize: {{input}}"}})),
        "template.remove" => Said::result(json!({})),
        "session.list" => Said::result(json!({"sessions": [{"session_id": RUN, "root": "/w",
            "title": "why is\u{7} it", "messages": 2, "created_ms": 1, "updated_ms": 1}]})),
        "session.get" => Said::result(json!({"session": {"session_id": RUN, "root": "/w",
            "title": "why", "messages": 3, "created_ms": 1, "updated_ms": 1},
            "messages": [{"seq": 2, "role": "user", "text": "why?", "created_ms": 1},
                {"seq": 3, "role": "assistant", "text": "**so**\u{1b}[2J", "model": "mock/gpt",
                 "created_ms": 1}],
            "messages_more": 1})),
        "session.delete" => Said::result(json!({"messages": 3})),
        other => Said::error(-32601, &format!("unexpected {other}"), Value::Null),
    }
}

#[test]
fn usage_budgets_and_what_left_are_told() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, script);
    let folder = home.folder("w");
    let cv = |arguments: &[&str]| home.cv(&folder, arguments);

    let used = cv(&["usage", "--since", "7d"]);
    assert_eq!(used.code, Some(0), "{used:?}");
    assert!(used.out.contains("$0.0083"), "{used:?}");
    assert!(used.err.contains("$0.25 of $2.00"), "{used:?}");
    assert!(daemon.calls("usage.query")[0]["since_ms"].is_i64());
    assert_eq!(cv(&["usage", "--by", "model"]).code, Some(0));
    assert_eq!(daemon.calls("usage.query")[1]["by"], "model");
    three_lines(&cv(&["usage", "--since", "yesterday"]), 2);
    let lines = cv(&["usage", "--format", "ndjson"]).out;
    let kinds: Vec<String> = lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(line["v"], 1);
            line["type"].as_str().expect("a type").to_owned()
        })
        .collect();
    assert_eq!(kinds, ["row", "row", "completed"]);

    let set = cv(&["budget", "set", "daily", "2.00"]);
    assert!(set.out.contains("Daily cap: $2.00"), "{set:?}");
    assert!(set.out.contains("back: cv undo"), "{set:?}");
    assert_eq!(
        daemon.calls("budget.set")[0],
        json!({"window": "day", "limit_usd": "2.00", "warns": false})
    );
    let less = cv(&["budget", "set", "daily", "5"]);
    assert!(less.out.contains("Daily cap: $3.00"), "{less:?}");
    three_lines(&cv(&["budget", "set", "daily", "-1"]), 2);
    three_lines(&cv(&["budget", "set", "daily", "much"]), 2);

    let left = cv(&["privacy", "egress"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    assert!(left.out.contains("https://api.example.org:443"), "{left:?}");
    assert!(left.out.contains("1 secret"), "{left:?}");
    assert!(!left.out.contains('\u{1b}'), "{left:?}");
}

#[test]
fn a_template_that_was_replaced_or_removed_can_be_typed_back() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, script);
    let folder = home.folder("w");
    let saved = home.cv_with_input(&folder, &["template", "save", "tldr"], b"Short: {{input}}");
    assert_eq!(saved.code, Some(0), "{saved:?}");
    assert_eq!(
        daemon.calls("template.save")[0],
        json!({"name": "tldr", "prompt": "Short: {{input}}"})
    );
    assert!(
        saved
            .out
            .contains("back: cv template save tldr -- 'It'\\''s {{input}}'"),
        "{saved:?}"
    );
    let removed = home.cv(&folder, &["template", "remove", "tldr"]);
    assert!(
        removed.out.contains("cv template save tldr --"),
        "{removed:?}"
    );
    three_lines(&home.cv(&folder, &["template", "remove", "none"]), 2);
    three_lines(&home.cv(&folder, &["template", "show", "none"]), 2);
    three_lines(&home.cv(&folder, &["template", "save", "empty"]), 2);
    let shown = home.cv(&folder, &["template", "show", "tldr"]);
    assert_eq!(shown.out, "Summarize: {{input}}\n");
    assert!(home.cv(&folder, &["template"]).out.contains("tldr"));
}

#[test]
fn conversations_are_listed_read_and_removed_for_good() {
    let home = Home::new();
    let _daemon = ScriptedDaemon::start(&home, script);
    let folder = home.folder("w");
    let listed = home.cv(&folder, &["sessions"]);
    assert!(listed.out.contains(RUN), "{listed:?}");
    assert!(!listed.out.contains('\u{7}'), "{listed:?}");
    let shown = home.cv(&folder, &["sessions", "show", RUN]);
    assert!(shown.out.contains("**so**"), "{shown:?}");
    assert!(!shown.out.contains('\u{1b}'), "{shown:?}");
    assert!(shown.err.contains("1 message before these"), "{shown:?}");
    let removed = home.cv(&folder, &["session", "rm", RUN]);
    assert!(removed.out.contains("no way back"), "{removed:?}");
    three_lines(&home.cv(&folder, &["sessions", "show", "x"]), 2);
}
