//! Why a run cost what it cost: what was held, which prices held, how each line came about.

use convergio_models_api::{Resource, Usage};
use convergio_store::{Connection, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::attempt::UsageSource;
use crate::budget::BudgetName;
use crate::dispute::{Dispute, dispute_of};
use crate::error::LedgerError;
use crate::export::{self, AttemptRow, TransferRow, transfers_of_attempt};
use crate::price::{self, PriceVersion};
use crate::rates::{ExplainedLine, Step};

/// Attempts of one run that are explained at most.
const ATTEMPTS_MAX: i64 = 500;
/// Runs that one short id may mean, to tell that it means several.
const NAMED_MAX: i64 = 3;
/// Fewer digits of an id are a slip rather than a name.
const DIGITS_MIN: usize = 4;

const READ: &str = "explain a run's cost";

/// The price table that an attempt was admitted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Its id.
    pub version_id: Uuid,
    /// Where it comes from.
    pub source: String,
    /// What it is known by.
    pub sha256: [u8; 32],
    /// Since when it holds, UTC.
    pub effective_from_ms: i64,
    /// When it was first used here, UTC.
    pub created_ms: i64,
}

/// What was held, before the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Input tokens at most.
    pub input_ceiling: u64,
    /// Output tokens at most.
    pub max_output: u32,
    /// Both at their dearest rates, rounded up; none where there is no price.
    pub steps: [Option<Step>; 2],
    /// The sum, nano-USD.
    pub amount_nano: i64,
}

/// A budget's window that the hold counted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Which budget.
    pub name: BudgetName,
    /// What its limit is now, nano-USD.
    pub limit_nano: i64,
    /// The window's beginning, UTC; none for a run's or a session's.
    pub starts_at_ms: Option<i64>,
    /// The window's end, UTC; none for a run's or a session's.
    pub ends_at_ms: Option<i64>,
}

/// One attempt, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyAttempt {
    /// Its row.
    pub row: AttemptRow,
    /// What was held; none for a model on this machine.
    pub hold: Option<Hold>,
    /// Where that counted.
    pub budgets: Vec<Counted>,
    /// The prices; none for a model on this machine.
    pub prices: Option<Pinned>,
    /// What was used, estimates included.
    pub usage: Usage,
    /// What that cost by these prices. Empty where nothing was billed, and where the whole hold
    /// was taken because nobody knows what was used.
    pub lines: Vec<ExplainedLine>,
    /// What was beyond the hold, nano-USD.
    pub overage_nano: i64,
    /// Its transfers.
    pub transfers: Vec<TransferRow>,
    /// Its mark, also a withdrawn one.
    pub dispute: Option<Dispute>,
}

/// The runs that an id, or the first or last digits of a run's or an attempt's id, may mean; three
/// at most, the latest first. Without digits, the latest run that asked a model.
///
/// # Errors
/// [`LedgerError::Invalid`] for what are no digits of an id, or what the store said.
pub fn named_run(
    conn: &Connection,
    tenant_id: Uuid,
    text: Option<&str>,
) -> Result<Vec<Uuid>, LedgerError> {
    let digits = text.map(|text| text.trim().replace('-', "").to_ascii_lowercase());
    if let Some(digits) = &digits {
        if let Ok(run_id) = Uuid::try_parse(digits) {
            return whole_id(conn, tenant_id, run_id);
        }
        if digits.len() < DIGITS_MIN || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(LedgerError::Invalid {
                what: "run",
                reason: "an id, or 4 or more of its first or last digits",
            });
        }
    }
    let limit = if digits.is_some() { NAMED_MAX } else { 1 };
    Ok(conn
        .prepare_cached(
            "SELECT run_id FROM attempt WHERE tenant_id = ?1 AND (?2 IS NULL \
                OR hex(run_id) LIKE ?2 || '%' OR hex(run_id) LIKE '%' || ?2 \
                OR hex(id) LIKE ?2 || '%' OR hex(id) LIKE '%' || ?2) \
             GROUP BY run_id ORDER BY max(started_ms) DESC LIMIT ?3",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, digits, limit], |row| row.get(0))?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// A whole id is a run's, or an attempt's whose run is meant.
fn whole_id(conn: &Connection, tenant_id: Uuid, id: Uuid) -> Result<Vec<Uuid>, LedgerError> {
    let of_attempt: Option<Uuid> = conn
        .prepare_cached("SELECT run_id FROM attempt WHERE tenant_id = ?1 AND id = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant_id, id], |row| row.get(0))
                .optional()
        })
        .map_err(at(conn, READ))?;
    Ok(vec![of_attempt.unwrap_or(id)])
}

