//! A real change hidden among lines that differ in white space only.

use std::collections::{HashMap, VecDeque};

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
        && !matches!(
            file.language,
            Language::Markdown | Language::Text | Language::Unknown
        );
    if !is_candidate {
        return;
    }
    let lines = || file.hunks.iter().flat_map(|h| &h.lines);
    let removed = lines()
        .filter(|l| l.kind == LineKind::Removed && !l.text.trim().is_empty())
        .count();
    let added = lines()
        .filter(|l| l.kind == LineKind::Added && !l.text.trim().is_empty())
        .count();
    // Lines that differ in white space come in pairs.
    if removed.min(added) * 2 <= CHANGED_LINES_MIN {
        return;
    }
    let (mut reflowed, mut shifted, mut scaled) = (0, 0, 0);
    for hunk in &file.hunks {
        let mut gone: HashMap<String, VecDeque<&str>> = HashMap::new();
        for line in hunk.lines.iter().filter(|l| l.kind == LineKind::Removed) {
            gone.entry(squeezed(line.text))
                .or_default()
                .push_back(line.text);
        }
        gone.remove("");
        for line in hunk.lines.iter().filter(|l| l.kind == LineKind::Added) {
            let Some(old) = gone
                .get_mut(&squeezed(line.text))
                .and_then(VecDeque::pop_front)
            else {
                continue;
            };
            match margins(old, line.text) {
                None => reflowed += 1,
                Some((was, is)) if was == is => reflowed += 1,
                Some((was, is)) => {
                    shifted += 1;
                    scaled += usize::from(was * 2 == is || is * 2 == was);
                }
            }
        }
    }
    // A block that moves by a step is part of a change around it. Where every line's margin
    // doubles or halves, the width of the indentation changed.
    if scaled * 10 >= shifted * 9 && steps(file) >= 2 {
        reflowed += shifted;
        shifted = 0;
    }
    let real = added.saturating_sub(reflowed + shifted);
    let changed = added + removed;
    if changed > CHANGED_LINES_MIN && reflowed * 2 * 10 > changed * 8 && real > 0 {
        let trigger = format!(
            "{reflowed} lines differ in white space only; the {real} that matter are easily overlooked."
        );
        sink.file(None, trigger, None);
    }
}

/// How many different margins the removed lines have.
fn steps(file: &FileView<'_>) -> usize {
    let mut seen: Vec<usize> = file
        .hunks
        .iter()
        .flat_map(|h| &h.lines)
        .filter(|l| l.kind == LineKind::Removed && !l.text.trim().is_empty())
        .map(|l| l.text.len() - l.text.trim_start().len())
        .filter(|margin| *margin > 0)
        .collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The two margins, if they are all that differs and of one kind.
fn margins(old: &str, new: &str) -> Option<(usize, usize)> {
    let (old_body, new_body) = (old.trim_start(), new.trim_start());
    if old_body != new_body {
        return None;
    }
    let (was, is) = (old.len() - old_body.len(), new.len() - new_body.len());
    let mixes = old[..was].contains('\t') != new[..is].contains('\t');
    (!mixes || was == 0 || is == 0).then_some((was, is))
}
