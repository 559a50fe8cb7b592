//! OpenAI Responses. An event stream of named, numbered events around a list of items; usage comes
//! with the last, which has the whole response once more.

use serde_json::{Value, json};

use super::{Answer, Counts, Facts, Span, Writer};
use crate::reply::{Failure, Part, Stop};

/// Each response carries the same time; nobody reads it, and a fixed one keeps offsets.
const CREATED: u64 = 1_760_000_000;

pub(super) static WRITER: Writer = Writer {
    stream,
    whole,
    failure,
    endless,
    stream_type: "text/event-stream; charset=utf-8",
    request_id: Some("x-request-id"),
};

/// The status, and why a response is incomplete.
fn ending(stop: &Stop) -> (&'static str, Option<&str>) {
    match stop {
        Stop::End | Stop::StopSequence | Stop::ToolUse | Stop::Refusal | Stop::Pause => {
            ("completed", None)
        }
        Stop::Length | Stop::ContextWindow => ("incomplete", Some("max_output_tokens")),
        Stop::ContentFilter => ("incomplete", Some("content_filter")),
        Stop::Other(word) => ("incomplete", Some(word)),
    }
}

/// `input_tokens` includes cached ones, `output_tokens` includes reasoning.
fn usage(counts: &Counts) -> Value {
    let cache = &counts.cache;
    let input = counts.input + cache.read + cache.write_5m + cache.write_1h;
    json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": cache.read,
            "cache_write_tokens": cache.write_5m + cache.write_1h,
        },
        "output_tokens": counts.output,
        "output_tokens_details": { "reasoning_tokens": counts.reasoning.unwrap_or(0) },
        "total_tokens": input + counts.output,
    })
}

fn response(facts: &Facts, status: &str, output: Vec<Value>) -> Value {
    json!({
        "id": facts.id("resp_"),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "model": facts.model,
        "output": output,
        "parallel_tool_calls": true,
        "store": false,
        "tool_choice": "auto",
        "tools": [],
        "usage": null,
    })
}

fn finished(answer: &Answer, facts: &Facts, output: Vec<Value>) -> Value {
    let (status, reason) = ending(&answer.stop);
    let mut whole = response(facts, status, output);
    if let Some(reason) = reason {
        whole["incomplete_details"] = json!({ "reason": reason });
    }
    if let Some(counts) = &answer.usage {
        whole["usage"] = usage(counts);
    }
    whole
}

/// An item as it is when nothing of it came, when all of it did, and the events between.
struct Item {
    empty: Value,
    full: Value,
    /// Opens the part that the deltas fill.
    before: Option<Value>,
    deltas: Vec<Value>,
    /// Says all of it once more.
    after: Vec<Value>,
}

/// An event about the one part of an item.
fn about_part(kind: &str, id: &str, place: usize, more: Value) -> Value {
    let mut event = json!({
        "type": kind, "item_id": id, "output_index": place, "content_index": 0, "summary_index": 0,
    });
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
    event
}

