//! From parsed files to what rules see.

use super::{Change, FileView, HunkView, LineKind, LineView, Side, SideLine, test_code};
use crate::{
    coverage,
    diff::{FileDiff, Hunk},
    language::{Language, Role, file_name, language_of, role_of},
    masking,
};

impl<'d> FileView<'d> {
    /// Builds the view of one file. The sides of hunks that nobody reviews stay empty.
    pub fn build(file: &'d FileDiff<'d>) -> Self {
        Self::build_marked(file).0
    }

    /// As `build`; true where the file is left out by a marker that the change itself adds.
    pub(crate) fn build_marked(file: &'d FileDiff<'d>) -> (Self, bool) {
        let path: &'d str = &file.path;
        let first_line = file.hunks.first().and_then(|hunk| {
            hunk.lines
                .iter()
                .find(|l| l.new_line == Some(1))
                .map(|l| l.text)
        });
        let language = language_of(path, first_line);
        let role = role_of(path, language);
        let verdict = coverage::left_out(file, language);
        let left_out = verdict.map(|v| v.reason);
        let by_change = verdict.is_some_and(|v| v.by_change);
        let sides = by_change || left_out.is_none_or(|r| r == coverage::LeftOut::DeleteOnly);
        let hunks = file
            .hunks
            .iter()
            .map(|hunk| HunkView::build(hunk, language, role, sides))
            .collect();
        let view = Self {
            path,
            name: file_name(path),
            old_path: file.old_path.as_deref(),
            language,
            role,
            change: file.change,
            new_mode: file.new_mode,
            old_mode: file.old_mode,
            binary: file.binary,
            left_out,
            hunks,
        };
        (view, by_change)
    }
}

impl FileView<'static> {
    /// A file without a name and without content, for text that belongs to none.
    pub(crate) fn nameless() -> Self {
        Self {
            path: "",
            name: "",
            old_path: None,
            language: Language::Unknown,
            role: Role::Source,
            change: Change::Modified,
            new_mode: None,
            old_mode: None,
            binary: None,
            left_out: None,
            hunks: Vec::new(),
        }
    }
}

impl<'d> HunkView<'d> {
    fn build(hunk: &Hunk<'d>, language: Language, role: Role, sides: bool) -> Self {
        let (new, old) = if sides {
            (
                side(&hunk.lines, hunk.section, language, role, LineKind::Added),
                side(&hunk.lines, hunk.section, language, role, LineKind::Removed),
            )
        } else {
            (Side::default(), Side::default())
        };
        Self {
            lines: hunk.lines.clone(),
            section: hunk.section,
            new,
            old,
        }
    }
}

/// How much of one line rules see. No hand-written line is longer, and what a rule does per
/// match and line must not add up on a forged one.
pub(crate) const LINE_MAX_BYTES: usize = 16 * 1024;

pub(crate) fn side(
    lines: &[LineView<'_>],
    section: &str,
    language: Language,
    role: Role,
    changed: LineKind,
) -> Side {
    let number_of = |line: &LineView<'_>| match changed {
        LineKind::Added => line.new_line,
        _ => line.old_line,
    };
    let mut text = String::with_capacity(lines.iter().map(|l| l.text.len() + 1).sum());
    let mut places = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(number) = number_of(line) else {
            continue;
        };
        if !places.is_empty() {
            text.push('\n');
        }
        places.push(SideLine {
            start: text.len(),
            number,
            changed: line.kind == changed,
            in_test: role == Role::Test,
        });
        text.push_str(&line.text[..line.text.floor_char_boundary(LINE_MAX_BYTES)]);
    }
    let whole = places.first().is_none_or(|l| l.number <= 1);
    let masked = masking::mask(language, &text, whole);
    let mut side = Side {
        text,
        code: masked.code,
        live: masked.live,
        lines: places,
    };
    if role != Role::Test {
        test_code::mark(&mut side, section, language);
    }
    side
}
