//! How a text looks: random, made of words, a placeholder.

/// Shannon entropy in bits per byte.
pub fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = text.len() as f64;
    counts
        .iter()
        .filter(|c| **c > 0)
        .map(|c| {
            let share = f64::from(*c) / total;
            -share * share.log2()
        })
        .sum()
}

/// The longest run of one repeated byte.
pub fn longest_repeat(text: &str) -> usize {
    longest(text, |a, b| a == b)
}

/// The longest run of ascending neighbours (`abcdef`, `12345`), letter case aside.
pub fn longest_sequence(text: &str) -> usize {
    longest(text, |a, b| {
        let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
        a.is_ascii_alphanumeric() && (b == a + 1 || (a == b'9' && b == b'0'))
    })
}

fn longest(text: &str, follows: fn(u8, u8) -> bool) -> usize {
    let (mut best, mut run) = (usize::from(!text.is_empty()), 1);
    for pair in text.as_bytes().windows(2) {
        run = if follows(pair[0], pair[1]) {
            run + 1
        } else {
            1
        };
        best = best.max(run);
    }
    best
}

/// True if the text contains `word` without regard to ASCII case.
pub fn contains_word(text: &str, word: &str) -> bool {
    text.len() >= word.len()
        && text
            .as_bytes()
            .windows(word.len())
            .any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
}

/// Words that stand in placeholders and in no random text.
const PLACEHOLDER_WORDS: [&str; 34] = [
    "example",
    "xxx",
    "your",
    "changeme",
    "change_me",
    "change-me",
    "change_this",
    "changethis",
    "placeholder",
    "dummy",
    "fake",
    "sample",
    "todo",
    "fixme",
    "redacted",
    "replace",
    "insert",
    "foobar",
    "notreal",
    "not-real",
    "not_real",
    "invalid",
    "abcdef",
    "abc123",
    "deadbeef",
    "qwerty",
    "12345678",
    "01234567",
    "******",
    "......",
    "testtest",
    "masked",
    "hidden",
    "undefined",
];

/// True if a key or password is only a stand-in: says so, is a template, repeats or counts.
pub fn is_placeholder(text: &str) -> bool {
    PLACEHOLDER_WORDS
        .iter()
        .any(|word| contains_word(text, word))
        || is_template(text)
        || longest_repeat(text) >= 5
        || (text.len() >= 6 && longest_repeat(text) * 2 > text.len())
}

/// True if the text is filled in elsewhere: `${X}`, `{{ x }}`, `<x>`, `%s`, `$X`, `$(x)`, `#{x}`.
pub fn is_template(text: &str) -> bool {
    let t = text.trim();
    t.contains("${")
        || t.contains("{{")
        || t.contains("$(")
        || t.contains("#{")
        || t.contains("%s")
        || t.contains("%v")
        || t.contains("%d")
        || t.contains("%(")
        || t.contains("{%")
        || t.contains("\\(")
        || t.contains("...")
        || t.contains('\u{2026}')
        || (t.contains('<') && t.contains('>'))
        || (t.contains('{') && t.contains('}'))
        || (t.starts_with('[') && t.ends_with(']'))
        || (t.starts_with('%') && t.ends_with('%'))
        || (t.starts_with("__") && t.ends_with("__"))
        || (t.starts_with('@') && t.ends_with('@'))
        || is_variable(t)
}

fn is_variable(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|name| {
        let name = name.strip_prefix("env:").unwrap_or(name);
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':'))
    })
}

/// True if a long value looks drawn at random: enough entropy, letters and digits mixed, and not
/// words joined by signs or capitals.
pub fn is_random(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    if text.len() < 16 || letters < 2 || text.bytes().any(|b| b.is_ascii_whitespace()) {
        return false;
    }
    let floor = if text.len() < 24 { 3.0 } else { 3.2 };
    entropy(text) >= floor && !is_wordy(text) && (digits >= 2 || alternates(text))
}

/// True if the text is words, numbers and their joints: `us-east-1`, `accessTokenV2`, `a.b.c`.
pub fn is_wordy(text: &str) -> bool {
    let mut parts = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|p| !p.is_empty())
        .peekable();
    parts.peek().is_some()
        && parts.all(|part| {
            let digits = part.bytes().filter(u8::is_ascii_digit).count();
            let is_number = digits == part.len() && part.len() <= 8;
            let tail_digits = part.bytes().rev().take_while(u8::is_ascii_digit).count();
            let head_digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let stem = &part[head_digits.min(part.len())
                ..part.len() - tail_digits.min(part.len() - head_digits)];
            let inner_digits = digits - (tail_digits + head_digits).min(digits);
            is_number
                || (inner_digits <= 1
                    && tail_digits <= 4
                    && head_digits <= 2
                    && is_cased_words(stem))
        })
}

/// True for `lower`, `Upper`, `SHOUT`, `camelCase`, with vowels where words have them.
fn is_cased_words(stem: &str) -> bool {
    if stem.is_empty() {
        return true;
    }
    let letters: Vec<u8> = stem.bytes().filter(u8::is_ascii_alphabetic).collect();
    let has_vowel = letters.iter().any(|b| b"aeiouyAEIOUY".contains(b));
    let changes = letters
        .windows(2)
        .filter(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase())
        .count();
    let consonants = letters
        .split(|b| b"aeiouyAEIOUY".contains(b))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    (letters.len() <= 4 || has_vowel)
        && changes * 4 <= letters.len().max(4)
        && (consonants <= 5 || letters.len() <= 6)
}

/// True if capitals, small letters and digits change places as often as in random text.
pub fn alternates(text: &str) -> bool {
    let class = |b: u8| match b {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let changes = text
        .as_bytes()
        .windows(2)
        .filter(|w| class(w[0]) != class(w[1]))
        .count();
    changes * 3 >= text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_and_wordy_are_told_apart() {
        for random in [
            "9f86d081884c7d659a2feaa0c55ad015",
            "Zx81kQp0Lm2Vt7RbYc5N",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYzzKEYa1",
        ] {
            assert!(is_random(random), "{random}");
        }
        for words in [
            "production-us-east-1-cluster",
            "accessTokenRefreshHandlerV2",
            "com.example.auth.TokenProvider",
            "RESET_PASSWORD_TOKEN_EXPIRED",
        ] {
            assert!(!is_random(words), "{words}");
        }
    }

    #[test]
    fn placeholders_say_so() {
        for p in [
            "YOUR_API_KEY",
            "changeme",
            "xxxxxxxx",
            "${TOKEN}",
            "{{ token }}",
            "<token>",
            "$TOKEN",
            "aaaaaaaaaa",
            "%s",
        ] {
            assert!(is_placeholder(p), "{p}");
        }
        assert!(!is_placeholder("Sup3rS3cret!"));
    }
}
