//! The attempts of a run, one by one.

use convergio_models_api::{Resource, Usage};
use convergio_store::{Connection, at};
use rusqlite::{Row, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::attempt::{AttemptState, UsageSource};
use crate::error::LedgerError;

/// Attempts of one run that are listed at most.
const ATTEMPTS_MAX: i64 = 10_000;

const READ: &str = "read a run's attempts";

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptDetail {
    /// Its id.
    pub attempt_id: Uuid,
    /// Its number within the run, from 1.
    pub n: u32,
    /// The provider's configured name.
    pub provider: String,
    /// The model that was asked.
    pub model: String,
    /// The model that answered, where it said so.
    pub answered_by: Option<String>,
    /// The model runs on this machine.
    pub local: bool,
    /// Where it stands.
    pub state: AttemptState,
    /// Why it stopped.
    pub stop: Option<String>,
    /// The provider's name for the call.
    pub provider_req_id: Option<String>,
    /// What was held, nano-USD.
    pub hold_nano: i64,
    /// What it cost, nano-USD; none while it is under way.
    pub cost_nano: Option<i64>,
    /// Where the figures come from.
    pub source: Option<UsageSource>,
    /// What was used.
    pub usage: Usage,
    /// What that cost, nano-USD by resource.
    pub lines: Vec<(Resource, i64)>,
    /// When it was admitted, UTC.
    pub started_ms: i64,
    /// When it ended, UTC.
    pub ended_ms: Option<i64>,
}

/// A run's attempts, in their order; 10,000 at most.
///
/// # Errors
/// What the store said; an unknown run has none.
pub fn attempts_of_run(
    conn: &Connection,
    tenant_id: Uuid,
    run_id: Uuid,
) -> Result<Vec<AttemptDetail>, LedgerError> {
    Ok(conn
        .prepare_cached(
            "SELECT id, n, provider, model, answered_by, local, state, stop, provider_req_id, \
             est_nano, cost_nano, usage_source, usage_json, lines_json, inconsistent, started_ms, \
             ended_ms FROM attempt WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY n LIMIT ?3",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, run_id, ATTEMPTS_MAX], detail)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

fn detail(row: &Row<'_>) -> rusqlite::Result<AttemptDetail> {
    let object = |column: usize| -> rusqlite::Result<Map<String, Value>> {
        let text: Option<String> = row.get(column)?;
        let Some(text) = text else {
            return Ok(Map::new());
        };
        serde_json::from_str(&text).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                rusqlite::types::Type::Text,
                error.into(),
            )
        })
    };
    let mut usage = Usage::default();
    usage.inconsistent = row.get(14)?;
    for (name, quantity) in object(12)? {
        if let Some(resource) = Resource::from_name(&name) {
            usage.set(resource, quantity.as_u64());
        }
    }
    let lines = object(13)?
        .into_iter()
        .filter_map(|(name, nano)| Some((Resource::from_name(&name)?, nano.as_i64()?)))
        .collect();
    Ok(AttemptDetail {
        attempt_id: row.get(0)?,
        n: row.get(1)?,
        provider: row.get(2)?,
        model: row.get(3)?,
        answered_by: row.get(4)?,
        local: row.get(5)?,
        state: row.get(6)?,
        stop: row.get(7)?,
        provider_req_id: row.get(8)?,
        hold_nano: row.get(9)?,
        cost_nano: row.get(10)?,
        source: row.get(11)?,
        usage,
        lines,
        started_ms: row.get(15)?,
        ended_ms: row.get(16)?,
    })
}
