//! Why a run cost what it did, and what of it is not believed. `UsageVerify`, `UsageExport` and
//! `UsageReconcile` look at the books as a whole, in `books.rs`.

use std::collections::{BTreeMap, HashMap};

use convergio_contract::{
    ErrorCode, EventBody, RpcError, Uuid,
    audit::{
        AttemptRow, DisputeInfo, TransferRow, UsageDispute, UsageDisputeParams,
        UsageDisputeResponse, UsageDisputes, UsageDisputesResponse, UsageWhy, UsageWhyParams,
        UsageWhyResponse, WhyAttempt, WhyBudget, WhyHold, WhyLine, WhyPrices, WhyStep,
    },
    method::Empty,
};
use convergio_ledger::{Dispute, LedgerError, Now, Step};
use convergio_runs::{Egress, EventType, RunsError, Tenant};
use convergio_store::{Connection, StoreError};

use super::{privacy::egress_row, runs_error};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    providers::failure::ledger as ledger_error,
    run_kinds::request::hex,
};

/// Events of a run that are read at once.
const PAGE_EVENTS: usize = 256;

/// Of the books, or of the runs beside them.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuditError {
    /// The books'.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The runs'.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Told as it is.
    #[error("{0}")]
    Told(Box<RpcError>),
}

impl From<RpcError> for AuditError {
    fn from(error: RpcError) -> Self {
        Self::Told(Box::new(error))
    }
}

pub(super) fn told(error: AuditError) -> RpcError {
    match error {
        AuditError::Ledger(LedgerError::Invalid {
            what: "run",
            reason,
        }) => failure::invalid("this names no run")
            .why(format!("a run is named by {reason}"))
            .hint("cv usage --by run"),
        AuditError::Ledger(error) => ledger_error(&error),
        AuditError::Runs(error) => runs_error(error),
        AuditError::Store(error) => failure::store(&error),
        AuditError::Told(error) => *error,
    }
}

/// What a run's events say of an attempt.
#[derive(Default)]
struct Planned {
    reason: String,
    purpose: String,
    downgraded: Vec<String>,
}

/// What the events of a run say of its attempts, by their numbers; none where they are gone.
fn planned(conn: &Connection, run_id: Uuid) -> Result<HashMap<u32, Planned>, AuditError> {
    let mut planned = HashMap::new();
    let (mut after, mut downgraded) = (0, Vec::new());
    loop {
        let page = convergio_runs::events(conn, run_id, after, PAGE_EVENTS)?;
        for event in &page.events {
            after = event.seq;
            if !matches!(event.event_type, EventType::Plan | EventType::Downgraded) {
                continue;
            }
            match serde_json::from_str(event.payload.get()) {
                Ok(EventBody::Downgraded { from, to, reason }) => {
                    downgraded.push(format!("{from} → {to}: {reason}"));
                }
                Ok(EventBody::Plan(attempt)) => {
                    let one = Planned {
                        reason: attempt.reason,
                        purpose: attempt.purpose,
                        downgraded: std::mem::take(&mut downgraded),
                    };
                    planned.insert(attempt.attempt, one);
                }
                // An event of a later version than this one.
                _ => {}
            }
        }
        if !page.more {
            return Ok(planned);
        }
    }
}

/// The one run that is named.
fn one_run(conn: &Connection, tenant: Tenant, text: Option<&str>) -> Result<Uuid, AuditError> {
    let named = convergio_ledger::named_run(conn, tenant.id(), text)?;
    match (named.as_slice(), text) {
        ([one], _) => Ok(*one),
        ([], None) => Err(RpcError::new(ErrorCode::NotFound, "no model was asked yet")
            .why("there is nothing to explain")
            .hint("cv ask \"hello\"")
            .into()),
        ([], Some(text)) => Err(RpcError::new(
            ErrorCode::NotFound,
            format!("there is no run {text} that asked a model"),
        )
        .why("it never was, or it is no longer kept")
        .hint("cv usage --by run")
        .into()),
        (_, text) => Err(failure::invalid(format!(
            "several runs are named by {}",
            text.unwrap_or_default()
        ))
        .why("more digits tell them apart; the last ones are the different ones")
        .hint("cv usage --by run")
        .into()),
    }
}

