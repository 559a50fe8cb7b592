//! Providers, models and set-up, before a daemon that says what it is told to.

use serde_json::{Value, json};

use super::three_lines;
use crate::harness::{
    home::{Home, Ran},
    scripted::{Said, ScriptedDaemon},
};

const KEY: &str = "sk-canary-77c1";

fn json_of(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn provider(name: &str, key: Value) -> Value {
    json!({"name": name, "kind": "openai", "base_url": "http://127.0.0.1:9/v1", "local": false,
        "configured": true, "key": key, "models": 2})
}

/// A daemon that knows one configured provider, whose key a variable of its own holds.
fn script(method: &str, params: &Value) -> Said {
    match method {
        "provider.list" => {
            let key = if params["keys"]["MOCK_KEY"] == KEY {
                json!({"state": "found", "source": "client environment"})
            } else {
                json!({"state": "missing", "env_names": ["MOCK_KEY"], "tried": []})
            };
            Said::result(json!({"providers": [provider("mock", key)], "key_store": "keychain"}))
        }
        "provider.add" => Said::result(provider(
            "mock",
            json!({"state": "missing", "env_names": ["MOCK_KEY"], "tried": []}),
        )),
        "provider.set_key" => Said::result(json!({"stored_in": "keychain"})),
        "provider.remove" => Said::result(json!({"removed": false, "key_removed": true})),
        "provider.test" if params["keys"]["MOCK_KEY"] == KEY => Said::result(json!({"ok": true,
            "key_source": "client environment", "models": ["gpt-test"], "duration_ms": 12})),
        "provider.test" => Said::result(json!({"ok": false, "models": [], "duration_ms": 1,
            "error": {"code": -32043, "message": "There is no key", "data": {
                "slug": "key_unavailable", "retryable": false, "env_names": ["MOCK_KEY"]}}})),
        "model.list" => Said::result(json!({"models": [
            {"name": "mock/gpt-test", "provider": "mock", "model": "gpt-test", "local": false,
             "context": 128_000, "price_nano_usd_per_million":
                {"in_uncached": 3_000_000_000_i64, "out_text": 15_000_000_000_i64},
             "default": false},
            {"name": "mock/none", "provider": "mock", "model": "none", "local": false,
             "default": false, "unavailable": "no price is known"},
        ]})),
        "config.get" => Said::result(json!({"file": "/f", "rev": "1", "values": [
            {"key": "models.policy", "value": "local-first", "layer": "default", "source": ""}]})),
        "config.set" => Said::result(json!({"file": "/f", "rev": "2",
            "undo_id": "01900000-0000-7000-8000-000000000001",
            "value": {"key": params["key"], "value": params["value"], "layer": "file",
                "source": ""}})),
        "budget.list" | "budget.set" => Said::result(json!({"budgets": [{"window": "day",
            "limit_nano_usd": 1_000_000_000, "posted_nano_usd": 0, "pending_nano_usd": 0,
            "resets_ms": 1_795_219_200_000_i64, "chosen": false, "frozen": false}]})),
        other => Said::error(-32601, &format!("unexpected {other}"), Value::Null),
    }
}

fn cv(home: &Home, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = home.cv_command(&home.path(), arguments);
    command.env("MOCK_KEY", KEY).env("CONVERGIO_NO_PROMPT", "1");
    crate::harness::process::run(&mut command, input)
}

#[test]
fn a_key_that_only_a_setting_names_is_found_here_and_never_shown() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, script);
    let listed = cv(&home, &["provider", "list"], b"");
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(
        listed.out.contains("found: client environment"),
        "{listed:?}"
    );
    let calls = daemon.calls("provider.list");
    assert_eq!(calls.len(), 2, "once without the key, once with it");
    assert!(calls[0]["keys"]["MOCK_KEY"].is_null());
    for arguments in [
        &["provider", "test", "mock"][..],
        &["models"],
        &["provider", "list", "--format", "ndjson"],
        &["provider", "list", "-v"],
    ] {
        let ran = cv(&home, arguments, b"");
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        assert!(!format!("{}{}", ran.out, ran.err).contains(KEY), "{ran:?}");
    }
}

