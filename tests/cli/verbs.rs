//! Verbs from the outside: each says its way back, and the offline ones work when nothing else
//! does.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::Value;

use super::three_lines;
use crate::harness::{
    binaries,
    home::{Home, Ran},
    process::run,
    repository::{self, write},
    skip,
};

fn commit(home: &Home, repo: &Path, variables: &[(&str, &str)]) -> Ran {
    let path = std::env::var("PATH").expect("a PATH");
    let mut git = home.command("git");
    git.current_dir(repo)
        .args(["commit", "-q", "-m", "Try"])
        .env("PATH", format!("{}:{path}", binaries().display()))
        .envs(variables.iter().copied());
    run(&mut git, b"")
}

#[test]
fn a_hook_stops_a_bad_commit_and_is_never_in_the_way() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let installed = home.cv(&repo, &["hook", "install", "pre-commit"]);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let hook = repo.join(".git/hooks/pre-commit");
    assert!(fs::metadata(&hook).expect("the hook").permissions().mode() & 0o100 != 0);
    let told = format!("{}{}", installed.out, installed.err);
    assert!(
        told.contains("cv hook uninstall") || told.contains("cv undo"),
        "{told}"
    );

    write(&repo, "good.py", "x = 1\n");
    home.git(&repo, &["add", "."]);
    let good = commit(&home, &repo, &[]);
    assert_eq!(good.code, Some(0), "{good:?}");

    write(
        &repo,
        "bad.py",
        "import requests\np = requests.get(u, verify=False)\n",
    );
    home.git(&repo, &["add", "."]);
    let bad = commit(&home, &repo, &[]);
    assert_ne!(bad.code, Some(0), "{bad:?}");
    assert!(
        format!("{}{}", bad.out, bad.err).contains("TLS verification turned off"),
        "{bad:?}"
    );
    assert!(
        bad.err.contains("CV_SKIP=1") || bad.out.contains("CV_SKIP=1"),
        "it names its way around: {bad:?}"
    );

    // No daemon can be had: the commit goes through, and says so.
    let mut stop = home.cv_command(&repo, &["stop"]);
    assert_eq!(run(&mut stop, b"").code, Some(0));
    let nowhere = home.everything().join("file-not-folder");
    fs::write(&nowhere, "").expect("a file");
    let nowhere = nowhere.to_str().expect("UTF-8");
    let unreachable = commit(&home, &repo, &[("CONVERGIO_HOME", nowhere)]);
    assert_eq!(unreachable.code, Some(0), "{unreachable:?}");

    write(
        &repo,
        "worse.py",
        "import requests\nq = requests.get(u, verify=False)\n",
    );
    home.git(&repo, &["add", "."]);
    assert_ne!(commit(&home, &repo, &[]).code, Some(0));
    let skipped = commit(&home, &repo, &[("CV_SKIP", "1")]);
    assert_eq!(skipped.code, Some(0), "{skipped:?}");
}

#[test]
fn a_hook_of_somebody_else_is_left_alone() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let hook = repo.join(".git/hooks/pre-push");
    fs::create_dir_all(hook.parent().expect("a folder")).expect("a folder");
    fs::write(&hook, "#!/bin/sh\nexit 0\n").expect("a file");
    let refused = home.cv(&repo, &["hook", "install", "pre-push"]);
    three_lines(&refused, 2);
    assert_eq!(
        fs::read_to_string(&hook).expect("the hook"),
        "#!/bin/sh\nexit 0\n"
    );
}

