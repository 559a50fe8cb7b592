//! A run's way into the database: accepted, appended to, ended; each in one commit, and shown to
//! readers only after it. Where nothing can be saved the run goes on in memory, and says so.

use std::sync::{Arc, Mutex, PoisonError};

use convergio_contract::{EventBody, RunEvent, Uuid};
use convergio_runs::{Accepted, Ending, EventType, NewEvent, NewRun, Runs, RunsError};

use crate::{bus::run::LiveRun, daemon::now_ms, rpc::payload};

/// Where a run's events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    /// Into the database.
    Recorded,
    /// Nowhere, from its start on.
    Unsaved,
    /// Nowhere any more: what is shown from here on has no number, because a number is a promise.
    Lost,
}

/// Writes one run's events.
pub(crate) struct Recorder {
    runs: Runs,
    run: Arc<LiveRun>,
    keeping: Mutex<Keeping>,
}

/// How an attempt to start went.
pub(crate) enum Begun {
    /// It runs.
    New,
    /// The same request was accepted before, as this run.
    Replay(Uuid),
}

fn event_type(body: &EventBody) -> EventType {
    match body {
        EventBody::Started { .. } => EventType::Started,
        EventBody::Plan(_) => EventType::Plan,
        EventBody::Message { .. } => EventType::Message,
        EventBody::Usage(_) => EventType::Usage,
        EventBody::BudgetWarning(_) => EventType::BudgetWarning,
        EventBody::Downgraded { .. } => EventType::Downgraded,
        EventBody::Finding(_) => EventType::Finding,
        EventBody::Coverage(_) => EventType::Coverage,
        EventBody::Completed { .. } => EventType::Completed,
        EventBody::Failed { .. } => EventType::Failed,
        EventBody::Cancelled { .. } => EventType::Cancelled,
        EventBody::Reasoning { .. } => EventType::Reasoning,
        // Made up for a reader and never recorded.
        EventBody::Delta { .. } | EventBody::Gap { .. } => EventType::Plan,
    }
}

fn new_events(bodies: &[EventBody]) -> Vec<NewEvent> {
    let event = |body| NewEvent {
        event_type: event_type(body),
        payload: payload(body),
    };
    bodies.iter().map(event).collect()
}

/// There is no room, or no permission, and nothing was changed: the run goes on in memory. Other
/// errors leave it open what is on the disk, so they end the run.
fn goes_on_unsaved(error: &RunsError) -> bool {
    matches!(error, RunsError::Store(error) if error.is_unwritable())
}

/// Whether what the store takes outlives the process.
pub(crate) fn keeps(store: &convergio_store::Store) -> bool {
    !matches!(store.health(), convergio_store::Health::Unsaved { .. })
}

impl Recorder {
    pub(crate) fn new(runs: Runs, run: Arc<LiveRun>) -> Self {
        Self {
            runs,
            run,
            keeping: Mutex::new(Keeping::Recorded),
        }
    }

    fn keeping(&self) -> Keeping {
        *self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, keeping: Keeping) {
        *self.keeping.lock().unwrap_or_else(PoisonError::into_inner) = keeping;
    }

    /// Accepts the run with its first event.
    pub(crate) async fn begin(&self, new: NewRun, started: EventBody) -> Result<Begun, RunsError> {
        let at_ms = now_ms();
        let tenant = self.runs.tenant();
        let events = new_events(std::slice::from_ref(&started));
        let written: Result<_, RunsError> = self
            .runs
            .store()
            .write("accept a run", move |tx| {
                let accepted = convergio_runs::accept(tx, tenant, &new, at_ms)?;
                if let Accepted::New(run) = &accepted {
                    convergio_runs::append(tx, run.id, &events, at_ms)?;
                }
                Ok(accepted)
            })
            .await;
        let saved = match written {
            Ok(Accepted::Replay(run)) => return Ok(Begun::Replay(run.id)),
            Ok(Accepted::New(_)) => keeps(self.runs.store()),
            Err(error) if goes_on_unsaved(&error) => {
                tracing::warn!(%error, run = %self.run.id, "the run is not saved");
                self.keep(Keeping::Unsaved);
                false
            }
            Err(error) => return Err(error),
        };
        self.run.accept(saved, at_ms);
        self.show(at_ms, 1, vec![started]);
        Ok(Begun::New)
    }

