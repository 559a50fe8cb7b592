//! The answer.

use std::collections::BTreeMap;

use convergio_models_api::{ModelEvent, StopReason};
use serde_json::{Value, json};

use crate::{
    answer::{Counts, End, Name},
    ask::ToolForm,
    fault::Fault,
    responses::tools::FREE_TEXT,
    sse,
};

/// The item that events without a number belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Open {
    None,
    Message {
        place: usize,
        text: String,
    },
    Reasoning {
        place: usize,
        text: String,
        signature: String,
    },
}

/// A call that is not closed yet.
#[derive(Debug)]
struct Call {
    place: usize,
    id: String,
    name: String,
    arguments: String,
}

#[derive(Debug)]
pub(crate) struct ResponsesWriter {
    name: Name,
    /// Without a stream nothing is written before the end.
    stream: bool,
    /// Tools whose calls are no plain function calls, by the name that the model knows.
    tool_forms: BTreeMap<String, ToolForm>,
    begun: bool,
    sequence: u64,
    /// Items, each at its place; null while it is open.
    items: Vec<Value>,
    open: Open,
    open_calls: BTreeMap<u32, Call>,
}

impl ResponsesWriter {
    pub(crate) fn new(name: Name, stream: bool, tool_forms: BTreeMap<String, ToolForm>) -> Self {
        Self {
            name,
            stream,
            tool_forms,
            begun: false,
            sequence: 0,
            items: Vec::new(),
            open: Open::None,
            open_calls: BTreeMap::new(),
        }
    }

    fn tell(&mut self, kind: &str, mut event: Value, out: &mut Vec<u8>) {
        if !self.stream {
            return;
        }
        event["type"] = json!(kind);
        event["sequence_number"] = json!(self.sequence);
        self.sequence += 1;
        sse::event(out, kind, &event);
    }

