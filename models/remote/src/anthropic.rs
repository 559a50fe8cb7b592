//! Anthropic Messages: <https://platform.claude.com/docs/en/api/messages>, streams as in
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>.

mod stream;

use std::borrow::Cow;

use convergio_models_api::{
    CacheAfter, Message, ModelRequest, Part, ReasoningEffort, Role, Tool, ToolChoice,
};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use crate::{
    body::{check_bounds, parameters, prompted_system, to_body},
    endpoint::{Endpoint, JsonSupport, ReasoningForm},
    kind::{Framing, KeyHeader, Wire},
    schema,
};

/// The version that the requests and streams here are written to.
const VERSION: &str = "2023-06-01";

/// The least that may be said as a budget of thinking.
const MIN_BUDGET_TOKENS: u32 = 1024;

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body,
    url: |endpoint, _| endpoint.url(&["v1", "messages"]),
    framing: Framing::Events,
    decoder: |expectation| Box::new(stream::Decoder::new(expectation.json_by_tool)),
    key: |_| KeyHeader::Named("x-api-key"),
    headers: &[("anthropic-version", VERSION)],
    list_url: |endpoint| {
        let mut url = endpoint.url(&["v1", "models"]);
        // Its pages have twenty rows where nobody asks for more.
        url.query_pairs_mut().append_pair("limit", "1000");
        url
    },
    list_field: "data",
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<System>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum System {
    Text(String),
    Blocks([SystemBlock; 1]),
}

#[derive(Serialize)]
struct SystemBlock {
    r#type: &'static str,
    text: String,
    cache_control: CacheControl,
}

#[derive(Clone, Copy, Serialize)]
struct CacheControl {
    r#type: &'static str,
    /// Five minutes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
struct Block<'a> {
    #[serde(flatten)]
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Input<'a>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

/// As it came: a changed order of fields would be another prompt to the provider's cache.
#[derive(Serialize)]
#[serde(untagged)]
enum Input<'a> {
    Object(&'a RawValue),
    /// What a client made up is refused there, in the provider's words.
    Text(&'a str),
}

#[derive(Serialize)]
struct Source<'a> {
    r#type: &'static str,
    media_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thinking {
    Adaptive,
    Enabled { budget_tokens: u32 },
    BetweenTools,
    Disabled,
}

#[derive(Serialize)]
struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

#[derive(Serialize)]
struct Format {
    r#type: &'static str,
    schema: Value,
}

#[derive(Serialize)]
struct WireTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Cow<'a, Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct Choice<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

/// The JSON body of the request.
fn body(endpoint: &Endpoint, request: &ModelRequest) -> Result<Vec<u8>, String> {
    check_bounds(request)?;
    let support = endpoint.json_support(request);
    let output = request.output_schema.as_ref();
    let by_tool = output.filter(|_| support == JsonSupport::Tool);
    let (thinking, effort) = thinking(endpoint.reasoning_form(&request.model), request)?;
    let (mut temperature, mut top_p) = endpoint.sampling(request);
    if matches!(thinking, Some(Thinking::Enabled { .. })) {
        // It is the one temperature that goes with a budget of thinking.
        (temperature, top_p) = (None, None);
    }
    let format = output
        .filter(|_| support == JsonSupport::Schema)
        .map(|output| Format {
            r#type: "json_schema",
            schema: schema::for_anthropic(&output.schema),
        });
    let mut tools: Vec<WireTool<'_>> = match by_tool {
        Some(output) => vec![WireTool {
            name: &output.name,
            description: Some("Hands over the answer."),
            input_schema: Cow::Borrowed(&output.schema),
            strict: false,
            cache_control: None,
        }],
        None => request.tools.iter().map(tool).collect(),
    };
    if let Some(last) = tools.last_mut() {
        last.cache_control = cache(request, CacheAfter::Tools);
    }
    let turns = request.messages.iter().enumerate();
    let turns = turns.map(|(at, message)| turn(message, cache(request, CacheAfter::Message(at))));
    to_body(&Body {
        model: &request.model,
        max_tokens: request.max_output,
        stream: true,
        system: prompted_system(request, support)
            .filter(|system| !system.is_empty())
            .map(|text| match cache(request, CacheAfter::System) {
                None => System::Text(text),
                Some(cache_control) => System::Blocks([SystemBlock {
                    r#type: "text",
                    text,
                    cache_control,
                }]),
            }),
        // A turn of which nothing is left, such as another dialect's reasoning, is no turn.
        messages: turns.filter(|turn| !turn.content.is_empty()).collect(),
        temperature,
        top_p,
        stop_sequences: &request.stop_sequences,
        thinking,
        output_config: (effort.is_some() || format.is_some())
            .then_some(OutputConfig { effort, format }),
        tool_choice: match by_tool {
            Some(output) => Some(Choice {
                r#type: "tool",
                name: Some(&output.name),
                disable_parallel_tool_use: None,
            }),
            None => choice(request),
        },
        tools,
    })
}

fn cache(request: &ModelRequest, after: CacheAfter) -> Option<CacheControl> {
    let found = request.cache.iter().find(|point| point.after == after)?;
    Some(CacheControl {
        r#type: "ephemeral",
        ttl: found.hour.then_some("1h"),
    })
}

fn tool(tool: &Tool) -> WireTool<'_> {
    WireTool {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: match tool.strict {
            true => Cow::Owned(schema::for_anthropic(&parameters(&tool.input_schema))),
            false => parameters(&tool.input_schema),
        },
        strict: tool.strict,
        cache_control: None,
    }
}

