//! `cv` alone: five lines with the state and the next step. Starts nothing.

use convergio_contract::{
    health::{HealthGet, HealthGetResponse, HealthState},
    method::Empty,
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    git::discover::top_level,
    output::paint::Role,
    render::words::count,
    table::{Table, cell, styled},
    waiting,
};

/// Shows the card.
pub fn run(context: &mut Context) -> Result<Exit, Failure> {
    let health = glance(context);
    let top = context.folder().ok().and_then(|folder| top_level(&folder));
    let (here, next) = match &top {
        Some(top) => {
            let name = top.file_name().map_or_else(
                || top.display().to_string(),
                |name| name.to_string_lossy().into_owned(),
            );
            (format!("git repository {name}"), "cv review")
        }
        None => (
            "not a git repository".to_owned(),
            "git diff | cv review, or cv review in a repository",
        ),
    };
    let table = Table {
        headers: Vec::new(),
        rows: vec![
            vec![
                styled("Convergio", Role::Strong),
                cell(concat!(
                    env!("CARGO_PKG_VERSION"),
                    ", reviews changes on this machine"
                )),
            ],
            vec![styled("Daemon", Role::Dim), cell(state(&health))],
            vec![
                styled("Reviewer", Role::Dim),
                cell("rules, and a model where there is one: cv models"),
            ],
            vec![styled("Here", Role::Dim), cell(here)],
            vec![styled("Next", Role::Dim), styled(next, Role::Strong)],
        ],
    };
    let text = table.text(context.answer.layout);
    context.answer.write(&text)?;
    context.answer.flush()?;
    Ok(Exit::Ok)
}

fn state(health: &Result<HealthGetResponse, Failure>) -> String {
    let health = match health {
        Ok(health) => health,
        Err(failure) if failure.kind == Kind::Timeout => {
            return "does not answer; see cv doctor".to_owned();
        }
        Err(_) => return "not running; starts when it is needed".to_owned(),
    };
    match health.state {
        HealthState::Ok => format!(
            "running, {}",
            count(health.runs_active.into(), "run", "runs")
        ),
        HealthState::Degraded => format!(
            "running, but {}",
            health
                .reasons
                .first()
                .map_or("something does not work; see cv doctor", String::as_str)
        ),
        HealthState::Draining => "ends as soon as running work has".to_owned(),
    }
}

/// A wait that the card shares with `cv status --line`: short, because a prompt waits for it.
pub const GLANCE_MS: u64 = 500;

/// The state of a running daemon, without starting one and without waiting long.
pub fn glance(context: &Context) -> Result<HealthGetResponse, Failure> {
    let options = daemon::options(context, Start::Never)?;
    waiting::block_on(async {
        waiting::Deadline::from_now(Some(GLANCE_MS))
            .guard("looking for the daemon", async {
                let client = daemon::connect(options).await?;
                client
                    .call::<HealthGet>(&Empty {})
                    .await
                    .map_err(daemon::failure)
            })
            .await
    })
}
