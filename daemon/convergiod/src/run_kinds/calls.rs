//! A run's calls of models: the engine's admission and log over ledger, store and providers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use convergio_config::{Settings, secrets::Found};
use convergio_contract::{
    ErrorCode, EventBody, RpcError, Uuid, model::Attempt as WireAttempt, secret::SecretText,
};
use convergio_engine::{
    Admission, Admitted, Ask, Channel, Failure, Limits, Plan, Refusal, Route, RunLog, Settlement,
    Shown, Verdict,
};
use convergio_ledger::{Now, PriceSheet, Rates};
use convergio_models_api::{ModelRequest, Policy, Provider, StopReason};
use convergio_models_remote::Remote;
use convergio_runs::NewEgress;
use convergio_store::Tx;
use tokio::sync::OnceCell;

use super::{
    accounts::Attempt,
    record::{Recorder, WriteError},
};
use crate::{
    bus::{flow, run::LiveRun},
    daemon::Daemon,
    failure::internal,
    providers::{self, Configured},
};

/// Tokens that a dialect adds to a request beside its text, and to each of its messages.
const REQUEST_TOKENS: u64 = 64;
const MESSAGE_TOKENS: u64 = 16;
/// What asking for JSON through a tool adds.
const SCHEMA_TOKENS: u64 = 1_024;

/// What all calls of a run have in common.
pub(crate) struct CallContext {
    /// The client's folder.
    pub(crate) root: String,
    /// The client's name.
    pub(crate) client: Option<String>,
    /// The conversation.
    pub(crate) session_id: Option<Uuid>,
    /// What the whole run may cost.
    pub(crate) max_cost_nano: Option<i64>,
    /// The client's own keys, for this run only.
    pub(crate) keys: BTreeMap<String, SecretText>,
    /// The settings as they were when the run began.
    pub(crate) settings: Settings,
    /// A person can be asked.
    pub(crate) can_ask: bool,
}

/// Accepts a run inside of a transaction, and says which events it begins with.
pub(crate) type Accept =
    dyn Fn(&Tx<'_>, &mut Vec<EventBody>) -> Result<(), WriteError> + Send + Sync;

/// The run's acceptance, written in the same commit as its first admission.
pub(crate) struct Acceptance {
    /// Accepts the run and says which events it begins with. Asked again for another route where
    /// the first one was refused, which undid it.
    pub(crate) write: Arc<Accept>,
    /// Called once, when it is written.
    pub(crate) written: Box<dyn FnOnce() + Send>,
}

/// One logical call.
pub(crate) struct Wanted {
    /// What is asked; provider and model come from the plan.
    pub(crate) request: ModelRequest,
    /// What for: `answer`, `chunk 3 of 7`.
    pub(crate) purpose: String,
    /// Secrets that were masked in it.
    pub(crate) redactions: u32,
    /// Its text is shown to the run's readers while it comes.
    pub(crate) show: bool,
    /// The run is accepted with this call's first admission.
    pub(crate) acceptance: Option<Acceptance>,
}

/// A whole answer.
pub(crate) struct Answer {
    /// The text, in parts.
    pub(crate) parts: Vec<String>,
    /// Why it ended.
    pub(crate) stop: StopReason,
    /// Who answered.
    pub(crate) route: Route,
    /// When its first text came.
    pub(crate) first_token: Option<Instant>,
}

impl Answer {
    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.parts.concat()
    }
}

/// No whole answer.
pub(crate) struct CallFailed {
    /// Why; as it travels.
    pub(crate) error: WriteError,
    /// What came of it.
    pub(crate) parts: Vec<String>,
    /// Somebody ended the run.
    pub(crate) cancelled: bool,
    /// Who was answering.
    pub(crate) route: Option<Route>,
}

/// What one route needs, made when it is first tried.
struct Prepared {
    provider: Arc<dyn Provider>,
    local: bool,
    prices: Option<PriceSheet>,
    rates: Option<Rates>,
    max_output: Option<u64>,
    /// Keeps the key known to the redactor while the run lives.
    _key: Option<Found>,
}

