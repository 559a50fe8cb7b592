//! OpenAI Chat Completions, and what speaks like it:
//! <https://developers.openai.com/api/reference/resources/chat>.

mod stream;

use std::borrow::Cow;

use convergio_models_api::{
    Message, ModelRequest, OutputSchema, Part, ReasoningEffort, Role, Tool, ToolCall, ToolChoice,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    body::{check_bounds, image_url, joined, parameters, prompted_system, result_text, to_body},
    endpoint::{Endpoint, JsonSupport, MaxTokensField, ReasoningForm},
    kind::{Framing, KeyHeader, Kind, Wire},
    responses, schema,
};

pub(crate) use stream::{Decoder, input_classes, output_classes};

/// How closely pictures are looked at. Where nothing is said, newer models take as many tokens as a
/// picture has, which no hold could foresee.
pub(crate) const IMAGE_DETAIL: &str = "high";

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body: |endpoint, request| body(endpoint, request, &request.model),
    url: |endpoint, request| match endpoint.spoken(&request.model) {
        Kind::OpenAiResponses => endpoint.url(&["responses"]),
        _ => endpoint.url(&["chat", "completions"]),
    },
    framing: Framing::Events,
    decoder: |expectation| Box::new(Decoder::new(expectation.no_end_marker)),
    key: |_| KeyHeader::Bearer,
    headers: &[],
    list_url: |endpoint| endpoint.url(&["models"]),
    list_field: "data",
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl<'a> Turn<'a> {
    fn new(role: &'static str, content: impl Into<Cow<'a, str>>) -> Self {
        Self {
            role,
            content: Some(Content::Text(content.into())),
            reasoning_content: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
    detail: &'static str,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    function: ToolFunction<'a>,
}

#[derive(Serialize)]
struct ToolFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Cow<'a, Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    Named {
        r#type: &'static str,
        function: Named<'a>,
    },
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// As OpenRouter has it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Reasoning {
    Effort(&'static str),
    MaxTokens(u32),
    Enabled(bool),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonSchema { json_schema: JsonSchema<'a> },
    JsonObject,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    strict: bool,
    schema: &'a Value,
}

/// The JSON body of the request; `model` is what the server knows the model as.
pub(crate) fn body(
    endpoint: &Endpoint,
    request: &ModelRequest,
    model: &str,
) -> Result<Vec<u8>, String> {
    if endpoint.spoken(&request.model) == Kind::OpenAiResponses {
        return responses::body(endpoint, request, model);
    }
    check_bounds(request)?;
    let support = endpoint.json_support(request);
    let system = prompted_system(request, support).map(|system| Turn::new("system", system));
    let mut messages: Vec<Turn<'_>> = system.into_iter().collect();
    for message in &request.messages {
        match message.role {
            Role::User => user(message, &mut messages),
            Role::Assistant => {
                messages.extend(assistant(message, endpoint.dialect.return_reasoning));
            }
        }
    }
    let field = endpoint.dialect.max_tokens;
    let bound = |wanted| (field == wanted).then_some(request.max_output);
    let (temperature, top_p) = endpoint.sampling(request);
    let form = endpoint.reasoning_form(&request.model);
    let reasoning = (form == ReasoningForm::Object).then(|| reasoning(request.reasoning));
    to_body(&Body {
        model,
        messages,
        stream: true,
        stream_options: endpoint.dialect.usage_option.then_some(StreamOptions {
            include_usage: true,
        }),
        max_tokens: bound(MaxTokensField::MaxTokens),
        max_completion_tokens: bound(MaxTokensField::MaxCompletionTokens),
        temperature,
        top_p,
        stop: &request.stop_sequences,
        reasoning_effort: match form {
            ReasoningForm::Object => None,
            form => effort(form, request.reasoning)?,
        },
        reasoning: reasoning.flatten(),
        response_format: match &request.output_schema {
            Some(output) => format(output, support),
            None => (request.json_object
                && matches!(support, JsonSupport::Schema | JsonSupport::Object))
            .then_some(ResponseFormat::JsonObject),
        },
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: choice(request),
        parallel_tool_calls: request.parallel_tools.filter(|_| !request.tools.is_empty()),
    })
}

fn format(output: &OutputSchema, support: JsonSupport) -> Option<ResponseFormat<'_>> {
    match support {
        JsonSupport::Schema => Some(ResponseFormat::JsonSchema {
            json_schema: JsonSchema {
                name: &output.name,
                strict: schema::is_strict(&output.schema),
                schema: &output.schema,
            },
        }),
        JsonSupport::Object => Some(ResponseFormat::JsonObject),
        JsonSupport::Tool | JsonSupport::Prompt => None,
    }
}

/// OpenAI's word for how much to reason.
pub(crate) fn effort(
    form: ReasoningForm,
    wanted: ReasoningEffort,
) -> Result<Option<&'static str>, String> {
    let word = match wanted {
        ReasoningEffort::Default => return Ok(None),
        ReasoningEffort::Off if form == ReasoningForm::None => return Ok(None),
        _ if form == ReasoningForm::None => {
            return Err("this model cannot be told how much to reason".to_owned());
        }
        ReasoningEffort::Off => "none",
        // What a budget of tokens comes to is a guess: the bound is that of the answer.
        ReasoningEffort::Low | ReasoningEffort::BudgetTokens(..4096) => "low",
        ReasoningEffort::High | ReasoningEffort::BudgetTokens(16_384..) => "high",
        ReasoningEffort::Medium | ReasoningEffort::BudgetTokens(_) => "medium",
    };
    Ok(Some(word))
}

