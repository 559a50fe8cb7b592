//! What works without a daemon: with broken settings, a damaged database, no room.

mod backup;
mod doctor;
mod logs;
mod restore;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};
use convergio_contract::{ErrorCode, RpcError};
use serde::Serialize;

use crate::{
    Surroundings,
    service::install::{self, ServiceError},
};

/// Something is wrong that the person must mend.
const EXIT_FAILED: u8 = 70;
/// A check found a fault: as `cv doctor` ends beside a running daemon.
const EXIT_FAULTS: u8 = 1;
/// The daemon stands in the way.
const EXIT_DAEMON: u8 = 7;
/// What was asked for does not fit.
const EXIT_USAGE: u8 = 2;

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a line, then a terminal event.
    Ndjson,
}

/// What every offline command takes.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Common {
    /// Works on the files; the only way there is here.
    #[arg(long)]
    offline: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The offline commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Looks at the installation; each finding with its fix.
    Doctor {
        #[command(flatten)]
        common: Common,
    },
    /// Prints the last lines of the log.
    Logs {
        #[command(flatten)]
        common: Common,
        /// How many.
        #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        lines: u32,
    },
    /// Copies the database, checked, to a file.
    Backup {
        #[command(flatten)]
        common: Common,
        /// The copy; without it a dated file beside the database.
        file: Option<PathBuf>,
    },
    /// Puts a backup in the database's place; what was there is kept aside.
    Restore {
        #[command(flatten)]
        common: Common,
        /// The backup.
        file: PathBuf,
    },
    /// The daemon as a service of your session.
    Service {
        #[command(subcommand)]
        verb: ServiceVerb,
    },
}

/// What to do with the service.
#[derive(Subcommand, Clone, Copy, Debug)]
pub(crate) enum ServiceVerb {
    /// Installs and enables it.
    Install,
    /// Disables and removes it.
    Uninstall,
    /// Says whether it is installed, enabled and running.
    Status,
}

/// What a command comes to.
struct Outcome {
    text: String,
    json: serde_json::Value,
    exit: u8,
}

impl Outcome {
    fn new(text: String, json: &impl Serialize) -> Self {
        Self {
            text,
            json: serde_json::to_value(json).unwrap_or_default(),
            exit: 0,
        }
    }
}

/// Runs one.
pub(crate) fn run(command: Command, surroundings: &Surroundings) -> ExitCode {
    let (format, outcome) = match command {
        Command::Doctor { common } => (common.format, doctor::run(surroundings)),
        Command::Logs { common, lines } => (common.format, logs::run(surroundings, lines as usize)),
        Command::Backup { common, file } => (common.format, backup::run(surroundings, file)),
        Command::Restore { common, file } => (common.format, restore::run(surroundings, &file)),
        Command::Service { verb } => (Format::Text, service(surroundings, verb)),
    };
    match outcome {
        Ok(outcome) => match print(&outcome, format) {
            Ok(()) => ExitCode::from(outcome.exit),
            // Whoever read it has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => complain(
                &RpcError::new(ErrorCode::Internal, "the output could not be written")
                    .why(error.to_string()),
                Format::Text,
            ),
        },
        Err(error) => complain(&error, format),
    }
}

fn print(outcome: &Outcome, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Text => out.write_all(outcome.text.as_bytes())?,
        Format::Json => writeln!(out, "{}", versioned(outcome.json.clone()))?,
        Format::Ndjson => {
            let list = outcome
                .json
                .as_object()
                .and_then(|object| object.values().find_map(|value| value.as_array()));
            for item in list.into_iter().flatten() {
                writeln!(out, "{}", versioned(item.clone()))?;
            }
            writeln!(out, "{{\"v\":1,\"type\":\"completed\"}}")?;
        }
    }
    out.flush()
}

fn versioned(mut value: serde_json::Value) -> serde_json::Value {
    if !value.is_object() {
        value = serde_json::json!({"value": value});
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("v".to_owned(), 1.into());
    }
    value
}

/// Three lines: what, why, the way out.
fn complain(error: &RpcError, format: Format) -> ExitCode {
    let data = error.data.as_ref();
    let why = data
        .and_then(|data| data.why.as_deref())
        .unwrap_or("the files are not as this needs them");
    let hint = data
        .and_then(|data| data.hint.as_deref())
        .unwrap_or("cv doctor");
    let exit = match error.kind() {
        Some(
            ErrorCode::InvalidParams
            | ErrorCode::NotFound
            | ErrorCode::Conflict
            | ErrorCode::TooLarge,
        ) => EXIT_USAGE,
        Some(ErrorCode::Overloaded) => EXIT_DAEMON,
        Some(ErrorCode::Forbidden) => 8,
        _ => EXIT_FAILED,
    };
    let told = serde_json::json!({
        "slug": data.map(|data| data.slug.as_str()),
        "message": error.message,
        "why": why,
        "hint": hint,
        "retryable": data.is_some_and(|data| data.retryable),
        "exit_code": exit,
    });
    let document = match format {
        Format::Text => None,
        Format::Json => Some(serde_json::json!({"v": 1, "error": told, "complete": false})),
        Format::Ndjson => Some(serde_json::json!({"v": 1, "type": "failed", "error": told})),
    };
    // Nobody may be watching, on either side.
    if let Some(document) = document {
        let _ = writeln!(io::stdout(), "{document}");
    }
    let text = format!("error: {}\n  why: {why}\n  try: {hint}\n", error.message);
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(exit)
}

fn service(surroundings: &Surroundings, verb: ServiceVerb) -> Result<Outcome, RpcError> {
    let failed = |error: ServiceError| {
        let code = match error {
            ServiceError::Explicit => ErrorCode::InvalidParams,
            ServiceError::Stays(_) => ErrorCode::Overloaded,
            _ => ErrorCode::Internal,
        };
        RpcError::new(
            code,
            format!(
                "the service could not be {}",
                match verb {
                    ServiceVerb::Install => "installed",
                    ServiceVerb::Uninstall => "removed",
                    ServiceVerb::Status => "looked at",
                }
            ),
        )
        .why(error.to_string())
        .hint(error.hint())
    };
    let lines = match verb {
        ServiceVerb::Install => {
            let binary = std::env::current_exe().map_err(|error| {
                RpcError::new(ErrorCode::Internal, "this program cannot tell where it is")
                    .why(error.to_string())
            })?;
            install::install(surroundings, binary)
        }
        ServiceVerb::Uninstall => install::uninstall(surroundings),
        ServiceVerb::Status => install::status(surroundings),
    };
    let lines = lines.map_err(failed)?;
    Ok(Outcome::new(
        lines.join("\n") + "\n",
        &serde_json::json!({"lines": lines}),
    ))
}
