//! What is known of an answer so far, put together from the events of its run.

use convergio_contract::{
    EventBody, RunEvent, Uuid,
    budget::BudgetInfo,
    chat::{AnswerSummary, Stop},
    model::{Attempt, UsageReport},
    usage::UsageRow,
};

use crate::render::report::End;

/// An answer longer than this is not taken: nothing that a model writes comes near it.
pub const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// An answer as far as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The run, once known.
    pub run_id: Option<Uuid>,
    /// `chat` or another kind, once known.
    pub kind: Option<String>,
    /// Text by part.
    parts: Vec<String>,
    /// The latest attempt.
    pub attempt: Option<Attempt>,
    /// What settled attempts used.
    pub usage: Vec<UsageReport>,
    /// What the ledger says of the run, where it was asked because no event will tell.
    pub settled: Option<UsageRow>,
    /// Why the last part ended.
    pub stop: Option<Stop>,
    /// The numbers, once it completed.
    pub summary: Option<AnswerSummary>,
    /// A budget is nearly used up.
    pub budget: Option<BudgetInfo>,
    /// Less than wanted was asked for: from, to, why.
    pub downgraded: Vec<(String, String, String)>,
    /// Events that are no longer kept.
    pub gaps: Vec<(u64, u64)>,
    /// Secrets that were masked before the question left.
    pub redactions: u32,
    /// How it ended, once it did.
    pub end: Option<End>,
    bytes: usize,
}

/// What an event added to the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// Nothing.
    Nothing,
    /// This, at its end.
    Text(String),
    /// The daemon's final word differs from what was streamed: this is all of the answer.
    Restated(String),
    /// More than [`ANSWER_MAX_BYTES`].
    TooMuch,
}

impl Reply {
    /// All of the text.
    pub fn text(&self) -> String {
        self.parts.concat()
    }

    /// Whether there is any text yet.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Takes an event in.
    pub fn take(&mut self, event: &RunEvent) -> Added {
        self.run_id = Some(event.run_id);
        match &event.body {
            EventBody::Started { kind, .. } => self.kind = Some(kind.clone()),
            EventBody::Plan(attempt) => {
                self.redactions = self.redactions.max(attempt.redactions);
                self.attempt = Some((**attempt).clone());
            }
            EventBody::Delta {
                part, offset, text, ..
            } => return self.delta(*part, *offset, text),
            EventBody::Message { part, text, stop } => {
                self.stop = Some(stop.clone());
                return self.message(*part, text);
            }
            EventBody::Usage(usage) => self.usage.push((**usage).clone()),
            EventBody::BudgetWarning(budget) => self.budget = Some((**budget).clone()),
            EventBody::Downgraded { from, to, reason } => {
                self.downgraded
                    .push((from.clone(), to.clone(), reason.clone()));
            }
            EventBody::Gap { from_seq, to_seq } => self.gaps.push((*from_seq, *to_seq)),
            EventBody::Completed { answer, .. } => {
                self.summary = answer.as_deref().cloned();
                self.end = Some(End::Completed);
            }
            EventBody::Failed { error } => self.end = Some(End::Failed(error.clone())),
            EventBody::Cancelled { reason } => self.end = Some(End::Cancelled(reason.clone())),
            EventBody::Reasoning { .. } | EventBody::Finding(_) | EventBody::Coverage(_) => {}
        }
        Added::Nothing
    }

    fn part(&mut self, part: u32) -> Option<&mut String> {
        let index = part as usize;
        // Parts come in order; one that skips others is no part of an answer.
        if index > self.parts.len() {
            return None;
        }
        if index == self.parts.len() {
            self.parts.push(String::new());
        }
        self.parts.get_mut(index)
    }

    fn delta(&mut self, part: u32, offset: u64, text: &str) -> Added {
        let last = self.parts.len().saturating_sub(1);
        if (part as usize) < last {
            // Of a part that is whole already.
            return Added::Nothing;
        }
        let Some(known) = self.part(part) else {
            return Added::Nothing;
        };
        let Ok(offset) = usize::try_from(offset) else {
            return Added::Nothing;
        };
        // What was shown already comes again after a lost connection; what is missing in front
        // comes with the part's end.
        let Some(fresh) = known
            .len()
            .checked_sub(offset)
            .and_then(|shown| text.get(shown..))
            .filter(|fresh| !fresh.is_empty())
        else {
            return Added::Nothing;
        };
        known.push_str(fresh);
        let fresh = fresh.to_owned();
        self.grow(fresh)
    }

