//! `secret-assignment`: a password or key of no known format, given to a name that says so.

mod values;

use std::{ops::Range, sync::LazyLock};

use aho_corasick::AhoCorasick;

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{
        pattern, quality, rows,
        secret_names::{self, Class, Name},
    },
    rule::{Check, Hit, Rule, Sink},
    rules::secret,
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "secret-assignment",
    severity: Severity::Major,
    title: "Secret written into the source",
    reason: "Whoever can read the repository, its history or a build has the password.",
    explain: "\
Finds literals given to names such as `password`, `api_key`, `clientSecret`, `DB_PASSWORD`: \
assignments, dictionary entries, arguments, fallbacks of environment look-ups, settings files, \
`ENV` lines, connection strings, basic authentication. Keys must look random; passwords must look \
like passwords. Names that say production are critical.\n\n\
Leaves alone: placeholders, templates and look-ups, names that mean something about a secret \
(`token_type`, `passwordField`, `secretName`), hashes, paths, addresses, sentences, and tests, \
fixtures, examples and documentation.\n\n\
Do: read it from the environment or a secret store, and change it: the history keeps it.",
    languages: &[],
    triggers: secret_names::KEYWORDS,
    strict_only: false,
    never_silenced_by_change: true,
    check: Check::Hunk(check),
};

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(secret_names::KEYWORDS)
        .ok()
});

const TRIGGER: &str = "Anyone who reads the repository or unpacks a build signs in with it.";

