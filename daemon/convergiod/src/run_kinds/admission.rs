//! One call's way to a permit: what its admission writes, and what a refusal means for the rest of
//! the plan.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use convergio_contract::{
    ErrorCode, EventBody, RpcError, Uuid,
    model::{Attempt as WireAttempt, InsteadOf},
    secret::KEY_VARIABLES,
};
use convergio_engine::{
    Admission, Admitted, Ask, Cause, Channel, Refusal, Route, RunLog, Settlement, Shown, Verdict,
    health::Outcome,
};
use convergio_ledger::{LedgerError, Now, SHOCK_FLOOR_NANO, expected_cost};
use convergio_models_api::{ModelRequest, Policy, ReasoningEffort};
use convergio_runs::NewEgress;
use convergio_store::Tx;
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit},
    time::timeout,
};

use super::{
    accounts::{Accounts, Attempt},
    calls::{Acceptance, Calls, Leg, Prepared, Sink, input_ceiling, tokens_at_least},
    confirm::{Expected, Said, confirm, hash_of, usual_output},
    outgoing::{Outgoing, holds_secrets, outgoing, refuses_secrets},
    record::{Books, WriteError, keeps},
};
use crate::{
    bus::flow,
    failure::internal,
    providers::{self, failure::ledger as ledger_error, health::Visit},
};

/// A picture counts as so much text where a cost is guessed: about 1,500 tokens.
const PICTURE_BYTES: u64 = 6_000;

/// A call waits this long for its turn at a provider that takes only so many at once.
const PLACE_WITHIN: Duration = Duration::from_secs(60);

/// One call's view of the run.
pub(super) struct Port<'a> {
    pub(super) calls: &'a Calls,
    pub(super) leg: &'a Leg,
    pub(super) request: ModelRequest,
    pub(super) purpose: String,
    pub(super) redactions: u32,
    /// Secrets are masked where it leaves this machine.
    pub(super) masks: bool,
    /// What leaves, made when it is first needed.
    pub(super) outgoing: OnceCell<Outgoing>,
    pub(super) show: bool,
    pub(super) sink: Option<Sink>,
    pub(super) acceptance: Mutex<Option<Acceptance>>,
    /// All of it stands in for another model.
    pub(super) instead_of: Option<InsteadOf>,
    /// The dearest ceiling that nobody doubts any more, nano-USD.
    pub(super) confirmed: AtomicI64,
    /// Its place at a provider that takes only so many calls at once.
    pub(super) place: Mutex<Option<OwnedSemaphorePermit>>,
    /// Tells how the provider is when the attempt ends.
    pub(super) visit: Mutex<Option<Visit<'a>>>,
}

fn stop(error: RpcError) -> Refusal<WriteError> {
    Refusal {
        verdict: Verdict::Stop,
        reason: String::new(),
        error: WriteError::Told(Box::new(error)),
    }
}

/// Why another model is asked where money is short.
pub(super) const NO_BUDGET: &str = "no budget is left";

/// What is spent must be in books that outlive the process.
fn uncounted() -> RpcError {
    RpcError::new(ErrorCode::StorageError, "nothing can be saved now")
        .why("a model that costs money is not asked without its books; nothing was sent")
        .hint("df -h")
}

/// The key's variable is none of those that every client sends, so it is worth asking for.
fn client_may_know(error: &RpcError) -> bool {
    let names = error.data.iter().flat_map(|data| &data.env_names);
    names
        .into_iter()
        .any(|name| !KEY_VARIABLES.contains(&name.as_str()))
}

/// Another route may be tried; `reason` says why this one is not.
fn elsewhere(error: WriteError, cause: Cause, reason: &str) -> Refusal<WriteError> {
    Refusal {
        verdict: Verdict::Next(cause),
        reason: reason.to_owned(),
        error,
    }
}

