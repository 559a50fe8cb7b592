//! `cv task edit`

use convergio_client::Client;
use convergio_contract::task::{
    TaskChanged, TaskFields, TaskGet, TaskGetParams, TaskPreview, TaskPreviewParams, TaskState,
    TaskUpdate, TaskUpdateParams,
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    table::Format,
    tasks::{
        Here,
        again::Command,
        asked::Made,
        changed::Deed,
        ids,
        readings::{self, Settled},
        several::{self, Outcome, Told},
    },
};

/// Changes what is named of tasks and leaves the rest: `cv task edit 3 --at "friday 9" --tag work`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Numbers: `3`, `3-5`, `3,7`; several may be given.
    #[arg(value_name = "N", required = true, value_hint = clap::ValueHint::Other)]
    pub tasks: Vec<String>,
    /// Another title.
    #[arg(long, value_name = "TEXT", value_hint = clap::ValueHint::Other)]
    pub title: Option<String>,
    /// What else changes; `none` takes a time, rule, reminder, project or parent away.
    #[command(flatten)]
    pub made: Made,
    /// Takes a tag away; may be given again.
    #[arg(long, value_name = "TAG", value_delimiter = ',', value_hint = clap::ValueHint::Other)]
    pub untag: Vec<String>,
    /// Where it stands.
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<StateArg>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// A state as an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StateArg {
    /// To be done.
    Open,
    /// For somebody or something else.
    Waiting,
    /// Done.
    Done,
    /// Will not be done.
    Cancelled,
}

impl StateArg {
    const fn state(self) -> TaskState {
        match self {
            Self::Open => TaskState::Open,
            Self::Waiting => TaskState::Waiting,
            Self::Done => TaskState::Done,
            Self::Cancelled => TaskState::Cancelled,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Changes them.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let tasks = ids::all(&args.tasks)?;
    let nothing = args.title.is_none()
        && args.made.is_empty()
        && args.untag.is_empty()
        && args.state.is_none();
    if nothing {
        return Err(Failure::new(
            Kind::Usage,
            "There is nothing to change",
            "no option says what",
            Hint::TASK_EDIT_HELP,
        ));
    }
    let here = Here::of(&context.surroundings);
    let mut outcomes = Vec::with_capacity(tasks.len());
    let mut chosen: Option<String> = None;
    for task in tasks {
        let mut params = params(args, &task, &here);
        if let Some(when) = &chosen {
            params.fields.when = Some(when.clone());
        }
        let mut changed = update(args, params.clone(), context);
        if let Ok(TaskChanged::Ambiguous { readings }) = &changed {
            let commands: Vec<String> = readings
                .iter()
                .map(|reading| command(args, &reading.when))
                .collect();
            match readings::settle(readings, &commands, args.format, context)? {
                Settled::Refused(exit) => return Ok(exit),
                Settled::Chosen(at) => {
                    // The same words mean the same for the tasks that follow.
                    chosen = readings.get(at).map(|reading| reading.when.clone());
                    params.fields.when.clone_from(&chosen);
                    changed = update(args, params, context);
                }
            }
        }
        outcomes.push(Outcome {
            asked: task,
            result: changed.map(Told::Changed),
        });
    }
    several::report(outcomes, Deed::Kept, args.format, &here, context)
}

fn params(args: &Args, task: &str, here: &Here) -> TaskUpdateParams {
    let times = args.made.times(here.words);
    TaskUpdateParams {
        task: task.to_owned(),
        expected_rev: None,
        fields: TaskFields {
            title: args.title.clone(),
            state: args.state.map(StateArg::state),
            when: times.when.or(times.beside),
            repeat: times.repeat,
            // Added to those that are there, once these are known.
            tags: None,
            ..args.made.fields()
        },
        locale: here.locale.clone(),
    }
}

/// The same change with one reading of its time.
fn command(args: &Args, when: &str) -> String {
    let mut command = Command::new("cv task edit");
    for task in &args.tasks {
        command.word(task);
    }
    if let Some(title) = &args.title {
        command.option("--title", title);
    }
    command.option("--at", when).and(&args.made.rest());
    for tag in &args.untag {
        command.option("--untag", tag);
    }
    if let Some(state) = args.state {
        command.option("--state", state.name());
    }
    command.to_string()
}

fn update(
    args: &Args,
    mut params: TaskUpdateParams,
    context: &mut Context,
) -> Result<TaskChanged, Failure> {
    // A rule without a time leaves the time of day as it is.
    let rule_alone = args.made.at.is_none() && params.fields.when.is_some();
    let add = args.made.tags.clone();
    let remove: Vec<String> = args
        .untag
        .iter()
        .map(|tag| tag.strip_prefix(['+', '-']).unwrap_or(tag).to_owned())
        .collect();
    let add_none = add.is_empty() && remove.is_empty();
    daemon::call(
        context,
        Start::IfNeeded,
        "changing it",
        |client: Client| async move {
            if rule_alone || !add.is_empty() || !remove.is_empty() {
                let found = client
                    .call::<TaskGet>(&TaskGetParams {
                        task: params.task.clone(),
                        locale: params.locale.clone(),
                    })
                    .await?;
                if let (true, Some(_), Some(text)) =
                    (rule_alone, &found.task.due, &params.fields.when)
                {
                    let preview = TaskPreviewParams {
                        text: text.clone(),
                        locale: params.locale.clone(),
                    };
                    let mut read = client.call::<TaskPreview>(&preview).await?;
                    if let [reading] = &mut read.readings[..]
                        && reading.title.is_empty()
                        && let Some(repeat) = reading.repeat.take()
                    {
                        params.fields.repeat = Some(repeat);
                        params.fields.when = None;
                    }
                }
                let mut tags = found.task.tags;
                tags.retain(|tag| !remove.contains(tag));
                tags.extend(add.into_iter().filter(|tag| !remove.contains(tag)));
                tags.sort();
                tags.dedup();
                if !add_none {
                    params.fields.tags = Some(tags);
                }
                // Somebody else's tags of a moment ago are not written over.
                params.expected_rev = Some(found.task.rev);
            }
            client.call::<TaskUpdate>(&params).await
        },
    )
}
