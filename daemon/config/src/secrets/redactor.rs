//! Taking known secrets out of text, however they are written in it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// What stands in a secret's place.
const MARK: &str = "•••";
/// Shorter secrets are not looked for: they would be found in every word.
const RAW_MIN_BYTES: usize = 6;
/// Encoded, shorter ones would be.
const ENCODED_MIN_BYTES: usize = 8;
/// How many characters of Base64 beside a match may belong to the secret's
/// first and last bytes.
const BASE64_MARGIN_BYTES: usize = 4;

/// A secret as it may be written.
#[derive(Default)]
struct Needle {
    raw: Vec<Zeroizing<Vec<u8>>>,
    base64: Vec<Zeroizing<Vec<u8>>>,
}

/// While this lives, redactors know the secret that it was made of.
#[derive(Clone)]
pub struct Known(#[expect(dead_code, reason = "held, so that the weak ones find it")] Arc<Needle>);

impl fmt::Debug for Known {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Known(…)")
    }
}

/// Every secret that is known now.
#[derive(Default)]
pub(super) struct Registry(Mutex<Vec<Weak<Needle>>>);

impl Registry {
    pub(super) fn know(&self, secret: &SecretString) -> Known {
        let needle = Arc::new(Needle::of(secret.expose_secret()));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|old| old.strong_count() > 0);
        known.push(Arc::downgrade(&needle));
        Known(needle)
    }

    pub(super) fn redactor(&self) -> Redactor {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|old| old.strong_count() > 0);
        Redactor {
            needles: known.iter().filter_map(Weak::upgrade).collect(),
        }
    }
}

/// Replaces the secrets that were known when it was made.
///
/// They are found as they are, in Base64 (both alphabets, at every alignment),
/// percent-encoded and escaped as in JSON. Secrets of fewer than 6 bytes are
/// not looked for, and encoded ones of fewer than 8.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Vec<Arc<Needle>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Redactor({} secrets)", self.needles.len())
    }
}

impl Redactor {
    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The text with `•••` in place of every known secret.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut ranges = Vec::new();
        let bytes = text.as_bytes();
        let decoded = memchr::memchr(b'%', bytes).map(|_| percent_decoded(bytes));
        for needle in &self.needles {
            needle.find(bytes, decoded.as_ref(), &mut ranges);
        }
        if ranges.is_empty() {
            return Cow::Borrowed(text);
        }
        ranges.sort_unstable_by_key(|range| range.start);
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        let mut marked = usize::MAX;
        for range in ranges {
            if range.end <= at {
                continue;
            }
            if let Some(between) = text.get(at..range.start) {
                out.push_str(between);
            }
            // Matches that overlap or touch are one.
            if range.start > at || marked != at {
                out.push_str(MARK);
            }
            at = range.end;
            marked = at;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        Cow::Owned(out)
    }
}

impl Needle {
    fn of(secret: &str) -> Self {
        let mut needle = Self::default();
        let bytes = secret.as_bytes();
        if bytes.len() < RAW_MIN_BYTES {
            return needle;
        }
        needle.raw.push(Zeroizing::new(bytes.to_vec()));
        if let Ok(json) = serde_json::to_string(secret) {
            let json = Zeroizing::new(json.into_bytes());
            let inner = &json[1..json.len() - 1];
            if inner != bytes {
                needle.raw.push(Zeroizing::new(inner.to_vec()));
            }
        }
        if bytes.len() >= ENCODED_MIN_BYTES {
            for shift in 0..3 {
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    let form = base64_core(&engine, shift, bytes);
                    if !needle.base64.contains(&form) {
                        needle.base64.push(form);
                    }
                }
            }
        }
        needle
    }

    fn find(&self, text: &[u8], decoded: Option<&Decoded>, ranges: &mut Vec<Range<usize>>) {
        for form in &self.raw {
            ranges.extend(memmem::find_iter(text, form.as_slice()).map(|at| at..at + form.len()));
            if let Some(decoded) = decoded {
                let found = memmem::find_iter(decoded.bytes.as_slice(), form.as_slice());
                ranges.extend(found.map(|at| decoded.origin[at]..decoded.origin[at + form.len()]));
            }
        }
        for form in &self.base64 {
            for at in memmem::find_iter(text, form.as_slice()) {
                let near = |byte: &&u8| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
                };
                let before = text[..at].iter().rev().take_while(near);
                let after = text[at + form.len()..].iter().take_while(near);
                let start = at - before.count().min(BASE64_MARGIN_BYTES);
                let end = at + form.len() + after.count().min(BASE64_MARGIN_BYTES);
                ranges.push(start..end);
            }
        }
    }
}

