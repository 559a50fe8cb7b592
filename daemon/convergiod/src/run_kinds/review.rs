//! A review: the diff is read and checked by rules on a thread of its own while the run is being
//! accepted, and what is found is recorded in as few commits as it allows, then shown. Where there
//! is a model it looks behind the rules, and never holds them up.

use std::{
    collections::{HashSet, VecDeque},
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    sync::{Arc, mpsc as blocking},
    time::Instant,
};

use convergio_contract::{
    ErrorCode, EventBody, RpcError,
    finding::{self as wire, FindingStatus, ReviewSummary},
    review::{Blob, ReviewStartParams},
    run::{OnLastReaderGone, RunAccepted},
};
use convergio_engine::Route;
use convergio_review::{
    FileOutcome, Review, ReviewOptions,
    model::{Plan, PlanSettings},
};
use convergio_runs::{Event, NewRun, RunKind, RunsError};
use tokio::sync::{mpsc, oneshot};

use super::{
    calls::{CallContext, Calls},
    convert,
    ledger::{Last, Ledger},
    readers::abandoned,
    record::{Begun, Closing, Recorder, fail},
    request::{decode, hex, request_hash},
    review_model::{ModelLook, with_totals},
    review_route::{self, Asked, Looks, Routed},
};
use crate::{
    bus::{live::Registered, run::LiveRun},
    daemon::Daemon,
    failure, rpc,
};

