//! What the bodies of all dialects share.

use std::borrow::Cow;

use convergio_models_api::{ModelRequest, Part};
use serde::Serialize;

use crate::endpoint::JsonSupport;

/// The body as bytes. Fails only for a request that JSON cannot hold, such as a temperature that
/// is no number.
pub(crate) fn to_body(body: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(body).map_err(|error| error.to_string())
}

/// What a dialect that only knows text cannot carry; nothing of a request is left out in silence.
pub(crate) fn text_alone(request: &ModelRequest) -> Result<(), String> {
    let texts = request
        .parts()
        .all(|part| matches!(part, Part::Text { .. } | Part::Reasoning { .. }));
    if texts && request.tools.is_empty() {
        Ok(())
    } else {
        Err("this dialect carries neither tools nor pictures yet".to_owned())
    }
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

/// The standing instructions, with the wanted shape described where nothing else holds the model
/// to it.
pub(crate) fn prompted_system(request: &ModelRequest, support: JsonSupport) -> Option<String> {
    let shape = request
        .output_schema
        .as_ref()
        .filter(|_| matches!(support, JsonSupport::Object | JsonSupport::Prompt))
        .map(|output| {
            format!(
                "Answer with one JSON value that fits this JSON Schema, and with nothing else:\n{}",
                output.schema
            )
        });
    match (&request.system, shape) {
        (Some(system), Some(shape)) => Some(format!("{system}\n\n{shape}")),
        (Some(system), None) => Some(system.clone()),
        (None, shape) => shape,
    }
}
