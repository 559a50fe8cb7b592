//! Readers that are slow, late, many or gone: the run waits for none, and each gets everything
//! once.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use convergio_fake_provider::{At, Dialect, End, Event, Gate, Reply, Script};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{House, KEY, three_lines};
use crate::harness::{
    process::{LIMIT, finish, readable_within, signal},
    wire::{Wire, new_id},
};

/// Starts a question whose answer goes into a pipe that is given.
fn asked(house: &House, arguments: &[&str]) -> (Child, Command, File) {
    let (output, written) = std::io::pipe().expect("a pipe");
    let mut command = house.command(arguments);
    command
        .stdin(Stdio::null())
        .stdout(written)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    command.stdout(Stdio::null());
    (child, command, File::from(OwnedFd::from(output)))
}

/// Words enough to fill every pipe between provider and reader.
fn many() -> Vec<String> {
    (0..60_000)
        .map(|number| format!("word {number} "))
        .collect()
}

#[test]
fn a_reader_that_stops_holds_nobody_up_and_misses_nothing() {
    let gate = Gate::new();
    let many = many();
    let reply = Reply::deltas(many.clone())
        .ignoring_max_output()
        .hold_at(At::Delta(10), &gate);
    let house = House::new(Script::always(reply));
    let (child, command, mut output) = asked(&house, &["ask", "hi"]);
    gate.wait_reached(1).unwrap();
    assert!(readable_within(&output, LIMIT));
    signal(child.id(), Signal::STOP);
    gate.open();
    // The provider is read to its end while nobody reads.
    house.provider.wait(Event::Ended(0)).unwrap();
    assert_eq!(house.provider.request(0).unwrap().end, End::Complete);
    assert_eq!(house.last_run()["state"], "completed");
    signal(child.id(), Signal::CONT);
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    let ran = finish(child, &command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        text.trim_end(),
        many.concat().trim_end(),
        "gaps or repetitions"
    );
    house.settled();
}

#[test]
fn a_pipe_that_is_not_read_holds_nobody_up_and_misses_nothing() {
    let many = many();
    let reply = Reply::deltas(many.clone()).ignoring_max_output();
    let house = House::new(Script::always(reply));
    let (child, command, mut output) = asked(&house, &["ask", "hi", "--format", "ndjson"]);
    house.provider.wait(Event::Ended(0)).unwrap();
    assert_eq!(house.last_run()["state"], "completed");
    let mut lines = String::new();
    output.read_to_string(&mut lines).expect("text");
    let ran = finish(child, &command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let mut shown: BTreeMap<u64, String> = BTreeMap::new();
    for delta in lines.iter().filter(|line| line["type"] == "delta") {
        let part = delta["part"].as_u64().expect("a part");
        let text = shown.entry(part).or_default();
        assert_eq!(delta["offset"], text.len(), "a gap or a repetition");
        text.push_str(delta["text"].as_str().expect("text"));
    }
    let mut whole = String::new();
    for message in lines.iter().filter(|line| line["type"] == "message") {
        let part = message["part"].as_u64().expect("a part");
        let text = message["text"].as_str().expect("text");
        let before = shown.remove(&part).unwrap_or_default();
        assert!(text.starts_with(&before), "part {part} was shown otherwise");
        whole.push_str(text);
    }
    assert!(whole == many.concat(), "gaps or repetitions");
}

#[test]
fn readers_who_come_late_have_it_from_the_start() {
    let gate = Gate::new();
    let reply = Reply::text("one two three four").hold_at(At::Delta(2), &gate);
    let house = House::new(Script::always(reply));
    let (first, command, mut output) = asked(&house, &["ask", "hi", "--format", "ndjson"]);
    gate.wait_reached(1).unwrap();
    let mut wire = Wire::open(&house.home);
    let runs = wire.result("run.list", json!({"limit": 1}));
    let run = runs["runs"][0]["run_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let late: Vec<_> = (0..3).map(|_| asked(&house, &["attach", &run])).collect();
    for (_, _, output) in &late {
        assert!(readable_within(output, LIMIT), "the text so far");
    }
    gate.open();
    for (child, command, mut output) in late {
        let mut text = String::new();
        output.read_to_string(&mut text).expect("text");
        let ran = finish(child, &command);
        assert_eq!(
            (ran.code, text.trim_end()),
            (Some(0), "one two three four"),
            "{ran:?}"
        );
    }
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    assert_eq!(finish(first, &command).code, Some(0));
    assert_eq!(house.provider.calls().len(), 1);
}

#[test]
fn many_questions_at_once_have_each_its_own_answer() {
    let script = Script::answer(|request| {
        let prompt = request.prompt();
        let last = prompt.lines().last().unwrap_or_default().to_owned();
        Reply::text(&format!("You said {last}"))
    });
    let house = House::new(script);
    assert_eq!(house.cv(&["status"]).code, Some(0));
    std::thread::scope(|scope| {
        for number in 0..24 {
            let house = &house;
            scope.spawn(move || {
                let ran = house.cv(&["ask", &format!("number {number}")]);
                assert_eq!(ran.code, Some(0), "{ran:?}");
                assert_eq!(ran.out.trim_end(), format!("You said number {number}"));
            });
        }
    });
    house.settled();
}

#[test]
fn a_connection_that_was_closed_meanwhile_costs_no_second_call() {
    let house = House::new(Script::always(Reply::text("Hello.").close_connection()));
    for _ in 0..5 {
        let ran = house.cv(&["ask", "hi"]);
        assert_eq!(
            (ran.code, ran.out.trim_end()),
            (Some(0), "Hello."),
            "{ran:?}"
        );
    }
    assert_eq!(house.provider.calls().len(), 5);
    house.settled();
}

#[test]
fn a_warm_connection_is_used_again() {
    let house = House::new(Script::always(Reply::text("Hello.")));
    for _ in 0..3 {
        assert_eq!(house.cv(&["ask", "hi"]).code, Some(0));
    }
    assert_eq!(
        (house.provider.calls().len(), house.provider.connections()),
        (3, 1)
    );
}

/// The parameters of a question.
pub(crate) fn params(house: &House, run_id: &str, key: &str, text: &str) -> Value {
    json!({
        "run_id": run_id,
        "input": [{"kind": "prompt", "text": text}],
        "root": house.folder,
        "idempotency_key": key,
        "on_last_reader_gone": "continue",
        "keys": {"MOCK_KEY": KEY},
    })
}

#[test]
fn one_idempotency_key_is_one_call_however_often_it_is_sent() {
    let gate = Gate::new();
    let reply = Reply::text("Once.").delay_until(&gate);
    let house = House::new(Script::always(reply));
    assert_eq!(house.cv(&["status"]).code, Some(0));
    let runs: Vec<Value> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..20)
            .map(|_| {
                let house = &house;
                scope.spawn(move || {
                    let mut wire = Wire::open(&house.home);
                    wire.result("run.start", params(house, &new_id(), "the-key", "hi"))
                })
            })
            .collect();
        sent.into_iter()
            .map(|one| one.join().expect("an answer"))
            .collect()
    });
    gate.open();
    let first = &runs[0]["run_id"];
    assert!(runs.iter().all(|run| run["run_id"] == *first), "{runs:?}");
    let fresh = runs.iter().filter(|run| run["replayed"] == false).count();
    assert_eq!(fresh, 1, "{runs:?}");
    let mut wire = Wire::open(&house.home);
    let other = params(&house, &new_id(), "the-key", "something else");
    assert_eq!(
        wire.error_code("run.start", other),
        -32025,
        "another request is a conflict"
    );
    assert_eq!(house.last_run()["state"], "completed");
    assert_eq!(house.provider.calls().len(), 1);
    house.settled();
}

