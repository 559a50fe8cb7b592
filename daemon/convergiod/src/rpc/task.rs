//! Tasks: written down, read, listed.

mod answer;
mod change;
mod place;
mod rank;
mod transfer;
mod wire;

use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    health::StartedBy,
    task::{
        TaskCreate, TaskCreateParams, TaskCreateResponse, TaskFields, TaskGet, TaskGetParams,
        TaskGetResponse, TaskImportResponse, TaskInbox, TaskInboxParams, TaskInboxResponse,
        TaskList, TaskListParams, TaskListResponse, TaskNotice, TaskPreview, TaskPreviewParams,
        TaskPreviewResponse, TaskReading,
    },
};
use convergio_runs::RunsError;
use convergio_store::StoreError;
use convergio_tasks::{
    book::{self, BookError, Created, Fields, NewTask, TaskRef, TaskRow},
    filter::{ATTRIBUTES, Filter, FilterError},
    when::{self, Answer, Language, Shifted, When},
};
use sha2::{Digest, Sha256};

use self::{
    place::Place,
    rank::{Cursor, Sort},
};
use super::{runs_error, undo};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure, reminders,
};

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

/// What a change of tasks failed by.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The task's own.
    Book(BookError),
    /// The way back's.
    Runs(RunsError),
    /// Already told.
    Told(Box<RpcError>),
    /// Nothing failed: it was to be undone, and this is what it would have done.
    Dry(Box<TaskImportResponse>),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Book(error.into())
    }
}

impl From<BookError> for WriteError {
    fn from(error: BookError) -> Self {
        Self::Book(error)
    }
}

impl From<RunsError> for WriteError {
    fn from(error: RunsError) -> Self {
        Self::Runs(error)
    }
}

impl From<RpcError> for WriteError {
    fn from(error: RpcError) -> Self {
        Self::Told(Box::new(error))
    }
}

impl WriteError {
    /// As it travels.
    pub(crate) fn told(self) -> RpcError {
        match self {
            Self::Book(error) => told(error),
            Self::Runs(error) => runs_error(error),
            Self::Told(error) => *error,
            Self::Dry(_) => failure::internal("a trial ended as a change", "nothing was changed"),
        }
    }
}

