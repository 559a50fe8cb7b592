//! A run's way into the database: accepted, appended to, ended; each in one commit, and shown to
//! readers only after it. Where nothing can be saved the run goes on in memory, and says so.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use convergio_contract::{EventBody, RunEvent, Uuid};
use convergio_runs::{Accepted, Ending, EventType, NewEvent, NewRun, Runs, RunsError};

use crate::{bus::live::LiveRun, daemon::now_ms, rpc::payload};

/// Writes one run's events.
pub(crate) struct Recorder {
    runs: Runs,
    run: Arc<LiveRun>,
    /// The database takes this run's events.
    records: AtomicBool,
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
        EventBody::Finding(_) => EventType::Finding,
        EventBody::Coverage(_) => EventType::Coverage,
        EventBody::Completed { .. } => EventType::Completed,
        EventBody::Failed { .. } => EventType::Failed,
        EventBody::Cancelled { .. } => EventType::Cancelled,
        // Made up for a late reader and never recorded.
        EventBody::Gap { .. } => EventType::Plan,
    }
}

fn new_events(bodies: &[EventBody]) -> Vec<NewEvent> {
    let event = |body| NewEvent {
        event_type: event_type(body),
        payload: payload(body),
    };
    bodies.iter().map(event).collect()
}

/// Nothing can be written, but the daemon works: the run goes on in memory.
fn goes_on_unsaved(error: &RunsError) -> bool {
    match error {
        RunsError::Store(error) => {
            error.is_unwritable()
                || matches!(
                    error,
                    convergio_store::StoreError::Device { .. }
                        | convergio_store::StoreError::Busy { .. }
                )
        }
        _ => false,
    }
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
            records: AtomicBool::new(true),
        }
    }

    fn records(&self) -> bool {
        self.records.load(Ordering::Relaxed)
    }

    fn is_saved(&self) -> bool {
        self.run.info().saved
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
                self.records.store(false, Ordering::Relaxed);
                false
            }
            Err(error) => return Err(error),
        };
        self.run.accept(saved, at_ms);
        self.show(at_ms, 0, vec![started]);
        Ok(Begun::New)
    }

    /// Records events and then shows them; `last_seq` is the run's last event so far.
    pub(crate) async fn append(
        &self,
        last_seq: u64,
        bodies: Vec<EventBody>,
    ) -> Result<u64, RunsError> {
        let at_ms = now_ms();
        if self.records() {
            let events = new_events(&bodies);
            let id = self.run.id;
            let written: Result<u64, RunsError> = self
                .runs
                .store()
                .write("append events", move |tx| {
                    convergio_runs::append(tx, id, &events, at_ms)
                })
                .await;
            self.settle(written)?;
        }
        Ok(self.show(at_ms, last_seq, bodies))
    }

    /// Records the last events with the terminal one, in one commit, and then shows them.
    pub(crate) async fn finish(
        &self,
        last_seq: u64,
        mut bodies: Vec<EventBody>,
        outcome: &str,
        terminal: impl Fn(bool) -> EventBody,
    ) -> Result<(), RunsError> {
        let at_ms = now_ms();
        if self.records() {
            let events = new_events(&bodies);
            let body = terminal(true);
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
            self.settle(written)?;
        }
        bodies.push(terminal(self.is_saved()));
        self.show(at_ms, last_seq, bodies);
        Ok(())
    }

    /// Ends the run for its readers where nothing could be recorded; the next start ends it in
    /// the database.
    pub(crate) fn give_up(&self, last_seq: u64, terminal: EventBody) {
        self.run.not_saved();
        self.show(now_ms(), last_seq, vec![terminal]);
    }

    fn settle(&self, written: Result<u64, RunsError>) -> Result<(), RunsError> {
        match written {
            Ok(_) => Ok(()),
            Err(error) if goes_on_unsaved(&error) => {
                tracing::warn!(%error, run = %self.run.id, "the run is no longer saved");
                self.records.store(false, Ordering::Relaxed);
                self.run.not_saved();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn show(&self, at_ms: i64, last_seq: u64, bodies: Vec<EventBody>) -> u64 {
        let events: Vec<RunEvent> = bodies
            .into_iter()
            .zip(last_seq + 1..)
            .map(|(body, seq)| RunEvent {
                run_id: self.run.id,
                seq: Some(seq),
                at_ms,
                body,
            })
            .collect();
        self.run.publish(&events);
        last_seq + events.len() as u64
    }
}
