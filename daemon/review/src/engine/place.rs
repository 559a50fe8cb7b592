//! From hits to findings: lines, columns, evidence, remedy; and which of two hits on one place
//! stays.

use std::{cmp::Reverse, ops::Range};

use super::{check::Candidate, mask::Secrets};
use crate::{
    finding::{Finding, Severity, Suggestion},
    rule::{Fix, Hit, Rule},
    silence::{InlineAllow, inline_silence},
    view::{FileView, Side, build::LINE_MAX_BYTES},
};

const EVIDENCE_LINES_MAX: usize = 10;
const EVIDENCE_LINE_MAX_CHARS: usize = 400;
const SUGGESTION_LINES_MAX: usize = 10;
const TITLE_MAX_CHARS: usize = 80;

/// A finding that lacks its fingerprint, and what is needed to make it.
pub(super) struct Raw {
    pub(super) finding: Finding,
    /// The matched text with its blanks collapsed.
    pub(super) matched: String,
    /// `Some(true)`: silenced inline, also in the base; `Some(false)`: only by the change.
    pub(super) inline: Option<bool>,
    pub(super) rule: usize,
}

pub(super) struct Placement<'a, 'd> {
    pub(super) rules: &'static [&'static Rule],
    pub(super) file: &'a FileView<'d>,
    pub(super) secrets: &'a Secrets,
    /// Per hunk; empty where nothing was found.
    pub(super) allows: &'a [Vec<InlineAllow>],
}

/// True if two hits name the same fault: nearly the same text, or the same secret.
fn same_place(a: &Candidate, b: &Candidate) -> bool {
    if a.hunk != b.hunk || a.hunk.is_none() {
        return false;
    }
    let shared =
        |x: &Range<usize>, y: &Range<usize>| x.end.min(y.end).saturating_sub(x.start.max(y.start));
    let common = shared(&a.hit.range, &b.hit.range);
    if a.rule == b.rule {
        return common > 0;
    }
    if a.hit
        .secrets
        .iter()
        .any(|x| b.hit.secrets.iter().any(|y| shared(x, y) > 0))
    {
        return true;
    }
    let united = a.hit.range.len() + b.hit.range.len() - common;
    common * 2 > united
}

impl Placement<'_, '_> {
    fn severity(&self, candidate: &Candidate) -> Severity {
        candidate
            .hit
            .severity
            .unwrap_or(self.rules[candidate.rule].severity)
    }

    /// Rules that say more about the same text go first.
    fn rank(&self, candidate: &Candidate) -> (Severity, bool, u32) {
        let id = self.rules[candidate.rule].id;
        let general = id == "secret-assignment";
        // Confidence as an integer, so that it can be compared.
        (
            self.severity(candidate),
            !general,
            (candidate.hit.confidence * 1000.0) as u32,
        )
    }

    pub(super) fn place(&self, mut candidates: Vec<Candidate>) -> Vec<Raw> {
        candidates.sort_by_key(|c| (c.hunk, c.hit.range.start, c.hit.range.end, c.rule));
        let mut by_rank: Vec<usize> = (0..candidates.len()).collect();
        by_rank.sort_by_key(|&i| Reverse(self.rank(&candidates[i])));
        let mut kept: Vec<usize> = Vec::new();
        for index in by_rank {
            // Hits are sorted by place, so whatever shares one lies near.
            let near = |other: usize| candidates[other].hunk == candidates[index].hunk;
            let twin =
                kept.iter().rev().take(256).any(|&other| {
                    near(other) && same_place(&candidates[index], &candidates[other])
                });
            if !twin {
                kept.push(index);
            }
        }
        kept.sort_unstable();
        let mut raws: Vec<Raw> = kept.iter().map(|&i| self.raw(&candidates[i])).collect();
        raws.sort_by_key(|raw| raw.finding.line_range.0);
        raws
    }

