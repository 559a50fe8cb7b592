//! The Secret Service of freedesktop.org, over a connection of one question's
//! length.
//!
//! Everything is asked whether it is locked before anything else: a locked
//! collection answers only once somebody typed a password, and on a machine
//! without a prompter that is never.

use std::collections::HashMap;

use secrecy::{ExposeSecret, SecretString};
use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use zbus::connection::Builder;
use zeroize::Zeroizing;

use super::super::lookup::{KeyName, Missing};
use super::super::usable_bytes;
use super::LIMIT;

const APPLICATION: &str = "convergio";

pub(super) async fn get(address: &str, name: &KeyName) -> Result<SecretString, Missing> {
    let service = connect(address).await?;
    unlocked(&service).await?;
    let found = service
        .search_items(attributes(name))
        .await
        .map_err(missing)?;
    match found.unlocked.first() {
        Some(item) => {
            if item.is_locked().await.map_err(missing)? {
                return Err(Missing::Locked);
            }
            let bytes = Zeroizing::new(item.get_secret().await.map_err(missing)?);
            usable_bytes(&bytes)
        }
        None if found.locked.is_empty() => Err(Missing::NoItem),
        None => Err(Missing::Locked),
    }
}

pub(super) async fn set(
    address: &str,
    name: &KeyName,
    secret: &SecretString,
) -> Result<(), Missing> {
    let service = connect(address).await?;
    let Some(collection) = unlocked(&service).await? else {
        return Err(no_collection());
    };
    let label = format!("Convergio: key of {}", name.as_str());
    collection
        .create_item(
            &label,
            attributes(name),
            secret.expose_secret().as_bytes(),
            true,
            "text/plain",
        )
        .await
        .map_err(missing)?;
    Ok(())
}

pub(super) async fn remove(address: &str, name: &KeyName) -> Result<bool, Missing> {
    let service = connect(address).await?;
    unlocked(&service).await?;
    let found = service
        .search_items(attributes(name))
        .await
        .map_err(missing)?;
    if !found.locked.is_empty() {
        return Err(Missing::Locked);
    }
    for item in &found.unlocked {
        delete(item).await?;
    }
    Ok(!found.unlocked.is_empty())
}

/// Whether it is there and can be read and written.
pub(super) async fn look(address: &str) -> Result<(), Missing> {
    let service = connect(address).await?;
    match unlocked(&service).await? {
        Some(_) => Ok(()),
        None => Err(no_collection()),
    }
}

/// Deleting a locked item would unlock it, and so ask.
async fn delete(item: &Item<'_>) -> Result<(), Missing> {
    if item.is_locked().await.map_err(missing)? {
        return Err(Missing::Locked);
    }
    item.delete().await.map_err(missing)
}

async fn connect(address: &str) -> Result<SecretService<'static>, Missing> {
    // Such an address may name a host or a program, too: keys go to neither.
    let Some(address) = address.split(';').find(|one| one.starts_with("unix:")) else {
        return Err(Missing::Absent(
            "the session bus is no socket of this machine".to_owned(),
        ));
    };
    let connection = Builder::address(address)
        .map_err(|error| Missing::Failed(format!("its address can't be read: {error}")))?
        .method_timeout(LIMIT)
        .build()
        .await
        .map_err(|error| Missing::Absent(format!("no session bus: {}", plain(&error))))?;
    match SecretService::connect_with_existing(EncryptionType::Dh, connection.clone()).await {
        // Some speak plain only. The bus is a socket of this user's alone.
        Err(Error::Zbus(error)) if not_supported(&error) => {
            SecretService::connect_with_existing(EncryptionType::Plain, connection).await
        }
        connected => connected,
    }
    .map_err(missing)
}

/// The default collection, which is not locked; `None` where there is none.
async fn unlocked<'a>(service: &'a SecretService<'_>) -> Result<Option<Collection<'a>>, Missing> {
    let collection = match service.get_default_collection().await {
        Ok(collection) => collection,
        Err(Error::NoResult) => return Ok(None),
        Err(error) => return Err(missing(error)),
    };
    if collection.is_locked().await.map_err(missing)? {
        return Err(Missing::Locked);
    }
    Ok(Some(collection))
}

fn attributes(name: &KeyName) -> HashMap<&str, &str> {
    HashMap::from([("application", APPLICATION), ("provider", name.as_str())])
}

fn no_collection() -> Missing {
    Missing::Absent("it has no default collection".to_owned())
}

fn not_supported(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::MethodError(name, _, _) => {
            name.as_str() == "org.freedesktop.DBus.Error.NotSupported"
        }
        zbus::Error::FDO(error) => matches!(**error, zbus::fdo::Error::NotSupported(_)),
        _ => false,
    }
}

fn missing(error: Error) -> Missing {
    match error {
        Error::Locked | Error::Prompt | Error::PromptDisconnected => Missing::Locked,
        Error::NoResult => Missing::NoItem,
        Error::Unavailable => Missing::Absent("no Secret Service".to_owned()),
        Error::Zbus(error) => of_bus(&error),
        Error::ZbusFdo(error) => of_bus(&error.into()),
        other => Missing::Failed(one_line(&other.to_string())),
    }
}

fn of_bus(error: &zbus::Error) -> Missing {
    let unknown = match error {
        zbus::Error::MethodError(name, _, _) => matches!(
            name.as_str(),
            "org.freedesktop.DBus.Error.ServiceUnknown"
                | "org.freedesktop.DBus.Error.NameHasNoOwner"
        ),
        zbus::Error::FDO(error) => matches!(
            **error,
            zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_)
        ),
        _ => false,
    };
    let timed_out = matches!(error, zbus::Error::InputOutput(error)
        if error.kind() == std::io::ErrorKind::TimedOut);
    if unknown {
        Missing::Absent("no Secret Service".to_owned())
    } else if timed_out {
        Missing::TimedOut {
            after_ms: LIMIT.as_millis(),
        }
    } else {
        Missing::Failed(plain(error))
    }
}

fn plain(error: &zbus::Error) -> String {
    match error {
        zbus::Error::InputOutput(error) => one_line(&error.to_string()),
        other => one_line(&other.to_string()),
    }
}

/// Text of the bus, fit for one line of a terminal.
fn one_line(text: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(SHOWN_CHARS)
        .collect()
}
