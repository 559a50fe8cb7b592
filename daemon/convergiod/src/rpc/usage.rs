//! What was used, what it cost, and how much of the budgets is left.

use convergio_contract::{
    RpcError,
    limits::PAGE_MAX,
    usage::{UsageBy, UsageQuery, UsageQueryParams, UsageQueryResponse, UsageRow},
};
use convergio_ledger::{GroupBy, UsageTotals};

use crate::{
    daemon::{Daemon, now_ms},
    dispatch::{Call, Handle},
    failure,
    providers::failure::ledger as ledger_error,
};

/// Rows where no limit is given.
const ROWS_DEFAULT: u32 = 100;
/// How far back is looked where nothing says.
const SINCE_DEFAULT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

fn group(by: UsageBy) -> GroupBy {
    match by {
        UsageBy::Day => GroupBy::Day,
        UsageBy::Model => GroupBy::Model,
        UsageBy::Provider => GroupBy::Provider,
        UsageBy::Agent => GroupBy::Agent,
        UsageBy::Client => GroupBy::Client,
        UsageBy::Cwd => GroupBy::Cwd,
        UsageBy::Token => GroupBy::Token,
        UsageBy::Run => GroupBy::Run,
    }
}

fn row(key: String, totals: UsageTotals) -> UsageRow {
    UsageRow {
        key,
        runs: totals.runs,
        attempts: totals.attempts,
        open: totals.open,
        input_tokens: totals.input_tokens,
        cached_input_tokens: totals.cached_tokens,
        output_tokens: totals.output_tokens,
        amount_nano_usd: totals.cost_nano,
        estimated: totals.estimated,
        held_nano_usd: totals.held_nano,
        adjusted_nano_usd: totals.adjusted_nano,
    }
}

impl Handle<UsageQuery> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: UsageQueryParams,
    ) -> Result<UsageQueryResponse, RpcError> {
        let limit = params.limit.unwrap_or(ROWS_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        let settings = self.settings_of(&call)?;
        // One run is looked for however long ago it was.
        let since_ms = match (params.since_ms, params.run_id) {
            (None, None) => Some(now_ms().saturating_sub(SINCE_DEFAULT_MS)),
            (since_ms, _) => since_ms,
        };
        let query = convergio_ledger::UsageQuery {
            since_ms,
            until_ms: params.until_ms,
            by: group(params.by),
            run_id: params.run_id,
            zone: self.models.zone.clone(),
            limit: limit as usize,
        };
        let tenant = self.runs().tenant();
        let (since_ms, until_ms, run_id) = (query.since_ms, query.until_ms, query.run_id);
        let read = self.store.read("read usage", move |conn| {
            convergio_ledger::usage(conn, tenant.id(), &query)
        });
        let report = read.await.map_err(|error| ledger_error(&error))?;
        let read = self.store.read("count kept answers", move |conn| {
            convergio_runs::answers_given_again(conn, tenant, since_ms, until_ms, run_id)
        });
        let cached = read.await.map_err(super::runs_error)?;
        Ok(UsageQueryResponse {
            rows: report
                .rows
                .into_iter()
                .map(|one| row(one.key, one.totals))
                .collect(),
            rows_more: u32::try_from(report.rows_more).unwrap_or(u32::MAX),
            total: row("total".to_owned(), report.total),
            cached,
            budgets: self.budgets(&settings).await?,
        })
    }
}
