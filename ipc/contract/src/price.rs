//! Lists of prices: which is in force, and taking another one that somebody trusted signed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Empty, method};

method!(
    /// Which prices are in force, and whose lists are taken.
    PricesShow, "prices.show", Empty => PricesInForce, 10_000
);

method!(
    /// Takes a signed list of prices that is newer than what is in force.
    PricesUpdate, "prices.update", PricesUpdateParams => PricesChanged, 120_000
);

method!(
    /// Goes back to the list before, else to the prices of this release.
    PricesRollback, "prices.rollback", Empty => PricesChanged, 10_000
);

/// Bytes that a list may have.
pub const LIST_MAX_BYTES: usize = 1 << 20;
/// Bytes that its signature may have.
pub const SIGNATURE_MAX_BYTES: usize = 4 << 10;

/// Prices in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PricesInForce {
    /// `release` (what came with this program), or `list` (a signed one).
    pub origin: String,
    /// When it was made, UTC milliseconds; of a release: the newest day of its prices.
    pub issued_ms: i64,
    /// Who made the list, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Hex of the SHA-256 of the list's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The public key that signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The settings still trust that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_trusted: Option<bool>,
    /// When it was taken, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_ms: Option<i64>,
    /// Models that have a price.
    pub models: u32,
    /// Public keys of minisign whose lists are taken: `prices.trusted_keys`.
    pub trusted_keys: Vec<String>,
    /// `prices.rollback` goes back to another list, not to the release.
    pub has_previous: bool,
    /// Why a list that was taken is not in force; none where nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The list: its text and its signature, or where both are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PricesUpdateParams {
    /// The list, TOML, 1 MiB at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its signature by minisign, 4 KiB at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Instead of both: where the list is; its signature is at the same address with `.minisig`
    /// behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PricesChanged {
    /// What is in force now. An attempt keeps the prices that it was admitted by.
    pub in_force: PricesInForce,
    /// Models whose price changed, in the order of their names; 500 at most.
    pub changes: Vec<PriceChange>,
    /// Models whose price changed.
    pub changed: u32,
}

/// A model's price before and after: nano-USD per million tokens, by resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PriceChange {
    /// `provider/model`.
    pub name: String,
    /// Before; empty where there was none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, i64>,
    /// Now; empty where there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub after: BTreeMap<String, i64>,
}
