//! Handlers in braces, and the ones that promises take.

use super::{EVERY, is_cleanup, report};
use crate::{
    finding::Severity,
    language::Language,
    matching::{calls, pattern, scope},
    rule::Sink,
    view::{FileView, Side},
};

pattern!(CATCH, r"(?i)\bcatch\b");
pattern!(ON, r"\bon\s+([A-Z]\w*)\s*\{");
pattern!(CONTINUE, r"^\s*(?:continue|next)\s*;?\s*$");
pattern!(NOTHING, r"(?i)^\s*return(?:\s+null)?\s*;\s*$");
pattern!(FINALLY, r"\bfinally\s*\{\s*return\b[^\n;]*");
pattern!(
    EXCEPTIONALLY,
    r"\.\s*exceptionally\s*\(\s*\(?\s*\w+\s*\)?\s*->\s*(?:null|\{\s*(?:return\s+null\s*;\s*)?\})\s*\)"
);
pattern!(IDLE, r"^[\s;]*(?:Unit[\s;]*)?$");
pattern!(OPTIONAL_IMPORT, r"\b(?:require|import)\s*\(");
pattern!(
    NOOP_CATCH,
    r"\.\s*catch(?:Error)?\s*\(\s*(?:(?:async\s*)?(?:\(\s*[\w$]*\s*(?::\s*\w+)?\s*(?:,\s*[\w$]+\s*)?\)|[\w$]+)\s*(?:=>\s*)?(?:\{\s*(?:return(?:\s+null|\s+undefined)?\s*;?)?\s*\}|undefined\b|void\s+0|null\b|\(\s*\))|(?:async\s+)?function\s*\w*\s*\([^()]*\)\s*\{\s*\}|(?:_\.|\$\.|angular\.|lodash\.)?noop\b|Function\.prototype)\s*,?\s*\)"
);
pattern!(
    NOOP_SECOND,
    r"\.\s*then\s*\([^;{}]{0,80},\s*(?:\(\s*\w*\s*\)|\w+)\s*=>\s*\{\s*\}\s*\)"
);
pattern!(
    NOOP_EVENT,
    r#"\.\s*on\s*\(\s*["'`](?:error|uncaughtException|unhandledRejection)["'`]\s*,\s*(?:(?:async\s*)?(?:\(\s*\w*\s*\)|\w+)\s*=>\s*\{\s*\}|function\s*\w*\s*\([^()]*\)\s*\{\s*\})\s*,?\s*\)"#
);

/// How much of the errors a handler takes.
#[derive(PartialEq, Eq)]
enum Reach {
    Every,
    Broad,
    Narrow,
}

pub(super) fn handlers(file: &FileView<'_>, side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in CATCH.find_iter(code) {
        let at = found.start();
        let before = code[..at].trim_end();
        if before.ends_with(['.', '>', '$', ':']) && !before.ends_with("@") {
            continue;
        }
        let is_worded = matches!(file.language, Language::Swift | Language::PowerShell);
        if !is_worded && !code[scope::skip_space(code, found.end())..].starts_with(['(', '{']) {
            continue;
        }
        let Some((header, open)) = header(code, found.end()) else {
            continue;
        };
        let Some(close) = scope::close(code, open) else {
            continue;
        };
        if code[found.end()..open].contains("when") && file.language == Language::CSharp {
            continue;
        }
        let narrowed = file.language == Language::Dart
            && calls::word_before(code, at) != "}"
            && dart_type(code, at);
        let reach = if narrowed {
            Reach::Narrow
        } else {
            reach(file.language, header)
        };
        if reach == Reach::Narrow {
            continue;
        }
        let body = &code[open + 1..close];
        let is_typed = matches!(
            file.language,
            Language::Java | Language::CSharp | Language::Php
        );
        let goes_on = CONTINUE.is_match(body) || is_typed && NOTHING.is_match(body);
        if !goes_on && !IDLE.is_match(body) {
            continue;
        }
        if tried(code, at).is_some_and(|body| is_cleanup(body) || is_optional_import(body)) {
            continue;
        }
        let range = at..close + 1;
        if goes_on {
            if reach == Reach::Every {
                report(
                    side,
                    sink,
                    range,
                    "Every error is dropped and the work goes on",
                    Severity::Minor,
                    0.7,
                );
            }
        } else if reach == Reach::Every {
            report(side, sink, range, EVERY, Severity::Major, 0.95);
        } else {
            report(side, sink, range, super::RULE.title, Severity::Major, 0.75);
        }
    }
    for found in EXCEPTIONALLY.find_iter(code) {
        report(side, sink, found.range(), EVERY, Severity::Minor, 0.75);
    }
    for found in FINALLY.find_iter(code) {
        report(
            side,
            sink,
            found.range(),
            "`return` in `finally` swallows every error",
            Severity::Major,
            0.9,
        );
    }
    if file.language == Language::Dart {
        for found in ON.captures_iter(code) {
            let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let Some(close) = scope::close(code, whole.end() - 1) else {
                continue;
            };
            if matches!(name.as_str(), "Exception" | "Error" | "Object")
                && IDLE.is_match(&code[whole.end()..close])
            {
                report(
                    side,
                    sink,
                    whole.start()..close + 1,
                    EVERY,
                    Severity::Major,
                    0.9,
                );
            }
        }
    }
}

