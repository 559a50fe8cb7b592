//! What a model is given, in which chunks, and what is left unread.

use std::{collections::BTreeMap, collections::HashSet, sync::Arc};

use super::{
    Grounding, Limits, PlanSettings,
    fill::Filling,
    hide::{Redacted, SecretBook},
    lines::{Piece, Showing},
    prompt::Frame,
    rank, synthesis,
};
use crate::{
    Finding, Review, ReviewOptions, ReviewSummary, Severity,
    coverage::LeftOutFile,
    engine::{FileOutcome, Seen},
    silence::AllowFile,
    view::{DiffView, FileView},
};

/// Why something that should be read is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Not even one chunk fits into the model's context.
    #[error("the model's context of {context_tokens} tokens is too small")]
    ContextTooSmall {
        /// What the model takes.
        context_tokens: u64,
    },
    /// Every chunk that may be asked is full.
    #[error("the limit of {chunks_max} chunks is reached")]
    ChunkLimit {
        /// The limit.
        chunks_max: u32,
    },
    /// The review's input is used up.
    #[error("the limit of {input_tokens_max} input tokens is reached")]
    TokenLimit {
        /// The limit.
        input_tokens_max: u64,
    },
    /// One line doesn't fit into a chunk.
    #[error("the line is too long for the model's context")]
    LineTooLong,
    /// A rule with a defect: it is not known which secrets stand there.
    #[error("a rule failed on the file")]
    RuleFailed,
}

/// Added lines that no chunk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplanned {
    /// The file.
    pub path: String,
    /// First and last of the added lines, by their numbers in the new file.
    pub lines: (u32, u32),
    /// Their numbers.
    pub numbers: Vec<u32>,
    /// Why.
    pub why: Unread,
}

impl Unplanned {
    /// The fact in words.
    pub fn sentence(&self) -> String {
        let (first, last) = self.lines;
        let lines = if first == last {
            format!("line {first}")
        } else {
            format!("lines {first}–{last}")
        };
        format!("{}: {lines} not read by the model: {}", self.path, self.why)
    }
}

/// What is asked in one call, and argued in another.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Parts of hunks, file by file.
    pub pieces: Vec<Piece>,
    /// Input of the first pass, a ceiling.
    pub find_tokens: u64,
    /// Input of the second pass, a ceiling.
    pub argue_tokens: u64,
}

impl Chunk {
    /// The text of its pieces, each file under its header.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let mut file = None;
        for piece in &self.pieces {
            if file != Some(piece.file) {
                out.push_str(&piece.header);
                file = Some(piece.file);
            }
            piece.render(&mut out);
        }
        out
    }

    /// Distinct paths, in order.
    pub(crate) fn paths(&self) -> Vec<Arc<str>> {
        let mut paths: Vec<Arc<str>> = Vec::new();
        for piece in &self.pieces {
            if paths.last() != Some(&piece.path) {
                paths.push(Arc::clone(&piece.path));
            }
        }
        paths
    }
}

/// The most that a review by a model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Chunks, the pass across files not counted.
    pub chunks: u32,
    /// Calls, both passes; a chunk without findings needs no second.
    pub calls_max: u32,
    /// Input of all calls.
    pub input_tokens_max: u64,
    /// Output of all calls.
    pub output_tokens_max: u64,
}

/// What may be silenced, taken over from the review.
#[derive(Clone, Debug)]
pub(crate) struct Silences {
    pub(crate) fingerprints: HashSet<String>,
    pub(crate) file: AllowFile,
    pub(crate) min_severity: Severity,
}

/// What a model is to read of a diff. Owns its text: the diff may go.
#[derive(Clone)]
pub struct Plan {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) synthesis: Option<Chunk>,
    pub(crate) unplanned: Vec<Unplanned>,
    pub(crate) frame: Frame,
    pub(crate) book: SecretBook,
    pub(crate) silences: Silences,
    pub(crate) cut_lines: BTreeMap<String, u32>,
    left_out: Vec<LeftOutFile>,
    delete_only_hunks: u32,
    grounding: Vec<Grounding>,
    redactions: Vec<Redacted>,
}

impl Plan {
    /// The chunks in the order in which they are worth asking.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// The most that all calls take.
    pub fn estimate(&self) -> Estimate {
        let parts = self.chunks.iter().chain(&self.synthesis);
        let (mut calls, mut input) = (0, 0_u64);
        for chunk in parts {
            calls += 2;
            input = input
                .saturating_add(chunk.find_tokens)
                .saturating_add(chunk.argue_tokens);
        }
        let per_part = u64::from(self.frame.output_tokens) + u64::from(self.frame.verdict_tokens);
        Estimate {
            chunks: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
            calls_max: calls,
            input_tokens_max: input,
            output_tokens_max: u64::from(calls / 2) * per_part,
        }
    }

    /// Distinct secrets that were hidden in what is sent, by kind; empty where nothing is hidden.
    pub fn redactions(&self) -> &[Redacted] {
        &self.redactions
    }

    /// What should be read and fits nowhere.
    pub fn unplanned(&self) -> &[Unplanned] {
        &self.unplanned
    }

    /// Files that are left out by rule, as in the rules' coverage.
    pub fn left_out(&self) -> &[LeftOutFile] {
        &self.left_out
    }

    /// Hunks that add nothing, in files that are read: left out by rule.
    pub fn delete_only_hunks(&self) -> u32 {
        self.delete_only_hunks
    }

    /// What the rules have found.
    pub fn grounding(&self) -> &[Grounding] {
        &self.grounding
    }
}

