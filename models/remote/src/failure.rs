//! Whatever goes wrong, as a [`ModelError`] of the right class, with a text that may be shown.

mod classes;

use convergio_egress::{EgressError, Phase as EgressPhase, TlsFailure};
use convergio_models_api::{ErrorClass, ModelError, Phase};
use serde_json::Value;

use self::classes::classify;
use crate::{decode::DecodeError, retry_after, text::Redaction};

/// What is known when something fails.
#[derive(Debug)]
pub(crate) struct Failures {
    pub(crate) provider: String,
    pub(crate) redaction: Redaction,
    /// The provider's name for the call, once its headers came.
    pub(crate) request_id: Option<String>,
}

impl Failures {
    pub(crate) fn error(&self, class: ErrorClass, message: impl Into<String>) -> ModelError {
        ModelError {
            provider: self.provider.clone(),
            class,
            message: message.into(),
            status: None,
            code: None,
            retry_after_ms: None,
            request_id: self.request_id.clone(),
        }
    }

    /// The way there or back failed.
    pub(crate) fn egress(&self, error: &EgressError) -> ModelError {
        let class = match error {
            EgressError::Connect { .. } => ErrorClass::Connect,
            // After the handshake the request may have been read.
            EgressError::Tls {
                why: TlsFailure::Broken(_),
            }
            | EgressError::Reset { .. } => ErrorClass::ConnectionLost,
            EgressError::Tls { .. } | EgressError::Setup { .. } => ErrorClass::Tls,
            EgressError::Timeout { phase, .. } => ErrorClass::Timeout(match phase {
                EgressPhase::Connect => Phase::Connect,
                EgressPhase::FirstByte => Phase::FirstByte,
                EgressPhase::Idle => Phase::Idle,
                EgressPhase::Total => Phase::Total,
            }),
            EgressError::Redirect { .. } => ErrorClass::Redirect,
            EgressError::TooLarge { .. } => ErrorClass::TooLarge,
            EgressError::Denied { .. } | EgressError::Request { .. } => ErrorClass::Denied,
            _ => ErrorClass::BrokenStream,
        };
        let mut failed = self.error(class, self.redaction.message(&error.to_string()));
        if let EgressError::Redirect { status, .. } = error {
            failed.status = Some(*status);
        }
        failed
    }

    /// The stream is not an answer.
    pub(crate) fn decode(&self, error: &DecodeError) -> ModelError {
        let class = match error {
            // The request did leave, so this is no denial.
            DecodeError::NoEndMarker | DecodeError::Malformed { .. } | DecodeError::NotLocal => {
                ErrorClass::BrokenStream
            }
            DecodeError::LineTooLong { .. } | DecodeError::AnswerTooLong { .. } => {
                ErrorClass::TooLarge
            }
            DecodeError::Provider(body) => return self.in_stream(body),
        };
        self.error(class, error.to_string())
    }

    /// The provider answered with a status that says no.
    pub(crate) fn status(
        &self,
        status: u16,
        body: &[u8],
        retry_after_ms: Option<u64>,
    ) -> ModelError {
        let said = Said::read(body);
        let class = classify(Some(status), &said);
        let what = summary(class);
        let mut failed = self.error(class, self.sentence(what, Some(status), &said));
        failed.status = Some(status);
        failed.code = said.code.map(|code| self.redaction.name(&code));
        failed.retry_after_ms = retry_after_ms.or(said.retry_after_ms);
        failed
    }

    /// The provider sent an error where more of the answer should have been.
    fn in_stream(&self, body: &Value) -> ModelError {
        let said = Said::of(body);
        let class = classify(said.status, &said);
        let what = summary(class);
        let mut failed = self.error(class, self.sentence(what, said.status, &said));
        failed.status = said.status;
        failed.code = said.code.map(|code| self.redaction.name(&code));
        failed.retry_after_ms = said.retry_after_ms;
        failed
    }

    fn sentence(&self, what: &str, status: Option<u16>, said: &Said) -> String {
        let status = status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
        match said
            .message
            .as_deref()
            .map(|text| self.redaction.message(text))
        {
            Some(text) if !text.is_empty() => format!("{what}{status}: {text}"),
            _ => format!("{what}{status}"),
        }
    }
}

/// What a provider's error says, whatever its form.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) message: Option<String>,
    /// Its type and code, the more telling one first.
    pub(crate) names: Vec<String>,
    pub(crate) code: Option<String>,
    /// A status inside a stream.
    pub(crate) status: Option<u16>,
    /// How long to wait, where the body says it.
    pub(crate) retry_after_ms: Option<u64>,
}

