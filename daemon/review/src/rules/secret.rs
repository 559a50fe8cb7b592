//! `secret`: keys of known formats.

use std::{ops::Range, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{
    finding::Severity,
    language::Role,
    matching::{
        decode,
        key_formats::{FORMATS, Format, PREFIXES, Proof},
        pattern, quality,
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "secret",
    severity: Severity::Critical,
    title: "Secret key in the source",
    reason: "A key in the history is public to whoever can read the repository, for good.",
    explain: "\
Finds keys by their published formats (AWS, GitHub, GitLab, Slack, Stripe, Google, OpenAI, \
Anthropic, npm, PyPI, Azure, and some sixty more), also when a literal is split and joined. \
Where the format has a checksum it is verified; a wrong one lowers the confidence. A JSON web token \
with a real signature is major.\n\n\
Leaves alone: placeholders (`xxxx`, `YOUR_KEY`, documented examples), templates, and keys in tests, \
fixtures and documentation unless their checksum is right.\n\n\
Do: revoke the key first, then take it out and read it from the environment or a secret store. \
Removing the line is not enough: the history keeps it.",
    languages: &[],
    triggers: PREFIXES,
    strict_only: false,
    never_silenced_by_change: true,
    check: Check::Hunk(check),
};

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(FORMATS.iter().map(|f| f.prefix))
        .ok()
});

/// A key found in a text.
pub struct Found {
    /// Its bytes.
    pub range: Range<usize>,
    /// Its format.
    pub format: &'static Format,
    /// 0 to 1.
    pub confidence: f32,
    /// True if its checksum or structure proves it.
    pub proven: bool,
}

/// True if the text is a key of a known format, so that other rules leave it to this one.
pub fn is_known(text: &str) -> bool {
    !find(text).is_empty()
}

/// Every key in the text.
pub fn find(text: &str) -> Vec<Found> {
    let Some(finder) = FINDER.as_ref() else {
        return Vec::new();
    };
    let mut found: Vec<Found> = Vec::new();
    for prefix in finder.find_iter(text) {
        let format = &FORMATS[prefix.pattern().as_usize()];
        if found.last().is_some_and(|f| f.range.end > prefix.start()) {
            continue;
        }
        found.extend(examine(text, prefix.range(), format));
    }
    found
}

fn examine(text: &str, prefix: Range<usize>, format: &'static Format) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut start = prefix.start;
    if matches!(format.proof, Proof::Telegram) {
        let digits = bytes[..start]
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if !(8..=10).contains(&digits) {
            return None;
        }
        start -= digits;
    }
    if start > 0 && format.bounded {
        let before = bytes[start - 1];
        let escapes =
            start > 1 && bytes[start - 2] == b'\\' && matches!(before, b'n' | b't' | b'r');
        if (before.is_ascii_alphanumeric() || matches!(before, b'_' | b'-')) && !escapes {
            return None;
        }
    }
    let rest = &bytes[prefix.end..];
    let len = rest
        .iter()
        .take(format.max + 1)
        .take_while(|b| (format.class)(**b))
        .count();
    let len = if format.open_ended {
        len.min(format.max)
    } else {
        len
    };
    if !(format.min..=format.max).contains(&len) {
        return None;
    }
    let mut end = prefix.end + len;
    while end > prefix.end && matches!(bytes[end - 1], b'.' | b'-') {
        end -= 1;
    }
    let body = &text[prefix.end..end];
    if body.len() < format.min
        || quality::is_placeholder(body)
        || quality::longest_sequence(body) >= 7
    {
        return None;
    }
    let entropy_floor = if body.len() < 20 { 2.6 } else { 3.0 };
    if quality::entropy(body) < entropy_floor {
        return None;
    }
    let (confidence, proven) = judge(format, body, &text[start..end])?;
    Some(Found {
        range: start..end,
        format,
        confidence,
        proven,
    })
}

