//! Hunks as rows of numbered lines, as a prompt shows them.

use std::{fmt::Write as _, ops::Range, sync::Arc};

use super::{
    Boundary,
    hide::{HunkSecrets, SecretBook, SecretId, Spot},
    text::{cut, shown},
};
use crate::{
    matching::pattern,
    view::{HunkView, LineKind, LineView, Side, build::LINE_MAX_BYTES},
};

/// Unchanged lines that are shown before and after a change.
const CONTEXT_LINES: usize = 8;
/// Of a longer row of removed lines the middle is left out, and that is said.
const REMOVED_RUN_MAX: usize = 60;
/// Of a longer line only so much is shown, and that is said.
pub(crate) const LINE_MAX_CHARS: usize = 4_000;
/// How far the enclosing declaration is looked for.
const ENCLOSING_LINES_MAX: usize = 400;
/// How much of a declaration is shown.
const ENCLOSING_MAX_CHARS: usize = 160;
/// Quoted lines are shown as far as those of rules.
const EVIDENCE_LINE_MAX_CHARS: usize = 400;

/// One line of a hunk.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) kind: LineKind,
    /// Its number in the new file; removed lines have none.
    pub(crate) number: Option<u32>,
    /// As the prompt shows it.
    pub(crate) shown: String,
    /// Without secrets, where that is not what is shown.
    quoted: Option<String>,
    /// What is shown is the line itself: whole, nothing hidden or written out.
    pub(crate) plain: bool,
    /// Only its beginning is shown.
    pub(crate) is_cut: bool,
    /// Secrets that were hidden in what is shown.
    pub(crate) hidden: Vec<SecretId>,
}

impl Line {
    /// As a finding quotes it: without secrets.
    pub(crate) fn quoted(&self) -> String {
        let text = self.quoted.as_ref().unwrap_or(&self.shown);
        cut(text.clone(), EVIDENCE_LINE_MAX_CHARS)
    }

    /// True if the quote is the line itself.
    pub(crate) fn is_quoted_whole(&self) -> bool {
        self.plain && self.quoted.is_none()
    }

    /// On the new side.
    pub(crate) fn is_new(&self) -> bool {
        self.kind != LineKind::Removed
    }
}

/// A row of a hunk in a prompt.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Line(Line),
    /// Lines that are not shown, in words.
    Gap(String),
}

impl Row {
    /// As the prompt shows it, with its line end.
    pub(crate) fn rendered(&self) -> String {
        let mut out = String::new();
        // Writing to a String never fails.
        let _ = match self {
            Self::Gap(words) => writeln!(out, "      … {words}"),
            Self::Line(line) => {
                let mark = match line.kind {
                    LineKind::Added => '+',
                    LineKind::Context => ' ',
                    LineKind::Removed => '-',
                };
                match line.number {
                    Some(number) => writeln!(out, "{number:>5} {mark} {}", line.shown),
                    None => writeln!(out, "      {mark} {}", line.shown),
                }
            }
        };
        out
    }

    pub(crate) fn line(&self) -> Option<&Line> {
        match self {
            Self::Line(line) => Some(line),
            Self::Gap(_) => None,
        }
    }

    pub(crate) fn is_added(&self) -> bool {
        self.line().is_some_and(|line| line.kind == LineKind::Added)
    }
}

/// A part of one hunk in a chunk.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The file's path.
    pub path: Arc<str>,
    /// First and last added line, by their numbers in the new file.
    pub added_lines: (u32, u32),
    /// How many lines it adds.
    pub added: u32,
    /// Index of the file in the diff.
    pub(crate) file: usize,
    /// Index of the hunk in the file.
    pub(crate) hunk: usize,
    /// The path as the prompt shows it.
    pub(crate) shown_path: Arc<str>,
    /// What the prompt says about the file, one line.
    pub(crate) header: Arc<str>,
    /// The enclosing declaration and what was seen here by rules, one line each.
    pub(crate) notes: String,
    pub(crate) rows: Vec<Row>,
}

