//! Changes of tasks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Task, TaskFields, TaskLocale, TaskNotice, TaskReading};
use crate::method::method;

method!(
    /// Changes what is named and leaves the rest.
    TaskUpdate, "task.update", TaskUpdateParams => TaskChanged, 10_000
);
method!(
    /// A task is done; one that repeats goes on to its next time.
    TaskComplete, "task.complete", TaskCompleteParams => TaskChanged, 10_000
);
method!(
    /// Reminds again later. What is due stays due.
    TaskSnooze, "task.snooze", TaskSnoozeParams => TaskSnoozeResponse, 10_000
);
method!(
    /// Removes a task; `undo.apply` brings it back.
    TaskDelete, "task.delete", TaskDeleteParams => TaskChanged, 10_000
);

/// What changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskUpdateParams {
    /// Number or id.
    pub task: String,
    /// Only if the task still is of this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_rev: Option<u64>,
    /// What changes.
    pub fields: TaskFields,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// What is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCompleteParams {
    /// Number or id.
    pub task: String,
    /// A repeating task ends for good.
    #[serde(default)]
    pub for_good: bool,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// A task after a change, or the ways in which a time can be read, and then nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TaskChanged {
    /// It is so, durably.
    Changed {
        /// As it is now; as it was, of one that was removed.
        task: Box<Task>,
        /// What changed, in words.
        said: String,
        /// It was so already.
        unchanged: bool,
        /// What a person should know.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<TaskNotice>,
        /// For `undo.apply`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo_id: Option<Uuid>,
    },
    /// Nothing changed: the time can be read in several ways.
    Ambiguous {
        /// Two or more.
        readings: Vec<TaskReading>,
    },
}

/// Until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskSnoozeParams {
    /// Number or id.
    pub task: String,
    /// In words: `10 min`, `tomorrow at 9`; 10 minutes where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// As [`TaskChanged`].
pub type TaskSnoozeResponse = TaskChanged;

/// Which task goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDeleteParams {
    /// Number or id.
    pub task: String,
    /// Its parts go too; without it a task with parts is refused.
    #[serde(default)]
    pub with_parts: bool,
}
