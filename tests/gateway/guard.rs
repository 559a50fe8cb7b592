//! `cv guard`: a program with a cap.

use std::process::Stdio;

use convergio_fake_provider::{Reply, Script};
use serde_json::json;

use crate::{
    ask::House,
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
    let ran = guard(&house, &["--max", "1", "--", "no-such-program"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("could not be run"), "{ran:?}");

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
