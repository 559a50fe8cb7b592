//! Hunks: header and lines, two-way and combined.

use super::{Hunk, ProblemKind, reader::Lines};
use crate::view::{LineKind, LineView};

/// Where a hunk starts and how many lines it claims, for one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    count: u64,
}

struct Header<'d> {
    /// One per parent, then the new side.
    spans: Vec<Span>,
    section: &'d str,
}

const PARENTS_MAX: usize = 64;

/// `-1,3` after its sign: start and count, saturating: a header may lie.
fn span(text: &str) -> Option<Span> {
    let (start, count) = match text.split_once(',') {
        Some((start, count)) => (number(start)?, number(count)?),
        None => (number(text)?, 1),
    };
    Some(Span {
        start: u32::try_from(start).unwrap_or(u32::MAX),
        count,
    })
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

fn header(line: &str) -> Option<Header<'_>> {
    let ats = line.bytes().take_while(|b| *b == b'@').count();
    if !(2..=PARENTS_MAX).contains(&ats) {
        return None;
    }
    let mut rest = line[ats..].strip_prefix(' ')?;
    let mut spans = Vec::with_capacity(ats);
    for index in 0..ats {
        let sign = if index + 1 == ats { '+' } else { '-' };
        let body = rest.strip_prefix(sign)?;
        let end = body.find(' ')?;
        spans.push(span(&body[..end])?);
        rest = &body[end + 1..];
    }
    let after = rest.strip_prefix(&line[..ats])?;
    let section = after.strip_prefix(' ').unwrap_or(after).trim_end();
    Some(Header { spans, section })
}

/// Reads the hunk whose header is the next line. `Err` leaves the cursor behind the header.
pub(super) fn read<'d>(
    lines: &mut Lines<'d>,
) -> Result<(Hunk<'d>, Option<ProblemKind>), ProblemKind> {
    let line = lines.next().unwrap_or_default();
    let header = header(line).ok_or(ProblemKind::BadHunkHeader)?;
    if header.spans.len() == 2 {
        Ok(two_way(lines, &header))
    } else {
        Ok(combined(lines, &header))
    }
}

fn content(raw: &str) -> (&str, bool) {
    match raw.strip_suffix('\r') {
        Some(text) => (text, true),
        None => (raw, false),
    }
}

fn two_way<'d>(lines: &mut Lines<'d>, header: &Header<'d>) -> (Hunk<'d>, Option<ProblemKind>) {
    let (old, new) = (header.spans[0], header.spans[1]);
    let (mut old_left, mut new_left) = (old.count, new.count);
    let (mut old_line, mut new_line) = (old.start, new.start);
    let mut out = Vec::new();
    let mut problem = None;
    while old_left > 0 || new_left > 0 {
        let Some(raw) = lines.peek() else {
            problem = Some(ProblemKind::TruncatedHunk);
            break;
        };
        let kind = match raw.as_bytes().first() {
            Some(b' ') => LineKind::Context,
            Some(b'+') => LineKind::Added,
            Some(b'-') => LineKind::Removed,
            Some(b'\\') => {
                lines.next();
                continue;
            }
            // Mail programs and editors strip the blank off an empty context line.
            None | Some(b'\r') if old_left > 0 && new_left > 0 => LineKind::Context,
            // Others expand nothing but drop the blank before a tab.
            Some(b'\t') if old_left > 0 && new_left > 0 => LineKind::Context,
            _ => {
                problem = Some(ProblemKind::TruncatedHunk);
                break;
            }
        };
        let fits = match kind {
            LineKind::Context => old_left > 0 && new_left > 0,
            LineKind::Added => new_left > 0,
            LineKind::Removed => old_left > 0,
        };
        // A `---`, `+++`, `@@` in a row is the next file: `@@` can't stand inside of a hunk.
        let next_file = (old_left != 1 || new_left != 1) && lines.at_plain_file();
        if !fits || next_file {
            problem = Some(if next_file {
                ProblemKind::TruncatedHunk
            } else {
                ProblemKind::ExcessLines
            });
            break;
        }
        lines.next();
        let stripped = matches!(raw.as_bytes().first(), Some(b' ' | b'+' | b'-'));
        let (text, crlf) = content(if stripped { &raw[1..] } else { raw });
        let mut line = LineView {
            kind,
            text,
            crlf,
            old_line: None,
            new_line: None,
        };
        if kind != LineKind::Added {
            line.old_line = Some(old_line);
            old_line = old_line.saturating_add(1);
            old_left -= 1;
        }
        if kind != LineKind::Removed {
            line.new_line = Some(new_line);
            new_line = new_line.saturating_add(1);
            new_left -= 1;
        }
        out.push(line);
    }
    skip_no_newline(lines);
    let hunk = Hunk {
        section: header.section,
        lines: out,
        new_start: new.start,
        old_start: old.start,
    };
    (hunk, problem)
}

fn skip_no_newline(lines: &mut Lines<'_>) {
    while lines.peek().is_some_and(|l| l.starts_with('\\')) {
        lines.next();
    }
}

/// A merge's hunk. A line counts as added where no parent has it, as removed where the first
/// parent had it.
fn combined<'d>(lines: &mut Lines<'d>, header: &Header<'d>) -> (Hunk<'d>, Option<ProblemKind>) {
    let parents = header.spans.len() - 1;
    let mut left: Vec<u64> = header.spans.iter().map(|s| s.count).collect();
    let (mut old_line, mut new_line) = (header.spans[0].start, header.spans[parents].start);
    let mut out = Vec::new();
    let mut problem = None;
    while left.iter().any(|&l| l > 0) {
        let Some(raw) = lines.peek() else {
            problem = Some(ProblemKind::TruncatedHunk);
            break;
        };
        if raw.starts_with('\\') {
            lines.next();
            continue;
        }
        let marks = raw.as_bytes();
        let legal = marks.len() >= parents
            && marks[..parents]
                .iter()
                .all(|b| matches!(b, b' ' | b'+' | b'-'));
        if !legal {
            problem = Some(ProblemKind::TruncatedHunk);
            break;
        }
        lines.next();
        let marks = &marks[..parents];
        let (text, crlf) = content(&raw[parents..]);
        let gone = marks.contains(&b'-');
        for (mark, count) in marks.iter().zip(&mut left) {
            if *mark == if gone { b'-' } else { b' ' } {
                *count = count.saturating_sub(1);
            }
        }
        let in_first = marks[0] == if gone { b'-' } else { b' ' };
        let mut line = LineView {
            kind: if gone {
                LineKind::Removed
            } else if marks.iter().all(|m| *m == b'+') {
                LineKind::Added
            } else {
                LineKind::Context
            },
            text,
            crlf,
            old_line: None,
            new_line: None,
        };
        if in_first {
            line.old_line = Some(old_line);
            old_line = old_line.saturating_add(1);
        }
        if !gone {
            left[parents] = left[parents].saturating_sub(1);
            line.new_line = Some(new_line);
            new_line = new_line.saturating_add(1);
        }
        if !gone || in_first {
            out.push(line);
        }
    }
    skip_no_newline(lines);
    let hunk = Hunk {
        section: header.section,
        lines: out,
        new_start: header.spans[parents].start,
        old_start: header.spans[0].start,
    };
    (hunk, problem)
}
