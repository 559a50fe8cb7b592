//! What is looked at with each tick of the daemon's one timer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use convergio_store::StoreError;
use tokio::time::timeout;

use super::Life;
use crate::{expiry, memory};

/// Ticks between two rounds of removing what has expired.
const RETENTION_TICKS: u64 = 120;
/// How long the liveness probe may take.
const PROBE_WITHIN: Duration = Duration::from_secs(20);

impl Life {
    /// Looks at the world; whether the daemon stays.
    pub(super) async fn tick(&mut self, ticks: u64, accepting: bool) -> bool {
        let daemon = &self.opened.daemon;
        if self.opened.notifier.wants_word_every().is_some() && accepting && self.alive().await {
            self.opened.notifier.watchdog();
        }
        if self.lost_the_socket() {
            return false;
        }
        if daemon.live.running_count() == 0 {
            memory::give_back();
        }
        let bus = &daemon.desktop.session;
        daemon.reminders.tick(|| bus.seems_there().is_ok());
        // Somebody may have changed the settings, or let go of the port.
        daemon.tend_gateway().await;
        daemon.desktop.tick();
        let today = jiff::Zoned::now().date();
        if std::mem::replace(&mut self.today, today) != today {
            daemon.topics.stir();
        }
        if ticks % RETENTION_TICKS == 1 {
            self.tidy_since.get_or_insert_with(Instant::now);
        }
        if let Some(since) = self.tidy_since
            && daemon.held.may_tidy(since)
        {
            self.tidy_since = None;
            let daemon = Arc::clone(daemon);
            tokio::spawn(async move { expiry::remove(&daemon).await });
        }
        true
    }

    /// Whether the database answers.
    async fn alive(&self) -> bool {
        let probe = self
            .opened
            .daemon
            .store
            .read("answer the watchdog", |_| Ok::<_, StoreError>(()));
        match timeout(PROBE_WITHIN, probe).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the database does not answer; no word to the watchdog");
                false
            }
            Err(_) => {
                tracing::error!("the database does not answer in time; no word to the watchdog");
                false
            }
        }
    }
}
