//! Content lines: unfolding, parameters, escapes, and the way back.

use std::borrow::Cow;

/// Bytes of a line at most when it is written, its end not counted.
const FOLD_BYTES: usize = 75;
/// Parameters of a line; with more it is none.
const PARAMS_MAX: usize = 100;

/// The lines of a text, put together again where they were folded. A line may be folded within a
/// character, so these are bytes.
pub(super) fn unfold(text: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let mut line: Cow<'_, [u8]> = Cow::Borrowed(take_line(&mut rest)?);
        while !line.is_empty() {
            // Some write empty lines between the pieces of one.
            let mut behind = rest;
            let next = std::iter::from_fn(|| take_line(&mut behind)).find(|next| !next.is_empty());
            match next {
                Some([b' ' | b'\t', more @ ..]) => line.to_mut().extend_from_slice(more),
                _ => break,
            }
            rest = behind;
        }
        Some(line)
    })
}

fn take_line<'a>(rest: &mut Option<&'a [u8]>) -> Option<&'a [u8]> {
    let text = rest.take()?;
    let line = match text.iter().position(|b| *b == b'\n') {
        None => text,
        Some(end) => {
            *rest = text.get(end + 1..);
            text.get(..end)?
        }
    };
    let end = line
        .iter()
        .rposition(|b| *b != b'\r')
        .map_or(0, |last| last + 1);
    line.get(..end)
}

/// `NAME;PARAM=value:value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// In capitals.
    pub(super) name: String,
    params: Vec<(String, String)>,
    /// As it stands there.
    pub(super) value: String,
}

impl Line {
    /// None: it is no content line.
    pub(super) fn read(text: &str) -> Option<Self> {
        let end = text.find([';', ':'])?;
        let (name, mut rest) = text.split_at(end);
        if !is_name(name) {
            return None;
        }
        let mut params = Vec::new();
        while let Some(param) = rest.strip_prefix(';') {
            let (key, value) = param.split_once('=')?;
            if !is_name(key) {
                return None;
            }
            let end = end_of_values(value)?;
            let (value, behind) = value.split_at(end);
            if params.len() >= PARAMS_MAX {
                return None;
            }
            params.push((key.to_ascii_uppercase(), unquote(value)));
            rest = behind;
        }
        let value = rest.strip_prefix(':')?;
        Some(Self {
            name: name.to_ascii_uppercase(),
            params,
            value: value.to_owned(),
        })
    }

    /// A parameter's value; the first of several lines of that name.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A value that is text.
    pub(super) fn text(&self) -> String {
        unescape(&self.value)
    }

    /// The texts of a value that is a list of them.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        let mut rest = Some(self.value.as_str());
        std::iter::from_fn(move || {
            let text = rest.take()?;
            let mut escaped = false;
            let end = text.char_indices().find_map(|(i, c)| {
                let ends = c == ',' && !escaped;
                escaped = c == '\\' && !escaped;
                ends.then_some(i)
            });
            let Some(end) = end else {
                return Some(unescape(text));
            };
            rest = text.get(end + 1..);
            Some(unescape(text.get(..end)?))
        })
    }
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Where a parameter's values end: at a `;` or `:` that is not within quotes.
fn end_of_values(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(i, c)| {
        quoted ^= c == '"';
        (!quoted && matches!(c, ';' | ':')).then_some(i)
    })
}

/// Without quotes, and with RFC 6868's signs for what may not stand there.
fn unquote(text: &str) -> String {
    let text = text.replace('"', "");
    if !text.contains('^') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let sign = match (c, chars.peek()) {
            ('^', Some('n')) => '\n',
            ('^', Some('\'')) => '"',
            ('^', Some('^')) => '^',
            _ => {
                out.push(c);
                continue;
            }
        };
        chars.next();
        out.push(sign);
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n' | 'N') => out.push('\n'),
            Some(c @ ('\\' | ';' | ',' | ':' | '"')) => out.push(c),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// Text as a value. A control character, which may not stand there, becomes a space.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push_str("\\n"),
            '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Writes a line, folded.
pub(super) fn write(out: &mut String, line: &str) {
    let mut bytes = 0;
    for c in line.chars() {
        if bytes + c.len_utf8() > FOLD_BYTES {
            out.push_str("\r\n ");
            bytes = 1;
        }
        out.push(c);
        bytes += c.len_utf8();
    }
    out.push_str("\r\n");
}
