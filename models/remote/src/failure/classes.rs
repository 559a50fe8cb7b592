//! What kind of failure a provider's error is: by its name, by its words, by its status.

use convergio_models_api::ErrorClass;

use super::Said;

const BY_NAME: &[(&[&str], ErrorClass)] = &[
    (
        &[
            "authentication_error",
            "unauthenticated",
            "api_key_invalid",
            "api_key_expired",
            "invalid_api_key",
            "invalid_authentication",
            "invalid_authentication_error",
            "unauthorized",
            "invalid_organization",
            "account_deactivated",
            "permission_error",
            "permission_denied",
            "insufficient_permissions",
            "unsupported_country_region_territory",
            "organization_on_hold",
        ],
        ErrorClass::Auth,
    ),
    (
        &[
            "billing_error",
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "insufficient_balance",
            "exceeded_current_quota_error",
            "payment_required",
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "linked_organization_spend_limit_reached",
            "linked_organization_billing_unavailable",
        ],
        ErrorClass::Billing,
    ),
    (
        &[
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limited",
            "too_many_requests",
            "rate_limit_reached_error",
            "resource_exhausted",
            "ramp_limit_exceeded",
        ],
        ErrorClass::RateLimited,
    ),
    (
        &[
            "overloaded_error",
            "engine_overloaded",
            "engine_overloaded_error",
            "server_overloaded",
            "slow_down",
            "capacity_exceeded",
            "service_unavailable",
            "service_unavailable_error",
            "unavailable_error",
            "serviceunavailable",
            "nocapacity",
            "unavailable",
        ],
        ErrorClass::Overloaded,
    ),
    (
        &[
            "context_length_exceeded",
            "exceed_context_size_error",
            "request_too_large",
            "request_body_too_large_after_decoding",
            "string_above_max_length",
        ],
        ErrorClass::ContextOverflow,
    ),
    (
        &[
            "model_not_found",
            "model_not_available",
            "deploymentnotfound",
        ],
        ErrorClass::ModelNotFound,
    ),
    (
        &[
            "content_filter",
            "content_policy_violation",
            "image_content_policy_violation",
            "misalignment_policy_violation",
            "bio_policy",
            "invalid_prompt",
            "moderation_blocked",
        ],
        ErrorClass::ContentFilter,
    ),
    (
        &[
            "api_error",
            "server_error",
            "internal_error",
            "internal_server_error",
            "timeout_error",
            "internal",
            "deadline_exceeded",
        ],
        ErrorClass::Server,
    ),
];

/// Pieces of sentences by which servers without codes are told apart, and the statuses under
/// which they are believed.
const BY_PHRASE: &[(&[u16], &[&str], ErrorClass)] = &[
    (
        &[0, 400, 413, 422, 500],
        &[
            "maximum context length",
            "context length",
            "context window",
            "context size",
            "context limit",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "too many tokens",
            "token limit exceeded",
            "exceeds the maximum number of tokens",
        ],
        ErrorClass::ContextOverflow,
    ),
    (
        &[0, 400, 403, 429],
        &[
            "credit balance is too low",
            "insufficient balance",
            "insufficient credits",
            "exceeded your current quota",
            "api usage limits",
            "spend limit",
            "spending limit",
        ],
        ErrorClass::Billing,
    ),
    (&[400, 403], &["api key", "api-key"], ErrorClass::Auth),
    (
        &[400, 403],
        &[
            "requires moderation",
            "was flagged",
            "content management policy",
        ],
        ErrorClass::ContentFilter,
    ),
    (
        &[0, 400, 404],
        &["model not found", "no such model", "not a valid model"],
        ErrorClass::ModelNotFound,
    ),
    (
        &[0, 500],
        &["overloaded", "server busy"],
        ErrorClass::Overloaded,
    ),
];

/// The class of an error: by the provider's own name for it, by its words where that says too
/// little, by the status.
pub(super) fn classify(status: Option<u16>, said: &Said) -> ErrorClass {
    let named = said.names.iter().find_map(|name| {
        let name = name.to_ascii_lowercase();
        let row = BY_NAME.iter().find(|(names, _)| names.contains(&&*name));
        row.map(|(_, class)| *class)
    });
    // «invalid_request_error» and «api_error» are said of everything.
    if let Some(class) = named.filter(|&class| class != ErrorClass::Server) {
        return class;
    }
    let words = said.message.as_deref().unwrap_or("").to_lowercase();
    let phrased = BY_PHRASE.iter().find(|(statuses, phrases, _)| {
        statuses.contains(&status.filter(|&it| it >= 400).unwrap_or(0))
            && phrases.iter().any(|it| words.contains(it))
    });
    if let Some((_, _, class)) = phrased {
        return *class;
    }
    match status {
        // An error inside an answer that began well.
        None | Some(200..=299) => named.unwrap_or(ErrorClass::Server),
        Some(401 | 403 | 407) => ErrorClass::Auth,
        Some(402) => ErrorClass::Billing,
        Some(404) if words.contains("model") => ErrorClass::ModelNotFound,
        Some(413) => ErrorClass::ContextOverflow,
        Some(429) => ErrorClass::RateLimited,
        // 498: Groq's flexible tier is full; 529: Anthropic.
        Some(498 | 503 | 529) => ErrorClass::Overloaded,
        Some(408 | 500..) => ErrorClass::Server,
        Some(_) => ErrorClass::BadRequest,
    }
}
