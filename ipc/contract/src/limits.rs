//! Bounds that both sides keep; the daemon names them in `initialize`'s answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest line, in bytes, its newline included.
pub const LINE_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The deepest nesting of arrays and objects in a line.
pub const NESTING_MAX: usize = 64;
/// Requests of one connection that may be unanswered at one time.
pub const IN_FLIGHT_MAX: usize = 64;
/// Connections at one time.
pub const CONNECTIONS_MAX: usize = 64;
/// Raw size of a diff, in bytes, after decompression.
pub const DIFF_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Size of one file's before-image in `undo.put`, in bytes.
pub const UNDO_FILE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Text of all parts of a question together, in bytes.
pub const INPUT_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Rows of one page of a list.
pub const PAGE_MAX: u32 = 500;

/// The bounds that are in force on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// [`LINE_MAX_BYTES`].
    pub line_max_bytes: u64,
    /// [`NESTING_MAX`].
    pub nesting_max: u32,
    /// [`IN_FLIGHT_MAX`].
    pub in_flight_max: u32,
    /// [`CONNECTIONS_MAX`], or less where the process may open fewer files.
    pub connections_max: u32,
    /// [`DIFF_MAX_BYTES`].
    pub diff_max_bytes: u64,
}