    fn response(&self, status: &str, output: &[Value]) -> Value {
        json!({
            "id": format!("resp_{}", self.name.id),
            "object": "response",
            "created_at": self.name.created_s,
            "status": status,
            "model": self.name.model,
            "output": output,
            "error": null,
            "incomplete_details": null,
            "parallel_tool_calls": true,
            "store": false,
            "usage": null,
        })
    }

    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        for kind in ["response.created", "response.in_progress"] {
            let response = self.response("in_progress", &[]);
            self.tell(kind, json!({"response": response}), out);
        }
    }

    fn item_id(&self, kind: &str, place: usize) -> String {
        format!("{kind}_{}_{place}", self.name.id)
    }

    fn add(&mut self, item: impl FnOnce(&Self, usize) -> Value, out: &mut Vec<u8>) -> usize {
        self.begin(out);
        let place = self.items.len();
        let item = item(self, place);
        self.items.push(Value::Null);
        let added = json!({"output_index": place, "item": item});
        self.tell("response.output_item.added", added, out);
        place
    }

    fn done(&mut self, place: usize, item: Value, out: &mut Vec<u8>) {
        let done = json!({"output_index": place, "item": item});
        self.tell("response.output_item.done", done, out);
        self.items[place] = item;
    }

    /// Closes what is open but for calls whose arguments are not whole yet: another call may begin
    /// before, and nothing says that a call is complete.
    fn close(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => {}
            Open::Message { place, text } => self.close_message(place, &text, out),
            Open::Reasoning {
                place,
                text,
                signature,
            } => self.close_reasoning(place, &text, &signature, out),
        }
        let whole = |call: &Call| serde_json::from_str::<Value>(&call.arguments).is_ok();
        let (ended, open) = std::mem::take(&mut self.open_calls)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, call)| whole(call));
        self.open_calls = open;
        for call in ended.into_values() {
            self.close_call(&call, out);
        }
    }

    fn close_message(&mut self, place: usize, text: &str, out: &mut Vec<u8>) {
        let id = self.item_id("msg", place);
        let at = json!({"item_id": id, "output_index": place, "content_index": 0});
        let mut done = at.clone();
        done["text"] = json!(text);
        done["logprobs"] = json!([]);
        self.tell("response.output_text.done", done, out);
        let part = json!({
            "type": "output_text", "text": text, "annotations": [], "logprobs": [],
        });
        let mut done = at;
        done["part"] = part.clone();
        self.tell("response.content_part.done", done, out);
        let item = json!({
            "id": id, "type": "message", "status": "completed", "role": "assistant",
            "content": [part],
        });
        self.done(place, item, out);
    }

    fn close_reasoning(&mut self, place: usize, text: &str, signature: &str, out: &mut Vec<u8>) {
        let id = self.item_id("rs", place);
        let mut summary = json!([]);
        if !text.is_empty() {
            let part = json!({"type": "summary_text", "text": text});
            let at = json!({"item_id": id, "output_index": place, "summary_index": 0});
            let mut done = at.clone();
            done["text"] = json!(text);
            self.tell("response.reasoning_summary_text.done", done, out);
            let mut done = at;
            done["part"] = part.clone();
            self.tell("response.reasoning_summary_part.done", done, out);
            summary = json!([part]);
        }
        let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
        if !signature.is_empty() {
            item["encrypted_content"] = json!(signature);
        }
        self.done(place, item, out);
    }

    fn call_item(&self, call: &Call, status: &str) -> Value {
        let whole = status == "completed";
        let form = self.tool_forms.get(&call.name);
        let name = form.map_or(&call.name, |form| &form.name);
        let mut item = if form.is_some_and(|form| form.free_text) {
            let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
            let words = arguments[FREE_TEXT].as_str().unwrap_or_default();
            json!({
                "id": self.item_id("ctc", call.place), "type": "custom_tool_call",
                "status": status, "call_id": call.id, "name": name,
                "input": if whole { words } else { "" },
            })
        } else {
            json!({
                "id": self.item_id("fc", call.place), "type": "function_call", "status": status,
                "call_id": call.id, "name": name,
                "arguments": if whole { call.arguments.as_str() } else { "" },
            })
        };
        if let Some(namespace) = form.and_then(|form| form.namespace.as_ref()) {
            item["namespace"] = json!(namespace);
        }
        item
    }

    fn takes_free_text(&self, name: &str) -> bool {
        self.tool_forms.get(name).is_some_and(|form| form.free_text)
    }

    fn close_call(&mut self, call: &Call, out: &mut Vec<u8>) {
        let item = self.call_item(call, "completed");
        let (kind, field) = match item["type"] == "custom_tool_call" {
            true => ("response.custom_tool_call_input.done", "input"),
            false => ("response.function_call_arguments.done", "arguments"),
        };
        let mut done = json!({"item_id": item["id"], "output_index": call.place});
        done[field] = item[field].clone();
        self.tell(kind, done, out);
        self.done(call.place, item, out);
    }

    pub(crate) fn event(&mut self, event: &ModelEvent, out: &mut Vec<u8>) {
        match event {
            ModelEvent::Started {
                model: Some(model), ..
            } if !self.begun => self.name.model.clone_from(model),
            ModelEvent::Text(text) => self.text(text, out),
            ModelEvent::Reasoning(text) => self.reasoning(text, out),
            ModelEvent::ReasoningSignature(more) => {
                if !matches!(self.open, Open::Reasoning { .. }) {
                    self.begin_reasoning(out);
                }
                if let Open::Reasoning { signature, .. } = &mut self.open {
                    signature.push_str(more);
                }
            }
            ModelEvent::RedactedReasoning(data) => {
                self.close(out);
                self.begin_reasoning(out);
                if let Open::Reasoning { signature, .. } = &mut self.open {
                    signature.push_str(data);
                }
                self.close(out);
            }
            ModelEvent::ToolCall {
                index, id, name, ..
            } => {
                self.close(out);
                let mut call = Call {
                    place: self.items.len(),
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                };
                let item = self.call_item(&call, "in_progress");
                call.place = self.add(|_, _| item, out);
                self.open_calls.insert(*index, call);
            }
            ModelEvent::ToolArguments { index, json: text } => {
                let Some(call) = self.open_calls.get_mut(index) else {
                    return;
                };
                call.arguments.push_str(text);
                let (place, name) = (call.place, call.name.clone());
                if !self.takes_free_text(&name) {
                    let id = self.item_id("fc", place);
                    let delta = json!({"item_id": id, "output_index": place, "delta": text});
                    self.tell("response.function_call_arguments.delta", delta, out);
                }
            }
            ModelEvent::Started { .. } | ModelEvent::Usage(_) | ModelEvent::Stop(_) => {}
        }
    }

    fn text(&mut self, more: &str, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Message { .. }) {
            self.close(out);
            let item = |writer: &Self, place| {
                json!({
                    "id": writer.item_id("msg", place), "type": "message",
                    "status": "in_progress", "role": "assistant", "content": [],
                })
            };
            let place = self.add(item, out);
            let part = json!({
                "item_id": self.item_id("msg", place), "output_index": place, "content_index": 0,
                "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
            });
            self.tell("response.content_part.added", part, out);
            self.open = Open::Message {
                place,
                text: String::new(),
            };
        }
        if let Open::Message { place, text } = &mut self.open {
            text.push_str(more);
            let place = *place;
            let delta = json!({
                "item_id": self.item_id("msg", place), "output_index": place,
                "content_index": 0, "delta": more, "logprobs": [],
            });
            self.tell("response.output_text.delta", delta, out);
        }
    }

    fn begin_reasoning(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let item = |writer: &Self, place| json!({"id": writer.item_id("rs", place), "type": "reasoning", "summary": []});
        let place = self.add(item, out);
        self.open = Open::Reasoning {
            place,
            text: String::new(),
            signature: String::new(),
        };
    }

    fn reasoning(&mut self, more: &str, out: &mut Vec<u8>) {
        // Behind its signature a piece is complete.
        let goes_on =
            matches!(&self.open, Open::Reasoning { signature, .. } if signature.is_empty());
        if !goes_on {
            self.begin_reasoning(out);
        }
        let Open::Reasoning { place, text, .. } = &mut self.open else {
            return;
        };
        let first = text.is_empty();
        text.push_str(more);
        let place = *place;
        let at = json!({
            "item_id": self.item_id("rs", place), "output_index": place, "summary_index": 0,
        });
        if first {
            let mut added = at.clone();
            added["part"] = json!({"type": "summary_text", "text": ""});
            self.tell("response.reasoning_summary_part.added", added, out);
        }
        let mut delta = at;
        delta["delta"] = json!(more);
        self.tell("response.reasoning_summary_text.delta", delta, out);
    }

    fn ended(&self, end: &End) -> (&'static str, Value) {
        let (status, reason) = match end.stop {
            // What nobody knows the meaning of is not whole.
            StopReason::MaxOutput | StopReason::ContextFull | StopReason::Other(_) => {
                ("incomplete", Some("max_output_tokens"))
            }
            StopReason::Refusal | StopReason::ContentFilter => {
                ("incomplete", Some("content_filter"))
            }
            StopReason::End | StopReason::StopSequence | StopReason::ToolUse => ("completed", None),
        };
        let mut response = self.response(status, &self.items);
        if let Some(reason) = reason {
            response["incomplete_details"] = json!({"reason": reason});
        }
        response["usage"] = usage(&end.used);
        (status, response)
    }

    /// Closes everything; nothing of the answer comes behind it.
    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        for call in std::mem::take(&mut self.open_calls).into_values() {
            self.close_call(&call, out);
        }
    }

    pub(crate) fn finish(&mut self, end: &End, out: &mut Vec<u8>) {
        self.close_all(out);
        let (status, response) = self.ended(end);
        self.tell(
            &format!("response.{status}"),
            json!({"response": response}),
            out,
        );
    }

    pub(crate) fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        self.begin(out);
        let items: Vec<Value> = self
            .items
            .iter()
            .filter(|item| !item.is_null())
            .cloned()
            .collect();
        let mut response = self.response("failed", &items);
        response["error"] = fault.responses();
        self.tell("response.failed", json!({"response": response}), out);
    }

    pub(crate) fn body(&mut self, end: &End) -> Value {
        // Without a stream nothing is written by it.
        self.close_all(&mut Vec::new());
        self.ended(end).1
    }
}

fn usage(used: &Counts) -> Value {
    json!({
        "input_tokens": used.input_all(),
        "input_tokens_details": {"cached_tokens": used.cache_read},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.input_all().saturating_add(used.output),
    })
}
