//! `cv task show`

use convergio_client::Client;
use convergio_contract::task::{TaskGet, TaskGetParams, TaskGetResponse};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::{escape, paint::Role},
    table::{Cell, Format, Table, cell, show, styled},
    tasks::{Here, ids, list, reminder},
};

/// Shows one task: all of it, its parts, and its reminders that fired.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Its number.
    #[arg(value_name = "N", value_hint = clap::ValueHint::Other)]
    pub task: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Shows it.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let [task] = &ids::all(&[&args.task])?[..] else {
        return Err(Failure::new(
            Kind::Usage,
            "One task at a time is shown",
            format!("`{}` names several", args.task),
            Hint::TASKS,
        ));
    };
    let here = Here::of(&context.surroundings);
    let params = TaskGetParams {
        task: task.clone(),
        locale: here.locale.clone(),
    };
    let found: TaskGetResponse = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the task",
        |client: Client| async move { client.call::<TaskGet>(&params).await },
    )?;
    show(
        &mut context.answer,
        args.format,
        &table(&found, &here),
        &found,
        None,
    )?;
    if matches!(args.format, Format::Text | Format::Md) {
        more(&found, args.format, &here, context)?;
    }
    Ok(Exit::Ok)
}

fn table(found: &TaskGetResponse, here: &Here) -> Table {
    let words = here.words;
    let task = &found.task;
    let row = |name: &'static str, value: Cell| vec![styled(name, Role::Dim), value];
    let mut rows = vec![
        vec![
            styled(format!("#{}", task.number), Role::Strong),
            styled(task.title.as_str(), Role::Strong),
        ],
        row(words.state, cell(words.state_of(task.state))),
    ];
    if task.due.is_some() {
        let mut due = list::due(task, here);
        if !task.said.is_empty() {
            due.text.clone_from(&task.said);
        }
        rows.push(row(words.due, due));
    }
    if let Some(repeat) = &task.repeat {
        rows.push(row(words.repeats, cell(repeat.rrule.as_str())));
    }
    if let Some(until) = task.snoozed_until_ms {
        rows.push(row(words.snoozed, cell(here.at_ms(until))));
    }
    if let Some(next) = task.next_reminder_ms {
        rows.push(row(words.reminder, cell(here.at_ms(next))));
    }
    if let Some(priority) = task.priority {
        rows.push(row(words.priority, cell(words.priority_of(priority))));
    }
    if let Some(project) = &task.project {
        rows.push(row(words.project, cell(project.as_str())));
    }
    if !task.tags.is_empty() {
        rows.push(row(words.tags, cell(task.tags.join(", "))));
    }
    if let Some(parent) = task.parent {
        rows.push(row(words.part_of, cell(format!("#{parent}"))));
    }
    rows.push(row(words.created, cell(here.at_ms(task.created_ms))));
    if let Some(completed) = task.completed_ms {
        rows.push(row(words.completed, cell(here.at_ms(completed))));
    }
    Table {
        headers: Vec::new(),
        rows,
    }
}

/// Notes on their own lines, parts and reminders as tables.
fn more(
    found: &TaskGetResponse,
    format: Format,
    here: &Here,
    context: &mut Context,
) -> Result<(), Failure> {
    if !found.task.notes.is_empty() {
        context.answer.write("\n")?;
        for line in found.task.notes.lines() {
            context.answer.say(&escape::line(line))?;
        }
    }
    let past: Vec<Vec<Cell>> = found
        .occurrences
        .iter()
        .map(|occurrence| {
            vec![
                cell(reminder::said(occurrence, here)),
                styled(here.words.fate_of(occurrence.state), Role::Dim),
            ]
        })
        .collect();
    let tables = [
        (here.words.parts, list::table(&found.parts, here)),
        (
            here.words.reminders,
            Table {
                headers: Vec::new(),
                rows: past,
            },
        ),
    ];
    for (title, table) in tables {
        if table.rows.is_empty() {
            continue;
        }
        context.answer.write("\n")?;
        context.answer.say(&format!("{title}:"))?;
        show(&mut context.answer, format, &table, &(), None)?;
    }
    context.answer.flush()
}
