//! Endless loops around something that can fail.

use std::ops::Range;

use super::{BOUND, PAUSE, SERVES, report};
use crate::{
    language::Language,
    matching::{calls, pattern, scope},
    rule::Sink,
    view::Side,
};

pattern!(
    PY_LOOP,
    r"(?m)^([ \t]*)while[ \t]*\(?[ \t]*(?:True|1)[ \t]*\)?[ \t]*:|^([ \t]*)for[ \t]+\w+[ \t]+in[ \t]+(?:itertools\.)?(?:count|repeat|cycle)\([^\n]*:|^([ \t]*)while[ \t]+not[ \t]+(?:\w*(?:success|succeeded|done|ok|sent|connected|saved))[ \t]*:|^([ \t]*)while[ \t]+\w+[ \t]+is[ \t]+None[ \t]*:"
);
pattern!(
    PY_HANDLER,
    r"(?m)^([ \t]*)except\b([^\n:]*(?:\([^)]*\))?[^\n:]*):[ \t]*(\S*)"
);
// Errors that come from elsewhere and may go away.
pattern!(
    TRANSIENT,
    r"(?i)^\s*$|\b(?:Base)?Exception\b|connect|request|http|timeout|oserror|ioerror|ioexception|webexception|sqlexception|pdoexception|socket|network|client|api|operational|database|deadlock|temporar|transient|throttl|rate|service|botocore|redis|kafka|rpc|grpc|unavailable|unreachable|broker|refused|reset|remote|server|amqp|gateway|busy|urlerror|sshexception|smtp|\bError\b"
);
pattern!(
    ENDS,
    r"\b(?:return|break|raise|throw|exit|panic!?|last|fatal|Fatal\w*)\b"
);
pattern!(
    GROWS,
    r"(?i)backoff|\*\s*=\s*2|\*\s*2\b|\*\*|<<|exponential|jitter|random|min\s*\("
);
pattern!(
    BRACED_LOOP,
    r"\bwhile\s*\(\s*(?:true|1|TRUE|YES|!\s*\w*(?:success|succeeded|done|ok|sent|connected|saved)\w*)\s*\)\s*\{|\bfor\s*\(\s*;\s*;\s*\)\s*\{|\bwhile\s+true\s*\{|\bdo\s*\{|\brepeat\s*\{|\bloop\s*\{"
);
pattern!(
    HANDLER,
    r"\bcatch\b\s*(\([^()]*(?:\([^()]*\))?[^()]*\)|[^{\n]*)\s*\{"
);
// No pause and no bound: only the answer ends it.
pattern!(
    AWAITED,
    r"\bwhile\s*\(\s*!\s*\(?\s*await\s+(?:\w+\.)*(?:ping|connect|send|check|is\w+|fetch|try\w*|health\w*|login)\w*\s*\([^()]*\)\s*\)?\s*\)\s*(?:\{\s*\}|;)"
);
pattern!(GO_LOOP, r"\bfor\s*\{");
pattern!(RUST_LOOP, r"\b(?:loop|while\s+true)\s*\{");
pattern!(
    RUBY_LOOP,
    r"(?m)^([ \t]*)(?:loop[ \t]+(?:do|\{)|while[ \t]+true|until[ \t]+(?:success|done|ok|connected|sent)\w*)"
);
pattern!(
    SHELL_LOOP,
    r"(?m)^[ \t]*(?:until\b|while\s+!|while\s+(?:true|:)\b)[^\n]*"
);
// Commands that do something, where a loop that only waits for something is harmless.
pattern!(
    SHELL_TRIES,
    r"\b(?:curl|wget|nc|ping|connect|pg_isready|mysqladmin|push|publish|deploy|migrate|upload|apply|install|upgrade|scp|rsync|rollout restart|sync|import|restore|notarize|sign)\b|-X\s*(?:POST|PUT|DELETE)|--data\b|-d\s"
);
// Requests whose answer decides whether the loop ends.
pattern!(
    ASKS,
    r"(?i)\b(?:requests|httpx|session|client|axios|http\w*|self\.(?:session|client))\.(?:get|post|put|patch|delete|request|send)\s*\(|\bfetch\s*\(|\burlopen\s*\(|\baxios\s*\("
);
pattern!(
    ANSWERED,
    r"\bstatus(?:_?[cC]ode)?\b\s*(?:===?|<|>=)|\.ok\b|\bis_success\b|\bsucceeded\b|\bsuccess\b"
);
pattern!(GO_ERR_LOOP, r"\bfor\s+(?:\w+\.)?err\s*!=\s*nil\s*\{");
pattern!(
    RUST_ERR_LOOP,
    r"\bwhile\s+let\s+Err\([^)\n]*\)\s*=[^{;\n]*\b(?:connect|send|post|publish|upload|fetch|request|dial|call|write_all|save|execute|join|login|bind|register|ping|open)\w*\s*\([^{;]*\{"
);
pattern!(
    C_WHILE,
    r"\bwhile\s*\(\s*!?\s*\(?\s*(?:\w+\s*=\s*)?(?:connect|send|sendto|curl_easy_perform|PQconnectdb|mysql_real_connect|mqtt_connect|upload\w*|login\w*)\s*\([^;{}]*\)\s*\)?\s*(?:[<!=>]=?\s*[-\w]+)?\s*\)\s*[{;]"
);
pattern!(GOTO, r"\bgoto\s+(\w*(?i:retry|again|redo|restart)\w*)\s*;?");
pattern!(GO_FAILS, r"\berr\b|[eE]rr\s*[!=]=\s*nil");
pattern!(
    C_FAILS,
    r"\b(?:connect|send|sendto|curl_easy_perform|request|upload|fetch|login|PQconnectdb|mysql_real_connect|mqtt_connect)\w*\s*\([^;{}]*\)\s*(?:==|!=|<|>=)"
);

