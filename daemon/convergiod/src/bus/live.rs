//! All runs in progress, and the ended ones that no database has.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use convergio_contract::{
    EventBody, Uuid,
    run::{RunInfo, RunState},
};
use tokio::sync::Notify;

use super::run::LiveRun;

/// Ended runs that are in no database and stay listed.
const UNSAVED_RUNS_MAX: usize = 64;

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
            .filter(|run| run.was_accepted() == Some(true))
            .map(|run| run.info())
            .filter(|info| !info.saved)
            .collect();
        infos.sort_by_key(|info| std::cmp::Reverse((info.started_ms, info.run_id)));
        infos
    }

    /// The latest complete review of `root` that no database has, with its events.
    pub(crate) fn latest_unsaved(&self, root: &str) -> Option<(RunInfo, Vec<EventBody>)> {
        let runs = self.runs();
        let of_root = |run: &&Arc<LiveRun>| {
            let info = run.info();
            info.root == root && info.state == RunState::Completed
        };
        let run = runs.unsaved.iter().rev().find(of_root)?;
        Some((run.info(), run.kept()))
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
        let (accepted, saved) = (self.run.was_accepted(), self.run.info().saved);
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

    use convergio_contract::RunEvent;
    use tokio::time::timeout;

    use super::{
        super::{
            flow::{Channel, Place},
            run::{Next, TAIL_MAX_BYTES},
        },
        *,
    };

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

    fn event(id: Uuid, seq: u64, body: EventBody) -> (u64, RunEvent) {
        let event = RunEvent {
            run_id: id,
            seq: Some(seq),
            at_ms: 5,
            body,
        };
        (seq, event)
    }

    fn started(id: Uuid, seq: u64, length: usize) -> (u64, RunEvent) {
        let body = EventBody::Started {
            kind: "review".into(),
            selection: "x".repeat(length),
        };
        event(id, seq, body)
    }

    fn cancelled(id: Uuid, seq: u64) -> (u64, RunEvent) {
        let body = EventBody::Cancelled {
            reason: "asked".into(),
        };
        event(id, seq, body)
    }

    async fn numbers(run: &LiveRun, after: u64) -> Vec<u64> {
        match run.next(Place::after(after)).await {
            Next::Events(events) => events.iter().map(|(seq, _)| *seq).collect(),
            Next::Older => vec![0],
            Next::Text(..) | Next::Ended => vec![],
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
        let waits = timeout(Duration::from_millis(10), run.next(Place::after(2))).await;
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
        assert!(matches!(place.run.next(Place::after(0)).await, Next::Older));
        assert!(place.run.tail_bytes() <= TAIL_MAX_BYTES);
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
    async fn text_follows_the_events_before_it_and_ends_with_the_run() {
        let runs = Arc::new(LiveRuns::default());
        let id = Uuid::now_v7();
        let place = runs.register(info(id)).ok().unwrap();
        let run = Arc::clone(&place.run);
        run.accept(true, 1);
        run.publish(&[started(id, 1, 3)]);
        run.show(Channel::Text, 0, "Hel");
        assert_eq!(numbers(&run, 0).await, [1]);
        let Next::Text(line, behind) = run.next(Place::after(1)).await else {
            panic!("no text");
        };
        let line = String::from_utf8(line.to_vec()).unwrap();
        assert!(line.contains(r#""type":"delta","after_seq":1,"part":0,"offset":0,"text":"Hel""#));
        run.show(Channel::Text, 0, "lo");
        let Next::Text(line, behind) = run.next(behind).await else {
            panic!("no text");
        };
        let line = String::from_utf8(line.to_vec()).unwrap();
        assert!(line.contains(r#""offset":3,"text":"lo""#));
        run.show(Channel::Text, 0, ", you");
        run.publish(&[cancelled(id, 2)]);
        assert!(matches!(run.next(behind).await, Next::Events(_)));
        assert!(matches!(run.next(Place::after(2)).await, Next::Ended));
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
