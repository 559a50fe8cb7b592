//! Which names say that their value is a secret.

use std::ops::Range;

/// What a name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Chosen by a person: short, memorable.
    Password,
    /// Drawn by a machine: long, random.
    Key,
}

/// A name that says secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it promises.
    pub class: Class,
    /// It says production, or something that only production has.
    pub is_production: bool,
    /// It may as well mean something else (`pass`).
    pub is_vague: bool,
}

/// Literals, one of which stands in every such name; the rest of the name decides.
pub static KEYWORDS: &[&str] = &[
    "jwt.",
    "fernet(",
    "hmac",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "api.key",
    "accesskey",
    "access_key",
    "access-key",
    "privatekey",
    "private_key",
    "private-key",
    "encryptionkey",
    "encryption_key",
    "encryption-key",
    "signingkey",
    "signing_key",
    "signing-key",
    "credential",
    "accountkey",
    "account_key",
    "masterkey",
    "master_key",
    "sharedkey",
    "shared_key",
    "session_key",
    "sessionkey",
    "jwt_key",
    "jwtkey",
    "hmac_key",
    "hmackey",
    "aes_key",
    "aeskey",
    "app_key",
    "appkey",
    "service_key",
    "servicekey",
    "admin_key",
    "adminkey",
    "license_key",
    "auth",
    "securestring",
    "identified by",
    "networkcredential",
    "getconnection",
    "curl",
    "mysql",
    "cookie_key",
    "crypto_key",
    "cryptokey",
];

/// Words before `key` that make it a secret.
const KEY_OWNERS: [&str; 25] = [
    "api",
    "access",
    "private",
    "encryption",
    "signing",
    "auth",
    "master",
    "account",
    "shared",
    "session",
    "jwt",
    "hmac",
    "aes",
    "app",
    "service",
    "admin",
    "license",
    "secret",
    "crypto",
    "cookie",
    "storage",
    "webhook",
    "cipher",
    "decryption",
    "ssh",
];

/// Words that take the meaning away wherever they stand.
const HARMLESS: [&str; 71] = [
    "csrf",
    "xsrf",
    "next",
    "page",
    "continuation",
    "cancel",
    "cancellation",
    "sync",
    "eos",
    "bos",
    "pad",
    "unk",
    "sep",
    "mask",
    "cls",
    "stop",
    "test",
    "tests",
    "testing",
    "example",
    "dummy",
    "fake",
    "mock",
    "sample",
    "placeholder",
    "invalid",
    "wrong",
    "bad",
    "no",
    "public",
    "hash",
    "hashed",
    "encrypted",
    "forgot",
    "reset",
    "show",
    "hide",
    "toggle",
    "type",
    "primary",
    "foreign",
    "sort",
    "partition",
    "cache",
    "lexer",
    "syntax",
    "design",
    "color",
    "grammar",
    "regex",
    "pattern",
    "label",
    "hint",
    "error",
    "err",
    "message",
    "msg",
    "help",
    "description",
    "title",
    "has",
    "is",
    "use",
    "enable",
    "require",
    "required",
    "min",
    "max",
    "bypass",
    "parser",
    "separator",
];

/// Trailing words that don't change what the name means.
const TAILS: [&str; 15] = [
    "prod",
    "production",
    "live",
    "staging",
    "value",
    "default",
    "str",
    "string",
    "env",
    "dev",
    "v1",
    "v2",
    "raw",
    "b64",
    "plain",
];

/// The identifier around a keyword: letters, digits, `_`, and inner `-` and `.`.
pub fn identifier(text: &str, keyword: Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let is_part = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    let (mut start, mut end) = (keyword.start, keyword.end);
    while start > 0
        && (is_part(start - 1)
            || (matches!(bytes[start - 1], b'-' | b'.') && start > 1 && is_part(start - 2)))
    {
        start -= 1;
    }
    while end < bytes.len()
        && (is_part(end)
            || (matches!(bytes[end], b'-' | b'.') && end + 1 < bytes.len() && is_part(end + 1)))
    {
        end += 1;
    }
    start..end
}

