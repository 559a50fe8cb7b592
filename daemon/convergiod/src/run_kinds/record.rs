//! A run's way into the database: accepted, appended to, ended; each in one commit, and shown to
//! readers only after it. What the run owes for models is settled along. Where nothing can be saved
//! the run goes on in memory, and says so.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use convergio_contract::{ErrorCode, EventBody, RpcError, RunEvent, Uuid};
use convergio_ledger::{Denied, LedgerError, Now};
use convergio_runs::{Accepted, Ending, EventType, NewEvent, NewRun, Runs, RunsError};
use convergio_store::{StoreError, Tx};

use super::accounts::{Accounts, Totals};
use crate::{bus::run::LiveRun, daemon::now_ms, failure, providers, rpc, rpc::payload};

/// Why a change of a run was not written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// What the runs' tables or the disk said.
    Runs(RunsError),
    /// The call was not admitted.
    Denied(Denied),
    /// The same request was accepted before, as this run.
    Replay {
        run_id: Uuid,
        session_id: Option<Uuid>,
    },
    /// Nobody wants it any more.
    Cancelled,
    /// Something else, ready to be told.
    Told(Box<RpcError>),
}

impl From<RunsError> for WriteError {
    fn from(error: RunsError) -> Self {
        Self::Runs(error)
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Runs(error.into())
    }
}

impl From<Denied> for WriteError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<LedgerError> for WriteError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            other => Self::Denied(other.into()),
        }
    }
}

impl WriteError {
    /// As it travels.
    pub(crate) fn told(self) -> RpcError {
        match self {
            Self::Runs(error) => rpc::runs_error(error),
            Self::Denied(denied) => providers::failure::denied(&denied),
            Self::Replay { run_id, .. } => {
                failure::internal("the request was accepted twice", run_id.to_string())
            }
            Self::Cancelled => RpcError::new(ErrorCode::Cancelled, "the run was cancelled"),
            Self::Told(error) => *error,
        }
    }

    /// There is no room, or no permission, and nothing was changed: the run goes on in memory.
    /// Other errors leave it open what is on the disk, so they end the run.
    pub(crate) fn goes_on_unsaved(&self) -> bool {
        matches!(self, Self::Runs(RunsError::Store(error)) if error.is_unwritable())
    }
}

/// What is known when a run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    /// The result is in the database.
    pub(crate) saved: bool,
    /// What its calls of models came to.
    pub(crate) totals: Totals,
}

/// Makes the terminal event. Asked once more where the first one could not be saved.
pub(crate) type Terminal = Arc<dyn Fn(Closing) -> EventBody + Send + Sync>;

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

/// A database that runs can be in.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) runs: Runs,
    /// The profile of the machine's user in it.
    pub(crate) profile_id: Uuid,
}

/// Writes one run's events.
pub(crate) struct Recorder {
    runs: Runs,
    /// In memory, where the disk takes nothing and the run goes on without it.
    unsaved: OnceLock<Books>,
    run: Arc<LiveRun>,
    keeping: Mutex<Keeping>,
    accounts: Arc<Accounts>,
    /// Held from a write to its showing: calls that write at once are shown in the log's order.
    turn: tokio::sync::Mutex<()>,
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

pub(crate) fn new_events(bodies: &[EventBody]) -> Vec<NewEvent> {
    let event = |body| NewEvent {
        event_type: event_type(body),
        payload: payload(body),
    };
    bodies.iter().map(event).collect()
}

/// Whether what the store takes outlives the process.
pub(crate) fn keeps(store: &convergio_store::Store) -> bool {
    !matches!(store.health(), convergio_store::Health::Unsaved { .. })
}

impl Recorder {
    pub(crate) fn new(runs: Runs, run: Arc<LiveRun>) -> Self {
        Self {
            runs,
            unsaved: OnceLock::new(),
            run,
            keeping: Mutex::new(Keeping::Recorded),
            accounts: Arc::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// What the run owes for models.
    pub(crate) fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// The database that the run is in.
    pub(crate) fn runs(&self) -> &Runs {
        self.unsaved.get().map_or(&self.runs, |books| &books.runs)
    }

    /// The books in memory, where the run is in them.
    pub(crate) fn unsaved(&self) -> Option<&Books> {
        self.unsaved.get()
    }

    /// Keeps the run's books in memory, before its first commit.
    pub(crate) fn keep_in_memory(&self, books: Books) {
        // Set once; a second wish is the same wish.
        let _ = self.unsaved.set(books);
    }

    fn keeping(&self) -> Keeping {
        *self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, keeping: Keeping) {
        *self.keeping.lock().unwrap_or_else(PoisonError::into_inner) = keeping;
    }

    /// Accepts the run with its first event.
    pub(crate) async fn begin(&self, new: NewRun, started: EventBody) -> Result<Begun, RpcError> {
        let tenant = self.runs.tenant();
        let unsaved = started.clone();
        let written = self.first(move |tx, bodies| {
            accept(tx, tenant, &new)?;
            bodies.push(started);
            Ok(())
        });
        match written.await {
            Ok(()) => Ok(Begun::New),
            Err(WriteError::Replay { run_id, .. }) => Ok(Begun::Replay(run_id)),
            Err(error) if error.goes_on_unsaved() => {
                let error = error.told();
                tracing::warn!(%error, run = %self.run.id, "the run is not saved");
                self.keep(Keeping::Unsaved);
                let at_ms = now_ms();
                self.run.accept(false, at_ms);
                self.show(at_ms, 1, vec![unsaved]);
                Ok(Begun::New)
            }
            Err(error) => Err(error.told()),
        }
    }

    /// Does the run's first commit: `work` accepts it and says which events it begins with. They
    /// are shown, and the run counts as accepted, when that is written.
    pub(crate) async fn first<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>, &mut Vec<EventBody>) -> Result<T, WriteError> + Send + 'static,
    ) -> Result<T, WriteError> {
        let (at_ms, id) = (now_ms(), self.run.id);
        let write = self.runs().store().write("accept a run", move |tx| {
            let mut bodies = Vec::new();
            let done = work(tx, &mut bodies)?;
            convergio_runs::append(tx, id, &new_events(&bodies), at_ms)?;
            Ok::<_, WriteError>((done, bodies))
        });
        let (done, bodies) = write.await?;
        self.run.accept(keeps(self.runs().store()), at_ms);
        self.show(at_ms, 1, bodies);
        Ok(done)
    }

