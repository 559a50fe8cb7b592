//! What one admission writes: hold, dispatch, what leaves, and the events that tell of it.

use std::sync::Arc;

use convergio_contract::{
    EventBody, Uuid,
    model::{Attempt as WireAttempt, InsteadOf},
};
use convergio_engine::{Ask, Cause, Route};
use convergio_ledger::Now;
use convergio_models_api::{ModelRequest, Policy, ReasoningEffort};
use convergio_runs::NewEgress;
use convergio_store::Tx;

use super::{
    accounts::{Accounts, Attempt},
    admission::{NO_BUDGET, Port},
    calls::{Prepared, input_ceiling},
    marks::marks,
    outgoing::Outgoing,
    record::{Books, WriteError},
};
use crate::egress::is_loopback;

impl Port<'_> {
    /// What this attempt stands in for, in order, and whether a budget is why.
    fn instead_of(&self, ask: &Ask) -> Vec<(InsteadOf, bool)> {
        let all = self.stands_in().clone().map(|instead| {
            let by_budget = instead.why == NO_BUDGET;
            (instead, by_budget)
        });
        let of_plan = ask.instead_of.iter().filter_map(|instead| {
            let left = self.leg.plan.routes.get(instead.route)?;
            let told = InsteadOf {
                model: left.target.to_string(),
                why: instead.why.clone(),
            };
            Some((told, instead.cause == Cause::Budget))
        });
        all.into_iter().chain(of_plan).collect()
    }

    /// What admission writes, ready to be moved to the writer.
    pub(super) fn entry(
        &self,
        ask: &Ask,
        route: &Route,
        prepared: &Arc<Prepared>,
        reads: Outgoing,
    ) -> Entry {
        let calls = self.calls;
        let Outgoing {
            mut request,
            redactions,
            places: _,
        } = reads;
        request.provider.clone_from(&route.target.provider);
        request.model.clone_from(&route.target.model);
        if let Some(max) = prepared.max_output.and_then(|max| u32::try_from(max).ok()) {
            request.max_output = request.max_output.min(max);
        }
        if self.recurs && prepared.keeps_marked {
            request.cache = marks(&request);
        }
        let mut instead_of = self.instead_of(ask).into_iter();
        // A cheaper model is asked because of a budget.
        let less = instead_of.clone().find(|(_, by_budget)| *by_budget);
        let less = less.map(|(instead, _)| EventBody::Downgraded {
            from: instead.model,
            to: route.target.to_string(),
            reason: instead.why,
        });
        Entry {
            books: calls.books(),
            run_id: calls.run.id,
            session_id: calls.context.session_id,
            policy: self.leg.plan.policy,
            request,
            prepared: Arc::clone(prepared),
            daily: calls.context.settings.budget().effective_daily_nano_usd(),
            limits: crate::rpc::budget_specs(&calls.context.settings),
            zone: calls.daemon.models.zone.clone(),
            max_cost_nano: calls.context.max_cost_nano,
            client: calls.context.client.clone(),
            token: calls.context.token.clone(),
            root: calls.context.root.clone(),
            purpose: self.purpose.clone(),
            redactions,
            reason: ask.reason.clone(),
            instead_of: instead_of.next().map(|(first, _)| first),
            passed_over: instead_of.map(|(other, _)| other).collect(),
            less,
            accounts: Arc::clone(calls.recorder.accounts()),
        }
    }
}

/// One admission, with everything that it writes.
pub(super) struct Entry {
    pub(super) books: Books,
    run_id: Uuid,
    session_id: Option<Uuid>,
    policy: Policy,
    request: ModelRequest,
    prepared: Arc<Prepared>,
    daily: i64,
    limits: Vec<convergio_ledger::BudgetSpec>,
    zone: String,
    max_cost_nano: Option<i64>,
    client: Option<String>,
    token: Option<String>,
    root: String,
    purpose: String,
    redactions: u32,
    reason: String,
    instead_of: Option<InsteadOf>,
    passed_over: Vec<InsteadOf>,
    /// It is asked because the other one costs too much.
    less: Option<EventBody>,
    accounts: Arc<Accounts>,
}

