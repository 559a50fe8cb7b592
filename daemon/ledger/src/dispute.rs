//! Attempts whose bill somebody does not believe, and the evidence for them.

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use crate::clock::Now;
use crate::error::LedgerError;

/// Disputes that are listed at most.
const LIST_MAX: i64 = 1_000;
/// A note at most, in bytes.
const NOTE_BYTES_MAX: usize = 2_000;

const READ: &str = "read disputes";
const WRITE: &str = "write a dispute";

/// A marked attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// Which.
    pub attempt_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// `provider/model`.
    pub model: String,
    /// What it cost by the books, nano-USD.
    pub cost_nano: i64,
    /// Why, in a person's words.
    pub note: Option<String>,
    /// Since when, UTC.
    pub opened_ms: i64,
    /// Until when, UTC; none while it stands.
    pub withdrawn_ms: Option<i64>,
}

const COLUMNS: &str = "d.attempt_id, a.run_id, a.provider || '/' || a.model, \
     coalesce(a.cost_nano, 0), d.note, d.opened_ms, d.withdrawn_ms \
     FROM dispute d JOIN attempt a ON a.tenant_id = d.tenant_id AND a.id = d.attempt_id";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Dispute> {
    Ok(Dispute {
        attempt_id: row.get(0)?,
        run_id: row.get(1)?,
        model: row.get(2)?,
        cost_nano: row.get(3)?,
        note: row.get(4)?,
        opened_ms: row.get(5)?,
        withdrawn_ms: row.get(6)?,
    })
}

/// An attempt's mark, also a withdrawn one.
///
/// # Errors
/// What the store said.
pub fn dispute_of(
    conn: &Connection,
    tenant_id: Uuid,
    attempt_id: Uuid,
) -> Result<Option<Dispute>, LedgerError> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE d.tenant_id = ?1 AND d.attempt_id = ?2"
        ))
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant_id, attempt_id], from_row)
                .optional()
        })
        .map_err(at(conn, READ))?)
}

/// The marked attempts, the latest first; 1,000 at most.
///
/// # Errors
/// What the store said.
pub fn disputes(conn: &Connection, tenant_id: Uuid) -> Result<Vec<Dispute>, LedgerError> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE d.tenant_id = ?1 \
             ORDER BY d.opened_ms DESC, d.attempt_id DESC LIMIT ?2"
        ))
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, LIST_MAX], from_row)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// Marks an ended attempt. Marking it again changes the note only; a withdrawn mark stands again.
///
/// # Errors
/// [`LedgerError::NotFound`], [`LedgerError::Invalid`] for one that has not ended or a long note,
/// or what the store said.
pub fn dispute(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    attempt_id: Uuid,
    note: Option<&str>,
    now: Now,
) -> Result<Dispute, LedgerError> {
    if note.is_some_and(|note| note.len() > NOTE_BYTES_MAX) {
        return Err(LedgerError::Invalid {
            what: "note",
            reason: "more than 2,000 bytes",
        });
    }
    let ended: Option<bool> = tx
        .prepare_cached("SELECT ended_ms IS NOT NULL FROM attempt WHERE tenant_id = ?1 AND id = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant_id, attempt_id], |row| row.get(0))
                .optional()
        })
        .map_err(at(tx, WRITE))?;
    match ended {
        None => {
            return Err(LedgerError::NotFound {
                what: "attempt",
                id: attempt_id,
            });
        }
        Some(false) => {
            return Err(LedgerError::Invalid {
                what: "attempt",
                reason: "it has not ended, so nothing is billed yet",
            });
        }
        Some(true) => {}
    }
    tx.execute(
        "INSERT INTO dispute (tenant_id, attempt_id, note, opened_ms) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (tenant_id, attempt_id) DO UPDATE SET \
            note = coalesce(excluded.note, note), \
            opened_ms = CASE WHEN withdrawn_ms IS NULL THEN opened_ms ELSE excluded.opened_ms END, \
            withdrawn_ms = NULL",
        params![tenant_id, attempt_id, note, now.wall_ms],
    )
    .map_err(at(tx, WRITE))?;
    found(tx, tenant_id, attempt_id)
}

/// Takes a mark back; the row stays. Doing it again changes nothing.
///
/// # Errors
/// [`LedgerError::NotFound`] where there is no mark, or what the store said.
pub fn withdraw_dispute(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    attempt_id: Uuid,
    now: Now,
) -> Result<Dispute, LedgerError> {
    tx.execute(
        "UPDATE dispute SET withdrawn_ms = coalesce(withdrawn_ms, ?3) \
         WHERE tenant_id = ?1 AND attempt_id = ?2",
        params![tenant_id, attempt_id, now.wall_ms],
    )
    .map_err(at(tx, WRITE))?;
    found(tx, tenant_id, attempt_id)
}

fn found(tx: &Tx<'_>, tenant_id: Uuid, attempt_id: Uuid) -> Result<Dispute, LedgerError> {
    dispute_of(tx, tenant_id, attempt_id)?.ok_or(LedgerError::NotFound {
        what: "dispute",
        id: attempt_id,
    })
}