#[test]
fn a_key_is_piped_in_and_is_one_word() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, script);
    let stored = cv(
        &home,
        &["provider", "set-key", "mock"],
        format!("{KEY}\n").as_bytes(),
    );
    assert_eq!(stored.code, Some(0), "{stored:?}");
    assert!(stored.out.contains("keychain"), "{stored:?}");
    assert!(
        stored.out.contains("cv provider remove mock --key-only"),
        "{stored:?}"
    );
    assert!(!format!("{}{}", stored.out, stored.err).contains(KEY));
    assert_eq!(daemon.calls("provider.set_key")[0]["key"], KEY);
    for bad in [&b""[..], b"two words\n", b"\xff\xfe"] {
        three_lines(&cv(&home, &["provider", "set-key", "mock"], bad), 2);
    }
    assert_eq!(daemon.calls("provider.set_key").len(), 1);
    // A key as an argument is no way to give one.
    let argued = cv(&home, &["provider", "set-key", "mock", KEY], b"");
    three_lines(&argued, 2);
}

#[test]
fn a_provider_is_added_by_its_settings() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, script);
    let added = cv(
        &home,
        &[
            "provider",
            "add",
            "mock",
            "--kind",
            "openai",
            "--base-url",
            "http://127.0.0.1:9/v1",
            "--key-env",
            "MOCK_KEY",
            "--model",
            "gpt-test",
            "--input-price",
            "3.00",
            "--output-price",
            "15.00",
            "--default",
        ],
        b"",
    );
    assert_eq!(added.code, Some(0), "{added:?}");
    assert!(added.out.contains("back: cv undo"), "{added:?}");
    assert!(
        added.err.contains("cv provider test mock") && !added.err.contains("set-key"),
        "its key is set here, so the next step is to try it: {added:?}"
    );
    let params = &daemon.calls("provider.add")[0];
    assert_eq!(params["default_model"], "mock/gpt-test");
    assert_eq!(params["models"]["gpt-test"]["input_price"], "3.00");
    three_lines(
        &cv(&home, &["provider", "add", "m", "--input-price", "3"], b""),
        2,
    );
}

#[test]
fn models_have_prices_and_reasons() {
    let home = Home::new();
    let _daemon = ScriptedDaemon::start(&home, script);
    let listed = cv(&home, &["models"], b"");
    assert!(listed.out.contains("3 / 15"), "{listed:?}");
    assert!(listed.out.contains("no price is known"), "{listed:?}");
    assert_eq!(
        json_of(&cv(&home, &["models", "list", "--format", "json"], b""))["models"][0]["name"],
        "mock/gpt-test"
    );
}

#[test]
fn set_up_without_a_terminal_tells_and_writes_nothing_unless_told() {
    let home = Home::new();
    let daemon = ScriptedDaemon::start(&home, script);
    let models = home.path().join("models");
    std::fs::create_dir_all(&models).expect("a folder");
    std::fs::write(models.join("tiny.gguf"), b"GGUF....").expect("a file");
    let told = cv(&home, &["setup"], b"");
    assert_eq!(told.code, Some(0), "{told:?}");
    for part in [
        "mock (client environment)",
        "tiny.gguf",
        "does not run such files itself yet",
        "cv setup --daily-usd 1.00 --default-model mock/gpt-test --yes",
    ] {
        assert!(told.out.contains(part), "{part}: {told:?}");
    }
    assert!(daemon.calls("config.set").is_empty() && daemon.calls("budget.set").is_empty());

    let written = cv(
        &home,
        &["setup", "--policy", "local-only", "--daily-usd", "0.50"],
        b"",
    );
    assert_eq!(written.code, Some(0), "{written:?}");
    assert_eq!(
        written.out.matches("back: cv undo").count(),
        2,
        "{written:?}"
    );
    assert_eq!(daemon.calls("config.set")[0]["value"], "local-only");
    assert_eq!(daemon.calls("budget.set")[0]["limit_usd"], "0.50");

    let document = json_of(&cv(&home, &["setup", "--format", "json"], b""));
    assert_eq!(document["model_files"][0]["bytes"], 8);
    assert_eq!(document["written"], json!([]));
}

