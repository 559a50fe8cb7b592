//! What left this machine: written down in the commit that permits it.

use std::fmt;
use std::str::FromStr;

use convergio_store::{Connection, Tx, at};
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::error::{RunsError, bounded, version_7};
use crate::run::Tenant;

/// Rows of one page at most.
const PAGE_MAX: usize = 500;
/// Rows of one run at most.
const RUN_MAX: i64 = 10_000;

const RECORD: &str = "write down what leaves the machine";
const READ: &str = "read what left the machine";

/// Bytes that are about to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEgress {
    /// UUIDv7; the permit names it.
    pub id: Uuid,
    /// The run that they leave for.
    pub run_id: Option<Uuid>,
    /// The ledger's attempt that they are.
    pub attempt_id: Option<Uuid>,
    /// Scheme, host and port; 1 KiB at most.
    pub destination: String,
    /// How many: the body.
    pub bytes: u64,
    /// What for (`chat`, `review`, …); 64 bytes at most.
    pub purpose: String,
    /// Places that were masked before.
    pub redactions: u32,
    /// The policy that allowed it; 64 bytes at most.
    pub policy: String,
    /// The model that they are for, `provider/model`; 512 bytes at most.
    pub model: Option<String>,
}

/// Bytes that left, or were about to when the daemon died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Its id.
    pub id: Uuid,
    /// The run that they left for; its row may be gone.
    pub run_id: Option<Uuid>,
    /// The ledger's attempt.
    pub attempt_id: Option<Uuid>,
    /// When, UTC.
    pub at_ms: i64,
    /// Scheme, host and port.
    pub destination: String,
    /// How many.
    pub bytes: u64,
    /// What for.
    pub purpose: String,
    /// Places that were masked before.
    pub redactions: u32,
    /// The policy that allowed it.
    pub policy: String,
    /// The model that they were for.
    pub model: Option<String>,
}

const COLUMNS: &str =
    "id, run_id, attempt_id, at_ms, destination, bytes, purpose, redactions, policy, model";

impl Egress {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            run_id: row.get(1)?,
            attempt_id: row.get(2)?,
            at_ms: row.get(3)?,
            destination: row.get(4)?,
            bytes: row.get::<_, i64>(5)?.unsigned_abs(),
            purpose: row.get(6)?,
            redactions: row.get(7)?,
            policy: row.get(8)?,
            model: row.get(9)?,
        })
    }
}

/// Which rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct EgressFilter {
    /// From then on, UTC.
    pub since_ms: Option<i64>,
    /// What left for this run.
    pub run_id: Option<Uuid>,
    /// Behind this one: [`EgressPage::next`] of the page before.
    pub cursor: Option<EgressCursor>,
    /// How many, 500 at most.
    pub limit: usize,
}

/// A place in the list. Its text form is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressCursor {
    at_ms: i64,
    id: Uuid,
}

impl fmt::Display for EgressCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at_ms, self.id.simple())
    }
}

impl FromStr for EgressCursor {
    type Err = RunsError;

    fn from_str(text: &str) -> Result<Self, RunsError> {
        let read = |text: &str| {
            let (at_ms, id) = text.split_once('.')?;
            Some(Self {
                at_ms: at_ms.parse().ok()?,
                id: id.parse().ok()?,
            })
        };
        read(text).ok_or(RunsError::Invalid {
            what: "cursor",
            reason: "not one that was handed out",
        })
    }
}

/// A stretch of the list, the newest first.
#[derive(Debug, Clone, Default)]
pub struct EgressPage {
    /// The newest first.
    pub rows: Vec<Egress>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<EgressCursor>,
}

