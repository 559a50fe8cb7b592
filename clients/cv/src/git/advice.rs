//! Ways out that work in the repository at hand: not every one has a `HEAD~1` or a `main`.

use std::path::Path;

use super::{Git, discover::Repository};
use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// How many files a way out names.
const NAMED_MAX: usize = 5;

fn names_commit(git: &Git, revision: &str) -> bool {
    let named = format!("{revision}^{{commit}}");
    let found = git.line(["rev-parse", "--verify", "--quiet", named.as_str()]);
    matches!(found, Ok(Some(_)))
}

/// The last commit as a sentence; none before the first one. The first one of all, and that of
/// a shallow clone, have nothing in front to compare with.
fn last_commit(repository: &Repository) -> Option<&'static str> {
    repository.head.as_ref()?;
    Some(if names_commit(&repository.git, "HEAD~1") {
        "Last commit: `cv review HEAD~1`"
    } else {
        "Last commit: `git show | cv review`"
    })
}

fn sentences(parts: impl IntoIterator<Item = Option<String>>) -> Hint {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Hint::of_this_place(parts.join(". "))
}

/// Where the working tree is clean.
pub fn nothing_changed(repository: &Repository) -> Hint {
    let Some(last) = last_commit(repository) else {
        return Hint::EMPTY_OF_COMMITS;
    };
    let branch = ["main", "master"]
        .into_iter()
        .find(|name| names_commit(&repository.git, name))
        .map(|name| format!("Against a branch: `cv review --base {name}`"));
    sentences([Some(last.to_owned()), branch])
}

/// Where nothing is staged.
pub fn nothing_staged(_: &Repository) -> Hint {
    Hint::EMPTY_STAGED
}

/// Where a range changes nothing.
pub fn nothing_in_range(repository: &Repository) -> Hint {
    let all = (!repository.bare).then(|| "Everything changed: `cv review`".to_owned());
    let last = last_commit(repository).filter(|_| !repository.bare);
    match (all, last) {
        (None, None) => Hint::OTHER_RANGE,
        (all, last) => sentences([all, last.map(str::to_owned)]),
    }
}

/// Where stdin was empty.
pub fn nothing_on_stdin(repository: &Repository) -> Hint {
    let staged = "Staged: `cv review --staged`".to_owned();
    sentences([Some(staged), last_commit(repository).map(str::to_owned)])
}

/// Where git knows no such revision.
pub fn other_revision(repository: &Repository) -> Hint {
    if names_commit(&repository.git, "HEAD~1") {
        return Hint::OTHER_REVISION;
    }
    Hint::FIRST_COMMIT
}

/// Where there is no working tree.
pub fn without_a_tree(repository: &Repository) -> Hint {
    if names_commit(&repository.git, "HEAD~1") {
        Hint::BARE
    } else {
        Hint::FIRST_COMMIT
    }
}

/// A path in the place of a revision: what to type instead.
pub fn path_for_revision(folder: &Path, text: &str) -> Option<Failure> {
    let path = folder.join(text);
    let found = path.symlink_metadata().ok()?;
    let git = Git::new(folder);
    let tracked = git
        .line(["--literal-pathspecs", "ls-files", "--", text])
        .is_ok_and(|listed| listed.is_some_and(|listed| !listed.is_empty()));
    let quoted = in_shell(text);
    let way_out = if tracked && names_commit(&git, "HEAD") {
        format!("`git diff HEAD -- {quoted} | cv review`")
    } else if found.is_file() {
        format!("`git diff --no-index /dev/null {quoted} | cv review`")
    } else {
        "`cv review` reviews everything that changed".to_owned()
    };
    let kind = if found.is_dir() { "folder" } else { "file" };
    Some(Failure::new(
        Kind::Usage,
        format!("`{text}` is a {kind}, not a revision"),
        "`cv review` takes a revision or a range; paths are for git to pick",
        Hint::of_this_place(way_out),
    ))
}

/// Files with a merge conflict where what is staged was asked for.
pub fn unmerged(paths: &[String]) -> Failure {
    let named = |join: &str, name: fn(&str) -> String| {
        let names: Vec<String> = paths
            .iter()
            .take(NAMED_MAX)
            .map(|path| name(path))
            .collect();
        let more = paths.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 {
            format!("{join}{more} more")
        } else {
            String::new()
        };
        format!("{}{more}", names.join(join))
    };
    let what = match paths {
        [only] => format!("{only} has a merge conflict"),
        many => format!("{} files have a merge conflict", many.len()),
    };
    let add = if paths.len() > NAMED_MAX {
        "`git add` each".to_owned()
    } else {
        format!("`git add {}`", named(" ", in_shell))
    };
    Failure::new(
        Kind::Conflict,
        what,
        format!(
            "nothing of it is staged until it is resolved: {}",
            named(", ", str::to_owned)
        ),
        Hint::of_this_place(format!("resolve it, {add}, then `cv review --staged`")),
    )
}

/// A text as one word of a shell.
pub(crate) fn in_shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,=@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
