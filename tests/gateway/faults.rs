//! What goes wrong, in the words of the wire that was spoken; and a port that somebody else has.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    time::{Duration, Instant},
};

use convergio_fake_provider::{At, Dialect, Event, Reply, Script};
use serde_json::{Value, json};

use super::{Open, question, token};
use crate::{
    ask::House,
    harness::{process::LIMIT, wire::Wire},
};

/// The error of an answer, where it is one of this wire.
fn message<'a>(said: &'a Value, wire: &str) -> &'a str {
    match wire {
        "messages" => assert_eq!(said["type"], "error", "{said}"),
        _ => assert!(said["error"].get("code").is_some(), "{said}"),
    }
    said["error"]["message"].as_str().expect("a message")
}

#[test]
fn paths_that_are_not_here_are_told_in_the_words_of_the_wire() {
    let open = Open::new(Script::always(Reply::text("x")));
    for (path, wire) in [
        ("/v1/embeddings", "chat"),
        ("/v1/completions", "chat"),
        ("/v1/messages/batches", "messages"),
        ("/", "chat"),
    ] {
        let said = open.speak(&open.post(path, &json!({})));
        assert_eq!(said.status, 404, "{path}: {said:?}");
        let told = said.json();
        assert!(
            message(&told, wire).contains("/v1/chat/completions"),
            "{told}"
        );
        assert!(said.head.contains("x-should-retry: false"), "{said:?}");
        // Without a token nothing is told of what is here.
        let stranger = open.get(path, &[]);
        assert_eq!(stranger.status, 401, "{path}: {stranger:?}");
        let told = stranger.json();
        assert!(!message(&told, wire).contains("/v1/"), "{told}");
    }
    let key = format!("x-api-key: {}", open.secret);
    let said = open.get("/v1/messages", &[&key]);
    assert_eq!(said.status, 405, "{said:?}");
    assert!(
        message(&said.json(), "messages").contains("GET"),
        "{said:?}"
    );
    assert_eq!(open.house.provider.calls().len(), 0);
}

#[test]
fn what_a_provider_has_no_word_for_is_the_requests_own_fault() {
    let script = Script::always(Reply::text("x"));
    let house = House::speaking(Dialect::Ollama, script);
    let open = Open::of(house);
    let mut asked = question(false);
    asked["tools"] = json!([{"type": "function", "function": {
        "name": "look", "parameters": {"type": "object", "properties": {}}}}]);
    asked["tool_choice"] = json!("required");
    let said = open.speak(&open.post("/v1/chat/completions", &asked));
    assert_eq!(said.status, 400, "{said:?}");
    let told = said.json();
    assert_eq!(told["error"]["type"], "invalid_request_error", "{told}");
    assert!(message(&told, "chat").contains("tool_choice"), "{told}");
    assert_eq!(open.house.provider.calls().len(), 0);
    // Nothing was sent, nothing is owed.
    let total = &open.house.usage()["total"];
    assert_eq!(
        (&total["open"], &total["amount_nano_usd"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn a_call_whose_token_is_taken_back_ends_as_one_without_a_token() {
    for (path, wire) in [
        ("/v1/chat/completions", "chat"),
        ("/v1/messages", "messages"),
    ] {
        let reply = Reply::text("one two three four").stall_after(At::Delta(2));
        let open = Open::new(Script::always(reply));
        let mut stream = open.connect();
        let asked = open.post(path, &question(false));
        stream.write_all(&asked).expect("sent");
        open.house
            .provider
            .wait(Event::Stalled(0))
            .expect("it answers");
        Wire::open(&open.house.home).result("token.revoke", json!({"name": "tool"}));
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an answer");
        let (head, body) = said.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 401 "), "{path}: {said}");
        assert!(head.contains("x-should-retry: false"), "{path}: {said}");
        let told: Value = serde_json::from_str(body).expect("JSON");
        assert!(message(&told, wire).contains("revoked"), "{told}");
    }
}

#[test]
fn a_port_that_somebody_has_is_tried_again_until_it_is_free() {
    let house = House::new(Script::always(Reply::text("x")));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its number").port();
    let set = |key: &str, value: &str| {
        let ran = house.cv(&["config", "set", key, value]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    set("gateway.port", &port.to_string());
    set("gateway.enabled", "true");
    let told = house.cv(&["gateway"]);
    assert!(told.out.contains("does not listen"), "{told:?}");
    assert!(told.out.contains(&format!("port {port}")), "{told:?}");
    let doctor = house.cv(&["doctor", "--format", "json"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    let doctor: Value = serde_json::from_str(&doctor.out).expect("JSON");
    let of_gateway = |doctor: &Value| {
        let checks = doctor["checks"].as_array().expect("checks").iter();
        let mut found = checks.filter(|check| check["id"] == "gateway");
        found.next().cloned().expect("a check of the gateway")
    };
    let check = of_gateway(&doctor);
    assert_eq!(check["state"], "error", "{check}");
    assert!(
        check["what"]
            .as_str()
            .expect("words")
            .contains(&format!("port {port}"))
    );
    let fix = check["fix"].as_str().expect("a fix");
    assert!(!fix.ends_with(&format!(" {port}")), "{fix}");

    drop(taken);
    // Nobody touches the settings: it looks again by itself.
    let mut wire = Wire::open(&house.home);
    let end = Instant::now() + LIMIT.max(Duration::from_secs(45));
    let url = loop {
        let status = wire.result("gateway.status", json!({}));
        if let Some(url) = status["url"].as_str() {
            break url.to_owned();
        }
        assert!(Instant::now() < end, "{status}");
    };
    assert!(url.ends_with(&format!(":{port}")), "{url}");
    let doctor = house.cv(&["doctor", "--format", "json"]);
    let doctor: Value = serde_json::from_str(&doctor.out).expect("JSON");
    assert_eq!(of_gateway(&doctor)["state"], "ok");
    let base = url;
    let secret = token(&mut wire, json!({"name": "tool"}));
    let open = Open {
        house,
        base,
        secret,
    };
    assert_eq!(open.get("/healthz", &[]).status, 200);
}
