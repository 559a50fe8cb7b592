//! How a question ends: its text, what it cost and its terminal event, in one commit.

use std::{sync::Arc, time::Instant};

use convergio_contract::{
    EventBody, RpcError, Uuid,
    chat::{AnswerSummary, Stop},
    run::RunAccepted,
};
use convergio_engine::Route;
use convergio_models_api::StopReason;
use convergio_runs::{MessageRole, NewAnswer, NewMessage, RunsError};
use convergio_store::Tx;

use super::{
    calls::{Answer, CallFailed},
    record::{Closing, Recorder, WriteError, keeps},
};
use crate::{
    bus::run::LiveRun,
    daemon::{Daemon, now_ms},
};

fn stop(reason: &StopReason) -> Stop {
    match reason {
        StopReason::End | StopReason::StopSequence | StopReason::ToolUse => Stop::End,
        StopReason::MaxOutput => Stop::MaxOutput,
        StopReason::ContextFull => Stop::ContextFull,
        StopReason::Refusal => Stop::Refusal,
        StopReason::ContentFilter => Stop::ContentFilter,
        StopReason::Other(_) => Stop::Other,
    }
}

/// The answer's parts as events; the last one says why it ended.
fn messages(parts: &[String], stop: &Stop) -> Vec<EventBody> {
    let last = parts.len().saturating_sub(1);
    let message = |(part, text): (usize, &String)| EventBody::Message {
        part: u32::try_from(part).unwrap_or(u32::MAX),
        text: text.clone(),
        stop: if part == last {
            stop.clone()
        } else {
            Stop::End
        },
    };
    parts.iter().enumerate().map(message).collect()
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A run between its answer and its end.
pub(super) struct Course<'a> {
    pub(super) daemon: &'a Daemon,
    pub(super) recorder: &'a Recorder,
    pub(super) run: &'a Arc<LiveRun>,
    pub(super) session_id: Option<Uuid>,
    /// Nothing of its content is kept.
    pub(super) ephemeral: bool,
    pub(super) begun: Instant,
}

impl Course<'_> {
    /// The start was refused, or is an earlier one's.
    pub(super) fn refusal(&self, failed: CallFailed) -> Result<RunAccepted, RpcError> {
        match failed.error {
            WriteError::Replay { run_id, session_id } => Ok(RunAccepted {
                run_id,
                replayed: true,
                saved: keeps(&self.daemon.store),
                session_id,
            }),
            error => Err(error.told()),
        }
    }

    /// Adds the model's turn to the conversation, in the transaction that ends the run.
    fn turn(
        &self,
        text: String,
        route: Option<&Route>,
        keep: Option<NewAnswer>,
    ) -> impl FnOnce(&Tx<'_>) -> Result<(), WriteError> + Send + 'static {
        let tenant = self.recorder.runs().tenant();
        let in_memory = self.recorder.unsaved().is_some();
        let session_id = self.session_id.filter(|_| !text.is_empty() && !in_memory);
        let message = NewMessage {
            id: Uuid::now_v7(),
            role: MessageRole::Assistant,
            body: text,
            model: route.map(|route| route.target.to_string()),
            recipient: None,
            run_id: Some(self.run.id),
        };
        move |tx| {
            if let Some(session_id) = session_id {
                // A conversation that was removed meanwhile keeps nothing.
                match convergio_runs::append_message(tx, tenant, session_id, &message, now_ms()) {
                    Ok(_) | Err(RunsError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if let Some(keep) = keep.filter(|_| !in_memory) {
                convergio_runs::keep_answer(tx, tenant, &keep, now_ms())?;
            }
            Ok(())
        }
    }

    /// What is told of the answer and recorded nowhere, and what is recorded.
    fn kept(&self, messages: Vec<EventBody>) -> (Vec<EventBody>, Vec<EventBody>) {
        match self.ephemeral {
            true => (messages, Vec::new()),
            false => (Vec::new(), messages),
        }
    }

    /// A whole answer.
    pub(super) async fn complete(&self, answer: Answer) -> Result<(), RpcError> {
        let stop = stop(&answer.stop);
        let mut parts = answer.parts.clone();
        if parts.is_empty() {
            parts.push(String::new());
        }
        let (fleeting, bodies) = self.kept(messages(&parts, &stop));
        let outcome = match stop {
            Stop::End => "complete",
            _ => "incomplete",
        };
        let summary = AnswerSummary {
            session_id: self
                .session_id
                .filter(|_| self.recorder.unsaved().is_none()),
            provider: answer.route.target.provider.clone(),
            model: answer.route.target.model.clone(),
            local: answer.route.local,
            stop,
            input_tokens: None,
            output_tokens: None,
            amount_nano_usd: 0,
            estimated: false,
            attempts: 0,
            first_token_ms: answer
                .first_token
                .map(|at| milliseconds(at.saturating_duration_since(self.begun))),
            duration_ms: milliseconds(self.begun.elapsed()),
            bytes_sent: 0,
            saved: false,
            cached: answer.cached,
        };
        let terminal = move |closing: Closing| EventBody::Completed {
            summary: None,
            answer: Some(Box::new(AnswerSummary {
                input_tokens: closing.totals.input_tokens,
                output_tokens: closing.totals.output_tokens,
                amount_nano_usd: closing.totals.amount_nano_usd,
                estimated: closing.totals.estimated,
                attempts: closing.totals.attempts,
                bytes_sent: closing.totals.bytes_sent,
                saved: closing.saved,
                ..summary.clone()
            })),
        };
        let turn = self.turn(answer.text(), Some(&answer.route), answer.keep);
        self.recorder
            .finish_with(fleeting, bodies, outcome, Arc::new(terminal), turn)
            .await
    }

    /// No whole answer: what came of it is kept and labelled.
    pub(super) async fn break_off(&self, failed: CallFailed) -> Result<(), RpcError> {
        let (fleeting, bodies) = self.kept(messages(&failed.parts, &Stop::Broken));
        let turn = self.turn(failed.parts.concat(), failed.route.as_ref(), None);
        if failed.cancelled {
            let reason = self.run.cancelled().await;
            let terminal = move |_: Closing| EventBody::Cancelled {
                reason: reason.clone(),
            };
            return self
                .recorder
                .finish_with(fleeting, bodies, "cancelled", Arc::new(terminal), turn)
                .await;
        }
        let error = failed.error.told();
        let slug = error.data.as_ref().map(|data| data.slug.clone());
        let slug = slug.unwrap_or_else(|| "internal".to_owned());
        let terminal = move |_: Closing| EventBody::Failed {
            error: error.clone(),
        };
        self.recorder
            .finish_with(fleeting, bodies, &slug, Arc::new(terminal), turn)
            .await
    }
}
