//! What the bodies of all dialects share.

use std::borrow::Cow;

use convergio_models_api::{Image, ModelRequest, Part};
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::endpoint::JsonSupport;

/// Tools of one request. Providers have bounds of their own, from 128 on, and say so.
const MAX_TOOLS: usize = 1024;

/// The body as bytes. Fails only for a request that JSON cannot hold, such as a temperature that
/// is no number.
pub(crate) fn to_body(body: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(body).map_err(|error| error.to_string())
}

/// A turn's text where the dialect has one string for it.
pub(crate) fn joined(parts: &[Part]) -> Cow<'_, str> {
    match parts {
        [Part::Text { text }] => Cow::Borrowed(text),
        parts => {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| match part {
                    Part::Text { text } => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            Cow::Owned(texts.join("\n\n"))
        }
    }
}

/// The arguments of a call as JSON, byte for byte: numbers keep their digits. None at all are an
/// empty object.
pub(crate) fn arguments(text: &str) -> Result<&RawValue, String> {
    let text = text.trim();
    let text = if text.is_empty() { "{}" } else { text };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(arguments) if text.starts_with('{') => Ok(arguments),
        _ => Err("the arguments of a tool's call are no JSON object".to_owned()),
    }
}

/// A picture where the dialect wants an address.
pub(crate) fn image_url(image: &Image) -> String {
    format!("data:{};base64,{}", image.media_type, image.base64)
}

/// The text of a tool's result where the dialect has no place to say that the tool failed.
pub(crate) fn result_text(content: &[Part], is_error: bool) -> Cow<'_, str> {
    let text = joined(content);
    let says_so = text
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("error"));
    match is_error && !says_so {
        true => Cow::Owned(format!("Error: {text}")),
        false => text,
    }
}

/// What a dialect signed, when it was this one: `openai:…`. Anthropic's own stand without a name
/// in front of them, and have no colon.
pub(crate) fn signed_by<'a>(dialect: &str, signature: &'a str) -> Option<&'a str> {
    signature.strip_prefix(dialect)?.strip_prefix(':')
}

/// The standing instructions, with the wanted shape described where nothing else holds the model
/// to it.
pub(crate) fn prompted_system(request: &ModelRequest, support: JsonSupport) -> Option<String> {
    let shape = match &request.output_schema {
        Some(output) if matches!(support, JsonSupport::Object | JsonSupport::Prompt) => {
            Some(format!(
                "Answer with one JSON value that fits this JSON Schema, and with nothing else:\n{}",
                output.schema
            ))
        }
        // OpenAI refuses its JSON mode where no message says the word.
        None if request.json_object => {
            Some("Answer with one JSON object, and with nothing else.".to_owned())
        }
        _ => None,
    };
    match (&request.system, shape) {
        (Some(system), Some(shape)) => Some(format!("{system}\n\n{shape}")),
        (Some(system), None) => Some(system.clone()),
        (None, shape) => shape,
    }
}

/// The parts of the parameter schema of a tool that providers insist on: an object, which says so.
pub(crate) fn parameters(schema: &Value) -> Cow<'_, Value> {
    match schema {
        Value::Object(fields) if fields.contains_key("type") => Cow::Borrowed(schema),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert("type".to_owned(), Value::from("object"));
            fields
                .entry("properties")
                .or_insert_with(|| Value::Object(Map::new()));
            Cow::Owned(Value::Object(fields))
        }
        _ => Cow::Owned(json!({"type": "object", "properties": {}})),
    }
}

/// A request that no dialect could send as it is meant.
pub(crate) fn check_bounds(request: &ModelRequest) -> Result<(), String> {
    let most = |what: &str, count: usize, max: usize| match count > max {
        true => Err(format!(
            "{what}: at most {max} are allowed, and {count} are wanted"
        )),
        false => Ok(()),
    };
    most("cache breakpoints", request.cache.len(), 4)?;
    most("stop sequences", request.stop_sequences.len(), 4)?;
    most("tools", request.tools.len(), MAX_TOOLS)
}
