//! What was used, by day, model, agent, client, folder or run.

use std::collections::{BTreeMap, HashSet};

use convergio_store::{Connection, Tx, at};
use jiff::Timestamp;
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::error::LedgerError;
use crate::text_enum::text_enum;
use crate::window;

/// Rows of one report at most.
const ROWS_MAX: usize = 1_000;
/// Attempts that the median looks back over.
const MEDIAN_ATTEMPTS: i64 = 5_000;
/// Every zone's midnight lies on a quarter of an hour.
const QUARTER_MS: i64 = 15 * 60 * 1_000;

const READ: &str = "read usage";

/// What a report's rows are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// Days of the zone's calendar, the latest first: `2026-11-20`.
    Day,
    /// Models, the dearest first: `provider/model`.
    Model,
    /// Providers, the dearest first.
    Provider,
    /// Agents, the dearest first; empty for none.
    Agent,
    /// Clients, the dearest first; empty for unknown ones.
    Client,
    /// Folders, the dearest first; empty for none.
    Cwd,
    /// Tokens of programs that came in over HTTP, the dearest first; empty for none.
    Token,
    /// Runs, the dearest first.
    Run,
}

text_enum!(GroupBy {
    Day = "day",
    Model = "model",
    Provider = "provider",
    Agent = "agent",
    Client = "client",
    Cwd = "cwd",
    Token = "token",
    Run = "run",
});

/// Which usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// Of attempts from then on, UTC.
    pub since_ms: Option<i64>,
    /// Of attempts before then, UTC.
    pub until_ms: Option<i64>,
    /// Its rows.
    pub by: GroupBy,
    /// Of this run alone.
    pub run_id: Option<Uuid>,
    /// The zone of its days, by IANA name.
    pub zone: String,
    /// Rows at most, and never more than 1,000.
    pub limit: usize,
}

/// Sums over attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// Runs that asked a model.
    pub runs: u64,
    /// Wire requests, and calls of models on this machine.
    pub attempts: u64,
    /// Of them under way.
    pub open: u64,
    /// Of them with a cost that is an estimate.
    pub estimated: u64,
    /// Input tokens of all classes.
    pub input_tokens: u64,
    /// Of them read from a provider's cache.
    pub cached_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// What it cost, nano-USD.
    pub cost_nano: i64,
    /// What is held for those under way, nano-USD.
    pub held_nano: i64,
    /// What invoices corrected, nano-USD, not in the cost; below zero where less was billed. Only
    /// in totals, and where rows are days, models or providers.
    pub adjusted_nano: i64,
}

impl UsageTotals {
    /// All but the runs: the same one may be in both.
    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.open += other.open;
        self.estimated += other.estimated;
        self.input_tokens += other.input_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        self.cost_nano = self.cost_nano.saturating_add(other.cost_nano);
        self.held_nano = self.held_nano.saturating_add(other.held_nano);
        self.adjusted_nano = self.adjusted_nano.saturating_add(other.adjusted_nano);
    }

    fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let count = |offset: usize| row.get::<_, i64>(first + offset).map(i64::unsigned_abs);
        Ok(Self {
            attempts: count(0)?,
            open: count(1)?,
            estimated: count(2)?,
            input_tokens: count(3)?,
            cached_tokens: count(4)?,
            output_tokens: count(5)?,
            cost_nano: row.get(first + 6)?,
            held_nano: row.get(first + 7)?,
            runs: count(8)?,
            adjusted_nano: 0,
        })
    }
}

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// What it is of; see [`GroupBy`].
    pub key: String,
    /// Its sums.
    pub totals: UsageTotals,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// In the order of [`GroupBy`].
    pub rows: Vec<UsageRow>,
    /// Over all, also what is not among the rows.
    pub total: UsageTotals,
    /// Rows beyond the limit.
    pub rows_more: u64,
}

const SUMS: &str = "count(*), \
     coalesce(sum(ended_ms IS NULL), 0), \
     coalesce(sum(usage_source IN ('estimate', 'estimate_ceiling')), 0), \
     coalesce(sum(coalesce(usage_json ->> '$.in_uncached', 0) \
        + coalesce(usage_json ->> '$.in_cache_read', 0) \
        + coalesce(usage_json ->> '$.in_cache_write_5m', 0) \
        + coalesce(usage_json ->> '$.in_cache_write_1h', 0)), 0), \
     coalesce(sum(usage_json ->> '$.in_cache_read'), 0), \
     coalesce(sum(coalesce(usage_json ->> '$.out_text', 0) \
        + coalesce(usage_json ->> '$.out_reasoning', 0)), 0), \
     coalesce(sum(cost_nano), 0), \
     coalesce(sum(CASE WHEN ended_ms IS NULL THEN est_nano END), 0), \
     count(DISTINCT run_id)";

const SPAN: &str = "tenant_id = ?1 AND started_ms >= ?2 AND started_ms < ?3 \
     AND (?4 IS NULL OR run_id = ?4)";

