//! A client that hides nothing: bytes out, bytes in.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use convergio_fake_provider::{Dialect, FakeProvider};
use serde_json::{Value, json};

/// Beyond this a test has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// The path of a streamed call.
pub(crate) fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "/v1/messages",
        Dialect::OpenAi => "/v1/chat/completions",
        Dialect::Responses => "/v1/responses",
        Dialect::Gemini => "/v1beta/models/gpt-test:streamGenerateContent?alt=sse",
        Dialect::Ollama => "/api/chat",
    }
}

pub(crate) const ALL: [Dialect; 5] = [
    Dialect::Anthropic,
    Dialect::OpenAi,
    Dialect::Responses,
    Dialect::Gemini,
    Dialect::Ollama,
];

/// A well-formed streamed call that says `hi there`.
pub(crate) fn call(dialect: Dialect) -> Value {
    let messages = json!([{ "role": "user", "content": "hi there" }]);
    match dialect {
        Dialect::Anthropic => json!({
            "model": "gpt-test", "max_tokens": 100, "stream": true, "messages": messages,
        }),
        Dialect::OpenAi => json!({
            "model": "gpt-test", "stream": true, "stream_options": { "include_usage": true },
            "messages": messages,
        }),
        Dialect::Responses => json!({
            "model": "gpt-test", "stream": true,
            "input": [{ "type": "message", "role": "user", "content": "hi there" }],
        }),
        Dialect::Gemini => json!({
            "contents": [{ "role": "user", "parts": [{ "text": "hi there" }] }],
        }),
        Dialect::Ollama => json!({ "model": "gpt-test", "messages": messages }),
    }
}

pub(crate) fn request(path: &str, headers: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         anthropic-version: 2023-06-01\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn streamed(dialect: Dialect) -> Vec<u8> {
    request(path(dialect), "", &call(dialect))
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Everything until the end, and how it ended.
pub(crate) fn drain(stream: &mut impl Read) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all).map(drop);
    (all, end)
}

/// A response on a connection that stays open.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) wire: usize,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The data of an event stream's events, or the lines of Ollama's.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.body
            .lines()
            .map(|line| line.strip_prefix("data: ").unwrap_or(line))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

/// Reads one response to its end by its framing.
pub(crate) fn response(stream: &mut impl Read) -> Response {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        all.push(byte[0]);
    }
    let head = String::from_utf8(all).unwrap();
    let mut wire = head.len();
    let mut body = Vec::new();
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    if header("transfer-encoding") == Some("chunked") {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                stream.read_exact(&mut byte).unwrap();
                line.push(byte[0]);
            }
            let size = String::from_utf8(line.clone()).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).unwrap();
            wire += line.len() + chunk.len();
            if size == 0 {
                break;
            }
            body.extend(&chunk[..size]);
        }
    } else {
        let length: usize = header("content-length").unwrap().parse().unwrap();
        body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        wire += length;
    }
    Response {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: String::from_utf8(body).unwrap(),
        wire,
    }
}

/// One streamed call on a connection of its own.
pub(crate) fn ask(provider: &FakeProvider, dialect: Dialect) -> Response {
    ask_with(provider, path(dialect), "", &call(dialect))
}

pub(crate) fn ask_with(
    provider: &FakeProvider,
    path: &str,
    headers: &str,
    body: &Value,
) -> Response {
    let mut stream = connect(provider.addr());
    stream.write_all(&request(path, headers, body)).unwrap();
    response(&mut stream)
}

pub(crate) fn get(provider: &FakeProvider, path: &str, headers: &str) -> Response {
    let mut stream = connect(provider.addr());
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    response(&mut stream)
}
