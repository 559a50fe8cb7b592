//! Battery or mains, as UPower tells.

use futures_util::StreamExt;
use zbus::{Connection, proxy};

use super::Finally;
use crate::daemon::Daemon;

pub(super) const SERVICE: &str = "org.freedesktop.UPower";

#[proxy(
    interface = "org.freedesktop.UPower",
    default_service = "org.freedesktop.UPower",
    default_path = "/org/freedesktop/UPower",
    gen_blocking = false
)]
trait UPower {
    #[zbus(property)]
    fn on_battery(&self) -> zbus::Result<bool>;
}

/// Follows UPower until it goes.
pub(super) async fn attend(bus: &Connection, daemon: &Daemon) -> zbus::Result<()> {
    let upower = UPowerProxy::new(bus).await?;
    // The present value comes first.
    let mut changes = upower.receive_on_battery_changed().await;
    let _gone = Finally(|| {
        daemon.held.set(|reasons| reasons.battery = false);
        daemon.desktop.seen().battery = None;
    });
    while let Some(change) = changes.next().await {
        let battery = change.get().await?;
        daemon.held.set(|reasons| reasons.battery = battery);
        let said = match battery {
            true => "UPower: on battery, background work waits",
            false => "UPower: on mains",
        };
        daemon.desktop.seen().battery = Some(said.to_owned());
    }
    Ok(())
}
