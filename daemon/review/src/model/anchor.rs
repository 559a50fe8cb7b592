//! From what a model states to a finding: its quote has to stand where it says, in the change.

use std::sync::Arc;

use super::{
    RULE,
    hide::{HIDDEN, SecretBook},
    lines::{Line, Piece},
    plan::Chunk,
    reply::{RawFinding, RawSuggestion},
    summary::DropReason,
    text::{cut, is_plain_code, one_line, squashed},
};
use crate::{
    finding::{Finding, Suggestion},
    matching::pattern,
    view::LineKind,
};

/// How far from where it says a quote may stand.
const DRIFT_LINES: u32 = 3;
/// A finding over more lines points at its quote alone.
const RANGE_LINES_MAX: u32 = 30;
const EVIDENCE_LINES_MAX: usize = 10;
const SUGGESTION_LINES_MAX: usize = 10;
const SUGGESTION_MAX_BYTES: usize = 8 * 1024;
/// A quote with fewer letters and digits says nothing about a place.
const QUOTE_MIN_CHARS: usize = 3;
const TITLE_MAX_CHARS: usize = 80;
const BODY_MAX_CHARS: usize = 1_500;
const TRIGGER_MAX_CHARS: usize = 600;

/// A line of the new side in a chunk.
struct Stand<'c> {
    line: &'c Line,
    number: u32,
    /// Index of its piece in the chunk.
    piece: usize,
    /// Its text, blanks collapsed.
    text: String,
}

/// Makes a finding of what the model states, without a fingerprint; or says why not.
pub(crate) fn anchored(
    chunk: &Chunk,
    raw: &RawFinding,
    book: &SecretBook,
) -> Result<Finding, DropReason> {
    let path = named(chunk, &raw.path).ok_or(DropReason::UnknownPath)?;
    let stands = stands(chunk, &path);
    let (first, last) = place(&stands, raw)?;
    let piece = &chunk.pieces[stands[first].piece];
    let lines = lines(raw, &stands, first, last, piece);
    let touches = piece
        .added_numbers()
        .any(|number| (lines.0..=lines.1).contains(&number));
    if !touches {
        return Err(DropReason::NotInChange);
    }
    let title = book.clean(&one_line(&raw.title, 4 * TITLE_MAX_CHARS));
    let title = cut(title, TITLE_MAX_CHARS);
    if title.is_empty() {
        return Err(DropReason::Malformed);
    }
    let evidence: Vec<String> = stands[first..=last]
        .iter()
        .take(EVIDENCE_LINES_MAX)
        .map(|stand| stand.line.quoted())
        .collect();
    let columns = if first == last && lines.0 == stands[first].number {
        columns(stands[first].line, &raw.quote)
    } else {
        None
    };
    Ok(Finding {
        rule: RULE.to_owned(),
        title,
        body: book.clean(&one_line(&raw.body, BODY_MAX_CHARS)),
        severity: raw.severity,
        confidence: raw.confidence.clamp(0.0, 1.0),
        path: path.to_string(),
        line_range: lines,
        columns,
        evidence: evidence.join("\n"),
        trigger: book.clean(&one_line(&raw.trigger, TRIGGER_MAX_CHARS)),
        suggestion: raw
            .suggestion
            .as_ref()
            .and_then(|suggestion| remedy(suggestion, piece, book)),
        fingerprint: String::new(),
    })
}

/// The path that the model means, if the chunk holds it.
fn named(chunk: &Chunk, path: &str) -> Option<Arc<str>> {
    let path = path.trim();
    let shorter = ["b/", "a/", "./"]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix));
    [Some(path), shorter]
        .into_iter()
        .flatten()
        .find_map(|path| {
            let is_it = |piece: &&Piece| *piece.path == *path || *piece.shown_path == *path;
            let piece = chunk.pieces.iter().find(is_it)?;
            Some(Arc::clone(&piece.path))
        })
}

fn stands<'c>(chunk: &'c Chunk, path: &str) -> Vec<Stand<'c>> {
    let pieces = chunk.pieces.iter().enumerate();
    pieces
        .filter(|(_, piece)| *piece.path == *path)
        .flat_map(|(index, piece)| {
            piece
                .lines()
                .filter(|line| line.is_new())
                .filter_map(move |line| {
                    Some(Stand {
                        line,
                        number: line.number?,
                        piece: index,
                        text: squashed(&line.shown),
                    })
                })
        })
        .collect()
}

pattern!(NUMBERED, r"^\s*(?:\d{1,9}\s*(?:[+-]|\s)\s?|[+-]\s)");

