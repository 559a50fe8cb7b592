//! What a person is asked at the terminal itself, before a daemon that says what it is told to.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::{
    binaries, diffs,
    home::Home,
    scripted::{Said, ScriptedDaemon},
    skip,
    terminal::{Shown, run_typing},
};

/// A daemon whose daily cap nobody chose until `budget.set`.
fn daemon(home: &Home) -> ScriptedDaemon {
    let chosen = Arc::new(Mutex::new(false));
    ScriptedDaemon::start(home, move |method, params| {
        let mut chosen = chosen.lock().expect("unpoisoned");
        let budgets = |chosen: bool| {
            Said::result(
                json!({"budgets": [{"window": "day", "limit_nano_usd": 1_000_000_000,
                "posted_nano_usd": 0, "pending_nano_usd": 0, "resets_ms": 1_795_219_200_000_i64,
                "chosen": chosen, "frozen": false}]}),
            )
        };
        match method {
            "run.start" if !*chosen => Said::error(
                -32031,
                "A daily cap must be chosen first",
                json!({"slug": "confirmation_required", "retryable": false}),
            ),
            "run.start" => Said::result(json!({"run_id": params["run_id"], "replayed": false,
                "saved": true})),
            "run.subscribe" if !*chosen => Said::error(-32024, "no such run", Value::Null),
            "run.subscribe" => Said::events(
                &params["run_id"],
                [
                    json!({"type": "started", "kind": "chat", "selection": "hi"}),
                    json!({"type": "message", "part": 0, "text": "Hello.", "stop": "end"}),
                    json!({"type": "completed"}),
                ],
            ),
            "budget.list" => budgets(*chosen),
            "budget.set" => {
                // Nothing may be spent: a start goes on to be refused.
                *chosen = params["limit_usd"] != "0.00";
                budgets(true)
            }
            "provider.set_key" => Said::result(json!({"stored_in": "keychain"})),
            other => Said::error(-32601, &format!("unexpected {other}"), Value::Null),
        }
    })
}

/// Runs a shell's command line with `cv` as `$0`, the terminal being its own.
fn at_terminal(home: &Home, line: &str, talk: &[(&str, &str)]) -> Option<Shown> {
    if !skip::has_program("setsid") {
        skip::loudly("questions at the terminal", "setsid");
        return None;
    }
    let mut command = home.command("setsid");
    command
        .args(["--ctty", "--wait", "sh", "-c", line])
        .arg(binaries().join("cv"))
        .current_dir(home.folder("w"));
    Some(run_typing(command, 80, talk))
}

#[test]
fn the_first_cloud_use_asks_once_for_a_cap_whatever_stdin_is() {
    let home = Home::new();
    let daemon = daemon(&home);
    let question = "in US dollars?";
    let Some(shown) = at_terminal(
        &home,
        "\"$0\" ask hi </dev/null",
        &[(question, "much\n"), (question, "2.50\n")],
    ) else {
        return;
    };
    assert_eq!(shown.code, Some(0), "{}", shown.raw);
    assert!(shown.seen.contains("Hello."), "{}", shown.seen);
    assert!(
        shown.seen.contains("Daily cap: $2.50 · back: cv undo"),
        "{}",
        shown.seen
    );
    assert_eq!(
        daemon.calls("budget.set"),
        [json!({"window": "day", "limit_usd": "2.50", "warns": false})]
    );
    let starts = daemon.calls("run.start");
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0]["run_id"], starts[1]["run_id"]);
    assert_eq!(starts[0]["can_ask"], true);
}

