//! The chunks of one completion, and what it used.

use convergio_models_api::{ModelEvent, Resource, StopReason, Usage};
use serde_json::Value;

use crate::{
    decode::{self, DecodeError, Dialect, count, push_text, report},
    text::name_of_others,
    tools::ToolCalls,
};

/// Reads the chunks of one completion.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The server sends no `[DONE]`.
    no_end_marker: bool,
    started: bool,
    refused: bool,
    calls: ToolCalls,
    /// What the server calls its calls, in the order of ours: number and id.
    known: Vec<(Option<u64>, Option<String>)>,
    stop: Option<StopReason>,
}

impl Decoder {
    pub(crate) fn new(no_end_marker: bool) -> Self {
        Self {
            no_end_marker,
            ..Self::default()
        }
    }

    fn choice(&mut self, choice: &Value, out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        let delta = &choice["delta"];
        // One or the other name, by server; some send both, with the same words.
        let reasoning = [delta.get("reasoning_content"), delta.get("reasoning")];
        let reasoning = reasoning
            .into_iter()
            .flatten()
            .find(|text| text.is_string());
        push_text(out, reasoning, ModelEvent::Reasoning);
        match delta.get("content") {
            Some(Value::Array(parts)) => {
                for part in parts {
                    content_part(part, out);
                }
            }
            text => push_text(out, text, ModelEvent::Text),
        }
        let before = out.len();
        push_text(out, delta.get("refusal"), ModelEvent::Text);
        self.refused |= out.len() > before;
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(call, out)?;
        }
        // What calls were before there could be several.
        if let Some(function) = delta.get("function_call").filter(|it| it.is_object()) {
            self.function(None, None, function, out)?;
        }
        if let Some(word) = choice["finish_reason"].as_str() {
            self.stop = Some(match word {
                "stop" | "eos" | "end_turn" if self.refused => StopReason::Refusal,
                // Several servers have one word for both.
                "stop" | "eos" | "end_turn" if self.calls.len() > 0 => StopReason::ToolUse,
                "stop" | "eos" | "end_turn" => StopReason::End,
                "length" | "max_tokens" => StopReason::MaxOutput,
                "model_length" => StopReason::ContextFull,
                "content_filter" => StopReason::ContentFilter,
                "tool_calls" | "function_call" => StopReason::ToolUse,
                other => decode::other_stop(Some(other)),
            });
        }
        Ok(())
    }

    /// A piece of a call.
    fn call(&mut self, call: &Value, out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        let number = call["index"].as_u64();
        let id = call["id"].as_str().filter(|id| !id.is_empty());
        self.function(number, id, &call["function"], out)
    }

    /// Which call a piece belongs to: the one of its number or, where the server has none, of its
    /// id; without either the last. A number that comes with another id is another call: there
    /// are servers that number every call 0.
    fn function(
        &mut self,
        number: Option<u64>,
        id: Option<&str>,
        function: &Value,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        let name = function["name"].as_str().filter(|name| !name.is_empty());
        // An id may come behind the name.
        let same_id = |known: &Option<String>| match known {
            None => id.is_none() || name.is_none(),
            known => id.is_none() || known.as_deref() == id,
        };
        let found = self
            .known
            .iter()
            .rposition(|(its_number, its_id)| match number {
                Some(_) => *its_number == number && same_id(its_id),
                None => same_id(its_id),
            });
        let index = match (found, name) {
            // Without number and id a name is all that tells one call from the next.
            (Some(_), Some(name)) if number.is_none() && id.is_none() => {
                self.begin(number, id, name, out)?
            }
            (Some(found), _) => found as u32,
            (None, name) => self.begin(number, id, name.unwrap_or_default(), out)?,
        };
        self.calls.value(index, function.get("arguments"), out)
    }

    fn begin(
        &mut self,
        number: Option<u64>,
        id: Option<&str>,
        name: &str,
        out: &mut Vec<ModelEvent>,
    ) -> Result<u32, DecodeError> {
        let index = self.calls.begin(id, name, None, out)?;
        self.known.push((number, id.map(str::to_owned)));
        Ok(index)
    }

    fn stop(&mut self, out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        let stop = self.stop.take();
        let stop = stop.unwrap_or_else(|| decode::other_stop(None));
        self.calls.finish(decode::is_cut(&stop), out)?;
        out.push(ModelEvent::Stop(stop));
        Ok(())
    }
}

/// Mistral's reasoning models send content in parts.
fn content_part(part: &Value, out: &mut Vec<ModelEvent>) {
    match part["type"].as_str() {
        Some("text") => push_text(out, part.get("text"), ModelEvent::Text),
        Some("thinking") => {
            for piece in part["thinking"].as_array().into_iter().flatten() {
                push_text(out, piece.get("text"), ModelEvent::Reasoning);
            }
        }
        _ => {}
    }
}

