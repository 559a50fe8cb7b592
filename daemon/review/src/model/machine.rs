//! The course of a review by a model: what was answered goes in, what to ask and to show comes out.

use super::{
    Call, Part, Pass, Plan, Prompt,
    anchor::anchored,
    plan::Chunk,
    prompt::Candidate,
    reply::{RawFinding, parse_reply, parse_verdicts},
    same::Said,
    summary::{DropReason, ModelSummary, Tally},
    synthesis::FOUND_MAX,
    text::{one_line, shown, squashed},
    wording::{Worded, files},
};
use crate::{Finding, engine::Fingerprints, silence};

/// Findings of one chunk that are argued about.
const CANDIDATES_MAX: usize = 20;
const WHY_MAX_CHARS: usize = 200;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The calls may begin.
    Start,
    /// A call was answered.
    Reply {
        /// Which.
        call: Call,
        /// The answer.
        text: String,
        /// The provider stopped at the output's limit.
        cut: bool,
    },
    /// A call failed; others may succeed.
    Failed {
        /// Which.
        call: Call,
        /// In a few words, without secrets.
        why: String,
    },
    /// No further call can be made: whatever is open stays unread.
    Stop {
        /// In a few words, without secrets.
        why: String,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make this call; [`ModelReview::prompt`] has its words.
    Ask(Call),
    /// Show these; final.
    Emit(Vec<Finding>),
    /// Nothing more will come. Once, last.
    Done(Box<ModelSummary>),
}

/// Where one part of the review is.
enum State {
    /// Its first pass has not been answered.
    Finding,
    /// Its second pass has not been answered.
    Arguing {
        candidates: Vec<Finding>,
        /// The first answer was whole.
        whole: bool,
    },
    Settled,
}

/// The machine. Whoever drives it makes calls in any order and number at a time; second passes
/// first, since what has been argued can be shown.
pub struct ModelReview {
    plan: Plan,
    chunks: Vec<State>,
    synthesis: Option<State>,
    said: Vec<Said>,
    /// Titles of what was emitted, with their places.
    told: Vec<String>,
    fingerprints: Fingerprints,
    tally: Tally,
    started: bool,
    done: bool,
}

