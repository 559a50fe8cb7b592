//! After a crash: what was running isn't any more.

use convergio_store::{Tx, at};
use rusqlite::params;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::error::RunsError;
use crate::event::EventType;
use crate::log::{self, Ending};
use crate::retention::Retention;
use crate::run::{RunKind, Tenant};

/// The outcome of a run that the daemon didn't live to end.
const INTERRUPTED: &str = "interrupted";

/// Ends at most `limit` runs that a former daemon left running as `failed: interrupted`, with
/// the terminal event that `payload` gives for each. Answers which; call again while any come back.
///
/// # Errors
/// What the store said.
pub fn recover(
    tx: &Tx<'_>,
    tenant: Tenant,
    payload: &dyn Fn(Uuid, RunKind) -> Box<RawValue>,
    now_ms: i64,
    retention: &Retention,
    limit: usize,
) -> Result<Vec<Uuid>, RunsError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let left: Vec<(Uuid, RunKind)> = tx
        .prepare_cached(
            "SELECT id, kind FROM run WHERE tenant_id = ?1 AND state = 'running' ORDER BY id LIMIT ?2",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant.0, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(at(tx, "find interrupted runs"))?;
    for (run_id, kind) in &left {
        let ending = Ending {
            event_type: EventType::Failed,
            outcome: INTERRUPTED.into(),
            payload: payload(*run_id, *kind),
        };
        log::finish(tx, *run_id, &ending, now_ms, retention)?;
    }
    Ok(left.into_iter().map(|(run_id, _)| run_id).collect())
}
