//! Tasks out of the house and into it: iCalendar and JSON.

use std::collections::HashMap;

use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    task::{
        IMPORT_MAX_BYTES, TaskExport, TaskExportParams, TaskExportResponse, TaskFormat, TaskImport,
        TaskImportParams, TaskImportResponse,
    },
};
use convergio_store::Tx;
use convergio_tasks::{
    book::{self, Fields, Images, Incoming, Taken, TaskRef},
    filter::Filter,
};
use jiff::Timestamp;

use super::{
    WriteError, no_filter,
    place::Place,
    rank::{self, Cursor, Sort},
    wire,
};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    rpc::undo,
};

mod calendar;
mod json;

/// Tasks in one page of an export, and in one import.
const PAGE_TASKS: usize = 1_000;
pub(super) const TASKS_MAX: usize = 10_000;
/// Bytes of titles and notes in one page.
const PAGE_BYTES: usize = 1 << 20;
/// What was left out is told so often.
const TOLD_MAX: usize = 100;

impl Handle<TaskExport> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskExportParams,
    ) -> Result<TaskExportResponse, RpcError> {
        let cursor = params.cursor.as_deref().map(Cursor::read).transpose()?;
        let now_ms = match &cursor {
            Some(cursor) => cursor.now_ms,
            None => self.reminders.clock.now_ms(),
        };
        let place = Place::of(&params.locale, now_ms)?;
        let filter =
            Filter::read(&params.filter, &place.here).map_err(|error| no_filter(&error))?;
        let tenant = self.runs().tenant().id();
        let read = self.store.read("export tasks", move |conn| {
            let mut page = rank::page(
                conn,
                tenant,
                filter,
                true,
                Sort::Number,
                cursor,
                now_ms,
                PAGE_TASKS,
            )?;
            let mut bytes = 0;
            let fits = page.rows.iter().take_while(|row| {
                bytes += row.title.len() + row.notes.len();
                bytes <= PAGE_BYTES
            });
            let fits = fits.count().max(1);
            if fits < page.rows.len() {
                page.next = Some(Cursor::after_number(now_ms, page.rows[fits - 1].number));
                page.rows.truncate(fits);
            }
            let tasks = u32::try_from(page.rows.len()).unwrap_or(u32::MAX);
            let text = match params.format {
                TaskFormat::Json => {
                    let mut text = String::from("[");
                    for (n, row) in page.rows.into_iter().enumerate() {
                        text.push_str(if n == 0 { "\n" } else { ",\n" });
                        let task = wire::task(conn, row, &place)?;
                        let task = serde_json::to_string(&task).map_err(|error| {
                            failure::internal("a task could not be written", error.to_string())
                        })?;
                        text.push_str(&task);
                    }
                    text.push_str("\n]\n");
                    text
                }
                TaskFormat::Ics => {
                    let mut items = Vec::with_capacity(page.rows.len());
                    for row in page.rows {
                        items.push(calendar::item(conn, tenant, row)?);
                    }
                    let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
                    convergio_tasks::ics::export(&items, now)
                }
            };
            Ok::<_, WriteError>(TaskExportResponse {
                text,
                tasks,
                cursor: page.next.map(|cursor| cursor.to_string()),
            })
        });
        read.await.map_err(WriteError::told)
    }
}

/// What is left out, in words.
#[derive(Default)]
pub(super) struct LeftOut {
    told: Vec<String>,
    total: u64,
}

impl LeftOut {
    /// One more.
    pub(super) fn add(&mut self, what: impl Into<String>) {
        self.add_many(what, 1);
    }

    /// Several of the same.
    pub(super) fn add_many(&mut self, what: impl Into<String>, count: u64) {
        self.total = self.total.saturating_add(count);
        if self.told.len() < TOLD_MAX {
            let what = what.into();
            self.told.push(match count {
                1 => what,
                count => format!("{count} times {what}"),
            });
        }
    }
}

