//! A run's calls of models: the engine's admission and log over ledger, store and providers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicI64},
    time::Instant,
};

use convergio_config::{Settings, secrets::Found};
use convergio_contract::{EventBody, RpcError, Uuid, model::InsteadOf, secret::SecretText};
use convergio_engine::{Cause, Failure, Limits, Plan, Route, Shown, machine::words};
use convergio_ledger::{Denied, PriceSheet, Rates};
use convergio_models_api::{ErrorClass, ModelRequest, Policy, Provider, StopReason, ToolCall};
use convergio_models_remote::{Kind, Remote};
use convergio_runs::NewAnswer;
use convergio_store::Tx;
use tokio::sync::{OnceCell, Semaphore};

use super::{
    admission::{NO_BUDGET, Port},
    record::{Books, Recorder, WriteError},
};
use crate::{
    bus::run::LiveRun,
    daemon::Daemon,
    failure::internal,
    providers::{self, Configured, routes::What},
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
    /// The name of the gateway's token that it came in with.
    pub(crate) token: Option<String>,
    /// The conversation.
    pub(crate) session_id: Option<Uuid>,
    /// What the whole run may cost.
    pub(crate) max_cost_nano: Option<i64>,
    /// A person's yes to what it costs.
    pub(crate) cost_token: Option<Uuid>,
    /// The client's own keys, for this run only.
    pub(crate) keys: BTreeMap<String, SecretText>,
    /// The settings as they were when the run began.
    pub(crate) settings: Settings,
    /// A person can be asked.
    pub(crate) can_ask: bool,
    /// Nobody named a model for this run: one that runs here may stand in where the others cost
    /// too much or cannot be reached.
    pub(crate) may_stay_here: bool,
}

/// Takes everything that is shown of an answer, while it comes. Never waits.
pub(crate) type Sink = Arc<dyn Fn(&Shown) + Send + Sync>;

/// Accepts a run inside of a transaction, and says which events it begins with.
pub(crate) type Accept =
    dyn Fn(&Tx<'_>, &Books, &mut Vec<EventBody>) -> Result<(), WriteError> + Send + Sync;

/// The run's acceptance, written in the same commit as its first admission.
pub(crate) struct Acceptance {
    /// Accepts the run and says which events it begins with. Asked again for another route where
    /// the first one was refused, which undid it.
    pub(crate) write: Arc<Accept>,
    /// Called once, when it is written.
    pub(crate) written: Box<dyn FnOnce() + Send + Sync>,
}

/// One logical call.
pub(crate) struct Wanted {
    /// What is asked; provider and model come from the plan.
    pub(crate) request: ModelRequest,
    /// What for: `answer`, `chunk 3 of 7`.
    pub(crate) purpose: String,
    /// Secrets that were masked in it before.
    pub(crate) redactions: u32,
    /// It is a person's own text, whose secrets are masked where it leaves this machine.
    pub(crate) masks: bool,
    /// Its text is shown to the run's readers while it comes.
    pub(crate) show: bool,
    /// Takes all of it as well: text, tools, usage.
    pub(crate) sink: Option<Sink>,
    /// A kept answer may be given, and this one is kept.
    pub(crate) cache: bool,
    /// Told before anything of a kept answer is shown.
    pub(crate) kept: Option<Arc<dyn Fn() + Send + Sync>>,
    /// What it begins with is likely to be sent again within minutes: its provider is asked to keep
    /// the prompt, where it keeps prompts only when asked.
    pub(crate) recurs: bool,
    /// The run is accepted with this call's first admission.
    pub(crate) acceptance: Option<Acceptance>,
}

/// A whole answer.
pub(crate) struct Answer {
    /// The text, in parts.
    pub(crate) parts: Vec<String>,
    /// The tools that the model wants, whole, in the order in which it began to call them.
    pub(crate) tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub(crate) stop: StopReason,
    /// Who answered.
    pub(crate) route: Route,
    /// When its first text came.
    pub(crate) first_token: Option<Instant>,
    /// It is a kept one, given again.
    pub(crate) cached: bool,
    /// Kept with the run's end.
    pub(crate) keep: Option<NewAnswer>,
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
    /// What kind of error the provider's is.
    pub(crate) class: Option<ErrorClass>,
    /// Somebody ended the run.
    pub(crate) cancelled: bool,
    /// Who was answering.
    pub(crate) route: Option<Route>,
    /// A model on this machine may do better, and why.
    pub(super) stays_here: Option<String>,
}

/// What one route needs, made when it is first tried.
pub(super) struct Prepared {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) local: bool,
    pub(super) prices: Option<PriceSheet>,
    pub(super) rates: Option<Rates>,
    pub(super) max_output: Option<u64>,
    pub(super) context: Option<u64>,
    /// Its provider keeps prompts where they are marked for it.
    pub(super) keeps_marked: bool,
    /// It may reason where nobody sees it.
    pub(super) reasons: bool,
    /// The provider takes only so many calls at once.
    pub(super) places: Arc<Semaphore>,
    /// Keeps the key known to the redactor while the run lives.
    _key: Option<Found>,
}

