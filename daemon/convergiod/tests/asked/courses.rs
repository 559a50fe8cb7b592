//! How a question goes: answered, tried again, broken off, left alone, repeated.

use convergio_fake_provider::{At, Event, FakeProvider, Reply, Script};
use convergiod::RunsTiming;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use uuid::Uuid;

use super::{
    CONFLICT, PRICED, ask, key, kinds, only, question, served, settings, streamed, table, usual,
};
use crate::support::{Served, count};

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
    // To this machine itself.
    assert_eq!(answer["bytes_sent"], 0);
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
fn a_provider_has_no_more_calls_at_once_than_it_may() {
    let gate = convergio_fake_provider::Gate::new();
    let reply = Reply::text("one two").hold_at(At::Delta(1), &gate);
    let provider = FakeProvider::start(Script::always(reply));
    let head = "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n";
    let text = format!(
        "{head}{}",
        table("mock", &provider, "concurrency = 1", PRICED)
    );
    let served = served(&text);
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    let mut wire = served.wire();
    wire.result("run.start", question(first, json!({})));
    gate.wait_reached(1).expect("the first answer begins");
    let mut other = served.wire();
    let waits = other.send("run.start", question(second, json!({})));
    // What waits holds no money and has sent nothing.
    let budgets = wire.result("budget.list", json!({}))["budgets"].clone();
    let held = budgets[0]["pending_nano_usd"].as_i64().expect("a number");
    assert_eq!(provider.calls().len(), 1);
    gate.open();
    assert_eq!(only(&wire.events(first), "message")["text"], "one two");
    assert!(other.response(waits)["error"].is_null());
    let events = other.events(second);
    assert_eq!(only(&events, "message")["text"], "one two");
    assert_eq!(only(&events, "plan")["hold_nano_usd"], held);
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
    let resume = json!({"run_id": failed, "new_run_id": again, "keys": {"MOCK_KEY": ""}});
    wire.result("run.resume", resume);
    let events = wire.events(again);
    assert_eq!(only(&events, "message")["text"], "now it works");
    let sent = provider.calls()[1].json();
    assert_eq!(sent["messages"].as_array().expect("messages").len(), 1);
    let (review, _) = wire.review(&crate::support::faulty(1), json!({"no_model": true}));
    let resume = json!({"run_id": review, "new_run_id": Uuid::now_v7()});
    assert_eq!(wire.error("run.resume", resume)["code"], CONFLICT);
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

#[test]
fn a_long_answer_comes_in_parts_and_whole() {
    let pieces: Vec<String> = (0..30)
        .map(|n| format!("{n:05} {}", "é".repeat(5_000)))
        .collect();
    let whole = pieces.concat();
    let provider = FakeProvider::start(Script::always(Reply::deltas(pieces)));
    let served = usual(&provider);
    let (_, events) = ask(&mut served.wire(), json!({}));
    let parts: Vec<&Value> = events
        .iter()
        .filter(|one| one["type"] == "message")
        .collect();
    assert!(parts.len() > 1);
    let mut told = String::new();
    for (part, message) in parts.iter().enumerate() {
        assert_eq!(message["part"], part);
        assert_eq!(message["stop"], "end");
        told.push_str(message["text"].as_str().expect("text"));
    }
    assert!(told == whole);
    // What was shown while it came goes on where it was, part by part.
    let mut shown = vec![String::new(); parts.len()];
    for delta in events.iter().filter(|one| one["type"] == "delta") {
        let part = &mut shown[delta["part"].as_u64().expect("a part") as usize];
        assert_eq!(delta["offset"], part.len());
        part.push_str(delta["text"].as_str().expect("text"));
    }
    assert!(whole.starts_with(&shown.concat()));
}
