//! Tasks: read and listed here, the rest beside it.
//!
//! | Methods | Bodies |
//! | --- | --- |
//! | `TaskCreate`, `TaskPreview` | `task/create.rs` |
//! | `TaskGet`, `TaskList`, `TaskInbox` | here |
//! | `TaskUpdate`, `TaskComplete`, `TaskSnooze`, `TaskDelete` | `task/change.rs` |
//! | `TaskAnswer` | `task/answer.rs` |
//! | `TaskExport`, `TaskImport` | `task/transfer.rs` |

mod answer;
mod change;
mod create;
mod failed;
mod place;
mod rank;
mod transfer;
mod wire;

use convergio_contract::{
    RpcError, Uuid,
    task::{
        TaskFields, TaskGet, TaskGetParams, TaskGetResponse, TaskInbox, TaskInboxParams,
        TaskInboxResponse, TaskList, TaskListParams, TaskListResponse, TaskReading,
    },
};
use convergio_store::StoreError;
use convergio_tasks::{
    book::{self, Fields, TaskRef, TaskRow},
    filter::Filter,
    when::{self, Answer, When},
};

use self::{
    failed::no_filter,
    place::Place,
    rank::{Cursor, Sort},
};
use super::undo;
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure, reminders,
};

pub(crate) use failed::{WriteError, told};

/// Reminders of a task, or rows of the inbox, in one answer.
const HISTORY_MAX: usize = 50;
const INBOX_MAX: usize = 200;
/// Tags and projects in one answer.
const NAMES_MAX: usize = 200;
/// Rows of a list.
const ROWS_DEFAULT: u32 = 100;
const ROWS_MAX: u32 = 500;
/// Bytes of titles and notes in one answer: a line of the wire holds them, however escaped.
const ANSWER_MAX_BYTES: usize = 1 << 20;

const _: () = {
    use convergio_contract::task as wire;
    assert!(wire::TITLE_MAX_BYTES == book::TITLE_MAX_BYTES);
    assert!(wire::NOTES_MAX_BYTES == book::NOTES_MAX_BYTES);
    assert!(wire::TAGS_MAX == book::TAGS_MAX);
    assert!(wire::REMINDERS_MAX == book::REMINDERS_MAX);
    assert!(wire::TASKS_MAX == book::TASKS_MAX);
};

/// What somebody asked for, understood.
enum Understood {
    /// In one way.
    One(Box<Fields>, Option<When>),
    /// In several.
    Several(Vec<TaskReading>),
}

/// Reads the time of `fields`, if one is given.
fn understand(given: &TaskFields, place: &Place, title: &str) -> Result<Understood, RpcError> {
    let fields = wire::fields(given)?;
    let Some(text) = &given.when else {
        return Ok(Understood::One(Box::new(fields), None));
    };
    if text.trim().is_empty() {
        let cleared = Fields {
            times: Some(None),
            ..fields
        };
        return Ok(Understood::One(Box::new(cleared), None));
    }
    match when::parse(text, &place.here).map_err(|error| place::not_understood(&error))? {
        Answer::One(found) => Ok(with_time(fields, found, place)),
        Answer::Several(readings) => Ok(Understood::Several(
            readings
                .iter()
                .map(|reading| place.reading(title, &reading.when))
                .collect(),
        )),
        Answer::Nothing => Err(failure::invalid(format!(
            "`when` takes a time, and {text:?} is none"
        ))),
    }
}

fn with_time(mut fields: Fields, found: When, place: &Place) -> Understood {
    fields.times = Some(Some(place.times(&found)));
    if fields.repeat.is_none()
        && let Some(repeat) = &found.repeat
    {
        fields.repeat = Some(Some(repeat.clone()));
    }
    Understood::One(Box::new(fields), Some(found))
}

impl Daemon {
    /// Something about tasks changed: what fires next may be another.
    fn tasks_changed(&self) {
        self.reminders.wake();
    }
}

