//! The events of one response, and what it used.

use std::collections::BTreeMap;

use convergio_models_api::{ModelEvent, Resource, StopReason, Usage};
use serde_json::Value;

use super::SIGNER;
use crate::{
    decode::{self, DecodeError, Dialect, count, push_text},
    openai::{input_classes, output_classes},
    text::name_of_others,
    tools::ToolCalls,
};

/// Reads the events of one response.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    refused: bool,
    /// Some reasoning was shown, so that the next part of it is a paragraph of its own.
    reasoned: bool,
    calls: ToolCalls,
    /// Our numbers of the calls, by the place of their item in the output.
    by_place: BTreeMap<u64, u32>,
}

impl Decoder {
    fn start(&mut self, response: &Value, out: &mut Vec<ModelEvent>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.calls.answer_id(response["id"].as_str().unwrap_or(""));
        out.push(ModelEvent::Started {
            request_id: response["id"].as_str().map(name_of_others),
            model: response["model"].as_str().map(name_of_others),
        });
    }

    /// The number of an item's call, which begins now if it has not yet.
    fn call(
        &mut self,
        event: &Value,
        item: &Value,
        out: &mut Vec<ModelEvent>,
    ) -> Result<u32, DecodeError> {
        let place = event["output_index"].as_u64().unwrap_or(0);
        if let Some(index) = self.by_place.get(&place) {
            return Ok(*index);
        }
        let name = item["name"].as_str().unwrap_or_default();
        let id = item["call_id"].as_str();
        let index = self.calls.begin(id, name, None, out)?;
        self.by_place.insert(place, index);
        Ok(index)
    }

    /// Arguments that come once more as a whole count only where no pieces came.
    fn whole(
        &mut self,
        index: u32,
        arguments: &Value,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        if self.calls.has_arguments(index) {
            return Ok(());
        }
        self.calls.value(index, Some(arguments), out)
    }

    fn item_done(&mut self, event: &Value, out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        let item = &event["item"];
        match item["type"].as_str() {
            Some("function_call") => {
                let index = self.call(event, item, out)?;
                self.whole(index, &item["arguments"], out)
            }
            Some("reasoning") => {
                let encrypted = item["encrypted_content"].as_str().unwrap_or_default();
                let id = item["id"].as_str().unwrap_or_default();
                // An id with a colon could not be told from what stands behind it.
                if !encrypted.is_empty() && !id.is_empty() && !id.contains(':') {
                    let signature = format!("{SIGNER}:{id}:{encrypted}");
                    out.push(ModelEvent::ReasoningSignature(signature));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn usage(response: &Value, out: &mut Vec<ModelEvent>) {
        if let Some(usage) = response.get("usage").filter(|usage| usage.is_object()) {
            out.push(ModelEvent::Usage(usage_of(usage)));
        }
    }

    fn stop(
        &mut self,
        response: &Value,
        stop: StopReason,
        out: &mut Vec<ModelEvent>,
    ) -> Result<bool, DecodeError> {
        self.start(response, out);
        Self::usage(response, out);
        self.calls.finish(decode::is_cut(&stop), out)?;
        out.push(ModelEvent::Stop(stop));
        Ok(false)
    }
}

impl Dialect for Decoder {
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        if data.trim_ascii() == b"[DONE]" {
            // Compatible servers say it here too; it is not this dialect's end.
            return Ok(true);
        }
        let event = decode::json(data)?;
        let response = &event["response"];
        match event["type"].as_str() {
            Some("response.created" | "response.in_progress" | "response.queued") => {
                self.start(response, out);
            }
            Some("response.output_item.added") => {
                let item = &event["item"];
                if item["type"] == "function_call" {
                    self.call(&event, item, out)?;
                }
            }
            Some("response.output_item.done") => self.item_done(&event, out)?,
            Some("response.output_text.delta") => {
                push_text(out, event.get("delta"), ModelEvent::Text);
            }
            Some("response.refusal.delta") => {
                self.refused = true;
                push_text(out, event.get("delta"), ModelEvent::Text);
            }
            Some("response.reasoning_summary_part.added") if self.reasoned => {
                out.push(ModelEvent::Reasoning("\n\n".to_owned()));
            }
            Some("response.reasoning_summary_text.delta" | "response.reasoning_text.delta") => {
                push_text(out, event.get("delta"), ModelEvent::Reasoning);
                self.reasoned = true;
            }
            Some("response.function_call_arguments.delta") => {
                let index = self.call(&event, &Value::Null, out)?;
                self.calls.value(index, event.get("delta"), out)?;
            }
            Some("response.function_call_arguments.done") => {
                let index = self.call(&event, &event, out)?;
                self.whole(index, &event["arguments"], out)?;
            }
            Some("response.completed") => {
                let stop = match () {
                    () if self.refused => StopReason::Refusal,
                    () if self.calls.len() > 0 => StopReason::ToolUse,
                    () => StopReason::End,
                };
                return self.stop(response, stop, out);
            }
            Some("response.incomplete") => {
                let reason = response["incomplete_details"]["reason"].as_str();
                let stop = match reason {
                    Some("max_output_tokens") => StopReason::MaxOutput,
                    Some("content_filter") => StopReason::ContentFilter,
                    other => decode::other_stop(other),
                };
                return self.stop(response, stop, out);
            }
            Some("response.failed" | "response.cancelled") => {
                Self::usage(response, out);
                return Err(DecodeError::Provider(response.clone()));
            }
            Some("error") => return Err(DecodeError::Provider(event)),
            // Whatever repeats what was said, and whatever tools we don't ask for.
            Some(_) => {}
            None => {
                return Err(match event.get("error").is_some_and(Value::is_object) {
                    true => DecodeError::Provider(event),
                    false => DecodeError::Malformed {
                        what: "an event has no type",
                    },
                });
            }
        }
        Ok(true)
    }
}

/// Input and output are sums that include their details; the classes are disjoint.
fn usage_of(reported: &Value) -> Usage {
    let mut usage = Usage::default();
    let details = &reported["input_tokens_details"];
    let input = count(reported.get("input_tokens"), &mut usage);
    let cached = count(details.get("cached_tokens"), &mut usage);
    let written = count(details.get("cache_write_tokens"), &mut usage);
    input_classes(&mut usage, input, cached, written);
    // Nobody here asks to keep a prompt that long; the dearer class is the longer one's.
    let long = details["cache_write_tokens_details"].get("ttl_12h_tokens");
    if let (Some(long @ 1..), Some(all)) = (count(long, &mut usage), written) {
        let long = long.min(all);
        usage.set(Resource::InCacheWrite5m, Some(all - long));
        usage.set(Resource::InCacheWrite1h, Some(long));
    }
    let output = count(reported.get("output_tokens"), &mut usage);
    let details = &reported["output_tokens_details"];
    let reasoning = count(details.get("reasoning_tokens"), &mut usage);
    let total = count(reported.get("total_tokens"), &mut usage);
    output_classes(&mut usage, input, output, reasoning, total);
    usage
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_are_disjoint() {
        let usage = usage_of(
            &json!({"input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
            "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30,
                "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 10}},
            "output_tokens_details": {"reasoning_tokens": 20}}),
        );
        let expected = Usage::default()
            .with(Resource::InUncached, 10)
            .with(Resource::InCacheRead, 60)
            .with(Resource::InCacheWrite5m, 20)
            .with(Resource::InCacheWrite1h, 10)
            .with(Resource::OutText, 30)
            .with(Resource::OutReasoning, 20);
        assert_eq!(usage, expected);
        assert!(usage_of(&json!({})).is_empty());
    }
}
