//! A request as it came, and the facts in it that a provider looks at.

use std::time::Instant;

use serde_json::Value;

use crate::record::{Billed, End};

/// A wire format of model calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic Messages, `POST …/messages`.
    Anthropic,
    /// OpenAI Chat Completions and all that is compatible, `POST …/chat/completions`.
    OpenAi,
    /// OpenAI Responses, `POST …/responses`.
    Responses,
    /// Gemini, `POST …/models/MODEL:streamGenerateContent` or `:generateContent`.
    Gemini,
    /// Ollama, `POST /api/chat`.
    Ollama,
}

impl Dialect {
    /// The dialect of a model call with this path; a query does not matter.
    pub fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with("/chat/completions") {
            Some(Self::OpenAi)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.ends_with(":streamGenerateContent") || path.ends_with(":generateContent") {
            Some(Self::Gemini)
        } else if path.ends_with("/api/chat") {
            Some(Self::Ollama)
        } else {
            None
        }
    }
}

/// A request that was read to its end, and what became of its reply so far.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its place in the order of arrival, from 0.
    pub index: usize,
    /// The connection that it came on, from 0.
    pub connection: usize,
    /// For instance `POST`.
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// The dialect of a model call; `None` for anything else.
    pub dialect: Option<Dialect>,
    /// When its last byte was read.
    pub arrived: Instant,
    /// When the first byte of the reply was given to the system.
    pub first_byte_sent: Option<Instant>,
    /// When the last byte of each delta of the reply was given to the system.
    pub deltas_sent: Vec<Instant>,
    /// Bytes of the reply so far, head and framing included, TLS not.
    pub bytes_sent: u64,
    /// What it cost so far, by the provider's own count.
    pub billed: Billed,
    /// How the reply ended.
    pub end: End,
    pub(crate) stalled: bool,
}

impl Request {
    /// The first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// What the client sent as its key: a bearer, `x-api-key`, `api-key`, `x-goog-api-key` or a
    /// `key` in the query.
    pub fn key(&self) -> Option<&str> {
        let bearer = self
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let named = ["x-api-key", "api-key", "x-goog-api-key"]
            .into_iter()
            .find_map(|name| self.header(name));
        let queried = self
            .path
            .split_once('?')
            .and_then(|(_, query)| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
        bearer.or(named).or(queried)
    }

    /// The model that was asked for: in the body, or in Gemini's path.
    pub fn model(&self) -> Option<String> {
        if self.dialect == Some(Dialect::Gemini) {
            let path = self.path.split('?').next()?;
            let (_, model) = path.rsplit_once("/models/")?;
            return Some(model.split(':').next()?.to_owned());
        }
        self.json()["model"].as_str().map(str::to_owned)
    }

    /// Whether the client asked for a stream. Ollama streams unless told otherwise.
    pub fn is_stream(&self) -> bool {
        match self.dialect {
            Some(Dialect::Gemini) => self.path.contains(":streamGenerateContent"),
            Some(Dialect::Ollama) => self.json()["stream"].as_bool().unwrap_or(true),
            _ => self.json()["stream"].as_bool().unwrap_or(false),
        }
    }

    /// All text of all messages in order, the system prompt too, joined by newlines.
    pub fn prompt(&self) -> String {
        let body = self.json();
        let mut texts = Vec::new();
        for field in [
            "system",
            "systemInstruction",
            "instructions",
            "messages",
            "contents",
            "input",
        ] {
            texts_of(&body[field], &mut texts);
        }
        texts.join("\n")
    }

    /// The most output tokens that the client allowed.
    pub fn max_output(&self) -> Option<u64> {
        let body = self.json();
        [
            &body["max_tokens"],
            &body["max_completion_tokens"],
            &body["max_output_tokens"],
            &body["options"]["num_predict"],
            &body["generationConfig"]["maxOutputTokens"],
        ]
        .into_iter()
        .find_map(Value::as_u64)
    }
}

/// The texts in a message, a list of messages or of parts.
fn texts_of(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(parts) => parts.iter().for_each(|part| texts_of(part, texts)),
        Value::Object(fields) => {
            for name in ["content", "parts", "text", "output"] {
                if let Some(field) = fields.get(name) {
                    texts_of(field, texts);
                }
            }
        }
        _ => {}
    }
}
