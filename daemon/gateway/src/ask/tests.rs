use convergio_models_api::{
    CacheAfter, CacheBreakpoint, Image, OutputSchema, ReasoningEffort, ToolCall, ToolChoice,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn chat(value: Value) -> Result<Asked, Fault> {
    parse(Wire::Chat, value.to_string().as_bytes())
}

fn messages(value: Value) -> Result<Asked, Fault> {
    parse(Wire::Messages, value.to_string().as_bytes())
}

fn with(base: &Value, field: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[field] = value;
    changed
}

fn text(text: &str) -> Part {
    Part::Text { text: text.into() }
}

#[test]
fn a_whole_conversation_of_chat_completions_is_understood() {
    let asked = chat(json!({
        "model": "m", "stream": true, "stream_options": {"include_usage": true},
        "max_tokens": 10, "max_completion_tokens": 20, "temperature": 0.5, "top_p": 0.25,
        "stop": "END", "parallel_tool_calls": false, "reasoning_effort": "low",
        "user": "u", "metadata": {}, "seed": 7, "store": null,
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "shape", "strict": true, "schema": {"type": "object"}}},
        "tools": [{"type": "function", "function": {
            "name": "look", "description": "looks", "parameters": {"type": "object"}, "strict": true}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "messages": [
            {"role": "system", "content": "one"},
            {"role": "developer", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "name": "x", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}},
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "seen"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "seen 2"}]},
            {"role": "user", "content": "so?"},
        ],
    }))
    .unwrap();
    let request = &asked.request;
    assert!(asked.stream && asked.include_usage);
    assert_eq!(asked.model, "m");
    assert_eq!(asked.ignored, ["max_tokens", "metadata", "seed", "user"]);
    assert_eq!(request.max_output, 20);
    assert_eq!(
        (request.temperature, request.top_p),
        (Some(0.5), Some(0.25))
    );
    assert_eq!(request.stop_sequences, ["END"]);
    assert_eq!(request.parallel_tools, Some(false));
    assert_eq!(request.reasoning, ReasoningEffort::Low);
    assert_eq!(request.tool_choice, ToolChoice::Named("look".into()));
    assert_eq!(request.system.as_deref(), Some("one\n\ntwo"));
    assert_eq!(
        request.output_schema,
        Some(OutputSchema {
            name: "shape".into(),
            schema: json!({"type": "object"})
        })
    );
    assert!(request.tools[0].strict);
    let call = |id: &str, arguments: &str| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: "look".into(),
            arguments: arguments.into(),
            signature: None,
        })
    };
    let result = |id: &str, said: &str| Part::ToolResult {
        id: id.into(),
        content: vec![text(said)],
        is_error: false,
    };
    let image = Part::Image(Image {
        media_type: "image/png".into(),
        base64: "AAAA".into(),
    });
    let expected = [
        (Role::User, vec![text("see"), image]),
        (
            Role::Assistant,
            vec![call("c1", "{\"a\":1}"), call("c2", "{}")],
        ),
        (
            Role::User,
            vec![result("c1", "seen"), result("c2", "seen 2"), text("so?")],
        ),
    ];
    let expected = expected.map(|(role, parts)| Message { role, parts });
    assert_eq!(request.messages, expected);
}

#[test]
fn a_whole_conversation_of_messages_is_understood() {
    let asked = messages(json!({
        "model": "claude-x", "max_tokens": 5000, "stream": true, "temperature": 1,
        "stop_sequences": ["a", "b"], "metadata": {"user_id": "u"}, "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "system": [
            {"type": "text", "text": "one"},
            {"type": "text", "text": "two", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tools": [{"name": "look", "input_schema": {"type": "object"},
                   "cache_control": {"type": "ephemeral"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "hello"},
            {"role": "system", "content": [{"type": "text", "text": "three"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "is_error": true, "content": [
                    {"type": "text", "text": "no"},
                    {"type": "image", "source": {
                        "type": "base64", "media_type": "image/jpeg", "data": "AAAA"}}]},
                {"type": "text", "text": "so?", "cache_control": {"type": "ephemeral"}}]},
        ],
    }))
    .unwrap();
    let request = &asked.request;
    assert_eq!(asked.ignored, ["metadata", "top_k"]);
    assert_eq!(request.system.as_deref(), Some("one\n\ntwo\n\nthree"));
    assert_eq!(request.reasoning, ReasoningEffort::BudgetTokens(1024));
    assert_eq!(request.tool_choice, ToolChoice::Required);
    assert_eq!(request.parallel_tools, Some(false));
    let place = |after, hour| CacheBreakpoint { after, hour };
    assert_eq!(
        request.cache,
        [
            place(CacheAfter::System, true),
            place(CacheAfter::Tools, false),
            place(CacheAfter::Message(2), false)
        ]
    );
    let said = &request.messages[1].parts;
    assert_eq!(
        said[0],
        Part::Reasoning {
            text: "hm".into(),
            signature: Some("s".into()),
            redacted: false
        }
    );
    assert!(matches!(&said[1], Part::Reasoning { redacted: true, .. }));
    assert!(matches!(&said[3], Part::ToolCall(call) if call.arguments == "{\"a\":1}"));
    assert!(
        matches!(&request.messages[2].parts[0], Part::ToolResult { is_error: true, content, .. } if content.len() == 2)
    );
}

