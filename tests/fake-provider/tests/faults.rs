//! Every byte under control.

use std::{
    io::{ErrorKind, Read, Write},
    time::Duration,
};

use convergio_fake_provider::{
    At, Dialect, End, Event, FakeProvider, Framing, Gate, Reply, Script,
};

use crate::client::{ask, connect, drain, response, streamed};

const OPENAI: Dialect = Dialect::OpenAi;

/// The whole response, byte for byte, as it is without faults.
fn whole(reply: &Reply, dialect: Dialect) -> Vec<u8> {
    let provider = FakeProvider::start(Script::always(reply.clone().close_connection()));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(dialect)).unwrap();
    let (all, end) = drain(&mut stream);
    end.unwrap();
    all
}

#[test]
fn a_reset_comes_after_exactly_so_many_bytes_at_every_byte() {
    for dialect in [OPENAI, Dialect::Ollama] {
        let reply = Reply::text("é x");
        let all = whole(&reply, dialect);
        assert_eq!(
            all.len(),
            reply.wire_len(dialect, "gpt-test"),
            "{dialect:?}"
        );
        let script = Script::replies((0..=all.len()).map(|at| reply.clone().reset_after(at)));
        let provider = FakeProvider::start(script);
        for at in 0..=all.len() {
            let mut stream = connect(provider.addr());
            stream.write_all(&streamed(dialect)).unwrap();
            let (got, end) = drain(&mut stream);
            assert_eq!(
                end.unwrap_err().kind(),
                ErrorKind::ConnectionReset,
                "at {at}"
            );
            // The reply's id counts the requests, and the rest is the same.
            assert_eq!(got.len(), at);
            assert_eq!(got.starts_with(b"HTTP"), at >= 4);
            provider.wait(Event::Ended(at)).unwrap();
            let request = provider.request(at).unwrap();
            assert_eq!((request.end, request.bytes_sent), (End::Reset, at as u64));
        }
    }
}

#[test]
fn a_close_has_no_end_of_the_body() {
    let reply = Reply::text("one two three");
    let script = Script::replies([
        reply.clone().close_after(At::Delta(2)),
        reply.clone().close_after(At::Body(3)),
        reply.close_after(0),
    ]);
    let provider = FakeProvider::start(script);
    let mut ends = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(provider.addr());
        stream.write_all(&streamed(OPENAI)).unwrap();
        let (got, end) = drain(&mut stream);
        end.unwrap();
        ends.push(String::from_utf8(got).unwrap());
    }
    assert!(ends[0].contains("one ") && ends[0].contains("two ") && !ends[0].contains("three"));
    assert!(
        ends[0].ends_with("}\n\n\r\n"),
        "a whole chunk: {:?}",
        ends[0]
    );
    assert!(
        ends[1].ends_with("\r\ndat"),
        "three bytes of the body: {:?}",
        ends[1]
    );
    assert_eq!(ends[2], "");
    let billed = provider
        .requests()
        .into_iter()
        .map(|request| request.billed.output_tokens);
    assert_eq!(billed.collect::<Vec<_>>(), [2, 0, 0]);
}

#[test]
fn a_stall_lasts_until_it_is_released() {
    let reply = Reply::text("one two").stall_after(At::Delta(1));
    let provider = FakeProvider::start(Script::always(reply));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(OPENAI)).unwrap();
    provider.wait(Event::Stalled(0)).unwrap();
    let stalled = provider.request(0).unwrap();
    assert_eq!((stalled.end, stalled.deltas_sent.len()), (End::Open, 1));
    let missed = provider
        .wait_for(Event::Ended(0), Duration::from_millis(1))
        .unwrap_err();
    assert!(missed.to_string().contains("stalled"), "{missed}");
    provider.release();
    assert!(response(&mut stream).body.contains("two"));
    provider.wait(Event::Ended(0)).unwrap();
    assert_eq!(provider.request(0).unwrap().end, End::Complete);
}

#[test]
fn a_client_that_leaves_is_seen_while_the_reply_is_silent() {
    let provider = FakeProvider::start(Script::always(Reply::silence()));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(OPENAI)).unwrap();
    provider.wait(Event::Stalled(0)).unwrap();
    assert_eq!(provider.request(0).unwrap().bytes_sent, 0);
    drop(stream);
    provider.wait(Event::ClientGone(0)).unwrap();
    assert_eq!(provider.billed().output_tokens, 0);
    assert!(provider.billed().input_tokens > 0, "the input was read");
}

