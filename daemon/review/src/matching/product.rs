//! Product code in a diff, seen from its tests.

use std::collections::HashSet;

use crate::{
    language::{Language, Role},
    matching::test_shape,
    view::{DiffView, FileView, LineKind, Side},
};

/// True if the language is one of programs.
pub fn is_program_language(language: Language) -> bool {
    use Language::*;
    !matches!(
        language,
        Html | Css
            | Json
            | Yaml
            | Toml
            | Xml
            | Ini
            | Dockerfile
            | Makefile
            | Terraform
            | Markdown
            | Text
            | Unknown
    )
}

/// True if the diff changes code outside of tests.
pub fn changes(diff: &DiffView<'_>) -> bool {
    diff.files.iter().filter(|f| is_product(f)).any(|f| {
        f.hunks
            .iter()
            .any(|h| has_product_change(&h.new) || has_product_change(&h.old))
    })
}

fn is_product(file: &FileView<'_>) -> bool {
    file.role == Role::Source && is_program_language(file.language)
}

fn has_product_change(side: &Side) -> bool {
    side.lines
        .iter()
        .enumerate()
        .any(|(i, l)| l.changed && !l.in_test && !side.code[side.line_range(i)].trim().is_empty())
}

/// From this many changed test files on, a change reworks the tests as such.
const REWORK_MIN_FILES: usize = 4;

/// True if the change reworks the tests as such: then what one of them loses says little, and
/// what all of them lose together counts.
pub fn reworks_tests(diff: &DiffView<'_>) -> bool {
    let changed = |f: &&FileView<'_>| {
        f.hunks
            .iter()
            .any(|h| h.new.lines.iter().chain(&h.old.lines).any(|l| l.changed))
    };
    diff.files
        .iter()
        .filter(|f| test_shape::holds_tests(f))
        .filter(changed)
        .count()
        >= REWORK_MIN_FILES
}

/// Names that stood in product code before the change and are gone from all that the diff shows
/// of it.
pub fn gone_names<'d>(diff: &'d DiffView<'_>) -> HashSet<&'d str> {
    let mut gone = HashSet::new();
    let mut there = HashSet::new();
    for file in diff.files.iter().filter(|f| is_product(f)) {
        for hunk in &file.hunks {
            for (index, line) in hunk.old.lines.iter().enumerate() {
                if line.changed && !line.in_test {
                    gone.extend(test_shape::names(
                        &hunk.old.live[hunk.old.line_range(index)],
                    ));
                }
            }
            for (index, line) in hunk.new.lines.iter().enumerate() {
                if !line.in_test {
                    there.extend(test_shape::names(
                        &hunk.new.live[hunk.new.line_range(index)],
                    ));
                }
            }
        }
    }
    gone.retain(|name| !there.contains(name));
    gone
}

/// Index of the new side's line that stands where the removed line `text` stood.
pub fn place_of_removed(file: &FileView<'_>, hunk: usize, text: &str) -> usize {
    let mut index = 0_usize;
    let hunk = &file.hunks[hunk];
    for line in &hunk.lines {
        if line.kind == LineKind::Removed && line.text.trim() == text {
            break;
        }
        if line.kind != LineKind::Removed {
            index += 1;
        }
    }
    // Prefer an added line beside it: that is where the change is.
    let count = hunk.new.lines.len();
    let near = [index, index.wrapping_sub(1)];
    near.into_iter()
        .find(|i| hunk.new.lines.get(*i).is_some_and(|l| l.changed))
        .unwrap_or(index)
        .min(count.saturating_sub(1))
}
