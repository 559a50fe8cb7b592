//! Questions.

use std::sync::Arc;

use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    chat::{
        Input, InputKind, RunPreview, RunResume, RunResumeParams, RunStart, RunStartParams,
        SessionUse,
    },
    model::Preview,
    run::{RunAccepted, RunInfo, RunState},
};
use convergio_ledger::{Now, Rates};
use convergio_models_remote::Remote;
use convergio_runs::{MessageRole, RunKind, RunsError};
use tokio::sync::oneshot;

use super::{absolute, runs_error};
use crate::{
    bus::{live::Registered, run::LiveRun},
    daemon::{Daemon, Phase, now_ms},
    dispatch::{Call, Handle},
    failure,
    providers::{self, routes},
    run_kinds::{
        calls::input_ceiling,
        chat::{self, Asked},
        confirm::{likely, usual_output},
        outgoing::{holds_secrets, outgoing, refuses_secrets},
        question, request,
    },
};

/// Bytes of a schema that an answer must fit.
const SCHEMA_MAX_BYTES: usize = 256 * 1024;
/// Characters of the question that a list of runs shows.
const SELECTION_CHARS: usize = 80;

impl Daemon {
    pub(super) fn check_question(&self, params: &RunStartParams) -> Result<(), RpcError> {
        request::run_id_v7(params.run_id)?;
        absolute(&params.root)?;
        if params.options.max_output == Some(0) {
            return Err(failure::invalid("`max_output` takes at least 1"));
        }
        if params
            .options
            .max_cost_nano_usd
            .is_some_and(|cost| cost < 0)
        {
            return Err(failure::invalid(
                "`max_cost_nano_usd` takes no negative amount",
            ));
        }
        if let Some(schema) = &params.output_schema {
            let size = schema.to_string().len();
            if !schema.is_object() || size > SCHEMA_MAX_BYTES {
                return Err(failure::invalid(format!(
                    "`output_schema` takes an object of at most {SCHEMA_MAX_BYTES} bytes"
                )));
            }
        }
        Ok(())
    }

    fn takes_runs(&self) -> Result<(), RpcError> {
        if self.phase() == Phase::Serving {
            return Ok(());
        }
        Err(
            RpcError::new(ErrorCode::Overloaded, "the daemon takes no new runs")
                .why("it is ending")
                .hint("cv status"),
        )
    }

    pub(super) fn asked(&self, call: &Call, params: RunStartParams) -> Result<Asked, RpcError> {
        let settings = self.configuration.settings(&call.conn.variables())?;
        let client = call.conn.client().map(|client| client.client.name.clone());
        Ok(Asked {
            params,
            settings,
            client,
            again: None,
        })
    }

    /// Registers the run of a question: a subscription that comes behind in the same write finds
    /// it. Nothing may be waited for before.
    fn register(&self, run_id: Uuid) -> Result<Registered, Arc<LiveRun>> {
        self.live.register(RunInfo {
            run_id,
            kind: RunKind::Chat.as_str().to_owned(),
            state: RunState::Running,
            root: String::new(),
            selection: String::new(),
            started_ms: now_ms(),
            ended_ms: None,
            findings: None,
            last_seq: 0,
            saved: true,
            error: None,
        })
    }

    /// Starts the run of a question and answers when it is accepted.
    async fn start(&self, place: Registered, asked: Asked) -> Result<RunAccepted, RpcError> {
        let params = &asked.params;
        let first = params
            .input
            .iter()
            .find(|input| !input.text.trim().is_empty());
        let line = first.and_then(|input| input.text.trim().lines().next());
        let shown = line
            .filter(|_| !params.options.ephemeral)
            .unwrap_or_default();
        let selection = shown.chars().take(SELECTION_CHARS).collect();
        place.run.about(params.root.clone(), selection);
        let (answer, answered) = oneshot::channel();
        let daemon = self.shared()?;
        // Its own task: once accepted it outlives this call and its connection.
        tokio::spawn(chat::supervise(daemon, place, asked, answer));
        answered.await.unwrap_or_else(|_| {
            Err(failure::internal(
                "the question failed inside the daemon",
                "its task ended",
            ))
        })
    }
}