fn explained(conn: &Connection, tenant: Tenant, run_id: Uuid) -> Result<Explained, AuditError> {
    let attempts = convergio_ledger::why(conn, tenant.id(), run_id)?;
    if attempts.is_empty() {
        // Where there is no such run either, that is the error.
        convergio_runs::get(conn, tenant, run_id)?;
    }
    let mut planned = planned(conn, run_id)?;
    let mut left: HashMap<Uuid, Egress> = convergio_runs::egress_of_run(conn, tenant, run_id)?
        .into_iter()
        .filter_map(|egress| Some((egress.attempt_id?, egress)))
        .collect();
    let events_kept = attempts.is_empty() || !planned.is_empty();
    let attempts: Vec<WhyAttempt> = attempts
        .into_iter()
        .map(|attempt| {
            let planned = planned.remove(&attempt.row.n);
            let egress = left.remove(&attempt.row.attempt_id);
            why_attempt(attempt, planned, egress)
        })
        .collect();
    Ok(Explained {
        attempts,
        events_kept,
    })
}

struct Explained {
    attempts: Vec<WhyAttempt>,
    events_kept: bool,
}

fn step(step: Step) -> WhyStep {
    WhyStep {
        quantity: step.quantity,
        nano_usd_per_million: step.nano_per_million,
    }
}

fn why_attempt(
    one: convergio_ledger::WhyAttempt,
    planned: Option<Planned>,
    egress: Option<Egress>,
) -> WhyAttempt {
    let (reason, purpose, downgraded) = match planned {
        Some(planned) => (
            Some(planned.reason),
            Some(planned.purpose),
            planned.downgraded,
        ),
        None => (None, None, Vec::new()),
    };
    let lines = one.lines.into_iter().map(|line| WhyLine {
        resource: line.resource.as_str().to_owned(),
        quantity: line.quantity,
        priced_as: line.priced_as.as_str().to_owned(),
        steps: line.steps.into_iter().map(step).collect(),
        amount_nano_usd: line.amount_nano,
    });
    let budgets = one.budgets.into_iter().map(|budget| WhyBudget {
        name: budget.name.to_string(),
        limit_nano_usd: budget.limit_nano,
        starts_ms: budget.starts_at_ms,
        ends_ms: budget.ends_at_ms,
    });
    WhyAttempt {
        reason,
        purpose,
        downgraded,
        hold: one.hold.map(|hold| {
            let [input, output] = hold.steps.map(|found| found.map(step));
            WhyHold {
                input_tokens_max: hold.input_ceiling,
                output_tokens_max: u64::from(hold.max_output),
                input,
                output,
                amount_nano_usd: hold.amount_nano,
            }
        }),
        budgets: budgets.collect(),
        prices: one.prices.map(|prices| WhyPrices {
            version_id: prices.version_id,
            source: prices.source,
            sha256: hex(&prices.sha256),
            effective_from_ms: prices.effective_from_ms,
            recorded_ms: prices.created_ms,
        }),
        lines: lines.collect(),
        overage_nano_usd: one.overage_nano,
        egress: egress.map(egress_row),
        transfers: one.transfers.into_iter().map(transfer).collect(),
        dispute: one.dispute.map(dispute),
        attempt: attempt(one.row),
    }
}

