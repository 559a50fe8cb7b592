//! Where a hunk starts in the middle of a comment, docstring or template.

use memchr::memmem;

use super::{
    scan::Scanner,
    syntax::{Family, Quote, script},
};

/// Puts the cursor to the first code of a whole file.
pub(super) fn begin(scanner: &mut Scanner<'_>) {
    if scanner.syntax.family == Family::Php {
        scanner.at = scanner.find(0, b"<?");
    }
}

/// Blanks what belongs to something that began before the text, and puts the cursor behind it.
pub(super) fn recover(scanner: &mut Scanner<'_>) {
    scanner.unknown_start = true;
    let text = scanner.text;
    if scanner.syntax.block {
        // Queries read like prose.
        let to = block_comment(text, scanner.syntax.family != Family::Sql);
        comment(scanner, to);
    }
    match scanner.syntax.family {
        Family::Python | Family::Elixir => {
            let quoted =
                memmem::find(text, b"\"\"\"").is_some() || memmem::find(text, b"'''").is_some();
            let to = if quoted {
                triple_quoted(text)
            } else {
                all_prose(text)
            };
            comment(scanner, to);
        }
        Family::Other | Family::CSharp | Family::Swift if scanner.syntax.triple => {
            let to = triple_quoted(text);
            scanner.blank_string(0, to);
            scanner.at = scanner.at.max(to);
        }
        Family::Ruby => {
            let to = closed_by(text, b"\n=begin", b"\n=end");
            comment(scanner, to);
        }
        Family::Perl => {
            let to = pod(text);
            comment(scanner, to);
        }
        Family::Markup => {
            let to = closed_by(text, b"<!--", b"-->");
            comment(scanner, to);
            let script_end = memmem::find(text, b"</script");
            let script_start = memmem::find(text, b"<script");
            match (script_start, script_end) {
                (None, Some(end)) => scanner.embedded(script(), end),
                (Some(start), Some(end)) if end < start => scanner.embedded(script(), end),
                (None, None) if looks_like_script(text) => {
                    let end = text.len();
                    scanner.embedded(script(), end);
                }
                _ => {}
            }
        }
        Family::Php if is_markup(text) => scanner.at = scanner.find(0, b"<?"),
        Family::Script if scanner.syntax.backtick == Quote::Template => {
            let to = template(text);
            scanner.blank_string(0, to);
            scanner.at = scanner
                .at
                .max((to + 1).min(text.len()) * usize::from(to > 0));
        }
        _ => {}
    }
}

fn comment(scanner: &mut Scanner<'_>, to: usize) {
    if to > 0 {
        scanner.blank_comment(0, to);
        scanner.at = to;
    }
}

fn closed_by(text: &[u8], open: &[u8], close: &[u8]) -> usize {
    let Some(end) = memmem::find(text, close) else {
        return 0;
    };
    match memmem::find(text, open) {
        Some(start) if start < end => 0,
        _ => end + close.len(),
    }
}

/// Length of the block comment that the text starts in, or 0.
fn block_comment(text: &[u8], prose: bool) -> usize {
    if let Some(end) = memmem::find(text, b"*/") {
        let opened = memmem::find(&text[..end + 1], b"/*").is_some();
        let line_start = memchr::memrchr(b'\n', &text[..end]).map_or(0, |p| p + 1);
        let line = text[line_start..end].trim_ascii_start();
        // `"*/5 * * * *"` is a string, `/.*/` a regular expression.
        let detached = line
            .last()
            .is_none_or(|b| b.is_ascii_whitespace() || *b == b'*');
        if !opened && detached && !in_string(line) {
            return end + 2;
        }
    }
    // A hunk within a long comment shows neither end: its lines start with stars.
    let mut to = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let line_text = line.trim_ascii();
        if !(line_text == b"*" || line_text.starts_with(b"* ") || line_text.starts_with(b"**")) {
            break;
        }
        to += line.len();
    }
    let silent = prose && to == 0 && memmem::find(text, b"/*").is_none();
    if silent && is_prose(text, 3, 4) {
        text.len()
    } else {
        to
    }
}

