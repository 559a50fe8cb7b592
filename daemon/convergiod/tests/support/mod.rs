//! A daemon in this process, and the plainest client there is.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use convergiod::{BootOptions, Running, boot};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// A daemon on a home of its own.
pub(crate) struct Served {
    /// The daemon.
    pub(crate) daemon: Running,
    home: TempDir,
}

impl Served {
    /// Starts one; `prepare` sees the home and the options first.
    pub(crate) fn with(prepare: impl FnOnce(&Path, &mut BootOptions)) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let mut options = BootOptions::under(home.path());
        prepare(home.path(), &mut options);
        let daemon = boot(options).expect("a daemon");
        Self { daemon, home }
    }

    /// Starts one.
    pub(crate) fn new() -> Self {
        Self::with(|_, _| ())
    }

    /// Its home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A connection that has not said anything.
    pub(crate) fn silent(&self) -> Wire {
        let stream = UnixStream::connect(self.daemon.socket()).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        Wire {
            reader: BufReader::new(stream.try_clone().expect("a handle")),
            stream,
            next_id: 1,
        }
    }

    /// A connection that is initialized.
    pub(crate) fn wire(&self) -> Wire {
        self.wire_with(json!({}))
    }

    /// The same, for a client with these `CONVERGIO_*` variables.
    pub(crate) fn wire_with(&self, variables: Value) -> Wire {
        let mut wire = self.silent();
        wire.result(
            "initialize",
            json!({
                "protocol_versions": convergio_contract::PROTOCOL_VERSIONS,
                "client": {"name": "test", "version": env!("CARGO_PKG_VERSION")},
                "env": {"variables": variables},
            }),
        );
        wire
    }
}

/// One connection.
pub(crate) struct Wire {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
    next_id: u64,
}

impl Wire {
    /// Sends a request and gives back its id.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.raw(&line.to_string());
        id
    }

    /// Sends a line as it is.
    pub(crate) fn raw(&mut self, line: &str) {
        writeln!(self.stream, "{line}").expect("a daemon that reads");
    }

    /// The next line; none at the end.
    pub(crate) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let count = self.reader.read_line(&mut line).expect("a line in time");
        (count > 0).then(|| serde_json::from_str(&line).expect("JSON"))
    }

    /// The response to `id`; notifications before it are skipped.
    pub(crate) fn response(&mut self, id: u64) -> Value {
        loop {
            let line = self.line().expect("a response");
            if line["id"] == id {
                return line;
            }
        }
    }

    /// Calls, and gives back the whole response.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.response(id)
    }

    /// Calls, and gives back the result.
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let mut response = self.call(method, params);
        assert!(response["error"].is_null(), "{method}: {response}");
        response["result"].take()
    }

    /// Calls, and gives back the error.
    pub(crate) fn error(&mut self, method: &str, params: Value) -> Value {
        let mut response = self.call(method, params);
        assert!(response["result"].is_null(), "{method}: {response}");
        response["error"].take()
    }

    /// The events of a run, from a fresh subscription to its end.
    pub(crate) fn events(&mut self, run_id: Uuid) -> Vec<Value> {
        self.send("run.subscribe", json!({"run_id": run_id}));
        let mut events = Vec::new();
        loop {
            let line = self.line().expect("an event");
            assert!(line["error"].is_null(), "{line}");
            if line["method"] != "run.event" {
                continue;
            }
            let event = line["params"].clone();
            let ended = ["completed", "failed", "cancelled"]
                .contains(&event["type"].as_str().unwrap_or_default());
            events.push(event);
            if ended {
                return events;
            }
        }
    }

    /// Starts a review of `diff`, and gives back its id and its events.
    pub(crate) fn review(&mut self, diff: &str, more: Value) -> (Uuid, Vec<Value>) {
        let run_id = Uuid::now_v7();
        self.result("review.start", params(run_id, diff, more));
        (run_id, self.events(run_id))
    }
}

/// Parameters of a review.
pub(crate) fn params(run_id: Uuid, diff: &str, more: Value) -> Value {
    let mut params = json!({
        "run_id": run_id,
        "diff": {"encoding": "utf8", "data": diff},
        "root": "/r",
        "selection": "stdin",
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        params[key] = value.clone();
    }
    params
}

/// A change with one critical fault per file.
pub(crate) fn faulty(files: usize) -> String {
    (0..files)
        .map(|file| {
            format!(
                "diff --git a/f{file}.py b/f{file}.py\n--- a/f{file}.py\n+++ b/f{file}.py\n@@ -1 +1,2 @@\n import requests\n+page = requests.get(\"https://example.org/{file}\", verify=False)\n"
            )
        })
        .collect()
}

/// How many events have this type.
pub(crate) fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["type"] == kind).count()
}
