//! Tasks and reminders: what Anna keeps.

mod change;
mod transfer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::method::method;

pub use change::*;
pub use transfer::*;

method!(
    /// Writes a task down. A sentence is taken apart by a fixed grammar in English and Italian, and
    /// what was understood is said back; where it has several readings nothing is created, and
    /// they are listed.
    TaskCreate, "task.create", TaskCreateParams => TaskCreateResponse, 10_000
);
method!(
    /// What a sentence would become; creates nothing.
    TaskPreview, "task.preview", TaskPreviewParams => TaskPreviewResponse, 10_000
);
method!(
    /// One task with its reminders that were shown.
    TaskGet, "task.get", TaskGetParams => TaskGetResponse, 10_000
);
method!(
    /// Tasks that fit a filter, in order of urgency.
    TaskList, "task.list", TaskListParams => TaskListResponse, 10_000
);
method!(
    /// Reminders that wait for an answer, and those that nobody saw.
    TaskInbox, "task.inbox", TaskInboxParams => TaskInboxResponse, 10_000
);

/// Bytes of a title at most.
pub const TITLE_MAX_BYTES: usize = 1 << 10;
/// Bytes of notes at most.
pub const NOTES_MAX_BYTES: usize = 64 << 10;
/// Tags of one task at most.
pub const TAGS_MAX: usize = 32;
/// Reminders of one task at most.
pub const REMINDERS_MAX: usize = 8;
/// Tasks that are kept at most, those that are done included.
pub const TASKS_MAX: usize = 100_000;
/// Bytes of a text that is taken in at most: a line of the wire holds it, however it is escaped.
pub const IMPORT_MAX_BYTES: usize = 3 << 20;

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// To be done.
    #[default]
    Open,
    /// For somebody or something else; listed apart, still reminded of.
    Waiting,
    /// Done.
    Done,
    /// Will not be done.
    Cancelled,
}

/// How much it matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// When there is time.
    Low,
    /// As usual.
    Medium,
    /// First.
    High,
}

/// From what a repeating task's next time is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepeatBasis {
    /// From the plan, done or not.
    #[default]
    Schedule,
    /// From when it was done.
    AfterCompletion,
}

/// How a task comes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskRepeat {
    /// The value of an RFC 5545 `RRULE`: `FREQ=WEEKLY;BYDAY=MO`.
    pub rrule: String,
    /// From what the next time is counted.
    #[serde(default)]
    pub basis: RepeatBasis,
}

/// When a task is due: wall clock and zone, which is what holds when a zone's rules change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDue {
    /// `2026-11-22T09:00:00`, or `2026-11-22` for a whole day.
    pub local: String,
    /// IANA name: `Europe/Rome`.
    pub zone: String,
    /// The same, UTC milliseconds; a whole day's first moment. The daemon's answer counts.
    #[serde(default)]
    pub at_ms: i64,
}

/// The user's place and words, which the daemon may not share. The client sends what it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskLocale {
    /// IANA name of the zone; without it the daemon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// `en`, `it`: the first is answered in. Without any: both, English first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Whether 3/4 is the third of April; unknown: it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_first: Option<bool>,
}

/// What a task is made of. In an update only what is there changes; an empty text or list clears.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskFields {
    /// What is to be done, one line, [`TITLE_MAX_BYTES`] at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// More of it, [`NOTES_MAX_BYTES`] at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// `low`, `medium`, `high`, or empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// What it belongs to: `house.garden`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Words without spaces, [`TAGS_MAX`] at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The task that it is a part of: number or id; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
    /// When it is due, in words or as `2026-11-22T09:00`; empty for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// An RFC 5545 rule in place of one in words; an empty `rrule` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<TaskRepeat>,
    /// Minutes before it is due at which it is reminded of, [`REMINDERS_MAX`] at most; `[0]` where
    /// nothing is said and a time is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_before_min: Option<Vec<u32>>,
}

/// A new task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCreateParams {
    /// UUIDv7 made by the client: repeated with the same content it answers with the same task.
    pub task_id: Uuid,
    /// A sentence that holds title and time: `call Mario tomorrow at 9`. Not beside
    /// `fields.title`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is said apart; wins over what the sentence says.
    #[serde(default)]
    pub fields: TaskFields,
    /// Refuse a task without a time.
    #[serde(default)]
    pub needs_time: bool,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// One way in which a time can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskReading {
    /// What is left as the title.
    pub title: String,
    /// When; none where the words are no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<TaskDue>,
    /// How it comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<TaskRepeat>,
    /// In words, in the user's language: `Sun 22 Nov 2026, 09:00`.
    pub said: String,
    /// A text for `fields.when` that has this reading alone.
    pub when: String,
    /// What a person should know of it: a time that clocks skip or show twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<TaskNotice>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TaskCreateResponse {
    /// It is written down, durably.
    Created {
        /// The task.
        task: Box<Task>,
        /// What was understood, in the user's language.
        said: String,
        /// It was there already: the same call was made before.
        replayed: bool,
        /// What a person should know: a time that does not exist on that day, a reminder that fires
        /// only while the daemon runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<TaskNotice>,
        /// For `undo.apply`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo_id: Option<Uuid>,
    },
    /// Nothing was created: it can be read in several ways.
    Ambiguous {
        /// Two or more.
        readings: Vec<TaskReading>,
    },
}

