//! A file in the making: what its headers say, and the paths, change and mode that follow.

use std::borrow::Cow;

use super::{FileDiff, path};
use crate::view::{Change, LineKind};

/// What is known of a file while its headers are read.
#[derive(Default)]
pub(super) struct Draft<'d> {
    /// Paths of `diff --git`, prefixes still on.
    pub(super) header: Option<(Cow<'d, str>, Cow<'d, str>)>,
    /// Path that is known without a prefix (`Index:`, `diff --cc`, `diff -r`).
    pub(super) named: Option<Cow<'d, str>>,
    pub(super) moved_from: Option<Cow<'d, str>>,
    pub(super) moved_to: Option<Cow<'d, str>>,
    /// The `---` and `+++` paths; the inner `None` is `/dev/null`.
    pub(super) old: Option<Option<Cow<'d, str>>>,
    pub(super) new: Option<Option<Cow<'d, str>>>,
    pub(super) change: Option<Change>,
    pub(super) old_mode: Option<u32>,
    pub(super) new_mode: Option<u32>,
    pub(super) binary: Option<Option<u64>>,
    pub(super) submodule: bool,
    pub(super) not_shown: bool,
    pub(super) hunks: Vec<super::Hunk<'d>>,
}

const SUBMODULE_MODE: u32 = 0o160_000;

impl<'d> Draft<'d> {
    /// Nothing but headers was read.
    pub(super) fn is_bare(&self) -> bool {
        self.hunks.is_empty() && self.binary.is_none() && !self.not_shown && !self.submodule
    }

    /// The file that the headers and hunks make, if they name one.
    pub(super) fn finish(self) -> Option<FileDiff<'d>> {
        let (old_gone, new_gone) = (self.old == Some(None), self.new == Some(None));
        let side_paths = (self.old.flatten(), self.new.flatten());
        let prefixes = match (&self.header, &side_paths) {
            (Some((old, new)), _) => path::prefix_lengths(old, new),
            (None, (Some(old), Some(new))) => path::prefix_lengths(old, new),
            // Only one side exists: a usual prefix is the best guess, a folder `b` is rare.
            (None, (Some(only), None)) if new_gone && only.starts_with("a/") => (2, 0),
            (None, (None, Some(only))) if old_gone && only.starts_with("b/") => (0, 2),
            _ => (0, 0),
        };
        let (header_old, header_new) = match self.header {
            Some((old, new)) => (Some(old), Some(new)),
            None => (None, None),
        };
        let old = self
            .moved_from
            .or_else(|| Some(path::cut(side_paths.0.or(header_old)?, prefixes.0)))
            .map(path::normal);
        let new = self
            .moved_to
            .or_else(|| self.named.clone())
            .or_else(|| Some(path::cut(side_paths.1.or(header_new)?, prefixes.1)))
            .map(path::normal);
        let empty_side = |added: bool| {
            self.hunks.len() == 1
                && !self.hunks[0].lines.is_empty()
                && self.hunks[0].lines.iter().all(|l| {
                    l.kind
                        == if added {
                            LineKind::Added
                        } else {
                            LineKind::Removed
                        }
                })
                && if added {
                    self.hunks[0].old_start == 0
                } else {
                    self.hunks[0].new_start == 0
                }
        };
        let change = self.change.unwrap_or_else(|| {
            if old_gone || empty_side(true) {
                Change::Added
            } else if new_gone || empty_side(false) {
                Change::Deleted
            } else {
                Change::Modified
            }
        });
        let path = match change {
            Change::Deleted => old.clone().or(new)?,
            _ => new.or_else(|| old.clone())?,
        };
        let moved = matches!(change, Change::Renamed | Change::Copied);
        let old_path = old.filter(|old| moved && *old != path);
        let pointer = self.hunks.len() == 1
            && !self.hunks[0].lines.is_empty()
            && self.hunks[0]
                .lines
                .iter()
                .all(|l| l.text.starts_with("Subproject commit "));
        let submodule = self.submodule
            || pointer
            || self.old_mode == Some(SUBMODULE_MODE)
            || self.new_mode == Some(SUBMODULE_MODE);
        Some(FileDiff {
            path,
            old_path,
            change,
            old_mode: self.old_mode,
            new_mode: self.new_mode,
            binary: self.binary,
            submodule,
            not_shown: self.not_shown,
            hunks: self.hunks,
        })
    }
}
