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
        let to = block_comment(text);
        comment(scanner, to);
    }
    match scanner.syntax.family {
        Family::Python | Family::Elixir => {
            let to = docstring(text);
            comment(scanner, to);
        }
        Family::Ruby => {
            let to = closed_by(text, b"\n=begin", b"\n=end");
            comment(scanner, to);
        }
        Family::Perl => {
            let to = closed_by(text, b"\n=pod", b"\n=cut");
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
fn block_comment(text: &[u8]) -> usize {
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
    to
}

/// True if `line` leaves a quote open that is no apostrophe.
fn in_string(line: &[u8]) -> bool {
    let mut open = None;
    for (at, &byte) in line.iter().enumerate() {
        match open {
            Some(quote) if byte == quote => open = None,
            None if matches!(byte, b'"' | b'`') => open = Some(byte),
            None if byte == b'\'' && (at == 0 || !line[at - 1].is_ascii_alphanumeric()) => {
                open = Some(byte)
            }
            _ => {}
        }
    }
    open.is_some()
}

/// Length of the docstring that the text starts in, or 0.
fn docstring(text: &[u8]) -> usize {
    let double = memmem::find(text, b"\"\"\"");
    let single = memmem::find(text, b"'''");
    let (at, quote): (usize, &[u8]) = match (double, single) {
        (Some(d), Some(s)) if s < d => (s, b"'''"),
        (Some(d), _) => (d, b"\"\"\""),
        (None, Some(s)) => (s, b"'''"),
        (None, None) => return 0,
    };
    let line_start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |p| p + 1);
    let line_end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |p| at + p);
    let before = text[line_start..at].trim_ascii();
    let after = text[at + 3..line_end].trim_ascii();
    if before.contains(&b'#') || memmem::find(after, quote).is_some() {
        return 0;
    }
    let closes = if before.is_empty() {
        after.is_empty()
            && memmem::find_iter(text, quote).count() % 2 == 1
            && prose_before(&text[..line_start])
    } else {
        // `words of prose."""` closes; `x = """`, `f("""`, `return r"""`, `@doc """` open.
        let word_start = before
            .iter()
            .rposition(|b| !b.is_ascii_alphabetic())
            .map_or(0, |p| p + 1);
        let opens = matches!(
            before.last(),
            Some(b'=' | b'(' | b',' | b'[' | b'{' | b':' | b'+' | b'~' | b'%')
        ) || before.starts_with(b"@")
            || before.starts_with(b"return")
            || word_start > 0
                && before.len() - word_start <= 2
                && matches!(
                    before[word_start - 1],
                    b'=' | b'(' | b',' | b' ' | b'[' | b'{' | b'~'
                );
        !opens && after.is_empty()
    };
    if closes { at + 3 } else { 0 }
}

/// True if the last lines before a bare `"""` read like prose and not like the `def` that a
/// docstring follows.
fn prose_before(text: &[u8]) -> bool {
    let lines = || {
        text.split(|b| *b == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|l| !l.is_empty())
    };
    let Some(last) = lines().next_back() else {
        return true;
    };
    if last.ends_with(b":") && !last.contains(&b' ')
        || last.starts_with(b"def ")
        || last.starts_with(b"class ")
        || last.starts_with(b"async def ")
        || last.ends_with(b"):")
        || last.ends_with(b"(")
        || last.ends_with(b"=")
        || last.ends_with(b",")
        || last.starts_with(b")")
    {
        return false;
    }
    let code = lines()
        .filter(|line| {
            line.ends_with(b")")
                || line.ends_with(b"]")
                || line.starts_with(b"return")
                || line.starts_with(b"import ")
                || line.starts_with(b"from ") && memmem::find(line, b" import ").is_some()
                || memmem::find(line, b" = ").is_some()
                || line.starts_with(b"@")
        })
        .count();
    code * 2 < lines().count()
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
    if memchr::memchr_iter(b'`', text).count() % 2 == 0 {
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
