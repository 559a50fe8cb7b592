//! One wire request and its row.

use convergio_models_api::{Resource, Usage};
use convergio_store::{Connection, at};
use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::LedgerError;
use crate::price::PriceVersion;
use crate::text_enum::text_enum;

/// The most tokens of input that a call is admitted with.
pub(crate) const QUANTITY_MAX: u64 = 1_000_000_000_000;

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// Held, not sent.
    Reserved,
    /// It may have been sent.
    Dispatched,
    /// It ended, and its cost is known or estimated.
    Settled,
    /// Nothing was billed.
    Voided,
    /// The daemon didn't live to see its end; its full hold was posted.
    Unknown,
}

text_enum!(AttemptState {
    Reserved = "reserved",
    Dispatched = "dispatched",
    Settled = "settled",
    Voided = "voided",
    Unknown = "unknown",
});

/// Where the figures of an attempt come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The provider, or our own tokenizer for a model on this machine.
    Reported,
    /// The dearer of what the provider said and what was counted here.
    Estimate,
    /// The most that it could have been: what was held.
    EstimateCeiling,
    /// Nothing was used, or nothing is known of a call that costs nothing.
    Nothing,
}

text_enum!(UsageSource {
    Reported = "reported",
    Estimate = "estimate",
    EstimateCeiling = "estimate_ceiling",
    Nothing = "nothing",
});

/// What ending an attempt needs to know of it.
pub(crate) struct Attempt {
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) local: bool,
    pub(crate) state: AttemptState,
    pub(crate) prices: Option<PriceVersion>,
    pub(crate) input_ceiling: u64,
    pub(crate) max_output: u64,
    pub(crate) hold_nano: i64,
}

impl Attempt {
    pub(crate) const COLUMNS: &str = "id, tenant_id, run_id, provider, model, local, state, \
         price_version_id, input_ceiling, max_output, est_nano";

    pub(crate) fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            tenant_id: row.get(1)?,
            run_id: row.get(2)?,
            provider: row.get(3)?,
            model: row.get(4)?,
            local: row.get(5)?,
            state: row.get(6)?,
            prices: row.get::<_, Option<Uuid>>(7)?.map(PriceVersion),
            input_ceiling: row.get::<_, i64>(8)?.unsigned_abs(),
            max_output: row.get::<_, i64>(9)?.unsigned_abs(),
            hold_nano: row.get(10)?,
        })
    }
}

/// An attempt that has not ended.
pub(crate) fn open(conn: &Connection, attempt_id: Uuid) -> Result<Attempt, LedgerError> {
    let sql = format!("SELECT {} FROM attempt WHERE id = ?1", Attempt::COLUMNS);
    let attempt = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row([attempt_id], Attempt::from_row)
                .optional()
        })
        .map_err(at(conn, "read an attempt"))?
        .ok_or(LedgerError::NotFound {
            what: "attempt",
            id: attempt_id,
        })?;
    match attempt.state {
        AttemptState::Reserved | AttemptState::Dispatched => Ok(attempt),
        state => Err(LedgerError::AlreadyEnded { attempt_id, state }),
    }
}

/// How an attempt's row ends.
pub(crate) struct End<'a> {
    pub(crate) state: AttemptState,
    pub(crate) source: UsageSource,
    pub(crate) cost_nano: i64,
    pub(crate) usage: &'a Usage,
    pub(crate) lines: &'a [(Resource, i64)],
    pub(crate) provider_req_id: Option<&'a str>,
    pub(crate) answered_by: Option<&'a str>,
    pub(crate) stop: Option<&'a str>,
}

pub(crate) fn end(
    conn: &Connection,
    attempt_id: Uuid,
    end: &End<'_>,
    now_ms: i64,
) -> Result<(), LedgerError> {
    let object = |pairs: Vec<(Resource, Value)>| {
        let map: Map<String, Value> = pairs
            .into_iter()
            .map(|(resource, value)| (resource.as_str().to_owned(), value))
            .collect();
        (!map.is_empty()).then(|| Value::Object(map).to_string())
    };
    let quantities = end.usage.reported().map(|(r, n)| (r, n.into())).collect();
    let lines = end.lines.iter().map(|&(r, n)| (r, n.into())).collect();
    conn.prepare_cached(
        "UPDATE attempt SET state = ?2, usage_source = ?3, cost_nano = ?4, usage_json = ?5, \
         lines_json = ?6, inconsistent = ?7, provider_req_id = ?8, answered_by = ?9, stop = ?10, \
         ended_ms = ?11 WHERE id = ?1",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            attempt_id,
            end.state,
            end.source,
            end.cost_nano,
            object(quantities),
            object(lines),
            end.usage.inconsistent,
            end.provider_req_id,
            end.answered_by,
            end.stop,
            now_ms
        ])
    })
    .map_err(at(conn, "end an attempt"))?;
    Ok(())
}
