//! The caller's own provider keys, and what a refused start needs to be tried once more.

use std::collections::BTreeMap;

use convergio_client::{Client, ClientError};
use convergio_contract::{
    ErrorCode, SecretText,
    budget::{BudgetList, BudgetSet, BudgetSetParams},
    method::Empty,
    model::Preview,
    run::RunOptions,
    secret::KEY_VARIABLES,
};

use crate::{
    context::Context,
    daemon,
    error::Failure,
    hint::Hint,
    spending::{self, NEVER_USD},
};

/// Variables that a daemon may ask for by name.
const ASKED_MAX: usize = 16;

/// The keys that are set in the environment, of those that the built-in catalogue names.
pub fn exported() -> BTreeMap<String, SecretText> {
    KEY_VARIABLES
        .iter()
        .filter_map(|&name| Some((name.to_owned(), variable(name)?)))
        .collect()
}

fn variable(name: &str) -> Option<SecretText> {
    let value = std::env::var(name).ok()?;
    (!value.trim().is_empty()).then(|| SecretText::new(value))
}

/// The same for a preview, which tells a missing key as what it would be refused for.
pub fn add_missing(
    asked: &Result<Preview, ClientError>,
    keys: &mut BTreeMap<String, SecretText>,
) -> bool {
    match asked {
        Ok(Preview {
            refusal: Some(refusal),
            ..
        }) => add_asked_or_empty(&ClientError::Rpc(refusal.clone()), keys),
        Ok(_) => false,
        Err(error) => add_asked_or_empty(error, keys),
    }
}

/// Adds the variables that the daemon asks for and that are set here. False where there is none
/// that it has not got already.
pub fn add_asked(error: &ClientError, keys: &mut BTreeMap<String, SecretText>) -> bool {
    let ClientError::Rpc(error) = error else {
        return false;
    };
    if error.kind() != Some(ErrorCode::KeyUnavailable) {
        return false;
    }
    let names = error.data.iter().flat_map(|data| &data.env_names);
    add(names, keys)
}

/// Says of the variables that the daemon asks for and that are set nowhere that they are empty: it
/// then goes on without that key, where it can. False where it knew that of all of them.
pub fn tell_empty(error: &ClientError, keys: &mut BTreeMap<String, SecretText>) -> bool {
    let ClientError::Rpc(error) = error else {
        return false;
    };
    if error.kind() != Some(ErrorCode::KeyUnavailable) {
        return false;
    }
    let before = keys.len();
    let names = error.data.iter().flat_map(|data| &data.env_names);
    for name in names.take(ASKED_MAX) {
        keys.entry(name.clone())
            .or_insert_with(|| SecretText::new(String::new()));
    }
    keys.len() > before
}

/// The same, with a variable that is not set here sent empty, which says so.
pub fn add_asked_or_empty(error: &ClientError, keys: &mut BTreeMap<String, SecretText>) -> bool {
    let found = add_asked(error, keys);
    let ClientError::Rpc(error) = error else {
        return found;
    };
    if error.kind() != Some(ErrorCode::KeyUnavailable) {
        return found;
    }
    let before = keys.len();
    let names = error.data.iter().flat_map(|data| &data.env_names);
    for name in names.take(ASKED_MAX) {
        keys.entry(name.clone())
            .or_insert_with(|| SecretText::new(""));
    }
    found || keys.len() > before
}

/// Adds those of the named variables that are set here. False where that is none that was not
/// there already.
pub fn add<'n>(
    names: impl Iterator<Item = &'n String>,
    keys: &mut BTreeMap<String, SecretText>,
) -> bool {
    let mut added = false;
    for name in names.take(ASKED_MAX) {
        if !keys.contains_key(name)
            && let Some(value) = variable(name)
        {
            keys.insert(name.clone(), value);
            added = true;
        }
    }
    added
}

/// Mends what a start was refused for, each thing once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mending {
    keys: bool,
    cap: bool,
    cost: bool,
    declined: bool,
}

impl Mending {
    /// The person was asked and wants nothing spent: no cloud model is to be asked now.
    pub const fn declined(self) -> bool {
        self.declined
    }

    /// Changes the options so that the same start may succeed, or gives the refusal back. The
    /// run's id stays, so nothing can start twice.
    pub async fn mend(
        &mut self,
        error: ClientError,
        options: &mut RunOptions,
        client: &Client,
        context: &mut Context,
    ) -> Result<(), Failure> {
        if !self.keys {
            // A variable that is not set here is sent empty, which says so: the daemon then looks
            // elsewhere.
            if add_asked_or_empty(&error, &mut options.keys) {
                self.keys = true;
                return Ok(());
            }
        }
        if let ClientError::Rpc(refused) = &error
            && let Some(cost) = refused.data.as_ref().and_then(|data| data.cost.as_ref())
            && options.can_ask
            && !self.cost
        {
            self.cost = true;
            if spending::ask_to_go_on(refused, context).await? {
                options.cost_token = Some(cost.cost_token);
                return Ok(());
            }
            self.declined = true;
            return Err(daemon::failure(error));
        }
        let unconfirmed = matches!(
            &error,
            ClientError::Rpc(error) if error.kind() == Some(ErrorCode::ConfirmationRequired)
        );
        if unconfirmed && !self.cap && options.can_ask {
            let budgets = client
                .call::<BudgetList>(&Empty {})
                .await
                .map_err(daemon::failure)?
                .budgets;
            if budgets
                .iter()
                .any(|budget| budget.window == "day" && !budget.chosen)
            {
                self.cap = true;
                let Some(limit_usd) = spending::ask_for_cap(context).await? else {
                    self.declined = true;
                    return Err(daemon::failure(error));
                };
                let params = BudgetSetParams {
                    window: "day".to_owned(),
                    limit_usd: limit_usd.clone(),
                    ..BudgetSetParams::default()
                };
                client
                    .call::<BudgetSet>(&params)
                    .await
                    .map_err(daemon::failure)?;
                context
                    .notes
                    .note(&format!("Daily cap: ${limit_usd} · back: cv undo"));
                if limit_usd == NEVER_USD {
                    self.declined = true;
                    return Err(Failure::new(
                        daemon::failure(error).kind,
                        "Nothing was asked",
                        "the model costs money, and the daily cap is $0.00 as of now",
                        Hint::SET_BUDGET,
                    ));
                }
                return Ok(());
            }
        }
        Err(daemon::failure(error))
    }
}

#[cfg(test)]
mod tests {
    use convergio_contract::RpcError;

    use super::*;

    #[test]
    fn only_a_missing_key_that_is_set_here_is_worth_another_try() {
        let mut error = RpcError::new(ErrorCode::KeyUnavailable, "no key");
        if let Some(data) = &mut error.data {
            // PATH stands for a key that is set wherever tests run.
            data.env_names = vec!["CONVERGIO_TEST_NOT_SET".to_owned(), "PATH".to_owned()];
        }
        let error = ClientError::Rpc(error);
        let mut keys = BTreeMap::new();
        assert!(add_asked(&error, &mut keys));
        assert_eq!(
            keys.keys().map(String::as_str).collect::<Vec<_>>(),
            ["PATH"]
        );
        assert!(!add_asked(&error, &mut keys), "it was sent already");
        assert!(add_asked_or_empty(&error, &mut keys));
        assert_eq!(keys["CONVERGIO_TEST_NOT_SET"].expose(), "");
        assert!(!add_asked_or_empty(&error, &mut keys), "it was owned up to");
        let other = ClientError::Rpc(RpcError::new(ErrorCode::ProviderError, "no"));
        assert!(!add_asked(&other, &mut BTreeMap::new()));
    }
}
