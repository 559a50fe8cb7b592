//! New tasks.

use convergio_store::{Connection, StoreError, Tx, at};
use uuid::Uuid;

use super::{
    BookError, Fields, Image, Images, State, TASKS_MAX, TaskRef, TaskRow, parts, plan,
    table::{self, find},
};

/// A new task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// UUIDv7, made by who asks: the same again is the same task.
    pub id: Uuid,
    /// SHA-256 of what was asked.
    pub request_hash: Option<[u8; 32]>,
    /// What the calendar calls it that it comes from.
    pub uid: Option<String>,
    /// What it is made of. A title must be.
    pub fields: Fields,
    /// When it was made, where it comes from elsewhere.
    pub created_ms: Option<i64>,
    /// When it was done, of one that is.
    pub completed_ms: Option<i64>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    New(Box<TaskRow>, Images),
    /// The same call made it before; as it is now.
    Replayed(Box<TaskRow>),
}

/// The task that the same call made before.
///
/// # Errors
/// [`BookError::Conflict`] where the id stands for another call.
pub fn created_before(
    connection: &Connection,
    tenant: Uuid,
    id: Uuid,
    request_hash: Option<[u8; 32]>,
) -> Result<Option<TaskRow>, BookError> {
    match find(connection, tenant, TaskRef::Id(id))? {
        None => Ok(None),
        Some(row) if request_hash.is_some() && row.request_hash == request_hash => Ok(Some(row)),
        Some(_) => Err(BookError::Conflict { id }),
    }
}

/// Writes a new task down.
///
/// # Errors
/// [`BookError::Conflict`], [`BookError::Full`], or what does not fit in its fields.
pub fn create(
    tx: &Tx<'_>,
    tenant: Uuid,
    profile: Uuid,
    new: &NewTask,
    now_ms: i64,
) -> Result<Created, BookError> {
    if new.id.get_version_num() != 7 {
        return Err(BookError::invalid("task_id", "not a UUID of version 7"));
    }
    if let Some(row) = created_before(tx, tenant, new.id, new.request_hash)? {
        return Ok(Created::Replayed(Box::new(row)));
    }
    let mut task = TaskRow {
        id: new.id,
        number: 0,
        request_hash: new.request_hash,
        uid: new.uid.clone(),
        title: String::new(),
        notes: String::new(),
        state: State::Open,
        priority: None,
        project: None,
        parent: None,
        tags: Vec::new(),
        times: None,
        repeat: None,
        remind_before_min: Vec::new(),
        next: None,
        fired_until_ms: now_ms,
        snoozed_until_ms: None,
        created_ms: new.created_ms.unwrap_or(now_ms),
        modified_ms: now_ms,
        completed_ms: None,
        deleted_ms: None,
        rev: 1,
    };
    new.fields.apply(&mut task, now_ms)?;
    if task.title.is_empty() {
        return Err(BookError::invalid("title", "it takes some text"));
    }
    task.state = new.fields.state.unwrap_or_default();
    if task.state == State::Done {
        task.completed_ms = Some(new.completed_ms.unwrap_or(now_ms));
    }
    if let Some(Some(parent)) = new.fields.parent {
        let parent = table::get(tx, tenant, parent)?;
        parts::check(tx, tenant, &task, &parent)?;
        task.parent = Some(parent.id);
    }
    plan::settle(&mut task)?;
    task.number = table::next_number(tx, tenant)?;
    // What was removed may have made room: counted only where it must be.
    if task.number > TASKS_MAX as u64 && count(tx, tenant)? >= TASKS_MAX {
        return Err(BookError::Full { max: TASKS_MAX });
    }
    table::put(tx, tenant, profile, &task)?;
    let images = Images::of(Image {
        before: None,
        after: task.clone(),
    });
    Ok(Created::New(Box::new(task), images))
}

fn count(tx: &Tx<'_>, tenant: Uuid) -> Result<usize, StoreError> {
    tx.prepare_cached("SELECT count(*) FROM task WHERE tenant_id = ?1")
        .and_then(|mut statement| statement.query_row([tenant], |row| row.get::<_, i64>(0)))
        .map(|count| usize::try_from(count).unwrap_or(usize::MAX))
        .map_err(at(tx, "count tasks"))
}
