//! What a literal looks like that is given to a name that says secret.

use crate::{
    language::Language,
    matching::{
        pattern, quality,
        secret_names::{Class, Name},
    },
};

/// True if the value looks like what the name says.
pub(super) fn judge(value: &str, name: &Name, language: Language) -> bool {
    let value = value.trim();
    let value = ["Bearer ", "Basic ", "Token ", "bearer "]
        .iter()
        .find_map(|p| value.strip_prefix(p))
        .unwrap_or(value);
    if value.len() < 6 || value.len() > 512 || !value.is_ascii() || is_other_thing(value) {
        return false;
    }
    let is_dollar = matches!(
        language,
        Language::Shell
            | Language::Php
            | Language::Perl
            | Language::Yaml
            | Language::Dockerfile
            | Language::Makefile
            | Language::PowerShell
    );
    if is_dollar && value.starts_with('$') {
        return false;
    }
    match name.class {
        Class::Password if name.is_vague => is_strong(value),
        Class::Password => is_password(value),
        Class::Key => quality::is_random(value) || (is_strong(value) && !quality::is_wordy(value)),
    }
}

fn is_password(value: &str) -> bool {
    let has_digit = value.bytes().any(|b| b.is_ascii_digit());
    let has_letter = value.bytes().any(|b| b.is_ascii_alphabetic());
    let special = value
        .bytes()
        .filter(|b| b"!@#$%^&*?~+=".contains(b))
        .count();
    if !has_letter || value.bytes().any(|b| b.is_ascii_whitespace()) {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    const NAMES: [&str; 16] = [
        "oauth2",
        "base64",
        "sha256",
        "sha512",
        "pbkdf2",
        "argon2",
        "bcrypt",
        "scrypt",
        "md5",
        "utf8",
        "utf-8",
        "aes",
        "hmac",
        "rsa",
        "password1",
        "password2",
    ];
    if NAMES.iter().any(|n| lower.starts_with(n)) && special == 0 && value.len() < 14 {
        return false;
    }
    if has_digit {
        let joined = value.contains(['-', '_', '.', ':', '/']);
        return !joined || special > 0 || !quality::is_wordy(value);
    }
    let stem = value.trim_end_matches(['!', '?', '*', '.', ':', '#']);
    let capitalised = stem.bytes().skip(1).all(|b| b.is_ascii_lowercase())
        && stem.starts_with(|c: char| c.is_ascii_uppercase());
    if special > 0 {
        let inner = stem.bytes().any(|b| b"!@#$%^&*~+=".contains(&b));
        return inner || (value.ends_with('!') && !capitalised && value.len() >= 8);
    }
    value.len() >= 10 && !quality::is_wordy(value)
}

/// Letters with digits and signs, as people choose them when they must.
pub(super) fn is_strong(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let specials = value.bytes().filter(|b| b"!@#$%^&*?~".contains(b)).count();
    let mixed = value.bytes().any(|b| b.is_ascii_uppercase())
        && value.bytes().any(|b| b.is_ascii_lowercase());
    value.len() >= 8
        && digits >= 1
        && letters >= 3
        && (specials > 0
            || (digits >= 2 && (mixed || value.len() >= 12) && !quality::is_wordy(value)))
}

/// Hashes, identifiers, paths, addresses, names of variables and templates.
fn is_other_thing(value: &str) -> bool {
    pattern!(
        UUID,
        r"(?i)^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$"
    );
    pattern!(
        PUBLIC,
        r"(?i)^(?:pk_|[sr]k_test_|test_|pk\.|0x[0-9a-f]{40}$|ssh-|[0-9a-f]{7}$)|\\(?:e|0|x|u|033|\[)"
    );
    pattern!(
        DIGEST,
        r"(?i)^(?:\$(?:2[abxy]?|argon2\w*|[156y]|scrypt|pbkdf2\S*)\$|\{(?:SSHA|SHA|CRYPT|PBKDF2)|(?:sha\d+|md5|pbkdf2|scrypt|bcrypt|argon2\w*)[-_:$=]|sha\d{3}-)"
    );
    pattern!(
        REFERENCE,
        r"^(?:arn:|ssm:|vault:|op://|ENC\[|env:|file:|secret:|!|&|\*|aws:|gcp:|projects/|alias/|data:|ssh-|secretsmanager|keyvault|resolve:|pass:|ref\+|https?:|[a-z][a-z0-9+.-]*://)"
    );
    pattern!(
        FIELD,
        r"^(?:process|os|self|this|ctx|config|cfg|env|settings|var|local|data|module|params|opts|options|args|props|secrets|vars|github|inputs|steps|needs|values|request|req|res|response|user|input|form|state)\.[A-Za-z_]"
    );
    pattern!(
        CODE,
        r"\\[dwsbSWD]|\[[a-zA-Z0-9]-|\(\?|\)\$|\w\(|::|->|=>|^\^|\.\*|\.\+|==|&&"
    );
    pattern!(
        FILE,
        r"(?i)\.(?:pem|key|crt|cer|json|ya?ml|txt|p12|pfx|jks|env|conf|ini|toml|xml|js|ts|py|rb|go|rs|java|php|html?|sql|csv|md|sh|png|svg|jpe?g|gif|css|scss|vue|tsx|jsx|local|com|org|net|io)$"
    );
    let lower = value.to_ascii_lowercase();
    quality::is_placeholder(value)
        || UUID.is_match(value)
        || PUBLIC.is_match(value)
        || DIGEST.is_match(value)
        || REFERENCE.is_match(value)
        || FIELD.is_match(value)
        || CODE.is_match(value)
        || FILE.is_match(value)
        || value.starts_with(['/', '.', '~', '%', '<', ':', '-', ',', '|', '('])
        || value.bytes().filter(|b| *b == b' ').count() >= 1
        || is_shouted_name(value)
        || [
            "changeit",
            "change-it",
            "test",
            "foo",
            "default",
            "mypass",
            "my_pass",
            "my-",
            "mysecret",
            "<",
            "topsecret",
            "not_",
            "none",
            "null",
            "secret_key",
            "secretkey",
            "yyyy",
            "hunter2hunter2",
            "localhost",
            "generate",
            "optional",
            "required",
            "encrypted",
            "autocomplete",
            "current-password",
            "new-password",
        ]
        .iter()
        .any(|w| lower.contains(w))
        || quality::longest_sequence(value) >= 7
}

/// `DB_PASSWORD`, `X-API-KEY`: a name, not a value.
fn is_shouted_name(value: &str) -> bool {
    value.contains(['_', '-'])
        && value
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
        && quality::is_wordy(value)
}
