//! `cv runs`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    run::{
        RunCancel, RunCancelParams, RunGet, RunGetParams, RunInfo, RunList, RunListParams,
        RunListResponse, RunState,
    },
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time,
    output::paint::Role,
    render::words::{count, duration},
    table::{Cell, Format, Table, cell, show, styled},
};

/// Lists, shows, cancels and resumes runs.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// How to print it.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true
    )]
    pub format: Format,
}

/// What to do with runs.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Lists runs, newest first.
    List {
        /// At most this many.
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// Only those in this state.
        #[arg(long, value_enum)]
        state: Option<StateArg>,
    },
    /// Shows one run.
    Show {
        /// The run.
        #[arg(value_name = "RUN", value_parser = crate::cli::run_id)]
        run_id: Uuid,
    },
    /// Asks the question of an ended run again, as a new run of the same conversation.
    Resume {
        /// The run.
        #[arg(value_name = "RUN", value_parser = crate::cli::run_id)]
        run_id: Uuid,
    },
    /// Ends a run.
    Cancel {
        /// The run.
        #[arg(value_name = "RUN", value_parser = crate::cli::run_id)]
        run_id: Uuid,
    },
}

/// A state as an option's value.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum StateArg {
    /// In progress.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Ended by somebody.
    Cancelled,
}

impl From<StateArg> for RunState {
    fn from(arg: StateArg) -> Self {
        match arg {
            StateArg::Running => Self::Running,
            StateArg::Completed => Self::Completed,
            StateArg::Failed => Self::Failed,
            StateArg::Cancelled => Self::Cancelled,
        }
    }
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let verb = args.verb.unwrap_or(Verb::List {
        limit: 20,
        state: None,
    });
    match verb {
        Verb::List { limit, state } => list(limit, state, args.format, context),
        Verb::Show { run_id } => {
            let run = daemon::call(
                context,
                Start::IfNeeded,
                "asking for the run",
                |client: Client| async move { client.call::<RunGet>(&RunGetParams { run_id }).await },
            )?;
            one(&run, args.format, context)
        }
        Verb::Resume { run_id } => super::resume::run(run_id, args.format, context),
        Verb::Cancel { run_id } => {
            let run = daemon::call(
                context,
                Start::IfNeeded,
                "ending the run",
                |client: Client| async move {
                    let before = client.call::<RunGet>(&RunGetParams { run_id }).await?;
                    let run = client
                        .call::<RunCancel>(&RunCancelParams { run_id })
                        .await?;
                    Ok((before, run))
                },
            )?;
            let (before, run) = run;
            if before.state != RunState::Running {
                context
                    .notes
                    .note("It had ended already: nothing was cancelled.");
            }
            one(&run, args.format, context)
        }
    }
}

fn list(
    limit: u32,
    state: Option<StateArg>,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let params = RunListParams {
        cursor: None,
        limit: Some(limit),
        state: state.map(Into::into),
    };
    let listed: RunListResponse = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the runs",
        |client: Client| async move { client.call::<RunList>(&params).await },
    )?;
    if listed.runs.is_empty() && matches!(format, Format::Text | Format::Md) {
        context.answer.say("No runs yet. First one: `cv review`")?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: vec!["run", "when", "state", "findings", "what", "where"],
        rows: listed
            .runs
            .iter()
            .map(|run| {
                vec![
                    cell(run.run_id.to_string()),
                    cell(local_time(run.started_ms)),
                    state_cell(run),
                    cell(
                        run.findings
                            .map_or_else(|| "–".to_owned(), |n| n.to_string()),
                    ),
                    cell(run.selection.as_str()),
                    cell(run.root.as_str()),
                ]
            })
            .collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &listed,
        Some(("runs", "run")),
    )?;
    if listed.cursor.is_some() {
        context.notes.note("There are more: cv runs list -n 500");
    }
    Ok(Exit::Ok)
}

fn state_cell(run: &RunInfo) -> Cell {
    let (text, role) = match run.state {
        RunState::Running => ("running", Role::Strong),
        RunState::Completed => ("completed", Role::Good),
        RunState::Failed => ("failed", Role::Bad),
        RunState::Cancelled => ("cancelled", Role::Warning),
    };
    if run.saved {
        styled(text, role)
    } else {
        styled(format!("{text}, not saved"), role)
    }
}

fn one(run: &RunInfo, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let row = |name: &'static str, value: Cell| vec![styled(name, Role::Dim), value];
    let mut rows = vec![
        row("Run", cell(run.run_id.to_string())),
        row("Kind", cell(run.kind.as_str())),
        row("State", state_cell(run)),
        row("What", cell(run.selection.as_str())),
        row("Where", cell(run.root.as_str())),
        row("Started", cell(local_time(run.started_ms))),
    ];
    if let Some(ended_ms) = run.ended_ms {
        let took = u64::try_from(ended_ms.saturating_sub(run.started_ms)).unwrap_or(0);
        rows.push(row("Took", cell(duration(took))));
    }
    if let Some(findings) = run.findings {
        rows.push(row(
            "Result",
            cell(count(findings.into(), "finding", "findings")),
        ));
    }
    if let Some(error) = &run.error {
        rows.push(row("Error", styled(error.as_str(), Role::Bad)));
    }
    let table = Table {
        headers: Vec::new(),
        rows,
    };
    show(&mut context.answer, format, &table, run, None)?;
    if run.kind == "chat" && matches!(run.state, RunState::Failed | RunState::Cancelled) {
        context
            .notes
            .note(&format!("Ask it again: cv runs resume {}", run.run_id));
    }
    // Of a run that was asked for with --ephemeral nothing is left to read.
    if run.state != RunState::Running && run.last_seq > 0 {
        context
            .notes
            .note(&format!("Read it: cv attach {}", run.run_id));
    }
    Ok(Exit::Ok)
}
