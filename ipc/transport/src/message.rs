//! JSON-RPC 2.0 messages, read without copying and written in one piece.

use std::borrow::Cow;

use convergio_contract::{ErrorCode, RpcError};
use jsonrpsee_types::Id;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A message from the other side.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Wants exactly one response.
    Request {
        /// Echoed in the response.
        id: Id<'a>,
        /// Which method.
        method: Cow<'a, str>,
        /// By-name parameters.
        params: Option<&'a RawValue>,
    },
    /// Wants none.
    Notification {
        /// Which one.
        method: Cow<'a, str>,
        /// By-name parameters.
        params: Option<&'a RawValue>,
    },
    /// Answers one of our requests.
    Response {
        /// Ours.
        id: Id<'a>,
        /// What came of it.
        outcome: Result<&'a RawValue, RpcError>,
    },
}

/// Why a line that passed the frame checks is no message.
#[derive(Debug)]
pub struct Malformed<'a> {
    /// The line's id, where one could be read.
    pub id: Id<'a>,
    /// Parse error or invalid request.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: String,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<Id<'a>>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<RpcError>,
}

/// Tells `"id": null` from no id at all. Read by hand: the derived reader of an id tries null
/// first and makes an error message for every number, which is half of what reading a line costs.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id<'de>>, D::Error> {
    let text = <&'de RawValue>::deserialize(deserializer)?.get();
    read_id(text).map(Some).ok_or_else(|| {
        serde::de::Error::custom("\"id\" must be a string, a whole number from 0, or null")
    })
}

fn read_id(text: &str) -> Option<Id<'_>> {
    if text == "null" {
        return Some(Id::Null);
    }
    let Some(quoted) = text.strip_prefix('"') else {
        return text.parse().ok().map(Id::Number);
    };
    match quoted.strip_suffix('"') {
        Some(plain) if !plain.contains('\\') => Some(Id::Str(Cow::Borrowed(plain))),
        _ => Some(Id::Str(Cow::Owned(serde_json::from_str(text).ok()?))),
    }
}

/// Reads one message.
pub fn parse(line: &str) -> Result<Incoming<'_>, Malformed<'_>> {
    let raw: Raw<'_> = serde_json::from_str(line).map_err(|error| {
        let code = if error.is_data() {
            ErrorCode::InvalidRequest
        } else {
            ErrorCode::ParseError
        };
        Malformed {
            id: Id::Null,
            code,
            message: error.to_string(),
        }
    })?;
    let invalid = |id: Option<Id<'_>>, message: &str| Malformed {
        id: id.map_or(Id::Null, Id::into_owned),
        code: ErrorCode::InvalidRequest,
        message: message.to_owned(),
    };
    if raw.jsonrpc.as_deref() != Some("2.0") {
        return Err(invalid(raw.id, "\"jsonrpc\" must be \"2.0\""));
    }
    match (raw.method, raw.id, raw.result, raw.error) {
        (Some(method), Some(id), None, None) => Ok(Incoming::Request {
            id,
            method,
            params: raw.params,
        }),
        (Some(method), None, None, None) => Ok(Incoming::Notification {
            method,
            params: raw.params,
        }),
        (None, Some(id), Some(result), None) => Ok(Incoming::Response {
            id,
            outcome: Ok(result),
        }),
        (None, Some(id), None, Some(error)) => Ok(Incoming::Response {
            id,
            outcome: Err(error),
        }),
        (_, id, _, _) => Err(invalid(id, "neither a request nor a response")),
    }
}

#[derive(Serialize)]
struct OutRequest<'a, P: Serialize> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    params: &'a P,
}

#[derive(Serialize)]
struct OutResult<'a, R: Serialize> {
    jsonrpc: &'static str,
    id: &'a Id<'a>,
    result: &'a R,
}

#[derive(Serialize)]
struct OutError<'a> {
    jsonrpc: &'static str,
    id: &'a Id<'a>,
    error: &'a RpcError,
}

