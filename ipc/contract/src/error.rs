//! The error table: JSON-RPC's own codes and ours, each with its slug and HTTP status.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! error_table {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $slug:literal, $http:literal, $retryable:literal;)+) => {
        /// Every error that the daemon answers with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[doc = $doc])+ $name,)+ }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The JSON-RPC code.
            pub const fn code(self) -> i32 { match self { $(Self::$name => $code,)+ } }

            /// The stable name in `data.slug`.
            pub const fn slug(self) -> &'static str { match self { $(Self::$name => $slug,)+ } }

            /// The status on the HTTP face (RFC 9457).
            pub const fn http_status(self) -> u16 { match self { $(Self::$name => $http,)+ } }

            /// Whether the same call may succeed later without any change.
            pub const fn retryable(self) -> bool { match self { $(Self::$name => $retryable,)+ } }

            /// The code's entry in the table.
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

error_table! {
    /// The line is not JSON.
    ParseError = -32700, "parse_error", 400, false;
    /// Not a request: a batch, no method, a bad id.
    InvalidRequest = -32600, "invalid_request", 400, false;
    /// No such method.
    MethodNotFound = -32601, "method_not_found", 404, false;
    /// Parameters or settings that don't fit.
    InvalidParams = -32602, "invalid_params", 422, false;
    /// A fault of the daemon.
    Internal = -32603, "internal", 500, false;
    /// A call before `initialize`.
    NotInitialized = -32020, "not_initialized", 409, false;
    /// No wire version in common.
    VersionUnsupported = -32021, "version_unsupported", 426, false;
    /// Not who it must be.
    Unauthorized = -32022, "unauthorized", 401, false;
    /// Not allowed.
    Forbidden = -32023, "forbidden", 403, false;
    /// No such thing.
    NotFound = -32024, "not_found", 404, false;
    /// The state is another than the call assumes.
    Conflict = -32025, "conflict", 409, false;
    /// Beyond a limit.
    TooLarge = -32026, "too_large", 413, false;
    /// Too much at once; later it may go.
    Overloaded = -32027, "overloaded", 503, true;
    /// Too often; later it may go.
    RateLimited = -32028, "rate_limited", 429, true;
    /// A budget says no.
    BudgetExceeded = -32030, "budget_exceeded", 402, false;
    /// A cost must be confirmed first.
    ConfirmationRequired = -32031, "confirmation_required", 402, false;
    /// A quota is used up.
    QuotaExhausted = -32032, "quota_exhausted", 402, false;
    /// A licence is needed.
    LicenseRequired = -32033, "license_required", 402, false;
    /// The price of a call is not known.
    PriceUnknown = -32034, "price_unknown", 422, false;
    /// A person must consent first.
    ConsentRequired = -32035, "consent_required", 403, false;
    /// Policy keeps it on the machine.
    EgressDenied = -32036, "egress_denied", 403, false;
    /// The provider failed.
    ProviderError = -32040, "provider_error", 502, false;
    /// No such model now.
    ModelUnavailable = -32041, "model_unavailable", 503, false;
    /// A plugin trapped.
    PluginTrapped = -32042, "plugin_trapped", 500, false;
    /// A key could not be had.
    KeyUnavailable = -32043, "key_unavailable", 503, false;
    /// The database could not be read or written.
    StorageError = -32045, "storage_error", 507, false;
    /// The request was cancelled.
    Cancelled = -32800, "cancelled", 499, false;
}

/// The error object of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RpcError {
    /// A code of the table.
    pub code: i32,
    /// What happened and why, one sentence each, for a person.
    pub message: String,
    /// What a program needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<ErrorData>>,
}

/// The machine-readable part of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// Stable name of the code.
    pub slug: String,
    /// The same call may succeed later.
    pub retryable: bool,
    /// Not before this many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Why it happened, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// A command that gets the person on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For `key_unavailable`: the variables that would hold the key. A client that has one sends
    /// the call once more with it, under the same idempotency key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_names: Vec<String>,
    /// For `confirmation_required`: what is to be confirmed. A client whose user says yes sends the
    /// call once more with its token, under the same idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostToConfirm>,
    /// Finds the call in the daemon's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// A cost that a person may say yes to, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostToConfirm {
    /// For `RunOptions.cost_token`. Good once, for this request at these prices.
    pub cost_token: Uuid,
    /// Until then, UTC milliseconds.
    pub expires_ms: i64,
    /// What it will likely cost: four bytes of text a token, and an answer of the usual length.
    pub expected_nano_usd: i64,
    /// What it may cost at most. `max_cost_nano_usd` of no less counts as the yes.
    pub ceiling_nano_usd: i64,
}

impl RpcError {
    /// An error with the table's slug and no hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: code.code(),
            message: message.into(),
            data: Some(Box::new(ErrorData {
                slug: code.slug().to_owned(),
                retryable: code.retryable(),
                retry_after_ms: None,
                why: None,
                hint: None,
                env_names: Vec::new(),
                cost: None,
                trace_id: None,
            })),
        }
    }

    /// Adds why it happened.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        if let Some(data) = &mut self.data {
            data.why = Some(why.into());
        }
        self
    }

    /// Adds a command that gets the person on.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(data) = &mut self.data {
            data.hint = Some(hint.into());
        }
        self
    }

    /// The table's entry; `None` for a code that this build does not know.
    pub fn kind(&self) -> Option<ErrorCode> {
        ErrorCode::from_code(self.code)
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RpcError {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_and_slugs_are_unique_and_found_again() {
        let mut slugs = HashSet::new();
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(code.code()), Some(code));
            assert!(slugs.insert(code.slug()), "{} twice", code.slug());
        }
    }

    #[test]
    fn ours_stay_clear_of_the_codes_that_others_occupy() {
        for &code in ErrorCode::ALL {
            assert!(!(-32019..=-32000).contains(&code.code()), "{code:?}");
        }
    }
}
