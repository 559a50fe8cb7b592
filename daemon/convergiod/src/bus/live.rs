//! Runs in progress: their latest committed events, their readers, and the wish to end them.
//!
//! Readers pull. A run never waits for one, and holds a bounded tail of its events; a reader that
//! needs older ones reads them from the database.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use convergio_contract::{
    EventBody, RunEvent, Uuid,
    event::RUN_EVENT,
    run::{RunInfo, RunState},
};
use convergio_transport::message;
use tokio::sync::Notify;

/// Bytes of events that a saved run keeps in memory: what a reader that keeps up needs.
const TAIL_MAX_BYTES: usize = 1 << 20;
/// Bytes that a run keeps which is in no database.
const UNSAVED_MAX_BYTES: usize = 16 << 20;
/// Ended runs that are in no database and stay listed.
const UNSAVED_RUNS_MAX: usize = 64;
/// Events that one reader takes at once.
const TAKE_MAX: usize = 64;

/// One event as it travels.
pub(crate) type EventLine = Arc<[u8]>;

/// Writes an event as a line, once for all its readers.
pub(crate) fn event_line(event: &RunEvent) -> EventLine {
    let mut line = Vec::new();
    if let Err(error) = message::append_notification(&mut line, RUN_EVENT, event) {
        // Strings, numbers and lists always serialize.
        tracing::error!(%error, run = %event.run_id, "an event could not be written");
    }
    line.into()
}

