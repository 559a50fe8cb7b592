//! A daemon that says exactly what a test wants, for what a client makes of it.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Mutex},
};

use convergio_transport::socket::bind_listener;
use serde_json::{Value, json};

use super::home::Home;

/// What a call is answered with, and the events that follow it.
pub struct Said {
    outcome: Result<Value, Value>,
    events: Vec<Value>,
}

impl Said {
    /// A result.
    pub fn result(result: Value) -> Self {
        Self {
            outcome: Ok(result),
            events: Vec::new(),
        }
    }

    /// An error of the table.
    pub fn error(code: i32, message: &str, data: Value) -> Self {
        Self {
            outcome: Err(json!({"code": code, "message": message, "data": data})),
            events: Vec::new(),
        }
    }

    /// A subscription with its events, numbered where they are durable.
    pub fn events(run_id: &Value, bodies: impl IntoIterator<Item = Value>) -> Self {
        let mut seq = 0;
        let events = bodies
            .into_iter()
            .map(|mut event| {
                event["run_id"] = run_id.clone();
                event["at_ms"] = 1.into();
                if event["type"] != "delta" {
                    seq += 1;
                    event["seq"] = seq.into();
                }
                json!({"jsonrpc": "2.0", "method": "run.event", "params": event})
            })
            .collect();
        Self {
            outcome: Ok(json!({"last_seq": seq})),
            events,
        }
    }
}

type Script = dyn Fn(&str, &Value) -> Said + Send + Sync;

/// Listens at a home's socket until the process ends.
pub struct ScriptedDaemon {
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl ScriptedDaemon {
    /// Answers every call but the handshake by the script.
    pub fn start(
        home: &Home,
        script: impl Fn(&str, &Value) -> Said + Send + Sync + 'static,
    ) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let listener = bind_listener(&home.socket(), uid).expect("a socket");
        let listener: UnixListener = listener;
        listener.set_nonblocking(false).expect("a blocking socket");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let daemon = Self {
            calls: Arc::clone(&calls),
        };
        let script: Arc<Script> = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, calls) = (Arc::clone(&script), Arc::clone(&calls));
                std::thread::spawn(move || {
                    // A client that leaves ends its connection.
                    let _ = serve(&stream, &*script, &calls);
                });
            }
        });
        daemon
    }

    /// The parameters of all calls of a method, in order of arrival.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let calls = self.calls.lock().expect("unpoisoned");
        calls
            .iter()
            .filter(|(name, _)| name == method)
            .map(|(_, params)| params.clone())
            .collect()
    }
}

fn serve(
    stream: &UnixStream,
    script: &Script,
    calls: &Mutex<Vec<(String, Value)>>,
) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let id = &request["id"];
        let method = request["method"].as_str().expect("a method");
        if id.is_null() {
            continue;
        }
        let said = if method == "initialize" {
            Said::result(json!({
                "protocol_version": "2026-11-20",
                "server": {"name": "convergiod", "version": "0.1.0", "build": "test"},
                "capabilities": [],
                "limits": {"line_max_bytes": 1, "nesting_max": 1, "in_flight_max": 1,
                    "connections_max": 1, "diff_max_bytes": 1},
                "schema_hash": "", "epoch": "1",
            }))
        } else {
            let params = request["params"].clone();
            calls
                .lock()
                .expect("unpoisoned")
                .push((method.to_owned(), params.clone()));
            script(method, &params)
        };
        let answer = match said.outcome {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
        };
        for message in std::iter::once(answer).chain(said.events) {
            writer.write_all(format!("{message}\n").as_bytes())?;
        }
    }
    Ok(())
}
