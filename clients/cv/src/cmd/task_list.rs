//! `cv task list`

use convergio_client::Client;
use convergio_contract::task::{
    Occurrence, Task, TaskInbox, TaskInboxParams, TaskList, TaskListParams,
};
use serde_json::json;

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    table::{Format, show},
    tasks::{Here, list, missed::Missed, reminder},
};

/// Reminders that wait and are shown above the list.
const WAITING_MAX: usize = 3;
/// Rows where nothing is said.
const LIMIT: u32 = 100;
/// Rows of a page at most.
const PAGE_MAX: u32 = 500;

/// Lists tasks, the most urgent first; reminders that nobody answered stand above.
///
/// FILTER is as in Taskwarrior, and all of it must fit: `+work -later project:house priority:high
/// due:today due.before:friday overdue state:done /text/ mario`. Without any: what is open.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Which: `+tag`, `-tag`, `project:NAME`, `due.before:friday`, `overdue`, `state:done`, words
    #[arg(value_name = "FILTER", value_parser = crate::cli::filter_word,
          value_hint = clap::ValueHint::Other)]
    pub filter: Vec<String>,
    /// In which order.
    #[arg(long, value_enum, value_name = "ORDER")]
    pub sort: Option<Sort>,
    /// Rows at most, 1 to 500.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500),
          default_value_t = LIMIT, conflicts_with = "all")]
    pub limit: u32,
    /// Every row there is.
    #[arg(long)]
    pub all: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// An order of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// What matters most, first.
    Urgency,
    /// What is due first, first.
    Due,
    /// Newest first.
    Created,
    /// By number.
    Number,
}

impl Sort {
    const fn name(self) -> &'static str {
        match self {
            Self::Urgency => "urgency",
            Self::Due => "due",
            Self::Created => "created",
            Self::Number => "number",
        }
    }
}

/// Tasks, and what waits for an answer.
struct Listed {
    tasks: Vec<Task>,
    total: u64,
    waiting: Vec<Occurrence>,
    waiting_more: u64,
}

/// Lists them.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let here = Here::of(&context.surroundings);
    let for_people = matches!(args.format, Format::Text | Format::Md);
    let bare = args.filter.is_empty();
    let limit = if args.limit == 0 { LIMIT } else { args.limit };
    let all = args.all;
    let params = TaskListParams {
        filter: args.filter,
        sort: args.sort.map(|sort| sort.name().to_owned()),
        limit: Some(if all { PAGE_MAX } else { limit }),
        cursor: None,
        locale: here.locale.clone(),
    };
    let inbox = (for_people && bare).then(|| TaskInboxParams {
        locale: here.locale.clone(),
        ..TaskInboxParams::default()
    });
    let listed = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the tasks",
        |client: Client| fetch(client, params, inbox, all),
    )?;
    if !for_people {
        let value = json!({"tasks": listed.tasks, "total": listed.total});
        let empty = crate::table::Table::default();
        show(
            &mut context.answer,
            args.format,
            &empty,
            &value,
            Some(("tasks", "task")),
        )?;
        return Ok(Exit::Ok);
    }
    waiting(&listed, &here, context)?;
    if listed.tasks.is_empty() {
        let words = here.words;
        context
            .answer
            .say(if bare { words.no_tasks } else { words.none_fit })?;
        return Ok(Exit::Ok);
    }
    let table = list::table(&listed.tasks, &here);
    show(&mut context.answer, args.format, &table, &(), None)?;
    let shown = listed.tasks.len() as u64;
    if shown < listed.total {
        let more = listed.total - shown;
        context
            .notes
            .note(&format!("{}: cv tasks --all", here.words.more(more)));
    }
    Ok(Exit::Ok)
}

async fn fetch(
    client: Client,
    mut params: TaskListParams,
    inbox: Option<TaskInboxParams>,
    all: bool,
) -> Result<Listed, convergio_client::ClientError> {
    let waiting = match &inbox {
        Some(inbox) => Some(client.queue::<TaskInbox>(inbox)?),
        None => None,
    };
    let first = client.queue::<TaskList>(&params)?;
    client.flush().await?;
    let waiting = match waiting {
        Some(pending) => Some(pending.response().await?),
        None => None,
    };
    let mut page = first.response().await?;
    let mut listed = Listed {
        tasks: std::mem::take(&mut page.tasks),
        total: page.total,
        waiting: Vec::new(),
        waiting_more: 0,
    };
    while all && page.cursor.is_some() {
        params.cursor = page.cursor.take();
        page = client.call::<TaskList>(&params).await?;
        if page.tasks.is_empty() {
            break;
        }
        listed.tasks.append(&mut page.tasks);
    }
    if let Some(found) = waiting {
        listed.waiting_more = u64::from(found.more);
        listed.waiting = found.waiting;
    }
    Ok(listed)
}

/// Reminders that wait, above the list: where no notification server is, this is where they show.
fn waiting(listed: &Listed, here: &Here, context: &mut Context) -> Result<(), Failure> {
    let shown = listed.waiting.len().min(WAITING_MAX);
    for occurrence in &listed.waiting[..shown] {
        let line = reminder::line(here.words.reminders, occurrence, here);
        let text = context.answer.layout.pieces(&line, 2);
        context.answer.write(&text)?;
    }
    let more = (listed.waiting.len() - shown) as u64 + listed.waiting_more;
    if more > 0 {
        context
            .answer
            .say(&format!("{}: cv inbox", here.words.more(more)))?;
    }
    if shown > 0 {
        // They stand here already.
        context.missed = Missed::default();
        context.answer.write("\n")?;
    }
    Ok(())
}
