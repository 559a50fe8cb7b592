//! The neutral request.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person, or what stands for one.
    User,
    /// The model.
    Assistant,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// UTF-8.
        text: String,
    },
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// In order; not empty.
    pub parts: Vec<Part>,
}

impl Message {
    /// A turn of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            parts: vec![Part::Text { text: text.into() }],
        }
    }
}

/// A JSON answer that must fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// Names it to the provider: `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// JSON Schema.
    pub schema: Value,
}

/// One call of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRequest {
    /// The provider's configured name.
    pub provider: String,
    /// The model's id as that provider knows it.
    pub model: String,
    /// Standing instructions.
    pub system: Option<String>,
    /// The conversation; the last turn is the user's.
    pub messages: Vec<Message>,
    /// Tokens that the answer may have at most, reasoning included. Always sent.
    pub max_output: u32,
    /// Sampling temperature; the provider's own default where none is given.
    pub temperature: Option<f32>,
    /// The answer is JSON of this shape. How it is asked for is the dialect's affair; a dialect
    /// without the means describes it in the system prompt.
    pub output_schema: Option<OutputSchema>,
}

impl ModelRequest {
    /// Bytes of all text that the model reads: no tokenizer makes more tokens of it than that.
    pub fn text_bytes(&self) -> u64 {
        let part = |part: &Part| match part {
            Part::Text { text } => text.len(),
        };
        let messages: usize = self
            .messages
            .iter()
            .flat_map(|message| &message.parts)
            .map(part)
            .sum();
        let system = self.system.as_ref().map_or(0, String::len);
        let schema = self.output_schema.as_ref().map_or(0, |schema| {
            schema.name.len() + schema.schema.to_string().len()
        });
        (messages + system + schema) as u64
    }
}
