//! Takes secrets out of a line before it reaches the log.
//!
//! The log never gets secrets on purpose: this is the net below, for what other people's error
//! texts may quote. It knows the shapes of well-known keys, credentials in URLs, and values
//! behind telling names; it shows four characters of what it hides.

use std::borrow::Cow;

/// What begins a token of a well-known service; the token goes on with letters, digits, `_`, `-`.
const PREFIXES: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "pk_live_",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "hf_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "SG.",
    "eyJ",
];
/// Tokens shorter than this are words.
const TOKEN_MIN_BYTES: usize = 16;
/// Names behind which a value is hidden, lower case.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "private_key",
    "authorization",
    "bearer",
];

/// The line without its secrets.
pub(crate) fn redact(line: &str) -> Cow<'_, str> {
    let hidden = find(line);
    if hidden.is_empty() {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    for (from, to) in hidden {
        if from < at {
            continue;
        }
        out.push_str(&line[at..from]);
        let shown = line[from..to]
            .chars()
            .take(4)
            .map(char::len_utf8)
            .sum::<usize>();
        if to - from >= TOKEN_MIN_BYTES {
            out.push_str(&line[from..from + shown]);
        }
        out.push('…');
        at = to;
    }
    out.push_str(&line[at..]);
    Cow::Owned(out)
}

/// Byte ranges to hide, in order.
fn find(line: &str) -> Vec<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begins_word = at == 0 || !is_token(bytes[at - 1]);
        if begins_word && let Some(end) = token_at(line, at) {
            found.push((at, end));
            at = end;
            continue;
        }
        if begins_word && let Some((from, end)) = named_value_at(line, at) {
            found.push((from, end));
            at = end;
            continue;
        }
        if bytes[at..].starts_with(b"://")
            && let Some((from, end)) = credentials_at(line, at + 3)
        {
            found.push((from, end));
            at = end;
            continue;
        }
        if bytes[at..].starts_with(b"-----BEGIN ") && line[at..].contains("PRIVATE KEY") {
            found.push((at, line.len()));
            break;
        }
        at += 1;
    }
    found
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || byte == b'.'
}

fn token_at(line: &str, at: usize) -> Option<usize> {
    let rest = &line.as_bytes()[at..];
    PREFIXES
        .iter()
        .any(|prefix| rest.starts_with(prefix.as_bytes()))
        .then(|| rest.iter().take_while(|byte| is_token(**byte)).count())
        .filter(|length| *length >= TOKEN_MIN_BYTES)
        .map(|length| at + length)
}

/// `token=VALUE`, `password: "VALUE"`, `Authorization: Bearer VALUE`.
fn named_value_at(line: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let name = NAMES.iter().find(|name| {
        bytes
            .get(at..at + name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
    })?;
    let mut from = at + name.len();
    let mut separated = false;
    while let Some(byte) = bytes.get(from) {
        match byte {
            b'=' | b':' => separated = true,
            b' ' | b'"' | b'\'' => {}
            _ => break,
        }
        from += 1;
    }
    if bytes
        .get(from..from + 7)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"bearer "))
    {
        from += 7;
    }
    // "bearer" needs no separator, the other names are words of plain English without one.
    if !separated && *name != "bearer" {
        return None;
    }
    let length = bytes[from..]
        .iter()
        .take_while(|byte| !matches!(byte, b' ' | b'"' | b'\'' | b',' | b';' | b'&' | b'\n'))
        .count();
    let end = from + length;
    (length >= 4 && line.is_char_boundary(from) && line.is_char_boundary(end))
        .then_some((from, end))
}

/// `user:password@` behind `://`.
fn credentials_at(line: &str, from: usize) -> Option<(usize, usize)> {
    let rest = &line[from..];
    let end = rest.find(['/', ' ', '"', '?', '#']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@')?;
    let colon = rest[..at].find(':')?;
    (colon + 1 < at).then_some((from + colon + 1, from + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_passwords_and_credentials_are_hidden() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        for (line, secret) in [
            (format!("remote said {token} no"), token.as_str()),
            (
                "clone https://ada:hunter22@host/x failed".to_owned(),
                "hunter22",
            ),
            ("PASSWORD=correcthorse rest".to_owned(), "correcthorse"),
            (
                r#"{"api_key":"0123456789abcdef"}"#.to_owned(),
                "0123456789abcdef",
            ),
            (
                "Authorization: Bearer abcdef.ghijkl".to_owned(),
                "abcdef.ghijkl",
            ),
            ("-----BEGIN RSA PRIVATE KEY-----MIIB".to_owned(), "MIIB"),
        ] {
            let redacted = redact(&line);
            assert!(!redacted.contains(secret), "{redacted}");
            assert!(redacted.contains('…'));
        }
    }

    #[test]
    fn ordinary_lines_stay_as_they_are() {
        for line in [
            "cannot open /home/ada/.config/convergio/config.toml: permission denied",
            "the token was refused",
            "GET https://example.org:8080/a?b=c",
            "sk-ip this: short",
            "più caffè, 東京",
        ] {
            assert_eq!(redact(line), line);
        }
    }
}
