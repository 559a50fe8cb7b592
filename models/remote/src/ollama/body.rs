//! What Ollama is asked.

use std::{borrow::Cow, collections::HashMap};

use convergio_models_api::{Message, ModelRequest, Part, ReasoningEffort, Role, ToolChoice};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    body::{arguments, joined, prompted_system, to_body},
    endpoint::{Endpoint, JsonSupport},
};

/// Contexts are asked for in steps, so that a conversation that grows does not make the server
/// load the model anew at every turn.
const CONTEXT_STEP: u64 = 4096;

/// Tokens that a chat template may add to the text.
const TEMPLATE_TOKENS: u64 = 512;

/// Tokens that a picture takes: more than most models here make of one; where it is too little the
/// server says so, and cuts nothing.
const IMAGE_TOKENS: u64 = 2_048;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Value>,
    options: Options<'a>,
    /// Without these two a prompt that does not fit loses its beginning without a word. Servers
    /// that do not know them ignore them; `num_ctx` is chosen with room for that reason.
    truncate: bool,
    shift: bool,
}

#[derive(Default, Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a RawValue,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Format<'a> {
    Schema(&'a Value),
    Json(&'static str),
}

#[derive(Serialize)]
struct Options<'a> {
    num_ctx: u64,
    num_predict: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

/// The JSON body of the request. How long a model stays loaded is left to the server's own setting.
pub(super) fn body(endpoint: &Endpoint, request: &ModelRequest) -> Result<Vec<u8>, String> {
    let support = match endpoint.json_support(request) {
        // No call can be forced here: JSON is a format of its own.
        JsonSupport::Tool => JsonSupport::Object,
        other => other,
    };
    let system = prompted_system(request, support).map(|system| Turn {
        role: "system",
        content: system.into(),
        ..Turn::default()
    });
    let mut names = HashMap::new();
    let mut messages: Vec<Turn<'_>> = system.into_iter().collect();
    for message in &request.messages {
        turns(message, &mut names, &mut messages)?;
    }
    to_body(&Body {
        model: &request.model,
        messages,
        stream: true,
        tools: tools(request)?,
        format: match (&request.output_schema, support) {
            (Some(output), JsonSupport::Schema) => Some(Format::Schema(&output.schema)),
            (Some(_), JsonSupport::Object) => Some(Format::Json("json")),
            (None, _) if request.json_object => Some(Format::Json("json")),
            _ => None,
        },
        think: think(&request.model, request.reasoning),
        options: Options {
            num_ctx: num_ctx(request, endpoint.context(&request.model)),
            num_predict: request.max_output,
            temperature: request.temperature,
            top_p: request.top_p,
            stop: &request.stop_sequences,
        },
        truncate: false,
        shift: false,
    })
}

/// One turn, and each result of a tool in one of its own before it. `names` knows the tool of each
/// call so far.
fn turns<'a>(
    message: &'a Message,
    names: &mut HashMap<&'a str, &'a str>,
    out: &mut Vec<Turn<'a>>,
) -> Result<(), String> {
    let mut turn = Turn {
        role: match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: joined(&message.parts),
        ..Turn::default()
    };
    let mut results = 0;
    for part in &message.parts {
        match part {
            Part::Text { .. } => {}
            Part::Image(image) => turn.images.push(&image.base64),
            // Nothing is signed here: what has a signature was made elsewhere.
            Part::Reasoning {
                text,
                signature: None,
                redacted: false,
            } => {
                let so_far = turn.thinking.get_or_insert_default();
                so_far.to_mut().push_str(text);
            }
            Part::Reasoning { .. } => {}
            Part::ToolCall(call) => {
                names.insert(&call.id, &call.name);
                turn.tool_calls.push(Call {
                    id: &call.id,
                    function: Function {
                        name: &call.name,
                        arguments: arguments(&call.arguments)?,
                    },
                });
            }
            Part::ToolResult {
                id,
                content,
                is_error,
            } => {
                let name = names.get(id.as_str()).copied();
                let name = name.ok_or("a tool's result answers no call")?;
                let said = joined(content);
                let images = content.iter().filter_map(|inner| match inner {
                    Part::Image(image) => Some(image.base64.as_str()),
                    _ => None,
                });
                out.push(Turn {
                    role: "tool",
                    // There is no field for it, and a failure must not be taken for an answer.
                    content: if *is_error {
                        format!("Error: {said}").into()
                    } else {
                        said
                    },
                    images: images.collect(),
                    tool_name: Some(name),
                    tool_call_id: Some(id),
                    ..Turn::default()
                });
                results += 1;
            }
        }
    }
    // A turn of nothing but results is said by now.
    let says = !turn.content.is_empty()
        || !turn.images.is_empty()
        || !turn.tool_calls.is_empty()
        || turn.thinking.is_some();
    if says || results == 0 {
        out.push(turn);
    }
    Ok(())
}

/// The tools. A model here cannot be made to use one.
fn tools(request: &ModelRequest) -> Result<Vec<Value>, String> {
    match &request.tool_choice {
        ToolChoice::None => return Ok(Vec::new()),
        ToolChoice::Auto => {}
        ToolChoice::Required | ToolChoice::Named(_) => {
            if !request.tools.is_empty() {
                return Err(
                    "tool_choice: Ollama has no way to make a model call a tool; let the model \
                     choose, or ask another one"
                        .to_owned(),
                );
            }
        }
    }
    let tools = request.tools.iter().map(|tool| {
        let mut function = json!({ "name": tool.name, "parameters": tool.input_schema });
        if let Some(description) = &tool.description {
            function["description"] = description.as_str().into();
        }
        json!({ "type": "function", "function": function })
    });
    Ok(tools.collect())
}

