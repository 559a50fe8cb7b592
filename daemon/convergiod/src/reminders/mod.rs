//! Reminders: when they fire, who is told, what is answered.
//!
//! One task owns all of it: it claims what is due (a commit), shows it, records that (another
//! commit). A daemon that dies in between shows it again, under the same identity; one that does
//! not, never. Nothing waits here on a timer of its own: [`crate::lifecycle`] asks
//! [`Reminders::until_next`] how long it may sleep, never longer than its tick, and the wall clock
//! is read anew each time. Whoever changes tasks calls [`Reminders::wake`].

mod anew;
mod answers;
mod clock;
mod hourly;
mod keeper;
mod screen;
mod text;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use convergio_contract::task::Occurrence;
use tokio::sync::Notify;

pub use clock::Clock;
pub(crate) use keeper::{keep, quiet_until_ms};
pub(crate) use text::{test as test_texts, told};

/// After something failed it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What is to come, as it was when the database was last looked at.
#[derive(Clone, Debug)]
struct Plan {
    /// The next moment at which something is due, UTC milliseconds.
    next_ms: Option<i64>,
    /// Something failed: not before then.
    again_at: Option<Instant>,
    /// Something is planned, or waits to be shown.
    keeps_awake: bool,
    /// There was no bus when there was something to show.
    wants_bus: bool,
    /// Reminders that nobody saw, oldest first: the first of them.
    missed: Vec<Occurrence>,
    /// Beyond those.
    missed_more: u32,
}

/// The daemon's reminders, as its other parts see them.
pub(crate) struct Reminders {
    /// What time it is.
    pub(crate) clock: Clock,
    plan: Mutex<Plan>,
    /// Look at the database.
    look: Notify,
    /// What could not be shown is tried again with that look.
    retry: AtomicBool,
    /// The plan is another one.
    planned: Notify,
    /// A look was asked for and is not over.
    looking: AtomicBool,
}

impl Reminders {
    /// Nothing is known yet, so the daemon stays.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            plan: Mutex::new(Plan {
                next_ms: None,
                again_at: None,
                keeps_awake: true,
                wants_bus: false,
                missed: Vec::new(),
                missed_more: 0,
            }),
            look: Notify::new(),
            retry: AtomicBool::new(true),
            planned: Notify::new(),
            looking: AtomicBool::new(true),
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something about tasks or the clock changed: looks again. Returns at once.
    pub(crate) fn wake(&self) {
        self.looking.store(true, Ordering::Release);
        self.look.notify_one();
    }

    /// Somebody came who can show what nobody could.
    pub(crate) fn show_again(&self) {
        self.retry.store(true, Ordering::Release);
        self.wake();
    }

    /// Something is planned or waits to be shown: the daemon does not idle out.
    pub(crate) fn keeps_awake(&self) -> bool {
        self.plan().keeps_awake
    }

    /// How long nothing is due; none where nothing is planned, or where that is being looked at.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        if self.looking.load(Ordering::Acquire) {
            return None;
        }
        let plan = self.plan();
        let again = plan.again_at;
        let again = again.map(|at| at.saturating_duration_since(Instant::now()));
        let next = plan.next_ms.map(|next_ms| {
            let left_ms = next_ms.saturating_sub(self.clock.now_ms());
            Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
        });
        match (next, again) {
            // Due, and it failed a moment ago.
            (Some(Duration::ZERO), Some(again)) => Some(again),
            (Some(next), Some(again)) => Some(next.min(again)),
            (next, again) => next.or(again),
        }
    }

    /// The timer fired: looks at the database only where there is a reason. `bus_seems_there` is
    /// asked where a bus was missed.
    pub(crate) fn tick(&self, bus_seems_there: impl FnOnce() -> bool) {
        let (again_at, wants_bus) = {
            let plan = self.plan();
            (plan.again_at, plan.wants_bus)
        };
        let again = again_at.is_some_and(|at| at <= Instant::now());
        if again || (wants_bus && bus_seems_there()) {
            self.show_again();
        } else if self.until_next() == Some(Duration::ZERO) {
            self.wake();
        }
    }

    /// Waits until the plan is another one.
    pub(crate) async fn planned(&self) {
        self.planned.notified().await;
    }

    /// Reminders that nobody saw, oldest first, and how many there are beyond those.
    pub(crate) fn missed(&self) -> (Vec<Occurrence>, u32) {
        let plan = self.plan();
        (plan.missed.clone(), plan.missed_more)
    }

    /// Somebody saw these: the next client is not told of them, though nobody looked since.
    pub(crate) fn seen(&self, ids: &[convergio_contract::Uuid]) {
        let mut plan = self.plan();
        plan.missed.retain(|one| !ids.contains(&one.occurrence_id));
    }

    fn set(&self, plan: Plan) {
        *self.plan() = plan;
        self.looking.store(false, Ordering::Release);
        self.planned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reminders(now_ms: i64, next_ms: Option<i64>, again_in: Option<Duration>) -> Reminders {
        let reminders = Reminders::new(Clock::standing_at(now_ms));
        let old = reminders.plan().clone();
        reminders.set(Plan {
            next_ms,
            again_at: again_in.map(|left| Instant::now() + left),
            ..old
        });
        reminders
    }

    #[test]
    fn it_sleeps_until_what_is_next_and_not_at_all_when_that_has_passed() {
        assert_eq!(reminders(5, None, None).until_next(), None);
        let soon = reminders(5_000, Some(7_000), None);
        assert_eq!(soon.until_next(), Some(Duration::from_secs(2)));
        for (now_ms, next_ms) in [(7_000, 7_000), (i64::MAX, i64::MIN), (8, 7)] {
            let due = reminders(now_ms, Some(next_ms), None);
            assert_eq!(due.until_next(), Some(Duration::ZERO));
        }
        // What failed a moment ago waits, though it is due.
        let failed = reminders(8_000, Some(7_000), Some(AGAIN_AFTER));
        assert!(failed.until_next().unwrap() > AGAIN_AFTER / 2);
        // What failed does not hold up what comes.
        let one_failed = reminders(8_000, Some(9_000), Some(AGAIN_AFTER));
        assert_eq!(one_failed.until_next(), Some(Duration::from_secs(1)));
        let only_failed = reminders(8_000, None, Some(AGAIN_AFTER));
        assert!(only_failed.until_next().unwrap() > AGAIN_AFTER / 2);
    }

    #[test]
    fn until_the_first_look_nobody_leaves() {
        assert!(Reminders::new(Clock::system()).keeps_awake());
    }
}