/// The calls of one run.
pub(crate) struct Calls {
    pub(super) daemon: Arc<Daemon>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) run: Arc<LiveRun>,
    pub(super) context: CallContext,
    leg: Leg,
    /// What runs here, for when nothing of the plan answers.
    here: OnceCell<Option<Leg>>,
}

/// Ways to an answer, each made ready when it is first tried.
pub(super) struct Leg {
    pub(super) plan: Plan,
    prepared: Vec<OnceCell<Arc<Prepared>>>,
}

impl Leg {
    fn new(plan: Plan) -> Self {
        let prepared = plan.routes.iter().map(|_| OnceCell::new()).collect();
        Self { plan, prepared }
    }
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
        Self {
            daemon,
            recorder,
            run,
            context,
            leg: Leg::new(plan),
            here: OnceCell::new(),
        }
    }

    /// Gets one answer. Many may be asked for at once. Ends when the run is cancelled; dropping
    /// the future ends it as well, and what is owed is settled with the run's next commit.
    pub(crate) async fn ask(&self, mut wanted: Wanted) -> Result<Answer, CallFailed> {
        let what = What::of(&wanted.request);
        let mut acceptance = wanted.acceptance.take();
        if wanted.cache
            && let Some(again) = self.again(&wanted, &mut acceptance).await
        {
            return again.map_err(|error| CallFailed {
                cancelled: matches!(error, WriteError::Cancelled),
                error,
                parts: Vec::new(),
                class: None,
                route: None,
                stays_here: None,
            });
        }
        let first_choice = self.leg.plan.first_choice.as_ref();
        let instead = first_choice.map(|left| InsteadOf {
            model: left.target.to_string(),
            why: left.why.to_string(),
        });
        let failed = match self
            .along(&self.leg, &wanted, &mut acceptance, instead)
            .await
        {
            Ok(mut answer) => {
                if wanted.cache {
                    answer.keep = self.to_keep(&wanted, &answer).await;
                }
                return Ok(answer);
            }
            Err(failed) => failed,
        };
        let Some(why) = failed.stays_here.clone() else {
            return Err(failed);
        };
        let Some(leg) = self.here(&what).await else {
            return Err(failed);
        };
        let route = failed.route.as_ref().or(self.leg.plan.routes.first());
        let instead = route.map(|route| InsteadOf {
            model: route.target.to_string(),
            why,
        });
        match self.along(leg, &wanted, &mut acceptance, instead).await {
            Ok(answer) => Ok(answer),
            // What came first is what the person needs to know, unless this one had begun.
            Err(later) if later.cancelled || !later.parts.is_empty() => Err(later),
            Err(_) => Err(failed),
        }
    }

    /// The policy that the run was planned under.
    pub(super) fn policy(&self) -> Policy {
        self.leg.plan.policy
    }

    /// Who is asked first.
    pub(super) fn first_route(&self) -> Option<&Route> {
        self.leg.plan.routes.first()
    }

    /// What runs on this machine, where it may stand in.
    async fn here(&self, what: &What) -> Option<&Leg> {
        let local = |route: &Route| route.local;
        if !self.context.may_stay_here || self.leg.plan.routes.iter().any(local) {
            return None;
        }
        let look = || async {
            let plan = self.daemon.plan_here(&self.context.settings, what).await;
            plan.map(Leg::new)
        };
        self.here.get_or_init(look).await.as_ref()
    }

    async fn along(
        &self,
        leg: &Leg,
        wanted: &Wanted,
        acceptance: &mut Option<Acceptance>,
        instead_of: Option<InsteadOf>,
    ) -> Result<Answer, CallFailed> {
        let port = Port {
            calls: self,
            leg,
            request: wanted.request.clone(),
            purpose: wanted.purpose.clone(),
            redactions: wanted.redactions,
            masks: wanted.masks,
            recurs: wanted.recurs,
            outgoing: OnceCell::new(),
            show: wanted.show,
            sink: wanted.sink.clone(),
            acceptance: Mutex::new(acceptance.take()),
            instead_of: Mutex::new(instead_of),
            confirmed: AtomicI64::new(-1),
            place: Mutex::new(None),
            visit: Mutex::new(None),
        };
        let cancelled = async {
            self.run.cancelled().await;
        };
        let limits = Limits::default();
        let asked = convergio_engine::ask(&leg.plan, limits, &port, &port, jitter, cancelled);
        let broken = match Box::pin(asked).await {
            Ok(answer) => {
                return Ok(Answer {
                    route: leg.plan.routes[answer.route].clone(),
                    parts: answer.parts,
                    tool_calls: answer.tool_calls,
                    stop: answer.stop,
                    first_token: answer.first_token,
                    cached: false,
                    keep: None,
                });
            }
            Err(broken) => broken,
        };
        *acceptance = port
            .acceptance
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let route = leg.plan.routes.get(broken.route).cloned();
        let name = route.as_ref().map(|route| route.target.to_string());
        let (mut cancelled, mut stays_here, mut class) = (false, None, None);
        let error = match broken.failure {
            Failure::Refused(error) => {
                cancelled = matches!(error, WriteError::Cancelled);
                if matches!(&error, WriteError::Denied(Denied::Budget(_))) {
                    stays_here = Some(NO_BUDGET.to_owned());
                }
                error
            }
            Failure::Model { error, .. } => {
                class = Some(error.class);
                if error.class == ErrorClass::Auth
                    && let Ok(key) = convergio_config::secrets::KeyName::new(&error.provider)
                {
                    // Somebody may have changed it since.
                    self.daemon.models.secrets.forget(&key);
                }
                let nobody_there =
                    error.class.nothing_sent() && Cause::of(error.class) == Some(Cause::Network);
                if nobody_there && broken.first_token.is_none() {
                    stays_here = Some(words(error.class).to_owned());
                }
                let mut error = error;
                if nobody_there && self.daemon.models.breakers.is_offline() {
                    error
                        .message
                        .push_str("; nobody else was reached either: this machine seems offline");
                }
                let told = providers::failure::model(&error, &name.unwrap_or_default());
                WriteError::Told(Box::new(self.redacted(told)))
            }
            Failure::Cancelled => {
                cancelled = true;
                WriteError::Cancelled
            }
        };
        Err(CallFailed {
            error,
            parts: broken.parts,
            class,
            cancelled,
            route,
            stays_here,
        })
    }

    /// The database that the run is in.
    pub(super) fn books(&self) -> Books {
        self.recorder.unsaved().cloned().unwrap_or_else(|| Books {
            runs: self.recorder.runs().clone(),
            profile_id: self.daemon.profile_id(),
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

    pub(super) async fn prepare<'a>(
        &self,
        leg: &'a Leg,
        route: usize,
    ) -> Result<&'a Arc<Prepared>, RpcError> {
        let (Some(wanted), Some(cell)) = (leg.plan.routes.get(route), leg.prepared.get(route))
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
        // The other dialects keep prompts by themselves, or not at all.
        let keeps_marked =
            endpoint.kind == Kind::Anthropic && facts.capabilities.is_some_and(|known| known.cache);
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
            context: facts.context,
            keeps_marked,
            reasons: configured.may_reason(&target.model),
            places: self.daemon.models.places(&configured),
            _key: key,
        }))
    }
}