/// Whether it thinks: yes or no, but for one family that takes how much.
fn think(model: &str, effort: ReasoningEffort) -> Option<Value> {
    let by_word = model
        .rsplit('/')
        .next()
        .unwrap_or(model)
        .starts_with("gpt-oss");
    Some(match effort {
        ReasoningEffort::Default => return None,
        // That family always thinks.
        ReasoningEffort::Off | ReasoningEffort::Low if by_word => "low".into(),
        ReasoningEffort::Medium if by_word => "medium".into(),
        ReasoningEffort::High if by_word => "high".into(),
        ReasoningEffort::Off => false.into(),
        ReasoningEffort::Low
        | ReasoningEffort::Medium
        | ReasoningEffort::High
        | ReasoningEffort::BudgetTokens(_) => true.into(),
    })
}

/// Tokens of context to ask for: room for the text at two bytes a token, which only text that is
/// hardly language exceeds, its template and the answer; no more than the model has.
fn num_ctx(request: &ModelRequest, context: Option<u64>) -> u64 {
    let needed = request
        .text_bytes()
        .div_ceil(2)
        .saturating_add(TEMPLATE_TOKENS)
        .saturating_add(request.images().saturating_mul(IMAGE_TOKENS))
        .saturating_add(u64::from(request.max_output));
    let stepped = needed
        .div_ceil(CONTEXT_STEP)
        .saturating_mul(CONTEXT_STEP)
        .min(u64::from(u32::MAX));
    context.map_or(stepped, |context| stepped.min(context.max(1)))
}

#[cfg(test)]
mod tests {
    use convergio_models_api::{Image, Tool, ToolCall};

    use super::*;

    fn request(bytes: usize, max_output: u32) -> ModelRequest {
        ModelRequest {
            provider: "ollama".to_owned(),
            model: "m".to_owned(),
            system: None,
            messages: vec![Message::text(Role::User, "x".repeat(bytes))],
            max_output,
            temperature: None,
            output_schema: None,
            ..ModelRequest::default()
        }
    }

    #[test]
    fn the_context_has_room_for_prompt_and_answer() {
        assert_eq!(num_ctx(&request(10, 1000), None), 4096);
        assert_eq!(num_ctx(&request(20_000, 4096), None), 16_384);
        assert_eq!(num_ctx(&request(20_000, 4096), Some(8192)), 8192);
        assert_eq!(
            num_ctx(&request(10, u32::MAX), None),
            u64::from(u32::MAX),
            "bounded"
        );
    }

    #[test]
    fn calls_results_pictures_and_thoughts_are_said() {
        let text = |text: &str| Part::Text {
            text: text.to_owned(),
        };
        let image = || {
            Part::Image(Image {
                media_type: "image/png".to_owned(),
                base64: "iVBO".to_owned(),
            })
        };
        let mut asked = request(1, 64);
        asked.model = "qwen3".to_owned();
        asked.messages = vec![
            Message {
                role: Role::User,
                parts: vec![text("look"), image()],
            },
            Message {
                role: Role::Assistant,
                parts: vec![
                    Part::Reasoning {
                        text: "hm".to_owned(),
                        signature: None,
                        redacted: false,
                    },
                    Part::Reasoning {
                        text: "another's".to_owned(),
                        signature: Some("EqQB".to_owned()),
                        redacted: false,
                    },
                    Part::ToolCall(ToolCall {
                        id: "c1".to_owned(),
                        name: "weather".to_owned(),
                        arguments: r#"{"at": 1.50}"#.to_owned(),
                        signature: None,
                    }),
                ],
            },
            Message {
                role: Role::User,
                parts: vec![Part::ToolResult {
                    id: "c1".to_owned(),
                    content: vec![text("no such place"), image()],
                    is_error: true,
                }],
            },
        ];
        asked.tools = vec![Tool {
            name: "weather".to_owned(),
            description: Some("Tells it.".to_owned()),
            input_schema: json!({"type": "object"}),
            strict: false,
        }];
        asked.reasoning = ReasoningEffort::High;
        asked.stop_sequences = vec!["END".to_owned()];
        let base = convergio_egress::Url::parse("http://127.0.0.1:11434").unwrap();
        let endpoint = Endpoint::new("ollama", crate::kind::Kind::Ollama, base);
        let sent: Value = serde_json::from_slice(&body(&endpoint, &asked).unwrap()).unwrap();
        assert_eq!(
            sent["messages"],
            json!([
                {"role": "user", "content": "look", "images": ["iVBO"]},
                {"role": "assistant", "content": "", "thinking": "hm", "tool_calls":
                    [{"id": "c1", "function": {"name": "weather", "arguments": {"at": 1.5}}}]},
                {"role": "tool", "content": "Error: no such place", "images": ["iVBO"],
                    "tool_name": "weather", "tool_call_id": "c1"},
            ])
        );
        assert_eq!(
            sent["tools"],
            json!([{"type": "function", "function":
                {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}}])
        );
        assert_eq!(sent["think"], true);
        assert_eq!(sent["options"]["stop"], json!(["END"]));
        assert_eq!(sent["options"]["num_ctx"], 8192);

        asked.model = "hf.co/gpt-oss:20b".to_owned();
        assert_eq!(think(&asked.model, asked.reasoning), Some("high".into()));
        asked.tool_choice = ToolChoice::Required;
        assert!(body(&endpoint, &asked).is_err());
        asked.tool_choice = ToolChoice::None;
        let sent: Value = serde_json::from_slice(&body(&endpoint, &asked).unwrap()).unwrap();
        assert_eq!(sent.get("tools"), None);
    }
}
