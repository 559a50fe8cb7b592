//! `cv status`

use convergio_client::Client;
use convergio_contract::{
    health::{HealthGet, HealthGetResponse, HealthState, StartedBy},
    method::Empty,
};

use super::card;
use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    output::paint::Role,
    render::words::{count, duration},
    table::{Cell, Format, Table, cell, show, styled},
};

/// The daemon's state in one look.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// One short line, for a prompt or a status bar; starts nothing.
    #[arg(long)]
    pub line: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Shows it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    if args.line {
        let health = card::glance(context);
        let line = match &health {
            Err(failure) if failure.kind == Kind::Timeout => {
                "convergio: does not answer".to_owned()
            }
            Err(_) => "convergio: not running".to_owned(),
            Ok(health) => format!(
                "convergio: {}{}",
                state(health),
                if health.runs_active > 0 {
                    format!(", {}", count(health.runs_active.into(), "run", "runs"))
                } else {
                    String::new()
                }
            ),
        };
        match args.format {
            Format::Text | Format::Md => context.answer.line(&line)?,
            Format::Json | Format::Ndjson => context.answer.json(&serde_json::json!({
                "v": 1, "type": "completed", "line": line, "running": health.is_ok(),
            }))?,
        }
        return Ok(Exit::Ok);
    }
    let health = daemon::call(
        context,
        Start::IfNeeded,
        "asking the daemon",
        |client: Client| async move { client.call::<HealthGet>(&Empty {}).await },
    )?;
    show(
        &mut context.answer,
        args.format,
        &table(&health),
        &health,
        None,
    )?;
    Ok(Exit::Ok)
}

const fn state(health: &HealthGetResponse) -> &'static str {
    match health.state {
        HealthState::Ok => "ok",
        HealthState::Degraded => "degraded",
        HealthState::Draining => "draining",
    }
}

fn table(health: &HealthGetResponse) -> Table {
    let role = match health.state {
        HealthState::Ok => Role::Good,
        HealthState::Degraded | HealthState::Draining => Role::Warning,
    };
    let started_by = match health.started_by {
        StartedBy::OnDemand => "on demand, leaves when idle",
        StartedBy::Service => "by the service manager",
        StartedBy::Foreground => "by hand",
    };
    let row = |name: &'static str, value: Cell| vec![styled(name, Role::Dim), value];
    let mut rows = vec![row("State", styled(state(health), role))];
    rows.extend(health.reasons.iter().map(|why| row("", cell(why.as_str()))));
    rows.extend([
        row(
            "Daemon",
            cell(format!("{}, process {}", health.version, health.pid)),
        ),
        row(
            "Started",
            cell(format!("{started_by}, {} ago", duration(health.uptime_ms))),
        ),
        row(
            "Now",
            cell(format!(
                "{}, {}",
                count(health.runs_active.into(), "run", "runs"),
                count(health.connections.into(), "connection", "connections")
            )),
        ),
        row(
            "Saving",
            if health.saving {
                cell("yes")
            } else {
                styled("no", Role::Bad)
            },
        ),
        row(
            "Sent",
            cell(format!(
                "{} left this machine",
                count(health.bytes_sent, "byte", "bytes")
            )),
        ),
        row("Socket", cell(health.socket.as_str())),
        row("Data", cell(health.data_dir.as_str())),
        row("Log", cell(health.log_file.as_str())),
        row("Config", cell(health.config_file.as_str())),
    ]);
    Table {
        headers: Vec::new(),
        rows,
    }
}
