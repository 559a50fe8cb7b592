//! What Gemini is asked.

use std::{borrow::Cow, collections::HashMap};

use convergio_models_api::{Message, ModelRequest, Part, ReasoningEffort, Role, ToolChoice};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::{SIGNATURE_PREFIX, bare};
use crate::{
    body::{arguments, joined, prompted_system, to_body},
    endpoint::{Endpoint, JsonSupport},
};

/// What the documentation has for calls that another model made, which nobody signed.
const NOT_SIGNED: &str = "skip_thought_signature_validator";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    generation_config: GenerationConfig<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<WirePart<'a>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct WirePart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<Blob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    id: &'a str,
    name: &'a str,
    args: &'a RawValue,
}

#[derive(Serialize)]
struct FunctionResponse<'a> {
    id: &'a str,
    name: &'a str,
    response: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters_json_schema: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Value>,
}

/// The JSON body of the request. Whether calls may come in parallel cannot be said to Gemini.
pub(super) fn body(endpoint: &Endpoint, request: &ModelRequest) -> Result<Vec<u8>, String> {
    let support = match endpoint.json_support(request) {
        // No call needs to be forced here: JSON is a mode of its own.
        JsonSupport::Tool => JsonSupport::Object,
        other => other,
    };
    let schema = request.output_schema.as_ref();
    let is_json = request.json_object || (schema.is_some() && support != JsonSupport::Prompt);
    let mut names = HashMap::new();
    let mut contents = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        let content = content(message, &mut names)?;
        // What is left of a turn of which another dialect made everything.
        if !content.parts.is_empty() {
            contents.push(content);
        }
    }
    to_body(&Body {
        system_instruction: prompted_system(request, support).map(|system| Content {
            role: None,
            parts: vec![text(system)],
        }),
        contents,
        tools: tools(request),
        tool_config: tool_config(request),
        generation_config: GenerationConfig {
            max_output_tokens: request.max_output,
            temperature: request.temperature,
            top_p: request.top_p,
            stop_sequences: &request.stop_sequences,
            response_mime_type: is_json.then_some("application/json"),
            response_json_schema: schema
                .filter(|_| support == JsonSupport::Schema)
                .map(|output| &output.schema),
            thinking_config: thinking(bare(&request.model), request.reasoning),
        },
    })
}

fn text<'a>(text: impl Into<Cow<'a, str>>) -> WirePart<'a> {
    WirePart {
        text: Some(text.into()),
        ..WirePart::default()
    }
}

/// The signature as Gemini made it; none where it did not.
fn own(signature: Option<&String>) -> Option<&str> {
    signature?.strip_prefix(SIGNATURE_PREFIX)
}

/// One turn. `names` knows the tool of each call so far: a result names it again.
fn content<'a>(
    message: &'a Message,
    names: &mut HashMap<&'a str, &'a str>,
) -> Result<Content<'a>, String> {
    // Of calls side by side only the first is signed.
    let mut needs_signature = true;
    let mut parts = Vec::with_capacity(message.parts.len());
    for part in &message.parts {
        match part {
            Part::Text { text: words } if words.is_empty() => {}
            Part::Text { text: words } => parts.push(text(words.as_str())),
            Part::Image(image) => parts.push(WirePart {
                inline_data: Some(Blob {
                    mime_type: &image.media_type,
                    data: &image.base64,
                }),
                ..WirePart::default()
            }),
            Part::Reasoning { signature, .. } => {
                if let Some(signature) = own(signature.as_ref()) {
                    parts.push(WirePart {
                        thought_signature: Some(signature),
                        ..text("")
                    });
                }
            }
            Part::ToolCall(call) => {
                names.insert(&call.id, &call.name);
                let signature = own(call.signature.as_ref());
                parts.push(WirePart {
                    function_call: Some(FunctionCall {
                        id: &call.id,
                        name: &call.name,
                        args: arguments(&call.arguments)?,
                    }),
                    thought_signature: signature.or(needs_signature.then_some(NOT_SIGNED)),
                    ..WirePart::default()
                });
                needs_signature = false;
            }
            Part::ToolResult {
                id,
                content,
                is_error,
            } => {
                let name = names.get(id.as_str()).copied();
                let name = name.ok_or("a tool's result answers no call")?;
                parts.push(WirePart {
                    function_response: Some(FunctionResponse {
                        id,
                        name,
                        response: response(content, *is_error),
                    }),
                    ..WirePart::default()
                });
                // Behind the result: a picture inside of it is read by the newest models alone.
                parts.extend(content.iter().filter_map(|inner| match inner {
                    Part::Image(image) => Some(WirePart {
                        inline_data: Some(Blob {
                            mime_type: &image.media_type,
                            data: &image.base64,
                        }),
                        ..WirePart::default()
                    }),
                    _ => None,
                }));
            }
        }
    }
    Ok(Content {
        role: Some(match message.role {
            Role::User => "user",
            Role::Assistant => "model",
        }),
        parts,
    })
}

