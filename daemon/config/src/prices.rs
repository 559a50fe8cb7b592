//! Whose lists of prices are taken.

use crate::keys::PRICES_TRUSTED_KEYS;
use crate::settings::Settings;
use crate::value::Value;

impl Settings {
    /// The public keys of minisign whose lists of prices are taken; none is built in.
    pub fn trusted_price_keys(&self) -> &[String] {
        match self.entry(&PRICES_TRUSTED_KEYS.dotted()) {
            Some((_, entry)) => match &entry.value {
                Value::List(keys) => keys,
                _ => &[],
            },
            None => &[],
        }
    }
}
