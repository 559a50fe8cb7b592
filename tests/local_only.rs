//! Under `local-only` every way to a model ends at this machine: what the whole suite asks and has
//! reviewed is asked again where no network is, with every key at hand and a cloud that would
//! answer, and it is answered.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use convergio_contract::secret::KEY_VARIABLES;
use convergio_fake_provider::{At, Dialect, FakeProvider, Reply, Request, Script};
use serde_json::{Value, json};

use crate::harness::{
    diffs,
    home::{Home, Ran},
    http,
    process::{finish, run},
    root, skip,
    wire::Wire,
};

/// Says that the process stands where no network is.
const WITHOUT_NETWORK: &str = "CONVERGIO_TEST_WITHOUT_NETWORK";
const HERE: &str = "Hello from here.";
/// What the model here breaks off at, once.
const BREAKS: &str = "please die midway";
const CLOUD: &str = "Hello from the cloud.";
/// Raises loopback, and nothing else, in a network of its own.
const LOOPBACK_ALONE: &str = "ip link set lo up && exec \"$0\" \"$@\"";

/// Two models: one on this machine, one elsewhere, as far as the settings say.
struct House {
    home: Home,
    folder: PathBuf,
    here: FakeProvider,
    cloud: FakeProvider,
}

/// Text where text is wanted, a review's JSON where that is, and once a connection that dies.
fn script() -> Script {
    let mut died = false;
    Script::answer(move |request: &Request| {
        let body = request.json();
        if !body["format"].is_null() {
            return Reply::json(&json!({"findings": [], "verdicts": []}));
        }
        if request.prompt().contains(BREAKS) && !died {
            died = true;
            return Reply::text(HERE).in_deltas(4).close_after(At::Delta(2));
        }
        Reply::text(HERE).usage(10, 5)
    })
    .models(["llama"])
}

impl House {
    /// `default` names the model that is asked where nobody names one.
    fn new(default: &str) -> Self {
        let home = Home::new();
        let here = FakeProvider::start(script());
        let answers = Script::always(Reply::text(CLOUD)).models(["gpt-test"]);
        let cloud = FakeProvider::start(answers.any_path());
        let folder = home.convergio().join("config");
        fs::create_dir_all(&folder).expect("a folder");
        let settings = format!(
            "[models]\npolicy = \"local-only\"\ndefault = \"{default}\"\n\
             fallback = [\"cloud/gpt-test\", \"here/llama\"]\n[budget]\ndaily_usd = \"2.00\"\n\
             [gateway]\nenabled = true\n[provider.here]\nkind = \"ollama\"\nbase_url = \"{}\"\n\
             [provider.cloud]\nkind = \"openai\"\nbase_url = \"{}\"\nkey_env = \"MOCK_KEY\"\n\
             local = false\n[provider.cloud.model.\"gpt-test\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n",
            here.base_url(Dialect::Ollama),
            cloud.base_url(Dialect::OpenAi),
        );
        fs::write(folder.join("config.toml"), settings).expect("a file");
        Self {
            folder: home.folder("w"),
            home,
            here,
            cloud,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.cv_command(&self.folder, arguments);
        command
            .env("CONVERGIO_NO_PROMPT", "1")
            .env("MOCK_KEY", "sk-nobody");
        for name in KEY_VARIABLES {
            command.env(name, "sk-nobody");
        }
        command
    }

    fn cv(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        finish(command.spawn().expect("cv starts"), &command)
    }

    fn cv_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        run(&mut self.command(arguments), input)
    }

    /// Answered by the model of this machine.
    fn answered(&self, ran: &Ran) {
        assert_eq!((ran.code, ran.out.trim()), (Some(0), HERE), "{ran:?}");
    }

    /// Nothing left, by the provider's count and by what was written down.
    fn nothing_left(&self) {
        assert_eq!(self.cloud.connections(), 0, "the cloud was called");
        assert_eq!(self.cloud.bytes_received(), 0);
        let mut wire = Wire::open(&self.home);
        let mut params = json!({"limit": 100});
        let mut rows = 0;
        loop {
            let page = wire.result("privacy.egress", params);
            for row in page["rows"].as_array().expect("rows") {
                assert_eq!(row["loopback"], true, "{row}");
                assert_eq!(row["policy"], "local-only", "{row}");
                rows += 1;
            }
            if page["cursor"].is_null() {
                break;
            }
            params = json!({"limit": 100, "cursor": page["cursor"]});
        }
        assert!(rows >= self.here.calls().len(), "each call has its row");
    }
}