    /// Does `work` in one commit with what is due and with the events that it says; they are shown
    /// when that is written. Fails where the run is not in the database.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>, &mut Vec<EventBody>) -> Result<T, WriteError> + Send + 'static,
    ) -> Result<T, WriteError> {
        if self.keeping() != Keeping::Recorded {
            let error = RpcError::new(ErrorCode::StorageError, "the run is not saved")
                .why("without its books no model is asked")
                .hint("df -h");
            return Err(WriteError::Told(Box::new(error)));
        }
        let (at_ms, id) = (now_ms(), self.run.id);
        let _turn = self.turn.lock().await;
        let (accounts, number) = (Arc::clone(&self.accounts), self.accounts.begin());
        let write = self.runs().store().write("append events", move |tx| {
            let entered = accounts.settle(tx, number, false, Now::system())?;
            let mut bodies = entered.bodies;
            let done = work(tx, &mut bodies)?;
            let last = convergio_runs::append(tx, id, &new_events(&bodies), at_ms)?;
            Ok::<_, WriteError>((done, bodies, last, entered.totals))
        });
        match write.await {
            Ok((done, bodies, last, totals)) => {
                self.accounts.written(number, totals);
                let first = last + 1 - bodies.len() as u64;
                self.show(at_ms, first, bodies);
                Ok(done)
            }
            Err(error) => {
                self.accounts.not_written(number);
                Err(error)
            }
        }
    }

    /// Records events and then shows them.
    pub(crate) async fn append(&self, bodies: Vec<EventBody>) -> Result<(), RpcError> {
        if bodies.is_empty() && !self.accounts.owes() {
            return Ok(());
        }
        if self.keeping() == Keeping::Recorded {
            let recorded = bodies.clone();
            let written = self.write(move |_, all| {
                all.extend(recorded);
                Ok(())
            });
            match written.await {
                Ok(()) => return Ok(()),
                Err(error) if error.goes_on_unsaved() => self.lose(error.told()),
                Err(error) => return Err(error.told()),
            }
        }
        self.show(now_ms(), self.next(), bodies);
        Ok(())
    }

    /// Records the last events with the terminal one, in one commit, and then shows them.
    pub(crate) async fn finish(
        &self,
        bodies: Vec<EventBody>,
        outcome: &str,
        terminal: Terminal,
    ) -> Result<(), RpcError> {
        self.finish_with(Vec::new(), bodies, outcome, terminal, |_| Ok(()))
            .await
    }

