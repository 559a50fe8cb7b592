//! A review: the diff is read and checked by rules on a thread of its own while the run is being
//! accepted, and what is found is recorded in as few commits as it allows, then shown. Where there
//! is a model it looks behind the rules, and never holds them up.

use std::{
    collections::{HashSet, VecDeque},
    ops::ControlFlow,
    sync::{Arc, mpsc as blocking},
    time::Instant,
};

use convergio_contract::{
    ErrorCode, EventBody, RpcError, Uuid,
    finding::{self as wire, FindingStatus},
    review::{Blob, ReviewStartParams},
    run::RunAccepted,
};
use convergio_review::{
    FileOutcome, Review, ReviewOptions,
    model::{Plan, PlanSettings},
};
use convergio_runs::{Event, NewRun, RunKind, RunsError};
use tokio::sync::{mpsc, oneshot};

use super::{
    convert,
    ledger::{Last, Ledger},
    record::{Recorder, fail},
    request::{decode, hex, request_hash},
    review_course::Course,
    review_route::{self, Asked, Diff},
};
use crate::{bus::live::Registered, daemon::Daemon, failure, rpc};

/// Outcomes of files that wait to be recorded; then the rules wait.
const OUTCOMES_MAX: usize = 1_024;

/// What the settings say for this review.
pub(crate) struct Rules {
    pub(crate) strict: bool,
    pub(crate) off: Vec<String>,
    pub(crate) min_severity: wire::Severity,
}

/// What the database says before the first finding.
struct Before {
    /// Fingerprints that were silenced in this folder.
    silences: HashSet<String>,
    /// Findings of the last complete review of the same selection, if there was one.
    last: Option<Last>,
}

/// What the reviewing thread sends.
pub(super) enum Report {
    /// One file's outcome.
    File(Box<FileOutcome>),
    /// The end, and what a model is to read where one looks.
    Done(Box<convergio_review::ReviewSummary>, Option<Box<Plan>>),
}

/// Reviews from acceptance to the terminal event, whatever happens on the way. `answer` is told
/// how the start went.
pub(crate) async fn supervise(
    daemon: Arc<Daemon>,
    place: Registered,
    params: ReviewStartParams,
    rules: Rules,
    asked: Asked,
    answer: oneshot::Sender<Result<RunAccepted, RpcError>>,
) {
    let run = Arc::clone(&place.run);
    let recorder = Arc::new(Recorder::new(daemon.runs().clone(), Arc::clone(&run)));
    let driving = drive(
        daemon,
        place,
        params,
        (rules, asked),
        Arc::clone(&recorder),
        answer,
    );
    if tokio::spawn(driving).await.is_err() {
        let why = "its task panicked";
        fail(
            &recorder,
            &run,
            failure::internal("the review failed inside the daemon", why),
        )
        .await;
    }
}