// What may stand between a name and its quoted value.
pattern!(
    QUOTED,
    r#"(?x)^
    ["'`]? \s* (?:\]|\[\d*\])* \s*
    (?:
        (?: :\s*[A-Za-z_&\[(][\w.<>\[\]?&'\x20|(),:]*? | \[\]\s* | \s*\{\s*get;[^}]*\} | \x20string | \x20\*?char | !\s*:\s*\w+ )?
        \s* (?:===?|:=|\|\|=|\?\?=|=>|=|:|\|\||\?\?|\?:|,\s*default\s*=|\bor\b) \s*
      | \s*,\s*(?:value|default|"?Value"?)\s*[:=]\s*
    )
    (?: (?:Some|String|SecretStr|SecretString::from|String::from|SecretString|Buffer\.from|bytes|str|std::string|NSString|Optional\.of|process\.env\.\w+\s*(?:\|\||\?\?)|new\s+\w+)\s*\(?\s*
      | os\.(?:getenv|environ\.get)\s*\(\s*["']\w+["']\s*,\s*
      | (?:getenv|env|System\.getenv)\s*\(\s*["'][\w.]+["']\s*\)?\s*(?:,|\|\||\?\?|\?:|or|:-|unwrap_or_else\()\s*
      | ENV\.fetch\s*\(\s*["']\w+["']\s*,\s*|ENV\[["']\w+["']\]\s*\|\|\s*
      | std::env::var\([^)]*\)\s*\.unwrap_or(?:_else)?\((?:\s*\|_\|\s*)?
      | process\.env(?:\.\w+|\[["']\w+["']\])\s*(?:\|\||\?\?)\s*
      | (?:[A-Za-z_$][\w.$]*|os\.environ\.get\([^)]*\)|os\.getenv\([^)]*\))\s*(?:\|\||\?\?|\bor\b)\s*
    )?
    \(?\s* (?:@|\$|[bruBRU]{1,2}|\#*)?
    ("""|'''|["'`])
"#
);
// `put("password", "…")`, `define('DB_PASSWORD', '…')`, `getenv("X", "…")`.
pattern!(PAIR, r#"^["'`]\s*\)?\s*,\s*@?[bruBRU]{0,2}(["'`])"#);
pattern!(
    PAIR_CALL,
    r#"(?i)(?:\b(?:put|set|setProperty|setEnv|setenv|setItem|setdefault|add|define|getenv|env|environ\.get|fetch|get_?or_?default|getOrDefault|header|setRequestHeader|var_or|property|with_?env|env_or|env_default|config|addParameter|append|insert|GetValue|get)|\bget_env\w*)\s*\(\s*[bruBRU]{0,2}["'`]$"#
);
pattern!(
    SETTER,
    r#"^\s*\(\s*(?:Some\s*\(\s*)?@?[bruBRU]{0,2}(["'`])"#
);
pattern!(
    ENV_VALUE,
    r#"^["']?\s*,?\s*(?:\n\s*)?["']?[vV]alue["']?\s*[:=]\s*(["']?)"#
);
pattern!(ELEMENT, r"^\s*>\s*([^<\s][^<]*?)\s*<");
pattern!(TERRAFORM, r#"^["']\s*\{[^}]*?\bdefault\s*=\s*(["])"#);
pattern!(DEFINED, r#"^[ \t]+@?(["'])"#);
pattern!(
    BARE,
    r#"^["']?[ \t]*(?::=|\?=|=|:|[ \t])[ \t]*([^\s"'`#;,<>()\[\]{}|&]+)[ \t]*(?:$|\n|#|;|,|"|'|\\)"#
);
pattern!(BARE_TIGHT, r#"^=([^\s"'`#;,<>()\[\]{}|&]+)"#);
pattern!(IN_STRING, r#"^\s*=\s*([^\s"'`;&,<>(){}\\]+)"#);
pattern!(
    POSITIONAL,
    r#"(?x)
    (?: \bHTTPBasicAuth | \bHTTPDigestAuth | \bSetBasicAuth | \bBasicAuth | \bNetworkCredential | \bCredentials\.basic
      | \bbasic_auth | \bauth\s*=\s* | \bsetBasicAuth | \bUsernamePasswordCredentials | \bBasicAWSCredentials | \bPasswordAuthentication
      | \bsmtp\w*\.login | \bserver\.login | \bbasicAuth | \bbasic_authentication | \bwithBasicAuth | \bconn\.login )
    \s*\(\s*(?:@|b)?["'`][^"'`\n]+["'`]\s*,\s*(?:Some\(\s*)?(?:b)?["'`]([^"'`\n]+)["'`]
  | \bgetConnection\s*\(\s*[^()\n]*,\s*"[^"\n]*"\s*,\s*"([^"\n]+)"\s*\)
  | \bcurl\b[^\n|;]*\s(?:-u|--user)[\s=]*["']?[^\s:"'$]+:([^\s"'$`]{4,})
  | \bConvertTo-SecureString\s+(?:-String\s+)?["']([^"'$\n]+)["']
  | \bsshpass\s+-p\s*["']?([^\s"'$`]{4,})
  | \bmysql(?:dump|admin)?\b[^\n|;]*\s-p([^\s"'$`]{4,})
  | (?i:\bIDENTIFIED\s+(?:WITH\s+\w+\s+)?BY\s+)(?:PASSWORD\s+)?'([^'\n]+)'
  | (?i:\bWITH\s+(?:LOGIN\s+)?(?:ENCRYPTED\s+)?PASSWORD\s*=?\s*)N?'([^'\n]+)'
"#
);
pattern!(
    HEADER,
    r#"(?i)["'`]?\bauthorization["'`]?\s*(?:\]|\))?\s*(?:,|:|=>|=)\s*["'`]?(?:authorization:\s*)?(?:bearer|basic|token)\s+([A-Za-z0-9+/_.=-]{12,})"#
);

pattern!(
    HANDED,
    r#"\b(?:jwt|jsonwebtoken|JWT)\.(?:sign|verify|encode|decode)\s*\(\s*[^"'`,()\n]+,\s*["'`]([^"'`\n]{16,})["'`]|\bFernet\s*\(\s*b?["']([A-Za-z0-9_-]{43}=)["']|\bhmac\.new\s*\(\s*b?["']([^"'\n]{16,})["']|\bcreateHmac\s*\(\s*["'`]\w+["'`]\s*,\s*["'`]([^"'`\n]{16,})["'`]|\bsecret_key_base\s*=\s*["']([0-9a-f]{64,})["']"#
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if is_sheltered(file) {
        return;
    }
    let Some(finder) = FINDER.as_ref() else {
        return;
    };
    let side = &hunk.new;
    let mut done = 0;
    let mut spans: Vec<Range<usize>> = Vec::new();
    for keyword in finder.find_iter(&side.live) {
        if keyword.start() < done {
            continue;
        }
        let identifier = secret_names::identifier(&side.live, keyword.range());
        done = identifier.end;
        let Some(name) = secret_names::read(&side.live[identifier.clone()]) else {
            continue;
        };
        let Some(value) = value_of(file, side, &identifier, &name) else {
            continue;
        };
        report(side, &name, value, &mut spans, sink);
    }
    let login = Name {
        class: Class::Password,
        is_production: false,
        is_vague: false,
    };
    let key = Name {
        class: Class::Key,
        is_production: false,
        is_vague: false,
    };
    for (pattern, name) in [(&POSITIONAL, &login), (&HEADER, &key), (&HANDED, &key)] {
        for found in pattern.captures_iter(&side.live) {
            let Some(group) = found.iter().skip(1).flatten().next() else {
                continue;
            };
            if values::judge(group.as_str(), name, file.language) {
                report(side, name, group.range(), &mut spans, sink);
            }
        }
    }
}

/// True if the line gives a value to a name that says secret.
pub fn names_a_secret(line: &str) -> bool {
    let Some(finder) = FINDER.as_ref() else {
        return false;
    };
    finder.find_iter(line).any(|keyword| {
        secret_names::read(&line[secret_names::identifier(line, keyword.range())]).is_some()
    })
}

fn report(
    side: &Side,
    name: &Name,
    value: Range<usize>,
    spans: &mut Vec<Range<usize>>,
    sink: &mut Sink,
) {
    let overlaps = spans
        .iter()
        .any(|s| s.start < value.end && value.start < s.end);
    if overlaps
        || value.is_empty()
        || side.in_test(value.start)
        || secret::is_known(around(side, &value))
    {
        return;
    }
    spans.push(value.clone());
    let mut hit = Hit::at(value.clone(), TRIGGER);
    hit.severity = name.is_production.then_some(Severity::Critical);
    hit.confidence = 0.8;
    hit.secrets.push(value);
    sink.hit(hit);
}

/// The value with what stands before it, for formats that begin with their key
/// (`AccountKey=…`).
fn around<'s>(side: &'s Side, value: &Range<usize>) -> &'s str {
    let start = side
        .text
        .floor_char_boundary(value.start.saturating_sub(24));
    &side.text[start..value.end]
}

/// Tests, fixtures, documents, examples, templates and translations hold no real passwords.
fn is_sheltered(file: &FileView<'_>) -> bool {
    use Language::*;
    if matches!(
        file.role,
        Role::Test | Role::Fixture | Role::Docs | Role::Example
    ) || matches!(file.language, Html | Css | Markdown | Vue)
    {
        return true;
    }
    const PATHS: [&str; 16] = [
        "example",
        "sample",
        "template",
        ".dist",
        ".tpl",
        "mock",
        "locale",
        "i18n",
        "l10n",
        "translation",
        "/lang/",
        "messages_",
        "stub",
        "vendor/",
        "schema",
        "fixture",
    ];
    PATHS
        .iter()
        .any(|part| quality::contains_word(file.path, part))
}

fn value_of(
    file: &FileView<'_>,
    side: &Side,
    name_at: &Range<usize>,
    name: &Name,
) -> Option<Range<usize>> {
    let live = side.live.as_str();
    let limit = live.floor_char_boundary((name_at.end + 400).min(live.len()));
    let tail = &live[name_at.end..limit];
    let before = &live[..name_at.start];
    let quoted_name = before.ends_with(['"', '\'', '`']);
    let in_string =
        side.code.as_bytes()[name_at.start] == b' ' && live.as_bytes()[name_at.start] != b' ';
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let head = before[line_start..].trim_start();
    if rows::is_shown(head)
        || rows::in_shown_block(side, name_at.start)
        || rows::is_markup_text(head)
    {
        return None;
    }
    if in_string && !quoted_name {
        // Inside of a text only a connection string counts; a text over several lines is a document.
        let opens_here = side.code[line_start..name_at.start].contains(['"', '\'', '`']);
        let found = IN_STRING
            .captures(tail)
            .and_then(|c| c.get(1))
            .filter(|_| opens_here)?;
        let value = name_at.end + found.start()..name_at.end + found.end();
        return values::judge(&live[value.clone()], name, file.language)
            .then_some(value)
            .filter(|v| values::is_strong(&live[v.clone()]));
    }
    let judged = |range: Range<usize>| {
        values::judge(&live[range.clone()], name, file.language).then_some(range)
    };
    if let Some(found) = QUOTED.captures(tail).and_then(|c| c.get(1)) {
        let compares = tail[..found.start()].contains("==");
        let literal = literal(
            side,
            file.language,
            name_at.end + found.start(),
            found.as_str(),
            compares,
        )?;
        if compares && name.class != Class::Password {
            return None;
        }
        return judged(literal);
    }
    if quoted_name
        && let Some(found) = PAIR.captures(tail).and_then(|c| c.get(1))
        && PAIR_CALL
            .is_match(&before[before.floor_char_boundary(before.len().saturating_sub(60))..])
    {
        return judged(literal(
            side,
            file.language,
            name_at.end + found.start(),
            found.as_str(),
            false,
        )?);
    }
    if let Some(found) = SETTER.captures(tail).and_then(|c| c.get(1))
        && is_setter(&live[name_at.clone()], before)
    {
        return judged(literal(
            side,
            file.language,
            name_at.end + found.start(),
            found.as_str(),
            false,
        )?);
    }
    if let Some(found) = TERRAFORM.captures(tail).and_then(|c| c.get(1)) {
        return judged(literal(
            side,
            file.language,
            name_at.end + found.start(),
            "\"",
            false,
        )?);
    }
    if let Some(found) = ENV_VALUE.captures(tail) {
        let end = name_at.end + found.get(0)?.end();
        let quote = found.get(1)?;
        return if quote.is_empty() {
            let len = live[end..]
                .find(['\n', ' ', '#'])
                .unwrap_or(live.len() - end);
            judged(end..end + len)
        } else {
            judged(literal(
                side,
                file.language,
                name_at.end + quote.start(),
                quote.as_str(),
                false,
            )?)
        };
    }
    if before.ends_with('<')
        && let Some(found) = ELEMENT.captures(tail).and_then(|c| c.get(1))
    {
        return judged(name_at.end + found.start()..name_at.end + found.end());
    }
    if (head.starts_with("#define")
        || file.language == Language::Sql
        || head.contains("ROLE ")
        || head.contains("USER "))
        && let Some(found) = DEFINED.captures(tail).and_then(|c| c.get(1))
    {
        return judged(literal(
            side,
            file.language,
            name_at.end + found.start(),
            found.as_str(),
            false,
        )?);
    }
    if (in_string || file.language == Language::Xml || file.language == Language::Json)
        && let Some(found) = IN_STRING.captures(tail).and_then(|c| c.get(1))
    {
        let value = name_at.end + found.start()..name_at.end + found.end();
        return judged(value).filter(|v| values::is_strong(&live[v.clone()]));
    }
    bare_value(file, head, tail, name_at, &judged)
}

fn bare_value(
    file: &FileView<'_>,
    head: &str,
    tail: &str,
    name_at: &Range<usize>,
    judged: &dyn Fn(Range<usize>) -> Option<Range<usize>>,
) -> Option<Range<usize>> {
    use Language::*;
    if !matches!(
        file.language,
        Yaml | Ini | Shell | Dockerfile | Makefile | Toml | Unknown | Text
    ) {
        return None;
    }
    let found = BARE.captures(tail).or_else(|| BARE_TIGHT.captures(tail))?;
    let value = found.get(1)?;
    let sign = tail[..value.start()].trim();
    let is_flag = head.trim_end_matches('-').len() < head.len() && file.language == Shell;
    let spaced = sign.is_empty();
    if spaced
        && !(is_flag
            || (file.language == Dockerfile
                && (head.starts_with("ENV") || head.starts_with("ARG"))))
    {
        return None;
    }
    if file.language == Unknown && sign.ends_with(':') {
        return None;
    }
    judged(name_at.end + value.start()..name_at.end + value.end())
}

/// `setPassword("…")`, `.password("…")`, `with_secret("…")`.
fn is_setter(name: &str, before: &str) -> bool {
    let is_method = name.contains('.');
    let name = name
        .rsplit(['.', '$'])
        .next()
        .unwrap_or(name)
        .to_ascii_lowercase();
    name.starts_with("set")
        || name.starts_with("with")
        || is_method
        || before.ends_with('.')
        || before.ends_with("->")
}

/// The insides of the literal whose quote stands at `open`, with further literals joined to it,
/// if nothing else is done to it.
fn literal(
    side: &Side,
    language: Language,
    open: usize,
    quote: &str,
    compares: bool,
) -> Option<Range<usize>> {
    let live = side.live.as_str();
    let start = open + quote.len();
    let bytes = live.as_bytes();
    let mut end = start;
    while end < bytes.len() && !live[end..].starts_with(quote) {
        if bytes[end] == b'\n' && quote.len() == 1 {
            return None;
        }
        end += if bytes[end] == b'\\' && end + 1 < bytes.len() {
            2
        } else {
            1
        };
        while end < bytes.len() && !live.is_char_boundary(end) {
            end += 1;
        }
        if end - start > 512 {
            return None;
        }
    }
    if end >= bytes.len() {
        return None;
    }
    let after = live[end + quote.len()..].trim_start_matches([' ', '\t']);
    let next = after.chars().next().unwrap_or('\n');
    let is_used_further = match next {
        '+' | '%' | '?' | '~' => true,
        ':' => language != Language::Yaml && !compares,
        '.' => {
            const KEPT: [&str; 12] = [
                ".to_string",
                ".into",
                ".to_owned",
                ".encode",
                ".as_bytes",
                ".freeze",
                ".toCharArray",
                ".getBytes",
                ".trim",
                ".strip",
                ".getbytes",
                ".data(",
            ];
            !KEPT.iter().any(|kept| after.starts_with(kept))
        }
        '=' => true,
        _ => after.starts_with("in ") || after.starts_with("not in "),
    };
    if is_used_further {
        let joined = after.strip_prefix('+').map(str::trim_start);
        let joins = joined.is_some_and(|rest| rest.starts_with(['"', '\'']));
        return joins.then_some(start..end);
    }
    Some(start..end)
}