/// The calls of one run.
pub(crate) struct Calls {
    daemon: Arc<Daemon>,
    recorder: Arc<Recorder>,
    run: Arc<LiveRun>,
    context: CallContext,
    plan: Plan,
    prepared: Vec<OnceCell<Arc<Prepared>>>,
}

impl Calls {
    pub(crate) fn new(
        daemon: Arc<Daemon>,
        recorder: Arc<Recorder>,
        run: Arc<LiveRun>,
        context: CallContext,
        plan: Plan,
    ) -> Self {
        let chosen = context.settings.budget().daily_nano_usd.is_some();
        recorder.accounts().cap_was_chosen(chosen);
        let prepared = plan.routes.iter().map(|_| OnceCell::new()).collect();
        Self {
            daemon,
            recorder,
            run,
            context,
            plan,
            prepared,
        }
    }

    /// The ways to an answer.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gets one answer. Many may be asked for at once. Ends when the run is cancelled; dropping
    /// the future ends it as well, and what is owed is settled with the run's next commit.
    pub(crate) async fn ask(&self, wanted: Wanted) -> Result<Answer, CallFailed> {
        let port = Port {
            calls: self,
            request: wanted.request,
            purpose: wanted.purpose,
            redactions: wanted.redactions,
            show: wanted.show,
            acceptance: Mutex::new(wanted.acceptance),
        };
        let cancelled = async {
            self.run.cancelled().await;
        };
        let asked = convergio_engine::ask(
            &self.plan,
            Limits::default(),
            &port,
            &port,
            jitter,
            cancelled,
        );
        let broken = match Box::pin(asked).await {
            Ok(answer) => {
                return Ok(Answer {
                    route: self.plan.routes[answer.route].clone(),
                    parts: answer.parts,
                    stop: answer.stop,
                    first_token: answer.first_token,
                });
            }
            Err(broken) => broken,
        };
        let route = self.plan.routes.get(broken.route).cloned();
        let name = route.as_ref().map(|route| route.target.to_string());
        let mut cancelled = false;
        let error = match broken.failure {
            Failure::Refused(error) => error,
            Failure::Model { error, .. } => {
                if error.class == convergio_models_api::ErrorClass::Auth
                    && let Ok(key) = convergio_config::secrets::KeyName::new(&error.provider)
                {
                    // Somebody may have changed it since.
                    self.daemon.models.secrets.forget(&key);
                }
                let told = providers::failure::model(&error, &name.unwrap_or_default());
                WriteError::Told(Box::new(self.redacted(told)))
            }
            Failure::Cancelled => {
                cancelled = true;
                let told = RpcError::new(ErrorCode::Cancelled, "the run was cancelled");
                WriteError::Told(Box::new(told))
            }
        };
        Err(CallFailed {
            error,
            parts: broken.parts,
            cancelled,
            route,
        })
    }

    /// Without any key that a provider may have repeated.
    fn redacted(&self, mut error: RpcError) -> RpcError {
        let redactor = self.daemon.models.secrets.redactor();
        error.message = redactor.redact(&error.message).into_owned();
        if let Some(data) = &mut error.data
            && let Some(why) = &mut data.why
        {
            *why = redactor.redact(why).into_owned();
        }
        error
    }

    async fn prepare(&self, route: usize) -> Result<&Arc<Prepared>, RpcError> {
        let (Some(wanted), Some(cell)) = (self.plan.routes.get(route), self.prepared.get(route))
        else {
            return Err(internal("the plan has no such route", route.to_string()));
        };
        cell.get_or_try_init(|| self.make(wanted)).await
    }

