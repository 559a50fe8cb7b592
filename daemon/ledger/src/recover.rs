//! After a crash: every attempt gets its end, and the budgets' figures are those of the transfers.

use convergio_models_api::Usage;
use convergio_store::{Tx, at};
use rusqlite::params;
use uuid::Uuid;

use crate::attempt::{self, Attempt, AttemptState, End, UsageSource};
use crate::clock::Now;
use crate::error::LedgerError;
use crate::quota;
use crate::settle;
use crate::window::{self, WindowDifference};

/// An attempt whose end nobody saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveredAttempt {
    /// Which.
    pub attempt_id: Uuid,
    /// The run that pays.
    pub run_id: Uuid,
    /// What was posted: its full hold, nano-USD.
    pub amount_nano: i64,
}

/// What a slice of recovery did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Attempts that were never sent; their holds are void.
    pub voided: Vec<Uuid>,
    /// Attempts that may have been sent; their holds are posted, as an estimate.
    pub unknown: Vec<RecoveredAttempt>,
    /// Figures that were not those of the transfers, and were rebuilt. In the last slice.
    pub differences: Vec<WindowDifference>,
    /// Reservations of quotas that nothing useful came of; they are free again. In the last slice.
    pub reservations: Vec<Uuid>,
    /// There may be more attempts: call again.
    pub more: bool,
}

/// Ends at most `limit` attempts that a former daemon left open, and when none are left compares
/// the open budgets with the ledger. Call it once a start, before anything is admitted.
///
/// # Errors
/// What the store said.
pub fn recover(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    now: Now,
    limit: usize,
) -> Result<Recovered, LedgerError> {
    let limit = limit.max(1);
    let sql = format!(
        "SELECT {} FROM attempt WHERE tenant_id = ?1 AND state IN ('reserved', 'dispatched') \
         ORDER BY id LIMIT ?2",
        Attempt::COLUMNS
    );
    let left: Vec<Attempt> = tx
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            statement
                .query_map(params![tenant_id, limit], Attempt::from_row)?
                .collect()
        })
        .map_err(at(tx, "find interrupted attempts"))?;
    let mut recovered = Recovered {
        more: left.len() == limit,
        ..Recovered::default()
    };
    for attempt in &left {
        let (state, cost_nano, source) = match attempt.state {
            AttemptState::Reserved => (AttemptState::Voided, 0, UsageSource::Nothing),
            _ if attempt.local => (AttemptState::Unknown, 0, UsageSource::Nothing),
            _ => (
                AttemptState::Unknown,
                attempt.hold_nano,
                UsageSource::EstimateCeiling,
            ),
        };
        settle::resolve(tx, attempt, state, cost_nano, now)?;
        let end = End {
            state,
            source,
            cost_nano,
            usage: &Usage::default(),
            lines: &[],
            provider_req_id: None,
            answered_by: None,
            stop: Some("interrupted"),
        };
        attempt::end(tx, attempt.id, &end, now.wall_ms)?;
        if state == AttemptState::Voided {
            recovered.voided.push(attempt.id);
        } else {
            recovered.unknown.push(RecoveredAttempt {
                attempt_id: attempt.id,
                run_id: attempt.run_id,
                amount_nano: cost_nano,
            });
        }
    }
    if !recovered.more {
        recovered.reservations = quota::recover(tx, tenant_id, now)?;
        for (key, figures, difference) in window::differences(tx, tenant_id, Some(now.wall_ms))? {
            window::write(tx, &key, &figures)?;
            tracing::warn!(
                budget = %difference.budget_id,
                start_ms = difference.start_ms,
                "a budget's figures were not those of the ledger, and were rebuilt"
            );
            recovered.differences.push(difference);
        }
    }
    Ok(recovered)
}