/// The characters of Base64 that hold nothing but bits of `secret` when
/// `shift` bytes stand before it.
fn base64_core(engine: &impl Engine, shift: usize, secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut shifted = Zeroizing::new(vec![0; shift]);
    shifted.extend_from_slice(secret);
    let encoded = Zeroizing::new(engine.encode(shifted.as_slice()).into_bytes());
    let skipped = (shift * 8).div_ceil(6);
    let whole = shifted.len() * 8 / 6;
    Zeroizing::new(encoded[skipped..whole].to_vec())
}

/// A text with its `%XX` decoded, and where each byte came from.
struct Decoded {
    bytes: Zeroizing<Vec<u8>>,
    /// One longer than `bytes`: where the text ends.
    origin: Vec<usize>,
}

fn percent_decoded(text: &[u8]) -> Decoded {
    let mut decoded = Decoded {
        bytes: Zeroizing::new(Vec::with_capacity(text.len())),
        origin: Vec::with_capacity(text.len() + 1),
    };
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        decoded.origin.push(at);
        let value = match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        decoded.bytes.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded.origin.push(at);
    decoded
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const CANARY: &str = "sk-canary/0123+456 \"789\"\\é";

    fn redactor(secret: &str) -> (Registry, Known) {
        let registry = Registry::default();
        let known = registry.know(&SecretString::from(secret));
        (registry, known)
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let (registry, _known) = redactor(CANARY);
        let redactor = registry.redactor();
        let percent: String = CANARY.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for written in [
            CANARY.to_owned(),
            serde_json::to_string(CANARY).unwrap(),
            percent.to_uppercase(),
            "sk-canary%2F0123%2b456%20%22789%22%5C%C3%A9".to_owned(),
            STANDARD.encode(CANARY),
            URL_SAFE.encode(CANARY),
            STANDARD.encode(format!("user:{CANARY}")),
            STANDARD.encode(format!("{{\"k\":\"{CANARY}\"}}")),
        ] {
            let redacted = redactor.redact(&written).into_owned();
            assert!(redacted.contains(MARK), "{written} -> {redacted}");
            assert!(redacted.len() < 40, "{written} -> {redacted}");
        }
    }

    #[test]
    fn what_stands_around_stays_and_nothing_else_changes() {
        let (registry, known) = redactor("topsecretkey");
        let redactor = registry.redactor();
        assert_eq!(
            redactor.redact("è topsecretkey, topsecretkeytopsecretkey %zz 100%"),
            "è •••, ••• %zz 100%"
        );
        assert!(matches!(redactor.redact("nothing here"), Cow::Borrowed(_)));
        drop((redactor, known));
        let forgotten = registry.redactor();
        assert!(forgotten.is_empty());
        assert_eq!(forgotten.redact("topsecretkey"), "topsecretkey");
    }

    #[test]
    fn short_secrets_do_not_eat_every_word() {
        let (registry, _known) = redactor("a");
        assert_eq!(registry.redactor().redact("a banana"), "a banana");
    }

    #[test]
    fn nothing_shows_the_secret_by_debug() {
        let (registry, known) = redactor(CANARY);
        let shown = format!("{known:?} {:?}", registry.redactor());
        assert!(!shown.contains("canary"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_alignment_of_base64_hides_a_secret(
            secret in "[!-~]{8,40}", before in "[ -~]{0,7}", after in "[ -~]{0,7}",
        ) {
            let (registry, _known) = redactor(&secret);
            let whole = format!("{before}{secret}{after}");
            for written in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                let redacted = registry.redactor().redact(&written).into_owned();
                prop_assert!(redacted.contains(MARK), "{} -> {}", written, redacted);
            }
            let raw = registry.redactor().redact(&whole).into_owned();
            prop_assert!(!raw.contains(&secret));
        }

        #[test]
        fn any_text_is_survived(secret in "\\PC{0,20}", text in "\\PC{0,60}%?\\PC{0,20}") {
            let (registry, _known) = redactor(&secret);
            let whole = format!("{text}{secret}{text}");
            let redacted = registry.redactor().redact(&whole).into_owned();
            if secret.len() >= RAW_MIN_BYTES {
                prop_assert!(!redacted.contains(&secret));
            }
        }
    }
}
