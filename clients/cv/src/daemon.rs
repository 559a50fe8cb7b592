//! Reaching the daemon, and its errors in three lines.

use std::{future::Future, path::PathBuf};

use convergio_client::{
    Client, ClientError, ClientOptions, Endpoint, EndpointError, Environment, SpawnNotice,
};
use convergio_contract::daemon::{ClientCapabilities, ClientEnv, ClientInfo};

use crate::{
    context::Context,
    error::{Failure, Kind, describe},
    hint::Hint,
    tasks::missed::Missed,
    waiting,
};

/// Whether a verb may start the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Where it does not run.
    IfNeeded,
    /// Not at all.
    Never,
}

/// Where the daemon is.
pub fn endpoint() -> Result<Endpoint, Failure> {
    Endpoint::resolve(&Environment::from_process()).map_err(|error| match &error {
        EndpointError::NoHome => Failure::new(
            Kind::Unreachable,
            "There is no place for data and socket",
            error.to_string(),
            Hint::DAEMON_HOME,
        ),
        EndpointError::TooLong { .. } => Failure::new(
            Kind::Unreachable,
            "The socket's path is too long",
            error.to_string(),
            Hint::DAEMON_HOME,
        ),
    })
}

/// The daemon's program: beside this one, as both are installed together.
pub fn program() -> Result<PathBuf, Failure> {
    let missing = |why: String| {
        Failure::new(
            Kind::Unreachable,
            "The daemon's program `convergiod` is not there",
            why,
            Hint::REINSTALL,
        )
    };
    let own = std::env::current_exe().map_err(|error| missing(describe(&error)))?;
    let program = own.with_file_name("convergiod");
    if program.is_file() {
        Ok(program)
    } else {
        Err(missing(format!("{} does not exist", program.display())))
    }
}

/// How to connect.
pub fn options(context: &Context, start: Start) -> Result<ClientOptions, Failure> {
    Ok(ClientOptions {
        endpoint: endpoint()?,
        daemon: match start {
            // Where the program is missing, a daemon that already runs still serves.
            Start::IfNeeded => program().ok(),
            Start::Never => None,
        },
        client: ClientInfo {
            name: "cv".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        capabilities: ClientCapabilities::default(),
        env: ClientEnv {
            cwd: context
                .folder()
                .ok()
                .and_then(|folder| folder.to_str().map(str::to_owned)),
            // Settings of this command, in place of those of whoever started the daemon.
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .filter(|(name, _)| name.starts_with("CONVERGIO_"))
                .collect(),
        },
    })
}

/// Connects.
pub async fn connect(options: ClientOptions) -> Result<Client, Failure> {
    let may_start = options.daemon.is_some();
    Client::connect(options).await.map_err(|error| {
        let not_running = matches!(error, ClientError::NotRunning { .. });
        match program() {
            Err(missing) if not_running && !may_start => missing,
            _ => failure(error),
        }
    })
}

/// What a person should know about how the daemon came to run.
pub const fn notice(notice: SpawnNotice) -> &'static str {
    match notice {
        SpawnNotice::ServiceEnabledButNoSocket => {
            "The service is enabled, but nothing listened at its socket: started a daemon beside it."
        }
    }
}

/// Calls the daemon with a spinner, Ctrl-C and `--timeout`.
pub fn call<T, F>(
    context: &mut Context,
    start: Start,
    activity: &str,
    work: impl FnOnce(Client) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let options = options(context, start)?;
    let (outcome, told, missed) = waiting::wait(context, activity, async {
        let client = connect(options).await?;
        let told = client.notice();
        let outcome = work(client.clone()).await.map_err(failure)?;
        // Answered by now: the handshake came before the work.
        let missed = client.server().await.ok().map(Missed::told_by);
        Ok((outcome, told, missed))
    })?;
    if let Some(missed) = missed {
        context.missed = missed;
    }
    if let Some(told) = told {
        context.notes.note(notice(told));
    }
    Ok(outcome)
}

/// An error of the connection as a person reads it.
pub fn failure(error: ClientError) -> Failure {
    let text = error.to_string();
    let unreachable =
        |what: &str, way_out: Hint| Failure::new(Kind::Unreachable, what, text.clone(), way_out);
    match error {
        ClientError::Rpc(error) => error.into(),
        ClientError::NotRunning { .. } => unreachable("The daemon does not run", Hint::START),
        ClientError::Connect { .. } | ClientError::Folder(_) | ClientError::Lock(_) => {
            unreachable("The daemon cannot be reached", Hint::DOCTOR)
        }
        ClientError::Spawn { .. } => unreachable("The daemon cannot be started", Hint::REINSTALL),
        ClientError::StartFailed { why, hint } => Failure::new(
            Kind::Unreachable,
            "The daemon did not start",
            why,
            hint.map_or(Hint::DOCTOR_AND_LOGS, Hint::from_daemon),
        ),
        ClientError::Timeout { .. } => {
            unreachable("The daemon does not answer", Hint::DOCTOR_AND_LOGS)
        }
        ClientError::Disconnected { .. } => unreachable(
            "The daemon went away before it answered",
            Hint::DOCTOR_AND_LOGS,
        ),
        ClientError::TooLarge { bytes, max_bytes } => Failure::new(
            Kind::TooLarge,
            "The request is too large",
            format!("{bytes} bytes; a line holds {max_bytes}"),
            Hint::NARROWER,
        ),
        ClientError::Malformed { .. } => unreachable(
            "`cv` and the daemon do not understand each other",
            Hint::REINSTALL,
        ),
    }
}

/// Becomes the daemon's own program, for what works without a running daemon. Returns only
/// where that fails.
pub fn offline<S: AsRef<std::ffi::OsStr>>(words: &[S]) -> Failure {
    use std::os::unix::process::CommandExt;
    match program() {
        Err(missing) => missing,
        Ok(program) => {
            let error = std::process::Command::new(&program).args(words).exec();
            Failure::new(
                Kind::Unreachable,
                format!("{} cannot be run", program.display()),
                describe(&error),
                Hint::REINSTALL,
            )
        }
    }
}
