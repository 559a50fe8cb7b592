//! A raw client: lines out, lines in, nothing hidden.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
};

use convergio_contract::Uuid;
use serde_json::{Value, json};

use super::{home::Home, process::LIMIT};

/// One connection.
pub struct Wire {
    /// For bytes that are no request.
    pub stream: UnixStream,
    reader: BufReader<UnixStream>,
    next_id: u64,
    kept: VecDeque<Value>,
}

/// The parameters of a handshake of a client of this version.
pub fn handshake(version: &str) -> Value {
    json!({
        "protocol_versions": convergio_contract::PROTOCOL_VERSIONS,
        "client": {"name": "test", "version": version},
        "capabilities": {},
        "env": {},
    })
}

/// The version of the daemon under test.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Wire {
    /// Connected, nothing said.
    pub fn connect(socket: &Path) -> Self {
        Self::try_connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()))
    }

    /// Connected, nothing said, if somebody listens.
    pub fn try_connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self {
            stream,
            reader,
            next_id: 1,
            kept: VecDeque::new(),
        })
    }

    /// Connected and initialized.
    pub fn open(home: &Home) -> Self {
        Self::open_as(&home.socket(), VERSION)
    }

    /// Connected and initialized as a client of this version.
    pub fn open_as(socket: &Path, version: &str) -> Self {
        let mut wire = Self::connect(socket);
        wire.result("initialize", handshake(version));
        wire
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the daemon reads");
    }

    /// Sends a message as one line.
    pub fn send_line(&mut self, message: &Value) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.send(&line);
    }

    /// Sends a request and gives its id.
    pub fn request(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send_line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send_line(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The next line as it comes; `None` at the end. Panics after the limit.
    pub fn try_line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) if !line.ends_with('\n') => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing came from the daemon: {error}"),
        }
    }

    /// The next line as it comes.
    pub fn line(&mut self) -> Value {
        self.try_line().expect("the daemon keeps the connection")
    }

    /// The response to a request, whole; other lines are kept.
    pub fn response(&mut self, id: u64) -> Value {
        self.try_response(id)
            .expect("the daemon keeps the connection")
    }

    /// The response to a request, whole; `None` if the connection ends first.
    pub fn try_response(&mut self, id: u64) -> Option<Value> {
        if let Some(at) = self.kept.iter().position(|line| line["id"] == id) {
            return self.kept.remove(at);
        }
        loop {
            let line = self.try_line()?;
            if line["id"] == id {
                return Some(line);
            }
            self.kept.push_back(line);
        }
    }

    /// Calls and gives the whole response.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.response(id)
    }

    /// Calls and gives the result; panics on an error.
    pub fn result(&mut self, method: &str, params: Value) -> Value {
        let mut response = self.call(method, params);
        assert!(response["error"].is_null(), "{method}: {response}");
        response["result"].take()
    }

    /// Calls and gives the error's code; panics on a result.
    pub fn error_code(&mut self, method: &str, params: Value) -> i64 {
        let response = self.call(method, params);
        response["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("{method}: {response}"))
    }

    /// The parameters of the next event; responses are kept. `None` if the connection ends.
    pub fn try_event(&mut self) -> Option<Value> {
        let event = |line: &Value| line["method"] == "run.event";
        if let Some(at) = self.kept.iter().position(event) {
            return self.kept.remove(at).map(|mut line| line["params"].take());
        }
        loop {
            let mut line = self.try_line()?;
            if event(&line) {
                return Some(line["params"].take());
            }
            self.kept.push_back(line);
        }
    }

    /// All further events of a run up to its terminal one.
    pub fn events_to_end(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.try_event().expect("the daemon keeps the connection");
            let last = is_terminal(&event);
            events.push(event);
            if last {
                return events;
            }
        }
    }

    /// Starts a review of `diff` and gives its id.
    pub fn start_review(&mut self, root: &Path, diff: &str) -> String {
        let run_id = new_id();
        self.result("review.start", review_params(&run_id, root, diff));
        run_id
    }

    /// Reviews `diff` to its end and gives the events.
    pub fn review(&mut self, root: &Path, diff: &str) -> Vec<Value> {
        let run_id = self.start_review(root, diff);
        self.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
        self.events_to_end()
    }
}

/// Whether no event follows this one.
pub fn is_terminal(event: &Value) -> bool {
    ["completed", "failed", "cancelled"].contains(&event["type"].as_str().unwrap_or_default())
}

/// A new UUIDv7.
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// `review.start`'s parameters for a diff from stdin.
pub fn review_params(run_id: &str, root: &Path, diff: &str) -> Value {
    json!({
        "run_id": run_id,
        "diff": {"encoding": "utf8", "data": diff},
        "root": root,
        "selection": "stdin",
        "on_last_reader_gone": "continue",
    })
}