#[test]
fn gates_hold_a_reply_where_the_test_wants_it() {
    let (first, second) = (Gate::new(), Gate::new());
    let reply = Reply::text("one two")
        .delay_until(&first)
        .hold_at(At::Delta(1), &second);
    let provider = FakeProvider::start(Script::always(reply));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(OPENAI)).unwrap();
    first.wait_reached(1).unwrap();
    assert_eq!(provider.bytes_sent(), 0);
    first.open();
    second.wait_reached(1).unwrap();
    provider.wait(Event::FirstByteSent(0)).unwrap();
    provider.wait(Event::DeltasSent(0, 1)).unwrap();
    let mut got = vec![0; usize::try_from(provider.bytes_sent()).unwrap()];
    stream.read_exact(&mut got).unwrap();
    let got = String::from_utf8(got).unwrap();
    assert!(got.contains("one ") && !got.contains("two"));
    second.open();
    assert!(String::from_utf8_lossy(&drain_some(&mut stream)).contains("[DONE]"));
}

fn drain_some(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(b"0\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        all.push(byte[0]);
    }
    all
}

#[test]
fn odd_borders_change_nothing_but_the_borders() {
    let reply = Reply::text("Grüße aus 東京 🎈");
    for dialect in [OPENAI, Dialect::Anthropic] {
        let plain = FakeProvider::start(Script::always(reply.clone()));
        let body = ask(&plain, dialect).body;
        for odd in [
            reply.clone().chunk_every(1),
            reply.clone().chunk_every(7),
            reply.clone().split_every(3),
            reply.clone().split_at(&[1, 200, 201, 999_999]),
            reply.clone().framing(Framing::Length),
        ] {
            let provider = FakeProvider::start(Script::always(odd));
            assert_eq!(ask(&provider, dialect).body, body);
        }
    }
    let one = Reply::text("ü").chunk_every(1);
    let wire = whole(&one, OPENAI);
    let text = String::from_utf8_lossy(&wire);
    assert!(
        text.contains("\r\n1\r\n{\r\n1\r\n"),
        "chunks of one byte: {text}"
    );
}

#[test]
fn a_body_without_a_length_ends_with_its_connection() {
    let reply = Reply::text("one").framing(Framing::UntilClose);
    let wire = String::from_utf8(whole(&reply, OPENAI)).unwrap();
    assert!(wire.contains("connection: close\r\n") && !wire.contains("content-length"));
    assert!(wire.ends_with("data: [DONE]\n\n"));
}

#[test]
fn an_endless_line_costs_no_memory_and_ends_when_the_client_goes() {
    const LINE: u64 = 1 << 30;
    let provider = FakeProvider::start(Script::always(Reply::endless_line(LINE)));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(OPENAI)).unwrap();
    let mut some = vec![0; 1 << 20];
    stream.read_exact(&mut some).unwrap();
    assert!(some.ends_with(b"aaaa"));
    drop(stream);
    provider.wait(Event::ClientGone(0)).unwrap();
    assert!(provider.bytes_sent() < LINE);

    let provider = FakeProvider::start(Script::always(Reply::endless_line(200_000)));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(Dialect::Ollama)).unwrap();
    let (all, end) = drain(&mut stream);
    end.unwrap();
    assert_eq!(all.iter().filter(|byte| **byte == b'a').count() / 1000, 200);
    assert!(!all.ends_with(b"0\r\n\r\n"), "no end of the body");
}

#[test]
fn redirects_raw_bytes_and_bodies_go_out_as_they_are() {
    let script = Script::new()
        .then(Reply::redirect("https://elsewhere.invalid/v1"))
        .then(Reply::body(502, "text/html", "<h1>Bad gateway</h1>"))
        .then(Reply::fixture("data: {\"recorded\":true}\n\n"))
        .then(Reply::raw("HTTP/1.0 200 OK\r\n\r\nold"));
    let provider = FakeProvider::start(script);
    let moved = ask(&provider, OPENAI);
    assert_eq!(moved.status, 307);
    assert!(
        moved
            .head
            .contains("location: https://elsewhere.invalid/v1\r\n")
    );
    let broken = ask(&provider, OPENAI);
    assert_eq!(
        (broken.status, broken.body.as_str()),
        (502, "<h1>Bad gateway</h1>")
    );
    let recorded = ask(&provider, OPENAI);
    assert_eq!(recorded.events()[0]["recorded"], true);
    assert!(recorded.head.contains("text/event-stream"));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(OPENAI)).unwrap();
    assert_eq!(drain(&mut stream).0, b"HTTP/1.0 200 OK\r\n\r\nold");
}
