//! Why a model did not answer, as it travels: what happened, why, and the way out.

use convergio_config::secrets::KeyUnavailable;
use convergio_contract::{ErrorCode, RpcError};
use convergio_engine::{Cooling, NoModel, Unfit, machine::words};
use convergio_ledger::{BudgetDenied, Denied, LedgerError, usd};
use convergio_models_api::{ErrorClass, ModelError, Policy};

use super::Configured;
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
        NoModel::Unfit(left) => {
            let name = left.target.to_string();
            match &left.why {
                Unfit::TooLong { tokens, context } => too_long(&name, *tokens, *context),
                Unfit::NoPrice => denied(&Denied::PriceUnknown {
                    provider: left.target.provider.clone(),
                    model: left.target.model.clone(),
                }),
                Unfit::Cooling(why) => cooling(&name, why),
                Unfit::Missing(_) | Unfit::NotLocal | Unfit::NoProvider | Unfit::NotAsked => {
                    RpcError::new(ErrorCode::ModelUnavailable, format!("{name} was not asked"))
                        .why(format!("{}; nothing was sent", left.why))
                        .hint("cv models")
                }
            }
        }
    }
}

/// A model that is left alone for now. Nothing was sent.
pub(crate) fn cooling(model: &str, why: &Cooling) -> RpcError {
    let code = match why.class {
        ErrorClass::RateLimited => ErrorCode::RateLimited,
        _ => ErrorCode::ModelUnavailable,
    };
    let provider = why.who.split('/').next().unwrap_or_default();
    let mut error = RpcError::new(code, format!("{model} was not asked"))
        .why(format!("{}; nothing was sent", Unfit::Cooling(why.clone())))
        .hint(format!("cv provider test {provider}"));
    if let Some(data) = &mut error.data {
        data.retryable = true;
        data.retry_after_ms = Some(why.for_ms);
    }
    error
}

/// Every place at the provider is taken. Nothing was sent.
pub(crate) fn no_place(provider: &str, waited_ms: u128) -> RpcError {
    let mut error = RpcError::new(
        ErrorCode::Overloaded,
        format!("{provider} had no free place; nothing was sent"),
    )
    .why(format!(
        "as many calls as it takes at once are open, for {} s",
        waited_ms / 1_000
    ))
    .hint(format!("cv config explain provider.{provider}.concurrency"));
    if let Some(data) = &mut error.data {
        data.retryable = true;
    }
    error
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

/// The client may have the key in a variable that nobody sends unasked.
pub(crate) fn ask_client(provider: &Configured) -> RpcError {
    let names = provider.key_env.join(", ");
    let mut error = RpcError::new(
        ErrorCode::KeyUnavailable,
        format!("the key for {} may be in {names}", provider.name),
    )
    .why("the caller's own variables come before any other place")
    .hint(format!("cv provider test {}", provider.name));
    if let Some(data) = &mut error.data {
        data.env_names.clone_from(&provider.key_env);
    }
    error
}

/// The same for keys of several providers.
pub(crate) fn ask_client_for(names: Vec<String>) -> RpcError {
    let mut error = RpcError::new(
        ErrorCode::KeyUnavailable,
        format!("a key may be in {}", names.join(", ")),
    )
    .why("the caller's own variables come before any other place")
    .hint("cv provider list");
    if let Some(data) = &mut error.data {
        data.env_names = names;
    }
    error
}

/// No model answers to a word.
pub(crate) fn nobody_is_called(name: &str, policy: Policy, example: Option<&str>) -> RpcError {
    let why = match name {
        _ if policy == Policy::LocalOnly => {
            "the policy is local-only, and no model runs on this machine now".to_owned()
        }
        "private" => "no model runs on this machine now".to_owned(),
        "cheap" => {
            "no provider whose key is there has a model with a price, and none runs on this \
                    machine"
                .to_owned()
        }
        _ => format!(
            "no provider whose key is there has a model that the catalogue calls {name}, and none \
             runs on this machine"
        ),
    };
    let hint = match example {
        Some(model) if name != "private" && policy != Policy::LocalOnly => {
            format!("cv config set models.alias.{name} {model}")
        }
        _ => "cv setup".to_owned(),
    };
    RpcError::new(
        ErrorCode::ModelUnavailable,
        format!("no model answers to {name:?}"),
    )
    .why(why)
    .hint(hint)
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
        ErrorClass::ContextOverflow => "cv models".to_owned(),
        _ => "cv provider list".to_owned(),
    };
    let mut told = RpcError::new(
        code,
        format!("{model} did not answer: {}", words(error.class)),
    )
    .why(match error.retry_after_ms {
        Some(wait_ms) if error.class.is_passing() => format!(
            "{}; it wants to be left alone for {}",
            error.message,
            convergio_engine::router::wait(wait_ms)
        ),
        _ => error.message.clone(),
    })
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
            "cv provider add {provider} --model {model} --input-price USD --output-price USD"
        )),
        Denied::Budget(budget) => {
            let passing = held_by_others(budget);
            let state = match (budget.frozen, passing) {
                (true, _) => "frozen",
                (false, true) => "held by calls in progress",
                (false, false) => "used up",
            };
            let mut error = RpcError::new(
                ErrorCode::BudgetExceeded,
                format!("{} is {state}; nothing was sent", budget.which),
            )
            .why(budget.to_string())
            .hint(way_out(budget, passing));
            if let Some(data) = &mut error.data {
                data.retryable = passing;
            }
            error
        }
        Denied::Ledger(error) => ledger(error),
    }
}

