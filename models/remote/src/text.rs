//! What providers say, made fit to be shown: bounded, without control characters, without keys.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE};
use convergio_egress::SecretString;
use secrecy::ExposeSecret as _;

/// Characters of a provider's message that are kept.
pub(crate) const MAX_MESSAGE_CHARS: usize = 500;

/// Characters of a name (code, id, model) that are kept.
const MAX_NAME_CHARS: usize = 120;

/// Characters that are looked at. More than are kept, so that a key across the cut is found.
const MAX_READ_CHARS: usize = 4 * MAX_MESSAGE_CHARS;

/// So many characters in common with the key are no accident.
const MIN_OVERLAP_BYTES: usize = 8;

const MASK: &str = "•••";

/// What keys begin with.
const KEY_PREFIXES: &[&str] = &[
    "sk-", "sk_", "pk-", "rk-", "key-", "gsk_", "xai-", "hf_", "ghp_", "AIza", "eyJ", "csk-",
];

/// Bytes of a word with such a beginning that make it a key.
const MIN_KEY_BYTES: usize = 12;

/// Takes keys out of texts.
#[derive(Debug, Default)]
pub(crate) struct Redaction {
    key: Option<SecretString>,
}

impl Redaction {
    pub(crate) fn new(key: Option<&SecretString>) -> Self {
        Self { key: key.cloned() }
    }

    /// A provider's sentence.
    pub(crate) fn message(&self, text: &str) -> String {
        self.clean(text, MAX_MESSAGE_CHARS)
    }

    /// A provider's code, id or name.
    pub(crate) fn name(&self, text: &str) -> String {
        self.clean(text, MAX_NAME_CHARS)
    }

    fn clean(&self, text: &str, max_chars: usize) -> String {
        let mut text = one_line(text);
        if let Some(key) = &self.key {
            text = without_key(text, key.expose_secret());
        }
        truncated(&without_keys_of_others(&text), max_chars)
    }
}

/// A word that a provider chose, for a field that nothing else bounds.
pub(crate) fn name_of_others(text: &str) -> String {
    Redaction::default().name(text)
}

fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().take(MAX_READ_CHARS) {
        if c.is_control() || is_invisible(c) || c.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(c);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Changes how other characters are shown, and shows nothing itself.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn truncated(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

/// The key, any longer piece of it, and its common encodings.
fn without_key(mut text: String, key: &str) -> String {
    if key.len() < 4 {
        return text;
    }
    for form in encodings(key) {
        if form.len() >= MIN_OVERLAP_BYTES {
            text = text.replace(&form, MASK);
        }
    }
    if key.len() < MIN_OVERLAP_BYTES {
        return text.replace(key, MASK);
    }
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let common = longest_piece(&text[at..], key);
        if common >= MIN_OVERLAP_BYTES {
            clean.push_str(MASK);
            at += common;
        } else if let Some(c) = text[at..].chars().next() {
            clean.push(c);
            at += c.len_utf8();
        } else {
            break;
        }
    }
    clean
}

/// Bytes that the beginning of `text` has in common with some place in `key`.
fn longest_piece(text: &str, key: &str) -> usize {
    key.char_indices()
        .map(|(from, _)| {
            text.chars()
                .zip(key[from..].chars())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a.len_utf8())
                .sum()
        })
        .max()
        .unwrap_or(0)
}

fn encodings(key: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for engine in [&STANDARD, &URL_SAFE] {
        // Where the key stands in what was encoded moves it by nought to two bytes; the
        // characters at its edges mix with its neighbours.
        for before in 0..3_usize {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(key.as_bytes());
            let encoded = engine.encode(&bytes);
            let from = (before * 8).div_ceil(6);
            let to = bytes.len() * 8 / 6;
            if let Some(middle) = encoded.get(from..to) {
                forms.push(middle.to_owned());
            }
        }
    }
    let mut escaped = String::new();
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    forms.push(escaped);
    forms
}

/// Words that look like anybody's key.
fn without_keys_of_others(text: &str) -> String {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "-_.*+/=•…".contains(c);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_inner) {
        clean.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c| !is_inner(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let looks_like_one = word.len() >= MIN_KEY_BYTES
            && KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix));
        clean.push_str(if looks_like_one { MASK } else { word });
        rest = &rest[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redaction(key: &str) -> Redaction {
        Redaction::new(Some(&key.to_owned().into()))
    }

    #[test]
    fn keys_are_masked_in_every_form() {
        let key = "sk-ant-Canary+Key/4711=äö";
        let redaction = redaction(key);
        let base64 = STANDARD.encode(format!("x:{key}"));
        for text in [
            format!("Incorrect API key provided: {key}."),
            format!("wrong: {}…", &key[..14]),
            format!("Basic {base64}"),
            "url: sk-ant-Canary%2BKey%2F4711%3D%C3%A4%C3%B6!".to_owned(),
            "key ...nary+Key/47...".to_owned(),
        ] {
            let shown = redaction.message(&text);
            assert!(shown.contains(MASK), "{shown}");
            assert!(!shown.contains("Canary"), "{shown}");
            assert!(!shown.contains("4711"), "{shown}");
            assert!(!shown.contains(&base64[8..20]), "{shown}");
        }
    }

    #[test]
    fn what_looks_like_a_key_is_masked_whoevers_it_is() {
        let shown = Redaction::default()
            .message("Incorrect API key provided: sk-proj-********abcd. See 'gsk_0123456789'.");
        assert_eq!(shown, "Incorrect API key provided: ••• See '•••'.");
        let kept = "the key-value store of task-runner-service is down";
        assert_eq!(Redaction::default().message(kept), kept);
    }

    #[test]
    fn texts_are_one_line_and_bounded() {
        let shown = Redaction::default().message("a\r\n\u{1b}[31mb\u{202e}c\0");
        assert_eq!(shown, "a [31mb c");
        let long = Redaction::default().message(&"ä".repeat(10_000));
        assert_eq!(long.chars().count(), MAX_MESSAGE_CHARS + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn a_key_across_the_cut_is_masked() {
        let key = "0123456789abcdef0123456789abcdef";
        let text = format!("{}{key}", "x".repeat(MAX_MESSAGE_CHARS - 10));
        assert!(!redaction(key).message(&text).contains("01234567"));
    }

    proptest! {
        #[test]
        fn no_long_piece_of_the_key_is_left(
            key in "[a-zA-Z0-9_-]{16,40}",
            before in "[ a-z]{0,30}",
            from in 0_usize..8,
            len in 8_usize..16,
        ) {
            let piece = &key[from..(from + len).min(key.len())];
            let shown = redaction(&key).message(&format!("{before}{piece}, no"));
            for window in key.as_bytes().windows(MIN_OVERLAP_BYTES) {
                let window = std::str::from_utf8(window).unwrap();
                prop_assert!(!shown.contains(window), "{shown}");
            }
        }
    }
}
