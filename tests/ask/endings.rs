//! Every way in which a question ends, and that each is paid once.

use std::{
    fs::File,
    io::Read as _,
    process::Stdio,
    time::{Duration, Instant},
};

use convergio_fake_provider::{At, Dialect, Event, FakeProvider, Gate, Reply, Script, Stop};
use rustix::process::Signal;

use super::{House, KEY, file, json_of, lines_of, three_lines};
use crate::harness::{
    daemon::Daemon,
    process::{LIMIT, finish, readable_within, signal},
};

#[test]
fn dev_null_is_no_input_and_the_answer_is_alone_on_stdout() {
    let house = House::new(Script::always(
        Reply::text("Hello there.").usage(1_000, 100),
    ));
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.trim_end_matches('\n'), "Hello there.");
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
    assert!(!ran.err.contains("ignored"), "{ran:?}");
    // 1,000 × $3 + 100 × $15 a million.
    assert!(
        ran.err.contains("$0.0045"),
        "the quiet line of cost: {ran:?}"
    );
    let call = &house.provider.calls()[0];
    assert_eq!(call.key(), Some(KEY), "the client's own key");
    assert_eq!(call.prompt().lines().last(), Some("hi"));
    let total = house.settled();
    assert_eq!(total["amount_nano_usd"], 4_500_000);
    assert_eq!(
        (&total["input_tokens"], &total["output_tokens"]),
        (&1_000.into(), &100.into())
    );
    let quiet = house.cv(&["ask", "-q", "hi"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""), "{quiet:?}");
}