#[test]
fn what_would_change_the_answer_is_refused_by_name() {
    let base = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    for (field, value) in [
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("top_logprobs", json!(3)),
        ("logit_bias", json!({"1": 2})),
        ("audio", json!({})),
        ("modalities", json!(["text", "audio"])),
        ("functions", json!([])),
        ("frequency_penalty", json!(0.5)),
        ("web_search_options", json!({})),
        ("temperature", json!(3)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(1.5)),
        ("stop", json!(["a", "b", "c", "d", "e"])),
        ("reasoning_effort", json!("a lot")),
        ("tool_choice", json!("perhaps")),
        ("tools", json!([{"type": "custom", "custom": {}}])),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "a b"}}]),
        ),
        ("response_format", json!({"type": "grammar"})),
        ("messages", json!([])),
        ("messages", json!([{"role": "user", "content": ""}])),
        ("messages", json!([{"role": "function", "content": "x"}])),
        ("messages", json!([{"role": "assistant", "content": "x"}])),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "input_audio"}]}]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}]}]),
        ),
        ("model", json!(null)),
    ] {
        let fault = chat(with(&base, field, value.clone())).unwrap_err();
        let param = fault.param.clone().unwrap_or_default();
        assert!(param.starts_with(field), "{field} {value}: {fault:?}");
        assert_eq!(fault.status(Wire::Chat), 400);
    }
    for (field, value) in [
        ("n", json!(1)),
        ("logprobs", json!(false)),
        ("modalities", json!(["text"])),
        ("frequency_penalty", json!(0)),
        ("user", json!("u")),
    ] {
        chat(with(&base, field, value)).unwrap();
    }
    let base = with(&base, "max_tokens", json!(10));
    for (field, value) in [
        ("max_tokens", json!(null)),
        (
            "tools",
            json!([{"type": "web_search_20250305", "name": "web_search"}]),
        ),
        ("mcp_servers", json!([{"url": "https://a.example"}])),
        ("container", json!("c")),
        ("thinking", json!({"type": "enabled", "budget_tokens": 10})),
        ("messages", json!([{"role": "tool", "content": "x"}])),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "document"}]}]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "tool_use", "id": "x", "name": "y", "input": {}}]}]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://a.example"}}]}]),
        ),
    ] {
        let fault = messages(with(&base, field, value.clone())).unwrap_err();
        let param = fault.param.clone().unwrap_or_default();
        assert!(param.starts_with(field), "{field} {value}: {fault:?}");
    }
}

fn responses(value: Value) -> Result<Asked, Fault> {
    parse(Wire::Responses, value.to_string().as_bytes())
}

#[test]
fn a_whole_conversation_of_responses_is_understood() {
    let asked = responses(json!({
        "model": "m", "stream": true, "store": false, "instructions": "be short",
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k",
        "reasoning": {"effort": "medium", "summary": "auto"}, "parallel_tool_calls": false,
        "text": {"verbosity": "low"}, "tool_choice": "auto",
        "tools": [
            {"type": "function", "name": "shell", "strict": false, "parameters": {"type": "object"}},
            {"type": "custom", "name": "apply_patch", "description": "patches",
             "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "web_search", "external_web_access": false}],
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
            {"role": "user", "content": "hello"},
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}],
             "encrypted_content": "sealed"},
            {"type": "function_call", "id": "fc", "call_id": "c1", "name": "shell", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "*** x"},
            {"type": "function_call_output", "call_id": "c1", "output": "done"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [
                {"type": "input_text", "text": "ok"}]},
        ],
    }))
    .unwrap();
    let request = &asked.request;
    assert_eq!(request.system.as_deref(), Some("be short\n\nd"));
    assert_eq!(request.reasoning, ReasoningEffort::Medium);
    assert_eq!(request.tools.len(), 2);
    assert!(
        request.tools[1]
            .description
            .as_ref()
            .unwrap()
            .contains("start: x")
    );
    assert!(asked.tool_forms["apply_patch"].free_text);
    assert_eq!(asked.tool_forms.len(), 1);
    assert_eq!(
        asked.ignored,
        [
            "include",
            "prompt_cache_key",
            "reasoning.summary",
            "store",
            "text.verbosity",
            "tools[2](web_search)"
        ]
    );
    let roles: Vec<Role> = request.messages.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    assert!(
        matches!(&request.messages[1].parts[2], Part::ToolCall(call) if call.arguments == "{\"input\":\"*** x\"}")
    );
    assert_eq!(request.messages[2].parts.len(), 2);
    for (field, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("c")),
        ("background", json!(true)),
        ("tools", json!([{"type": "web_search"}])),
        ("input", json!([{"type": "item_reference", "id": "x"}])),
        ("input", json!([])),
    ] {
        let base = json!({"model": "m", "input": "x"});
        let fault = responses(with(&base, field, value)).unwrap_err();
        assert!(fault.param.unwrap().starts_with(field), "{field}");
    }
    assert!(responses(json!({"model": "m", "input": "x"})).is_ok());
}

