//! `cv ask` and `cv review` before a daemon that says what it is told to: what is sent, what is
//! sent again, and how endings are told.

use serde_json::{Value, json};

use super::three_lines;
use crate::harness::{
    diffs,
    home::{Home, Ran},
    scripted::{Said, ScriptedDaemon},
};

const KEY: &str = "sk-canary-5b20";

fn started() -> Value {
    json!({"type": "started", "kind": "chat", "selection": "hi"})
}

fn plan() -> Value {
    json!({"type": "plan", "attempt": 1, "provider": "mock", "model": "gpt-test", "local": false,
        "destination": "https://api.example.org", "max_output": 4096, "hold_nano_usd": 5,
        "purpose": "answer", "reason": "configured"})
}

fn delta(offset: usize, text: &str) -> Value {
    json!({"type": "delta", "after_seq": 2, "part": 0, "offset": offset, "text": text})
}

fn message(text: &str, stop: &str) -> Value {
    json!({"type": "message", "part": 0, "text": text, "stop": stop})
}

fn completed(stop: &str) -> Value {
    json!({"type": "completed", "answer": {"provider": "mock", "model": "gpt-test",
        "local": false, "stop": stop, "input_tokens": 1204, "output_tokens": 310,
        "amount_nano_usd": 8_300_000, "attempts": 1, "duration_ms": 2100, "bytes_sent": 900,
        "saved": true}})
}

/// Answers every question with the same events.
fn answering(events: Vec<Value>) -> impl Fn(&str, &Value) -> Said + Send + Sync {
    move |method, params| match method {
        "run.start" => Said::result(json!({"run_id": params["run_id"], "replayed": false,
            "saved": true})),
        "run.subscribe" => Said::events(&params["run_id"], events.clone()),
        "run.cancel" => Said::error(-32024, "gone", Value::Null),
        "run.get" => Said::result(json!({"run_id": params["run_id"], "kind": "chat",
            "state": "completed", "root": "/w", "selection": "hi", "started_ms": 1,
            "last_seq": 3, "saved": true})),
        "budget.list" => Said::result(json!({"budgets": [{"window": "day",
            "limit_nano_usd": 1_000_000_000, "posted_nano_usd": 8_300_000, "pending_nano_usd": 0,
            "resets_ms": 1_795_219_200_000_i64, "chosen": false, "frozen": false}]})),
        "undo.put" => Said::result(json!({})),
        other => Said::error(-32601, &format!("unexpected {other}"), Value::Null),
    }
}

fn ask(home: &Home, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = home.cv_command(&home.folder("w"), &[&["ask"], arguments].concat());
    command.env("MOCK_KEY", KEY).env("CONVERGIO_NO_PROMPT", "1");
    crate::harness::process::run(&mut command, input)
}

fn whole(text: &str) -> Vec<Value> {
    vec![
        started(),
        plan(),
        delta(0, text),
        message(text, "end"),
        completed("end"),
    ]
}

#[test]
fn a_missing_key_that_is_set_here_is_sent_once_more_with_the_same_run() {
    let home = Home::new();
    let answers = answering(whole("Hello."));
    let daemon = ScriptedDaemon::start(&home, move |method, params| {
        if method == "run.start" && params["keys"]["MOCK_KEY"] != KEY {
            return Said::error(
                -32043,
                "There is no key for mock",
                json!({"slug": "key_unavailable", "retryable": false,
                    "env_names": ["MOCK_KEY", "OTHER_KEY"]}),
            );
        }
        if method == "run.subscribe" && params["run_id"].is_null() {
            return Said::error(-32024, "no such run", Value::Null);
        }
        answers(method, params)
    });
    let ran = ask(&home, &["hi", "-"], b"from the pipe");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "Hello."), "{ran:?}");
    let starts = daemon.calls("run.start");
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0]["run_id"], starts[1]["run_id"]);
    assert_eq!(
        starts[1]["input"],
        json!([{"kind": "prompt", "text": "hi"}, {"kind": "stdin", "text": "from the pipe"}])
    );
    assert!(!format!("{}{}", ran.out, ran.err).contains(KEY));
    // Nobody chose the cap, and money was spent under it.
    assert!(
        ran.err
            .contains("daily cap $1.00 (default): cv budget set daily 2.00"),
        "{ran:?}"
    );
}

#[test]
fn a_key_that_nobody_has_is_no_reason_to_go_round_in_circles() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, |_, _| {
        Said::error(
            -32043,
            "There is no key for mock",
            json!({"slug": "key_unavailable", "retryable": false, "env_names": ["OTHER_KEY"],
                "hint": "cv provider set-key mock"}),
        )
    });
    three_lines(&ask(&home, &["hi"], b""), 3);
    let starts = daemon.calls("run.start");
    // Once more at most, to say that it is not here either.
    assert!(starts.len() <= 2, "{starts:?}");
    assert!(
        starts
            .iter()
            .all(|start| start["run_id"] == starts[0]["run_id"])
    );
    if let Some(again) = starts.get(1) {
        assert_eq!(again["keys"]["OTHER_KEY"], "");
    }
}

