//! Handlers whose extent is shown by indentation or by `end`: Python, Ruby.

use std::ops::Range;

use super::{EVERY, report};
use crate::{
    finding::Severity,
    matching::{calls, pattern, scope},
    rule::{Hit, Sink},
    view::Side,
};

pattern!(EXCEPT, r"\bexcept\b\*?");
pattern!(
    SUPPRESS_ALIAS,
    r"from\s+contextlib\s+import\s[^\n]*\bsuppress\s+as\s+(\w+)"
);
pattern!(
    SUPPRESS,
    r"\b(?:contextlib\.)?(\w+)\s*\(\s*[^()\n]*\b(?:Base)?Exception\b[^()\n]*\)"
);
pattern!(
    CATCH_ALL,
    r"\b(?:Base|Standard)?Exception(?:Group)?\b|\bStandardError\b"
);
pattern!(RESCUE, r"\brescue\b");
pattern!(FINALLY, r"(?m)^[ \t]*finally\s*:");
pattern!(RETURN, r"(?m)^[ \t]*return\b");

pub(super) fn python(side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in EXCEPT.find_iter(code) {
        let at = found.start();
        if !scope::starts_line(code, at) {
            continue;
        }
        let Some(colon) = header_end(code, found.end()) else {
            continue;
        };
        let types = &code[found.end()..colon];
        let is_bare = types.trim().is_empty();
        if !is_bare && !CATCH_ALL.is_match(before_as(types)) {
            continue;
        }
        let header = side.line_at(at);
        let last_header = side.line_at(colon);
        let rest = &code[colon + 1..side.line_range(last_header).end];
        let (body, end) = if rest.trim().is_empty() {
            let (lines, is_whole) =
                scope::indented_below(side, last_header, scope::indent(side, header));
            if lines.is_empty() || (!is_whole && side.lines.len() > lines.end) {
                continue;
            }
            let end = side.line_range(lines.end - 1).end;
            (side.lines[lines.start].start..end, end)
        } else {
            let end = side.line_range(last_header).end;
            (colon + 1..end, end)
        };
        let start = side.lines[header].start + scope::indent(side, header);
        match drops(side, body) {
            Some(Drops::Silently) => report(side, sink, start..end, EVERY, Severity::Major, 0.95),
            Some(Drops::AndGoesOn) => {
                report(
                    side,
                    sink,
                    start..end,
                    "Every error is dropped and the work goes on",
                    Severity::Minor,
                    0.75,
                );
            }
            None => {}
        }
    }
    suppressions(side, sink);
    finally_returns(side, sink);
}

fn before_as(types: &str) -> &str {
    types.split(" as ").next().unwrap_or(types)
}

fn header_end(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, byte) in code.as_bytes()[from..].iter().enumerate().take(400) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b':' if depth == 0 => return Some(from + offset),
            b'\n' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

enum Drops {
    Silently,
    AndGoesOn,
}

/// What a body does, if it does nothing with the error.
fn drops(side: &Side, body: Range<usize>) -> Option<Drops> {
    let mut goes_on = false;
    let mut any = false;
    for statement in side.code[body].split(['\n', ';']) {
        match statement.trim() {
            "" => {}
            "pass" | "..." | "Ellipsis" | "None" => any = true,
            "continue" | "return" | "return None" => {
                any = true;
                goes_on = true;
            }
            text if is_blank_string(text) || is_discard(text) => any = true,
            _ => return None,
        }
    }
    any.then_some(if goes_on {
        Drops::AndGoesOn
    } else {
        Drops::Silently
    })
}

fn is_blank_string(text: &str) -> bool {
    text.len() >= 2 && text.bytes().all(|b| matches!(b, b'"' | b'\'' | b' '))
}

fn is_discard(text: &str) -> bool {
    let named = text
        .strip_prefix("_ =")
        .or_else(|| text.strip_prefix("del "));
    named.is_some_and(|name| !name.trim().is_empty() && name.trim().bytes().all(calls::is_word))
}

fn suppressions(side: &Side, sink: &mut Sink) {
    let code = &side.code;
    if !code.contains("Exception") || !(code.contains("suppress") || code.contains("with ")) {
        return;
    }
    let alias = SUPPRESS_ALIAS
        .captures(code)
        .and_then(|c| c.get(1))
        .map(|m| m.as_str());
    for found in SUPPRESS.captures_iter(code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let known = name.as_str() == "suppress" || Some(name.as_str()) == alias;
        if !known
            || !CATCH_ALL.is_match(whole.as_str())
            || calls::word_before(code, whole.start()) == "def"
        {
            continue;
        }
        if side.in_test(whole.start()) || super::is_explained(side, whole.range()) {
            continue;
        }
        let mut hit = Hit::at(whole.range(), super::TRIGGER);
        hit.title = Some(EVERY.to_owned());
        sink.hit(hit);
    }
}

