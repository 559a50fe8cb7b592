//! Whatever a provider sends: an answer or an error of three lines, soon, in little memory, and
//! paid once.

use convergio_fake_provider::{Dialect, Framing, Reply, Script};

use super::{House, three_lines};
use crate::harness::process::status_field;

/// A chunk of OpenAI's with this delta.
fn chunk(delta: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
    )
}

/// The end of a stream of OpenAI's.
const END: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\
    \"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: [DONE]\n\n";

fn ends(house: &House, what: &str) {
    let ran = house.cv(&["ask", "hi"]);
    match ran.code {
        Some(0) => {}
        // A cut answer, or one that broke.
        Some(3 | 6) => three_lines(&ran, ran.code.unwrap_or_default()),
        _ => panic!("{what}: {ran:?}"),
    }
    for bad in ['\u{1b}', '\u{7}'] {
        assert!(!ran.err.contains(bad), "{what}: {ran:?}");
    }
    house.settled();
    let peak_kb = status_field(house.home.owner().expect("a daemon"), "VmHWM");
    assert!(peak_kb < 200_000, "{what}: {peak_kb} kB");
}

#[test]
fn odd_but_lawful_streams_are_read() {
    let hello = chunk("{\"content\":\"Hello.\"}");
    let plain = format!("{hello}{END}");
    for (what, body) in [
        ("returns and newlines", plain.replace('\n', "\r\n")),
        ("returns", plain.replace('\n', "\r")),
        ("no blank after the colon", plain.replace("data: ", "data:")),
        ("a byte order mark", format!("\u{feff}{plain}")),
        ("comments", format!(": hi\n\n:\n\n{hello}: more\n\n{END}")),
        (
            "other fields",
            format!("id: 1\nretry: 5\nevent: message\n{plain}"),
        ),
        (
            "data over two lines",
            plain.replace(",\"model\"", ",\ndata: \"model\""),
        ),
        (
            "unknown members",
            plain.replace("\"id\":\"c\"", "\"id\":\"c\",\"x\":{\"y\":[1,{}]}"),
        ),
        (
            "null content first",
            format!(
                "{}{plain}",
                chunk("{\"role\":\"assistant\",\"content\":null}")
            ),
        ),
        ("escapes", plain.replace("Hello.", "\\u0048ell\\u006f.")),
    ] {
        let house = House::new(Script::always(Reply::fixture(body).chunk_every(5)));
        let ran = house.cv(&["ask", "hi"]);
        assert_eq!(
            (ran.code, ran.out.trim_end()),
            (Some(0), "Hello."),
            "{what}: {ran:?}"
        );
        house.settled();
    }
}

#[test]
fn streams_that_are_none_end_soon() {
    let hello = chunk("{\"content\":\"Hello.\"}");
    let many = chunk("{\"content\":\"x\"}").repeat(20_000);
    let deep = format!("data: {}{}\n\n", "[".repeat(100_000), "]".repeat(100_000));
    let mut broken = hello.clone().into_bytes();
    broken.extend(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\xc3\x28\"}}]}\n\n");
    broken.extend(END.bytes());
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("newlines", vec![b'\n'; 1 << 20]),
        ("zeros", vec![0; 1 << 20]),
        ("no UTF-8", broken),
        ("no JSON", format!("{hello}data: {{oops\n\n{END}").into()),
        ("a list", format!("data: [1,2,3]\n\n{END}").into()),
        ("a string", format!("data: \"no\"\n\n{END}").into()),
        ("deep nesting", deep.into()),
        ("the end alone", END.into()),
        ("two ends", format!("{hello}{END}{END}").into()),
        ("text after the end", format!("{hello}{END}{hello}").into()),
        ("comments alone", ": wait\n\n".repeat(50_000).into()),
        ("many words", format!("{many}{END}").into()),
        (
            "numbers beyond all",
            hello.replace("\"created\":1", "\"created\":1e999").into(),
        ),
        (
            "a lone surrogate",
            format!("{}{END}", hello.replace("Hello.", "\\ud800")).into(),
        ),
        (
            "zero in text",
            format!("{}{END}", hello.replace("Hello.", "a\\u0000b")).into(),
        ),
        (
            "control in text",
            format!("{}{END}", hello.replace("Hello.", "\\u001b[2J\\u0007")).into(),
        ),
        (
            "usage below zero",
            format!(
                "{hello}data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":-5,\
                     \"completion_tokens\":-1,\"total_tokens\":-6}}}}\n\n{END}"
            )
            .into(),
        ),
        (
            "more cached than there was",
            format!(
                "{hello}data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":5,\
                     \"completion_tokens\":1,\"total_tokens\":6,\
                     \"prompt_tokens_details\":{{\"cached_tokens\":50}}}}}}\n\n{END}"
            )
            .into(),
        ),
        (
            "usage beyond all",
            format!(
                "{hello}data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":18446744073709551615,\
                     \"completion_tokens\":18446744073709551615,\"total_tokens\":1}}}}\n\n{END}"
            )
            .into(),
        ),
    ];
    for (what, body) in bodies {
        ends(&House::new(Script::always(Reply::fixture(body))), what);
    }
}