/// Writes down what is about to leave. It may leave when this is committed.
///
/// # Errors
/// [`RunsError::TooLarge`], [`RunsError::Invalid`], or what the store said: also for an id that was
/// used before.
pub fn record_egress(
    tx: &Tx<'_>,
    tenant: Tenant,
    new: &NewEgress,
    now_ms: i64,
) -> Result<(), RunsError> {
    version_7("egress_id", new.id)?;
    bounded("destination (bytes)", Some(&new.destination), 1024)?;
    bounded("purpose (bytes)", Some(&new.purpose), 64)?;
    bounded("policy (bytes)", Some(&new.policy), 64)?;
    bounded("model (bytes)", new.model.as_deref(), 512)?;
    if new.destination.is_empty() {
        return Err(RunsError::Invalid {
            what: "destination",
            reason: "what leaves goes somewhere",
        });
    }
    tx.prepare_cached(
        "INSERT INTO egress (tenant_id, id, run_id, attempt_id, at_ms, destination, bytes, \
         purpose, redactions, policy, model) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            tenant.0,
            new.id,
            new.run_id,
            new.attempt_id,
            now_ms,
            new.destination,
            i64::try_from(new.bytes).unwrap_or(i64::MAX),
            new.purpose,
            new.redactions,
            new.policy,
            new.model
        ])
    })
    .map_err(at(tx, RECORD))?;
    Ok(())
}

/// What left, the newest first.
///
/// # Errors
/// What the store said.
pub fn list_egress(
    conn: &Connection,
    tenant: Tenant,
    filter: &EgressFilter,
) -> Result<EgressPage, RunsError> {
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let (at_ms, id) = match filter.cursor {
        Some(cursor) => (cursor.at_ms, cursor.id),
        None => (i64::MAX, Uuid::max()),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM egress WHERE tenant_id = ?1 AND (at_ms, id) < (?2, ?3) \
         AND at_ms >= ?4 AND (?6 IS NULL OR run_id = ?6) \
         ORDER BY at_ms DESC, id DESC LIMIT ?5"
    );
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let since_ms = filter.since_ms.unwrap_or(i64::MIN);
    let mut rows: Vec<Egress> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant.0, at_ms, id, since_ms, one_more, filter.run_id],
                    Egress::from_row,
                )?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| EgressCursor {
        at_ms: row.at_ms,
        id: row.id,
    });
    Ok(EgressPage { rows, next })
}

/// How much left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EgressTotals {
    /// Rows.
    pub rows: u64,
    /// Bytes of them all.
    pub bytes: u64,
}

/// How much left: from then on (UTC), for this run, or at all.
///
/// # Errors
/// What the store said.
pub fn egress_totals(
    conn: &Connection,
    tenant: Tenant,
    since_ms: Option<i64>,
    run_id: Option<Uuid>,
) -> Result<EgressTotals, RunsError> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM egress \
             WHERE tenant_id = ?1 AND at_ms >= ?2 AND (?3 IS NULL OR run_id = ?3)",
        )
        .and_then(|mut statement| {
            let since_ms = since_ms.unwrap_or(i64::MIN);
            statement.query_row(params![tenant.0, since_ms, run_id], |row| {
                Ok(EgressTotals {
                    rows: row.get::<_, i64>(0)?.unsigned_abs(),
                    bytes: row.get::<_, i64>(1)?.unsigned_abs(),
                })
            })
        })
        .map_err(at(conn, READ))?)
}

/// How much left, by where it went: from then on (UTC), for this run, or at all; 10,000 places at
/// most, in their order.
///
/// # Errors
/// What the store said.
pub fn egress_by_destination(
    conn: &Connection,
    tenant: Tenant,
    since_ms: Option<i64>,
    run_id: Option<Uuid>,
) -> Result<Vec<(String, EgressTotals)>, RunsError> {
    Ok(conn
        .prepare_cached(
            "SELECT destination, count(*), sum(bytes) FROM egress WHERE tenant_id = ?1 \
                AND (?2 IS NULL OR at_ms >= ?2) AND (?3 IS NULL OR run_id = ?3) \
             GROUP BY destination ORDER BY destination LIMIT ?4",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant.0, since_ms, run_id, RUN_MAX], |row| {
                    let totals = EgressTotals {
                        rows: row.get::<_, i64>(1)?.unsigned_abs(),
                        bytes: row.get::<_, i64>(2)?.unsigned_abs(),
                    };
                    Ok((row.get(0)?, totals))
                })?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// What left for a run, the oldest first; 10,000 rows at most.
///
/// # Errors
/// What the store said; for an unknown run nothing left.
pub fn egress_of_run(
    conn: &Connection,
    tenant: Tenant,
    run_id: Uuid,
) -> Result<Vec<Egress>, RunsError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM egress WHERE tenant_id = ?1 AND run_id = ?2 \
         ORDER BY at_ms, id LIMIT ?3"
    );
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant.0, run_id, RUN_MAX], Egress::from_row)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}
