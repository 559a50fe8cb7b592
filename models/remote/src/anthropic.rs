//! Anthropic Messages: <https://docs.claude.com/en/api/messages>, streams as in
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>.

use convergio_models_api::{ModelEvent, ModelRequest, Part, Resource, Role, StopReason, Usage};
use serde::Serialize;
use serde_json::Value;

use crate::{
    body::{prompted_system, text_alone, to_body},
    decode::{self, DecodeError, Dialect, count, push_text, report},
    endpoint::{Endpoint, JsonSupport},
    kind::{Framing, KeyHeader, Wire},
    schema,
    text::name_of_others,
};

/// The version that the requests and streams here are written to.
const VERSION: &str = "2023-06-01";

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body,
    path: &["v1", "messages"],
    framing: Framing::Events,
    decoder: |expectation| Box::new(AnthropicDecoder::new(expectation.json_by_tool)),
    key: KeyHeader::Named("x-api-key"),
    headers: &[("anthropic-version", VERSION)],
    list_path: &["v1", "models"],
    // Its pages have twenty rows where nobody asks for more.
    list_query: &[("limit", "1000")],
    list_field: "data",
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tool<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
struct Block<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct OutputConfig {
    format: Format,
}

#[derive(Serialize)]
struct Format {
    r#type: &'static str,
    schema: Value,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'static str,
    input_schema: &'a Value,
}

#[derive(Serialize)]
struct ToolChoice<'a> {
    r#type: &'static str,
    name: &'a str,
}

/// The JSON body of the request.
fn body(endpoint: &Endpoint, request: &ModelRequest) -> Result<Vec<u8>, String> {
    text_alone(request)?;
    let support = endpoint.json_support(&request.model);
    let output = request.output_schema.as_ref();
    to_body(&Body {
        model: &request.model,
        max_tokens: request.max_output,
        stream: true,
        system: prompted_system(request, support),
        messages: request.messages.iter().map(turn).collect(),
        temperature: request.temperature,
        output_config: output
            .filter(|_| support == JsonSupport::Schema)
            .map(|output| OutputConfig {
                format: Format {
                    r#type: "json_schema",
                    schema: schema::for_anthropic(&output.schema),
                },
            }),
        tools: output
            .filter(|_| support == JsonSupport::Tool)
            .map(|output| {
                [Tool {
                    name: &output.name,
                    description: "Hands over the answer.",
                    input_schema: &output.schema,
                }]
            }),
        tool_choice: output
            .filter(|_| support == JsonSupport::Tool)
            .map(|output| ToolChoice {
                r#type: "tool",
                name: &output.name,
            }),
    })
}

fn turn(message: &convergio_models_api::Message) -> Turn<'_> {
    Turn {
        role: match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: message
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text } => Some(Block {
                    r#type: "text",
                    text,
                }),
                _ => None,
            })
            .collect(),
    }
}

/// Reads the events of one message.
#[derive(Debug)]
pub(crate) struct AnthropicDecoder {
    /// Arguments of the one tool are the answer.
    json_by_tool: bool,
    started: bool,
    /// The open block is a call of the tool that has no arguments so far.
    bare_call: bool,
    counts: Counts,
    stop: Option<StopReason>,
}

impl AnthropicDecoder {
    pub(crate) fn new(json_by_tool: bool) -> Self {
        Self {
            json_by_tool,
            started: false,
            bare_call: false,
            counts: Counts::default(),
            stop: None,
        }
    }

    fn text(&self, text: Option<&Value>, out: &mut Vec<ModelEvent>) {
        // Words around a forced call are not part of the JSON that was asked for.
        let event = if self.json_by_tool {
            ModelEvent::Reasoning
        } else {
            ModelEvent::Text
        };
        push_text(out, text, event);
    }

    fn usage(&mut self, usage: Option<&Value>, out: &mut Vec<ModelEvent>) {
        if let Some(usage) = usage.filter(|usage| usage.is_object()) {
            self.counts.replace(usage);
            out.push(ModelEvent::Usage(self.counts.usage()));
        }
    }

    fn stopped(&mut self, word: &str) {
        self.stop = Some(match word {
            "end_turn" => StopReason::End,
            "max_tokens" => StopReason::MaxOutput,
            "stop_sequence" => StopReason::StopSequence,
            "tool_use" if self.json_by_tool => StopReason::End,
            "tool_use" => StopReason::ToolUse,
            "refusal" => StopReason::Refusal,
            "model_context_window_exceeded" => StopReason::ContextFull,
            other => decode::other_stop(Some(other)),
        });
    }
}

