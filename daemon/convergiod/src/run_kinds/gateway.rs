//! A request of a program: admitted, asked, handed over while it comes, and settled. Nothing of
//! its content is kept, unless the program or the settings say that its answer is given again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use convergio_config::Settings;
use convergio_contract::{EventBody, run::RunOptions, secret::SecretText};
use convergio_engine::{Channel, Shown};
use convergio_gateway::{Asked, Counts, End, Fault};
use convergio_models_api::ModelEvent;
use convergio_runs::{NewRun, NewToken, RunKind};
use futures_util::FutureExt as _;
use sha2::{Digest, Sha256};

use super::{
    answered::Course,
    calls::{Acceptance, CallContext, CallFailed, Calls, Wanted},
    kept,
    record::{Recorder, WriteError, accept, fail},
};
use crate::{
    bus::{live::Registered, run::LiveRun},
    daemon::{Daemon, now_ms},
    failure,
    gateway::{
        fault,
        feed::{Feed, Whole},
        models,
    },
    providers::routes::What,
};

/// What a program asks, and on whose behalf.
pub(crate) struct Request {
    /// What it sent.
    pub(crate) asked: Asked,
    /// What it presented.
    pub(crate) token: NewToken,
    /// The settings that hold for it.
    pub(crate) settings: Settings,
    /// Whether its answer may be kept and given again; none where it does not say.
    pub(crate) cache: Option<bool>,
    /// Keys that came with the token.
    pub(crate) keys: BTreeMap<String, SecretText>,
}

/// Asks from acceptance to the terminal event, whatever happens on the way. `feed` is told how it
/// went, once.
pub(crate) async fn supervise(
    daemon: Arc<Daemon>,
    place: Registered,
    request: Request,
    feed: Arc<Feed>,
) {
    let run = Arc::clone(&place.run);
    let recorder = Arc::new(Recorder::new(daemon.runs().clone(), Arc::clone(&run)));
    let driving = drive(
        daemon,
        place,
        request,
        Arc::clone(&recorder),
        Arc::clone(&feed),
    );
    if tokio::spawn(driving).await.is_err() {
        let why = "its task panicked";
        let error = failure::internal("the request failed inside the daemon", why);
        feed.end(Err(fault::of_rpc(&error, None)));
        fail(&recorder, &run, error).await;
    }
}