    /// As [`Self::finish`], with `work` in the same commit, and `fleeting` shown before the rest
    /// and recorded nowhere.
    pub(crate) async fn finish_with(
        &self,
        fleeting: Vec<EventBody>,
        mut bodies: Vec<EventBody>,
        outcome: &str,
        terminal: Terminal,
        work: impl FnOnce(&Tx<'_>) -> Result<(), WriteError> + Send + 'static,
    ) -> Result<(), RpcError> {
        let _turn = self.turn.lock().await;
        let before = self.accounts.totals();
        if self.keeping() == Keeping::Recorded {
            let (at_ms, id, retention) = (now_ms(), self.run.id, self.runs().retention());
            let (accounts, number) = (Arc::clone(&self.accounts), self.accounts.begin());
            let (recorded, outcome) = (bodies.clone(), outcome.to_owned());
            let (saved, make) = (self.run.info().saved, Arc::clone(&terminal));
            let write = self.runs().store().write("end a run", move |tx| {
                let entered = accounts.settle(tx, number, true, Now::system())?;
                work(tx)?;
                let mut bodies = recorded;
                bodies.extend(entered.bodies);
                let totals = before.plus(entered.totals);
                let body = make(Closing { saved, totals });
                let ending = Ending {
                    event_type: event_type(&body),
                    outcome,
                    payload: payload(&body),
                };
                convergio_runs::append(tx, id, &new_events(&bodies), at_ms)?;
                let last = convergio_runs::finish(tx, id, &ending, at_ms, &retention)?;
                bodies.push(body);
                Ok::<_, WriteError>((bodies, last, entered.totals))
            });
            match write.await {
                Ok((bodies, last, totals)) => {
                    self.accounts.written(number, totals);
                    let first = last + 1 - bodies.len() as u64;
                    self.show_behind(fleeting, at_ms, first, bodies);
                    return Ok(());
                }
                Err(error) => {
                    self.accounts.not_written(number);
                    if !error.goes_on_unsaved() {
                        return Err(error.told());
                    }
                    self.lose(error.told());
                }
            }
        }
        bodies.push(terminal(Closing {
            saved: self.run.info().saved,
            totals: before,
        }));
        self.show_behind(fleeting, now_ms(), self.next(), bodies);
        Ok(())
    }

    /// Ends the run for its readers where nothing could be recorded; the next start ends it in
    /// the database.
    pub(crate) fn give_up(&self, terminal: EventBody) {
        self.keep(Keeping::Lost);
        self.run.not_saved();
        self.show(now_ms(), self.next(), vec![terminal]);
    }

    /// The database takes nothing more of this run.
    fn lose(&self, error: RpcError) {
        tracing::warn!(%error, run = %self.run.id, "the run is no longer saved");
        self.keep(Keeping::Lost);
        self.run.not_saved();
    }

    /// The place behind the last event that was shown.
    fn next(&self) -> u64 {
        self.run.info().last_seq + 1
    }

    fn show(&self, at_ms: i64, first: u64, bodies: Vec<EventBody>) {
        self.run.publish(&self.placed(at_ms, first, bodies));
    }

    fn show_behind(
        &self,
        fleeting: Vec<EventBody>,
        at_ms: i64,
        first: u64,
        bodies: Vec<EventBody>,
    ) {
        let fleeting: Vec<RunEvent> = fleeting
            .into_iter()
            .map(|body| self.event(None, at_ms, body))
            .collect();
        let events = self.placed(at_ms, first, bodies);
        self.run.publish_behind(&fleeting, &events);
    }

    fn event(&self, seq: Option<u64>, at_ms: i64, body: EventBody) -> RunEvent {
        RunEvent {
            run_id: self.run.id,
            seq,
            at_ms,
            body,
        }
    }

    fn placed(&self, at_ms: i64, first: u64, bodies: Vec<EventBody>) -> Vec<(u64, RunEvent)> {
        let numbered = self.keeping() != Keeping::Lost;
        let placed = |(body, place): (EventBody, u64)| {
            (place, self.event(numbered.then_some(place), at_ms, body))
        };
        bodies.into_iter().zip(first..).map(placed).collect()
    }
}

/// Takes the run on, inside of the transaction that does its first commit.
pub(crate) fn accept(
    tx: &Tx<'_>,
    tenant: convergio_runs::Tenant,
    new: &NewRun,
) -> Result<(), WriteError> {
    match convergio_runs::accept(tx, tenant, new, now_ms())? {
        Accepted::New(_) => Ok(()),
        Accepted::Replay(run) => Err(WriteError::Replay {
            run_id: run.id,
            session_id: run.session_id,
        }),
    }
}

/// Ends a run that could not go on.
pub(crate) async fn fail(recorder: &Recorder, run: &Arc<LiveRun>, error: RpcError) {
    tracing::error!(run = %run.id, %error, "a run failed");
    let info = run.info();
    if info.ended_ms.is_some() || info.last_seq == 0 {
        return;
    }
    let slug = error
        .data
        .as_ref()
        .map_or("internal", |data| data.slug.as_str())
        .to_owned();
    let terminal: Terminal = Arc::new(move |_| EventBody::Failed {
        error: error.clone(),
    });
    if let Err(error) = recorder
        .finish(Vec::new(), &slug, Arc::clone(&terminal))
        .await
    {
        tracing::error!(run = %run.id, %error, "the failure could not be recorded");
        recorder.give_up(terminal(Closing {
            saved: false,
            totals: recorder.accounts().totals(),
        }));
    }
}