/// True if `line` leaves a quote open that is no apostrophe.
fn in_string(line: &[u8]) -> bool {
    let mut open = None;
    for (at, &byte) in line.iter().enumerate() {
        match open {
            Some(quote) if byte == quote => open = None,
            None if matches!(byte, b'"' | b'`') => open = Some(byte),
            None if byte == b'\'' && (at == 0 || !line[at - 1].is_ascii_alphanumeric()) => {
                open = Some(byte);
            }
            _ => {}
        }
    }
    open.is_some()
}

/// Length of the triple-quoted string that the text starts in, or 0.
fn triple_quoted(text: &[u8]) -> usize {
    let double = memmem::find(text, b"\"\"\"");
    let single = memmem::find(text, b"'''");
    let Some(at) = double.into_iter().chain(single).min() else {
        return 0;
    };
    let quote = &text[at..at + 3];
    let line_start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |p| p + 1);
    let line_end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |p| at + p);
    let before = text[line_start..at].trim_ascii();
    let after = text[at + 3..line_end].trim_ascii();
    if before.contains(&b'#') || memmem::find(after, quote).is_some() {
        return 0;
    }
    let ends = after.is_empty()
        || matches!(
            after[0],
            b')' | b',' | b'.' | b';' | b']' | b'}' | b'%' | b'+' | b':'
        );
    let closes = if before.is_empty() {
        !after.is_empty() && ends
            || after.is_empty() && bare_closes(&text[..line_start], &text[line_end..])
    } else {
        ends && !opens_string(before)
    };
    if closes { at + 3 } else { 0 }
}

/// True if what stands before a quote on its line starts a string: `x = `, `f(`, `return r`.
fn opens_string(before: &[u8]) -> bool {
    let word_start = before
        .iter()
        .rposition(|b| !b.is_ascii_alphabetic())
        .map_or(0, |p| p + 1);
    let prefix = before.len() - word_start <= 2;
    let before = if prefix {
        before[..word_start].trim_ascii()
    } else {
        before
    };
    prefix && before.is_empty()
        || before.ends_with(b"return")
        || before.ends_with(b"yield")
        || before.starts_with(b"@")
        || matches!(
            before.last(),
            Some(b'=' | b'(' | b',' | b'[' | b'{' | b':' | b'+' | b'~' | b'%' | b'>' | b'|' | b'$')
        )
}

/// Whether a quote alone on its line ends something: what opens there follows a `def …:`, an
/// opening bracket, a comma or an assignment.
fn bare_closes(before: &[u8], after: &[u8]) -> bool {
    match content_lines(before).next_back() {
        Some(last) => {
            !matches!(
                last.last(),
                Some(b':' | b'(' | b',' | b'[' | b'{' | b'=' | b'\\' | b'+')
            ) && !last.ends_with(b"->")
                || last.starts_with(b">>>")
        }
        None => !is_prose(after, 1, 2),
    }
}

fn content_lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|l| !l.is_empty())
}

/// How many lines are looked at before a text is called prose.
const PROSE_LINES_MAX: usize = 24;

/// True if more than `part` of `whole` lines of the text are prose, not code.
fn is_prose(text: &[u8], part: usize, whole: usize) -> bool {
    let lines = memchr::memchr_iter(b'\n', text).count() + 1;
    let most = lines.min(PROSE_LINES_MAX);
    let (mut prose, mut all) = (0, 0);
    for line in content_lines(text).take(PROSE_LINES_MAX) {
        all += 1;
        prose += usize::from(is_prose_line(line));
        // Too much code for the rest to outweigh it: nearly every hunk ends here soon.
        if (all - prose) * whole > most * (whole - part) {
            return false;
        }
    }
    prose * whole > all * part
}