#[test]
fn the_choices_of_the_command_line_travel() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, answering(whole("ok")));
    let file = home.folder("w").join("a.txt");
    std::fs::write(&file, "text\n").expect("a file");
    let ran = ask(
        &home,
        &[
            "-c",
            "-m",
            "mock/x",
            "--max-output",
            "9",
            "--max-cost",
            "0.25",
            "--local-only",
            "--system",
            "Be brief",
            "-t",
            "tldr",
            "--var",
            "lines=3",
            "-a",
            "a.txt",
            "--ephemeral",
            "what",
            "now?",
        ],
        b"",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let start = &daemon.calls("run.start")[0];
    for (member, value) in [
        ("session", json!({"use": "latest"})),
        ("model", json!("mock/x")),
        ("max_output", json!(9)),
        ("max_cost_nano_usd", json!(250_000_000)),
        ("policy", json!("local-only")),
        ("system", json!("Be brief")),
        ("template", json!("tldr")),
        ("variables", json!({"lines": "3"})),
        ("ephemeral", json!(true)),
        ("can_ask", json!(false)),
        (
            "input",
            json!([{"kind": "prompt", "text": "what now?"},
                {"kind": "file", "name": "a.txt", "text": "text\n"}]),
        ),
    ] {
        assert_eq!(start[member], value, "{member}");
    }
}

#[test]
fn every_ending_has_its_exit_code_and_its_document() {
    let failed = |code: i32, slug: &str| {
        vec![
            started(),
            plan(),
            delta(0, "half"),
            message("half", "broken"),
            json!({"type": "failed", "error": {"code": code, "message": "It broke",
                "data": {"slug": slug, "retryable": false}}}),
        ]
    };
    let stopped = |stop: &str| {
        vec![
            started(),
            plan(),
            delta(0, "half"),
            message("half", stop),
            completed(stop),
        ]
    };
    for (events, code, slug) in [
        (stopped("max_output"), 6, "incomplete"),
        (stopped("context_full"), 6, "incomplete"),
        (stopped("refusal"), 3, "declined"),
        (stopped("content_filter"), 3, "declined"),
        (failed(-32040, "provider_error"), 3, "provider_error"),
        (failed(-32030, "budget_exceeded"), 4, "budget_exceeded"),
        (failed(-32036, "egress_denied"), 8, "egress_denied"),
        (failed(-32045, "storage_error"), 70, "storage_error"),
    ] {
        let home = Home::new();
        let _daemon = ScriptedDaemon::start(&home, answering(events));
        let text = ask(&home, &["hi"], b"");
        assert_eq!(text.code, Some(code), "{slug}: {text:?}");
        assert_eq!(text.out, "half", "what came stays: {text:?}");
        assert!(text.err.contains("error: "), "{text:?}");
        assert!(
            text.err.contains("The answer above is not whole."),
            "{text:?}"
        );
        let json = ask(&home, &["hi", "--format", "json"], b"");
        assert_eq!(json.code, Some(code), "{slug}: {json:?}");
        let document: Value = serde_json::from_str(&json.out).expect("one document");
        assert_eq!(document["v"], 1);
        assert_eq!(document["answer"], "half");
        assert_eq!(document["complete"], false);
        assert_eq!(document["error"]["slug"], slug);
        let lines = ask(&home, &["hi", "--format", "ndjson"], b"");
        assert_eq!(lines.code, Some(code), "{slug}: {lines:?}");
        let terminal = lines
            .out
            .lines()
            .filter(|line| {
                let line: Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(line["v"], 1);
                matches!(
                    line["type"].as_str(),
                    Some("completed" | "failed" | "cancelled")
                )
            })
            .count();
        assert_eq!(terminal, 1, "{lines:?}");
    }
}

