//! How large binary files are. git says only that they differ; a binary patch that stops behind
//! its first line says the size too, and carries no content.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::{diff::files, discover::Repository};

/// For how many files of a diff the size is looked up.
const SIZED_MAX: usize = 100;

/// What stands for a binary file of a size in bytes.
pub fn patch(bytes: u64) -> String {
    format!("GIT binary patch\nliteral {bytes}\n\n")
}

/// The diff with the sizes of its new binary files.
pub fn with_sizes(repository: &Repository, diff: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sized = 0;
    for file in files(&diff) {
        let Some(at) = differs(file).filter(|_| sized < SIZED_MAX) else {
            out.extend_from_slice(file);
            continue;
        };
        sized += 1;
        out.extend_from_slice(&file[..at]);
        match size(repository, &file[..at]) {
            Some(bytes) => out.extend_from_slice(patch(bytes).as_bytes()),
            None => out.extend_from_slice(&file[at..]),
        }
    }
    // What stands in front of the first file is no file's: nothing may be lost with it.
    if sized == 0 || !diff.starts_with(b"diff --git ") {
        return diff;
    }
    out
}

/// Where the line begins that says that a binary file differs.
fn differs(file: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in file.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b"Binary files ") {
            return Some(at);
        }
        if line.starts_with(b"@@ ") {
            return None;
        }
        at += line.len();
    }
    None
}

/// The size of the new side: of what git holds, or of the file in the working tree.
fn size(repository: &Repository, header: &[u8]) -> Option<u64> {
    let header: Vec<&[u8]> = header.split(|&byte| byte == b'\n').collect();
    let after = |start: &[u8]| header.iter().find_map(|line| line.strip_prefix(start));
    if after(b"deleted file mode ").is_some() {
        return None;
    }
    let index = std::str::from_utf8(after(b"index ")?).ok()?;
    let new = index.split_once("..")?.1.split(' ').next()?;
    let held = repository.git.line(["cat-file", "-s", new]);
    if let Some(bytes) = held.ok().flatten().and_then(|told| told.parse().ok()) {
        return Some(bytes);
    }
    // Without quotes and renames the line holds the same path twice.
    let both = after(b"diff --git a/")?;
    let path = both.get(..both.len().checked_sub(3)? / 2)?;
    let twice = [path, b" b/", path].concat();
    let found = repository.root.join(OsStr::from_bytes(path));
    let found = found.symlink_metadata().ok().filter(|_| both == twice)?;
    found.is_file().then_some(found.len())
}
