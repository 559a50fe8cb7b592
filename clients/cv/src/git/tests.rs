//! Real repositories, reviewed by real git.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Selected, Wanted, advice, select};
use crate::error::{Failure, Kind};

struct Repo {
    temp: tempfile::TempDir,
    root: PathBuf,
}

impl Repo {
    fn new() -> Self {
        let repo = Self::bare_of_commits();
        repo.write("a.txt", "one\n");
        repo.commit("first");
        repo
    }

    fn bare_of_commits() -> Self {
        let temp = tempfile::tempdir().expect("a folder");
        // git names the top level without links on the way.
        let root = temp.path().canonicalize().expect("a path").join("re po");
        fs::create_dir(&root).expect("creates");
        let repo = Self { temp, root };
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    fn git(&self, args: &[&str]) -> String {
        git_in(&self.root, args)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        fs::write(path, text).expect("writes");
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    fn select(&self, wanted: &Wanted) -> Result<Selected, Failure> {
        select(&self.root, wanted)
    }

    fn default(&self) -> (Selected, String) {
        let selected = self.select(&Wanted::Default).expect("selects");
        let diff = String::from_utf8_lossy(&selected.diff).into_owned();
        (selected, diff)
    }
}

/// git with an identity of its own and nothing of the user's settings.
fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]);
    command
}

fn git_in(folder: &Path, args: &[&str]) -> String {
    let output = git_command(folder).args(args).output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn staged_unstaged_and_untracked_come_together_and_the_index_stays() {
    let repo = Repo::new();
    repo.write("a.txt", "one\ntwo\n");
    repo.write("staged.txt", "s\n");
    repo.git(&["add", "staged.txt"]);
    repo.write("new file\n.txt", "n\n");
    let index = fs::read(repo.root.join(".git/index")).expect("the index");
    let (selected, diff) = repo.default();
    assert_eq!(
        selected.header,
        "3 files changed since HEAD (1 unstaged, 1 untracked)"
    );
    assert_eq!(selected.selection, "worktree");
    assert_eq!(selected.root, repo.root);
    assert!(diff.contains("+two\n") && diff.contains("+s\n"), "{diff}");
    assert!(diff.contains("+++ \"b/new file\\n.txt\"\t\n"), "{diff}");
    assert_eq!(
        fs::read(repo.root.join(".git/index")).expect("the index"),
        index
    );

    let staged = repo.select(&Wanted::Staged).expect("selects");
    assert_eq!(staged.header, "1 file staged");
}

#[test]
fn the_diff_of_an_untracked_file_is_what_git_would_say() {
    let repo = Repo::new();
    for (name, text) in [
        ("plain.txt", "x\ny\n"),
        ("no end", "x"),
        ("one", "x\n"),
        ("qu\"ote\t.txt", "x\n"),
        ("caffè.txt", "è\r\n"),
    ] {
        repo.write(name, text);
        let mut ours = Vec::new();
        super::untracked::append(&repo.root, name.as_bytes(), &mut ours, 1 << 20).expect("reads");
        repo.git(&["add", "-A"]);
        let staged = repo.git(&[
            "-c",
            "core.quotePath=false",
            "diff",
            "--cached",
            "--no-prefix",
            "--src-prefix=a/",
            "--dst-prefix=b/",
        ]);
        let theirs: String = staged
            .lines()
            .filter(|line| !line.starts_with("index "))
            .map(|line| format!("{line}\n"))
            .collect();
        let ours: String = String::from_utf8(ours)
            .expect("text")
            .lines()
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(ours, theirs);
        repo.commit(name);
    }
}

#[test]
fn without_a_commit_everything_is_new() {
    let repo = Repo::bare_of_commits();
    repo.write("staged.txt", "s\n");
    repo.git(&["add", "staged.txt"]);
    repo.write("new.txt", "n\n");
    let (selected, diff) = repo.default();
    assert!(diff.contains("+s\n") && diff.contains("+n\n"), "{diff}");
    assert_eq!(selected.base_sha, None);
    assert!(
        selected.header.starts_with("2 files, no commit yet"),
        "{}",
        selected.header
    );
    let staged = repo.select(&Wanted::Staged).expect("selects");
    assert_eq!(staged.header, "1 file staged");
    let error = repo
        .select(&Wanted::parse("HEAD~1"))
        .expect_err("no revision");
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.why.contains("no commit yet"), "{}", error.why);
}

