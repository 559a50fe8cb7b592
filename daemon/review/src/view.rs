//! What a rule sees of a diff.
//!
//! Text is as the author wrote it: control characters, escapes and bidirectional marks included.
//! Whoever prints it has to escape it.

pub(crate) mod build;
mod test_code;

use crate::language::{Language, Role};

/// The whole diff, for rules that weigh files against each other.
pub struct DiffView<'d> {
    /// Every file of the diff, also those that are left out (their `left_out` says why).
    pub files: Vec<FileView<'d>>,
}

/// One file of the diff.
pub struct FileView<'d> {
    /// Path in the new tree (in the old tree for a deletion), `/`-separated.
    pub path: &'d str,
    /// The file's name, the part after the last `/`.
    pub name: &'d str,
    /// Path before a rename.
    pub old_path: Option<&'d str>,
    /// Language by extension, name or `#!` line.
    pub language: Language,
    /// What the file is for: product code, test, documentation …
    pub role: Role,
    /// Added, modified, deleted, renamed, copied.
    pub change: Change,
    /// File mode after the change where the diff says so, octal (0o100755).
    pub new_mode: Option<u32>,
    /// File mode before.
    pub old_mode: Option<u32>,
    /// Binary content; with its size in bytes where the diff tells (`GIT binary patch`).
    pub binary: Option<Option<u64>>,
    /// Why the file is not reviewed, where it is not.
    pub left_out: Option<crate::coverage::LeftOut>,
    /// The hunks, in order.
    pub hunks: Vec<HunkView<'d>>,
}

/// How a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// New file.
    Added,
    /// Content or mode changed.
    Modified,
    /// Gone.
    Deleted,
    /// Moved, perhaps with changes.
    Renamed,
    /// Copied, perhaps with changes.
    Copied,
}

/// One hunk, seen from both sides.
pub struct HunkView<'d> {
    /// Every line in the diff's order.
    pub lines: Vec<LineView<'d>>,
    /// What git printed behind the second `@@` (the enclosing function), or empty.
    pub section: &'d str,
    /// The new side: context and added lines.
    pub new: Side,
    /// The old side: context and removed lines.
    pub old: Side,
}

/// One line of a hunk as the diff has it.
#[derive(Clone, Copy, Debug)]
pub struct LineView<'d> {
    /// Context, added or removed.
    pub kind: LineKind,
    /// Its text without the leading marker and without the line ending.
    pub text: &'d str,
    /// The line ends with `\r\n`.
    pub crlf: bool,
    /// Line number in the old file (context and removed lines).
    pub old_line: Option<u32>,
    /// Line number in the new file (context and added lines).
    pub new_line: Option<u32>,
}

/// The marker of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// On both sides.
    Context,
    /// Only in the new file.
    Added,
    /// Only in the old file.
    Removed,
}

/// One side of a hunk as one text, so that a pattern can run over several lines.
///
/// `text`, `code` and `live` have the same length and the same newlines: an offset in one is an
/// offset in all.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// The lines joined by `\n`; of a line longer than 16 KiB only so much (it is counted).
    pub text: String,
    /// `text` with comments **and the insides of string literals** blanked by spaces (the quotes
    /// stay). Match keywords, calls and operators here. Interpolated code in template literals
    /// and f-strings stays visible.
    pub code: String,
    /// `text` with only comments blanked: code with its strings. Match calls with string
    /// arguments here.
    pub live: String,
    /// Where each line starts, its number in the file, whether it is changed (added on the new
    /// side, removed on the old), and whether it lies in test code (a `#[cfg(test)]` module, a
    /// test function as far as the hunk shows it, or a test file).
    pub lines: Vec<SideLine>,
}

/// A line of a [`Side`].
#[derive(Clone, Copy, Debug)]
pub struct SideLine {
    /// Byte offset of its first character.
    pub start: usize,
    /// Line number in the file, 1-based.
    pub number: u32,
    /// Added (new side) or removed (old side).
    pub changed: bool,
    /// Lies in test code.
    pub in_test: bool,
}

impl Side {
    /// Index in `lines` of the line that holds byte `offset`.
    pub fn line_at(&self, offset: usize) -> usize {
        self.lines
            .partition_point(|l| l.start <= offset)
            .saturating_sub(1)
    }

    /// Byte range of line `index`, without its newline.
    pub fn line_range(&self, index: usize) -> std::ops::Range<usize> {
        let start = self.lines[index].start;
        let end = self
            .lines
            .get(index + 1)
            .map_or(self.text.len(), |l| l.start - 1);
        start..end
    }

    /// True if any line that the range touches is changed.
    pub fn touches_change(&self, range: &std::ops::Range<usize>) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let last = range.end.max(range.start + 1) - 1;
        (self.line_at(range.start)..=self.line_at(last)).any(|i| self.lines[i].changed)
    }

    /// True if the line that holds `offset` lies in test code.
    pub fn in_test(&self, offset: usize) -> bool {
        !self.lines.is_empty() && self.lines[self.line_at(offset)].in_test
    }
}
