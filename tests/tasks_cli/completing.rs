//! Completions of numbers and tags in real shells.

use super::{User, WHEN};
use crate::harness::{
    binaries,
    home::Ran,
    process::{lives, run},
    skip,
};

fn filled() -> User {
    let user = User::new("en_GB.UTF-8");
    user.ok(&[
        "remind",
        "call Mario",
        WHEN,
        "--tag",
        "work",
        "--project",
        "garden",
    ]);
    user.ok(&[
        "task",
        "add",
        "evil $(touch pwned) `touch pwned`",
        "--tag",
        "shop",
    ]);
    user
}

fn shell(user: &User, program: &str, arguments: &[&str]) -> Option<Ran> {
    if !skip::has_program(program) {
        skip::loudly("completions", program);
        return None;
    }
    let path = std::env::var("PATH").expect("a PATH");
    let mut command = user.home.command(program);
    command
        .args(arguments)
        .env("PATH", format!("{}:{path}", binaries().display()))
        .current_dir(user.folder());
    Some(run(&mut command, b""))
}

#[test]
fn what_a_shell_asks_starts_no_daemon_and_says_nothing_of_trouble() {
    let user = User::new("en_GB.UTF-8");
    for what in ["tasks", "tags", "projects"] {
        let ran = user.cv(&["complete", what]);
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (Some(0), "", "")
        );
    }
    assert!(
        user.home.owner().is_none_or(|pid| !lives(pid)),
        "no daemon was started"
    );
}

#[test]
fn numbers_come_with_their_titles_and_words_that_a_shell_would_read_are_left_out() {
    let user = filled();
    let tasks = user.ok(&["complete", "tasks"]);
    assert!(tasks.lines().any(|line| line == "1\tcall Mario"), "{tasks}");
    user.ok(&["task", "edit", "2", "--tag", "a;b", "--tag", "x$(y)"]);
    assert_eq!(user.ok(&["complete", "tags"]), "shop\nwork\n");
    assert_eq!(user.ok(&["complete", "projects"]), "garden\n");
}

#[test]
fn bash_completes_numbers_tags_and_projects() {
    let user = filled();
    let script = r#"
        source <(cv completions bash)
        words() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=${TYPE:-9}; COMPREPLY=()
            _cv_and_known cv "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            local IFS='|'; echo "${COMPREPLY[*]}"
        }
        words cv task done ''
        TYPE=63 words cv task done 1
        words cv tasks +w
        words cv -q task edit 1 --tag s
        words cv remind x --project ''
        words cv task sn
        words cv task done --for-
    "#;
    let Some(ran) = shell(&user, "bash", &["--norc", "-c", script]) else {
        return;
    };
    let said: Vec<&str> = ran.out.lines().collect();
    assert_eq!(said.len(), 7, "{ran:?}");
    let mut numbers: Vec<&str> = said[0].split('|').collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["1", "2"], "{ran:?}");
    assert_eq!(
        said[1..],
        [
            "1  call Mario",
            "+work",
            "shop",
            "garden",
            "snooze",
            "--for-good"
        ],
        "{ran:?}"
    );
    assert!(!user.folder().join("pwned").exists());
}

#[test]
fn fish_completes_numbers_with_titles() {
    let user = filled();
    let script = "cv completions fish | source; complete -C 'cv task done '; \
                  complete -C 'cv remind x --tag '; complete -C 'cv tasks +'";
    let Some(ran) = shell(&user, "fish", &["--no-config", "-c", script]) else {
        return;
    };
    for line in ["1\tcall Mario", "work", "+shop"] {
        assert!(ran.out.lines().any(|said| said == line), "{line}: {ran:?}");
    }
    assert!(!user.folder().join("pwned").exists());
}

#[test]
fn zsh_takes_the_script() {
    let user = filled();
    let script = r#"
        autoload -U compinit; compinit -D -u
        source <(cv completions zsh)
        [[ $_comps[cv] == _cv ]] && echo bound
        _describe() { print -l -- "${(@P)5}" }
        words=(cv task done ''); CURRENT=4
        _cv
        words=(cv tasks +); CURRENT=3
        _cv
    "#;
    let Some(ran) = shell(&user, "zsh", &["-f", "-c", script]) else {
        return;
    };
    for line in ["bound", "1:call Mario", "+work"] {
        assert!(ran.out.lines().any(|said| said == line), "{line}: {ran:?}");
    }
    assert!(!user.folder().join("pwned").exists());
}
