//! `weak-random`: a guessable generator where a secret is made.

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
    id: "weak-random",
    severity: Severity::Major,
    title: "Secret made by a guessable generator",
    reason: "The generator's next values follow from those that were seen.",
    explain: "\
Finds `random`, `Math.random()`, `rand()`, `java.util.Random`, `math/rand`, `mt_rand`, `uniqid` and their like where the value \
becomes a token, key, password, session, one-time code, nonce or salt, by the names around the call.\n\n\
Leaves alone: random values for anything else, `secrets`, `SystemRandom`, `crypto.randomBytes`, tests.\n\n\
Do: use the system's generator (`secrets`, `crypto.getRandomValues`, `SecureRandom`, `crypto/rand`, `OsRng`).",
    languages: &[],
    triggers: &[
        "rand",
        "uniqid",
        "uuid1",
        "srand",
        "shuffle",
        "drand48",
        "arc4",
        "sample",
        "choice",
        "mt19937",
        "seed_from",
        "lcg_value",
        "default_random_engine",
        "from random import",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str = "Whoever got a few values themselves computes the ones that others get.";

static ROWS: [Row; 14] = [
    row!(Code, [Python], r"\b((?:uuid\.)?uuid1)\s*\(", TRIGGER),
    row!(
        Code,
        [Python],
        r"\b((?:random|rnd|rand|rng|_random|np\.random|numpy\.random)\.(?:random|randint|choice|choices|randrange|sample|getrandbits|shuffle|uniform|randbytes|bytes))\s*\(",
        TRIGGER
    ),
    row!(
        Code,
        [Python],
        r"(?:^|[^.\w])((?:randint|choices?|randrange|getrandbits|sample))\s*\(",
        TRIGGER
    ),
    row!(
        Code,
        [JavaScript, TypeScript, Vue, Html],
        r"\b(Math\s*\.\s*random)\s*\(|\b((?:_|lodash)\.(?:random|sampleSize|sample))\s*\(|\bconst\s*\{\s*(random)\s*(?::\s*\w+)?\s*\}\s*=\s*Math\b",
        TRIGGER
    ),
    row!(
        Code,
        [Java, Kotlin, Scala],
        r"\b(new\s+(?:java\.util\.)?Random\s*\(|Math\.random\s*\(|ThreadLocalRandom\.current\s*\(|RandomStringUtils\.random\w*\s*\(|Random\.next\w+\s*\(|\bRandom\s*\(\s*\)\s*\.next\w+|(?:random|rnd|rand|rng)\.next(?:Int|Long|Bytes)\s*\()|\.(random)\(\)",
        TRIGGER
    ),
    row!(
        Code,
        [Go],
        r"\b((?:m|math|pseudo|std)?rand\.(?:Intn|Int|Int31n?|Int63n?|Uint32|Uint64|Float64|Read|Perm|New|IntN|N))\s*\(",
        TRIGGER
    ),
    row!(
        Code,
        [Php],
        r"\b((?:mt_rand|rand|uniqid|lcg_value|array_rand|str_shuffle))\s*\(",
        TRIGGER
    ),
    row!(
        Code,
        [Ruby],
        r"(?:^|[^.\w])((?:Random\.)?rand|Random\.new(?:\.\w+)?)\b|\.(sample|shuffle)\b",
        TRIGGER
    ),
    row!(
        Code,
        [C, Cpp, ObjectiveC],
        r"(?:^|[^.\w])((?:std::)?(?:rand|random|drand48|lrand48|mrand48))\s*\(\s*\)|\b(std::(?:mt19937(?:_64)?|minstd_rand|default_random_engine))\b",
        TRIGGER
    ),
    row!(
        Code,
        [CSharp],
        r"\b(new\s+Random\s*\(|Random\.Shared\s*\.\s*Next|(?:random|rnd|rand|rng|_random)\.Next(?:Bytes)?\s*\()",
        TRIGGER
    ),
    row!(
        Code,
        [Rust],
        r"\b((?:SmallRng|StdRng)::seed_from_u64|fastrand::\w+|SmallRng::from_entropy|oorandom::\w+|Pcg\w+::\w+)\s*[(),]",
        TRIGGER
    ),
    row!(
        Code,
        [Perl, Lua, Elixir, Dart],
        r"\b((?:math\.random|int\s*\(?\s*rand|rand|:rand\.uniform|Random\s*\(\s*\)|Enum\.random|random\.nextInt))\s*\(?",
        TRIGGER
    ),
    row!(Live, [Shell], r"(\$\{?RANDOM\b)", TRIGGER),
    row!(
        Code,
        [Swift],
        r"\b(drand48|srand48|random|rand)\s*\(\s*\)",
        TRIGGER
    ),
];

pattern!(
    NAME,
    r"(?i)(?:^|[^a-z])(?:pass(?:word|wd|phrase|code)|pwd|secret|credential|api_?key|token|session_?(?:id|key|token)|sid|otp|nonce|csrf|reset_?code|verification_?code|verify_?code|auth_?code|invite_?code|activation_?code|recovery_?code|encryption_?key|private_?key|secret_?key|signing_?key|aes_?key|salt|captcha|pin_?code|one_?time\w*|magic_?link|access_?code|two_?factor\w*|iv|pin|coupon_?code|voucher|license_?key)(?:[^a-z]|$)|(?:Password|Secret|Token|Otp|OTP|Nonce|ApiKey|SessionId|SessionID|sessionId|AuthCode|ResetCode|VerificationCode|RecoveryCode|InviteCode|Salt|Csrf|PrivateKey|SecretKey|EncryptionKey|SigningKey|Passcode|Pin|OneTime\w*|Credential|Passphrase)(?:[^a-z]|s\b|$)|(?:password|secret|token|otp|nonce|salt|passwd)(?:s\b|_|[^a-z]|$)"
);
pattern!(
    OTHER_USE,
    r"(?i)delay|jitter|wait|time|ttl|expir|cache|margin|sleep|backoff|interval|retry|retries|position|colou?r|count|duration|offset|shard|port|index|width|height|angle"
);
pattern!(
    OTHER_ACT,
    r"(?i)fetch|with|check|valid|verify|parse|refresh|revoke|send|delete|remove|find|lookup|load|mask|tokeni[sz]e|rotate_?logs|test"
);
pattern!(
    SECURE,
    r"(?i)SystemRandom|SecureRandom|secrets\.|crypto\.|OsRng|urandom|securerandom|random_bytes|random_int|getRandomValues|Random\.secure|token_ids|tokens\[|max_tokens|num_tokens|tokenizer|token_len|salted_caramel|backoff|jitter|cancell|vocab|mask_token|\brandom_device\b|secure_?random|crypto_?rand|next_token_logits|logits|torch\.|jax|np\.random\.default_rng|SystemRandom"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let side = &hunk.new;
    let mut last: Option<usize> = None;
    let mut found: Vec<_> = rows::matches(&ROWS, file, hunk)
        .into_iter()
        .map(|(_, range)| range)
        .collect();
    found.extend(renamed(file, hunk));
    found.sort_by_key(|range| range.start);
    for range in found {
        let line = side.line_at(range.start);
        if last.is_some_and(|l| line <= l + 2) {
            continue;
        }
        if SECURE.is_match(&side.live[side.line_range(line)])
            || is_secure_source(file.language, side)
        {
            continue;
        }
        if !makes_secret(side, line, range.start) {
            continue;
        }
        last = Some(line);
        sink.hit(Hit::at(range, TRIGGER));
    }
}

/// Functions of Python's `random` under another name.
fn renamed(file: &FileView<'_>, hunk: &HunkView<'_>) -> Vec<std::ops::Range<usize>> {
    let code = &hunk.new.code;
    if file.language != Language::Python || !code.contains(" as ") {
        return Vec::new();
    }
    let imports = Imports::of(file);
    let mut found = Vec::new();
    for (_, alias) in imports
        .members("random")
        .filter(|(member, alias)| member != alias)
    {
        for (at, _) in code.match_indices(alias) {
            let is_whole =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
            if is_whole && code[at + alias.len()..].starts_with('(') && !hunk.new.in_test(at) {
                found.push(at..at + alias.len());
            }
        }
    }
    found
}

/// The hunk binds the short name to a secure generator.
fn is_secure_source(language: Language, side: &Side) -> bool {
    match language {
        Language::Go => side.live.contains("\"crypto/rand\"") && !side.live.contains("math/rand"),
        Language::Python => {
            side.live.contains("SystemRandom") || side.live.contains("from secrets import")
        }
        Language::Java | Language::Kotlin | Language::Scala | Language::CSharp => {
            side.code.contains("SecureRandom") || side.code.contains("RandomNumberGenerator")
        }
        Language::Ruby => side.code.contains("SecureRandom"),
        _ => false,
    }
}

/// The statement's target, or the function it stands in, is named after a secret.
fn makes_secret(side: &Side, line: usize, offset: usize) -> bool {
    let range = side.line_range(line);
    let before = &side.code[range.start..offset];
    let given = target(before);
    if given.is_some_and(|name| NAME.is_match(name)) {
        return true;
    }
    if given.is_some_and(|name| OTHER_USE.is_match(name)) {
        return false;
    }
    // `random.nextBytes(salt)`: what is filled is the argument.
    let rest = &side.code[offset..range.end];
    if let Some(open) = rest.find("ytes(").map(|at| offset + at + 4) {
        let argument = &side.code[calls::inside(&side.code, open)];
        if NAME.is_match(argument) {
            return true;
        }
    }
    // `token = "".join(` on an earlier line of the same statement, or a loop that fills it.
    let first = line.saturating_sub(4);
    for at in (first..line).rev() {
        let text = &side.code[side.line_range(at)];
        let trimmed = text.trim_end();
        if trimmed.trim().is_empty() {
            break;
        }
        let opens = trimmed.ends_with(['(', '=', '[', ',', '{', '|', '.', '>', '+'])
            || trimmed.ends_with("do");
        if opens && target(text).is_some_and(|name| NAME.is_match(name)) {
            return true;
        }
    }
    let end = calls::expression_end(&side.code, offset);
    let after = &side.code[offset..end];
    if after.contains(';') {
        return false;
    }
    header(side, line).is_some_and(|name| NAME.is_match(name) && !OTHER_ACT.is_match(name))
}

/// The name that the code before an expression gives it to: `name =`, `name:`, `name +=`, `"name",`.
fn target(before: &str) -> Option<&str> {
    pattern!(
        TARGET,
        r"([A-Za-z_$][\w$.\[\]>-]*)\s*(?::\s*[\w<>\[\]&' ]+)?\s*(?:\+=|\.=|:=|=>|=|:|<<|\|\|=|\?\?=)[^=]|([A-Za-z_$]\w*)\s*\+?=\s*$|\b(?:push|append|write|Append|push_str)\b|\bset(\w+)\s*\("
    );
    let found = TARGET.captures(before)?;
    found
        .get(1)
        .or(found.get(2))
        .or(found.get(3))
        .map(|m| m.as_str())
}

fn header(side: &Side, index: usize) -> Option<&str> {
    pattern!(
        HEADER,
        r"\b(?:def|function|fn|func|fun|sub)\s+(?:\([^()]*\)\s*)?(?:self\.)?([\w$]+)|\b(?:const|let|var)\s+([\w$]+)\s*=\s*(?:async\s*)?(?:\([^()]*\)|\w+)\s*(?::\s*\w+\s*)?=>|\b([A-Za-z_]\w*)\s*\([^()]*\)\s*(?:throws\s+\w+\s*)?\{?\s*$"
    );
    (index.saturating_sub(14)..=index).rev().find_map(|at| {
        let line = &side.code[side.line_range(at)];
        let found = HEADER.captures(line)?;
        let name = found.get(1).or(found.get(2)).or(found.get(3))?.as_str();
        let opens_below = at < index
            && side.code[side.line_range(at + 1)]
                .trim_start()
                .starts_with('{');
        let is_header = found.get(3).is_none() || line.trim_end().ends_with('{') || opens_below;
        (is_header
            && !matches!(
                name,
                "if" | "for" | "while" | "switch" | "catch" | "foreach"
            ))
        .then_some(name)
    })
}
