//! What a launcher looks for while somebody types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{method::method, task::TaskLocale};

method!(
    /// Tasks, conversations, templates and running work by a few words. Looks at what is on this
    /// machine only, asks no model and changes nothing: made to be called with every key.
    SearchQuery, "search.query", SearchQueryParams => SearchQueryResponse, 2_000
);

/// Bytes of the words at most.
pub const QUERY_MAX_BYTES: usize = 256;
/// Results at most.
pub const RESULTS_MAX: u32 = 50;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchQueryParams {
    /// Words, all of which must be found, in any order, by any case and accent; nothing for what is
    /// next. [`QUERY_MAX_BYTES`] at most.
    pub text: String,
    /// Results at most, 1 to [`RESULTS_MAX`]; 20 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchKind {
    /// A reminder that waits for an answer.
    Reminder,
    /// An open task.
    Task,
    /// A conversation.
    Session,
    /// A saved prompt.
    Template,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchResult {
    /// What it is to programs: `task:12`, `session:…`, `template:NAME`; a reminder is its task.
    pub id: String,
    /// What it is.
    pub kind: SearchKind,
    /// One line; text of people, as they wrote it.
    pub title: String,
    /// One line: when it is due, how many messages.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchQueryResponse {
    /// Best first.
    pub results: Vec<SearchResult>,
    /// There are more.
    pub more: bool,
}