/// An object of numbers as the books keep it.
fn numbers<T: serde::de::DeserializeOwned>(json: Option<&str>) -> BTreeMap<String, T> {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

pub(super) fn attempt(row: convergio_ledger::AttemptRow) -> AttemptRow {
    AttemptRow {
        attempt_id: row.attempt_id,
        run_id: row.run_id,
        n: row.n,
        session_id: row.session_id,
        agent: row.agent,
        client: row.client,
        token: row.token,
        cwd: row.root,
        provider: row.provider,
        model: row.model,
        answered_by: row.answered_by,
        local: row.local,
        policy: row.policy,
        state: row.state.as_str().to_owned(),
        stop: row.stop,
        provider_req_id: row.provider_req_id,
        price_version_id: row.price_version_id,
        hold_nano_usd: row.hold_nano,
        amount_nano_usd: row.cost_nano,
        source: row.source.map(|source| source.as_str().to_owned()),
        inconsistent: row.inconsistent,
        usage: numbers(row.usage_json.as_deref()),
        lines_nano_usd: numbers(row.lines_json.as_deref()),
        started_ms: row.started_ms,
        ended_ms: row.ended_ms,
    }
}

pub(super) fn transfer(row: convergio_ledger::TransferRow) -> TransferRow {
    TransferRow {
        seq: row.seq,
        transfer_id: row.id,
        kind: row.kind,
        pending_id: row.pending_id,
        debit: row.debit,
        credit: row.credit,
        unit: row.unit,
        amount: row.amount,
        attempt_id: row.attempt_id,
        wall_ms: row.wall_ms,
        boot_id: row.boot_id,
        mono_ns: row.mono_ns,
        prev_hash: hex(&row.prev_hash),
        hash: hex(&row.hash),
    }
}

fn dispute(dispute: Dispute) -> DisputeInfo {
    DisputeInfo {
        attempt_id: dispute.attempt_id,
        run_id: dispute.run_id,
        model: dispute.model,
        amount_nano_usd: dispute.cost_nano,
        note: dispute.note,
        opened_ms: dispute.opened_ms,
        withdrawn_ms: dispute.withdrawn_ms,
    }
}

impl Handle<UsageWhy> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: UsageWhyParams,
    ) -> Result<UsageWhyResponse, RpcError> {
        let tenant = self.runs().tenant();
        let read = self.store.read("explain a cost", move |conn| {
            let run_id = one_run(conn, tenant, params.run.as_deref())?;
            let found = explained(conn, tenant, run_id)?;
            let costs = found.attempts.iter();
            let costs = costs.filter_map(|one| one.attempt.amount_nano_usd);
            Ok::<_, AuditError>(UsageWhyResponse {
                run_id,
                events_kept: found.events_kept,
                amount_nano_usd: costs.fold(0, i64::saturating_add),
                attempts: found.attempts,
            })
        });
        read.await.map_err(told)
    }
}

/// The one attempt that is named.
fn one_attempt(conn: &Connection, tenant: Tenant, text: &str) -> Result<WhyAttempt, AuditError> {
    let run_id = one_run(conn, tenant, Some(text))?;
    let mut attempts = explained(conn, tenant, run_id)?.attempts;
    let digits = text.trim().replace('-', "").to_ascii_lowercase();
    let is_named = |one: &WhyAttempt| {
        let own = one.attempt.attempt_id.simple().to_string();
        own.starts_with(&digits) || own.ends_with(&digits)
    };
    if attempts.len() > 1 && attempts.iter().filter(|one| is_named(one)).count() == 1 {
        attempts.retain(is_named);
    }
    match (attempts.pop(), attempts.len()) {
        (Some(one), 0) => Ok(one),
        _ => Err(failure::invalid("no single attempt is named")
            .why(format!("run {run_id} has several; name the attempt itself"))
            .hint(format!("cv usage why {run_id}"))
            .into()),
    }
}

impl Handle<UsageDispute> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: UsageDisputeParams,
    ) -> Result<UsageDisputeResponse, RpcError> {
        let tenant = self.runs().tenant();
        let write = self.store.write("mark an attempt", move |tx| {
            let mut evidence = one_attempt(tx, tenant, &params.attempt)?;
            let id = evidence.attempt.attempt_id;
            let now = Now::system();
            let mark = if params.withdraw {
                convergio_ledger::withdraw_dispute(tx, tenant.id(), id, now)
            } else {
                convergio_ledger::dispute(tx, tenant.id(), id, params.note.as_deref(), now)
            };
            let mark = dispute(mark?);
            evidence.dispute = Some(mark.clone());
            Ok::<_, AuditError>(UsageDisputeResponse {
                dispute: mark,
                evidence: Box::new(evidence),
            })
        });
        write.await.map_err(told)
    }
}

impl Handle<UsageDisputes> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<UsageDisputesResponse, RpcError> {
        let tenant = self.runs().tenant().id();
        let read = self.store.read("list disputes", move |conn| {
            convergio_ledger::disputes(conn, tenant)
        });
        let disputes = read.await.map_err(|error| ledger_error(&error))?;
        Ok(UsageDisputesResponse {
            disputes: disputes.into_iter().map(dispute).collect(),
        })
    }
}
