//! Findings that a person silenced, by folder.

use convergio_store::{Tx, at};
use rusqlite::{Connection, params};

use crate::error::{RunsError, bounded};
use crate::run::Tenant;

/// Silences of one folder at most.
pub const SILENCES_MAX: usize = 10_000;

/// A silence before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    /// The git top level (or folder); 4 KiB at most.
    pub root: String,
    /// The finding's fingerprint; 128 bytes at most.
    pub fingerprint: String,
    /// The rule that found it; 128 bytes at most.
    pub rule: String,
    /// Why it is fine; 1 KiB at most.
    pub reason: String,
}

/// A silenced finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The finding's fingerprint.
    pub fingerprint: String,
    /// The rule that found it.
    pub rule: String,
    /// Why it is fine.
    pub reason: String,
    /// Since when, UTC.
    pub created_ms: i64,
}

/// Silences a finding; a second time only changes the rule and the reason. `true` if it was new.
///
/// # Errors
/// [`RunsError::TooLarge`] for a long text or above [`SILENCES_MAX`].
pub fn add(tx: &Tx<'_>, tenant: Tenant, new: &NewSilence, now_ms: i64) -> Result<bool, RunsError> {
    const ADD: &str = "silence a finding";
    bounded("root (bytes)", Some(&new.root), 4096)?;
    bounded("fingerprint (bytes)", Some(&new.fingerprint), 128)?;
    bounded("rule (bytes)", Some(&new.rule), 128)?;
    bounded("reason (bytes)", Some(&new.reason), 1024)?;
    let count = || {
        tx.query_row(
            "SELECT count(*) FROM review_silence WHERE tenant_id = ?1 AND root = ?2",
            params![tenant.0, new.root],
            |row| row.get::<_, i64>(0),
        )
        .map_err(at(tx, ADD))
    };
    let before = count()?;
    tx.execute(
        "INSERT INTO review_silence (tenant_id, root, fingerprint, rule, reason, created_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT DO UPDATE SET rule = excluded.rule, reason = excluded.reason",
        params![
            tenant.0,
            new.root,
            new.fingerprint,
            new.rule,
            new.reason,
            now_ms
        ],
    )
    .map_err(at(tx, ADD))?;
    let after = count()?;
    // The error undoes the row.
    if after > before && after as usize > SILENCES_MAX {
        return Err(RunsError::TooLarge {
            what: "the folder's list of silences",
            size: after as usize,
            limit: SILENCES_MAX,
        });
    }
    Ok(after > before)
}

/// What is silenced in a folder, the oldest first; never more than [`SILENCES_MAX`].
///
/// # Errors
/// What the store said.
pub fn list(conn: &Connection, tenant: Tenant, root: &str) -> Result<Vec<Silence>, RunsError> {
    Ok(conn
        .prepare_cached(
            "SELECT fingerprint, rule, reason, created_ms FROM review_silence \
             WHERE tenant_id = ?1 AND root = ?2 ORDER BY created_ms, fingerprint",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant.0, root], |row| {
                    Ok(Silence {
                        fingerprint: row.get(0)?,
                        rule: row.get(1)?,
                        reason: row.get(2)?,
                        created_ms: row.get(3)?,
                    })
                })?
                .collect()
        })
        .map_err(at(conn, "list silences"))?)
}

/// Ends a silence. `false` if there was none.
///
/// # Errors
/// What the store said.
pub fn remove(
    tx: &Tx<'_>,
    tenant: Tenant,
    root: &str,
    fingerprint: &str,
) -> Result<bool, RunsError> {
    Ok(tx
        .execute(
            "DELETE FROM review_silence WHERE tenant_id = ?1 AND root = ?2 AND fingerprint = ?3",
            params![tenant.0, root, fingerprint],
        )
        .map_err(at(tx, "end a silence"))?
        > 0)
}
