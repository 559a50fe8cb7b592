//! Questions as a client sees them: answered, tried again, broken off, refused, repeated.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

use std::{fs, time::Duration};

use convergio_fake_provider::{At, Dialect, Event, FakeProvider, Reply, Script};
use convergiod::{BootOptions, Keys, RunsTiming};
use serde_json::{Value, json};
use support::{Served, Wire, count};
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

#[test]
fn an_answer_is_told_as_it_comes_and_recorded_with_what_it_cost() {
    let reply = Reply::text("Hello there, friend.").usage(1_000, 100);
    let provider = FakeProvider::start(Script::always(reply));
    let served = usual(&provider);
    let mut wire = served.wire();
    let (run_id, events) = ask(&mut wire, json!({}));
    assert_eq!(
        kinds(&events),
        ["started", "plan", "message", "usage", "completed"]
    );
    for (at, event) in events
        .iter()
        .filter(|one| !one["seq"].is_null())
        .enumerate()
    {
        assert_eq!(event["seq"], at + 1);
    }
    let plan = only(&events, "plan");
    assert_eq!(plan["model"], "gpt-test");
    assert_eq!(plan["destination"], provider.url());
    assert_eq!(plan["attempt"], 1);
    assert!(plan["hold_nano_usd"].as_i64().expect("a hold") > 0);
    let message = only(&events, "message");
    assert_eq!(message["text"], "Hello there, friend.");
    assert_eq!(message["stop"], "end");
    assert!("Hello there, friend.".starts_with(&streamed(&events)));
    let answer = &only(&events, "completed")["answer"];
    assert_eq!(answer["amount_nano_usd"], 4_500_000);
    assert_eq!(answer["input_tokens"], 1_000);
    assert_eq!(answer["attempts"], 1);
    assert_eq!(answer["saved"], true);
    assert!(answer["bytes_sent"].as_u64().expect("bytes") > 0);
    assert_eq!(provider.calls()[0].key(), Some("sk-canary-0123456789"));
    // The log tells the same again.
    assert_eq!(kinds(&wire.events(run_id)), kinds(&events));
    let session = wire.result("session.list", json!({"root": "/r"}))["sessions"][0].clone();
    assert_eq!(session["title"], "Say hi.");
    let got = wire.result("session.get", json!({"session_id": session["session_id"]}));
    let texts: Vec<_> = got["messages"].as_array().expect("messages").clone();
    assert_eq!(texts[0]["text"], "Say hi.");
    assert_eq!(texts[1]["text"], "Hello there, friend.");
    assert_eq!(texts[1]["model"], "mock/gpt-test");
}