#[test]
fn a_clean_branch_is_compared_with_where_it_came_from() {
    let repo = Repo::new();
    let (selected, _) = repo.default();
    assert!(selected.diff.is_empty());
    assert!(selected.empty.0.contains("clean"), "{}", selected.empty.0);

    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.write("f.txt", "f\n");
    repo.commit("feature");
    let (selected, diff) = repo.default();
    assert_eq!(selected.selection, "base main");
    assert!(
        selected
            .header
            .starts_with("1 file changed since main (merge base ")
    );
    assert!(diff.contains("+f\n"));

    let since = repo.select(&Wanted::parse("HEAD~1")).expect("selects");
    assert_eq!(since.header, "1 file changed since HEAD~1");
    let range = repo
        .select(&Wanted::parse("main...feature"))
        .expect("selects");
    assert_eq!(range.diff, since.diff);
    assert_eq!(
        range.base_sha,
        Some(repo.git(&["rev-parse", "main"]).trim().to_owned())
    );
    let based = repo
        .select(&Wanted::Base("main".to_owned()))
        .expect("selects");
    assert_eq!(based.diff, since.diff);
    // A tree may begin a range: a history that nobody has yet.
    let tree = repo.git(&["hash-object", "-t", "tree", "/dev/null"]);
    let all = repo
        .select(&Wanted::parse(&format!("{}..HEAD", tree.trim())))
        .expect("selects");
    assert_eq!(all.header.split(' ').next(), Some("2"));
}