/// What a tool said, in the form that Gemini reads.
fn response(content: &[Part], is_error: bool) -> Value {
    let said = joined(content);
    if is_error {
        json!({ "error": said })
    } else {
        json!({ "output": said })
    }
}

fn tools(request: &ModelRequest) -> Vec<Tools<'_>> {
    if request.tools.is_empty() {
        return Vec::new();
    }
    let declarations = request.tools.iter().map(|tool| Declaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: &tool.input_schema,
    });
    vec![Tools {
        function_declarations: declarations.collect(),
    }]
}

fn tool_config(request: &ModelRequest) -> Option<Value> {
    if request.tools.is_empty() {
        return None;
    }
    let strict = request.tools.iter().any(|tool| tool.strict);
    let calling = match &request.tool_choice {
        // Its strict mode: what is called fits the declaration.
        ToolChoice::Auto if strict => json!({ "mode": "VALIDATED" }),
        ToolChoice::Auto => return None,
        ToolChoice::None => json!({ "mode": "NONE" }),
        ToolChoice::Required => json!({ "mode": "ANY" }),
        ToolChoice::Named(name) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
    };
    Some(json!({ "functionCallingConfig": calling }))
}

/// How much it thinks: models of the 2.5 family take a number of tokens, later ones a level, and
/// earlier ones nothing of the kind.
fn thinking(model: &str, effort: ReasoningEffort) -> Option<Value> {
    let by_tokens = model.starts_with("gemini-2.5");
    let cannot = ["gemini-1", "gemini-2.0", "gemma", "learnlm"];
    if cannot.iter().any(|family| model.starts_with(family)) {
        return None;
    }
    let level = |tokens: u32, level: &str| {
        if by_tokens {
            json!({ "thinkingBudget": tokens, "includeThoughts": true })
        } else {
            json!({ "thinkingLevel": level, "includeThoughts": true })
        }
    };
    Some(match effort {
        ReasoningEffort::Default => return None,
        // The large one of 2.5 cannot do without, nor can any later one.
        ReasoningEffort::Off if model.starts_with("gemini-2.5-pro") => {
            json!({ "thinkingBudget": 128 })
        }
        ReasoningEffort::Off if by_tokens => json!({ "thinkingBudget": 0 }),
        ReasoningEffort::Off => json!({ "thinkingLevel": "low" }),
        ReasoningEffort::Low => level(1_024, "low"),
        ReasoningEffort::Medium => level(8_192, "medium"),
        ReasoningEffort::High => level(24_576, "high"),
        // Later families refuse a number.
        ReasoningEffort::BudgetTokens(tokens) => level(
            tokens,
            match tokens {
                0..=2_048 => "low",
                2_049..=12_288 => "medium",
                _ => "high",
            },
        ),
    })
}

#[cfg(test)]
mod tests {
    use convergio_models_api::{Tool, ToolCall};

    use super::{super::endpoint, *};

    fn sent(request: &ModelRequest) -> Value {
        serde_json::from_slice(&body(&endpoint(), request).unwrap()).unwrap()
    }

