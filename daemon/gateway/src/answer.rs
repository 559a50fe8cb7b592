//! From the events of an answer to what a program reads: a stream of events, or one body.

use convergio_models_api::{ModelEvent, Resource, StopReason, Usage};
use serde_json::Value;

use crate::{
    ask::{Asked, Wire},
    chat::answer::ChatWriter,
    fault::Fault,
    messages::answer::MessagesWriter,
    responses::answer::ResponsesWriter,
};

/// Tokens, as wires tell of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Input that no cache had.
    pub input: u64,
    /// Input read from the provider's cache.
    pub cache_read: u64,
    /// Input written to the provider's cache, for five minutes.
    pub cache_write_5m: u64,
    /// For an hour.
    pub cache_write_1h: u64,
    /// The answer, with its reasoning.
    pub output: u64,
    /// The reasoning alone.
    pub reasoning: u64,
}

impl Counts {
    /// What a provider reported; none where it reported no tokens.
    pub fn of(usage: &Usage) -> Option<Self> {
        let get = |resource| usage.get(resource);
        let reasoning = get(Resource::OutReasoning);
        let text = get(Resource::OutText);
        let known = [Resource::InUncached, Resource::InCacheRead]
            .into_iter()
            .any(|resource| get(resource).is_some());
        (known || text.is_some()).then(|| Self {
            input: get(Resource::InUncached).unwrap_or(0),
            cache_read: get(Resource::InCacheRead).unwrap_or(0),
            cache_write_5m: get(Resource::InCacheWrite5m).unwrap_or(0),
            cache_write_1h: get(Resource::InCacheWrite1h).unwrap_or(0),
            output: text.unwrap_or(0).saturating_add(reasoning.unwrap_or(0)),
            reasoning: reasoning.unwrap_or(0),
        })
    }

    /// All input.
    pub fn input_all(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write())
    }

    /// Input written to the provider's cache.
    pub fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub stop: StopReason,
    /// What it used, as it was billed.
    pub used: Counts,
}

/// A piece of an answer, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Text(String),
    Reasoning {
        text: String,
        signature: String,
    },
    Redacted(String),
    Call {
        index: u32,
        id: String,
        name: String,
        arguments: String,
        signature: Option<String>,
    },
}

/// An answer in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) blocks: Vec<Block>,
}

impl Collected {
    pub(crate) fn add(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::Text(more) => match self.blocks.last_mut() {
                Some(Block::Text(text)) => text.push_str(more),
                _ => self.blocks.push(Block::Text(more.clone())),
            },
            ModelEvent::Reasoning(more) => match self.blocks.last_mut() {
                // Behind its signature a piece is complete.
                Some(Block::Reasoning { text, signature }) if signature.is_empty() => {
                    text.push_str(more);
                }
                _ => self.blocks.push(Block::Reasoning {
                    text: more.clone(),
                    signature: String::new(),
                }),
            },
            ModelEvent::ReasoningSignature(signed) => match self.blocks.last_mut() {
                Some(Block::Reasoning { signature, .. }) => signature.push_str(signed),
                _ => self.blocks.push(Block::Reasoning {
                    text: String::new(),
                    signature: signed.clone(),
                }),
            },
            ModelEvent::RedactedReasoning(data) => self.blocks.push(Block::Redacted(data.clone())),
            ModelEvent::ToolCall {
                index,
                id,
                name,
                signature,
            } => self.blocks.push(Block::Call {
                index: *index,
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
                signature: signature.clone(),
            }),
            ModelEvent::ToolArguments { index, json } => {
                let call = self.blocks.iter_mut().rev().find_map(|block| match block {
                    Block::Call {
                        index: known,
                        arguments,
                        ..
                    } if known == index => Some(arguments),
                    _ => None,
                });
                if let Some(arguments) = call {
                    arguments.push_str(json);
                }
            }
            ModelEvent::Started { .. } | ModelEvent::Usage(_) | ModelEvent::Stop(_) => {}
        }
    }

    /// The texts together.
    pub(crate) fn text(&self) -> Option<String> {
        let mut text: Option<String> = None;
        for block in &self.blocks {
            if let Block::Text(more) = block {
                text.get_or_insert_default().push_str(more);
            }
        }
        text
    }

    pub(crate) fn reasoning(&self) -> Option<String> {
        let mut all: Option<String> = None;
        for block in &self.blocks {
            if let Block::Reasoning { text, .. } = block {
                all.get_or_insert_default().push_str(text);
            }
        }
        all.filter(|text| !text.is_empty())
    }
}

/// What names an answer.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// The run's id without hyphens.
    pub(crate) id: String,
    /// Who answers: as its provider says, before that as it was asked for.
    pub(crate) model: String,
    /// Seconds since 1970.
    pub(crate) created_s: i64,
}

/// Writes one answer.
#[derive(Debug)]
pub struct Writer(Inner);

#[derive(Debug)]
enum Inner {
    Chat(ChatWriter),
    Messages(MessagesWriter),
    Responses(ResponsesWriter),
}

impl Writer {
    /// For the answer to `asked`. `id` names it, for instance the run's id; `created_s` is in
    /// seconds since 1970.
    pub fn new(asked: &Asked, id: &str, created_s: i64) -> Self {
        let name = Name {
            id: id.to_owned(),
            model: asked.model.clone(),
            created_s,
        };
        Self(match asked.wire {
            Wire::Chat => Inner::Chat(ChatWriter::new(name, asked.include_usage, asked.stream)),
            Wire::Messages => Inner::Messages(MessagesWriter::new(name, asked.stream)),
            Wire::Responses => {
                let forms = asked.tool_forms.clone();
                Inner::Responses(ResponsesWriter::new(name, asked.stream, forms))
            }
        })
    }

    /// Appends what the stream says of one event; nothing where it says nothing of it. Without a
    /// stream the event is kept for [`Self::body`].
    pub fn event(&mut self, event: &ModelEvent, out: &mut Vec<u8>) {
        match &mut self.0 {
            Inner::Chat(writer) => writer.event(event, out),
            Inner::Messages(writer) => writer.event(event, out),
            Inner::Responses(writer) => writer.event(event, out),
        }
    }

    /// Appends a sign of life.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        match &mut self.0 {
            Inner::Chat(_) => out.extend_from_slice(b": still working\n\n"),
            Inner::Messages(writer) => writer.ping(out),
            Inner::Responses(writer) => {
                writer.begin(out);
                out.extend_from_slice(b": still working\n\n");
            }
        }
    }

    /// Appends the end of the stream.
    pub fn finish(&mut self, end: &End, out: &mut Vec<u8>) {
        match &mut self.0 {
            Inner::Chat(writer) => writer.finish(end, out),
            Inner::Messages(writer) => writer.finish(end, out),
            Inner::Responses(writer) => writer.finish(end, out),
        }
    }

    /// Appends an error in the middle of the stream. Nothing may follow it.
    pub fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        match &mut self.0 {
            Inner::Chat(_) => crate::sse::data(out, &fault.body(Wire::Chat)),
            Inner::Messages(_) => crate::sse::event(out, "error", &fault.body(Wire::Messages)),
            Inner::Responses(writer) => writer.fail(fault, out),
        }
    }

    /// The whole answer, where no stream was wanted.
    pub fn body(&mut self, end: &End) -> Value {
        match &mut self.0 {
            Inner::Chat(writer) => writer.body(end),
            Inner::Messages(writer) => writer.body(end),
            Inner::Responses(writer) => writer.body(end),
        }
    }
}

#[cfg(test)]
mod tests;