/// Reads an identifier; `None` unless it ends in words that say secret.
pub fn read(identifier: &str) -> Option<Name> {
    let all = words(identifier);
    let last_segment = identifier.rsplit('.').next().unwrap_or(identifier);
    let mut tail = words(last_segment);
    while tail.len() > 1 && tail.last().is_some_and(|w| is_tail(w)) {
        tail.pop();
    }
    let is_key_alone = tail.len() == 1 && tail[0] == "key";
    if is_key_alone && all.len() > 1 {
        tail = all.clone();
    }
    if tail.iter().any(|w| HARMLESS.contains(&w.as_str())) {
        return None;
    }
    let last = tail.last()?;
    let previous = tail.len().checked_sub(2).map(|at| tail[at].as_str());
    let class = class_of(last, previous)?;
    const PRODUCTION: [&str; 13] = [
        "prod",
        "production",
        "live",
        "master",
        "root",
        "admin",
        "aws",
        "stripe",
        "db",
        "database",
        "payment",
        "postgres",
        "mysql",
    ];
    let is_production = all.iter().any(|w| PRODUCTION.contains(&w.as_str()));
    let is_vague = tail.len() == 1 && matches!(last.as_str(), "pass" | "pwd");
    Some(Name {
        class,
        is_production,
        is_vague,
    })
}

fn is_tail(word: &str) -> bool {
    TAILS.contains(&word) || word.bytes().all(|b| b.is_ascii_digit())
}

fn class_of(last: &str, previous: Option<&str>) -> Option<Class> {
    let ends = |suffix: &str| last.ends_with(suffix);
    if ends("password")
        || ends("passwd")
        || ends("passphrase")
        || ends("passcode")
        || last == "pwd"
        || last == "pw" && previous.is_some()
        || [
            "dbpwd",
            "userpwd",
            "adminpwd",
            "rootpwd",
            "dbpass",
            "userpass",
            "adminpass",
            "rootpass",
            "smtppass",
            "mailpass",
            "passwort",
        ]
        .contains(&last)
        || last == "pass"
    {
        return Some(Class::Password);
    }
    if ends("secret")
        || ends("token")
        || ends("apikey")
        || ends("secretkey")
        || ends("accesskey")
        || ends("privatekey")
        || ends("authkey")
        || ends("signingkey")
        || ends("encryptionkey")
        || ends("appkey")
        || ends("masterkey")
        || ends("accountkey")
        || ends("jwtkey")
        || last == "credential"
        || last == "credentials"
        || (last == "auth" && previous.is_some())
    {
        return Some(Class::Key);
    }
    (last == "key" && previous.is_some_and(|p| KEY_OWNERS.contains(&p))).then_some(Class::Key)
}

/// The words of an identifier in lower case: split at `_`, `-`, `.`, and where a capital follows
/// a small letter or starts a new word after capitals.
pub fn words(identifier: &str) -> Vec<String> {
    let bytes = identifier.as_bytes();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            flush(&mut word, &mut words);
            continue;
        }
        let before = at.checked_sub(1).map(|i| bytes[i]);
        let after = bytes.get(at + 1);
        let starts = byte.is_ascii_uppercase()
            && (before.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                || (before.is_some_and(|b| b.is_ascii_uppercase())
                    && after.is_some_and(u8::is_ascii_lowercase)));
        let number = byte.is_ascii_digit() != before.is_some_and(|b| b.is_ascii_digit())
            && before.is_some_and(|b| b.is_ascii_alphanumeric())
            && byte.is_ascii_digit();
        if starts || number {
            flush(&mut word, &mut words);
        }
        word.push(char::from(byte.to_ascii_lowercase()));
    }
    flush(&mut word, &mut words);
    words
}

fn flush(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_their_end() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "spring.datasource.password",
            "API_KEY",
            "apiKey",
            "X-Api-Key",
            "clientSecret",
            "authToken",
            "SECRET_KEY_PROD",
            "smtp_pass",
            "jwt.secret",
            "aws_secret_access_key",
            "password2",
        ] {
            assert!(read(name).is_some(), "{name}");
        }
        for name in [
            "token_type",
            "passwordField",
            "secretName",
            "tokenizer",
            "max_tokens",
            "next_page_token",
            "csrf_token",
            "password_hash",
            "public_key",
            "primary_key",
            "author",
            "compass",
            "pass_rate",
            "auth_url",
            "key_id",
            "auth",
        ] {
            assert!(read(name).is_none(), "{name}");
        }
    }
}