fn reasoning(wanted: ReasoningEffort) -> Option<Reasoning> {
    match wanted {
        ReasoningEffort::Default => None,
        ReasoningEffort::Off => Some(Reasoning::Enabled(false)),
        ReasoningEffort::Low => Some(Reasoning::Effort("low")),
        ReasoningEffort::Medium => Some(Reasoning::Effort("medium")),
        ReasoningEffort::High => Some(Reasoning::Effort("high")),
        ReasoningEffort::BudgetTokens(tokens) => Some(Reasoning::MaxTokens(tokens)),
    }
}

fn tool(tool: &Tool) -> WireTool<'_> {
    WireTool {
        r#type: "function",
        function: ToolFunction {
            name: &tool.name,
            description: tool.description.as_deref().filter(|text| !text.is_empty()),
            parameters: parameters(&tool.input_schema),
            strict: tool.strict && schema::is_strict(&tool.input_schema),
        },
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
            function: Named { name },
        }),
    }
}

/// A user's turn: results of tools are messages of their own, and stand first, directly behind the
/// calls. A result has no place for pictures: they follow as the user's.
fn user<'a>(message: &'a Message, messages: &mut Vec<Turn<'a>>) {
    let mut parts: Vec<ContentPart<'a>> = Vec::new();
    for part in &message.parts {
        if let Part::ToolResult {
            id,
            content,
            is_error,
        } = part
        {
            messages.push(Turn {
                tool_call_id: Some(id),
                ..Turn::new("tool", result_text(content, *is_error))
            });
            if content.iter().any(|part| matches!(part, Part::Image(_))) {
                parts.push(ContentPart::Text {
                    text: Cow::Owned(format!("Pictures of the result of {id}:")),
                });
                parts.extend(content.iter().filter_map(image));
            }
        }
    }
    let own = message
        .parts
        .iter()
        .filter(|part| !matches!(part, Part::ToolResult { .. }));
    let pictures = !parts.is_empty() || own.clone().any(|part| matches!(part, Part::Image(_)));
    if !pictures {
        // One string, which the oldest of servers takes.
        let texts: Vec<&str> = own.filter_map(text).collect();
        match *texts {
            [] if message.parts.iter().any(is_result) => {}
            [one] => messages.push(Turn::new("user", one)),
            _ => messages.push(Turn::new("user", texts.join("\n\n"))),
        }
        return;
    }
    parts.extend(own.filter_map(|part| {
        let text = text(part).map(|text| ContentPart::Text {
            text: Cow::Borrowed(text),
        });
        text.or_else(|| image(part))
    }));
    messages.push(Turn {
        content: Some(Content::Parts(parts)),
        ..Turn::new("user", "")
    });
}

fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolResult { .. })
}

fn text(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text } => Some(text),
        _ => None,
    }
}

fn image<'a>(part: &'a Part) -> Option<ContentPart<'a>> {
    match part {
        Part::Image(image) => Some(ContentPart::ImageUrl {
            image_url: ImageUrl {
                url: image_url(image),
                detail: IMAGE_DETAIL,
            },
        }),
        _ => None,
    }
}

/// An assistant's turn; none where nothing of it is left.
fn assistant(message: &Message, return_reasoning: bool) -> Option<Turn<'_>> {
    let parts = message.parts.iter();
    let tool_calls: Vec<Call<'_>> = parts
        .clone()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(wire_call(call)),
            _ => None,
        })
        .collect();
    let has_text = parts.clone().any(|part| text(part).is_some());
    if !has_text && tool_calls.is_empty() {
        return None;
    }
    // What somebody signed was made by another dialect.
    let reasoning: String = parts
        .filter_map(|part| match part {
            Part::Reasoning {
                text,
                signature: None,
                redacted: false,
            } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    Some(Turn {
        role: "assistant",
        content: has_text.then(|| Content::Text(joined(&message.parts))),
        reasoning_content: (return_reasoning && !reasoning.is_empty()).then_some(reasoning),
        tool_calls,
        tool_call_id: None,
    })
}

fn wire_call(call: &ToolCall) -> Call<'_> {
    Call {
        id: &call.id,
        r#type: "function",
        function: Function {
            name: &call.name,
            arguments: &call.arguments,
        },
    }
}