/// Reads an event back from its line.
fn body_of(line: &[u8]) -> Option<EventBody> {
    #[derive(serde::Deserialize)]
    struct Line {
        params: RunEvent,
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(line.params.body)
}

/// What a reader gets.
pub(crate) enum Next {
    /// Events in order, each with its number.
    Events(Vec<(u64, EventLine)>),
    /// The next one is not in memory any more.
    Older,
    /// There is none after the terminal one.
    Ended,
}

struct State {
    info: RunInfo,
    /// Set when the run was accepted or refused.
    accepted: Option<bool>,
    tail: VecDeque<(u64, EventLine)>,
    tail_bytes: usize,
    readers: usize,
    cancel: Option<String>,
}

/// One run in progress.
pub(crate) struct LiveRun {
    /// Made by the client.
    pub(crate) id: Uuid,
    /// Identifies the request; set at acceptance.
    pub(crate) request_hash: OnceLock<String>,
    state: Mutex<State>,
    /// Anything of the state changed.
    changed: Notify,
}

impl LiveRun {
    fn new(info: RunInfo) -> Self {
        Self {
            id: info.run_id,
            request_hash: OnceLock::new(),
            state: Mutex::new(State {
                info,
                accepted: None,
                tail: VecDeque::new(),
                tail_bytes: 0,
                readers: 0,
                cancel: None,
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn when<T>(&self, mut ready: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(done) = ready(&self.state()) {
                return done;
            }
            changed.await;
        }
    }

    /// How the run stands.
    pub(crate) fn info(&self) -> RunInfo {
        self.state().info.clone()
    }

    /// Says whether the run was accepted, and saved.
    pub(crate) fn accept(&self, saved: bool, started_ms: i64) {
        let mut state = self.state();
        state.info.saved = saved;
        state.info.started_ms = started_ms;
        state.accepted = Some(true);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The database took nothing from here on: the run goes on in memory.
    pub(crate) fn not_saved(&self) {
        self.state().info.saved = false;
    }

    fn refuse(&self) {
        self.state().accepted = Some(false);
        self.changed.notify_waiters();
    }

    /// Waits until the run was accepted (true) or refused.
    pub(crate) async fn accepted(&self) -> bool {
        self.when(|state| state.accepted).await
    }

    /// Shows committed events to the readers.
    pub(crate) fn publish(&self, events: &[RunEvent]) {
        let mut state = self.state();
        for event in events {
            let Some(seq) = event.seq else { continue };
            let line = event_line(event);
            state.tail_bytes += line.len();
            state.tail.push_back((seq, line));
            state.info.last_seq = seq;
            let (ended, error) = match &event.body {
                EventBody::Completed { summary } => {
                    state.info.findings = summary.as_ref().map(|summary| summary.findings);
                    (RunState::Completed, None)
                }
                EventBody::Failed { error } => {
                    let slug = error.data.as_ref().map(|data| data.slug.clone());
                    (RunState::Failed, slug)
                }
                EventBody::Cancelled { .. } => (RunState::Cancelled, None),
                EventBody::Started { .. }
                | EventBody::Finding(_)
                | EventBody::Coverage(_)
                | EventBody::Gap { .. } => continue,
            };
            state.info.state = ended;
            state.info.error = error;
            state.info.ended_ms = Some(event.at_ms);
        }
        let max = if state.info.saved {
            TAIL_MAX_BYTES
        } else {
            UNSAVED_MAX_BYTES
        };
        while state.tail_bytes > max && state.tail.len() > 1 {
            if let Some((_, line)) = state.tail.pop_front() {
                state.tail_bytes -= line.len();
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The events after `after_seq`, as soon as there are any.
    pub(crate) async fn next(&self, after_seq: u64) -> Next {
        self.when(|state| {
            let first = state.tail.front().map_or(0, |(seq, _)| *seq);
            if after_seq < state.info.last_seq && after_seq + 1 < first {
                return Some(Next::Older);
            }
            // Numbers have no gaps, so the place in the tail follows from the number.
            let skip = usize::try_from((after_seq + 1).saturating_sub(first)).unwrap_or(usize::MAX);
            let events: Vec<_> = state
                .tail
                .iter()
                .skip(skip)
                .take(TAKE_MAX)
                .cloned()
                .collect();
            if !events.is_empty() {
                return Some(Next::Events(events));
            }
            (state.info.state != RunState::Running).then_some(Next::Ended)
        })
        .await
    }

    /// The number of the oldest event in memory, for a gap's end.
    pub(crate) fn first_kept(&self) -> u64 {
        self.state().tail.front().map_or(1, |(seq, _)| *seq)
    }

    /// Counts one more reader.
    pub(crate) fn reader(self: &Arc<Self>) -> Reader {
        self.state().readers += 1;
        self.changed.notify_waiters();
        Reader(Arc::clone(self))
    }

    /// Waits until there is a reader (true) or none (false).
    pub(crate) async fn readers(&self, some: bool) {
        self.when(|state| ((state.readers > 0) == some).then_some(()))
            .await;
    }

    /// Asks the run to end; the first reason counts.
    pub(crate) fn cancel(&self, reason: &str) {
        let mut state = self.state();
        if state.cancel.is_none() {
            state.cancel = Some(reason.to_owned());
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until somebody wants the run to end; why.
    pub(crate) async fn cancelled(&self) -> String {
        self.when(|state| state.cancel.clone()).await
    }

    /// Waits until the run has ended.
    pub(crate) async fn ended(&self) -> RunInfo {
        self.when(|state| (state.info.state != RunState::Running).then(|| state.info.clone()))
            .await
    }
}

/// One reader of a run, until dropped.
pub(crate) struct Reader(Arc<LiveRun>);

impl Reader {
    /// What is read.
    pub(crate) fn run(&self) -> &Arc<LiveRun> {
        &self.0
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.state().readers -= 1;
        self.0.changed.notify_waiters();
    }
}

#[derive(Default)]
struct Runs {
    running: HashMap<Uuid, Arc<LiveRun>>,
    /// Ended, in no database, oldest first.
    unsaved: VecDeque<Arc<LiveRun>>,
}

/// All runs in progress, and the ended ones that no database has.
#[derive(Default)]
pub(crate) struct LiveRuns {
    runs: Mutex<Runs>,
    /// A run has ended.
    ended: Notify,
}

impl LiveRuns {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a run before it is accepted, so that a subscription pipelined behind its start
    /// finds it. Gives back the one that is there already, if there is.
    pub(crate) fn register(self: &Arc<Self>, info: RunInfo) -> Result<Registered, Arc<LiveRun>> {
        let mut runs = self.runs();
        if let Some(known) = runs.find(info.run_id) {
            return Err(known);
        }
        let run = Arc::new(LiveRun::new(info));
        runs.running.insert(run.id, Arc::clone(&run));
        Ok(Registered {
            runs: Arc::clone(self),
            run,
        })
    }

    /// A run that is in progress, or ended and in no database.
    pub(crate) fn find(&self, id: Uuid) -> Option<Arc<LiveRun>> {
        self.runs().find(id)
    }

    /// Runs in progress.
    pub(crate) fn running(&self) -> Vec<Arc<LiveRun>> {
        self.runs().running.values().cloned().collect()
    }

    /// How many runs are in progress.
    pub(crate) fn running_count(&self) -> usize {
        self.runs().running.len()
    }

    /// Runs that no database has, newest first.
    pub(crate) fn unsaved(&self) -> Vec<RunInfo> {
        let runs = self.runs();
        let mut infos: Vec<RunInfo> = runs
            .running
            .values()
            .chain(&runs.unsaved)
            .map(|run| run.state())
            .filter(|state| state.accepted == Some(true) && !state.info.saved)
            .map(|state| state.info.clone())
            .collect();
        infos.sort_by_key(|info| std::cmp::Reverse((info.started_ms, info.run_id)));
        infos
    }

    /// The latest complete review of `root` that no database has, with its events.
    pub(crate) fn latest_unsaved(&self, root: &str) -> Option<(RunInfo, Vec<EventBody>)> {
        let runs = self.runs();
        let of_root = |run: &&Arc<LiveRun>| {
            let state = run.state();
            state.info.root == root && state.info.state == RunState::Completed
        };
        let run = Arc::clone(runs.unsaved.iter().rev().find(of_root)?);
        drop(runs);
        let state = run.state();
        let bodies = state.tail.iter().filter_map(|(_, line)| body_of(line));
        Some((state.info.clone(), bodies.collect()))
    }

    /// Waits until a run ends after this call was first polled.
    pub(crate) async fn one_ended(&self) {
        self.ended.notified().await;
    }

    /// Waits until no run is in progress.
    pub(crate) async fn settled(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.running_count() == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Runs {
    fn find(&self, id: Uuid) -> Option<Arc<LiveRun>> {
        let unsaved = || self.unsaved.iter().find(|run| run.id == id);
        self.running.get(&id).or_else(unsaved).cloned()
    }
}

/// A run's place among the runs in progress, until dropped.
pub(crate) struct Registered {
    runs: Arc<LiveRuns>,
    /// The run.
    pub(crate) run: Arc<LiveRun>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut runs = self.runs.runs();
        runs.running.remove(&self.run.id);
        let (accepted, saved) = {
            let state = self.run.state();
            (state.accepted, state.info.saved)
        };
        if accepted == Some(true) && !saved {
            runs.unsaved.push_back(Arc::clone(&self.run));
            if runs.unsaved.len() > UNSAVED_RUNS_MAX {
                runs.unsaved.pop_front();
            }
        }
        drop(runs);
        if accepted.is_none() {
            self.run.refuse();
        }
        self.runs.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn info(id: Uuid) -> RunInfo {
        RunInfo {
            run_id: id,
            kind: "review".into(),
            state: RunState::Running,
            root: "/r".into(),
            selection: "stdin".into(),
            started_ms: 1,
            ended_ms: None,
            findings: None,
            last_seq: 0,
            saved: true,
            error: None,
        }
    }

    fn event(id: Uuid, seq: u64, body: EventBody) -> RunEvent {
        RunEvent {
            run_id: id,
            seq: Some(seq),
            at_ms: 5,
            body,
        }
    }

    fn started(id: Uuid, seq: u64, length: usize) -> RunEvent {
        let body = EventBody::Started {
            kind: "review".into(),
            selection: "x".repeat(length),
        };
        event(id, seq, body)
    }

    fn cancelled(id: Uuid, seq: u64) -> RunEvent {
        let body = EventBody::Cancelled {
            reason: "asked".into(),
        };
        event(id, seq, body)
    }

    async fn numbers(run: &LiveRun, after: u64) -> Vec<u64> {
        match run.next(after).await {
            Next::Events(events) => events.iter().map(|(seq, _)| *seq).collect(),
            Next::Older => vec![0],
            Next::Ended => vec![],
        }
    }

    #[tokio::test]
    async fn a_reader_continues_where_it_was_and_learns_the_end() {
        let runs = Arc::new(LiveRuns::default());
        let id = Uuid::now_v7();
        let place = runs.register(info(id)).ok().unwrap();
        assert!(runs.register(info(id)).is_err());
        let run = Arc::clone(&place.run);
        run.accept(true, 1);
        assert!(run.accepted().await);
        run.publish(&[started(id, 1, 3), started(id, 2, 3)]);
        assert_eq!(numbers(&run, 0).await, [1, 2]);
        assert_eq!(numbers(&run, 1).await, [2]);
        let waits = timeout(Duration::from_millis(10), run.next(2)).await;
        assert!(waits.is_err());
        run.publish(&[cancelled(id, 3)]);
        assert_eq!(numbers(&run, 2).await, [3]);
        assert!(numbers(&run, 3).await.is_empty());
        assert_eq!(run.ended().await.state, RunState::Cancelled);
        drop(place);
        assert!(runs.find(id).is_none());
        runs.settled().await;
    }

    #[tokio::test]
    async fn memory_is_bounded_and_older_events_are_said_to_be_elsewhere() {
        let runs = Arc::new(LiveRuns::default());
        let id = Uuid::now_v7();
        let place = runs.register(info(id)).ok().unwrap();
        place.run.accept(true, 1);
        for seq in 1..=300 {
            place.run.publish(&[started(id, seq, 10_000)]);
        }
        assert!(matches!(place.run.next(0).await, Next::Older));
        assert!(place.run.state().tail_bytes <= TAIL_MAX_BYTES);
        let kept = place.run.first_kept();
        assert_eq!(numbers(&place.run, kept).await[0], kept + 1);
    }

    #[tokio::test]
    async fn a_refused_run_is_gone_and_an_unsaved_one_stays_listed() {
        let runs = Arc::new(LiveRuns::default());
        let refused = runs.register(info(Uuid::now_v7())).ok().unwrap();
        let run = Arc::clone(&refused.run);
        drop(refused);
        assert!(!run.accepted().await);
        let id = Uuid::now_v7();
        let unsaved = runs.register(info(id)).ok().unwrap();
        unsaved.run.accept(false, 1);
        unsaved.run.publish(&[cancelled(id, 1)]);
        drop(unsaved);
        assert_eq!(runs.unsaved().len(), 1);
        assert!(runs.find(id).is_some());
        assert_eq!(runs.running_count(), 0);
    }

    #[tokio::test]
    async fn the_first_reason_to_end_counts_and_readers_are_counted() {
        let runs = Arc::new(LiveRuns::default());
        let place = runs.register(info(Uuid::now_v7())).ok().unwrap();
        place.run.readers(false).await;
        let reader = place.run.reader();
        reader.run().readers(true).await;
        drop(reader);
        place.run.readers(false).await;
        place.run.cancel("first");
        place.run.cancel("second");
        assert_eq!(place.run.cancelled().await, "first");
    }
}
