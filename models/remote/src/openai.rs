//! OpenAI Chat Completions, and what speaks like it:
//! <https://developers.openai.com/api/reference/resources/chat>.

use std::borrow::Cow;

use convergio_models_api::{ModelEvent, ModelRequest, Resource, Role, StopReason, Usage};
use serde::Serialize;
use serde_json::Value;

use crate::{
    body::{joined, prompted_system, text_alone, to_body},
    decode::{self, DecodeError, Dialect, count, push_text, report},
    endpoint::{Endpoint, JsonSupport, MaxTokensField},
    kind::{Framing, KeyHeader, Wire},
    schema,
    text::name_of_others,
};

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body,
    path: &["chat", "completions"],
    framing: Framing::Events,
    decoder: |_| Box::new(OpenAiDecoder::default()),
    key: KeyHeader::Bearer,
    headers: &[],
    list_path: &["models"],
    list_query: &[],
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
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Cow<'a, str>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
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

/// The JSON body of the request.
fn body(endpoint: &Endpoint, request: &ModelRequest) -> Result<Vec<u8>, String> {
    text_alone(request)?;
    let support = endpoint.json_support(&request.model);
    let system = prompted_system(request, support).map(|system| Turn {
        role: "system",
        content: system.into(),
    });
    let turns = request.messages.iter().map(|message| Turn {
        role: match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: joined(&message.parts),
    });
    let field = endpoint.dialect.max_tokens;
    let bound = |wanted| (field == wanted).then_some(request.max_output);
    let output = request.output_schema.as_ref();
    to_body(&Body {
        model: &request.model,
        messages: system.into_iter().chain(turns).collect(),
        stream: true,
        stream_options: endpoint.dialect.usage_option.then_some(StreamOptions {
            include_usage: true,
        }),
        max_tokens: bound(MaxTokensField::MaxTokens),
        max_completion_tokens: bound(MaxTokensField::MaxCompletionTokens),
        temperature: request.temperature,
        response_format: output.and_then(|output| match support {
            JsonSupport::Schema => Some(ResponseFormat::JsonSchema {
                json_schema: JsonSchema {
                    name: &output.name,
                    strict: schema::is_strict(&output.schema),
                    schema: &output.schema,
                },
            }),
            JsonSupport::Object => Some(ResponseFormat::JsonObject),
            JsonSupport::Tool | JsonSupport::Prompt => None,
        }),
    })
}

/// Reads the chunks of one completion.
#[derive(Debug, Default)]
pub(crate) struct OpenAiDecoder {
    started: bool,
    refused: bool,
    stop: Option<StopReason>,
}

impl OpenAiDecoder {
    fn choice(&mut self, choice: &Value, out: &mut Vec<ModelEvent>) {
        let delta = &choice["delta"];
        // One or the other name, by server; some send both, with the same words.
        let reasoning = [delta.get("reasoning_content"), delta.get("reasoning")];
        let reasoning = reasoning
            .into_iter()
            .flatten()
            .find(|text| text.is_string());
        push_text(out, reasoning, ModelEvent::Reasoning);
        match delta.get("content") {
            Some(Value::Array(parts)) => {
                for part in parts {
                    content_part(part, out);
                }
            }
            text => push_text(out, text, ModelEvent::Text),
        }
        let before = out.len();
        push_text(out, delta.get("refusal"), ModelEvent::Text);
        self.refused |= out.len() > before;
        if let Some(word) = choice["finish_reason"].as_str() {
            self.stop = Some(match word {
                "stop" | "eos" | "end_turn" if self.refused => StopReason::Refusal,
                "stop" | "eos" | "end_turn" => StopReason::End,
                "length" | "max_tokens" => StopReason::MaxOutput,
                "model_length" => StopReason::ContextFull,
                "content_filter" => StopReason::ContentFilter,
                "tool_calls" | "function_call" => StopReason::ToolUse,
                other => decode::other_stop(Some(other)),
            });
        }
    }
}

/// Mistral's reasoning models send content in parts.
fn content_part(part: &Value, out: &mut Vec<ModelEvent>) {
    match part["type"].as_str() {
        Some("text") => push_text(out, part.get("text"), ModelEvent::Text),
        Some("thinking") => {
            for piece in part["thinking"].as_array().into_iter().flatten() {
                push_text(out, piece.get("text"), ModelEvent::Reasoning);
            }
        }
        _ => {}
    }
}