#[test]
fn whoever_declines_spends_nothing_and_programs_are_never_asked() {
    let home = Home::new();
    let daemon = daemon(&home);
    let Some(shown) = at_terminal(&home, "\"$0\" ask hi", &[("in US dollars?", "n\n")]) else {
        return;
    };
    assert_eq!(shown.code, Some(4), "{}", shown.raw);
    let told = "the daily cap is $0.00 as of now";
    assert!(shown.seen.contains(told), "{}", shown.seen);
    // It is kept, so that what asks next without a person spends nothing either.
    let set = daemon.calls("budget.set");
    assert_eq!(set.len(), 1, "{set:?}");
    assert_eq!(set[0]["limit_usd"], "0.00");
    for line in [
        "\"$0\" ask hi --format json",
        "CI=1 \"$0\" ask hi",
        "CONVERGIO_NO_PROMPT=1 \"$0\" ask hi",
    ] {
        let shown = at_terminal(&home, line, &[]).expect("it was there before");
        assert_eq!(shown.code, Some(4), "{line}: {}", shown.raw);
        assert!(!shown.seen.contains("in US dollars?"), "{line}");
    }
    assert!(
        daemon
            .calls("run.start")
            .iter()
            .skip(1)
            .all(|start| start["can_ask"] == false)
    );
}

#[test]
fn whoever_declines_a_cap_is_reviewed_by_the_rules() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, |method, params| match method {
        "config.get" => Said::result(json!({"values": [], "file": "/f", "rev": "1"})),
        "review.start" if params["no_model"] == false => Said::error(
            -32031,
            "A daily cap must be chosen first",
            json!({"slug": "confirmation_required", "retryable": false}),
        ),
        "review.start" => Said::result(json!({"run_id": params["run_id"], "replayed": false,
            "saved": true})),
        "run.subscribe" => Said::events(
            &params["run_id"],
            [
                json!({"type": "started", "kind": "review", "selection": "stdin"}),
                json!({"type": "coverage", "files_total": 1, "files_reviewed": 1, "left_out": [],
                    "unreviewed": [], "lines_reviewed": 1}),
                json!({"type": "completed", "summary": {"findings": 0, "critical": 0, "major": 0,
                    "minor": 0, "nit": 0, "new": 0, "persisting": 0, "resolved": 0,
                    "compared": false, "held_back": 0, "silenced": [], "duration_ms": 9,
                    "reviewer": "rules only", "bytes_sent": 0, "saved": true}}),
            ],
        ),
        "budget.list" => Said::result(
            json!({"budgets": [{"window": "day", "limit_nano_usd": 1_000_000_000,
            "posted_nano_usd": 0, "pending_nano_usd": 0, "resets_ms": 1_795_219_200_000_i64,
            "chosen": false, "frozen": false}]}),
        ),
        "budget.set" => Said::result(json!({"budgets": []})),
        other => Said::error(-32601, &format!("unexpected {other}"), Value::Null),
    });
    std::fs::write(home.folder("w").join("d.diff"), diffs::SMALL).expect("writes");
    let Some(shown) = at_terminal(&home, "\"$0\" review <d.diff", &[("in US dollars?", "n\n")])
    else {
        return;
    };
    assert_eq!(shown.code, Some(0), "{}", shown.raw);
    assert!(shown.seen.contains("rules only"), "{}", shown.seen);
    let starts = daemon.calls("review.start");
    assert_eq!(starts.len(), 2, "it is asked once");
    assert_eq!(starts[1]["no_model"], true);
    assert_eq!(starts[1].get("keys"), None);
    assert_eq!(daemon.calls("budget.set")[0]["limit_usd"], "0.00");
}

#[test]
fn a_key_that_is_typed_does_not_show() {
    let home = Home::new();
    let daemon = daemon(&home);
    let key = "sk-canary-typed-31";
    let answer = format!("{key}\n");
    let Some(shown) = at_terminal(
        &home,
        "\"$0\" provider set-key mock",
        &[("(it does not show): ", &answer)],
    ) else {
        return;
    };
    assert_eq!(shown.code, Some(0), "{}", shown.raw);
    assert!(!shown.raw.contains(key), "{}", shown.raw);
    assert_eq!(daemon.calls("provider.set_key")[0]["key"], key);
}
