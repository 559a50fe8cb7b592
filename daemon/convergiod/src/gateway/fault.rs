//! Our errors as the wires of others have them.

use convergio_contract::{ErrorCode, RpcError};
use convergio_gateway::{Fault, FaultKind};
use convergio_ledger::{BudgetDenied, Denied, Scope, usd};
use convergio_models_api::ErrorClass;

use crate::{failure, providers, rpc, run_kinds::record::WriteError};

/// The code of an error that means the caller's own token, and not a provider's key.
pub(crate) const TOKEN_FAULT: &str = "invalid_api_key";

/// An error of a run. `class` says what kind a provider's error is.
pub(crate) fn of(error: &WriteError, class: Option<ErrorClass>) -> Fault {
    match error {
        WriteError::Denied(Denied::Budget(budget)) if budget.which.scope == Scope::Token => {
            used_up(budget)
        }
        WriteError::Denied(denied) => of_rpc(&providers::failure::denied(denied), class),
        WriteError::Runs(error) => of_rpc(&rpc::runs_error(error.clone()), class),
        WriteError::Told(error) => of_rpc(error, class),
        WriteError::Cancelled => cancelled(None),
        WriteError::Replay { run_id, .. } => of_rpc(
            &failure::internal("the request was accepted twice", run_id.to_string()),
            class,
        ),
    }
}

/// Why a run ends whose token is taken back meanwhile.
pub(crate) const TAKEN_BACK: &str = "its token was taken back";

/// Somebody ended the run, for this reason where it is known.
pub(crate) fn cancelled(reason: Option<&str>) -> Fault {
    if reason == Some(TAKEN_BACK) {
        let message = "Convergio: the token was revoked while this request was answered";
        return Fault::new(FaultKind::Authentication, message).code(TOKEN_FAULT);
    }
    Fault::new(
        FaultKind::Overloaded,
        "Convergio: the request was cancelled: the daemon is ending, or somebody ended the run",
    )
}

/// The token's own budget is used up. Says so in a way that ends a program instead of making it try
/// again.
fn used_up(budget: &BudgetDenied) -> Fault {
    let name = &budget.which.scope_key;
    let used = budget.posted_nano.saturating_add(budget.pending_nano);
    let window = match budget.which.window {
        convergio_ledger::Window::Day => "today's budget",
        _ => "the budget",
    };
    let why = if budget.frozen {
        "the provider billed more than was held for a request".to_owned()
    } else {
        format!(
            "{} of {} are spent or held, and this request may cost {}",
            usd(used),
            usd(budget.limit_nano),
            usd(budget.needed_nano)
        )
    };
    let state = match used {
        0 => "is too small for this request",
        _ => "is used up",
    };
    Fault::new(
        FaultKind::Billing,
        format!(
            "Convergio: {window} of {name} {state}: {why}; nothing was sent. A new start with \
             more: `cv guard --max USD -- …` or `cv token create NAME --max USD`"
        ),
    )
}

/// A wait that a program is asked for at most; beyond it the error says when, and that trying again
/// is no use.
const RETRY_AFTER_MAX_MS: u64 = 60_000;

/// An error of ours.
pub(crate) fn of_rpc(error: &RpcError, class: Option<ErrorClass>) -> Fault {
    let kind = class.and_then(of_class).unwrap_or_else(|| of_code(error));
    let mut message = format!("Convergio: {}", error.message);
    let data = error.data.as_deref();
    if let Some(why) = data.and_then(|data| data.why.as_deref()) {
        message.push_str(": ");
        message.push_str(why);
    }
    if let Some(hint) = data.and_then(|data| data.hint.as_deref()) {
        message.push_str(". ");
        message.push_str(hint);
    }
    if kind == FaultKind::ContextOverflow {
        // What programs look for that shorten their conversation then.
        message = format!("prompt is too long: {message}");
    }
    let mut fault = Fault::new(kind, message);
    fault.retry_after_ms = data.and_then(|data| data.retry_after_ms);
    match kind {
        FaultKind::Provider => fault.retryable = data.is_none_or(|data| data.retryable),
        FaultKind::Overloaded if data.is_some_and(|data| !data.retryable) => {
            fault.retryable = false;
        }
        _ => {}
    }
    // The official clients sleep as long as they are told, in silence: nobody wants ten minutes.
    if fault
        .retry_after_ms
        .is_some_and(|wait_ms| wait_ms > RETRY_AFTER_MAX_MS)
    {
        fault.retryable = false;
    }
    fault
}

fn of_class(class: ErrorClass) -> Option<FaultKind> {
    Some(match class {
        ErrorClass::Auth => FaultKind::Authentication,
        ErrorClass::Billing => FaultKind::Billing,
        ErrorClass::RateLimited => FaultKind::RateLimited,
        ErrorClass::Overloaded => FaultKind::Overloaded,
        ErrorClass::ContextOverflow => FaultKind::ContextOverflow,
        ErrorClass::BadRequest | ErrorClass::ContentFilter => FaultKind::Invalid,
        ErrorClass::ModelNotFound => FaultKind::NotFound,
        ErrorClass::Denied => FaultKind::Permission,
        ErrorClass::Server
        | ErrorClass::Connect
        | ErrorClass::Tls
        | ErrorClass::Timeout(_)
        | ErrorClass::ConnectionLost
        | ErrorClass::BrokenStream
        | ErrorClass::TooLarge
        | ErrorClass::Redirect => FaultKind::Provider,
    })
}

fn of_code(error: &RpcError) -> FaultKind {
    let Some(code) = error.kind() else {
        return FaultKind::Internal;
    };
    match code {
        ErrorCode::InvalidParams | ErrorCode::PriceUnknown | ErrorCode::InvalidRequest => {
            FaultKind::Invalid
        }
        // The wires' own word for a key that is missing.
        ErrorCode::Unauthorized | ErrorCode::KeyUnavailable => FaultKind::Authentication,
        ErrorCode::Forbidden | ErrorCode::EgressDenied | ErrorCode::ConsentRequired => {
            FaultKind::Permission
        }
        ErrorCode::NotFound | ErrorCode::MethodNotFound => FaultKind::NotFound,
        ErrorCode::TooLarge => FaultKind::ContextOverflow,
        ErrorCode::RateLimited => FaultKind::RateLimited,
        ErrorCode::Overloaded | ErrorCode::Cancelled => FaultKind::Overloaded,
        ErrorCode::BudgetExceeded
        | ErrorCode::ConfirmationRequired
        | ErrorCode::QuotaExhausted
        | ErrorCode::LicenseRequired => FaultKind::Billing,
        ErrorCode::ProviderError => FaultKind::Provider,
        ErrorCode::ModelUnavailable => {
            let passing = error.data.as_ref().is_some_and(|data| data.retryable);
            match passing {
                true => FaultKind::Overloaded,
                false => FaultKind::NotFound,
            }
        }
        _ => FaultKind::Internal,
    }
}