#[test]
fn tools_of_a_namespace_are_functions_with_a_name_that_leads_back() {
    let long = "n".repeat(60);
    let function =
        |name: &str| json!({"type": "function", "name": name, "parameters": {"type": "object"}});
    let asked = responses(json!({
        "model": "m", "tools": [function("wait")],
        "tool_choice": {"type": "function", "namespace": "clock", "name": "sleep"},
        "input": [
            {"type": "additional_tools", "role": "developer", "tools": [
                {"type": "namespace", "name": "clock", "description": "Time.",
                 "tools": [function("sleep"), function("now"), {"type": "local_shell"}]},
                {"type": "namespace", "name": "functions", "tools": [
                    function("wait"), {"type": "custom", "name": "exec"}]},
                {"type": "namespace", "name": long, "tools": [function("look")]}]},
            {"role": "user", "content": "hello"},
            {"type": "function_call", "call_id": "c1", "namespace": "clock", "name": "sleep",
             "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "slept"},
            // Told again, in other words.
            {"type": "additional_tools", "tools": [
                {"type": "namespace", "name": "clock", "tools": [
                    {"type": "function", "name": "now", "description": "The time."}]}]},
        ],
    }))
    .unwrap();
    let tools = &asked.request.tools;
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    let (cut, mark) = names[5].rsplit_once('_').unwrap();
    assert_eq!(
        names[..5],
        [
            "wait",
            "clock__sleep",
            "clock__now",
            "functions__wait",
            "functions__exec"
        ]
    );
    assert!(cut.starts_with(&long[..55]) && mark.len() == 8 && names[5].len() == 64);
    assert_eq!(tools[1].description.as_deref(), Some("[clock: Time.]\n\n"));
    assert_eq!(tools[2].description.as_deref(), Some("The time."));
    assert_eq!(
        asked.request.tool_choice,
        ToolChoice::Named("clock__sleep".into())
    );
    assert_eq!(asked.ignored, ["input[0].tools[0].tools[2](local_shell)"]);
    assert!(
        matches!(&asked.request.messages[1].parts[0], Part::ToolCall(call) if call.name == "clock__sleep")
    );
    let form = |name: &str| asked.tool_forms[name].clone();
    assert_eq!(form("functions__exec").name, "exec");
    assert!(form("functions__exec").free_text && !form("functions__wait").free_text);
    assert_eq!(form(names[5]).namespace, Some(long));
    assert!(!asked.tool_forms.contains_key("wait"));

    let twice = responses(json!({"model": "m", "input": "x", "tools": [
        function("a__b"), {"type": "namespace", "name": "a", "tools": [function("b")]}]}));
    assert!(twice.unwrap_err().message.contains("two tools"));
}

#[test]
fn no_json_is_said_to_be_none() {
    for body in ["", "{", "[1]", "\u{0}", "nul"] {
        for wire in [Wire::Chat, Wire::Messages] {
            assert_eq!(parse(wire, body.as_bytes()).unwrap_err().status(wire), 400);
        }
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse(Wire::Chat, deep.as_bytes()).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![
            "user",
            "assistant",
            "text",
            "tool_use",
            "function",
            ".{0,12}"
        ]
        .prop_map(Value::from),
    ];
    let names = prop_oneof![
        "role",
        "content",
        "type",
        "text",
        "tools",
        "function",
        "name",
        "tool_calls",
        "source",
        "image_url",
        "url",
        "messages",
        "model",
        "id",
        "input"
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(names.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_comes_is_a_request_or_an_error(
        mut value in any_json(),
        messages in any_json(),
        put in any::<bool>(),
    ) {
        if put && value.is_object() {
            value["model"] = json!("m");
            value["max_tokens"] = json!(9);
            value["input"] = json!([messages]);
            value["messages"] = value["input"].clone();
        }
        for wire in [Wire::Chat, Wire::Messages, Wire::Responses] {
            if let Ok(asked) = parse(wire, value.to_string().as_bytes()) {
                let last = asked.request.messages.last().unwrap();
                prop_assert_eq!(last.role, Role::User);
                prop_assert!(asked.request.messages.iter().all(|turn| !turn.parts.is_empty()));
                prop_assert!(asked.request.max_output > 0);
            }
        }
    }
}