/// Something that a person should know, though it worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskNotice {
    /// `time_shifted`, `time_twice`, `daemon_not_installed`, `no_reminder_left`.
    pub kind: String,
    /// In words.
    pub text: String,
    /// A command that changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A sentence to be taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskPreviewParams {
    /// Title and time.
    pub text: String,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// What it would become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskPreviewResponse {
    /// One, or all that there are.
    pub readings: Vec<TaskReading>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// UUIDv7.
    pub task_id: Uuid,
    /// For people: 12. Never given twice.
    pub number: u64,
    /// What is to be done.
    pub title: String,
    /// More of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Where it stands.
    pub state: TaskState,
    /// How much it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Number of the task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// When it is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<TaskDue>,
    /// How it comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<TaskRepeat>,
    /// Minutes before `due` at which it is reminded of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind_before_min: Vec<u32>,
    /// Not reminded of before, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until_ms: Option<i64>,
    /// The next reminder, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_reminder_ms: Option<i64>,
    /// UTC milliseconds.
    pub created_ms: i64,
    /// UTC milliseconds.
    pub modified_ms: i64,
    /// UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_ms: Option<i64>,
    /// Goes up with each change.
    pub rev: u64,
    /// Due, rule and reminders in words, in the asked language; for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
}

/// Which task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskGetParams {
    /// Number or id.
    pub task: String,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// What became of a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceState {
    /// On its way to a notification server.
    Claimed,
    /// A notification server took it.
    Shown,
    /// Nobody could show it; told at the next chance.
    Missed,
    /// Somebody saw it: a click, a list, a line of `cv`.
    Seen,
    /// Answered by "Done".
    Done,
    /// Answered by "Snooze".
    Snoozed,
    /// Closed by hand, or its task is gone.
    Dismissed,
}

/// A reminder that fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Occurrence {
    /// UUIDv7; the one identity under which it is shown.
    pub occurrence_id: Uuid,
    /// Its task.
    pub task_id: Uuid,
    /// Its task, for people.
    pub number: u64,
    /// The task's title.
    pub title: String,
    /// The time that it is for, UTC milliseconds.
    pub due_ms: i64,
    /// When it should have fired, UTC milliseconds.
    pub fire_ms: i64,
    /// When it did, UTC milliseconds.
    pub fired_ms: i64,
    /// It came a minute or more after its time.
    pub late: bool,
    /// Earlier ones that it stands for, because nothing ran when they were due.
    pub missed: u32,
    /// What became of it.
    pub state: OccurrenceState,
    /// In words: `Fri 20 Nov, 09:00 · 2 h late · 3 earlier ones`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
}

/// A task with its past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskGetResponse {
    /// The task.
    pub task: Task,
    /// Its parts.
    pub parts: Vec<Task>,
    /// Latest first, 50 at most.
    pub occurrences: Vec<Occurrence>,
}

/// Which tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskListParams {
    /// Words as in Taskwarrior, all of which must fit: `+work -later project:house
    /// priority:high due.before:friday state:done /text/ mario`. Without any: what is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter: Vec<String>,
    /// `urgency` (default), `due`, `created`, `number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// Rows at most, 1 to 500; 100 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// A page of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskListResponse {
    /// In the asked order.
    pub tasks: Vec<Task>,
    /// That fit, on all pages.
    pub total: u64,
    /// For the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Every tag in use, sorted; for completions, 200 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Every project in use, sorted; for completions, 200 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
}

/// What is asked of the inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskInboxParams {
    /// Those that are listed count as seen.
    #[serde(default)]
    pub mark_seen: bool,
    /// Only these reminders, 200 at most; without any all that wait. For a client that has shown
    /// some of them to a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Uuid>,
    /// The user's place and words.
    #[serde(default)]
    pub locale: TaskLocale,
}

/// Reminders that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskInboxResponse {
    /// Latest first, 200 at most: fired and not yet answered.
    pub waiting: Vec<Occurrence>,
    /// Beyond those.
    pub more: u32,
    /// Open tasks without a time and a project: what is yet to be sorted; 200 at most.
    pub unsorted: Vec<Task>,
}
