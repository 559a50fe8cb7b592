//! Golden transcripts of the wire. A file holds client lines, each followed by what the daemon
//! answered; `UPDATE_GENERATED=1` rewrites the answers.
//!
//! A client line is `{"client": MESSAGE}`, or `{"client_text": …}` for a line that is no JSON,
//! `{"client_hex": …}` for bytes, `{"client_nested": N}` for N brackets. `"until"` says how much
//! of the answer belongs to it: `response` (to the message's id; the default), `line` (one line,
//! the default for what has no id), `nothing`, `terminal` (events up to the run's end).
//! Placeholders begin with `$`: those of ids, times and places; the daemon's own ids are taken
//! from its last answer.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value, json};

use crate::harness::{
    daemon::Daemon,
    home::Home,
    root,
    wire::{VERSION, Wire, is_terminal, new_id},
};

/// Numbers that differ from run to run, by key.
const NUMBERS: &[&str] = &["pid", "uptime_ms", "duration_ms"];
/// Texts that the daemon makes, by key; a client line may hold the placeholder to send it back.
const TEXTS: &[&str] = &["epoch", "schema_hash", "trace_id", "cursor", "rev", "build"];

struct Play {
    home: Home,
    names: BTreeMap<String, String>,
}

impl Play {
    fn new() -> Self {
        let home = Home::new();
        let mut names = BTreeMap::from([
            ("$version".to_owned(), VERSION.to_owned()),
            ("$home".to_owned(), home.everything().display().to_string()),
            ("$diff".to_owned(), crate::harness::diffs::SMALL.to_owned()),
        ]);
        for name in ["$run1", "$run2", "$run3", "$undo1"] {
            names.insert(name.to_owned(), new_id());
        }
        Self { home, names }
    }

    /// A client's message with its placeholders filled in.
    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.clone();
                for (name, real) in &self.names {
                    text = text.replace(name.as_str(), real);
                }
                Value::String(text)
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(map) => {
                let fields = map
                    .iter()
                    .map(|(key, value)| (key.clone(), self.fill(value)));
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }

    /// The daemon's message with placeholders for what differs from run to run.
    fn normalize(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.clone();
                let longest =
                    |name: &&String| name.starts_with("$run") || name.starts_with("$undo");
                for name in self
                    .names
                    .keys()
                    .filter(longest)
                    .chain([&"$home".to_owned()])
                {
                    text = text.replace(self.names[name].as_str(), name);
                }
                Value::String(text)
            }
            Value::Array(items) => items.iter().map(|item| self.normalize(item)).collect(),
            Value::Object(map) => Value::Object(self.normalize_fields(map)),
            other => other.clone(),
        }
    }

    fn normalize_fields(&mut self, map: &Map<String, Value>) -> Map<String, Value> {
        let mut fields = Map::new();
        for (key, value) in map {
            let name = format!("${key}");
            let value = match value {
                Value::Number(_) if NUMBERS.contains(&key.as_str()) => json!(name),
                Value::Number(_) if key.ends_with("_ms") && key.len() > 3 => {
                    if ["at_ms", "started_ms", "ended_ms", "created_ms"].contains(&key.as_str()) {
                        json!(name)
                    } else {
                        value.clone()
                    }
                }
                Value::String(real) if TEXTS.contains(&key.as_str()) => {
                    self.names.insert(name.clone(), real.clone());
                    json!(name)
                }
                Value::String(real)
                    if key == "undo_id" && !self.names.values().any(|n| n == real) =>
                {
                    self.names.insert("$undo_id".to_owned(), real.clone());
                    json!("$undo_id")
                }
                Value::String(real) if key == "version" && real == VERSION => json!("$version"),
                // Lines of the log begin with a time.
                Value::Array(_) if key == "lines" => json!(name),
                // A subscription's answer: the run goes on meanwhile.
                Value::Number(_) if key == "last_seq" && map.len() == 1 => json!(name),
                other => self.normalize(other),
            };
            fields.insert(key.clone(), value);
        }
        fields
    }

    fn bytes_of(&self, step: &Value) -> Vec<u8> {
        let mut bytes = if !step["client"].is_null() {
            self.fill(&step["client"]).to_string().into_bytes()
        } else if let Some(text) = step["client_text"].as_str() {
            text.as_bytes().to_vec()
        } else if let Some(hex) = step["client_hex"].as_str() {
            let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
            (0..hex.len()).step_by(2).map(digits).collect()
        } else {
            let depth = step["client_nested"].as_u64().expect("a client line");
            let depth = usize::try_from(depth).expect("a small number");
            // The message itself is the first level.
            let nested = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"health.get","params":{nested}}}"#)
                .into_bytes()
        };
        bytes.push(b'\n');
        bytes
    }

    fn play(&mut self, script: &[Value]) -> Vec<Value> {
        let _daemon = Daemon::start(&self.home);
        let mut wire = Wire::connect(&self.home.socket());
        let mut played = Vec::new();
        for step in script {
            played.push(step.clone());
            wire.send(&self.bytes_of(step));
            let id = &step["client"]["id"];
            let default = if id.is_null() { "line" } else { "response" };
            let until = step["until"].as_str().unwrap_or(default);
            loop {
                if until == "nothing" {
                    break;
                }
                let line = wire.line();
                played.push(json!({"server": self.normalize(&line)}));
                let last = match until {
                    "line" => true,
                    "response" => line["id"] == *id,
                    "terminal" => is_terminal(&line["params"]),
                    other => panic!("unknown until {other:?}"),
                };
                if last {
                    break;
                }
            }
        }
        // Nothing else came: the next answer is the next line.
        wire.send(b"{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"method\":\"no.such\"}\n");
        let line = wire.line();
        assert_eq!(line["id"], "last", "a line too many: {line}");
        played
    }
}