/// Every text that a test of the suite asks by `cv ask`, as it stands in the sources.
fn prompts_of_the_suite() -> BTreeSet<String> {
    let mut prompts = BTreeSet::new();
    let mut folders = vec![root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                prompts_in(&fs::read_to_string(path).expect("a source"), &mut prompts);
            }
        }
    }
    prompts
}

fn prompts_in(source: &str, prompts: &mut BTreeSet<String>) {
    for behind in source.split("\"ask\"").skip(1) {
        // The other arguments of the same list.
        let list = behind.split(']').next().unwrap_or_default();
        for literal in literals(list) {
            // What an option takes is asked too: it is a word like any other.
            if !literal.is_empty() && !literal.starts_with('-') {
                prompts.insert(literal);
            }
        }
    }
}

/// The string literals of a piece of source, as far as JSON has the same escapes.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('"') {
        let text = &rest[start + 1..];
        let mut escaped = false;
        let end = text.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        found.extend(serde_json::from_str::<String>(&format!(
            "\"{}\"",
            &text[..end]
        )));
        rest = &text[end + 1..];
    }
    found
}

/// The diffs of every rule, each file's as one.
fn diffs_of_the_suite() -> Vec<(PathBuf, String)> {
    let folder = root().join("daemon/review/fixtures");
    let mut diffs = Vec::new();
    for entry in fs::read_dir(folder).expect("fixtures").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "diffs") {
            let text = fs::read_to_string(&path).expect("a fixture");
            let lines = text.lines().filter(|line| !line.starts_with("### "));
            let diff = lines.flat_map(|line| [line, "\n"]).collect();
            diffs.push((path, diff));
        }
    }
    diffs
}

#[test]
fn everything_is_answered_where_no_network_is() {
    if std::env::var_os(WITHOUT_NETWORK).is_some() {
        let nowhere = "192.0.2.1:443".parse().expect("an address");
        let tried = TcpStream::connect_timeout(&nowhere, Duration::from_secs(1));
        assert!(tried.is_err(), "there is a network");
        return the_whole_suite();
    }
    let me = std::env::current_exe().expect("the test knows where it is");
    let inside = |program: &Path| {
        let mut command = Command::new("unshare");
        command
            .args(["-rn", "sh", "-c", LOOPBACK_ALONE])
            .arg(program)
            .env(WITHOUT_NETWORK, "1")
            .env("CONVERGIO_BINARIES", crate::harness::binaries());
        command
    };
    let can = inside(Path::new("true")).output();
    if !can.is_ok_and(|tried| tried.status.success()) {
        let what = "everything_is_answered_where_no_network_is";
        skip::loudly(what, "unshare and ip that may make a network");
        // The policy is held all the same, only not by a network that is not there.
        return the_whole_suite();
    }
    let name = "local_only::everything_is_answered_where_no_network_is";
    let mut command = inside(&me);
    command.args(["--exact", name, "--nocapture"]);
    let ran = command.output().expect("the test runs again");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(told.contains("1 passed"), "{told}");
}

fn the_whole_suite() {
    let house = House::new("here/llama");
    let prompts = prompts_of_the_suite();
    assert!(
        prompts.len() >= 40,
        "the suite asks more than {}",
        prompts.len()
    );
    for prompt in &prompts {
        house.answered(&house.cv(&["ask", "--", prompt]));
    }
    assert!(house.here.calls().len() >= prompts.len());
    every_way_to_ask(&house);
    through_the_gateway(&house);
    reviews(&house);
    house.nothing_left();
}

