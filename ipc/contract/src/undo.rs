//! The way back. The client edits files; the daemon keeps the before-image durably first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    method::{Empty, method},
    review::{Blob, ReviewAllowParams},
};

method!(
    /// Stores the way back, durably, before the client writes.
    UndoPut, "undo.put", UndoPutParams => Empty, 10_000
);
method!(
    /// Changes that can be taken back, newest first.
    UndoList, "undo.list", UndoListParams => UndoListResponse, 10_000
);
method!(
    /// Takes a change back in two steps: the first call says what to write where, the second,
    /// with the files as they then are, closes it. Repeating either is harmless.
    UndoApply, "undo.apply", UndoApplyParams => UndoApplyResponse, 10_000
);

/// A file that is about to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoFile {
    /// Absolute path.
    pub path: String,
    /// Its bytes before; none if it did not exist.
    pub before: Option<Blob>,
    /// Hex SHA-256 of its bytes after.
    pub after_sha256: String,
}

/// A silence that is taken back too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoSilence {
    /// As in `review.allow`.
    pub root: String,
    /// As in `review.allow`.
    pub fingerprint: String,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoPutParams {
    /// UUIDv7, made by the client.
    pub undo_id: Uuid,
    /// The change in a few words: `cv fix 1: pay/client.py`.
    pub label: String,
    /// Git top level, or folder; absolute.
    pub root: String,
    /// At most 16.
    pub files: Vec<UndoFile>,
    /// A silence recorded with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<UndoSilence>,
    /// A silence that the change ends, and that stands again once the change is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_silence: Option<ReviewAllowParams>,
}

/// How many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoListParams {
    /// Rows at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One change that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoEntry {
    /// Its id.
    pub undo_id: Uuid,
    /// The change in a few words.
    pub label: String,
    /// When, UTC milliseconds.
    pub created_ms: i64,
    /// Git top level, or folder; none for a change of the daemon's own (configuration).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Paths of its files.
    pub paths: Vec<String>,
    /// Taken back already.
    pub undone: bool,
}

/// Changes, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoListResponse {
    /// Newest first.
    pub entries: Vec<UndoEntry>,
}

/// A file as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileOnDisk {
    /// Absolute path.
    pub path: String,
    /// Hex SHA-256 of its bytes; none if it does not exist.
    pub sha256: Option<String>,
}

/// Which change, and the files as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoApplyParams {
    /// Which change.
    pub undo_id: Uuid,
    /// Every file of the change; empty for a change of the daemon's own (configuration).
    pub files: Vec<FileOnDisk>,
    /// Closes a change that is a silence and leaves its files as they are: its entry was taken
    /// out of what they became.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_files: bool,
}

/// What to put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileToWrite {
    /// Absolute path.
    pub path: String,
    /// The bytes; none removes the file.
    pub content: Option<Blob>,
}

/// What is left to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoApplyResponse {
    /// Files that the client must write, then call again; empty when all is done.
    pub write: Vec<FileToWrite>,
    /// The change is taken back and recorded so.
    pub done: bool,
    /// The file was edited since, and the change is this silence: take its entry out of the
    /// file, then call again with `keep_files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<UndoSilence>,
}
