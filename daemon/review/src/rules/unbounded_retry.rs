//! Loops that try again for ever.

mod loops;

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
    id: "unbounded-retry",
    severity: Severity::Major,
    title: "Retries without end",
    reason: "While the other side is down the caller hangs, and every caller together keeps it down.",
    explain: "Finds endless loops whose failure branch only goes round again, with no bound and no growing pause; \
        Ruby's `retry` and functions that call themselves on failure without a counter; `@retry` without `stop`, \
        `backoff` without a limit, `retries: Infinity`, `RetryForever()` and their like.\n\n\
        Leaves alone: loops with a counter, a deadline or a growing pause, loops that serve (queues, sockets, input), \
        atomics and interrupted system calls.\n\n\
        What to do: bound the attempts and the time, pause longer each time, and give up with an error.",
    languages: &[],
    triggers: &[
        "while",
        "for err",
        "loop",
        "for (;;",
        "for(;;",
        "for {",
        "until",
        "retry",
        "retries",
        "retriable",
        "infinity",
        "forever",
        "attempts",
        "catch",
        "except",
        "rescue",
        "on_exception",
        "continue",
        "goto",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

/// How far above a handler its function is looked for.
const REACH_BYTES: usize = 4 * 1024;

const TRIGGER: &str = "The service behind it stays down: the loop never ends, holds its thread or task, and hammers the service.";

// Words of a bound: a counter, a deadline, a pause that grows.
pattern!(
    BOUND,
    r"(?i)attempt|\btries\b|tries_|_tries|retry_?count|retr(?:y|ies)(?:_?(?:left|remaining|number|limit|max|budget|no))|\bretries\b|max_?retr|\bcount(?:er)?\b|deadline|(?:^|[^=])[<>]=?\s*\w*timeout|timeout\w*\s*[<>]|time::timeout|asyncio\.timeout|with_?timeout|timeout_at|time_?limit|elapsed|\bctx\.(?:done|err)|\.done\s*\(|cancel|backoff|back_off|exponential|delay\s*\*|delay\s*=|\*=\s*2|<<=|shutdown|stop|is_?running|\bremaining\b|budget|expir|give_?up|interrupt"
);
pattern!(
    PAUSE,
    r"(?i)sleep|\bwait\b|\bwait\s*\(|settimeout|delay\s*\(|time\.after|\bticker?\b|\bafter\s*\(|\busleep|thread\.sleep|park|yield_now|timer|debounce|throttle"
);
// Loops that wait for the next thing, not for a repair.
pattern!(
    SERVES,
    r"(?i)\b\w*(?:queue|jobs?|inbox|mailbox|tasks?|q)\.get\w*\s*\(|\.(?:recv|receive|accept|next|poll|read|readline|take|(?:try_)?(?:pop|push)\w*|popleft|dequeue|listen|consume|lpop|brpop|blpop|fetchone|scan|iter|lines|read_line|try_recv|select|advance|peek|(?:get_|next_)?token(?:ize)?|lex)\s*\(|\binput\s*\(|\braw_input|prompt|readline|\bselect\s*\{|<-\s*\w|\baccept\s*\(|\brecv\w*\s*\(|\bread\s*\(|getline|fgets|scanf|compare_exchange|compareAndSet|CompareAndSwap|EINTR|Interrupted|WouldBlock|EAGAIN|readMessage|ReadMessage|nextToken|StopIteration|Empty\b"
);
pattern!(
    ENDLESS_LIBRARY,
    r"(?i)\b(?:max_?retries|maxretrycount|retries|retry_?limit|max_?attempts|num_?of_?attempts|retry_?count|max_?tries|maxRetriesPerRequest|retry_?attempts)\b[\x22']?\s*[:=]\s*(?:(?:number\.)?(?:positive_)?infinity\b|float\(\s*['\x22]inf|math\.inf\b|-1\b|(?:integer|int|long)\.(?:max_value|maxvalue)\b|math\.maxint(?:32|64)?\b|sys\.maxsize\b|u(?:32|64|size)::max\b|number\.max_(?:safe_integer|value)\b)|\bforever\s*:\s*true\b|\.retryforever\w*\s*\(|\bstop\s*=\s*(?:tenacity\.)?stop_never\b|\bretry\.attempts\s*\(\s*0\s*\)|\bmaxattempts\s*\(\s*(?:integer\.max_value|int\.max_value)\s*\)|\bretry(?:template)?\b.{0,40}\.infinite\w*\s*\(|\bRetry\s*\(\s*total\s*=\s*None"
);
pattern!(TENACITY, r"(?m)^[ \t]*@(?:tenacity\.)?retry\b[ \t]*(\(?)");
pattern!(
    BACKOFF,
    r"(?m)^[ \t]*@backoff\.on_(?:exception|predicate)\s*(\()"
);
pattern!(RX_RETRY, r"[.(,]\s*retry\s*\(\s*\)");
pattern!(
    RX,
    r"\.pipe\s*\(|\bObservable\b|\bFlux\b|\bMono\b|rxjs|\bFlowable\b|\bSingle<|reactor\.|from\s+.rxjs"
);
pattern!(RUBY_RETRY, r"(?m)^[ \t]*retry[ \t]*$|;[ \t]*retry\b");

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    use Language::*;
    if !matches!(file.role, Role::Source | Role::Build) {
        return;
    }
    let side = &hunk.new;
    libraries(file, hunk, sink);
    match file.language {
        Python => {
            loops::python(side, sink);
            recursion_python(hunk, sink);
        }
        Ruby => {
            ruby_retry(side, sink);
            loops::ruby(side, sink);
        }
        JavaScript | TypeScript | Vue | Java | Kotlin | CSharp | Php | Dart | Scala | Swift
        | Cpp | C | ObjectiveC => {
            loops::braced(file.language, side, sink);
            loops::jumps(file.language, side, sink);
            recursion_braced(hunk, sink);
        }
        Go => {
            loops::go(side, sink);
            loops::jumps(file.language, side, sink);
        }
        Rust => loops::rust(side, sink),
        Shell => loops::shell(side, sink),
        _ => {}
    }
}

