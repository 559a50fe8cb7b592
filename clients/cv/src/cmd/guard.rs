//! `cv guard`

use std::{
    ffi::{OsStr, OsString},
    io::{ErrorKind, IsTerminal},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::ExitStatus,
};

use convergio_client::Client;
use convergio_contract::{
    budget::BudgetList,
    method::Empty,
    model::Policy,
    secret::KEY_VARIABLES,
    token::{TokenCreateParams, TokenInfo, TokenRevoke, TokenRevokeParams},
};
use tokio::{
    process::{Child, Command},
    signal::unix::{Signal, SignalKind, signal},
};

use super::token;
use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind, describe},
    exit::Exit,
    hint::Hint,
    keys, money, waiting,
};

/// Runs a program that talks to OpenAI or Anthropic, with a cap: its requests come through here.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "The program gets the base URLs and a token of its own that ends with it, and none of \
                  your provider keys. At the cap its requests are refused before a provider is called."
)]
pub struct Args {
    /// At most this many US dollars, for instance `5`.
    #[arg(long, value_name = "USD", value_parser = money::parse)]
    pub max: i64,
    /// Ask this model, whatever the program names: provider/model, or an alias.
    #[arg(short, long, value_name = "MODEL", value_hint = clap::ValueHint::Other)]
    pub model: Option<String>,
    /// What usage calls it; the program's name without it.
    #[arg(long, value_name = "NAME", value_hint = clap::ValueHint::Other)]
    pub name: Option<String>,
    /// Only models on this machine: nothing leaves it.
    #[arg(long)]
    pub local_only: bool,
    /// The program and its arguments, behind `--`.
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM", value_hint = clap::ValueHint::CommandWithArguments)]
    pub program: Vec<OsString>,
}

/// Variables that would lead round us, beside the providers' keys.
const TAKEN_AWAY: [&str; 9] = [
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "OPENAI_API_BASE",
    "OPENAI_BASE_URL",
    "AZURE_OPENAI_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
];
/// Where the system looks where nobody says.
const DEFAULT_FOLDERS: &str = "/bin:/usr/bin";
/// Who is on this machine is not asked through a proxy.
const OURS: &str = "127.0.0.1,localhost,::1";

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let options = daemon::options(context, Start::IfNeeded)?;
    let base = base_name(&args.program[0]);
    // No token is made for what is not there.
    let folders = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_FOLDERS.into());
    find(&args.program[0], &folders).map_err(|error| not_started(&base, &error))?;
    let name = args.name.clone().unwrap_or_else(|| base.clone());
    let root = context.folder().ok();
    let params = TokenCreateParams {
        name: name.clone(),
        number_name: true,
        client: Some(name),
        root: root.and_then(|root| root.to_str().map(str::to_owned)),
        max_usd: Some(money::dollars(args.max)),
        model_map: token::every_name(args.model.as_ref()),
        policy: args.local_only.then_some(Policy::LocalOnly),
        while_connected: true,
        keys: keys::exported(),
        ..TokenCreateParams::default()
    };
    let notes = &mut context.notes;
    waiting::block_on(async {
        let client = daemon::connect(options).await?;
        if let Some(told) = client.notice() {
            notes.note(daemon::notice(told));
        }
        let made = token::create(&client, params)
            .await
            .map_err(daemon::failure)?;
        let Some(url) = made.gateway.url else {
            let why = made.gateway.error.unwrap_or_default();
            let what = "The gateway does not listen";
            return Err(Failure::new(
                Kind::Unreachable,
                what,
                why,
                Hint::DOCTOR_AND_LOGS,
            ));
        };
        let mut command = Command::new(&args.program[0]);
        command.args(own_arguments(&base, &url));
        command.args(&args.program[1..]);
        for name in &made.key_variables {
            command.env_remove(name);
        }
        surround(&mut command, &base, &url, made.secret.expose());
        // Listened to before the program is there, so that none is lost.
        let mut signals = Signals::new()?;
        let mut child = command
            .spawn()
            .map_err(|error| not_started(&base, &error))?;
        notes.note(&format!(
            "Guarding {base}: at most {}, as {}",
            money::shown(args.max),
            made.token.name
        ));
        // What runs on this machine is nobody's money.
        if !args.local_only
            && let Some(note) = little_left(&client, args.max).await
        {
            notes.note(&note);
        }
        let ended = signals.until_the_end_of(&mut child).await;
        let params = TokenRevokeParams {
            name: made.token.name,
        };
        match client.call::<TokenRevoke>(&params).await {
            Ok(revoked) => notes.note(&summary(&base, args.max, &revoked.token)),
            Err(error) => notes.note(&format!(
                "What {base} spent is not known here ({error}): cv usage --by token"
            )),
        }
        let status = ended.map_err(|error| not_started(&base, &error))?;
        Ok(Exit::Program(code(status)))
    })
}