async fn drive(
    daemon: Arc<Daemon>,
    place: Registered,
    request: Request,
    recorder: Arc<Recorder>,
    feed: Arc<Feed>,
) {
    let begun = Instant::now();
    let run = Arc::clone(&place.run);
    let Request {
        asked,
        token,
        settings,
        cache,
        mut keys,
    } = request;
    let cache = kept::programs(&settings, cache, &asked.request);
    let policy = token.policy.clone().map(serde_json::Value::from);
    let all = daemon.models.configured(&settings);
    let meant = match models::resolve(&settings, &all, &token, &asked.model) {
        Ok(meant) => meant,
        Err(fault) => return feed.end(Err(fault)),
    };
    for name in all.values().flat_map(|provider| &provider.key_env) {
        // Nobody can be asked for it: it is looked for in the other places.
        keys.entry(name.clone())
            .or_insert_with(|| SecretText::new(""));
    }
    let options = RunOptions {
        model: Some(meant.clone()),
        policy: policy.and_then(|policy| serde_json::from_value(policy).ok()),
        ephemeral: true,
        keys,
        ..RunOptions::default()
    };
    let what = What::of(&asked.request);
    let planned = daemon.plan_for(&settings, &options, None, &what).await;
    let plan = planned
        .map_err(|error| fault::of_rpc(&error, None))
        .and_then(|plan| models::allow(plan, &token, &meant));
    let plan = match plan {
        Ok(plan) => plan,
        Err(fault) => return feed.end(Err(fault)),
    };
    let selection = selection(&token, &asked.model);
    run.about(token.root.clone().unwrap_or_default(), selection.clone());
    let new = NewRun {
        id: run.id,
        kind: RunKind::Gateway,
        session_id: None,
        root: token.root.clone(),
        selection: Some(selection.clone()),
        base_sha: None,
        // Nothing of what was asked is kept, and as a run no request is ever the same as another one.
        request_hash: Sha256::digest(run.id.as_bytes()).into(),
        idempotency_key: None,
        // A kept answer goes with its run.
        ephemeral: !cache,
    };
    let started = EventBody::Started {
        kind: RunKind::Gateway.as_str().to_owned(),
        selection,
    };
    let token_id = token.id;
    let write = move |tx: &convergio_store::Tx<'_>,
                      books: &super::record::Books,
                      bodies: &mut Vec<EventBody>| {
        let tenant = books.runs.tenant();
        accept(tx, tenant, &new)?;
        convergio_runs::touch_token(tx, tenant, token_id, now_ms())?;
        bodies.push(started.clone());
        Ok::<_, WriteError>(())
    };
    let context = CallContext {
        root: token.root.clone().unwrap_or_default(),
        client: Some(token.client.clone()),
        token: Some(token.name.clone()),
        session_id: None,
        max_cost_nano: None,
        keys: options.keys,
        settings,
        can_ask: false,
        cost_token: None,
        may_stay_here: false,
    };
    let calls = Calls::new(
        Arc::clone(&daemon),
        Arc::clone(&recorder),
        Arc::clone(&run),
        context,
        plan,
    );
    let (into, again) = (Arc::clone(&feed), Arc::clone(&feed));
    let reasoned = Arc::new(AtomicBool::new(false));
    let reasons = Arc::clone(&reasoned);
    let wanted = Wanted {
        request: asked.request,
        purpose: "gateway".to_owned(),
        redactions: 0,
        masks: true,
        show: false,
        sink: Some(Arc::new(move |shown| {
            if is_reasoning(shown) {
                reasons.store(true, Ordering::Relaxed);
            }
            into.push(shown);
        })),
        cache,
        kept: Some(Arc::new(move || again.is_again())),
        // What is to be kept, the program says.
        recurs: false,
        acceptance: Some(Acceptance {
            write: Arc::new(write),
            written: Box::new(|| {}),
        }),
    };
    let course = Course {
        daemon: &daemon,
        recorder: &recorder,
        run: &run,
        session_id: None,
        ephemeral: true,
        begun,
    };
    let (ended, told) = match calls.ask(wanted).await {
        Ok(mut answer) => {
            if reasoned.load(Ordering::Relaxed) {
                // A kept answer is given whole, and this one's reasoning is not kept.
                answer.keep = None;
            }
            let stop = answer.stop.clone();
            (course.complete(answer).await, Ok(stop))
        }
        Err(failed) if run.was_accepted() == Some(true) => {
            let fault = fault(&failed, &run);
            (course.break_off(failed).await, Err(fault))
        }
        Err(failed) => (Ok(()), Err(fault(&failed, &run))),
    };
    drop(calls);
    if let Err(error) = ended {
        feed.end(Err(fault::of_rpc(&error, None)));
        fail(&recorder, &run, error).await;
        return;
    }
    drop(place);
    let totals = recorder.accounts().totals();
    feed.end(told.map(|stop| Whole {
        end: End {
            stop,
            used: feed.used().unwrap_or(Counts {
                input: totals.input_tokens.unwrap_or(0),
                output: totals.output_tokens.unwrap_or(0),
                ..Counts::default()
            }),
        },
        amount_nano_usd: totals.amount_nano_usd,
    }));
}

fn fault(failed: &CallFailed, run: &LiveRun) -> Fault {
    match failed.cancelled {
        true => fault::cancelled(run.cancelled().now_or_never().as_deref()),
        false => fault::of(&failed.error, failed.class),
    }
}

fn is_reasoning(shown: &Shown) -> bool {
    matches!(
        shown,
        Shown::Piece {
            channel: Channel::Reasoning,
            ..
        } | Shown::Event(ModelEvent::ReasoningSignature(_) | ModelEvent::RedactedReasoning(_))
    )
}

/// What a list of runs shows: the program and the model that it named, nothing of what it asked.
fn selection(token: &NewToken, model: &str) -> String {
    const MODEL_CHARS: usize = 60;
    let model: String = model
        .chars()
        .filter(|c| !c.is_control())
        .take(MODEL_CHARS)
        .collect();
    format!("{} → {model}", token.client)
}
