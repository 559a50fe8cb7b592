//! What clients hear of by themselves: rare facts, the latest of each.
//!
//! A client subscribes once, on its own connection, and gets each topic's present value first. The
//! menu is drawn for each reader when something may have changed, at most once a second, and sent
//! where it is another one; reminders come one by one. What a reader has not taken yet is bounded:
//! nothing is made for it before its connection has room.

mod follow;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use convergio_contract::topic::Topic;
use convergio_tasks::book::Occurrence;
use tokio::sync::watch;

pub(crate) use follow::{Wanted, follow};

/// Reminders that are kept for readers that are behind. Far more than the most of an hour.
const REMINDERS_KEPT: usize = 256;

/// One word about a reminder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    number: u64,
    occurrence: Arc<Occurrence>,
    /// The subscription that is asked to show it.
    shower: Option<Subscription>,
}

/// Which subscription of which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The connection.
    pub(crate) conn: u64,
    /// Counts the connection's subscriptions.
    pub(crate) turn: u64,
}

#[derive(Default)]
struct State {
    words: VecDeque<Word>,
    last: u64,
    /// Who shows reminders, in the order in which they came.
    showers: Vec<Subscription>,
}

/// What there is to hear.
#[derive(Default)]
pub(crate) struct Topics {
    state: Mutex<State>,
    /// The number of the latest word.
    spoken: watch::Sender<u64>,
    /// Something of the menu may have changed.
    stirred: watch::Sender<u64>,
}

/// A topic's name on the wire.
pub(crate) fn name(topic: Topic) -> &'static str {
    match topic {
        Topic::TaskDue => "task.due",
        Topic::MenuChanged => "menu.changed",
    }
}

impl Topics {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The menu may have changed. Commits tell by themselves.
    pub(crate) fn stir(&self) {
        self.stirred
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A reminder fired, was shown or was answered: as it is now.
    pub(crate) fn due(&self, occurrence: Occurrence) {
        self.say(occurrence, None);
    }

    /// Asks one client that shows reminders to show this one; false where there is none.
    pub(crate) fn ask_to_show(&self, occurrence: Occurrence) -> bool {
        let first = self.state().showers.first().copied();
        if let Some(shower) = first {
            self.say(occurrence, Some(shower));
        }
        first.is_some()
    }

    /// Whether a client is connected that shows reminders itself.
    pub(crate) fn has_shower(&self) -> bool {
        !self.state().showers.is_empty()
    }

    fn say(&self, occurrence: Occurrence, shower: Option<Subscription>) {
        let mut state = self.state();
        state.last += 1;
        let word = Word {
            number: state.last,
            occurrence: Arc::new(occurrence),
            shower,
        };
        state.words.push_back(word);
        if state.words.len() > REMINDERS_KEPT {
            state.words.pop_front();
        }
        let last = state.last;
        drop(state);
        self.spoken.send_replace(last);
    }

    /// Registers who shows reminders, until dropped.
    fn shows(self: &Arc<Self>, subscription: Subscription) -> Shower {
        self.state().showers.push(subscription);
        Shower {
            topics: Arc::clone(self),
            subscription,
        }
    }

    /// The word after this number; the latest of all after none.
    fn after(&self, number: Option<u64>) -> Option<Word> {
        let state = self.state();
        match number {
            None => state.words.back().cloned(),
            Some(number) => {
                let behind = |word: &&Word| word.number > number;
                state.words.iter().find(behind).cloned()
            }
        }
    }
}

/// A client that shows reminders, until dropped.
struct Shower {
    topics: Arc<Topics>,
    subscription: Subscription,
}

impl Drop for Shower {
    fn drop(&mut self) {
        let mut state = self.topics.state();
        state.showers.retain(|shower| *shower != self.subscription);
    }
}

#[cfg(test)]
mod tests {
    use convergio_contract::Uuid;
    use convergio_tasks::book::Fate;

    use super::*;

    fn occurrence(number: u64) -> Occurrence {
        Occurrence {
            id: Uuid::nil(),
            task_id: Uuid::nil(),
            number,
            title: "t".into(),
            due_ms: 1,
            before_min: 0,
            snooze: 0,
            fire_ms: 1,
            fired_ms: 1,
            missed: 0,
            state: Fate::Claimed,
            shown_as: None,
            all_day: false,
            zone: "UTC".into(),
        }
    }

    #[test]
    fn a_reader_gets_the_latest_first_and_then_each_in_turn() {
        let topics = Topics::default();
        assert_eq!(topics.after(None), None);
        topics.due(occurrence(1));
        topics.due(occurrence(2));
        let first = topics.after(None).unwrap();
        assert_eq!(first.occurrence.number, 2);
        topics.due(occurrence(3));
        topics.due(occurrence(4));
        let next = topics.after(Some(first.number)).unwrap();
        assert_eq!(next.occurrence.number, 3);
        let last = topics.after(Some(next.number)).unwrap();
        assert_eq!(last.occurrence.number, 4);
        assert_eq!(topics.after(Some(last.number)), None);
    }

    #[test]
    fn what_is_kept_for_a_reader_that_is_behind_is_bounded() {
        let topics = Topics::default();
        let kept = REMINDERS_KEPT as u64;
        for number in 1..=kept + 10 {
            topics.due(occurrence(number));
        }
        assert_eq!(topics.state().words.len(), REMINDERS_KEPT);
        let oldest = topics.after(Some(1)).unwrap();
        assert_eq!(oldest.occurrence.number, 11);
    }

    #[test]
    fn one_client_alone_is_asked_to_show() {
        let topics = Arc::new(Topics::default());
        assert!(!topics.ask_to_show(occurrence(1)));
        assert_eq!(topics.after(None), None);
        let subscription = |conn| Subscription { conn, turn: 1 };
        let first = topics.shows(subscription(7));
        let second = topics.shows(subscription(8));
        assert!(topics.ask_to_show(occurrence(2)));
        assert_eq!(topics.after(None).unwrap().shower, Some(subscription(7)));
        drop(first);
        assert!(topics.ask_to_show(occurrence(3)));
        assert_eq!(topics.after(None).unwrap().shower, Some(subscription(8)));
        drop(second);
        assert!(!topics.has_shower());
    }
}
