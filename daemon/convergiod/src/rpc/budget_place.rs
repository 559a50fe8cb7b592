//! Where a limit is kept: a setting of its own, the list of the others, or the books.

use convergio_config::{LimitScope, LimitWindow, ScopedLimit};
use convergio_contract::{RpcError, budget::BudgetOf};
use convergio_ledger::Window;

use crate::failure;

/// The settings behind the limits of everybody's day and month.
pub(super) const DAILY: &str = "budget.daily_usd";
pub(super) const MONTHLY: &str = "budget.monthly_usd";

fn window(word: &str) -> Result<(LimitWindow, Window), RpcError> {
    Ok(match word {
        "day" => (LimitWindow::Daily, Window::Day),
        "month" => (LimitWindow::Monthly, Window::Month),
        "run" => (LimitWindow::Run, Window::Run),
        "session" => (LimitWindow::Session, Window::Session),
        "total" => (LimitWindow::Total, Window::Total),
        other => {
            return Err(
                failure::invalid(format!("there is no budget of a {other:?}"))
                    .why("`window` takes day, month, run, session and total")
                    .hint("cv budget set daily 2.00"),
            );
        }
    })
}

/// Where a limit is kept.
pub(super) enum Place {
    /// A setting of its own.
    Key(&'static str),
    /// The list of the others, there as this one of no amount.
    Listed(ScopedLimit),
    /// The books: the limit of a token.
    Token(String, Window),
}

pub(super) fn find_place(of: Option<BudgetOf>, word: &str, warns: bool) -> Result<Place, RpcError> {
    let (named, window) = window(word)?;
    let (scope, name) = match of {
        Some(BudgetOf::Token(name)) if !warns => return Ok(Place::Token(name, window)),
        Some(BudgetOf::Token(_)) => {
            return Err(failure::invalid("a token's limit always stops")
                .why("a program that came in with it would not be told")
                .hint("cv budget list"));
        }
        None if window == Window::Day && warns => {
            return Err(
                failure::invalid("the daily limit of everybody always stops")
                    .why("a limit that is only told can be set beside it")
                    .hint("cv budget set monthly 20.00 --mode warn"),
            );
        }
        None if window == Window::Day => return Ok(Place::Key(DAILY)),
        None if window == Window::Month && !warns => return Ok(Place::Key(MONTHLY)),
        None => (LimitScope::All, String::new()),
        Some(BudgetOf::Provider(name)) => (LimitScope::Provider, name),
        Some(BudgetOf::Agent(name)) => (LimitScope::Agent, name),
        Some(BudgetOf::Plugin(name)) => (LimitScope::Plugin, name),
    };
    Ok(Place::Listed(ScopedLimit {
        scope,
        name,
        window: named,
        limit_nano_usd: 0,
        warns,
    }))
}

/// The command that says the same, for the list of changes.
pub(super) fn label(
    verb: &str,
    word: &str,
    amount: &str,
    of: Option<&BudgetOf>,
    warns: bool,
) -> String {
    let word = match word {
        "day" => "daily",
        "month" => "monthly",
        other => other,
    };
    let mut label = format!("cv budget {verb} {word}");
    if !amount.is_empty() {
        label.push_str(&format!(" {amount}"));
    }
    match of {
        Some(BudgetOf::Provider(name)) => label.push_str(&format!(" --provider {name}")),
        Some(BudgetOf::Agent(name)) => label.push_str(&format!(" --agent {name}")),
        Some(BudgetOf::Plugin(name)) => label.push_str(&format!(" --plugin {name}")),
        Some(BudgetOf::Token(name)) => label.push_str(&format!(" --token {name}")),
        None => {}
    }
    if warns {
        label.push_str(" --mode warn");
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_one_place() {
        let of = |name: &str| Some(BudgetOf::Provider(name.to_owned()));
        assert!(matches!(
            find_place(None, "day", false),
            Ok(Place::Key(DAILY))
        ));
        assert!(matches!(
            find_place(None, "month", false),
            Ok(Place::Key(MONTHLY))
        ));
        assert!(find_place(None, "day", true).is_err());
        assert!(find_place(None, "week", false).is_err());
        for (of, word, warns, text) in [
            (None, "month", true, "all monthly 0.00 warn"),
            (None, "session", false, "all session 0.00"),
            (of("mock"), "day", false, "provider:mock daily 0.00"),
            (of("mock"), "month", true, "provider:mock monthly 0.00 warn"),
        ] {
            match find_place(of, word, warns) {
                Ok(Place::Listed(limit)) => assert_eq!(limit.to_string(), text),
                _ => panic!("{text}"),
            }
        }
        let token = Some(BudgetOf::Token("claude".to_owned()));
        assert!(find_place(token.clone(), "total", true).is_err());
        assert!(matches!(
            find_place(token, "total", false),
            Ok(Place::Token(_, Window::Total))
        ));
    }

    #[test]
    fn the_label_is_the_command() {
        let agent = BudgetOf::Agent("rex".to_owned());
        assert_eq!(
            label("set", "month", "5.00", Some(&agent), true),
            "cv budget set monthly 5.00 --agent rex --mode warn"
        );
        assert_eq!(label("rm", "day", "", None, false), "cv budget rm daily");
    }
}
