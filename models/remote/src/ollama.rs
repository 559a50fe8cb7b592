//! Ollama's own chat API: <https://docs.ollama.com/api/chat>, a line of JSON per piece.

use convergio_models_api::{ModelEvent, ModelRequest, Resource, Role, StopReason, Usage};
use serde::Serialize;
use serde_json::Value;

use crate::{
    body::{joined, prompted_system, text_alone, to_body},
    decode::{self, DecodeError, Dialect, count, push_text, report},
    endpoint::{Endpoint, JsonSupport},
    kind::{Framing, KeyHeader, Wire},
    text::name_of_others,
};

/// Contexts are asked for in steps, so that a conversation that grows does not make the server
/// load the model anew at every turn.
const CONTEXT_STEP: u64 = 4096;

/// Tokens that a chat template may add to the text.
const TEMPLATE_TOKENS: u64 = 512;

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body,
    path: &["api", "chat"],
    framing: Framing::Lines,
    decoder: |expectation| Box::new(OllamaDecoder::new(expectation.local)),
    key: KeyHeader::Bearer,
    headers: &[],
    list_path: &["api", "tags"],
    list_query: &[],
    list_field: "models",
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    options: Options,
    /// Without these two a prompt that does not fit loses its beginning without a word. Servers
    /// that do not know them ignore them; `num_ctx` is chosen with room for that reason.
    truncate: bool,
    shift: bool,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Format<'a> {
    Schema(&'a Value),
    Json(&'static str),
}

#[derive(Serialize)]
struct Options {
    num_ctx: u64,
    num_predict: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

/// The JSON body of the request.
fn body(endpoint: &Endpoint, request: &ModelRequest) -> Result<Vec<u8>, String> {
    text_alone(request)?;
    let support = endpoint.json_support(&request.model);
    let system = prompted_system(request, support);
    let system = system.map(|system| Turn {
        role: "system",
        content: system.into(),
    });
    let turns = request.messages.iter().map(|message| Turn {
        role: match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: joined(&message.parts),
    });
    let output = request.output_schema.as_ref();
    to_body(&Body {
        model: &request.model,
        messages: system.into_iter().chain(turns).collect(),
        stream: true,
        format: output.and_then(|output| match support {
            JsonSupport::Schema => Some(Format::Schema(&output.schema)),
            JsonSupport::Object => Some(Format::Json("json")),
            JsonSupport::Tool | JsonSupport::Prompt => None,
        }),
        options: Options {
            num_ctx: num_ctx(request, endpoint.context(&request.model)),
            num_predict: request.max_output,
            temperature: request.temperature,
        },
        truncate: false,
        shift: false,
    })
}

/// Tokens of context to ask for: room for the text at two bytes a token, which only text that is
/// hardly language exceeds, its template and the answer; no more than the model has.
fn num_ctx(request: &ModelRequest, context: Option<u64>) -> u64 {
    let needed = request
        .text_bytes()
        .div_ceil(2)
        .saturating_add(TEMPLATE_TOKENS)
        .saturating_add(u64::from(request.max_output));
    let stepped = needed
        .div_ceil(CONTEXT_STEP)
        .saturating_mul(CONTEXT_STEP)
        .min(u64::from(u32::MAX));
    context.map_or(stepped, |context| stepped.min(context.max(1)))
}

/// Reads the lines of one answer.
#[derive(Debug)]
pub(crate) struct OllamaDecoder {
    /// The model has to run where the server is.
    local: bool,
    started: bool,
}

impl OllamaDecoder {
    pub(crate) fn new(local: bool) -> Self {
        Self {
            local,
            started: false,
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
        }
        let message = &line["message"];
        push_text(out, message.get("thinking"), ModelEvent::Reasoning);
        push_text(out, message.get("content"), ModelEvent::Text);
        if !done {
            return Ok(true);
        }
        let usage = usage(&line);
        if !usage.is_empty() || usage.inconsistent {
            out.push(ModelEvent::Usage(usage));
        }
        out.push(ModelEvent::Stop(match line["done_reason"].as_str() {
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
    use convergio_models_api::Message;
    use serde_json::json;

    use super::*;

    fn request(bytes: usize, max_output: u32) -> ModelRequest {
        ModelRequest {
            provider: "ollama".to_owned(),
            model: "m".to_owned(),
            system: None,
            messages: vec![Message::text(Role::User, "x".repeat(bytes))],
            max_output,
            temperature: None,
            output_schema: None,
            ..ModelRequest::default()
        }
    }

    #[test]
    fn the_context_has_room_for_prompt_and_answer() {
        assert_eq!(num_ctx(&request(10, 1000), None), 4096);
        assert_eq!(num_ctx(&request(20_000, 4096), None), 16_384);
        assert_eq!(num_ctx(&request(20_000, 4096), Some(8192)), 8192);
        assert_eq!(
            num_ctx(&request(10, u32::MAX), None),
            u64::from(u32::MAX),
            "bounded"
        );
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
