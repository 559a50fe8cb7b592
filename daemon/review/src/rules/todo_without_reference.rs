//! Unfinished work noted in a comment that nothing points to.

use crate::{
    finding::Severity,
    language::Role,
    matching::{pattern, scope},
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, LineKind},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "todo-without-reference",
    severity: Severity::Nit,
    title: "TODO without a reference",
    reason: "A note that no issue, owner or date stands behind is never looked at again.",
    explain: "Finds `TODO`, `FIXME`, `XXX` and `HACK` that open an added comment, or are followed by a colon in it, \
        without an issue number, an address, a name in parentheses or a date in the comment.\n\n\
        Leaves alone: notes with a reference, notes that were only moved, prose that speaks about such notes, \
        documentation, tests and fixtures.\n\n\
        What to do: open an issue and name it: `TODO(#123): …`.",
    languages: &[],
    triggers: &["todo", "fixme", "xxx", "hack"],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

pattern!(
    MARK,
    r"\b(?:TODO|FIXME|XXX|HACK|(?:Todo|todo|fixme|Fixme):)|@(?:todo|fixme)\b"
);
pattern!(
    OWNER,
    r"^(?:TODO|FIXME|XXX|HACK|todo|Todo|fixme|Fixme)\s*[:\-]?\s*(?:\(\s*[^)\s][^)]*\)|\[\s*[^\]\s][^\]]*\]|<[^>]+>|@\w+)"
);
/// What may stand between a comment's start and the mark.
const LEADERS: &[char] = &[
    '/', '*', '#', '-', '<', '!', ';', '%', '"', '\'', '@', '[', '(', '{', ':', '.', '>', '=', '|',
    ' ', '\t',
];

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !matches!(file.role, Role::Source | Role::Build) {
        return;
    }
    let side = &hunk.new;
    let mut last_line = usize::MAX;
    for found in MARK.find_iter(&side.text) {
        let at = found.start() + usize::from(found.as_str().starts_with('@'));
        let line = side.line_at(at);
        if line == last_line
            || !side.lines[line].changed
            || !scope::in_comment(side, at)
            || side.in_test(at)
        {
            continue;
        }
        let range = side.line_range(line);
        let text = &side.text[range.clone()];
        let comment_start = (range.start..at)
            .rev()
            .take_while(|i| {
                scope::in_comment(side, *i) || side.text.as_bytes()[*i].is_ascii_whitespace()
            })
            .last()
            .unwrap_or(at);
        let opens = side.text[comment_start..at]
            .chars()
            .all(|c| LEADERS.contains(&c));
        let after = &side.text[found.end()..range.end];
        let is_mark = opens || after.starts_with(':');
        let is_spoken_of = after.starts_with(['`', '"', '\'', '-', '_', '/', '.', ','])
            || after.starts_with(|c: char| c.is_alphanumeric())
            || after
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("comment")
            || side.text[..at].ends_with(['`', '"', '\'']);
        if !is_mark || is_spoken_of {
            continue;
        }
        // A reference may stand in the lines that go on with the comment.
        let mut end = line;
        while end + 1 < side.lines.len() && end - line < 3 && scope::is_comment_line(side, end + 1)
        {
            end += 1;
        }
        let whole = &side.text[at..side.line_range(end).end];
        if scope::has_reference(whole) || OWNER.is_match(whole) || was_noted(hunk, text) {
            continue;
        }
        last_line = line;
        let mark = found.as_str().trim_matches(['@', ':']);
        let mut hit = Hit::at(
            at..at + mark.len(),
            "The change is merged, its author moves on, and the note is all that is left of the intention.",
        );
        hit.title = Some(format!("{} without a reference", mark.to_ascii_uppercase()));
        sink.hit(hit);
    }
}

/// True if a line that the hunk removes holds the same note.
fn was_noted(hunk: &HunkView<'_>, line: &str) -> bool {
    let Some(mark) = MARK.find(line) else {
        return false;
    };
    let note = line[mark.start()..].trim();
    hunk.lines
        .iter()
        .any(|l| l.kind == LineKind::Removed && l.text.contains(note))
}