#[test]
fn subfolders_worktrees_and_bare_repositories_are_told_apart() {
    let repo = Repo::new();
    repo.write("sub/deep/b.txt", "b\n");
    repo.write("top.txt", "t\n");
    let below = select(&repo.root.join("sub/deep"), &Wanted::Default).expect("selects");
    assert_eq!(below.root, repo.root);
    let diff = String::from_utf8_lossy(&below.diff).into_owned();
    assert!(
        diff.contains("b/sub/deep/b.txt") && diff.contains("b/top.txt"),
        "{diff}"
    );
    repo.commit("both");

    let tree = repo.root.with_file_name("tree");
    repo.git(&[
        "worktree",
        "add",
        "-q",
        tree.to_str().expect("UTF-8"),
        "-b",
        "side",
    ]);
    fs::write(tree.join("w.txt"), "w\n").expect("writes");
    let other = select(&tree, &Wanted::Default).expect("selects");
    assert_eq!(other.root, tree);
    assert!(String::from_utf8_lossy(&other.diff).contains("+w\n"));

    let bare = repo.root.with_file_name("bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().expect("UTF-8")]);
    let error = select(&bare, &Wanted::Default).expect_err("no working tree");
    assert_eq!(error.kind, Kind::NotARepository);
    let range = select(&bare, &Wanted::parse("HEAD~1..HEAD")).expect("selects");
    assert!(String::from_utf8_lossy(&range.diff).contains("b/top.txt"));

    let error = select(repo.temp.path(), &Wanted::Default).expect_err("no repository");
    assert_eq!(error.kind, Kind::NotARepository);
}

#[test]
fn silences_count_as_they_stand_at_the_base() {
    let repo = Repo::new();
    repo.write(".convergio/review.toml", "# base\n");
    repo.commit("silences");
    repo.write(".convergio/review.toml", "# changed\n");
    let (selected, _) = repo.default();
    assert_eq!(selected.base_silences.as_deref(), Some("# base\n"));
    let staged = repo.select(&Wanted::Staged).expect("selects");
    assert_eq!(staged.base_silences.as_deref(), Some("# base\n"));
    let before = repo.select(&Wanted::parse("HEAD~1")).expect("selects");
    assert_eq!(before.base_silences, None);
}

#[test]
fn settings_of_a_user_do_not_change_the_diffs_shape_and_filters_never_run() {
    let repo = Repo::new();
    let trace = repo.root.with_file_name("trace");
    let run = format!("sh -c 'touch {:?}; cat'", trace);
    for (key, value) in [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("color.ui", "always"),
        ("diff.relative", "true"),
        ("diff.context", "0"),
        ("diff.external", run.as_str()),
        ("filter.x.clean", run.as_str()),
        ("filter.a=b.clean", run.as_str()),
        ("filter.x.required", "true"),
        ("core.fsmonitor", run.as_str()),
        ("status.showUntrackedFiles", "no"),
    ] {
        repo.git(&["config", key, value]);
    }
    // In the working tree's own file, and where git always looks.
    let attributes = "*.txt filter=x\na.txt filter=a=b\n";
    repo.write(".gitattributes", attributes);
    repo.write(".git/info/attributes", attributes);
    repo.write("a.txt", "one\ntwo\n");
    let (_, diff) = repo.default();
    assert!(!trace.exists(), "something of the repository ran");
    assert!(
        diff.contains("--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n one\n+two\n"),
        "{diff}"
    );
    assert!(diff.contains("b/.gitattributes"), "{diff}");
}

#[test]
fn attributes_of_the_change_hide_nothing() {
    let repo = Repo::new();
    repo.write(".gitattributes", "* -diff\n");
    repo.write("a.txt", "one\nverify=False\n");
    let (_, diff) = repo.default();
    assert!(diff.contains("+verify=False"), "{diff}");

    let repo = Repo::bare_of_commits();
    repo.write(".gitattributes", "* -diff\n");
    repo.write("a.txt", "verify=False\n");
    repo.git(&["add", "-A"]);
    let (_, diff) = repo.default();
    assert!(diff.contains("+verify=False"), "{diff}");
}

#[test]
fn an_older_git_cannot_be_made_to_hide_text_either() {
    let repo = Repo::new();
    repo.write("bin", "\0\0\u{1}");
    repo.commit("binary");
    repo.write(".git/info/attributes", "* -diff\n");
    repo.write("a.txt", "one\nverify=False\n");
    repo.write("bin", "\0\0\u{2}");
    let repository = super::discover::repository(&repo.root).expect("a repository");
    let revisions = ["HEAD".to_owned()];
    // The attributes of the repository's owner count for a new git, and hide both here.
    let hidden = super::diff::make(&repository, &revisions).expect("a diff");
    let text = String::from_utf8_lossy(&hidden).into_owned();
    assert_eq!(text.matches("Binary files ").count(), 2, "{text}");
    let shown = super::diff::reveal(&repository, &revisions, hidden).expect("a diff");
    let text = String::from_utf8_lossy(&shown).into_owned();
    assert!(text.contains("+verify=False\n"), "{text}");
    assert_eq!(text.matches("Binary files ").count(), 1, "{text}");
}

/// What the ways out of an empty state and of an unknown revision say.
fn ways_out(repo: &Repo) -> [String; 2] {
    let unknown = repo
        .select(&Wanted::parse("nope"))
        .expect_err("no revision");
    [
        repo.default().0.empty.1.as_str().to_owned(),
        unknown.way_out.as_str().to_owned(),
    ]
}

#[test]
fn ways_out_name_only_what_this_repository_has() {
    let repo = Repo::bare_of_commits();
    for text in ways_out(&repo) {
        assert!(!text.contains("HEAD") && !text.contains("main"), "{text}");
    }
    let repo = Repo::new();
    let [empty, unknown] = ways_out(&repo);
    assert!(!empty.contains("HEAD~1") && !unknown.contains("HEAD~1"));
    assert!(empty.contains("`git show | cv review`"), "{empty}");
    assert!(unknown.contains("`git show | cv review`"), "{unknown}");
    assert!(empty.contains("--base main"), "{empty}");
    repo.git(&["branch", "-m", "trunk"]);
    let [empty, _] = ways_out(&repo);
    assert!(!empty.contains("--base"), "{empty}");
    repo.write("a.txt", "two\n");
    repo.commit("second");
    for text in ways_out(&repo) {
        assert!(text.contains("`cv review HEAD~1`"), "{text}");
    }

    let shallow = repo.root.with_file_name("shallow");
    let url = format!(
        "file://{}",
        repo.root.display().to_string().replace(' ', "%20")
    );
    repo.git(&[
        "clone",
        "-q",
        "--depth",
        "1",
        &url,
        shallow.to_str().expect("UTF-8"),
    ]);
    let selected = select(&shallow, &Wanted::Default).expect("selects");
    assert!(!selected.empty.1.as_str().contains("HEAD~1"));
}

#[test]
fn a_path_in_the_place_of_a_revision_is_told_as_one() {
    let repo = Repo::new();
    repo.write("it's new.py", "x\n");
    repo.write("new/b.py", "x\n");
    let told = |text: &str| {
        let failure = advice::path_for_revision(&repo.root, text)?;
        assert_eq!(failure.kind, Kind::Usage);
        Some((failure.what, failure.way_out.as_str().to_owned()))
    };
    let (what, way_out) = told("a.txt").expect("a path");
    assert_eq!(what, "`a.txt` is a file, not a revision");
    assert_eq!(way_out, "`git diff HEAD -- a.txt | cv review`");
    let (_, way_out) = told("it's new.py").expect("a path");
    assert_eq!(
        way_out,
        r"`git diff --no-index /dev/null 'it'\''s new.py' | cv review`"
    );
    let (what, way_out) = told(".").expect("a path");
    assert!(what.contains("folder"), "{what}");
    assert_eq!(way_out, "`git diff HEAD -- . | cv review`");
    assert!(told("new").expect("a path").1.starts_with("`cv review`"));
    assert_eq!(told("nope"), None);
}

#[test]
fn a_merge_conflict_is_told_and_its_markers_are_reviewed() {
    let repo = Repo::new();
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.write("a.txt", "side\n");
    repo.commit("side");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("a.txt", "main\n");
    repo.write("b.txt", "b\n");
    repo.commit("main");
    let merge = git_command(&repo.root)
        .args(["merge", "-q", "side"])
        .output()
        .expect("git runs");
    assert!(!merge.status.success(), "{merge:?}");
    repo.write("b.txt", "bb\n");
    repo.git(&["add", "b.txt"]);

    let error = repo.select(&Wanted::Staged).expect_err("a conflict");
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(error.what, "a.txt has a merge conflict");
    assert!(error.way_out.as_str().contains("`git add a.txt`"));

    for wanted in [Wanted::Default, Wanted::parse("HEAD")] {
        let selected = repo.select(&wanted).expect("selects");
        let diff = String::from_utf8_lossy(&selected.diff).into_owned();
        assert!(diff.contains("+<<<<<<<") && diff.contains("+bb"), "{diff}");
        assert!(!diff.contains("Unmerged"), "{diff}");
    }
    let (selected, _) = repo.default();
    assert!(
        selected.header.contains("1 merge conflict"),
        "{}",
        selected.header
    );

    // Deleted on one side, gone from the working tree: nothing is left to show.
    fs::remove_file(repo.root.join("a.txt")).expect("removes");
    let (_, diff) = repo.default();
    assert!(!diff.contains("Unmerged"), "{diff}");
}

#[test]
fn binary_files_tell_their_size_wherever_they_stand() {
    let repo = Repo::new();
    let binary = |letter: &str, bytes: usize| format!("\0{}", letter.repeat(bytes - 1));
    for (name, letter) in [("held.bin", "h"), ("changed bin", "c")] {
        repo.write(name, &binary(letter, 5000));
    }
    // Too small to pass for the origin of another.
    repo.write("gone.bin", &binary("g", 50));
    repo.commit("binaries");
    repo.write("staged.bin", &binary("s", 6000));
    repo.git(&["add", "staged.bin"]);
    repo.write("changed bin", &binary("c", 7000));
    repo.write("new.bin", &binary("n", 8000));
    repo.write("a.txt", "one\ntwo\n");
    fs::remove_file(repo.root.join("gone.bin")).expect("removes");
    let (_, diff) = repo.default();
    for bytes in [6000, 7000, 8000] {
        let patch = format!("GIT binary patch\nliteral {bytes}\n\n");
        assert_eq!(diff.matches(&patch).count(), 1, "{diff}");
    }
    assert_eq!(diff.matches("Binary files ").count(), 1, "{diff}");
    assert!(diff.contains("+two\n") && !diff.contains('\0'), "{diff}");
    let staged = repo.select(&Wanted::Staged).expect("selects").diff;
    assert!(String::from_utf8_lossy(&staged).contains("literal 6000\n"));
    let range = repo
        .select(&Wanted::parse("HEAD~1..HEAD"))
        .expect("selects")
        .diff;
    let range = String::from_utf8_lossy(&range).into_owned();
    assert_eq!(range.matches("literal 5000\n\n").count(), 2, "{range}");
}
