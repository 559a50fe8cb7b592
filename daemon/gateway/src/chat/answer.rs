//! The answer.

use convergio_models_api::{ModelEvent, StopReason};
use serde_json::{Map, Value, json};

use crate::{
    answer::{Block, Collected, Counts, End, Name},
    sse,
};

#[derive(Debug)]
pub(crate) struct ChatWriter {
    name: Name,
    include_usage: bool,
    begun: bool,
    calls: bool,
    /// The whole answer, where no stream was wanted.
    kept: Option<Collected>,
}

impl ChatWriter {
    pub(crate) fn new(name: Name, include_usage: bool, stream: bool) -> Self {
        Self {
            name,
            include_usage,
            begun: false,
            calls: false,
            kept: (!stream).then(Collected::default),
        }
    }

    fn chunk(&mut self, delta: Map<String, Value>, finish: Option<&str>, out: &mut Vec<u8>) {
        let mut delta = delta;
        if !self.begun {
            self.begun = true;
            delta.insert("role".to_owned(), json!("assistant"));
            delta.entry("content").or_insert_with(|| json!(""));
        }
        let choice = json!({
            "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish,
        });
        let mut chunk = self.envelope("chat.completion.chunk", json!([choice]));
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        sse::data(out, &chunk);
    }

    fn envelope(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.name.id),
            "object": object,
            "created": self.name.created_s,
            "model": self.name.model,
            "choices": choices,
        })
    }

    pub(crate) fn event(&mut self, event: &ModelEvent, out: &mut Vec<u8>) {
        if let ModelEvent::Started {
            model: Some(model), ..
        } = event
            && !self.begun
        {
            self.name.model.clone_from(model);
        }
        if matches!(event, ModelEvent::ToolCall { .. }) {
            self.calls = true;
        }
        if let Some(kept) = &mut self.kept {
            return kept.add(event);
        }
        let mut delta = Map::new();
        match event {
            ModelEvent::Text(text) => delta.insert("content".to_owned(), json!(text)),
            // Not OpenAI's own, which shows none; the name that others gave it.
            ModelEvent::Reasoning(text) => {
                delta.insert("reasoning_content".to_owned(), json!(text))
            }
            ModelEvent::ToolCall {
                index,
                id,
                name,
                signature,
            } => {
                let mut call = json!({
                    "index": index, "id": id, "type": "function",
                    "function": {"name": name, "arguments": ""},
                });
                sign(&mut call, signature.as_deref());
                delta.insert("tool_calls".to_owned(), json!([call]))
            }
            ModelEvent::ToolArguments { index, json: text } => {
                let call = json!({"index": index, "function": {"arguments": text}});
                delta.insert("tool_calls".to_owned(), json!([call]))
            }
            ModelEvent::Started { .. }
            | ModelEvent::ReasoningSignature(_)
            | ModelEvent::RedactedReasoning(_)
            | ModelEvent::Usage(_)
            | ModelEvent::Stop(_) => return,
        };
        self.chunk(delta, None, out);
    }

    fn reason(&self, stop: &StopReason) -> &'static str {
        match stop {
            // What nobody knows the meaning of is not whole.
            StopReason::MaxOutput | StopReason::ContextFull | StopReason::Other(_) => "length",
            StopReason::Refusal | StopReason::ContentFilter => "content_filter",
            StopReason::ToolUse => "tool_calls",
            StopReason::End if self.calls => "tool_calls",
            StopReason::End | StopReason::StopSequence => "stop",
        }
    }

    pub(crate) fn finish(&mut self, end: &End, out: &mut Vec<u8>) {
        let reason = self.reason(&end.stop);
        self.chunk(Map::new(), Some(reason), out);
        if self.include_usage {
            let mut last = self.envelope("chat.completion.chunk", json!([]));
            last["usage"] = usage(&end.used);
            sse::data(out, &last);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    pub(crate) fn body(&self, end: &End) -> Value {
        let none = Collected::default();
        let kept = self.kept.as_ref().unwrap_or(&none);
        let mut message = json!({
            "role": "assistant", "content": kept.text(), "refusal": null,
        });
        if let Some(reasoning) = kept.reasoning() {
            message["reasoning_content"] = json!(reasoning);
        }
        let calls: Vec<Value> = kept.blocks.iter().filter_map(call).collect();
        if calls.is_empty() {
            message["content"] = json!(kept.text().unwrap_or_default());
        } else {
            message["tool_calls"] = Value::Array(calls);
        }
        let choice = json!({
            "index": 0, "message": message, "logprobs": null,
            "finish_reason": self.reason(&end.stop),
        });
        let mut body = self.envelope("chat.completion", json!([choice]));
        body["usage"] = usage(&end.used);
        body
    }
}

/// What Gemini wants back with a call, where its own compatible wire has it.
fn sign(call: &mut Value, signature: Option<&str>) {
    if let Some(signature) = signature {
        call["extra_content"] = json!({"google": {"thought_signature": signature}});
    }
}

fn call(block: &Block) -> Option<Value> {
    let Block::Call {
        id,
        name,
        arguments,
        signature,
        ..
    } = block
    else {
        return None;
    };
    let mut call = json!({
        "id": id, "type": "function", "function": {"name": name, "arguments": arguments},
    });
    sign(&mut call, signature.as_deref());
    Some(call)
}

fn usage(used: &Counts) -> Value {
    json!({
        "prompt_tokens": used.input_all(),
        "completion_tokens": used.output,
        "total_tokens": used.input_all().saturating_add(used.output),
        "prompt_tokens_details": {"cached_tokens": used.cache_read},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    })
}
