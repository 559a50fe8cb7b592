//! A test that disappeared while product code changed.

use std::collections::HashSet;

use crate::{
    finding::Severity,
    matching::{product, test_shape},
    rule::{Check, Hit, Rule, Sink},
    view::{DiffView, FileView, LineKind},
};

/// See the file's first line.
pub static RULE: Rule = Rule {
    id: "test-removed",
    severity: Severity::Major,
    title: "Test removed while the code changed",
    reason: "What the test guarded is free to break, from this change on.",
    explain: "Finds test functions and cases that are removed, commented out or renamed out of the runner's sight, in \
        a change that also touches product code.\n\n\
        Leaves alone: tests that were moved, renamed or replaced (the file gains as many), tests of something that \
        the same change removes, changes that rework many tests and leave no fewer, skips (see `skipped-test`).\n\n\
        What to do: bring the test back and repair what it found, or say in the change why it goes.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Diff(check),
};

struct Lost<'d> {
    file: usize,
    hunk: usize,
    name: &'d str,
    /// The removed line that starts it.
    line: &'d str,
    /// Its body as far as it was removed with it.
    body: String,
}

fn check(diff: &DiffView<'_>, sink: &mut Sink) {
    let mut lost = Vec::new();
    for (index, file) in diff.files.iter().enumerate() {
        if test_shape::holds_tests(file) && product::is_program_language(file.language) {
            collect(file, index, &mut lost);
        }
    }
    if lost.is_empty() || !product::changes(diff) {
        return;
    }
    let mut gained: Vec<(usize, &str)> = Vec::new();
    for (index, file) in diff
        .files
        .iter()
        .enumerate()
        .filter(|(_, f)| test_shape::holds_tests(f))
    {
        for hunk in &file.hunks {
            gained.extend(
                test_shape::tests_of(file, &hunk.new)
                    .into_iter()
                    .map(|name| (index, name)),
            );
        }
    }
    if gained.len() >= lost.len() && product::reworks_tests(diff) {
        return;
    }
    let kept: HashSet<&str> = gained.iter().map(|(_, name)| *name).collect();
    let removed: HashSet<&str> = lost.iter().map(|l| l.name).collect();
    let gone = product::gone_names(diff);
    let gone_files: Vec<String> = diff
        .files
        .iter()
        .filter(|f| {
            f.change == crate::view::Change::Deleted && f.role == crate::language::Role::Source
        })
        .map(|f| stem(f.name))
        .collect();
    // New tests of the same file replace as many.
    let mut replaced: Vec<usize> = gained
        .iter()
        .filter(|(_, name)| !removed.contains(name))
        .map(|(i, _)| *i)
        .collect();
    let mut first_of: Vec<(usize, Vec<Lost<'_>>)> = Vec::new();
    for test in lost {
        let file = &diff.files[test.file];
        let about_gone = test_shape::names(&test.body).any(|n| gone.contains(n))
            || test_shape::names(test.name).any(|n| gone.contains(n))
            || gone.iter().any(|n| n.len() > 4 && test.name.ends_with(*n))
            || gone_files
                .iter()
                .any(|s| stem(file.name).contains(s.as_str()));
        if kept.contains(test.name) || about_gone || is_still_there(diff, test.name) {
            continue;
        }
        if let Some(at) = replaced.iter().position(|i| *i == test.file) {
            replaced.swap_remove(at);
            continue;
        }
        match first_of.last_mut() {
            Some((index, all)) if *index == test.file => all.push(test),
            _ => first_of.push((test.file, vec![test])),
        }
    }
    for (index, tests) in first_of {
        report(diff, sink, index, &tests);
    }
}

fn stem(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_ascii_lowercase()
}

fn collect<'d>(file: &'d FileView<'_>, index: usize, lost: &mut Vec<Lost<'d>>) {
    for (hunk_index, hunk) in file.hunks.iter().enumerate() {
        let side = &hunk.old;
        if !side.lines.iter().any(|l| l.changed) {
            continue;
        }
        let mut before = String::new();
        let mut open: Option<usize> = None;
        for (line_index, line) in side.lines.iter().enumerate() {
            let range = side.line_range(line_index);
            let live = &side.live[range.clone()];
            if let Some(name) = test_shape::test_name(file.language, live, &before) {
                open = None;
                if line.changed {
                    open = Some(lost.len());
                    lost.push(Lost {
                        file: index,
                        hunk: hunk_index,
                        name,
                        line: side.text[range.clone()].trim(),
                        body: String::new(),
                    });
                }
            } else if let Some(test) = open.filter(|_| line.changed).and_then(|i| lost.get_mut(i)) {
                test.body.push_str(live);
                test.body.push('\n');
            }
            if live.trim_start().starts_with(['#', '@', '[']) {
                before.push_str(live);
            } else if !live.trim().is_empty() {
                before.clear();
            }
        }
    }
}

/// True if an added line still has the name outside of a comment: skipped, wrapped, generated.
fn is_still_there(diff: &DiffView<'_>, name: &str) -> bool {
    diff.files
        .iter()
        .filter(|f| test_shape::holds_tests(f))
        .any(|file| {
            file.hunks.iter().any(|hunk| {
                let is_shown = hunk
                    .lines
                    .iter()
                    .any(|l| l.kind == LineKind::Added && l.text.contains(name));
                is_shown
                    && hunk.new.live.match_indices(name).any(|(at, _)| {
                        let is_part = hunk.new.live[..at]
                            .ends_with(|c: char| c.is_alphanumeric() || c == '_');
                        !is_part && hunk.new.lines[hunk.new.line_at(at)].changed
                    })
            })
        })
}

fn report(diff: &DiffView<'_>, sink: &mut Sink, index: usize, tests: &[Lost<'_>]) {
    let Some(first) = tests.first() else { return };
    let file = &diff.files[index];
    let name: String = first.name.trim().chars().take(80).collect();
    let trigger = format!(
        "`{name}` no longer runs: a fault in the code that this change touches is not found."
    );
    let title =
        (tests.len() > 1).then(|| format!("{} tests removed while the code changed", tests.len()));
    let side = &file.hunks[first.hunk].new;
    if side.lines.is_empty() {
        sink.file(Some(file.path), trigger, title);
        return;
    }
    let line = product::place_of_removed(file, first.hunk, first.line);
    let mut hit = Hit::lines(side.line_range(line), trigger);
    hit.title = title;
    hit.confidence = 0.8;
    sink.hit_in_file(index, first.hunk, hit);
}
