//! What a review by a model comes to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Plan, Redacted};

/// Sentences about what was not read; more are counted.
const SENTENCES_MAX: usize = 100;

/// Why a finding of a model was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// It lacks a part.
    Malformed,
    /// It names a file that it was not shown.
    UnknownPath,
    /// Its quote is too short to tell a place.
    QuoteTooShort,
    /// Its quote does not stand where it says.
    QuoteNotThere,
    /// Its lines touch nothing that was added.
    NotInChange,
    /// There were more in one chunk than are argued about.
    TooMany,
    /// The second pass has refuted it.
    Refuted,
    /// The second pass said nothing about it.
    NoVerdict,
    /// The second pass was not made.
    NotArgued,
    /// A rule has said it.
    SaidByRule,
    /// The model has said it.
    SaidBefore,
}

impl DropReason {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Malformed => "incomplete",
            Self::UnknownPath => "about files that were not shown",
            Self::QuoteTooShort => "without a telling quote",
            Self::QuoteNotThere => "quoting what does not stand there",
            Self::NotInChange => "not about the change",
            Self::TooMany => "too many in one chunk",
            Self::Refuted => "refuted by the second pass",
            Self::NoVerdict => "without a verdict of the second pass",
            Self::NotArgued => "whose second pass was not made",
            Self::SaidByRule => "said by a rule",
            Self::SaidBefore => "said before",
        }
    }
}

/// The end of a review by a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Chunks that were planned.
    pub chunks: u32,
    /// Chunks whose answer was read to its end, with the second pass where there was one.
    pub chunks_reviewed: u32,
    /// Findings that were emitted, by severity: nit, minor, major, critical.
    pub counts: [u32; 4],
    /// Findings that were not shown, by reason.
    pub dropped: Vec<(DropReason, u32)>,
    /// Findings that the base revision or the user has silenced.
    pub silenced: u32,
    /// Findings below the wanted severity.
    pub below_severity: u32,
    /// What the model did not read, in a sentence each; at most 101.
    pub unreviewed: Vec<String>,
    /// True where everything that should be read was read.
    pub complete: bool,
    /// Secrets that were hidden from the model.
    pub redactions: Vec<Redacted>,
}

/// Collects the facts of the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) summary: ModelSummary,
    dropped: BTreeMap<DropReason, u32>,
    sentences: Vec<String>,
    more: usize,
}

impl Tally {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut tally = Self::default();
        tally.summary.chunks = u32::try_from(plan.chunks().len()).unwrap_or(u32::MAX);
        tally.summary.redactions = plan.redactions().to_vec();
        for unplanned in plan.unplanned() {
            tally.unread(unplanned.sentence());
        }
        for (path, count) in &plan.cut_lines {
            let lines = if *count == 1 { "line" } else { "lines" };
            tally.unread(format!(
                "{path}: of {count} long {lines} the model read only the beginning"
            ));
        }
        tally
    }

    pub(crate) fn dropped(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_insert(0) += 1;
    }

    /// Something that should be read was not.
    pub(crate) fn unread(&mut self, sentence: String) {
        if self.sentences.len() < SENTENCES_MAX {
            self.sentences.push(sentence);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn close(&mut self) -> ModelSummary {
        let mut summary = std::mem::take(&mut self.summary);
        summary.dropped = std::mem::take(&mut self.dropped).into_iter().collect();
        summary.unreviewed = std::mem::take(&mut self.sentences);
        if self.more > 0 {
            summary.unreviewed.push(format!(
                "{} more parts were not read by the model",
                self.more
            ));
        }
        summary.complete = summary.unreviewed.is_empty();
        summary
    }
}
