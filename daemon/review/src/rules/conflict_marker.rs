//! `conflict-marker`: a merge that was committed unresolved.

use crate::{
    finding::Severity,
    language::Role,
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "conflict-marker",
    severity: Severity::Critical,
    title: "Unresolved merge conflict",
    reason: "The file holds both sides of a merge and the markers between them.",
    explain: "\
Finds added lines that begin with the markers of a merge conflict: `<<<<<<<`, `|||||||`, `>>>>>>>`, and \
`=======` beside one of them.\n\n\
Leaves alone: underlined headings, fixtures, markers inside strings that begin elsewhere on the line, \
markers quoted in documentation.\n\n\
Do: resolve the conflict and remove the markers.",
    languages: &[],
    triggers: &["<<<<<<<", ">>>>>>>", "|||||||"],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if file.role == Role::Fixture {
        return;
    }
    let side = &hunk.new;
    let quoted = matches!(file.role, Role::Docs | Role::Test);
    let (mut start, mut end) = (None, 0);
    let mut fenced = false;
    for index in 0..side.lines.len() {
        let range = side.line_range(index);
        let line = &side.text[range.clone()];
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        let Some(marker) = marker(line) else { continue };
        if quoted && (fenced || is_blanked(side.code.as_bytes().get(range.start))) {
            continue;
        }
        if marker == b'<' || start.is_none() {
            if start.is_some() {
                report(start.take(), end, sink);
            }
            start = Some(range.start);
        }
        end = range.end;
        if marker == b'>' {
            report(start.take(), end, sink);
        }
    }
    report(start, end, sink);
}

fn is_blanked(byte: Option<&u8>) -> bool {
    byte == Some(&b' ')
}

fn report(start: Option<usize>, end: usize, sink: &mut Sink) {
    if let Some(start) = start {
        sink.hit(Hit::lines(
            start..end,
            "The file does not parse, or runs both sides of the merge.",
        ));
    }
}

/// Which marker the line is: seven signs at its start, then its end or a space.
fn marker(line: &str) -> Option<u8> {
    let bytes = line.as_bytes();
    let first = *bytes.first()?;
    if !matches!(first, b'<' | b'>' | b'|')
        || bytes.len() < 7
        || bytes[..7].iter().any(|b| *b != first)
    {
        return None;
    }
    match bytes.get(7) {
        Some(b' ') => {
            let label = line[8..].trim();
            // `>>>>>>> text` is also a reply quoted seven times; a label is one word, or a hash
            // with its subject in brackets.
            let is_label = !label.is_empty()
                && (first != b'>'
                    || !label.contains(' ')
                    || label.contains('(')
                    || label.contains(':')
                    || label.contains('/'));
            is_label.then_some(first)
        }
        _ => None,
    }
}