    async fn make(&self, route: &Route) -> Result<Arc<Prepared>, RpcError> {
        let (settings, target) = (&self.context.settings, &route.target);
        let configured: Configured = self.daemon.provider(settings, &target.provider)?;
        let key = self
            .daemon
            .models
            .key(&configured, &self.context.keys, settings.secrets_file())
            .await?;
        let secret = key.as_ref().map(|found| found.secret().clone());
        let endpoint = configured.endpoint(secret)?;
        let local = endpoint.is_local_model(&target.model);
        let facts = configured.facts(&target.model);
        let rates = facts
            .prices
            .as_ref()
            .and_then(|sheet| Rates::from_sheet(sheet, &target.provider, &target.model));
        let remote = Remote::new(endpoint, self.daemon.models.egress.clone())
            .map_err(|error| internal("the provider cannot be asked", error.to_string()))?;
        Ok(Arc::new(Prepared {
            provider: Arc::new(remote),
            local,
            prices: facts.prices,
            rates,
            max_output: facts.max_output,
            _key: key,
        }))
    }
}

/// A number from 0 to 1; its only use is that two who wait don't come back at the same instant.
fn jitter() -> f64 {
    let bytes = Uuid::now_v7().into_bytes();
    f64::from(u16::from_le_bytes([bytes[14], bytes[15]])) / f64::from(u16::MAX)
}

/// Tokens of the input at most: each is at least a byte, and the dialect adds a few.
pub(crate) fn input_ceiling(request: &ModelRequest) -> u64 {
    let messages = request.messages.len() as u64;
    let schema = request.output_schema.as_ref().map_or(0, |_| SCHEMA_TOKENS);
    request
        .text_bytes()
        .saturating_add(REQUEST_TOKENS + messages * MESSAGE_TOKENS + schema)
}

/// One call's view of the run.
struct Port<'a> {
    calls: &'a Calls,
    request: ModelRequest,
    purpose: String,
    redactions: u32,
    show: bool,
    acceptance: Mutex<Option<Acceptance>>,
}

fn stop(error: RpcError) -> Refusal<WriteError> {
    Refusal {
        verdict: Verdict::Stop,
        reason: String::new(),
        error: WriteError::Told(Box::new(error)),
    }
}

/// Another route may be tried; `reason` says why this one is not.
fn elsewhere(error: WriteError, reason: &str) -> Refusal<WriteError> {
    Refusal {
        verdict: Verdict::NextRoute,
        reason: reason.to_owned(),
        error,
    }
}

impl Port<'_> {
    fn acceptance(&self) -> std::sync::MutexGuard<'_, Option<Acceptance>> {
        self.acceptance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What admission writes, ready to be moved to the writer.
    fn entry(&self, ask: &Ask, route: &Route, prepared: &Arc<Prepared>) -> Entry {
        let calls = self.calls;
        let mut request = self.request.clone();
        request.provider.clone_from(&route.target.provider);
        request.model.clone_from(&route.target.model);
        if let Some(max) = prepared.max_output.and_then(|max| u32::try_from(max).ok()) {
            request.max_output = request.max_output.min(max);
        }
        Entry {
            runs: calls.recorder.runs().clone(),
            profile_id: calls.daemon.profile_id(),
            run_id: calls.run.id,
            session_id: calls.context.session_id,
            policy: calls.plan.policy,
            request,
            prepared: Arc::clone(prepared),
            daily: calls.context.settings.budget().effective_daily_nano_usd(),
            zone: calls.daemon.models.zone.clone(),
            max_cost_nano: calls.context.max_cost_nano,
            client: calls.context.client.clone(),
            root: calls.context.root.clone(),
            purpose: self.purpose.clone(),
            redactions: self.redactions,
            reason: ask.reason.clone(),
            accounts: Arc::clone(calls.recorder.accounts()),
        }
    }
}

