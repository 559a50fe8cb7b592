//! Reading foreign JSON field by field, with the place of what does not fit.

use base64::Engine as _;
use convergio_models_api::{Image, Part};
use serde_json::{Map, Value};

use crate::fault::Fault;

pub(crate) type Read<T> = Result<T, Fault>;

/// An object of which fields are taken one by one; what nobody takes is left.
pub(crate) struct Object {
    /// Where it stands; empty for the request itself.
    pub(crate) path: String,
    fields: Map<String, Value>,
}

impl Object {
    pub(crate) fn new(path: impl Into<String>, value: Value) -> Read<Self> {
        let path = path.into();
        match value {
            Value::Object(fields) => Ok(Self { path, fields }),
            other => Err(Fault::invalid(
                place(&path),
                format!("must be an object, not {}", kind(&other)),
            )),
        }
    }

    /// The place of a field.
    pub(crate) fn at(&self, name: &str) -> String {
        match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.path),
        }
    }

    pub(crate) fn is_object(value: &Value) -> bool {
        value.is_object()
    }

    /// A field; null is as good as none.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// The names of what nobody took.
    pub(crate) fn left(&self) -> impl Iterator<Item = String> + '_ {
        let left = self.fields.iter().filter(|(_, value)| !value.is_null());
        left.map(|(name, _)| self.at(name))
    }

    pub(crate) fn text(&mut self, name: &str) -> Read<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a string", &other)),
        }
    }

    pub(crate) fn needed_text(&mut self, name: &str) -> Read<String> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn missing(&self, name: &str) -> Fault {
        Fault::invalid(self.at(name), "is required")
    }

    pub(crate) fn flag(&mut self, name: &str) -> Read<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(name, "true or false", &other)),
        }
    }

    /// Tokens: from 1 to what fits into 32 bits.
    pub(crate) fn tokens(&mut self, name: &str) -> Read<Option<u32>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let tokens = value.as_u64().and_then(|tokens| u32::try_from(tokens).ok());
        match tokens.filter(|tokens| *tokens > 0) {
            Some(tokens) => Ok(Some(tokens)),
            None => Err(self.wrong(
                name,
                &format!("a whole number from 1 to {}", u32::MAX),
                &value,
            )),
        }
    }

    /// A number within these bounds.
    pub(crate) fn number(&mut self, name: &str, least: f64, most: f64) -> Read<Option<f32>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.as_f64().filter(|n| (least..=most).contains(n)) {
            // It lies between two small numbers.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "as precise as a wire needs"
            )]
            Some(number) => Ok(Some(number as f32)),
            None => Err(self.wrong(name, &format!("a number from {least} to {most}"), &value)),
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> Read<Option<Vec<Value>>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(self.wrong(name, "a list", &other)),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Read<Option<Object>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Object::new(self.at(name), value).map(Some),
        }
    }

    pub(crate) fn needed_object(&mut self, name: &str) -> Read<Object> {
        self.object(name)?.ok_or_else(|| self.missing(name))
    }

    /// Texts that end an answer: one, or a list of at most four.
    pub(crate) fn stops(&mut self, name: &str) -> Read<Vec<String>> {
        const STOPS_MAX: usize = 4;
        let list = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::String(one)) => vec![Value::String(one)],
            Some(Value::Array(list)) => list,
            Some(other) => return Err(self.wrong(name, "a string or a list of strings", &other)),
        };
        if list.len() > STOPS_MAX {
            let message = format!("{} are given, and {STOPS_MAX} can be honoured", list.len());
            return Err(Fault::unsupported(self.at(name), message));
        }
        let text = |value| match value {
            Value::String(text) if !text.is_empty() => Ok(text),
            other => Err(self.wrong(name, "texts that are not empty", &other)),
        };
        list.into_iter().map(text).collect()
    }

    pub(crate) fn wrong(&self, name: &str, wanted: &str, found: &Value) -> Fault {
        Fault::invalid(
            self.at(name),
            format!("must be {wanted}, not {}", kind(found)),
        )
    }
}

fn place(path: &str) -> &str {
    match path {
        "" => "the body",
        path => path,
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

pub(crate) fn text(text: impl Into<String>) -> Part {
    Part::Text { text: text.into() }
}

/// A picture that was sent along.
pub(crate) fn image(path: &str, media_type: String, base64: String) -> Read<Part> {
    const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    if !TYPES.contains(&media_type.as_str()) {
        let types = TYPES.join(", ");
        return Err(Fault::unsupported(
            path,
            format!("a picture is one of {types}"),
        ));
    }
    // Decoded only to know that it can be: every provider wants it as it came.
    let decodes = base64::engine::general_purpose::STANDARD.decode(&base64);
    if base64.is_empty() || decodes.is_err() {
        return Err(Fault::invalid(path, "is no base64"));
    }
    Ok(Part::Image(Image { media_type, base64 }))
}
