//! Anthropic Messages. An event stream of named events; usage is cumulative: `message_start` has
//! the input's, `message_delta` the whole.

use serde_json::{Value, json};

use super::{Answer, Counts, Facts, Span, Writer};
use crate::reply::{Failure, Part, Stop};

pub(super) static WRITER: Writer = Writer {
    stream,
    whole,
    failure,
    endless,
    stream_type: "text/event-stream; charset=utf-8",
    request_id: Some("request-id"),
};

fn stop_reason(stop: &Stop) -> &str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::StopSequence => "stop_sequence",
        Stop::ToolUse => "tool_use",
        Stop::ContentFilter | Stop::Refusal => "refusal",
        Stop::Pause => "pause_turn",
        Stop::ContextWindow => "model_context_window_exceeded",
        Stop::Other(word) => word,
    }
}

fn usage(counts: &Counts, output: u64) -> Value {
    let cache = &counts.cache;
    let mut usage = json!({
        "input_tokens": counts.input,
        "cache_creation_input_tokens": cache.write_5m + cache.write_1h,
        "cache_read_input_tokens": cache.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache.write_5m,
            "ephemeral_1h_input_tokens": cache.write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    });
    if let Some(reasoning) = counts.reasoning {
        usage["output_tokens_details"] = json!({ "thinking_tokens": reasoning });
    }
    usage
}

fn message(answer: &Answer, facts: &Facts, content: Vec<Value>, stop: Value, output: u64) -> Value {
    let mut message = json!({
        "id": facts.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": facts.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
    });
    if let Some(counts) = &answer.usage {
        message["usage"] = usage(counts, output);
    }
    message
}

fn event(data: &Value, delta: bool) -> Span {
    Span::event(data["type"].as_str(), data, delta)
}

/// What a content block starts as, and its deltas.
fn block(part: &Part, call: usize) -> (Value, Vec<Value>) {
    let texts = |deltas: &[String], kind: &str, field: &str| -> Vec<Value> {
        deltas
            .iter()
            .map(|text| json!({ "type": kind, field: text }))
            .collect()
    };
    match part {
        Part::Text(deltas) | Part::Refusal(deltas) => (
            json!({ "type": "text", "text": "" }),
            texts(deltas, "text_delta", "text"),
        ),
        Part::Reasoning(deltas) => {
            let mut all = texts(deltas, "thinking_delta", "thinking");
            all.push(json!({ "type": "signature_delta", "signature": "ZmFrZQ==" }));
            (
                json!({ "type": "thinking", "thinking": "", "signature": "" }),
                all,
            )
        }
        Part::ToolCall { name, arguments } => {
            let text = arguments.to_string();
            let middle = text.chars().count() / 2;
            let first: String = text.chars().take(middle).collect();
            let last: String = text.chars().skip(middle).collect();
            let id = format!("toolu_fake{call:08}");
            (
                json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                // The first piece is empty on the real wire too.
                texts(
                    &[String::new(), first, last],
                    "input_json_delta",
                    "partial_json",
                ),
            )
        }
    }
}

/// Whether a delta is a token, and not something beside it.
fn is_token(delta: &Value) -> bool {
    match delta["type"].as_str() {
        Some("signature_delta") => false,
        // One token for the whole call, however many pieces.
        Some("input_json_delta") => delta["partial_json"] == "",
        _ => true,
    }
}

fn stream(answer: &Answer, facts: &Facts) -> Vec<Span> {
    let mut spans = Vec::new();
    let start = message(answer, facts, Vec::new(), Value::Null, 1);
    spans.push(event(
        &json!({ "type": "message_start", "message": start }),
        false,
    ));
    let mut tokens = 0;
    for (index, part) in answer.parts.iter().enumerate() {
        let (start, deltas) = block(part, index);
        let start =
            json!({ "type": "content_block_start", "index": index, "content_block": start });
        spans.push(event(&start, false));
        for delta in deltas {
            let token = is_token(&delta);
            if token && let Some(failure) = answer.fails_before(tokens) {
                spans.push(event(&error(failure, facts), false));
                return spans;
            }
            if token && answer.pings {
                spans.push(event(&json!({ "type": "ping" }), false));
            }
            tokens += usize::from(token);
            let delta = json!({ "type": "content_block_delta", "index": index, "delta": delta });
            spans.push(event(&delta, token));
        }
        spans.push(event(
            &json!({ "type": "content_block_stop", "index": index }),
            false,
        ));
    }
    if let Some(failure) = answer.fails_before(tokens) {
        spans.push(event(&error(failure, facts), false));
        return spans;
    }
    if answer.end_marker {
        let mut last = json!({
            "type": "message_delta",
            "delta": { "stop_reason": stop_reason(&answer.stop), "stop_sequence": null },
        });
        if let Some(counts) = &answer.usage {
            last["usage"] = usage(counts, counts.output);
        }
        spans.push(event(&last, false));
        spans.push(event(&json!({ "type": "message_stop" }), false));
    }
    spans
}

fn whole(answer: &Answer, facts: &Facts) -> Value {
    let content = answer
        .parts
        .iter()
        .enumerate()
        .map(|(index, part)| match part {
            Part::Text(deltas) | Part::Refusal(deltas) => {
                json!({ "type": "text", "text": deltas.concat() })
            }
            Part::Reasoning(deltas) => json!({
                "type": "thinking", "thinking": deltas.concat(), "signature": "ZmFrZQ==",
            }),
            Part::ToolCall { name, arguments } => json!({
                "type": "tool_use",
                "id": format!("toolu_fake{index:08}"),
                "name": name,
                "input": arguments,
            }),
        })
        .collect();
    let output = answer.usage.as_ref().map_or(0, |counts| counts.output);
    message(
        answer,
        facts,
        content,
        stop_reason(&answer.stop).into(),
        output,
    )
}

fn error(failure: &Failure, facts: &Facts) -> Value {
    json!({
        "type": "error",
        "error": { "type": failure.kind, "message": failure.message },
        "request_id": facts.id("req_"),
    })
}

fn failure(failure: &Failure, facts: &Facts) -> Value {
    error(failure, facts)
}

fn endless(_: &Facts) -> String {
    concat!(
        "event: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""#,
    )
    .to_owned()
}