/// Where the quote stands: indices of its first and last line.
fn place(stands: &[Stand<'_>], raw: &RawFinding) -> Result<(usize, usize), DropReason> {
    let as_is: Vec<String> = raw.quote.lines().map(squashed).collect();
    // Models copy the number and the mark, too.
    let unmarked: Vec<String> = raw
        .quote
        .lines()
        .map(|line| squashed(&NUMBERED.replace(line, "")))
        .collect();
    let mut too_short = true;
    for mut quote in [as_is, unmarked] {
        quote.retain(|line| !line.is_empty());
        quote.truncate(EVIDENCE_LINES_MAX);
        if !is_telling(&quote) {
            continue;
        }
        too_short = false;
        let found: Vec<(usize, usize)> = (0..stands.len())
            .filter_map(|at| Some((at, stands_at(stands, at, &quote)?)))
            .collect();
        let numbers = |(first, last): (usize, usize)| (stands[first].number, stands[last].number);
        let named = found.iter().copied().find(|place| {
            let (first, last) = numbers(*place);
            first <= raw.line_end && raw.line_start <= last
        });
        if let Some(place) = named {
            return Ok(place);
        }
        let mut near = found.iter().copied().filter(|place| {
            let (first, last) = numbers(*place);
            first <= raw.line_end.saturating_add(DRIFT_LINES)
                && raw.line_start.saturating_sub(DRIFT_LINES) <= last
        });
        if let (Some(place), None) = (near.next(), near.next()) {
            return Ok(place);
        }
    }
    Err(if too_short {
        DropReason::QuoteTooShort
    } else {
        DropReason::QuoteNotThere
    })
}

fn is_telling(quote: &[String]) -> bool {
    let telling = |line: &String| {
        let line = line.replace(HIDDEN, "");
        line.chars().filter(|c| c.is_alphanumeric()).count()
    };
    quote.iter().map(telling).sum::<usize>() >= QUOTE_MIN_CHARS
}

/// The index of the quote's last line if it stands at `at`.
fn stands_at(stands: &[Stand<'_>], at: usize, quote: &[String]) -> Option<usize> {
    let (head, rest) = quote.split_first()?;
    if !holds(&stands[at].text, head) {
        return None;
    }
    let mut last = at;
    for line in rest {
        let mut next = last + 1;
        // Blank lines are not quoted.
        while follows(stands, next) && stands[next].text.is_empty() {
            next += 1;
        }
        if !follows(stands, next) || !holds(&stands[next].text, line) {
            return None;
        }
        last = next;
    }
    Some(last)
}

/// True if the line at `index` follows the one before it in the file.
fn follows(stands: &[Stand<'_>], index: usize) -> bool {
    index > 0
        && stands.get(index).is_some_and(|stand| {
            let before = &stands[index - 1];
            stand.piece == before.piece && stand.number == before.number.saturating_add(1)
        })
}

/// True if `quote` stands in `line`, not as a part of a longer word.
fn holds(line: &str, quote: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(quote).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + quote.len()..].chars().next();
        !(is_word(before) && is_word(quote.chars().next())
            || is_word(after) && is_word(quote.chars().next_back()))
    })
}

/// The finding's lines: what the model names around its quote, as far as the piece shows it.
fn lines(
    raw: &RawFinding,
    stands: &[Stand<'_>],
    first: usize,
    last: usize,
    piece: &Piece,
) -> (u32, u32) {
    let quoted = (stands[first].number, stands[last].number);
    let overlaps = quoted.0 <= raw.line_end && raw.line_start <= quoted.1;
    let mut numbers = piece
        .lines()
        .filter(|line| line.is_new())
        .filter_map(|line| line.number);
    let Some(start) = numbers.next() else {
        return quoted;
    };
    let end = numbers.last().unwrap_or(start);
    let named = (
        raw.line_start.max(start).min(quoted.0),
        raw.line_end.min(end).max(quoted.1),
    );
    if overlaps && named.1 - named.0 < RANGE_LINES_MAX {
        named
    } else {
        quoted
    }
}

fn columns(line: &Line, quote: &str) -> Option<(u32, u32)> {
    let quote = quote.trim();
    if !line.is_quoted_whole() || quote.is_empty() || line.shown.matches(quote).count() != 1 {
        return None;
    }
    let at = line.shown.find(quote)?;
    let start = u32::try_from(line.shown[..at].chars().count()).ok()?;
    let length = u32::try_from(quote.chars().count()).ok()?;
    Some((
        start.checked_add(1)?,
        start.checked_add(1)?.checked_add(length)?,
    ))
}

/// A remedy whose original is exactly what stands there, lines without secrets or tricks.
fn remedy(raw: &RawSuggestion, piece: &Piece, book: &SecretBook) -> Option<Suggestion> {
    let count = raw.line_end.checked_sub(raw.line_start)?.checked_add(1)?;
    if usize::try_from(count).ok()? > SUGGESTION_LINES_MAX {
        return None;
    }
    let mut lines = Vec::new();
    for number in raw.line_start..=raw.line_end {
        let is_it = |line: &&Line| line.is_new() && line.number == Some(number);
        lines.push(piece.lines().find(is_it)?);
    }
    let whole = lines.iter().all(|line| line.is_quoted_whole());
    let changed = lines.iter().any(|line| line.kind == LineKind::Added);
    let original: Vec<&str> = lines.iter().map(|line| line.shown.as_str()).collect();
    let original = original.join("\n");
    let plain = |text: &str| {
        let text = text.replace("\r\n", "\n");
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    };
    if !whole || !changed || plain(&raw.original) != original {
        return None;
    }
    let replacement = raw.replacement.as_deref().map(plain);
    let usable = replacement.as_deref().is_none_or(|text| {
        text.split('\n').count() <= SUGGESTION_LINES_MAX
            && text.len() <= SUGGESTION_MAX_BYTES
            && text != original
            && is_plain_code(text)
            && !text.contains(HIDDEN)
            && book.clean(text) == text
    });
    usable.then_some(Suggestion {
        line_range: (raw.line_start, raw.line_end),
        original,
        replacement,
    })
}