const KEYWORDS: &[&[u8]] = &[
    b"from",
    b"import",
    b"if",
    b"for",
    b"while",
    b"return",
    b"assert",
    b"raise",
    b"not",
    b"and",
    b"or",
    b"lambda",
    b"with",
    b"elif",
    b"yield",
    b"async",
    b"await",
    b"del",
    b"global",
    b"else",
    b"class",
    b"def",
    b"except",
    b"try",
    b"in",
    b"is",
    b"public",
    b"private",
    b"static",
    b"const",
    b"let",
    b"var",
    b"fn",
    b"pub",
    b"use",
    b"typedef",
    b"struct",
    b"extern",
    b"unsigned",
    b"my",
    b"use",
    b"func",
    b"type",
    b"impl",
    b"enum",
    b"new",
    b"throw",
    b"case",
    b"print",
    b"#",
];

/// Four words or more, nearly all of them plain.
fn is_prose_line(line: &[u8]) -> bool {
    if memchr::memchr3(b'=', b';', b'{', line).is_some() {
        return false;
    }
    let (mut words, mut plain) = (0, 0);
    for word in line.split(|b| *b == b' ').filter(|w| !w.is_empty()) {
        if words == 0 && (KEYWORDS.contains(&word) || word.starts_with(b"//") || word[0] == b'#') {
            return false;
        }
        words += 1;
        let bare = word.trim_ascii();
        let bare = bare
            .strip_suffix(b",")
            .or(bare.strip_suffix(b"."))
            .unwrap_or(bare);
        plain += usize::from(
            bare.iter()
                .all(|b| b.is_ascii_alphabetic() || matches!(b, b'\'' | b'-')),
        );
    }
    words >= 4 && plain * 4 >= words * 3
}

/// Length of the text if all of it lies in a comment or docstring whose ends it doesn't show.
fn all_prose(text: &[u8]) -> usize {
    // No code has these: a doctest's prompt, the underline of a heading.
    let underline =
        |l: &[u8]| l.len() > 3 && (l.iter().all(|b| *b == b'-') || l.iter().all(|b| *b == b'='));
    let sure = content_lines(text).any(|l| l.starts_with(b">>> ") || underline(l));
    if sure || is_prose(text, 1, 2) {
        text.len()
    } else {
        0
    }
}

/// Length of the Perl documentation that the text starts in, or 0.
fn pod(text: &[u8]) -> usize {
    let mut at = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        if !line.starts_with(b"=") {
            continue;
        }
        let word = line[1..]
            .split(|b| b.is_ascii_whitespace())
            .next()
            .unwrap_or(b"");
        return match word {
            b"cut" => at,
            b"item" | b"back" | b"over" | b"end" => at - line.len(),
            _ => 0,
        };
    }
    all_prose(text)
}

fn is_markup(text: &[u8]) -> bool {
    text.split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|l| !l.is_empty())
        .is_some_and(|l| l.starts_with(b"<") && !l.starts_with(b"<?") && !l.starts_with(b"<<"))
}

/// A hunk of a single-file component shows no tag where it lies in the script.
fn looks_like_script(text: &[u8]) -> bool {
    let mut script = 0;
    let mut lines = 0;
    for line in text
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|l| !l.is_empty())
    {
        if line.starts_with(b"<") || line.starts_with(b"{{") {
            return false;
        }
        lines += 1;
        script += u32::from(
            line.ends_with(b";")
                || line.ends_with(b"{")
                || line.ends_with(b"}")
                || line.ends_with(b")")
                || line.ends_with(b",")
                || line.starts_with(b"//")
                || line.starts_with(b"import "),
        );
    }
    lines > 0 && script * 2 > lines
}

/// Offset of the backtick that closes a template which began before the text, or 0.
fn template(text: &[u8]) -> usize {
    if memchr::memchr_iter(b'`', text).count().is_multiple_of(2) {
        return 0;
    }
    let Some(at) = memchr::memchr(b'`', text) else {
        return 0;
    };
    let line_start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |p| p + 1);
    let rest = text.get(at + 1).copied().unwrap_or(b'\n');
    let bare = text[line_start..at].trim_ascii().is_empty();
    if bare && matches!(rest, b';' | b')' | b',' | b'\n') {
        at
    } else {
        0
    }
}
