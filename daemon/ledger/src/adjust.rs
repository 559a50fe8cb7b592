//! Corrections: transfers that are added because an invoice says otherwise.

use convergio_store::{Tx, at};
use rusqlite::params;
use uuid::Uuid;

use crate::clock::Now;
use crate::error::LedgerError;
use crate::reconcile::Reconciliation;
use crate::transfer::{self, Kind, NANO_USD, NewRow};

/// A correction that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjusted {
    /// The transfer's number.
    pub seq: i64,
    /// What it adds, nano-USD.
    pub signed_nano: i64,
}

/// Writes what differs as transfers that are added to the books; none is changed. What the
/// provider named no money for stays. Comparing the same file again finds nothing more to correct.
///
/// Corrections are of days that are over and count in no budget.
///
/// # Errors
/// What the store said.
pub fn apply(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    reconciliation: &Reconciliation,
    invoice_sha256: &[u8; 32],
    now: Now,
) -> Result<Vec<Adjusted>, LedgerError> {
    let mut written = Vec::new();
    for one in &reconciliation.differences {
        let Some(signed_nano) = one.adjust_nano.filter(|nano| *nano != 0) else {
            continue;
        };
        let model = one.model.as_deref().unwrap_or_default();
        let (spent, owed) = (
            transfer::spent(&one.provider, model),
            transfer::owed(&one.provider),
        );
        let (debit, credit) = if signed_nano > 0 {
            (&spent, &owed)
        } else {
            (&owed, &spent)
        };
        let row = NewRow {
            tenant_id,
            kind: Kind::Adjust,
            pending_id: None,
            debit,
            credit,
            unit: NANO_USD,
            amount: signed_nano.saturating_abs(),
            attempt_id: None,
        };
        let appended = transfer::append_row(tx, &row, now)?;
        tx.prepare_cached(
            "INSERT INTO adjustment (tenant_id, transfer_id, day, provider, model, drift, \
             signed_nano, invoice_sha256, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                tenant_id,
                appended.id,
                one.day,
                one.provider,
                model,
                one.drift,
                signed_nano,
                invoice_sha256.as_slice(),
                now.wall_ms
            ])
        })
        .map_err(at(tx, "write a correction"))?;
        written.push(Adjusted {
            seq: appended.seq,
            signed_nano,
        });
    }
    Ok(written)
}
