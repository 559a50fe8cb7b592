//! The books as a whole: whether they are sound, all of their rows, an invoice beside them.

use std::collections::BTreeMap;

use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    books::{
        AttemptFault, CacheDifference, ExportWhat, INVOICE_MAX_BYTES, UsageDifference, UsageExport,
        UsageExportParams, UsageExportResponse, UsageReconcile, UsageReconcileParams,
        UsageReconcileResponse, UsageVerify, UsageVerifyResponse,
    },
    limits::PAGE_MAX,
    method::Empty,
};
use convergio_ledger::{
    Adjusted, ExportFilter, Invoice, InvoiceError, LedgerError, Now, Reconciliation, Verified,
};
use sha2::{Digest, Sha256};

use super::audit::{AuditError, attempt, told, transfer};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    providers::failure::ledger as ledger_error,
    run_kinds::{blob, request::hex},
};

/// Rows where no limit is given.
const ROWS_DEFAULT: u32 = 100;
/// Differences that one answer lists.
const DIFFERENCES_MAX: usize = 1_000;

impl Handle<UsageVerify> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<UsageVerifyResponse, RpcError> {
        let tenant = self.runs().tenant().id();
        let read = self.store.read("verify the ledger", move |conn| {
            convergio_ledger::verify(conn, tenant)
        });
        let found = read.await.map_err(|error| ledger_error(&error))?;
        Ok(verified(found))
    }
}

fn verified(found: Verified) -> UsageVerifyResponse {
    let differences = found.differences.iter().map(|one| CacheDifference {
        budget_id: one.budget_id,
        starts_ms: one.start_ms,
        cached_posted_nano_usd: one.cached_posted_nano,
        posted_nano_usd: one.posted_nano,
        cached_pending_nano_usd: one.cached_pending_nano,
        pending_nano_usd: one.pending_nano,
    });
    UsageVerifyResponse {
        sound: found.is_sound(),
        rows: found.rows,
        first_bad_seq: found.bad.as_ref().map(|bad| bad.seq),
        why: found.bad.as_ref().map(|bad| bad.why.to_owned()),
        head: found.head.map(|hash| hex(&hash)),
        differences: differences.collect(),
        attempts: found.attempts.into_iter().map(fault).collect(),
        prices: found.prices,
        adjustments: found.adjustments,
    }
}

fn fault(one: convergio_ledger::AttemptFault) -> AttemptFault {
    AttemptFault {
        attempt_id: one.attempt_id,
        seq: one.seq,
        why: one.why.to_owned(),
    }
}

impl Handle<UsageExport> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: UsageExportParams,
    ) -> Result<UsageExportResponse, RpcError> {
        let limit = params.limit.unwrap_or(ROWS_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        let cursor = match &params.cursor {
            Some(cursor) => Some(cursor.parse().map_err(|error| ledger_error(&error))?),
            None => None,
        };
        let filter = ExportFilter {
            since_ms: params.since_ms,
            until_ms: params.until_ms,
            cursor,
            limit: limit as usize,
        };
        let tenant = self.runs().tenant().id();
        let read = self.store.read("export the ledger", move |conn| {
            let mut answer = UsageExportResponse {
                attempts: Vec::new(),
                transfers: Vec::new(),
                cursor: None,
                rows_total: 0,
            };
            let next = match params.what {
                ExportWhat::Attempts => {
                    let page = convergio_ledger::export_attempts(conn, tenant, &filter)?;
                    answer.rows_total = page.rows_total;
                    answer.attempts = page.rows.into_iter().map(attempt).collect();
                    page.next
                }
                ExportWhat::Transfers => {
                    let page = convergio_ledger::export_transfers(conn, tenant, &filter)?;
                    answer.rows_total = page.rows_total;
                    answer.transfers = page.rows.into_iter().map(transfer).collect();
                    page.next
                }
            };
            answer.cursor = next.map(|next| next.to_string());
            Ok::<_, LedgerError>(answer)
        });
        read.await.map_err(|error| ledger_error(&error))
    }
}

/// A file that was not taken.
fn unread(error: &InvoiceError) -> RpcError {
    let code = match error {
        InvoiceError::TooLarge { .. } | InvoiceError::TooManyLines => ErrorCode::TooLarge,
        _ => ErrorCode::InvalidParams,
    };
    let hint = match error {
        InvoiceError::NoProvider { .. } => "cv usage reconcile FILE --provider NAME",
        _ => "cv usage reconcile --help",
    };
    RpcError::new(code, "the file was not compared")
        .why(error.to_string())
        .hint(hint)
}

