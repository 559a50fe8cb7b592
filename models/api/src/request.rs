//! The neutral request.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capabilities::Capabilities;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person, or what stands for one.
    User,
    /// The model.
    Assistant,
}

/// A picture, as every dialect sends it: in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
    pub media_type: String,
    /// The file, in standard base64 with padding.
    pub base64: String,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { media_type, base64 } = self;
        write!(f, "Image({media_type}, {} bytes of base64)", base64.len())
    }
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
    /// A picture; in a user's turn or in a tool's result.
    Image(Image),
    /// What the model reasoned, given back to it; in an assistant's turn. A dialect that did not
    /// make it leaves it out: it is the model's own memory, no part of the conversation.
    Reasoning {
        /// Readable text; may be empty.
        text: String,
        /// What the provider wants back unchanged: a signature, or the reasoning itself encrypted.
        signature: Option<String>,
        /// The text was withheld; `signature` is all there is.
        redacted: bool,
    },
    /// The model wants a tool; in an assistant's turn.
    ToolCall(ToolCall),
    /// What a tool said; in a user's turn.
    ToolResult {
        /// The call's id.
        id: String,
        /// Texts and pictures, in order.
        content: Vec<Part>,
        /// The tool failed.
        is_error: bool,
    },
}

/// A tool that a model wants to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Names this call; its result refers to it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// A JSON object, as text.
    pub arguments: String,
    /// What the provider wants back unchanged with it.
    pub signature: Option<String>,
}

/// A tool that a model may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON Schema of its arguments, an object.
    pub input_schema: Value,
    /// The arguments must fit the schema, where the provider can hold the model to it.
    pub strict: bool,
}

/// Whether the model has to use a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// How much a model reasons before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    /// As the provider likes.
    #[default]
    Default,
    /// Not at all, where it can be switched off.
    Off,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// As many tokens at most; they count in `max_output`.
    BudgetTokens(u32),
}

/// Behind what a provider's prompt cache may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheAfter {
    /// The last tool.
    Tools,
    /// The standing instructions.
    System,
    /// The last part of this message, from 0.
    Message(usize),
}

/// A place up to which a provider should keep the prompt, where it keeps prompts only when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheBreakpoint {
    /// Where.
    pub after: CacheAfter,
    /// For an hour instead of five minutes.
    pub hour: bool,
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

/// One call of one model. `Default` has nothing in it: fill in what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The answer is one JSON object of any shape; nothing where there is an `output_schema`.
    pub json_object: bool,
    /// What the model may use; a call of one ends the answer with `StopReason::ToolUse`.
    pub tools: Vec<Tool>,
    /// Whether it has to.
    pub tool_choice: ToolChoice,
    /// Several calls in one answer; the provider's own default where nothing is said.
    pub parallel_tools: Option<bool>,
    /// How much it reasons.
    pub reasoning: ReasoningEffort,
    /// Where its provider's prompt cache may end; at most four.
    pub cache: Vec<CacheBreakpoint>,
    /// The answer ends before any of these; at most four.
    pub stop_sequences: Vec<String>,
    /// Nucleus sampling; the provider's own default where none is given.
    pub top_p: Option<f32>,
}

/// Tokens that one picture makes at most, as the dialects ask for it: Anthropic's largest is under
/// 5,000; OpenAI's are asked for at high detail, which is 2,500 patches at a model's factor of 2.46
/// at most; Gemini's tilings are under 3,000. What is known to exceed it is of 2024 and in no
/// catalogue (`gpt-4o-mini` counts a picture as up to 48,000 of its cheap tokens).
pub const IMAGE_TOKENS_MAX: u64 = 8_192;