    fn message(&mut self, part: u32, text: &str) -> Added {
        let is_last = part as usize + 1 >= self.parts.len();
        let Some(known) = self.part(part) else {
            return Added::Nothing;
        };
        match text.strip_prefix(known.as_str()) {
            Some("") => Added::Nothing,
            Some(rest) if is_last => {
                let rest = rest.to_owned();
                known.push_str(&rest);
                self.grow(rest)
            }
            _ => {
                text.clone_into(known);
                self.bytes = self.parts.iter().map(String::len).sum();
                Added::Restated(self.text())
            }
        }
    }

    fn grow(&mut self, fresh: String) -> Added {
        self.bytes += fresh.len();
        if self.bytes > ANSWER_MAX_BYTES {
            return Added::TooMuch;
        }
        Added::Text(fresh)
    }

    /// Name of the model that answered, or was asked last.
    pub fn model(&self) -> Option<&str> {
        self.summary
            .as_ref()
            .map(|summary| summary.model.as_str())
            .or(self.attempt.as_ref().map(|attempt| attempt.model.as_str()))
    }

    /// Name of its provider.
    pub fn provider(&self) -> Option<&str> {
        self.summary
            .as_ref()
            .map(|summary| summary.provider.as_str())
            .or(self
                .attempt
                .as_ref()
                .map(|attempt| attempt.provider.as_str()))
    }

    /// Whether everything was answered on this machine, as far as known.
    pub fn is_local(&self) -> bool {
        self.summary.as_ref().map_or_else(
            || self.attempt.as_ref().is_some_and(|attempt| attempt.local),
            |summary| summary.local,
        )
    }

    /// What all settled attempts cost; none where a model was asked and nobody has said yet.
    pub fn amount_nano_usd(&self) -> Option<i64> {
        if let Some(summary) = &self.summary {
            return Some(summary.amount_nano_usd);
        }
        if let Some(settled) = &self.settled {
            return (settled.open == 0).then_some(settled.amount_nano_usd);
        }
        if self.usage.is_empty() && self.attempt.is_some() {
            return None;
        }
        let amounts = self.usage.iter().map(|usage| usage.amount_nano_usd);
        Some(amounts.fold(0, i64::saturating_add))
    }

    /// Some of the amount is not what a provider said.
    pub fn is_estimated(&self) -> bool {
        match (&self.summary, &self.settled) {
            (Some(summary), _) => summary.estimated,
            (None, Some(settled)) => settled.estimated > 0,
            (None, None) => self.usage.iter().any(|usage| usage.source == "counted"),
        }
    }

