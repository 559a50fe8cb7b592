//! What became of a task, on one line with the way back.

use convergio_contract::{
    Uuid,
    task::{Task, TaskCreateResponse, TaskNotice, TaskState},
};

use super::Here;
use crate::{
    cmd::undo,
    context::Context,
    error::Failure,
    output::{escape, layout::Piece, paint::Role},
};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A task was written down or changed: it says when.
    Kept,
    /// It was ticked off.
    Done,
    /// It was put off.
    Snoozed,
    /// It was removed.
    Removed,
}

/// A change as the daemon tells it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'r> {
    /// The task now.
    pub task: &'r Task,
    /// It was so already.
    pub unchanged: bool,
    /// What a person should know.
    pub notices: &'r [TaskNotice],
    /// The way back.
    pub undo_id: Option<Uuid>,
}

impl<'r> Change<'r> {
    /// Of a task that was created; none where nothing was.
    pub fn created(response: &'r TaskCreateResponse) -> Option<Self> {
        match response {
            TaskCreateResponse::Created {
                task,
                replayed,
                notices,
                undo_id,
                said: _,
            } => Some(Self {
                task,
                unchanged: *replayed,
                notices,
                undo_id: *undo_id,
            }),
            TaskCreateResponse::Ambiguous { .. } => None,
        }
    }
}

/// The way back as it is typed: the latest change needs no name.
pub fn back(undo_id: Uuid, latest: bool) -> String {
    if latest {
        "cv undo".to_owned()
    } else {
        format!("cv undo {}", undo::short_id(undo_id))
    }
}

/// Prints a change for a person: what it is now, and the way back. `alone`: no other change of the
/// same command follows.
pub fn print(
    change: Change<'_>,
    deed: Deed,
    alone: bool,
    here: &Here,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut pieces = vec![
        Piece::new("", format!("#{}", change.task.number), Role::Strong),
        Piece::new(
            " ",
            escape::line(&change.task.title).into_owned(),
            Role::Plain,
        ),
    ];
    let said = said(change.task, deed, here);
    if !said.is_empty() {
        pieces.push(Piece::new(
            " · ",
            escape::line(&said).into_owned(),
            Role::Good,
        ));
    }
    if change.unchanged {
        pieces.push(Piece::new(" · ", here.words.unchanged, Role::Dim));
    } else if let Some(undo_id) = change.undo_id {
        let text = format!("{}: {}", here.words.back, back(undo_id, alone));
        pieces.push(Piece::new(" · ", text, Role::Plain));
    }
    let text = context.answer.layout.pieces(&pieces, 2);
    context.answer.write(&text)
}

/// What became of a task, in the user's words.
fn said(task: &Task, deed: Deed, here: &Here) -> String {
    let words = here.words;
    match deed {
        Deed::Kept => task.said.clone(),
        Deed::Removed => words.removed.to_owned(),
        Deed::Done if task.state == TaskState::Done => words.completed.to_owned(),
        // It repeats, and went on.
        Deed::Done => format!("{}; {}: {}", words.completed, words.next_time, task.said),
        Deed::Snoozed => match task.snoozed_until_ms {
            Some(until) => format!("{} {}", words.snoozed, here.at_ms(until)),
            None => task.said.clone(),
        },
    }
}

/// Prints what a person should know beside the answer, each once.
pub fn notices<'n>(
    notices: impl IntoIterator<Item = &'n TaskNotice>,
    context: &mut Context,
) -> Result<(), Failure> {
    context.answer.flush()?;
    let mut told: Vec<&str> = Vec::new();
    for notice in notices {
        if told.contains(&notice.text.as_str()) {
            continue;
        }
        told.push(&notice.text);
        let mut pieces = vec![Piece::new(
            "",
            escape::line(&notice.text).into_owned(),
            Role::Warning,
        )];
        if let Some(hint) = &notice.hint {
            pieces.push(Piece::new(
                ": ",
                escape::line(hint).into_owned(),
                Role::Plain,
            ));
        }
        context.notes.pieces(&pieces, 2);
    }
    Ok(())
}
