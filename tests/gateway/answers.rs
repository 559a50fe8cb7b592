//! What comes back, and what stays here of it.

use std::{fs, io::Read, path::Path};

use convergio_fake_provider::{At, Event, Reply, Script};
use serde_json::{Value, json};

use super::{Open, question, token};
use crate::harness::wire::Wire;

fn holds(folder: &Path, needle: &str) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let needle = needle.as_bytes();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn one_request_is_one_run_that_is_paid_for_and_nothing_of_it_is_kept() {
    let open = Open::new(Script::always(Reply::text("an answer of heliotrope")));
    let mut asked = question(false);
    asked["messages"][0]["content"] = json!("a question of vermilion");
    asked["user"] = json!("u");
    for (path, asked) in [
        ("/v1/chat/completions", asked.clone()),
        ("/v1/messages", asked.clone()),
        (
            "/v1/responses",
            json!({"model": "gpt-test", "input": "a question of vermilion", "user": "u"}),
        ),
    ] {
        let said = open.speak(&open.post(path, &asked));
        assert_eq!(said.status, 200, "{path}: {said:?}");
        assert!(
            said.body.contains("an answer of heliotrope"),
            "{path}: {said:?}"
        );
        assert!(
            said.head.contains("x-convergio-ignored: "),
            "{path}: {said:?}"
        );
        let cost = said
            .head
            .lines()
            .find(|line| line.starts_with("x-convergio-cost-nano-usd: "));
        assert!(
            cost.is_some_and(|line| !line.ends_with(" 0")),
            "{path}: {said:?}"
        );
    }
    let total = open.house.settled();
    assert_eq!((&total["runs"], &total["attempts"]), (&json!(3), &json!(3)));
    let by_token = open
        .house
        .cv(&["usage", "--by", "token", "--format", "json"]);
    let by_token: Value = serde_json::from_str(&by_token.out).expect("JSON");
    assert_eq!(by_token["rows"][0]["key"], "tool", "{by_token}");
    let data = open.house.home.convergio();
    assert!(holds(&data, "tool"), "the search sees what is there");
    for word in ["vermilion", "heliotrope", open.secret.as_str()] {
        assert!(!holds(&data, word), "{word} was kept");
    }
}

#[test]
fn tools_are_called_through_every_wire() {
    let reply = Reply::tool_call("look", &json!({"at": "é\"x"}));
    let open = Open::new(Script::always(reply));
    let schema = json!({"type": "object", "properties": {"at": {"type": "string"}}});
    let mut chat = question(false);
    chat["tools"] =
        json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]);
    let said = open.speak(&open.post("/v1/chat/completions", &chat)).json();
    let choice = &said["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{said}");
    let call = &choice["message"]["tool_calls"][0]["function"];
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&call["name"], &arguments["at"]),
        (&json!("look"), &json!("é\"x"))
    );

    let mut messages = question(false);
    messages["tools"] = json!([{"name": "look", "input_schema": schema}]);
    let said = open.speak(&open.post("/v1/messages", &messages)).json();
    assert_eq!(said["stop_reason"], "tool_use", "{said}");
    assert_eq!(said["content"][0]["input"]["at"], "é\"x", "{said}");

    let responses = json!({
        "model": "gpt-test", "input": "look",
        "tools": [{"type": "function", "name": "look", "parameters": schema}],
    });
    let said = open.speak(&open.post("/v1/responses", &responses)).json();
    assert_eq!(said["output"][0]["type"], "function_call", "{said}");
    assert_eq!(said["output"][0]["name"], "look", "{said}");
    // They reached the provider as tools of its own wire.
    for call in open.house.provider.calls() {
        assert_eq!(call.json()["tools"][0]["function"]["name"], "look");
    }
}

#[test]
fn a_program_that_goes_away_ends_its_call_and_pays_for_what_came() {
    let reply = Reply::text("one two three four").stall_after(At::Delta(2));
    let open = Open::new(Script::always(reply));
    let mut stream = open.connect();
    std::io::Write::write_all(
        &mut stream,
        &open.post("/v1/chat/completions", &question(true)),
    )
    .expect("sent");
    let mut seen = Vec::new();
    let mut piece = [0; 4_096];
    while !String::from_utf8_lossy(&seen).contains("one") {
        let count = stream.read(&mut piece).expect("a piece");
        assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend(&piece[..count]);
    }
    drop(stream);
    open.house
        .provider
        .wait(Event::ClientGone(0))
        .expect("our end is closed as well");
    let run = open.house.last_run();
    assert_eq!(run["state"], "cancelled", "{run}");
    let total = open.house.settled();
    assert_eq!(total["attempts"], 1);
    assert!(total["amount_nano_usd"].as_i64() > Some(0), "{total}");
}

#[test]
fn a_used_up_token_is_refused_before_the_provider_is_called() {
    let open = Open::new(Script::always(Reply::text("four words of it")));
    let mut wire = Wire::open(&open.house.home);
    let poor = token(&mut wire, json!({"name": "poor", "max_usd": "0.0001"}));
    let poor = Open {
        secret: poor,
        ..open
    };
    for (path, kind) in [
        ("/v1/messages", "billing_error"),
        ("/v1/chat/completions", "insufficient_quota"),
    ] {
        let said = poor.speak(&poor.post(path, &question(true)));
        assert_eq!(said.status, 402, "{said:?}");
        assert!(said.head.contains("x-should-retry: false"), "{said:?}");
        let error = &said.json()["error"];
        assert_eq!(error["type"], kind, "{error}");
        let message = error["message"].as_str().expect("words");
        assert!(
            message.contains("poor") && message.contains("cv guard"),
            "{message}"
        );
    }
    assert_eq!(poor.house.provider.calls().len(), 0);
    let listed = wire.result("token.list", json!({}));
    assert_eq!(listed["tokens"][0]["refused"], 2, "{listed}");
}

#[test]
fn a_token_asks_what_it_may_and_names_stand_for_what_it_says() {
    let open = Open::new(Script::always(Reply::text("x")));
    let mut wire = Wire::open(&open.house.home);
    let params = json!({"name": "narrow", "models": ["mock/other"]});
    let narrow = token(&mut wire, params);
    let every = json!({"name": "mapped", "model_map": {"*": "mock/gpt-test"}});
    let mapped = token(&mut wire, every);
    let stays = json!({"name": "stays", "policy": "local-only"});
    let stays = token(&mut wire, stays);
    let mut as_token = open;
    as_token.secret = narrow;
    let said = as_token.speak(&as_token.post("/v1/chat/completions", &question(false)));
    assert_eq!(said.status, 403, "{said:?}");
    as_token.secret = mapped;
    let mut foreign = question(false);
    foreign["model"] = json!("claude-of-tomorrow");
    let said = as_token.speak(&as_token.post("/v1/messages", &foreign));
    assert_eq!(said.status, 200, "{said:?}");
    as_token.secret = stays;
    // The fake is on this machine, but nobody says that its models are.
    let said = as_token.speak(&as_token.post("/v1/chat/completions", &question(false)));
    assert_eq!(said.status, 403, "{said:?}");
    assert_eq!(as_token.house.provider.calls().len(), 1);
}