/// There is room once the calls in progress have ended: most of what they hold comes back.
fn held_by_others(budget: &BudgetDenied) -> bool {
    let settled = budget.posted_nano.saturating_add(budget.needed_nano);
    !budget.frozen && budget.pending_nano > 0 && settled <= budget.limit_nano
}

/// What gets a person on where a budget said no.
fn way_out(budget: &BudgetDenied, passing: bool) -> String {
    use convergio_ledger::{Scope, Window};
    let window = match budget.which.window {
        Window::Day => "daily",
        Window::Month => "monthly",
        Window::Run => {
            return format!(
                "the same again with --max-cost {}",
                cents_up(budget.needed_nano)
            );
        }
        _ => return "cv budget list".to_owned(),
    };
    let whose = match budget.which.scope {
        Scope::Tenant => String::new(),
        scope @ (Scope::Provider | Scope::Agent | Scope::Plugin | Scope::Token) => {
            format!(" --{scope} {}", budget.which.scope_key)
        }
        _ => return "cv budget list".to_owned(),
    };
    let set = format!("cv budget set {window} {}{whose}", enough_usd(budget));
    if passing {
        format!("ask again when they have ended; to have more at once: `{set}`")
    } else {
        set
    }
}

/// A question that no model with this context can read. Nothing was sent.
pub(crate) fn too_long(model: &str, tokens: u64, context: u64) -> RpcError {
    RpcError::new(
        ErrorCode::TooLarge,
        format!("the question is too long for {model}; nothing was sent"),
    )
    .why(format!(
        "it has more than {tokens} tokens, and the model reads {context}"
    ))
    .hint("cv models")
}

/// The next round daily limit with which the call would go, another one than now: that opens a
/// frozen budget as well.
fn enough_usd(budget: &BudgetDenied) -> String {
    const CENT: i64 = 10_000_000;
    let needed = budget
        .posted_nano
        .saturating_add(budget.pending_nano)
        .saturating_add(budget.needed_nano);
    let steps = (0..12_u32).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
    let mut round = steps.map(|cents| cents.saturating_mul(CENT));
    let enough = round.find(|limit| *limit >= needed && *limit > budget.limit_nano);
    let cents = enough.unwrap_or(needed) / CENT;
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The next cent up, so that the amount is enough.
pub(crate) fn cents_up(nano: i64) -> String {
    let cents = nano.saturating_add(9_999_999) / 10_000_000;
    format!("{}.{:02}", cents / 100, cents % 100)
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

#[cfg(test)]
mod tests {
    use convergio_ledger::{BudgetName, Scope, Window};

    use super::*;

    fn denied_with(limit: i64, posted: i64, needed: i64) -> BudgetDenied {
        BudgetDenied {
            which: BudgetName {
                id: convergio_contract::Uuid::nil(),
                scope: Scope::Tenant,
                scope_key: String::new(),
                window: Window::Day,
            },
            limit_nano: limit,
            posted_nano: posted,
            pending_nano: 0,
            needed_nano: needed,
            frozen: false,
            resets_at_ms: None,
        }
    }

    #[test]
    fn what_others_only_hold_is_not_called_used_up() {
        const CENT: i64 = 10_000_000;
        let mut budget = denied_with(100 * CENT, 2 * CENT, 6 * CENT);
        budget.pending_nano = 98 * CENT;
        let told = denied(&Denied::Budget(Box::new(budget.clone())));
        assert!(told.message.contains("held by calls in progress"), "{told}");
        assert!(told.data.as_ref().unwrap().retryable);
        budget.posted_nano = 95 * CENT;
        budget.which.window = Window::Month;
        budget.which.scope = Scope::Provider;
        budget.which.scope_key = "acme".to_owned();
        let told = denied(&Denied::Budget(Box::new(budget)));
        assert!(told.message.contains("used up"), "{told}");
        let hint = told.data.unwrap().hint.unwrap();
        assert_eq!(hint, "cv budget set monthly 2.00 --provider acme");
    }

    #[test]
    fn the_limit_that_is_proposed_is_higher_and_enough() {
        const USD: i64 = 1_000_000_000;
        assert_eq!(enough_usd(&denied_with(USD, 0, 2 * USD)), "2.00");
        assert_eq!(
            enough_usd(&denied_with(4 * USD, 4_780_000_000, 60_000_000)),
            "5.00"
        );
        assert_eq!(enough_usd(&denied_with(USD, USD / 10, USD / 20)), "2.00");
        assert_eq!(enough_usd(&denied_with(0, 0, 1)), "0.01");
    }
}
