//! The daemon itself: handshake, shutdown, self-description.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    limits::Limits,
    method::{Empty, method},
    task::Occurrence,
};

method!(
    /// Agrees on a wire version; the first call of every connection.
    Initialize, "initialize", InitializeParams => InitializeResponse, 10_000, BEFORE_INITIALIZE = true
);
method!(
    /// Drains and ends the daemon. Refused to a client that is older than the daemon.
    Shutdown, "shutdown", ShutdownParams => ShutdownResponse, 15_000
);
method!(
    /// The OpenRPC document of this daemon.
    Discover, "rpc.discover", Empty => serde_json::Value, 10_000
);

/// Who calls, and what it understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitializeParams {
    /// Wire versions that the client speaks, dates, any order.
    pub protocol_versions: Vec<String>,
    /// The client's own name and version.
    pub client: ClientInfo,
    /// What the client can do.
    #[serde(default)]
    pub capabilities: ClientCapabilities,
    /// The part of the client's surroundings that matters to runs.
    #[serde(default)]
    pub env: ClientEnv,
}

/// Name and version of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientInfo {
    /// For instance `cv`.
    pub name: String,
    /// Semantic version. A daemon older than this one restarts when it is idle.
    pub version: String,
}

/// What a client declares that it can do. Declared only: stops accidents, not malware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientCapabilities {
    /// A person sits there who can consent.
    #[serde(default)]
    pub consent: bool,
    /// It shows approval requests.
    #[serde(default)]
    pub approvals: bool,
    /// Notifications that it does not want.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opt_out: Vec<String>,
}

/// The client's surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientEnv {
    /// The client's folder, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Its `CONVERGIO_*` variables: settings of this client, in place of the daemon's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// The daemon's side of the handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitializeResponse {
    /// The version in force from here on.
    pub protocol_version: String,
    /// Who answers.
    pub server: ServerInfo,
    /// What it can do, by name.
    pub capabilities: Vec<String>,
    /// Bounds of this connection.
    pub limits: Limits,
    /// Hex SHA-256 of the OpenRPC document.
    pub schema_hash: String,
    /// Changes with every start of the daemon.
    pub epoch: String,
    /// Reminders that nobody saw, oldest first, [`MISSED_MAX`] at most. They stay until
    /// `task.inbox` marks them as seen, or somebody answers them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Occurrence>,
    /// Beyond those.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed_more: u32,
}

/// Missed reminders that are told with the handshake.
pub const MISSED_MAX: usize = 5;

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Name and version of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerInfo {
    /// `convergiod`.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Build description: target and profile.
    pub build: String,
}

/// When to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShutdownWhen {
    /// Refuse new runs now, let running ones end for up to 10 s, then exit.
    #[default]
    Drain,
    /// As soon as nothing runs and nobody else is connected.
    Idle,
}

/// How to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShutdownParams {
    /// Now, or when idle.
    #[serde(default)]
    pub when: ShutdownWhen,
}

/// What the shutdown waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShutdownResponse {
    /// The daemon's process id: gone when it has ended.
    pub pid: u32,
    /// Runs that are given time to end.
    pub runs_active: u32,
}
