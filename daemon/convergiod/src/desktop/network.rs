//! Online or not, as NetworkManager tells. It is only asked for what it knows: nothing is sent to
//! find out.

use futures_util::StreamExt;
use zbus::{Connection, proxy};

use super::Finally;
use crate::daemon::Daemon;

pub(super) const SERVICE: &str = "org.freedesktop.NetworkManager";

#[proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager",
    gen_blocking = false
)]
trait NetworkManager {
    #[zbus(property)]
    fn connectivity(&self) -> zbus::Result<u32>;
}

/// Values of `NMConnectivityState`.
const NONE: u32 = 1;
const PORTAL: u32 = 2;
const LIMITED: u32 = 3;

fn is_offline(connectivity: u32) -> bool {
    // What is not known (0) counts as online: calls find out by themselves.
    matches!(connectivity, NONE | PORTAL | LIMITED)
}

fn tell(daemon: &Daemon, connectivity: u32) {
    let offline = is_offline(connectivity);
    daemon.held.set(|reasons| reasons.offline = offline);
    let said = match connectivity {
        NONE => "NetworkManager: no network",
        PORTAL => "NetworkManager: a portal wants something first",
        LIMITED => "NetworkManager: a network without the internet",
        _ => "NetworkManager: online, as far as it knows",
    };
    daemon.desktop.seen().network = Some(said.to_owned());
}

/// Follows NetworkManager until it goes.
pub(super) async fn attend(bus: &Connection, daemon: &Daemon) -> zbus::Result<()> {
    let followed = NetworkManagerProxy::new(bus).await?;
    let asked = NetworkManagerProxy::builder(bus)
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    // The present value comes first.
    let mut changes = followed.receive_connectivity_changed().await;
    let _gone = Finally(|| {
        daemon.held.set(|reasons| reasons.offline = false);
        daemon.desktop.seen().network = None;
    });
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(change) => tell(daemon, change.get().await?),
                None => return Ok(()),
            },
            () = daemon.desktop.resumed.notified() => tell(daemon, asked.connectivity().await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_counts_as_online() {
        let offline: Vec<u32> = (0..6).filter(|state| is_offline(*state)).collect();
        assert_eq!(offline, [NONE, PORTAL, LIMITED]);
    }
}
