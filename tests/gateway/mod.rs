//! The gateway from the outside: who gets in, what comes back, and `cv guard`.

mod access;
mod answers;
mod faults;
mod guard;
mod kept;

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use convergio_fake_provider::Script;
use serde_json::{Value, json};

use crate::{
    ask::{House, KEY},
    harness::{process::LIMIT, wire::Wire},
};

/// What a server said, as it came.
#[derive(Debug)]
struct Said {
    status: u16,
    head: String,
    body: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// A gateway that the settings switch on, and a token for it.
struct Open {
    house: House,
    base: String,
    secret: String,
}

impl Open {
    fn new(script: Script) -> Self {
        Self::of(House::new(script))
    }

    /// The gateway of this home.
    fn of(house: House) -> Self {
        let set = |key: &str, value: &str| {
            let ran = house.cv(&["config", "set", key, value]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
        };
        set("gateway.port", "0");
        // In force without a restart.
        set("gateway.enabled", "true");
        let mut wire = Wire::open(&house.home);
        let status = wire.result("gateway.status", json!({}));
        let base = status["url"].as_str().expect("it listens").to_owned();
        let secret = token(&mut wire, json!({"name": "tool"}));
        Self {
            house,
            base,
            secret,
        }
    }

    fn port(&self) -> &str {
        self.base.rsplit(':').next().expect("a port")
    }

    fn host(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Sends a head and body as they are, and reads until the other end closes.
    fn speak(&self, bytes: &[u8]) -> Said {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("sent");
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("an answer");
        let text = String::from_utf8_lossy(&said).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Said {
            status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host()).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream
    }

    /// A request with a good host and no body.
    fn get(&self, path: &str, headers: &[&str]) -> Said {
        let host = format!("Host: {}", self.host());
        let mut head = vec![host.as_str(), "Connection: close"];
        head.extend(headers);
        self.speak(format!("GET {path} HTTP/1.1\r\n{}\r\n\r\n", head.join("\r\n")).as_bytes())
    }

    /// The bytes of a request with the token.
    fn post(&self, path: &str, body: &Value) -> Vec<u8> {
        let body = body.to_string();
        let (host, secret) = (self.host(), &self.secret);
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Authorization: Bearer {secret}\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

/// Makes a token; its text.
fn token(wire: &mut Wire, mut params: Value) -> String {
    params["keys"] = json!({"MOCK_KEY": KEY});
    let made = wire.result("token.create", params);
    made["secret"].as_str().expect("its text").to_owned()
}

fn question(stream: bool) -> Value {
    json!({
        "model": "gpt-test", "stream": stream, "max_tokens": 300,
        "messages": [{"role": "user", "content": "what is it"}],
    })
}
