//! `cv` alone: five lines with the state and the next step. Starts nothing.

use convergio_client::Client;
use convergio_contract::{
    health::{HealthGet, HealthGetResponse, HealthState},
    method::Empty,
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    git::discover::top_level,
    output::paint::Role,
    table::{Table, cell, styled},
    waiting,
};

/// Shows the card.
pub fn run(context: &mut Context) -> Result<Exit, Failure> {
    let health = health(context);
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
            vec![styled("Daemon", Role::Dim), cell(state(health.as_ref()))],
            vec![styled("Reviewer", Role::Dim), cell("rules only")],
            vec![styled("Here", Role::Dim), cell(here)],
            vec![styled("Next", Role::Dim), styled(next, Role::Strong)],
        ],
    };
    let text = table.text(context.answer.layout);
    context.answer.write(&text)?;
    context.answer.flush()?;
    Ok(Exit::Ok)
}

/// The state of a daemon that runs; the card is not the place for errors.
fn health(context: &mut Context) -> Option<HealthGetResponse> {
    daemon::call(
        context,
        Start::Never,
        "looking for the daemon",
        |client: Client| async move { client.call::<HealthGet>(&Empty {}).await },
    )
    .ok()
}

fn state(health: Option<&HealthGetResponse>) -> String {
    match health {
        None => "not running; starts when it is needed".to_owned(),
        Some(health) => match health.state {
            HealthState::Ok => format!(
                "running, {}",
                crate::render::words::count(health.runs_active.into(), "run", "runs")
            ),
            HealthState::Degraded => format!(
                "running, but {}",
                health
                    .reasons
                    .first()
                    .map_or("something does not work; see cv doctor", String::as_str)
            ),
            HealthState::Draining => "ends as soon as running work has".to_owned(),
        },
    }
}

/// A wait that the card shares with `cv status --line`: short, because a prompt waits for it.
pub const GLANCE_MS: u64 = 500;

/// The state of a running daemon, without starting one and without waiting long.
pub fn glance(context: &mut Context) -> Option<HealthGetResponse> {
    let options = daemon::options(context, Start::Never).ok()?;
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
    .ok()
}
