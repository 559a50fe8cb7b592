//! Repositories and diffs that were made to hurt.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use crate::harness::{
    home::Home,
    process::run,
    repository::{self, write},
    terminal,
};

/// A program that leaves a trace when anything runs it.
fn trap(home: &Home) -> (PathBuf, PathBuf) {
    let trace = home.everything().join("trace");
    let program = home.everything().join("trap.sh");
    let text = format!(
        "#!/bin/sh\necho \"$0 $*\" >>'{}'\ncat 2>/dev/null\n",
        trace.display()
    );
    fs::write(&program, text).expect("a file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    (program, trace)
}

/// Every setting that makes git run something, pointing at the trap.
fn poison(home: &Home, repo: &Path, program: &Path) {
    let program = program.to_str().expect("UTF-8");
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "core.gitProxy",
        "pager.diff",
        "pager.status",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "filter.e.v.i.l.clean",
        "gpg.program",
        "credential.helper",
        "interactive.diffFilter",
        "uploadpack.packObjectsHook",
        "trace2.eventTarget",
    ] {
        home.git(repo, &["config", key, program]);
    }
    home.git(repo, &["config", "filter.evil.required", "true"]);
    home.git(repo, &["config", "log.showSignature", "true"]);
    home.git(repo, &["config", "core.hooksPath", "hooks"]);
    for hooks in ["hooks", ".git/hooks"] {
        let folder = repo.join(hooks);
        fs::create_dir_all(&folder).expect("a folder");
        for hook in [
            "post-index-change",
            "pre-commit",
            "post-checkout",
            "reference-transaction",
            "fsmonitor-watchman",
        ] {
            fs::copy(program, folder.join(hook)).expect("a hook");
        }
    }
}

#[test]
fn nothing_of_a_hostile_repository_runs() {
    let home = Home::new();
    let (program, trace) = trap(&home);
    let repo = repository::shop(&home);
    write(
        &repo,
        ".gitattributes",
        "* diff=evil filter=evil\n*.md filter=e.v.i.l\n",
    );
    home.git(&repo, &["add", ".gitattributes"]);

    // A repository inside of it, with settings of its own that git would follow.
    let inner = repo.join("inner");
    fs::create_dir(&inner).expect("a folder");
    home.git(&inner, &["init", "-q"]);
    write(&inner, "a.py", "x = 1\n");
    home.git(&inner, &["add", "."]);
    home.git(&inner, &["commit", "-q", "-m", "Inner"]);
    let head = home.git(&inner, &["rev-parse", "HEAD"]);
    let link = format!("160000,{},inner", head.trim());
    home.git(&repo, &["update-index", "--add", "--cacheinfo", &link]);
    home.git(
        &repo,
        &[
            "commit",
            "-q",
            "-m",
            "With an inner one",
            "--",
            ".gitattributes",
            "inner",
        ],
    );
    write(&inner, "a.py", "x = 2\n");
    poison(&home, &inner, &program);
    poison(&home, &repo, &program);
    write(&repo, "untracked.py", "y = eval(input())\n");

    for arguments in [
        &["review"][..],
        &["review", "--staged"],
        &["review", "--base", "HEAD~1"],
        &["review", "HEAD~1"],
        &["review", "HEAD~1..HEAD"],
        &["review", "HEAD~1...HEAD"],
        &["review", "--replay"],
        &["fix", "1"],
        &["undo"],
        &["allow", "1", "why"],
        &["undo"],
        &["status"],
        &["doctor"],
        &[],
    ] {
        let ran = home.cv(&repo, arguments);
        assert!(
            !trace.exists(),
            "{arguments:?} ran {}",
            fs::read_to_string(&trace).unwrap_or_default()
        );
        assert!(
            ran.code.is_some_and(|code| code != 70),
            "{arguments:?}: {ran:?}"
        );
    }
    let ran = home.cv(&repo, &["review"]);
    assert!(
        ran.out.contains("pay/client.py:5") && ran.out.contains("untracked.py"),
        "{ran:?}"
    );
    terminal::run(home.cv_command(&repo, &["review"]), 80);
    let inside = home.cv(&inner, &["review"]);
    assert_eq!(inside.code, Some(0), "{inside:?}");
    assert!(
        !trace.exists(),
        "a terminal ran {}",
        fs::read_to_string(&trace).unwrap_or_default()
    );
}

#[test]
fn a_name_is_never_an_option() {
    let home = Home::new();
    let repo = repository::shop(&home);
    let written = home.everything().join("written");
    let option = format!("--output={}", written.display());
    for arguments in [
        &["review", "--", &option][..],
        &["review", "--base", &option],
        &["review", &format!("{option}..HEAD")],
    ] {
        let ran = home.cv(&repo, arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(!written.exists());
    }
}

const HOSTILE: &str = "p\n::error::x\u{1b}[31m\u{7}\u{202e}.py";

fn harmless(text: &str, what: &str) {
    for letter in ['\u{1b}', '\u{7}', '\u{202e}', '\u{2066}', '\r'] {
        assert!(!text.contains(letter), "{what}: {text:?}");
    }
}

#[test]
fn names_and_code_of_others_reach_the_terminal_escaped() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let code = "import requests\npage = requests.get(u, verify=False)  # \u{1b}]0;title\u{7} \u{202e} x\rhidden\n";
    fs::write(repo.join(OsStr::from_bytes(HOSTILE.as_bytes())), code).expect("a file");
    fs::write(repo.join("plain.py"), code).expect("a file");
    for format in ["text", "md", "github", "vim"] {
        for more in [&[][..], &["-v"]] {
            let mut arguments = vec!["review", "--format", format];
            arguments.extend_from_slice(more);
            let ran = home.cv(&repo, &arguments);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            harmless(&ran.out, format);
            harmless(&ran.err, format);
            assert!(ran.out.contains("plain.py"), "{ran:?}");
            if format == "github" {
                let forged = ran.out.lines().any(|line| line.starts_with("::error::x"));
                assert!(!forged, "{}", ran.out);
            }
        }
    }
    // On a terminal there are control sequences, of ours alone.
    let shown = terminal::run(home.cv_command(&repo, &["review", "-v"]), 80);
    assert!(
        !shown.raw.contains('\u{7}') && !shown.raw.contains('\u{202e}'),
        "{:?}",
        shown.raw
    );
    assert!(!shown.raw.contains("\u{1b}]"), "{:?}", shown.raw);
    for verb in [
        &["runs"][..],
        &["status"],
        &["review", "--replay"],
        &["logs", "-n", "50"],
    ] {
        let ran = home.cv(&repo, verb);
        harmless(&ran.out, verb[0]);
        harmless(&ran.err, verb[0]);
    }
}

