//! What Gemini answers.

use convergio_models_api::{ModelEvent, Resource, StopReason, Usage};
use serde_json::Value;

use super::SIGNATURE_PREFIX;
use crate::{
    decode::{self, DecodeError, Dialect, count, push_text, report},
    text::name_of_others,
    tools::ToolCalls,
};

/// Reads the responses of one answer.
#[derive(Debug, Default)]
pub(super) struct GeminiDecoder {
    started: bool,
    response_id: Option<String>,
    calls: ToolCalls,
    stop: Option<StopReason>,
}

impl GeminiDecoder {
    fn part(&mut self, part: &Value, out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        let signature = part["thoughtSignature"].as_str();
        let signature = signature.filter(|signature| !signature.is_empty());
        let signature = signature.map(|signature| format!("{SIGNATURE_PREFIX}{signature}"));
        if let Some(call) = part.get("functionCall").filter(|call| !call.is_null()) {
            return self.call(call, signature, out);
        }
        // Nothing here asks for these, and none of them may be lost without a word.
        for kind in ["inlineData", "fileData", "executableCode", "toolCall"] {
            if part.get(kind).is_some_and(|value| !value.is_null()) {
                return Err(DecodeError::Malformed {
                    what: "it holds something other than text, thoughts and calls",
                });
            }
        }
        let is_thought = part["thought"].as_bool().unwrap_or(false);
        let event = if is_thought {
            ModelEvent::Reasoning
        } else {
            ModelEvent::Text
        };
        push_text(out, part.get("text"), event);
        out.extend(signature.map(ModelEvent::ReasoningSignature));
        Ok(())
    }

    fn call(
        &mut self,
        call: &Value,
        signature: Option<String>,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        let malformed = |what| Err(DecodeError::Malformed { what });
        let name = call["name"].as_str().unwrap_or("");
        let in_pieces = call["willContinue"].as_bool() == Some(true);
        if in_pieces || call.get("partialArgs").is_some() {
            return malformed("a call's arguments come in pieces, which nobody asked for");
        }
        let index = self
            .calls
            .begin(call["id"].as_str(), name, signature, out)?;
        match call.get("args") {
            None | Some(Value::Null | Value::Object(_)) => {
                self.calls.value(index, call.get("args"), out)
            }
            Some(_) => malformed("a call's arguments are no object"),
        }
    }

    fn finished(&self, word: &str) -> StopReason {
        match word {
            "STOP" if self.calls.len() > 0 => StopReason::ToolUse,
            "STOP" => StopReason::End,
            "MAX_TOKENS" => StopReason::MaxOutput,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "ESCALATION"
            | "PUP_LIMITED_DISABLED" => StopReason::ContentFilter,
            other => decode::other_stop(Some(other)),
        }
    }
}

impl Dialect for GeminiDecoder {
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        let chunk = decode::json(data)?;
        let Value::Object(fields) = &chunk else {
            return Err(DecodeError::Malformed {
                what: "a chunk is no object",
            });
        };
        if fields.get("error").is_some_and(|error| !error.is_null()) {
            return Err(DecodeError::Provider(chunk));
        }
        if self.response_id.is_none() {
            self.response_id = chunk["responseId"].as_str().map(name_of_others);
            self.calls
                .answer_id(self.response_id.as_deref().unwrap_or(""));
        }
        if !std::mem::replace(&mut self.started, true) {
            out.push(ModelEvent::Started {
                request_id: self.response_id.clone(),
                model: chunk["modelVersion"].as_str().map(name_of_others),
            });
        }
        // The prompt was refused: there is no candidate, and no finish reason.
        if chunk["promptFeedback"]["blockReason"].is_string() {
            self.stop = Some(StopReason::ContentFilter);
        }
        let candidates = chunk["candidates"].as_array();
        let first = candidates.and_then(|candidates| {
            let is_first = |candidate: &&Value| candidate["index"].as_u64().unwrap_or(0) == 0;
            candidates.iter().find(is_first)
        });
        if let Some(candidate) = first {
            let parts = candidate["content"]["parts"].as_array();
            for part in parts.into_iter().flatten() {
                self.part(part, out)?;
            }
            if let Some(word) = candidate["finishReason"].as_str() {
                self.stop = Some(self.finished(word));
            }
        }
        if let Some(usage) = fields.get("usageMetadata").filter(|it| it.is_object()) {
            out.push(ModelEvent::Usage(usage_of(usage)));
        }
        Ok(true)
    }

    fn end(&mut self, out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        let Some(stop) = self.stop.take() else {
            return Ok(false);
        };
        self.calls.finish(stop == StopReason::MaxOutput, out)?;
        out.push(ModelEvent::Stop(stop));
        Ok(true)
    }
}

