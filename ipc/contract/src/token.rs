//! The gateway, which speaks the wires of others on loopback, and the tokens that open it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    method::{Empty, method},
    model::Policy,
    secret::SecretText,
};

method!(
    /// Makes a token for a program. Its text is told once, here.
    TokenCreate, "token.create", TokenCreateParams => TokenCreateResponse, 20_000
);
method!(
    /// The tokens: those that are good, and the latest that are not any more.
    TokenList, "token.list", Empty => TokenListResponse, 10_000
);
method!(
    /// Takes a token back. Calls in progress are ended.
    TokenRevoke, "token.revoke", TokenRevokeParams => TokenRevokeResponse, 10_000
);
method!(
    /// Whether the gateway listens, where, and if not why.
    GatewayStatus, "gateway.status", Empty => GatewayStatusResponse, 10_000
);

/// A new token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCreateParams {
    /// 1 to 64 letters, digits, `_`, `-` and `.`; never used before.
    pub name: String,
    /// Where the name was used before, a number is added to it.
    #[serde(default)]
    pub number_name: bool,
    /// The program that calls with it, as usage is summed by; the name where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The folder that usage is summed by; absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What may be spent with it in all, decimal USD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_usd: Option<String>,
    /// What may be spent with it in a day, decimal USD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_usd: Option<String>,
    /// The models that may be asked with it, `provider/model` or an alias; every one where there
    /// is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// What names of models stand for; `*` for every other name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_map: BTreeMap<String, String>,
    /// Where answers may come from; may only be stricter than the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Good for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// Good only while this connection lasts, at the end of which it is taken back. The gateway
    /// listens for it, whatever the settings say.
    #[serde(default)]
    pub while_connected: bool,
    /// The client's own provider keys, by variable: held in memory while the token is good and the
    /// daemon lives, never stored or logged.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, SecretText>,
}

/// A token was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCreateResponse {
    /// As it is kept.
    pub token: TokenInfo,
    /// Its text. It is kept nowhere and not told again.
    pub secret: SecretText,
    /// The gateway.
    pub gateway: GatewayStatusResponse,
    /// Variables that hold keys of the providers that may be asked: what a program that must not go
    /// round the gateway had better not see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_variables: Vec<String>,
}

/// A token, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenInfo {
    /// Names it; budgets and usage have it too.
    pub name: String,
    /// The program that calls with it.
    pub client: String,
    /// Whether it opens the gateway now.
    pub state: TokenState,
    /// The models that may be asked with it; every one where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// What names of models stand for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_map: BTreeMap<String, String>,
    /// Where answers may come from, where the token says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Good only while the connection lasts that made it.
    pub while_connected: bool,
    /// Made, UTC milliseconds.
    pub created_ms: i64,
    /// Good until then, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// Last used, to the minute, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_ms: Option<i64>,
    /// Taken back, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<i64>,
    /// What may be spent with it in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_nano_usd: Option<i64>,
    /// What may be spent with it in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_nano_usd: Option<i64>,
    /// What it spent so far.
    pub spent_nano_usd: i64,
    /// Runs that were made with it.
    pub runs: u64,
    /// Requests that were refused because no budget was left, since the daemon started.
    pub refused: u64,
    /// Requests that ended in another error before a word of an answer, since the daemon started.
    #[serde(default)]
    pub failed: u64,
}

/// Whether a token opens the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It does.
    Good,
    /// It did until its time was over.
    Expired,
    /// It did until it was taken back.
    Revoked,
}

/// The tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenListResponse {
    /// Good ones first, latest first.
    pub tokens: Vec<TokenInfo>,
}

/// Which token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRevokeParams {
    /// Its name.
    pub name: String,
}

/// A token was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRevokeResponse {
    /// As it is now.
    pub token: TokenInfo,
}

/// How the gateway stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayStatusResponse {
    /// The settings want it.
    pub enabled: bool,
    /// Where it listens, for instance `http://127.0.0.1:4140`; none where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it does not listen although it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Connections now.
    pub connections: u32,
    /// Requests since it listens.
    pub requests: u64,
}
