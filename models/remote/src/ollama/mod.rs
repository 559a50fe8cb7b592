//! Ollama's own chat API: <https://docs.ollama.com/api/chat>, a line of JSON per piece.

mod answer;
mod body;
pub(crate) mod show;

use crate::kind::{Framing, KeyHeader, Wire};

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body: body::body,
    url: |endpoint, _| endpoint.url(&["api", "chat"]),
    framing: Framing::Lines,
    decoder: |expectation| Box::new(answer::OllamaDecoder::new(expectation.local)),
    key: |_| KeyHeader::Bearer,
    headers: &[],
    list_url: |endpoint| endpoint.url(&["api", "tags"]),
    list_field: "models",
};
