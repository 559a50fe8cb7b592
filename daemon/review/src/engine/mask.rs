//! Secrets never leave in a finding: not in its evidence, not in its words, not in its remedy.

use std::ops::Range;

use crate::view::Side;

/// Shorter texts are only masked where they stand, not wherever they occur.
const EVERYWHERE_MIN_CHARS: usize = 6;
/// How many secrets of one file are replaced wherever they occur.
const EVERYWHERE_MAX: usize = 512;

/// The secrets of one file.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Per hunk, sorted, not overlapping.
    ranges: Vec<Vec<Range<usize>>>,
    /// Their texts, longest first.
    texts: Vec<String>,
}

/// What is shown of a secret: its first characters and an ellipsis.
pub(crate) fn masked(secret: &str) -> String {
    let length = secret.chars().count();
    let shown = if length >= 8 { 4 } else { length / 3 };
    let mut out: String = secret.chars().take(shown).collect();
    out.push('…');
    out
}

impl Secrets {
    /// Notes a secret that stands at `range` of `side` in hunk `index`.
    pub(crate) fn note(&mut self, index: usize, side: &Side, range: Range<usize>) {
        let Some(text) = side.text.get(range.clone()) else {
            return;
        };
        if self.ranges.len() <= index {
            self.ranges.resize(index + 1, Vec::new());
        }
        self.ranges[index].push(range);
        for line in text.lines() {
            let line = line.trim();
            if line.chars().count() >= EVERYWHERE_MIN_CHARS && self.texts.len() < EVERYWHERE_MAX {
                self.texts.push(line.to_owned());
            }
        }
    }

    /// Brings the noted ranges into order; due before the questions below.
    pub(crate) fn settle(&mut self) {
        for ranges in &mut self.ranges {
            ranges.sort_by_key(|r| (r.start, r.end));
            let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
            for range in ranges.drain(..) {
                match merged.last_mut() {
                    Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                    _ => merged.push(range),
                }
            }
            *ranges = merged;
        }
        self.texts
            .sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.texts.dedup();
    }

    /// True if a secret stands in `range` of hunk `index`.
    pub(crate) fn touch(&self, index: usize, range: &Range<usize>) -> bool {
        self.ranges.get(index).is_some_and(|all| {
            all.iter()
                .any(|s| s.start < range.end && range.start < s.end)
        })
    }

    /// The text of `range` in hunk `index`, masked.
    pub(crate) fn quote(&self, index: usize, side: &Side, range: Range<usize>) -> String {
        let mut out = String::with_capacity(range.len());
        let mut at = range.start;
        let none = Vec::new();
        for secret in self.ranges.get(index).unwrap_or(&none) {
            if secret.end <= at || secret.start >= range.end {
                continue;
            }
            out.push_str(&side.text[at..secret.start.max(at)]);
            let inside = &side.text[secret.start.max(at)..secret.end.min(range.end)];
            for (number, line) in inside.split('\n').enumerate() {
                if number > 0 {
                    out.push('\n');
                    out.push('…');
                } else if secret.start >= at {
                    out.push_str(&masked(line));
                } else {
                    out.push('…');
                }
            }
            at = secret.end.min(range.end);
        }
        out.push_str(&side.text[at..range.end]);
        self.clean(&out).unwrap_or(out)
    }

    /// `text` without the secrets of this file, if it holds one.
    pub(crate) fn clean(&self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        for secret in &self.texts {
            let current = out.as_deref().unwrap_or(text);
            if current.contains(secret.as_str()) {
                out = Some(current.replace(secret.as_str(), &masked(secret)));
            }
        }
        out
    }
}
