//! Which changes of a repository to review, and their diff.

use std::path::{Path, PathBuf};

use convergio_contract::limits::DIFF_MAX_BYTES;

use super::{
    advice, binary, diff,
    discover::{Repository, repository},
    status::{Status, status},
    untracked,
};
use crate::{
    error::{Failure, Kind},
    hint::Hint,
    render::words::count,
};

/// Where silences are written down, relative to the top level.
pub const SILENCES_PATH: &str = ".convergio/review.toml";
/// The longest file of silences, in bytes.
pub const SILENCES_MAX_BYTES: usize = 1024 * 1024;

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything that is not committed; on a clean tree the branch.
    Default,
    /// What is staged.
    Staged,
    /// The branch and what is not committed, since its merge base with a revision.
    Base(String),
    /// Everything since a revision.
    Since(String),
    /// Between two revisions; with three dots from their merge base.
    Range {
        /// The older one.
        from: String,
        /// The newer one.
        to: String,
        /// Three dots.
        from_merge_base: bool,
    },
}

impl Wanted {
    /// Reads a revision or a range.
    pub fn parse(text: &str) -> Self {
        let or_head = |side: &str| if side.is_empty() { "HEAD" } else { side }.to_owned();
        let (dots, from_merge_base) = if text.contains("...") {
            ("...", true)
        } else {
            ("..", false)
        };
        match text.split_once(dots) {
            Some((from, to)) => Self::Range {
                from: or_head(from),
                to: or_head(to),
                from_merge_base,
            },
            None => Self::Since(text.to_owned()),
        }
    }
}

/// A diff and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The diff.
    pub diff: Vec<u8>,
    /// Top level.
    pub root: PathBuf,
    /// The selection's name on the wire.
    pub selection: String,
    /// The commit that the diff starts from.
    pub base_sha: Option<String>,
    /// The silences as they stand at the base.
    pub base_silences: Option<String>,
    /// One line for the person.
    pub header: String,
    /// Where the diff is empty: what to say, and the way out.
    pub empty: (String, Hint),
}

/// What to compare.
struct Plan {
    args: Vec<String>,
    selection: String,
    base: Option<String>,
    /// Adds the files that git does not track.
    untracked: bool,
    since: Since,
    empty: (&'static str, fn(&Repository) -> Hint),
}

enum Since {
    Head,
    NoCommit,
    Staged,
    Revision(String),
    Between(String),
}

/// Finds the repository and makes the diff. Blocks.
pub fn select(folder: &Path, wanted: &Wanted) -> Result<Selected, Failure> {
    let repository = repository(folder)?;
    let needs_tree = !matches!(wanted, Wanted::Range { .. });
    if repository.bare && needs_tree {
        return Err(Failure::new(
            Kind::NotARepository,
            "There is no working tree here",
            format!(
                "{} holds only a repository's history",
                repository.root.display()
            ),
            advice::without_a_tree(&repository),
        ));
    }
    let (mut plan, mut status) = plan(&repository, wanted)?;
    if *wanted == Wanted::Default && status.changed == 0 && status.untracked.is_empty() {
        match branch(&repository, &status)? {
            Some(branch) => {
                plan = branch;
                status = Status::default();
            }
            None => plan.empty.0 = "Nothing to review: the working tree is clean.",
        }
    }
    let (diff, silences) = std::thread::scope(|scope| {
        let silences = scope.spawn(|| match &plan.base {
            Some(base) => repository.file_at(base, SILENCES_PATH, SILENCES_MAX_BYTES),
            None => Ok(None),
        });
        (make_diff(&repository, &plan, &status), silences.join())
    });
    let diff = diff?;
    let base_silences = silences.unwrap_or(Ok(None))?;
    let header = header(&plan.since, count_files(&diff), &status);
    let way_out = if diff.is_empty() {
        (plan.empty.1)(&repository)
    } else {
        Hint::REVIEW_HELP
    };
    Ok(Selected {
        diff,
        root: repository.root,
        selection: plan.selection,
        base_sha: plan.base,
        base_silences,
        header,
        empty: (plan.empty.0.to_owned(), way_out),
    })
}

fn plan(repository: &Repository, wanted: &Wanted) -> Result<(Plan, Status), Failure> {
    let head = repository.head.clone();
    let plan = match wanted {
        Wanted::Default => Plan {
            args: vec![match &head {
                Some(head) => head.clone(),
                None => repository.empty_tree()?,
            }],
            selection: "worktree".to_owned(),
            since: if head.is_some() {
                Since::Head
            } else {
                Since::NoCommit
            },
            base: head,
            untracked: true,
            empty: ("Nothing to review.", advice::nothing_changed),
        },
        Wanted::Staged => {
            let mut args = vec!["--cached".to_owned()];
            args.extend(head.clone());
            Plan {
                args,
                selection: "staged".to_owned(),
                base: head,
                untracked: false,
                since: Since::Staged,
                empty: (
                    "Nothing to review: nothing is staged.",
                    advice::nothing_staged,
                ),
            }
        }
        Wanted::Base(revision) => {
            let named = repository.commit(revision)?;
            let base = merge_base(repository, &named, "HEAD", revision)?;
            since(base, revision, format!("base {revision}"))
        }
        Wanted::Since(revision) => {
            let base = repository.commit(revision)?;
            let mut plan = since(base, revision, revision.clone());
            plan.since = Since::Revision(revision.clone());
            plan
        }
        Wanted::Range {
            from,
            to,
            from_merge_base,
        } => {
            let dots = if *from_merge_base { "..." } else { ".." };
            let name = format!("{from}{dots}{to}");
            let (old, base) = if *from_merge_base {
                let (a, b) = (repository.commit(from)?, repository.commit(to)?);
                let base = merge_base(repository, &a, &b, from)?;
                (base.clone(), Some(base))
            } else {
                // A tree may stand there too, for a history that begins with the range.
                (repository.tree(from)?, repository.commit(from).ok())
            };
            Plan {
                args: vec![old, repository.tree(to)?],
                selection: name.clone(),
                base,
                untracked: false,
                since: Since::Between(name),
                empty: (
                    "Nothing to review: the range changes nothing.",
                    advice::nothing_in_range,
                ),
            }
        }
    };
    let status = if plan.untracked {
        status(repository)?
    } else {
        Status::default()
    };
    Ok((plan, status))
}

fn since(base: String, revision: &str, selection: String) -> Plan {
    let short = base.get(..8).unwrap_or(&base).to_owned();
    Plan {
        args: vec![base.clone()],
        selection,
        base: Some(base),
        untracked: true,
        since: Since::Revision(format!("{revision} (merge base {short})")),
        empty: (
            "Nothing to review: nothing changed since then.",
            advice::nothing_in_range,
        ),
    }
}

fn merge_base(repository: &Repository, a: &str, b: &str, name: &str) -> Result<String, Failure> {
    repository.git.line(["merge-base", a, b])?.ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("`{name}` and this branch have no common commit"),
            "there is no merge base; a shallow clone may have cut it off",
            advice::other_revision(repository),
        )
    })
}

