//! What git says of the working tree.

use super::discover::Repository;
use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// The longest list of changes, in bytes.
const STATUS_MAX_BYTES: usize = 32 * 1024 * 1024;

/// The working tree against HEAD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Tracked files that differ from HEAD in the index or the working tree.
    pub changed: usize,
    /// Of these, those with changes that are not staged.
    pub unstaged: usize,
    /// Of these, those with a merge conflict.
    pub unmerged: usize,
    /// Paths that git does not track, relative to the top level.
    pub untracked: Vec<Vec<u8>>,
    /// Untracked folders that are repositories of their own: nothing of them belongs to this one.
    pub nested: usize,
    /// The branch that this one follows.
    pub upstream: Option<String>,
}

/// Asks git.
pub fn status(repository: &Repository) -> Result<Status, Failure> {
    let output = repository.git.run(
        [
            "status",
            "--porcelain=v2",
            "--branch",
            "-z",
            "--untracked-files=all",
            "--ignore-submodules=dirty",
            "--no-ahead-behind",
        ],
        STATUS_MAX_BYTES,
    )?;
    if output.cut {
        return Err(Failure::new(
            Kind::TooLarge,
            "Too many files changed",
            "their names alone are longer than 32 MiB",
            Hint::NARROWER,
        ));
    }
    if !output.ok {
        return Err(super::run::refused(
            "git does not say what changed",
            &output,
        ));
    }
    Ok(parse(&output.stdout))
}

fn parse(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    let mut records = bytes.split(|&byte| byte == 0);
    while let Some(record) = records.next() {
        match record.first() {
            Some(b'#') => {
                if let Some(name) = record.strip_prefix(b"# branch.upstream ") {
                    status.upstream = String::from_utf8(name.to_vec()).ok();
                }
            }
            Some(b'?') => {
                if record.ends_with(b"/") {
                    status.nested += 1;
                } else if let Some(path) = record.get(2..) {
                    status.untracked.push(path.to_vec());
                }
            }
            Some(kind @ (b'1' | b'2' | b'u')) => {
                status.changed += 1;
                if record.get(3).is_some_and(|&worktree| worktree != b'.') {
                    status.unstaged += 1;
                }
                status.unmerged += usize::from(*kind == b'u');
                if *kind == b'2' {
                    // The old name follows as a record of its own.
                    records.next();
                }
            }
            _ => {}
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_apart_and_old_names_skipped() {
        let text = b"# branch.oid abc\0# branch.upstream origin/main\0\
            1 M. N... 100644 100644 100644 a b staged file\0\
            1 .M N... 100644 100644 100644 a b edited\0\
            2 RM N... 100644 100644 100644 a b R100 new\0? old\0\
            u UU N... 1 2 3 4 a b c conflict\0? un tracked\nfile\0? nested/\0";
        let status = parse(text);
        assert_eq!(status.changed, 4);
        assert_eq!(status.unstaged, 3);
        assert_eq!(status.unmerged, 1);
        assert_eq!(status.nested, 1);
        assert_eq!(status.untracked, [b"un tracked\nfile".to_vec()]);
        assert_eq!(status.upstream.as_deref(), Some("origin/main"));
    }
}
