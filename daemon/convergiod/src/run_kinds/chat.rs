//! A question: admitted, asked, shown while it is answered, recorded with what it cost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use convergio_config::Settings;
use convergio_contract::{
    ErrorCode, EventBody, RpcError, Uuid,
    chat::{RunStartParams, SessionUse},
    run::{OnLastReaderGone, RunAccepted},
};
use convergio_models_api::ModelRequest;
use convergio_runs::{
    Message, MessageRole, NewMessage, NewRun, NewSession, RunKind, RunsError, Template, Tenant,
};
use convergio_store::{Connection, Tx};
use tokio::sync::oneshot;

use super::{
    answered::Course,
    calls::{Acceptance, CallContext, Calls, Wanted},
    kept,
    question::{self, HISTORY_MAX_BYTES, HISTORY_MESSAGES_MAX, Question},
    readers::abandoned,
    record::{Books, Recorder, WriteError, accept, fail},
    request::hex,
};
use crate::{
    bus::{live::Registered, run::LiveRun},
    daemon::{Daemon, now_ms},
    failure,
    providers::routes::What,
    rpc,
};

/// What a run asks, and on whose behalf.
pub(crate) struct Asked {
    /// What the client sent.
    pub(crate) params: RunStartParams,
    /// The settings that hold for it.
    pub(crate) settings: Settings,
    /// The client's name.
    pub(crate) client: Option<String>,
    /// The run whose question is asked again: it stands in the conversation already.
    pub(crate) again: Option<Uuid>,
}

/// How the start went, told once.
type Told = Arc<Mutex<Option<oneshot::Sender<Result<RunAccepted, RpcError>>>>>;

fn tell(told: &Told, answer: Result<RunAccepted, RpcError>) {
    let sender = told.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(sender) = sender {
        // A caller that is gone does not end the run: that is its readers' affair.
        let _ = sender.send(answer);
    }
}

/// Asks from acceptance to the terminal event, whatever happens on the way. `answer` is told how
/// the start went.
pub(crate) async fn supervise(
    daemon: Arc<Daemon>,
    place: Registered,
    asked: Asked,
    answer: oneshot::Sender<Result<RunAccepted, RpcError>>,
) {
    let run = Arc::clone(&place.run);
    let recorder = Arc::new(Recorder::new(daemon.runs().clone(), Arc::clone(&run)));
    let driving = drive(daemon, place, asked, Arc::clone(&recorder), answer);
    if tokio::spawn(driving).await.is_err() {
        let why = "its task panicked";
        let error = failure::internal("the question failed inside the daemon", why);
        fail(&recorder, &run, error).await;
    }
}

/// A question that is ready to be asked.
pub(crate) struct Ready {
    /// What any model gets.
    pub(crate) request: ModelRequest,
    /// The model that the template is for.
    pub(crate) model: Option<String>,
    question: Question,
    session: Conversation,
}

/// The conversation that a run belongs to.
enum Conversation {
    /// None: the run is ephemeral.
    None,
    /// It begins with this run.
    New(Uuid),
    /// It goes on.
    Known(Uuid),
}

impl Conversation {
    fn id(&self) -> Option<Uuid> {
        match self {
            Self::None => None,
            Self::New(id) | Self::Known(id) => Some(*id),
        }
    }
}

/// What the database says about a question.
#[derive(Default)]
struct Before {
    template: Option<Template>,
    session: Option<Uuid>,
    history: Vec<Message>,
}

fn read(conn: &Connection, tenant: Tenant, params: &RunStartParams) -> Result<Before, WriteError> {
    let template = match &params.template {
        None => None,
        Some(name) => {
            let found = convergio_runs::get_template(conn, tenant, name)?;
            Some(found.ok_or_else(|| {
                let error = RpcError::new(
                    ErrorCode::NotFound,
                    format!("there is no template {name:?}"),
                );
                WriteError::Told(Box::new(error.hint("cv template list")))
            })?)
        }
    };
    let session = match &params.session {
        SessionUse::New => None,
        SessionUse::Id { session_id } => {
            Some(convergio_runs::get_session(conn, tenant, *session_id)?)
        }
        SessionUse::Latest => {
            let latest = convergio_runs::latest_session(conn, tenant, &params.root)?;
            Some(latest.ok_or_else(|| {
                let error = RpcError::new(
                    ErrorCode::NotFound,
                    format!("there is no conversation in {}", params.root),
                );
                let error = error.why("none was begun here, or it was removed");
                WriteError::Told(Box::new(error.hint("cv ask 'What can you do?'")))
            })?)
        }
    };
    let history = match &session {
        None => Vec::new(),
        Some(session) => {
            let messages =
                convergio_runs::messages(conn, tenant, session.id, HISTORY_MESSAGES_MAX)?;
            let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
            if session.messages > HISTORY_MESSAGES_MAX as u64 || bytes > HISTORY_MAX_BYTES {
                let error = RpcError::new(ErrorCode::TooLarge, "the conversation is too long")
                    .why(format!(
                        "it has {} messages; {HISTORY_MESSAGES_MAX}, and {HISTORY_MAX_BYTES} \
                         bytes, can go on",
                        session.messages
                    ))
                    .hint("cv ask 'begin a new one'");
                return Err(WriteError::Told(Box::new(error)));
            }
            messages
        }
    };
    Ok(Before {
        template,
        session: session.map(|session| session.id),
        history,
    })
}

