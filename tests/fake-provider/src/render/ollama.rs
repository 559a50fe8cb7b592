//! Ollama's `/api/chat`: a JSON object a line; the last one says `done` and has the counts.

use serde_json::{Value, json};

use super::{Answer, Counts, Facts, Span, Writer};
use crate::reply::{Failure, Part, Stop};

const CREATED: &str = "2026-01-01T00:00:00.000000Z";

pub(super) static WRITER: Writer = Writer {
    stream,
    whole,
    failure,
    endless,
    stream_type: "application/x-ndjson",
    request_id: None,
};

fn done_reason(stop: &Stop) -> &str {
    match stop {
        Stop::Length | Stop::ContextWindow => "length",
        Stop::Other(word) => word,
        _ => "stop",
    }
}

fn line(facts: &Facts, message: Value) -> Value {
    json!({ "model": facts.model, "created_at": CREATED, "message": message, "done": false })
}

fn message(content: &str) -> Value {
    json!({ "role": "assistant", "content": content })
}

fn messages(part: &Part) -> Vec<Value> {
    match part {
        Part::Text(deltas) | Part::Refusal(deltas) => {
            deltas.iter().map(|text| message(text)).collect()
        }
        Part::Reasoning(deltas) => deltas
            .iter()
            .map(|text| {
                let mut message = message("");
                message["thinking"] = text.as_str().into();
                message
            })
            .collect(),
        Part::ToolCall { name, arguments } => {
            let mut message = message("");
            message["tool_calls"] =
                json!([{ "function": { "name": name, "arguments": arguments } }]);
            vec![message]
        }
    }
}

/// Adds what the last line has. `prompt_eval_count` includes cached tokens.
fn finish(line: &mut Value, answer: &Answer) {
    line["done"] = true.into();
    line["done_reason"] = done_reason(&answer.stop).into();
    line["total_duration"] = 5_191_566_416_u64.into();
    line["load_duration"] = 2_154_458_u64.into();
    if let Some(Counts {
        input,
        cache,
        output,
        ..
    }) = &answer.usage
    {
        line["prompt_eval_count"] = (input + cache.read + cache.write_5m + cache.write_1h).into();
        line["prompt_eval_duration"] = 383_809_000_u64.into();
        line["eval_count"] = (*output).into();
        line["eval_duration"] = 4_799_921_000_u64.into();
    }
}

fn stream(answer: &Answer, facts: &Facts) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut tokens = 0;
    for message in answer.parts.iter().flat_map(messages) {
        if answer.fails_before(tokens).is_some() {
            break;
        }
        if answer.pings {
            spans.push(Span::plain("\n"));
        }
        spans.push(Span::line(&line(facts, message), true));
        tokens += 1;
    }
    if let Some(failed) = answer.fails_before(tokens) {
        spans.push(Span::line(&failure(failed, facts), false));
        return spans;
    }
    if answer.end_marker {
        let mut last = line(facts, message(""));
        finish(&mut last, answer);
        spans.push(Span::line(&last, false));
    }
    spans
}

fn whole(answer: &Answer, facts: &Facts) -> Value {
    let mut content = String::new();
    let mut thinking = String::new();
    let mut calls = Vec::new();
    for part in &answer.parts {
        match part {
            Part::Text(deltas) | Part::Refusal(deltas) => content.push_str(&deltas.concat()),
            Part::Reasoning(deltas) => thinking.push_str(&deltas.concat()),
            Part::ToolCall { name, arguments } => {
                calls.push(json!({ "function": { "name": name, "arguments": arguments } }));
            }
        }
    }
    let mut message = message(&content);
    if !thinking.is_empty() {
        message["thinking"] = thinking.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let mut whole = line(facts, message);
    finish(&mut whole, answer);
    whole
}

fn failure(failure: &Failure, _: &Facts) -> Value {
    json!({ "error": failure.message })
}

fn endless(facts: &Facts) -> String {
    let model = &facts.model;
    format!(
        r#"{{"model":"{model}","created_at":"{CREATED}","message":{{"role":"assistant","content":""#
    )
}