#[test]
fn code_json_and_files_are_whole_or_not_at_all() {
    let home = Home::new();
    let answer = "Here:\n```json\n{\"n\": 3}\n```\nand\n```\nmore\n```\n";
    let _daemon = ScriptedDaemon::start(&home, answering(whole(answer)));
    let folder = home.folder("w");
    let code = ask(&home, &["--code", "hi"], b"");
    assert_eq!((code.code, code.out.as_str()), (Some(0), "{\"n\": 3}\n"));
    let schema = folder.join("s.json");
    std::fs::write(&schema, r#"{"type": "object"}"#).expect("a file");
    let misfit = ask(&home, &["--schema", "s.json", "hi"], b"");
    assert_eq!(misfit.code, Some(3), "{misfit:?}");
    assert_eq!(misfit.out, "", "no JSON is better than none that fits");
    std::fs::write(folder.join("f"), "old").expect("a file");
    let written = ask(&home, &["-o", "f", "--code", "hi"], b"");
    assert_eq!(written.code, Some(0), "{written:?}");
    assert_eq!(written.out, "");
    assert_eq!(
        std::fs::read_to_string(folder.join("f")).expect("the file"),
        "{\"n\": 3}\n"
    );
    assert!(written.err.contains("back: cv undo"), "{written:?}");

    let home = Home::new();
    let broken = vec![
        started(),
        plan(),
        delta(0, "half"),
        message("half", "broken"),
        json!({"type": "failed", "error": {"code": -32040, "message": "It broke"}}),
    ];
    let _daemon = ScriptedDaemon::start(&home, answering(broken));
    let folder = home.folder("w");
    std::fs::write(folder.join("f"), "old").expect("a file");
    let partial = ask(&home, &["-o", "f", "hi"], b"");
    assert_eq!(partial.code, Some(3), "{partial:?}");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file");
    assert_eq!(
        (read("f").as_str(), read("f.partial").as_str()),
        ("old", "half")
    );
    assert!(partial.err.contains("f.partial"), "{partial:?}");
    let none = ask(&home, &["--code", "hi"], b"");
    assert_eq!((none.code, none.out.as_str()), (Some(3), ""));
}

#[test]
fn what_is_wrong_with_the_command_is_said_before_anything_is_asked() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, answering(whole("ok")));
    std::fs::write(home.folder("w").join("b"), b"PNG\0").expect("a file");
    for arguments in [
        &["hi", "-a", "b"][..],
        &["hi", "-a", "missing"],
        &["hi", "-", "--no-stdin"],
        &["hi", "--schema", "missing.json"],
        &["hi", "--schema", "b"],
        &["hi", "--code", "--schema", "b"],
        &["hi", "-o", "f", "--format", "ndjson"],
        &["hi", "--max-cost", "much"],
        &["hi", "--var", "a=b"],
        &[
            "hi",
            "-c",
            "--session",
            "01900000-0000-7000-8000-00000000000a",
        ],
        &[],
    ] {
        three_lines(&ask(&home, arguments, b""), 2);
    }
    assert_eq!(ask(&home, &["hi", "-o", "no/such/f"], b"").code, Some(2));
    assert!(daemon.calls("run.start").is_empty());
}

#[test]
fn hostile_answers_drive_no_terminal_and_stay_readable_in_pipes() {
    let home = Home::new();
    let hostile = "a\u{1b}]0;t\u{7}\u{1b}[2J caffè\t👩\u{200d}👧\r\nb";
    let _daemon = ScriptedDaemon::start(&home, answering(whole(hostile)));
    for format in ["text", "md", "json", "ndjson"] {
        let ran = ask(&home, &["hi", "--format", format], b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.out.contains(['\u{1b}', '\u{7}']), "{format}: {ran:?}");
    }
    let text = ask(&home, &["hi"], b"").out;
    assert!(text.ends_with("caffè\t👩\u{200d}👧\r\nb"), "{text:?}");
}

#[test]
fn a_run_is_read_again_as_the_answer_that_it_is() {
    let home = Home::new();
    let _daemon = ScriptedDaemon::start(&home, answering(whole("Hello.")));
    let folder = home.folder("w");
    let run = "01900000-0000-7000-8000-00000000000a";
    let read = home.cv(&folder, &["attach", run]);
    assert_eq!(
        (read.code, read.out.as_str()),
        (Some(0), "Hello."),
        "{read:?}"
    );
    assert!(
        read.err.contains("gpt-test · 1,204 in, 310 out"),
        "{read:?}"
    );
    three_lines(&home.cv(&folder, &["attach", run, "--format", "sarif"]), 2);
}