#[test]
fn settings_are_changed_explained_and_taken_back() {
    let home = Home::new();
    let folder = home.path();
    let get = |key: &str| home.cv(&folder, &["config", "get", key]);
    assert!(get("review.max_findings").out.contains("10"));
    let set = home.cv(&folder, &["config", "set", "review.max_findings", "3"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    assert!(
        format!("{}{}", set.out, set.err).contains("cv undo"),
        "{set:?}"
    );
    assert!(get("review.max_findings").out.contains('3'));
    let explained = home.cv(&folder, &["config", "explain", "review.max_findings"]);
    assert!(
        explained.out.contains("config.toml") && explained.out.contains("default"),
        "{explained:?}"
    );
    let undone = home.cv(&folder, &["undo"]);
    assert_eq!(undone.code, Some(0), "{undone:?}");
    assert!(get("review.max_findings").out.contains("10"));
    three_lines(
        &home.cv(&folder, &["config", "set", "review.max_findings", "many"]),
        2,
    );
    three_lines(
        &home.cv(&folder, &["config", "set", "review.max_fidnings", "3"]),
        2,
    );
    three_lines(
        &home.cv(&folder, &["config", "get", "review.max_fidnings"]),
        2,
    );
    let path = home.cv(&folder, &["config", "path"]);
    assert_eq!(
        path.out.trim(),
        home.convergio()
            .join("config/config.toml")
            .display()
            .to_string()
    );
}

#[test]
fn a_clients_variables_are_its_own_settings() {
    let home = Home::new();
    let folder = home.folder("w");
    home.cv(&folder, &["status"]);
    let mut command = home.cv_command(&folder, &["review"]);
    command.env("CONVERGIO_REVIEW_FAIL_ON", "major");
    let ran = run(&mut command, crate::harness::diffs::SMALL.as_bytes());
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn broken_settings_do_not_lock_anybody_out() {
    let home = Home::new();
    let folder = home.folder("w");
    let config = home.convergio().join("config");
    fs::create_dir_all(&config).expect("a folder");
    fs::write(config.join("config.toml"), "[review\nstrict = maybe\n").expect("a file");
    let doctor = home.cv(&folder, &["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.out.contains("config.toml"), "{doctor:?}");
    assert_eq!(home.cv(&folder, &["logs"]).code, Some(0));
    let path = home.cv(&folder, &["config", "path"]);
    assert_eq!(path.code, Some(0), "{path:?}");
    assert_eq!(
        path.out.trim(),
        config.join("config.toml").display().to_string()
    );
    let reviewed = home.cv_with_input(
        &folder,
        &["review"],
        crate::harness::diffs::SMALL.as_bytes(),
    );
    three_lines(&reviewed, 2);
    assert!(reviewed.err.contains("config.toml"), "{reviewed:?}");
}

#[test]
fn a_damaged_database_is_said_with_its_way_out() {
    let home = Home::new();
    let folder = home.folder("w");
    home.cv_with_input(
        &folder,
        &["review"],
        crate::harness::diffs::SMALL.as_bytes(),
    );
    home.cv(&folder, &["stop"]);
    let data = home.convergio().join("data");
    let database = data.join("core.db");
    let mut bytes = fs::read(&database).expect("the database");
    bytes[..200].fill(b'x');
    fs::write(&database, bytes).expect("the database");
    for name in ["core.db-wal", "core.db-shm"] {
        let _ = fs::remove_file(data.join(name));
    }
    let doctor = home.cv(&folder, &["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.out.contains("core.db"), "{doctor:?}");
    assert_eq!(home.cv(&folder, &["logs"]).code, Some(0));
    let json = home.cv(&folder, &["doctor", "--format", "json"]);
    let document: Value = serde_json::from_str(&json.out).unwrap_or_else(|_| panic!("{json:?}"));
    let checks = document["checks"].as_array().expect("checks");
    for check in checks.iter().filter(|check| check["state"] == "error") {
        assert!(
            !check["fix"].as_str().unwrap_or_default().is_empty(),
            "{check}"
        );
    }
    let reviewed = home.cv_with_input(
        &folder,
        &["review"],
        crate::harness::diffs::SMALL.as_bytes(),
    );
    three_lines(&reviewed, 7);
}

#[test]
fn a_backup_is_restored_after_damage() {
    let home = Home::new();
    let folder = home.folder("w");
    home.cv_with_input(
        &folder,
        &["review"],
        crate::harness::diffs::SMALL.as_bytes(),
    );
    let to = home.everything().join("kept.db");
    let to = to.to_str().expect("UTF-8");
    let kept = home.cv(&folder, &["backup", to]);
    assert_eq!(kept.code, Some(0), "{kept:?}");
    home.cv(&folder, &["stop"]);
    fs::write(home.convergio().join("data/core.db"), "damaged").expect("a file");
    let restored = home.cv(&folder, &["restore", to]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    let replayed = home.cv(&folder, &["review", "--replay"]);
    assert!(replayed.out.contains("pay/client.py:5"), "{replayed:?}");
}

#[test]
fn logs_tell_what_the_daemon_did() {
    let home = Home::new();
    let folder = home.folder("w");
    home.cv(&folder, &["status"]);
    let ran = home.cv(&folder, &["logs", "-n", "20"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("serving"), "{ran:?}");
}

#[test]
fn wrong_use_is_2_in_three_lines() {
    let home = Home::new();
    let folder = home.folder("w");
    for arguments in [
        &["reveiw"][..],
        &["review", "--format", "pdf"],
        &["review", "--fail-on", "sometimes"],
        &["fix"],
        &["fix", "1"],
        &["fix", "zero"],
        &["allow", "1"],
        &["allow", "1", ""],
        &["attach", "not-a-run"],
        &["attach", "01900000-0000-7000-8000-000000000000"],
        &["runs", "show", "01900000-0000-7000-8000-000000000000"],
        &["config", "get", "no.such"],
        &["undo"],
        &["hook", "install", "pre-commit"],
    ] {
        let ran = home.cv(&folder, arguments);
        three_lines(&ran, 2);
        assert_eq!(ran.out, "", "{arguments:?}: {ran:?}");
    }
}

#[test]
fn rules_that_nobody_knows_are_refused_whatever_there_is_to_review() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let empty = home.cv(&repo, &["review", "--rules", "secert"]);
    three_lines(&empty, 2);
    assert!(
        empty.err.contains("`cv review --rules secret`"),
        "{empty:?}"
    );
    assert!(empty.err.contains("tls-verification-off"), "{empty:?}");
    let piped = home.cv_with_input(&repo, &["review", "--rules", "secert"], b"");
    three_lines(&piped, 2);
    let known = home.cv(&repo, &["review", "--rules", "secret"]);
    assert_eq!(known.code, Some(0), "{known:?}");
    assert!(known.out.starts_with("Nothing to review"), "{known:?}");
}

#[test]
fn a_path_is_told_from_a_revision() {
    let home = Home::new();
    let shop = repository::shop(&home);
    for path in ["README.md", "pay/client.py", ".", "./pay"] {
        let ran = home.cv(&shop, &["review", path]);
        three_lines(&ran, 2);
        let offered = format!("`git diff HEAD -- {path} | cv review`");
        assert!(ran.err.contains(&offered), "{ran:?}");
    }
    let ran = home.cv(&shop, &["review", "../nowhere"]);
    three_lines(&ran, 2);
    let above = home.cv(&shop.join("pay"), &["review", "../README.md"]);
    assert!(above.err.contains("is a file"), "{above:?}");
}

#[test]
fn after_an_ephemeral_review_no_number_is_offered() {
    let home = Home::new();
    let shop = repository::shop(&home);
    let ran = home.cv(&shop, &["review", "--ephemeral"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("pay/client.py:5"), "{ran:?}");
    assert!(ran.err.contains("not kept"), "{ran:?}");
    assert!(
        !ran.err.contains("Fix:") && !ran.err.contains("Silence:"),
        "{ran:?}"
    );
}

#[test]
fn completions_are_programs_that_parse() {
    let home = Home::new();
    let folder = home.path();
    for (shell, check) in [
        ("bash", Some(["bash", "-n"])),
        ("zsh", Some(["zsh", "-n"])),
        ("fish", Some(["fish", "-n"])),
        ("nushell", None),
        ("powershell", None),
    ] {
        let ran = home.cv(&folder, &["completions", shell]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains("review"), "{shell}");
        let Some([program, option]) = check else {
            continue;
        };
        if !skip::has_program(program) {
            skip::loudly(&format!("the completions for {shell}"), program);
            continue;
        }
        let file = home.everything().join(format!("completions.{shell}"));
        fs::write(&file, &ran.out).expect("a file");
        let checked = Command::new(program)
            .arg(option)
            .arg(&file)
            .output()
            .expect("it runs");
        assert!(checked.status.success(), "{checked:?}");
    }
}

#[test]
fn help_holds_the_table_of_exit_codes() {
    let home = Home::new();
    let folder = home.path();
    for arguments in [&["--help"][..], &["review", "--help"]] {
        let ran = home.cv(&folder, arguments);
        assert_eq!(ran.code, Some(0));
        for code in ["124", "130", "70"] {
            assert!(ran.out.contains(code), "{ran:?}");
        }
    }
}

#[test]
fn from_a_subfolder_paths_are_those_of_the_repository() {
    let home = Home::new();
    let shop = repository::shop(&home);
    let below = shop.join("pay");
    let diff = home.git(&below, &["diff"]);
    let piped = home.cv_with_input(&below, &["review"], diff.as_bytes());
    assert!(
        piped.out.contains("\npay/client.py:5") || piped.out.starts_with("pay/client.py:5"),
        "{piped:?}"
    );
    let asked = home.cv(&below, &["review"]);
    assert!(asked.out.starts_with("pay/client.py:5"), "{asked:?}");
    let fixed = home.cv(&below, &["fix", "1"]);
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    let text = fs::read_to_string(shop.join("pay/client.py")).expect("the file");
    assert!(!text.contains("verify=False"));
}

#[test]
fn without_its_daemon_beside_it_cv_says_so() {
    let home = Home::new();
    let alone = home.folder("alone");
    fs::copy(binaries().join("cv"), alone.join("cv")).expect("a program");
    let mut command = home.command(alone.join("cv"));
    let ran = run(
        command.arg("review"),
        crate::harness::diffs::SMALL.as_bytes(),
    );
    three_lines(&ran, 7);
    assert!(ran.err.contains("convergiod"), "{ran:?}");
}

#[test]
fn without_git_a_diff_is_reviewed_all_the_same() {
    let home = Home::new();
    let repo = repository::shop(&home);
    let empty = home.folder("empty");
    let mut piped = home.cv_command(&repo, &["review"]);
    piped.env("PATH", &empty);
    let ran = run(&mut piped, crate::harness::diffs::SMALL.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut asked = home.cv_command(&repo, &["review", "--no-stdin"]);
    asked.env("PATH", &empty);
    let ran = run(&mut asked, b"");
    three_lines(&ran, 2);
    assert!(ran.err.contains("git"), "{ran:?}");
}

#[test]
fn errors_in_json_are_json_alone() {
    let home = Home::new();
    let folder = home.folder("w");
    let unknown = "01900000-0000-7000-8000-000000000000";
    for arguments in [
        &["runs", "show", unknown, "--format", "json"][..],
        &["config", "get", "no.such", "--format", "json"],
        &["attach", unknown, "--format", "json"],
        &["review", "--replay", "--format", "json"],
    ] {
        let ran = home.cv(&folder, arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
        assert_eq!(document["v"], 1, "{document}");
        for field in ["slug", "message", "why", "hint"] {
            assert!(document["error"][field].is_string(), "{document}");
        }
    }
}

#[test]
fn the_log_is_rotated_and_bounded() {
    let home = Home::new();
    let folder = home.folder("w");
    let config = home.convergio().join("config");
    fs::create_dir_all(&config).expect("a folder");
    let text = "[log]\nlevel = \"trace\"\nmax_bytes = 65536\nkeep_files = 2\n";
    fs::write(config.join("config.toml"), text).expect("a file");
    let mut wire = {
        home.cv(&folder, &["status"]);
        crate::harness::wire::Wire::open(&home)
    };
    for _ in 0..3_000 {
        wire.call("no.such", serde_json::json!({}));
    }
    let mut files = 0;
    for entry in fs::read_dir(home.convergio().join("state")).expect("a folder") {
        let entry = entry.expect("a file");
        files += 1;
        let bytes = entry.metadata().expect("a file").len();
        assert!(
            bytes <= 65_536 + 4_096,
            "{:?} holds {bytes} bytes",
            entry.file_name()
        );
    }
    assert!((2..=3).contains(&files), "{files} files");
    let logs = home.cv(&folder, &["logs", "-n", "500"]);
    assert_eq!(logs.out.lines().count(), 500, "lines across files");
}