fn every_way_to_ask(house: &House) {
    fs::write(house.folder.join("notes.txt"), "buy milk\n").expect("a file");
    house.answered(&house.cv_with_input(&["ask", "what is this?", "-"], b"piped text\n"));
    house.answered(&house.cv(&["ask", "what is in it?", "-a", "notes.txt"]));
    house.answered(&house.cv(&["ask", "-c", "and now?"]));
    house.answered(&house.cv(&["ask", "--ephemeral", "who are you?"]));
    let saved = house.cv_with_input(&["template", "save", "short"], b"Short: {{input}}");
    assert_eq!(saved.code, Some(0), "{saved:?}");
    house.answered(&house.cv(&["ask", "-t", "short", "a long text"]));
    let ran = house.cv(&["ask", "--format", "json", "hi there"]);
    let answer: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(answer["local"], true, "{answer}");
    let preview = house.cv(&["ask", "--dry-run", "hi there"]);
    assert_eq!(preview.code, Some(0), "{preview:?}");
    // A run that broke, and what goes on from it.
    let broken = house.cv(&["ask", "--format", "json", BREAKS]);
    assert_eq!(broken.code, Some(3), "{broken:?}");
    let mut wire = Wire::open(&house.home);
    let runs = wire.result("run.list", json!({"limit": 1}));
    let run_id = runs["runs"][0]["run_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    house.answered(&house.cv(&["runs", "resume", &run_id]));
    // Whoever asks for the cloud by name, or looks around, is told no or what is here.
    for arguments in [
        &["ask", "-m", "cloud/gpt-test", "hi there"] as &[&str],
        &["ask", "-m", "anthropic/claude-sonnet-4-5", "hi there"],
        &["provider", "test", "cloud"],
        &["provider", "test", "openai"],
        &[
            "models",
            "prices",
            "update",
            "https://192.0.2.1/prices.toml",
        ],
    ] {
        let ran = house.cv(arguments);
        assert_eq!(ran.code, Some(8), "{arguments:?}: {ran:?}");
    }
    for arguments in [&["models"] as &[&str], &["provider", "list"], &["doctor"]] {
        house.cv(arguments);
    }
    assert_eq!(house.cloud.connections(), 0);
}

fn through_the_gateway(house: &House) {
    let mut wire = Wire::open(&house.home);
    let keys = json!({"MOCK_KEY": "sk-nobody", "OPENAI_API_KEY": "sk-nobody"});
    let params = json!({"name": "tool", "max_usd": "1.00", "keys": keys});
    let made = wire.result("token.create", params);
    let base = made["gateway"]["url"].as_str().expect("it listens");
    let bearer = format!("Bearer {}", made["secret"].as_str().expect("a secret"));
    let ask = |path: &str, model: &str, stream: bool| {
        let body = json!({
            "model": model, "max_tokens": 100, "stream": stream,
            "messages": [{"role": "user", "content": "who are you?"}],
        });
        let headers = [("authorization", bearer.as_str())];
        http::post(base, path, &headers, &body).expect("an answer")
    };
    for path in ["/v1/chat/completions", "/v1/messages"] {
        for stream in [false, true] {
            let answer = ask(path, "here/llama", stream);
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert!(answer.body.contains("Hello"), "{path}: {answer:?}");
            for model in ["cloud/gpt-test", "openai/gpt-5-mini"] {
                let answer = ask(path, model, stream);
                assert!(answer.status >= 400, "{path} {model}: {answer:?}");
            }
        }
    }
    assert_eq!(house.cloud.connections(), 0);
}

fn reviews(house: &House) {
    let mut diffs = diffs_of_the_suite();
    diffs.push(("small".into(), diffs::SMALL.to_owned()));
    assert!(diffs.len() > 20, "{}", diffs.len());
    let mut looked = 0;
    for (name, diff) in &diffs {
        let ran = house.cv_with_input(&["review", "--format", "json"], diff.as_bytes());
        let document: Value = serde_json::from_str(&ran.out)
            .unwrap_or_else(|error| panic!("{error}: {name:?}: {ran:?}"));
        let model = &document["summary"]["model"];
        assert_eq!(model["local"], true, "{name:?}: {document}");
        looked += model["chunks_done"].as_u64().unwrap_or(0);
    }
    assert!(looked > 20, "the model read {looked} parts");
    let preview = house.cv_with_input(&["review", "--dry-run"], diffs::SMALL.as_bytes());
    assert_eq!(preview.code, Some(0), "{preview:?}");
}

#[test]
fn a_default_in_the_cloud_is_not_asked_and_the_model_here_is() {
    let house = House::new("cloud/gpt-test");
    let ran = house.cv(&["ask", "who is there?"]);
    house.answered(&ran);
    let ran = house.cv_with_input(&["review", "--format", "json"], diffs::SMALL.as_bytes());
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_ne!(document["summary"]["model"]["local"], false, "{document}");
    house.nothing_left();
}
