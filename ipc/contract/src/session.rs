//! Conversations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::method::method;

method!(
    /// Conversations, latest first.
    SessionList, "session.list", SessionListParams => SessionListResponse, 10_000
);
method!(
    /// One conversation with its messages.
    SessionGet, "session.get", SessionGetParams => SessionGetResponse, 10_000
);
method!(
    /// Removes a conversation with its messages and its runs' content; what was spent stays in the
    /// ledger.
    SessionDelete, "session.delete", SessionDeleteParams => SessionDeleteResponse, 30_000
);

/// Which conversations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionListParams {
    /// Only those of this folder; absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows at most, 1 to 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionInfo {
    /// UUIDv7.
    pub session_id: Uuid,
    /// The folder it belongs to.
    pub root: String,
    /// The beginning of its first prompt.
    pub title: String,
    /// Messages in it.
    pub messages: u32,
    /// Begun, UTC milliseconds.
    pub created_ms: i64,
    /// Last message, UTC milliseconds.
    pub updated_ms: i64,
}

/// A page of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionListResponse {
    /// Latest first.
    pub sessions: Vec<SessionInfo>,
    /// For the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionGetParams {
    /// The conversation.
    pub session_id: Uuid,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionMessage {
    /// From 1.
    pub seq: u64,
    /// `user` or `assistant`.
    pub role: String,
    /// The text.
    pub text: String,
    /// The model that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The run it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// When, UTC milliseconds.
    pub created_ms: i64,
}

/// A conversation with its messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionGetResponse {
    /// The conversation.
    pub session: SessionInfo,
    /// Its latest messages in order, as many as a line of the wire holds.
    pub messages: Vec<SessionMessage>,
    /// Earlier ones that are not listed.
    pub messages_more: u32,
}

/// Which conversation to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionDeleteParams {
    /// The conversation.
    pub session_id: Uuid,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionDeleteResponse {
    /// Messages removed.
    pub messages: u32,
}