/// Reads what the question needs, and puts it together.
pub(crate) async fn prepare(daemon: &Daemon, asked: &Asked) -> Result<Ready, RpcError> {
    let params = &asked.params;
    let before = if params.template.is_none() && params.session == SessionUse::New {
        Before::default()
    } else {
        let (tenant, params) = (daemon.runs().tenant(), params.clone());
        let read = daemon.store.read("read a conversation", move |conn| {
            read(conn, tenant, &params)
        });
        read.await.map_err(WriteError::told)?
    };
    let mut history = before.history;
    if let Some(again) = asked.again {
        let first = history
            .iter()
            .position(|message| message.run_id == Some(again));
        history.truncate(first.unwrap_or(history.len()));
    }
    let mut question = Question::new(params, before.template.as_ref())?;
    if question.system.is_none() {
        let system = history.iter().rev();
        let system = system.filter(|message| message.role == MessageRole::System);
        question.system = system.map(|message| message.body.clone()).next();
    }
    let session = match (params.options.ephemeral, before.session) {
        (true, _) => Conversation::None,
        (false, Some(id)) => Conversation::Known(id),
        (false, None) => Conversation::New(Uuid::now_v7()),
    };
    Ok(Ready {
        request: question.request(params, &history),
        model: before.template.and_then(|template| template.model),
        question,
        session,
    })
}