impl Said {
    pub(crate) fn read(body: &[u8]) -> Self {
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            return Self::of(&value);
        }
        // A proxy's page of HTML says nothing to a person at a terminal.
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        Self {
            message: (!text.is_empty() && !text.starts_with('<')).then(|| text.to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn of(body: &Value) -> Self {
        let body = body.get(0).unwrap_or(body);
        let inner = &body["error"];
        let error = if inner.is_object() { inner } else { body };
        let word = |value: &Value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let message = [&error["message"], inner, &body["message"], &body["detail"]]
            .into_iter()
            .find_map(sentence);
        let code = word(&error["code"]).or_else(|| word(&body["code"]));
        // The outer `type` of Anthropic's errors is «error» for all of them.
        let kind = word(&error["type"]).filter(|kind| kind != "error");
        // Google's status is a word, and its details hold one that tells more.
        let google = |name: &str| {
            let details = error["details"].as_array().into_iter().flatten();
            details.take(32).find_map(|detail| detail[name].as_str())
        };
        let kind = kind.or_else(|| {
            let status = error["status"].as_str()?;
            status.parse::<u16>().is_err().then(|| status.to_owned())
        });
        // Anthropic's cause, whose names don't change as its sentences do.
        let cause = error["details"]["error_code"].as_str();
        let reason = cause.or_else(|| google("reason")).map(str::to_owned);
        let number = |value: &Value| {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
            u16::try_from(number)
                .ok()
                .filter(|&it| (400..600).contains(&it))
        };
        let status = number(&error["code"]).or_else(|| number(&error["status"]));
        let meaningful = code.clone().filter(|code| code.parse::<u16>().is_err());
        Self {
            message,
            names: [&reason, &meaningful, &kind]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            retry_after_ms: google("retryDelay").and_then(retry_after::duration_ms),
            code: cause.map(str::to_owned).or(meaningful).or(kind).or(code),
            status,
        }
    }
}

/// A text, or the reasons in a list of complaints. What a complaint repeats of the request is
/// left out: it may be the prompt.
fn sentence(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(list) => {
            let reasons: Vec<&str> = list
                .iter()
                .take(5)
                .filter_map(|entry| entry["msg"].as_str().or_else(|| entry.as_str()))
                .collect();
            (!reasons.is_empty()).then(|| reasons.join("; "))
        }
        Value::Object(inner) => inner.get("detail").and_then(sentence),
        _ => None,
    }
}

fn summary(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Auth => "the key was refused",
        ErrorClass::Billing => "the provider's account has no credit or quota left",
        ErrorClass::RateLimited => "too many requests for now",
        ErrorClass::Overloaded => "the provider is overloaded",
        ErrorClass::ContextOverflow => "the request is longer than the model can read",
        ErrorClass::ModelNotFound => "the provider has no such model",
        ErrorClass::ContentFilter => "the provider's filter refused the request",
        ErrorClass::Server => "the provider failed",
        _ => "the provider refused the request",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(status: u16, body: &Value) -> ErrorClass {
        classify(Some(status), &Said::read(body.to_string().as_bytes()))
    }

    fn failures(key: &str) -> Failures {
        Failures {
            provider: "mock".to_owned(),
            redaction: Redaction::new(Some(&key.to_owned().into())),
            request_id: None,
        }
    }

    #[test]
    fn forms_of_errors_are_all_read() {
        let forms = [
            json!({"error": {"message": "m", "type": "t", "code": "c"}}),
            json!({"type": "error", "error": {"type": "t", "message": "m"}, "request_id": "r"}),
            json!({"error": "m"}),
            json!({"code": "c", "error": "m"}),
            json!({"object": "error", "message": "m", "type": "t", "code": 3000}),
            json!({"detail": "m"}),
            json!({"detail": [{"loc": ["body"], "msg": "m", "input": "secret prompt"}]}),
            json!({"message": {"detail": [{"msg": "m"}]}}),
            json!([{"error": {"code": 400, "message": "m", "status": "INVALID"}}]),
        ];
        for form in forms {
            let said = Said::of(&form);
            assert_eq!(said.message.as_deref(), Some("m"), "{form}");
        }
        assert_eq!(
            Said::read(b"upstream connect error").message.unwrap(),
            "upstream connect error"
        );
        assert_eq!(Said::read(b"<html>oops").message, None);
        assert_eq!(Said::read(b"").message, None);
    }

    #[test]
    fn words_decide_only_where_names_do_not() {
        let generic = |message: &str| json!({"error": {"message": message, "type": "invalid_request_error", "code": null}});
        assert_eq!(
            class(400, &generic("prompt is too long: 9 tokens > 8 maximum")),
            ErrorClass::ContextOverflow
        );
        assert_eq!(
            class(
                400,
                &generic("Your credit balance is too low to access the Anthropic API.")
            ),
            ErrorClass::Billing
        );
        assert_eq!(
            class(400, &generic("bad temperature")),
            ErrorClass::BadRequest
        );
        let limited =
            json!({"error": {"message": "context length", "code": "rate_limit_exceeded"}});
        assert_eq!(class(429, &limited), ErrorClass::RateLimited);
        assert_eq!(
            class(404, &json!({"error": "page not found"})),
            ErrorClass::BadRequest
        );
    }

    #[test]
    fn statuses_decide_where_nothing_else_does() {
        let expected = [
            (400, ErrorClass::BadRequest),
            (401, ErrorClass::Auth),
            (402, ErrorClass::Billing),
            (403, ErrorClass::Auth),
            (404, ErrorClass::BadRequest),
            (408, ErrorClass::Server),
            (413, ErrorClass::ContextOverflow),
            (418, ErrorClass::BadRequest),
            (422, ErrorClass::BadRequest),
            (429, ErrorClass::RateLimited),
            (498, ErrorClass::Overloaded),
            (500, ErrorClass::Server),
            (502, ErrorClass::Server),
            (503, ErrorClass::Overloaded),
            (504, ErrorClass::Server),
            (529, ErrorClass::Overloaded),
            (599, ErrorClass::Server),
        ];
        for (status, expected) in expected {
            assert_eq!(class(status, &json!({})), expected, "{status}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_key() {
        let key = "canary-5f3a9c-key";
        let body = json!({"error": {"message": format!("wrong key: {key}"), "code": key}});
        let error = failures(key).status(401, body.to_string().as_bytes(), None);
        assert_eq!(error.class, ErrorClass::Auth);
        assert_eq!(
            error.to_string(),
            "mock: the key was refused (HTTP 401): wrong key: •••"
        );
        assert!(!format!("{error:?}").contains("5f3a9c"));
        let error = failures(key).decode(&DecodeError::Provider(body));
        assert!(!format!("{error:?}").contains("5f3a9c"));
    }
}