fn choice(request: &ModelRequest) -> Option<Choice<'_>> {
    if request.tools.is_empty() {
        return None;
    }
    let (kind, name) = match &request.tool_choice {
        ToolChoice::Auto => ("auto", None),
        ToolChoice::None => ("none", None),
        ToolChoice::Required => ("any", None),
        ToolChoice::Named(name) => ("tool", Some(&**name)),
    };
    let one_at_a_time = kind != "none" && request.parallel_tools == Some(false);
    let said = kind != "auto" || one_at_a_time;
    said.then_some(Choice {
        r#type: kind,
        name,
        disable_parallel_tool_use: one_at_a_time.then_some(true),
    })
}

/// How much it thinks, as `thinking` and as `output_config.effort`.
fn thinking(
    form: ReasoningForm,
    request: &ModelRequest,
) -> Result<(Option<Thinking>, Option<&'static str>), String> {
    let wanted = request.reasoning;
    match (form, wanted) {
        (_, ReasoningEffort::Default) | (ReasoningForm::None, ReasoningEffort::Off) => {
            Ok((None, None))
        }
        (ReasoningForm::Always, ReasoningEffort::Off) => Ok((None, Some("low"))),
        (ReasoningForm::BetweenTools, ReasoningEffort::Off) => {
            Ok((Some(Thinking::BetweenTools), None))
        }
        (_, ReasoningEffort::Off) => Ok((Some(Thinking::Disabled), None)),
        (ReasoningForm::Budget, _) => Ok((Some(budgeted(wanted, request)), None)),
        (ReasoningForm::None, _) => Err("this model cannot be told how much to reason".to_owned()),
        (_, wanted) => Ok((Some(Thinking::Adaptive), Some(effort(wanted)))),
    }
}

/// The word for it. What a budget of tokens comes to is a guess: the bound is `max_tokens`.
fn effort(wanted: ReasoningEffort) -> &'static str {
    match wanted {
        ReasoningEffort::Low | ReasoningEffort::BudgetTokens(..4096) => "low",
        ReasoningEffort::High | ReasoningEffort::BudgetTokens(16_384..) => "high",
        _ => "medium",
    }
}

/// A budget has to leave room for an answer, and nothing forced goes with it: where it cannot be,
/// there is no thinking, which is within any budget.
fn budgeted(wanted: ReasoningEffort, request: &ModelRequest) -> Thinking {
    let all = request.max_output;
    let tokens = match wanted {
        ReasoningEffort::BudgetTokens(tokens) => tokens.min(all.saturating_sub(1)),
        ReasoningEffort::Low => (all / 4).max(MIN_BUDGET_TOKENS),
        ReasoningEffort::High => all / 4 * 3,
        _ => all / 2,
    };
    let forced = matches!(
        request.tool_choice,
        ToolChoice::Required | ToolChoice::Named(_)
    );
    if tokens < MIN_BUDGET_TOKENS || tokens >= all || forced {
        Thinking::Disabled
    } else {
        Thinking::Enabled {
            budget_tokens: tokens,
        }
    }
}

fn turn(message: &Message, cache: Option<CacheControl>) -> Turn<'_> {
    let results = |part: &&Part| matches!(part, Part::ToolResult { .. });
    let parts = message.parts.iter();
    // Results come first in a turn: everything else is refused.
    let ordered = parts.clone().filter(results);
    let ordered = ordered.chain(parts.filter(|part| !results(part)));
    let mut content: Vec<Block<'_>> = ordered.filter_map(block).collect();
    let markable = |block: &&mut Block<'_>| {
        !matches!(
            block.content,
            Content::Thinking { .. } | Content::RedactedThinking { .. }
        )
    };
    if let Some(last) = content.iter_mut().rfind(markable) {
        last.cache_control = cache;
    }
    Turn {
        role: match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content,
    }
}

/// Empty texts are refused, and so is thinking that somebody else signed.
fn block(part: &Part) -> Option<Block<'_>> {
    let content = match part {
        Part::Text { text } if text.is_empty() => return None,
        Part::Text { text } => Content::Text { text },
        Part::Image(image) => Content::Image {
            source: Source {
                r#type: "base64",
                media_type: &image.media_type,
                data: &image.base64,
            },
        },
        Part::Reasoning {
            text,
            signature,
            redacted,
        } => {
            let signature = signature.as_deref().filter(|it| !it.contains(':'))?;
            match redacted {
                true => Content::RedactedThinking { data: signature },
                false => Content::Thinking {
                    thinking: text,
                    signature,
                },
            }
        }
        Part::ToolCall(call) => Content::ToolUse {
            id: tool_id(&call.id),
            name: &call.name,
            input: serde_json::from_str(&call.arguments)
                .map_or(Input::Text(&call.arguments), Input::Object),
        },
        Part::ToolResult {
            id,
            content,
            is_error,
        } => Content::ToolResult {
            tool_use_id: tool_id(id),
            content: content.iter().filter_map(block).collect(),
            is_error: *is_error,
        },
    };
    Some(Block {
        content,
        cache_control: None,
    })
}

/// Ids are `[a-zA-Z0-9_-]+` there; those of other providers may not be.
fn tool_id(id: &str) -> Cow<'_, str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !id.is_empty() && id.chars().all(allowed) {
        return Cow::Borrowed(id);
    }
    let clean = id.chars().map(|c| if allowed(c) { c } else { '_' });
    Cow::Owned(std::iter::once('_').chain(clean).collect())
}