impl Dialect for OpenAiDecoder {
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        if data.trim_ascii() == b"[DONE]" {
            let stop = self.stop.take();
            out.push(ModelEvent::Stop(
                stop.unwrap_or_else(|| decode::other_stop(None)),
            ));
            return Ok(false);
        }
        let chunk = decode::json(data)?;
        let Value::Object(fields) = &chunk else {
            return Err(DecodeError::Malformed {
                what: "a chunk is no object",
            });
        };
        if fields.get("error").is_some_and(|error| !error.is_null()) {
            return Err(DecodeError::Provider(chunk));
        }
        // llama.cpp's errors have a field of their own and no further wrapping.
        if !fields.contains_key("choices")
            && fields.contains_key("message")
            && fields.contains_key("code")
        {
            return Err(DecodeError::Provider(chunk));
        }
        if !std::mem::replace(&mut self.started, true) {
            out.push(ModelEvent::Started {
                request_id: chunk["id"].as_str().map(name_of_others),
                model: chunk["model"].as_str().map(name_of_others),
            });
        }
        let choices = chunk["choices"].as_array();
        let first = choices.and_then(|choices| {
            let is_first = |choice: &&Value| choice["index"].as_u64().unwrap_or(0) == 0;
            choices.iter().find(is_first)
        });
        if let Some(choice) = first {
            self.choice(choice, out);
        }
        // Groq used to report in a field of its own.
        let reported = [fields.get("usage"), chunk["x_groq"].get("usage")];
        if let Some(usage) = reported
            .into_iter()
            .flatten()
            .find(|value| value.is_object())
        {
            out.push(ModelEvent::Usage(usage_of(usage)));
        }
        Ok(true)
    }
}

/// Prompt and completion are sums that include their details; the classes are disjoint.
pub(crate) fn usage_of(reported: &Value) -> Usage {
    let mut usage = Usage::default();
    let prompt_details = &reported["prompt_tokens_details"];
    let completion_details = &reported["completion_tokens_details"];

    let prompt = count(reported.get("prompt_tokens"), &mut usage);
    // DeepSeek names the cache's part beside the prompt.
    let cached = prompt_details
        .get("cached_tokens")
        .filter(|value| !value.is_null())
        .or_else(|| reported.get("prompt_cache_hit_tokens"));
    let cached = count(cached, &mut usage);
    let written = count(prompt_details.get("cache_write_tokens"), &mut usage);
    let after_reads = decode::rest(&mut usage, prompt, cached);
    let uncached = decode::rest(&mut usage, after_reads, written);
    report(&mut usage, Resource::InUncached, uncached);
    report(&mut usage, Resource::InCacheRead, cached);
    report(&mut usage, Resource::InCacheWrite5m, written);

    let completion = count(reported.get("completion_tokens"), &mut usage);
    let reasoning = count(completion_details.get("reasoning_tokens"), &mut usage);
    let total = count(reported.get("total_tokens"), &mut usage);
    // xAI counts reasoning beside the completion; only the total tells.
    let beside = match (prompt, completion, reasoning, total) {
        (Some(prompt), Some(completion), Some(reasoning @ 1..), Some(total)) => prompt
            .checked_add(completion)
            .and_then(|sum| sum.checked_add(reasoning))
            .is_some_and(|sum| sum == total),
        _ => false,
    };
    let text = if beside {
        completion
    } else {
        decode::rest(&mut usage, completion, reasoning)
    };
    report(&mut usage, Resource::OutText, text);
    report(&mut usage, Resource::OutReasoning, reasoning);
    usage
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_are_disjoint() {
        let usage = usage_of(&json!({"prompt_tokens": 100, "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 20}}));
        let expected = Usage::default()
            .with(Resource::InUncached, 10)
            .with(Resource::InCacheRead, 60)
            .with(Resource::InCacheWrite5m, 30)
            .with(Resource::OutText, 30)
            .with(Resource::OutReasoning, 20);
        assert_eq!(usage, expected);
        assert_eq!(usage.input_tokens(), Some(100));
        assert_eq!(usage.output_tokens(), Some(50));
    }

    #[test]
    fn contradictions_are_marked_and_billed_high() {
        let usage = usage_of(&json!({"prompt_tokens": 10, "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 11},
            "completion_tokens_details": {"reasoning_tokens": 9}}));
        assert!(usage.inconsistent);
        assert_eq!(usage.get(Resource::InUncached), Some(10));
        assert_eq!(usage.get(Resource::OutText), Some(5));
        assert_eq!(usage.get(Resource::OutReasoning), Some(9));
    }

    #[test]
    fn reasoning_beside_the_completion_is_seen_by_the_total() {
        let usage = usage_of(&json!({"prompt_tokens": 10, "completion_tokens": 5,
            "total_tokens": 115, "completion_tokens_details": {"reasoning_tokens": 100}}));
        assert!(!usage.inconsistent);
        assert_eq!(usage.get(Resource::OutText), Some(5));
        assert_eq!(usage.get(Resource::OutReasoning), Some(100));
    }

    #[test]
    fn deepseeks_cache_is_counted_and_absence_stays_absence() {
        let usage = usage_of(&json!({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4,
            "prompt_cache_miss_tokens": 6, "completion_tokens": 0}));
        assert_eq!(usage.get(Resource::InUncached), Some(6));
        assert_eq!(usage.get(Resource::InCacheRead), Some(4));
        assert_eq!(usage.get(Resource::OutText), Some(0));
        assert_eq!(usage.get(Resource::OutReasoning), None);
        assert!(usage_of(&json!({})).is_empty());
    }
}