pub(super) fn python(side: &Side, sink: &mut Sink) {
    for found in PY_LOOP.find_iter(&side.code) {
        let at = scope::skip_space(&side.code, found.start());
        let header = side.line_at(at);
        let (lines, _) = scope::indented(side, header);
        if lines.is_empty() {
            continue;
        }
        let body = side.lines[lines.start].start..side.line_range(lines.end - 1).end;
        let code = &side.code[body.clone()];
        let Some(handlers) = python_handlers(side, lines.clone()) else {
            if asks_again(code) {
                report(side, sink, at..body.end, 0.75);
            }
            continue;
        };
        let is_flag = found.as_str().contains("not") || found.as_str().contains("is None");
        if is_retry(code, &handlers, is_flag) {
            report(side, sink, at..body.end, 0.85);
        }
    }
}

/// True if the loop repeats a request until its answer is good, pausing in between or not.
fn asks_again(body: &str) -> bool {
    body.lines().count() <= 12
        && ASKS.is_match(body)
        && ANSWERED.is_match(body)
        && (body.contains("return") || body.contains("break"))
        && PAUSE.is_match(body)
        && !body.contains("raise")
        && !body.contains("throw")
        && !body.contains("else")
        && !BOUND.is_match(body)
        && !SERVES.is_match(body)
        && !GROWS.is_match(body)
}

/// The bodies of the handlers of transient errors; `None` if there are none, or others.
fn python_handlers(side: &Side, lines: Range<usize>) -> Option<Vec<String>> {
    let mut bodies = Vec::new();
    for index in lines {
        let line = scope::code_line(side, index);
        let Some(found) = PY_HANDLER.captures(line) else {
            continue;
        };
        if !TRANSIENT.is_match(&found[2]) || SERVES.is_match(&found[2]) {
            continue;
        }
        let mut body = found[3].to_owned();
        let (inner, _) = scope::indented(side, index);
        for inner in inner {
            body.push_str(scope::code_line(side, inner));
            body.push('\n');
        }
        bodies.push(body);
    }
    (!bodies.is_empty()).then_some(bodies)
}

/// True if the loop tries until it succeeds, without bound and without a growing pause.
fn is_retry(body: &str, handlers: &[String], is_flag: bool) -> bool {
    let goes_round = handlers.iter().any(|h| !ENDS.is_match(h));
    let rest = handlers
        .iter()
        .fold(body.to_owned(), |rest, h| rest.replace(h.trim(), ""));
    let succeeds = is_flag || rest.contains("return") || rest.contains("break");
    let is_bound = BOUND.is_match(body) || (GROWS.is_match(body) && PAUSE.is_match(body));
    goes_round && succeeds && !is_bound && !SERVES.is_match(body)
}

