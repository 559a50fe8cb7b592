//! Which repository a folder belongs to.

use std::path::{Path, PathBuf};

use super::{Git, run::refused};
use crate::{
    error::{Failure, Kind},
    hint::Hint,
};

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// git at the top level, its filters off.
    pub git: Git,
    /// The top level, or the repository's own folder where it is bare.
    pub root: PathBuf,
    /// There is no working tree.
    pub bare: bool,
    /// The commit that HEAD names; none before the first one.
    pub head: Option<String>,
}

/// The top level that a folder lies in, found without git: the nearest folder with a `.git`.
pub fn top_level(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|folder| folder.join(".git").symlink_metadata().is_ok())
        .map(Path::to_path_buf)
}

/// Whether a text is an object's name.
fn is_object_name(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Asks git for the repository that a folder belongs to.
pub fn repository(folder: &Path) -> Result<Repository, Failure> {
    let plain = Git::new(folder);
    let (asked, git) = std::thread::scope(|scope| {
        let filters = scope.spawn(|| plain.clone().without_filters());
        let asked = plain.run(
            [
                "rev-parse",
                "--is-bare-repository",
                "--show-toplevel",
                "HEAD",
            ],
            64 * 1024,
        );
        (asked, filters.join())
    });
    let asked = asked?;
    let git = git.unwrap_or_else(|_| {
        Err(Failure::new(
            Kind::Git,
            "git's configuration could not be read",
            "its thread ended",
            Hint::DOCTOR,
        ))
    })?;
    let text = path_text(&asked.stdout)?;
    if text.is_empty() {
        if asked.message.contains("not a git repository") {
            if let Some(named) = std::env::var_os("GIT_DIR") {
                return Err(Failure::new(
                    Kind::NotARepository,
                    "Nothing to review here",
                    format!(
                        "GIT_DIR is set to {}, which is no git repository",
                        Path::new(&named).display()
                    ),
                    Hint::UNSET_GIT_DIR,
                ));
            }
            return Err(Failure::new(
                Kind::NotARepository,
                "Nothing to review here",
                format!("{} is not inside a git repository", folder.display()),
                Hint::PIPE_A_DIFF,
            ));
        }
        return Err(refused("git does not open this repository", &asked));
    }
    let (bare, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let bare = bare == "true";
    let rest = rest.trim_end_matches('\n');
    if rest.is_empty() {
        // No working tree: bare, or inside of `.git`.
        let own = git
            .line(["rev-parse", "--absolute-git-dir"])?
            .ok_or_else(|| refused("git does not open this repository", &asked))?;
        let head = git.line(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
        return Ok(Repository {
            git: git.with_attributes_of(head.clone()),
            root: own.into(),
            bare: true,
            head,
        });
    }
    // The path may hold newlines, HEAD does not.
    let (root, head) = rest.rsplit_once('\n').unwrap_or((rest, ""));
    let head = is_object_name(head).then(|| head.to_owned());
    let root = PathBuf::from(root);
    let mut repository = Repository {
        git: git.at(&root),
        root,
        bare,
        head,
    };
    // Attributes count as the base has them; before the first commit there are none.
    let base = match &repository.head {
        Some(head) => head.clone(),
        None => repository.empty_tree()?,
    };
    repository.git = repository.git.with_attributes_of(Some(base));
    Ok(repository)
}

fn path_text(bytes: &[u8]) -> Result<String, Failure> {
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| {
        Failure::new(
            Kind::Git,
            "The repository's path is not UTF-8",
            "the daemon names folders in UTF-8 only",
            Hint::PIPE_A_DIFF,
        )
    })
}

impl Repository {
    /// The commit that a revision names.
    pub fn commit(&self, revision: &str) -> Result<String, Failure> {
        self.resolve(revision, "commit")
    }

    /// The tree that a revision names; a commit stands for its tree.
    pub fn tree(&self, revision: &str) -> Result<String, Failure> {
        self.resolve(revision, "tree")
    }

    fn resolve(&self, revision: &str, kind: &str) -> Result<String, Failure> {
        let named = format!("{revision}^{{{kind}}}");
        let found = self.git.line([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            named.as_str(),
        ])?;
        found.ok_or_else(|| {
            let (why, way_out) = if self.head.is_none() {
                (
                    "the repository has no commit yet".to_owned(),
                    Hint::NO_COMMITS,
                )
            } else {
                (
                    format!(
                        "git knows no {kind} under this name in {}",
                        self.root.display()
                    ),
                    super::advice::other_revision(self),
                )
            };
            Failure::new(
                Kind::NotFound,
                format!("No revision `{revision}`"),
                why,
                way_out,
            )
        })
    }

    /// The name of the tree with nothing in it.
    pub fn empty_tree(&self) -> Result<String, Failure> {
        let name = self.git.line(["hash-object", "-t", "tree", "/dev/null"])?;
        name.ok_or_else(|| {
            Failure::new(
                Kind::Git,
                "git does not name the empty tree",
                "the repository has no commit to compare with",
                Hint::PIPE_A_DIFF,
            )
        })
    }

    /// A file as it stands in a revision; none where it does not.
    pub fn file_at(
        &self,
        revision: &str,
        path: &str,
        max: usize,
    ) -> Result<Option<String>, Failure> {
        let object = format!("{revision}:{path}");
        let output = self.git.run(["cat-file", "blob", object.as_str()], max)?;
        Ok(String::from_utf8(output.stdout)
            .ok()
            .filter(|_| output.ok && !output.cut))
    }
}
