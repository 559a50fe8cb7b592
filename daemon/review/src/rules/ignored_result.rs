//! The result of a call that can fail, thrown away.

use std::ops::Range;

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::{calls, pattern, scope},
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "ignored-result",
    severity: Severity::Minor,
    title: "The result of a call that can fail is ignored",
    reason: "When the call fails, the program goes on as if it had worked.",
    explain: "Finds, for calls that are known to fail: Rust `let _ = fs::write(…)`, `….ok();` and \
        `#[allow(unused_must_use)]`; Go `x, _ := os.Open(…)`, `_ = tx.Commit()`, unchecked `json.Unmarshal(…)` and an \
        `err` that is overwritten unread; JavaScript `fs.writeFile(…, () => {})`; unchecked `TryParse`, `renameTo` and \
        `setuid`.\n\n\
        Leaves alone: channels, locks, closing and removing, writing to terminals and HTTP responses, calls with a \
        comment that gives the reason, tests.\n\n\
        What to do: return the error, handle it, or say in a comment why it doesn't matter.",
    languages: &[
        Language::Rust,
        Language::Go,
        Language::JavaScript,
        Language::TypeScript,
        Language::Vue,
        Language::CSharp,
        Language::Java,
        Language::Kotlin,
        Language::C,
        Language::Cpp,
    ],
    triggers: &[
        "_ =",
        "_ :=",
        ".ok()",
        "let _",
        "unused_must_use",
        "unmarshal",
        "decode(",
        "writefile",
        "mkdir",
        "rename",
        "commit()",
        "exec",
        "scan(",
        "compare",
        "err =",
        "err :=",
        "tryparse",
        "setuid",
        "setgid",
        "seteuid",
        "copy",
        "chdir",
        "chroot",
        "is_err()",
        "appendfile",
        "drop(",
        "unwrap_or_default();",
        "trylock",
        "setegid",
        "(ctx",
        "renameto",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

pattern!(
    RUST_FALLIBLE,
    r"\bfs::(?:write|copy|rename|create_dir|create_dir_all|set_permissions|hard_link|symlink|read|read_to_string)\s*\(|\bFile::(?:create|open)\s*\(|\.(?:write_all|sync_all|sync_data|read_exact|read_to_end|read_to_string|commit|set_len|set_permissions|save|persist|upload|publish|execute|flush|create_dir_all|rollback)\s*\(|\b(?:save|persist|store|upload|publish|commit|write|charge|refund|transfer|migrate|validate|verify|authenticate|authorize|submit|sync|backup|export|import|apply)(?:_\w+)?\s*\(|\bfallible\w*\s*\(|\b(?:send|notify|process|handle|register|update|delete|deliver|dispatch|enqueue|record|append|rename|copy|load|reload|refresh|create|connect|login)_\w+\s*\(|\bset_current_dir\s*\(|\.send\s*\(\s*\)|serde_json::to_writer|\bcreate_dir(?:_all)?\s*\("
);
pattern!(
    RUST_LET,
    r"(?m)^[ \t]*(?:let\s+_(?:res|result|r|unused|ignored|ignore|err|e)?(?:\s*:\s*[^=\n]+)?|_)\s*=\s*[^=>\s]"
);
pattern!(
    RUST_OK,
    r"\.\s*(?:ok\s*\(\s*\)|unwrap_or_default\s*\(\s*\)|unwrap_or\s*\(\s*\(\s*\)\s*\)|is_err\s*\(\s*\))\s*;"
);
pattern!(RUST_DROP, r"(?m)^[ \t]*(?:std::mem::|mem::)?drop\s*\(");
pattern!(
    RUST_ALLOW,
    r"#!?\s*\[\s*allow\s*\([^)\]]*\bunused_must_use\b"
);
pattern!(
    RUST_HARMLESS,
    r"std(?:out|err)\s*\(|\bstd(?:out|err)\b|\.send\s*\(\s*[^)\s]|\.try_send\s*\(|\.join\s*\(|_signal\s*\(|logger|\.lock\s*\(|\.lock\s*\(\)|\bwriteln?!|remove_file|remove_dir|\.set\s*\(|tracing|subscriber|\.shutdown\s*\(|\.kill\s*\(|\.close\s*\(|\.insert\s*\("
);

pattern!(
    GO_PAIR,
    r"(?m)^[ \t]*(?:(?:if|for|switch)\s+)?[\w.\[\]*]+(?:\s*,\s*[\w.\[\]]+)*\s*,\s*_\s*:?=\s*([\w.]+(?:\([^()\n]*\)\.\w+)*)\s*\("
);
pattern!(
    GO_FALLIBLE,
    r"^(?:os\.(?:Open|OpenFile|Create|ReadFile|ReadDir|Stat|Lstat|CreateTemp|MkdirTemp|Getwd|UserHomeDir|Executable)|ioutil\.\w+|io\.(?:ReadAll|Copy\w*|ReadFull)|json\.Marshal(?:Indent)?|xml\.Marshal|yaml\.Marshal|proto\.Marshal|strconv\.(?:Atoi|Parse\w+|Unquote)|http\.(?:Get|Post|PostForm|Head|NewRequest\w*)|time\.(?:Parse\w*|LoadLocation)|url\.(?:Parse\w*|QueryUnescape|PathUnescape)|sql\.Open|net\.(?:Dial\w*|Listen\w*|Lookup\w+|ParseCIDR)|template\.\w+|exec\.\w+|bcrypt\.\w+|hex\.DecodeString|regexp\.Compile|filepath\.(?:Abs|Glob|Rel|EvalSymlinks)|x509\.\w+|tls\.\w+|rsa\.\w+|ecdsa\.\w+|aes\.NewCipher|cipher\.NewGCM|pem\.\w+X|uuid\.(?:Parse|NewRandom|FromString)|grpc\.\w+|jwt\.\w+|base64\.\w+\.DecodeString|big\.ParseFloat|mail\.\w+|gzip\.NewReader|zlib\.NewReader|zip\.OpenReader|csv\.\w+X|binary\.ReadUvarint)$"
);
pattern!(
    GO_VERB,
    r"(?i)(?:^|\.)(?:Read|Write|Parse|Marshal|Unmarshal|Decode|Encode|Open|Create|Save|Insert|Update|Fetch|Query|QueryContext|Exec|ExecContext|Connect|Dial|Sign|Encrypt|Decrypt|Execute|Do|Send|Upload|Download|Charge|Transfer|Validate|Verify|Authenticate|Authorize|Submit|Process|Commit|Begin|BeginTx|Prepare|LastInsertId|RowsAffected|CombinedOutput|Output)(?:[A-Z]\w*)?$"
);
pattern!(
    GO_HARMLESS,
    r"\bfmt\.F?[Pp]rint|\.(?:Close|Remove|RemoveAll|Load|Get|Lookup|Cut|Rollback|LoadOrStore|Write|WriteString|Fprint\w*|Shutdown|Unsetenv|Setenv|Kill|Sync)\s*\(|^\s*(?:w|rw|buf|b|sb|h|hash|hasher)\."
);
pattern!(
    GO_DISCARD,
    r"(?m)^[ \t]*_(?:\s*,\s*_)*\s*=\s*([\w.]+(?:\([^()\n]*\)\.\w+)*)\s*\("
);
pattern!(
    GO_DISCARDED,
    r"^(?:os\.(?:WriteFile|Rename|Mkdir|MkdirAll|Chmod|Chown|Truncate|Symlink|Link)|ioutil\.WriteFile|io\.Copy|(?:json|xml|yaml|toml|proto)\.Unmarshal)$|(?:^|\.)(?:Commit|Exec|ExecContext|Save|Update|Insert|Persist|Publish|Scan|Decode|Execute|Migrate|Validate|Verify|Authorize|Charge|Transfer|Submit|CompareHashAndPassword|(?:Save|Update|Insert|Persist|Publish|Store|Validate|Verify|Charge|Transfer|Process|Submit|Create|Apply|Upload|Write)[A-Z]\w*)$"
);
pattern!(
    GO_UNCHECKED,
    r"(?m)^[ \t]*(?:defer\s+)?((?:json|xml|yaml|toml|proto)\.Unmarshal|json\.NewDecoder\([^()\n]*(?:\([^()\n]*\))?[^()\n]*\)\.Decode|\w+\.Decode\(&|os\.(?:WriteFile|MkdirAll|Mkdir|Rename|Chmod|Chown|Truncate)|ioutil\.WriteFile|io\.Copy|binary\.(?:Read|Write)|bcrypt\.CompareHashAndPassword|\w+\.Commit|(?:db|tx|conn|s\.db|r\.db|pool|repo\.db|store\.db)\.(?:Exec|ExecContext)|\w+\.Scan\(&|(?:\w+\.)*\w*(?:[rR]epo|[sS]tore|[dD]b|DB|[dD]ao|[sS]vc|[sS]ervice|[cC]lient|[qQ]ueue|[pP]ublisher|[bB]us|[bB]ackend|[sS]torage|tx)\w*\.(?:Save|Update|Insert|Delete|Create|Publish|Store|Persist|Upload|Apply|Migrate|Exec|Charge|Transfer)\w*\(ctx\b|(?:db|s\.db|r\.db|tx)\.QueryRow\([^\n]*\)\.Scan\(&)\(?"
);
pattern!(
    GO_ERR_SET,
    r"(?m)^([ \t]*)(?:[\w.\[\]]+\s*,\s*)*err\s*:?=\s*[^=\n]"
);
pattern!(GO_DROPPED_ERR, r"(?m)^[ \t]*_[ \t]*=[ \t]*err[ \t]*$");
pattern!(ERR_WORD, r"\berr\b");

pattern!(
    JS_CALLBACK,
    r"\bfs\.(?:writeFile|appendFile|rename|mkdir|copyFile|chmod|truncate|symlink)\s*\([^;]{0,200}?,\s*(?:\(\s*\w*\s*\)\s*=>\s*\{\s*\}|\w+\s*=>\s*\{\s*\}|function\s*\w*\s*\([^()]*\)\s*\{\s*\}|noop)\s*\)"
);
pattern!(
    CSHARP_TRY,
    r"(?m)^[ \t]*((?:int|long|decimal|double|float|bool|short|byte|DateTime|DateTimeOffset|Guid|TimeSpan|Enum|Uri|IPAddress|Int32|Int64|Decimal)\.(?:TryParse|TryParseExact|TryCreate)\s*(?:<[^>\n]*>)?\s*\([^;\n]*\)\s*;)"
);
pattern!(
    JAVA_DROPPED,
    r"(?m)^[ \t]*((?:new\s+)?[\w.()]+\.(?:renameTo|tryLock)\s*\([^;\n]*\)\s*;)"
);
pattern!(
    C_DROPPED,
    r"(?m)^[ \t]*((?:\(\s*void\s*\)\s*)?(?:setuid|setgid|seteuid|setegid|setreuid|setregid|setresuid|setresgid|setgroups|chroot)\s*\([^;\n]*\)\s*;)"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    use Language::*;
    if !matches!(file.role, Role::Source | Role::Build) {
        return;
    }
    let side = &hunk.new;
    match file.language {
        Rust => rust(hunk, sink),
        Go => go(side, sink),
        JavaScript | TypeScript | Vue => plain(
            side,
            sink,
            &JS_CALLBACK,
            "The write fails (disk full, no permission) and nobody learns of it.",
        ),
        CSharp => plain(
            side,
            sink,
            &CSHARP_TRY,
            "The text is no such value; the variable silently holds its default.",
        ),
        Java | Kotlin => plain(
            side,
            sink,
            &JAVA_DROPPED,
            "The call returns false, and the code goes on as if it had worked.",
        ),
        C | Cpp => {
            let trigger = "The call fails (it does under resource limits), and the process keeps its privileges.";
            plain(side, sink, &C_DROPPED, trigger);
        }
        _ => {}
    }
}

fn report(
    side: &Side,
    sink: &mut Sink,
    range: Range<usize>,
    trigger: &str,
    severity: Severity,
    confidence: f32,
) {
    let drains = side.code[range.clone()].contains(".Discard,");
    if drains
        || side.in_test(range.start)
        || scope::gives_reason(&scope::comment_around(side, range.clone()))
    {
        return;
    }
    let mut hit = Hit::at(calls::trim(&side.code, range), trigger);
    hit.severity = Some(severity);
    hit.confidence = confidence;
    sink.hit(hit);
}

fn plain(side: &Side, sink: &mut Sink, pattern: &regex::Regex, trigger: &str) {
    for found in pattern.captures_iter(&side.code) {
        let Some(found) = found.get(1).or_else(|| found.get(0)) else {
            continue;
        };
        let before = side.code[..found.start()].trim_end();
        let is_statement =
            before.is_empty() || before.ends_with([';', '{', '}', ':']) || before.ends_with("*/");
        let is_whole = pattern.as_str() == JS_CALLBACK.as_str() || is_statement;
        if is_whole {
            report(side, sink, found.range(), trigger, Severity::Major, 0.85);
        }
    }
}

const RUST_TRIGGER: &str = "The call fails (disk full, no permission, connection lost), and the program goes on as if it had worked.";

fn rust(hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let code = &side.code;
    for found in RUST_LET.find_iter(code) {
        let start = scope::skip_space(code, found.start());
        let from = code.floor_char_boundary(found.end() - 1);
        let end = statement_end(code, from);
        let value = &code[from..end];
        let is_handled = value.contains('?')
            || value.contains("match ")
            || value.contains("if ")
            || value.trim_start().starts_with('|');
        if is_fallible(hunk, value)
            && !RUST_HARMLESS.is_match(value)
            && !is_handled
            && !is_option(value)
        {
            report(side, sink, start..end, RUST_TRIGGER, Severity::Major, 0.85);
        }
    }
    for found in RUST_OK.find_iter(code) {
        let start = statement_start(code, found.start());
        let value = &code[start..found.end()];
        let is_bound = value.contains('=') || value.contains("return") || value.contains("=>");
        if !is_bound && is_fallible(hunk, value) && !RUST_HARMLESS.is_match(value) {
            report(
                side,
                sink,
                start..found.end(),
                RUST_TRIGGER,
                Severity::Major,
                0.85,
            );
        }
    }
    for found in RUST_DROP.find_iter(code) {
        let inside = calls::inside(code, found.end() - 1);
        let value = &code[inside.clone()];
        if is_fallible(hunk, value) && !RUST_HARMLESS.is_match(value) {
            report(
                side,
                sink,
                scope::skip_space(code, found.start())..(inside.end + 1).min(code.len()),
                RUST_TRIGGER,
                Severity::Major,
                0.85,
            );
        }
    }
    for found in RUST_ALLOW.find_iter(code) {
        report(
            side,
            sink,
            found.range(),
            "Every ignored failure in its reach stays unseen from now on.",
            Severity::Minor,
            0.85,
        );
    }
}

/// True if the calls in `value` are known to fail, or the change takes their `?` away.
fn is_fallible(hunk: &HunkView<'_>, value: &str) -> bool {
    let text = value
        .trim_start_matches([' ', '='])
        .trim_end_matches([' ', ';']);
    let text = text.strip_suffix(".ok()").unwrap_or(text);
    RUST_FALLIBLE.is_match(value)
        || text.len() > 4
            && hunk.old.lines.iter().enumerate().any(|(index, line)| {
                let code = &hunk.old.code[hunk.old.line_range(index)];
                line.changed
                    && code
                        .find(text)
                        .is_some_and(|at| code[at + text.len()..].starts_with('?'))
            })
}

/// Calls by these names that give something else than a result to check.
fn is_option(value: &str) -> bool {
    value.contains(".take(")
        || value.contains(".replace(")
        || value.contains("spawn(")
        || value.contains(".is_")
}

fn statement_end(code: &str, from: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in code.as_bytes()[from..].iter().enumerate().take(2000) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b';' if depth <= 0 => return from + offset,
            _ => {}
        }
        if depth < 0 {
            return from + offset;
        }
    }
    code.floor_char_boundary((from + 2000).min(code.len()))
}

