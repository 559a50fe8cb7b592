//! The events of one message, and what it used.

use std::collections::BTreeMap;

use convergio_models_api::{ModelEvent, Resource, StopReason, Usage};
use serde_json::Value;

use crate::{
    decode::{self, DecodeError, Dialect, count, push_text, report},
    text::name_of_others,
    tools::ToolCalls,
};

/// Blocks of a message that may be open at once. The real ones are opened one behind the other.
const MAX_OPEN_BLOCKS: usize = 256;

/// Reads the events of one message.
#[derive(Debug)]
pub(super) struct Decoder {
    /// Arguments of the one tool are the answer.
    json_by_tool: bool,
    started: bool,
    /// The open blocks, by the provider's number.
    blocks: BTreeMap<u64, Block>,
    calls: ToolCalls,
    counts: Counts,
    stop: Option<StopReason>,
}

/// An open block.
#[derive(Debug)]
enum Block {
    /// Its signature, as far as it came.
    Thinking { signature: Option<String> },
    /// A call: its number, and arguments that came with its beginning, for when none follow.
    Call { index: u32, input: Option<String> },
    /// The call whose arguments are the answer; without any so far.
    Answer { bare: bool, input: Option<String> },
    /// Whatever needs nothing to be remembered.
    Other,
}

impl Decoder {
    pub(super) fn new(json_by_tool: bool) -> Self {
        Self {
            json_by_tool,
            started: false,
            blocks: BTreeMap::new(),
            calls: ToolCalls::default(),
            counts: Counts::default(),
            stop: None,
        }
    }

    fn text(&self, text: Option<&Value>, out: &mut Vec<ModelEvent>) {
        // Words around a forced call are not part of the JSON that was asked for.
        let event = if self.json_by_tool {
            ModelEvent::Reasoning
        } else {
            ModelEvent::Text
        };
        push_text(out, text, event);
    }

    fn usage(&mut self, usage: Option<&Value>, out: &mut Vec<ModelEvent>) {
        if let Some(usage) = usage.filter(|usage| usage.is_object()) {
            self.counts.replace(usage);
            out.push(ModelEvent::Usage(self.counts.usage()));
        }
    }

    fn block_starts(
        &mut self,
        event: &Value,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        let block = &event["content_block"];
        let open = match block["type"].as_str() {
            Some("text") => {
                self.text(block.get("text"), out);
                Block::Other
            }
            Some("thinking") => {
                push_text(out, block.get("thinking"), ModelEvent::Reasoning);
                Block::Thinking {
                    signature: word(&block["signature"]),
                }
            }
            Some("redacted_thinking") => {
                push_text(out, block.get("data"), ModelEvent::RedactedReasoning);
                Block::Other
            }
            Some("tool_use") => {
                // Empty where the arguments follow, which is always so at the real one.
                let input = block
                    .get("input")
                    .filter(|input| input.as_object().is_some_and(|fields| !fields.is_empty()));
                let input = input.map(Value::to_string);
                if self.json_by_tool {
                    Block::Answer { bare: true, input }
                } else {
                    let name = block["name"].as_str().unwrap_or_default();
                    let index = self.calls.begin(block["id"].as_str(), name, None, out)?;
                    Block::Call { index, input }
                }
            }
            _ => Block::Other,
        };
        self.blocks.insert(number(event), open);
        if self.blocks.len() > MAX_OPEN_BLOCKS {
            return Err(DecodeError::Malformed {
                what: "too many blocks are open at once",
            });
        }
        Ok(())
    }