impl ModelRequest {
    /// Every part of every message, those inside of tool results behind their result.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        parts.flat_map(|part| {
            let inner: &[Part] = match part {
                Part::ToolResult { content, .. } => content,
                _ => &[],
            };
            std::iter::once(part).chain(inner)
        })
    }

    /// Every text that people or tools wrote and the model reads, in a fixed order: what a search
    /// for secrets has to see. Schemas are not among them, nor reasoning, which its provider signs.
    pub fn texts_mut(&mut self) -> Vec<&mut String> {
        let mut texts: Vec<&mut String> = self.system.iter_mut().collect();
        for part in self.messages.iter_mut().flat_map(|turn| &mut turn.parts) {
            match part {
                Part::Text { text } => texts.push(text),
                Part::ToolCall(call) => texts.push(&mut call.arguments),
                Part::ToolResult { content, .. } => {
                    texts.extend(content.iter_mut().filter_map(|inner| match inner {
                        Part::Text { text } => Some(text),
                        _ => None,
                    }));
                }
                Part::Image(_) | Part::Reasoning { .. } => {}
            }
        }
        let descriptions = self.tools.iter_mut();
        texts.extend(descriptions.filter_map(|tool| tool.description.as_mut()));
        texts
    }

    /// Bytes of all text that the model reads: no tokenizer makes more tokens of it than that.
    /// Pictures are not text: see [`Self::images`].
    pub fn text_bytes(&self) -> u64 {
        let parts: usize = self.parts().map(part_bytes).sum();
        let system = self.system.as_ref().map_or(0, String::len);
        let schema = self.output_schema.as_ref().map_or(0, |schema| {
            schema.name.len() + schema.schema.to_string().len()
        });
        let tools: usize = self.tools.iter().map(Tool::text_bytes).sum();
        (parts + system + schema + tools) as u64
    }

    /// Pictures that the model sees; each makes [`IMAGE_TOKENS_MAX`] tokens at most.
    pub fn images(&self) -> u64 {
        let images = self.parts().filter(|part| matches!(part, Part::Image(_)));
        images.count() as u64
    }

    /// What a model must be able to do to answer this.
    pub fn needs(&self) -> Capabilities {
        Capabilities {
            tools: !self.tools.is_empty(),
            vision: self.images() > 0,
            reasoning: !matches!(
                self.reasoning,
                ReasoningEffort::Default | ReasoningEffort::Off
            ),
            json: self.json_object || self.output_schema.is_some(),
            // A cache that is not there costs money, not the answer.
            cache: false,
        }
    }
}

impl Tool {
    fn text_bytes(&self) -> usize {
        let description = self.description.as_ref().map_or(0, String::len);
        self.name.len() + description + self.input_schema.to_string().len()
    }
}

/// Of the part itself, without what is inside of a tool's result.
fn part_bytes(part: &Part) -> usize {
    match part {
        Part::Text { text } => text.len(),
        Part::Image(_) => 0,
        Part::Reasoning {
            text, signature, ..
        } => text.len() + signature.as_ref().map_or(0, String::len),
        Part::ToolCall(call) => {
            let signature = call.signature.as_ref().map_or(0, String::len);
            call.id.len() + call.name.len() + call.arguments.len() + signature
        }
        Part::ToolResult { id, .. } => id.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_inside_of_a_tools_result_and_of_the_tools_counts() {
        let text = |text: &str| Part::Text { text: text.into() };
        let image = Part::Image(Image {
            media_type: "image/png".into(),
            base64: "AAAA".into(),
        });
        let request = ModelRequest {
            messages: vec![Message {
                role: Role::User,
                parts: vec![
                    text("four"),
                    Part::ToolResult {
                        id: "id".into(),
                        content: vec![text("seven77"), image],
                        is_error: false,
                    },
                ],
            }],
            tools: vec![Tool {
                name: "t".into(),
                description: Some("dd".into()),
                input_schema: serde_json::json!({}),
                strict: false,
            }],
            ..ModelRequest::default()
        };
        assert_eq!(request.text_bytes(), 4 + 2 + 7 + 1 + 2 + 2);
        assert_eq!(request.images(), 1);
        let texts: Vec<String> = request
            .clone()
            .texts_mut()
            .into_iter()
            .map(|text| text.clone())
            .collect();
        assert_eq!(texts, ["four", "seven77", "dd"]);
        let needs = request.needs();
        assert!(needs.tools && needs.vision && !needs.json && !needs.reasoning);
    }
}
