//! What is needed to ask the same loopback provider by `cv`, through a warm daemon, and by curl.

use std::{
    fmt::Write as _,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use convergio_client::{Client, ClientOptions, Endpoint, Environment};
use convergio_contract::daemon::{ClientCapabilities, ClientEnv, ClientInfo};

use crate::Home;

/// What the question is.
pub const QUESTION: &str = "hi";
/// The key's variable, and the key.
const KEY: (&str, &str) = ("MOCK_KEY", "sk-bench");

/// A home whose only model is an OpenAI-compatible provider.
pub struct Asker {
    /// The home.
    pub home: Home,
    base_url: String,
    ca_pem: Option<PathBuf>,
}

impl Asker {
    /// A home for these binaries before the provider at `base_url`, `/v1` included. `ca_pem`
    /// names the authority's certificate where it speaks TLS.
    pub fn new(binaries: &Path, base_url: &str, ca_pem: Option<&Path>) -> Self {
        let home = Home::new(binaries);
        let mut text = format!(
            "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"1000000.00\"\n\
             [provider.mock]\nkind = \"openai\"\nbase_url = \"{base_url}\"\nkey_env = \"{}\"\n",
            KEY.0
        );
        if let Some(pem) = ca_pem {
            let _ = writeln!(text, "ca_file = \"{}\"", pem.display());
        }
        text.push_str(
            "[provider.mock.model.\"gpt-test\"]\n\
             price = { input = \"3.00\", output = \"15.00\" }\ncontext = 128000\n",
        );
        let folder = home.path().join("config");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("config.toml"), text).expect("a file");
        Self {
            home,
            base_url: base_url.to_owned(),
            ca_pem: ca_pem.map(Path::to_owned),
        }
    }

    /// `cv ask` with further arguments.
    pub fn cv(&self, more: &[&str]) -> Command {
        let mut command = self.home.cv(&["ask", QUESTION]);
        command.args(more).env(KEY.0, KEY.1);
        command
    }

    /// curl with the same question to the same provider.
    pub fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        command.args([
            "-sN",
            "--noproxy",
            "*",
            "-H",
            "content-type: application/json",
            "-H",
        ]);
        command.arg(format!("authorization: Bearer {}", KEY.1));
        if let Some(pem) = &self.ca_pem {
            command.arg("--cacert").arg(pem);
        }
        command.arg("-d").arg(body(None));
        command.arg(format!("{}/chat/completions", self.base_url));
        command.stdin(Stdio::null());
        command
    }
}

impl Asker {
    /// llm (Python) with the same question to the same provider; `programs` holds its program.
    pub fn llm(&self, programs: &Path) -> Command {
        let folder = self.home.path().join("llm");
        std::fs::create_dir_all(&folder).expect("a folder");
        let models = format!(
            "- model_id: mock\n  model_name: gpt-test\n  api_base: \"{}\"\n",
            self.base_url
        );
        std::fs::write(folder.join("extra-openai-models.yaml"), models).expect("a file");
        let mut command = Command::new(programs.join("llm"));
        command
            .args(["-m", "mock", "--key", KEY.1, QUESTION])
            .env("LLM_USER_PATH", folder)
            .stdin(Stdio::null());
        command
    }
}

/// The question as OpenAI's dialect has it, streamed.
pub fn body(max_output: Option<u32>) -> String {
    let limit = max_output.map_or(String::new(), |max| format!("\"max_tokens\":{max},"));
    format!(
        "{{\"model\":\"gpt-test\",\"stream\":true,{limit}\"stream_options\":{{\"include_usage\":\
         true}},\"messages\":[{{\"role\":\"user\",\"content\":\"{QUESTION}\"}}]}}"
    )
}

/// From just before the process is started to its first byte on stdout. It must end well.
pub fn first_byte(mut command: Command) -> Duration {
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().expect("it runs");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut byte = [0];
    stdout.read_exact(&mut byte).expect("an answer");
    let took = start.elapsed();
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("the rest");
    assert!(child.wait().expect("it ends").success(), "{command:?}");
    took
}

/// Our client, connected to a home's running daemon.
pub async fn connect(home: &Path) -> Client {
    let env = Environment {
        convergio_home: Some(home.to_owned()),
        ..Environment::from_process()
    };
    let options = ClientOptions {
        endpoint: Endpoint::resolve(&env).expect("an endpoint"),
        daemon: None,
        client: ClientInfo {
            name: "bench".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        },
        capabilities: ClientCapabilities::default(),
        env: ClientEnv::default(),
    };
    let client = Client::connect(options).await.expect("the daemon listens");
    client.server().await.expect("the daemon answers");
    client
}