pub(super) type PermittedRequest = convergio_models_api::Permitted<ModelRequest>;

impl Entry {
    /// Writes hold, dispatch and what leaves; the events that tell of it come behind `bodies`.
    pub(super) fn write(
        self,
        tx: &Tx<'_>,
        bodies: &mut Vec<EventBody>,
    ) -> Result<PermittedRequest, WriteError> {
        let now = Now::system();
        let tenant = self.books.runs.tenant();
        let local = self.prepared.local;
        let prices = match &self.prepared.prices {
            Some(sheet) if !local => {
                convergio_ledger::set_day_budget(tx, tenant.id(), self.daily, &self.zone, now)?;
                convergio_ledger::sync_budgets(tx, tenant.id(), &self.limits, &self.zone, now)?;
                Some(convergio_ledger::pin(tx, tenant.id(), sheet, now)?)
            }
            _ => None,
        };
        let may_reason = self.prepared.reasons && self.request.reasoning != ReasoningEffort::Off;
        let (wanted, ceiling) = (self.request.max_output, input_ceiling(&self.request));
        let (provider, model) = (self.request.provider.clone(), self.request.model.clone());
        let destination = self.prepared.provider.destination();
        let egress_id = Uuid::now_v7();
        let admission = convergio_ledger::Admission {
            tenant_id: tenant.id(),
            profile_id: self.books.profile_id,
            run_id: self.run_id,
            session_id: self.session_id,
            policy: self.policy,
            request: self.request,
            local,
            destination: destination.clone(),
            egress_id: Some(egress_id),
            prices,
            input_ceiling: ceiling,
            may_clamp: true,
            max_cost_nano: self.max_cost_nano,
            agent: None,
            plugin: None,
            client: self.client,
            token: self.token,
            root: Some(self.root),
        };
        let permitted = convergio_ledger::admit(tx, admission, now)?;
        let (attempt_id, max_output) =
            (permitted.permit().attempt_id, permitted.value().max_output);
        let bytes = self.prepared.provider.wire_bytes(permitted.value());
        let stays = local || is_loopback(&destination);
        let bytes_away = if stays { 0 } else { bytes };
        let egress = NewEgress {
            id: egress_id,
            run_id: Some(self.run_id),
            attempt_id: Some(attempt_id),
            destination: destination.clone(),
            bytes,
            purpose: self.purpose.clone(),
            redactions: self.redactions,
            policy: self.policy.as_str().to_owned(),
            model: Some(format!("{provider}/{model}")),
        };
        convergio_runs::record_egress(tx, tenant, &egress, now.wall_ms)?;
        let hold_nano_usd = match &self.prepared.rates {
            Some(rates) if !local => rates
                .hold(ceiling, max_output)
                .map_err(convergio_ledger::LedgerError::Money)?,
            _ => 0,
        };
        let attempt = self.accounts.admitted(attempt_id, |n| Attempt {
            n,
            provider: provider.clone(),
            model: model.clone(),
            local,
            input_ceiling: ceiling,
            bytes_away,
            may_reason,
        });
        if max_output < wanted {
            bodies.push(EventBody::Downgraded {
                from: format!("max_output {wanted}"),
                to: format!("max_output {max_output}"),
                reason: "the budget leaves no more".to_owned(),
            });
        }
        bodies.extend(self.less);
        bodies.push(EventBody::Plan(Box::new(WireAttempt {
            attempt,
            provider,
            model,
            local,
            destination,
            max_output,
            hold_nano_usd,
            purpose: self.purpose,
            reason: self.reason,
            redactions: self.redactions,
            instead_of: self.instead_of,
            passed_over: self.passed_over,
        })));
        Ok(permitted)
    }
}
