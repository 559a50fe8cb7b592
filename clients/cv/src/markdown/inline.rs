//! What stands inside of a line: stress, code, links.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthChar;

use super::flow::Flow;
use crate::output::paint::Role;

/// Markup that stays open longer than this is none.
const OPEN_MAX_BYTES: usize = 600;

/// How much of an unfinished line cannot change any more: up to a space, or a wide character,
/// outside of all markup.
pub(super) fn sure(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut sure = 0;
    let mut last_space = 0;
    let mut chars = text.char_indices().peekable();
    // Runs of code and stress that are open, and brackets.
    let mut code: Option<usize> = None;
    let mut stress: Vec<(u8, usize)> = Vec::new();
    let mut brackets = 0usize;
    let mut in_target = false;
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        if let Some(run) = code {
            if c == '`' {
                let found = run_length(bytes, at);
                skip(&mut chars, at + found);
                if found == run {
                    code = None;
                }
            }
            continue;
        }
        match c {
            '\\' => {
                if chars.next().is_none() {
                    break;
                }
            }
            '`' => {
                let run = run_length(bytes, at);
                skip(&mut chars, at + run);
                code = Some(run);
            }
            '*' | '_' | '~' => {
                let byte = bytes[at];
                let run = run_length(bytes, at);
                skip(&mut chars, at + run);
                if at + run == text.len() {
                    // What follows decides.
                    break;
                }
                if byte == b'~' && run < 2 {
                    continue;
                }
                let before = text[..at].chars().next_back();
                let after = text[at + run..].chars().next();
                let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                let space = |c: Option<char>| c.is_none_or(char::is_whitespace);
                if byte == b'_' && word(before) && word(after) {
                    continue;
                }
                match stress.iter().rposition(|open| open.0 == byte) {
                    Some(open) if !space(before) => {
                        let left = stress[open].1.saturating_sub(run);
                        stress.truncate(open);
                        if left > 0 {
                            stress.push((byte, left));
                        }
                    }
                    _ if !space(after) => stress.push((byte, run)),
                    _ => {}
                }
            }
            '[' => brackets += 1,
            ']' if brackets > 0 => {
                if end == text.len() {
                    break;
                }
                brackets -= 1;
                in_target = bytes[end] == b'(';
            }
            ')' if in_target => in_target = false,
            _ => {
                let space = c.is_whitespace();
                if space {
                    last_space = end;
                }
                let boundary = space || c.width() == Some(2);
                if boundary && stress.is_empty() && brackets == 0 && !in_target {
                    sure = end;
                }
            }
        }
    }
    if text.len() - sure <= OPEN_MAX_BYTES {
        return sure;
    }
    match last_space.max(sure) {
        // One word without an end, which no line holds anyway.
        0 => text.len(),
        boundary => boundary,
    }
}

fn run_length(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .take_while(|&&byte| byte == bytes[at])
        .count()
}

fn skip(chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>, to: usize) {
    while chars.peek().is_some_and(|&(at, _)| at < to) {
        chars.next();
    }
}

/// In front of a fragment it keeps the parser from taking its beginning for a list or a heading;
/// as white space it does not change what the marks behind it mean.
const GUARD: char = '\u{a0}';

/// Shows a piece of a line.
pub(super) fn show(text: &str, role: Role, flow: &mut Flow) {
    let lead = text.len() - text.trim_start_matches([' ', '\t']).len();
    let trail = text.trim_end_matches([' ', '\t']).len();
    if lead > 0 || trail == 0 {
        flow.space();
    }
    if trail == 0 || lead >= trail {
        return;
    }
    let guarded = format!("{GUARD}{}", &text[lead..trail]);
    let color = flow.color();
    let mut roles = vec![role];
    let mut target: Option<String> = None;
    let mut first = true;
    for event in Parser::new_ext(&guarded, Options::ENABLE_STRIKETHROUGH) {
        let now = roles.last().copied().unwrap_or(role);
        match event {
            Event::Text(words) | Event::Html(words) | Event::InlineHtml(words) => {
                let words = match words.strip_prefix(GUARD) {
                    Some(rest) if std::mem::take(&mut first) => rest,
                    _ => &*words,
                };
                first = false;
                flow.words(words, now);
            }
            Event::Code(code) => {
                // Without colour the marks are all that tells code.
                if color {
                    flow.words(&code, Role::Code);
                } else {
                    flow.words(&format!("`{code}`"), now);
                }
            }
            Event::Start(Tag::Emphasis) => {
                mark(flow, "*", now);
                roles.push(if now == Role::Strong {
                    now
                } else {
                    Role::Emphasis
                });
            }
            Event::Start(Tag::Strong) => {
                mark(flow, "**", now);
                roles.push(Role::Strong);
            }
            Event::Start(Tag::Strikethrough) => {
                flow.words("~~", now);
                roles.push(now);
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                target = Some(dest_url.into_string());
            }
            Event::End(TagEnd::Emphasis) => {
                roles.pop();
                mark(flow, "*", now);
            }
            Event::End(TagEnd::Strong) => {
                roles.pop();
                mark(flow, "**", now);
            }
            Event::End(TagEnd::Strikethrough) => {
                roles.pop();
                flow.words("~~", now);
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some(target) = target.take() {
                    flow.space();
                    flow.words(&format!("({target})"), Role::Dim);
                }
            }
            Event::SoftBreak | Event::HardBreak => flow.space(),
            _ => {}
        }
    }
    if trail < text.len() {
        flow.space();
    }
}

fn mark(flow: &mut Flow, mark: &str, role: Role) {
    if !flow.color() {
        flow.words(mark, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_change_is_sure() {
        for (text, shown) in [
            ("one two", "one "),
            ("one two ", "one two "),
            ("a **b c", "a "),
            ("a **b c** d", "a **b c** "),
            ("a `b c", "a "),
            ("a ``b ` c`` d", "a ``b ` c`` "),
            ("see [the docs](http://x y", "see "),
            ("see [the docs](http://x) for", "see [the docs](http://x) "),
            ("snake_case name_here x", "snake_case name_here "),
            ("2 * 3 = 6", "2 * 3 = "),
            ("a\\* b c", "a\\* b "),
            ("漢字", "漢字"),
            ("a *", "a "),
        ] {
            assert_eq!(&text[..sure(text)], shown, "{text:?}");
        }
        let stray = format!("a *b {}", "word ".repeat(200));
        assert!(
            sure(&stray) > 600,
            "a stray mark holds nothing back for long"
        );
    }
}