/// A number from 0 to 1; its only use is that two who wait don't come back at the same instant.
fn jitter() -> f64 {
    let bytes = Uuid::now_v7().into_bytes();
    f64::from(u16::from_le_bytes([bytes[14], bytes[15]])) / f64::from(u16::MAX)
}

/// Tokens of the input at least: no tokenizer in use joins words.
pub(crate) fn tokens_at_least(request: &ModelRequest) -> u64 {
    let words = |text: &str| text.split_whitespace().count() as u64;
    let texts = request.parts().map(|part| match part {
        convergio_models_api::Part::Text { text } => words(text),
        _ => 0,
    });
    texts.sum::<u64>() + request.system.as_deref().map_or(0, words)
}

/// Tokens of the input at most: each is at least a byte, a picture has its own bound, and the
/// dialect adds a few.
pub(crate) fn input_ceiling(request: &ModelRequest) -> u64 {
    let messages = request.messages.len() as u64;
    let schema = request.output_schema.as_ref().map_or(0, |_| SCHEMA_TOKENS);
    let tools = if request.tools.is_empty() {
        0
    } else {
        SCHEMA_TOKENS + request.tools.len() as u64 * MESSAGE_TOKENS
    };
    let images = request
        .images()
        .saturating_mul(convergio_models_api::IMAGE_TOKENS_MAX);
    request
        .text_bytes()
        .saturating_add(REQUEST_TOKENS + messages * MESSAGE_TOKENS + schema + tools)
        .saturating_add(images)
}