impl Review<'_> {
    /// As [`Review::run`]; then, without another parse, plans what a model is to read. No plan
    /// where `each` broke off, or where there is nothing to read.
    pub fn run_planned(
        &self,
        settings: &PlanSettings,
        each: impl FnMut(FileOutcome) -> std::ops::ControlFlow<()>,
    ) -> (ReviewSummary, Option<Plan>) {
        self.run_planned_by(|| Some(settings.clone()), each)
    }

    /// As [`Review::run_planned`], where the settings are asked for only when the rules are done;
    /// no plan where there are none.
    pub fn run_planned_by(
        &self,
        settings: impl FnOnce() -> Option<PlanSettings>,
        each: impl FnMut(FileOutcome) -> std::ops::ControlFlow<()>,
    ) -> (ReviewSummary, Option<Plan>) {
        let (summary, plan) = self.run_then(each, |view, seen| {
            settings().and_then(|settings| self.plan(view, seen, &settings))
        });
        (summary, plan.flatten())
    }

    fn plan(&self, view: &DiffView<'_>, seen: Seen, settings: &PlanSettings) -> Option<Plan> {
        let wanted = |file: &&FileView<'_>| file.left_out.is_none();
        if !view.files.iter().any(|file| wanted(&file)) {
            return None;
        }
        let grounding: Vec<Grounding> = seen.findings.into_iter().map(grounding_of).collect();
        let order = rank::ranked(view, &grounding);
        let commit_text = settings.commit_text.as_deref().unwrap_or_default();
        let commit_text = &commit_text[..char_limit(commit_text, super::hide::LABEL_MAX_BYTES)];
        let (book, mut places) = SecretBook::read(self, view, &[commit_text]);
        for failed in seen.failed {
            if let Some(place) = places.get_mut(failed) {
                *place = None;
            }
        }
        let mut hidden = Vec::new();
        let frame = Frame::new(settings, &book, commit_text, &mut hidden);
        let mut filling = Filling::new(&settings.limits, &frame);
        let showing = Showing {
            book: &book,
            boundary: &settings.boundary,
            redact: settings.redact,
            line_max_chars: filling.line_max_chars(),
        };
        for index in order {
            let file = &view.files[index];
            let secrets = places.get(index).and_then(Option::as_ref);
            filling.file(index, file, secrets, &showing, &grounding, &mut hidden);
        }
        filling.close();
        let left_out = view.files.iter().filter_map(|file| {
            file.left_out.map(|reason| LeftOutFile {
                path: file.path.to_owned(),
                reason,
            })
        });
        let mut plan = Plan {
            synthesis: None,
            unplanned: filling.unplanned,
            cut_lines: filling.cut_lines,
            delete_only_hunks: filling.delete_only_hunks,
            left_out: left_out.collect(),
            silences: silences(self.options(), self.allow_file()),
            redactions: Vec::new(),
            chunks: filling.chunks,
            grounding,
            frame,
            book,
        };
        plan.measure(&settings.limits);
        plan.synthesis = synthesis::digest(&plan, &settings.limits, filling.spent);
        let lines = plan.chunks.iter().flat_map(|chunk| &chunk.pieces);
        let in_lines = lines
            .flat_map(Piece::lines)
            .flat_map(|line| line.hidden.iter().copied());
        hidden.extend(in_lines);
        plan.redactions = plan.book.counted(hidden);
        Some(plan)
    }
}

fn char_limit(text: &str, max: usize) -> usize {
    text.char_indices()
        .nth(max)
        .map_or(text.len(), |(at, _)| at)
}

fn grounding_of(finding: Finding) -> Grounding {
    Grounding {
        rule: finding.rule,
        title: finding.title,
        reason: finding.body,
        path: finding.path,
        line_range: finding.line_range,
        evidence: finding.evidence,
    }
}

fn silences(options: &ReviewOptions, file: &AllowFile) -> Silences {
    Silences {
        fingerprints: options.allowed_fingerprints.clone(),
        file: file.clone(),
        min_severity: options.min_severity,
    }
}

impl Plan {
    /// Counts whole prompts. Sums of lines are what chunks were filled by; should a tokenizer count
    /// more for the whole, the chunk that doesn't fit is not sent, and that is said.
    fn measure(&mut self, limits: &Limits) {
        let (output, verdict) = (
            u64::from(self.frame.output_tokens),
            u64::from(self.frame.verdict_tokens),
        );
        let total = self.chunks.len();
        let mut fitting = Vec::with_capacity(total);
        for mut chunk in self.chunks.drain(..) {
            let text = chunk.text();
            chunk.find_tokens = self.frame.find_tokens(&text);
            chunk.argue_tokens = self.frame.argue_tokens(&text);
            let fits = chunk.find_tokens.saturating_add(output) <= limits.context_tokens
                && chunk.argue_tokens.saturating_add(verdict) <= limits.context_tokens;
            if fits {
                fitting.push(chunk);
                continue;
            }
            let why = Unread::ContextTooSmall {
                context_tokens: limits.context_tokens,
            };
            for piece in &chunk.pieces {
                let numbers = piece.added_numbers().collect();
                self.unplanned.extend(unplanned(&piece.path, numbers, why));
            }
        }
        self.chunks = fitting;
    }
}

pub(crate) fn unplanned(path: &str, numbers: Vec<u32>, why: Unread) -> Option<Unplanned> {
    let lines = (*numbers.first()?, *numbers.last()?);
    Some(Unplanned {
        path: path.to_owned(),
        lines,
        numbers,
        why,
    })
}
