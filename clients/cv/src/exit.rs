//! How the process ends: one table of codes, an exhaustive mapping from the wire's errors, and
//! the order in which codes win where several hold.

use convergio_contract::ErrorCode;

/// An exit code of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done; findings stay below `--fail-on`; or the reader of the output went away.
    Ok,
    /// Findings at or above `--fail-on`, or a failed check of `cv doctor`.
    Findings,
    /// The command, its arguments, or the state that it assumes.
    Usage,
    /// A provider or a model.
    Provider,
    /// Money.
    Money,
    /// Approval or consent is needed and nobody is there to give it.
    Consent,
    /// Something that should have been read was not, or output ended at its limit.
    Incomplete,
    /// The daemon: unreachable, overloaded, of another version.
    Daemon,
    /// Denied by policy.
    Denied,
    /// A fault of ours, the storage, or writing the output.
    Internal,
    /// `--timeout` passed.
    Timeout,
    /// Interrupted.
    Interrupted,
    /// Of the program that `cv guard` ran: not one of ours.
    Program(u8),
}

impl Exit {
    /// Every code, in numeric order.
    pub const ALL: &[Self] = &[
        Self::Ok,
        Self::Findings,
        Self::Usage,
        Self::Provider,
        Self::Money,
        Self::Consent,
        Self::Incomplete,
        Self::Daemon,
        Self::Denied,
        Self::Internal,
        Self::Timeout,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Provider => 3,
            Self::Money => 4,
            Self::Consent => 5,
            Self::Incomplete => 6,
            Self::Daemon => 7,
            Self::Denied => 8,
            Self::Internal => 70,
            Self::Timeout => 124,
            Self::Interrupted => 130,
            Self::Program(code) => code,
        }
    }

    /// What it means, for `--help` and the man page.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done (findings below --fail-on included)",
            Self::Findings => "findings at or above --fail-on; a failed check of `cv doctor`",
            Self::Usage => "wrong use: arguments, no such thing, a conflict, too large",
            Self::Provider => "a provider or a model failed",
            Self::Money => "a budget, a quota, a price or a licence stands in the way",
            Self::Consent => "approval or consent is needed and nobody is there to give it",
            Self::Incomplete => {
                "incomplete: something that should have been read was not, or an answer was cut"
            }
            Self::Daemon => "the daemon is unreachable, overloaded or of another version",
            Self::Denied => "denied by policy",
            Self::Internal => "internal fault, storage, or the output could not be written",
            Self::Timeout => "--timeout passed",
            Self::Interrupted => "interrupted",
            Self::Program(_) => "the program's own, behind `cv guard`",
        }
    }

    /// Higher wins: 130 > 124 > 2 > 7 > 8 > 5 > 4 > 3 > 70 > 6 > 1 > 0.
    const fn rank(self) -> u8 {
        match self {
            Self::Program(_) => 12,
            Self::Interrupted => 11,
            Self::Timeout => 10,
            Self::Usage => 9,
            Self::Daemon => 8,
            Self::Denied => 7,
            Self::Consent => 6,
            Self::Money => 5,
            Self::Provider => 4,
            Self::Internal => 3,
            Self::Incomplete => 2,
            Self::Findings => 1,
            Self::Ok => 0,
        }
    }

    /// The one that wins where both hold.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }

    /// The code for an error of the daemon.
    pub const fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NotFound
            | ErrorCode::Conflict
            | ErrorCode::TooLarge
            | ErrorCode::InvalidParams => Self::Usage,
            ErrorCode::RateLimited
            | ErrorCode::ProviderError
            | ErrorCode::ModelUnavailable
            | ErrorCode::KeyUnavailable => Self::Provider,
            ErrorCode::BudgetExceeded
            | ErrorCode::ConfirmationRequired
            | ErrorCode::QuotaExhausted
            | ErrorCode::LicenseRequired
            | ErrorCode::PriceUnknown => Self::Money,
            ErrorCode::ConsentRequired => Self::Consent,
            ErrorCode::NotInitialized | ErrorCode::VersionUnsupported | ErrorCode::Overloaded => {
                Self::Daemon
            }
            ErrorCode::Unauthorized | ErrorCode::Forbidden | ErrorCode::EgressDenied => {
                Self::Denied
            }
            ErrorCode::ParseError
            | ErrorCode::InvalidRequest
            | ErrorCode::MethodNotFound
            | ErrorCode::Internal
            | ErrorCode::PluginTrapped
            | ErrorCode::StorageError => Self::Internal,
            ErrorCode::Cancelled => Self::Interrupted,
        }
    }

    /// The table for `--help` and the man page.
    pub fn table() -> String {
        let mut table = String::from("Exit codes:\n");
        for exit in Self::ALL {
            table.push_str(&format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
        }
        table.push_str(
            "Where several hold: 130, 124, 2, 7, 8, 5, 4, 3, 70, 6, 1, 0; the first one wins.",
        );
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_wire_has_the_contracts_exit_code() {
        let expected = |code: i32| match code {
            -32024 | -32025 | -32026 | -32602 => 2,
            -32028 | -32040 | -32041 | -32043 => 3,
            -32034..=-32030 => 4,
            -32035 => 5,
            -32020 | -32021 | -32027 => 7,
            -32022 | -32023 | -32036 => 8,
            -32042 | -32045 | -32700 | -32600 | -32601 | -32603 => 70,
            -32800 => 130,
            other => panic!("{other} is not in the contract's table of exit codes"),
        };
        for &code in ErrorCode::ALL {
            assert_eq!(Exit::of(code).code(), expected(code.code()), "{code:?}");
        }
    }

    #[test]
    fn precedence_is_the_contracts() {
        let order = [130, 124, 2, 7, 8, 5, 4, 3, 70, 6, 1, 0];
        let by_code = |code| {
            *Exit::ALL
                .iter()
                .find(|exit| exit.code() == code)
                .expect("a code of the table")
        };
        assert_eq!(order.len(), Exit::ALL.len());
        for (i, &winner) in order.iter().enumerate() {
            for &loser in &order[i..] {
                assert_eq!(by_code(winner).or(by_code(loser)).code(), winner);
                assert_eq!(by_code(loser).or(by_code(winner)).code(), winner);
            }
        }
    }
}
