//! Services that come and go on a bus.

use std::future::Future;

use futures_util::StreamExt;
use zbus::{Connection, fdo::DBusProxy, names::BusName};

/// Runs `attend` while `service` is on the bus, anew for each owner that its name gets. Starts no
/// service: one that is not there is waited for. Ends with the bus.
pub(super) async fn while_there<F, A>(bus: &Connection, service: &'static str, attend: F)
where
    F: FnMut() -> A,
    A: Future<Output = zbus::Result<()>>,
{
    if let Err(error) = follow(bus, service, attend).await {
        tracing::debug!(service, %error, "a service cannot be followed");
    }
}

async fn follow<F, A>(bus: &Connection, service: &'static str, mut attend: F) -> zbus::Result<()>
where
    F: FnMut() -> A,
    A: Future<Output = zbus::Result<()>>,
{
    let broker = DBusProxy::new(bus).await?;
    let mut owners = broker
        .receive_name_owner_changed_with_args(&[(0, service)])
        .await?;
    let name = BusName::try_from(service)?;
    let mut there = broker.name_has_owner(name).await?;
    loop {
        let change = if there {
            tokio::select! {
                change = owners.next() => change,
                ended = attend() => {
                    match ended {
                        Ok(()) => tracing::debug!(service, "has nothing more to say"),
                        Err(error) => tracing::info!(service, %error, "cannot be followed"),
                    }
                    owners.next().await
                }
            }
        } else {
            owners.next().await
        };
        let Some(change) = change else {
            return Ok(());
        };
        there = change.args()?.new_owner().is_some();
        tracing::debug!(service, there, "a service came or went");
    }
}
