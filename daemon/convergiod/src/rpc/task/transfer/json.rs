//! Tasks as JSON, as they are exported; what others write needs a title alone.

use convergio_contract::{
    RpcError, Uuid,
    task::{Priority as WirePriority, TaskDue, TaskRepeat, TaskState},
};
use convergio_tasks::book::{self, Fields, Incoming, NewTimes};
use jiff::civil::{Date, DateTime};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Coming, LeftOut, notes, reminders, shown, tags, title, word};
use crate::{
    failure,
    rpc::task::{place, wire},
    run_kinds::request::hex,
};

/// A task of a text.
#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    task_id: Option<Uuid>,
    #[serde(default)]
    number: Option<u64>,
    title: String,
    #[serde(default)]
    notes: String,
    #[serde(default)]
    state: TaskState,
    #[serde(default)]
    priority: Option<WirePriority>,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    parent: Option<u64>,
    #[serde(default)]
    due: Option<TaskDue>,
    #[serde(default)]
    repeat: Option<TaskRepeat>,
    #[serde(default)]
    remind_before_min: Vec<u32>,
    #[serde(default)]
    created_ms: Option<i64>,
    #[serde(default)]
    modified_ms: Option<i64>,
    #[serde(default)]
    completed_ms: Option<i64>,
}

/// Reads an array of tasks.
pub(super) fn read(text: &str, left_out: &mut LeftOut) -> Result<Vec<Coming>, RpcError> {
    let pieces: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        failure::invalid(format!("it is no array of tasks: {error}"))
            .why("nothing was taken")
            .hint("cv task import --help")
    })?;
    let mut all = Vec::with_capacity(pieces.len());
    for (n, piece) in (1_usize..).zip(pieces) {
        match serde_json::from_str::<Given>(piece.get()) {
            Ok(given) => all.extend(coming(given, piece.get(), n, left_out)),
            Err(error) => left_out.add(format!("task {n} of the text: {error}")),
        }
    }
    Ok(all)
}

fn coming(given: Given, piece: &str, n: usize, left_out: &mut LeftOut) -> Option<Coming> {
    let mut text = given.notes;
    let Some(title) = title(&given.title, &mut text, left_out) else {
        left_out.add(format!("task {n} of the text: it has no title"));
        return None;
    };
    let times = match given.due.as_ref().map(times) {
        Some(None) => {
            left_out.add(format!("{}: when it is due", shown(&title)));
            None
        }
        Some(times) => times,
        None => None,
    };
    if times.is_none() && given.repeat.is_some() {
        left_out.add(format!("{}: how it comes again", shown(&title)));
    }
    let project = given.project.as_deref().and_then(word);
    if given.project.is_some() && project.is_none() {
        left_out.add(format!("{}: its project", shown(&title)));
    }
    let id = given.task_id.filter(|id| id.get_version_num() == 7);
    // One that names itself not is known by what it is.
    let uid = match (id, given.task_id) {
        (Some(_), _) => None,
        (None, Some(other)) => Some(other.to_string()),
        (None, None) => Some(format!("sha256:{}", hex(&Sha256::digest(piece)))),
    };
    let fields = Fields {
        notes: Some(notes(&text, &title, left_out)),
        priority: Some(given.priority.map(wire::new_priority)),
        project: Some(project),
        tags: Some(tags(&given.tags, &title, left_out)),
        parent: None,
        state: Some(wire::new_state(given.state)),
        repeat: Some(
            given
                .repeat
                .as_ref()
                .filter(|_| times.is_some())
                .map(place::new_repeat),
        ),
        remind_before_min: Some(match &times {
            Some(_) => reminders(&given.remind_before_min, &title, left_out),
            None => Vec::new(),
        }),
        times: Some(times),
        title: Some(title.clone()),
    };
    Some(Coming {
        incoming: Incoming {
            id,
            uid,
            fields,
            created_ms: given.created_ms,
            modified_ms: given.modified_ms,
            completed_ms: given.completed_ms,
        },
        name: given.number.map(|number| number.to_string()),
        parent: given.parent.map(|number| number.to_string()),
        shown: shown(&title),
    })
}

fn times(due: &TaskDue) -> Option<NewTimes> {
    book::zone(&due.zone).ok()?;
    let (at, all_day) = match due.local.parse::<Date>() {
        Ok(date) if !due.local.contains(['T', 't', ' ']) => (date.at(0, 0, 0, 0), true),
        _ => (due.local.parse::<DateTime>().ok()?, false),
    };
    Some(NewTimes {
        due: at,
        zone: due.zone.clone(),
        all_day,
    })
}
