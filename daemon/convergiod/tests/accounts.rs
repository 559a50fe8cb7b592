//! Providers, models, usage, budgets, templates and what left, as a client sees them.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[expect(dead_code, reason = "used in part here, in full by other tests")]
mod support;

use std::{collections::BTreeSet, fs};

use convergio_config::ProviderKind;
use convergio_contract::secret::KEY_VARIABLES;
use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script};
use convergio_models_remote::{Catalog, Kind};
use convergiod::Keys;
use serde_json::{Value, json};
use support::{Served, Wire};
use uuid::Uuid;

const KEY: &str = "sk-canary-0123456789";
const INVALID_PARAMS: i64 = -32602;
const EGRESS_DENIED: i64 = -32036;
const MODEL_UNAVAILABLE: i64 = -32041;
const KEY_UNAVAILABLE: i64 = -32043;

/// A daemon with these settings; its environment has the key where `with_key`.
fn served(text: &str, with_key: bool) -> Served {
    Served::with(|home, options| {
        fs::create_dir_all(home.join("config")).expect("a folder");
        fs::write(home.join("config/config.toml"), text).expect("a file");
        let keys = with_key.then(|| ("MOCK_KEY".to_owned(), KEY.to_owned()));
        options.surroundings.keys = Keys::Given(keys.into_iter().collect());
    })
}

fn mock(provider: &FakeProvider, head: &str) -> String {
    let base = provider.base_url(Dialect::OpenAi);
    format!(
        "# mine\n[models]\ndefault = \"mock/gpt-test\"\n{head}\n[provider.mock]\nkind = \"openai\"\n\
         base_url = \"{base}\"\nkey_env = \"MOCK_KEY\" # theirs\n[provider.mock.model.\"gpt-test\"]\n\
         price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n"
    )
}

fn ask(wire: &mut Wire) -> Uuid {
    let run_id = Uuid::now_v7();
    let input = json!([{"kind": "prompt", "text": "Say hi."}]);
    wire.result(
        "run.start",
        json!({"run_id": run_id, "input": input, "root": "/r", "keys": {"MOCK_KEY": ""}}),
    );
    wire.events(run_id);
    run_id
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut all = list.as_array().expect("a list").iter();
    all.find(|one| one["name"] == name).expect(name)
}

#[test]
fn clients_send_the_variables_that_the_catalogue_names() {
    let ours: BTreeSet<&str> = KEY_VARIABLES.iter().copied().collect();
    let theirs: BTreeSet<&str> = Catalog::builtin().key_env_names().into_iter().collect();
    assert_eq!(ours, theirs);
}

