//! Hooks with a real remote.

use std::path::Path;

use crate::harness::{
    home::{Home, Ran},
    process::run,
    repository::{self, write},
};

fn commit(home: &Home, repo: &Path, text: &str) {
    write(repo, "settings.py", text);
    home.git(repo, &["add", "-A"]);
    home.git(repo, &["commit", "-q", "-m", "Change the settings"]);
}

fn push(home: &Home, repo: &Path, variables: &[(&str, &str)]) -> Ran {
    let mut git = home.command("git");
    git.current_dir(repo)
        .args(["push", "-q", "origin", "main"])
        .envs(variables.iter().copied());
    run(&mut git, b"")
}

#[test]
fn a_secret_that_a_later_commit_removes_is_not_pushed_unseen() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let far = home.folder("far");
    home.git(&far, &["init", "-q", "--bare"]);
    home.git(&repo, &["remote", "add", "origin", "../far"]);
    let installed = home.cv(&repo, &["hook", "install", "pre-push"]);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    commit(&home, &repo, "debug = 0\nverbose = 1\n");
    let clean = push(&home, &repo, &[]);
    assert_eq!(clean.code, Some(0), "{clean:?}");

    // In parts, so that no scanner takes this file for a leak.
    let key = format!("wJal{}9dKq", "rXUtnFEMIK7MDENGbPxRfiCYzq8sT2v");
    let text = format!("debug = 0\naws_secret_access_key = \"{key}\"\n");
    commit(&home, &repo, &text);
    commit(&home, &repo, "debug = 0\nverbose = 2\n");
    let stopped = push(&home, &repo, &[]);
    assert_ne!(stopped.code, Some(0), "{stopped:?}");
    assert!(stopped.err.contains("settings.py:2"), "{stopped:?}");
    assert!(
        stopped.err.contains("In a commit of this push"),
        "{stopped:?}"
    );
    assert!(!stopped.err.contains(&key), "{stopped:?}");
    let skipped = push(&home, &repo, &[("CV_SKIP", "1")]);
    assert_eq!(skipped.code, Some(0), "{skipped:?}");
}
