//! One run in progress: its latest committed events, their readers, and the wish to end them.
//!
//! Readers pull. A run never waits for one, and holds a bounded tail of its events; a reader that
//! needs older ones reads them from the database.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use convergio_contract::{
    EventBody, RunEvent, Uuid,
    event::RUN_EVENT,
    run::{RunInfo, RunState},
};
use convergio_transport::message;
use tokio::sync::Notify;

use super::flow::{Channel, Flow, Piece, Place};
use crate::daemon::now_ms;

/// Bytes of events that a saved run keeps in memory: what a reader that keeps up needs.
pub(super) const TAIL_MAX_BYTES: usize = 1 << 20;
/// Bytes that a run keeps which is in no database.
const UNSAVED_MAX_BYTES: usize = 16 << 20;
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
    /// More of the answer, which is no event of the log; the place behind it.
    Text(EventLine, Place),
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
    /// The answer in progress.
    flow: Flow,
    /// Findings that were shown.
    findings: u32,
}

/// How far a run is, for who only glances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Findings so far.
    pub(crate) findings: u32,
    /// Characters of the answer so far.
    pub(crate) characters: usize,
}

/// One run in progress.
pub(crate) struct LiveRun {
    /// Made by the client.
    pub(crate) id: Uuid,
    /// Identifies the request; set at acceptance.
    pub(crate) request_hash: OnceLock<String>,
    state: Mutex<State>,
    /// Anything of the state but the answer's text changed.
    changed: Notify,
    /// More text of the answer came; apart, so that a token wakes nobody but readers.
    flowed: Notify,
}

impl LiveRun {
    pub(super) fn new(info: RunInfo) -> Self {
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
                flow: Flow::default(),
                findings: 0,
            }),
            changed: Notify::new(),
            flowed: Notify::new(),
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

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        let state = self.state();
        Progress {
            findings: state.findings,
            characters: state.flow.characters(),
        }
    }

    /// Says what the run is about, where that was not known when it was registered.
    pub(crate) fn about(&self, root: String, selection: String) {
        let mut state = self.state();
        state.info.root = root;
        state.info.selection = selection;
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

    pub(super) fn refuse(&self) {
        self.state().accepted = Some(false);
        self.changed.notify_waiters();
    }

    /// Whether the run was accepted; none while that is open.
    pub(crate) fn was_accepted(&self) -> Option<bool> {
        self.state().accepted
    }

    /// The events in memory.
    pub(super) fn kept(&self) -> Vec<EventBody> {
        let state = self.state();
        state
            .tail
            .iter()
            .filter_map(|(_, line)| body_of(line))
            .collect()
    }

    #[cfg(test)]
    pub(super) fn tail_bytes(&self) -> usize {
        self.state().tail_bytes
    }

    /// Waits until the run was accepted (true) or refused.
    pub(crate) async fn accepted(&self) -> bool {
        self.when(|state| state.accepted).await
    }

    /// Shows events to the readers, each with its place: its number, where it has one. They are
    /// committed, or the run is not saved.
    pub(crate) fn publish(&self, events: &[(u64, RunEvent)]) {
        self.publish_behind(&[], events);
    }

    /// As [`Self::publish`], with what is in no log and has no place right before it.
    pub(crate) fn publish_behind(&self, fleeting: &[RunEvent], events: &[(u64, RunEvent)]) {
        let mut before: Vec<u8> = Vec::new();
        for event in fleeting {
            before.extend_from_slice(&event_line(event));
        }
        let mut state = self.state();
        for (place, event) in events {
            // Events that were written without our hearing of it are read from the database.
            if state
                .tail
                .back()
                .is_some_and(|(last, _)| last + 1 != *place)
            {
                state.tail.clear();
                state.tail_bytes = 0;
            }
            let mut line = event_line(event);
            if !before.is_empty() {
                // They travel as one, so that the place behind them is that of the last.
                before.extend_from_slice(&line);
                line = std::mem::take(&mut before).into();
            }
            state.tail_bytes += line.len();
            state.tail.push_back((*place, line));
            state.info.last_seq = *place;
            let (ended, error) = match &event.body {
                EventBody::Completed { summary, .. } => {
                    state.info.findings = summary.as_ref().map(|summary| summary.findings);
                    (RunState::Completed, None)
                }
                EventBody::Failed { error } => {
                    let slug = error.data.as_ref().map(|data| data.slug.clone());
                    (RunState::Failed, slug)
                }
                EventBody::Cancelled { .. } => (RunState::Cancelled, None),
                EventBody::Finding(_) => {
                    state.findings = state.findings.saturating_add(1);
                    continue;
                }
                EventBody::Started { .. }
                | EventBody::Plan(_)
                | EventBody::Delta { .. }
                | EventBody::Reasoning { .. }
                | EventBody::Message { .. }
                | EventBody::Usage(_)
                | EventBody::BudgetWarning(_)
                | EventBody::Downgraded { .. }
                | EventBody::Coverage(_)
                | EventBody::Gap { .. } => continue,
            };
            // What came of the answer is in its messages now.
            state.flow = Flow::default();
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

    /// Shows more of the answer to the readers. It is in no log until it is whole.
    pub(crate) fn show(&self, channel: Channel, part: u32, text: &str) {
        self.state().flow.append(channel, part, text);
        self.flowed.notify_waiters();
    }

    /// What follows `place`, as soon as there is anything: events first, then text.
    pub(crate) async fn next(&self, place: Place) -> Next {
        loop {
            let (changed, flowed) = (self.changed.notified(), self.flowed.notified());
            tokio::pin!(changed, flowed);
            changed.as_mut().enable();
            flowed.as_mut().enable();
            if let Some(next) = self.next_now(place) {
                return next;
            }
            tokio::select! {
                () = flowed => {}
                () = changed => {}
            }
        }
    }

    fn next_now(&self, mut place: Place) -> Option<Next> {
        let state = self.state();
        let after_seq = place.after_seq;
        let first = state.tail.front().map_or(0, |(seq, _)| *seq);
        if after_seq < state.info.last_seq && after_seq.saturating_add(1) < first {
            return Some(Next::Older);
        }
        // Numbers have no gaps, so the place in the tail follows from the number.
        let skip = usize::try_from(after_seq.saturating_add(1).saturating_sub(first))
            .unwrap_or(usize::MAX);
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
        if state.info.state != RunState::Running {
            return Some(Next::Ended);
        }
        let piece = state.flow.next(&mut place)?;
        drop(state);
        Some(Next::Text(self.delta_line(after_seq, piece), place))
    }

    fn delta_line(&self, after_seq: u64, piece: Piece) -> EventLine {
        let Piece {
            channel,
            part,
            offset,
            text,
        } = piece;
        let body = match channel {
            Channel::Text => EventBody::Delta {
                after_seq,
                part,
                offset,
                text,
            },
            Channel::Reasoning => EventBody::Reasoning {
                after_seq,
                part,
                offset,
                text,
            },
        };
        event_line(&RunEvent {
            run_id: self.id,
            seq: None,
            at_ms: now_ms(),
            body,
        })
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
