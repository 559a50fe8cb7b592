//! What comes of an answer: text in parts, reasoning, tool calls, all of it bounded.

use convergio_models_api::{ErrorClass, ModelError, ModelEvent, ToolCall};

use super::{Effect, Machine, PART_BYTES_MAX, TOOL_CALLS_MAX, shown};
use crate::ports::{Channel, Shown};

impl Machine {
    pub(super) fn more(&mut self, channel: Channel, text: String) -> Vec<Effect> {
        self.open.started = true;
        if let Some(error) = self.too_large(text.len()) {
            return self.failed(error, 0.0);
        }
        let mut effects = Vec::with_capacity(1);
        let mut rest = text;
        while !rest.is_empty() {
            let room = self.room(channel);
            let cut = rest.floor_char_boundary(room);
            if cut == 0 {
                self.next_part(channel);
                continue;
            }
            let tail = rest.split_off(cut);
            let part = self.append(channel, &rest);
            effects.push(Effect::Show(Shown::Piece {
                channel,
                part,
                text: rest,
            }));
            rest = tail;
        }
        effects
    }

    /// What the provider wants back is part of what it made, and of what it may bill.
    pub(super) fn opaque(&mut self, text: String, event: fn(String) -> ModelEvent) -> Vec<Effect> {
        self.open.started = true;
        if let Some(error) = self.too_large(text.len()) {
            return self.failed(error, 0.0);
        }
        self.reasoning_bytes += text.len();
        shown(event(text))
    }

    pub(super) fn tool_call(
        &mut self,
        index: u32,
        id: String,
        name: String,
        signature: Option<String>,
    ) -> Vec<Effect> {
        self.open.started = true;
        let bytes = id.len() + name.len() + signature.as_ref().map_or(0, String::len);
        if let Some(error) = self.too_large(bytes) {
            return self.failed(error, 0.0);
        }
        if index as usize != self.tool_calls.len() || self.tool_calls.len() >= TOOL_CALLS_MAX {
            let message = "the answer's tool calls are not in order, or too many".to_owned();
            let error = self.own_error(ErrorClass::BrokenStream, message);
            return self.failed(error, 0.0);
        }
        self.tool_bytes += bytes;
        self.tool_calls.push(ToolCall {
            id: id.clone(),
            name: name.clone(),
            arguments: String::new(),
            signature: signature.clone(),
        });
        shown(ModelEvent::ToolCall {
            index,
            id,
            name,
            signature,
        })
    }

    pub(super) fn tool_arguments(&mut self, index: u32, json: String) -> Vec<Effect> {
        self.open.started = true;
        if let Some(error) = self.too_large(json.len()) {
            return self.failed(error, 0.0);
        }
        let Some(call) = self.tool_calls.get_mut(index as usize) else {
            let message = "the answer goes on with a tool call that never began".to_owned();
            let error = self.own_error(ErrorClass::BrokenStream, message);
            return self.failed(error, 0.0);
        };
        call.arguments.push_str(&json);
        self.tool_bytes += json.len();
        shown(ModelEvent::ToolArguments { index, json })
    }

    fn too_large(&self, more: usize) -> Option<ModelError> {
        let max = self.limits.answer_max_bytes;
        (self.shown_bytes() + more > max).then(|| {
            let message = format!("the answer is longer than {max} bytes");
            self.own_error(ErrorClass::TooLarge, message)
        })
    }

    pub(super) fn shown_bytes(&self) -> usize {
        let text = self.text.iter().map(String::len).sum::<usize>();
        text + self.reasoning_bytes + self.tool_bytes
    }

    fn room(&self, channel: Channel) -> usize {
        let used = match channel {
            Channel::Text => self.text.last().map_or(0, String::len),
            Channel::Reasoning => self.reasoning_part_bytes,
        };
        PART_BYTES_MAX.saturating_sub(used)
    }

    fn next_part(&mut self, channel: Channel) {
        match channel {
            Channel::Text => self.text.push(String::new()),
            Channel::Reasoning => {
                self.reasoning_part += 1;
                self.reasoning_part_bytes = 0;
            }
        }
    }

    fn append(&mut self, channel: Channel, text: &str) -> u32 {
        match channel {
            Channel::Text => {
                if self.text.is_empty() {
                    self.text.push(String::new());
                }
                if let Some(last) = self.text.last_mut() {
                    last.push_str(text);
                }
                u32::try_from(self.text.len() - 1).unwrap_or(u32::MAX)
            }
            Channel::Reasoning => {
                self.reasoning_part_bytes += text.len();
                self.reasoning_bytes += text.len();
                self.reasoning_part
            }
        }
    }
}