/// Looks for a program as the system does: by its path where it names one, else in these folders.
fn find(program: &OsStr, folders: &OsStr) -> std::io::Result<PathBuf> {
    let runnable = |path: &Path| {
        let about = std::fs::metadata(path)?;
        match about.is_file() && about.permissions().mode() & 0o111 != 0 {
            true => Ok(path.to_owned()),
            false => Err(std::io::Error::new(
                ErrorKind::PermissionDenied,
                "it is no file that may be run",
            )),
        }
    };
    if program.as_bytes().contains(&b'/') {
        return runnable(Path::new(program));
    }
    let mut missing = std::io::Error::new(ErrorKind::NotFound, "no folder of PATH has it");
    for folder in std::env::split_paths(folders) {
        match runnable(&folder.join(program)) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => missing = error,
            Err(_) => {}
            found => return found,
        }
    }
    Err(missing)
}

/// The program's own name, fit for a token's.
fn base_name(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = name
        .to_string_lossy()
        .chars()
        .filter(|c| fits(*c))
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(40)
        .collect();
    match name.is_empty() {
        true => "program".to_owned(),
        false => name,
    }
}

/// Gives the program our address and its token, and none of the user's keys.
fn surround(command: &mut Command, base: &str, url: &str, secret: &str) {
    for name in KEY_VARIABLES.iter().chain(&TAKEN_AWAY) {
        command.env_remove(name);
    }
    command
        .env("ANTHROPIC_BASE_URL", url)
        .env("ANTHROPIC_AUTH_TOKEN", secret)
        .env("OPENAI_BASE_URL", format!("{url}/v1"))
        .env("OPENAI_API_BASE", format!("{url}/v1"))
        .env("OPENAI_API_KEY", secret);
    if base != "claude" {
        // Claude Code asks a person about a key it does not know; the other one it takes.
        command.env("ANTHROPIC_API_KEY", secret);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        let before = std::env::var(name).unwrap_or_default();
        let all = match before.is_empty() {
            true => OURS.to_owned(),
            false => format!("{before},{OURS}"),
        };
        command.env(name, all);
    }
}

/// What a program has to be told on its command line, because it looks at no variable for it.
fn own_arguments(base: &str, url: &str) -> Vec<String> {
    if base != "codex" {
        return Vec::new();
    }
    let settings = [
        "model_provider=\"convergio\"".to_owned(),
        "model_providers.convergio.name=\"Convergio\"".to_owned(),
        format!("model_providers.convergio.base_url=\"{url}/v1\""),
        "model_providers.convergio.env_key=\"OPENAI_API_KEY\"".to_owned(),
        "model_providers.convergio.wire_api=\"responses\"".to_owned(),
        // What can be tried again, the daemon tried; of a refusal it takes no word, and would try
        // five times.
        "model_providers.convergio.stream_max_retries=1".to_owned(),
    ];
    let pairs = settings.into_iter();
    pairs
        .flat_map(|setting| ["-c".to_owned(), setting])
        .collect()
}

fn not_started(base: &str, error: &std::io::Error) -> Failure {
    let (kind, hint) = match error.kind() {
        ErrorKind::NotFound => (Kind::NoProgram, Hint::GUARD_PLACE),
        _ => (Kind::NotRunnable, Hint::GUARD_RUNS),
    };
    let what = format!("{base} could not be run");
    Failure::new(kind, what, describe(error), hint)
}