fn report(side: &Side, sink: &mut Sink, range: Range<usize>, confidence: f32) {
    if side.in_test(range.start)
        || !side.touches_change(&range)
        || scope::gives_reason(&scope::comment_around(
            side,
            first_line(side, range.clone()),
        ))
    {
        return;
    }
    let mut hit = Hit::lines(range, TRIGGER);
    hit.confidence = confidence;
    sink.hit(hit);
}

fn first_line(side: &Side, range: Range<usize>) -> Range<usize> {
    range.start
        ..side
            .line_range(side.line_at(range.start))
            .end
            .max(range.start)
}

fn libraries(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let may_name = ["etr", "ETR", "ttempt", "orever", "ries", "tries"]
        .iter()
        .any(|w| side.live.contains(w));
    for found in ENDLESS_LIBRARY.find_iter(if may_name { &side.live } else { "" }) {
        if side.code.as_bytes()[found.start()] != b' ' && !side.in_test(found.start()) {
            point(side, sink, found.range());
        }
    }
    match file.language {
        Language::Python => {
            let knows_tenacity = file.hunks.iter().any(|h| {
                h.new.live.contains("tenacity")
                    || h.new.live.contains("wait_")
                    || h.new.live.contains("from retrying")
            });
            for found in TENACITY.captures_iter(&side.code) {
                let (Some(whole), Some(open)) = (found.get(0), found.get(1)) else {
                    continue;
                };
                let text = if open.as_str().is_empty() {
                    ""
                } else {
                    &side.code[calls::inside(&side.code, open.start())]
                };
                let is_bare = text.trim().is_empty();
                let is_open = !text.contains("stop")
                    && !text.contains("tries")
                    && !text.contains("max_")
                    && !text.contains("times")
                    && !text.contains("attempts")
                    && !text.contains("retries")
                    && !text.contains("**");
                let is_tenacity = knows_tenacity
                    && (is_bare
                        || text.contains("wait")
                        || text.contains("retry")
                        || text.contains("reraise"));
                if is_tenacity && is_open {
                    point(
                        side,
                        sink,
                        calls::trim(&side.code, whole.start()..whole.end() - open.len()),
                    );
                }
            }
            for found in BACKOFF.captures_iter(&side.code) {
                let (Some(whole), Some(open)) = (found.get(0), found.get(1)) else {
                    continue;
                };
                let text = &side.code[calls::inside(&side.code, open.start())];
                if !text.contains("max_tries")
                    && !text.contains("max_time")
                    && !text.contains("giveup")
                    && !text.contains("**")
                {
                    point(
                        side,
                        sink,
                        calls::trim(&side.code, whole.start()..open.start()),
                    );
                }
            }
        }
        Language::JavaScript
        | Language::TypeScript
        | Language::Java
        | Language::Kotlin
        | Language::Scala => {
            let is_rx = file.hunks.iter().any(|h| RX.is_match(&h.new.live));
            for found in RX_RETRY.find_iter(&side.code).filter(|_| is_rx) {
                let at = found.start() + found.as_str().find("retry").unwrap_or(0);
                point(side, sink, at..found.end());
            }
        }
        _ => {}
    }
}

