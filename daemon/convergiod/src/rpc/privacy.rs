//! What left this machine.

use convergio_contract::{
    RpcError,
    limits::PAGE_MAX,
    privacy::{EgressRow, PrivacyEgress, PrivacyEgressParams, PrivacyEgressResponse},
};
use convergio_runs::{Egress, EgressCursor, EgressFilter, EgressTotals, RunsError};

use super::runs_error;
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    egress::is_loopback,
    failure,
};

/// Rows where no limit is given.
const ROWS_DEFAULT: u32 = 50;

/// A row as it travels.
pub(super) fn egress_row(row: Egress) -> EgressRow {
    EgressRow {
        egress_id: row.id,
        run_id: row.run_id,
        at_ms: row.at_ms,
        loopback: is_loopback(&row.destination),
        destination: row.destination,
        bytes: row.bytes,
        purpose: row.purpose,
        model: row.model,
        redactions: row.redactions,
        policy: row.policy,
    }
}

impl Handle<PrivacyEgress> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: PrivacyEgressParams,
    ) -> Result<PrivacyEgressResponse, RpcError> {
        let limit = params.limit.unwrap_or(ROWS_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        let cursor = match &params.cursor {
            Some(cursor) => Some(cursor.parse::<EgressCursor>().map_err(runs_error)?),
            None => None,
        };
        let filter = EgressFilter {
            since_ms: params.since_ms,
            run_id: params.run_id,
            cursor,
            limit: limit as usize,
        };
        let tenant = self.runs().tenant();
        let read = self.store.read("read what left the machine", move |conn| {
            let page = convergio_runs::list_egress(conn, tenant, &filter)?;
            let (since_ms, run_id) = (filter.since_ms, filter.run_id);
            let places = convergio_runs::egress_by_destination(conn, tenant, since_ms, run_id)?;
            Ok::<_, RunsError>((page, places))
        });
        let (page, places) = read.await.map_err(runs_error)?;
        let sum = |elsewhere: bool| {
            let all = EgressTotals::default();
            let counted = places.iter();
            let counted = counted.filter(|(place, _)| !(elsewhere && is_loopback(place)));
            counted.fold(all, |sum, (_, one)| EgressTotals {
                rows: sum.rows.saturating_add(one.rows),
                bytes: sum.bytes.saturating_add(one.bytes),
            })
        };
        let (totals, elsewhere) = (sum(false), sum(true));
        Ok(PrivacyEgressResponse {
            rows: page.rows.into_iter().map(egress_row).collect(),
            cursor: page.next.map(|cursor| cursor.to_string()),
            bytes_total: totals.bytes,
            rows_total: totals.rows,
            elsewhere_bytes_total: Some(elsewhere.bytes),
            elsewhere_rows_total: Some(elsewhere.rows),
        })
    }
}