fn holds(name: &str) {
    let path = Path::new("tests/transcripts").join(format!("{name}.jsonl"));
    let path = root().join(path);
    let committed = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let lines: Vec<Value> = committed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let script: Vec<Value> = lines
        .iter()
        .filter(|line| line["server"].is_null())
        .cloned()
        .collect();
    let played = Play::new().play(&script);
    let text: String = played.iter().map(|line| format!("{line}\n")).collect();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, &text).expect("the transcript is ours");
        return;
    }
    for (index, (now, then)) in played.iter().zip(&lines).enumerate() {
        assert_eq!(
            now,
            then,
            "{name}.jsonl:{}: if this is meant: UPDATE_GENERATED=1",
            index + 1
        );
    }
    assert_eq!(
        played.len(),
        lines.len(),
        "{name}.jsonl: another number of lines"
    );
}

macro_rules! transcripts {
    ($($test:ident = $file:literal;)+) => {
        $(
            #[test]
            fn $test() {
                holds($file);
            }
        )+

        #[test]
        fn every_transcript_is_played() {
            let folder = root().join("tests/transcripts");
            for entry in fs::read_dir(folder).expect("the folder") {
                let name = entry.expect("a file").file_name();
                let name = name.to_string_lossy();
                let listed = [$($file),+].iter().any(|file| name == format!("{file}.jsonl"));
                assert!(listed, "{name} is not played");
            }
        }
    };
}

transcripts! {
    the_handshake_is_as_written = "initialize";
    no_version_in_common_is_as_written = "version_unsupported";
    a_call_before_the_handshake_is_as_written = "before_initialize";
    an_unknown_method_is_as_written = "unknown_method";
    bad_parameters_are_as_written = "bad_params";
    a_batch_is_as_written = "batch";
    bad_lines_are_as_written = "bad_lines";
    nesting_is_as_written = "nesting";
    cancelling_is_as_written = "cancel";
    a_review_is_as_written = "review";
    resuming_is_as_written = "resume";
    replaying_is_as_written = "replay";
    settings_are_as_written = "config";
    undoing_is_as_written = "undo";
    health_is_as_written = "health";
}