async fn drive(
    daemon: Arc<Daemon>,
    place: Registered,
    mut params: ReviewStartParams,
    (rules, asked): (Rules, Asked),
    recorder: Arc<Recorder>,
    answer: oneshot::Sender<Result<RunAccepted, RpcError>>,
) {
    let begun = Instant::now();
    // They are the model's affair, and held once.
    params.options.keys.clear();
    let on_last_reader_gone = params.options.on_last_reader_gone;
    let ephemeral = params.options.ephemeral;
    let root = params.root.clone();
    let selection = params.selection.clone();
    let focus = params.focus.clone();
    let run = Arc::clone(&place.run);

    let (hash_sender, hashed) = oneshot::channel();
    let (before_sender, before_receiver) = blocking::sync_channel::<Before>(1);
    let (reading_sender, reading) = blocking::sync_channel::<Option<PlanSettings>>(1);
    let (reports_sender, reports) = mpsc::channel(OUTCOMES_MAX);
    let only = params.rules.clone();
    let options = options(&params, &rules);
    let base_silences = params.base_silences.clone();
    let idempotency_key = params.options.idempotency_key.clone();
    let base_sha = params.base_sha.clone();
    let worker_daemon = daemon.clone();
    let worker = tokio::spawn(async move {
        let work = move || {
            review(
                params,
                options,
                hash_sender,
                &before_receiver,
                &reading,
                &reports_sender,
            );
        };
        worker_daemon.background.run("review", work).await
    });

    let selected = (root.clone(), selection.clone());
    let early = async {
        match asked.decides_first() {
            true => Some(review_route::route(&daemon, &asked, true).await),
            false => None,
        }
    };
    let before = before(&daemon, selected, base_sha.clone());
    let (hash, before, early) = tokio::join!(hashed, before, early);
    let hash: Result<Diff, RpcError> =
        hash.unwrap_or_else(|_| Err(failure::internal("the review failed", "its thread ended")));
    let (of, before) = match (hash, before) {
        (Ok(of), Ok(before)) => (of, before),
        (Err(error), _) => return drop(answer.send(Err(error))),
        (_, Err(error)) => return drop(answer.send(Err(rpc::runs_error(error)))),
    };
    let hash = of.request_hash;
    let early = match early.transpose() {
        Ok(Some(routed)) => review_route::confirmed(&daemon, &asked, routed, of, true)
            .await
            .map(Some),
        none => none,
    };
    let early = match early {
        Ok(early) => early,
        Err(error) => {
            // A repeated request is answered with its run, whatever it was refused for now.
            let known = known(&daemon, run.id, hash).await;
            // The client may send the same run again at once, with what is missing.
            drop(place);
            return drop(answer.send(known.ok_or(error)));
        }
    };
    // Set once, here.
    let _ = run.request_hash.set(hex(&hash));
    let ledger = Ledger::new(before.last, only, rules, base_silences.as_deref());
    // The thread waits for this; if it is gone, its end says why.
    let _ = before_sender.send(Before {
        silences: before.silences,
        last: None,
    });
    let new = NewRun {
        id: run.id,
        kind: RunKind::Review,
        session_id: None,
        root: Some(root),
        selection: Some(selection.clone()),
        base_sha,
        request_hash: hash,
        idempotency_key,
        ephemeral,
    };
    let started = EventBody::Started {
        kind: RunKind::Review.as_str().to_owned(),
        selection,
    };
    let mut course = Course {
        daemon: &daemon,
        recorder: &recorder,
        run: &run,
        reports,
        ledger,
        pending: VecDeque::new(),
        end: None,
        begun,
        asked: &asked,
        focus,
        reading: Some(reading_sender),
        calls: None,
        model: None,
        key: None,
        unable: None,
        of,
    };
    let ended = course
        .run(new, started, answer, on_last_reader_gone, early)
        .await;
    course.stop_asking().await;
    drop(course);
    if let Err(error) = ended {
        fail(&recorder, &run, error).await;
    }
    drop(place);
    // Its thread ends by itself: nobody takes its reports any more.
    drop(worker);
    if ephemeral {
        let runs = daemon.runs().clone();
        if let Err(error) = runs.prune().await {
            tracing::warn!(%error, "an ephemeral run's content is removed later");
        }
    }
}

/// The run that the same request was accepted as before, if it was.
async fn known(daemon: &Daemon, id: Uuid, hash: [u8; 32]) -> Option<RunAccepted> {
    let tenant = daemon.runs().tenant();
    let read = daemon.store.read("get a run", move |conn| {
        convergio_runs::get(conn, tenant, id)
    });
    let run = read.await.ok().filter(|run| run.request_hash == hash)?;
    Some(RunAccepted {
        run_id: run.id,
        replayed: true,
        saved: true,
        session_id: None,
    })
}

