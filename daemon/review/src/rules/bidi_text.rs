//! `bidi-text`: control characters that make code read in another order than it runs.

use crate::{
    finding::Severity,
    language::{Language, Role},
    matching::quality,
    rule::{Check, Fix, Hit, Rule, Sink},
    view::{Change, FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "bidi-text",
    severity: Severity::Critical,
    title: "Hidden bidirectional control character",
    reason: "The line runs in another order than it is shown in: what a reader approves is not what runs.",
    explain: "\
Finds the embedding, override and isolate characters U+202A to U+202E and U+2066 to U+2069 (\"Trojan \
Source\") in added lines, in code, strings and comments.\n\n\
Leaves alone: documents and translations in which the pairs are closed on the line and nothing is \
overridden; the marks U+200E and U+200F.\n\n\
Do: remove the characters, or write them as escapes where they are wanted.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: true,
    check: Check::Hunk(check),
};

/// True for a character that starts or ends another reading order.
pub fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let is_first = file.hunks.first().is_some_and(|h| std::ptr::eq(h, hunk));
    if is_first && file.change != Change::Modified && file.path.contains(is_bidi_control) {
        sink.file(
            None,
            "The file's name is shown with another ending than it has.",
            Some("Reading order changed inside a file's name".to_owned()),
        );
    }
    if side.text.is_ascii() {
        return;
    }
    let is_prose = is_prose(file);
    for index in 0..side.lines.len() {
        let range = side.line_range(index);
        let line = &side.text[range.clone()];
        let Some(first) = line.find(is_bidi_control) else {
            continue;
        };
        if !side.lines[index].changed || (is_prose && is_balanced(line)) {
            continue;
        }
        let last = line.rfind(is_bidi_control).unwrap_or(first);
        let clean: String = line.chars().filter(|c| !is_bidi_control(*c)).collect();
        let end = range.start + last + 3;
        sink.hit(
            Hit::at(
                range.start + first..end,
                "A reviewer sees a comment or a harmless condition where the compiler sees code.",
            )
            .fix(Fix::Replace(range, clean)),
        );
    }
}

/// Documents and translations, in which other scripts are at home.
pub fn is_prose(file: &FileView<'_>) -> bool {
    const PATHS: [&str; 11] = [
        "locale",
        "i18n",
        "l10n",
        "translation",
        "/lang/",
        "messages",
        "strings.xml",
        ".po",
        ".arb",
        ".strings",
        "langs/",
    ];
    matches!(file.role, Role::Docs | Role::Fixture)
        || matches!(file.language, Language::Markdown | Language::Text)
        || PATHS
            .iter()
            .any(|part| quality::contains_word(file.path, part))
}

/// Every start has its end on the line, in order, and nothing is overridden.
fn is_balanced(line: &str) -> bool {
    let mut open = Vec::new();
    for c in line.chars() {
        match c {
            '\u{202d}' | '\u{202e}' => return false,
            '\u{202a}' | '\u{202b}' => open.push('\u{202c}'),
            '\u{2066}'..='\u{2068}' => open.push('\u{2069}'),
            '\u{202c}' | '\u{2069}' if open.pop() != Some(c) => return false,
            _ => {}
        }
    }
    open.is_empty()
}