impl<'a> Port<'a> {
    fn acceptance(&self) -> MutexGuard<'_, Option<Acceptance>> {
        self.acceptance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn visit(&self) -> MutexGuard<'_, Option<Visit<'a>>> {
        self.visit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A route could not be made ready.
    fn not_ready(&self, ask: &Ask, error: RpcError) -> Refusal<WriteError> {
        // The client may have the first one's key; a fallback's is not worth a question.
        if ask.route == 0 && self.instead_of.is_none() && client_may_know(&error) {
            return stop(error);
        }
        elsewhere(WriteError::Told(Box::new(error)), Cause::Auth, "no key")
    }

    /// What this route's model may read, and how many secrets it does not.
    async fn may_read(&self, prepared: &Prepared) -> Result<Outgoing, RpcError> {
        if prepared.local || !self.masks {
            return Ok(Outgoing {
                request: self.request.clone(),
                redactions: self.redactions,
                places: Arc::default(),
            });
        }
        let masking = || {
            let redactor = self.calls.daemon.models.secrets.redactor();
            outgoing(self.request.clone(), redactor)
        };
        self.outgoing.get_or_try_init(masking).await.cloned()
    }

    /// Asks for a yes where the run is far dearer than usual, or a budget nearly spent. A program
    /// behind a token has its own cap, and nobody to ask.
    async fn confirm(&self, route: &Route, prepared: &Prepared) -> Result<(), RpcError> {
        let context = &self.calls.context;
        let (Some(sheet), Some(rates), None) = (&prepared.prices, &prepared.rates, &context.token)
        else {
            return Ok(());
        };
        let mut max_output = self.request.max_output;
        if let Some(most) = prepared
            .max_output
            .and_then(|most| u32::try_from(most).ok())
        {
            max_output = max_output.min(most);
        }
        let money = |error| ledger_error(&LedgerError::Money(error));
        let ceiling_nano = rates
            .hold(input_ceiling(&self.request), max_output)
            .map_err(money)?;
        if ceiling_nano <= self.confirmed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let pictures = self.request.images().saturating_mul(PICTURE_BYTES);
        let bytes = self.request.text_bytes().saturating_add(pictures);
        let expected_of = |usual| expected_cost(rates, bytes, max_output, usual).map_err(money);
        let mut expected_nano = expected_of(None)?;
        // Only the length of an answer is a guess, and only where it matters is it looked up.
        if ceiling_nano > SHOCK_FLOOR_NANO {
            let (provider, model) = (&route.target.provider, &route.target.model);
            let usual = usual_output(&self.calls.daemon, provider, model).await?;
            expected_nano = expected_of(usual)?;
        }
        let expected = Expected {
            model: route.target.to_string(),
            provider: route.target.provider.clone(),
            expected_nano,
            ceiling_nano,
            request_hash: hash_of(self.calls.run.request_hash.get())?,
            price_sha256: sheet.sha256(),
        };
        let said = Said {
            cost_token: context.cost_token,
            max_cost_nano: context.max_cost_nano,
            can_ask: context.can_ask,
        };
        confirm(&self.calls.daemon, &expected, said).await?;
        self.confirmed.store(ceiling_nano, Ordering::Relaxed);
        Ok(())
    }

    /// Writes the admission, and the run's acceptance with the first one.
    async fn enter(
        &self,
        ask: &Ask,
        route: &Route,
        prepared: &Arc<Prepared>,
        reads: Outgoing,
    ) -> Result<PermittedRequest, WriteError> {
        let entry = self.entry(ask, route, prepared, reads);
        let accept = self
            .acceptance()
            .as_ref()
            .map(|acceptance| Arc::clone(&acceptance.write));
        let recorder = &self.calls.recorder;
        match accept {
            Some(accept) => {
                let first = recorder.first(move |tx, bodies| {
                    accept(tx, &entry.books, bodies)?;
                    entry.write(tx, bodies)
                });
                first.await
            }
            None => {
                recorder
                    .write(move |tx, bodies| entry.write(tx, bodies))
                    .await
            }
        }
    }

    /// What this attempt stands in for.
    fn instead_of(&self, ask: &Ask) -> Option<InsteadOf> {
        let of_plan = ask.instead_of.as_ref().and_then(|instead| {
            let left = self.leg.plan.routes.get(instead.route)?;
            Some(InsteadOf {
                model: left.target.to_string(),
                why: instead.why.clone(),
            })
        });
        of_plan.or_else(|| self.instead_of.clone())
    }

    /// Says that a cheaper model is asked because of a budget.
    fn less(&self, ask: &Ask, route: &Route) -> Option<EventBody> {
        let by_budget = |instead: &convergio_engine::Instead| instead.cause == Cause::Budget;
        let of_plan = ask.instead_of.as_ref().is_some_and(by_budget);
        let instead = self.instead_of(ask)?;
        let of_all = self.instead_of.is_some() && instead.why == NO_BUDGET;
        (of_plan || of_all).then(|| EventBody::Downgraded {
            from: instead.model,
            to: route.target.to_string(),
            reason: instead.why,
        })
    }

    /// What admission writes, ready to be moved to the writer.
    fn entry(&self, ask: &Ask, route: &Route, prepared: &Arc<Prepared>, reads: Outgoing) -> Entry {
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
            instead_of: self.instead_of(ask),
            less: self.less(ask, route),
            accounts: Arc::clone(calls.recorder.accounts()),
        }
    }
}

