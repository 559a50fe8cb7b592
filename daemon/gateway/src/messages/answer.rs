//! The answer.

use std::collections::BTreeMap;

use convergio_models_api::{ModelEvent, StopReason};
use serde_json::{Value, json};

use crate::{
    answer::{Block, Collected, Counts, End, Name},
    sse,
};

/// The block that events without a number belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    None,
    Text(u64),
    /// Whether its signature came, behind which it is complete.
    Thinking(u64, bool),
}

/// A call that is not closed yet.
#[derive(Debug)]
struct Call {
    block: u64,
    arguments: String,
}

#[derive(Debug)]
pub(crate) struct MessagesWriter {
    name: Name,
    begun: bool,
    calls: bool,
    used: Counts,
    /// The next block's number.
    next: u64,
    open: Open,
    /// Open calls, by their own number.
    open_calls: BTreeMap<u32, Call>,
    /// The whole answer, where no stream was wanted.
    kept: Option<Collected>,
}

impl MessagesWriter {
    pub(crate) fn new(name: Name, stream: bool) -> Self {
        Self {
            name,
            begun: false,
            calls: false,
            used: Counts::default(),
            next: 0,
            open: Open::None,
            open_calls: BTreeMap::new(),
            kept: (!stream).then(Collected::default),
        }
    }

    fn message(&self, content: Value, stop: Option<&str>, used: &Counts) -> Value {
        json!({
            "id": format!("msg_{}", self.name.id),
            "type": "message",
            "role": "assistant",
            "model": self.name.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": null,
            "usage": usage(used),
        })
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        let message = self.message(json!([]), None, &self.used);
        let start = json!({"type": "message_start", "message": message});
        sse::event(out, "message_start", &start);
        self.ping(out);
    }

    pub(crate) fn ping(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        sse::event(out, "ping", &json!({"type": "ping"}));
    }

    fn start(&mut self, block: Value, out: &mut Vec<u8>) -> u64 {
        let index = self.next;
        self.next += 1;
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        sse::event(out, "content_block_start", &start);
        index
    }

