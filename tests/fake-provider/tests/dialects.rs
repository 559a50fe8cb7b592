//! The wire formats.

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script, Stop};
use serde_json::{Value, json};

use crate::client::{ALL, ask, ask_with, call, get, path};

fn text(dialect: Dialect, events: &[Value]) -> String {
    let pointer = match dialect {
        Dialect::Responses => "/delta",
        Dialect::Anthropic => "/delta/text",
        Dialect::OpenAi => "/choices/0/delta/content",
        Dialect::Gemini => "/candidates/0/content/parts/0/text",
        Dialect::Ollama => "/message/content",
    };
    events
        .iter()
        .filter_map(|event| event.pointer(pointer)?.as_str())
        .collect()
}

#[test]
fn every_dialect_streams_the_same_text_usage_and_stop() {
    let reply = Reply::text("One two thrée.")
        .usage(11, 3)
        .stop(Stop::Length);
    let provider = FakeProvider::start(Script::always(reply));
    for dialect in ALL {
        let response = ask(&provider, dialect);
        assert_eq!(response.status, 200, "{dialect:?}: {response:?}");
        let events = response.events();
        assert_eq!(text(dialect, &events), "One two thrée.", "{dialect:?}");
        let last = |pointer: &str| {
            let found = events.iter().rev().find_map(|event| event.pointer(pointer));
            found.cloned().unwrap_or_default()
        };
        let (input, output, stop, word) = match dialect {
            Dialect::Anthropic => (
                "/usage/input_tokens",
                "/usage/output_tokens",
                "/delta/stop_reason",
                "max_tokens",
            ),
            Dialect::OpenAi => (
                "/usage/prompt_tokens",
                "/usage/completion_tokens",
                "/choices/0/finish_reason",
                "length",
            ),
            Dialect::Responses => (
                "/response/usage/input_tokens",
                "/response/usage/output_tokens",
                "/response/incomplete_details/reason",
                "max_output_tokens",
            ),
            Dialect::Gemini => (
                "/usageMetadata/promptTokenCount",
                "/usageMetadata/candidatesTokenCount",
                "/candidates/0/finishReason",
                "MAX_TOKENS",
            ),
            Dialect::Ollama => (
                "/prompt_eval_count",
                "/eval_count",
                "/done_reason",
                "length",
            ),
        };
        assert_eq!(last(input), 11, "{dialect:?}");
        assert_eq!(last(output), 3, "{dialect:?}");
        assert_eq!(last(stop), word, "{dialect:?}");
    }
}

#[test]
fn anthropics_events_come_in_their_order() {
    let reply = Reply::text("One two").reasoning("Hm").pings();
    let provider = FakeProvider::start(Script::always(reply.cache(5, 7, 9).usage(3, 4)));
    let response = ask(&provider, Dialect::Anthropic);
    let names: Vec<&str> = response
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "ping",
        "content_block_delta",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
    let events = response.events();
    let start = &events[0]["message"]["usage"];
    assert_eq!(start["input_tokens"], 3);
    assert_eq!(start["cache_read_input_tokens"], 5);
    assert_eq!(start["cache_creation_input_tokens"], 16);
    assert_eq!(start["cache_creation"]["ephemeral_5m_input_tokens"], 7);
    assert_eq!(start["cache_creation"]["ephemeral_1h_input_tokens"], 9);
    assert_eq!(start["output_tokens"], 1);
    let whole = &events[events.len() - 2]["usage"];
    assert_eq!(whole["output_tokens"], 4, "cumulative, not to be added");
    assert!(response.head.contains("request-id: req_fake"));
}

#[test]
fn openai_reports_usage_only_where_it_was_asked_for() {
    let reply = Reply::text("One two").usage(10, 5).cache(4, 0, 0);
    let provider = FakeProvider::start(Script::always(reply.reasoning_tokens(2)));
    let events = ask(&provider, Dialect::OpenAi).events();
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["prompt_tokens"], 14, "cached ones included");
    assert_eq!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(last["usage"]["completion_tokens"], 5);
    let details = &last["usage"]["completion_tokens_details"];
    assert_eq!(details["reasoning_tokens"], 2);
    assert_eq!(events[0]["usage"], Value::Null);
    assert!(events[0].as_object().unwrap().contains_key("usage"));

    let mut body = call(Dialect::OpenAi);
    body.as_object_mut().unwrap().remove("stream_options");
    let response = ask_with(&provider, path(Dialect::OpenAi), "", &body);
    assert!(!response.body.contains("usage"), "{}", response.body);
    assert!(response.body.ends_with("data: [DONE]\n\n"));
}