fn append(out: &mut Vec<u8>, message: &impl Serialize) -> serde_json::Result<()> {
    let start = out.len();
    let written = serde_json::to_writer(&mut *out, message);
    if written.is_err() {
        out.truncate(start);
    } else {
        out.push(b'\n');
    }
    written
}

/// Appends a request line.
pub fn append_request(
    out: &mut Vec<u8>,
    id: u64,
    method: &str,
    params: &impl Serialize,
) -> serde_json::Result<()> {
    append(
        out,
        &OutRequest {
            jsonrpc: "2.0",
            id: Some(id),
            method,
            params,
        },
    )
}

/// Appends a notification line.
pub fn append_notification(
    out: &mut Vec<u8>,
    method: &str,
    params: &impl Serialize,
) -> serde_json::Result<()> {
    append(
        out,
        &OutRequest {
            jsonrpc: "2.0",
            id: None,
            method,
            params,
        },
    )
}

/// Appends a response line with a result.
pub fn append_result(
    out: &mut Vec<u8>,
    id: &Id<'_>,
    result: &impl Serialize,
) -> serde_json::Result<()> {
    append(
        out,
        &OutResult {
            jsonrpc: "2.0",
            id,
            result,
        },
    )
}

/// Appends a response line with an error.
pub fn append_error(out: &mut Vec<u8>, id: &Id<'_>, error: &RpcError) -> serde_json::Result<()> {
    append(
        out,
        &OutError {
            jsonrpc: "2.0",
            id,
            error,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_notifications_and_responses_are_told_apart() {
        let request = parse(r#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"x":1}}"#).unwrap();
        assert!(matches!(request, Incoming::Request { id: Id::Str(_), .. }));
        let null = parse(r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#).unwrap();
        assert!(matches!(null, Incoming::Request { id: Id::Null, .. }));
        let note = parse(r#"{"jsonrpc":"2.0","method":"m"}"#).unwrap();
        assert!(matches!(note, Incoming::Notification { .. }));
        let result = parse(r#"{"jsonrpc":"2.0","id":3,"result":null}"#);
        assert!(matches!(result, Ok(Incoming::Response { .. }) | Err(_)));
    }

    #[test]
    fn ids_are_what_json_rpc_says() {
        let id =
            |text: &str| match parse(&format!(r#"{{"jsonrpc":"2.0","id":{text},"method":"m"}}"#)) {
                Ok(Incoming::Request { id, .. }) => Some(id.into_owned()),
                _ => None,
            };
        assert_eq!(id("0"), Some(Id::Number(0)));
        assert_eq!(id("18446744073709551615"), Some(Id::Number(u64::MAX)));
        assert_eq!(id(r#""a""#), Some(Id::Str("a".into())));
        assert_eq!(id(r#""a\"\u00e9""#), Some(Id::Str("a\"\u{e9}".into())));
        assert_eq!(id("null"), Some(Id::Null));
        for wrong in [
            "-1",
            "1.5",
            "1e3",
            "true",
            "[1]",
            "{}",
            "18446744073709551616",
            "01",
        ] {
            assert_eq!(id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_id_where_there_is_one() {
        let no_version = parse(r#"{"id":5,"method":"m"}"#).unwrap_err();
        assert_eq!(
            (no_version.id, no_version.code),
            (Id::Number(5), ErrorCode::InvalidRequest)
        );
        assert_eq!(parse("{").unwrap_err().code, ErrorCode::ParseError);
        assert_eq!(
            parse(r#"{"jsonrpc":"2.0","id":5}"#).unwrap_err().code,
            ErrorCode::InvalidRequest
        );
        assert_eq!(parse("7").unwrap_err().code, ErrorCode::InvalidRequest);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        append_error(
            &mut out,
            &Id::Number(1),
            &RpcError::new(ErrorCode::Conflict, "no"),
        )
        .unwrap();
        let line = std::str::from_utf8(&out).unwrap().trim_end();
        match parse(line).unwrap() {
            Incoming::Response {
                id: Id::Number(1),
                outcome: Err(error),
            } => {
                assert_eq!(error.kind(), Some(ErrorCode::Conflict));
            }
            other => panic!("{other:?}"),
        }
    }
}
