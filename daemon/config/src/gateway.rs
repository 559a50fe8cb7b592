//! Whether and where programs are served that speak the wires of others.

use crate::keys::{GATEWAY_ADDRESS, GATEWAY_ALLOWED_ORIGINS, GATEWAY_ENABLED, GATEWAY_PORT};
use crate::settings::Settings;

/// Which of this machine's own addresses are listened on. There are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayAddress {
    /// 127.0.0.1, and [::1] where there is one.
    Loopback,
    /// 127.0.0.1.
    V4,
    /// [::1].
    V6,
}

/// The `gateway` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// It listens.
    pub enabled: bool,
    /// On which addresses.
    pub address: GatewayAddress,
    /// On which port; 0 for a free one.
    pub port: u16,
    /// Web pages that may use it, as browsers name them.
    pub allowed_origins: Vec<String>,
}

impl Settings {
    /// The `gateway` table.
    pub fn gateway(&self) -> GatewaySettings {
        let origins = self.texts(&GATEWAY_ALLOWED_ORIGINS).unwrap_or_default();
        GatewaySettings {
            enabled: self.value(&GATEWAY_ENABLED),
            address: match self.value(&GATEWAY_ADDRESS) {
                "127.0.0.1" => GatewayAddress::V4,
                "::1" => GatewayAddress::V6,
                _ => GatewayAddress::Loopback,
            },
            port: u16::try_from(self.value(&GATEWAY_PORT)).unwrap_or(u16::MAX),
            allowed_origins: origins
                .iter()
                .map(|origin| origin.trim_end_matches('/').to_owned())
                .collect(),
        }
    }
}