/// A task that is to be taken in, and what it hangs under, by the names of its own text.
pub(super) struct Coming {
    pub(super) incoming: Incoming,
    /// What others call it in this text.
    pub(super) name: Option<String>,
    /// What it is a part of.
    pub(super) parent: Option<String>,
    /// How a person knows it.
    pub(super) shown: String,
}

impl Handle<TaskImport> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskImportParams,
    ) -> Result<TaskImportResponse, RpcError> {
        if params.text.len() > IMPORT_MAX_BYTES {
            return Err(RpcError::new(
                ErrorCode::TooLarge,
                format!(
                    "{} bytes are too many to take in at once",
                    params.text.len()
                ),
            )
            .why(format!(
                "at most {IMPORT_MAX_BYTES} bytes are taken; nothing was"
            ))
            .hint("split it into several files"));
        }
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&params.locale, now_ms)?;
        let mut left_out = LeftOut::default();
        let coming = match params.format {
            TaskFormat::Ics => calendar::read(&params.text, &place, &mut left_out)?,
            TaskFormat::Json => json::read(&params.text, &mut left_out)?,
        };
        if coming.len() > TASKS_MAX {
            return Err(RpcError::new(
                ErrorCode::TooLarge,
                format!("{} tasks are too many to take in at once", coming.len()),
            )
            .why(format!("at most {TASKS_MAX} are taken; nothing was")));
        }
        let (tenant, profile) = (self.runs().tenant(), self.profile_id());
        let retention = self.runs().retention();
        let write = self.store.write("take tasks in", move |tx| {
            let mut response = TaskImportResponse {
                created: 0,
                updated: 0,
                unchanged: 0,
                left_out: Vec::new(),
                left_out_total: 0,
                undo_id: None,
            };
            let mut images = Images::default();
            take(
                tx,
                tenant.id(),
                profile,
                coming,
                now_ms,
                &mut response,
                &mut images,
                &mut left_out,
            )?;
            response.left_out_total = u32::try_from(left_out.total).unwrap_or(u32::MAX);
            response.left_out = left_out.told;
            if params.dry_run {
                // Whatever it did is undone with it.
                return Err(WriteError::Dry(Box::new(response)));
            }
            let label = format!(
                "cv task import: {} new, {} updated",
                response.created, response.updated
            );
            response.undo_id = undo::keep_tasks(tx, tenant, &retention, &label, images)?;
            Ok(response)
        });
        match write.await {
            Ok(response) => {
                if response.created + response.updated > 0 {
                    self.tasks_changed();
                }
                Ok(response)
            }
            Err(WriteError::Dry(response)) => Ok(*response),
            Err(error) => Err(error.told()),
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one pass, with all that it counts"
)]
fn take(
    tx: &Tx<'_>,
    tenant: Uuid,
    profile: Uuid,
    coming: Vec<Coming>,
    now_ms: i64,
    response: &mut TaskImportResponse,
    images: &mut Images,
    left_out: &mut LeftOut,
) -> Result<(), WriteError> {
    let mut ids: HashMap<String, Uuid> = HashMap::new();
    let mut parts: Vec<(Uuid, String, String)> = Vec::new();
    for one in coming {
        let taken = match book::take_in(tx, tenant, profile, &one.incoming, now_ms) {
            Ok(taken) => taken,
            Err(error @ (book::BookError::Store(_) | book::BookError::Full { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                left_out.add(format!("{}: {error}", one.shown));
                continue;
            }
        };
        let id = taken.task().id;
        if let Some(name) = one.name {
            ids.insert(name, id);
        }
        if let Some(parent) = one.parent {
            parts.push((id, parent, one.shown));
        }
        match taken {
            Taken::Created(_, more) => {
                response.created += 1;
                images.add(more);
            }
            Taken::Updated(_, more) => {
                response.updated += 1;
                images.add(more);
            }
            Taken::Unchanged(_) => response.unchanged += 1,
        }
    }
    // All are there now: what is a part of what.
    for (id, parent, shown) in parts {
        let Some(parent) = ids.get(&parent) else {
            left_out.add(format!("{shown}: what it is a part of is not in the text"));
            continue;
        };
        let fields = Fields {
            parent: Some(Some(TaskRef::Id(*parent))),
            ..Fields::default()
        };
        match book::update(tx, tenant, TaskRef::Id(id), None, &fields, now_ms) {
            Ok(changed) => images.add(changed.images),
            Err(book::BookError::Store(error)) => return Err(error.into()),
            Err(error) => left_out.add(format!("{shown}: {error}")),
        }
    }
    Ok(())
}

/// A text of others as a title: one line, no longer than is kept. What does not fit is told and
/// stays in the notes.
pub(super) fn title(text: &str, notes: &mut String, left_out: &mut LeftOut) -> Option<String> {
    let mut line = String::with_capacity(text.len());
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.is_empty() {
        return None;
    }
    if text.trim().contains(['\n', '\r']) {
        left_out.add(format!(
            "{}: line ends in its title became spaces",
            shown(&line)
        ));
    }
    if line.len() > book::TITLE_MAX_BYTES {
        left_out.add(format!(
            "{}: its long title stands whole in its notes",
            shown(&line)
        ));
        *notes = format!("{line}\n\n{notes}");
        line.truncate(line.floor_char_boundary(book::TITLE_MAX_BYTES));
    }
    Some(line)
}

/// A text of others as notes.
pub(super) fn notes(text: &str, of: &str, left_out: &mut LeftOut) -> String {
    let text = text.replace("\r\n", "\n");
    let mut kept: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    if kept.len() != text.len() {
        left_out.add(format!("{}: control characters in its notes", shown(of)));
    }
    if kept.len() > book::NOTES_MAX_BYTES {
        left_out.add(format!(
            "{}: the end of its notes, which are longer than {} KiB",
            shown(of),
            book::NOTES_MAX_BYTES >> 10
        ));
        kept.truncate(kept.floor_char_boundary(book::NOTES_MAX_BYTES));
    }
    kept
}

/// A text of others as one word.
pub(super) fn word(text: &str) -> Option<String> {
    let word: Vec<&str> = text
        .trim()
        .trim_start_matches('+')
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|piece| !piece.is_empty())
        .collect();
    let word = word.join("-");
    (!word.is_empty() && word.len() <= book::NAME_MAX_BYTES).then_some(word)
}

/// Tags of others: what has spaces gets dashes.
pub(super) fn tags(given: &[String], of: &str, left_out: &mut LeftOut) -> Vec<String> {
    let mut tags: Vec<String> = given.iter().filter_map(|tag| word(tag)).collect();
    tags.sort_unstable();
    tags.dedup();
    let lost = given.len().saturating_sub(tags.len().min(book::TAGS_MAX));
    tags.truncate(book::TAGS_MAX);
    if lost > 0 {
        left_out.add(format!("{}: {lost} of its tags", shown(of)));
    }
    tags
}

/// Reminders of others.
pub(super) fn reminders(given: &[u32], of: &str, left_out: &mut LeftOut) -> Vec<u32> {
    let mut kept: Vec<u32> = given
        .iter()
        .copied()
        .filter(|minutes| *minutes <= book::BEFORE_MAX_MIN)
        .collect();
    kept.sort_unstable();
    kept.dedup();
    kept.truncate(book::REMINDERS_MAX);
    if kept.len() < given.len() {
        left_out.add(format!(
            "{}: {} of its reminders",
            shown(of),
            given.len() - kept.len()
        ));
    }
    kept
}

/// How a task of others is told: short, and driving nothing.
pub(super) fn shown(title: &str) -> String {
    let plain: String = title.chars().filter(|c| !c.is_control()).take(60).collect();
    format!("{plain:?}")
}
