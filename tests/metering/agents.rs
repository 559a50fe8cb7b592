//! Real agents from the registry behind `cv guard`, before a provider that never lets them finish:
//! they work, and the cap stops them with words that they show.

use std::path::PathBuf;

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Request, Script};
use serde_json::json;

use super::{DEAR, is_sound, settings};
use crate::{
    ask::House,
    harness::{home::Ran, process::run},
};

const DOLLAR: u64 = 1_000_000_000;

/// Where `just guard-agent` has put them.
fn agent(name: &str) -> PathBuf {
    let folder = std::env::var_os("CONVERGIO_AGENTS");
    let folder =
        folder.expect("CONVERGIO_AGENTS names the folder with the agents: `just guard-agent`");
    PathBuf::from(folder).join("node_modules/.bin").join(name)
}

/// Asks for one more look at the folder each time, as long as anybody pays; or says good-bye.
fn restless(request: &Request, tool: &str, forever: bool) -> Reply {
    let said = String::from_utf8_lossy(&request.body);
    if !forever && said.contains("MARKER-6c1e") {
        return Reply::text("Done: MARKER-6c1e was read.").usage(200, 10);
    }
    let arguments = match tool {
        "Bash" => json!({"command": "cat marker", "description": "Reads a file"}),
        // Takes a program as it stands; its group's name stands before its own.
        "functions__exec" => json!({
            "input": "text(JSON.stringify(await tools.exec_command({cmd: \"cat marker\"})))",
        }),
        _ => json!({"cmd": "cat marker"}),
    };
    Reply::tool_call(tool, &arguments).usage(200, 400)
}

struct Agent {
    name: &'static str,
    /// The tool that it has for commands.
    tool: &'static str,
    upstream: Dialect,
    /// What it is told to do, and how.
    arguments: &'static [&'static str],
}

const CLAUDE: Agent = Agent {
    name: "claude",
    tool: "Bash",
    upstream: Dialect::Anthropic,
    arguments: &[
        "--model",
        "claude-sonnet-4-5",
        "-p",
        "Read the file marker.",
        "--dangerously-skip-permissions",
    ],
};
const CODEX: Agent = Agent {
    name: "codex",
    tool: "exec_command",
    upstream: Dialect::OpenAi,
    arguments: &[
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        "-m",
        "gpt-test",
        "Read the file marker.",
    ],
};
/// With a model of its own, whose tools come in groups, along the way.
const CODEX_ITSELF: Agent = Agent {
    name: "codex",
    tool: "functions__exec",
    upstream: Dialect::OpenAi,
    arguments: &[
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        "Read the file marker.",
    ],
};

impl Agent {
    fn house(&self, forever: bool) -> House {
        let tool = self.tool;
        let script = Script::answer(move |request| restless(request, tool, forever));
        let provider = FakeProvider::start(script);
        let base = provider.base_url(self.upstream);
        let house = House::before(provider, self.upstream, &base, "");
        house.configure(&settings(self.upstream, &base, 100 * DOLLAR, DEAR));
        std::fs::write(house.folder.join("marker"), "MARKER-6c1e\n").expect("a file");
        house
    }

    fn guarded(&self, house: &House, max_usd: &str) -> Ran {
        let program = agent(self.name).display().to_string();
        let guard = ["guard", "--max", max_usd, "--model", "mock/gpt-test", "--"];
        let arguments = [&guard[..], &[program.as_str()], self.arguments].concat();
        let mut command = house.command(&arguments);
        command
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("IS_SANDBOX", "1");
        run(&mut command, b"")
    }

    fn works_and_is_stopped(&self) {
        let house = self.house(false);
        let ran = self.guarded(&house, "50");
        assert_eq!(ran.code, Some(0), "{}: {ran:?}", self.name);
        assert!(
            ran.out.contains("MARKER-6c1e was read"),
            "{}: {ran:?}",
            self.name
        );
        let total = is_sound(&house, self.name);
        assert_eq!(total["attempts"], house.provider.calls().len(), "{total}");

        let house = self.house(true);
        let ran = self.guarded(&house, "1");
        let said = format!("{}{}", ran.out, ran.err);
        assert!(
            said.contains("budget") && said.contains("$1.00"),
            "{}: {ran:?}",
            self.name
        );
        let billed = DEAR.of(house.provider.billed());
        assert!(billed > 0 && billed <= DOLLAR, "{}: {billed}", self.name);
        let total = is_sound(&house, self.name);
        assert_eq!(total["amount_nano_usd"], billed, "{}: {total}", self.name);
        eprintln!(
            "{}: {} calls, stopped: {}",
            self.name,
            house.provider.calls().len(),
            ran.err
        );
    }
}

#[test]
#[ignore = "needs the agent: `just guard-agent`"]
fn claude_code_works_behind_the_guard_and_is_stopped_at_its_cap() {
    CLAUDE.works_and_is_stopped();
}

#[test]
#[ignore = "needs the agent: `just guard-agent`"]
fn codex_works_behind_the_guard_and_is_stopped_at_its_cap() {
    CODEX.works_and_is_stopped();
}

#[test]
#[ignore = "needs the agent: `just guard-agent`"]
fn codex_works_with_its_own_model_behind_the_guard_and_is_stopped_at_its_cap() {
    CODEX_ITSELF.works_and_is_stopped();
}
