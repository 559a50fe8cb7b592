//! The diff of tracked files, in one shape whatever the settings say.

use convergio_contract::limits::DIFF_MAX_BYTES;

use super::{discover::Repository, run::refused};
use crate::{error::Failure, stdin::too_large};

/// The first version of git that takes attributes from a tree that the caller names.
const ATTRIBUTES_SINCE: (u32, u32) = (2, 43);

/// Compares what the revisions (or `--cached`) name.
pub fn make(repository: &Repository, revisions: &[String]) -> Result<Vec<u8>, Failure> {
    let diff = run(repository, revisions, &[])?.ok_or_else(|| too_large(DIFF_MAX_BYTES))?;
    if !has_binary(&diff) || takes_attributes(repository)? {
        return Ok(diff);
    }
    reveal(repository, revisions, diff)
}

/// An older git reads the attributes of the working tree, where the change itself could call
/// its text binary (`* -diff`) and so hide it. What is binary by its bytes stays so.
pub fn reveal(
    repository: &Repository,
    revisions: &[String],
    diff: Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    match run(repository, revisions, &["--text"])? {
        Some(text) => Ok(unhidden(&diff, &text)),
        // Too much to show as text: the large ones are binary, and listed as left out.
        None => Ok(diff),
    }
}

/// Runs git; none where the diff is beyond the limit.
fn run(
    repository: &Repository,
    revisions: &[String],
    more: &[&str],
) -> Result<Option<Vec<u8>>, Failure> {
    let fixed = [
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--no-relative",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--find-renames",
        "--submodule=short",
        "--ignore-submodules=dirty",
        "--unified=3",
        "--inter-hunk-context=0",
        "-O/dev/null",
    ];
    let args = fixed
        .into_iter()
        .chain(more.iter().copied())
        .chain(revisions.iter().map(String::as_str))
        .chain(std::iter::once("--"));
    let output = repository.git.run(args, DIFF_MAX_BYTES)?;
    if output.cut {
        return Ok(None);
    }
    if !output.ok {
        return Err(refused("git could not make the diff", &output));
    }
    Ok(Some(output.stdout))
}

/// Takes the lines out that name files with a merge conflict, where git has no version to show.
/// Content lines begin with another sign.
pub fn take_unmerged(diff: &mut Vec<u8>) -> Vec<String> {
    const UNMERGED: &[u8] = b"* Unmerged path ";
    let mut paths = Vec::new();
    if diff.windows(UNMERGED.len()).any(|bytes| bytes == UNMERGED) {
        let kept = diff.split_inclusive(|&byte| byte == b'\n').filter(|line| {
            let path = line.strip_prefix(UNMERGED);
            paths.extend(path.map(|path| String::from_utf8_lossy(path.trim_ascii()).into_owned()));
            path.is_none()
        });
        *diff = kept.flatten().copied().collect();
    }
    paths
}

/// Whether git called a file of the diff binary.
pub fn has_binary(diff: &[u8]) -> bool {
    diff.split(|&byte| byte == b'\n')
        .any(|line| line.starts_with(b"Binary files "))
}

fn takes_attributes(repository: &Repository) -> Result<bool, Failure> {
    let told = repository.git.line(["version"])?.unwrap_or_default();
    Ok(version(&told).is_some_and(|version| version >= ATTRIBUTES_SINCE))
}

/// Major and minor of `git version 2.47.3`.
fn version(told: &str) -> Option<(u32, u32)> {
    let mut numbers = told.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The files of a diff, each with its header. Content lines begin with a sign, so that only a
/// header can begin so.
pub fn files(diff: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in diff.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b"diff --git ") {
            starts.push(at);
        }
        at += line.len();
    }
    starts
        .iter()
        .enumerate()
        .map(|(i, &start)| &diff[start..starts.get(i + 1).copied().unwrap_or(diff.len())])
        .collect()
}

/// The diff with those binary files as text that hold none of the bytes that make a file binary.
fn unhidden(diff: &[u8], text: &[u8]) -> Vec<u8> {
    let (plain, shown) = (files(diff), files(text));
    if plain.len() != shown.len() {
        return diff.to_vec();
    }
    plain
        .into_iter()
        .zip(shown)
        .flat_map(|(plain, shown)| {
            let hidden = has_binary(plain) && !shown.contains(&0);
            if hidden { shown } else { plain }
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert!(version("git version 2.9.0").is_some_and(|v| v < ATTRIBUTES_SINCE));
        assert_eq!(version("no"), None);
    }
}