fn statement_start(code: &str, at: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in code.as_bytes()[..at].iter().enumerate().rev().take(2000) {
        match byte {
            b')' | b']' | b'}' if depth == 0 && *byte == b'}' => {
                return scope::skip_space(code, offset + 1);
            }
            b')' | b']' | b'}' => depth += 1,
            b'(' | b'[' | b'{' => depth -= 1,
            b';' if depth == 0 => return scope::skip_space(code, offset + 1),
            _ => {}
        }
        if depth < 0 {
            return scope::skip_space(code, offset + 1);
        }
    }
    0
}

fn go(side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in GO_PAIR.captures_iter(code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let inside = calls::inside(code, whole.end() - 1);
        let end = (inside.end + 1).min(code.len());
        let takes_context = code[inside].trim_start().starts_with("ctx");
        let is_method = code[end..].starts_with('.');
        let harmless = GO_HARMLESS.is_match(&code[name.start()..whole.end()])
            && !takes_context
            && !GO_FALLIBLE.is_match(name.as_str());
        if is_method || harmless {
            continue;
        }
        if GO_FALLIBLE.is_match(name.as_str()) || takes_context || GO_VERB.is_match(name.as_str()) {
            let start = scope::skip_space(code, whole.start());
            let trigger = format!(
                "`{}` fails, its error is dropped, and the empty value is used as if it were real.",
                name.as_str()
            );
            report(side, sink, start..end, &trigger, Severity::Major, 0.85);
        }
    }
    for found in GO_DISCARD.captures_iter(code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let end = (calls::inside(code, whole.end() - 1).end + 1).min(code.len());
        if GO_DISCARDED.is_match(name.as_str())
            && !GO_HARMLESS.is_match(&code[name.start()..whole.end()])
        {
            let start = scope::skip_space(code, whole.start());
            report(side, sink, start..end, GO_TRIGGER, Severity::Minor, 0.75);
        }
    }
    for found in GO_DROPPED_ERR.find_iter(code) {
        let start = scope::skip_space(code, found.start());
        report(
            side,
            sink,
            start..found.end(),
            GO_TRIGGER,
            Severity::Major,
            0.8,
        );
    }
    for found in GO_UNCHECKED.captures_iter(code) {
        let Some(name) = found.get(1) else { continue };
        let line = side.line_range(side.line_at(name.start()));
        let before = code[..name.start()].trim_end();
        if before.ends_with(['=', '(', ',', '.', '+', '|', '&']) || before.ends_with("return") {
            continue;
        }
        report(
            side,
            sink,
            name.start()..line.end,
            GO_TRIGGER,
            Severity::Major,
            0.85,
        );
    }
    overwritten(side, sink);
}