/// An error of the book as it travels.
pub(crate) fn told(error: BookError) -> RpcError {
    let text = error.to_string();
    match error {
        BookError::Store(error) => failure::store(&error),
        BookError::NotFound { .. } => RpcError::new(ErrorCode::NotFound, text)
            .why("it never was, or it was removed")
            .hint("cv task list state:all"),
        BookError::NoOccurrence { .. } => RpcError::new(ErrorCode::NotFound, text)
            .why("it never was, or its task was removed")
            .hint("cv inbox"),
        BookError::Stale { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("somebody changed it in between; nothing was changed")
            .hint(format!("cv task show {number}")),
        BookError::OpenParts { number, parts } => RpcError::new(ErrorCode::Conflict, text)
            .why("a task is done when its parts are")
            .hint(format!(
                "cv task done {}",
                list(parts.iter().chain([&number]))
            )),
        BookError::HasParts { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("they would be left without it")
            .hint(format!("cv task rm --with-parts {number}")),
        BookError::Ended { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("what is over is not reminded of")
            .hint(format!("cv task edit {number} --state open")),
        BookError::ChangedSince { number, .. } => RpcError::new(ErrorCode::Conflict, text)
            .why("taking the change back would lose what was done after it")
            .hint(format!("cv task show {number}")),
        BookError::Conflict { .. } | BookError::Gone { .. } => {
            RpcError::new(ErrorCode::Conflict, text).hint("cv task list state:all")
        }
        BookError::Full { .. } => RpcError::new(ErrorCode::TooLarge, text)
            .why("tasks that are done count too")
            .hint("cv task list state:done"),
        _ => failure::invalid(text),
    }
}

fn list<'a>(numbers: impl Iterator<Item = &'a u64>) -> String {
    let some: Vec<String> = numbers.take(20).map(u64::to_string).collect();
    some.join(" ")
}

fn no_filter(error: &FilterError) -> RpcError {
    let told = failure::invalid(error.to_string());
    match error {
        FilterError::UnknownAttribute { .. } => told.why(format!("there are {ATTRIBUTES}")),
        _ => told,
    }
}

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

/// Reads a new task.
fn understand_new(params: &TaskCreateParams, place: &Place) -> Result<Understood, RpcError> {
    let understood = match (&params.text, &params.fields.title) {
        (Some(_), Some(_)) => {
            return Err(failure::invalid(
                "`text` and `fields.title` exclude each other",
            ));
        }
        (None, None) => return Err(failure::invalid("a task takes a title")),
        (None, Some(title)) => understand(&params.fields, place, title)?,
        // With a time said apart the sentence is the title, whole: nothing of it is lost.
        (Some(text), None) if params.fields.when.is_some() => {
            let title = one_line(text);
            let fields = TaskFields {
                title: Some(title.clone()),
                ..params.fields.clone()
            };
            understand(&fields, place, &title)?
        }
        (Some(text), None) => {
            let sentence =
                when::extract(text, &place.here).map_err(|error| place::not_understood(&error))?;
            if sentence.title.trim().is_empty() {
                return Err(failure::invalid("nothing is left as a title")
                    .why("all of it says when")
                    .hint("cv remind \"call Mario tomorrow at 9\""));
            }
            let mut fields = wire::fields(&params.fields)?;
            fields.title = Some(sentence.title.clone());
            match sentence.answer {
                Answer::One(found) => with_time(fields, found, place),
                Answer::Several(readings) => Understood::Several(
                    readings
                        .iter()
                        .map(|reading| place.reading(&sentence.title, &reading.when))
                        .collect(),
                ),
                Answer::Nothing => Understood::One(Box::new(fields), None),
            }
        }
    };
    if let Understood::One(fields, _) = &understood
        && params.needs_time
        && !matches!(fields.times, Some(Some(_)))
    {
        return Err(failure::invalid("it says no time at which to remind")
            .why("nothing was created")
            .hint("cv remind \"call Mario tomorrow at 9\""));
    }
    Ok(understood)
}

/// As `when::extract` leaves titles.
fn one_line(text: &str) -> String {
    text.trim().to_owned()
}

impl Daemon {
    /// Something about tasks changed: what fires next may be another.
    fn tasks_changed(&self) {
        self.reminders.wake();
    }

    /// What a person should know of a time.
    fn notices(&self, found: Option<&When>, task: &TaskRow, place: &Place) -> Vec<TaskNotice> {
        let italian = place.language() == Language::Italian;
        let mut notices = Vec::new();
        let mut add = |kind: &str, text: String, hint: Option<&str>| {
            notices.push(TaskNotice {
                kind: kind.to_owned(),
                text,
                hint: hint.map(str::to_owned),
            });
        };
        match found.and_then(|found| found.shifted.as_ref().map(|shifted| (found, shifted))) {
            Some((found, Shifted::Gap { asked })) => {
                let (asked, due) = (asked.strftime("%H:%M"), found.due.strftime("%H:%M"));
                add(
                    "time_shifted",
                    match italian {
                        false => format!("clocks skip {asked} on that day: it is {due}"),
                        true => format!("quel giorno le {asked} non ci sono: vale {due}"),
                    },
                    None,
                );
            }
            Some((found, Shifted::Overlap { .. })) => {
                let due = found.due.strftime("%H:%M");
                add(
                    "time_twice",
                    match italian {
                        false => format!("clocks show {due} twice on that day: it is the first"),
                        true => format!("quel giorno le {due} vengono due volte: vale la prima"),
                    },
                    None,
                );
            }
            None => {}
        }
        if task.next.is_some() && self.started_by != StartedBy::Service {
            add(
                "daemon_not_installed",
                match italian {
                    false => "it fires only while the daemon runs".to_owned(),
                    true => "scatta solo mentre il servizio è in funzione".to_owned(),
                },
                Some("cv service install"),
            );
        }
        if task.next.is_none() && !task.remind_before_min.is_empty() && task.times.is_some() {
            add(
                "no_reminder_left",
                match italian {
                    false => "its reminders would have come before now".to_owned(),
                    true => "i suoi promemoria sarebbero già passati".to_owned(),
                },
                None,
            );
        }
        notices
    }
}

impl Handle<TaskCreate> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskCreateParams,
    ) -> Result<TaskCreateResponse, RpcError> {
        wire::version_7(params.task_id)?;
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&params.locale, now_ms)?;
        let asked = serde_json::to_vec(&params)
            .map_err(|error| failure::internal("the task could not be read", error.to_string()))?;
        let request_hash: [u8; 32] = Sha256::digest(asked).into();
        let understood = understand_new(&params, &place);
        let (tenant, profile) = (self.runs().tenant(), self.profile_id());
        let retention = self.runs().retention();
        let id = params.task_id;
        let (here, shown) = (place.clone(), place);
        let write = self.store.write("write a task down", move |tx| {
            // The same call at another time may be read otherwise: what it made counts.
            if let Some(row) = book::created_before(tx, tenant.id(), id, Some(request_hash))? {
                let said = here.said(&row);
                let task = wire::task(tx, row, &here)?;
                return Ok(Err(TaskCreateResponse::Created {
                    task: Box::new(task),
                    said,
                    replayed: true,
                    notices: Vec::new(),
                    undo_id: None,
                }));
            }
            let (fields, found) = match understood? {
                Understood::One(fields, found) => (fields, found),
                Understood::Several(readings) => {
                    return Ok(Err(TaskCreateResponse::Ambiguous { readings }));
                }
            };
            let new = NewTask {
                id,
                request_hash: Some(request_hash),
                uid: None,
                fields: *fields,
                created_ms: None,
                completed_ms: None,
            };
            let (row, images) = match book::create(tx, tenant.id(), profile, &new, now_ms)? {
                Created::New(row, images) => (*row, images),
                Created::Replayed(row) => (*row, book::Images::default()),
            };
            let label = wire::label("add", &row);
            let undo_id = undo::keep_tasks(tx, tenant, &retention, &label, images)?;
            let task = wire::task(tx, row.clone(), &here)?;
            Ok::<_, WriteError>(Ok((row, task, found, undo_id)))
        });
        let (row, task, found, undo_id) = match write.await.map_err(WriteError::told)? {
            Ok(made) => made,
            Err(answer) => return Ok(answer),
        };
        if row.next.is_some() {
            self.tasks_changed();
        }
        Ok(TaskCreateResponse::Created {
            said: task.said.clone(),
            task: Box::new(task),
            replayed: false,
            notices: self.notices(found.as_ref(), &row, &shown),
            undo_id,
        })
    }
}

impl Handle<TaskPreview> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskPreviewParams,
    ) -> Result<TaskPreviewResponse, RpcError> {
        let place = Place::of(&params.locale, self.reminders.clock.now_ms())?;
        let sentence = when::extract(&params.text, &place.here)
            .map_err(|error| place::not_understood(&error))?;
        let title = sentence.title;
        let readings = match sentence.answer {
            Answer::One(found) => vec![place.reading(&title, &found)],
            Answer::Several(readings) => readings
                .iter()
                .map(|reading| place.reading(&title, &reading.when))
                .collect(),
            Answer::Nothing => vec![TaskReading {
                title,
                due: None,
                repeat: None,
                said: String::new(),
                when: String::new(),
            }],
        };
        Ok(TaskPreviewResponse { readings })
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