#[test]
fn settings_name_the_dialects_that_there_are() {
    let theirs: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let ours: Vec<&str> = ProviderKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_template_gives_back_what_it_replaces() {
    let served = Served::new();
    let mut wire = served.wire();
    let one = json!({"name": "t", "prompt": "one {{input}}", "model": "mock/gpt-test"});
    assert!(wire.result("template.save", one.clone())["replaced"].is_null());
    let two = json!({"name": "t", "prompt": "two", "system": "Be brief."});
    assert_eq!(wire.result("template.save", two.clone())["replaced"], one);
    assert_eq!(
        wire.result("template.list", json!({}))["templates"],
        json!([two])
    );
    for bad in [
        json!({"name": "a/b", "prompt": "x"}),
        json!({"name": "t", "prompt": " "}),
        json!({"name": "t", "prompt": "x", "model": "nobody"}),
    ] {
        assert_eq!(wire.error("template.save", bad)["code"], INVALID_PARAMS);
    }
    let gone = wire.result("template.remove", json!({"name": "t"}));
    assert_eq!(gone["removed"], two);
    let gone = wire.result("template.remove", json!({"name": "t"}));
    assert!(gone["removed"].is_null());
}

#[test]
fn usage_is_summed_and_a_budget_counts_at_once() {
    let provider = FakeProvider::start(Script::always(Reply::text("hi").usage(1_000, 100)));
    let served = served(&mock(&provider, ""), true);
    let mut wire = served.wire();
    let before = wire.result("budget.list", json!({}))["budgets"][0].clone();
    assert_eq!(before["window"], "day");
    assert_eq!(before["limit_nano_usd"], 1_000_000_000);
    assert_eq!(before["chosen"], false);
    assert!(before["resets_ms"].as_i64().expect("a time") > 0);
    let run_id = ask(&mut wire);
    ask(&mut wire);
    for by in ["day", "model", "client", "cwd", "run"] {
        let used = wire.result("usage.query", json!({"by": by}));
        assert_eq!(used["total"]["runs"], 2, "{by}");
        assert_eq!(used["total"]["amount_nano_usd"], 9_000_000, "{by}");
        assert_eq!(used["budgets"][0]["posted_nano_usd"], 9_000_000, "{by}");
    }
    let one = wire.result("usage.query", json!({"by": "run", "run_id": run_id}));
    assert_eq!(one["rows"][0]["key"], json!(run_id));
    assert_eq!(one["total"]["attempts"], 1);
    let first = wire.result("usage.query", json!({"by": "run", "limit": 1}));
    assert_eq!(
        (
            &first["rows_more"],
            first["rows"].as_array().expect("rows").len()
        ),
        (&json!(1), 1)
    );
    assert_eq!(
        wire.error("usage.query", json!({"limit": 0}))["code"],
        INVALID_PARAMS
    );

    let set = wire.result("budget.set", json!({"window": "day", "limit_usd": "0.01"}));
    assert_eq!(set["budgets"][0]["limit_nano_usd"], 10_000_000);
    assert_eq!(set["budgets"][0]["chosen"], true);
    assert_eq!(set["budgets"][0]["posted_nano_usd"], 9_000_000);
    let file = fs::read_to_string(served.home().join("config/config.toml")).expect("a file");
    assert!(
        file.contains("daily_usd") && file.contains("# theirs"),
        "{file}"
    );
    let undo = wire.result("undo.list", json!({}))["entries"][0].clone();
    assert_eq!(undo["label"], "cv budget set daily 0.01");
    for bad in [
        json!({"window": "year", "limit_usd": "1"}),
        json!({"window": "day", "limit_usd": "lots"}),
    ] {
        assert_eq!(wire.error("budget.set", bad)["code"], INVALID_PARAMS);
    }
}

#[test]
fn what_left_is_listed_page_by_page() {
    let provider = FakeProvider::start(Script::always(Reply::text("hi")));
    let served = served(&mock(&provider, ""), true);
    let mut wire = served.wire();
    let first = ask(&mut wire);
    ask(&mut wire);
    let page = wire.result("privacy.egress", json!({"limit": 1}));
    assert_eq!(page["rows_total"], 2);
    let row = &page["rows"][0];
    assert_eq!(
        (&row["destination"], &row["loopback"]),
        (&json!(provider.url()), &json!(true))
    );
    assert_eq!(row["model"], "mock/gpt-test");
    let next = wire.result(
        "privacy.egress",
        json!({"limit": 1, "cursor": page["cursor"]}),
    );
    assert!(next["cursor"].is_null());
    assert_eq!(next["rows"][0]["run_id"], json!(first));
    let of_run = wire.result("privacy.egress", json!({"run_id": first}));
    assert_eq!(of_run["rows"], next["rows"]);
    assert_eq!(of_run["bytes_total"], next["rows"][0]["bytes"]);
    // To this machine itself.
    assert_eq!(wire.result("health.get", json!({}))["bytes_sent"], 0);
}

#[test]
fn a_provider_is_added_tested_and_removed_with_a_way_back() {
    let provider = FakeProvider::start(Script::new().require_key(KEY).models(["gpt-test", "b"]));
    let served = served("# mine\n", true);
    let mut wire = served.wire();
    let add = json!({
        "name": "mock", "kind": "openai", "base_url": provider.base_url(Dialect::OpenAi),
        "key_env": "MOCK_KEY", "default_model": "mock/gpt-test",
        "models": {"gpt-test": {"input_price": "3.00", "output_price": "15.00", "context": 128_000}},
    });
    let added = wire.result("provider.add", add);
    assert_eq!(
        added["key"],
        json!({"state": "found", "source": "daemon environment"})
    );
    assert_eq!(
        (&added["configured"], &added["models"]),
        (&json!(true), &json!(1))
    );
    wire.result(
        "provider.add",
        json!({"name": "mock", "key_env": "OTHER_KEY"}),
    );
    let listed = wire.result("provider.list", json!({"keys": {"OTHER_KEY": KEY}}));
    assert_eq!(
        named(&listed["providers"], "mock")["key"]["source"],
        "client environment"
    );
    assert_eq!(listed["default_model"], "mock/gpt-test");
    assert_eq!(
        listed["key_store"]
            .as_str()
            .expect("words")
            .split(':')
            .next(),
        Some("nowhere")
    );
    // Listing called nobody but servers that run models here.
    assert_eq!(provider.connections(), 0);

    let missing = wire.error("provider.test", json!({"name": "mock"}));
    assert_eq!(missing["code"], KEY_UNAVAILABLE);
    assert_eq!(missing["data"]["env_names"], json!(["OTHER_KEY"]));
    assert_eq!(provider.connections(), 0);
    let tested = wire.result(
        "provider.test",
        json!({"name": "mock", "keys": {"OTHER_KEY": KEY}}),
    );
    assert_eq!(
        (&tested["ok"], &tested["models"]),
        (&json!(true), &json!(["gpt-test", "b"]))
    );
    let wrong = json!({"name": "mock", "keys": {"OTHER_KEY": "sk-wrong-9876543210"}});
    let wrong = wire.result("provider.test", wrong);
    assert_eq!(wrong["ok"], false);
    assert_eq!(wrong["error"]["data"]["hint"], "cv provider set-key mock");
    assert!(!wrong.to_string().contains("sk-wrong"), "{wrong}");
    let left = wire.result("privacy.egress", json!({}));
    let lists = left["rows"].as_array().expect("rows").iter();
    assert_eq!(
        lists.filter(|row| row["purpose"] == "list models").count(),
        2
    );

    let models = wire.result("model.list", json!({"provider": "mock"}))["models"].clone();
    let model = named(&models, "mock/gpt-test");
    assert_eq!(
        model["price_nano_usd_per_million"]["in_uncached"],
        3_000_000_000_i64
    );
    assert_eq!(
        (&model["default"], &model["context"]),
        (&json!(true), &json!(128_000))
    );
    assert!(
        model["unavailable"]
            .as_str()
            .expect("why")
            .contains("OTHER_KEY")
    );
    let ready = wire.result(
        "model.list",
        json!({"provider": "mock", "keys": {"OTHER_KEY": KEY}}),
    );
    assert!(ready["models"][0]["unavailable"].is_null(), "{ready}");
    let nobody = wire.error("model.list", json!({"provider": "nobody"}));
    assert_eq!(nobody["code"], MODEL_UNAVAILABLE);

    // No keychain is in use here, and the file is not allowed.
    let set = wire.error("provider.set_key", json!({"name": "mock", "key": KEY}));
    assert_eq!(set["code"], KEY_UNAVAILABLE);
    assert!(!set.to_string().contains(KEY));
    wire.result(
        "config.set",
        json!({"key": "secrets.file", "value": "true"}),
    );
    let set = wire.result("provider.set_key", json!({"name": "mock", "key": KEY}));
    assert_eq!(set["stored_in"], "encrypted file");
    assert!(wire.result("provider.test", json!({"name": "mock"}))["ok"] == true);
    let removed = wire.result("provider.remove", json!({"name": "mock"}));
    assert_eq!(
        removed,
        json!({"removed": true, "key_removed": true, "default_left": "mock/gpt-test"})
    );
    let again = wire.result("provider.remove", json!({"name": "mock"}));
    assert_eq!(
        (&again["removed"], &again["key_removed"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(
        wire.error("provider.test", json!({"name": "mock"}))["code"],
        MODEL_UNAVAILABLE
    );
    let undo = wire.result("undo.list", json!({}))["entries"][0].clone();
    assert_eq!(undo["label"], "cv provider remove mock");
    wire.result(
        "undo.apply",
        json!({"undo_id": undo["undo_id"], "files": []}),
    );
    let file = fs::read_to_string(served.home().join("config/config.toml")).expect("a file");
    assert!(
        file.contains("# mine") && file.contains("[provider.mock]"),
        "{file}"
    );
    let log = fs::read_to_string(served.daemon.log_file()).unwrap_or_default();
    assert!(!log.contains(KEY) && !file.contains(KEY));
}

#[test]
fn local_only_tests_nobody_elsewhere() {
    let elsewhere = "[models]\npolicy = \"local-only\"\n[provider.far]\nkind = \"openai\"\n\
                     base_url = \"https://192.0.2.1/v1\"\nkey_env = \"MOCK_KEY\"\n";
    let served = served(elsewhere, true);
    let mut wire = served.wire();
    let refused = wire.error("provider.test", json!({"name": "far"}));
    assert_eq!(refused["code"], EGRESS_DENIED);
    let rows = wire.result("privacy.egress", json!({}))["rows"].clone();
    let lists = rows.as_array().expect("rows").iter();
    assert_eq!(
        lists.filter(|row| row["purpose"] == "list models").count(),
        0
    );
    let listed = wire.result("provider.list", json!({}));
    let problem = named(&listed["providers"], "far")["problem"].clone();
    assert!(problem.as_str().expect("why").contains("local-only"));
}
