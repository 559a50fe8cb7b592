//! The daemon's log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::method;

method!(
    /// Lines of the log, redacted; can wait for new ones.
    LogsRead, "logs.read", LogsReadParams => LogsReadResponse, 40_000
);

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogsReadParams {
    /// Where the last answer ended; without it the last `limit` lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Lines at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// With a cursor at the end: wait this long for a new line, at most 30,000.
    #[serde(default)]
    pub wait_ms: u64,
}

/// Lines of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogsReadResponse {
    /// Oldest first, without line endings.
    pub lines: Vec<String>,
    /// For the next call.
    pub cursor: String,
    /// Lines were lost between the cursor and the first line (rotated away).
    #[serde(default)]
    pub gap: bool,
}
