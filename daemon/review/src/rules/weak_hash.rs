//! `weak-hash`: a broken or fast hash where security rests on it.

use crate::{
    finding::Severity,
    language::Language,
    matching::{
        calls,
        imports::Imports,
        pattern,
        rows::{self, Row, row},
        ships,
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "weak-hash",
    severity: Severity::Major,
    title: "Weak hash protects a secret",
    reason: "MD5 and SHA-1 collide at will, and a fast hash of a password is guessed billions of times a second.",
    explain: "\
Finds MD5 and SHA-1 over passwords, tokens, signatures and the like, in the call or in the name it is \
given to, and plain SHA-2 over a password (minor).\n\n\
Leaves alone: checksums, cache keys, entity tags, `usedforsecurity=False`, HMAC with SHA-1, the hash that a foreign \
protocol asks for, tests.\n\n\
Do: hash passwords with Argon2, scrypt or bcrypt; sign with HMAC-SHA-256.",
    languages: &[],
    triggers: &[
        "md5", "sha1", "sha-1", "sha_1", "sha256", "sha512", "sha-256", "sha-512",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str =
    "Whoever gets the stored values finds the passwords, or makes another text with the same hash.";

static ROWS: [Row; 1] = [row!(
    Live,
    [],
    r#"(?i)(?:\b(?:hashlib|crypto|Digest|CryptoJS|hash|DigestUtils|Hashing|openssl|forge\.md|Insecure|CC|EVP)\s*(?:\.|::|_)\s*)?(\b(?:md5|sha1|MD5|SHA1|Md5|Sha1|sha256|sha512)(?:Hex|_hex|hex|hash|_hash|Sum|digest|_digest|HashData|CryptoServiceProvider|Managed|_base64|\.Sum|\.New|\.Create|\.HashData|::digest|::compute|::new|\.hexdigest|\.digest|::Digest|::hexdigest|\.hash|_sum)*\s*\(|\b\w+\s*\(\s*(?:["'`](?:md5|sha1|sha-1|sha)["'`]|:(?:md5|sha1|sha)\b)|\bgetattr\s*\(\s*hashlib\s*,\s*["'](?:md5|sha1)["']|\bcreateHash\s*\(\s*["'`](?:sha256|sha512)["'`]|\b(?:hashlib|hashes)\.(?:md5|sha1|MD5|SHA1)\b|\bQCryptographicHash::(?:Md5|Sha1)\b|\b(?:md5|sha1)\.convert\s*\(|\bgetInstance\s*\(\s*["'](?:MD5|SHA-?1|SHA-?256|SHA-?512)["']|\bhash\s*\(\s*["'](?:md5|sha1|sha256|sha512)["']|\bhashlib\.new\s*\(\s*["'](?:md5|sha1)["']|\b(?:md5_crypt|unsalted_md5|hex_md5|hex_sha1|ldap_md5|ldap_sha1)\.(?:hash|encrypt)\s*\(|\bInsecure\.(?:MD5|SHA1)\b|\b(?:CC_MD5|CC_SHA1|EVP_md5|EVP_sha1)\s*\(|\bDigest::(?:MD5|SHA1|SHA256)\b|\|\s*(?:md5sum|sha1sum)\b)"#,
    TRIGGER
)];

pattern!(
    SECRET,
    r"(?i)(?:^|[^a-z])(?:pass(?:word|wd|phrase)?|pwd|passwd|pw|secret|credential|api_?key|token|signature|sign|signing|signed|session|otp|auth|hmac_?key|private_?key|pin|salted|salt|nonce|csrf)(?:s|s?_?\w*)?\b|\b\w*(?:Password|Passwd|Passphrase|Secret|Token|Signature|Credential|ApiKey|Salt)\w*\b|\b\w+_(?:password|passwd|secret|token|signature|salt|sig)\w*\b"
);
pattern!(
    PASSWORD,
    r"(?i)pass(?:word|wd|phrase)|passwd|\bpwd\b|\bpass\b|\bpw\b"
);
pattern!(
    CHECKSUM,
    r"(?i)usedforsecurity\s*=\s*False|checksum|etag|cache_?key|content_?hash|file_?hash|fingerprint|gravatar|\bmd5_?sum\b|integrity|dedup|cache|content|avatar|hexdigest_of_file|shard|bucket|partition|git|blob|commit|hmac|pbkdf2|HMAC|websocket|258EAFA5|tokeni[sz]e|verify_?checksum|asset|\bscram\b|crammd5|mysql_native|digest_auth|\bfile\b|tokens\b|token_?(?:ids|count)|uuid|argon|bcrypt|scrypt|password_hash\s*\(|hibp|pwned"
);
pattern!(STRONG, r"(?i)sha-?(?:256|512)");

/// Calls of MD5 and SHA-1 under another name.
fn renamed(file: &FileView<'_>, hunk: &HunkView<'_>) -> Vec<std::ops::Range<usize>> {
    if file.language != Language::Python || !hunk.new.code.contains(" as ") {
        return Vec::new();
    }
    let imports = Imports::of(file);
    let code = &hunk.new.code;
    let mut found = Vec::new();
    for (_, alias) in imports
        .members("hashlib")
        .filter(|(m, a)| matches!(*m, "md5" | "sha1") && m != a)
    {
        let call = format!("{alias}(");
        for (at, text) in code.match_indices(&call) {
            if !code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'))
                && !hunk.new.in_test(at)
            {
                found.push(at..at + text.len());
            }
        }
    }
    found
}

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let side = &hunk.new;
    let mut last = None;
    let mut found: Vec<_> = rows::matches(&ROWS, file, hunk)
        .into_iter()
        .map(|(_, range)| range)
        .collect();
    found.extend(renamed(file, hunk));
    for range in found {
        let at = side.live[range.clone()].trim_start();
        let start = range.end - at.len();
        if side.code.as_bytes()[start] == b' ' || calls::word_before(&side.code, start) == "def" {
            continue;
        }
        let line = side.line_at(start);
        if last == Some(line) || calls::is_declaration(&side.code, start, range.end - 1) {
            continue;
        }
        let context = statement(side, start);
        let is_strong = STRONG.is_match(&side.live[range.clone()]);
        if CHECKSUM.is_match(context) {
            continue;
        }
        let about = if is_strong {
            PASSWORD.is_match(context)
        } else {
            SECRET.is_match(context)
        };
        let named =
            !is_strong && enclosing_name(side, line).is_some_and(|name| PASSWORD.is_match(name));
        if !(about || named) {
            continue;
        }
        last = Some(line);
        let end = range
            .end
            .min(side.line_range(side.line_at(start)).end)
            .max(start + 1);
        let mut hit = Hit::at(start..end, TRIGGER);
        hit.confidence = 0.75;
        if is_strong {
            hit.severity = Some(Severity::Minor);
            hit.title = Some("Password hashed with a fast hash".to_owned());
        }
        sink.hit(hit);
    }
}

/// The statement around an offset: its line, and the lines that a chain or an open call adds.
fn statement(side: &Side, offset: usize) -> &str {
    let line = side.line_range(side.line_at(offset));
    let end = calls::expression_end(&side.code, offset).max(line.end);
    let next = side.live[end.min(side.live.len())..].trim_start();
    let chained = next.starts_with('.') || next.starts_with("->");
    let follow = side.live[(end + 1).min(side.live.len())..]
        .split('\n')
        .next()
        .unwrap_or("");
    let is_update = follow.contains("pdate(")
        || follow.contains("digest(")
        || follow.contains(".write(")
        || follow.contains(".Write(")
        || follow.contains("WriteString(")
        || follow.contains("ComputeHash")
        || follow.contains("Sum(")
        || follow.contains("<<");
    let end = if chained || is_update {
        (end + 1 + follow.len()).min(side.live.len())
    } else {
        end.min(side.live.len())
    };
    &side.live[line.start..end.max(line.start)]
}

/// The header of the function that line `index` lies in, as far as the hunk shows it.
fn enclosing_name(side: &Side, index: usize) -> Option<&str> {
    pattern!(
        HEADER,
        r"\b(?:def|function|fn|func|fun|sub)\s+(\w+)|\b(\w+)\s*\([^()]*\)\s*\{\s*$"
    );
    (index.saturating_sub(12)..index).rev().find_map(|at| {
        let line = &side.code[side.line_range(at)];
        let found = HEADER.captures(line)?;
        let name = found.get(1).or(found.get(2))?.as_str();
        (!matches!(name, "if" | "for" | "while" | "switch" | "catch")).then_some(name)
    })
}
