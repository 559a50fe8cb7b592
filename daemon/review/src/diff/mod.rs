//! Readers for unified diffs: git, Mercurial, Subversion and plain `diff -u`.
//!
//! Reading never fails and never allocates by what a header claims. What could not be read is
//! reported in [`Diff::unparsed`] and [`Diff::problems`], so that a caller can say so.

mod commit;
mod draft;
mod hunk;
mod path;
mod reader;
mod text;

pub use reader::parse;
pub use text::{DiffText, decode};

use std::borrow::Cow;

use crate::view::{Change, LineView};

/// What was read out of a diff.
#[derive(Debug, Default)]
pub struct Diff<'d> {
    /// The files in the diff's order. One path may occur several times (several commits).
    pub files: Vec<FileDiff<'d>>,
    /// Text that belongs to no file and is no mail or commit header.
    pub unparsed: Unparsed,
    /// Where the diff breaks off or contradicts itself, at most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// True where something that looks like a part of a diff could not be read.
    pub incomplete: bool,
}

/// How many problems and stray lines are kept; the rest is only counted.
pub const PROBLEMS_MAX: usize = 16;

/// Text outside of every file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unparsed {
    /// How many non-blank lines.
    pub lines: u32,
    /// Line number in the diff of the first of them, 1-based.
    pub first_line: Option<u32>,
}

/// One place at which a diff could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line number in the diff, 1-based.
    pub line: u32,
    /// What is wrong there.
    pub kind: ProblemKind,
}

/// What is wrong at a place of a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// The hunk ends before the lines that its header announces.
    #[error("the hunk ends before the lines that its header announces")]
    TruncatedHunk,
    /// More changed lines follow than the hunk's header announces.
    #[error("more lines follow than the hunk's header announces")]
    ExcessLines,
    /// A hunk header that cannot be read.
    #[error("the hunk header cannot be read")]
    BadHunkHeader,
    /// A hunk that belongs to no file.
    #[error("the hunk belongs to no file")]
    OrphanHunk,
    /// The diff ends where a file's first hunk belongs.
    #[error("the diff ends before the file's first hunk")]
    NoHunk,
    /// A file header that cannot be read.
    #[error("the file header cannot be read")]
    BadFileHeader,
}

/// One file of a diff.
#[derive(Debug)]
pub struct FileDiff<'d> {
    /// Path in the new tree (in the old tree for a deletion).
    pub path: Cow<'d, str>,
    /// Path before a rename or copy, where it differs.
    pub old_path: Option<Cow<'d, str>>,
    /// How the file changed.
    pub change: Change,
    /// File mode before, where the diff says so.
    pub old_mode: Option<u32>,
    /// File mode after, where the diff says so.
    pub new_mode: Option<u32>,
    /// Binary content; with its new size in bytes where the diff tells.
    pub binary: Option<Option<u64>>,
    /// A submodule's pointer.
    pub submodule: bool,
    /// The diff names the file without showing its content (`Only in`).
    pub not_shown: bool,
    /// The hunks.
    pub hunks: Vec<Hunk<'d>>,
}

/// One hunk.
#[derive(Debug)]
pub struct Hunk<'d> {
    /// What stands behind the second `@@`.
    pub section: &'d str,
    /// Its lines.
    pub lines: Vec<LineView<'d>>,
    /// First line in the new file.
    pub new_start: u32,
    /// First line in the old file.
    pub old_start: u32,
}