/// One admission, with everything that it writes.
struct Entry {
    books: Books,
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
    /// It is asked because the other one costs too much.
    less: Option<EventBody>,
    accounts: Arc<Accounts>,
}

type PermittedRequest = convergio_models_api::Permitted<ModelRequest>;

impl Entry {
    /// Writes hold, dispatch and what leaves; the events that tell of it come behind `bodies`.
    fn write(
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
        let may_reason =
            self.prepared.reasons && self.request.reasoning != ReasoningEffort::Off;
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
            bytes,
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
        })));
        Ok(permitted)
    }
}

impl Admission for Port<'_> {
    type Error = WriteError;

    async fn admit(&self, ask: Ask) -> Result<Admitted, Refusal<WriteError>> {
        let calls = self.calls;
        let Some(route) = self.leg.plan.routes.get(ask.route) else {
            return Err(stop(internal("the plan has no such route", "")));
        };
        let getting_ready = async {
            let prepared = calls
                .prepare(self.leg, ask.route)
                .await
                .map_err(|error| self.not_ready(&ask, error))?;
            // Before anything is held: what waits for its turn holds no money.
            let place = Arc::clone(&prepared.places).acquire_owned();
            match timeout(PLACE_WITHIN, place).await {
                Ok(place) => Ok((prepared, place.ok())),
                Err(_) => {
                    let waited_ms = PLACE_WITHIN.as_millis();
                    let error = providers::failure::no_place(&route.target.provider, waited_ms);
                    let error = WriteError::Told(Box::new(error));
                    Err(elsewhere(error, Cause::Overload, "it had no free place"))
                }
            }
        };
        let prepared = tokio::select! {
            biased;
            prepared = getting_ready => prepared,
            // A place that keeps keys may take its time, and so may a turn.
            _ = calls.run.cancelled() => {
                return Err(Refusal {
                    verdict: Verdict::Stop,
                    reason: String::new(),
                    error: WriteError::Cancelled,
                });
            }
        };
        let (prepared, place) = prepared?;
        let tokens = tokens_at_least(&self.request);
        if let Some(context) = prepared.context.filter(|context| tokens > *context) {
            let error = providers::failure::too_long(&route.target.to_string(), tokens, context);
            let error = WriteError::Told(Box::new(error));
            return Err(elsewhere(
                error,
                Cause::Context,
                "the question is longer than it can read",
            ));
        }
        let budget = calls.context.settings.budget();
        if !prepared.local && budget.daily_nano_usd.is_none() && calls.context.can_ask {
            let cap = budget.effective_daily_nano_usd();
            let name = route.target.to_string();
            return Err(stop(providers::failure::confirm_cap(&name, cap)));
        }
        if !prepared.local && self.acceptance().is_some() {
            self.confirm(route, prepared).await.map_err(stop)?;
        }
        if !prepared.local && !keeps(calls.daemon.runs().store()) {
            return Err(stop(uncounted()));
        }
        let visit = match prepared.local {
            // What runs here is back as soon as somebody starts it.
            true => None,
            false => match calls
                .daemon
                .models
                .breakers
                .enter(&route.target, &calls.context.settings)
            {
                Ok(visit) => Some(visit),
                Err(cooling) => {
                    let cause = Cause::of(cooling.class).unwrap_or(Cause::Unusable);
                    let error = providers::failure::cooling(&route.target.to_string(), &cooling);
                    let error = WriteError::Told(Box::new(error));
                    return Err(elsewhere(error, cause, "it is left alone for now"));
                }
            },
        };
        let reads = self.may_read(prepared).await.map_err(stop)?;
        let refuses = !prepared.local && refuses_secrets(&calls.context.settings);
        if refuses && reads.redactions > 0 {
            let what = if self.masks {
                "the question"
            } else {
                &self.purpose
            };
            let error = holds_secrets(what, reads.redactions, &reads.places);
            let error = WriteError::Told(Box::new(error));
            return Err(elsewhere(
                error,
                Cause::Unusable,
                "no other machine may read its secrets",
            ));
        }
        let mut written = self.enter(&ask, route, prepared, reads.clone()).await;
        if let Err(error) = &written
            && error.goes_on_unsaved()
            && prepared.local
            && self.acceptance().is_some()
        {
            // Nothing is spent and nothing leaves: a full disk costs only the saving.
            tracing::warn!(run = %calls.run.id, "the run is not saved");
            let books = calls.daemon.unsaved_books().await.map_err(stop)?;
            calls.recorder.keep_in_memory(books);
            written = self.enter(&ask, route, prepared, reads).await;
        }
        match written {
            Ok(request) => {
                if let Some(acceptance) = self.acceptance().take() {
                    (acceptance.written)();
                }
                *self.place() = place;
                *self.visit() = visit;
                Ok(Admitted {
                    request,
                    provider: Arc::clone(&prepared.provider),
                })
            }
            Err(error) => Err(match &error {
                WriteError::Denied(convergio_ledger::Denied::Policy { .. }) => {
                    elsewhere(error, Cause::Unusable, "not allowed by the policy")
                }
                WriteError::Denied(convergio_ledger::Denied::PriceUnknown { .. }) => {
                    elsewhere(error, Cause::Unusable, "its price is unknown")
                }
                WriteError::Denied(convergio_ledger::Denied::Budget(_)) => {
                    elsewhere(error, Cause::Budget, NO_BUDGET)
                }
                _ => Refusal {
                    verdict: Verdict::Stop,
                    reason: String::new(),
                    error,
                },
            }),
        }
    }
}

impl RunLog for Port<'_> {
    fn show(&self, shown: Shown) {
        if let Some(sink) = &self.sink {
            sink(&shown);
        }
        if !self.show {
            return;
        }
        let Shown::Piece {
            channel,
            part,
            text,
        } = shown
        else {
            return;
        };
        let channel = match channel {
            Channel::Text => flow::Channel::Text,
            Channel::Reasoning => flow::Channel::Reasoning,
        };
        self.calls.run.show(channel, part, &text);
    }

    fn ended(&self, settlement: Settlement) {
        if let Some(visit) = self.visit().take() {
            visit.ended(match settlement.stop {
                _ if settlement.cancelled => Outcome::Unknown,
                Ok(_) => Outcome::Answered,
                Err(class) => Outcome::Failed {
                    class,
                    retry_after_ms: settlement.retry_after_ms,
                },
            });
        }
        self.calls.recorder.accounts().ended(settlement);
        // The next one's turn.
        self.place().take();
    }

    async fn settle(&self) {
        if let Err(error) = self.calls.recorder.append(Vec::new()).await {
            tracing::warn!(%error, run = %self.calls.run.id, "an attempt is settled later");
        }
    }
}
