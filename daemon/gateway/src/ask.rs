//! A request of any wire, as it was understood.

use std::collections::BTreeMap;

use convergio_models_api::{Message, ModelRequest, Part, Role};
use serde_json::Value;

use crate::{
    fault::{Fault, FaultKind},
    read::Read,
};

/// Tokens of an answer where the program says nothing: what agents ask for that do.
pub const MAX_OUTPUT_DEFAULT: u32 = 32_000;
/// Messages of one request.
pub const MESSAGES_MAX: usize = 10_000;
/// Tools of one request.
pub const TOOLS_MAX: usize = 512;
/// Names of ignored fields that are told.
const IGNORED_MAX: usize = 32;

/// Whose wire it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OpenAI's Chat Completions.
    Chat,
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
}

/// What a program asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Whose wire it came on.
    pub wire: Wire,
    /// The model as the program names it.
    pub model: String,
    /// What is asked; provider and model are empty.
    pub request: ModelRequest,
    /// The answer is wanted piece by piece.
    pub stream: bool,
    /// The stream ends with what was used.
    pub include_usage: bool,
    /// Fields that were not used, for the program to hear of.
    pub ignored: Vec<String>,
    /// Tools whose calls are no plain function calls on the wire, by the name that the model knows.
    pub tool_forms: BTreeMap<String, ToolForm>,
}

/// What a tool is to its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolForm {
    /// Its name in its namespace.
    pub name: String,
    /// The group that it belongs to.
    pub namespace: Option<String>,
    /// It takes any text instead of JSON.
    pub free_text: bool,
}

/// Reads the body of a request.
///
/// # Errors
/// Where it is not what the wire says, or asks for what cannot be had here.
pub fn parse(wire: Wire, body: &[u8]) -> Result<Asked, Fault> {
    read(wire, json(body)?)
}

fn json(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| Fault::new(FaultKind::Invalid, format!("the body is no JSON: {error}")))
}

fn read(wire: Wire, value: Value) -> Result<Asked, Fault> {
    match wire {
        Wire::Chat => crate::chat::request::read(value),
        Wire::Messages => crate::messages::request::read(value),
        Wire::Responses => crate::responses::request::read(value),
    }
}

/// Reads the body of a request whose tokens are to be counted: as [`parse`], without the need to
/// say how long the answer may be.
///
/// # Errors
/// As [`parse`].
pub fn parse_to_count(wire: Wire, body: &[u8]) -> Result<Asked, Fault> {
    let mut value = json(body)?;
    if let Some(fields) = value.as_object_mut() {
        // Counts nothing, and is more than any budget for thinking.
        fields.insert("max_tokens".to_owned(), u32::MAX.into());
    }
    read(wire, value)
}

impl Asked {
    /// Input tokens, guessed: no tokenizer of the provider's is at hand. Text is about four bytes a
    /// token, a picture about 1,600 tokens.
    pub fn input_tokens_guess(&self) -> u64 {
        const PICTURE: u64 = 1_600;
        let request = &self.request;
        request.text_bytes().div_ceil(4) + request.images() * PICTURE
    }
}

/// Turns in the order of the wire; neighbours of one role become one turn.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) messages: Vec<Message>,
}

impl Turns {
    pub(crate) fn push(&mut self, role: Role, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => self.messages.push(Message { role, parts }),
        }
    }

    /// All of them; the last one must be the user's.
    pub(crate) fn finish(self) -> Read<Vec<Message>> {
        match self.messages.last() {
            None => Err(Fault::invalid("messages", "there is nothing to answer")),
            Some(last) if last.role == Role::Assistant => Err(Fault::unsupported(
                "messages",
                "the last message must be the user's or a tool's: an answer cannot be continued",
            )),
            Some(_) => Ok(self.messages),
        }
    }
}

/// What is told of the fields that nobody used.
pub(crate) fn ignored(left: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = left
        .filter(|name| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic()))
        .take(IGNORED_MAX)
        .collect();
    names.sort();
    names
}

/// Whether a tool may be called that.
pub(crate) fn tool_name(path: String, name: String) -> Read<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        // Longer ones exist in the wild (of MCP servers), and no provider takes them.
        return Err(Fault::invalid(
            path,
            "a tool's name is 1 to 64 letters, digits, '_' and '-'",
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