fn item(part: &Part, place: usize) -> Item {
    let id = |prefix: &str| format!("{prefix}_fake{place:08}");
    let about = |kind: &str, id: &str, more: Value| about_part(kind, id, place, more);
    let texts = |kind: &str, id: &str, deltas: &[String]| -> Vec<Value> {
        let delta = |text: &String| about(kind, id, json!({ "delta": text, "logprobs": [] }));
        deltas.iter().map(delta).collect()
    };
    let part_of = |kind: &str, id: &str, part: &Value| about(kind, id, json!({ "part": part }));
    let message = |status: &str, content: Vec<Value>| json!({ "id": id("msg"), "type": "message", "status": status, "role": "assistant", "content": content });
    match part {
        Part::Text(deltas) => {
            let text = json!({
                "type": "output_text", "text": deltas.concat(), "annotations": [], "logprobs": [],
            });
            let none =
                json!({ "type": "output_text", "text": "", "annotations": [], "logprobs": [] });
            let done = json!({ "text": deltas.concat(), "logprobs": [] });
            Item {
                before: Some(part_of("response.content_part.added", &id("msg"), &none)),
                after: vec![
                    about("response.output_text.done", &id("msg"), done),
                    part_of("response.content_part.done", &id("msg"), &text),
                ],
                empty: message("in_progress", Vec::new()),
                full: message("completed", vec![text]),
                deltas: texts("response.output_text.delta", &id("msg"), deltas),
            }
        }
        Part::Refusal(deltas) => {
            let refusal = json!({ "type": "refusal", "refusal": deltas.concat() });
            let none = json!({ "type": "refusal", "refusal": "" });
            let done = json!({ "refusal": deltas.concat() });
            Item {
                before: Some(part_of("response.content_part.added", &id("msg"), &none)),
                after: vec![
                    about("response.refusal.done", &id("msg"), done),
                    part_of("response.content_part.done", &id("msg"), &refusal),
                ],
                empty: message("in_progress", Vec::new()),
                full: message("completed", vec![refusal]),
                deltas: texts("response.refusal.delta", &id("msg"), deltas),
            }
        }
        Part::Reasoning(deltas) => {
            let reasoning = |summary: Value, encrypted: Value| json!({ "id": id("rs"), "type": "reasoning", "summary": summary, "encrypted_content": encrypted });
            let part = json!({ "type": "summary_text", "text": deltas.concat() });
            let none = json!({ "type": "summary_text", "text": "" });
            let summary = json!([part]);
            let added = "response.reasoning_summary_part.added";
            Item {
                before: Some(part_of(added, &id("rs"), &none)),
                after: vec![
                    about(
                        "response.reasoning_summary_text.done",
                        &id("rs"),
                        json!({ "text": deltas.concat() }),
                    ),
                    part_of("response.reasoning_summary_part.done", &id("rs"), &part),
                ],
                empty: reasoning(json!([]), Value::Null),
                full: reasoning(summary, "ZmFrZQ==".into()),
                deltas: texts("response.reasoning_summary_text.delta", &id("rs"), deltas),
            }
        }
        Part::ToolCall { name, arguments } => {
            let call = |status: &str, arguments: &str| {
                json!({
                    "id": id("fc"), "type": "function_call", "status": status, "name": name,
                    "call_id": format!("call_fake{place:08}"), "arguments": arguments,
                })
            };
            let text = arguments.to_string();
            let middle = text.chars().count() / 2;
            let first: String = text.chars().take(middle).collect();
            let last: String = text.chars().skip(middle).collect();
            let done = json!({ "name": name, "arguments": text });
            Item {
                before: None,
                after: vec![about(
                    "response.function_call_arguments.done",
                    &id("fc"),
                    done,
                )],
                empty: call("in_progress", ""),
                full: call("completed", &text),
                deltas: texts(
                    "response.function_call_arguments.delta",
                    &id("fc"),
                    &[first, last],
                ),
            }
        }
    }
}

/// Events, numbered as they come.
#[derive(Default)]
struct Events {
    spans: Vec<Span>,
}

impl Events {
    fn push(&mut self, mut data: Value, token: bool) {
        data["sequence_number"] = self.spans.len().into();
        let name = data["type"].as_str().map(str::to_owned);
        self.spans.push(Span::event(name.as_deref(), &data, token));
    }
}

fn stream(answer: &Answer, facts: &Facts) -> Vec<Span> {
    let mut events = Events::default();
    for kind in ["response.created", "response.in_progress"] {
        let response = response(facts, "in_progress", Vec::new());
        events.push(json!({ "type": kind, "response": response }), false);
    }
    let mut tokens = 0;
    let mut output = Vec::new();
    for (place, part) in answer.parts.iter().enumerate() {
        let item = item(part, place);
        let call = matches!(part, Part::ToolCall { .. });
        let about =
            |kind: &str, item: &Value| json!({ "type": kind, "output_index": place, "item": item });
        events.push(about("response.output_item.added", &item.empty), false);
        if let Some(before) = item.before {
            events.push(before, false);
        }
        for (number, delta) in item.deltas.into_iter().enumerate() {
            // One token for the whole call, however many pieces.
            let token = !call || number == 0;
            if token && let Some(failed) = answer.fails_before(tokens) {
                events.push(in_stream(failed), false);
                return events.spans;
            }
            if token && answer.pings {
                events.spans.push(Span::plain(": keep-alive\n\n"));
            }
            tokens += usize::from(token);
            events.push(delta, token);
        }
        for after in item.after {
            events.push(after, false);
        }
        events.push(about("response.output_item.done", &item.full), false);
        output.push(item.full);
    }
    if let Some(failed) = answer.fails_before(tokens) {
        events.push(in_stream(failed), false);
        return events.spans;
    }
    if answer.end_marker {
        let whole = finished(answer, facts, output);
        let kind = format!("response.{}", ending(&answer.stop).0);
        events.push(json!({ "type": kind, "response": whole }), false);
    }
    events.spans
}

fn whole(answer: &Answer, facts: &Facts) -> Value {
    let parts = answer.parts.iter().enumerate();
    let output = parts.map(|(place, part)| item(part, place).full).collect();
    finished(answer, facts, output)
}

fn in_stream(failure: &Failure) -> Value {
    json!({
        "type": "error",
        "code": failure.code.as_ref().unwrap_or(&failure.kind),
        "message": failure.message,
        "param": null,
    })
}

fn failure(failure: &Failure, _: &Facts) -> Value {
    json!({ "error": {
        "message": failure.message,
        "type": failure.kind,
        "param": null,
        "code": failure.code,
    }})
}

fn endless(_: &Facts) -> String {
    concat!(
        "event: response.output_text.delta\n",
        r#"data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":""#,
    )
    .to_owned()
}
