//! OpenAI Responses: <https://developers.openai.com/api/reference/resources/responses>, streams as
//! in <https://developers.openai.com/api/docs/guides/streaming-responses>. Nothing is stored there:
//! what a model reasoned travels with the conversation, encrypted.

mod stream;

use std::borrow::Cow;

use convergio_models_api::{Message, ModelRequest, Part, Role, Tool, ToolChoice};
use serde::Serialize;
use serde_json::Value;

use crate::{
    body::{check_bounds, image_url, parameters, prompted_system, result_text, signed_by, to_body},
    endpoint::{Endpoint, JsonSupport, ReasoningForm},
    kind::{Framing, KeyHeader, Wire},
    openai::{IMAGE_DETAIL, effort},
    schema,
};

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body: |endpoint, request| body(endpoint, request, &request.model),
    url: |endpoint, _| endpoint.url(&["responses"]),
    framing: Framing::Events,
    decoder: |_| Box::new(stream::Decoder::default()),
    key: |_| KeyHeader::Bearer,
    headers: &[],
    list_url: |endpoint| endpoint.url(&["models"]),
    list_field: "data",
};

/// What reasoning that came from here is signed with: this, the item's id, a colon, and what the
/// provider encrypted.
const SIGNER: &str = "openai";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    input: Vec<Item<'a>>,
    stream: bool,
    store: bool,
    include: [&'static str; 1],
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextConfig<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
}

#[derive(Serialize)]
struct Reasoning {
    effort: &'static str,
}

#[derive(Serialize)]
struct TextConfig<'a> {
    format: Format<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format<'a> {
    JsonSchema {
        name: &'a str,
        strict: bool,
        schema: &'a Value,
    },
    JsonObject,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message {
        role: &'static str,
        content: Content<'a>,
    },
    Reasoning {
        id: &'a str,
        summary: Vec<Piece<'a>>,
        encrypted_content: &'a str,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: Content<'a>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Pieces(Vec<Piece<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece<'a> {
    InputText {
        text: Cow<'a, str>,
    },
    InputImage {
        detail: &'static str,
        image_url: String,
    },
    SummaryText {
        text: &'a str,
    },
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Cow<'a, Value>,
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    Named { r#type: &'static str, name: &'a str },
}

/// The JSON body of the request; `model` is what the server knows the model as.
pub(crate) fn body(
    endpoint: &Endpoint,
    request: &ModelRequest,
    model: &str,
) -> Result<Vec<u8>, String> {
    check_bounds(request)?;
    if !request.stop_sequences.is_empty() {
        return Err("this model is asked through an interface without stop sequences".to_owned());
    }
    let support = endpoint.json_support(request);
    let (temperature, top_p) = endpoint.sampling(request);
    // It has a form of its own for all models; what may be said at all is the model's affair.
    let form = match endpoint.reasoning_form(&request.model) {
        ReasoningForm::None => ReasoningForm::None,
        _ => ReasoningForm::Effort,
    };
    let format = match (&request.output_schema, support) {
        (Some(output), JsonSupport::Schema) => Some(Format::JsonSchema {
            name: &output.name,
            strict: schema::is_strict(&output.schema),
            schema: &output.schema,
        }),
        (Some(_), JsonSupport::Object) => Some(Format::JsonObject),
        (None, JsonSupport::Schema | JsonSupport::Object) if request.json_object => {
            Some(Format::JsonObject)
        }
        _ => None,
    };
    to_body(&Body {
        model,
        instructions: prompted_system(request, support).filter(|text| !text.is_empty()),
        input: request.messages.iter().flat_map(items).collect(),
        stream: true,
        store: false,
        include: ["reasoning.encrypted_content"],
        max_output_tokens: request.max_output,
        temperature,
        top_p,
        reasoning: effort(form, request.reasoning)?.map(|effort| Reasoning { effort }),
        text: format.map(|format| TextConfig { format }),
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: choice(request),
        parallel_tool_calls: request.parallel_tools.filter(|_| !request.tools.is_empty()),
    })
}

fn tool(tool: &Tool) -> WireTool<'_> {
    WireTool {
        r#type: "function",
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        parameters: parameters(&tool.input_schema),
        // Said always: it would be true where nothing is said.
        strict: tool.strict && schema::is_strict(&tool.input_schema),
    }
}

fn choice(request: &ModelRequest) -> Option<Choice<'_>> {
    if request.tools.is_empty() {
        return None;
    }
    match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(Choice::Word("none")),
        ToolChoice::Required => Some(Choice::Word("required")),
        ToolChoice::Named(name) => Some(Choice::Named {
            r#type: "function",
            name,
        }),
    }
}

/// A turn is as many items as it has kinds of parts, in their order.
fn items(message: &Message) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } if message.role == Role::Assistant => items.push(Item::Message {
                role: "assistant",
                content: Content::Text(Cow::Borrowed(text)),
            }),
            Part::Text { .. } | Part::Image(_) => {
                let Some(piece) = piece(part) else { continue };
                // What a person says in one turn is one message.
                if let Some(Item::Message {
                    role: "user",
                    content: Content::Pieces(pieces),
                }) = items.last_mut()
                {
                    pieces.push(piece);
                } else {
                    items.push(Item::Message {
                        role: "user",
                        content: Content::Pieces(vec![piece]),
                    });
                }
            }
            Part::Reasoning {
                text, signature, ..
            } => items.extend(reasoning(text, signature.as_deref())),
            Part::ToolCall(call) => items.push(Item::FunctionCall {
                call_id: &call.id,
                name: &call.name,
                arguments: &call.arguments,
            }),
            Part::ToolResult {
                id,
                content,
                is_error,
            } => items.push(Item::FunctionCallOutput {
                call_id: id,
                output: result(content, *is_error),
            }),
        }
    }
    // Reasoning that led to nothing, because something cut the answer, is refused.
    while matches!(items.last(), Some(Item::Reasoning { .. })) {
        items.pop();
    }
    items
}

fn piece(part: &Part) -> Option<Piece<'_>> {
    match part {
        Part::Text { text } => Some(Piece::InputText {
            text: Cow::Borrowed(text),
        }),
        Part::Image(image) => Some(Piece::InputImage {
            detail: IMAGE_DETAIL,
            image_url: image_url(image),
        }),
        _ => None,
    }
}

/// Only what was signed here can be given back.
fn reasoning<'a>(text: &'a str, signature: Option<&'a str>) -> Option<Item<'a>> {
    let (id, encrypted_content) = signed_by(SIGNER, signature?)?.split_once(':')?;
    let summary = match text.is_empty() {
        true => Vec::new(),
        false => vec![Piece::SummaryText { text }],
    };
    Some(Item::Reasoning {
        id,
        summary,
        encrypted_content,
    })
}

fn result(content: &[Part], is_error: bool) -> Content<'_> {
    if !content.iter().any(|part| matches!(part, Part::Image(_))) {
        return Content::Text(result_text(content, is_error));
    }
    let said = is_error.then_some(Piece::InputText {
        text: Cow::Borrowed("Error:"),
    });
    Content::Pieces(
        said.into_iter()
            .chain(content.iter().filter_map(piece))
            .collect(),
    )
}
