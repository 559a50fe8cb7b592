//! The official SDKs before the gateway: each call of theirs is one run, one attempt and one bill,
//! and each refusal has the type that their users catch.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use convergio_fake_provider::{At, Dialect, FakeProvider, Reply, Request, Script};
use serde_json::{Value, json};

use super::{DEAR, is_sound, settings};
use crate::{
    ask::{House, KEY},
    harness::{
        daemon::Daemon,
        process::run,
        root,
        wire::{Wire, new_id},
    },
};

const DOLLAR: u64 = 1_000_000_000;

/// What the provider makes of the SDKs' questions.
pub(super) fn scripted(request: &Request) -> Reply {
    let said = String::from_utf8_lossy(&request.body);
    let reply = if said.contains("Be limited") {
        Reply::error(429, "rate_limit_error", "Slow down").retry_after(3_600)
    } else if said.contains("Break off") {
        Reply::text("One two three").reset_after(At::Delta(2))
    } else if said.contains("Rain.") {
        Reply::text("Take an umbrella.")
    } else if said.contains("the weather") {
        Reply::tool_call("weather", &json!({"city": "Zürich"}))
    } else {
        Reply::text("Hello there.")
    };
    reply.usage(20, 3)
}

/// A token of the gateway's while the connection lasts: its secret and the gateway's address.
pub(super) fn token(wire: &mut Wire, name: &str, max_usd: &str) -> (String, String) {
    let params = json!({
        "name": name, "client": "proof", "max_usd": max_usd, "while_connected": true,
        "keys": {"MOCK_KEY": KEY},
    });
    let made = wire.result("token.create", params);
    let text = |value: &Value| {
        let text = value.as_str().unwrap_or_else(|| panic!("{made}"));
        text.to_owned()
    };
    (text(&made["secret"]), text(&made["gateway"]["url"]))
}

/// A program's lines by what it did.
fn played(
    house: &House,
    program: &[&str],
    environment: &[(&str, &str)],
) -> BTreeMap<String, Value> {
    let mut command = house.home.command(program[0]);
    command
        .args(&program[1..])
        .current_dir(&house.folder)
        .envs(environment.iter().copied());
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, Some(0), "{program:?}: {ran:?}");
    let lines = ran.out.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        (line["op"].as_str().expect("an op").to_owned(), line)
    });
    lines.collect()
}

/// Where `just sdk` has put them.
fn installed() -> PathBuf {
    let folder = std::env::var_os("CONVERGIO_SDK");
    PathBuf::from(folder.expect("CONVERGIO_SDK names the folder with the SDKs: `just sdk`"))
}

fn check(what: &str, said: &BTreeMap<String, Value>, anthropic: bool) {
    let of = |op: &str| {
        said.get(op)
            .unwrap_or_else(|| panic!("{what}: no {op}: {said:?}"))
    };
    for op in ["whole", "stream", "helper"] {
        let line = of(op);
        let stop = if anthropic { "end_turn" } else { "stop" };
        assert_eq!(line["text"], "Hello there.", "{what}: {line}");
        assert_eq!(line["stop"], stop, "{what}: {line}");
        for (field, count) in [("input", 20), ("output", 3)] {
            let told = &line[field];
            assert!(told.is_null() || *told == count, "{what}: {line}");
        }
    }
    assert_eq!(of("whole")["input"], 20, "{what}");
    assert_eq!(of("stream")["output"], 3, "{what}");
    assert!(of("stream")["pieces"].as_u64() >= Some(1), "{what}");
    let tool = of("tool");
    assert_eq!(tool["name"], "weather", "{what}: {tool}");
    assert_eq!(
        tool["arguments"],
        json!({"city": "Zürich"}),
        "{what}: {tool}"
    );
    assert_eq!(tool["id"], true, "{what}: {tool}");
    assert_eq!(tool["text"], "Take an umbrella.", "{what}: {tool}");
    let stop = if anthropic { "tool_use" } else { "tool_calls" };
    assert_eq!(tool["stop"], stop, "{what}: {tool}");
    assert_eq!(of("models")["has_model"], true, "{what}: {}", of("models"));
    let broken = of("broken");
    assert_eq!(broken["text"], "One two ", "{what}: {broken}");
    assert_eq!(
        broken["error"], true,
        "{what}: what is cut is said: {broken}"
    );
    for (op, status, error) in [
        ("no_model", 404, "NotFoundError"),
        ("bad", 400, "BadRequestError"),
        ("limited", 429, "RateLimitError"),
        ("wrong_token", 401, "AuthenticationError"),
    ] {
        let line = of(op);
        assert_eq!(line["status"], status, "{what}: {line}");
        assert_eq!(line["error"][0], error, "{what}: {line}");
    }
    let poor = of("poor");
    assert_eq!(poor["status"], 402, "{what}: {poor}");
    let message = poor["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("budget") || message.contains("Budget"),
        "{what}: {poor}"
    );
}

#[test]
#[ignore = "needs the SDKs: `just sdk`"]
fn the_official_sdks_stream_call_tools_and_are_told_their_errors() {
    let sdk = installed();
    let python = sdk.join("bin/python");
    let here = root().join("tests/sdk");
    let program = |runner: &Path, name: &str| -> Vec<String> {
        let file = here.join(name);
        vec![runner.display().to_string(), file.display().to_string()]
    };
    for upstream in [Dialect::OpenAi, Dialect::Anthropic] {
        for (name, runner) in [
            ("openai_sdk.py", python.as_path()),
            ("anthropic_sdk.py", python.as_path()),
            ("openai_sdk.mjs", Path::new("node")),
            ("anthropic_sdk.mjs", Path::new("node")),
        ] {
            let what = format!("{name} before {upstream:?}");
            let provider = FakeProvider::start(Script::answer(scripted));
            let base = provider.base_url(upstream);
            let house = House::before(provider, upstream, &base, "");
            house.configure(&settings(upstream, &base, 100 * DOLLAR, DEAR));
            let _daemon = Daemon::start(&house.home);
            let mut wire = Wire::open(&house.home);
            let (secret, address) = token(&mut wire, &format!("sdk-{}", new_id()), "50");
            let (poor, _) = token(&mut wire, &format!("poor-{}", new_id()), "0.000001");
            let program = program(runner, name);
            let program: Vec<&str> = program.iter().map(String::as_str).collect();
            let environment = [
                (
                    "CONVERGIO_BASE",
                    address.trim_end_matches('/').trim_end_matches("/v1"),
                ),
                ("CONVERGIO_TOKEN", secret.as_str()),
                ("CONVERGIO_POOR", poor.as_str()),
                ("CONVERGIO_SDK", sdk.to_str().expect("a plain path")),
            ];
            let said = played(&house, &program, &environment);
            check(&what, &said, name.starts_with("anthropic"));
            // Whole, stream, helper, tool twice, broken, limited.
            let calls = house.provider.calls();
            assert_eq!(calls.len(), 7, "{what}");
            assert!(
                calls.iter().all(|call| call.key() == Some(KEY)),
                "{what}: our key"
            );
            let total = is_sound(&house, &what);
            assert_eq!(total["runs"], 7, "{what}: one run each: {total}");
            assert_eq!(total["attempts"], 7, "{what}: {total}");
            let billed = house.provider.billed();
            let paid = total["amount_nano_usd"].as_u64().expect("an amount");
            assert!(paid >= DEAR.of(billed), "{what}: {billed:?}: {total}");
        }
    }
}