/// On a clean tree: what the branch adds to the one that it came from.
fn branch(repository: &Repository, status: &Status) -> Result<Option<Plan>, Failure> {
    let Some(head) = &repository.head else {
        return Ok(None);
    };
    const CANDIDATES: [&str; 5] = [
        "refs/remotes/origin/HEAD",
        "refs/remotes/origin/main",
        "refs/remotes/origin/master",
        "refs/heads/main",
        "refs/heads/master",
    ];
    let listed = repository
        .git
        .line(
            ["for-each-ref", "--format=%(refname)"]
                .iter()
                .chain(&CANDIDATES),
        )?
        .unwrap_or_default();
    let listed: Vec<&str> = listed.lines().collect();
    let upstream = status.upstream.clone().unwrap_or_default();
    let candidates = CANDIDATES
        .into_iter()
        .filter(|candidate| listed.contains(candidate))
        .chain((!upstream.is_empty()).then_some(upstream.as_str()));
    for candidate in candidates {
        let Some(base) = repository.git.line(["merge-base", candidate, head])? else {
            continue;
        };
        if base != *head {
            let name = candidate
                .trim_start_matches("refs/remotes/")
                .trim_start_matches("refs/heads/");
            let mut plan = since(base, name, format!("base {name}"));
            plan.untracked = false;
            return Ok(Some(plan));
        }
    }
    Ok(None)
}

fn make_diff(repository: &Repository, plan: &Plan, status: &Status) -> Result<Vec<u8>, Failure> {
    let mut diff = diff::make(repository, &plan.args)?;
    let unmerged = diff::take_unmerged(&mut diff);
    // Elsewhere the file of the working tree is in the diff, markers and all.
    if !unmerged.is_empty() && matches!(plan.since, Since::Staged) {
        return Err(advice::unmerged(&unmerged));
    }
    if diff::has_binary(&diff) {
        diff = binary::with_sizes(repository, diff);
    }
    for path in status.untracked.iter().filter(|_| plan.untracked) {
        untracked::append(&repository.root, path, &mut diff, DIFF_MAX_BYTES)?;
    }
    Ok(diff)
}

/// Files in a diff: git's own headers, or pairs of `---` and `+++` in a plain one.
pub fn count_files(diff: &[u8]) -> u64 {
    let (mut git, mut plain) = (0, 0);
    for line in diff.split(|&byte| byte == b'\n') {
        if line.starts_with(b"diff --git ") {
            git += 1;
        } else if line.starts_with(b"+++ ") {
            plain += 1;
        }
    }
    if git > 0 { git } else { plain }
}

fn header(since: &Since, files: u64, status: &Status) -> String {
    let files = count(files, "file", "files");
    let mut parts = Vec::new();
    if status.unstaged > 0 {
        parts.push(format!("{} unstaged", status.unstaged));
    }
    if !status.untracked.is_empty() {
        parts.push(format!("{} untracked", status.untracked.len()));
    }
    if status.unmerged > 0 {
        parts.push(count(
            status.unmerged as u64,
            "merge conflict",
            "merge conflicts",
        ));
    }
    if status.nested > 0 {
        let nested = count(
            status.nested as u64,
            "nested repository",
            "nested repositories",
        );
        parts.push(format!("{nested} left out"));
    }
    let parts = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    };
    match since {
        Since::Head => format!("{files} changed since HEAD{parts}"),
        Since::NoCommit => format!("{files}, no commit yet{parts}"),
        Since::Staged => format!("{files} staged"),
        Since::Revision(name) => format!("{files} changed since {}", shortened(name)),
        Since::Between(name) => format!("{files} changed in {}", shortened(name)),
    }
}

/// The text with full names of objects cut to what a person compares.
fn shortened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once(' ')) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        let full = matches!(run.len(), 40 | 64);
        out.push_str(if full { &run[..8] } else { &run });
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn only_full_names_of_objects_are_cut() {
        let full = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(shortened(&format!("{full}..HEAD")), "4b825dc6..HEAD");
        assert_eq!(
            shortened("deadbeef...feature/face"),
            "deadbeef...feature/face"
        );
    }
}
