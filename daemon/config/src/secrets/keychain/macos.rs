//! The login keychain of macOS. Its calls block, and may ask the user: each
//! has a thread of its own, whose answer is waited for within the limit.

use secrecy::{ExposeSecret, SecretString};
use security_framework::base::Error;
use security_framework::passwords::{
    delete_generic_password, get_generic_password, set_generic_password,
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::super::lookup::{KeyName, Missing};
use super::super::usable_bytes;

const SERVICE: &str = "convergio";
/// `errSecItemNotFound`.
const NOT_FOUND: i32 = -25_300;
/// `errSecInteractionNotAllowed`.
const LOCKED: i32 = -25_308;

pub(super) async fn get(name: &KeyName) -> Result<SecretString, Missing> {
    let name = name.clone();
    let bytes =
        on_thread(move || get_generic_password(SERVICE, name.as_str()).map(Zeroizing::new)).await?;
    usable_bytes(&bytes)
}

pub(super) async fn set(name: &KeyName, secret: &SecretString) -> Result<(), Missing> {
    let (name, secret) = (name.clone(), secret.clone());
    on_thread(move || {
        set_generic_password(SERVICE, name.as_str(), secret.expose_secret().as_bytes())
    })
    .await
}

pub(super) async fn remove(name: &KeyName) -> Result<bool, Missing> {
    let name = name.clone();
    match on_thread(move || delete_generic_password(SERVICE, name.as_str())).await {
        Ok(()) => Ok(true),
        Err(Missing::NoItem) => Ok(false),
        Err(other) => Err(other),
    }
}

async fn on_thread<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Missing> {
    let (answer, answered) = oneshot::channel();
    let started = std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || {
            // Nobody waits any more after the limit.
            let _ = answer.send(call());
        });
    if let Err(error) = started {
        return Err(Missing::Failed(error.to_string()));
    }
    match answered.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match error.code() {
            NOT_FOUND => Missing::NoItem,
            LOCKED => Missing::Locked,
            _ => Missing::Failed(error.to_string()),
        }),
        Err(_) => Err(Missing::Failed("it stopped".to_owned())),
    }
}
