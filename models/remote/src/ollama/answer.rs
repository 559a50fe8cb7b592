//! What Ollama answers.

use convergio_models_api::{ModelEvent, Resource, StopReason, Usage};
use serde_json::Value;

use crate::{
    decode::{self, DecodeError, Dialect, count, push_text, report},
    text::name_of_others,
    tools::ToolCalls,
};

/// Reads the lines of one answer.
#[derive(Debug)]
pub(super) struct OllamaDecoder {
    /// The model has to run where the server is.
    local: bool,
    started: bool,
    calls: ToolCalls,
}

impl OllamaDecoder {
    pub(super) fn new(local: bool) -> Self {
        Self {
            local,
            started: false,
            calls: ToolCalls::default(),
        }
    }
}

impl Dialect for OllamaDecoder {
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        if data.iter().all(u8::is_ascii_whitespace) {
            return Ok(true);
        }
        let line = decode::json(data)?;
        if line.get("error").is_some_and(|error| !error.is_null()) {
            return Err(DecodeError::Provider(line));
        }
        let remote = ["remote_host", "remote_model"]
            .iter()
            .any(|name| line[*name].as_str().is_some_and(|value| !value.is_empty()));
        if self.local && remote {
            return Err(DecodeError::NotLocal);
        }
        let Some(done) = line["done"].as_bool() else {
            return Err(DecodeError::Malformed {
                what: "a line does not say whether it is the last",
            });
        };
        if !std::mem::replace(&mut self.started, true) {
            out.push(ModelEvent::Started {
                request_id: None,
                model: line["model"].as_str().map(name_of_others),
            });
            // Nothing else tells one answer from another, where calls come without ids.
            self.calls
                .answer_id(line["created_at"].as_str().unwrap_or(""));
        }
        let message = &line["message"];
        push_text(out, message.get("thinking"), ModelEvent::Reasoning);
        push_text(out, message.get("content"), ModelEvent::Text);
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let name = function["name"].as_str().unwrap_or("");
            let index = self.calls.begin(call["id"].as_str(), name, None, out)?;
            self.calls.value(index, function.get("arguments"), out)?;
        }
        if !done {
            return Ok(true);
        }
        let usage = usage(&line);
        if !usage.is_empty() || usage.inconsistent {
            out.push(ModelEvent::Usage(usage));
        }
        let reason = line["done_reason"].as_str();
        self.calls.finish(reason == Some("length"), out)?;
        out.push(ModelEvent::Stop(match reason {
            Some("stop") if self.calls.len() > 0 => StopReason::ToolUse,
            Some("stop") => StopReason::End,
            Some("length") => StopReason::MaxOutput,
            other => decode::other_stop(other),
        }));
        Ok(false)
    }
}

/// `prompt_eval_count` includes what the server had cached, and may be absent.
fn usage(line: &Value) -> Usage {
    let mut usage = Usage::default();
    let input = count(line.get("prompt_eval_count"), &mut usage);
    let output = count(line.get("eval_count"), &mut usage);
    report(&mut usage, Resource::InUncached, input);
    report(&mut usage, Resource::OutText, output);
    usage
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_without_ids_get_them_of_the_answer() {
        let line = br#"{"model":"m","created_at":"2026-11-20T08:52:19.3Z","message":{"content":"","tool_calls":[{"function":{"name":"t","arguments":{"a":1}}},{"id":"own","function":{"name":"u"}}]},"done":true,"done_reason":"stop"}"#;
        let mut out = Vec::new();
        OllamaDecoder::new(false).message(line, &mut out).unwrap();
        let ids: Vec<&str> = out
            .iter()
            .filter_map(|event| match event {
                ModelEvent::ToolCall { id, .. } => Some(id.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(ids, ["call_2026-11-20T0852193Z_0", "own"]);
        assert_eq!(out.last(), Some(&ModelEvent::Stop(StopReason::ToolUse)));
    }

    #[test]
    fn absent_counts_stay_absent() {
        assert!(usage(&json!({"done": true})).is_empty());
        let half = usage(&json!({"eval_count": 0}));
        assert_eq!(half.input_tokens(), None);
        assert_eq!(half.output_tokens(), Some(0));
    }

    #[test]
    fn a_local_model_that_answers_from_elsewhere_is_refused() {
        let line = br#"{"model":"m","remote_host":"https://ollama.com:443","message":{"content":"x"},"done":false}"#;
        let mut out = Vec::new();
        let mut decoder = OllamaDecoder::new(true);
        assert_eq!(decoder.message(line, &mut out), Err(DecodeError::NotLocal));
        assert!(out.is_empty());
        assert_eq!(OllamaDecoder::new(false).message(line, &mut out), Ok(true));
    }
}