/// The same run id again, while the first one is in progress or held in memory.
async fn same(
    daemon: &Daemon,
    run: &Arc<LiveRun>,
    params: &RunStartParams,
) -> Result<RunAccepted, RpcError> {
    let id = params.run_id;
    let hash = question::request_hash(params);
    if !run.accepted().await {
        // Refused, or the same as one that was accepted before under its key.
        let known = chat::replayed(daemon, params, hash).await;
        let refused = || {
            RpcError::new(ErrorCode::Conflict, "this run was refused a moment ago").hint("cv runs")
        };
        return known.unwrap_or_else(|| Err(refused()));
    }
    if run.request_hash.get() != Some(&request::hex(&hash)) {
        return Err(runs_error(RunsError::Conflict { what: "run id", id }));
    }
    Ok(RunAccepted {
        run_id: id,
        replayed: true,
        saved: run.info().saved,
        session_id: None,
    })
}

impl Handle<RunStart> for Daemon {
    async fn handle(&self, call: Call, params: RunStartParams) -> Result<RunAccepted, RpcError> {
        self.takes_runs()?;
        self.check_question(&params)?;
        let asked = self.asked(&call, params)?;
        match self.register(asked.params.run_id) {
            Ok(place) => self.start(place, asked).await,
            Err(run) => same(self, &run, &asked.params).await,
        }
    }
}

impl Handle<RunResume> for Daemon {
    async fn handle(&self, call: Call, params: RunResumeParams) -> Result<RunAccepted, RpcError> {
        self.takes_runs()?;
        request::run_id_v7(params.new_run_id)?;
        let place = self.register(params.new_run_id);
        let (tenant, old) = (self.runs().tenant(), params.run_id);
        let read = self.store.read("read a run", move |conn| {
            let run = convergio_runs::get(conn, tenant, old)?;
            let messages = match run.session_id {
                Some(session) => {
                    convergio_runs::messages(conn, tenant, session, question::HISTORY_MESSAGES_MAX)?
                }
                None => Vec::new(),
            };
            Ok::<_, RunsError>((run, messages))
        });
        let (run, messages) = read.await.map_err(|found| match found {
            RunsError::NotFound { what: "run", id } => failure::no_such_run(id),
            other => runs_error(other),
        })?;
        let conflict = |why: &str, hint: &str| {
            RpcError::new(
                ErrorCode::Conflict,
                format!("run {old} cannot be asked again"),
            )
            .why(why)
            .hint(hint)
        };
        if run.kind != RunKind::Chat {
            let why = "a review's diff is not kept";
            return Err(conflict(why, "git diff | cv review"));
        }
        if run.ended_ms.is_none() {
            return Err(conflict("it has not ended", &format!("cv attach {old}")));
        }
        if run.state == convergio_runs::RunState::Completed
            && run.outcome.as_deref() != Some("incomplete")
        {
            let why = "it was answered whole";
            return Err(conflict(why, &format!("cv attach {old}")));
        }
        let question = messages
            .into_iter()
            .find(|message| message.run_id == Some(old) && message.role == MessageRole::User);
        let (Some(question), Some(session_id)) = (question, run.session_id) else {
            let why = "its question was not kept";
            return Err(conflict(why, "cv ask 'the question again'"));
        };
        let start = RunStartParams {
            run_id: params.new_run_id,
            input: vec![Input {
                kind: InputKind::Prompt,
                name: None,
                text: question.body,
            }],
            root: run.root.unwrap_or_default(),
            session: SessionUse::Id { session_id },
            system: None,
            template: None,
            variables: std::collections::BTreeMap::new(),
            output_schema: None,
            options: params.options,
        };
        self.check_question(&start)?;
        let asked = Asked {
            again: Some(old),
            ..self.asked(&call, start)?
        };
        match place {
            Ok(place) => self.start(place, asked).await,
            Err(run) => same(self, &run, &asked.params).await,
        }
    }
}

