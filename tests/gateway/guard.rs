//! `cv guard`: a program with a cap.

use std::process::Stdio;

use convergio_fake_provider::{Reply, Script};
use serde_json::json;

use crate::{
    ask::{House, KEY},
    harness::{
        home::Ran,
        process::{finish, signal},
        skip,
        wire::Wire,
    },
};

/// Asks twice through whatever it was given.
const TOOL: &str = r#"
for i in 1 2; do
  curl -sS -w '%{http_code}\n' "$OPENAI_BASE_URL/chat/completions" \
    -H "authorization: Bearer $OPENAI_API_KEY" \
    -d '{"model":"whatever","max_tokens":300,"messages":[{"role":"user","content":"x"}]}'
done
exit 7
"#;

fn guard(house: &House, arguments: &[&str]) -> Ran {
    let mut command = house.command(&[&["guard"], arguments].concat());
    command
        .env("OPENAI_API_KEY", "sk-of-the-user")
        .env("ANTHROPIC_API_KEY", "sk-ant-of-the-user")
        .env("MOCK_KEY", KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    finish(command.spawn().expect("cv starts"), &command)
}

#[test]
fn a_guarded_program_gets_a_cap_and_none_of_the_users_keys() {
    let house = House::new(Script::always(Reply::text("an answer")));
    let seen = guard(&house, &["--max", "1", "--", "sh", "-c", "env"]);
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(!seen.out.contains("of-the-user"), "{seen:?}");
    // Also none of the variables that settings name.
    assert!(
        !seen.out.contains("MOCK_KEY") && !seen.out.contains(KEY),
        "{seen:?}"
    );
    for line in [
        "ANTHROPIC_BASE_URL=http://127.0.0.1:",
        "OPENAI_BASE_URL=http://127.0.0.1:",
        "OPENAI_API_KEY=cvt_",
        "ANTHROPIC_AUTH_TOKEN=cvt_",
        "NO_PROXY=127.0.0.1,localhost,::1",
    ] {
        assert!(
            seen.out.lines().any(|found| found.starts_with(line)),
            "{line}: {seen:?}"
        );
    }
    assert!(seen.err.contains("spent $0 of $1.00"), "{seen:?}");
    // Its token went with it.
    let listed = Wire::open(&house.home).result("token.list", json!({}));
    assert_eq!(listed["tokens"][0]["state"], "revoked", "{listed}");
    let told = house.cv(&["gateway", "--format", "json"]);
    assert!(
        !told.out.contains("http://"),
        "nobody needs it any more: {told:?}"
    );
}

#[test]
fn what_is_left_of_the_day_is_said_where_it_may_be_needed() {
    let house = House::new(Script::always(Reply::text("x")));
    // The day has $2.
    let told = |options: &[&str]| guard(&house, &[options, &["--", "true"]].concat()).err;
    let cloud = told(&["--max", "3.000315"]);
    assert!(cloud.contains("left for everybody"), "{cloud}");
    assert!(cloud.contains("cv budget set daily 3.10"), "{cloud}");
    let here = told(&["--max", "3", "--local-only"]);
    assert!(!here.contains("left for everybody"), "{here}");
}

#[test]
fn its_last_dollar_is_its_last() {
    let house = House::new(Script::always(Reply::text("an answer").usage(1_000, 100)));
    if !skip::has_program("curl") {
        skip::loudly("a guarded program that asks", "curl");
        return;
    }
    // 4.5 thousandths a call: the second one finds too little left.
    let limits = [
        "--max",
        "0.008",
        "--model",
        "mock/gpt-test",
        "--name",
        "tool",
    ];
    let ran = guard(&house, &[&limits[..], &["--", "sh", "-c", TOOL]].concat());
    assert_eq!(ran.code, Some(7), "the program's own: {ran:?}");
    let codes: Vec<&str> = ran
        .out
        .lines()
        .map(|line| &line[line.len() - 3..])
        .collect();
    assert_eq!(codes, ["200", "402"], "{ran:?}");
    assert!(ran.out.contains("is used up"), "{ran:?}");
    assert!(ran.err.contains("1 request · 1 refused"), "{ran:?}");
    assert_eq!(house.provider.calls().len(), 1);
    let usage = house.cv(&["usage", "--by", "client", "--format", "json"]);
    assert!(usage.out.contains("\"tool\""), "{usage:?}");
}

#[test]
fn a_guard_that_is_killed_takes_its_token_along() {
    let house = House::new(Script::always(Reply::text("x")));
    let mut command =
        house.command(&["guard", "--max", "1", "--", "sh", "-c", "echo up; exec cat"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("cv starts");
    let mut up = [0; 3];
    let out = child.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(out, &mut up).expect("the program runs");
    let mut wire = Wire::open(&house.home);
    let state = |wire: &mut Wire| {
        let listed = wire.result("token.list", json!({}));
        listed["tokens"][0]["state"].clone()
    };
    assert_eq!(state(&mut wire), "good");
    signal(child.id(), rustix::process::Signal::KILL);
    child.wait().expect("it ended");
    // The daemon sees its connection end.
    while state(&mut wire) == "good" {}
    assert_eq!(state(&mut wire), "revoked");
}

#[test]
fn signals_and_the_end_are_the_programs_own() {
    let house = House::new(Script::always(Reply::text("x")));
    let ran = guard(&house, &["--max", "1", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(ran.code, Some(137), "{ran:?}");
    // What shells say of programs that are not there, or are none.
    std::fs::write(house.folder.join("text"), "no program").expect("a file");
    for (program, code) in [("no-such-program", 127), ("./text", 126), (".", 126)] {
        let ran = guard(&house, &["--max", "1", "--", program]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.err.contains("could not be run"), "{ran:?}");
    }
    // No token is made for them.
    let listed = Wire::open(&house.home).result("token.list", json!({}));
    assert_eq!(
        listed["tokens"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );

    let script = "trap 'echo heard; exit 3' TERM; echo up; while :; do read -r line || :; done";
    let mut command = house.command(&["guard", "--max", "1", "--", "sh", "-c", script]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("cv starts");
    // Kept open, so that the program waits in `read`.
    let _input = child.stdin.take();
    let mut up = [0; 3];
    let out = child.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(out, &mut up).expect("the program runs");
    signal(child.id(), rustix::process::Signal::TERM);
    let ran = finish(child, &command);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(3), "heard\n"),
        "{ran:?}"
    );
}

/// Asks once before a line comes in, and once behind it.
const TWICE: &str = r#"
ask() {
  curl -sS -m 20 -w ' %{http_code}\n' "$OPENAI_BASE_URL/chat/completions" \
    -H "authorization: Bearer $OPENAI_API_KEY" \
    -d '{"model":"whatever","max_tokens":300,"messages":[{"role":"user","content":"x"}]}'
}
ask
read -r line
ask
"#;

#[test]
fn a_daemon_that_is_killed_takes_the_token_along_and_nothing_hangs() {
    let house = House::new(Script::always(Reply::text("an answer")));
    if !skip::has_program("curl") {
        skip::loudly("a guarded program whose daemon is killed", "curl");
        return;
    }
    let arguments = [
        "--max",
        "1",
        "--model",
        "mock/gpt-test",
        "--",
        "sh",
        "-c",
        TWICE,
    ];
    let mut command = house.command(&[&["guard"], &arguments[..]].concat());
    command
        .env("MOCK_KEY", KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("cv starts");
    let mut first = String::new();
    let out = child.stdout.as_mut().expect("a pipe");
    while !first.ends_with('\n') {
        let mut byte = [0];
        std::io::Read::read_exact(out, &mut byte).expect("an answer");
        first.push(char::from(byte[0]));
    }
    assert!(
        first.contains("an answer") && first.ends_with(" 200\n"),
        "{first}"
    );
    let daemon = house.home.owner().expect("a daemon");
    signal(daemon, rustix::process::Signal::KILL);
    // Its port is free once it is gone.
    let pid = rustix::process::Pid::from_raw(daemon.cast_signed()).expect("a process");
    let state = || std::fs::read_to_string(format!("/proc/{daemon}/stat"));
    while rustix::process::test_kill_process(pid).is_ok()
        && state().is_ok_and(|state| !state.contains(") Z "))
    {
        std::thread::yield_now();
    }
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, b"on\n").expect("sent");
    drop(input);
    let ran = finish(child, &command);
    // Nobody listens, or somebody who does not know the token; no provider is asked.
    assert!(
        ran.out.ends_with(" 000\n") || ran.out.ends_with(" 401\n"),
        "{ran:?}"
    );
    assert!(ran.err.contains("cv usage --by token"), "{ran:?}");
    assert_eq!(house.provider.calls().len(), 1);
    // The next daemon knows what it spent, and takes the token back.
    let started = house.cv(&["token", "list"]);
    assert_eq!(started.code, Some(0), "{started:?}");
    let listed = Wire::open(&house.home).result("token.list", json!({}));
    assert_eq!(listed["tokens"][0]["state"], "revoked", "{listed}");
    assert_eq!(listed["tokens"][0]["runs"], 1, "{listed}");
}

#[test]
fn what_failed_without_a_cost_is_counted_at_the_end() {
    let house = House::new(Script::always(Reply::text("an answer")));
    if !skip::has_program("curl") {
        skip::loudly("a guarded program that asks", "curl");
        return;
    }
    let limits = ["--max", "1", "--model", "nobody/has-it"];
    let ran = guard(&house, &[&limits[..], &["--", "sh", "-c", TOOL]].concat());
    assert_eq!(ran.code, Some(7), "{ran:?}");
    assert!(
        ran.err.contains("0 requests · 2 ended in an error"),
        "{ran:?}"
    );
    assert_eq!(house.provider.calls().len(), 0);
}