#[test]
fn calls_without_a_stream_have_one_body() {
    let reply = Reply::text("One two").usage(3, 2);
    let provider = FakeProvider::start(Script::always(reply));
    for (dialect, pointer) in [
        (Dialect::Anthropic, "/content/0/text"),
        (Dialect::OpenAi, "/choices/0/message/content"),
        (Dialect::Responses, "/output/0/content/0/text"),
        (Dialect::Gemini, "/candidates/0/content/parts/0/text"),
        (Dialect::Ollama, "/message/content"),
    ] {
        let mut body = call(dialect);
        body["stream"] = false.into();
        body.as_object_mut().unwrap().remove("stream_options");
        let path = path(dialect).replace("streamGenerateContent?alt=sse", "generateContent");
        let response = ask_with(&provider, &path, "", &body);
        let text = response.json().pointer(pointer).cloned();
        let wanted = match dialect {
            // Each delta is a part of its own.
            Dialect::Gemini => "One ",
            _ => "One two",
        };
        assert_eq!(text, Some(wanted.into()), "{dialect:?}: {response:?}");
        assert!(response.head.contains("content-type: application/json"));
    }
    assert_eq!(provider.billed().output_tokens, 10);
}

#[test]
fn tool_calls_and_structured_output_come_in_pieces() {
    let arguments = json!({ "path": "a/ü.rs", "lines": [1, 2] });
    let reply = Reply::tool_call("read", &arguments);
    let provider = FakeProvider::start(Script::always(reply));
    let events = ask(&provider, Dialect::OpenAi).events();
    let pieces: String = events
        .iter()
        .filter_map(|event| {
            event
                .pointer("/choices/0/delta/tool_calls/0/function/arguments")?
                .as_str()
        })
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&pieces).unwrap(), arguments);
    let events = ask(&provider, Dialect::Anthropic).events();
    let pieces: String = events
        .iter()
        .filter_map(|event| event.pointer("/delta/partial_json")?.as_str())
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&pieces).unwrap(), arguments);
    assert!(
        events
            .iter()
            .any(|event| event["delta"]["stop_reason"] == "tool_use")
    );
    let events = ask(&provider, Dialect::Responses).events();
    assert_eq!(
        serde_json::from_str::<Value>(&text(Dialect::Responses, &events)).unwrap(),
        arguments
    );
    let last = &events[events.len() - 1]["response"];
    assert_eq!(last["output"][0]["type"], "function_call");
    let events = ask(&provider, Dialect::Ollama).events();
    let call = &events[0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["arguments"], arguments);
    let events = ask(&provider, Dialect::Gemini).events();
    let call = &events[0]["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!(call["args"], arguments);

    let provider = FakeProvider::start(Script::always(Reply::json(&arguments)));
    let events = ask(&provider, Dialect::OpenAi).events();
    let whole = text(Dialect::OpenAi, &events);
    assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), arguments);
    assert!(events.len() > 5, "in pieces");
}

#[test]
fn refusals_say_so() {
    let provider = FakeProvider::start(Script::always(Reply::refusal("I would rather not.")));
    let events = ask(&provider, Dialect::OpenAi).events();
    let refusal: String = events
        .iter()
        .filter_map(|event| event.pointer("/choices/0/delta/refusal")?.as_str())
        .collect();
    assert_eq!(refusal, "I would rather not.");
    assert_eq!(text(Dialect::OpenAi, &events), "");
    let events = ask(&provider, Dialect::Anthropic).events();
    assert!(
        events
            .iter()
            .any(|event| event["delta"]["stop_reason"] == "refusal")
    );
}