/// Confidence and whether it is proven; `None` if it can't be such a key.
fn judge(format: &Format, body: &str, whole: &str) -> Option<(f32, bool)> {
    match format.proof {
        Proof::None | Proof::Telegram => Some((0.9, false)),
        Proof::Mixed => {
            let has_digit = body.bytes().any(|b| b.is_ascii_digit());
            let has_letter = body.bytes().any(|b| b.is_ascii_alphabetic());
            let mixes_case = body.bytes().any(|b| b.is_ascii_uppercase())
                && body.bytes().any(|b| b.is_ascii_lowercase());
            let is_drawn = has_digit && mixes_case && quality::entropy(body) >= 3.7;
            ((has_digit || quality::alternates(body))
                && has_letter
                && (is_drawn || !quality::is_wordy(body)))
            .then_some((0.9, false))
        }
        Proof::Crc if body.len() == 36 => {
            let (random, checksum) = body.split_at(30);
            let holds = decode::base62(decode::crc32(random.as_bytes())) == checksum.as_bytes();
            Some(if holds { (0.99, true) } else { (0.7, false) })
        }
        Proof::Crc => Some((0.8, false)),
        Proof::Parts(lens) => {
            let parts: Vec<&str> = body.split('.').collect();
            (parts.len() == lens.len() && parts.iter().zip(lens).all(|(p, len)| p.len() >= *len))
                .then_some((0.95, false))
        }
        Proof::Jwt => jwt(whole),
        Proof::SlackWebhook => {
            let parts: Vec<&str> = body.split('/').collect();
            (parts.len() == 3
                && parts[0].starts_with('T')
                && parts[1].starts_with('B')
                && parts[2].len() >= 20
                && quality::entropy(parts[2]) > 3.0)
                .then_some((0.95, false))
        }
    }
}

/// A token with a decodable payload that is neither a documented sample nor meant for the public.
fn jwt(whole: &str) -> Option<(f32, bool)> {
    let mut parts = whole.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.len() < 40 {
        return None;
    }
    let header = decode::base64(header)?;
    if !header.starts_with(b"{") || !contains(&header, b"\"alg\"") {
        return None;
    }
    let payload = decode::base64(payload)?;
    const SAMPLES: [&[u8]; 7] = [
        b"John Doe",
        b"1234567890",
        b"example",
        b"\"anon\"",
        b"\"test",
        b"Jane Doe",
        b"foo",
    ];
    if SAMPLES.iter().any(|sample| contains(&payload, sample)) {
        return None;
    }
    (payload.starts_with(b"{")).then_some((0.85, false))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let mut spans: Vec<Range<usize>> = Vec::new();
    for found in find(&side.text) {
        spans.push(found.range.clone());
        report(file, side, found, sink);
    }
    if let Some(joined) = Joined::of(side) {
        for mut found in find(&joined.text) {
            found.range = joined.origin(&found.range);
            if spans
                .iter()
                .all(|s| s.end <= found.range.start || found.range.end <= s.start)
            {
                spans.push(found.range.clone());
                report(file, side, found, sink);
            }
        }
    }
    paired(file, side, &spans, sink);
    discord(file, side, sink);
}

fn report(file: &FileView<'_>, side: &Side, found: Found, sink: &mut Sink) {
    let format = found.format;
    if !found.proven && is_sheltered(file, side, found.range.start) {
        return;
    }
    if !is_on_its_own(side, &found.range, format) {
        return;
    }
    let mut hit = Hit::at(
        found.range.clone(),
        format!(
            "Anyone who can read the repository or a build of it can use this {}.",
            format.name
        ),
    );
    hit.title = Some(format!("{} in the source", format.name));
    hit.confidence = found.confidence;
    hit.severity = format.severity;
    hit.secrets.push(found.range);
    sink.hit(hit);
}

/// Tests, fixtures, documents and examples hold made-up keys.
fn is_sheltered(file: &FileView<'_>, side: &Side, offset: usize) -> bool {
    matches!(
        file.role,
        Role::Test | Role::Fixture | Role::Docs | Role::Example
    ) || side.in_test(offset)
}

/// Account ids are no secrets by themselves: they count where the other half stands near.
fn is_on_its_own(side: &Side, range: &Range<usize>, format: &Format) -> bool {
    if !format.needs_partner {
        return true;
    }
    let end = side
        .text
        .floor_char_boundary((range.end + 200).min(side.text.len()));
    pattern!(HEX_PARTNER, r"\b[0-9a-f]{32}\b");
    HEX_PARTNER
        .find(&side.text[range.end..end])
        .is_some_and(|m| !quality::is_placeholder(m.as_str()))
}

