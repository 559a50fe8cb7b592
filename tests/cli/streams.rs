//! stdin, stdout, stderr and terminals.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use super::three_lines;
use crate::harness::{
    binaries, diffs,
    home::Home,
    process::{finish, readable_within, run, signal},
    repository, terminal,
};

#[test]
fn a_diff_on_stdin_is_reviewed_and_the_answer_is_alone_on_stdout() {
    let home = Home::new();
    let folder = home.folder("w");
    let ran = home.cv_with_input(&folder, &["review"], diffs::SMALL.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out
            .contains("pay/client.py:5  critical  TLS verification turned off"),
        "{ran:?}"
    );
    assert!(ran.out.contains("2 findings"), "{ran:?}");
    assert!(
        ran.err.contains("stdin") && ran.err.contains("cv review --help"),
        "{ran:?}"
    );
    assert!(
        !ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'),
        "{ran:?}"
    );
    let quiet = home.cv_with_input(&folder, &["review", "-q"], diffs::SMALL.as_bytes());
    assert_eq!(quiet.err, "", "{quiet:?}");
}

#[test]
fn dev_null_means_the_repository() {
    let home = Home::new();
    let shop = repository::shop(&home);
    let ran = home.cv(&shop, &["review"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err.contains("3 files changed since HEAD (2 unstaged)"),
        "{ran:?}"
    );
    assert!(ran.out.contains("2 findings · 3/3 files"), "{ran:?}");
    let staged = home.cv(&shop, &["review", "--staged"]);
    assert!(staged.out.contains("No findings · 1/1 files"), "{staged:?}");
}

/// cv with a pipe on stdin that never closes.
fn with_an_open_pipe(
    home: &Home,
    folder: &std::path::Path,
    arguments: &[&str],
) -> crate::harness::home::Ran {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = home.cv_command(folder, arguments);
    command
        .stdin(reader)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    let ran = finish(child, &command);
    drop(writer);
    ran
}

#[test]
fn what_names_a_revision_never_reads_stdin() {
    let home = Home::new();
    let shop = repository::shop(&home);
    for arguments in [
        &["review", "--staged"][..],
        &["review", "HEAD"],
        &["review", "--base", "HEAD"],
        &["review", "--no-stdin"],
        &["review", "HEAD..HEAD"],
    ] {
        let ran = with_an_open_pipe(&home, &shop, arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_pipe_that_never_closes_ends_with_the_timeout() {
    let home = Home::new();
    let shop = repository::shop(&home);
    for arguments in [
        &["review", "--timeout", "300ms"][..],
        &["review", "-", "--timeout", "300ms"],
    ] {
        let asked = Instant::now();
        let ran = with_an_open_pipe(&home, &shop, arguments);
        three_lines(&ran, 124);
        assert_eq!(ran.out, "");
        assert!(asked.elapsed() < Duration::from_secs(5));
    }
    let arguments = ["review", "--format", "json", "--timeout", "300ms"];
    let ran = with_an_open_pipe(&home, &shop, &arguments);
    let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(document["complete"], false);
    assert_eq!(document["error"]["exit_code"], 124);
    assert_eq!(ran.code, Some(124));
}

#[test]
fn head_ends_it_quietly() {
    let home = Home::new();
    let folder = home.folder("w");
    std::fs::write(folder.join("big.diff"), diffs::with_findings(2_000)).expect("a file");
    for format in ["text", "ndjson", "json", "vim"] {
        let script = format!(
            "\"$0\" review --format {format} <big.diff | head -1; echo \"${{PIPESTATUS[0]}}\""
        );
        let mut command = home.command("bash");
        command
            .arg("-c")
            .arg(script)
            .arg(binaries().join("cv"))
            .current_dir(&folder);
        let ran = run(&mut command, b"");
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(lines.len(), 2, "{format}: {ran:?}");
        assert_eq!(lines[1], "0", "{format}: {ran:?}");
        assert!(
            !ran.err.contains("panic") && !ran.err.contains("error"),
            "{format}: {ran:?}"
        );
    }
}

#[test]
fn a_full_device_is_said_and_exits_70() {
    let home = Home::new();
    let folder = home.folder("w");
    for arguments in [
        &["review"][..],
        &["review", "--format", "json"],
        &["review", "--format", "ndjson"],
        &["status"],
        &["--help"],
        &["completions", "bash"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let mut command = home.cv_command(&folder, arguments);
        let file = home.everything().join("in.diff");
        std::fs::write(&file, diffs::SMALL).expect("a file");
        command
            .stdin(std::fs::File::open(&file).expect("a file"))
            .stdout(full)
            .stderr(Stdio::piped());
        let child = command.spawn().expect("cv starts");
        let ran = finish(child, &command);
        three_lines(&ran, 70);
    }
}

#[test]
fn outside_of_a_repository_it_says_what_to_do() {
    let home = Home::new();
    let folder = home.folder("plain");
    let ran = home.cv(&folder, &["review"]);
    three_lines(&ran, 2);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("not inside a git repository"), "{ran:?}");
    let json = home.cv(&folder, &["review", "--format", "json"]);
    let document: Value = serde_json::from_str(&json.out).unwrap_or_else(|_| panic!("{json:?}"));
    assert_eq!(document["error"]["slug"], "not_a_repository");
}

#[test]
fn an_empty_diff_is_an_empty_state() {
    let home = Home::new();
    let repo = repository::empty(&home, "r");
    let piped = home.cv_with_input(&repo, &["review"], b"");
    assert_eq!(piped.code, Some(0), "{piped:?}");
    assert!(
        piped.out.contains("Nothing to review: stdin was empty.")
            && piped.out.contains("cv review --staged"),
        "{piped:?}"
    );
    let clean = home.cv(&repo, &["review"]);
    assert_eq!(clean.code, Some(0), "{clean:?}");
    assert!(clean.out.contains("Nothing to review"), "{clean:?}");
    for format in [
        "json", "ndjson", "sarif", "rdjson", "rdjsonl", "github", "vim",
    ] {
        let ran = home.cv_with_input(&repo, &["review", "--format", format], b"");
        assert_eq!(ran.code, Some(0), "{format}: {ran:?}");
    }
}

#[test]
fn what_is_no_diff_is_not_taken_for_a_clean_one() {
    let home = Home::new();
    let folder = home.folder("w");
    let ran = home.cv_with_input(&folder, &["review"], b"hello, this is no diff\nat all\n");
    assert!(ran.code != Some(0), "{ran:?}");
}

#[test]
fn a_terminal_of_20_columns_is_enough() {
    let home = Home::new();
    let shop = repository::shop(&home);
    for arguments in [
        &["review"][..],
        &["status"],
        &["runs"],
        &["doctor"],
        &[],
        &["config", "get"],
        &["review", "nonsense"],
    ] {
        let shown = terminal::run(home.cv_command(&shop, arguments), 20);
        assert!(!shown.seen.contains("panic"), "{}", shown.seen);
        for line in shown.seen.lines() {
            let wide = line.chars().count();
            // A path that is broken up is of no use.
            let one_word = !line.trim().contains(' ');
            assert!(
                wide <= 20 || one_word,
                "{arguments:?}: {wide} columns: {line}"
            );
        }
    }
}

fn coloured(text: &str) -> bool {
    // Erasing the spinner is no colour.
    text.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|letter: char| letter.is_ascii_alphabetic());
        end.is_some_and(|end| rest[end..].starts_with('m') && !matches!(&rest[..end], "" | "0"))
    })
}

#[test]
fn colour_is_for_terminals_and_may_be_refused_or_forced() {
    let home = Home::new();
    let shop = repository::shop(&home);
    let on_terminal = |variable: Option<(&str, &str)>, arguments: &[&str]| {
        let mut command = home.cv_command(&shop, arguments);
        command.envs(variable);
        coloured(&terminal::run(command, 80).raw)
    };
    assert!(on_terminal(None, &["review"]));
    assert!(!on_terminal(Some(("NO_COLOR", "1")), &["review"]));
    assert!(on_terminal(Some(("NO_COLOR", "")), &["review"]));
    assert!(!on_terminal(None, &["review", "--color", "never"]));

    let in_pipe = |variable: Option<(&str, &str)>, arguments: &[&str]| {
        let mut command = home.cv_command(&shop, arguments);
        command.envs(variable);
        coloured(&run(&mut command, diffs::SMALL.as_bytes()).out)
    };
    assert!(!in_pipe(None, &["review"]));
    assert!(in_pipe(Some(("CLICOLOR_FORCE", "1")), &["review"]));
    assert!(in_pipe(None, &["review", "--color", "always"]));
}

#[test]
fn ctrl_c_is_130() {
    let home = Home::new();
    let folder = home.folder("w");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let (progress, told) = std::io::pipe().expect("a pipe");
    let mut command = home.cv_command(&folder, &["review"]);
    command.stdin(reader).stdout(Stdio::piped()).stderr(told);
    let child = command.spawn().expect("cv starts");
    // It says what it waits for: from then on it listens for the signal.
    assert!(readable_within(&progress, Duration::from_secs(20)));
    signal(child.id(), Signal::INT);
    let ran = finish(child, &command);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    drop(writer);
}

#[test]
fn a_closed_stdout_is_an_error_and_dev_null_is_none() {
    let home = Home::new();
    let shop = repository::shop(&home);
    let cv = binaries().join("cv");
    let cv = cv.to_str().expect("UTF-8");
    for arguments in ["review", "review --format json", "--version", "config path"] {
        let ended = |redirection: &str| {
            let mut shell = home.command("sh");
            shell
                .current_dir(&shop)
                .args(["-c", &format!("exec '{cv}' {arguments} {redirection}")]);
            run(&mut shell, b"")
        };
        let closed = ended(">&- </dev/null");
        three_lines(&closed, 70);
        assert!(closed.err.contains("stdout is closed"), "{closed:?}");
        // Programs open it for both directions to throw an answer away.
        for kept in [">/dev/null", "1<>/dev/null"] {
            let ran = ended(&format!("{kept} </dev/null"));
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
    }
}
