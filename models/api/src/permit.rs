//! Permission before effect.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where answers may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// This machine where it can do the job, else the cloud within budget.
    #[default]
    LocalFirst,
    /// The cloud within budget, else this machine.
    CloudFirst,
    /// This machine alone: a hard line.
    LocalOnly,
    /// Whatever costs least.
    Cheapest,
}

impl Policy {
    /// All, in the order in which help lists them.
    pub const ALL: &[Self] = &[
        Self::LocalFirst,
        Self::CloudFirst,
        Self::LocalOnly,
        Self::Cheapest,
    ];

    /// The name in settings and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalFirst => "local-first",
            Self::CloudFirst => "cloud-first",
            Self::LocalOnly => "local-only",
            Self::Cheapest => "cheapest",
        }
    }

    /// Back from [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|policy| policy.as_str() == name)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was decided, and written down, before a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The attempt's row in the ledger; one wire request.
    pub attempt_id: Uuid,
    /// The run that pays.
    pub run_id: Uuid,
    /// Whose books.
    pub tenant_id: Uuid,
    /// Whose profile.
    pub profile_id: Uuid,
    /// The policy in force.
    pub policy: Policy,
    /// The model runs on this machine.
    pub local: bool,
    /// The origin that the egress row names (`https://api.example.com`); empty for a model inside
    /// the daemon.
    pub destination: String,
    /// The egress row; none for a model inside the daemon.
    pub egress_id: Option<Uuid>,
}

/// A value together with the permission to act on it. Not `Clone`: one permit, one effect.
#[derive(Debug)]
pub struct Permitted<T> {
    value: T,
    permit: Permit,
}

impl<T> Permitted<T> {
    /// For the ledger's admission alone: what holds one of these was admitted, and its rows are
    /// part of the transaction whose commit hands it out.
    #[doc(hidden)]
    pub fn granted_by_admission(value: T, permit: Permit) -> Self {
        Self { value, permit }
    }

    /// What is permitted.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// What was decided.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Uses the permission up.
    pub fn into_parts(self) -> (T, Permit) {
        (self.value, self.permit)
    }
}