/// An AWS secret key beside its key id, whatever it is called.
fn paired(file: &FileView<'_>, side: &Side, spans: &[Range<usize>], sink: &mut Sink) {
    pattern!(
        SECRET_KEY,
        r#"(?:^|["'`=:\s])([A-Za-z0-9+/]{40})(?:["'`\s,;]|$)"#
    );
    for span in spans {
        if !side.text[span.clone()].starts_with("AKIA")
            && !side.text[span.clone()].starts_with("ASIA")
        {
            continue;
        }
        if is_sheltered(file, side, span.start) {
            continue;
        }
        let end = side
            .text
            .floor_char_boundary((span.end + 300).min(side.text.len()));
        let Some(found) = SECRET_KEY
            .captures(&side.text[span.end..end])
            .and_then(|c| c.get(1))
        else {
            continue;
        };
        let value = found.as_str();
        let range = span.end + found.start()..span.end + found.end();
        let line = side.line_at(range.start);
        if value.bytes().all(|b| b.is_ascii_hexdigit())
            || !quality::is_random(value)
            || quality::is_placeholder(value)
            || line == side.line_at(span.start)
            || crate::rules::secret_assignment::names_a_secret(&side.text[side.line_range(line)])
        {
            continue;
        }
        let mut hit = Hit::at(
            range.clone(),
            "Together with the key id above it opens the AWS account to anyone who reads the repository.",
        );
        hit.title = Some("AWS secret access key in the source".to_owned());
        hit.secrets.push(range);
        sink.hit(hit);
    }
}

/// Discord bot tokens have no prefix, but their first part is a number in base64.
fn discord(file: &FileView<'_>, side: &Side, sink: &mut Sink) {
    pattern!(
        TOKEN,
        r"\b[MNO][A-Za-z0-9]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}\b"
    );
    for found in TOKEN.find_iter(&side.text) {
        let first = found.as_str().split('.').next().unwrap_or("");
        let is_number = decode::base64(first)
            .is_some_and(|id| id.len() >= 16 && id.iter().all(u8::is_ascii_digit));
        if is_number
            && !quality::is_placeholder(found.as_str())
            && !is_sheltered(file, side, found.start())
        {
            let mut hit = Hit::at(
                found.range(),
                "Anyone who reads the repository can act as this bot.",
            );
            hit.title = Some("Discord bot token in the source".to_owned());
            hit.secrets.push(found.range());
            sink.hit(hit);
        }
    }
}

/// The text with literals that are joined on the spot made one.
struct Joined {
    text: String,
    /// Pairs of offset in `text` and in the side, one for each piece.
    pieces: Vec<(usize, usize)>,
}

impl Joined {
    /// `None` where nothing is joined.
    fn of(side: &Side) -> Option<Self> {
        pattern!(
            JOINT,
            r#"["'`]\s*(?:\+|\.\.?|&|<>|\|\||\\|~)?\s*(?:[brfuBRFU]{1,2})?["'`]|["'`]\s*\+\s*\\?\n\s*["'`]|["'`]\s*,\s*["'`]|\\\n\s*|\$\{\s*["']|["']\s*\}"#
        );
        let mut joined = Self {
            text: String::new(),
            pieces: Vec::new(),
        };
        let mut from = 0;
        let joins_lists = side.text.contains("join(") || side.text.contains("concat(");
        for joint in JOINT.find_iter(&side.text) {
            if joint.as_str().contains(',') && !joins_lists {
                continue;
            }
            joined.pieces.push((joined.text.len(), from));
            joined.text.push_str(&side.text[from..joint.start()]);
            from = joint.end();
        }
        if from == 0 {
            return None;
        }
        joined.pieces.push((joined.text.len(), from));
        joined.text.push_str(&side.text[from..]);
        Some(joined)
    }

    /// The range of the side that a range of the joined text comes from.
    fn origin(&self, range: &Range<usize>) -> Range<usize> {
        self.offset(range.start)..self.offset(range.end - 1) + 1
    }

    fn offset(&self, at: usize) -> usize {
        let index = self
            .pieces
            .partition_point(|(start, _)| *start <= at)
            .saturating_sub(1);
        let (start, origin) = self.pieces[index];
        origin + at - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_github_token_is_proven_by_its_checksum() {
        let token = concat!("ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17");
        assert!(find(token)[0].proven);
        let wrong = concat!("ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq18");
        let found = find(wrong);
        assert!(!found[0].proven && found[0].confidence < 0.8);
    }

    #[test]
    fn documented_examples_are_no_keys() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "sk-your-key-here-please-replace-me-now-ok",
            "task-3f2504e04f8941d39a0c0305e82c3301aa",
            "SG.xxxxx.yyyyy",
        ] {
            assert!(!is_known(text), "{text}");
        }
    }
}
