//! `cv today`

use convergio_client::{Client, ClientError};
use convergio_contract::task::{
    Occurrence, Task, TaskInbox, TaskInboxParams, TaskList, TaskListParams,
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    output::paint::Role,
    table::{Format, Table, show},
    tasks::{Here, list, missed::Missed, reminder},
};

/// Tasks of tomorrow and later that are shown.
const NEXT_MAX: usize = 5;
/// Tasks with a time that are looked at.
const PAGE_MAX: u32 = 500;

/// The day: what is overdue, what is due today, what comes next, reminders that wait.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// The day's tasks, apart.
#[derive(Debug, Default, PartialEq)]
struct Day {
    overdue: Vec<Task>,
    today: Vec<Task>,
    next: Vec<Task>,
    /// Later ones, not among those.
    more: u64,
}

impl Day {
    fn of(tasks: Vec<Task>, total: u64, here: &Here) -> Self {
        let mut day = Self::default();
        let looked_at = tasks.len() as u64;
        for task in tasks {
            let Some(due) = &task.due else { continue };
            if here.has_passed(due) {
                day.overdue.push(task);
            } else if here.day_of(due) == here.now.date() {
                day.today.push(task);
            } else if day.next.len() < NEXT_MAX {
                day.next.push(task);
            } else {
                day.more += 1;
            }
        }
        day.more += total.saturating_sub(looked_at);
        day
    }

    fn groups<'d>(&'d self, here: &Here) -> [(&'static str, &'static str, &'d [Task]); 3] {
        let words = here.words;
        [
            ("overdue", words.overdue, &self.overdue),
            ("today", words.today, &self.today),
            ("next", words.next, &self.next),
        ]
    }
}

/// Shows it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let here = Here::of(&context.surroundings);
    let tasks = TaskListParams {
        filter: vec!["has:due".to_owned()],
        sort: Some("due".to_owned()),
        limit: Some(PAGE_MAX),
        cursor: None,
        locale: here.locale.clone(),
    };
    let inbox = TaskInboxParams {
        locale: here.locale.clone(),
        ..TaskInboxParams::default()
    };
    let (listed, inbox) = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the day",
        |client: Client| async move {
            let tasks = client.queue::<TaskList>(&tasks)?;
            let inbox = client.queue::<TaskInbox>(&inbox)?;
            client.flush().await?;
            Ok::<_, ClientError>((tasks.response().await?, inbox.response().await?))
        },
    )?;
    let day = Day::of(listed.tasks, listed.total, &here);
    match args.format {
        Format::Text | Format::Md => {
            people(
                &day,
                &inbox.waiting,
                inbox.more,
                args.format,
                &here,
                context,
            )?;
        }
        Format::Json => context.answer.json(&json!({
            "v": 1, "overdue": day.overdue, "today": day.today, "next": day.next,
            "more": day.more, "waiting": inbox.waiting, "waiting_more": inbox.more,
        }))?,
        Format::Ndjson => {
            for (group, _, tasks) in day.groups(&here) {
                for task in tasks {
                    context.answer.json(&line("task", group, json!(task)))?;
                }
            }
            for occurrence in &inbox.waiting {
                context
                    .answer
                    .json(&line("reminder", "waiting", json!(occurrence)))?;
            }
            context.answer.json(&json!({"v": 1, "type": "completed"}))?;
        }
    }
    context.answer.flush()?;
    Ok(Exit::Ok)
}

fn line(kind: &str, group: &str, mut value: Value) -> Value {
    value["v"] = 1.into();
    value["type"] = kind.into();
    value["group"] = group.into();
    value
}

fn people(
    day: &Day,
    waiting: &[Occurrence],
    waiting_more: u32,
    format: Format,
    here: &Here,
    context: &mut Context,
) -> Result<(), Failure> {
    let words = here.words;
    let reminders = Table {
        headers: Vec::new(),
        rows: waiting
            .iter()
            .map(|occurrence| reminder::row(occurrence, here))
            .collect(),
    };
    let tables = day
        .groups(here)
        .into_iter()
        .map(|(_, title, tasks)| {
            let mut table = list::table(tasks, here);
            table.headers.clear();
            (title, table)
        })
        .chain([(words.reminders, reminders)]);
    let mut first = true;
    for (title, table) in tables {
        if table.rows.is_empty() {
            continue;
        }
        if !std::mem::take(&mut first) {
            context.answer.write("\n")?;
        }
        heading(title, format, context)?;
        show(&mut context.answer, format, &table, &(), None)?;
    }
    if first {
        context.answer.say(words.nothing_today)?;
    }
    if !waiting.is_empty() {
        context.missed = Missed::default();
    }
    if waiting_more > 0 {
        context
            .notes
            .note(&format!("{}: cv inbox", words.more(waiting_more.into())));
    }
    if day.more > 0 {
        context.notes.note(&format!(
            "{}: cv tasks has:due --sort due --all",
            words.more(day.more)
        ));
    }
    Ok(())
}

/// A line above a table.
pub fn heading(title: &str, format: Format, context: &mut Context) -> Result<(), Failure> {
    let mut letters = title.chars();
    let title: String = letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default();
    if format == Format::Md {
        context.answer.write(&format!("## {title}\n\n"))
    } else {
        let text = context.answer.layout.text(&title, Role::Strong, 0);
        context.answer.write(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: u64, local: &str) -> Task {
        let at: jiff::Zoned = format!("{local}[Europe/Rome]").parse().expect("a time");
        serde_json::from_value(json!({
            "task_id": "01900000-0000-7000-8000-0000aaaabbbb",
            "number": number, "title": "t", "state": "open", "created_ms": 0, "modified_ms": 0,
            "rev": 1,
            "due": {"local": local, "zone": "Europe/Rome", "at_ms": at.timestamp().as_millisecond()},
        }))
        .expect("a task")
    }

    #[test]
    fn the_day_is_what_it_is_here() {
        let now = "2026-11-21T15:00:00[Europe/Rome]".parse().expect("a time");
        let here = Here::at(None, now);
        let mut tasks = vec![
            task(1, "2026-11-20T23:59:00"),
            task(2, "2026-11-21T14:59:00"),
            task(3, "2026-11-21T15:01:00"),
            task(4, "2026-11-21T23:59:00"),
        ];
        tasks.extend((5..12).map(|number| task(number, "2026-11-22T00:00:00")));
        let day = Day::of(tasks, 20, &here);
        let numbers = |tasks: &[Task]| tasks.iter().map(|task| task.number).collect::<Vec<_>>();
        assert_eq!(numbers(&day.overdue), [1, 2]);
        assert_eq!(numbers(&day.today), [3, 4]);
        assert_eq!(numbers(&day.next), [5, 6, 7, 8, 9]);
        assert_eq!(day.more, 2 + 9);
    }
}