    /// Records events and then shows them.
    pub(crate) async fn append(&self, bodies: Vec<EventBody>) -> Result<(), RunsError> {
        let at_ms = now_ms();
        let first = match self.keeping() {
            Keeping::Recorded => {
                let events = new_events(&bodies);
                let (id, count) = (self.run.id, events.len() as u64);
                let written: Result<u64, RunsError> = self
                    .runs
                    .store()
                    .write("append events", move |tx| {
                        convergio_runs::append(tx, id, &events, at_ms)
                    })
                    .await;
                self.settle(written)?
                    .map_or_else(|| self.next(), |last| last + 1 - count)
            }
            Keeping::Unsaved | Keeping::Lost => self.next(),
        };
        self.show(at_ms, first, bodies);
        Ok(())
    }

    /// Records the last events with the terminal one, in one commit, and then shows them.
    pub(crate) async fn finish(
        &self,
        mut bodies: Vec<EventBody>,
        outcome: &str,
        terminal: impl Fn(bool) -> EventBody,
    ) -> Result<(), RunsError> {
        let at_ms = now_ms();
        let first = match self.keeping() {
            Keeping::Recorded => {
                let events = new_events(&bodies);
                let count = events.len() as u64;
                let body = terminal(self.run.info().saved);
                let ending = Ending {
                    event_type: event_type(&body),
                    outcome: outcome.to_owned(),
                    payload: payload(&body),
                };
                let (id, retention) = (self.run.id, self.runs.retention());
                let written: Result<u64, RunsError> = self
                    .runs
                    .store()
                    .write("end a run", move |tx| {
                        convergio_runs::append(tx, id, &events, at_ms)?;
                        convergio_runs::finish(tx, id, &ending, at_ms, &retention)
                    })
                    .await;
                self.settle(written)?
                    .map_or_else(|| self.next(), |last| last - count)
            }
            Keeping::Unsaved | Keeping::Lost => self.next(),
        };
        bodies.push(terminal(self.run.info().saved));
        self.show(at_ms, first, bodies);
        Ok(())
    }

    /// Ends the run for its readers where nothing could be recorded; the next start ends it in
    /// the database.
    pub(crate) fn give_up(&self, terminal: EventBody) {
        self.keep(Keeping::Lost);
        self.run.not_saved();
        self.show(now_ms(), self.next(), vec![terminal]);
    }

    /// The number of the last event written; none where the run goes on in memory.
    fn settle(&self, written: Result<u64, RunsError>) -> Result<Option<u64>, RunsError> {
        match written {
            Ok(last) => Ok(Some(last)),
            Err(error) if goes_on_unsaved(&error) => {
                tracing::warn!(%error, run = %self.run.id, "the run is no longer saved");
                self.keep(Keeping::Lost);
                self.run.not_saved();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The place behind the last event that was shown.
    fn next(&self) -> u64 {
        self.run.info().last_seq + 1
    }

    fn show(&self, at_ms: i64, first: u64, bodies: Vec<EventBody>) {
        let numbered = self.keeping() != Keeping::Lost;
        let event = |(body, place): (EventBody, u64)| {
            let event = RunEvent {
                run_id: self.run.id,
                seq: numbered.then_some(place),
                at_ms,
                body,
            };
            (place, event)
        };
        let events: Vec<(u64, RunEvent)> = bodies.into_iter().zip(first..).map(event).collect();
        self.run.publish(&events);
    }
}