fn finally_returns(side: &Side, sink: &mut Sink) {
    for found in FINALLY.find_iter(&side.code) {
        let at = scope::skip_space(&side.code, found.start());
        let header = side.line_at(at);
        let (lines, _) = scope::indented(side, header);
        let Some(first) = lines
            .clone()
            .find(|i| !scope::code_line(side, *i).trim().is_empty())
        else {
            continue;
        };
        let depth = scope::indent(side, first);
        for index in lines {
            let line = scope::code_line(side, index);
            if scope::indent(side, index) == depth && RETURN.is_match(line) {
                let range = at..side.line_range(index).end;
                report(
                    side,
                    sink,
                    range,
                    "`return` in `finally` swallows every error",
                    Severity::Major,
                    0.9,
                );
                break;
            }
        }
    }
}

pattern!(
    RUBY_NARROW,
    r"^\s*(?:=>|then\b|;|$)|\b(?:StandardError|Exception|Object)\b"
);
pattern!(RUBY_PARSE, r"^(?:Integer|Float|Rational|BigDecimal)\s*\(");

pub(super) fn ruby(side: &Side, sink: &mut Sink) {
    let code = &side.code;
    for found in RESCUE.find_iter(code) {
        let at = found.start();
        let line = side.line_at(at);
        let line_end = side.line_range(line).end;
        let head = code[side.lines[line].start..at].trim();
        let tail = &code[found.end()..line_end];
        if head.ends_with(['.', ':', '@', '$'])
            || code[found.end()..].starts_with([':', '_', '(', '?', '!'])
        {
            continue;
        }
        let is_modifier = !head.is_empty()
            && !head.ends_with(';')
            && !head.ends_with("begin")
            && head != "}"
            && head != "end";
        if is_modifier {
            let value = tail.trim().trim_end_matches([';', '}', ')']).trim();
            let value = value.trim_end_matches(" end").trim();
            let expression = head.rsplit(['=', '{', '|']).next().unwrap_or(head).trim();
            if matches!(value, "nil" | "" | "false" | "nil end" | "true")
                && !RUBY_PARSE.is_match(expression)
                && !super::is_cleanup(expression)
            {
                report(
                    side,
                    sink,
                    side.lines[line].start + scope::indent(side, line)..line_end,
                    EVERY,
                    Severity::Major,
                    0.85,
                );
            }
            continue;
        }
        if !RUBY_NARROW.is_match(tail) {
            continue;
        }
        let Some((body, last)) = ruby_body(side, line, found.end()) else {
            continue;
        };
        let start = at;
        match ruby_drops(&body) {
            Some(false) => report(
                side,
                sink,
                start..side.line_range(last).end,
                EVERY,
                Severity::Major,
                0.95,
            ),
            Some(true) => report(
                side,
                sink,
                start..side.line_range(last).end,
                "Every error is dropped and the work goes on",
                Severity::Minor,
                0.75,
            ),
            None => {}
        }
    }
}

/// The handler's body, and the last line of it.
fn ruby_body(side: &Side, header: usize, from: usize) -> Option<(String, usize)> {
    let line = &side.code[from..side.line_range(header).end];
    let inline = match line.find([';']).or_else(|| line.find(" then ")) {
        Some(at) => line[at..]
            .trim_start_matches([';', ' '])
            .trim_start_matches("then ")
            .to_owned(),
        None => String::new(),
    };
    if let Some(body) = inline.trim().strip_suffix("end")
        && (body.is_empty() || body.ends_with([' ', ';']))
    {
        return Some((body.to_owned(), header));
    }
    let mut body = inline;
    for index in header + 1..side.lines.len() {
        let text = scope::code_line(side, index).trim();
        let word = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or("");
        if matches!(word, "end" | "ensure" | "else" | "rescue") {
            return Some((body, index.saturating_sub(usize::from(word != "end"))));
        }
        body.push('\n');
        body.push_str(text);
    }
    None
}

/// `Some(true)` if the work goes on, `Some(false)` if nothing is done, `None` if something is.
fn ruby_drops(body: &str) -> Option<bool> {
    let mut goes_on = false;
    for statement in body
        .split(['\n', ';'])
        .map(str::trim)
        .filter(|s| !s.is_empty())
    {
        match statement {
            "nil" => {}
            "next" | "return" | "return nil" => goes_on = true,
            _ => return None,
        }
    }
    Some(goes_on)
}