/// Says so where less than the cap is left of what everybody may spend today.
async fn little_left(client: &Client, max: i64) -> Option<String> {
    let listed = client.call::<BudgetList>(&Empty {}).await.ok()?;
    let day = listed
        .budgets
        .iter()
        .find(|budget| budget.window == "day")?;
    let used = day.posted_nano_usd.saturating_add(day.pending_nano_usd);
    let left = day.limit_nano_usd.saturating_sub(used).max(0);
    let enough = used.saturating_add(max);
    (left < max).then(|| {
        format!(
            "Only {} of today's cap of {} are left for everybody: cv budget set daily {}",
            money::shown(left),
            money::shown(day.limit_nano_usd),
            money::dollars(money::round_up(enough))
        )
    })
}

/// What the program came to, in one line.
fn summary(base: &str, max: i64, token: &TokenInfo) -> String {
    let requests = match token.runs {
        1 => "1 request".to_owned(),
        runs => format!("{runs} requests"),
    };
    let spent = money::shown(token.spent_nano_usd);
    let line = format!(
        "{base}: spent {spent} of {} · {requests}",
        money::shown(max)
    );
    let line = match token.refused {
        0 => line,
        refused => format!("{line} · {refused} refused: no budget was left for them"),
    };
    match token.failed {
        0 => line,
        1 => format!("{line} · 1 ended in an error"),
        failed => format!("{line} · {failed} ended in an error"),
    }
}

/// The program's own exit code; as shells tell of a signal where one ended it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;

    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| signal + 128));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

/// Signals that are the program's affair as well.
struct Signals {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(
                    Kind::Io,
                    "Signals cannot be heard",
                    describe(&error),
                    Hint::DOCTOR,
                )
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Hands signals on until the program has ended.
    async fn until_the_end_of(&mut self, child: &mut Child) -> std::io::Result<ExitStatus> {
        use rustix::process::{Pid, Signal as Number, kill_process};

        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw);
        // What is typed at the terminal reaches the program by itself.
        let typed = std::io::stdin().is_terminal();
        loop {
            let number = tokio::select! {
                biased;
                ended = child.wait() => return ended,
                _ = self.interrupt.recv() => (!typed).then_some(Number::INT),
                _ = self.quit.recv() => (!typed).then_some(Number::QUIT),
                _ = self.terminate.recv() => Some(Number::TERM),
                _ = self.hangup.recv() => Some(Number::HUP),
            };
            if let (Some(pid), Some(number)) = (pid, number) {
                // It may have ended in this instant.
                let _ = kill_process(pid, number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_the_system_finds_it() {
        let kind = |program: &str, folders: &str| {
            find(OsStr::new(program), OsStr::new(folders)).map_err(|error| error.kind())
        };
        assert_eq!(kind("sh", "/nowhere:/bin"), Ok("/bin/sh".into()));
        assert_eq!(kind("/bin/sh", ""), Ok("/bin/sh".into()));
        assert_eq!(kind("sh", "/nowhere"), Err(ErrorKind::NotFound));
        assert_eq!(kind("./no-such", "/bin"), Err(ErrorKind::NotFound));
        // A file that is no program, and a folder.
        assert_eq!(kind("passwd", "/etc"), Err(ErrorKind::PermissionDenied));
        assert_eq!(kind("/etc", "/bin"), Err(ErrorKind::PermissionDenied));
    }

    #[test]
    fn only_a_program_that_needs_it_gets_arguments_of_ours() {
        assert!(own_arguments("claude", "http://127.0.0.1:1").is_empty());
        let codex = own_arguments("codex", "http://127.0.0.1:1");
        assert!(
            codex.contains(
                &"model_providers.convergio.base_url=\"http://127.0.0.1:1/v1\"".to_owned()
            )
        );
    }

    #[test]
    fn a_program_is_called_by_its_own_name() {
        for (program, name) in [
            ("/usr/bin/claude", "claude"),
            ("./my tool.sh", "mytool.sh"),
            ("--", "program"),
            ("", "program"),
        ] {
            assert_eq!(base_name(OsStr::new(program)), name);
        }
    }
}
