//! Names to addresses, checked where the request may only reach public ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::{guard, origin};

/// The name has no address, or nobody could be asked.
#[derive(Debug, Error)]
#[error("the host name cannot be resolved")]
pub(crate) struct Unresolved;

/// The name leads somewhere that is not public.
#[derive(Debug, Error)]
#[error("the host name leads to an address that is not public")]
pub(crate) struct NotPublic;

/// The system's resolver. What it returns is what is dialled, so a check here cannot be dodged by
/// a second answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolver {
    pub(crate) public_only: bool,
}

impl Resolver {
    async fn look_up(
        self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        // Plain http is allowed to `localhost`, so nobody but us may say where that is.
        let found = if origin::is_localhost(name) {
            vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
            ]
        } else {
            let found = tokio::net::lookup_host((name, 0)).await;
            found.map_err(|_| Unresolved)?.collect()
        };
        if found.is_empty() {
            return Err(Box::new(Unresolved));
        }
        // One address that is not public makes the name suspect as a whole.
        if self.public_only && !found.iter().all(|address| guard::is_public(address.ip())) {
            return Err(Box::new(NotPublic));
        }
        Ok(found)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = *self;
        Box::pin(async move {
            let found = resolver.look_up(name.as_str()).await?;
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_never_asked_about_and_never_public() {
        let open = Resolver { public_only: false };
        for name in ["localhost", "LocalHost."] {
            let found = open.look_up(name).await.unwrap();
            assert!(found.iter().all(|address| address.ip().is_loopback()));
        }
        let guarded = Resolver { public_only: true };
        let refusal = guarded.look_up("localhost").await.unwrap_err();
        assert!(refusal.is::<NotPublic>());
    }

    #[tokio::test]
    async fn what_the_system_resolves_to_a_private_address_is_refused() {
        // The system's resolver takes literals too, so this goes the whole way without a network.
        let guarded = Resolver { public_only: true };
        for name in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1"] {
            let refusal = guarded.look_up(name).await.unwrap_err();
            assert!(refusal.is::<NotPublic>(), "{name}: {refusal}");
        }
        assert!(guarded.look_up("1.1.1.1").await.is_ok());
    }
}
