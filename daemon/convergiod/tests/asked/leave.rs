//! What a question needs before a byte leaves: a key, a price, a budget, a policy.

use convergio_fake_provider::{FakeProvider, Reply, Script};
use serde_json::json;
use std::fs;
use std::time::Duration;
use uuid::Uuid;

use super::{
    BUDGET_EXCEEDED, CANCELLED, CONFIRMATION_REQUIRED, EGRESS_DENIED, KEY_UNAVAILABLE,
    MODEL_UNAVAILABLE, PRICE_UNKNOWN, PRICED, ask, only, question, served, settings, table, usual,
};
use crate::support::{Served, Wire};

#[test]
fn a_key_that_the_client_has_is_asked_for_and_taken() {
    let provider = FakeProvider::start(Script::always(Reply::text("ok")).require_key("sk-mine"));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n";
    let text = format!("{head}{}", table("mock", &provider, "", PRICED));
    let served = Served::with(|_, options| settings(options, &text));
    let mut wire = served.wire();
    let run_id = Uuid::now_v7();
    let error = wire.error("run.start", question(run_id, json!({"keys": {}})));
    assert_eq!(error["code"], KEY_UNAVAILABLE);
    assert_eq!(error["data"]["env_names"], json!(["MOCK_KEY"]));
    let keys = json!({"keys": {"MOCK_KEY": "sk-mine"}});
    wire.result("run.start", question(run_id, keys));
    let events = wire.events(run_id);
    assert_eq!(only(&events, "message")["text"], "ok");
    let log = fs::read_to_string(served.daemon.log_file()).unwrap_or_default();
    assert!(!log.contains("sk-mine") && !format!("{events:?}").contains("sk-mine"));
}

#[test]
fn a_question_that_waits_for_its_key_ends_at_once_when_it_is_told_to() {
    let provider = FakeProvider::start(Script::always(Reply::text("never")));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n";
    let slow = "key_cmd = \"sleep 9; echo sk-late\"\n";
    let text = format!("{head}{}", table("mock", &provider, slow, PRICED));
    let served = Served::with(|_, options| settings(options, &text));
    let mut wire = served.wire();
    let run_id = Uuid::now_v7();
    let begun = std::time::Instant::now();
    let start = wire.send("run.start", question(run_id, json!({})));
    let cancel = wire.send("run.cancel", json!({"run_id": run_id}));
    assert_eq!(wire.response(start)["error"]["code"], CANCELLED);
    assert_eq!(wire.response(cancel)["error"]["code"], -32024);
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert_eq!(provider.connections(), 0);
}

#[test]
fn a_budget_without_room_lets_no_byte_out() {
    let provider = FakeProvider::start(Script::always(Reply::text("never")));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"0.0001\"\n";
    let served = served(&format!("{head}{}", table("mock", &provider, "", PRICED)));
    let mut wire = served.wire();
    let run_id = Uuid::now_v7();
    let error = wire.error("run.start", question(run_id, json!({})));
    assert_eq!(error["code"], BUDGET_EXCEEDED, "{error}");
    assert!(
        error["data"]["hint"]
            .as_str()
            .expect("a way out")
            .contains("cv budget set")
    );
    // Nothing was written either.
    assert_eq!(
        wire.error("run.get", json!({"run_id": run_id}))["code"],
        -32024
    );
    assert_eq!(
        wire.result("session.list", json!({}))["sessions"],
        json!([])
    );
    let cost = json!({"max_cost_nano_usd": 1});
    let error = wire.error("run.start", question(Uuid::now_v7(), cost));
    assert_eq!(error["code"], BUDGET_EXCEEDED);
    assert_eq!(provider.connections(), 0);
}