#[test]
fn a_model_that_breaks_off_leaves_the_findings_of_a_review() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, |method, params| match method {
        "config.get" => Said::result(json!({"values": [], "file": "/f", "rev": "1"})),
        "review.start" => Said::result(json!({"run_id": params["run_id"], "replayed": false,
            "saved": true})),
        "run.subscribe" => Said::events(
            &params["run_id"],
            [
                json!({"type": "started", "kind": "review", "selection": "stdin"}),
                plan(),
                json!({"type": "finding", "n": 1, "rule": "model", "title": "Off by one",
                    "body": "b", "severity": "major", "confidence": 0.9, "path": "a.py",
                    "line_range": [1, 1], "evidence": "x", "trigger": "t",
                    "fingerprint": "a".repeat(64), "status": "new"}),
                json!({"type": "coverage", "files_total": 1, "files_reviewed": 1, "left_out": [],
                    "unreviewed": [], "lines_reviewed": 1}),
                json!({"type": "completed", "summary": {"findings": 1, "critical": 0, "major": 1,
                    "minor": 0, "nit": 0, "new": 1, "persisting": 0, "resolved": 0,
                    "compared": false, "held_back": 0, "silenced": [], "duration_ms": 9,
                    "reviewer": "mock/gpt-test", "bytes_sent": 900, "saved": true,
                    "model": {"name": "mock/gpt-test", "local": false, "complete": false,
                        "error": {"code": -32040, "message": "The provider went away"},
                        "chunks": 3, "chunks_done": 1, "proposed": 2, "unanchored": 1,
                        "rejected": 0, "duplicates": 0, "redactions": 2,
                        "amount_nano_usd": 8_300_000}}}),
            ],
        ),
        "budget.list" => Said::result(json!({"budgets": []})),
        other => Said::error(-32601, &format!("unexpected {other}"), Value::Null),
    });
    let folder = home.folder("w");
    let review = |arguments: &[&str]| {
        let mut command = home.cv_command(&folder, &[&["review"], arguments].concat());
        command.env("CONVERGIO_NO_PROMPT", "1");
        crate::harness::process::run(&mut command, diffs::SMALL.as_bytes())
    };
    let text = review(&["--focus", "loops", "-m", "mock/gpt-test", "--max-cost", "1"]);
    assert_eq!(text.code, Some(3), "{text:?}");
    for part in [
        "Off by one",
        "2 secrets masked in what the model was sent",
        "mock/gpt-test looked at 1 of 3 parts",
        "$0.0083",
    ] {
        assert!(text.out.contains(part), "{part}: {text:?}");
    }
    assert!(
        text.err
            .contains("mock/gpt-test looks too, https://api.example.org"),
        "{text:?}"
    );
    assert!(
        text.err.contains("error: The provider went away"),
        "{text:?}"
    );
    let start = &daemon.calls("review.start")[0];
    assert_eq!(start["focus"], "loops");
    assert_eq!(start["max_cost_nano_usd"], 1_000_000_000);
    assert_eq!(start["no_model"], false);
    let json = review(&["--format", "json"]);
    assert_eq!(json.code, Some(3), "{json:?}");
    let document: Value = serde_json::from_str(&json.out).expect("one document");
    assert_eq!(document["complete"], false);
    assert_eq!(document["findings"][0]["title"], "Off by one");
    assert_eq!(document["error"]["slug"], "provider_error");
    assert_eq!(review(&["--no-model"]).code, Some(3));
    let start = &daemon.calls("review.start")[2];
    assert_eq!(start["no_model"], true);
    assert_eq!(
        start.get("keys"),
        None,
        "keys go only where they are needed"
    );
}

#[test]
fn an_abandoned_question_says_what_it_cost_or_that_nobody_knows_yet() {
    for (settles, cost) in [(true, json!("0.0007")), (false, Value::Null)] {
        let home = Home::new();
        // It never ends by itself.
        let answers = answering(vec![started(), plan(), delta(0, "half")]);
        let daemon = ScriptedDaemon::start(&home, move |method, params| match method {
            "run.cancel" if settles => Said::result(json!({"run_id": params["run_id"],
                "kind": "chat", "state": "cancelled", "root": "/w", "selection": "hi",
                "started_ms": 1, "last_seq": 3, "saved": true})),
            "usage.query" => {
                let row = json!({"key": "total", "runs": 1, "attempts": 1, "open": 0,
                    "input_tokens": 82, "output_tokens": 2, "amount_nano_usd": 700_000,
                    "estimated": 1});
                Said::result(json!({"rows": [], "rows_more": 0, "total": row, "budgets": []}))
            }
            _ => answers(method, params),
        });
        let json = ask(
            &home,
            &["hi", "--timeout", "300ms", "--format", "json"],
            b"",
        );
        assert_eq!(json.code, Some(124), "{json:?}");
        let document: Value = serde_json::from_str(&json.out).expect("one document");
        assert_eq!(document["cost_usd"], cost, "{document}");
        assert_eq!(document["answer"], "half");
        assert_eq!(document["complete"], false);
        assert_eq!(daemon.calls("run.cancel").len(), 1);
        assert_eq!(
            daemon.calls("run.cancel")[0]["run_id"],
            daemon.calls("run.start")[0]["run_id"]
        );
        let text = ask(&home, &["hi", "--timeout", "300ms"], b"");
        assert_eq!(
            (text.code, text.out.as_str()),
            (Some(124), "half"),
            "{text:?}"
        );
        let told = if settles {
            "at most $0.0007"
        } else {
            "cost: cv usage --run"
        };
        assert!(text.err.contains(told), "{text:?}");
    }
}
