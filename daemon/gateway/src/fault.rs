//! Errors in each wire's own form.

use serde_json::{Value, json};
use thiserror::Error;

use crate::ask::Wire;

/// What kind of error it is, whatever the wire calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The request is not what the wire says, or asks for what is not offered.
    Invalid,
    /// No token, a wrong one, or a provider that does not take its key.
    Authentication,
    /// A budget says no. Trying again is of no use.
    Billing,
    /// Token, policy or provider do not allow it.
    Permission,
    /// No such model or path.
    NotFound,
    /// The request has too many bytes.
    TooLarge,
    /// The request has more tokens than the model reads.
    ContextOverflow,
    /// Too often; later it may go.
    RateLimited,
    /// Too much at once; later it may go.
    Overloaded,
    /// The provider failed.
    Provider,
    /// We failed.
    Internal,
}

impl FaultKind {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Invalid,
        Self::Authentication,
        Self::Billing,
        Self::Permission,
        Self::NotFound,
        Self::TooLarge,
        Self::ContextOverflow,
        Self::RateLimited,
        Self::Overloaded,
        Self::Provider,
        Self::Internal,
    ];
}

/// An error on its way to a program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// What happened, why, and the way out, for a person.
    pub message: String,
    /// The field of the request that it is about, for instance `messages[2].content`.
    pub param: Option<String>,
    /// A program's name for it.
    pub code: Option<String>,
    /// Not before this many milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The same request may succeed later.
    pub retryable: bool,
}

impl Fault {
    /// An error of this kind. Retryable where that is of the kind's nature.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            code: None,
            retry_after_ms: None,
            retryable: matches!(
                kind,
                FaultKind::RateLimited | FaultKind::Overloaded | FaultKind::Provider
            ),
        }
    }

    /// A field that does not fit.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        let param = param.into();
        let mut fault = Self::new(FaultKind::Invalid, format!("{param}: {}", message.into()));
        fault.param = Some(param);
        fault
    }

    /// Something that the wire knows and that is not offered here.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        let mut fault = Self::invalid(param, message);
        fault.code = Some("unsupported_parameter".to_owned());
        fault
    }

    /// Adds the program's name.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The HTTP status. Those of 408, 409, 429 and from 500 on make the official clients try again.
    pub fn status(&self, wire: Wire) -> u16 {
        match self.kind {
            FaultKind::Invalid | FaultKind::ContextOverflow => 400,
            FaultKind::Authentication => 401,
            FaultKind::Billing => 402,
            FaultKind::Permission => 403,
            FaultKind::NotFound => 404,
            FaultKind::TooLarge => 413,
            FaultKind::RateLimited => 429,
            FaultKind::Overloaded if wire == Wire::Messages => 529,
            FaultKind::Overloaded => 503,
            FaultKind::Provider => 502,
            FaultKind::Internal => 500,
        }
    }

    /// The error object, as the wire has it: the body of an answer, or an event of its stream.
    pub fn body(&self, wire: Wire) -> Value {
        match wire {
            Wire::Messages => json!({
                "type": "error",
                "error": {"type": self.anthropic_type(), "message": self.message},
            }),
            Wire::Chat | Wire::Responses => json!({"error": self.openai()}),
        }
    }

    fn openai(&self) -> Value {
        let (kind, code) = self.openai_names();
        json!({
            "message": self.message,
            "type": kind,
            "param": self.param,
            "code": self.code.as_deref().or(code),
        })
    }

    /// As the last event of a stream of Responses has it.
    pub(crate) fn responses(&self) -> Value {
        let (kind, code) = self.openai_names();
        let code = match self.kind {
            // What programs know that nothing helps against.
            FaultKind::Billing => "insufficient_quota",
            FaultKind::RateLimited => "rate_limit_exceeded",
            _ => code.unwrap_or(kind),
        };
        json!({"code": code, "message": self.message})
    }

    fn anthropic_type(&self) -> &'static str {
        match self.kind {
            FaultKind::Invalid | FaultKind::ContextOverflow => "invalid_request_error",
            FaultKind::Authentication => "authentication_error",
            FaultKind::Billing => "billing_error",
            FaultKind::Permission => "permission_error",
            FaultKind::NotFound => "not_found_error",
            FaultKind::TooLarge => "request_too_large",
            FaultKind::RateLimited => "rate_limit_error",
            FaultKind::Overloaded => "overloaded_error",
            FaultKind::Provider | FaultKind::Internal => "api_error",
        }
    }

    fn openai_names(&self) -> (&'static str, Option<&'static str>) {
        match self.kind {
            FaultKind::Invalid | FaultKind::TooLarge => ("invalid_request_error", None),
            FaultKind::Authentication => ("invalid_request_error", Some("provider_key")),
            FaultKind::Billing => ("insufficient_quota", Some("budget_exceeded")),
            FaultKind::Permission => ("invalid_request_error", Some("not_allowed")),
            FaultKind::NotFound => ("invalid_request_error", Some("model_not_found")),
            FaultKind::ContextOverflow => {
                ("invalid_request_error", Some("context_length_exceeded"))
            }
            FaultKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
            FaultKind::Overloaded => ("server_error", Some("overloaded")),
            FaultKind::Provider => ("server_error", Some("provider_error")),
            FaultKind::Internal => ("server_error", None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_no_use_to_repeat_has_no_status_that_clients_repeat() {
        let repeated = |status: u16| matches!(status, 408 | 409 | 429) || status >= 500;
        for &kind in FaultKind::ALL {
            let fault = Fault::new(kind, "why");
            for wire in [Wire::Chat, Wire::Messages, Wire::Responses] {
                let again = repeated(fault.status(wire));
                assert_eq!(
                    again,
                    fault.retryable || kind == FaultKind::Internal,
                    "{kind:?}"
                );
            }
        }
    }

    #[test]
    fn each_wire_has_its_own_form() {
        let mut fault = Fault::invalid("messages[0].role", "is no role");
        assert_eq!(
            fault.body(Wire::Chat),
            json!({"error": {
                "message": "messages[0].role: is no role", "type": "invalid_request_error",
                "param": "messages[0].role", "code": null,
            }})
        );
        fault.kind = FaultKind::Billing;
        assert_eq!(fault.body(Wire::Messages)["error"]["type"], "billing_error");
        assert_eq!(fault.body(Wire::Chat)["error"]["code"], "budget_exceeded");
    }
}