impl ModelReview {
    /// A review that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self {
            chunks: plan.chunks.iter().map(|_| State::Finding).collect(),
            synthesis: None,
            said: plan.grounding().iter().map(Said::by_rule).collect(),
            told: Vec::new(),
            fingerprints: Fingerprints::default(),
            tally: Tally::new(&plan),
            started: false,
            done: false,
            plan,
        }
    }

    /// True once [`Effect::Done`] was given.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes what happened and says what to do. Answers to calls that are not open change nothing.
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.done {
            return effects;
        }
        match input {
            Input::Start => {
                if self.started {
                    return effects;
                }
                self.started = true;
                for index in 0..self.chunks.len() {
                    effects.push(ask(Part::Chunk(number(index)), Pass::Find));
                }
            }
            Input::Reply { call, text, cut } if self.is_open(call) => match call.pass {
                Pass::Find => self.found(call.part, &text, cut, &mut effects),
                Pass::Argue => self.argued(call.part, &text, &mut effects),
            },
            Input::Failed { call, why } if self.is_open(call) => self.failed(call.part, &why),
            Input::Reply { .. } | Input::Failed { .. } => return effects,
            Input::Stop { why } => {
                self.stop(&why);
                self.end(&mut effects);
                return effects;
            }
        }
        self.proceed(&mut effects);
        effects
    }

    /// The words of a call that is open.
    pub fn prompt(&self, call: Call) -> Option<Prompt> {
        if !self.is_open(call) {
            return None;
        }
        let chunk = self.chunk(call.part)?;
        let (text, frame) = (chunk.text(), &self.plan.frame);
        match (self.state(call.part)?, call.part) {
            (State::Finding, Part::Chunk(index)) => {
                let index = usize::try_from(index).ok()?;
                Some(frame.find(&text, index + 1, self.chunks.len()))
            }
            (State::Finding, Part::Synthesis) => Some(frame.across(&text, &self.told())),
            (
                State::Arguing {
                    candidates: findings,
                    ..
                },
                _,
            ) => {
                let worded: Vec<Worded> = findings
                    .iter()
                    .map(|f| Worded::new(f, &self.plan.book, self.plan.frame.boundary()))
                    .collect();
                let candidates: Vec<Candidate<'_>> = worded.iter().map(Worded::candidate).collect();
                Some(frame.argue(&text, &candidates))
            }
            (State::Settled, _) => None,
        }
    }

    fn chunk(&self, part: Part) -> Option<&Chunk> {
        match part {
            Part::Chunk(index) => self.plan.chunks.get(usize::try_from(index).ok()?),
            Part::Synthesis => self.plan.synthesis.as_ref(),
        }
    }

    fn state(&self, part: Part) -> Option<&State> {
        match part {
            Part::Chunk(index) => self.chunks.get(usize::try_from(index).ok()?),
            Part::Synthesis => self.synthesis.as_ref(),
        }
    }

    /// The state of a part, which is settled by that.
    fn take(&mut self, part: Part) -> Option<State> {
        let place = match part {
            Part::Chunk(index) => self.chunks.get_mut(usize::try_from(index).ok()?)?,
            Part::Synthesis => self.synthesis.as_mut()?,
        };
        Some(std::mem::replace(place, State::Settled))
    }

    fn set(&mut self, part: Part, state: State) {
        match part {
            Part::Chunk(index) => {
                let place = usize::try_from(index).ok();
                if let Some(place) = place.and_then(|index| self.chunks.get_mut(index)) {
                    *place = state;
                }
            }
            Part::Synthesis => self.synthesis = Some(state),
        }
    }

    fn is_open(&self, call: Call) -> bool {
        self.started
            && matches!(
                (self.state(call.part), call.pass),
                (Some(State::Finding), Pass::Find) | (Some(State::Arguing { .. }), Pass::Argue)
            )
    }

    /// The first pass of a part was answered.
    fn found(&mut self, part: Part, text: &str, cut: bool, effects: &mut Vec<Effect>) {
        let reply = parse_reply(text);
        let unreadable = !reply.understood || reply.truncated && reply.findings.is_empty();
        if unreadable {
            let why = if cut || reply.truncated {
                "its answer ended at its limit before a finding was complete"
            } else {
                "its answer could not be read"
            };
            self.unread(part, why);
            self.set(part, State::Settled);
            return;
        }
        for _ in &reply.problems {
            self.tally.dropped(DropReason::Malformed);
        }
        if reply.truncated {
            let where_ = self.named(part);
            self.tally.unread(format!(
                "{where_}: the model's answer was cut, there may be more findings"
            ));
        }
        let candidates = self.candidates(part, &reply.findings);
        if candidates.is_empty() {
            self.reviewed(part, !reply.truncated);
            self.set(part, State::Settled);
            return;
        }
        let whole = !reply.truncated;
        self.set(part, State::Arguing { candidates, whole });
        effects.push(ask(part, Pass::Argue));
    }

    /// What of the answer has a place in the change and was not said before, gravest first.
    fn candidates(&mut self, part: Part, raws: &[RawFinding]) -> Vec<Finding> {
        let Some(chunk) = self.chunk(part) else {
            return Vec::new();
        };
        let results: Vec<Result<Finding, DropReason>> = raws
            .iter()
            .map(|raw| anchored(chunk, raw, &self.plan.book))
            .collect();
        let mut found = Vec::new();
        for result in results {
            match result {
                Ok(finding) => found.push(finding),
                Err(reason) => self.tally.dropped(reason),
            }
        }
        found.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then(b.confidence.total_cmp(&a.confidence))
                .then_with(|| a.path.cmp(&b.path))
                .then(a.line_range.cmp(&b.line_range))
        });
        let mut kept: Vec<Finding> = Vec::new();
        let mut here: Vec<Said> = Vec::new();
        let mut tokens = 0_u64;
        for finding in found {
            let said = Said::by_model(&finding);
            let before = self.said.iter().chain(&here).find(|s| s.covers(&said));
            if let Some(before) = before {
                let reason = said_by(before);
                self.tally.dropped(reason);
                continue;
            }
            let worded = Worded::new(&finding, &self.plan.book, self.plan.frame.boundary());
            let rendered = worded.candidate().rendered(kept.len() + 1);
            tokens = tokens.saturating_add(self.plan.frame.count(&rendered));
            if kept.len() >= CANDIDATES_MAX || tokens > self.plan.frame.candidates_tokens() {
                self.tally.dropped(DropReason::TooMany);
                continue;
            }
            here.push(said);
            kept.push(finding);
        }
        kept
    }

    /// The second pass of a part was answered.
    fn argued(&mut self, part: Part, text: &str, effects: &mut Vec<Effect>) {
        let state = self.take(part);
        let Some(State::Arguing { candidates, whole }) = state else {
            return;
        };
        let reply = parse_verdicts(text);
        if !reply.understood {
            self.not_argued(part, candidates.len(), "its answer could not be read");
            return;
        }
        let mut unheard = 0;
        let mut standing = Vec::new();
        for (index, finding) in candidates.into_iter().enumerate() {
            let mine = |verdict: &&super::Verdict| usize::try_from(verdict.n) == Ok(index + 1);
            let mut verdicts = reply.verdicts.iter().filter(mine).peekable();
            if verdicts.peek().is_none() {
                if reply.truncated {
                    unheard += 1;
                } else {
                    // Silence is no defence: what nobody vouches for falls.
                    self.tally.dropped(DropReason::NoVerdict);
                }
            } else if verdicts.all(|verdict| verdict.stands) {
                standing.push(finding);
            } else {
                self.tally.dropped(DropReason::Refuted);
            }
        }
        if unheard > 0 {
            self.not_argued(part, unheard, "its answer was cut");
        } else {
            self.reviewed(part, whole);
        }
        let emitted = self.final_form(standing);
        if !emitted.is_empty() {
            effects.push(Effect::Emit(emitted));
        }
    }

    /// Fingerprints, silences, and what others have said in the meantime.
    fn final_form(&mut self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut emitted = Vec::new();
        for mut finding in findings {
            let said = Said::by_model(&finding);
            if let Some(before) = self.said.iter().find(|s| s.covers(&said)) {
                let reason = said_by(before);
                self.tally.dropped(reason);
                continue;
            }
            finding.fingerprint =
                self.fingerprints
                    .next(&finding.path, &finding.rule, &squashed(&finding.evidence));
            self.said.push(said);
            let silences = &self.plan.silences;
            if silence::is_recorded(&silences.fingerprints, &finding)
                || silences.file.covers(&finding)
            {
                self.tally.summary.silenced += 1;
                continue;
            }
            if finding.severity < silences.min_severity {
                self.tally.summary.below_severity += 1;
                continue;
            }
            self.tally.summary.counts[finding.severity as usize] += 1;
            if self.told.len() < FOUND_MAX {
                let path = self.plan.book.clean(&finding.path);
                let line = finding.line_range.0;
                let told = format!("found: {path}:{line}: {}", finding.title);
                self.told.push(shown(&told, self.plan.frame.boundary()));
            }
            emitted.push(finding);
        }
        emitted
    }

    fn failed(&mut self, part: Part, why: &str) {
        let why = self.plan.book.clean(&one_line(why, WHY_MAX_CHARS));
        match self.state(part) {
            Some(State::Arguing { candidates, .. }) => {
                let count = candidates.len();
                self.not_argued(part, count, &why);
            }
            _ => self.unread(part, &why),
        }
        self.set(part, State::Settled);
    }

    fn stop(&mut self, why: &str) {
        let open: Vec<Part> = (0..self.chunks.len())
            .map(|index| Part::Chunk(number(index)))
            .chain(self.synthesis.is_some().then_some(Part::Synthesis))
            .filter(|part| !matches!(self.state(*part), Some(State::Settled)))
            .collect();
        let none_open = open.is_empty();
        for part in open {
            self.failed(part, why);
        }
        if none_open && self.synthesis.is_none() && self.plan.synthesis.is_some() {
            self.failed(Part::Synthesis, why);
        }
    }

    /// Counts a chunk as read.
    fn reviewed(&mut self, part: Part, to_its_end: bool) {
        if to_its_end && matches!(part, Part::Chunk(_)) {
            self.tally.summary.chunks_reviewed += 1;
        }
    }

    fn unread(&mut self, part: Part, why: &str) {
        let where_ = self.named(part);
        self.tally.unread(match part {
            Part::Chunk(_) => format!("{where_}: not read by the model: {why}"),
            Part::Synthesis => format!("{where_}: not sought by the model: {why}"),
        });
    }

    fn not_argued(&mut self, part: Part, count: usize, why: &str) {
        for _ in 0..count {
            self.tally.dropped(DropReason::NotArgued);
        }
        let where_ = self.named(part);
        let findings = if count == 1 { "finding" } else { "findings" };
        self.tally.unread(format!(
            "{where_}: {count} {findings} not shown, the second pass failed: {why}"
        ));
    }

    /// The files of a part.
    fn named(&self, part: Part) -> String {
        if part == Part::Synthesis {
            return "faults between files".to_owned();
        }
        self.chunk(part).map(files).unwrap_or_default()
    }

    fn proceed(&mut self, effects: &mut Vec<Effect>) {
        let settled = |state: &State| matches!(state, State::Settled);
        if !self.chunks.iter().all(settled) {
            return;
        }
        match &self.synthesis {
            None if self.plan.synthesis.is_some() && self.tally.summary.chunks_reviewed > 0 => {
                self.synthesis = Some(State::Finding);
                effects.push(ask(Part::Synthesis, Pass::Find));
            }
            Some(state) if !settled(state) => {}
            _ => self.end(effects),
        }
    }

    fn end(&mut self, effects: &mut Vec<Effect>) {
        self.done = true;
        effects.push(Effect::Done(Box::new(self.tally.close())));
    }

    /// What was found, for the pass across files, as much as there is room for.
    fn told(&self) -> String {
        let mut out = String::new();
        let mut tokens = 0;
        for title in &self.told {
            tokens += self.plan.frame.count(title) + 1;
            if tokens > self.plan.frame.candidates_tokens() {
                break;
            }
            out.push_str(title);
            out.push('\n');
        }
        out
    }
}

fn said_by(said: &Said) -> DropReason {
    if said.by_rule {
        DropReason::SaidByRule
    } else {
        DropReason::SaidBefore
    }
}

fn ask(part: Part, pass: Pass) -> Effect {
    Effect::Ask(Call { part, pass })
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