/// One admission, with everything that it writes.
struct Entry {
    runs: convergio_runs::Runs,
    profile_id: Uuid,
    run_id: Uuid,
    session_id: Option<Uuid>,
    policy: Policy,
    request: ModelRequest,
    prepared: Arc<Prepared>,
    daily: i64,
    zone: String,
    max_cost_nano: Option<i64>,
    client: Option<String>,
    root: String,
    purpose: String,
    redactions: u32,
    reason: String,
    accounts: Arc<super::accounts::Accounts>,
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
        let tenant = self.runs.tenant();
        let local = self.prepared.local;
        let prices = match &self.prepared.prices {
            Some(sheet) if !local => {
                convergio_ledger::set_day_budget(tx, tenant.id(), self.daily, &self.zone, now)?;
                Some(convergio_ledger::pin(tx, tenant.id(), sheet, now)?)
            }
            _ => None,
        };
        let (wanted, ceiling) = (self.request.max_output, input_ceiling(&self.request));
        let (provider, model) = (self.request.provider.clone(), self.request.model.clone());
        let destination = self.prepared.provider.destination();
        let egress_id = Uuid::now_v7();
        let admission = convergio_ledger::Admission {
            tenant_id: tenant.id(),
            profile_id: self.profile_id,
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
        });
        if max_output < wanted {
            bodies.push(EventBody::Downgraded {
                from: format!("max_output {wanted}"),
                to: format!("max_output {max_output}"),
                reason: "the budget leaves no more".to_owned(),
            });
        }
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
        })));
        Ok(permitted)
    }
}

impl Admission for Port<'_> {
    type Error = WriteError;

    async fn admit(&self, ask: Ask) -> Result<Admitted, Refusal<WriteError>> {
        let calls = self.calls;
        let prepared = match calls.prepare(ask.route).await {
            Ok(prepared) => prepared,
            // The client may have the first one's key; a fallback's is not worth a question.
            Err(error) if ask.route == 0 => return Err(stop(error)),
            Err(error) => {
                return Err(elsewhere(WriteError::Told(Box::new(error)), "no key"));
            }
        };
        let Some(route) = calls.plan.routes.get(ask.route) else {
            return Err(stop(internal("the plan has no such route", "")));
        };
        let budget = calls.context.settings.budget();
        if !prepared.local && budget.daily_nano_usd.is_none() && calls.context.can_ask {
            let cap = budget.effective_daily_nano_usd();
            let name = route.target.to_string();
            return Err(stop(providers::failure::confirm_cap(&name, cap)));
        }
        let entry = self.entry(&ask, route, prepared);
        let accept = self
            .acceptance()
            .as_ref()
            .map(|acceptance| Arc::clone(&acceptance.write));
        let written = match accept {
            Some(accept) => {
                let first = calls.recorder.first(move |tx, bodies| {
                    accept(tx, bodies)?;
                    entry.write(tx, bodies)
                });
                first.await
            }
            None => {
                calls
                    .recorder
                    .write(move |tx, bodies| entry.write(tx, bodies))
                    .await
            }
        };
        match written {
            Ok(request) => {
                if let Some(acceptance) = self.acceptance().take() {
                    (acceptance.written)();
                }
                Ok(Admitted {
                    request,
                    provider: Arc::clone(&prepared.provider),
                })
            }
            Err(error) => Err(match &error {
                WriteError::Denied(convergio_ledger::Denied::Policy { .. }) => {
                    elsewhere(error, "not allowed by the policy")
                }
                WriteError::Denied(convergio_ledger::Denied::PriceUnknown { .. }) => {
                    elsewhere(error, "its price is unknown")
                }
                WriteError::Denied(convergio_ledger::Denied::Budget(_)) => {
                    elsewhere(error, "no budget is left")
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
        if !self.show {
            return;
        }
        let channel = match shown.channel {
            Channel::Text => flow::Channel::Text,
            Channel::Reasoning => flow::Channel::Reasoning,
        };
        self.calls.run.show(channel, shown.part, &shown.text);
    }

    fn ended(&self, settlement: Settlement) {
        self.calls.recorder.accounts().ended(settlement);
    }

    async fn settle(&self) {
        if let Err(error) = self.calls.recorder.append(Vec::new()).await {
            tracing::warn!(%error, run = %self.calls.run.id, "an attempt is settled later");
        }
    }
}
