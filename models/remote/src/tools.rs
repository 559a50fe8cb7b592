//! The tools that an answer calls, as every dialect's decoder reports them: numbered, bounded, and
//! with arguments that are JSON objects.

use convergio_models_api::ModelEvent;
use serde_json::{Map, Value};

use crate::decode::DecodeError;

/// Calls of one answer.
pub(crate) const MAX_CALLS: usize = 128;

/// Bytes of arguments of one answer, all calls together.
pub(crate) const MAX_ARGUMENT_BYTES: usize = 4 << 20;

/// Bytes of a call's id. Some gateways hide a signature in it.
const MAX_ID_BYTES: usize = 4 << 10;

/// Bytes of a tool's name; the contract allows 64 characters.
const MAX_NAME_BYTES: usize = 128;

/// The calls of one answer so far.
#[derive(Debug, Default)]
pub(crate) struct ToolCalls {
    answer_id: String,
    arguments: Vec<String>,
    bytes: usize,
}

fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { what }
}

impl ToolCalls {
    /// The provider's name for the answer: part of the ids of calls that it gives none.
    pub(crate) fn answer_id(&mut self, id: &str) {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        self.answer_id = id.chars().filter(allowed).take(48).collect();
    }

    /// Calls that began.
    pub(crate) fn len(&self) -> usize {
        self.arguments.len()
    }

    /// Whether a call has arguments so far.
    pub(crate) fn has_arguments(&self, index: u32) -> bool {
        let call = self.arguments.get(index as usize);
        call.is_some_and(|arguments| !arguments.is_empty())
    }

    /// A call begins.
    pub(crate) fn begin(
        &mut self,
        id: Option<&str>,
        name: &str,
        signature: Option<String>,
        out: &mut Vec<ModelEvent>,
    ) -> Result<u32, DecodeError> {
        if self.arguments.len() == MAX_CALLS {
            return Err(malformed("it calls more than 128 tools"));
        }
        let fit = |text: &str, max: usize| text.len() <= max && !text.contains(char::is_control);
        if name.is_empty() || !fit(name, MAX_NAME_BYTES) {
            return Err(malformed("a tool call has no usable name"));
        }
        let id = id.filter(|id| !id.is_empty());
        if id.is_some_and(|id| !fit(id, MAX_ID_BYTES)) {
            return Err(malformed("a tool call has no usable id"));
        }
        let index = self.arguments.len() as u32;
        self.arguments.push(String::new());
        let id = id.map_or_else(|| format!("call_{}_{index}", self.answer_id), str::to_owned);
        out.push(ModelEvent::ToolCall {
            index,
            id,
            name: name.to_owned(),
            signature,
        });
        Ok(index)
    }

    /// A call's arguments go on.
    pub(crate) fn arguments(
        &mut self,
        index: u32,
        json: &str,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        let Some(arguments) = self.arguments.get_mut(index as usize) else {
            return Err(malformed("a tool call goes on that never began"));
        };
        if json.is_empty() {
            return Ok(());
        }
        self.bytes += json.len();
        if self.bytes > MAX_ARGUMENT_BYTES {
            return Err(malformed(
                "its tool calls have more than 4 MiB of arguments",
            ));
        }
        arguments.push_str(json);
        out.push(ModelEvent::ToolArguments {
            index,
            json: json.to_owned(),
        });
        Ok(())
    }

    /// A call's arguments, or a piece of them, in whatever form a server has them: text as it is,
    /// an object as JSON.
    pub(crate) fn value(
        &mut self,
        index: u32,
        arguments: Option<&Value>,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        match arguments {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(text)) => self.arguments(index, text, out),
            Some(object @ Value::Object(_)) => self.arguments(index, &object.to_string(), out),
            Some(_) => Err(malformed("a tool call's arguments are no object")),
        }
    }

    /// The answer is about to stop: a call without arguments has the empty object, and whatever
    /// arguments there are must be one object, nested less than 128 deep. `cut`: the answer reached
    /// a limit.
    pub(crate) fn finish(
        &mut self,
        cut: bool,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), DecodeError> {
        for index in 0..self.arguments.len() {
            let arguments = &self.arguments[index];
            if arguments.trim().is_empty() {
                // The pieces together are what counts, and blanks around an object are allowed.
                self.arguments(index as u32, "{}", out)?;
            } else if serde_json::from_str::<Map<String, Value>>(arguments).is_err() {
                return Err(malformed(if cut {
                    "a limit cut the answer within a tool call's arguments"
                } else {
                    "a tool call's arguments are no JSON object"
                }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_numbered_named_and_whole() {
        let mut calls = ToolCalls::default();
        let out = &mut Vec::new();
        calls.answer_id("chatcmpl-1/x");
        assert_eq!(calls.begin(Some("a"), "t", None, out), Ok(0));
        assert_eq!(calls.begin(Some(""), "u", None, out), Ok(1));
        calls.arguments(0, "{\"a\"", out).unwrap();
        calls.arguments(0, "", out).unwrap();
        calls.arguments(0, ":1}", out).unwrap();
        calls.finish(false, out).unwrap();
        let call = |index, id: &str, name: &str| ModelEvent::ToolCall {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            signature: None,
        };
        let piece = |index, json: &str| ModelEvent::ToolArguments {
            index,
            json: json.to_owned(),
        };
        let expected = [
            call(0, "a", "t"),
            call(1, "call_chatcmpl-1x_1", "u"),
            piece(0, "{\"a\""),
            piece(0, ":1}"),
            piece(1, "{}"),
        ];
        assert_eq!(*out, expected);
    }

    #[test]
    fn what_is_no_object_is_broken() {
        for bad in ["[]", "{", "{} {}", "null", "7", "{\"a\":}", "\"{}\""] {
            let mut calls = ToolCalls::default();
            let out = &mut Vec::new();
            calls.begin(None, "t", None, out).unwrap();
            calls.arguments(0, bad, out).unwrap();
            assert!(calls.finish(false, out).is_err(), "{bad}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        let mut calls = ToolCalls::default();
        let out = &mut Vec::new();
        calls.begin(None, "t", None, out).unwrap();
        calls.value(0, Some(&Value::String(deep)), out).unwrap();
        assert!(calls.finish(false, out).is_err(), "nested without end");
        assert!(calls.value(0, Some(&json!([1])), out).is_err());
    }

    #[test]
    fn calls_and_their_arguments_are_bounded() {
        let mut calls = ToolCalls::default();
        let out = &mut Vec::new();
        for _ in 0..MAX_CALLS {
            calls.begin(None, "t", None, out).unwrap();
        }
        assert!(calls.begin(None, "t", None, out).is_err());
        assert_eq!(calls.len(), MAX_CALLS);
        let piece = "x".repeat(1 << 20);
        for _ in 0..4 {
            calls.arguments(0, &piece, out).unwrap();
        }
        assert!(calls.arguments(1, "x", out).is_err());
        assert!(calls.arguments(1000, "x", out).is_err());
        let mut calls = ToolCalls::default();
        for bad in ["", "a\nb", &"x".repeat(200)] {
            assert!(calls.begin(None, bad, None, out).is_err());
        }
        assert!(calls.begin(Some("\u{1b}"), "t", None, out).is_err());
        assert!(
            calls
                .begin(Some(&"x".repeat(5000)), "t", None, out)
                .is_err()
        );
    }
}
