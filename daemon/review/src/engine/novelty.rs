//! Only what the change introduces: a fault that the old side has too, or that stands among the
//! removed lines elsewhere, was moved, re-indented or rewritten, and is not new.

use std::{collections::HashSet, sync::OnceLock};

use super::check::{Candidate, one_per_place};
use crate::{
    diff::Diff,
    rule::{Check, Place, Rule, Sink},
    view::{FileView, HunkView, LineKind, LineView, Side},
};

/// A line at least this long, blanks not counted, is told from others by its text alone.
const DISTINCT_MIN_BYTES: usize = 24;
/// A neighbour this short (`}`, `end`) says nothing about where a line came from.
const NEIGHBOUR_MIN_BYTES: usize = 5;
/// Longer lines are data, and not worth the time.
const LINE_MAX_BYTES: usize = 1_000;

/// The removed lines of a diff, by what they say. Gathered when the first question comes.
pub(super) struct Removed<'d> {
    diff: &'d Diff<'d>,
    keys: OnceLock<HashSet<u64>>,
}

/// What a line says, blanks, separators and the kind of quotes left out; and its length so.
fn key(line: &str) -> (u64, usize) {
    // FNV-1a: short input, no adversary to gain anything from a collision.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut bytes = 0;
    for byte in line.bytes() {
        let byte = match byte {
            b' ' | b'\t' | b'\r' | b',' | b';' => continue,
            b'"' | b'`' => b'\'',
            other => other,
        };
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        bytes += 1;
    }
    (hash, bytes)
}

impl<'d> Removed<'d> {
    pub(super) fn new(diff: &'d Diff<'d>) -> Self {
        Self {
            diff,
            keys: OnceLock::new(),
        }
    }

    fn keys(&self) -> &HashSet<u64> {
        self.keys.get_or_init(|| {
            self.diff
                .files
                .iter()
                .flat_map(|file| &file.hunks)
                .flat_map(|hunk| &hunk.lines)
                .filter(|l| l.kind == LineKind::Removed && l.text.len() <= LINE_MAX_BYTES)
                .map(|l| key(l.text))
                .filter(|(_, bytes)| *bytes > 0)
                .map(|(hash, _)| hash)
                .collect()
        })
    }

    /// True if every added line of the hit was removed elsewhere, and the lines are distinct
    /// enough, or have a neighbour that came along.
    fn moved(&self, side: &Side, candidate: &Candidate) -> bool {
        let range = &candidate.hit.range;
        let first = side.line_at(range.start);
        let last = side.line_at(range.end.max(range.start + 1) - 1);
        let text = |index: usize| &side.text[side.line_range(index)];
        let mut distinct = 0;
        for index in (first..=last).filter(|&i| side.lines[i].changed) {
            let (hash, bytes) = key(text(index));
            if bytes > 0 && !self.keys().contains(&hash) {
                return false;
            }
            distinct += bytes;
        }
        if distinct >= DISTINCT_MIN_BYTES {
            return true;
        }
        let came_along = |index: usize| {
            let (hash, bytes) = key(text(index));
            side.lines[index].changed && bytes >= NEIGHBOUR_MIN_BYTES && self.keys().contains(&hash)
        };
        let before = (0..first).rev().find(|&i| !text(i).trim().is_empty());
        let after = (last + 1..side.lines.len()).find(|&i| !text(i).trim().is_empty());
        distinct > 0 && [before, after].into_iter().flatten().any(came_along)
    }
}

/// Drops the candidates that are not new. `candidates` are those of one file.
pub(super) fn keep_new(
    rules: &'static [&'static Rule],
    file: &FileView<'_>,
    removed: &Removed<'_>,
    candidates: &mut Vec<Candidate>,
) {
    if candidates.is_empty() {
        return;
    }
    let mut groups: Vec<(usize, usize)> = candidates
        .iter()
        .filter_map(|c| c.hunk.map(|hunk| (c.rule, hunk)))
        .collect();
    groups.sort_unstable();
    groups.dedup();
    let mut old: Vec<Candidate> = Vec::new();
    for (rule, hunk) in groups {
        rewritten(rules[rule], rule, hunk, file, candidates, &mut old);
    }
    candidates.retain(|candidate| {
        let Some(hunk) = candidate.hunk else {
            return true;
        };
        let side = &file.hunks[hunk].new;
        !side.touches_change(&candidate.hit.range) || !removed.moved(side, candidate)
    });
}