    /// Input and output tokens of all settled attempts; none where nobody counted.
    pub fn tokens(&self) -> (Option<u64>, Option<u64>) {
        if let Some(summary) = &self.summary {
            return (summary.input_tokens, summary.output_tokens);
        }
        if let Some(settled) = self.settled.as_ref().filter(|settled| settled.attempts > 0) {
            return (Some(settled.input_tokens), Some(settled.output_tokens));
        }
        let sum = |prefix: &str| {
            let mut counted = self
                .usage
                .iter()
                .flat_map(|usage| &usage.resources)
                .filter(|(resource, _)| resource.starts_with(prefix))
                .map(|(_, quantity)| *quantity)
                .peekable();
            counted.peek().is_some().then(|| counted.sum())
        };
        (sum("in_"), sum("out_"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use convergio_contract::{ErrorCode, RpcError};
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn event(body: EventBody) -> RunEvent {
        RunEvent {
            run_id: Uuid::nil(),
            seq: None,
            at_ms: 1,
            body,
        }
    }

    pub(crate) fn delta(part: u32, offset: u64, text: &str) -> RunEvent {
        event(EventBody::Delta {
            after_seq: 2,
            part,
            offset,
            text: text.to_owned(),
        })
    }

    pub(crate) fn message(part: u32, text: &str, stop: Stop) -> RunEvent {
        event(EventBody::Message {
            part,
            text: text.to_owned(),
            stop,
        })
    }

    pub(crate) fn summary(stop: Stop) -> AnswerSummary {
        AnswerSummary {
            session_id: Some(Uuid::nil()),
            provider: "mock".to_owned(),
            model: "gpt-test".to_owned(),
            local: false,
            stop,
            input_tokens: Some(1_204),
            output_tokens: Some(310),
            amount_nano_usd: 8_300_000,
            estimated: false,
            attempts: 1,
            first_token_ms: Some(12),
            duration_ms: 2_100,
            bytes_sent: 900,
            saved: true,
            cached: false,
        }
    }

    pub(crate) fn completed(stop: Stop) -> RunEvent {
        event(EventBody::Completed {
            summary: None,
            answer: Some(Box::new(summary(stop))),
        })
    }

    #[test]
    fn text_that_comes_twice_is_shown_once_and_a_hole_is_filled_by_the_end() {
        let mut reply = Reply::default();
        assert_eq!(reply.take(&delta(0, 0, "caf")), Added::Text("caf".into()));
        assert_eq!(reply.take(&delta(0, 0, "café")), Added::Text("é".into()));
        assert_eq!(reply.take(&delta(0, 0, "café")), Added::Nothing);
        assert_eq!(reply.take(&delta(0, 9, "lost in front")), Added::Nothing);
        assert_eq!(
            reply.take(&message(0, "café au lait", Stop::End)),
            Added::Text(" au lait".into())
        );
        assert_eq!(reply.take(&delta(1, 0, "!")), Added::Text("!".into()));
        assert_eq!(reply.take(&delta(0, 13, "late")), Added::Nothing);
        assert_eq!(reply.text(), "café au lait!");
    }

    #[test]
    fn a_final_word_that_differs_is_said_to_differ() {
        let mut reply = Reply::default();
        reply.take(&delta(0, 0, "yes"));
        assert_eq!(
            reply.take(&message(0, "no", Stop::End)),
            Added::Restated("no".into())
        );
    }

    #[test]
    fn what_nobody_has_settled_is_not_called_free() {
        let mut reply = Reply::default();
        assert_eq!(reply.amount_nano_usd(), Some(0), "nobody was asked");
        let attempt = serde_json::json!({"attempt": 1, "provider": "p", "model": "m",
            "local": false, "destination": "", "max_output": 1, "hold_nano_usd": 1,
            "purpose": "answer", "reason": "configured"});
        reply.attempt = Some(serde_json::from_value(attempt).expect("an attempt"));
        assert_eq!(reply.amount_nano_usd(), None);
        let mut settled = UsageRow {
            key: "total".to_owned(),
            runs: 1,
            attempts: 1,
            open: 1,
            input_tokens: 82,
            output_tokens: 2,
            amount_nano_usd: 7,
            estimated: 1,
            cached_input_tokens: 0,
            held_nano_usd: 0,
            adjusted_nano_usd: 0,
        };
        reply.settled = Some(settled.clone());
        assert_eq!(reply.amount_nano_usd(), None, "still open");
        settled.open = 0;
        reply.settled = Some(settled);
        assert_eq!(reply.amount_nano_usd(), Some(7));
        assert!(reply.is_estimated());
        assert_eq!(reply.tokens(), (Some(82), Some(2)));
    }

    #[test]
    fn numbers_of_a_failed_answer_come_from_what_was_settled() {
        let mut reply = Reply::default();
        reply.take(&event(EventBody::Usage(Box::new(UsageReport {
            resources: [
                ("in_uncached".to_owned(), 7),
                ("in_cache_read".to_owned(), 2),
            ]
            .into(),
            amount_nano_usd: 5,
            source: "counted".to_owned(),
            ..UsageReport::default()
        }))));
        reply.take(&event(EventBody::Failed {
            error: RpcError::new(ErrorCode::ProviderError, "gone"),
        }));
        assert_eq!(reply.tokens(), (Some(9), None));
        assert_eq!(reply.amount_nano_usd(), Some(5));
        assert!(reply.is_estimated());
    }

    proptest! {
        #[test]
        fn however_deltas_overlap_the_text_is_the_message(
            text in "\\PC{0,60}",
            cuts in proptest::collection::vec((0usize..80, 0usize..80), 0..20),
        ) {
            let bounds: Vec<usize> = text
                .char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .collect();
            let mut reply = Reply::default();
            let mut shown = String::new();
            for (a, b) in cuts {
                let (a, b) = (bounds[a % bounds.len()], bounds[b % bounds.len()]);
                let (a, b) = (a.min(b), a.max(b));
                if let Added::Text(fresh) = reply.take(&delta(0, a as u64, &text[a..b])) {
                    shown.push_str(&fresh);
                }
                prop_assert!(text.starts_with(&shown));
            }
            if let Added::Text(fresh) = reply.take(&message(0, &text, Stop::End)) {
                shown.push_str(&fresh);
            }
            prop_assert_eq!(&shown, &text);
            prop_assert_eq!(reply.text(), text);
        }
    }
}