/// Which attempts.
#[derive(Clone, Copy)]
struct Span {
    since_ms: i64,
    until_ms: i64,
    run_id: Option<Uuid>,
}

/// What was used.
///
/// # Errors
/// [`LedgerError::TimeZone`] for a zone that is unknown here, or what the store said.
pub fn usage(
    conn: &Connection,
    tenant_id: Uuid,
    query: &UsageQuery,
) -> Result<UsageReport, LedgerError> {
    let span = Span {
        since_ms: query.since_ms.unwrap_or(i64::MIN),
        until_ms: query.until_ms.unwrap_or(i64::MAX),
        run_id: query.run_id,
    };
    let limit = query.limit.clamp(1, ROWS_MAX);
    let mut total = conn
        .prepare_cached(&format!("SELECT {SUMS} FROM attempt WHERE {SPAN}"))
        .and_then(|mut statement| {
            statement.query_row(
                params![tenant_id, span.since_ms, span.until_ms, span.run_id],
                |row| UsageTotals::from_row(row, 0),
            )
        })
        .map_err(at(conn, READ))?;
    let (mut rows, all) = match query.by {
        GroupBy::Day => {
            let rows = days(conn, tenant_id, span, &query.zone)?;
            let all = rows.len() as u64;
            (rows, all)
        }
        by => groups(conn, tenant_id, span, by, limit)?,
    };
    // An invoice knows no run.
    if query.run_id.is_none() {
        for (keys, nano) in adjustments(conn, tenant_id, span)? {
            total.adjusted_nano = total.adjusted_nano.saturating_add(nano);
            let key = match query.by {
                GroupBy::Day => keys.day,
                GroupBy::Model => keys.model,
                GroupBy::Provider => keys.provider,
                _ => continue,
            };
            if let Some(row) = rows.iter_mut().find(|row| row.key == key) {
                row.totals.adjusted_nano = row.totals.adjusted_nano.saturating_add(nano);
            }
        }
    }
    rows.truncate(limit);
    Ok(UsageReport {
        rows_more: all.saturating_sub(rows.len() as u64),
        rows,
        total,
    })
}

/// What an invoice names.
struct Corrected {
    day: String,
    provider: String,
    /// `provider/model`.
    model: String,
}

/// What invoices corrected, of days that begin in the span.
fn adjustments(
    conn: &Connection,
    tenant_id: Uuid,
    span: Span,
) -> Result<Vec<(Corrected, i64)>, LedgerError> {
    Ok(conn
        .prepare_cached(
            "SELECT day, provider, model, sum(signed_nano) FROM adjustment \
             WHERE tenant_id = ?1 AND unixepoch(day) + 86399 >= ?2 / 1000 \
               AND unixepoch(day) < ?3 / 1000 \
             GROUP BY day, provider, model",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, span.since_ms, span.until_ms], |row| {
                    let (provider, model): (String, String) = (row.get(1)?, row.get(2)?);
                    let corrected = Corrected {
                        day: row.get(0)?,
                        model: format!("{provider}/{model}"),
                        provider,
                    };
                    Ok((corrected, row.get(3)?))
                })?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

fn groups(
    conn: &Connection,
    tenant_id: Uuid,
    span: Span,
    by: GroupBy,
    limit: usize,
) -> Result<(Vec<UsageRow>, u64), LedgerError> {
    let key = match by {
        GroupBy::Model => "provider || '/' || model",
        GroupBy::Provider => "provider",
        GroupBy::Agent => "coalesce(agent, '')",
        GroupBy::Client => "coalesce(client, '')",
        GroupBy::Cwd => "coalesce(root, '')",
        GroupBy::Token => "coalesce(token, '')",
        GroupBy::Run | GroupBy::Day => "lower(hex(run_id))",
    };
    let sql = format!(
        "SELECT {key} AS key, {SUMS}, count(*) OVER () FROM attempt WHERE {SPAN} \
         GROUP BY key ORDER BY coalesce(sum(cost_nano), 0) DESC, count(*) DESC, key LIMIT ?5"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut all = 0;
    let mut rows: Vec<UsageRow> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant_id, span.since_ms, span.until_ms, span.run_id, limit],
                    |row| {
                        all = row.get::<_, i64>(10)?.unsigned_abs();
                        Ok(UsageRow {
                            key: row.get(0)?,
                            totals: UsageTotals::from_row(row, 1)?,
                        })
                    },
                )?
                .collect()
        })
        .map_err(at(conn, READ))?;
    if by == GroupBy::Run {
        for row in &mut rows {
            if let Ok(id) = Uuid::try_parse(&row.key) {
                row.key = id.to_string();
            }
        }
    }
    Ok((rows, all))
}

