//! OpenAI Chat Completions. An event stream of unnamed events that ends with `[DONE]`; usage
//! comes in a last chunk without choices, and only when it was asked for.

use serde_json::{Value, json};

use super::{Answer, Counts, Facts, Span, Writer};
use crate::reply::{Failure, Part, Stop};

/// Each chunk carries the same time; nobody reads it, and a fixed one keeps offsets.
const CREATED: u64 = 1_760_000_000;

pub(super) static WRITER: Writer = Writer {
    stream,
    whole,
    failure,
    endless,
    stream_type: "text/event-stream; charset=utf-8",
    request_id: Some("x-request-id"),
};

fn finish_reason(stop: &Stop) -> &str {
    match stop {
        Stop::End | Stop::StopSequence | Stop::Refusal | Stop::Pause => "stop",
        Stop::Length | Stop::ContextWindow => "length",
        Stop::ToolUse => "tool_calls",
        Stop::ContentFilter => "content_filter",
        Stop::Other(word) => word,
    }
}

/// `prompt_tokens` includes cached ones, `completion_tokens` includes reasoning.
fn usage(counts: &Counts) -> Value {
    let cache = &counts.cache;
    let prompt = counts.input + cache.read + cache.write_5m + cache.write_1h;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": counts.output,
        "total_tokens": prompt + counts.output,
        "prompt_tokens_details": { "cached_tokens": cache.read, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning.unwrap_or(0),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

struct Chunks<'a> {
    facts: &'a Facts,
    /// Whether chunks carry a null usage: they do when usage was asked for.
    usage: bool,
    spans: Vec<Span>,
}

impl Chunks<'_> {
    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.facts.id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.facts.model,
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
            "choices": choices,
        });
        if self.usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn push(&mut self, delta: Value, finish: Value, token: bool) {
        let choice = json!([{
            "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish,
        }]);
        let chunk = self.chunk(choice);
        self.spans.push(Span::event(None, &chunk, token));
    }
}

/// The deltas of a part; of a tool call the first is the token.
fn deltas(part: &Part, call: usize) -> Vec<Value> {
    let texts = |deltas: &[String], field: &str| -> Vec<Value> {
        deltas.iter().map(|text| json!({ field: text })).collect()
    };
    match part {
        Part::Text(all) => texts(all, "content"),
        Part::Refusal(all) => texts(all, "refusal"),
        Part::Reasoning(all) => texts(all, "reasoning_content"),
        Part::ToolCall { name, arguments } => {
            let text = arguments.to_string();
            let middle = text.chars().count() / 2;
            let first: String = text.chars().take(middle).collect();
            let last: String = text.chars().skip(middle).collect();
            let more = |piece: String| json!({ "tool_calls": [{ "index": call, "function": { "arguments": piece } }] });
            let start = json!({ "tool_calls": [{
                "index": call,
                "id": format!("call_fake{call:08}"),
                "type": "function",
                "function": { "name": name, "arguments": "" },
            }]});
            vec![start, more(first), more(last)]
        }
    }
}

fn stream(answer: &Answer, facts: &Facts) -> Vec<Span> {
    let mut chunks = Chunks {
        facts,
        usage: facts.include_usage && answer.usage.is_some(),
        spans: Vec::new(),
    };
    chunks.push(
        json!({ "role": "assistant", "content": "", "refusal": null }),
        Value::Null,
        false,
    );
    let mut tokens = 0;
    let mut calls = 0;
    for part in &answer.parts {
        let call = matches!(part, Part::ToolCall { .. });
        for (number, delta) in deltas(part, calls).into_iter().enumerate() {
            let token = !call || number == 0;
            if token && let Some(failed) = answer.fails_before(tokens) {
                let data = failure(failed, facts);
                chunks.spans.push(Span::event(None, &data, false));
                return chunks.spans;
            }
            if token && answer.pings {
                chunks.spans.push(Span::plain(": keep-alive\n\n"));
            }
            tokens += usize::from(token);
            chunks.push(delta, Value::Null, token);
        }
        calls += usize::from(call);
    }
    if let Some(failed) = answer.fails_before(tokens) {
        let data = failure(failed, facts);
        chunks.spans.push(Span::event(None, &data, false));
        return chunks.spans;
    }
    if answer.end_marker {
        chunks.push(json!({}), finish_reason(&answer.stop).into(), false);
        if let Some(counts) = answer.usage.as_ref().filter(|_| facts.include_usage) {
            let mut last = chunks.chunk(json!([]));
            last["usage"] = usage(counts);
            chunks.spans.push(Span::event(None, &last, false));
        }
        chunks.spans.push(Span::plain("data: [DONE]\n\n"));
    }
    chunks.spans
}

fn whole(answer: &Answer, facts: &Facts) -> Value {
    let mut message = json!({ "role": "assistant", "content": null, "refusal": null });
    let mut calls = Vec::new();
    for part in &answer.parts {
        match part {
            Part::Text(deltas) => message["content"] = deltas.concat().into(),
            Part::Refusal(deltas) => message["refusal"] = deltas.concat().into(),
            Part::Reasoning(deltas) => message["reasoning_content"] = deltas.concat().into(),
            Part::ToolCall { name, arguments } => calls.push(json!({
                "id": format!("call_fake{:08}", calls.len()),
                "type": "function",
                "function": { "name": name, "arguments": arguments.to_string() },
            })),
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let mut whole = json!({
        "id": facts.id("chatcmpl-"),
        "object": "chat.completion",
        "created": CREATED,
        "model": facts.model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_reason(&answer.stop),
        }],
    });
    if let Some(counts) = &answer.usage {
        whole["usage"] = usage(counts);
    }
    whole
}

fn failure(failure: &Failure, _: &Facts) -> Value {
    json!({ "error": {
        "message": failure.message,
        "type": failure.kind,
        "param": null,
        "code": failure.code,
    }})
}

fn endless(facts: &Facts) -> String {
    let id = facts.id("chatcmpl-");
    format!(
        r#"data: {{"id":"{id}","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"content":""#
    )
}
