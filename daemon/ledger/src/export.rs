//! The books row by row, in pages of a fixed order.

use std::fmt;
use std::str::FromStr;

use convergio_store::{Connection, at};
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::attempt::{AttemptState, UsageSource};
use crate::error::LedgerError;

/// Rows of one page at most.
const PAGE_MAX: usize = 500;

const READ: &str = "export the ledger";

/// Which rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportFilter {
    /// From then on, UTC.
    pub since_ms: Option<i64>,
    /// Before then, UTC.
    pub until_ms: Option<i64>,
    /// Behind this one.
    pub cursor: Option<ExportCursor>,
    /// How many, 500 at most.
    pub limit: usize,
}

/// A place in an export. Its text form is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportCursor {
    first: i64,
    id: Uuid,
}

impl fmt::Display for ExportCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.first, self.id.simple())
    }
}

impl FromStr for ExportCursor {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let read = |text: &str| {
            let (first, id) = text.split_once('.')?;
            Some(Self {
                first: first.parse().ok()?,
                id: id.parse().ok()?,
            })
        };
        read(text).ok_or(LedgerError::Invalid {
            what: "cursor",
            reason: "not one that was handed out",
        })
    }
}

/// A page of an export.
#[derive(Debug, Clone)]
pub struct ExportPage<T> {
    /// In the order of the export.
    pub rows: Vec<T>,
    /// Where the next page begins; none at the end.
    pub next: Option<ExportCursor>,
    /// Rows of all pages.
    pub rows_total: u64,
}

/// An attempt as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its id.
    pub attempt_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// Its number within the run.
    pub n: u32,
    /// The conversation.
    pub session_id: Option<Uuid>,
    /// The agent.
    pub agent: Option<String>,
    /// The client.
    pub client: Option<String>,
    /// The folder.
    pub root: Option<String>,
    /// The provider's configured name.
    pub provider: String,
    /// The model that was asked.
    pub model: String,
    /// The model that answered.
    pub answered_by: Option<String>,
    /// It ran on this machine.
    pub local: bool,
    /// The policy that allowed it.
    pub policy: String,
    /// Where it stands.
    pub state: AttemptState,
    /// Why it stopped.
    pub stop: Option<String>,
    /// The provider's name for the call.
    pub provider_req_id: Option<String>,
    /// The price table.
    pub price_version_id: Option<Uuid>,
    /// Held, nano-USD.
    pub hold_nano: i64,
    /// Cost, nano-USD; none while it is under way.
    pub cost_nano: Option<i64>,
    /// Where the figures come from.
    pub source: Option<UsageSource>,
    /// The provider's figures contradicted each other.
    pub inconsistent: bool,
    /// Quantities by resource, a JSON object.
    pub usage_json: Option<String>,
    /// Nano-USD by resource, a JSON object.
    pub lines_json: Option<String>,
    /// Admitted, UTC.
    pub started_ms: i64,
    /// Ended, UTC.
    pub ended_ms: Option<i64>,
    /// The name of the token that it came in with.
    pub token: Option<String>,
}

/// A transfer as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// Its number.
    pub seq: i64,
    /// Its id.
    pub id: Uuid,
    /// `pending`, `post`, `void`, `expire`, `overage`, `adjust`, `grant`.
    pub kind: String,
    /// What it resolves.
    pub pending_id: Option<Uuid>,
    /// The account that is charged.
    pub debit: String,
    /// The account that is credited.
    pub credit: String,
    /// `nano_usd`, or a quota.
    pub unit: String,
    /// How much.
    pub amount: i64,
    /// The attempt that it is of.
    pub attempt_id: Option<Uuid>,
    /// When, UTC.
    pub wall_ms: i64,
    /// The machine's boot.
    pub boot_id: Uuid,
    /// Monotonic time.
    pub mono_ns: i64,
    /// The hash of the one before.
    pub prev_hash: [u8; 32],
    /// Its own.
    pub hash: [u8; 32],
}

const TRANSFER: &str = "seq, id, kind, pending_id, debit, credit, unit, amount, attempt_id, \
     wall_ms, boot_id, mono_ns, prev_hash, hash";

fn transfer(row: &Row<'_>) -> rusqlite::Result<TransferRow> {
    Ok(TransferRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        kind: row.get(2)?,
        pending_id: row.get(3)?,
        debit: row.get(4)?,
        credit: row.get(5)?,
        unit: row.get(6)?,
        amount: row.get(7)?,
        attempt_id: row.get(8)?,
        wall_ms: row.get(9)?,
        boot_id: row.get(10)?,
        mono_ns: row.get(11)?,
        prev_hash: row.get(12)?,
        hash: row.get(13)?,
    })
}

