//! Finding runs.

use std::fmt;
use std::str::FromStr;

use convergio_store::at;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::error::RunsError;
use crate::event::{Event, EventType};
use crate::log;
use crate::run::{COLUMNS, Run, RunKind, RunState, Tenant};

/// Findings of one review that are read back at most.
pub const FINDINGS_MAX: usize = 20_000;

/// Runs in one page at most.
const PAGE_RUNS_MAX: usize = 200;

const LIST: &str = "list runs";

/// Which runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListFilter {
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only of this kind.
    pub kind: Option<RunKind>,
    /// Behind this one: [`RunPage::next`] of the page before.
    pub cursor: Option<RunCursor>,
    /// How many, 200 at most.
    pub limit: usize,
}

/// A place in the list of runs. Its text form is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunCursor {
    started_ms: i64,
    id: Uuid,
}

impl fmt::Display for RunCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.started_ms, self.id.simple())
    }
}

impl FromStr for RunCursor {
    type Err = RunsError;

    fn from_str(text: &str) -> Result<Self, RunsError> {
        let read = |text: &str| {
            let (started_ms, id) = text.split_once('.')?;
            Some(Self {
                started_ms: started_ms.parse().ok()?,
                id: id.parse().ok()?,
            })
        };
        read(text).ok_or(RunsError::Invalid {
            what: "cursor",
            reason: "not one that was handed out",
        })
    }
}

/// A stretch of the list of runs, the newest first.
#[derive(Debug, Clone, Default)]
pub struct RunPage {
    /// The newest first.
    pub runs: Vec<Run>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<RunCursor>,
}

/// One run.
///
/// # Errors
/// [`RunsError::NotFound`], or what the store said.
pub fn get(conn: &Connection, tenant: Tenant, run_id: Uuid) -> Result<Run, RunsError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run WHERE tenant_id = ?1 AND id = ?2 AND expires_ms IS NOT 0"
    );
    conn.prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.0, run_id], Run::from_row)
                .optional()
        })
        .map_err(at(conn, "get a run"))?
        .ok_or(RunsError::NotFound {
            what: "run",
            id: run_id,
        })
}

/// The runs that pass `filter`, the newest first.
///
/// # Errors
/// What the store said.
pub fn list(conn: &Connection, tenant: Tenant, filter: &ListFilter) -> Result<RunPage, RunsError> {
    let limit = filter.limit.clamp(1, PAGE_RUNS_MAX);
    let (started_ms, id) = match filter.cursor {
        Some(cursor) => (cursor.started_ms, cursor.id),
        None => (i64::MAX, Uuid::max()),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM run \
         WHERE tenant_id = ?1 AND (started_ms, id) < (?2, ?3) \
           AND (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR kind = ?5) \
           AND expires_ms IS NOT 0 \
         ORDER BY started_ms DESC, id DESC LIMIT ?6"
    );
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut runs: Vec<Run> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![
                        tenant.0,
                        started_ms,
                        id,
                        filter.state,
                        filter.kind,
                        one_more
                    ],
                    Run::from_row,
                )?
                .collect()
        })
        .map_err(at(conn, LIST))?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(|run| RunCursor {
        started_ms: run.started_ms,
        id: run.id,
    });
    Ok(RunPage { runs, next })
}

/// The latest review of `root` that ran to its end (whether or not it covered everything; see
/// [`Run::outcome`]) and still has its content, with its findings in the order in which they were
/// emitted. With a `selection`, the latest of just that.
///
/// # Errors
/// [`RunsError::TooLarge`] above [`FINDINGS_MAX`], or what the store said.
pub fn latest_review(
    conn: &Connection,
    tenant: Tenant,
    root: &str,
    selection: Option<&str>,
) -> Result<Option<(Run, Vec<Event>)>, RunsError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run \
         WHERE tenant_id = ?1 AND root = ?2 AND state = 'completed' AND kind = 'review' \
           AND (?3 IS NULL OR selection = ?3) \
           AND ephemeral = 0 AND purged_ms IS NULL AND expires_ms > 0 \
         ORDER BY ended_ms DESC, id DESC LIMIT 1"
    );
    let found = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.0, root, selection], Run::from_row)
                .optional()
        })
        .map_err(at(conn, "find the latest review"))?;
    let Some(run) = found else { return Ok(None) };
    let mut findings: Vec<Event> = Vec::new();
    loop {
        let after = findings.last().map_or(0, |event| event.seq);
        let page = log::page(
            conn,
            run.id,
            Some(EventType::Finding),
            after,
            log::PAGE_EVENTS_MAX,
        )?;
        findings.extend(page.events);
        if !page.more {
            return Ok(Some((run, findings)));
        }
        if findings.len() >= FINDINGS_MAX {
            return Err(RunsError::TooLarge {
                what: "a review's findings",
                size: findings.len() + 1,
                limit: FINDINGS_MAX,
            });
        }
    }
}
