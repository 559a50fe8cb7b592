//! Tasks as they travel.

use convergio_contract::{
    RpcError, Uuid,
    task::{Priority as WirePriority, Task, TaskFields, TaskState},
};
use convergio_store::{Connection, StoreError};
use convergio_tasks::book::{self, Fields, Priority, State, TaskRow};

use super::place::{self, Place};
use crate::failure;

/// Where a task stands.
pub(super) fn state(state: State) -> TaskState {
    match state {
        State::Open => TaskState::Open,
        State::Waiting => TaskState::Waiting,
        State::Done => TaskState::Done,
        State::Cancelled => TaskState::Cancelled,
    }
}

/// The same, as the book takes it.
pub(super) fn new_state(state: TaskState) -> State {
    match state {
        TaskState::Open => State::Open,
        TaskState::Waiting => State::Waiting,
        TaskState::Done => State::Done,
        TaskState::Cancelled => State::Cancelled,
    }
}

fn priority(priority: Priority) -> WirePriority {
    match priority {
        Priority::Low => WirePriority::Low,
        Priority::Medium => WirePriority::Medium,
        Priority::High => WirePriority::High,
    }
}

/// The same, as the book takes it.
pub(super) fn new_priority(priority: WirePriority) -> Priority {
    match priority {
        WirePriority::Low => Priority::Low,
        WirePriority::Medium => Priority::Medium,
        WirePriority::High => Priority::High,
    }
}

/// A task as it travels.
pub(super) fn task(
    connection: &Connection,
    row: TaskRow,
    place: &Place,
) -> Result<Task, StoreError> {
    let parent = match row.parent {
        Some(id) => book::number_of(connection, id)?,
        None => None,
    };
    Ok(with_parent(row, parent, place))
}

fn with_parent(row: TaskRow, parent: Option<u64>, place: &Place) -> Task {
    let said = place.said(&row);
    Task {
        task_id: row.id,
        number: row.number,
        title: row.title,
        notes: row.notes,
        state: state(row.state),
        priority: row.priority.map(priority),
        project: row.project,
        tags: row.tags,
        parent,
        due: row.times.as_ref().map(place::due),
        repeat: row.repeat.as_ref().map(place::repeat),
        remind_before_min: row.remind_before_min,
        snoozed_until_ms: row.snoozed_until_ms,
        next_reminder_ms: row.next.map(|next| next.fire_ms),
        created_ms: row.created_ms,
        modified_ms: row.modified_ms,
        completed_ms: row.completed_ms,
        rev: row.rev,
        said,
    }
}

/// Everything that needs no reading of time.
pub(super) fn fields(given: &TaskFields) -> Result<Fields, RpcError> {
    let text = |text: &String| (!text.trim().is_empty()).then(|| text.clone());
    Ok(Fields {
        title: given.title.clone(),
        notes: given.notes.clone(),
        priority: match given.priority.as_deref().map(str::trim) {
            None => None,
            Some("") => Some(None),
            Some(name) => Some(Some(Priority::from_name(&name.to_lowercase()).ok_or_else(
                || {
                    failure::invalid(format!(
                        "`priority` takes low, medium or high, not {name:?}"
                    ))
                },
            )?)),
        },
        project: given.project.as_ref().map(text),
        tags: given.tags.clone(),
        parent: match given.parent.as_ref().map(text) {
            None => None,
            Some(None) => Some(None),
            Some(Some(task)) => Some(Some(task.parse().map_err(super::told)?)),
        },
        state: given.state.map(new_state),
        times: None,
        repeat: given
            .repeat
            .as_ref()
            .map(|repeat| (!repeat.rrule.trim().is_empty()).then(|| place::new_repeat(repeat))),
        remind_before_min: given.remind_before_min.clone(),
    })
}

/// A label for the list of changes that can be taken back.
pub(super) fn label(verb: &str, row: &TaskRow) -> String {
    format!("cv task {verb} {}: {}", row.number, row.title)
}

/// Ids as an error tells them.
pub(super) fn version_7(id: Uuid) -> Result<(), RpcError> {
    if id.get_version_num() == 7 {
        return Ok(());
    }
    Err(failure::invalid("`task_id` takes a UUID of version 7"))
}