/// Outcomes of files that wait to be recorded; then the rules wait.
const OUTCOMES_MAX: usize = 1_024;
/// Findings that wait for a commit; then outcomes wait.
const PENDING_MAX: usize = 4_096;

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
enum Report {
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
    let hash: Result<[u8; 32], RpcError> =
        hash.unwrap_or_else(|_| Err(failure::internal("the review failed", "its thread ended")));
    let (hash, before) = match (hash, before) {
        (Ok(hash), Ok(before)) => (hash, before),
        (Err(error), _) => return drop(answer.send(Err(error))),
        (_, Err(error)) => return drop(answer.send(Err(rpc::runs_error(error)))),
    };
    let early = match early.transpose() {
        Ok(early) => early,
        Err(error) => {
            // The client may send the same run again at once, with what is missing.
            drop(place);
            return drop(answer.send(Err(error)));
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
        unable: None,
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
    hashed: oneshot::Sender<Result<[u8; 32], RpcError>>,
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
    if hashed.send(Ok(hash)).is_err() {
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

/// A run between its acceptance and its end.
struct Course<'a> {
    daemon: &'a Arc<Daemon>,
    recorder: &'a Arc<Recorder>,
    run: &'a Arc<LiveRun>,
    reports: mpsc::Receiver<Report>,
    ledger: Ledger,
    /// Found and not yet recorded.
    pending: VecDeque<EventBody>,
    end: Option<Box<convergio_review::ReviewSummary>>,
    begun: Instant,
    asked: &'a Asked,
    focus: Option<String>,
    /// Tells the thread by what it cuts the diff for a model.
    reading: Option<blocking::SyncSender<Option<PlanSettings>>>,
    /// For the model that looks, until it is known what it is to read.
    calls: Option<(Arc<Calls>, Route)>,
    model: Option<ModelLook>,
    /// What is told of a model that should look and cannot.
    unable: Option<wire::ModelLayer>,
}

/// What a commit that is under way will say.
type Commit<'a> = Pin<Box<dyn Future<Output = Result<(), RpcError>> + Send + 'a>>;

impl<'a> Course<'a> {
    async fn run(
        &mut self,
        new: NewRun,
        started: EventBody,
        answer: oneshot::Sender<Result<RunAccepted, RpcError>>,
        gone: OnLastReaderGone,
        early: Option<Routed>,
    ) -> Result<(), RpcError> {
        let (daemon, recorder, asked) = (self.daemon, self.recorder, self.asked);
        let routing = match early {
            Some(routed) => {
                self.routed(routed)?;
                None
            }
            None => Some(review_route::route(daemon, asked, false)),
        };
        let mut routing = std::pin::pin!(routing);
        let accepting = recorder.begin(new, started);
        tokio::pin!(accepting);
        // Findings gather while the run is being accepted.
        let begun = loop {
            tokio::select! {
                biased;
                begun = &mut accepting => break begun,
                report = self.reports.recv(), if self.takes_reports() => self.take(report)?,
            }
        };
        let accepted = match begun {
            Ok(Begun::New) => Ok(RunAccepted {
                run_id: self.run.id,
                replayed: false,
                saved: self.run.info().saved,
                session_id: None,
            }),
            Ok(Begun::Replay(run_id)) => {
                let saved = super::record::keeps(&daemon.store);
                let replayed = Ok(RunAccepted {
                    run_id,
                    replayed: true,
                    saved,
                    session_id: None,
                });
                // A caller that is gone needs no answer.
                let _ = answer.send(replayed);
                return Ok(());
            }
            Err(error) => {
                // As above.
                let _ = answer.send(Err(error));
                return Ok(());
            }
        };
        // A caller that is gone does not end the run: that is its readers' affair.
        let _ = answer.send(accepted);
        let abandoned = abandoned(self.run, gone, daemon.timing.grace);
        tokio::pin!(abandoned);
        let mut commit: Option<Commit<'a>> = None;
        loop {
            if commit.is_none() {
                let looking = self.model.as_ref().is_some_and(|model| !model.is_done());
                if self.end.is_some() && !looking {
                    return self.complete().await;
                }
                if !self.pending.is_empty() {
                    let bodies: Vec<EventBody> = self.pending.drain(..).collect();
                    commit = Some(Box::pin(recorder.append(bodies)));
                }
            }
            tokio::select! {
                biased;
                reason = self.run.cancelled() => {
                    if let Some(commit) = commit {
                        commit.await?;
                    }
                    self.stop_asking().await;
                    return self.cancel(reason).await;
                }
                written = async { match &mut commit { Some(commit) => commit.await, None => std::future::pending().await } } => {
                    written?;
                    commit = None;
                }
                report = self.reports.recv(), if self.takes_reports() => self.take(report)?,
                routed = async { match routing.as_mut().as_pin_mut() { Some(routing) => routing.await, None => std::future::pending().await } } => {
                    routing.set(None);
                    self.routed(routed?)?;
                }
                found = async { match &mut self.model { Some(model) if !model.is_done() => model.next().await, _ => std::future::pending().await } }, if self.pending.len() < PENDING_MAX => {
                    self.pending.extend(self.ledger.model(found));
                }
                () = &mut abandoned => self.run.cancel("nobody reads it any more"),
            }
        }
    }

    fn takes_reports(&self) -> bool {
        self.end.is_none() && self.pending.len() < PENDING_MAX
    }

    fn take(&mut self, report: Option<Report>) -> Result<(), RpcError> {
        match report {
            Some(Report::File(outcome)) => self.pending.extend(self.ledger.file(*outcome)),
            Some(Report::Done(summary, plan)) => {
                self.end = Some(summary);
                if let (Some((calls, first)), Some(plan)) = (self.calls.take(), plan) {
                    self.model = Some(ModelLook::new(calls, &first, *plan));
                }
            }
            None => {
                return Err(failure::internal(
                    "the review failed inside the daemon",
                    "its thread ended without a result",
                ));
            }
        }
        Ok(())
    }

    /// Takes it that this one looks, or nobody, and lets the thread go on.
    fn routed(&mut self, routed: Routed) -> Result<(), RpcError> {
        let settings = match routed {
            Routed::Rules(why) => {
                if let Some(why) = why {
                    self.ledger.summary.reviewer = format!("rules only: {why}");
                }
                None
            }
            Routed::Unable { name, error } => {
                self.unable = Some(wire::ModelLayer {
                    name,
                    error: Some(error),
                    ..wire::ModelLayer::default()
                });
                None
            }
            Routed::Looks(looks) => Some(self.looks(*looks)?),
        };
        if let Some(reading) = self.reading.take() {
            // The thread may have ended; its end says why.
            let _ = reading.try_send(settings);
        }
        Ok(())
    }

    fn looks(&mut self, looks: Looks) -> Result<PlanSettings, RpcError> {
        let options = &self.asked.options;
        let settings = review_route::plan_settings(&looks, self.focus.take(), options)?;
        let context = CallContext {
            root: self.run.info().root,
            client: self.asked.client.clone(),
            session_id: None,
            max_cost_nano: options.max_cost_nano_usd,
            keys: self.asked.keys(),
            settings: self.asked.settings.clone(),
            // Asked before the run was accepted, where there was something to ask.
            can_ask: false,
        };
        let Some(first) = looks.plan.routes.first().cloned() else {
            return Err(failure::internal(
                "no model can be asked",
                "the plan is empty",
            ));
        };
        let calls = Calls::new(
            Arc::clone(self.daemon),
            Arc::clone(self.recorder),
            Arc::clone(self.run),
            context,
            looks.plan,
        );
        self.calls = Some((Arc::new(calls), first));
        Ok(settings)
    }

    /// Ends the calls that are open: nothing of the run is asked when it ends.
    async fn stop_asking(&mut self) {
        if let Some(model) = &mut self.model {
            model.stop().await;
        }
    }

    async fn complete(&mut self) -> Result<(), RpcError> {
        self.stop_asking().await;
        let Some(end) = self.end.take() else {
            return Ok(());
        };
        if !end.unknown_rules.is_empty() {
            tracing::warn!(rules = ?end.unknown_rules, "the base revision's silences name unknown rules");
        }
        let mut coverage = convert::coverage(&end);
        let unread = !coverage.unreviewed.is_empty();
        let mut layer = self.unable.take();
        if let Some(model) = &mut self.model {
            let outcome = model.outcome();
            self.ledger.model_looked(&outcome);
            coverage.unreviewed.extend(outcome.unreviewed);
            layer = Some(outcome.layer);
        }
        let incomplete =
            !coverage.unreviewed.is_empty() || layer.as_ref().is_some_and(|layer| !layer.complete);
        let resolved = self.ledger.resolved(unread);
        self.pending.extend(resolved);
        self.pending.push_back(EventBody::Coverage(coverage));
        let mut summary = std::mem::take(&mut self.ledger.summary);
        summary.duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let terminal = move |closing: Closing| EventBody::Completed {
            summary: Some(ReviewSummary {
                saved: closing.saved,
                bytes_sent: closing.totals.bytes_sent,
                model: layer
                    .clone()
                    .map(|layer| with_totals(layer, &closing.totals)),
                ..summary.clone()
            }),
            answer: None,
        };
        let outcome = if incomplete { "incomplete" } else { "complete" };
        self.finish(outcome, terminal).await
    }

    async fn cancel(&mut self, reason: String) -> Result<(), RpcError> {
        let terminal = move |_| EventBody::Cancelled {
            reason: reason.clone(),
        };
        self.finish("cancelled", terminal).await
    }

    async fn finish(
        &mut self,
        outcome: &str,
        terminal: impl Fn(Closing) -> EventBody + Send + Sync + 'static,
    ) -> Result<(), RpcError> {
        let bodies: Vec<EventBody> = self.pending.drain(..).collect();
        self.recorder
            .finish(bodies, outcome, Arc::new(terminal))
            .await
    }
}