impl Piece {
    /// Numbers of the added lines, in order.
    pub fn added_numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let added = self.rows.iter().filter(|row| row.is_added());
        added.filter_map(|row| row.line()?.number)
    }

    pub(crate) fn render(&self, out: &mut String) {
        out.push_str(&self.notes);
        for row in &self.rows {
            out.push_str(&row.rendered());
        }
    }

    /// Every line that is shown.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.rows.iter().filter_map(Row::line)
    }
}

/// What is needed to show lines.
pub(crate) struct Showing<'a> {
    pub(crate) book: &'a SecretBook,
    pub(crate) boundary: &'a Boundary,
    pub(crate) redact: bool,
    /// Characters of a line that are shown.
    pub(crate) line_max_chars: usize,
}

impl Showing<'_> {
    /// A label (path, header of a hunk, commit message) as a prompt shows it.
    pub(crate) fn label(&self, text: &str, hidden: &mut Vec<SecretId>) -> String {
        let text = &text[..text.floor_char_boundary(super::hide::LABEL_MAX_BYTES)];
        let plain = self.redact.then(|| self.book.hide(text, &[], hidden));
        shown(plain.flatten().as_deref().unwrap_or(text), self.boundary)
    }

    fn line(&self, line: &LineView<'_>, spots: &[(Range<usize>, SecretId)]) -> Line {
        let text = &line.text[..line.text.floor_char_boundary(LINE_MAX_BYTES)];
        let mut hidden = Vec::new();
        let masked = self.book.hide(text, spots, &mut hidden);
        let base = if self.redact {
            masked.as_deref().unwrap_or(text)
        } else {
            hidden.clear();
            text
        };
        let limited = cut(base.to_owned(), self.line_max_chars);
        let is_cut = limited.len() != base.len() || text.len() < line.text.len();
        let seen = shown(&limited, self.boundary);
        let plain = seen == line.text;
        let quote = masked.as_deref().unwrap_or(text);
        Line {
            kind: line.kind,
            number: line.new_line,
            quoted: (quote != seen).then(|| quote.to_owned()),
            plain,
            is_cut,
            hidden,
            shown: seen,
        }
    }

    /// The rows of a hunk, each with the index of its line in the hunk.
    pub(crate) fn rows(&self, hunk: &HunkView<'_>, secrets: &HunkSecrets) -> Vec<(usize, Row)> {
        let keep = kept(&hunk.lines);
        let mut rows = Vec::new();
        let (mut new, mut old) = (0, 0);
        let mut skipped: Option<(usize, LineKind, u32)> = None;
        for (index, line) in hunk.lines.iter().enumerate() {
            let mut spots = Vec::new();
            // Lines of a side stand in the hunk's order.
            if line.new_line.is_some() {
                within(&hunk.new, new, &secrets.new, &mut spots);
                new += 1;
            }
            if line.old_line.is_some() {
                within(&hunk.old, old, &secrets.old, &mut spots);
                old += 1;
            }
            spots.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
            if keep[index] {
                if let Some(gap) = skipped.take() {
                    rows.push(gap_row(gap));
                }
                rows.push((index, Row::Line(self.line(line, &spots))));
            } else {
                match &mut skipped {
                    Some((_, kind, count)) if *kind == line.kind => *count += 1,
                    Some(gap) => {
                        rows.push(gap_row(*gap));
                        skipped = Some((index, line.kind, 1));
                    }
                    None => skipped = Some((index, line.kind, 1)),
                }
            }
        }
        rows.extend(skipped.map(gap_row));
        rows
    }
}

fn gap_row((index, kind, count): (usize, LineKind, u32)) -> (usize, Row) {
    let what = if kind == LineKind::Removed {
        "removed"
    } else {
        "unchanged"
    };
    let lines = if count == 1 { "line" } else { "lines" };
    (
        index,
        Row::Gap(format!("{count} {what} {lines} not shown here")),
    )
}