/// True if `on Type` other than a catch-all stands before `catch`.
fn dart_type(code: &str, at: usize) -> bool {
    let mut words = code[..at].split_whitespace().rev();
    let name = words.next().unwrap_or("");
    words.next() == Some("on") && !matches!(name, "Exception" | "Error" | "Object")
}

/// What stands between `catch` and its block, and where the block opens.
fn header(code: &str, from: usize) -> Option<(&str, usize)> {
    let start = scope::skip_space(code, from);
    let mut at = start;
    if code[at..].starts_with('(') {
        at = scope::close(code, at)? + 1;
    }
    let open = at
        + code[at..]
            .bytes()
            .take(120)
            .position(|b| matches!(b, b'{' | b';' | b'}'))?;
    code[open..]
        .starts_with('{')
        .then(|| (code[start..open].trim(), open))
}

fn reach(language: Language, header: &str) -> Reach {
    use Language::*;
    let header = header.trim_start_matches('(').trim_end_matches(')').trim();
    let mut types = header
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|w| !w.is_empty());
    match language {
        JavaScript | TypeScript | Vue | Scala | Perl => Reach::Every,
        Swift => match header {
            "" => Reach::Every,
            h if h.starts_with("let ") && !h.contains(" as ") && !h.contains('.') => Reach::Every,
            _ => Reach::Narrow,
        },
        Dart => Reach::Every,
        PowerShell => {
            if header.is_empty() || header.contains("System.Exception]") {
                Reach::Every
            } else {
                Reach::Narrow
            }
        }
        _ if header.is_empty() || header.contains("...") => Reach::Every,
        _ => {
            let is_every = types.clone().any(|t| {
                matches!(
                    t,
                    "Exception"
                        | "Throwable"
                        | "RuntimeException"
                        | "Error"
                        | "exception"
                        | "NSException"
                        | "SystemException"
                )
            });
            if is_every {
                return Reach::Every;
            }
            let is_named_ignored = header.ends_with("ignored")
                || header.ends_with("ignore")
                || header.ends_with("expected")
                || header.ends_with("unused")
                || header.ends_with('_')
                || header.starts_with("_:");
            let is_broad = types.any(|t| {
                matches!(
                    t,
                    "IOException"
                        | "SQLException"
                        | "RemoteException"
                        | "GeneralSecurityException"
                        | "HttpRequestException"
                        | "DbException"
                        | "SqlException"
                        | "PDOException"
                        | "WebException"
                        | "ExecutionException"
                        | "DataAccessException"
                        | "ServletException"
                        | "JMSException"
                        | "MessagingException"
                        | "runtime_error"
                        | "system_error"
                        | "RequestException"
                        | "QueryException"
                        | "AggregateException"
                )
            });
            if is_broad && !is_named_ignored {
                Reach::Broad
            } else {
                Reach::Narrow
            }
        }
    }
}

/// What the `try` block before the handler at `at` holds.
fn tried(code: &str, at: usize) -> Option<&str> {
    let before = code[..at].trim_end().trim_end_matches('@').trim_end();
    let end = before.strip_suffix('}')?.len();
    let mut depth = 1_u32;
    let open = code.as_bytes()[..end]
        .iter()
        .enumerate()
        .rev()
        .take(4096)
        .find_map(|(at, byte)| {
            match byte {
                b'}' => depth += 1,
                b'{' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(at)
        })?;
    Some(&code[open + 1..end])
}

fn is_optional_import(body: &str) -> bool {
    body.matches(';').count() <= 1
        && OPTIONAL_IMPORT.is_match(body)
        && body.trim().lines().count() == 1
}

pub(super) fn promises(side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in NOOP_CATCH.find_iter(code) {
        let before = code[..found.start()].trim_end();
        // A bare promise is often silenced at one place and awaited at another.
        if !before.ends_with(')') || receiver_tidies(before) {
            continue;
        }
        let is_value = found.as_str().contains("null");
        let line = &code[side.line_range(side.line_at(found.start()))];
        if is_value && line.contains("= await ") {
            // What stands for the failure is looked at by what follows.
            continue;
        }
        let severity = if is_value {
            Severity::Minor
        } else {
            Severity::Major
        };
        report(
            side,
            sink,
            found.range(),
            EVERY,
            severity,
            if is_value { 0.7 } else { 0.9 },
        );
    }
    for found in NOOP_SECOND.find_iter(code) {
        report(side, sink, found.range(), EVERY, Severity::Major, 0.8);
    }
    for found in NOOP_EVENT.find_iter(&side.live) {
        if code.as_bytes()[found.start()] == b'.'
            && !receiver_tidies(code[..found.start()].trim_end())
        {
            report(side, sink, found.range(), EVERY, Severity::Major, 0.8);
        }
    }
}

/// True if the call that ends the text is one of tidying up.
fn receiver_tidies(before: &str) -> bool {
    let mut depth = 0_u32;
    let open = before.bytes().enumerate().rev().find_map(|(at, byte)| {
        match byte {
            b')' => depth += 1,
            b'(' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at)
    });
    open.is_some_and(|open| {
        let name = calls::last_word(before[..before.floor_char_boundary(open)].trim_end());
        is_cleanup(&format!("{name}()"))
            || matches!(
                name,
                "unsubscribe" | "return" | "play" | "requestFullscreen" | "vibrate"
            )
    })
}