/// The prompt includes what the cache had; what tools of the provider read comes beside it; thoughts
/// come beside the candidates. Counts of nothing are left out of the JSON: the total tells.
fn usage_of(reported: &Value) -> Usage {
    let mut usage = Usage::default();
    let mut read = |name: &str| count(reported.get(name), &mut usage);
    let prompt = read("promptTokenCount");
    let cached = read("cachedContentTokenCount");
    let by_tools = read("toolUsePromptTokenCount");
    let candidates = read("candidatesTokenCount");
    let thoughts = read("thoughtsTokenCount");
    let total = read("totalTokenCount");

    let uncached = decode::rest(&mut usage, prompt, cached);
    let uncached = match (uncached, by_tools) {
        (Some(uncached), Some(by_tools)) => uncached.checked_add(by_tools),
        (uncached, _) => uncached,
    };
    // What the total has beyond everything that is named was made, and is billed, as output.
    let named = [prompt, by_tools, candidates, thoughts];
    let sum = named.into_iter().flatten().try_fold(0, u64::checked_add);
    let beyond = prompt.and(total).zip(sum);
    let beyond = beyond.and_then(|(total, sum)| total.checked_sub(sum));
    let text = match (candidates, beyond) {
        (Some(candidates), Some(beyond @ 1..)) => {
            usage.inconsistent = true;
            candidates.checked_add(beyond)
        }
        (None, beyond) => beyond,
        (candidates, _) => candidates,
    };
    usage.inconsistent |= total.zip(sum).is_some_and(|(total, sum)| total < sum);
    report(&mut usage, Resource::InUncached, uncached);
    report(&mut usage, Resource::InCacheRead, cached);
    report(&mut usage, Resource::OutText, text);
    report(&mut usage, Resource::OutReasoning, thoughts);
    usage
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_are_disjoint_and_the_total_tells_what_is_left_out() {
        let usage = usage_of(
            &json!({"promptTokenCount": 100, "cachedContentTokenCount": 60,
            "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 150}),
        );
        let expected = Usage::default()
            .with(Resource::InUncached, 40)
            .with(Resource::InCacheRead, 60)
            .with(Resource::OutText, 20)
            .with(Resource::OutReasoning, 30);
        assert_eq!(usage, expected);
        let cut = usage_of(&json!({"promptTokenCount": 10, "thoughtsTokenCount": 30,
            "totalTokenCount": 40}));
        assert_eq!(cut.get(Resource::OutText), Some(0));
        assert!(!cut.inconsistent);
        let higher = usage_of(&json!({"promptTokenCount": 10, "candidatesTokenCount": 5,
            "totalTokenCount": 40}));
        assert_eq!(higher.get(Resource::OutText), Some(30));
        assert!(higher.inconsistent);
        let silent = usage_of(&json!({"promptTokenCount": 10}));
        assert_eq!(silent.output_tokens(), None);
        assert!(usage_of(&json!({})).is_empty());
    }

    #[test]
    fn calls_without_ids_get_stable_ones() {
        let chunk = |id: &str| {
            format!(
                r#"{{"responseId":"r1","candidates":[{{"content":{{"parts":[{{"functionCall":{{{id}"name":"t","args":{{"a":1}}}},"thoughtSignature":"AB=="}}]}}}}]}}"#
            )
        };
        let mut out = Vec::new();
        let mut decoder = GeminiDecoder::default();
        decoder.message(chunk("").as_bytes(), &mut out).unwrap();
        decoder
            .message(chunk(r#""id":"own","#).as_bytes(), &mut out)
            .unwrap();
        let ids: Vec<(u32, &str, Option<&str>)> = out
            .iter()
            .filter_map(|event| match event {
                ModelEvent::ToolCall {
                    index,
                    id,
                    signature,
                    ..
                } => Some((*index, id.as_str(), signature.as_deref())),
                _ => None,
            })
            .collect();
        let signed = Some("gemini:AB==");
        assert_eq!(ids, [(0, "call_r1_0", signed), (1, "own", signed)]);
    }
}