fn point(side: &Side, sink: &mut Sink, range: Range<usize>) {
    if side.in_test(range.start) || scope::gives_reason(&scope::comment_around(side, range.clone()))
    {
        return;
    }
    sink.hit(Hit::at(range, TRIGGER));
}

fn ruby_retry(side: &Side, sink: &mut Sink) {
    for found in RUBY_RETRY.find_iter(&side.code) {
        let at = found.start() + found.as_str().find("retry").unwrap_or(0);
        let line = side.line_at(at);
        let depth = scope::indent(side, line);
        // From the `begin` or `def` around the handler to the `retry`.
        let rescue = (0..=line).rev().find(|i| {
            let text = scope::code_line(side, *i).trim_start();
            text.starts_with("rescue") && (scope::indent(side, *i) < depth || *i == line)
        });
        let Some(rescue) = rescue else { continue };
        let start = rescue.saturating_sub(15);
        let text = &side.code[side.lines[start].start..side.line_range(line).end];
        let handler = &side.code[side.lines[rescue].start..side.line_range(line).end];
        let is_guarded = scope::code_line(side, line).contains(" if ")
            || scope::code_line(side, line).contains(" unless ")
            || (rescue + 1..line).any(|i| {
                let text = scope::code_line(side, i).trim_start();
                text.starts_with("if ")
                    || text.starts_with("unless ")
                    || text.starts_with("raise ")
                    || text.starts_with("case ")
            });
        if !is_guarded && !BOUND.is_match(text) && !handler.contains("+=") {
            report(
                side,
                sink,
                side.lines[rescue].start + scope::indent(side, rescue)..side.line_range(line).end,
                0.9,
            );
        }
    }
}

pattern!(
    PY_DEF,
    r"(?m)^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)[ \t]*\(([^\n]*)"
);
pattern!(
    BRACED_DEF,
    r"(?:\bfunction\s*\*?\s*(\w+)|\b(?:const|let|var)\s+(\w+)\s*=\s*(?:async\s*)?(?:\([^()\n]*\)|\w+)\s*=>|\b(?:fun|func)\s+(\w+)|(?m:^)[ \t]*(?:(?:public|private|protected|internal|static|final|async|override|virtual)\s+)*(?:[\w<>\[\],.?]+\s+)?(\w+)\s*\([^;{}\n]*\)\s*(?:throws\s+[\w,\s]+)?(?::\s*[\w<>\[\]|\s]+)?\s*\{)"
);
pattern!(PY_EXCEPT, r"(?m)^([ \t]*)except\b[^\n]*:");
pattern!(CATCH_BLOCK, r"\bcatch\b\s*(?:\([^()]*\))?\s*\{");
pattern!(
    CATCH_ARROW,
    r"\.\s*catch\s*\(\s*(?:async\s*)?(?:\([^()]*\)|\w+)\s*=>\s*"
);
const KEYWORDS: [&str; 12] = [
    "if", "for", "while", "switch", "catch", "return", "await", "new", "else", "try", "with", "do",
];