pub(super) fn braced(language: Language, side: &Side, sink: &mut Sink) {
    while_failing(language, side, sink);
    let code = &side.code;
    for found in AWAITED.find_iter(code) {
        report(side, sink, found.range(), 0.8);
    }
    for found in BRACED_LOOP.find_iter(code) {
        let open = found.end() - 1;
        let Some(close) = scope::close(code, open) else {
            continue;
        };
        let text = found.as_str();
        let is_do = text.starts_with("do") || text.starts_with("repeat");
        if is_do {
            let tail = code[close + 1..].trim_start();
            let is_endless = [
                "while (true)",
                "while(true)",
                "while (1)",
                "while(1)",
                "while true",
                "while (!",
            ]
            .iter()
            .any(|w| tail.starts_with(w));
            if !is_endless {
                continue;
            }
        }
        let body = &code[open + 1..close];
        let mut handlers = Vec::new();
        for handler in HANDLER.captures_iter(body) {
            let Some(whole) = handler.get(0) else {
                continue;
            };
            let types = &handler[1];
            let is_typed = !matches!(
                language,
                Language::JavaScript
                    | Language::TypeScript
                    | Language::Vue
                    | Language::Dart
                    | Language::Swift
            );
            if is_typed
                && (!TRANSIENT.is_match(types)
                    && !types.contains("...")
                    && !types.contains("Throwable")
                    || SERVES.is_match(types))
            {
                continue;
            }
            handlers.push(body[calls::inside(body, whole.end() - 1)].to_owned());
        }
        let is_flag = text.contains('!') || is_do;
        if !handlers.is_empty() && is_retry(body, &handlers, is_flag) {
            report(side, sink, found.start()..close + 1, 0.85);
            continue;
        }
        if handlers.is_empty() && !is_flag && asks_again(body) {
            report(side, sink, found.start()..close + 1, 0.75);
            continue;
        }
        let tries = language == Language::Swift && body.contains("try?") && ENDS.is_match(body);
        if tries && !BOUND.is_match(body) && !SERVES.is_match(body) && !GROWS.is_match(body) {
            report(side, sink, found.start()..close + 1, 0.8);
            continue;
        }
        let is_plain_c = matches!(language, Language::C | Language::Cpp | Language::ObjectiveC)
            && handlers.is_empty();
        if is_plain_c
            && C_FAILS.is_match(body)
            && body.lines().count() < 12
            && !BOUND.is_match(body)
            && !SERVES.is_match(body)
            && ENDS.is_match(body)
        {
            report(side, sink, found.start()..close + 1, 0.75);
        }
    }
}

/// Loops whose condition is the failure itself.
pub(super) fn while_failing(language: Language, side: &Side, sink: &mut Sink) {
    let pattern = match language {
        Language::Go => &GO_ERR_LOOP,
        Language::Rust => &RUST_ERR_LOOP,
        Language::C | Language::Cpp | Language::ObjectiveC => &C_WHILE,
        _ => return,
    };
    let code = &side.code;
    for found in pattern.find_iter(code) {
        let end = if found.as_str().ends_with('{') {
            let Some(close) = scope::close(code, found.end() - 1) else {
                continue;
            };
            close + 1
        } else {
            found.end()
        };
        let body = &code[found.end()..end.max(found.end())];
        let waits = language != Language::Go || PAUSE.is_match(body);
        if waits
            && !ENDS.is_match(body)
            && !BOUND.is_match(body)
            && !GROWS.is_match(body)
            && !SERVES.is_match(&code[found.range()])
            && !body.contains("++")
            && !body.contains("+= 1")
            && !body.contains('?')
        {
            report(side, sink, found.start()..end, 0.75);
        }
    }
}

pub(super) fn go(side: &Side, sink: &mut Sink) {
    while_failing(Language::Go, side, sink);
    let code = &side.code;
    for found in GO_LOOP.find_iter(code) {
        let open = found.end() - 1;
        let Some(close) = scope::close(code, open) else {
            continue;
        };
        let body = &code[open + 1..close];
        let is_short = body.lines().count() <= 16;
        let succeeds = body.contains("return") || body.contains("break");
        let gives_up = body.contains("return err")
            || body.contains(", err\n")
            || body.contains("Fatal")
            || body.contains("panic(");
        let is_bound = BOUND.is_match(body) || (PAUSE.is_match(body) && GROWS.is_match(body));
        if is_short
            && GO_FAILS.is_match(body)
            && succeeds
            && !gives_up
            && !is_bound
            && !SERVES.is_match(body)
        {
            let tests_error = body.contains("err == nil")
                || (body.contains("err != nil") && body.contains("continue"));
            if tests_error {
                report(side, sink, found.start()..close + 1, 0.85);
            }
        }
    }
}

