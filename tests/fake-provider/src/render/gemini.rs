//! Gemini's `generateContent`. Each event is a whole response with the newest part; the last one
//! has a finish reason, and nothing else marks the end.

use serde_json::{Value, json};

use super::{Answer, Counts, Facts, Span, Writer};
use crate::reply::{Failure, Part, Stop};

pub(super) static WRITER: Writer = Writer {
    stream,
    whole,
    failure,
    endless,
    stream_type: "text/event-stream",
    request_id: None,
};

fn finish_reason(stop: &Stop) -> &str {
    match stop {
        Stop::Length | Stop::ContextWindow => "MAX_TOKENS",
        Stop::ContentFilter => "SAFETY",
        Stop::Other(word) => word,
        _ => "STOP",
    }
}

/// `promptTokenCount` includes cached tokens, `candidatesTokenCount` excludes thoughts.
fn usage(counts: &Counts) -> Value {
    let cache = &counts.cache;
    let prompt = counts.input + cache.read + cache.write_5m + cache.write_1h;
    let thoughts = counts.reasoning.unwrap_or(0);
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": counts.output.saturating_sub(thoughts),
        "totalTokenCount": prompt + counts.output,
    });
    if cache.read > 0 {
        usage["cachedContentTokenCount"] = cache.read.into();
    }
    if counts.reasoning.is_some() {
        usage["thoughtsTokenCount"] = thoughts.into();
    }
    usage
}

fn response(answer: &Answer, facts: &Facts, parts: Vec<Value>, finish: Option<&Stop>) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    if let Some(stop) = finish {
        candidate["finishReason"] = finish_reason(stop).into();
    }
    let mut response = json!({
        "candidates": [candidate],
        "modelVersion": facts.model,
        "responseId": facts.id("r"),
    });
    if let Some(counts) = answer.usage.as_ref().filter(|_| finish.is_some()) {
        response["usageMetadata"] = usage(counts);
    }
    response
}

fn parts(part: &Part) -> Vec<Value> {
    match part {
        Part::Text(deltas) | Part::Refusal(deltas) => {
            deltas.iter().map(|text| json!({ "text": text })).collect()
        }
        Part::Reasoning(deltas) => deltas
            .iter()
            .map(|text| json!({ "text": text, "thought": true }))
            .collect(),
        Part::ToolCall { name, arguments } => {
            vec![json!({ "functionCall": { "name": name, "args": arguments } })]
        }
    }
}

fn stream(answer: &Answer, facts: &Facts) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut tokens = 0;
    for part in answer.parts.iter().flat_map(parts) {
        if answer.fails_before(tokens).is_some() {
            break;
        }
        if answer.pings {
            spans.push(Span::plain(": keep-alive\n\n"));
        }
        let data = response(answer, facts, vec![part], None);
        spans.push(Span::event(None, &data, true));
        tokens += 1;
    }
    if let Some(failed) = answer.fails_before(tokens) {
        spans.push(Span::event(None, &failure(failed, facts), false));
        return spans;
    }
    if answer.end_marker {
        let empty = vec![json!({ "text": "" })];
        let last = response(answer, facts, empty, Some(&answer.stop));
        spans.push(Span::event(None, &last, false));
    }
    spans
}

fn whole(answer: &Answer, facts: &Facts) -> Value {
    let all = answer.parts.iter().flat_map(parts).collect();
    response(answer, facts, all, Some(&answer.stop))
}

fn failure(failure: &Failure, _: &Facts) -> Value {
    json!({ "error": {
        "code": failure.status, "message": failure.message, "status": failure.kind,
    }})
}

fn endless(_: &Facts) -> String {
    r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":""#.to_owned()
}