fn recursion_python(hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for found in PY_EXCEPT.captures_iter(&side.code) {
        let Some(whole) = found.get(0) else { continue };
        let header = side.line_at(scope::skip_space(&side.code, whole.start()));
        let (lines, _) = scope::indented(side, header);
        if lines.is_empty() {
            continue;
        }
        let depth = scope::indent(side, header);
        let outer = PY_DEF
            .captures_iter(
                &side.code[side
                    .code
                    .floor_char_boundary(whole.start().saturating_sub(REACH_BYTES))
                    ..whole.start()],
            )
            .filter(|d| d[1].len() < depth)
            .filter(|d| encloses(&d[1], &d[3], side, header))
            .last();
        let Some(outer) = outer else { continue };
        let name = outer[2].to_owned();
        let body = side.lines[lines.start].start..side.line_range(lines.end - 1).end;
        let is_call = calls_itself(&side.code[body.clone()], &name);
        let arguments = &outer[3];
        if is_call
            && !BOUND.is_match(&side.code[body.clone()])
            && !BOUND.is_match(arguments)
            && !arguments.contains("retr")
        {
            report(
                side,
                sink,
                scope::skip_space(&side.code, whole.start())..body.end,
                0.85,
            );
        }
    }
}

/// True if no line between the header of a definition and line `index` ends the definition.
fn encloses(margin: &str, rest_of_header: &str, side: &Side, index: usize) -> bool {
    let (mut at, mut found) = (index, false);
    while let Some(before) = scope::previous(side, at) {
        at = before;
        let line = scope::code_line(side, at);
        if scope::indent(side, at) <= margin.len() && !line.trim_start().starts_with(')') {
            found = line.contains("def ") && line.ends_with(rest_of_header);
            break;
        }
    }
    found
}

fn recursion_braced(hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let code = &side.code;
    let blocks = CATCH_BLOCK
        .find_iter(code)
        .map(|m| (m.start(), calls::inside(code, m.end() - 1)));
    let arrows = CATCH_ARROW.find_iter(code).map(|m| {
        let open = m.start() + m.as_str().find('(').unwrap_or(0);
        (m.start(), calls::inside(code, open))
    });
    for (start, body) in blocks.chain(arrows) {
        let before = &code[code.floor_char_boundary(start.saturating_sub(REACH_BYTES))..start];
        let outer = BRACED_DEF.captures_iter(before).filter_map(|c| {
            let name = (1..c.len()).find_map(|i| c.get(i))?.as_str();
            (!KEYWORDS.contains(&name)).then(|| {
                (
                    name.to_owned(),
                    c.get(0).map_or("", |m| m.as_str()).to_owned(),
                )
            })
        });
        let Some((name, header)) = outer.last().or_else(|| section_name(hunk.section)) else {
            continue;
        };
        let text = &code[body.clone()];
        let header_line = before.rfind(&header).map_or(header.as_str(), |at| {
            before[at..].lines().next().unwrap_or("")
        });
        if calls_itself(text, &name)
            && !BOUND.is_match(text)
            && !BOUND.is_match(header_line)
            && !text.contains("if ")
            && !text.contains("if(")
        {
            report(side, sink, start..(body.end + 1).min(code.len()), 0.85);
        }
    }
}

fn section_name(section: &str) -> Option<(String, String)> {
    let found = BRACED_DEF.captures(section)?;
    let name = (1..found.len()).find_map(|i| found.get(i))?.as_str();
    Some((name.to_owned(), section.to_owned()))
}

/// True if the text calls `name` and no other object's method of that name.
fn calls_itself(text: &str, name: &str) -> bool {
    name.len() > 2
        && text.match_indices(name).any(|(at, _)| {
            let is_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let rest = text[at + name.len()..].trim_start();
            // `setTimeout(load, 1000)` calls it later.
            let is_given = rest.starts_with(',') && text[..at].trim_end().ends_with("setTimeout(");
            let is_call = rest.starts_with('(') || is_given;
            is_word && is_call && calls::qualifier(text, at).is_none_or(&["self", "this", "cls"])
        })
}