    fn raw(&self, candidate: &Candidate) -> Raw {
        let rule = self.rules[candidate.rule];
        let hit = &candidate.hit;
        let title = hit.title.as_deref().unwrap_or(rule.title);
        let clean = |text: &str| self.secrets.clean(text).unwrap_or_else(|| text.to_owned());
        let mut finding = Finding {
            rule: rule.id.to_owned(),
            title: clean(title).chars().take(TITLE_MAX_CHARS).collect(),
            body: clean(rule.reason),
            severity: self.severity(candidate),
            confidence: hit.confidence.clamp(0.0, 1.0),
            path: self.file.path.to_owned(),
            line_range: (1, 1),
            columns: None,
            evidence: String::new(),
            trigger: clean(&hit.trigger),
            suggestion: None,
            fingerprint: String::new(),
        };
        let Some(index) = candidate.hunk else {
            if let Some(line) = first_added(self.file) {
                finding.line_range = (line, line);
            }
            let matched = finding.title.clone();
            return Raw {
                finding,
                matched,
                inline: None,
                rule: candidate.rule,
            };
        };
        let side = &self.file.hunks[index].new;
        let (first, last) = touched(side, &hit.range);
        finding.line_range = (side.lines[first].number, side.lines[last].number);
        if hit.caret && hit.range.start < hit.range.end {
            finding.columns = Some(columns(side, first, &hit.range));
        }
        finding.evidence = self.evidence(index, side, first, last);
        finding.suggestion = self.suggestion(index, side, hit);
        let inline = self
            .allows
            .get(index)
            .and_then(|allows| inline_silence(allows, rule.id, first, last));
        let matched = if hit.range.is_empty() {
            &side.text[side.line_range(first)]
        } else {
            &side.text[hit.range.clone()]
        };
        let matched = matched.split_whitespace().collect::<Vec<_>>().join(" ");
        Raw {
            finding,
            matched,
            inline,
            rule: candidate.rule,
        }
    }

    fn evidence(&self, index: usize, side: &Side, first: usize, last: usize) -> String {
        let last = last.min(first + EVIDENCE_LINES_MAX - 1);
        let range = side.line_range(first).start..side.line_range(last).end;
        let quoted = self.secrets.quote(index, side, range);
        if quoted.len() <= EVIDENCE_LINE_MAX_CHARS {
            return quoted;
        }
        let lines: Vec<String> = quoted
            .split('\n')
            .map(
                |line| match line.char_indices().nth(EVIDENCE_LINE_MAX_CHARS) {
                    Some((cut, _)) => format!("{}…", &line[..cut]),
                    None => line.to_owned(),
                },
            )
            .collect();
        lines.join("\n")
    }

    fn suggestion(&self, index: usize, side: &Side, hit: &Hit) -> Option<Suggestion> {
        let (range, text) = match hit.fix.as_ref()? {
            Fix::Replace(range, text) => (range, Some(text)),
            Fix::RemoveLines(range) => (range, None),
        };
        side.text.get(range.clone())?;
        let (first, last) = touched(side, range);
        let whole = side.line_range(first).start..side.line_range(last).end;
        let original = &side.text[whole.clone()];
        let replacement = text.map(|text| {
            format!(
                "{}{text}{}",
                &side.text[whole.start..range.start],
                &side.text[range.end..whole.end]
            )
        });
        let fits = |text: &str| {
            text.split('\n').count() <= SUGGESTION_LINES_MAX
                && !text.contains('\u{fffd}')
                && text.len() < LINE_MAX_BYTES - 3
                && self.secrets.clean(text).is_none()
        };
        let usable = fits(original)
            && !self.secrets.touch(index, &whole)
            && replacement
                .as_deref()
                .is_none_or(|new| fits(new) && new != original);
        usable.then(|| Suggestion {
            line_range: (side.lines[first].number, side.lines[last].number),
            original: original.to_owned(),
            replacement,
        })
    }
}

/// First and last line (indices) that the range touches.
fn touched(side: &Side, range: &Range<usize>) -> (usize, usize) {
    let first = side.line_at(range.start);
    let last = side.line_at(range.end.max(range.start + 1) - 1);
    (first, last.max(first))
}

/// Columns of the part of `range` on line `first`, in characters, 1-based, end exclusive.
fn columns(side: &Side, first: usize, range: &Range<usize>) -> (u32, u32) {
    let line = side.line_range(first);
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX - 2);
    let start = count(&side.text[line.start..range.start.min(line.end)]) + 1;
    let inside = count(&side.text[range.start.min(line.end)..range.end.min(line.end)]);
    (start, start.saturating_add(inside.max(1)))
}

fn first_added(file: &FileView<'_>) -> Option<u32> {
    file.hunks
        .iter()
        .flat_map(|h| &h.lines)
        .find(|l| l.kind == crate::view::LineKind::Added)
        .and_then(|l| l.new_line)
}