#[test]
fn errors_have_each_dialects_form() {
    let reply = Reply::error(529, "overloaded_error", "Overloaded")
        .code("busy")
        .retry_after(7)
        .request_id("req_mine");
    let provider = FakeProvider::start(Script::always(reply));
    for dialect in ALL {
        let response = ask(&provider, dialect);
        assert_eq!(response.status, 529);
        assert!(response.head.contains("retry-after: 7\r\n"), "{dialect:?}");
        let body = response.json();
        match dialect {
            Dialect::Anthropic => {
                assert_eq!(body["type"], "error");
                assert_eq!(body["error"]["type"], "overloaded_error");
                assert_eq!(body["error"]["message"], "Overloaded");
                assert!(response.head.contains("request-id: req_mine\r\n"));
            }
            Dialect::OpenAi | Dialect::Responses => {
                assert_eq!(body["error"]["type"], "overloaded_error");
                assert_eq!(body["error"]["code"], "busy");
                assert!(response.head.contains("x-request-id: req_mine\r\n"));
            }
            Dialect::Gemini => assert_eq!(body["error"]["code"], 529),
            Dialect::Ollama => assert_eq!(body["error"], "Overloaded"),
        }
    }
    assert_eq!(provider.billed().calls, 0);
}

#[test]
fn a_stream_can_fail_in_the_middle() {
    let reply = Reply::text("One two three").fail_after(2, "overloaded_error", "Overloaded");
    let provider = FakeProvider::start(Script::always(reply));
    for dialect in ALL {
        let response = ask(&provider, dialect);
        assert_eq!(response.status, 200);
        let events = response.events();
        assert_eq!(text(dialect, &events), "One two ", "{dialect:?}");
        let last = events.last().unwrap();
        let is_error = last.get("error").is_some() || last["type"] == "error";
        assert!(is_error, "{dialect:?}: {last}");
        assert!(!response.body.contains("[DONE]") && !response.body.contains("message_stop"));
    }
    assert_eq!(provider.billed().output_tokens, 10);
}

#[test]
fn a_stream_can_lack_its_end_and_its_usage() {
    let reply = Reply::text("One two").no_end_marker().no_usage();
    let provider = FakeProvider::start(Script::always(reply));
    for dialect in ALL {
        let body = ask(&provider, dialect).body;
        for word in [
            "[DONE]",
            "message_stop",
            "\"done\":true",
            "response.completed",
            "finishReason",
            "\"usage\":{",
        ] {
            assert!(!body.contains(word), "{dialect:?}: {word} in {body}");
        }
    }
}

#[test]
fn output_stops_at_the_requests_limit() {
    let provider = FakeProvider::start(Script::always(Reply::text("a b c d e")));
    for (dialect, field, value) in [
        (Dialect::Anthropic, "max_tokens", json!(2)),
        (Dialect::OpenAi, "max_completion_tokens", json!(2)),
        (Dialect::Responses, "max_output_tokens", json!(2)),
        (Dialect::Ollama, "options", json!({ "num_predict": 2 })),
        (
            Dialect::Gemini,
            "generationConfig",
            json!({ "maxOutputTokens": 2 }),
        ),
    ] {
        let mut body = call(dialect);
        body[field] = value;
        let response = ask_with(&provider, path(dialect), "", &body);
        assert_eq!(text(dialect, &response.events()), "a b ", "{dialect:?}");
        let stop = response.body.to_lowercase();
        let words = ["max_tokens", "length", "max_output_tokens"];
        assert!(words.iter().any(|word| stop.contains(word)), "{dialect:?}");
    }
    assert_eq!(provider.billed().output_tokens, 10);
}