impl Handle<TaskGet> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskGetParams,
    ) -> Result<TaskGetResponse, RpcError> {
        let place = Place::of(&params.locale, self.reminders.clock.now_ms())?;
        let wanted: TaskRef = params.task.parse().map_err(told)?;
        let tenant = self.runs().tenant().id();
        let read = self.store.read("read a task", move |conn| {
            let row = book::get(conn, tenant, wanted)?;
            let mut parts = book::parts_of(conn, tenant, row.id)?;
            // A part is looked at for its title.
            for part in &mut parts {
                part.notes.clear();
            }
            let history = book::history(conn, tenant, row.id, HISTORY_MAX)?;
            let occurrences = history
                .iter()
                .map(|one| reminders::told(one, place.menu_language(), place.zone()))
                .collect();
            Ok::<_, WriteError>(TaskGetResponse {
                task: wire::task(conn, row, &place)?,
                parts: parts
                    .into_iter()
                    .map(|part| wire::task(conn, part, &place))
                    .collect::<Result<_, _>>()?,
                occurrences,
            })
        });
        read.await.map_err(WriteError::told)
    }
}

impl Handle<TaskList> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskListParams,
    ) -> Result<TaskListResponse, RpcError> {
        let limit = params.limit.unwrap_or(ROWS_DEFAULT);
        if !(1..=ROWS_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {ROWS_MAX}, not {limit}"
            )));
        }
        let sort = Sort::of(params.sort.as_deref())?;
        let cursor = params.cursor.as_deref().map(Cursor::read).transpose()?;
        // All pages are of the same moment: an order that changes in between would skip some.
        let now_ms = match &cursor {
            Some(cursor) => cursor.now_ms,
            None => self.reminders.clock.now_ms(),
        };
        let place = Place::of(&params.locale, now_ms)?;
        let filter =
            Filter::read(&params.filter, &place.here).map_err(|error| no_filter(&error))?;
        let tenant = self.runs().tenant().id();
        let read = self.store.read("list tasks", move |conn| {
            let page = rank::page(
                conn,
                tenant,
                filter,
                false,
                sort,
                cursor,
                now_ms,
                limit as usize,
            )?;
            let first = params.cursor.is_none();
            let mut bytes = 0;
            let mut tasks = Vec::with_capacity(page.rows.len());
            for mut row in page.rows {
                bytes += row.title.len() + row.notes.len();
                if bytes > ANSWER_MAX_BYTES {
                    // The whole of a task is `task.get`'s.
                    bytes -= row.notes.len();
                    row.notes.clear();
                }
                tasks.push(wire::task(conn, row, &place)?);
            }
            Ok::<_, WriteError>(TaskListResponse {
                tasks,
                total: page.total,
                cursor: page.next.map(|cursor| cursor.to_string()),
                tags: match first {
                    true => book::tags_in_use(conn, tenant, NAMES_MAX)?,
                    false => Vec::new(),
                },
                projects: match first {
                    true => book::projects_in_use(conn, tenant, NAMES_MAX)?,
                    false => Vec::new(),
                },
            })
        });
        read.await.map_err(WriteError::told)
    }
}

impl Handle<TaskInbox> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskInboxParams,
    ) -> Result<TaskInboxResponse, RpcError> {
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&params.locale, now_ms)?;
        let tenant = self.runs().tenant().id();
        let only = params.only;
        let read = self.store.read("read the inbox", move |conn| {
            let (mut waiting, mut total) = book::inbox(conn, tenant, INBOX_MAX)?;
            if !only.is_empty() {
                waiting.retain(|one| only.contains(&one.id));
                total = waiting.len() as u64;
            }
            let unsorted: Vec<TaskRow> = book::every(conn, tenant, false, false)?
                .into_iter()
                .filter(|row| row.times.is_none() && row.project.is_none() && row.parent.is_none())
                .take(INBOX_MAX)
                .collect();
            let ids: Vec<Uuid> = waiting.iter().map(|one| one.id).collect();
            let response = TaskInboxResponse {
                more: u32::try_from(total.saturating_sub(waiting.len() as u64)).unwrap_or(u32::MAX),
                waiting: waiting
                    .iter()
                    .map(|one| reminders::told(one, place.menu_language(), place.zone()))
                    .collect(),
                unsorted: unsorted
                    .into_iter()
                    .map(|row| wire::task(conn, row, &place))
                    .collect::<Result<_, _>>()?,
            };
            Ok::<_, WriteError>((response, ids))
        });
        let (response, ids) = read.await.map_err(WriteError::told)?;
        if params.mark_seen && !ids.is_empty() {
            let marked = ids.clone();
            let write = self
                .store
                .write("note that reminders were seen", move |tx| {
                    book::mark_seen(tx, &marked, now_ms)
                });
            let seen = write
                .await
                .map_err(|error: StoreError| failure::store(&error))?;
            if seen > 0 {
                self.reminders.seen(&ids);
                self.tasks_changed();
            }
        }
        Ok(response)
    }
}
