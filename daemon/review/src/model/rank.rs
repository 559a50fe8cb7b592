//! Which files are read first, if not all can be.

use std::collections::HashSet;

use crate::{
    language::{Language, Role},
    view::{DiffView, FileView, LineKind},
};

use super::Grounding;

/// Indices of the files that a model reads, the most telling first: those that the rules found
/// something in, then product code, build scripts, tests, examples, configuration, prose.
pub(crate) fn ranked(view: &DiffView<'_>, grounding: &[Grounding]) -> Vec<usize> {
    let known: HashSet<&str> = grounding.iter().map(|g| g.path.as_str()).collect();
    let mut order: Vec<usize> = (0..view.files.len())
        .filter(|index| view.files[*index].left_out.is_none())
        .collect();
    order.sort_by_key(|index| {
        let file = &view.files[*index];
        (!known.contains(file.path), rank(file), *index)
    });
    order
}

fn rank(file: &FileView<'_>) -> u8 {
    match file.role {
        Role::Source if is_data(file.language) => 4,
        Role::Source => 0,
        Role::Build => 1,
        Role::Test => 2,
        Role::Example => 3,
        Role::Docs | Role::Fixture => 5,
    }
}

fn is_data(language: Language) -> bool {
    matches!(
        language,
        Language::Toml | Language::Yaml | Language::Json | Language::Ini | Language::Unknown
    )
}

/// How many lines a hunk adds.
pub(crate) fn added(hunk: &crate::view::HunkView<'_>) -> usize {
    let added = |line: &&crate::view::LineView<'_>| line.kind == LineKind::Added;
    hunk.lines.iter().filter(added).count()
}