/// Which lines are shown: changes, and what stands near them.
fn kept(lines: &[LineView<'_>]) -> Vec<bool> {
    let mut keep = vec![false; lines.len()];
    let mut last_change: Option<usize> = None;
    for (index, line) in lines.iter().enumerate() {
        if line.kind != LineKind::Context {
            last_change = Some(index);
        }
        keep[index] = last_change.is_some_and(|at| index - at <= CONTEXT_LINES);
    }
    let mut next_change: Option<usize> = None;
    for (index, line) in lines.iter().enumerate().rev() {
        if line.kind != LineKind::Context {
            next_change = Some(index);
        }
        keep[index] |= next_change.is_some_and(|at| at - index <= CONTEXT_LINES);
    }
    let mut from = 0;
    while from < lines.len() {
        let run = lines[from..]
            .iter()
            .take_while(|line| line.kind == LineKind::Removed)
            .count();
        if run > REMOVED_RUN_MAX {
            let half = REMOVED_RUN_MAX / 2;
            keep[from + half..from + run - half].fill(false);
        }
        from += run.max(1);
    }
    keep
}

/// The parts of `spots` on line `index` of `side`, relative to the line.
fn within(side: &Side, index: usize, spots: &[Spot], out: &mut Vec<(Range<usize>, SecretId)>) {
    if index >= side.lines.len() || spots.is_empty() {
        return;
    }
    let line = side.line_range(index);
    // Spots are sorted and don't overlap.
    let first = spots.partition_point(|spot| spot.range.end <= line.start);
    for spot in spots[first..]
        .iter()
        .take_while(|spot| spot.range.start < line.end)
    {
        let range = spot.range.start.max(line.start)..spot.range.end.min(line.end);
        let range = range.start - line.start..range.end - line.start;
        if !range.is_empty() {
            out.push((range, spot.id));
        }
    }
}

pattern!(
    DECLARATION,
    r"^\s*(?:(?:pub(?:\([a-z]+\))?|export|default|public|private|protected|internal|static|async|abstract|final|unsafe|const|extern|override|inline|virtual|open|suspend)\s+)*(?:fn|def|func|function|fun|class|struct|enum|trait|impl|interface|module|mod|type|namespace|sub|proc|procedure|record|object)\b"
);
pattern!(
    METHOD,
    r"^\s*[A-Za-z_][\w:<>,*&\s\[\].~]*\([^;]*\)\s*(?:const\s*)?(?:throws\s+[\w., ]+)?\{?\s*$"
);
pattern!(
    STATEMENT,
    r"^\s*(?:\}\s*)?(?:if|else|for|foreach|while|switch|catch|return|match|when|with|do|throw|new|await|assert)\b"
);

/// True for a line that begins a function, a class or the like.
pub(crate) fn is_declaration(text: &str) -> bool {
    text.len() <= LINE_MAX_CHARS
        && (DECLARATION.is_match(text)
            || METHOD.is_match(text) && !STATEMENT.is_match(text) && text.trim_end().ends_with('{'))
}

/// The declaration that encloses what follows `before`, as far as the hunk shows it.
pub(crate) fn enclosing<'d>(before: &[LineView<'d>], first: &str) -> Option<&'d str> {
    let indent = |text: &str| text.len() - text.trim_start().len();
    let below = indent(first);
    before
        .iter()
        .rev()
        .take(ENCLOSING_LINES_MAX)
        .filter(|line| line.kind != LineKind::Removed)
        .map(|line| line.text)
        .find(|text| (indent(text) < below || below == 0) && is_declaration(text))
        .map(|text| {
            text.char_indices()
                .nth(ENCLOSING_MAX_CHARS)
                .map_or(text, |(at, _)| &text[..at])
        })
}
