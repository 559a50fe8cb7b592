//! Questions: text goes in, a model's answer comes out as events of a run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    method::method,
    model::Preview,
    run::{RunAccepted, RunOptions},
};

method!(
    /// Asks a model. Answered when the run, its hold and its egress are durable, before the first
    /// byte leaves; the answer follows as events.
    RunStart, "run.start", RunStartParams => RunAccepted, 60_000
);
method!(
    /// What `run.start` with the same parameters would send, to whom, at what cost. Sends nothing.
    RunPreview, "run.preview", RunStartParams => Preview, 30_000
);
method!(
    /// Asks the question of an ended run again, as a new run of the same session. Explicit: a model
    /// call is never re-sent by itself.
    RunResume, "run.resume", RunResumeParams => RunAccepted, 60_000
);

/// What a piece of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// What the person wrote.
    Prompt,
    /// What was piped in.
    Stdin,
    /// A file.
    File,
}

/// A piece of the input, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// What it is.
    pub kind: InputKind,
    /// The file's name, for a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// UTF-8.
    pub text: String,
}

/// Which conversation a question belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "use", rename_all = "snake_case")]
pub enum SessionUse {
    /// A new one.
    #[default]
    New,
    /// The latest one of the run's root; `not_found` if there is none.
    Latest,
    /// This one.
    Id {
        /// The session.
        session_id: Uuid,
    },
}

/// What to ask, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStartParams {
    /// UUIDv7, made by the client, so that `run.subscribe` can be pipelined.
    pub run_id: Uuid,
    /// Prompt, piped text and files, 4 MiB at most together.
    pub input: Vec<Input>,
    /// The client's folder, absolute: sessions belong to one.
    pub root: String,
    /// Which conversation.
    #[serde(default)]
    pub session: SessionUse,
    /// Standing instructions, in place of the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// A saved template: its system prompt, and its prompt with the variables filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// For the template's `{{name}}`s.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The answer is JSON that fits this JSON Schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<serde_json::Value>,
    /// What every run takes.
    #[serde(flatten)]
    pub options: RunOptions,
}

/// Which run to ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunResumeParams {
    /// The ended run.
    pub run_id: Uuid,
    /// The new run: UUIDv7, made by the client.
    pub new_run_id: Uuid,
    /// What every run takes.
    #[serde(flatten)]
    pub options: RunOptions,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The model was done.
    End,
    /// It reached its output limit: the answer is cut.
    MaxOutput,
    /// It reached its context: the answer is cut.
    ContextFull,
    /// It refused.
    Refusal,
    /// The provider's filter ended it.
    ContentFilter,
    /// The answer broke off: provider, network, cancellation.
    Broken,
    /// Something that only the provider's documentation knows.
    Other,
}

/// The numbers of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerSummary {
    /// The conversation; none for an ephemeral one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Uuid>,
    /// The provider that answered.
    pub provider: String,
    /// The model that answered.
    pub model: String,
    /// Answered on this machine.
    pub local: bool,
    /// Why it ended.
    pub stop: Stop,
    /// Input tokens of all attempts; none where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Output tokens of all attempts; none where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// What all attempts cost.
    pub amount_nano_usd: i64,
    /// Some of it is an estimate, because a provider did not say.
    #[serde(default)]
    pub estimated: bool,
    /// Attempts made.
    pub attempts: u32,
    /// From acceptance to the first text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// From acceptance to the end.
    pub duration_ms: u64,
    /// Bytes that left this machine.
    pub bytes_sent: u64,
    /// False where the result could not be saved.
    pub saved: bool,
    /// Nobody was asked: a kept answer was given again.
    #[serde(default)]
    pub cached: bool,
}