#[test]
fn a_key_of_the_catalogue_follows_no_other_address_and_nobody_is_asked_without_one() {
    let home = Home::new();
    let cv = |arguments: &[&str]| {
        let mut command = home.cv_command(&home.path(), arguments);
        command
            .env("OPENAI_API_KEY", KEY)
            .env("AZURE_OPENAI_API_KEY", KEY)
            .env("CONVERGIO_NO_PROMPT", "1");
        crate::harness::process::run(&mut command, b"")
    };
    // What the documentation says of Azure, and another address for a maker that has one.
    for (key, value) in [
        (
            "provider.azure.base_url",
            "https://name.openai.azure.invalid/openai/v1",
        ),
        ("provider.openai.base_url", "https://elsewhere.invalid/v1"),
    ] {
        let ran = cv(&["config", "set", key, value]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let listed = json_of(&cv(&["provider", "list", "--format", "json"]));
    let key_of = |name: &str| {
        let providers = listed["providers"].as_array().expect("a list");
        let one = providers.iter().find(|one| one["name"] == name);
        one.unwrap_or_else(|| panic!("{listed}"))["key"]["state"].clone()
    };
    assert_eq!(key_of("azure"), "found", "{listed}");
    assert_eq!(key_of("openai"), "missing", "{listed}");
    let ran = cv(&["ask", "hi", "--model", "openai/gpt-5-mini"]);
    three_lines(&ran, 3);
    assert!(ran.err.contains("no key"), "{ran:?}");
}

#[test]
fn an_ollama_with_prices_is_billed_unless_it_is_said_to_be_local() {
    let home = Home::new();
    let add = |more: &[&str]| {
        let line = "provider add own --kind ollama --base-url http://127.0.0.1:9 --model m \
                    --input-price 3.00 --output-price 15.00 --default";
        let arguments: Vec<&str> = line
            .split_whitespace()
            .chain(more.iter().copied())
            .collect();
        let ran = cv(&home, &arguments, b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let preview = cv(&home, &["ask", "--dry-run", "hi"], b"");
        assert_eq!(preview.code, Some(0), "{preview:?}");
        (ran.err, preview.out)
    };
    let (told, preview) = add(&[]);
    assert!(!told.contains("prices are not used"), "{told}");
    assert!(preview.contains("at most $"), "{preview}");
    assert!(!preview.contains("on this machine"), "{preview}");
    let (told, preview) = add(&["--local"]);
    assert!(told.contains("prices are not used"), "{told}");
    assert!(preview.contains("on this machine"), "{preview}");
    assert!(preview.contains("free"), "{preview}");
}

#[test]
fn removing_a_provider_tells_who_still_names_it_and_the_way_out_works() {
    let home = Home::new();
    let ok = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let ran = cv(&home, &arguments, b"");
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        ran.err
    };
    for name in ["stays", "goes"] {
        ok(&format!(
            "provider add {name} --kind openai --base-url http://127.0.0.1:9/v1"
        ));
    }
    ok("config set models.fallback goes/m,stays/m");
    ok("config set models.alias.work goes/n");
    let told = ok("provider remove goes");
    let ways = [
        "cv config set models.fallback stays/m",
        "cv config unset models.alias.work",
    ];
    for way in ways {
        assert!(told.contains(way), "{told}");
        ok(way.strip_prefix("cv ").expect("a command"));
    }
    let left = cv(&home, &["config", "get", "models.fallback"], b"");
    assert!(
        left.out.contains("stays/m") && !left.out.contains("goes"),
        "{left:?}"
    );
}