pub(super) fn rust(side: &Side, sink: &mut Sink) {
    while_failing(Language::Rust, side, sink);
    let code = &side.code;
    for found in RUST_LOOP.find_iter(code) {
        let open = found.end() - 1;
        let Some(close) = scope::close(code, open) else {
            continue;
        };
        let body = &code[open + 1..close];
        let is_short = body.lines().count() <= 16;
        let on_ok = body.contains("Ok(") && (body.contains("return") || body.contains("break"));
        let fails = body.contains("Err(") && body.contains("=>");
        let if_let = body.contains("if let Ok(") && !body.contains("else");
        let handler_ends = body.find("Err(").is_some_and(|at| {
            let arm = &body[at..];
            let arm = arm.find("=>").map_or("", |at| arm[at + 2..].trim_start());
            let arm = if arm.starts_with('{') {
                &arm[calls::inside(arm, 0)]
            } else {
                arm.split([',', '\n']).next().unwrap_or("")
            };
            ENDS.is_match(arm)
        });
        let is_bound = BOUND.is_match(body) || (PAUSE.is_match(body) && GROWS.is_match(body));
        if is_short
            && on_ok
            && (fails || if_let)
            && !handler_ends
            && !body.contains('?')
            && !is_bound
            && !SERVES.is_match(body)
        {
            report(side, sink, found.start()..close + 1, 0.8);
        }
    }
}

pub(super) fn ruby(side: &Side, sink: &mut Sink) {
    for found in RUBY_LOOP.find_iter(&side.code) {
        let at = scope::skip_space(&side.code, found.start());
        let header = side.line_at(at);
        let (lines, _) = scope::indented(side, header);
        if lines.is_empty() {
            continue;
        }
        let body = side.lines[lines.start].start..side.line_range(lines.end - 1).end;
        let code = &side.code[body.clone()];
        let Some(rescue) = code.find("rescue") else {
            continue;
        };
        let handler = &code[rescue..];
        let handler = &handler[handler.find('\n').unwrap_or(handler.len())..];
        let handler = &handler[..handler.find("end").unwrap_or(handler.len())];
        if is_retry(code, &[handler.to_owned()], false) {
            report(side, sink, at..body.end, 0.85);
        }
    }
}

pub(super) fn shell(side: &Side, sink: &mut Sink) {
    for found in SHELL_LOOP.find_iter(&side.code) {
        let at = scope::skip_space(&side.code, found.start());
        let rest = &side.code[at..side
            .code
            .floor_char_boundary((at + 600).min(side.code.len()))];
        let Some(end) = rest.match_indices("done").find(|(i, m)| {
            !rest[..*i].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                && !rest[i + m.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
        }) else {
            continue;
        };
        let whole = &rest[..end.0 + 4];
        let is_plain = rest.starts_with("while true") || rest.starts_with("while :");
        let tries = if is_plain {
            whole.contains("&& break")
                || whole.contains("&& exit 0")
                || (whole.contains("if ") && whole.contains("break"))
        } else {
            true
        };
        let serves = whole.contains("read ")
            || whole.contains("getopts")
            || whole.contains("shift")
            || whole.contains("[ ")
            || whole.contains("[[")
            || whole.contains("((")
            || whole.contains("test ");
        if tries
            && !serves
            && (!is_plain || !PAUSE.is_match(whole) || SHELL_TRIES.is_match(whole))
            && !BOUND.is_match(whole)
        {
            report(side, sink, at..at + whole.len(), 0.8);
        }
    }
}

/// A jump back to a label that says so.
pub(super) fn jumps(language: Language, side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in GOTO.captures_iter(code) {
        let (Some(whole), Some(label)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let from = code.floor_char_boundary(whole.start().saturating_sub(2048));
        let Some(at) = code[from..whole.start()].rfind(&format!("{}:", label.as_str())) else {
            continue;
        };
        let start = from + at;
        let body = &code[start..whole.start()];
        let is_c = matches!(language, Language::C | Language::Cpp | Language::ObjectiveC);
        if (!is_c || C_FAILS.is_match(body))
            && !BOUND.is_match(body)
            && !SERVES.is_match(body)
            && !GROWS.is_match(body)
        {
            report(side, sink, start..whole.end(), 0.8);
        }
    }
}
