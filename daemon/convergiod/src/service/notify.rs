//! Words to the service manager.

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells the service manager how the daemon stands, where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notifier {
    listening: bool,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Speaks to nobody.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Speaks to whom the process's environment names.
    pub fn from_process() -> Self {
        Self {
            listening: true,
            watchdog: sd_notify::watchdog_enabled(),
        }
    }

    fn say(self, states: &[NotifyState<'_>]) {
        if !self.listening {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }

    pub(crate) fn ready(self) {
        self.say(&[NotifyState::Ready]);
    }

    pub(crate) fn stopping(self) {
        self.say(&[NotifyState::Stopping]);
    }

    /// How often it wants [`Self::watchdog`]: twice in the time after which it gives up on us.
    pub(crate) fn wants_word_every(self) -> Option<Duration> {
        self.watchdog.map(|timeout| timeout / 2)
    }

    pub(crate) fn watchdog(self) {
        self.say(&[NotifyState::Watchdog]);
    }
}