#[test]
fn malformed_calls_are_refused_as_they_are_in_life() {
    let provider = FakeProvider::start(Script::always(Reply::text("never")));
    let cases: [(Dialect, &[(&str, Value)]); 10] = [
        (Dialect::Anthropic, &[("max_tokens", Value::Null)]),
        (
            Dialect::Anthropic,
            &[("messages", json!([{ "role": "system", "content": "x" }]))],
        ),
        (
            Dialect::Anthropic,
            &[("messages", json!([{ "role": "assistant", "content": "x" }]))],
        ),
        (
            Dialect::Anthropic,
            &[("messages", json!([{ "role": "user", "content": "" }]))],
        ),
        (Dialect::OpenAi, &[("stream", false.into())]),
        (
            Dialect::OpenAi,
            &[("response_format", json!({ "type": "json_schema" }))],
        ),
        (
            Dialect::OpenAi,
            &[("messages", json!([{ "role": "bot", "content": "x" }]))],
        ),
        (Dialect::Responses, &[("input", json!([]))]),
        (Dialect::Responses, &[("stop", json!(["x"]))]),
        (Dialect::Gemini, &[("contents", json!([]))]),
    ];
    for (dialect, changes) in cases {
        let mut body = call(dialect);
        for (field, value) in changes {
            body[*field] = value.clone();
        }
        let response = ask_with(&provider, path(dialect), "", &body);
        assert_eq!(
            response.status, 400,
            "{dialect:?} {changes:?}: {response:?}"
        );
    }
    assert_eq!(provider.billed().calls, 0);
    let lenient = FakeProvider::start(Script::always(Reply::text("fine")).lenient());
    assert_eq!(
        ask_with(&lenient, "/v1/messages", "", &json!({})).status,
        200
    );
}

#[test]
fn keys_and_models_are_checked_where_the_script_says_so() {
    let script = Script::always(Reply::text("yes"))
        .require_key("sk-right")
        .models(["gpt-test"]);
    let provider = FakeProvider::start(script);
    let with =
        |dialect, header: &str| ask_with(&provider, path(dialect), header, &call(dialect)).status;
    assert_eq!(
        with(Dialect::OpenAi, "authorization: Bearer sk-right\r\n"),
        200
    );
    assert_eq!(with(Dialect::OpenAi, "api-key: sk-right\r\n"), 200);
    assert_eq!(
        with(Dialect::OpenAi, "authorization: Bearer sk-wrong\r\n"),
        401
    );
    assert_eq!(with(Dialect::Anthropic, "x-api-key: sk-right\r\n"), 200);
    assert_eq!(with(Dialect::Anthropic, ""), 401);
    assert_eq!(with(Dialect::Gemini, "x-goog-api-key: sk-right\r\n"), 200);
    assert_eq!(with(Dialect::Gemini, ""), 400);
    let mut body = call(Dialect::OpenAi);
    body["model"] = "gpt-other".into();
    let key = "authorization: Bearer sk-right\r\n";
    assert_eq!(
        ask_with(&provider, path(Dialect::OpenAi), key, &body).status,
        404
    );
    let keys: Vec<_> = provider
        .requests()
        .iter()
        .map(|one| one.key().map(str::to_owned))
        .collect();
    assert_eq!(keys[0].as_deref(), Some("sk-right"));
    assert_eq!(keys[2].as_deref(), Some("sk-wrong"));
    assert_eq!(keys[4], None);
}

#[test]
fn lists_and_versions_take_nothing_from_the_queue() {
    let script = Script::replies([Reply::text("first")]).models(["a", "b"]);
    let provider = FakeProvider::start(script.lenient());
    assert_eq!(
        get(&provider, "/v1/models", "").json()["data"][1]["id"],
        "b"
    );
    assert_eq!(get(&provider, "/v1/models", "").json()["object"], "list");
    let anthropic = get(
        &provider,
        "/v1/models?limit=5",
        "anthropic-version: 2023-06-01\r\n",
    );
    assert_eq!(anthropic.json()["has_more"], false);
    assert_eq!(anthropic.json()["data"][0]["type"], "model");
    assert_eq!(
        get(&provider, "/v1beta/models", "").json()["models"][0]["name"],
        "models/a"
    );
    assert_eq!(
        get(&provider, "/api/tags", "").json()["models"][1]["name"],
        "b"
    );
    assert!(get(&provider, "/api/version", "").json()["version"].is_string());
    assert_eq!(get(&provider, "/nothing", "").status, 404);
    assert_eq!(
        text(Dialect::Ollama, &ask(&provider, Dialect::Ollama).events()),
        "first"
    );
    assert_eq!(
        ask(&provider, Dialect::Ollama).status,
        500,
        "the queue is empty"
    );
    assert_eq!((provider.requests().len(), provider.calls().len()), (9, 2));
}
