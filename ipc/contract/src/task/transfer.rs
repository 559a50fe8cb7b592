//! Tasks on their way in and out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TaskLocale;
use crate::method::method;

method!(
    /// Tasks as iCalendar or JSON.
    TaskExport, "task.export", TaskExportParams => TaskExportResponse, 30_000
);
method!(
    /// Takes tasks in; one that was taken in before is brought up to date, not doubled.
    TaskImport, "task.import", TaskImportParams => TaskImportResponse, 60_000
);

/// A form in which tasks travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskFormat {
    /// RFC 5545, a `VTODO` each.
    Ics,
    /// A JSON array of [`Task`].
    Json,
}

/// Which tasks, in which form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskExportParams {
    /// The form.
    pub format: TaskFormat,
    /// As in `task.list`; without any: all, those that are done included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter: Vec<String>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// A page of the export. Pages are whole texts of their own (iCalendar) or arrays (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskExportResponse {
    /// The text.
    pub text: String,
    /// Tasks in it.
    pub tasks: u32,
    /// For the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A text with tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskImportParams {
    /// Its form.
    pub format: TaskFormat,
    /// The text, [`IMPORT_MAX_BYTES`] at most.
    pub text: String,
    /// Say what would come in; take nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// What came in. All of it in one commit, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskImportResponse {
    /// New tasks.
    pub created: u32,
    /// Tasks that were there and are newer now.
    pub updated: u32,
    /// Tasks that were there and are as new.
    pub unchanged: u32,
    /// What was left out, each with its reason; 100 at most.
    pub left_out: Vec<String>,
    /// Left out in all.
    pub left_out_total: u32,
    /// For `undo.apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_id: Option<Uuid>,
}