impl Dialect for AnthropicDecoder {
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        let event = decode::json(data)?;
        match event["type"].as_str() {
            Some("message_start") if !self.started => {
                self.started = true;
                let message = &event["message"];
                out.push(ModelEvent::Started {
                    request_id: message["id"].as_str().map(name_of_others),
                    model: message["model"].as_str().map(name_of_others),
                });
                self.usage(message.get("usage"), out);
            }
            Some("content_block_start") => {
                let block = &event["content_block"];
                match block["type"].as_str() {
                    Some("text") => self.text(block.get("text"), out),
                    Some("thinking") => {
                        push_text(out, block.get("thinking"), ModelEvent::Reasoning);
                    }
                    Some("tool_use") => self.bare_call = self.json_by_tool,
                    _ => {}
                }
            }
            Some("content_block_delta") => {
                let delta = &event["delta"];
                match delta["type"].as_str() {
                    Some("text_delta") => self.text(delta.get("text"), out),
                    Some("thinking_delta") => {
                        push_text(out, delta.get("thinking"), ModelEvent::Reasoning);
                    }
                    Some("input_json_delta") if self.json_by_tool => {
                        let before = out.len();
                        push_text(out, delta.get("partial_json"), ModelEvent::Text);
                        self.bare_call &= out.len() == before;
                    }
                    _ => {}
                }
            }
            // A call without arguments has the empty object for arguments.
            Some("content_block_stop") if std::mem::take(&mut self.bare_call) => {
                out.push(ModelEvent::Text("{}".to_owned()));
            }
            Some("message_delta") => {
                if let Some(word) = event["delta"]["stop_reason"].as_str() {
                    self.stopped(word);
                }
                self.usage(event.get("usage"), out);
            }
            Some("message_stop") => {
                let stop = self.stop.take();
                out.push(ModelEvent::Stop(
                    stop.unwrap_or_else(|| decode::other_stop(None)),
                ));
                return Ok(false);
            }
            Some("error") => return Err(DecodeError::Provider(event)),
            // Pings, and whatever the documentation says may be added.
            Some(_) => {}
            None => {
                return Err(DecodeError::Malformed {
                    what: "an event has no type",
                });
            }
        }
        Ok(true)
    }
}

/// Usage is cumulative: what is named again replaces what was said before.
#[derive(Debug, Default)]
struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    searches: Option<u64>,
    nonsense: bool,
}

impl Counts {
    fn replace(&mut self, usage: &Value) {
        let mut problems = Usage::default();
        let mut read = |value: Option<&Value>, into: &mut Option<u64>| {
            if let Some(count) = count(value, &mut problems) {
                *into = Some(count);
            }
        };
        let inner = |name: &str, field: &str| usage.get(name).and_then(|value| value.get(field));
        read(usage.get("input_tokens"), &mut self.input);
        read(usage.get("cache_read_input_tokens"), &mut self.cache_read);
        read(
            usage.get("cache_creation_input_tokens"),
            &mut self.cache_write,
        );
        read(
            inner("cache_creation", "ephemeral_5m_input_tokens"),
            &mut self.cache_write_5m,
        );
        read(
            inner("cache_creation", "ephemeral_1h_input_tokens"),
            &mut self.cache_write_1h,
        );
        read(usage.get("output_tokens"), &mut self.output);
        read(
            inner("output_tokens_details", "thinking_tokens"),
            &mut self.thinking,
        );
        read(
            inner("server_tool_use", "web_search_requests"),
            &mut self.searches,
        );
        self.nonsense |= problems.inconsistent;
    }

    /// Input excludes both cache fields, so the classes are disjoint as they come.
    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        usage.inconsistent = self.nonsense;
        report(&mut usage, Resource::InUncached, self.input);
        report(&mut usage, Resource::InCacheRead, self.cache_read);
        let (mut five, mut hour) = (self.cache_write_5m, self.cache_write_1h);
        if five.is_none() && hour.is_none() {
            // Without a breakdown it is the cache that is written by default.
            five = self.cache_write;
        } else if let Some(all) = self.cache_write {
            let named = five.unwrap_or(0).saturating_add(hour.unwrap_or(0));
            usage.inconsistent |= all != named;
            // What nobody names is billed as the dearer one.
            if let Some(missing) = all.checked_sub(named).filter(|&missing| missing > 0) {
                hour = Some(hour.unwrap_or(0).saturating_add(missing));
            }
        }
        report(&mut usage, Resource::InCacheWrite5m, five);
        report(&mut usage, Resource::InCacheWrite1h, hour);
        let text = decode::rest(&mut usage, self.output, self.thinking);
        report(&mut usage, Resource::OutText, text);
        report(&mut usage, Resource::OutReasoning, self.thinking);
        report(&mut usage, Resource::SearchCall, self.searches);
        usage
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage(values: &[Value]) -> Usage {
        let mut counts = Counts::default();
        for value in values {
            counts.replace(value);
        }
        counts.usage()
    }

    #[test]
    fn usage_is_replaced_and_never_added() {
        let usage = usage(&[
            json!({"input_tokens": 3, "cache_creation_input_tokens": 12304,
                   "cache_read_input_tokens": 0, "output_tokens": 1}),
            json!({"output_tokens": 200}),
            json!({"output_tokens": 550}),
        ]);
        let expected = Usage::default()
            .with(Resource::InUncached, 3)
            .with(Resource::InCacheRead, 0)
            .with(Resource::InCacheWrite5m, 12304)
            .with(Resource::OutText, 550);
        assert_eq!(usage, expected);
    }

    #[test]
    fn cache_writes_are_split_and_contradictions_are_billed_high() {
        let split = |all: u64, five: u64, hour: u64| {
            usage(
                &[json!({"cache_creation_input_tokens": all, "cache_creation":
                {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}})],
            )
        };
        let good = split(30, 10, 20);
        assert_eq!(good.get(Resource::InCacheWrite5m), Some(10));
        assert_eq!(good.get(Resource::InCacheWrite1h), Some(20));
        assert!(!good.inconsistent);
        let missing = split(35, 10, 20);
        assert_eq!(missing.get(Resource::InCacheWrite1h), Some(25));
        assert!(missing.inconsistent);
        let beyond = split(5, 10, 20);
        assert_eq!(beyond.input_tokens(), Some(30));
        assert!(beyond.inconsistent);
    }

    #[test]
    fn nothing_reported_is_nothing() {
        assert!(usage(&[json!({})]).is_empty());
        assert!(usage(&[json!({"input_tokens": null})]).is_empty());
        assert!(usage(&[json!({"output_tokens": "x"})]).inconsistent);
    }
}
