//! One call's way to a permit: what its admission writes, and what a refusal means for the rest of
//! the plan.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use convergio_contract::{ErrorCode, RpcError, model::InsteadOf, secret::KEY_VARIABLES};
use convergio_engine::{
    Admission, Admitted, Ask, Cause, Channel, Refusal, Route, RunLog, Settlement, Shown, Unfit,
    Verdict, health::Outcome,
};
use convergio_ledger::{LedgerError, SHOCK_FLOOR_NANO};
use convergio_models_api::ModelRequest;
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit},
    time::timeout,
};

use super::{
    calls::{Acceptance, Calls, Leg, Prepared, Sink, input_ceiling, tokens_at_least},
    confirm::{Expected, Said, confirm, hash_of, likely, usual_output},
    entry::PermittedRequest,
    outgoing::{Outgoing, holds_secrets, outgoing, refuses_secrets},
    record::{WriteError, keeps},
};
use crate::{
    bus::flow,
    failure::internal,
    providers::{self, failure::ledger as ledger_error, health::Visit},
};

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
    /// What it begins with is likely to be sent again.
    pub(super) recurs: bool,
    /// What leaves, made when it is first needed.
    pub(super) outgoing: OnceCell<Outgoing>,
    pub(super) show: bool,
    pub(super) sink: Option<Sink>,
    pub(super) acceptance: Mutex<Option<Acceptance>>,
    /// All of it stands in for another model; told with the first attempt.
    pub(super) instead_of: Mutex<Option<InsteadOf>>,
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

    pub(super) fn stands_in(&self) -> MutexGuard<'_, Option<InsteadOf>> {
        self.instead_of
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
        if ask.route == 0 && self.stands_in().is_none() && client_may_know(&error) {
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
        // Only the length of an answer is a guess, and only where it matters is it looked up.
        let usual = match context.can_ask || ceiling_nano > SHOCK_FLOOR_NANO {
            true => usual_output(&self.calls.daemon, &route.target).await?,
            false => None,
        };
        let expected_nano = likely(rates, &self.request, max_output, usual)?;
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
                    let why = Unfit::Cooling(cooling).to_string();
                    return Err(elsewhere(error, cause, &why));
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
                self.stands_in().take();
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
