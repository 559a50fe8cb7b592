//! `cv ask` from the outside: the real programs before a provider on loopback that speaks the
//! real wire formats.

mod canary;
mod commits;
mod dialects;
mod endings;
mod faults;
mod hostile;
mod keychain;
mod kills;
mod money;
pub(crate) mod readers;
mod secrets;
mod stdin;
mod terminals;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use convergio_fake_provider::{Dialect, FakeProvider, Script};
use serde_json::{Value, json};

use crate::harness::{
    binaries,
    home::{Home, Ran},
    process::{finish, run},
    wire::Wire,
};

/// What the client has for its key; it must turn up at the provider and nowhere else.
pub(crate) const KEY: &str = "sk-canary-4f1d9a";

/// A home whose only model is a fake's.
pub(crate) struct House {
    pub(crate) home: Home,
    pub(crate) folder: PathBuf,
    pub(crate) provider: FakeProvider,
}

/// The configuration's word for a dialect.
pub(crate) fn kind(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "anthropic",
        Dialect::OpenAi => "openai",
        Dialect::Responses => "openai-responses",
        Dialect::Gemini => "gemini",
        Dialect::Ollama => "ollama",
    }
}

impl House {
    /// The provider speaks as OpenAI does.
    pub(crate) fn new(script: Script) -> Self {
        Self::speaking(Dialect::OpenAi, script)
    }

    pub(crate) fn speaking(dialect: Dialect, script: Script) -> Self {
        Self::with(dialect, script, "")
    }

    /// With further lines in the provider's table.
    pub(crate) fn with(dialect: Dialect, script: Script, more: &str) -> Self {
        let provider = FakeProvider::start(script);
        let base = provider.base_url(dialect);
        Self::before(provider, dialect, &base, more)
    }

    /// The provider is reached under another address than its own.
    pub(crate) fn before(provider: FakeProvider, dialect: Dialect, base: &str, more: &str) -> Self {
        let home = Home::new();
        let house = Self {
            folder: home.folder("w"),
            home,
            provider,
        };
        let kind = kind(dialect);
        // One with a price is billed, unless it is said to be here.
        let here = dialect == Dialect::Ollama && base.contains("127.0.0.1");
        let local = match here && !more.contains("local") {
            true => "local = true\n",
            false => "",
        };
        house.configure(&format!(
            "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n\
             [provider.mock]\nkind = \"{kind}\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
             {local}{more}\n\
             [provider.mock.model.\"gpt-test\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n"
        ));
        house
    }

    /// Replaces the configuration file.
    pub(crate) fn configure(&self, text: &str) {
        let folder = self.home.convergio().join("config");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("config.toml"), text).expect("a file");
    }

    /// `cv` with a key in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.cv_command(&self.folder, arguments);
        command
            .env("MOCK_KEY", KEY)
            // Whoever runs the tests may have a terminal, and must not be asked there.
            .env("CONVERGIO_NO_PROMPT", "1");
        command
    }

    /// `cv` with `/dev/null` on stdin.
    pub(crate) fn cv(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        finish(command.spawn().expect("cv starts"), &command)
    }

    pub(crate) fn cv_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        run(&mut self.command(arguments), input)
    }

    /// A script for bash whose `$0` is `cv`.
    pub(crate) fn bash(&self, script: &str) -> Ran {
        let mut command = self.home.command("bash");
        command
            .env("MOCK_KEY", KEY)
            .arg("-c")
            .arg(script)
            .arg(binaries().join("cv"))
            .current_dir(&self.folder);
        run(&mut command, b"")
    }

    /// The latest run, once it has ended.
    pub(crate) fn last_run(&self) -> Value {
        // Whoever killed the daemon: it is started again.
        assert_eq!(self.cv(&["status"]).code, Some(0));
        let mut wire = Wire::open(&self.home);
        let runs = wire.result("run.list", json!({"limit": 1}));
        let run_id = runs["runs"][0]["run_id"].clone();
        let params = json!({"run_id": run_id, "after_seq": 0});
        // An ephemeral run keeps no events once it has ended.
        if wire.call("run.subscribe", params)["error"].is_null() {
            wire.events_to_end();
        }
        wire.result("run.get", json!({"run_id": run_id}))
    }

    /// What `cv usage` says of all runs. Waits for the latest run's end first, because a client
    /// that left does not.
    pub(crate) fn usage(&self) -> Value {
        self.last_run();
        let ran = self.cv(&["usage", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        json_of(&ran)
    }

    /// Every call that reached the provider was settled exactly once, and nothing is held.
    /// Gives the sum.
    pub(crate) fn settled(&self) -> Value {
        let usage = self.usage();
        let total = &usage["total"];
        let calls = self.provider.calls().len();
        assert_eq!(total["attempts"], calls, "{usage}");
        assert_eq!(total["open"], 0, "{usage}");
        for budget in usage["budgets"].as_array().expect("budgets") {
            assert_eq!(budget["pending_nano_usd"], 0, "{usage}");
        }
        total.clone()
    }
}

/// The one JSON document on stdout.
pub(crate) fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The lines of NDJSON on stdout: each has its version, and the last is the only terminal one.
pub(crate) fn lines_of(ran: &Ran) -> Vec<Value> {
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}: {ran:?}")))
        .collect();
    assert!(lines.iter().all(|line| line["v"] == 1), "{ran:?}");
    let ends: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| crate::harness::wire::is_terminal(line))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(ends, [lines.len() - 1], "one end, and last: {ran:?}");
    lines
}

/// The three lines of an error are the last of stderr.
pub(crate) fn three_lines(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let lines: Vec<&str> = ran.err.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.starts_with("error: "))
        .unwrap_or_else(|| panic!("no error is said: {ran:?}"));
    assert!(
        lines.len() >= at + 3
            && lines[at + 1].starts_with("  why: ")
            && lines[at + 2].starts_with("  try: "),
        "{ran:?}"
    );
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    assert!(!ran.err.contains(KEY) && !ran.out.contains(KEY), "{ran:?}");
}

/// A file in the house's folder.
pub(crate) fn file(house: &House, name: &str, text: &str) -> PathBuf {
    let path: &Path = &house.folder;
    let path = path.join(name);
    fs::write(&path, text).expect("a file");
    path
}
