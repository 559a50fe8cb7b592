//! The course of a review that was accepted: findings of the rules and of a model are recorded as
//! they come, then what they came to.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, mpsc as blocking},
    time::Instant,
};

use convergio_config::secrets::Found;
use convergio_contract::{
    EventBody, RpcError,
    finding::{self as wire, ReviewSummary},
    run::{OnLastReaderGone, RunAccepted},
};
use convergio_engine::Route;
use convergio_review::model::PlanSettings;
use convergio_runs::NewRun;
use tokio::sync::{mpsc, oneshot};

use super::{
    calls::{CallContext, Calls},
    convert,
    ledger::Ledger,
    readers::abandoned,
    record::{Begun, Closing, Recorder},
    review::Report,
    review_model::{ModelLook, with_totals},
    review_route::{self, Asked, Looks, Routed},
};
use crate::{bus::run::LiveRun, daemon::Daemon, failure};

/// Findings that wait for a commit; then outcomes wait.
const PENDING_MAX: usize = 4_096;

/// A run between its acceptance and its end.
pub(super) struct Course<'a> {
    pub(super) daemon: &'a Arc<Daemon>,
    pub(super) recorder: &'a Arc<Recorder>,
    pub(super) run: &'a Arc<LiveRun>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) ledger: Ledger,
    /// Found and not yet recorded.
    pub(super) pending: VecDeque<EventBody>,
    pub(super) end: Option<Box<convergio_review::ReviewSummary>>,
    pub(super) begun: Instant,
    pub(super) asked: &'a Asked,
    pub(super) focus: Option<String>,
    /// Tells the thread by what it cuts the diff for a model.
    pub(super) reading: Option<blocking::SyncSender<Option<PlanSettings>>>,
    /// For the model that looks, until it is known what it is to read.
    pub(super) calls: Option<(Arc<Calls>, Route)>,
    pub(super) model: Option<ModelLook>,
    /// The model's key, known to the redactor while the review lives.
    pub(super) key: Option<Found>,
    /// What is told of a model that should look and cannot.
    pub(super) unable: Option<wire::ModelLayer>,
    /// What is reviewed.
    pub(super) of: review_route::Diff,
}

/// What a commit that is under way will say.
type Commit<'a> = Pin<Box<dyn Future<Output = Result<(), RpcError>> + Send + 'a>>;

impl<'a> Course<'a> {
    pub(super) async fn run(
        &mut self,
        new: NewRun,
        started: EventBody,
        answer: oneshot::Sender<Result<RunAccepted, RpcError>>,
        gone: OnLastReaderGone,
        early: Option<Routed>,
    ) -> Result<(), RpcError> {
        let (daemon, recorder, asked) = (self.daemon, self.recorder, self.asked);
        let of = self.of;
        let routing = match early {
            Some(routed) => {
                self.routed(routed)?;
                None
            }
            None => Some(async {
                let routed = review_route::route(daemon, asked, false).await?;
                review_route::confirmed(daemon, asked, routed, of, false).await
            }),
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
            token: None,
            session_id: None,
            max_cost_nano: options.max_cost_nano_usd,
            cost_token: None,
            keys: options.keys.clone(),
            settings: self.asked.settings.clone(),
            // Asked before the run was accepted, where there was something to ask.
            can_ask: false,
            may_stay_here: false,
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
        self.key = looks.key;
        Ok(settings)
    }

    /// Ends the calls that are open: nothing of the run is asked when it ends.
    pub(super) async fn stop_asking(&mut self) {
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
