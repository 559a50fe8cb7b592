//! What models need: a place for keys, a limit on money, providers that can be asked.

use convergio_config::secrets::{FileState, KeychainState, Protection};
use convergio_contract::{budget::BudgetInfo, health::Check};
use convergio_ledger::usd;

use super::{fault, fine, note};
use crate::providers::seen::{KeySeen, Seen, unusable};

/// What was found.
pub(crate) struct Found {
    pub(crate) keychain: KeychainState,
    pub(crate) file: FileState,
    /// The settings allow the encrypted file.
    pub(crate) file_allowed: bool,
    pub(crate) budgets: Vec<BudgetInfo>,
    /// Why the list of prices that was taken is not in force.
    pub(crate) prices: Option<String>,
    /// Those that the settings name.
    pub(crate) providers: Vec<Seen>,
}

/// Judges it.
pub(crate) fn judge(found: &Found) -> Vec<Check> {
    let mut checks = vec![keychain(found)];
    checks.extend(file(found));
    checks.extend(found.budgets.iter().map(budget));
    checks.extend(found.prices.as_ref().map(|why| {
        fault(
            "prices",
            why.clone(),
            "the prices of this release hold",
            "cv models prices rollback",
        )
    }));
    checks.extend(found.providers.iter().map(provider));
    checks
}

fn keychain(found: &Found) -> Check {
    const ID: &str = "keychain";
    match (&found.keychain, unusable(&found.keychain)) {
        (_, None) => fine(ID, "keys are kept in the keychain"),
        (KeychainState::Locked | KeychainState::Failing { .. }, Some(why)) => note(
            ID,
            why,
            "keys that it holds are not found until it answers",
            "cv provider list -v",
        ),
        (_, Some(why)) if found.file_allowed => {
            fine(ID, format!("{why}: keys are kept in the encrypted file"))
        }
        (_, Some(why)) => fine(
            ID,
            format!("{why}: keys come from variables and commands, and none is kept"),
        ),
    }
}

fn file(found: &Found) -> Option<Check> {
    const ID: &str = "encrypted-file";
    match &found.file {
        FileState::Absent => None,
        FileState::Broken { why } => Some(fault(
            ID,
            format!("the encrypted file of keys cannot be read: {why}"),
            "the keys in it are not found",
            "cv config explain secrets.file",
        )),
        FileState::Present { keys, .. } if !found.file_allowed => Some(note(
            ID,
            format!("an encrypted file holds {keys} keys, and the settings do not allow it"),
            "the keys in it are not used",
            "cv config set secrets.file true",
        )),
        FileState::Present { protection, keys } => {
            let by = match protection {
                Protection::Passphrase => "a passphrase protects it",
                Protection::KeyFile => "whoever reads your files can open it",
            };
            Some(fine(
                ID,
                format!("the encrypted file is in use, with {keys} keys; {by}"),
            ))
        }
    }
}

fn budget(budget: &BudgetInfo) -> Check {
    const ID: &str = "budget";
    let used = budget
        .posted_nano_usd
        .saturating_add(budget.pending_nano_usd);
    let whose = match budget.scope.as_str() {
        "tenant" => String::new(),
        scope => format!(" by {scope} {}", budget.scope_key),
    };
    let when = match budget.window.as_str() {
        "total" => "in all".to_owned(),
        window @ ("run" | "session") => format!("by each {window}"),
        window => format!("this {window}"),
    };
    let of = format!(
        "{} of {} are used {when}{whose}",
        usd(used),
        usd(budget.limit_nano_usd),
    );
    if budget.frozen {
        return note(
            ID,
            of,
            "a provider billed more than was held: nothing more is admitted in this window",
            "cv budget set daily 2.00",
        );
    }
    let default = if budget.chosen { "" } else { " (default)" };
    fine(ID, format!("models: {of}{default}"))
}

fn provider(seen: &Seen) -> Check {
    const ID: &str = "provider";
    let name = &seen.provider.name;
    if let Some(problem) = &seen.problem {
        return note(
            ID,
            format!("{name}: {problem}"),
            "its models are not asked",
            format!("cv provider test {name}"),
        );
    }
    if let Some(resting) = &seen.resting {
        return note(
            ID,
            resting.clone(),
            "its fallbacks answer meanwhile",
            format!("cv provider test {name}"),
        );
    }
    match &seen.key {
        KeySeen::Missing(missing) => note(
            ID,
            format!("{name} has no key here"),
            "its models are asked only by clients that bring one",
            match missing.env_names.first() {
                Some(variable) => format!("export {variable}=…"),
                None => format!("cv provider set-key {name}"),
            },
        ),
        KeySeen::Found(source) => fine(ID, format!("{name}: key in {source}")),
        KeySeen::NotNeeded => fine(ID, format!("{name}: takes no key")),
    }
}

#[cfg(test)]
mod tests {
    use convergio_contract::health::CheckState;

    use super::*;

    fn found(keychain: KeychainState, file: FileState, file_allowed: bool) -> Vec<CheckState> {
        let checks = judge(&Found {
            keychain,
            file,
            file_allowed,
            budgets: Vec::new(),
            prices: None,
            providers: Vec::new(),
        });
        for check in &checks {
            let bad = check.state != CheckState::Ok;
            assert_eq!((check.why.is_empty(), check.fix.is_empty()), (!bad, !bad));
        }
        checks.iter().map(|check| check.state).collect()
    }

    #[test]
    fn a_machine_without_a_keychain_is_healthy_and_the_file_is_always_told() {
        let absent = || KeychainState::Absent {
            why: "no bus".into(),
        };
        assert_eq!(found(absent(), FileState::Absent, false), [CheckState::Ok]);
        let present = || FileState::Present {
            protection: Protection::KeyFile,
            keys: 1,
        };
        let both = [CheckState::Ok, CheckState::Ok];
        assert_eq!(found(absent(), present(), true), both);
        let unused = [CheckState::Ok, CheckState::Warning];
        assert_eq!(found(absent(), present(), false), unused);
        let broken = FileState::Broken { why: "torn".into() };
        let failed = [CheckState::Warning, CheckState::Error];
        assert_eq!(found(KeychainState::Locked, broken, true), failed);
    }
}