#[test]
fn responses_that_are_none_end_soon() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    for (what, reply) in [
        ("no content", Reply::body(204, "text/plain", "")),
        (
            "a long header",
            Reply::text("x").header("x-long", &"y".repeat(1 << 20)),
        ),
        (
            "many headers",
            (0..2_000).fold(Reply::text("x"), |reply, number| {
                reply.header(&format!("x-{number}"), "y")
            }),
        ),
        (
            "a teapot",
            Reply::body(418, "text/plain", "short and stout"),
        ),
        (
            "a big error",
            Reply::error(500, "server_error", &"z".repeat(20 << 20)),
        ),
        (
            "a body that is too short",
            Reply::raw(format!("{ok}content-length: 99\r\n\r\ndata: ")),
        ),
        (
            "a body that is too long",
            Reply::raw(format!("{ok}content-length: 1\r\n\r\ndata: {{}}\n\n")),
        ),
        (
            "a bad chunk",
            Reply::raw(format!(
                "{ok}transfer-encoding: chunked\r\n\r\nzz\r\nno\r\n"
            )),
        ),
        (
            "a huge chunk",
            Reply::raw(format!(
                "{ok}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nno"
            )),
        ),
        (
            "two lengths",
            Reply::raw(format!(
                "{ok}content-length: 5\r\ncontent-length: 6\r\n\r\ndata: "
            )),
        ),
        (
            "packed",
            Reply::raw(format!(
                "{ok}content-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\u{8b}"
            )),
        ),
        ("no status", Reply::raw("\r\n\r\n\r\n")),
        (
            "an informational one, then nothing",
            Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\n"),
        ),
        (
            "switched protocols",
            Reply::raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
        ),
        (
            "until the end of the connection",
            Reply::text("fine").framing(Framing::UntilClose),
        ),
    ] {
        ends(&House::new(Script::always(reply)), what);
    }
}

#[test]
fn an_answer_without_an_end_is_bounded() {
    // 64 MiB of words that fit every line, for who asked for 100 tokens.
    let words: Vec<String> = (0..1_024).map(|_| "word ".repeat(13_107)).collect();
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Ollama] {
        let reply = Reply::deltas(words.clone()).ignoring_max_output();
        let house = House::speaking(dialect, Script::always(reply));
        let mut command = house.command(&["ask", "hi", "--max-output", "100"]);
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let ran = crate::harness::process::finish(command.spawn().expect("cv starts"), &command);
        assert!(
            matches!(ran.code, Some(0 | 3 | 6)),
            "{:?}: {}",
            ran.code,
            ran.err
        );
        let peak_kb = status_field(house.home.owner().expect("a daemon"), "VmHWM");
        assert!(peak_kb < 300_000, "{dialect:?}: {peak_kb} kB");
        house.settled();
    }
}
