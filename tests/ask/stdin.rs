//! What stdin is: nothing, the question, something beside it, or a pipe that says nothing.

use std::{
    io::{PipeWriter, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use convergio_fake_provider::{At, Event, Reply, Script};

use super::{House, json_of, three_lines};
use crate::harness::{home::Ran, process::finish};

/// Starts `cv` with a pipe on stdin and gives the pipe.
fn piped(house: &House, arguments: &[&str]) -> (Child, Command, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = house.command(arguments);
    command
        .stdin(reader)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    command.stdin(Stdio::null());
    (child, command, writer)
}

/// With a pipe that stays open and silent.
fn with_an_open_pipe(house: &House, arguments: &[&str]) -> Ran {
    let (child, command, writer) = piped(house, arguments);
    let ran = finish(child, &command);
    drop(writer);
    ran
}

#[test]
fn a_pipe_that_never_closes_is_given_up_and_said() {
    let house = House::new(Script::always(Reply::text("Hello.")));
    let ran = with_an_open_pipe(&house, &["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.trim_end(), "Hello.");
    assert!(ran.err.contains("stdin ignored (use -)"), "{ran:?}");
    let ran = with_an_open_pipe(&house, &["ask", "hi", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(json_of(&ran)["stdin"], "ignored", "{ran:?}");
    house.settled();
}

#[test]
fn no_stdin_waits_for_none() {
    let house = House::new(Script::always(Reply::text("Hello.")));
    let ran = with_an_open_pipe(&house, &["ask", "hi", "--no-stdin"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.err.contains("ignored"), "{ran:?}");
}

#[test]
fn bytes_that_come_too_late_end_it_rather_than_being_lost() {
    let house = House::new(Script::always(
        Reply::text("One two three").stall_after(At::Delta(1)),
    ));
    let (child, command, mut writer) = piped(&house, &["ask", "hi"]);
    house.provider.wait(Event::Stalled(0)).unwrap();
    writer.write_all(b"late").expect("cv is there");
    let ran = finish(child, &command);
    three_lines(&ran, 2);
    house.provider.wait(Event::ClientGone(0)).unwrap();
    assert_eq!(house.last_run()["state"], "cancelled");
    house.settled();
}

#[test]
fn a_first_byte_is_waited_out_to_the_end() {
    let house = House::new(Script::always(Reply::text("Hello.")));
    let (child, command, mut writer) = piped(&house, &["ask", "hi"]);
    writer.write_all(b"first ").expect("cv is there");
    // Nothing is asked before the end, however long it takes.
    assert!(!crate::harness::process::ended_within(
        child.id(),
        Duration::from_millis(3_500)
    ));
    assert_eq!(house.provider.connections(), 0);
    writer.write_all(b"and last").expect("cv is there");
    drop(writer);
    let ran = finish(child, &command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let prompt = house.provider.calls()[0].prompt();
    assert!(
        prompt.contains("hi") && prompt.contains("first and last"),
        "{prompt}"
    );
}

#[test]
fn a_dash_waits_for_the_end_or_the_timeout() {
    let house = House::new(Script::always(Reply::text("Hello.")));
    let asked = Instant::now();
    let ran = with_an_open_pipe(&house, &["ask", "-", "--timeout", "500ms"]);
    three_lines(&ran, 124);
    assert!(asked.elapsed() < Duration::from_secs(10));
    assert_eq!(house.provider.connections(), 0);
    let ran = house.cv_with_input(&["ask", "-"], b"what is this?");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(house.provider.calls()[0].prompt().contains("what is this?"));
}

#[test]
fn stdin_alone_is_the_question_and_beside_one_it_is_joined() {
    let house = House::new(Script::always(Reply::text("Hello.")));
    let ran = house.cv_with_input(&["ask"], "Grüß Gott".as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(house.provider.calls()[0].prompt().contains("Grüß Gott"));
    let ran = house.cv_with_input(&["ask", "explain"], b"fn main() {}");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let prompt = house.provider.calls()[1].prompt();
    assert!(
        prompt.contains("explain") && prompt.contains("fn main() {}"),
        "{prompt}"
    );
    assert!(!ran.err.contains("ignored"), "{ran:?}");
}

#[test]
fn no_question_at_all_is_wrong_use_and_calls_nobody() {
    let house = House::new(Script::always(Reply::text("Hello.")));
    three_lines(&house.cv(&["ask"]), 2);
    three_lines(&house.cv_with_input(&["ask"], b""), 2);
    three_lines(
        &house.cv_with_input(&["ask", "-"], b"\xff\xfe\x00binary"),
        2,
    );
    assert_eq!(house.provider.connections(), 0);
}

#[test]
fn more_than_a_question_may_hold_is_refused_before_it_is_sent() {
    let house = House::new(Script::always(Reply::text("never")));
    let big = vec![b'x'; 4 * 1024 * 1024 + 1];
    three_lines(&house.cv_with_input(&["ask", "hi"], &big), 2);
    assert_eq!(house.provider.connections(), 0);
}