fn days(
    conn: &Connection,
    tenant_id: Uuid,
    span: Span,
    zone: &str,
) -> Result<Vec<UsageRow>, LedgerError> {
    let zone = window::zone(zone)?;
    let sql = format!(
        "SELECT started_ms / {QUARTER_MS} AS quarter, {SUMS} FROM attempt WHERE {SPAN} \
         GROUP BY quarter"
    );
    let quarters: Vec<(i64, UsageTotals)> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant_id, span.since_ms, span.until_ms, span.run_id],
                    |row| Ok((row.get(0)?, UsageTotals::from_row(row, 1)?)),
                )?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let day_of = |quarter: i64| {
        let begin = Timestamp::from_millisecond(quarter.saturating_mul(QUARTER_MS));
        let begin = begin.map_err(|error| LedgerError::Damaged {
            detail: format!("an attempt's time: {error}"),
        })?;
        Ok::<_, LedgerError>(begin.to_zoned(zone.clone()).date().to_string())
    };
    let mut days: BTreeMap<String, UsageTotals> = BTreeMap::new();
    for (quarter, totals) in quarters {
        days.entry(day_of(quarter)?).or_default().add(totals);
    }
    for (day, runs) in runs_by_day(conn, tenant_id, span, &day_of)? {
        days.entry(day).or_default().runs = runs;
    }
    Ok(days
        .into_iter()
        .rev()
        .map(|(key, totals)| UsageRow { key, totals })
        .collect())
}

/// How many runs asked a model, by day. A run that goes on over midnight is one of both days.
fn runs_by_day(
    conn: &Connection,
    tenant_id: Uuid,
    span: Span,
    day_of: &impl Fn(i64) -> Result<String, LedgerError>,
) -> Result<Vec<(String, u64)>, LedgerError> {
    let sql = format!(
        "SELECT started_ms / {QUARTER_MS} AS quarter, run_id FROM attempt WHERE {SPAN} \
         GROUP BY quarter, run_id ORDER BY quarter"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(at(conn, READ))?;
    let mut found = statement
        .query(params![
            tenant_id,
            span.since_ms,
            span.until_ms,
            span.run_id
        ])
        .map_err(at(conn, READ))?;
    let mut days = Vec::new();
    // Only one day's runs are held at a time.
    let mut runs: HashSet<Uuid> = HashSet::new();
    let mut current: Option<String> = None;
    while let Some(row) = found.next().map_err(at(conn, READ))? {
        let quarter = row.get(0).map_err(at(conn, READ))?;
        let run: Uuid = row.get(1).map_err(at(conn, READ))?;
        let day = day_of(quarter)?;
        if current.as_ref() != Some(&day) {
            let before = current.replace(day);
            days.extend(before.map(|before| (before, runs.len() as u64)));
            runs.clear();
        }
        runs.insert(run);
    }
    days.extend(current.map(|last| (last, runs.len() as u64)));
    Ok(days)
}

/// A run's sums.
///
/// # Errors
/// What the store said; an unknown run has none.
pub fn cost_of_run(
    conn: &Connection,
    tenant_id: Uuid,
    run_id: Uuid,
) -> Result<UsageTotals, LedgerError> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {SUMS} FROM attempt WHERE tenant_id = ?1 AND run_id = ?2"
        ))
        .and_then(|mut statement| {
            statement.query_row(params![tenant_id, run_id], |row| {
                UsageTotals::from_row(row, 0)
            })
        })
        .map_err(at(conn, READ))?)
}

/// What half of the last `runs` runs that asked a cloud model cost at most, nano-USD; `None`
/// before the first.
///
/// # Errors
/// What the store said.
pub fn median_run_cost(
    conn: &Connection,
    tenant_id: Uuid,
    runs: usize,
) -> Result<Option<i64>, LedgerError> {
    let limit = i64::try_from(runs).unwrap_or(i64::MAX);
    let mut costs: Vec<i64> = conn
        .prepare_cached(
            "SELECT sum(cost_nano) FROM (SELECT run_id, cost_nano, started_ms FROM attempt \
             WHERE tenant_id = ?1 AND local = 0 AND cost_nano IS NOT NULL \
             ORDER BY started_ms DESC LIMIT ?3) \
             GROUP BY run_id ORDER BY max(started_ms) DESC LIMIT ?2",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, limit, MEDIAN_ATTEMPTS], |row| row.get(0))?
                .collect()
        })
        .map_err(at(conn, READ))?;
    costs.sort_unstable();
    Ok(costs.get(costs.len().saturating_sub(1) / 2).copied())
}

/// Forgets what a deleted run's attempts say of a person: folder and client. The money stays.
///
/// # Errors
/// What the store said.
pub fn forget_details(tx: &Tx<'_>, tenant_id: Uuid, run_id: Uuid) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE attempt SET root = NULL, client = NULL, session_id = NULL \
         WHERE tenant_id = ?1 AND run_id = ?2",
        params![tenant_id, run_id],
    )
    .map_err(at(tx, "forget a run's details"))?;
    Ok(())
}
