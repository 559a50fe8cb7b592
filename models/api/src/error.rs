//! How a call fails.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the caller was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A connection.
    Connect,
    /// The first byte of the answer.
    FirstByte,
    /// The next byte of the answer.
    Idle,
    /// The end.
    Total,
}

/// What kind of failure it is: decides about retry, fallback, exit code and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The key is missing, wrong or not allowed to do this.
    Auth,
    /// The provider's own account has no money or quota left.
    Billing,
    /// Too often; later it may go.
    RateLimited,
    /// The provider is overloaded; later it may go.
    Overloaded,
    /// The request is longer than the model's context.
    ContextOverflow,
    /// The provider does not accept the request as it is.
    BadRequest,
    /// No such model there.
    ModelNotFound,
    /// The provider's filter refused the request.
    ContentFilter,
    /// The provider failed inside.
    Server,
    /// No connection: name, route or refusal. Nothing was sent.
    Connect,
    /// No TLS, or its certificate is not to be trusted. Nothing was sent.
    Tls,
    /// It took too long.
    Timeout(Phase),
    /// The connection broke in the middle.
    ConnectionLost,
    /// The answer ended without its end marker, or is not what the dialect says.
    BrokenStream,
    /// The answer is beyond a bound.
    TooLarge,
    /// The provider wants us to go elsewhere; keys do not.
    Redirect,
    /// The permit does not cover the call.
    Denied,
}

impl ErrorClass {
    /// Nothing of the request can have reached the provider, so nothing is billed.
    pub fn nothing_sent(self) -> bool {
        matches!(
            self,
            Self::Connect | Self::Tls | Self::Denied | Self::Timeout(Phase::Connect)
        )
    }

    /// The provider answered with an error instead of an answer, so nothing is billed. An error of
    /// such a class may also end an answer that began: behind any event the call is partial,
    /// whatever the class.
    pub fn refused_whole(self) -> bool {
        matches!(
            self,
            Self::Auth
                | Self::Billing
                | Self::RateLimited
                | Self::Overloaded
                | Self::ContextOverflow
                | Self::BadRequest
                | Self::ModelNotFound
                | Self::ContentFilter
                | Self::Server
                | Self::Redirect
        )
    }

    /// The same call may succeed a moment later.
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Overloaded
                | Self::Server
                | Self::Connect
                | Self::ConnectionLost
                | Self::Timeout(_)
        )
    }

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Billing => "billing",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ContextOverflow => "context_overflow",
            Self::BadRequest => "bad_request",
            Self::ModelNotFound => "model_not_found",
            Self::ContentFilter => "content_filter",
            Self::Server => "server",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout(Phase::Connect) => "timeout_connect",
            Self::Timeout(Phase::FirstByte) => "timeout_first_byte",
            Self::Timeout(Phase::Idle) => "timeout_idle",
            Self::Timeout(Phase::Total) => "timeout_total",
            Self::ConnectionLost => "connection_lost",
            Self::BrokenStream => "broken_stream",
            Self::TooLarge => "too_large",
            Self::Redirect => "redirect",
            Self::Denied => "denied",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed call. Texts are for a person and hold no key, no header, no prompt; what the provider
/// said is quoted bounded, with control characters gone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{provider}: {message}")]
pub struct ModelError {
    /// The provider's configured name.
    pub provider: String,
    /// What kind.
    pub class: ErrorClass,
    /// What happened, in one sentence.
    pub message: String,
    /// HTTP status, where there was one.
    pub status: Option<u16>,
    /// The provider's own code or type.
    pub code: Option<String>,
    /// Not before this many milliseconds, where the provider said so (bounded by the dialect).
    pub retry_after_ms: Option<u64>,
    /// The provider's name for the call.
    pub request_id: Option<String>,
}