impl Dialect for Decoder {
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        if data.trim_ascii() == b"[DONE]" {
            self.stop(out)?;
            return Ok(false);
        }
        let chunk = decode::json(data)?;
        let Value::Object(fields) = &chunk else {
            return Err(DecodeError::Malformed {
                what: "a chunk is no object",
            });
        };
        if fields.get("error").is_some_and(|error| !error.is_null()) {
            return Err(DecodeError::Provider(chunk));
        }
        // llama.cpp's errors have a field of their own and no further wrapping.
        if !fields.contains_key("choices")
            && fields.contains_key("message")
            && fields.contains_key("code")
        {
            return Err(DecodeError::Provider(chunk));
        }
        let choices = chunk["choices"].as_array();
        // Azure's first chunk tells what its filter thinks of the prompt, and nothing else.
        let filter = choices.is_some_and(Vec::is_empty)
            && fields.contains_key("prompt_filter_results")
            && chunk["id"].as_str().is_none_or(str::is_empty);
        if !filter && !std::mem::replace(&mut self.started, true) {
            let name = |field: &str| chunk[field].as_str().filter(|name| !name.is_empty());
            self.calls.answer_id(name("id").unwrap_or_default());
            out.push(ModelEvent::Started {
                request_id: name("id").map(name_of_others),
                model: name("model").map(name_of_others),
            });
        }
        let first = choices.and_then(|choices| {
            let is_first = |choice: &&Value| choice["index"].as_u64().unwrap_or(0) == 0;
            choices.iter().find(is_first)
        });
        if let Some(choice) = first {
            self.choice(choice, out)?;
        }
        // Groq used to report in a field of its own.
        let reported = [fields.get("usage"), chunk["x_groq"].get("usage")];
        if let Some(usage) = reported
            .into_iter()
            .flatten()
            .find(|value| value.is_object())
        {
            out.push(ModelEvent::Usage(usage_of(usage)));
        }
        Ok(true)
    }

    fn end(&mut self, out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        let whole = self.no_end_marker && self.stop.is_some();
        if whole {
            self.stop(out)?;
        }
        Ok(whole)
    }
}

/// Prompt and completion are sums that include their details; the classes are disjoint.
fn usage_of(reported: &Value) -> Usage {
    let mut usage = Usage::default();
    let prompt_details = &reported["prompt_tokens_details"];
    let completion_details = &reported["completion_tokens_details"];

    let prompt = count(reported.get("prompt_tokens"), &mut usage);
    // DeepSeek names the cache's part beside the prompt.
    let cached = prompt_details
        .get("cached_tokens")
        .filter(|value| !value.is_null())
        .or_else(|| reported.get("prompt_cache_hit_tokens"));
    let cached = count(cached, &mut usage);
    let written = count(prompt_details.get("cache_write_tokens"), &mut usage);
    input_classes(&mut usage, prompt, cached, written);

    let completion = count(reported.get("completion_tokens"), &mut usage);
    let reasoning = count(completion_details.get("reasoning_tokens"), &mut usage);
    let total = count(reported.get("total_tokens"), &mut usage);
    output_classes(&mut usage, prompt, completion, reasoning, total);
    usage
}

/// The classes of the input: what was read from a cache and written to one is part of the whole.
pub(crate) fn input_classes(
    usage: &mut Usage,
    whole: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
) {
    let after_reads = decode::rest(usage, whole, cached);
    let uncached = decode::rest(usage, after_reads, written);
    report(usage, Resource::InUncached, uncached);
    report(usage, Resource::InCacheRead, cached);
    report(usage, Resource::InCacheWrite5m, written);
}

/// The classes of the output: reasoning is part of the whole.
pub(crate) fn output_classes(
    usage: &mut Usage,
    input: Option<u64>,
    whole: Option<u64>,
    reasoning: Option<u64>,
    total: Option<u64>,
) {
    // xAI counts reasoning beside the completion; only the total tells.
    let beside = match (input, whole, reasoning, total) {
        (Some(input), Some(whole), Some(reasoning @ 1..), Some(total)) => input
            .checked_add(whole)
            .and_then(|sum| sum.checked_add(reasoning))
            .is_some_and(|sum| sum == total),
        _ => false,
    };
    let text = if beside {
        whole
    } else {
        decode::rest(usage, whole, reasoning)
    };
    report(usage, Resource::OutText, text);
    report(usage, Resource::OutReasoning, reasoning);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_are_disjoint() {
        let usage = usage_of(&json!({"prompt_tokens": 100, "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 20}}));
        let expected = Usage::default()
            .with(Resource::InUncached, 10)
            .with(Resource::InCacheRead, 60)
            .with(Resource::InCacheWrite5m, 30)
            .with(Resource::OutText, 30)
            .with(Resource::OutReasoning, 20);
        assert_eq!(usage, expected);
        assert_eq!(usage.input_tokens(), Some(100));
        assert_eq!(usage.output_tokens(), Some(50));
    }

    #[test]
    fn contradictions_are_marked_and_billed_high() {
        let usage = usage_of(&json!({"prompt_tokens": 10, "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 11},
            "completion_tokens_details": {"reasoning_tokens": 9}}));
        assert!(usage.inconsistent);
        assert_eq!(usage.get(Resource::InUncached), Some(10));
        assert_eq!(usage.get(Resource::OutText), Some(5));
        assert_eq!(usage.get(Resource::OutReasoning), Some(9));
    }

    #[test]
    fn reasoning_beside_the_completion_is_seen_by_the_total() {
        let usage = usage_of(&json!({"prompt_tokens": 10, "completion_tokens": 5,
            "total_tokens": 115, "completion_tokens_details": {"reasoning_tokens": 100}}));
        assert!(!usage.inconsistent);
        assert_eq!(usage.get(Resource::OutText), Some(5));
        assert_eq!(usage.get(Resource::OutReasoning), Some(100));
    }

    #[test]
    fn deepseeks_cache_is_counted_and_absence_stays_absence() {
        let usage = usage_of(&json!({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4,
            "prompt_cache_miss_tokens": 6, "completion_tokens": 0}));
        assert_eq!(usage.get(Resource::InUncached), Some(6));
        assert_eq!(usage.get(Resource::InCacheRead), Some(4));
        assert_eq!(usage.get(Resource::OutText), Some(0));
        assert_eq!(usage.get(Resource::OutReasoning), None);
        assert!(usage_of(&json!({})).is_empty());
    }
}