#[test]
fn a_stopping_daemon_lets_the_answer_end() {
    let gate = Gate::new();
    let reply = Reply::text("one two three").hold_at(At::Delta(1), &gate);
    let house = House::new(Script::always(reply));
    let (child, command, mut output) = asked(&house, &["ask", "hi"]);
    gate.wait_reached(1).unwrap();
    let daemon = house.home.owner().expect("a daemon");
    signal(daemon, Signal::TERM);
    // New questions are refused or served by the next daemon; this one goes on.
    gate.open();
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    let ran = finish(child, &command);
    assert_eq!(
        (ran.code, text.trim_end()),
        (Some(0), "one two three"),
        "{ran:?}"
    );
    house.settled();
}

#[test]
fn a_stopping_daemon_settles_what_does_not_end() {
    let reply = Reply::text("one two three").stall_after(At::Delta(1));
    let house = House::new(Script::always(reply));
    let (child, command, mut output) = asked(&house, &["ask", "hi"]);
    house.provider.wait(Event::Stalled(0)).unwrap();
    let daemon = house.home.owner().expect("a daemon");
    signal(daemon, Signal::TERM);
    assert!(crate::harness::process::ended_within(daemon, LIMIT));
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    let ran = finish(child, &command);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    three_lines(&ran, ran.code.unwrap_or_default());
    assert_eq!(text.trim_end(), "one");
    house.provider.wait(Event::ClientGone(0)).unwrap();
    assert_ne!(house.last_run()["state"], "running");
    house.settled();
}

#[test]
fn a_broken_run_is_resumed_as_a_new_one_only_when_asked() {
    let house = House::new(Script::replies([
        Reply::text("one two").close_after(At::Delta(1)),
        Reply::text("one two"),
    ]));
    let ran = house.cv(&["ask", "tell me"]);
    three_lines(&ran, 3);
    let first = house.last_run()["run_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let again = house.cv(&["runs", "resume", &first]);
    assert_eq!(
        (again.code, again.out.trim_end()),
        (Some(0), "one two"),
        "{again:?}"
    );
    let calls = house.provider.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[1].prompt().contains("tell me"));
    let last = house.last_run();
    let second = last["run_id"].as_str().expect("an id");
    assert_ne!(second, first);
    let whole = house.cv(&["runs", "resume", second]);
    three_lines(&whole, 2);
    assert!(whole.err.contains("answered whole"), "{whole:?}");
    assert_eq!(house.provider.calls().len(), 2, "nobody was asked again");
    house.settled();
}

#[test]
fn an_ephemeral_question_is_in_no_file_and_is_paid() {
    let reply = Reply::text("The answer is knäckebröd.");
    let house = House::speaking(Dialect::Anthropic, Script::always(reply));
    let ran = house.cv(&["ask", "--ephemeral", "What of zwieback?"]);
    assert_eq!(
        (ran.code, ran.out.trim_end()),
        (Some(0), "The answer is knäckebröd."),
        "{ran:?}"
    );
    house.settled();
    let mut folders = vec![house.home.convergio()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).expect("a file");
                for word in ["zwieback", "knäckebröd", KEY] {
                    let found = crate::harness::home::memory_holds(&bytes, word.as_bytes());
                    assert!(!found, "{word} is in {}", path.display());
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 1, "the database and the log were looked at");
}
