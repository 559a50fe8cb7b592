//! Tasks that come from elsewhere: new, newer than what is here, or known.

use convergio_store::{Connection, Tx};
use uuid::Uuid;

use super::{
    BookError, Created, Fate, Fields, Images, NewTask, State, TaskRow,
    change::{self, retire},
    create::create,
    list::{by_id, by_uid},
    undo,
};

/// A task from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Our own id, where it left from here.
    pub id: Option<Uuid>,
    /// What its calendar calls it.
    pub uid: Option<String>,
    /// All of it; its parent comes after all are there.
    pub fields: Fields,
    /// When it was made.
    pub created_ms: Option<i64>,
    /// When it was changed; one that is not newer than what is here changes nothing.
    pub modified_ms: Option<i64>,
    /// When it was done.
    pub completed_ms: Option<i64>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new here.
    Created(Box<TaskRow>, Images),
    /// It was here, and is newer now.
    Updated(Box<TaskRow>, Images),
    /// It was here, as new.
    Unchanged(Box<TaskRow>),
}

impl Taken {
    /// The task as it is here.
    #[must_use]
    pub fn task(&self) -> &TaskRow {
        match self {
            Self::Created(row, _) | Self::Updated(row, _) | Self::Unchanged(row) => row,
        }
    }
}

fn known(
    connection: &Connection,
    tenant: Uuid,
    incoming: &Incoming,
) -> Result<Option<TaskRow>, BookError> {
    if let Some(id) = incoming.id
        && let Some(row) = by_id(connection, tenant, id)?
    {
        return Ok(Some(row));
    }
    match &incoming.uid {
        Some(uid) => Ok(by_uid(connection, tenant, uid)?),
        None => Ok(None),
    }
}

/// Takes a task in. One that is known is brought up to date and not doubled; one that was removed
/// comes back.
///
/// # Errors
/// As [`super::create()`] and [`super::update()`].
pub fn take_in(
    tx: &Tx<'_>,
    tenant: Uuid,
    profile: Uuid,
    incoming: &Incoming,
    now_ms: i64,
) -> Result<Taken, BookError> {
    let Some(before) = known(tx, tenant, incoming)? else {
        let new = NewTask {
            id: incoming
                .id
                .filter(|id| id.get_version_num() == 7)
                .unwrap_or_else(Uuid::now_v7),
            request_hash: None,
            uid: incoming.uid.clone(),
            fields: incoming.fields.clone(),
            created_ms: incoming.created_ms,
            completed_ms: incoming.completed_ms,
        };
        return match create(tx, tenant, profile, &new, now_ms)? {
            Created::New(row, images) => Ok(Taken::Created(row, images)),
            Created::Replayed(row) => Ok(Taken::Unchanged(row)),
        };
    };
    let removed = before.deleted_ms.is_some();
    let newer = incoming
        .modified_ms
        .is_none_or(|modified_ms| modified_ms > before.modified_ms);
    if !removed && !newer {
        return Ok(Taken::Unchanged(Box::new(before)));
    }
    let mut after = before.clone();
    after.deleted_ms = None;
    incoming.fields.apply(&mut after, now_ms)?;
    if let Some(state) = incoming.fields.state {
        after.state = state;
        after.completed_ms = match state {
            State::Done => incoming
                .completed_ms
                .or(before.completed_ms)
                .or(Some(now_ms)),
            _ => None,
        };
    }
    if undo::same(&before, &after) {
        return Ok(Taken::Unchanged(Box::new(before)));
    }
    let reminders = if !after.state.is_unfinished() || before.times != after.times {
        retire(tx, after.id, Fate::Dismissed, now_ms)?
    } else {
        Vec::new()
    };
    let changed = change::keep(tx, tenant, before, after, reminders, now_ms)?;
    let row = Box::new(changed.task);
    Ok(match removed {
        true => Taken::Created(row, changed.images),
        false => Taken::Updated(row, changed.images),
    })
}
