//! What was used, what it cost, and how much of the budgets is left.

use convergio_config::Settings;
use convergio_contract::{
    RpcError,
    limits::PAGE_MAX,
    method::Empty,
    usage::{
        BudgetInfo, BudgetList, BudgetListResponse, BudgetSet, BudgetSetParams, UsageBy,
        UsageQuery, UsageQueryParams, UsageQueryResponse, UsageRow,
    },
};
use convergio_ledger::{GroupBy, Now, UsageTotals, Window};

use crate::{
    daemon::{Daemon, now_ms},
    dispatch::{Call, Handle},
    failure,
    providers::failure::ledger as ledger_error,
    run_kinds::accounts::budget_info,
};

/// Rows where no limit is given.
const ROWS_DEFAULT: u32 = 100;
/// How far back is looked where nothing says.
const SINCE_DEFAULT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// The setting behind the day's budget.
const DAILY: &str = "budget.daily_usd";

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

impl Daemon {
    /// The budgets as they stand under these settings: the next call is admitted under them,
    /// whatever limit the last one was admitted under.
    pub(crate) async fn budgets(&self, settings: &Settings) -> Result<Vec<BudgetInfo>, RpcError> {
        let budget = settings.budget();
        let limit_nano = budget.effective_daily_nano_usd();
        let tenant = self.runs().tenant().id();
        let zone = self.models.zone.clone();
        let read = self.store.read("read the budgets", move |conn| {
            let now = Now::system();
            let mut budgets = convergio_ledger::budgets(conn, tenant, now)?;
            match budgets
                .iter_mut()
                .find(|budget| budget.name.window == Window::Day)
            {
                Some(day) => day.limit_nano = limit_nano,
                // Nothing was ever admitted.
                None => budgets.insert(0, convergio_ledger::unspent_day(limit_nano, &zone, now)?),
            }
            Ok(budgets)
        });
        let budgets = read.await.map_err(|error| ledger_error(&error))?;
        let chosen = budget.daily_nano_usd.is_some();
        Ok(budgets
            .iter()
            .map(|budget| budget_info(budget, chosen))
            .collect())
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
        let tenant = self.runs().tenant().id();
        let read = self.store.read("read usage", move |conn| {
            convergio_ledger::usage(conn, tenant, &query)
        });
        let report = read.await.map_err(|error| ledger_error(&error))?;
        Ok(UsageQueryResponse {
            rows: report
                .rows
                .into_iter()
                .map(|one| row(one.key, one.totals))
                .collect(),
            rows_more: u32::try_from(report.rows_more).unwrap_or(u32::MAX),
            total: row("total".to_owned(), report.total),
            budgets: self.budgets(&settings).await?,
        })
    }
}

impl Handle<BudgetList> for Daemon {
    async fn handle(&self, call: Call, _params: Empty) -> Result<BudgetListResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        Ok(BudgetListResponse {
            budgets: self.budgets(&settings).await?,
        })
    }
}

impl Handle<BudgetSet> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: BudgetSetParams,
    ) -> Result<BudgetListResponse, RpcError> {
        if params.window != "day" {
            return Err(
                failure::invalid(format!("there is no budget of a {:?}", params.window))
                    .why("`window` takes day")
                    .hint("cv budget set daily 2.00"),
            );
        }
        let amount = params.limit_usd.trim();
        let plan = self.editor().set(DAILY, amount, None);
        let plan = plan.map_err(|error| self.configuration.error(&error))?;
        if plan.changes_anything() {
            let label = format!("cv budget set daily {amount}");
            self.write_settings(&label, plan).await?;
        }
        let settings = self.settings_of(&call)?;
        let limit_nano = settings.budget().effective_daily_nano_usd();
        let tenant = self.runs().tenant().id();
        let zone = self.models.zone.clone();
        let write = self.store.write("set a budget", move |tx| {
            convergio_ledger::set_day_budget(tx, tenant, limit_nano, &zone, Now::system())
        });
        write.await.map_err(|error| ledger_error(&error))?;
        Ok(BudgetListResponse {
            budgets: self.budgets(&settings).await?,
        })
    }
}