#[test]
fn json_and_ndjson_hold_the_answer_and_nothing_else() {
    let house = House::new(Script::always(
        Reply::text("Hello there.").usage(1_000, 100),
    ));
    let ran = house.cv(&["ask", "hi", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document = json_of(&ran);
    assert_eq!(document["v"], 1, "{document}");
    assert_eq!(document["answer"], "Hello there.", "{document}");
    assert_eq!(document["complete"], true, "{document}");
    assert_eq!(document["provider"], "mock", "{document}");
    assert_eq!(document["model"], "gpt-test", "{document}");
    assert_eq!(document["cost_usd"], "0.0045", "{document}");
    let ran = house.cv(&["ask", "hi", "--format", "ndjson"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = lines_of(&ran);
    let text: String = lines
        .iter()
        .filter(|line| line["type"] == "delta")
        .filter_map(|line| line["text"].as_str())
        .collect();
    assert_eq!(text, "Hello there.");
    assert_eq!(lines.last().unwrap()["type"], "completed");
}

#[test]
fn head_ends_it_quietly_and_it_is_settled() {
    let many: Vec<String> = (0..3_000)
        .map(|line| format!("line {line} of many\n"))
        .collect();
    for format in ["text", "ndjson"] {
        let house = House::new(Script::always(
            Reply::deltas(many.clone()).ignoring_max_output(),
        ));
        let script =
            format!("\"$0\" ask hi --format {format} | head -1; echo \"${{PIPESTATUS[0]}}\"");
        let ran = house.bash(&script);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(lines.len(), 2, "{format}: {ran:?}");
        assert_eq!(lines[1], "0", "{format}: {ran:?}");
        assert!(
            !ran.err.contains("panic") && !ran.err.contains("error"),
            "{format}: {ran:?}"
        );
        // The first line of NDJSON comes before the question leaves, and may be the last.
        let total = house.usage()["total"].clone();
        assert_eq!((&total["attempts"], &total["open"]), (&1.into(), &0.into()));
        assert!(house.provider.calls().len() <= 1);
    }
}

#[test]
fn a_reader_that_leaves_ends_a_question_that_goes_on() {
    let gate = Gate::new();
    let many: Vec<String> = (0..200)
        .map(|line| format!("line {line} of many\n"))
        .collect();
    let reply = Reply::deltas(many)
        .hold_at(At::Delta(100), &gate)
        .stall_after(At::Delta(150));
    let house = House::new(Script::always(reply));
    let (output, written) = std::io::pipe().expect("a pipe");
    let mut command = house.command(&["ask", "hi"]);
    command
        .stdin(Stdio::null())
        .stdout(written)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    command.stdout(Stdio::null());
    // What was printed was paid for: what the provider sent may still be on its way.
    let (mut output, mut printed) = (output, Vec::new());
    while !String::from_utf8_lossy(&printed).contains("line 99 of many\n") {
        assert!(readable_within(&output, LIMIT));
        let mut more = [0; 4096];
        let count = output.read(&mut more).expect("a pipe");
        assert!(
            count > 0,
            "it ended after {}",
            String::from_utf8_lossy(&printed)
        );
        printed.extend_from_slice(&more[..count]);
    }
    drop(output);
    gate.open();
    let ran = finish(child, &command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.err.contains("error"), "{ran:?}");
    house.provider.wait(Event::ClientGone(0)).unwrap();
    assert_eq!(house.last_run()["state"], "cancelled");
    let total = house.settled();
    assert!(
        total["output_tokens"].as_u64() >= Some(100),
        "what came is paid: {total}"
    );
}

#[test]
fn a_reader_that_leaves_is_noticed_while_the_provider_says_nothing() {
    let house = House::new(Script::always(
        Reply::deltas(["one\n", "two\n", "three\n"]).stall_after(At::Delta(2)),
    ));
    let ran = house.bash("\"$0\" ask hi | head -1; echo \"${PIPESTATUS[0]}\"");
    assert_eq!(ran.out, "one\n0\n", "{ran:?}");
    house.provider.wait(Event::ClientGone(0)).unwrap();
    house.settled();
}

#[test]
fn a_full_device_is_said_and_exits_70() {
    let house = House::new(Script::always(Reply::text("Hello there.")));
    for format in ["text", "json", "ndjson"] {
        let mut command = house.command(&["ask", "hi", "--format", format]);
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        command
            .stdin(Stdio::null())
            .stdout(full)
            .stderr(Stdio::piped());
        let ran = finish(command.spawn().expect("cv starts"), &command);
        three_lines(&ran, 70);
    }
    house.settled();
}

#[test]
fn no_network_is_said_and_costs_nothing() {
    let gone = FakeProvider::start(Script::new());
    let base = gone.base_url(Dialect::OpenAi);
    gone.stop();
    let idle = FakeProvider::start(Script::new());
    let house = House::before(idle, Dialect::OpenAi, &base, "");
    let ran = house.cv(&["ask", "hi"]);
    three_lines(&ran, 3);
    assert_eq!(ran.out, "");
    let ran = house.cv(&["ask", "hi", "--format", "json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let document = json_of(&ran);
    assert_eq!(document["complete"], false, "{document}");
    assert_eq!(document["error"]["exit_code"], 3, "{document}");
    let ran = house.cv(&["ask", "hi", "--format", "ndjson"]);
    assert_eq!(lines_of(&ran).last().unwrap()["type"], "failed", "{ran:?}");
    let usage = house.usage();
    assert_eq!(usage["total"]["open"], 0, "{usage}");
    assert_eq!(
        usage["total"]["amount_nano_usd"], 0,
        "nothing was sent: {usage}"
    );
    assert_eq!(usage["budgets"][0]["pending_nano_usd"], 0, "{usage}");
}

#[test]
fn a_silent_provider_ends_with_its_timeout() {
    let script = Script::always(Reply::silence());
    let house = House::with(Dialect::OpenAi, script, "first_byte_timeout_ms = 300");
    let ran = house.cv(&["ask", "hi"]);
    three_lines(&ran, 3);
    assert_eq!(ran.out, "");
    house.settled();
}

#[test]
fn a_provider_that_falls_silent_leaves_what_came() {
    let reply = Reply::text("One two three").stall_after(At::Delta(2));
    let house = House::with(
        Dialect::OpenAi,
        Script::always(reply),
        "idle_timeout_ms = 300",
    );
    let ran = house.cv(&["ask", "hi"]);
    three_lines(&ran, 3);
    assert_eq!(ran.out.trim_end(), "One two");
    assert_eq!(
        house.provider.calls().len(),
        1,
        "no second call after the first word"
    );
    house.settled();
}

#[test]
fn the_clients_timeout_ends_the_question() {
    let house = House::new(Script::always(
        Reply::text("One two three").stall_after(At::Delta(2)),
    ));
    let asked = Instant::now();
    let ran = house.cv(&["ask", "hi", "--timeout", "1500ms"]);
    three_lines(&ran, 124);
    assert_eq!(ran.out.trim_end(), "One two", "{ran:?}");
    assert!(asked.elapsed() < Duration::from_secs(15));
    house.provider.wait(Event::ClientGone(0)).unwrap();
    assert_eq!(house.last_run()["state"], "cancelled");
    house.settled();
    let ran = house.cv(&["ask", "hi", "--timeout", "1500ms", "--format", "json"]);
    assert_eq!(ran.code, Some(124), "{ran:?}");
    let document = json_of(&ran);
    assert_eq!(document["complete"], false, "{document}");
    assert_eq!(document["error"]["exit_code"], 124, "{document}");
}

#[test]
fn ctrl_c_ends_it_at_once_and_leaves_what_came() {
    let house = House::new(Script::always(
        Reply::text("One two three").stall_after(At::Delta(2)),
    ));
    let (output, written) = std::io::pipe().expect("a pipe");
    let mut command = house.command(&["ask", "hi"]);
    command
        .stdin(Stdio::null())
        .stdout(written)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    command.stdout(Stdio::null());
    assert!(readable_within(&output, LIMIT));
    house.provider.wait(Event::Stalled(0)).unwrap();
    signal(child.id(), Signal::INT);
    let ran = finish(child, &command);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let output = File::from(std::os::fd::OwnedFd::from(output));
    let out = std::io::read_to_string(output).expect("text");
    assert!(
        "One two ".starts_with(out.trim_end()) && !out.is_empty(),
        "{out:?}"
    );
    house.provider.wait(Event::ClientGone(0)).unwrap();
    assert_eq!(house.last_run()["state"], "cancelled");
    house.settled();
}

#[test]
fn a_killed_client_costs_what_came_and_no_more() {
    let house = House::new(Script::always(
        Reply::text("One two three").stall_after(At::Delta(2)),
    ));
    let mut command = house.command(&["ask", "hi"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("cv starts");
    house.provider.wait(Event::Stalled(0)).unwrap();
    signal(child.id(), Signal::KILL);
    child.wait().expect("it ended");
    // After two seconds of grace.
    house.provider.wait(Event::ClientGone(0)).unwrap();
    assert_eq!(house.last_run()["state"], "cancelled");
    house.settled();
}

#[test]
fn a_killed_daemon_leaves_what_came_and_calls_nobody_again() {
    let house = House::new(Script::always(
        Reply::text("One two three").stall_after(At::Delta(2)),
    ));
    let daemon = Daemon::start(&house.home);
    let (output, written) = std::io::pipe().expect("a pipe");
    let mut command = house.command(&["ask", "hi"]);
    command
        .stdin(Stdio::null())
        .stdout(written)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("cv starts");
    command.stdout(Stdio::null());
    assert!(readable_within(&output, LIMIT));
    house.provider.wait(Event::Stalled(0)).unwrap();
    daemon.kill();
    let ran = finish(child, &command);
    let code = ran.code.unwrap_or_default();
    assert_eq!(code, 7, "{ran:?}");
    three_lines(&ran, code);
    assert!(ran.err.contains("cv runs resume"), "the way on: {ran:?}");
    let output = File::from(std::os::fd::OwnedFd::from(output));
    let out = std::io::read_to_string(output).expect("text");
    assert!(
        "One two ".starts_with(out.trim_end()) && !out.is_empty(),
        "{out:?}"
    );
    assert_eq!(house.last_run()["error"], "interrupted");
    assert_eq!(
        house.provider.calls().len(),
        1,
        "a call is never sent again"
    );
    let total = house.settled();
    assert_eq!(
        total["estimated"], 1,
        "the whole hold, and it says so: {total}"
    );
}

#[test]
fn a_cut_answer_exits_6_and_says_so() {
    let house = House::new(Script::always(Reply::text("one two three four five six")));
    let ran = house.cv(&["ask", "hi", "--max-output", "3"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert_eq!(ran.out.trim_end(), "one two three");
    assert!(ran.err.contains("limit"), "{ran:?}");
    let ran = house.cv(&["ask", "hi", "--max-output", "3", "--format", "json"]);
    let document = json_of(&ran);
    assert_eq!(document["complete"], false, "{document}");
    assert_eq!(document["stop"], "max_output", "{document}");
    assert_eq!(
        house.provider.calls()[0].max_output(),
        Some(3),
        "the provider was told"
    );
    house.settled();
}

#[test]
fn a_filtered_or_refused_answer_is_no_success() {
    for reply in [
        Reply::text("Well, ").stop(Stop::ContentFilter),
        Reply::refusal("I would rather not."),
    ] {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let house = House::speaking(dialect, Script::always(reply.clone()));
            let ran = house.cv(&["ask", "hi"]);
            assert_eq!(ran.code, Some(3), "{dialect:?}: {ran:?}");
            assert!(!ran.err.is_empty(), "{dialect:?}: {ran:?}");
            house.settled();
        }
    }
}

#[test]
fn a_detached_question_is_read_later() {
    let gate = Gate::new();
    let reply = Reply::text("One two three").hold_at(At::Delta(1), &gate);
    let house = House::new(Script::always(reply));
    let left = house.cv(&["ask", "hi", "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    let run = left.out.trim().to_owned();
    gate.wait_reached(1).unwrap();
    gate.open();
    let read = house.cv(&["attach", &run]);
    assert_eq!(read.code, Some(0), "{read:?}");
    assert_eq!(read.out.trim_end(), "One two three");
    assert_eq!(house.cv(&["attach", &run]).out.trim_end(), "One two three");
    assert_eq!(house.provider.calls().len(), 1);
    house.settled();
}

#[test]
fn an_output_file_is_whole_or_not_there() {
    let house = House::new(Script::replies([
        Reply::text("Hello there."),
        Reply::text("One two three").close_after(At::Delta(2)),
    ]));
    let path = house.folder.join("answer.md");
    let name = path.to_str().expect("a plain path");
    let ran = house.cv(&["ask", "hi", "-o", name]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out, "");
    let text = std::fs::read_to_string(&path).expect("a file");
    assert_eq!(text.trim_end(), "Hello there.");
    let ran = house.cv(&["ask", "hi", "-o", name]);
    three_lines(&ran, 3);
    let text = std::fs::read_to_string(&path).expect("a file");
    assert_eq!(
        text.trim_end(),
        "Hello there.",
        "half an answer replaces nothing"
    );
}

#[test]
fn only_the_fenced_block_is_printed_where_it_was_asked_for() {
    let text = "Sure:\n\n```rust\nfn main() {}\n```\n\nThat is it.\n";
    let house = House::new(Script::replies([
        Reply::text(text).in_deltas(9),
        Reply::text("There is no code."),
    ]));
    let ran = house.cv(&["ask", "hi", "--code"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "fn main() {}\n"),
        "{ran:?}"
    );
    let ran = house.cv(&["ask", "hi", "--code"]);
    three_lines(&ran, 6);
    assert_eq!(ran.out, "");
}

#[test]
fn files_go_along_and_what_is_no_text_is_refused() {
    let house = House::new(Script::always(Reply::text("Read.")));
    let path = file(&house, "notes.txt", "the notes\n");
    let name = path.to_str().expect("a plain path");
    let ran = house.cv(&["ask", "hi", "-a", name]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let prompt = house.provider.calls()[0].prompt();
    assert!(
        prompt.contains("the notes") && prompt.contains("notes.txt"),
        "{prompt}"
    );
    std::fs::write(&path, b"\x7fELF\0\0\xff\xfe").expect("a file");
    three_lines(&house.cv(&["ask", "hi", "-a", name]), 2);
    three_lines(&house.cv(&["ask", "hi", "-a", "nowhere.txt"]), 2);
    assert_eq!(house.provider.calls().len(), 1);
}

#[test]
fn a_conversation_goes_on_and_an_ephemeral_one_leaves_nothing() {
    let house = House::new(Script::always(Reply::text("Noted.")));
    let first = house.cv(&["ask", "My name is Ada."]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let second = house.cv(&["ask", "-c", "Who am I?"]);
    assert_eq!(second.code, Some(0), "{second:?}");
    let prompt = house.provider.calls()[1].prompt();
    assert!(
        prompt.contains("My name is Ada.") && prompt.contains("Noted."),
        "{prompt}"
    );
    let alone = house.cv(&["ask", "--ephemeral", "The word is zwieback."]);
    assert_eq!(alone.code, Some(0), "{alone:?}");
    house.cv(&["ask", "-c", "And now?"]);
    let prompt = house.provider.calls()[3].prompt();
    assert!(
        prompt.contains("Who am I?") && !prompt.contains("zwieback"),
        "{prompt}"
    );
    house.settled();
}

#[test]
fn a_dry_run_sends_nothing_and_says_what_it_would() {
    let house = House::new(Script::always(Reply::text("never")));
    let ran = house.cv(&["ask", "hi", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(
        said.contains("mock/gpt-test") && said.contains("$"),
        "{ran:?}"
    );
    assert_eq!(house.provider.connections(), 0);
}

#[test]
fn a_reader_that_was_never_there_and_a_full_stderr_change_no_ending() {
    let house = House::new(Script::always(Reply::text("Hello there.")));
    let ran = house.bash("\"$0\" ask hi | true; echo \"${PIPESTATUS[0]}\"");
    assert_eq!(ran.out.trim_end(), "0", "{ran:?}");
    // The question may end before it is admitted, or before it has left: then it is settled too.
    let total = house.usage()["total"].clone();
    let calls = house.provider.calls().len() as u64;
    assert_eq!(total["open"], 0, "{total}");
    assert!(
        calls <= total["attempts"].as_u64().expect("a count"),
        "{total}"
    );
    assert!(total["attempts"].as_u64() <= Some(1), "{total}");
    let house = House::new(Script::always(Reply::text("Hello there.")));
    let ran = house.bash("\"$0\" ask hi 2>/dev/full </dev/null");
    assert_eq!(
        (ran.code, ran.out.trim_end()),
        (Some(0), "Hello there."),
        "{ran:?}"
    );
    let ran = house.bash("\"$0\" ask hi <&-");
    assert_eq!(
        (ran.code, ran.out.trim_end()),
        (Some(0), "Hello there."),
        "{ran:?}"
    );
    house.settled();
}

#[test]
fn what_is_text_stays_as_it_is_in_pipes_and_files() {
    let text =
        "a\tb\n\n  four\n👩\u{200d}💻 e\u{301} \u{a0}\u{fb01}\n```sh\necho \"$1\" | tr a b\n```";
    let house = House::new(Script::always(Reply::text(text).in_deltas(13)));
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!((ran.code, ran.out.trim_end()), (Some(0), text), "{ran:?}");
    let path = house.folder.join("answer.md");
    let ran = house.cv(&["ask", "hi", "-o", path.to_str().expect("a plain path")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let written = std::fs::read_to_string(path).expect("a file");
    assert_eq!(written.trim_end(), text);
    let ran = house.cv(&["ask", "hi", "--format", "json"]);
    assert_eq!(json_of(&ran)["answer"], text, "{ran:?}");
}
