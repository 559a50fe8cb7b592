//! What time it is.

use std::{fmt, sync::Arc};

/// The wall clock; another one in tests.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        Self(Arc::new(crate::daemon::now_ms))
    }

    /// One of a test's own: milliseconds since 1970, UTC. After it jumped, wake the daemon by
    /// [`crate::Running::look_at_the_clock`].
    pub fn of(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    #[cfg(test)]
    pub(super) fn standing_at(now_ms: i64) -> Self {
        Self::of(move || now_ms)
    }

    /// Milliseconds since 1970, UTC.
    pub fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}
