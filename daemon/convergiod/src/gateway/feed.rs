//! What comes of an answer, on its way from the run to the program that waits for it.
//!
//! The run never waits: what the program has not taken is merged, and the engine bounds an answer's
//! bytes, so the queue is bounded by it.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use convergio_engine::{Channel, Shown};
use convergio_gateway::{Counts, End, Fault};
use convergio_models_api::{ModelEvent, Usage};
use tokio::sync::Notify;

/// How a run ended, for the program.
pub(crate) type Ended = Result<Whole, Fault>;

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    /// Why it ended, and what it used.
    pub(crate) end: End,
    /// What it cost.
    pub(crate) amount_nano_usd: i64,
}

#[derive(Default)]
struct State {
    events: Vec<ModelEvent>,
    /// Something of the answer itself came.
    begun: bool,
    used: Option<Usage>,
    end: Option<Ended>,
}

/// The queue. One program reads it.
#[derive(Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    changed: Notify,
    cached: AtomicBool,
}

fn event(shown: &Shown) -> ModelEvent {
    match shown {
        Shown::Piece {
            channel: Channel::Text,
            text,
            ..
        } => ModelEvent::Text(text.clone()),
        Shown::Piece {
            channel: Channel::Reasoning,
            text,
            ..
        } => ModelEvent::Reasoning(text.clone()),
        Shown::Event(event) => event.clone(),
    }
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a piece of the answer.
    pub(crate) fn push(&self, shown: &Shown) {
        let event = event(shown);
        let mut state = self.state();
        match &event {
            ModelEvent::Usage(usage) => state.used = Some(*usage),
            ModelEvent::Started { .. } | ModelEvent::Stop(_) => {}
            _ => state.begun = true,
        }
        match (state.events.last_mut(), &event) {
            (Some(ModelEvent::Text(last)), ModelEvent::Text(more))
            | (Some(ModelEvent::Reasoning(last)), ModelEvent::Reasoning(more)) => {
                last.push_str(more);
            }
            (
                Some(ModelEvent::ToolArguments { index, json }),
                ModelEvent::ToolArguments {
                    index: same,
                    json: more,
                },
            ) if index == same => json.push_str(more),
            (Some(ModelEvent::Usage(last)), ModelEvent::Usage(now)) => *last = *now,
            _ => state.events.push(event),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// What comes is a kept answer. Said before the first of it.
    pub(crate) fn is_again(&self) {
        self.cached.store(true, Ordering::Release);
    }

    /// What came is a kept answer.
    pub(crate) fn was_kept(&self) -> bool {
        self.cached.load(Ordering::Acquire)
    }

    /// Takes the end. The first one counts.
    pub(crate) fn end(&self, ended: Ended) {
        self.state().end.get_or_insert(ended);
        self.changed.notify_one();
    }

    /// What the provider said last of what was used.
    pub(crate) fn used(&self) -> Option<Counts> {
        self.state().used.as_ref().and_then(Counts::of)
    }

    async fn when<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            if let Some(done) = ready(&mut self.state()) {
                return done;
            }
            changed.await;
        }
    }

    /// Waits until something of the answer came (true), or it ended without.
    pub(crate) async fn begun(&self) -> bool {
        self.when(|state| (state.begun || state.end.is_some()).then_some(state.begun))
            .await
    }

    /// Waits for more, and takes it; the end comes with the last of it.
    pub(crate) async fn take(&self) -> (Vec<ModelEvent>, Option<Ended>) {
        self.when(|state| {
            let some = !state.events.is_empty() || state.end.is_some();
            some.then(|| (std::mem::take(&mut state.events), state.end.take()))
        })
        .await
    }

    /// Waits for the end, and takes everything.
    pub(crate) async fn whole(&self) -> (Vec<ModelEvent>, Ended) {
        self.when(|state| {
            let end = state.end.take()?;
            Some((std::mem::take(&mut state.events), end))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use convergio_models_api::StopReason;

    use super::*;

    fn piece(text: &str) -> Shown {
        Shown::Piece {
            channel: Channel::Text,
            part: 0,
            text: text.to_owned(),
        }
    }

    #[tokio::test]
    async fn what_nobody_took_is_merged_and_the_end_comes_last() {
        let feed = Arc::new(Feed::default());
        for _ in 0..1_000 {
            feed.push(&piece("ab"));
        }
        assert!(feed.begun().await);
        let (events, end) = feed.take().await;
        assert_eq!(events, [ModelEvent::Text("ab".repeat(1_000))]);
        assert!(end.is_none());
        let reader = Arc::clone(&feed);
        let reading = tokio::spawn(async move { reader.take().await });
        feed.push(&piece("c"));
        let (events, _) = reading.await.unwrap();
        assert_eq!(events, [ModelEvent::Text("c".into())]);
        feed.end(Ok(Whole {
            end: End {
                stop: StopReason::End,
                used: Counts::default(),
            },
            amount_nano_usd: 7,
        }));
        let (events, end) = feed.take().await;
        assert!(events.is_empty());
        assert_eq!(end.unwrap().unwrap().amount_nano_usd, 7);
    }
}
