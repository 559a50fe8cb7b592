//! Lines, indentation, blocks and comments of a side.

use std::ops::Range;

use crate::{matching::pattern, view::Side};

pattern!(
    REFERENCE,
    r"(?:^|[^\w&])#\d+\b|\bGH-\d+|\b[A-Z][A-Z0-9]{1,9}-\d+\b|[a-z][a-z+]+://|\b(?:19|20)\d\d[-/.]\d\d|\b[\w.-]+/[\w.-]+#\d+|\b(?:issue|ticket|bug|PR|CVE|RFC|PEP)[ #:-]*\d+|\b[\w-]+@v?\d|\b(?:remove|removed|drop|dropped|until|after|in|since|once|with|MSRV)\b[^.\n]{0,24}?\bv?\d+\.\d+"
);
pattern!(
    DIRECTIVE,
    r"(?i)noqa(?::\s*[A-Z]+\d+(?:[, ]+[A-Z]+\d+)*)?|pylint:\s*disable=[\w,-]+|pragma:\s*no ?cover|nosec(?:\s+B\d+)?|type:\s*ignore(?:\[[^\]]*\])?|eslint-disable(?:-next-line|-line)?(?:\s+[\w@/-]+(?:,\s*[\w@/-]+)*)?|NOLINT\w*(?:\([^)]*\))?|nolint(?::[\w,]+)?|NOPMD|noinspection\s+\w+|rubocop:\w+\s+[\w/]+|@ts-(?:ignore|expect-error)|phpcs:ignore\S*|swiftlint:\S+(?:\s\w+)?|istanbul ignore \w+|c8 ignore \w+|biome-ignore\s+[\w/]+:?"
);
pattern!(UNFINISHED, r"(?i)\b(?:todo|fixme|xxx|hack)\b");
pattern!(
    INTENT,
    r"(?i)\b(?:intention|deliberate|purpose|expected|harmless|optional|not (?:fatal|critical|important)|non-?fatal|because|since|already|may|might|so that|fallback|fall back|fall through)"
);

/// Words of a comment that say that nothing is done, not why.
const FILLERS: [&str; 56] = [
    "ignore",
    "ignored",
    "ignoring",
    "ignores",
    "error",
    "errors",
    "exception",
    "exceptions",
    "err",
    "the",
    "this",
    "that",
    "it",
    "any",
    "all",
    "a",
    "an",
    "do",
    "does",
    "nothing",
    "here",
    "just",
    "pass",
    "swallow",
    "swallowed",
    "silently",
    "silent",
    "silence",
    "noop",
    "no",
    "op",
    "empty",
    "to",
    "for",
    "now",
    "handle",
    "handled",
    "catch",
    "block",
    "body",
    "and",
    "or",
    "everything",
    "failure",
    "failures",
    "in",
    "we",
    "can",
    "could",
    "best",
    "effort",
    "anyway",
    "else",
    "is",
    "be",
    "not",
];

/// True if the comment names an issue, a page or a date.
pub fn has_reference(comment: &str) -> bool {
    REFERENCE.find_iter(comment).any(|m| {
        let found = m.as_str();
        ![
            "UTF-", "SHA-", "ISO-", "MD-", "AES-", "RSA-", "EC-", "X-", "HTTP-", "LATIN-", "CP-",
            "BASE-",
        ]
        .iter()
        .any(|p| found.starts_with(p))
    })
}

/// True if the comment says why, so that a silence is a decision: not only that it is one, and
/// not only a marker of a linter or of unfinished work.
pub fn gives_reason(comment: &str) -> bool {
    if comment.trim().is_empty() {
        return false;
    }
    let rest = DIRECTIVE.replace_all(comment, " ");
    if has_reference(&rest) {
        return true;
    }
    if UNFINISHED.is_match(&rest) {
        return false;
    }
    if INTENT.is_match(&rest) {
        return true;
    }
    let words = rest
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.len() > 1)
        .filter(|w| !FILLERS.contains(&w.to_ascii_lowercase().as_str()));
    words.count() >= 2
}