/// The transfers of an attempt, in their order.
///
/// # Errors
/// What the store said; an unknown attempt has none.
pub fn transfers_of_attempt(
    conn: &Connection,
    tenant_id: Uuid,
    attempt_id: Uuid,
) -> Result<Vec<TransferRow>, LedgerError> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {TRANSFER} FROM transfer WHERE tenant_id = ?1 AND attempt_id = ?2 ORDER BY seq"
        ))
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, attempt_id], transfer)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// Transfers in the order of their numbers.
///
/// # Errors
/// What the store said.
pub fn export_transfers(
    conn: &Connection,
    tenant_id: Uuid,
    filter: &ExportFilter,
) -> Result<ExportPage<TransferRow>, LedgerError> {
    let (since, until) = span(filter);
    let after = filter.cursor.map_or(0, |cursor| cursor.first);
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let rows: Vec<TransferRow> = conn
        .prepare_cached(&format!(
            "SELECT {TRANSFER} FROM transfer WHERE tenant_id = ?1 AND seq > ?2 \
             AND wall_ms >= ?3 AND wall_ms < ?4 ORDER BY seq LIMIT ?5"
        ))
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant_id, after, since, until, one_more(limit)],
                    transfer,
                )?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let total = total(
        conn,
        "SELECT count(*) FROM transfer WHERE tenant_id = ?1 AND wall_ms >= ?2 AND wall_ms < ?3",
        tenant_id,
        (since, until),
    )?;
    Ok(page(rows, limit, total, |row| ExportCursor {
        first: row.seq,
        id: row.id,
    }))
}

/// Attempts in the order in which they were admitted.
///
/// # Errors
/// What the store said.
pub fn export_attempts(
    conn: &Connection,
    tenant_id: Uuid,
    filter: &ExportFilter,
) -> Result<ExportPage<AttemptRow>, LedgerError> {
    let (since, until) = span(filter);
    let (first, id) = filter
        .cursor
        .map_or((i64::MIN, Uuid::nil()), |cursor| (cursor.first, cursor.id));
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let rows: Vec<AttemptRow> = conn
        .prepare_cached(&format!(
            "SELECT {ATTEMPT} FROM attempt WHERE tenant_id = ?1 AND (started_ms, id) > (?2, ?3) \
                 AND started_ms >= ?4 AND started_ms < ?5 ORDER BY started_ms, id LIMIT ?6"
        ))
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant_id, first, id, since, until, one_more(limit)],
                    attempt,
                )?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let total = total(
        conn,
        "SELECT count(*) FROM attempt WHERE tenant_id = ?1 AND started_ms >= ?2 AND started_ms < ?3",
        tenant_id,
        (since, until),
    )?;
    Ok(page(rows, limit, total, |row| ExportCursor {
        first: row.started_ms,
        id: row.attempt_id,
    }))
}

pub(crate) const ATTEMPT: &str = "id, run_id, n, session_id, agent, client, root, provider, model, \
     answered_by, local, policy, state, stop, provider_req_id, price_version_id, est_nano, \
     cost_nano, usage_source, inconsistent, usage_json, lines_json, started_ms, ended_ms, token";

pub(crate) fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        attempt_id: row.get(0)?,
        run_id: row.get(1)?,
        n: row.get(2)?,
        session_id: row.get(3)?,
        agent: row.get(4)?,
        client: row.get(5)?,
        root: row.get(6)?,
        provider: row.get(7)?,
        model: row.get(8)?,
        answered_by: row.get(9)?,
        local: row.get(10)?,
        policy: row.get(11)?,
        state: row.get(12)?,
        stop: row.get(13)?,
        provider_req_id: row.get(14)?,
        price_version_id: row.get(15)?,
        hold_nano: row.get(16)?,
        cost_nano: row.get(17)?,
        source: row.get(18)?,
        inconsistent: row.get(19)?,
        usage_json: row.get(20)?,
        lines_json: row.get(21)?,
        started_ms: row.get(22)?,
        ended_ms: row.get(23)?,
        token: row.get(24)?,
    })
}

fn span(filter: &ExportFilter) -> (i64, i64) {
    (
        filter.since_ms.unwrap_or(i64::MIN),
        filter.until_ms.unwrap_or(i64::MAX),
    )
}

fn one_more(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

fn total(
    conn: &Connection,
    sql: &str,
    tenant_id: Uuid,
    (since, until): (i64, i64),
) -> Result<u64, LedgerError> {
    Ok(conn
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.query_row(params![tenant_id, since, until], |row| row.get::<_, i64>(0))
        })
        .map_err(at(conn, READ))?
        .unsigned_abs())
}

fn page<T>(
    mut rows: Vec<T>,
    limit: usize,
    rows_total: u64,
    cursor: impl Fn(&T) -> ExportCursor,
) -> ExportPage<T> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(cursor);
    ExportPage {
        rows,
        next,
        rows_total,
    }
}