    fn block_goes_on(
        &mut self,
        event: &Value,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        let delta = &event["delta"];
        match delta["type"].as_str() {
            Some("text_delta") => self.text(delta.get("text"), out),
            Some("thinking_delta") => {
                push_text(out, delta.get("thinking"), ModelEvent::Reasoning);
            }
            Some("signature_delta") => {
                if let Some(Block::Thinking { signature }) = self.blocks.get_mut(&number(event)) {
                    *signature = word(&delta["signature"]).or_else(|| signature.take());
                }
            }
            Some("input_json_delta") => match self.blocks.get_mut(&number(event)) {
                Some(Block::Answer { bare, .. }) => {
                    let before = out.len();
                    push_text(out, delta.get("partial_json"), ModelEvent::Text);
                    *bare &= out.len() == before;
                }
                Some(Block::Call { index, .. }) => {
                    let piece = delta["partial_json"].as_str().unwrap_or_default();
                    self.calls.arguments(*index, piece, out)?;
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn block_stops(&mut self, event: &Value, out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        match self.blocks.remove(&number(event)) {
            Some(Block::Thinking {
                signature: Some(signature),
            }) => out.push(ModelEvent::ReasoningSignature(signature)),
            // A call without arguments has the empty object for arguments.
            Some(Block::Answer { bare: true, input }) => {
                out.push(ModelEvent::Text(input.unwrap_or_else(|| "{}".to_owned())));
            }
            Some(Block::Call {
                index,
                input: Some(input),
            }) if !self.calls.has_arguments(index) => {
                self.calls.arguments(index, &input, out)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn stopped(&mut self, reason: &str) {
        self.stop = Some(match reason {
            "end_turn" => StopReason::End,
            "max_tokens" => StopReason::MaxOutput,
            "stop_sequence" => StopReason::StopSequence,
            "tool_use" if self.json_by_tool => StopReason::End,
            "tool_use" => StopReason::ToolUse,
            "refusal" => StopReason::Refusal,
            "model_context_window_exceeded" => StopReason::ContextFull,
            other => decode::other_stop(Some(other)),
        });
    }
}

fn number(event: &Value) -> u64 {
    event["index"].as_u64().unwrap_or(0)
}

fn word(value: &Value) -> Option<String> {
    let word = value.as_str().filter(|word| !word.is_empty());
    word.map(str::to_owned)
}

impl Dialect for Decoder {
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        let event = decode::json(data)?;
        match event["type"].as_str() {
            Some("message_start") if !self.started => {
                self.started = true;
                let message = &event["message"];
                self.calls.answer_id(message["id"].as_str().unwrap_or(""));
                out.push(ModelEvent::Started {
                    request_id: message["id"].as_str().map(name_of_others),
                    model: message["model"].as_str().map(name_of_others),
                });
                self.usage(message.get("usage"), out);
            }
            Some("content_block_start") => self.block_starts(&event, out)?,
            Some("content_block_delta") => self.block_goes_on(&event, out)?,
            Some("content_block_stop") => self.block_stops(&event, out)?,
            Some("message_delta") => {
                if let Some(word) = event["delta"]["stop_reason"].as_str() {
                    self.stopped(word);
                }
                self.usage(event.get("usage"), out);
            }
            Some("message_stop") => {
                let stop = self.stop.take();
                let stop = stop.unwrap_or_else(|| decode::other_stop(None));
                self.calls.finish(decode::is_cut(&stop), out)?;
                out.push(ModelEvent::Stop(stop));
                return Ok(false);
            }
            Some("error") => return Err(DecodeError::Provider(event)),
            // Pings, and whatever the documentation says may be added.
            Some(_) => {}
            None => {
                return Err(DecodeError::Malformed {
                    what: "an event has no type",
                });
            }
        }
        Ok(true)
    }
}

/// Usage is cumulative: what is named again replaces what was said before.
#[derive(Debug, Default)]
struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    searches: Option<u64>,
    nonsense: bool,
}

impl Counts {
    fn replace(&mut self, usage: &Value) {
        let mut problems = Usage::default();
        let mut read = |value: Option<&Value>, into: &mut Option<u64>| {
            if let Some(count) = count(value, &mut problems) {
                *into = Some(count);
            }
        };
        let inner = |name: &str, field: &str| usage.get(name).and_then(|value| value.get(field));
        read(usage.get("input_tokens"), &mut self.input);
        read(usage.get("cache_read_input_tokens"), &mut self.cache_read);
        read(
            usage.get("cache_creation_input_tokens"),
            &mut self.cache_write,
        );
        read(
            inner("cache_creation", "ephemeral_5m_input_tokens"),
            &mut self.cache_write_5m,
        );
        read(
            inner("cache_creation", "ephemeral_1h_input_tokens"),
            &mut self.cache_write_1h,
        );
        read(usage.get("output_tokens"), &mut self.output);
        read(
            inner("output_tokens_details", "thinking_tokens"),
            &mut self.thinking,
        );
        read(
            inner("server_tool_use", "web_search_requests"),
            &mut self.searches,
        );
        self.nonsense |= problems.inconsistent;
    }

    /// Input excludes both cache fields, so the classes are disjoint as they come.
    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        usage.inconsistent = self.nonsense;
        report(&mut usage, Resource::InUncached, self.input);
        report(&mut usage, Resource::InCacheRead, self.cache_read);
        let (mut five, mut hour) = (self.cache_write_5m, self.cache_write_1h);
        if five.is_none() && hour.is_none() {
            // Without a breakdown it is the cache that is written by default.
            five = self.cache_write;
        } else if let Some(all) = self.cache_write {
            let named = five.unwrap_or(0).saturating_add(hour.unwrap_or(0));
            usage.inconsistent |= all != named;
            // What nobody names is billed as the dearer one.
            if let Some(missing) = all.checked_sub(named).filter(|&missing| missing > 0) {
                hour = Some(hour.unwrap_or(0).saturating_add(missing));
            }
        }
        report(&mut usage, Resource::InCacheWrite5m, five);
        report(&mut usage, Resource::InCacheWrite1h, hour);
        let text = decode::rest(&mut usage, self.output, self.thinking);
        report(&mut usage, Resource::OutText, text);
        report(&mut usage, Resource::OutReasoning, self.thinking);
        report(&mut usage, Resource::SearchCall, self.searches);
        usage
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage(values: &[Value]) -> Usage {
        let mut counts = Counts::default();
        for value in values {
            counts.replace(value);
        }
        counts.usage()
    }

    #[test]
    fn usage_is_replaced_and_never_added() {
        let usage = usage(&[
            json!({"input_tokens": 3, "cache_creation_input_tokens": 12304,
                   "cache_read_input_tokens": 0, "output_tokens": 1}),
            json!({"output_tokens": 200}),
            json!({"output_tokens": 550}),
        ]);
        let expected = Usage::default()
            .with(Resource::InUncached, 3)
            .with(Resource::InCacheRead, 0)
            .with(Resource::InCacheWrite5m, 12304)
            .with(Resource::OutText, 550);
        assert_eq!(usage, expected);
    }

    #[test]
    fn cache_writes_are_split_and_contradictions_are_billed_high() {
        let split = |all: u64, five: u64, hour: u64| {
            usage(
                &[json!({"cache_creation_input_tokens": all, "cache_creation":
                {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}})],
            )
        };
        let good = split(30, 10, 20);
        assert_eq!(good.get(Resource::InCacheWrite5m), Some(10));
        assert_eq!(good.get(Resource::InCacheWrite1h), Some(20));
        assert!(!good.inconsistent);
        let missing = split(35, 10, 20);
        assert_eq!(missing.get(Resource::InCacheWrite1h), Some(25));
        assert!(missing.inconsistent);
        let beyond = split(5, 10, 20);
        assert_eq!(beyond.input_tokens(), Some(30));
        assert!(beyond.inconsistent);
    }

    #[test]
    fn nothing_reported_is_nothing() {
        assert!(usage(&[json!({})]).is_empty());
        assert!(usage(&[json!({"input_tokens": null})]).is_empty());
        assert!(usage(&[json!({"output_tokens": "x"})]).inconsistent);
    }
}