#[test]
fn a_short_budget_cuts_the_answer_and_warns_before_its_end() {
    let reply = Reply::text("most of it").usage(100, 1_150);
    let provider = FakeProvider::start(Script::always(reply));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"0.02\"\n";
    let served = served(&format!("{head}{}", table("mock", &provider, "", PRICED)));
    let mut wire = served.wire();
    let (_, events) = ask(&mut wire, json!({}));
    let cut = only(&events, "downgraded");
    assert_eq!(cut["from"], "max_output 4096");
    let plan = only(&events, "plan");
    assert!(
        plan["max_output"].as_u64().expect("a number") < 4_096,
        "{plan}"
    );
    assert!(
        plan["hold_nano_usd"].as_i64().expect("a hold") <= 20_000_000,
        "{plan}"
    );
    let warning = only(&events, "budget_warning");
    assert_eq!(warning["posted_nano_usd"], 17_550_000, "{warning}");
    assert_eq!(warning["chosen"], true);
    // What is left is not worth an answer.
    let error = wire.error("run.start", question(Uuid::now_v7(), json!({})));
    assert_eq!(error["code"], BUDGET_EXCEEDED);
    assert_eq!(provider.calls().len(), 1);
}

#[test]
fn a_model_without_a_price_and_one_that_is_not_here_are_not_asked() {
    let provider = FakeProvider::start(Script::always(Reply::text("never")));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n";
    let served = served(&format!(
        "{head}{}",
        table("mock", &provider, "", "context = 10")
    ));
    let mut wire = served.wire();
    let refused = |wire: &mut Wire, more| {
        wire.error("run.start", question(Uuid::now_v7(), more))["code"].clone()
    };
    assert_eq!(refused(&mut wire, json!({})), PRICE_UNKNOWN);
    assert_eq!(
        refused(&mut wire, json!({"policy": "local-only"})),
        EGRESS_DENIED
    );
    let elsewhere = json!({"model": "nobody/x"});
    assert_eq!(refused(&mut wire, elsewhere), MODEL_UNAVAILABLE);
    assert_eq!(provider.connections(), 0);
}

#[test]
fn the_first_cloud_use_asks_for_a_limit_where_somebody_can_be_asked() {
    let provider = FakeProvider::start(Script::always(Reply::text("ok")));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n";
    let served = served(&format!("{head}{}", table("mock", &provider, "", PRICED)));
    let mut wire = served.wire();
    let asks = json!({"can_ask": true});
    let error = wire.error("run.start", question(Uuid::now_v7(), asks));
    assert_eq!(error["code"], CONFIRMATION_REQUIRED);
    assert_eq!(provider.connections(), 0);
    let (_, events) = ask(&mut wire, json!({}));
    assert_eq!(only(&events, "message")["text"], "ok");
}

#[test]
fn without_any_model_the_way_out_is_named() {
    let served = Served::new();
    let error = served.wire().error(
        "run.start",
        question(Uuid::now_v7(), json!({"policy": "cloud-first"})),
    );
    // A model server may run on the machine that tests this.
    if error["code"] == MODEL_UNAVAILABLE {
        assert_eq!(error["message"], "No model yet.");
        let hint = error["data"]["hint"].as_str().expect("a way out");
        assert!(hint.contains("cv setup") && hint.contains("ANTHROPIC_API_KEY"));
    }
}

#[test]
fn a_preview_says_what_would_be_sent_and_sends_nothing() {
    let provider = FakeProvider::start(Script::always(Reply::text("never")));
    let served = usual(&provider);
    let preview = served
        .wire()
        .result("run.preview", question(Uuid::now_v7(), json!({})));
    assert_eq!(preview["model"], "mock/gpt-test");
    assert_eq!(preview["destination"], provider.url());
    assert!(preview["bytes"].as_u64().expect("bytes") > 10);
    assert!(preview["cost_max_nano_usd"].as_i64().expect("a cost") > 0);
    assert!(preview["refusal"].is_null(), "{preview}");
    assert_eq!(provider.connections(), 0);
}

#[test]
fn the_clients_own_key_comes_before_every_other_one() {
    let provider = FakeProvider::start(Script::always(Reply::text("ok")));
    let served = usual(&provider);
    let mut wire = served.wire();
    // The daemon has one, and asks all the same.
    let unasked = question(Uuid::now_v7(), json!({"keys": {}}));
    assert_eq!(wire.error("run.start", unasked)["code"], KEY_UNAVAILABLE);
    assert_eq!(provider.connections(), 0);
    ask(&mut wire, json!({"keys": {"MOCK_KEY": "sk-mine"}}));
    assert_eq!(provider.calls()[0].key(), Some("sk-mine"));
}
