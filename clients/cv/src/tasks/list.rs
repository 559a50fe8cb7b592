//! Tasks in a table.

use convergio_contract::task::{Task, TaskState};

use super::Here;
use crate::{
    output::paint::Role,
    table::{Cell, Table, cell, styled},
};

/// A column that is left out where it is empty.
struct Column {
    name: &'static str,
    cells: Vec<Cell>,
    always: bool,
}

/// Tasks as rows: number, when, what is said of them, title.
pub fn table(tasks: &[Task], here: &Here) -> Table {
    let words = here.words;
    let column = |name, always, of: &dyn Fn(&Task) -> Cell| Column {
        name,
        cells: tasks.iter().map(of).collect(),
        always,
    };
    let columns = [
        column("#", true, &|task| {
            styled(task.number.to_string(), Role::Strong)
        }),
        column(words.due, false, &|task| due(task, here)),
        column(words.priority, false, &|task| match task.priority {
            Some(priority) => cell(words.priority_of(priority)),
            None => cell(""),
        }),
        column(words.state, false, &|task| match task.state {
            TaskState::Open => cell(""),
            other => styled(words.state_of(other), Role::Dim),
        }),
        column(words.project, false, &|task| {
            cell(task.project.as_deref().unwrap_or_default())
        }),
        column(words.tags, false, &|task| {
            let tags: Vec<String> = task.tags.iter().map(|tag| format!("+{tag}")).collect();
            styled(tags.join(" "), Role::Dim)
        }),
        column(words.task, true, &|task| {
            let role = match task.state {
                TaskState::Done | TaskState::Cancelled => Role::Dim,
                TaskState::Open | TaskState::Waiting => Role::Plain,
            };
            styled(task.title.as_str(), role)
        }),
    ];
    let shown: Vec<Column> = columns
        .into_iter()
        .filter(|column| column.always || column.cells.iter().any(|cell| !cell.text.is_empty()))
        .collect();
    Table {
        headers: shown.iter().map(|column| column.name).collect(),
        rows: (0..tasks.len())
            .map(|row| {
                let cells = shown.iter().filter_map(|column| column.cells.get(row));
                cells.cloned().collect()
            })
            .collect(),
    }
}

/// When a task is due; in red where that has passed.
pub fn due(task: &Task, here: &Here) -> Cell {
    let Some(due) = &task.due else {
        return cell("");
    };
    let mut text = here.due(due);
    if task.repeat.is_some() {
        text.push_str(" ↻");
    }
    let ended = matches!(task.state, TaskState::Done | TaskState::Cancelled);
    let role = if ended {
        Role::Dim
    } else if here.has_passed(due) {
        Role::Bad
    } else if here.day_of(due) == here.now.date() {
        Role::Warning
    } else {
        Role::Plain
    };
    styled(text, role)
}