pub(crate) fn options(params: &ReviewStartParams, rules: &Rules) -> ReviewOptions {
    ReviewOptions {
        strict: rules.strict,
        rules_off: rules.off.clone(),
        rules_only: params.rules.clone(),
        min_severity: convert::severity_back(rules.min_severity),
        base_allow_toml: params.base_silences.clone(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        ..ReviewOptions::default()
    }
}

/// The thread: decodes, hashes, waits for what the database says, reviews.
fn review(
    mut params: ReviewStartParams,
    mut options: ReviewOptions,
    hashed: oneshot::Sender<Result<Diff, RpcError>>,
    before: &blocking::Receiver<Before>,
    reading: &blocking::Receiver<Option<PlanSettings>>,
    reports: &mpsc::Sender<Report>,
) {
    let blob = std::mem::replace(
        &mut params.diff,
        Blob {
            encoding: convergio_contract::review::Encoding::Utf8,
            data: String::new(),
        },
    );
    let diff = match decode(blob) {
        Ok(diff) => diff,
        Err(error) => return drop(hashed.send(Err(error))),
    };
    let hash = request_hash(&params, &diff);
    // Bad options must be answered before the run is accepted.
    let invalid = |error: convergio_review::ReviewError| {
        let told = RpcError::new(ErrorCode::InvalidParams, "the review cannot start")
            .why(error.to_string());
        match error {
            convergio_review::ReviewError::AllowFile(_) => {
                let base = params.base_sha.as_deref().unwrap_or("HEAD");
                let file = convergio_review::silence::ALLOW_FILE;
                told.hint(format!("git show {base}:{file}"))
            }
            convergio_review::ReviewError::UnknownRule { .. } => told,
        }
    };
    if let Err(error) = Review::new(b"", options.clone()) {
        return drop(hashed.send(Err(invalid(error))));
    }
    let of = Diff {
        request_hash: hash,
        bytes: diff.len() as u64,
    };
    if hashed.send(Ok(of)).is_err() {
        return;
    }
    // Not answered: the start was refused.
    let Ok(before) = before.recv() else { return };
    options.allowed_fingerprints = before.silences;
    // Checked above with the same options.
    let Ok(review) = Review::new(&diff, options) else {
        return;
    };
    // Who looks behind the rules is known by now, or soon; if the sender is gone, so is the run.
    let settings = || reading.recv().ok().flatten();
    let (summary, plan) = review.run_planned_by(settings, |outcome| {
        match reports.blocking_send(Report::File(Box::new(outcome))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    // Nobody waits for it: the run was cancelled.
    let _ = reports.blocking_send(Report::Done(Box::new(summary), plan.map(Box::new)));
}

async fn before(
    daemon: &Daemon,
    (root, selection): (String, String),
    base_sha: Option<String>,
) -> Result<Before, RunsError> {
    let tenant = daemon.runs().tenant();
    let read = daemon
        .store
        .read("find the last review", move |connection| {
            let silences = convergio_runs::list_silences(connection, tenant, &root)?;
            let last = convergio_runs::latest_review(connection, tenant, &root, Some(&selection))?;
            Ok(Before {
                silences: silences
                    .into_iter()
                    .map(|silence| silence.fingerprint)
                    .collect(),
                last: last.map(|(run, events)| Last {
                    findings: standing(&events),
                    same_base: run.base_sha == base_sha,
                }),
            })
        });
    read.await
}

/// The findings of a recorded review that stood at its end.
pub(crate) fn standing(events: &[Event]) -> Vec<wire::Finding> {
    events
        .iter()
        .filter_map(|event| match serde_json::from_str(event.payload.get()) {
            Ok(EventBody::Finding(finding)) if finding.status != FindingStatus::Resolved => {
                Some(*finding)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, run = %event.run_id, seq = event.seq, "a recorded finding cannot be read");
                None
            }
        })
        .collect()
}

/// The findings that stand among a run's events.
pub(crate) fn standing_bodies(bodies: Vec<EventBody>) -> Vec<wire::Finding> {
    bodies
        .into_iter()
        .filter_map(|body| match body {
            EventBody::Finding(finding) if finding.status != FindingStatus::Resolved => {
                Some(*finding)
            }
            _ => None,
        })
        .collect()
}
