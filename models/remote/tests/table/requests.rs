//! What is asked, in each dialect.

use convergio_egress::Url;
use convergio_fake_provider::{FakeProvider, Reply, Script};
use convergio_models_api::{Message, ModelRequest, OutputSchema, Part, Provider, Role};
use convergio_models_remote::{Endpoint, JsonSupport, Kind, MaxTokensField, Remote, RemoteError};
use serde_json::{Value, json};

use crate::support::{call_with, egress, endpoint, request};

pub(crate) fn schema() -> OutputSchema {
    OutputSchema {
        name: "greeting".to_owned(),
        schema: json!({"type": "object", "properties": {"to": {"type": "string", "maxLength": 9}},
            "required": ["to"], "additionalProperties": false}),
    }
}

fn conversation() -> ModelRequest {
    ModelRequest {
        messages: vec![
            Message::text(Role::User, "hi"),
            Message::text(Role::Assistant, "Grüß Gott"),
            Message {
                role: Role::User,
                parts: vec![
                    Part::Text {
                        text: "eins".to_owned(),
                    },
                    Part::Text {
                        text: "zwei".to_owned(),
                    },
                ],
            },
        ],
        temperature: Some(0.2),
        ..request("mock")
    }
}

/// The body that a server gets, and what it was told in headers.
pub(crate) async fn sent(change: impl Fn(&mut Endpoint, &mut ModelRequest), kind: Kind) -> Value {
    let server = FakeProvider::start(Script::always(Reply::text("ok")));
    let mut endpoint = endpoint(kind, &server);
    let mut request = conversation();
    change(&mut endpoint, &mut request);
    let remote = Remote::new(endpoint.clone(), egress()).unwrap();
    let stated = remote.wire_bytes(&request);
    let outcome = call_with(&egress(), &endpoint, request).await;
    assert_eq!(outcome.error, None, "{kind}");
    let call = server.request(0).unwrap();
    assert_eq!(call.body.len() as u64, stated, "{kind}");
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert!(call.header("user-agent").unwrap().starts_with("convergio/"));
    let key = endpoint.key.is_some().then_some(crate::support::KEY);
    assert_eq!(call.key(), key, "{kind}");
    let path = match kind {
        Kind::Anthropic => "/v1/messages",
        Kind::Ollama => "/api/chat",
        Kind::OpenAiResponses => "/v1/responses",
        Kind::Azure => "/openai/v1/chat/completions",
        _ => "/v1/chat/completions",
    };
    assert_eq!(call.path, path);
    call.json()
}

#[tokio::test]
async fn anthropic_is_asked_in_its_form() {
    let body = sent(|_, _| {}, Kind::Anthropic).await;
    assert_eq!(
        body,
        json!({"model": "m", "max_tokens": 64, "stream": true, "system": "Be brief.",
        "temperature": 0.2,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Grüß Gott"}]},
            {"role": "user", "content": [{"type": "text", "text": "eins"}, {"type": "text", "text": "zwei"}]}
        ]})
    );
    let with_schema = |json: JsonSupport| {
        sent(
            move |endpoint, request| {
                endpoint.dialect.json = json;
                request.output_schema = Some(schema());
            },
            Kind::Anthropic,
        )
    };
    let body = with_schema(JsonSupport::Schema).await;
    let format = &body["output_config"]["format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(
        format["schema"]["properties"]["to"],
        json!({"type": "string"})
    );
    assert_eq!(body.get("tools"), None);
    let body = with_schema(JsonSupport::Tool).await;
    assert_eq!(
        body["tool_choice"],
        json!({"type": "tool", "name": "greeting"})
    );
    assert_eq!(body["tools"][0]["input_schema"], schema().schema);
    assert_eq!(body.get("output_config"), None);
    let body = with_schema(JsonSupport::Prompt).await;
    assert!(body["system"].as_str().unwrap().contains("JSON Schema"));
}

#[tokio::test]
async fn openai_and_its_kin_are_asked_in_their_form() {
    let body = sent(|_, _| {}, Kind::OpenAi).await;
    assert_eq!(
        body,
        json!({"model": "m", "max_tokens": 64, "stream": true, "temperature": 0.2,
        "stream_options": {"include_usage": true},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Grüß Gott"},
            {"role": "user", "content": "eins\n\nzwei"}
        ]})
    );
    let body = sent(
        |endpoint, request| {
            endpoint.key = None;
            endpoint.dialect.max_tokens = MaxTokensField::MaxCompletionTokens;
            endpoint.dialect.usage_option = false;
            request.output_schema = Some(schema());
            request.temperature = None;
        },
        Kind::OpenAi,
    )
    .await;
    assert_eq!(body["max_completion_tokens"], 64);
    for absent in ["max_tokens", "stream_options", "temperature"] {
        assert_eq!(body.get(absent), None, "{absent}");
    }
    let format = &body["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["name"], "greeting");
    assert_eq!(format["json_schema"]["strict"], true);
    assert_eq!(format["json_schema"]["schema"], schema().schema);
    let body = sent(
        |endpoint, request| {
            endpoint.dialect.json = JsonSupport::Object;
            request.output_schema = Some(schema());
        },
        Kind::OpenAi,
    )
    .await;
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    let system = body["messages"][0]["content"].as_str().unwrap();
    assert!(
        system.starts_with("Be brief.") && system.contains("\"maxLength\":9"),
        "{system}"
    );
}

#[tokio::test]
async fn ollama_is_asked_in_its_form() {
    let body = sent(
        |_, request| request.output_schema = Some(schema()),
        Kind::Ollama,
    )
    .await;
    assert_eq!(
        body,
        json!({"model": "m", "stream": true, "truncate": false, "shift": false,
        "format": schema().schema,
        "options": {"num_ctx": 4096, "num_predict": 64, "temperature": 0.2},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Grüß Gott"},
            {"role": "user", "content": "eins\n\nzwei"}
        ]})
    );
}

#[test]
fn what_is_no_http_is_no_provider() {
    for &kind in Kind::ALL {
        assert!(kind.is_supported(), "{kind}");
        let base_url = Url::parse("file:///etc/passwd").unwrap();
        let made = Remote::new(Endpoint::new("x", kind, base_url), egress());
        assert!(
            matches!(made, Err(RemoteError::BadBaseUrl { .. })),
            "{kind}"
        );
    }
}
