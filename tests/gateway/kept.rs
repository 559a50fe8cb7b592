//! Answers that programs are given again.

use convergio_fake_provider::{Reply, Script};
use serde_json::{Value, json};

use super::{Open, Said, question};

const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/messages", "/v1/responses"];

fn asked(path: &str, stream: bool) -> Value {
    match path {
        "/v1/responses" => json!({"model": "gpt-test", "input": "what is it", "stream": stream}),
        _ => question(stream),
    }
}

fn post(open: &Open, path: &str, asked: &Value, cache: &str) -> Said {
    let bytes = open.post(path, asked);
    let text = String::from_utf8(bytes).expect("a request");
    open.speak(text.replacen("\r\n", &format!("\r\n{cache}"), 1).as_bytes())
}

const ON: &str = "X-Convergio-Cache: on\r\n";

#[test]
fn a_program_that_wants_it_is_given_an_answer_again_on_every_wire_at_no_cost() {
    let open = Open::new(Script::always(Reply::text("an answer of heliotrope")));
    for path in PATHS {
        for stream in [false, true] {
            let asked = asked(path, stream);
            let before = open.house.provider.calls().len();
            let first = post(&open, path, &asked, ON);
            assert_eq!(first.status, 200, "{path}: {first:?}");
            let again = post(&open, path, &asked, ON);
            assert_eq!(again.status, 200, "{path}: {again:?}");
            let cached = "x-convergio-cached: true";
            assert!(again.head.contains(cached), "{path} {stream}: {again:?}");
            for word in ["an", "answer", "heliotrope"] {
                assert!(again.body.contains(word), "{path} {stream}: {again:?}");
            }
            let calls = open.house.provider.calls().len() - before;
            assert!(
                calls <= 1,
                "{path} {stream}: {calls} calls for two requests"
            );
            if stream {
                let end = match path {
                    "/v1/chat/completions" => "data: [DONE]",
                    "/v1/messages" => "event: message_stop",
                    _ => "response.completed",
                };
                assert!(again.body.contains(end), "{path}: {again:?}");
            }
        }
    }
    let calls = open.house.provider.calls().len() as u64;
    let total = open.house.settled();
    assert_eq!(total["attempts"].as_u64(), Some(calls), "{total}");
}

#[test]
fn nobody_is_given_an_answer_again_who_did_not_ask_for_that() {
    let open = Open::new(Script::always(Reply::text("an answer")));
    let asked = question(false);
    for _ in 0..2 {
        let said = post(&open, PATHS[0], &asked, "");
        assert!(!said.head.contains("x-convergio-cached"), "{said:?}");
    }
    assert_eq!(open.house.provider.calls().len(), 2);
    let said = post(&open, PATHS[0], &asked, "X-Convergio-Cache: perhaps\r\n");
    assert_eq!(said.status, 400, "{said:?}");
    // Once the settings say so, a request that is sure of its answer is enough.
    let ran = open.house.cv(&["config", "set", "cache.enabled", "true"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut sure = asked;
    sure["temperature"] = json!(0);
    post(&open, PATHS[0], &sure, "");
    let again = post(&open, PATHS[0], &sure, "");
    assert!(again.head.contains("x-convergio-cached: true"), "{again:?}");
    assert_eq!(open.house.provider.calls().len(), 3);
}

#[test]
fn a_call_of_a_tool_is_given_again_whole_or_not_at_all() {
    let reply = Reply::tool_call("look", &json!({"at": "here"}));
    let open = Open::new(Script::always(reply));
    let mut asked = question(false);
    asked["tools"] = json!([{"type": "function", "function": {"name": "look",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}]);
    let first = post(&open, PATHS[0], &asked, ON).json();
    let again = post(&open, PATHS[0], &asked, ON).json();
    for said in [first, again] {
        let call = &said["choices"][0]["message"]["tool_calls"][0]["function"];
        let arguments: Value =
            serde_json::from_str(call["arguments"].as_str().expect("arguments")).expect("JSON");
        assert_eq!(arguments, json!({"at": "here"}), "{said}");
        assert_eq!(said["choices"][0]["finish_reason"], "tool_calls", "{said}");
    }
}
