//! A value whose changes can be awaited by threads and by tasks alike.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    threads: Condvar,
    tasks: Notify,
}

impl<T> Watched<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.threads.notify_all();
        self.tasks.notify_waiters();
        result
    }

    /// Blocks this thread until `holds`; false when `deadline` passed first.
    pub(crate) fn wait(&self, deadline: Duration, holds: impl Fn(&T) -> bool) -> bool {
        let guard = self.lock();
        let (guard, _) = self
            .threads
            .wait_timeout_while(guard, deadline, |value| !holds(value))
            .unwrap_or_else(PoisonError::into_inner);
        holds(&guard)
    }

    /// Resolves when `holds`.
    pub(crate) async fn until(&self, holds: impl Fn(&T) -> bool) {
        loop {
            let changed = self.tasks.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change between the two is missed.
            changed.as_mut().enable();
            if self.look(&holds) {
                return;
            }
            changed.await;
        }
    }
}
