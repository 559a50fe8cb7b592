//! An assertion that left its test while the code under test changed.

use std::collections::HashMap;

use crate::{
    finding::Severity,
    matching::{product, test_shape},
    rule::{Check, Hit, Rule, Sink},
    view::DiffView,
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "assertion-removed",
    severity: Severity::Major,
    title: "Assertion removed while the code changed",
    reason: "A test that fails was made to pass by asking less; what it guarded is free to break.",
    explain: "Finds tests that lose more assertions than they gain in a change that also touches product code. \
        Assertions that became trivial (`assert True`) or a comment count as removed.\n\n\
        Leaves alone: assertions that were moved or reworded, whole tests that were removed (see `test-removed`), \
        assertions about something that the same change removes, changes that rework many tests and assert no less \
        than before.\n\n\
        What to do: bring the assertion back, or say in the change why it no longer holds.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Diff(check),
};

fn check(diff: &DiffView<'_>, sink: &mut Sink) {
    let mut lost = Vec::new();
    for (index, file) in diff.files.iter().enumerate() {
        let is_gone = file.change == crate::view::Change::Deleted;
        if is_gone || !test_shape::holds_tests(file) || !product::is_program_language(file.language)
        {
            continue;
        }
        for (hunk, view) in file.hunks.iter().enumerate() {
            if view.old.lines.iter().any(|l| l.changed) {
                lost.extend(
                    test_shape::assertions_of(file, hunk, &view.old)
                        .into_iter()
                        .map(|mark| (index, mark)),
                );
            }
        }
    }
    if lost.is_empty() || !product::changes(diff) {
        return;
    }
    let mut gained: HashMap<String, usize> = HashMap::new();
    let mut gained_in: HashMap<usize, Vec<String>> = HashMap::new();
    for (index, file) in diff
        .files
        .iter()
        .enumerate()
        .filter(|(_, f)| test_shape::holds_tests(f))
    {
        for (hunk, view) in file.hunks.iter().enumerate() {
            for mark in test_shape::assertions_of(file, hunk, &view.new) {
                let text = squeezed(mark.text);
                *gained.entry(text.clone()).or_default() += 1;
                gained_in.entry(index).or_default().push(text);
            }
        }
    }
    let gains: usize = gained.values().sum();
    if gains >= lost.len() && product::reworks_tests(diff) {
        return;
    }
    // What stands elsewhere word for word was moved.
    lost.retain(|(index, mark)| {
        let text = squeezed(mark.text);
        match gained.get_mut(&text).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                if let Some(own) = gained_in.get_mut(index)
                    && let Some(at) = own.iter().position(|g| *g == text)
                {
                    own.swap_remove(at);
                }
                false
            }
            None => !mark.in_lost_test,
        }
    });
    if lost.is_empty() {
        return;
    }
    let gone = product::gone_names(diff);
    lost.retain(|(_, mark)| !test_shape::names(mark.text).any(|name| gone.contains(name)));
    let mut per_file: HashMap<usize, Vec<test_shape::Mark<'_>>> = HashMap::new();
    for (index, mark) in lost {
        per_file.entry(index).or_default().push(mark);
    }
    let mut files: Vec<_> = per_file.into_iter().collect();
    files.sort_by_key(|(index, _)| *index);
    for (index, marks) in files {
        let gains = gained_in.get(&index).map_or(0, Vec::len);
        let missing = marks.len().saturating_sub(gains);
        if let Some(first) = marks.first().filter(|_| missing > 0) {
            report(diff, sink, index, first, missing);
        }
    }
}

fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != ';')
        .collect()
}

fn report(
    diff: &DiffView<'_>,
    sink: &mut Sink,
    index: usize,
    mark: &test_shape::Mark<'_>,
    missing: usize,
) {
    let file = &diff.files[index];
    let quoted: String = mark.text.chars().take(120).collect();
    let trigger = format!(
        "`{quoted}` no longer guards the code that this change touches: a fault there passes the tests."
    );
    let title =
        (missing > 1).then(|| format!("{missing} assertions removed while the code changed"));
    let side = &file.hunks[mark.hunk].new;
    if side.lines.is_empty() {
        sink.file(Some(file.path), trigger, title);
        return;
    }
    let line = product::place_of_removed(file, mark.hunk, mark.text);
    let mut hit = Hit::lines(side.line_range(line), trigger);
    hit.title = title;
    hit.confidence = 0.75;
    sink.hit_in_file(index, mark.hunk, hit);
}
