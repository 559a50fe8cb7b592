//! A real change hidden among lines that differ in white space only.

use std::collections::HashMap;

use crate::{
    finding::Severity,
    language::{Language, Role},
    rule::{Check, Rule, Sink},
    view::{Change, FileView, LineKind},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "whitespace-merge",
    severity: Severity::Nit,
    title: "A real change is buried in white-space changes",
    reason: "A reviewer has to find the few lines that matter, and every open branch gets conflicts.",
    explain: "Finds files in which more than 30 lines changed, over 80 % of them in white space only (tabs to spaces, \
        ends of lines, alignment), beside a real change.\n\n\
        Leaves alone: blocks that were moved in or out as a whole, pure reformatting, languages in which white space \
        has a meaning are treated alike.\n\n\
        What to do: commit the reformatting apart from the change.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::File(check),
};

const CHANGED_LINES_MIN: usize = 30;

fn check(file: &FileView<'_>, sink: &mut Sink) {
    let is_candidate = file.change == Change::Modified
        && file.left_out.is_none()
        && matches!(file.role, Role::Source | Role::Test | Role::Build)
        && !matches!(file.language, Language::Markdown | Language::Text | Language::Unknown);
    if !is_candidate {
        return;
    }
    let lines = || file.hunks.iter().flat_map(|h| &h.lines);
    let removed = lines().filter(|l| l.kind == LineKind::Removed && !l.text.trim().is_empty()).count();
    let added = lines().filter(|l| l.kind == LineKind::Added && !l.text.trim().is_empty()).count();
    // Lines that differ in white space come in pairs.
    if removed.min(added) * 2 <= CHANGED_LINES_MIN {
        return;
    }
    let mut reflowed = 0;
    let mut shifts: HashMap<isize, usize> = HashMap::new();
    for hunk in &file.hunks {
        let mut gone: HashMap<String, Vec<&str>> = HashMap::new();
        for line in hunk.lines.iter().filter(|l| l.kind == LineKind::Removed) {
            gone.entry(squeezed(line.text)).or_default().push(line.text);
        }
        gone.remove("");
        for line in hunk.lines.iter().filter(|l| l.kind == LineKind::Added) {
            let Some(old) = gone.get_mut(&squeezed(line.text)).and_then(Vec::pop) else { continue };
            match shift(old, line.text) {
                Some(0) | None => reflowed += 1,
                Some(by) => *shifts.entry(by).or_default() += 1,
            }
        }
    }
    // A block that moves by one step is part of a change around it; many different steps are a
    // change of the indentation's width.
    if shifts.len() >= 3 {
        reflowed += shifts.values().sum::<usize>();
    }
    let real = added.saturating_sub(reflowed + if shifts.len() < 3 { shifts.values().sum() } else { 0 });
    let changed = added + removed;
    if changed > CHANGED_LINES_MIN && reflowed * 2 * 10 > changed * 8 && real > 0 {
        let trigger = format!("{reflowed} lines differ in white space only; the {real} that matter are easily overlooked.");
        sink.file(None, trigger, None);
    }
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// By how much the line moved, if its indentation is all that differs and of one kind.
fn shift(old: &str, new: &str) -> Option<isize> {
    let (old_body, new_body) = (old.trim_start(), new.trim_start());
    if old_body != new_body {
        return None;
    }
    let margin = |text: &str, body: &str| text[..text.len() - body.len()].to_owned();
    let (old, new) = (margin(old, old_body), margin(new, new_body));
    if old.contains('\t') != new.contains('\t') && !old.is_empty() && !new.is_empty() {
        return None;
    }
    Some(new.len() as isize - old.len() as isize)
}