    /// Closes what is open but for calls whose arguments are not whole yet: another call may begin
    /// before, and nothing says that a call is complete.
    fn close(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => {}
            Open::Text(index) | Open::Thinking(index, _) => stop(index, out),
        }
        let whole = |call: &Call| serde_json::from_str::<Value>(&call.arguments).is_ok();
        self.open_calls.retain(|_, call| {
            let whole = whole(call);
            if whole {
                stop(call.block, out);
            }
            !whole
        });
    }

    fn text_block(&mut self, out: &mut Vec<u8>) -> u64 {
        if let Open::Text(index) = self.open {
            return index;
        }
        self.close(out);
        let index = self.start(json!({"type": "text", "text": ""}), out);
        self.open = Open::Text(index);
        index
    }

    fn thinking_block(&mut self, out: &mut Vec<u8>) -> u64 {
        if let Open::Thinking(index, false) = self.open {
            return index;
        }
        self.close(out);
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        let index = self.start(block, out);
        self.open = Open::Thinking(index, false);
        index
    }

    pub(crate) fn event(&mut self, event: &ModelEvent, out: &mut Vec<u8>) {
        match event {
            ModelEvent::Started {
                model: Some(model), ..
            } if !self.begun => self.name.model.clone_from(model),
            ModelEvent::Usage(usage) => {
                if let Some(used) = Counts::of(usage) {
                    self.used = used;
                }
            }
            ModelEvent::ToolCall { .. } => self.calls = true,
            _ => {}
        }
        if let Some(kept) = &mut self.kept {
            return kept.add(event);
        }
        let tells = !matches!(
            event,
            ModelEvent::Started { .. } | ModelEvent::Usage(_) | ModelEvent::Stop(_)
        );
        if !tells {
            return;
        }
        self.begin(out);
        match event {
            ModelEvent::Text(text) => {
                let index = self.text_block(out);
                delta(index, json!({"type": "text_delta", "text": text}), out);
            }
            ModelEvent::Reasoning(text) => {
                let index = self.thinking_block(out);
                delta(
                    index,
                    json!({"type": "thinking_delta", "thinking": text}),
                    out,
                );
            }
            ModelEvent::ReasoningSignature(signature) => {
                let index = match self.open {
                    Open::Thinking(index, _) => index,
                    _ => self.thinking_block(out),
                };
                let signed = json!({"type": "signature_delta", "signature": signature});
                delta(index, signed, out);
                self.open = Open::Thinking(index, true);
            }
            ModelEvent::RedactedReasoning(data) => {
                self.close(out);
                let index = self.start(json!({"type": "redacted_thinking", "data": data}), out);
                stop(index, out);
            }
            ModelEvent::ToolCall {
                index, id, name, ..
            } => {
                self.close(out);
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                let block = self.start(block, out);
                let call = Call {
                    block,
                    arguments: String::new(),
                };
                self.open_calls.insert(*index, call);
            }
            ModelEvent::ToolArguments { index, json: text } => {
                if let Some(call) = self.open_calls.get_mut(index) {
                    call.arguments.push_str(text);
                    let more = json!({"type": "input_json_delta", "partial_json": text});
                    delta(call.block, more, out);
                }
            }
            ModelEvent::Started { .. } | ModelEvent::Usage(_) | ModelEvent::Stop(_) => {}
        }
    }

    fn reason(&self, stop: &StopReason) -> &'static str {
        match stop {
            StopReason::End if self.calls => "tool_use",
            StopReason::End => "end_turn",
            // What nobody knows the meaning of is not whole.
            StopReason::MaxOutput | StopReason::Other(_) => "max_tokens",
            StopReason::ContextFull => "model_context_window_exceeded",
            StopReason::StopSequence => "stop_sequence",
            StopReason::ToolUse => "tool_use",
            StopReason::Refusal | StopReason::ContentFilter => "refusal",
        }
    }

    pub(crate) fn finish(&mut self, end: &End, out: &mut Vec<u8>) {
        self.used = end.used;
        self.begin(out);
        self.close(out);
        for call in std::mem::take(&mut self.open_calls).into_values() {
            stop(call.block, out);
        }
        let last = json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.reason(&end.stop), "stop_sequence": null},
            "usage": usage(&end.used),
        });
        sse::event(out, "message_delta", &last);
        sse::event(out, "message_stop", &json!({"type": "message_stop"}));
    }

    pub(crate) fn body(&self, end: &End) -> Value {
        let none = Collected::default();
        let kept = self.kept.as_ref().unwrap_or(&none);
        let content: Vec<Value> = kept.blocks.iter().map(block).collect();
        let stop = self.reason(&end.stop);
        self.message(Value::Array(content), Some(stop), &end.used)
    }
}

fn stop(index: u64, out: &mut Vec<u8>) {
    let stop = json!({"type": "content_block_stop", "index": index});
    sse::event(out, "content_block_stop", &stop);
}

fn delta(index: u64, delta: Value, out: &mut Vec<u8>) {
    let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
    sse::event(out, "content_block_delta", &delta);
}

fn block(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::Reasoning { text, signature } => {
            json!({"type": "thinking", "thinking": text, "signature": signature})
        }
        Block::Redacted(data) => json!({"type": "redacted_thinking", "data": data}),
        Block::Call {
            id,
            name,
            arguments,
            ..
        } => {
            // The dialect found it whole before the answer stopped.
            let input = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
    }
}

fn usage(used: &Counts) -> Value {
    json!({
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.cache_write(),
        "cache_read_input_tokens": used.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.cache_write_5m,
            "ephemeral_1h_input_tokens": used.cache_write_1h,
        },
        "output_tokens": used.output,
    })
}