/// Cancels hits of `rule` in one hunk against those that it has on the old side.
fn rewritten(
    rule: &Rule,
    index: usize,
    hunk: usize,
    file: &FileView<'_>,
    candidates: &mut Vec<Candidate>,
    old: &mut Vec<Candidate>,
) {
    let Check::Hunk(check) = rule.check else {
        return;
    };
    let view = &file.hunks[hunk];
    if !view.old.lines.iter().any(|l| l.changed) {
        return;
    }
    let back = reversed(view);
    let mut sink = Sink::default();
    check(file, &back, &mut sink);
    one_per_place(rule, &back, &mut sink);
    old.clear();
    for placed in sink.hits {
        if matches!(placed.place, Place::Hunk(_))
            && back.new.text.get(placed.hit.range.clone()).is_some()
            && back.new.touches_change(&placed.hit.range)
        {
            old.push(Candidate {
                rule: index,
                hunk: Some(hunk),
                hit: placed.hit,
            });
        }
    }
    let says = |side: &Side, candidate: &Candidate| key(&side.text[candidate.hit.range.clone()]).0;
    let here = |c: &Candidate| c.rule == index && c.hunk == Some(hunk);
    candidates.retain(|candidate| {
        if !here(candidate) {
            return true;
        }
        let same = says(&view.new, candidate);
        match old.iter().position(|o| says(&back.new, o) == same) {
            Some(twin) => {
                old.remove(twin);
                false
            }
            None => true,
        }
    });
    // Another secret in place of one is a new secret.
    if rule.never_silenced_by_change {
        return;
    }
    let mut rest = old.len();
    candidates.retain(|candidate| {
        let gone = rest > 0 && here(candidate);
        rest -= usize::from(gone);
        !gone
    });
}

/// The hunk of the change that takes everything back.
fn reversed<'d>(hunk: &HunkView<'d>) -> HunkView<'d> {
    let lines = hunk.lines.iter().map(|line| LineView {
        kind: match line.kind {
            LineKind::Context => LineKind::Context,
            LineKind::Added => LineKind::Removed,
            LineKind::Removed => LineKind::Added,
        },
        old_line: line.new_line,
        new_line: line.old_line,
        ..*line
    });
    HunkView {
        lines: lines.collect(),
        section: hunk.section,
        new: hunk.old.clone(),
        old: hunk.new.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Review, ReviewOptions};

    /// Rule and line of everything found in the diff.
    fn found(diff: &str) -> Vec<(String, u32)> {
        let review = Review::new(diff.as_bytes(), ReviewOptions::default()).unwrap();
        let findings = review.collect().0.into_iter().flat_map(|o| o.findings);
        findings.map(|f| (f.rule, f.line_range.0)).collect()
    }

    fn hunk(path: &str, lines: &[&str]) -> String {
        let count = |marks: &str| {
            lines
                .iter()
                .filter(|l| l.starts_with(|c| marks.contains(c)))
                .count()
        };
        format!(
            "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{} +1,{} @@\n{}\n",
            count(" -"),
            count(" +"),
            lines.join("\n")
        )
    }

    #[test]
    fn a_fault_in_other_words_is_not_new() {
        let diff = hunk(
            "src/a.rs",
            &[
                "-    let a = first().unwrap();",
                "+    let all = first(1).unwrap();",
            ],
        );
        assert_eq!(found(&diff), []);
    }

    #[test]
    fn one_fault_more_than_before_is_new() {
        let lines = [
            "-    let a = first().unwrap();",
            "+    let a = first() .unwrap();",
            "+    let b = second().unwrap();",
        ];
        assert_eq!(
            found(&hunk("src/a.rs", &lines)),
            [("new-panic".to_owned(), 2)]
        );
    }

    #[test]
    fn lines_moved_to_another_file_are_not_new() {
        let line = "node.innerHTML = comment.body;";
        let gone = hunk("src/a.js", &[" f();", &format!("-{line}")]);
        let come = hunk("src/b.js", &[" g();", &format!("+  {line}")]);
        assert_eq!(found(&(gone + &come)), []);
    }

    #[test]
    fn a_short_line_that_was_removed_elsewhere_is_new_all_the_same() {
        let gone = hunk("src/a.py", &[" def f():", "-    pass", "-except:"]);
        let come = hunk(
            "src/b.py",
            &[" try:", "     send()", "+except:", "+    pass"],
        );
        assert_eq!(found(&(gone + &come)), [("swallowed-error".to_owned(), 3)]);
    }

    #[test]
    fn a_secret_in_place_of_another_is_new() {
        let key = |tail: &str| format!("postgres://shop:{tail}@db.acme.dev/shop");
        let line = |mark: &str, tail: &str| format!("{mark}URL = \"{}\"", key(tail));
        let (old, new) = (line("-", "kV9tQ2mXw4Rb"), line("+", "Zp7LsN3cYh8D"));
        assert_eq!(
            found(&hunk("a.py", &[&old, &new])),
            [("url-credentials".to_owned(), 1)]
        );
        let same = line("+    ", "kV9tQ2mXw4Rb");
        assert_eq!(found(&hunk("a.py", &[&old, &same])), []);
    }
}