/// Explains a run's attempts, in their order; 500 at most.
///
/// # Errors
/// [`LedgerError::Damaged`] where a table of prices that was used is gone, or what the store said.
/// An unknown run has no attempts.
pub fn why(
    conn: &Connection,
    tenant_id: Uuid,
    run_id: Uuid,
) -> Result<Vec<WhyAttempt>, LedgerError> {
    let sql = format!(
        "SELECT {}, input_ceiling, max_output FROM attempt \
         WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY n LIMIT ?3",
        export::ATTEMPT
    );
    let rows: Vec<(AttemptRow, u64, u32)> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, run_id, ATTEMPTS_MAX], |row| {
                    let ceiling: i64 = row.get(25)?;
                    Ok((export::attempt(row)?, ceiling.unsigned_abs(), row.get(26)?))
                })?
                .collect()
        })
        .map_err(at(conn, READ))?;
    rows.into_iter()
        .map(|(row, ceiling, max_output)| one(conn, tenant_id, row, ceiling, max_output))
        .collect()
}

fn one(
    conn: &Connection,
    tenant_id: Uuid,
    row: AttemptRow,
    input_ceiling: u64,
    max_output: u32,
) -> Result<WhyAttempt, LedgerError> {
    let usage = usage_of(&row)?;
    let rates = match row.price_version_id {
        Some(version) => price::rates(conn, PriceVersion(version), &row.provider, &row.model)?,
        None => None,
    };
    let billed = row
        .source
        .is_some_and(|source| source != UsageSource::EstimateCeiling);
    let lines = match &rates {
        Some(rates) if billed && !row.local => rates.explain(&usage)?,
        _ => Vec::new(),
    };
    let transfers = transfers_of_attempt(conn, tenant_id, row.attempt_id)?;
    let overage_nano = transfers
        .iter()
        .filter(|transfer| transfer.kind == "overage")
        .map(|transfer| transfer.amount)
        .sum();
    let hold = (!row.local).then(|| Hold {
        input_ceiling,
        max_output,
        steps: rates
            .as_ref()
            .map(|rates| rates.hold_steps(input_ceiling, max_output))
            .unwrap_or_default(),
        amount_nano: row.hold_nano,
    });
    Ok(WhyAttempt {
        hold,
        budgets: counted(conn, row.attempt_id)?,
        prices: pinned(conn, tenant_id, &row)?,
        usage,
        lines,
        overage_nano,
        transfers,
        dispute: dispute_of(conn, tenant_id, row.attempt_id)?,
        row,
    })
}

fn usage_of(row: &AttemptRow) -> Result<Usage, LedgerError> {
    let mut usage = Usage::default();
    usage.inconsistent = row.inconsistent;
    let Some(json) = &row.usage_json else {
        return Ok(usage);
    };
    let quantities: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json)
        .map_err(|error| LedgerError::Damaged {
            detail: format!("the usage of attempt {}: {error}", row.attempt_id),
        })?;
    for (name, quantity) in quantities {
        if let Some(resource) = Resource::from_name(&name) {
            usage.set(resource, quantity.as_u64());
        }
    }
    Ok(usage)
}

fn pinned(
    conn: &Connection,
    tenant_id: Uuid,
    row: &AttemptRow,
) -> Result<Option<Pinned>, LedgerError> {
    let Some(version_id) = row.price_version_id else {
        return Ok(None);
    };
    let found = conn
        .prepare_cached(
            "SELECT source, sha256, effective_from_ms, created_ms FROM price_version \
             WHERE tenant_id = ?1 AND id = ?2",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant_id, version_id], |found| {
                    Ok(Pinned {
                        version_id,
                        source: found.get(0)?,
                        sha256: found.get(1)?,
                        effective_from_ms: found.get(2)?,
                        created_ms: found.get(3)?,
                    })
                })
                .optional()
        })
        .map_err(at(conn, READ))?;
    found.map(Some).ok_or_else(|| LedgerError::Damaged {
        detail: format!("attempt {} lost its prices", row.attempt_id),
    })
}

fn counted(conn: &Connection, attempt_id: Uuid) -> Result<Vec<Counted>, LedgerError> {
    Ok(conn
        .prepare_cached(
            "SELECT b.id, b.scope, b.scope_key, b.window, b.limit_amount, w.start_ms, w.end_ms, \
                w.bucket \
             FROM transfer t JOIN transfer_window w ON w.transfer_id = t.id \
                JOIN budget b ON b.id = w.budget_id \
             WHERE t.attempt_id = ?1 AND t.kind = 'pending' ORDER BY b.window, b.scope, b.scope_key",
        )
        .and_then(|mut statement| {
            statement
                .query_map([attempt_id], |row| {
                    let of_calendar = row.get::<_, String>(7)?.is_empty();
                    let at = |column| -> rusqlite::Result<Option<i64>> {
                        row.get(column).map(|at| Some(at).filter(|_| of_calendar))
                    };
                    Ok(Counted {
                        name: BudgetName {
                            id: row.get(0)?,
                            scope: row.get(1)?,
                            scope_key: row.get(2)?,
                            window: row.get(3)?,
                        },
                        limit_nano: row.get(4)?,
                        starts_at_ms: at(5)?,
                        ends_at_ms: at(6)?,
                    })
                })?
                .collect()
        })
        .map_err(at(conn, READ))?)
}