impl Handle<UsageReconcile> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: UsageReconcileParams,
    ) -> Result<UsageReconcileResponse, RpcError> {
        let tenant = self.runs().tenant().id();
        let (file, provider) = (params.file, params.provider);
        let parsing = tokio::task::spawn_blocking(move || {
            let hint = "cv usage reconcile FILE";
            let bytes = blob::decode(file, INVOICE_MAX_BYTES, "the file", hint)?;
            let invoice = convergio_ledger::parse_invoice(&bytes, provider.as_deref())
                .map_err(|error| unread(&error))?;
            Ok::<_, RpcError>((invoice, <[u8; 32]>::from(Sha256::digest(&bytes))))
        });
        let (invoice, sha256) = parsing
            .await
            .map_err(|error| failure::internal("the file was not read", error.to_string()))??;
        let Some(agreed) = params.apply else {
            let read = self.store.read("compare an invoice", move |conn| {
                convergio_ledger::reconcile(conn, tenant, &invoice)
            });
            let found = read.await.map_err(|error| ledger_error(&error))?;
            return Ok(reconciled(found, Vec::new()));
        };
        let write = self.store.write("correct the ledger", move |tx| {
            correct(tx, tenant, &invoice, &sha256, &agreed)
        });
        let (found, adjusted) = write.await.map_err(told)?;
        Ok(reconciled(found, adjusted))
    }
}

/// Corrects what a person agreed to, or nothing.
fn correct(
    tx: &convergio_store::Tx<'_>,
    tenant: Uuid,
    invoice: &Invoice,
    sha256: &[u8; 32],
    agreed: &str,
) -> Result<(Reconciliation, Vec<Adjusted>), AuditError> {
    let found = convergio_ledger::reconcile(tx, tenant, invoice)?;
    if hex(&found.digest) != agreed {
        return Err(RpcError::new(ErrorCode::Conflict, "nothing was corrected")
            .why("the file or the books are not those that were agreed to")
            .hint("cv usage reconcile FILE")
            .into());
    }
    let now = Now::system();
    if let Some((_, last)) = &found.days
        && let Some(today) = utc_day(now.wall_ms)
        && *last >= today
    {
        return Err(
            RpcError::new(ErrorCode::InvalidParams, "nothing was corrected")
                .why(format!(
                    "the file speaks of {last}, and only days that are over in UTC are corrected: \
                 today is {today}"
                ))
                .hint("cv usage reconcile FILE")
                .into(),
        );
    }
    let adjusted = convergio_ledger::apply(tx, tenant, &found, sha256, now)?;
    Ok((found, adjusted))
}

/// The UTC day of a moment, `2026-11-20`: such texts compare as their days do.
fn utc_day(at_ms: i64) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at_ms).ok()?;
    Some(at.strftime("%Y-%m-%d").to_string())
}

fn reconciled(found: Reconciliation, adjusted: Vec<Adjusted>) -> UsageReconcileResponse {
    let sums = found.differences.iter().filter_map(|one| one.adjust_nano);
    let adjust_nano_usd = sums.fold(0, i64::saturating_add);
    let (first_day, last_day) = found.days.unzip();
    let more = found.differences.len().saturating_sub(DIFFERENCES_MAX);
    let named = |quantities: BTreeMap<convergio_models_api::Resource, u64>| {
        let named = quantities.into_iter();
        named.map(|(r, n)| (r.as_str().to_owned(), n)).collect()
    };
    let differences = found.differences.into_iter().take(DIFFERENCES_MAX);
    UsageReconcileResponse {
        shape: found.shape.as_str().to_owned(),
        first_day,
        last_day,
        lines: found.lines,
        days_within: found.days_within,
        local_nano_usd: found.local_nano,
        remote_nano_usd: found.remote_nano,
        open: found.open,
        differences: differences
            .map(|one| UsageDifference {
                day: one.day,
                provider: one.provider,
                model: one.model,
                drift: one.drift.as_str().to_owned(),
                attempts: one.attempts,
                local_nano_usd: one.local_nano,
                remote_nano_usd: one.remote_nano,
                remote_said: one.remote_said,
                local: named(one.local),
                remote: named(one.remote),
                adjust_nano_usd: one.adjust_nano,
            })
            .collect(),
        differences_more: u64::try_from(more).unwrap_or(u64::MAX),
        digest: hex(&found.digest),
        adjust_nano_usd,
        adjusted: adjusted.into_iter().map(|one| one.seq).collect(),
    }
}