    fn call(id: &str, signature: Option<&str>) -> Part {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: format!("tool_{id}"),
            arguments: r#"{"n":1.50,"big":12345678901234567890123}"#.to_owned(),
            signature: signature.map(str::to_owned),
        })
    }

    #[test]
    fn what_another_dialect_signed_is_not_sent() {
        let reasoning = |signature: &str| Part::Reasoning {
            text: "hm".to_owned(),
            signature: Some(signature.to_owned()),
            redacted: false,
        };
        let turn = |parts| Message {
            role: Role::Assistant,
            parts,
        };
        let result = |id: &str, is_error| Part::ToolResult {
            id: id.to_owned(),
            content: vec![Part::Text {
                text: "4".to_owned(),
            }],
            is_error,
        };
        let request = ModelRequest {
            model: "gemini-3.8-flash".to_owned(),
            messages: vec![
                turn(vec![reasoning("EqQB")]),
                turn(vec![
                    reasoning("gemini:AB=="),
                    call("a", None),
                    call("b", None),
                ]),
                Message {
                    role: Role::User,
                    parts: vec![result("a", false), result("b", true)],
                },
                turn(vec![
                    call("c", Some("gemini:CD==")),
                    call("d", Some("EqQB")),
                ]),
            ],
            ..ModelRequest::default()
        };
        let body = sent(&request);
        assert_eq!(
            body["contents"],
            json!([
                {"role": "model", "parts": [
                    {"text": "", "thoughtSignature": "AB=="},
                    {"functionCall": {"id": "a", "name": "tool_a",
                        "args": {"n": 1.5, "big": 12345678901234567890123_f64}},
                     "thoughtSignature": NOT_SIGNED},
                    {"functionCall": {"id": "b", "name": "tool_b",
                        "args": {"n": 1.5, "big": 12345678901234567890123_f64}}},
                ]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "a", "name": "tool_a", "response": {"output": "4"}}},
                    {"functionResponse": {"id": "b", "name": "tool_b", "response": {"error": "4"}}},
                ]},
                {"role": "model", "parts": [
                    {"functionCall": {"id": "c", "name": "tool_c",
                        "args": {"n": 1.5, "big": 12345678901234567890123_f64}},
                     "thoughtSignature": "CD=="},
                    {"functionCall": {"id": "d", "name": "tool_d",
                        "args": {"n": 1.5, "big": 12345678901234567890123_f64}}},
                ]},
            ])
        );
        let raw = String::from_utf8(super::body(&endpoint(), &request).unwrap()).unwrap();
        assert!(raw.contains("12345678901234567890123"), "digits are kept");
    }

    #[test]
    fn what_cannot_be_said_is_not_sent() {
        let of = |part| ModelRequest {
            messages: vec![Message {
                role: Role::User,
                parts: vec![part],
            }],
            ..ModelRequest::default()
        };
        let orphan = Part::ToolResult {
            id: "x".to_owned(),
            content: Vec::new(),
            is_error: false,
        };
        assert!(body(&endpoint(), &of(orphan)).is_err());
        let broken = Part::ToolCall(ToolCall {
            id: "x".to_owned(),
            name: "t".to_owned(),
            arguments: "[1]".to_owned(),
            signature: None,
        });
        assert!(body(&endpoint(), &of(broken)).is_err());
    }

    #[test]
    fn tools_and_the_choice_of_them_are_said() {
        let mut request = ModelRequest {
            tools: vec![Tool {
                name: "t".to_owned(),
                description: None,
                input_schema: json!({"type": "object"}),
                strict: false,
            }],
            ..ModelRequest::default()
        };
        let body = sent(&request);
        assert_eq!(
            body["tools"],
            json!([{"functionDeclarations": [{"name": "t", "parametersJsonSchema": {"type": "object"}}]}])
        );
        assert_eq!(body.get("toolConfig"), None);
        let mut mode = |choice| {
            request.tool_choice = choice;
            sent(&request)["toolConfig"]["functionCallingConfig"].clone()
        };
        assert_eq!(mode(ToolChoice::None), json!({"mode": "NONE"}));
        assert_eq!(mode(ToolChoice::Required), json!({"mode": "ANY"}));
        assert_eq!(
            mode(ToolChoice::Named("t".to_owned())),
            json!({"mode": "ANY", "allowedFunctionNames": ["t"]})
        );
    }

    #[test]
    fn thinking_is_asked_for_as_the_family_takes_it() {
        let low = ReasoningEffort::Low;
        assert_eq!(thinking("gemini-2.0-flash", low), None);
        assert_eq!(thinking("gemini-3.8-flash", ReasoningEffort::Default), None);
        assert_eq!(
            thinking("gemini-2.5-flash", ReasoningEffort::Off),
            Some(json!({"thinkingBudget": 0}))
        );
        assert_eq!(
            thinking("gemini-2.5-flash", low),
            Some(json!({"thinkingBudget": 1024, "includeThoughts": true}))
        );
        assert_eq!(
            thinking("gemini-4-argon", low),
            Some(json!({"thinkingLevel": "low", "includeThoughts": true}))
        );
    }
}
