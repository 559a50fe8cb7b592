//! Why a model did not answer, as it travels: what happened, why, and the way out.

use convergio_config::secrets::KeyUnavailable;
use convergio_contract::{ErrorCode, RpcError};
use convergio_engine::{NoModel, machine::words};
use convergio_ledger::{Denied, LedgerError, usd};
use convergio_models_api::{ErrorClass, ModelError};

use crate::failure;

/// There is no model to ask.
pub(crate) fn no_model(why: &NoModel) -> RpcError {
    match why {
        NoModel::Nothing => RpcError::new(ErrorCode::ModelUnavailable, "No model yet.")
            .why("none is configured, no key is there, and none runs on this machine")
            .hint("Local: `cv setup`. Cloud: `export ANTHROPIC_API_KEY=…`"),
        NoModel::NotLocal { target } => {
            RpcError::new(ErrorCode::EgressDenied, format!("{target} was not asked"))
                .why("the policy is local-only, and it does not run on this machine")
                .hint("cv provider list")
        }
    }
}

/// A model whose provider nobody knows.
pub(crate) fn unknown_provider(name: &str, known: impl Iterator<Item = String>) -> RpcError {
    let known: Vec<String> = known.collect();
    RpcError::new(
        ErrorCode::ModelUnavailable,
        format!("there is no provider {name:?}"),
    )
    .why(format!("those that may be asked are {}", known.join(", ")))
    .hint("cv provider list")
}

/// The key is nowhere. The client may have it.
pub(crate) fn key(missing: &KeyUnavailable) -> RpcError {
    let mut error = RpcError::new(
        ErrorCode::KeyUnavailable,
        format!("there is no key for {}", missing.provider),
    )
    .why(missing.to_string())
    .hint(missing.hint());
    if let Some(data) = &mut error.data {
        data.env_names.clone_from(&missing.env_names);
    }
    error
}

/// A call that failed. `model` is `provider/model`.
pub(crate) fn model(error: &ModelError, model: &str) -> RpcError {
    let provider = &error.provider;
    let code = match error.class {
        ErrorClass::RateLimited => ErrorCode::RateLimited,
        ErrorClass::Overloaded | ErrorClass::ModelNotFound => ErrorCode::ModelUnavailable,
        ErrorClass::ContextOverflow => ErrorCode::TooLarge,
        ErrorClass::Denied => ErrorCode::EgressDenied,
        _ => ErrorCode::ProviderError,
    };
    let hint = match error.class {
        ErrorClass::Auth => format!("cv provider set-key {provider}"),
        ErrorClass::ModelNotFound
        | ErrorClass::Connect
        | ErrorClass::Tls
        | ErrorClass::Timeout(_)
        | ErrorClass::Redirect => {
            format!("cv provider test {provider}")
        }
        ErrorClass::ContextOverflow => "cv ask --dry-run".to_owned(),
        _ => "cv provider list".to_owned(),
    };
    let mut told = RpcError::new(
        code,
        format!("{model} did not answer: {}", words(error.class)),
    )
    .why(error.message.clone())
    .hint(hint);
    if let Some(data) = &mut told.data {
        data.retryable = error.class.is_passing();
        data.retry_after_ms = error.retry_after_ms;
    }
    told
}

/// A call that was not allowed. Nothing was sent.
pub(crate) fn denied(denied: &Denied) -> RpcError {
    match denied {
        Denied::Policy { model, reason, .. } => {
            RpcError::new(ErrorCode::EgressDenied, format!("{model} was not asked"))
                .why(format!("{reason}; nothing was sent"))
                .hint("cv config explain models.policy")
        }
        Denied::PriceUnknown { provider, model } => RpcError::new(
            ErrorCode::PriceUnknown,
            format!("nobody says what {provider}/{model} costs"),
        )
        .why("a model without a price is not asked; nothing was sent")
        .hint(format!(
            "cv config set 'provider.{provider}.model.\"{model}\".price.input' 3.00 (and …price.output)"
        )),
        Denied::Budget(budget) => {
            let error = RpcError::new(
                ErrorCode::BudgetExceeded,
                format!("{} is used up; nothing was sent", budget.which),
            )
            .why(budget.to_string());
            match budget.which.window {
                convergio_ledger::Window::Day => error.hint("cv budget set daily 2.00"),
                _ => error.hint(format!("cv ask --max-cost {}", usd(budget.needed_nano).trim_start_matches('$'))),
            }
        }
        Denied::Ledger(error) => ledger(error),
    }
}

/// The books could not be read or written.
pub(crate) fn ledger(error: &LedgerError) -> RpcError {
    match error {
        LedgerError::Store(error) => failure::store(error),
        LedgerError::NotFound { .. } => {
            RpcError::new(ErrorCode::NotFound, error.to_string()).hint("cv usage")
        }
        LedgerError::Invalid { .. } | LedgerError::TimeZone { .. } | LedgerError::Money(_) => {
            RpcError::new(ErrorCode::InvalidParams, error.to_string()).hint("cv budget list")
        }
        _ => failure::internal("the ledger refused", error.to_string()),
    }
}

/// Money was never given leave for, and there is somebody to ask.
pub(crate) fn confirm_cap(model: &str, cap_nano_usd: i64) -> RpcError {
    RpcError::new(
        ErrorCode::ConfirmationRequired,
        format!("{model} costs money, and no daily limit was chosen"),
    )
    .why(format!(
        "without a choice it is {} a day; nothing was sent",
        usd(cap_nano_usd)
    ))
    .hint("cv budget set daily 2.00")
}
