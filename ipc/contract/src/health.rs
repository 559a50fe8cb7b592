//! How the daemon is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Empty, method};

method!(
    /// The daemon's state in one look.
    HealthGet, "health.get", Empty => HealthGetResponse, 10_000
);
method!(
    /// Every check, each finding with its fix.
    HealthDoctor, "health.doctor", Empty => HealthDoctorResponse, 60_000
);

/// Overall state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Everything works.
    Ok,
    /// It answers, but something does not work; `reasons` says what.
    Degraded,
    /// It ends as soon as running work has.
    Draining,
}

/// How the daemon came to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartedBy {
    /// A client started it; it leaves when idle.
    OnDemand,
    /// systemd or launchd.
    Service,
    /// By hand.
    Foreground,
}

/// The daemon's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthGetResponse {
    /// Overall.
    pub state: HealthState,
    /// Why it is not `ok`, a sentence each.
    pub reasons: Vec<String>,
    /// Semantic version.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// How it was started.
    pub started_by: StartedBy,
    /// Time since start.
    pub uptime_ms: u64,
    /// The socket it listens on.
    pub socket: String,
    /// Folder of the database.
    pub data_dir: String,
    /// The log file.
    pub log_file: String,
    /// The user's configuration file (it need not exist).
    pub config_file: String,
    /// False where nothing is being saved (full disk, read-only folder).
    pub saving: bool,
    /// Connections, this one included.
    pub connections: u32,
    /// Runs in progress.
    pub runs_active: u32,
    /// Bytes of requests that left for other machines, of all that `privacy.egress` still lists.
    pub bytes_sent: u64,
}

/// How bad a doctor's finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Works, but worth knowing.
    Warning,
    /// Does not work.
    Error,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Stable kebab-case name.
    pub id: String,
    /// The result.
    pub state: CheckState,
    /// What was found.
    pub what: String,
    /// Why it matters; empty for `ok`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// A command that mends it; empty for `ok`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

/// All checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthDoctorResponse {
    /// In the order in which they build on each other.
    pub checks: Vec<Check>,
}
