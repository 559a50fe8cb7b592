//! The event log: append, end, read.

use convergio_store::{StoreError, Tx, at};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::error::RunsError;
use crate::event::{Event, EventPage, EventType};
use crate::retention::Retention;
use crate::run::RunState;

/// A payload's size at most.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// Events of one run at most, the terminal one aside.
pub const RUN_EVENTS_MAX: u64 = 200_000;

/// Events in one page at most.
pub const PAGE_EVENTS_MAX: usize = 1_000;

/// A page ends with the event that takes its payloads to this size.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

const APPEND: &str = "append events";
const READ: &str = "read events";

/// An event before it has a `seq`.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Any but the terminal ones.
    pub event_type: EventType,
    /// One JSON value on one line, [`PAYLOAD_BYTES_MAX`] at most.
    pub payload: Box<RawValue>,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// `Completed`, `Failed` or `Cancelled`: the event's type, and the run's state.
    pub event_type: EventType,
    /// A slug for [`crate::Run::outcome`]: lower case and `_`, 64 bytes at most.
    pub outcome: String,
    /// The terminal event's payload.
    pub payload: Box<RawValue>,
}

/// Appends `events` to a running run, in order. Answers the `seq` of the last one (or the log's
/// present end, for no events).
///
/// # Errors
/// [`RunsError::Ended`] after a terminal event, [`RunsError::NotFound`], [`RunsError::TooLarge`];
/// [`RunsError::Invalid`] for a terminal type, which [`finish`] is for.
pub fn append(
    tx: &Tx<'_>,
    run_id: Uuid,
    events: &[NewEvent],
    now_ms: i64,
) -> Result<u64, RunsError> {
    for event in events {
        check(&event.payload)?;
        if event.event_type.ends_as().is_some() {
            return Err(RunsError::Invalid {
                what: "event type",
                reason: "a terminal event comes from ending the run",
            });
        }
    }
    running(tx, run_id)?;
    let mut seq = last_seq(tx, run_id)?;
    let after = seq.saturating_add(events.len() as u64);
    if after > RUN_EVENTS_MAX {
        return Err(RunsError::TooLarge {
            what: "the run's log (events)",
            size: usize::try_from(after).unwrap_or(usize::MAX),
            limit: RUN_EVENTS_MAX as usize,
        });
    }
    for event in events {
        seq += 1;
        insert(tx, run_id, seq, event.event_type, &event.payload, now_ms)?;
    }
    Ok(seq)
}

/// Ends a run: its terminal event and its state, in this transaction. Answers the event's `seq`.
///
/// # Errors
/// [`RunsError::Ended`] when it has ended, however; [`RunsError::NotFound`];
/// [`RunsError::Invalid`] for a type that is not terminal or an outcome that is no slug.
pub fn finish(
    tx: &Tx<'_>,
    run_id: Uuid,
    ending: &Ending,
    now_ms: i64,
    retention: &Retention,
) -> Result<u64, RunsError> {
    check(&ending.payload)?;
    let Some(state) = ending.event_type.ends_as() else {
        return Err(RunsError::Invalid {
            what: "event type",
            reason: "not a terminal one",
        });
    };
    let slug = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if !(1..=64).contains(&ending.outcome.len()) || !ending.outcome.bytes().all(slug) {
        return Err(RunsError::Invalid {
            what: "outcome",
            reason: "not a slug of at most 64 letters",
        });
    }
    let ephemeral = running(tx, run_id)?;
    let seq = last_seq(tx, run_id)? + 1;
    insert(tx, run_id, seq, ending.event_type, &ending.payload, now_ms)?;
    let expires_ms = if ephemeral {
        now_ms
    } else {
        now_ms.saturating_add(retention.content_ms)
    };
    tx.prepare_cached(
        "UPDATE run SET state = ?2, outcome = ?3, ended_ms = ?4, expires_ms = ?5 WHERE id = ?1",
    )
    .and_then(|mut statement| {
        statement.execute(params![run_id, state, ending.outcome, now_ms, expires_ms])
    })
    .map_err(at(tx, "end a run"))?;
    Ok(seq)
}

