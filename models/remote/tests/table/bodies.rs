//! Tools, pictures, reasoning and cache marks as each dialect asks for them.

use convergio_fake_provider::{FakeProvider, Reply, Script};
use convergio_models_api::{
    CacheAfter, CacheBreakpoint, Image, Message, ModelRequest, Part, Provider, ReasoningEffort,
    Role, Tool, ToolCall, ToolChoice,
};
use convergio_models_remote::{Api, Endpoint, Kind, MaxTokensField, ReasoningForm, Remote};
use serde_json::{Value, json};

use crate::{
    requests::{schema, sent},
    support::{call_with, egress, endpoint, permit, permitted, request},
};
use futures_util::StreamExt as _;

fn text(text: &str) -> Part {
    Part::Text {
        text: text.to_owned(),
    }
}

fn reasoning(text: &str, signature: Option<&str>, redacted: bool) -> Part {
    Part::Reasoning {
        text: text.to_owned(),
        signature: signature.map(str::to_owned),
        redacted,
    }
}

fn picture() -> Part {
    Part::Image(Image {
        media_type: "image/png".to_owned(),
        base64: "iVBORw0KGgo=".to_owned(),
    })
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "get_weather".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    })
}

/// A conversation with everything in it, made by several providers.
fn everything(request: &mut ModelRequest) {
    request.messages = vec![
        Message {
            role: Role::User,
            parts: vec![text("Wie ist es da?"), picture()],
        },
        Message {
            role: Role::Assistant,
            parts: vec![
                reasoning("Erst denken.", Some("EqQBCgIYAhIM"), false),
                reasoning("", Some("EmwKAhgBEgy3"), true),
                reasoning("Kurz.", Some("openai:rs_1:gAAAA=="), false),
                reasoning("Unterschrieben ist nichts.", None, false),
                text("Ich sehe nach."),
                call("call.1", r#"{"z": 1.00, "a": "Zürich"}"#),
                call("call_2", "{}"),
                // It led to nothing.
                reasoning("", Some("openai:rs_2:gBBBB=="), false),
            ],
        },
        Message {
            role: Role::User,
            parts: vec![
                text("Und?"),
                Part::ToolResult {
                    id: "call.1".to_owned(),
                    content: vec![text("sonnig"), picture()],
                    is_error: false,
                },
                Part::ToolResult {
                    id: "call_2".to_owned(),
                    content: vec![text("weg")],
                    is_error: true,
                },
            ],
        },
    ];
    request.tools = vec![
        Tool {
            name: "get_weather".to_owned(),
            description: Some("Das Wetter.".to_owned()),
            input_schema: json!({"properties": {"a": {"type": "string"}}}),
            strict: false,
        },
        Tool {
            name: "exact".to_owned(),
            description: None,
            input_schema: schema().schema,
            strict: true,
        },
    ];
    request.tool_choice = ToolChoice::Named("get_weather".to_owned());
    request.parallel_tools = Some(false);
    request.top_p = Some(0.5);
    request.cache = vec![
        CacheBreakpoint {
            after: CacheAfter::Tools,
            hour: true,
        },
        CacheBreakpoint {
            after: CacheAfter::System,
            hour: true,
        },
        CacheBreakpoint {
            after: CacheAfter::Message(1),
            hour: false,
        },
        CacheBreakpoint {
            after: CacheAfter::Message(2),
            hour: false,
        },
    ];
}

const URL: &str = "data:image/png;base64,iVBORw0KGgo=";

#[tokio::test]
async fn anthropic_gets_everything() {
    let body = sent(
        |_, request| {
            everything(request);
            request.stop_sequences = vec!["drei".to_owned()];
        },
        Kind::Anthropic,
    )
    .await;
    let image = json!({"type": "image", "source":
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    let mark = json!({"type": "ephemeral"});
    assert_eq!(
        body,
        json!({"model": "m", "max_tokens": 64, "stream": true,
        "temperature": 0.2, "top_p": 0.5, "stop_sequences": ["drei"],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": hour}],
        "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": true},
        "tools": [
            {"name": "get_weather", "description": "Das Wetter.", "input_schema":
                {"type": "object", "properties": {"a": {"type": "string"}}}},
            {"name": "exact", "strict": true, "cache_control": hour, "input_schema":
                {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"],
                 "additionalProperties": false}}
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Wie ist es da?"}, image]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Erst denken.", "signature": "EqQBCgIYAhIM"},
                {"type": "redacted_thinking", "data": "EmwKAhgBEgy3"},
                {"type": "text", "text": "Ich sehe nach."},
                {"type": "tool_use", "id": "_call_1", "name": "get_weather",
                 "input": {"z": 1.00, "a": "Zürich"}},
                {"type": "tool_use", "id": "call_2", "name": "get_weather", "input": {},
                 "cache_control": mark}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "_call_1",
                 "content": [{"type": "text", "text": "sonnig"}, image]},
                {"type": "tool_result", "tool_use_id": "call_2", "is_error": true,
                 "content": [{"type": "text", "text": "weg"}]},
                {"type": "text", "text": "Und?", "cache_control": mark}
            ]}
        ]})
    );
}