#[test]
fn a_conversation_goes_on_where_it_was() {
    let provider = FakeProvider::start(Script::always(Reply::text("I am Rex.")));
    let served = usual(&provider);
    let mut wire = served.wire();
    ask(&mut wire, json!({"system": "You are Rex."}));
    ask(&mut wire, json!({"session": {"use": "latest"}}));
    let sent = provider.calls()[1].json();
    let roles = sent["messages"].as_array().expect("messages").iter();
    let roles: Vec<_> = roles.map(|message| message["role"].clone()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    let missing = wire.error(
        "run.start",
        question(
            Uuid::now_v7(),
            json!({"root": "/other", "session": {"use": "latest"}}),
        ),
    );
    assert_eq!(missing["code"], -32024);
}

#[test]
fn two_failures_and_an_answer_are_three_attempts() {
    let overloaded = || Reply::error(503, "overloaded_error", "busy").header("retry-after", "0");
    let script = Script::replies([overloaded(), overloaded(), Reply::text("ok")]);
    let provider = FakeProvider::start(script);
    let served = usual(&provider);
    let (_, events) = ask(&mut served.wire(), json!({}));
    assert_eq!(count(&events, "plan"), 3);
    assert_eq!(count(&events, "usage"), 3);
    assert_eq!(only(&events, "completed")["answer"]["attempts"], 3);
    assert_eq!(provider.calls().len(), 3);
}

#[test]
fn the_fallback_answers_where_the_first_does_not_take_the_key() {
    let refusing = FakeProvider::start(Script::new().require_key("another"));
    let answering = FakeProvider::start(Script::always(Reply::text("from the second")));
    let head = "[models]\ndefault = \"one/gpt-test\"\nfallback = [\"two/gpt-test\"]\n[budget]\ndaily_usd = \"2.00\"\n";
    let one = table("one", &refusing, "", PRICED);
    let two = table("two", &answering, "", PRICED);
    let served = served(&format!("{head}{one}{two}"));
    let (_, events) = ask(&mut served.wire(), json!({}));
    assert_eq!(only(&events, "message")["text"], "from the second");
    let plans: Vec<_> = events.iter().filter(|one| one["type"] == "plan").collect();
    assert_eq!(plans[1]["provider"], "two");
    assert!(plans[1]["reason"].as_str().expect("why").contains("key"));
    assert_eq!(refusing.calls().len(), 1);
}

#[test]
fn what_breaks_in_the_middle_is_kept_and_labelled_and_not_asked_again() {
    let reply = Reply::text("one two three four").reset_after(At::Delta(2));
    let provider = FakeProvider::start(Script::always(reply));
    let served = usual(&provider);
    let (_, events) = ask(&mut served.wire(), json!({}));
    assert_eq!(
        kinds(&events),
        ["started", "plan", "message", "usage", "failed"]
    );
    let message = only(&events, "message");
    assert_eq!(message["stop"], "broken");
    assert!("one two three four".starts_with(message["text"].as_str().expect("text")));
    assert_eq!(only(&events, "failed")["error"]["code"], -32040);
    assert_eq!(only(&events, "usage")["source"], "counted");
    assert_eq!(provider.calls().len(), 1);
}

#[test]
fn cancelling_in_the_middle_keeps_what_came_and_settles() {
    let reply = Reply::text("one two three four").stall_after(At::Delta(2));
    let provider = FakeProvider::start(Script::always(reply));
    let served = usual(&provider);
    let mut wire = served.wire();
    let run_id = Uuid::now_v7();
    wire.result("run.start", question(run_id, json!({})));
    wire.send("run.subscribe", json!({"run_id": run_id}));
    loop {
        let line = wire.line().expect("a line");
        if line["params"]["type"] == "delta" {
            break;
        }
    }
    let info = served
        .wire()
        .result("run.cancel", json!({"run_id": run_id}));
    assert_eq!(info["state"], "cancelled");
    let events = served.wire().events(run_id);
    assert_eq!(
        kinds(&events),
        ["started", "plan", "message", "usage", "cancelled"]
    );
    assert_eq!(only(&events, "message")["stop"], "broken");
    assert!(!streamed(&events).contains("four"));
    provider
        .wait(Event::ClientGone(0))
        .expect("a closed connection");
}

#[test]
fn a_run_that_nobody_reads_ends_and_one_that_is_detached_does_not() {
    let gate = convergio_fake_provider::Gate::new();
    let held = gate.clone();
    let provider = FakeProvider::start(Script::answer(move |request| {
        if request.prompt().contains("detached") {
            Reply::text("one two").hold_at(At::Delta(1), &held)
        } else {
            Reply::text("one two").stall_after(At::Delta(1))
        }
    }));
    let served = Served::with(|_, options| {
        let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n";
        settings(
            options,
            &format!("{head}{}", table("mock", &provider, "", PRICED)),
        );
        options.surroundings.keys = key();
        options.timing = Some(RunsTiming {
            grace: Duration::from_millis(1),
            ..RunsTiming::default()
        });
    });
    let left = Uuid::now_v7();
    let mut reader = served.wire();
    // In one write, as clients do it: the run has a reader from its beginning.
    let call = |id: u64, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let start = call(91, "run.start", question(left, json!({})));
    let subscribe = call(92, "run.subscribe", json!({"run_id": left}));
    reader.raw(&format!("{start}\n{subscribe}"));
    while reader.line().expect("a line")["params"]["type"] != "delta" {}
    drop(reader);
    provider
        .wait(Event::ClientGone(0))
        .expect("a closed connection");
    let events = served.wire().events(left);
    assert_eq!(events.last().expect("an end")["type"], "cancelled");
    let detached = Uuid::now_v7();
    let detach = json!({
        "input": [{"kind": "prompt", "text": "detached"}],
        "on_last_reader_gone": "continue",
    });
    let mut starter = served.wire();
    starter.result("run.start", question(detached, detach));
    drop(starter);
    gate.wait_reached(1).expect("the answer begins");
    gate.open();
    let events = served.wire().events(detached);
    assert_eq!(only(&events, "message")["text"], "one two");
}

#[test]
fn a_key_that_the_client_has_is_asked_for_and_taken() {
    let provider = FakeProvider::start(Script::always(Reply::text("ok")).require_key("sk-mine"));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n";
    let text = format!("{head}{}", table("mock", &provider, "", PRICED));
    let served = Served::with(|_, options| settings(options, &text));
    let mut wire = served.wire();
    let run_id = Uuid::now_v7();
    let error = wire.error("run.start", question(run_id, json!({})));
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
fn the_same_request_is_answered_once_and_another_is_a_conflict() {
    let provider = FakeProvider::start(Script::always(Reply::text("once")));
    let served = usual(&provider);
    let mut wire = served.wire();
    let key = json!({"idempotency_key": "k"});
    let (first, _) = ask(&mut wire, key.clone());
    for _ in 0..5 {
        let again = wire.result("run.start", question(Uuid::now_v7(), key.clone()));
        assert_eq!(again["run_id"], json!(first));
        assert_eq!(again["replayed"], true);
    }
    let again = wire.result("run.start", question(first, key));
    assert_eq!(again["replayed"], true);
    let other = json!({"idempotency_key": "k", "max_output": 7});
    let error = wire.error("run.start", question(Uuid::now_v7(), other));
    assert_eq!(error["code"], CONFLICT);
    assert_eq!(provider.calls().len(), 1);
    let sessions = wire.result("session.list", json!({}));
    assert_eq!(sessions["sessions"].as_array().expect("rows").len(), 1);
}

#[test]
fn an_ephemeral_question_leaves_its_cost_and_no_content() {
    let provider = FakeProvider::start(Script::always(Reply::text("a secret answer")));
    let served = usual(&provider);
    let mut wire = served.wire();
    let (run_id, events) = ask(&mut wire, json!({"ephemeral": true}));
    assert_eq!(only(&events, "message")["text"], "a secret answer");
    assert_eq!(
        wire.result("session.list", json!({}))["sessions"],
        json!([])
    );
    let info = wire.result("run.get", json!({"run_id": run_id}));
    assert_eq!(info["selection"], "");
    for file in fs::read_dir(served.home().join("data")).expect("the data") {
        let path = file.expect("an entry").path();
        let Ok(bytes) = fs::read(&path) else { continue };
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|some| some == text);
        assert!(!holds(b"a secret answer"), "{}", path.display());
        assert!(!holds(b"Say hi."), "{}", path.display());
    }
}

#[test]
fn an_ended_question_is_asked_again_in_its_conversation() {
    let script = Script::replies([
        Reply::error(400, "invalid_request_error", "no"),
        Reply::text("now it works"),
    ]);
    let provider = FakeProvider::start(script);
    let served = usual(&provider);
    let mut wire = served.wire();
    let (failed, events) = ask(&mut wire, json!({}));
    assert_eq!(events.last().expect("an end")["type"], "failed");
    let again = Uuid::now_v7();
    let resume = json!({"run_id": failed, "new_run_id": again});
    wire.result("run.resume", resume);
    let events = wire.events(again);
    assert_eq!(only(&events, "message")["text"], "now it works");
    let sent = provider.calls()[1].json();
    assert_eq!(sent["messages"].as_array().expect("messages").len(), 1);
    let (review, _) = wire.review(&support::faulty(1), json!({}));
    let resume = json!({"run_id": review, "new_run_id": Uuid::now_v7()});
    assert_eq!(wire.error("run.resume", resume)["code"], CONFLICT);
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
fn an_answer_at_its_limit_says_so() {
    let reply = Reply::text("cut of").stop(convergio_fake_provider::Stop::Length);
    let provider = FakeProvider::start(Script::always(reply));
    let served = usual(&provider);
    let (_, events) = ask(&mut served.wire(), json!({"max_output": 300}));
    assert_eq!(only(&events, "message")["stop"], "max_output");
    assert_eq!(only(&events, "completed")["answer"]["stop"], "max_output");
    assert_eq!(only(&events, "plan")["max_output"], 300);
}