/// What the run's first commit holds besides its admission.
fn acceptance(
    daemon: &Daemon,
    asked: &Asked,
    ready: &Ready,
    run_id: Uuid,
    hash: [u8; 32],
) -> impl Fn(&Tx<'_>, &Books, &mut Vec<EventBody>) -> Result<(), WriteError> + Send + Sync + 'static
{
    let params = &asked.params;
    let saved = daemon.runs().tenant();
    let selection = daemon_selection(params, &ready.question);
    let new = NewRun {
        id: run_id,
        kind: RunKind::Chat,
        session_id: ready.session.id(),
        root: Some(params.root.clone()),
        selection: Some(selection.clone()),
        base_sha: None,
        request_hash: hash,
        idempotency_key: params.options.idempotency_key.clone(),
        ephemeral: params.options.ephemeral,
    };
    let session = match &ready.session {
        Conversation::New(id) => Some(NewSession {
            id: *id,
            profile_id: daemon.profile_id(),
            root: Some(params.root.clone()),
            title: Some(ready.question.title()),
            agent: None,
        }),
        Conversation::None | Conversation::Known(_) => None,
    };
    let message = |role, body: &str| NewMessage {
        id: Uuid::now_v7(),
        role,
        body: body.to_owned(),
        model: None,
        recipient: None,
        run_id: Some(run_id),
    };
    let mut messages = Vec::new();
    if asked.again.is_none()
        && let Some(session_id) = ready.session.id()
    {
        if let Some(system) = &ready.question.system {
            messages.push((session_id, message(MessageRole::System, system)));
        }
        let text = &ready.question.text;
        messages.push((session_id, message(MessageRole::User, text)));
    }
    let started = EventBody::Started {
        kind: RunKind::Chat.as_str().to_owned(),
        selection,
    };
    move |tx, books, bodies| {
        let (now_ms, tenant) = (now_ms(), books.runs.tenant());
        if tenant != saved {
            // In memory there is no conversation to go on with, and none is begun.
            let alone = NewRun {
                session_id: None,
                ..new.clone()
            };
            accept(tx, tenant, &alone)?;
            bodies.push(started.clone());
            return Ok(());
        }
        if let Some(session) = &session {
            convergio_runs::create_session(tx, tenant, session, now_ms)?;
        }
        accept(tx, tenant, &new)?;
        for (session_id, message) in &messages {
            convergio_runs::append_message(tx, tenant, *session_id, message, now_ms)?;
        }
        bodies.push(started.clone());
        Ok(())
    }
}

/// What a list of runs shows: the question's beginning, nothing of an ephemeral one.
fn daemon_selection(params: &RunStartParams, question: &Question) -> String {
    match params.options.ephemeral {
        true => String::new(),
        false => question.title(),
    }
}

async fn drive(
    daemon: Arc<Daemon>,
    place: Registered,
    mut asked: Asked,
    recorder: Arc<Recorder>,
    answer: oneshot::Sender<Result<RunAccepted, RpcError>>,
) {
    let begun = Instant::now();
    let told: Told = Arc::new(Mutex::new(Some(answer)));
    let run = Arc::clone(&place.run);
    let hash = question::request_hash(&asked.params);
    // Set once, here.
    let _ = run.request_hash.set(hex(&hash));
    let named = asked.settings.models().default;
    let planned = async {
        let ready = prepare(&daemon, &asked).await?;
        let model = &mut asked.params.options.model;
        *model = model.take().or_else(|| ready.model.clone());
        let what = What::of(&ready.request);
        let plan = daemon
            .plan_for(&asked.settings, &asked.params.options, named, &what)
            .await?;
        daemon.ask_for_keys(&asked.settings, &plan, &asked.params.options.keys)?;
        Ok::<_, RpcError>((ready, plan))
    };
    let (ready, plan) = match planned.await {
        Ok(planned) => planned,
        Err(error) => {
            // A repeated request is answered with its run, whatever became of the rest.
            let known = replayed(&daemon, &asked.params, hash).await;
            return tell(&told, known.unwrap_or(Err(error)));
        }
    };
    let accept = acceptance(&daemon, &asked, &ready, run.id, hash);
    let session_id = ready.session.id();
    let written = {
        let (told, run) = (Arc::clone(&told), Arc::clone(&run));
        let recorder = Arc::clone(&recorder);
        move || {
            let accepted = RunAccepted {
                run_id: run.id,
                replayed: false,
                saved: run.info().saved,
                session_id: session_id.filter(|_| recorder.unsaved().is_none()),
            };
            tell(&told, Ok(accepted));
        }
    };
    let options = &mut asked.params.options;
    let (gone, ephemeral) = (options.on_last_reader_gone, options.ephemeral);
    let cache = kept::keeps(&asked.settings, options, &ready.request);
    // A conversation that went on once may go on again.
    let recurs = ready.request.messages.len() > 1;
    let context = CallContext {
        root: asked.params.root.clone(),
        client: asked.client,
        token: None,
        session_id,
        max_cost_nano: options.max_cost_nano_usd,
        cost_token: options.cost_token,
        keys: std::mem::take(&mut options.keys),
        settings: asked.settings,
        can_ask: options.can_ask,
        may_stay_here: options.model.is_none(),
    };
    let calls = Calls::new(
        Arc::clone(&daemon),
        Arc::clone(&recorder),
        Arc::clone(&run),
        context,
        plan,
    );
    let wanted = Wanted {
        request: ready.request,
        purpose: "answer".to_owned(),
        redactions: 0,
        masks: true,
        show: true,
        sink: None,
        cache,
        kept: None,
        recurs,
        acceptance: Some(Acceptance {
            write: Arc::new(accept),
            written: Box::new(written),
        }),
    };
    let course = Course {
        daemon: &daemon,
        recorder: &recorder,
        run: &run,
        session_id,
        ephemeral,
        begun,
    };
    let answered = while_wanted(&run, gone, daemon.timing.grace, calls.ask(wanted)).await;
    let ended = match answered {
        Ok(answer) => course.complete(answer).await,
        Err(failed) if run.was_accepted() == Some(true) => course.break_off(failed).await,
        Err(failed) => {
            // A repeated request is answered with its run, whatever it was refused for now.
            let refused = match course.refusal(failed) {
                Ok(replay) => Ok(replay),
                Err(error) => {
                    let known = replayed(&daemon, &asked.params, hash).await;
                    known.unwrap_or(Err(error))
                }
            };
            tell(&told, refused);
            Ok(())
        }
    };
    drop(calls);
    if let Err(error) = ended {
        fail(&recorder, &run, error).await;
    }
    drop(place);
    if ephemeral && let Err(error) = daemon.runs().clone().prune().await {
        tracing::warn!(%error, "an ephemeral run's events are removed later");
    }
}

/// The run that the same request was accepted as before, if it was: by its id or its key.
pub(crate) async fn replayed(
    daemon: &Daemon,
    params: &RunStartParams,
    hash: [u8; 32],
) -> Option<Result<RunAccepted, RpcError>> {
    let (tenant, id) = (daemon.runs().tenant(), params.run_id);
    let key = params.options.idempotency_key.clone();
    let read = daemon.store.read("get a run", move |conn| {
        match (convergio_runs::get(conn, tenant, id), key) {
            (Err(RunsError::NotFound { .. }), Some(key)) => {
                convergio_runs::by_key(conn, tenant, &key)
            }
            (found, _) => found.map(Some),
        }
    });
    let run = read.await.ok()??;
    let what = if run.id == id {
        "run id"
    } else {
        "idempotency key"
    };
    Some(match run.request_hash == hash {
        true => Ok(RunAccepted {
            run_id: run.id,
            replayed: true,
            saved: true,
            session_id: run.session_id,
        }),
        false => Err(rpc::runs_error(RunsError::Conflict { what, id: run.id })),
    })
}

/// Waits for `work`; ends the run when nobody reads it any more.
async fn while_wanted<T>(
    run: &Arc<LiveRun>,
    gone: OnLastReaderGone,
    grace: std::time::Duration,
    work: impl Future<Output = T>,
) -> T {
    let unwanted = async {
        if run.accepted().await {
            abandoned(run, gone, grace).await;
            run.cancel("nobody reads it any more");
        }
        // It ends by its cancellation, and says how.
        std::future::pending().await
    };
    tokio::select! {
        biased;
        done = work => done,
        done = unwanted => done,
    }
}
