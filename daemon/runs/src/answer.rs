//! Answers that are kept, to be given again when the same is asked. They go with the run or the
//! conversation that they came from.

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::error::RunsError;
use crate::run::Tenant;

/// One answer at most, in bytes of its body.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

const KEEP: &str = "keep an answer";
const READ: &str = "read a kept answer";
const FORGET: &str = "forget kept answers";

/// An answer before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// SHA-256 of what was asked, by whom, under which policy.
    pub key: [u8; 32],
    /// The run that was answered.
    pub run_id: Uuid,
    /// Its conversation.
    pub session_id: Option<Uuid>,
    /// JSON; [`ANSWER_BYTES_MAX`] at most, longer ones are not kept.
    pub body: String,
    /// How long it is given again, in milliseconds.
    pub ttl_ms: i64,
    /// What all kept answers may take, in bytes of their bodies.
    pub total_max_bytes: i64,
}

/// The kept answer of this key, where there is one that has not expired.
///
/// # Errors
/// [`RunsError::Store`].
pub fn kept_answer(
    conn: &Connection,
    tenant: Tenant,
    key: &[u8; 32],
    now_ms: i64,
) -> Result<Option<String>, RunsError> {
    Ok(conn
        .prepare_cached(
            "SELECT body FROM kept_answer WHERE tenant_id = ?1 AND key = ?2 AND expires_ms > ?3",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.id(), key, now_ms], |row| row.get(0))
                .optional()
        })
        .map_err(at(conn, READ))?)
}

/// Notes that a kept answer was given again.
///
/// # Errors
/// [`RunsError::Store`].
pub fn use_answer(
    tx: &Tx<'_>,
    tenant: Tenant,
    key: &[u8; 32],
    now_ms: i64,
) -> Result<(), RunsError> {
    tx.prepare_cached(
        "UPDATE kept_answer SET used_ms = MAX(used_ms, ?3), hits = hits + 1 \
         WHERE tenant_id = ?1 AND key = ?2",
    )
    .and_then(|mut statement| statement.execute(params![tenant.id(), key, now_ms]))
    .map_err(at(tx, KEEP))?;
    Ok(())
}

/// How many calls a kept answer was given to, of runs that began in the span (UTC) or of one run;
/// of those whose log is still there.
///
/// # Errors
/// [`RunsError::Store`].
pub fn answers_given_again(
    conn: &Connection,
    tenant: Tenant,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    run_id: Option<Uuid>,
) -> Result<u64, RunsError> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*) FROM run r JOIN event_log e ON e.run_id = r.id \
             WHERE r.tenant_id = ?1 AND r.started_ms >= ?2 AND r.started_ms < ?3 \
               AND (?4 IS NULL OR r.id = ?4) \
               AND e.type = 'usage' AND e.payload ->> '$.cached' = 1",
        )
        .and_then(|mut statement| {
            let (since_ms, until_ms) = (since_ms.unwrap_or(i64::MIN), until_ms.unwrap_or(i64::MAX));
            statement.query_row(params![tenant.id(), since_ms, until_ms, run_id], |row| {
                row.get::<_, i64>(0).map(i64::unsigned_abs)
            })
        })
        .map_err(at(conn, READ))?)
}

/// Keeps an answer in the place of an older one of its key; those that expired, and those that
/// were not used for longest, make room. False where it is too long to be kept.
///
/// # Errors
/// [`RunsError::Store`].
pub fn keep_answer(
    tx: &Tx<'_>,
    tenant: Tenant,
    new: &NewAnswer,
    now_ms: i64,
) -> Result<bool, RunsError> {
    let bytes = i64::try_from(new.body.len()).unwrap_or(i64::MAX);
    if new.body.len() > ANSWER_BYTES_MAX || bytes > new.total_max_bytes {
        return Ok(false);
    }
    tx.prepare_cached(
        "INSERT OR REPLACE INTO kept_answer (tenant_id, key, run_id, session_id, body, bytes, \
         created_ms, expires_ms, used_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            tenant.id(),
            new.key,
            new.run_id,
            new.session_id,
            new.body,
            bytes,
            now_ms,
            now_ms.saturating_add(new.ttl_ms),
        ])
    })
    .map_err(at(tx, KEEP))?;
    tx.prepare_cached("DELETE FROM kept_answer WHERE tenant_id = ?1 AND expires_ms <= ?2")
        .and_then(|mut statement| statement.execute(params![tenant.id(), now_ms]))
        .map_err(at(tx, KEEP))?;
    tx.prepare_cached(
        "DELETE FROM kept_answer WHERE rowid IN (SELECT rowid FROM (SELECT rowid, \
         SUM(bytes) OVER (ORDER BY used_ms DESC, rowid DESC) AS together FROM kept_answer \
         WHERE tenant_id = ?1) WHERE together > ?2)",
    )
    .and_then(|mut statement| statement.execute(params![tenant.id(), new.total_max_bytes]))
    .map_err(at(tx, KEEP))?;
    Ok(true)
}

/// Forgets what a run's answer was.
pub(crate) fn forget_of_run(tx: &Tx<'_>, run_id: Uuid) -> Result<usize, RunsError> {
    Ok(tx
        .prepare_cached("DELETE FROM kept_answer WHERE run_id = ?1")
        .and_then(|mut statement| statement.execute([run_id]))
        .map_err(at(tx, FORGET))?)
}

/// Forgets the answers of a conversation.
pub(crate) fn forget_of_session(tx: &Tx<'_>, session_id: Uuid) -> Result<usize, RunsError> {
    Ok(tx
        .prepare_cached("DELETE FROM kept_answer WHERE session_id = ?1")
        .and_then(|mut statement| statement.execute([session_id]))
        .map_err(at(tx, FORGET))?)
}
