//! Commands that print keys: what they may do, and how they end.

use std::time::Duration;

use convergio_config::secrets::Missing;

use crate::support::{Place, text};

#[expect(
    clippy::unwrap_used,
    reason = "the command is always among what was tried"
)]
async fn outcome(line: &str) -> Result<String, Missing> {
    let mut place = Place::new();
    place.key_cmd = Some(line.to_owned());
    match place.find(&place.secrets()).await {
        Ok(found) => Ok(text(&found).to_owned()),
        Err(error) => {
            let said = error.to_string();
            let (_, why) = error
                .tried
                .into_iter()
                .find(|(source, _)| source.label() == "key_cmd")
                .unwrap();
            assert!(said.contains(&why.to_string()), "{said}");
            Err(why)
        }
    }
}

#[tokio::test]
async fn one_line_is_taken_and_nothing_is_on_stdin() {
    assert_eq!(outcome("echo key-1").await.unwrap(), "key-1");
    assert_eq!(
        outcome("cat; printf '%s' \"a b\"").await.unwrap(),
        "a b",
        "a shell runs it, and stdin is empty"
    );
    assert_eq!(outcome("echo loud >&2; echo key-2").await.unwrap(), "key-2");
}

#[tokio::test]
async fn every_bad_end_is_said() {
    for (line, why) in [
        ("exit 3", "failed: it ended with 3"),
        (
            "echo no entry >&2; exit 1",
            "failed: it ended with 1: no entry",
        ),
        ("kill -9 $$", "failed: it was killed"),
        ("true", "has what can't be a key: it is empty"),
        (
            "echo a; echo b",
            "has what can't be a key: it has a line end or another control character in it",
        ),
        ("printf '\\377'", "has what can't be a key: it is not UTF-8"),
        ("yes", "failed: it printed more than 64 KiB"),
        (
            "no-such-program-here 2>/dev/null",
            "failed: it ended with 127",
        ),
    ] {
        assert_eq!(outcome(line).await.unwrap_err().to_string(), why, "{line}");
    }
}

#[tokio::test]
async fn an_error_never_shows_the_key_or_drives_the_terminal() {
    let line = "echo canary-key-1; printf 'bad key canary-key-1 \\033[31m\\n' >&2; exit 1";
    let why = outcome(line).await.unwrap_err().to_string();
    assert!(!why.contains("canary") && !why.contains('\u{1b}'), "{why}");
    assert!(why.contains("bad key •••"), "{why}");
}

#[tokio::test]
async fn what_it_leaves_running_does_not_hold_it_up() {
    let line = "sleep 600 >/dev/null & echo key-3";
    let answer = tokio::time::timeout(Duration::from_secs(8), outcome(line)).await;
    assert_eq!(answer.unwrap().unwrap(), "key-3");
}

/// The reading end closes once nobody has the writing end any more.
#[tokio::test]
async fn dropping_the_question_kills_the_command_with_its_children() {
    let mut place = Place::new();
    let pipe = place.folder.path().join("alive");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    place.key_cmd = Some(format!(
        "exec 9>'{}'; echo up >&9; sleep 600 & sleep 600; wait",
        pipe.display()
    ));
    let secrets = place.secrets();
    let (started, mut seen) = tokio::sync::mpsc::channel(2);
    let reader = std::thread::spawn(move || {
        let mut pipe = std::io::BufReader::new(std::fs::File::open(pipe).unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut pipe, &mut line).unwrap();
        started.blocking_send(line).unwrap();
        // Ends when the last of them is gone.
        std::io::Read::read_to_end(&mut pipe, &mut Vec::new()).unwrap();
        started.blocking_send("gone".to_owned()).unwrap();
    });
    tokio::select! {
        found = place.find(&secrets) => panic!("{found:?}"),
        line = seen.recv() => assert_eq!(line.unwrap(), "up\n"),
    }
    let gone = tokio::time::timeout(Duration::from_secs(20), seen.recv()).await;
    assert_eq!(gone.unwrap().unwrap(), "gone");
    reader.join().unwrap();
}

#[tokio::test]
async fn a_command_that_never_ends_is_stopped() {
    // The limit is waited for in earnest: it is the promise.
    let answer = tokio::time::timeout(Duration::from_secs(20), outcome("sleep 600")).await;
    assert_eq!(
        answer.unwrap().unwrap_err(),
        Missing::TimedOut { after_ms: 10_000 }
    );
}