#[test]
fn a_diff_cannot_make_fix_write_elsewhere() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let outside = home.everything().join("outside.py");
    let line = "page = requests.get(u, verify=False)\n";
    fs::write(&outside, format!("import requests\n{line}")).expect("a file");
    std::os::unix::fs::symlink(&outside, repo.join("link.py")).expect("a link");
    std::os::unix::fs::symlink(home.everything(), repo.join("up")).expect("a link");
    fs::create_dir(repo.join(".git/x")).expect("a folder");
    fs::write(repo.join(".git/x/a.py"), format!("import requests\n{line}")).expect("a file");
    for path in [
        "../outside.py",
        outside.to_str().expect("UTF-8"),
        "link.py",
        "up/outside.py",
        ".git/x/a.py",
        ".GIT/x/a.py",
    ] {
        let diff = format!("--- a/{path}\n+++ b/{path}\n@@ -1 +1,2 @@\n import requests\n+{line}");
        let reviewed = home.cv_with_input(&repo, &["review"], diff.as_bytes());
        if reviewed.code == Some(0) && !reviewed.out.contains("critical") {
            continue;
        }
        let fixed = home.cv(&repo, &["fix", "1"]);
        assert_ne!(fixed.code, Some(0), "{path}: {fixed:?}");
        for file in [&outside, &repo.join(".git/x/a.py")] {
            let text = fs::read_to_string(file).expect("a file");
            assert!(text.contains("verify=False"), "{path} was written");
        }
    }
}

#[test]
fn a_silence_that_the_change_adds_is_counted_and_not_obeyed() {
    let home = Home::new();
    let repo = repository::shop(&home);
    home.cv(&repo, &["review"]);
    assert_eq!(home.cv(&repo, &["allow", "2", "why"]).code, Some(0));
    let silences = fs::read_to_string(repo.join(".convergio/review.toml")).expect("the silence");
    assert_eq!(home.cv(&repo, &["undo"]).code, Some(0));

    // The same file as a part of the change, with another daemon that knows of no decision.
    let stranger = Home::new();
    let repo = repository::shop(&stranger);
    write(&repo, ".convergio/review.toml", &silences);
    stranger.git(&repo, &["add", "."]);
    let ran = stranger.cv(&repo, &["review"]);
    assert!(ran.out.contains("silenced by this change: 1"), "{ran:?}");

    // In the base it counts.
    stranger.git(
        &repo,
        &["commit", "-q", "-m", "Silence", "--", ".convergio"],
    );
    let ran = stranger.cv(&repo, &["review"]);
    assert!(ran.out.contains("1 finding ·"), "{ran:?}");
    assert!(!ran.out.contains("silenced by this change"), "{ran:?}");
}

#[test]
fn settings_that_lead_nowhere_stop_no_review_or_are_named() {
    let home = Home::new();
    let shop = repository::shop(&home);
    home.git(&shop, &["config", "diff.orderFile", "/nowhere"]);
    let nested = shop.join("nested");
    fs::create_dir(&nested).expect("a folder");
    home.git(&nested, &["init", "-q"]);
    home.git(&nested, &["commit", "-q", "--allow-empty", "-m", "Begin"]);
    let ran = home.cv(&shop, &["review"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("1 nested repository left out"), "{ran:?}");

    let fixed = home.cv(&shop, &["fix", "1"]);
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    let elsewhere = home.folder("elsewhere");
    let refused = home.cv(&elsewhere, &["undo"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("pay/client.py` in /"), "{refused:?}");

    let mut lost = home.cv_command(&shop, &["review", "--no-stdin"]);
    lost.env("GIT_DIR", "/nowhere");
    let ran = run(&mut lost, b"");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("GIT_DIR is set to /nowhere"), "{ran:?}");
}

#[test]
fn a_comment_that_the_change_adds_silences_openly_and_secrets_never() {
    let home = Home::new();
    let folder = home.folder("w");
    let key = ["AKIA", "Q3EGVX7WZK2MPLRT"].concat();
    let diff = format!(
        "--- a/a.py\n+++ b/a.py\n@@ -1 +1,3 @@\n import requests\n\
         +p = requests.get(u, verify=False)  # cv:allow(tls-verification-off) a test server\n\
         +KEY = \"{key}\"  # cv:allow(secret)\n"
    );
    let ran = home.cv_with_input(&folder, &["review"], diff.as_bytes());
    assert!(ran.out.contains("silenced by this change: 1"), "{ran:?}");
    assert!(
        ran.out.contains("a.py:3") && !ran.out.contains("a.py:2"),
        "{ran:?}"
    );
}