#[tokio::test]
async fn arguments_go_back_to_anthropic_byte_for_byte() {
    let server = FakeProvider::start(Script::always(Reply::text("ok")));
    let endpoint = endpoint(Kind::Anthropic, &server);
    let mut request = request("mock");
    everything(&mut request);
    call_with(&egress(), &endpoint, request).await;
    let sent = String::from_utf8(server.request(0).unwrap().body).unwrap();
    assert!(
        sent.contains(r#""input":{"z": 1.00, "a": "Zürich"}"#),
        "{sent}"
    );
}

#[tokio::test]
async fn chat_completions_get_everything() {
    let body = sent(
        |endpoint, request| {
            everything(request);
            request.stop_sequences = vec!["drei".to_owned()];
            request.reasoning = ReasoningEffort::High;
            endpoint.dialect.return_reasoning = true;
        },
        Kind::OpenAi,
    )
    .await;
    let image = json!({"type": "image_url", "image_url": {"url": URL, "detail": "high"}});
    let expected = json!({"model": "m", "max_tokens": 64, "stream": true,
    "stream_options": {"include_usage": true},
    "temperature": 0.2, "top_p": 0.5, "stop": ["drei"], "reasoning_effort": "high",
    "parallel_tool_calls": false,
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "tools": [
        {"type": "function", "function": {"name": "get_weather",
            "description": "Das Wetter.", "parameters":
            {"type": "object", "properties": {"a": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "exact", "strict": true,
            "parameters": schema().schema}}
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Wie ist es da?"}, image]},
        {"role": "assistant", "content": "Ich sehe nach.",
         "reasoning_content": "Unterschrieben ist nichts.", "tool_calls": [
            {"id": "call.1", "type": "function", "function": {"name": "get_weather",
                "arguments": "{\"z\": 1.00, \"a\": \"Zürich\"}"}},
            {"id": "call_2", "type": "function",
             "function": {"name": "get_weather", "arguments": "{}"}}
        ]},
        {"role": "tool", "tool_call_id": "call.1", "content": "sonnig"},
        {"role": "tool", "tool_call_id": "call_2", "content": "Error: weg"},
        {"role": "user", "content": [
            {"type": "text", "text": "Pictures of the result of call.1:"}, image,
            {"type": "text", "text": "Und?"}
        ]}
    ]});
    assert_eq!(body, expected);

    let body = sent(
        |endpoint, request| {
            everything(request);
            request.tool_choice = ToolChoice::Required;
            request.messages.truncate(2);
            request.messages[1]
                .parts
                .retain(|part| matches!(part, Part::ToolCall(_)));
            request.reasoning = ReasoningEffort::BudgetTokens(2000);
            endpoint.dialect.reasoning = Some(ReasoningForm::Object);
        },
        Kind::OpenAi,
    )
    .await;
    assert_eq!(body["tool_choice"], "required");
    assert_eq!(body["reasoning"], json!({"max_tokens": 2000}));
    assert_eq!(body["messages"][2]["content"], Value::Null);
    assert_eq!(body.get("reasoning_effort"), None);
}

#[tokio::test]
async fn responses_get_everything() {
    let body = sent(
        |endpoint, request| {
            everything(request);
            request.reasoning = ReasoningEffort::Low;
            request.output_schema = Some(schema());
            endpoint.dialect.sampling = false;
        },
        Kind::OpenAiResponses,
    )
    .await;
    let image = json!({"type": "input_image", "detail": "high", "image_url": URL});
    let says = |text: &str| json!({"type": "input_text", "text": text});
    assert_eq!(
        body,
        json!({"model": "m", "max_output_tokens": 64, "stream": true, "store": false,
        "include": ["reasoning.encrypted_content"], "instructions": "Be brief.",
        "reasoning": {"effort": "low"}, "parallel_tool_calls": false,
        "tool_choice": {"type": "function", "name": "get_weather"},
        "text": {"format": {"type": "json_schema", "name": "greeting", "strict": true,
            "schema": schema().schema}},
        "tools": [
            {"type": "function", "name": "get_weather", "description": "Das Wetter.",
             "strict": false, "parameters":
                {"type": "object", "properties": {"a": {"type": "string"}}}},
            {"type": "function", "name": "exact", "strict": true, "parameters": schema().schema}
        ],
        "input": [
            {"type": "message", "role": "user", "content": [says("Wie ist es da?"), image]},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA==",
             "summary": [{"type": "summary_text", "text": "Kurz."}]},
            {"type": "message", "role": "assistant", "content": "Ich sehe nach."},
            {"type": "function_call", "call_id": "call.1", "name": "get_weather",
             "arguments": "{\"z\": 1.00, \"a\": \"Zürich\"}"},
            {"type": "function_call", "call_id": "call_2", "name": "get_weather",
             "arguments": "{}"},
            {"type": "message", "role": "user", "content": [says("Und?")]},
            {"type": "function_call_output", "call_id": "call.1",
             "output": [says("sonnig"), image]},
            {"type": "function_call_output", "call_id": "call_2", "output": "Error: weg"}
        ]})
    );
}

#[tokio::test]
async fn a_row_says_which_interface_a_model_is_asked_through() {
    let server = FakeProvider::start(Script::always(Reply::text("ja").reasoning("hm")));
    let mut endpoint = endpoint(Kind::OpenAi, &server);
    let traits = endpoint.models.entry("m".to_owned()).or_default();
    traits.api = Some(Api::Responses);
    let outcome = call_with(&egress(), &endpoint, request("mock")).await;
    assert_eq!((outcome.error.as_ref(), &*outcome.text()), (None, "ja"));
    assert_eq!(outcome.reasoning(), "hm");
    let mut other = request("mock");
    other.model = "old".to_owned();
    let outcome = call_with(&egress(), &endpoint, other).await;
    assert_eq!(outcome.text(), "ja");
    let paths: Vec<String> = server.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(paths, ["/v1/responses", "/v1/chat/completions"]);
}

#[tokio::test]
async fn azure_is_asked_by_deployment_version_and_either_kind_of_key() {
    let server = FakeProvider::start(Script::always(Reply::text("ja")));
    let mut endpoint = endpoint(Kind::Azure, &server);
    endpoint.dialect.max_tokens = MaxTokensField::MaxCompletionTokens;
    let deployments = &mut endpoint.azure.deployments;
    deployments.insert("m".to_owned(), "mine".to_owned());
    let ask = async |endpoint: &Endpoint| {
        let outcome = call_with(&egress(), endpoint, request("mock")).await;
        assert_eq!((outcome.error.as_ref(), &*outcome.text()), (None, "ja"));
    };
    ask(&endpoint).await;
    endpoint.azure.api_version = Some("2024-10-21".to_owned());
    endpoint.azure.entra = true;
    ask(&endpoint).await;
    endpoint.dialect.api = Api::Responses;
    ask(&endpoint).await;
    let calls = server.calls();
    let paths: Vec<&str> = calls.iter().map(|call| &*call.path).collect();
    assert_eq!(
        paths,
        [
            "/openai/v1/chat/completions",
            "/openai/deployments/mine/chat/completions?api-version=2024-10-21",
            "/openai/responses?api-version=2024-10-21",
        ]
    );
    for call in &calls {
        assert_eq!(call.json()["model"], "mine");
        assert_eq!(call.key(), Some(crate::support::KEY));
    }
    assert_eq!(calls[0].header("api-key"), Some(crate::support::KEY));
    assert_eq!(calls[0].header("authorization"), None);
    assert!(
        calls[1]
            .header("authorization")
            .unwrap()
            .starts_with("Bearer ")
    );
    assert_eq!(calls[1].header("api-key"), None);
}

#[tokio::test]
async fn anthropics_models_are_told_in_their_own_way_how_much_to_think() {
    use ReasoningEffort::{BudgetTokens, Default, High, Low, Off};
    use ReasoningForm::{Adaptive, Always, BetweenTools, Budget, None};
    let disabled = || json!({"type": "disabled"});
    let budget = |tokens: u32| json!({"type": "enabled", "budget_tokens": tokens});
    let adaptive = || json!({"type": "adaptive"});
    let cases = [
        (Adaptive, Default, Value::Null, Value::Null),
        (Adaptive, Off, disabled(), Value::Null),
        (Adaptive, High, adaptive(), json!("high")),
        (Adaptive, BudgetTokens(2000), adaptive(), json!("low")),
        (Always, Off, Value::Null, json!("low")),
        (
            BetweenTools,
            Off,
            json!({"type": "between_tools"}),
            Value::Null,
        ),
        (BetweenTools, Low, adaptive(), json!("low")),
        (Budget, Low, budget(1024), Value::Null),
        (Budget, High, budget(3072), Value::Null),
        (Budget, BudgetTokens(9000), budget(4095), Value::Null),
        // Less than the least is none.
        (Budget, BudgetTokens(500), disabled(), Value::Null),
        (None, Off, Value::Null, Value::Null),
    ];
    for (form, effort, thinking, word) in cases {
        let body = sent(
            |endpoint, request| {
                endpoint.dialect.reasoning = Some(form);
                request.reasoning = effort;
                request.max_output = 4096;
            },
            Kind::Anthropic,
        )
        .await;
        let said = |field: &str| body.get(field).cloned().unwrap_or_default();
        assert_eq!(said("thinking"), thinking, "{form:?} {effort:?}");
        assert_eq!(said("output_config")["effort"], word, "{form:?} {effort:?}");
        let has_temperature = body.get("temperature").is_some();
        assert_eq!(
            has_temperature,
            thinking["type"] != "enabled",
            "{form:?} {effort:?}"
        );
    }
}

#[tokio::test]
async fn what_a_dialect_cannot_say_is_not_sent_otherwise() {
    type Change = dyn Fn(&mut Endpoint, &mut ModelRequest);
    let cases: [(Kind, &Change); 5] = [
        (Kind::OpenAiResponses, &|_, request| {
            request.stop_sequences = vec!["x".to_owned()];
        }),
        (Kind::OpenAi, &|endpoint, request| {
            endpoint.dialect.reasoning = Some(ReasoningForm::None);
            request.reasoning = ReasoningEffort::High;
        }),
        (Kind::Anthropic, &|endpoint, request| {
            endpoint.dialect.reasoning = Some(ReasoningForm::None);
            request.reasoning = ReasoningEffort::Low;
        }),
        (Kind::Anthropic, &|_, request| {
            let point = CacheBreakpoint {
                after: CacheAfter::System,
                hour: false,
            };
            request.cache = vec![point; 5];
        }),
        (Kind::OpenAi, &|_, request| {
            request.stop_sequences = vec!["x".to_owned(); 5];
        }),
    ];
    for (kind, change) in cases {
        let server = FakeProvider::start(Script::always(Reply::text("no")));
        let mut endpoint = endpoint(kind, &server);
        let mut wanted = request("mock");
        change(&mut endpoint, &mut wanted);
        let remote = Remote::new(endpoint.clone(), egress()).unwrap();
        let mut stream = remote.stream(permitted(wanted, permit(&endpoint)));
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.class.as_str(), "bad_request", "{kind}");
        assert_eq!(server.connections(), 0, "{kind}");
    }
}

/// Every tool call of a stream, with its arguments put together.
#[tokio::test]
async fn calls_come_whole_from_every_dialect() {
    let arguments = json!({"place": "Zürich 🦀", "days": 2});
    for &kind in Kind::ALL {
        let reply = Reply::text("Moment. ")
            .and_tool_call("get_weather", &arguments)
            .and_tool_call("now", &json!({}));
        let server = FakeProvider::start(Script::always(reply.chunk_every(3)));
        let endpoint = endpoint(kind, &server);
        let mut wanted = request("mock");
        everything(&mut wanted);
        wanted.messages.truncate(1);
        wanted.tool_choice = ToolChoice::Auto;
        let outcome = call_with(&egress(), &endpoint, wanted).await;
        assert_eq!(outcome.error, None, "{kind}");
        assert_eq!(outcome.text(), "Moment. ", "{kind}");
        let calls = crate::fixtures::tool_calls(&outcome.events, kind.as_str());
        let got: Vec<(&str, Value)> = calls
            .iter()
            .map(|call| (&*call.name, serde_json::from_str(&call.arguments).unwrap()))
            .collect();
        assert_eq!(
            got,
            [("get_weather", arguments.clone()), ("now", json!({}))],
            "{kind}"
        );
        assert_ne!(calls[0].id, calls[1].id, "{kind}");
        let stop = outcome.events.last().unwrap();
        let tool_use = convergio_models_api::StopReason::ToolUse;
        assert_eq!(
            *stop,
            convergio_models_api::ModelEvent::Stop(tool_use),
            "{kind}"
        );
    }
}