/// The run's events behind `after_seq` (0 for all), `limit` of them at most and never more than
/// [`PAGE_EVENTS_MAX`] or about [`PAGE_BYTES_MAX`]. A log that has expired is an empty page; see
/// [`crate::Run::purged_ms`].
///
/// # Errors
/// What the store said; an unknown run has no events.
pub fn events(
    conn: &Connection,
    run_id: Uuid,
    after_seq: u64,
    limit: usize,
) -> Result<EventPage, RunsError> {
    page(conn, run_id, None, after_seq, limit)
}

/// Like [`events`], of one type if one is given.
pub(crate) fn page(
    conn: &Connection,
    run_id: Uuid,
    only: Option<EventType>,
    after_seq: u64,
    limit: usize,
) -> Result<EventPage, RunsError> {
    let limit = limit.clamp(1, PAGE_EVENTS_MAX);
    let failed = at(conn, READ);
    let mut statement = conn
        .prepare_cached(
            "SELECT seq, type, at_ms, payload FROM event_log \
             WHERE run_id = ?1 AND seq > ?2 AND (?3 IS NULL OR type = ?3) \
               AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = ?1 AND run.expires_ms <= 0) \
             ORDER BY seq LIMIT ?4",
        )
        .map_err(&failed)?;
    let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut rows = statement
        .query(params![run_id, after, only, one_more])
        .map_err(&failed)?;
    let mut page = EventPage::default();
    let mut size_bytes = 0;
    while let Some(row) = rows.next().map_err(&failed)? {
        if page.events.len() == limit || size_bytes >= PAGE_BYTES_MAX {
            page.more = true;
            break;
        }
        let payload: String = row.get(3).map_err(&failed)?;
        size_bytes += payload.len();
        page.events.push(Event {
            run_id,
            seq: row.get::<_, i64>(0).map_err(&failed)?.unsigned_abs(),
            event_type: row.get(1).map_err(&failed)?,
            at_ms: row.get(2).map_err(&failed)?,
            payload: RawValue::from_string(payload).map_err(|error| StoreError::Damaged {
                path: conn.path().unwrap_or_default().into(),
                activity: READ,
                detail: format!("a payload of run {run_id} is not JSON: {error}"),
            })?,
        });
    }
    Ok(page)
}

fn check(payload: &RawValue) -> Result<(), RunsError> {
    let json = payload.get();
    if json.len() > PAYLOAD_BYTES_MAX {
        return Err(RunsError::TooLarge {
            what: "an event's payload (bytes)",
            size: json.len(),
            limit: PAYLOAD_BYTES_MAX,
        });
    }
    // A frame is a line, and payloads are copied into frames as they are.
    if json.contains(['\n', '\r']) {
        return Err(RunsError::Invalid {
            what: "payload",
            reason: "it spans lines",
        });
    }
    Ok(())
}

/// Whether the run is ephemeral; an error unless it is running.
fn running(tx: &Tx<'_>, run_id: Uuid) -> Result<bool, RunsError> {
    let found: Option<(RunState, bool)> = tx
        .prepare_cached("SELECT state, ephemeral FROM run WHERE id = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([run_id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(at(tx, APPEND))?;
    match found {
        None => Err(RunsError::NotFound {
            what: "run",
            id: run_id,
        }),
        Some((RunState::Running, ephemeral)) => Ok(ephemeral),
        Some((state, _)) => Err(RunsError::Ended { id: run_id, state }),
    }
}

pub(crate) fn last_seq(tx: &Tx<'_>, run_id: Uuid) -> Result<u64, RunsError> {
    let last: Option<i64> = tx
        .prepare_cached("SELECT max(seq) FROM event_log WHERE run_id = ?1")
        .and_then(|mut statement| statement.query_row([run_id], |row| row.get(0)))
        .map_err(at(tx, APPEND))?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

fn insert(
    tx: &Tx<'_>,
    run_id: Uuid,
    seq: u64,
    event_type: EventType,
    payload: &RawValue,
    now_ms: i64,
) -> Result<(), RunsError> {
    tx.prepare_cached(
        "INSERT INTO event_log (run_id, seq, type, at_ms, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut statement| {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        statement.execute(params![run_id, seq, event_type, now_ms, payload.get()])
    })
    .map_err(at(tx, APPEND))?;
    Ok(())
}
