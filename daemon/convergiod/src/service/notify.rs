//! Words to the service manager.

use sd_notify::NotifyState;

/// Tells the service manager how the daemon stands, where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notifier {
    listening: bool,
    watched: bool,
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
            watched: sd_notify::watchdog_enabled().is_some(),
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

    /// Whether it waits for [`Self::watchdog`].
    pub(crate) fn watched(self) -> bool {
        self.watched
    }

    pub(crate) fn watchdog(self) {
        self.say(&[NotifyState::Watchdog]);
    }
}