impl Handle<RunPreview> for Daemon {
    async fn handle(&self, call: Call, params: RunStartParams) -> Result<Preview, RpcError> {
        self.check_question(&params)?;
        let mut asked = self.asked(&call, params)?;
        let ready = chat::prepare(self, &asked).await?;
        let model = &mut asked.params.options.model;
        *model = model.take().or_else(|| ready.model.clone());
        let (settings, options) = (&asked.settings, &asked.params.options);
        let policy = routes::policy_of(settings, options)?;
        let mut preview = Preview {
            nothing_sent: None,
            model: None,
            local: false,
            destination: None,
            calls: 0,
            bytes: 0,
            input_tokens_max: input_ceiling(&ready.request),
            output_tokens_max: ready.request.max_output.into(),
            cost_max_nano_usd: None,
            cost_expected_nano_usd: None,
            policy: routes::to_wire(policy),
            redactions: 0,
            refusal: None,
        };
        let plan = match self
            .plan_for(
                settings,
                options,
                settings.models().default,
                &routes::What::of(&ready.request),
            )
            .await
        {
            Ok(plan) => plan,
            Err(error) => {
                preview.nothing_sent = Some(error.message.clone());
                preview.refusal = Some(error);
                return Ok(preview);
            }
        };
        let Some(route) = plan.routes.first() else {
            return Ok(preview);
        };
        let provider = self.provider(settings, &route.target.provider)?;
        let endpoint = provider.endpoint(None)?;
        let facts = provider.facts(&route.target.model);
        let mut request = ready.request;
        request.provider.clone_from(&route.target.provider);
        request.model.clone_from(&route.target.model);
        if let Some(max) = facts.max_output.and_then(|max| u32::try_from(max).ok()) {
            request.max_output = request.max_output.min(max);
        }
        preview.model = Some(route.target.to_string());
        preview.local = endpoint.is_local_model(&route.target.model);
        preview.destination = Some(endpoint.origin());
        preview.output_tokens_max = request.max_output.into();
        preview.calls = 1;
        let key = self
            .models
            .look_for_key(&provider, &options.keys, settings.secrets_file());
        if let Err(missing) = key.await {
            preview.refusal = Some(providers::failure::key(&missing));
        }
        let remote = Remote::new(endpoint, self.models.egress.clone()).map_err(|error| {
            failure::internal("the provider cannot be asked", error.to_string())
        })?;
        let mut leaves = request.clone();
        if !preview.local {
            let redactor = self.models.secrets.redactor();
            let masked = outgoing(leaves, redactor).await?;
            leaves = masked.request;
            preview.redactions = masked.redactions;
            if masked.redactions > 0 && refuses_secrets(settings) {
                let error = holds_secrets("the question", masked.redactions, &masked.places);
                preview.refusal = Some(error);
            }
            preview.input_tokens_max = input_ceiling(&leaves);
        }
        preview.bytes = convergio_models_api::Provider::wire_bytes(&remote, &leaves);
        if preview.local {
            preview.cost_max_nano_usd = Some(0);
            preview.cost_expected_nano_usd = Some(0);
            return Ok(preview);
        }
        let target = &route.target;
        let rates = facts
            .prices
            .as_ref()
            .and_then(|sheet| Rates::from_sheet(sheet, &target.provider, &target.model));
        let Some(rates) = rates else {
            preview.refusal = Some(providers::failure::denied(
                &convergio_ledger::Denied::PriceUnknown {
                    provider: target.provider.clone(),
                    model: target.model.clone(),
                },
            ));
            return Ok(preview);
        };
        preview.cost_max_nano_usd = rates
            .hold(preview.input_tokens_max, request.max_output)
            .ok();
        let usual = usual_output(self, target).await?;
        preview.cost_expected_nano_usd = likely(&rates, &request, request.max_output, usual).ok();
        if preview.refusal.is_none() {
            preview.refusal = self
                .budget_refusal(settings, preview.cost_max_nano_usd)
                .await?;
        }
        Ok(preview)
    }
}

impl Daemon {
    /// Why a call at this cost would be refused now; none where it would go. Less output may be
    /// asked for where the budget is short, so only an empty one refuses.
    pub(super) async fn budget_refusal(
        &self,
        settings: &convergio_config::Settings,
        cost_nano: Option<i64>,
    ) -> Result<Option<RpcError>, RpcError> {
        let limit = settings.budget().effective_daily_nano_usd();
        let tenant = self.runs().tenant().id();
        let read = self.store.read("read the budgets", move |conn| {
            convergio_ledger::budgets(conn, tenant, Now::system())
        });
        let budgets = read
            .await
            .map_err(|error| providers::failure::ledger(&error))?;
        let day = budgets
            .iter()
            .find(|budget| budget.name.window == convergio_ledger::Window::Day);
        let (used, frozen) = day.map_or((0, false), |day| {
            (day.posted_nano.saturating_add(day.pending_nano), day.frozen)
        });
        if !frozen && used < limit {
            return Ok(None);
        }
        let cost = cost_nano.map_or_else(String::new, |cost| {
            format!("; it may cost {}", convergio_ledger::usd(cost))
        });
        Ok(Some(
            RpcError::new(ErrorCode::BudgetExceeded, "the daily budget is used up")
                .why(format!(
                    "{} of {} are spent or held{cost}",
                    convergio_ledger::usd(used),
                    convergio_ledger::usd(limit)
                ))
                .hint("cv budget set daily 2.00"),
        ))
    }
}
