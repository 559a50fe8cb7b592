//! Why a call is not made, and what can go wrong with the books.

use std::fmt;

use convergio_store::StoreError;
use uuid::Uuid;

use crate::attempt::AttemptState;
use crate::budget::BudgetName;
use crate::money::{MoneyError, usd};

/// An error of this crate.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store's: nothing was acknowledged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: Uuid,
    },
    /// The attempt has its one end.
    #[error("attempt {attempt_id} has ended ({state})")]
    AlreadyEnded {
        /// The attempt.
        attempt_id: Uuid,
        /// How it ended.
        state: AttemptState,
    },
    /// Not a value that is accepted here.
    #[error("{what}: {reason}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A time zone that this machine doesn't know.
    #[error("time zone {name}: {reason}")]
    TimeZone {
        /// Its IANA name.
        name: String,
        /// The library's words.
        reason: String,
    },
    /// An amount that is none, or beyond what can be counted.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The books contradict themselves.
    #[error("the ledger is damaged: {detail}")]
    Damaged {
        /// What was found.
        detail: String,
    },
}

/// Which rule a model breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyReason {
    /// Nothing may leave this machine.
    LocalOnly,
    /// The profile is of somebody under age, and nobody consented.
    UnderAge,
    /// It was called local, and its address is another machine's.
    NotThisMachine,
}

impl fmt::Display for PolicyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalOnly => "the policy is local-only",
            Self::UnderAge => "the profile is of somebody under age",
            Self::NotThisMachine => "a local model answers on this machine",
        })
    }
}

/// The budget that had no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetDenied {
    /// Which.
    pub which: BudgetName,
    /// Its limit, nano-USD.
    pub limit_nano: i64,
    /// Spent in its window, nano-USD.
    pub posted_nano: i64,
    /// Held by calls under way, nano-USD.
    pub pending_nano: i64,
    /// The least that this call would have held, nano-USD.
    pub needed_nano: i64,
    /// A provider billed more than was held: the budget waits for its next window, or for a person
    /// who sets its limit anew.
    pub frozen: bool,
    /// When its window ends, UTC; none for a run's or a session's.
    pub resets_at_ms: Option<i64>,
}

impl fmt::Display for BudgetDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, posted) = (usd(self.limit_nano), usd(self.posted_nano));
        let (pending, needed) = (usd(self.pending_nano), usd(self.needed_nano));
        if self.frozen {
            // The sums would fit: saying them would only puzzle.
            return write!(
                f,
                "{} is frozen, because a provider billed more than was held: {posted} of {limit} spent",
                self.which
            );
        }
        write!(
            f,
            "{} of {limit} has no room: {posted} spent, {pending} held, {needed} needed",
            self.which
        )
    }
}

/// Why a call may not be made. Nothing was sent, nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Denied {
    /// The policy says no.
    #[error("{model} is not allowed: {reason}")]
    Policy {
        /// Which rule.
        reason: PolicyReason,
        /// `provider/model`.
        model: String,
        /// Where it would have gone.
        destination: String,
    },
    /// Nobody knows what the model costs.
    #[error("the price of {provider}/{model} is unknown")]
    PriceUnknown {
        /// The provider's configured name.
        provider: String,
        /// The model.
        model: String,
    },
    /// A budget says no.
    #[error("{0}")]
    Budget(Box<BudgetDenied>),
    /// The books could not be read or written: then nothing is spent.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<MoneyError> for Denied {
    fn from(error: MoneyError) -> Self {
        Self::Ledger(error.into())
    }
}
