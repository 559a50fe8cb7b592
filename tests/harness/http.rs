//! One HTTP request on a connection of its own: what came, and whether all of it did.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

use super::process::LIMIT;

/// What a server said.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    /// Without its framing.
    pub body: String,
    /// Its framing says that this is all.
    pub whole: bool,
}

impl Answered {
    /// The `data:` of its events; what is no JSON is a string.
    pub fn events(&self) -> Vec<Value> {
        let data = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into()))
            .collect()
    }
}

/// Posts JSON to `http://HOST:PORT` + `path`. `None` where nothing that is an answer came: nobody
/// listens, or who did is gone.
pub fn post(base: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Option<Answered> {
    let host = base
        .strip_prefix("http://")
        .expect("http")
        .trim_end_matches('/');
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    let body = body.to_string();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(&body);
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!(
                    "no end within {LIMIT:?} of {path}: {}",
                    String::from_utf8_lossy(&bytes)
                )
            }
            // Reset: what came before it counts.
            Err(_) => break,
        }
    }
    read(&bytes)
}

fn read(bytes: &[u8]) -> Option<Answered> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let of = |name: &str| headers.iter().find(|(known, _)| known == name);
    let rest = &bytes[end + 4..];
    let (body, whole) = if of("transfer-encoding").is_some_and(|(_, value)| value == "chunked") {
        unchunked(rest)
    } else {
        let length = of("content-length").and_then(|(_, value)| value.parse().ok());
        (
            rest.to_vec(),
            length.is_none_or(|length: usize| length == rest.len()),
        )
    };
    Some(Answered {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
        whole,
    })
}

/// The chunks' content; whether the last chunk came.
fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&bytes[..at]);
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
        if size == 0 {
            return (body, true);
        }
        let chunk = &bytes[at + 2..];
        body.extend(&chunk[..size.min(chunk.len())]);
        if chunk.len() < size + 2 {
            return (body, false);
        }
        bytes = &chunk[size + 2..];
    }
    (body, false)
}