const GO_TRIGGER: &str =
    "The call fails, nothing looks at its error, and the code goes on as if it had worked.";

/// An `err` that is set and set again before anything reads it.
fn overwritten(side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in GO_ERR_SET.captures_iter(code) {
        let (Some(whole), Some(margin)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let start = scope::skip_space(code, whole.start());
        let line = side.line_at(start);
        let own = scope::code_line(side, line).trim_end();
        if own.ends_with(['{', '(', ',']) {
            continue;
        }
        for index in line + 1..side.lines.len().min(line + 40) {
            let text = scope::code_line(side, index);
            if text.trim().is_empty() {
                continue;
            }
            if scope::indent(side, index) != margin.len() || text.trim_start().starts_with('}') {
                break;
            }
            let Some(word) = ERR_WORD.find(text) else {
                // The block's value is something else: nobody will read it any more.
                let returns = text
                    .trim()
                    .strip_prefix("return ")
                    .is_some_and(|v| !v.trim().is_empty());
                if returns {
                    report(
                        side,
                        sink,
                        start..side.line_range(line).end,
                        GO_TRIGGER,
                        Severity::Major,
                        0.8,
                    );
                    break;
                }
                continue;
            };
            let sets = GO_ERR_SET
                .find(text)
                .is_some_and(|set| word.end() <= set.end());
            let reads = text[word.end()..]
                .matches("err")
                .any(|_| ERR_WORD.is_match(&text[word.end()..]));
            if sets && !reads {
                report(
                    side,
                    sink,
                    start..side.line_range(line).end,
                    GO_TRIGGER,
                    Severity::Major,
                    0.85,
                );
            }
            break;
        }
    }
}
