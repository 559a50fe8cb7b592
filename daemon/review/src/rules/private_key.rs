//! `private-key`: a private key with its body.

use std::ops::Range;

use crate::{
    finding::Severity,
    language::Role,
    matching::{decode, pattern, quality},
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "private-key",
    severity: Severity::Critical,
    title: "Private key in the source",
    reason: "Whoever has the key is its owner to every peer, and the history keeps it.",
    explain: "\
Finds private keys with their body: PEM (RSA, EC, PKCS#8, encrypted too), OpenSSH, PGP, PuTTY, \
SSH2; as a file, in a string with `\\n`, joined from literals, in JSON (service accounts) and \
YAML, and once more wrapped in base64.\n\n\
Leaves alone: a header without a body (code that reads keys), placeholders, and tests, fixtures, \
examples and documentation.\n\n\
Do: replace the key pair, then remove it here and keep the new one in a secret store.",
    languages: &[],
    triggers: &[
        "PRIVATE KEY",
        "PuTTY-User-Key-File",
        "SSH2 ENCRYPTED",
        "LS0tLS1CRUdJTi",
        "MIIE",
        "MIICX",
        "b3BlbnNzaC1rZXkt",
    ],
    strict_only: false,
    never_silenced_by_change: true,
    check: Check::Hunk(check),
};

/// How far a body is followed.
const BODY_MAX_BYTES: usize = 16 * 1024;

pattern!(
    HEADER,
    r"-----?\s?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----|PuTTY-User-Key-File-\d:"
);
pattern!(WRAPPED, r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]{60,}");

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    if matches!(
        file.role,
        Role::Test | Role::Fixture | Role::Docs | Role::Example
    ) {
        return;
    }
    let mut done = 0;
    for header in HEADER.find_iter(&side.text) {
        if header.start() < done || side.in_test(header.start()) {
            continue;
        }
        let limit = side
            .text
            .floor_char_boundary((header.end() + BODY_MAX_BYTES).min(side.text.len()));
        let tail = &side.text[header.end()..limit];
        let end = tail.find("---").map_or(tail.len(), |at| at);
        let is_putty = header.as_str().starts_with("PuTTY");
        let body = Body::read(&tail[..end], is_putty);
        if body.len < 64 || body.is_made_up() {
            continue;
        }
        let last = header.end() + body.end;
        done = last;
        report(header.start()..last, header.end()..last, sink);
    }
    for found in WRAPPED.find_iter(&side.text) {
        let is_key = decode::base64(found.as_str())
            .is_some_and(|text| text.windows(11).take(64).any(|w| w == b"PRIVATE KEY"));
        if is_key && !side.in_test(found.start()) {
            report(found.range(), found.range(), sink);
        }
    }
}

fn report(range: Range<usize>, secret: Range<usize>, sink: &mut Sink) {
    let mut hit = Hit::lines(
        range,
        "Anyone who reads the repository can sign, decrypt or log in as the key's owner.",
    );
    hit.confidence = 0.95;
    hit.secrets.push(secret);
    sink.hit(hit);
}

/// The base64 behind a header, without line ends, quotes and joints.
struct Body {
    /// How many base64 characters it has.
    len: usize,
    /// Where the last of them stands, behind the header.
    end: usize,
    /// The first 512 of them.
    sample: String,
}

impl Body {
    fn read(tail: &str, is_putty: bool) -> Self {
        let mut body = Self {
            len: 0,
            end: 0,
            sample: String::new(),
        };
        let mut at = 0;
        for line in tail.split_inclusive('\n') {
            let line_at = at;
            at += line.len();
            if is_putty && line.contains(": ")
                || line.contains("Proc-Type:")
                || line.contains("DEK-Info:")
                || line.contains("Version:")
                || line.contains("Comment:")
            {
                continue;
            }
            let mut run_at = 0;
            for run in line.split(|c: char| !is_base64(c)) {
                let start = run_at;
                run_at += run.len()
                    + line[start + run.len()..]
                        .chars()
                        .next()
                        .map_or(0, char::len_utf8);
                let escaped = start > 0 && line.as_bytes()[start - 1] == b'\\';
                let run = if escaped {
                    run.get(1..).unwrap_or("")
                } else {
                    run
                };
                if run.len() < 16 && !run.ends_with('=') {
                    continue;
                }
                body.len += run.len();
                body.end = line_at + start + run.len() + usize::from(escaped);
                if body.sample.len() < 512 {
                    body.sample.push_str(run);
                }
            }
            if body.len == 0 && line_at > 400 {
                break;
            }
        }
        body
    }

    fn is_made_up(&self) -> bool {
        quality::longest_repeat(&self.sample) >= 12
            || quality::entropy(&self.sample) < 4.0
            || quality::contains_word(&self.sample, "example")
            || quality::contains_word(&self.sample, "placeholder")
    }
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}
