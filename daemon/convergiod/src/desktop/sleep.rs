//! Sleep: a word from login1 before the machine sleeps, and time to put everything away.

use std::time::Duration;

use convergio_store::StoreError;
use futures_util::StreamExt;
use tokio::time::timeout;
use zbus::{Connection, proxy, zvariant::OwnedFd};

use super::Finally;
use crate::daemon::Daemon;

pub(super) const SERVICE: &str = "org.freedesktop.login1";

/// What login1 gives a delay where it does not say.
const DELAY_MAX: Duration = Duration::from_secs(5);

#[proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1",
    gen_blocking = false
)]
trait Manager {
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> zbus::Result<OwnedFd>;

    #[zbus(property)]
    fn inhibit_delay_max_u_sec(&self) -> zbus::Result<u64>;

    #[zbus(signal)]
    fn prepare_for_sleep(&self, start: bool) -> zbus::Result<()>;
}

async fn inhibit(manager: &ManagerProxy<'_>, daemon: &Daemon) -> Option<OwnedFd> {
    let taken = manager
        .inhibit(
            "sleep",
            "Convergio",
            "keeps reminders and runs safe",
            "delay",
        )
        .await;
    let said = match &taken {
        Ok(_) => {
            "login1 tells before the machine sleeps, and waits until all is written".to_owned()
        }
        Err(error) => format!("login1 tells before the machine sleeps, and does not wait: {error}"),
    };
    tracing::debug!(said, "sleep");
    daemon.desktop.seen().sleep = Some(said);
    taken.ok()
}

/// Commits what is queued, within what login1 waits.
async fn settle(daemon: &Daemon, within: Duration) {
    let written = async {
        // Behind everything that was asked for before.
        let behind = daemon
            .store
            .write("settle before sleep", |_| Ok::<_, StoreError>(()));
        behind.await?;
        daemon.store.scrub().await
    };
    match timeout(within, written).await {
        Ok(Ok(_)) => tracing::info!("all is written; the machine may sleep"),
        Ok(Err(error)) => tracing::warn!(%error, "not all could be written before the sleep"),
        Err(_) => tracing::warn!("not all was written before the sleep"),
    }
}

/// Follows login1 until it goes.
pub(super) async fn attend(bus: &Connection, daemon: &Daemon) -> zbus::Result<()> {
    let manager = ManagerProxy::builder(bus)
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    let mut signals = manager.receive_prepare_for_sleep().await?;
    let _gone = Finally(|| {
        daemon.held.set(|reasons| reasons.sleep = false);
        daemon.desktop.seen().sleep = None;
    });
    let mut inhibitor = inhibit(&manager, daemon).await;
    while let Some(signal) = signals.next().await {
        if signal.args()?.start {
            daemon.held.set(|reasons| reasons.sleep = true);
            let delay = manager.inhibit_delay_max_u_sec().await;
            let delay = delay.map_or(DELAY_MAX, Duration::from_micros);
            // Some of it is left for the bus.
            settle(daemon, delay.mul_f64(0.8)).await;
            drop(inhibitor.take());
        } else {
            daemon.held.set(|reasons| reasons.sleep = false);
            inhibitor = inhibit(&manager, daemon).await;
            daemon.woke_up();
        }
    }
    Ok(())
}

impl Daemon {
    /// The machine slept: every clock may have moved on.
    fn woke_up(&self) {
        tracing::info!("the machine woke up");
        self.reminders.wake();
        self.topics.stir();
        self.desktop.resumed.notify_one();
    }
}
