//! `url-credentials`: a user name and password inside an address.

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{pattern, quality},
    rule::{Check, Hit, Rule, Sink},
    rules::secret,
    view::{FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "url-credentials",
    severity: Severity::Critical,
    title: "Password in an address",
    reason: "The address is logged, cached and shown everywhere, and its password with it.",
    explain: "\
Finds `scheme://user:password@host` with a literal password: databases, brokers, registries, git \
remotes.\n\n\
Leaves alone: placeholders and templates, the usual development pairs on the machine itself \
(`postgres:postgres@localhost`), tests, fixtures, examples, documentation and comments.\n\n\
Do: read the address from the environment or put it together from a secret store; change the \
password.",
    languages: &[],
    triggers: &["://"],
    strict_only: false,
    never_silenced_by_change: true,
    check: Check::Hunk(check),
};

pattern!(
    URL,
    r#"([a-zA-Z][a-zA-Z0-9+.-]{1,30})://([^\s/"'`<>?#@:,;|\\]{0,64}):([^\s/"'`<>@?#]{3,128})@([A-Za-z0-9_.\[\]$%{-][A-Za-z0-9_.:\[\]-]*)"#
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if matches!(
        file.role,
        Role::Test | Role::Fixture | Role::Docs | Role::Example
    ) || matches!(file.language, Language::Markdown)
        || ["example", "sample", "template"]
            .iter()
            .any(|w| quality::contains_word(file.name, w))
    {
        return;
    }
    let side = &hunk.new;
    if !side.live.contains('@') {
        return;
    }
    for found in URL.captures_iter(&side.live) {
        let (Some(user), Some(password), Some(host)) = (found.get(2), found.get(3), found.get(4))
        else {
            continue;
        };
        if side.in_test(password.start())
            || is_stand_in(user.as_str(), password.as_str(), host.as_str())
        {
            continue;
        }
        if secret::is_known(password.as_str()) {
            continue;
        }
        let mut hit = Hit::at(
            user.start()..password.end(),
            "Whoever sees the address (in a log, a trace, the repository) signs in with it.",
        );
        hit.secrets.push(password.range());
        sink.hit(hit);
    }
}

fn is_stand_in(user: &str, password: &str, host: &str) -> bool {
    let lower = password.to_ascii_lowercase();
    let user_lower = user.to_ascii_lowercase();
    if quality::is_placeholder(password)
        || quality::is_template(user)
        || password.starts_with(['$', '%', '*', '{', ':', '<', '['])
    {
        return true;
    }
    if password
        .bytes()
        .any(|b| matches!(b, b'{' | b'}' | b'(' | b')'))
    {
        return true;
    }
    const WORDS: [&str; 24] = [
        "password",
        "passwd",
        "pass",
        "pwd",
        "pw",
        "secret",
        "token",
        "user",
        "username",
        "admin",
        "root",
        "postgres",
        "guest",
        "mysql",
        "redis",
        "rabbitmq",
        "mongo",
        "changeit",
        "test",
        "credentials",
        "apikey",
        "api_key",
        "key",
        "p4ssw0rd",
    ];
    let is_weak = WORDS.contains(&lower.as_str())
        || lower == user_lower
        || lower.ends_with("password")
        || lower.starts_with("pass")
        || lower.starts_with("my")
        || lower.starts_with("some")
        || lower.starts_with("test");
    let is_number = password.bytes().all(|b| b.is_ascii_digit());
    if is_weak || is_number || (password.len() <= 3) {
        return true;
    }
    let host_name = host.split(':').next().unwrap_or(host);
    let is_here = matches!(
        host_name,
        "localhost" | "127.0.0.1" | "0.0.0.0" | "[" | "host" | "hostname" | "server" | "::1"
    ) || host_name.ends_with(".test")
        || host_name.ends_with(".invalid")
        || host_name.ends_with(".example")
        || matches!(
            host_name,
            "example.com"
                | "example.org"
                | "example.net"
                | "www.example.com"
                | "foo.com"
                | "bar.com"
        );
    let has_digit = password.bytes().any(|b| b.is_ascii_digit());
    let has_letter = password.bytes().any(|b| b.is_ascii_alphabetic());
    let is_strong = password.len() >= 8 && has_digit && has_letter && !quality::is_wordy(password);
    if is_here || host.starts_with(['$', '{', '%']) {
        return !is_strong;
    }
    // A single word in capitals is a name to fill in: `https://USER:PASSWORD@host`.
    password
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b == b'_')
}