/// The comments in a range of a side, their markers included.
pub fn comments(side: &Side, range: Range<usize>) -> String {
    let text = &side.text.as_bytes()[range.clone()];
    let live = &side.live.as_bytes()[range];
    let mut out = Vec::new();
    for (byte, kept) in text.iter().zip(live) {
        if *kept == b' ' && !byte.is_ascii_whitespace() {
            out.push(*byte);
        } else if byte.is_ascii_whitespace() && out.last().is_some_and(|b| *b != b' ') {
            out.push(b' ');
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// True if the byte at `offset` stands in a comment.
pub fn in_comment(side: &Side, offset: usize) -> bool {
    side.live.as_bytes().get(offset) == Some(&b' ')
        && side
            .text
            .as_bytes()
            .get(offset)
            .is_some_and(|b| !b.is_ascii_whitespace())
}

/// The comment on the lines of `range`, with a line of nothing but comment above it.
pub fn comment_around(side: &Side, range: Range<usize>) -> String {
    let first = side.line_at(range.start);
    let last = side.line_at(range.end.max(range.start + 1) - 1);
    let mut start = first;
    while start > 0 && first - start < 3 && is_comment_line(side, start - 1) {
        start -= 1;
    }
    comments(side, side.lines[start].start..side.line_range(last).end)
}

/// True if line `index` holds a comment and nothing else.
pub fn is_comment_line(side: &Side, index: usize) -> bool {
    let range = side.line_range(index);
    let text = side.text[range.clone()].trim();
    side.live[range].trim().is_empty() && !text.is_empty() && !text.starts_with("#!")
}

/// The code of line `index`, strings and comments blanked.
pub fn code_line(side: &Side, index: usize) -> &str {
    &side.code[side.line_range(index)]
}

/// The code of line `index` with its strings.
pub fn live_line(side: &Side, index: usize) -> &str {
    &side.live[side.line_range(index)]
}

/// How far line `index` is indented, in bytes.
pub fn indent(side: &Side, index: usize) -> usize {
    let line = code_line(side, index);
    line.len() - line.trim_start().len()
}

/// The nearest line before `index` with code on it.
pub fn previous(side: &Side, index: usize) -> Option<usize> {
    (0..index)
        .rev()
        .find(|i| !code_line(side, *i).trim().is_empty())
}

/// The nearest line after `index` with code on it.
pub fn next(side: &Side, index: usize) -> Option<usize> {
    (index + 1..side.lines.len()).find(|i| !code_line(side, *i).trim().is_empty())
}

/// True if nothing but the start of a line, or a `;`, `{` or `}`, stands before `at`.
pub fn starts_statement(code: &str, at: usize) -> bool {
    let line = code[..at].rsplit('\n').next().unwrap_or("").trim_end();
    line.is_empty() || line.ends_with([';', '{', '}'])
}

/// True if nothing but white space stands before `at` on its line.
pub fn starts_line(code: &str, at: usize) -> bool {
    code[..at]
        .rsplit('\n')
        .next()
        .unwrap_or("")
        .trim()
        .is_empty()
}

/// Lines of the indented block below `header`, and whether its end is in sight.
///
/// Blank lines and comments at its end belong to it only if they are indented like it.
pub fn indented(side: &Side, header: usize) -> (Range<usize>, bool) {
    indented_below(side, header, indent(side, header))
}

/// As [`indented`], for a header whose last line is `header` and whose first line is indented by
/// `floor`.
pub fn indented_below(side: &Side, header: usize, floor: usize) -> (Range<usize>, bool) {
    let mut end = header + 1;
    for index in header + 1..side.lines.len() {
        let text = &side.text[side.line_range(index)];
        let is_blank = code_line(side, index).trim().is_empty();
        let depth = text.len() - text.trim_start().len();
        if is_blank {
            if !text.trim().is_empty() && depth > floor {
                end = index + 1;
            }
            continue;
        }
        if depth <= floor {
            return (header + 1..end, true);
        }
        end = index + 1;
    }
    (header + 1..end, false)
}

/// The bracket that `open` opens closes here, if the side shows it.
pub fn close(code: &str, open: usize) -> Option<usize> {
    let inside = super::calls::inside(code, open);
    let end = *code.as_bytes().get(inside.end)?;
    matches!(end, b')' | b']' | b'}').then_some(inside.end)
}

/// The position of the first byte at or after `at` that is no white space.
pub fn skip_space(code: &str, at: usize) -> usize {
    at + (code.len() - at) - code[at..].trim_start().len()
}

/// The statement that holds `range`, as whole lines that can go without harm: it starts and ends
/// its lines, all of them are added, and it is not the only statement of its block.
pub fn removable(side: &Side, range: Range<usize>, by_indent: bool) -> Option<Range<usize>> {
    let first = side.line_at(range.start);
    let last = side.line_at(range.end.max(range.start + 1) - 1);
    let lines = side.lines[first].start..side.line_range(last).end;
    let is_alone = side.code[lines.start..range.start].trim().is_empty()
        && side.code[range.end..lines.end].trim().is_empty()
        && side.lines[first..=last].iter().all(|l| l.changed);
    if !is_alone {
        return None;
    }
    let before = previous(side, first)?;
    let stays_whole = if by_indent {
        indent(side, before) == indent(side, first) && !ends_open(code_line(side, before))
            || next(side, last).is_some_and(|n| indent(side, n) == indent(side, first))
    } else {
        code_line(side, before)
            .trim_end()
            .ends_with([';', '{', '}'])
    };
    stays_whole.then_some(lines)
}

fn ends_open(code: &str) -> bool {
    code.trim_end()
        .ends_with([':', ',', '(', '[', '{', '\\', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_more_than_a_silence() {
        for reason in [
            "// the socket is closed already",
            "# noqa: BLE001 - metrics never break a request",
            "/* see https://bugs.example/1 */",
            "# best effort: the cache is only a copy",
        ] {
            assert!(gives_reason(reason), "{reason}");
        }
        for none in [
            "// ignore",
            "# noqa: E722",
            "# pragma: no cover",
            "/* do nothing */",
            "# best effort",
            "// nothing we can do",
            "// TODO: handle this",
            "",
        ] {
            assert!(!gives_reason(none), "{none}");
        }
    }

    #[test]
    fn references_are_issues_pages_and_dates() {
        for reference in [
            "TODO #12",
            "ABC-123",
            "https://x.example",
            "until 2026-01-01",
            "acme/shop#4",
        ] {
            assert!(has_reference(reference), "{reference}");
        }
        for none in ["UTF-8 only", "SHA-256", "step 2"] {
            assert!(!has_reference(none), "{none}");
        }
    }
}
