//! How long an attempt says whose it was.

use convergio_store::{Connection, Tx, at};
use rusqlite::params;
use uuid::Uuid;

use crate::error::LedgerError;

/// How long an attempt keeps its details, after it was admitted: 13 months.
pub const DETAIL_MS: i64 = 395 * 24 * 60 * 60 * 1_000;

/// Attempts of one slice at most.
const SLICE_MAX: usize = 500;

const READ: &str = "look for details that have expired";

/// What a person can be known by, or what a provider could be asked with. The model, the
/// quantities, the prices, the money and what limits count by (agent, plugin, token) stay: the
/// books are verified with them.
const HAS_DETAIL: &str = "(client IS NOT NULL OR root IS NOT NULL OR session_id IS NOT NULL \
     OR provider_req_id IS NOT NULL)";

/// Attempts that were admitted more than [`DETAIL_MS`] before `now_ms` and still say whose they
/// were, the oldest first; `limit` of them, 500 at most. Not those that have not ended, nor those
/// that are disputed: their evidence is needed. Reads every attempt of that age, so read it where
/// nobody waits for it.
///
/// # Errors
/// What the store said.
pub fn expired_details(
    conn: &Connection,
    tenant_id: Uuid,
    now_ms: i64,
    limit: usize,
) -> Result<Vec<Uuid>, LedgerError> {
    let limit = i64::try_from(limit.min(SLICE_MAX)).unwrap_or(0);
    Ok(conn
        .prepare_cached(&format!(
            "SELECT a.id FROM attempt a WHERE a.tenant_id = ?1 AND a.started_ms <= ?2 \
               AND a.ended_ms IS NOT NULL AND {HAS_DETAIL} \
               AND NOT EXISTS (SELECT 1 FROM dispute d WHERE d.tenant_id = a.tenant_id \
                 AND d.attempt_id = a.id AND d.withdrawn_ms IS NULL) \
             ORDER BY a.started_ms, a.id LIMIT ?3"
        ))
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant_id, now_ms.saturating_sub(DETAIL_MS), limit],
                    |row| row.get(0),
                )?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// Forgets of these attempts which client, folder and conversation they were of, and the
/// provider's name for the call. No transfer is touched. Answers how many there were.
///
/// # Errors
/// What the store said.
pub fn forget_expired(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    attempts: &[Uuid],
) -> Result<usize, LedgerError> {
    let mut statement = tx
        .prepare_cached(
            "UPDATE attempt SET client = NULL, root = NULL, session_id = NULL, \
             provider_req_id = NULL WHERE tenant_id = ?1 AND id = ?2 AND ended_ms IS NOT NULL",
        )
        .map_err(at(tx, "forget details that have expired"))?;
    let mut forgotten = 0;
    for id in attempts {
        forgotten += statement
            .execute(params![tenant_id, id])
            .map_err(at(tx, "forget details that have expired"))?;
    }
    Ok(forgotten)
}
