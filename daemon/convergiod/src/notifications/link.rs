//! The connection to the session's notification server, whichever that is at the moment.

use std::collections::HashMap;

use futures_util::{StreamExt, stream::select};
use thiserror::Error;
use tokio::{sync::mpsc, task::AbortHandle};
use zbus::{
    Connection, MatchRule, Message, MessageStream, fdo::DBusProxy, message::Type, names::BusName,
    proxy::CacheProperties, zvariant::Value,
};

use super::{Bubble, bubble::APP_NAME};
use crate::desktop::bus::{Bus, BusError};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// Signals that wait to be looked at; who sends more waits.
const HEARD_MAX: usize = 256;
/// Capabilities of a server that are kept, and bytes of what it says of itself.
const CAPABILITIES_MAX: usize = 64;
const SAID_MAX_CHARS: usize = 100;

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications",
    gen_blocking = false
)]
trait Notifications {
    fn close_notification(&self, id: u32) -> zbus::Result<()>;
    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;
    fn get_server_information(&self) -> zbus::Result<(String, String, String, String)>;
}

/// Why nothing could be shown.
#[derive(Debug, Error)]
pub(crate) enum NotifyError {
    /// There is no bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Nobody on the bus shows notifications.
    #[error("no notification server runs in this session")]
    NoServer,
    /// There is one, and it failed.
    #[error("the notification server failed: {0}")]
    Failed(String),
}

impl From<zbus::Error> for NotifyError {
    fn from(error: zbus::Error) -> Self {
        use zbus::fdo::Error as Fdo;

        const NOBODY: [&str; 2] = [
            "org.freedesktop.DBus.Error.ServiceUnknown",
            "org.freedesktop.DBus.Error.NameHasNoOwner",
        ];
        let nobody = match &error {
            zbus::Error::MethodError(name, _, _) => NOBODY.contains(&name.as_str()),
            zbus::Error::FDO(error) => {
                matches!(**error, Fdo::ServiceUnknown(_) | Fdo::NameHasNoOwner(_))
            }
            _ => false,
        };
        match nobody {
            true => Self::NoServer,
            false => Self::Failed(said(&error.to_string())),
        }
    }
}

/// What others say, on one line and not long.
fn said(text: &str) -> String {
    let plain = text.chars().filter(|one| !one.is_control());
    plain.take(SAID_MAX_CHARS).collect()
}

/// A notification server, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    /// Another one after every start: numbers of notifications mean something under it alone.
    pub(crate) identity: String,
    /// `dunst`.
    pub(crate) name: String,
    /// `1.9.0`.
    pub(crate) version: String,
    /// In its own words: `actions`, `body`.
    pub(crate) capabilities: Vec<String>,
}

impl Server {
    /// Name and version.
    pub(crate) fn said(&self) -> String {
        format!("{} {}", self.name, self.version).trim().to_owned()
    }

    /// Whether it can do this.
    pub(crate) fn can(&self, what: &str) -> bool {
        self.capabilities.iter().any(|can| can == what)
    }

    #[cfg(test)]
    pub(super) fn of(capabilities: &[&str]) -> Self {
        Self {
            capabilities: capabilities.iter().map(|&can| can.to_owned()).collect(),
            ..Self::default()
        }
    }
}

/// What a server called a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// [`Server::identity`] of who answered.
    pub(crate) server: String,
    /// Its number.
    pub(crate) id: u32,
}

/// What came from the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A button was pressed.
    Acted {
        /// Where.
        shown: Shown,
        /// Its key.
        key: String,
    },
    /// A notification is gone.
    Closed {
        /// Which.
        shown: Shown,
        /// Somebody closed it; otherwise it went by itself.
        by_hand: bool,
    },
    /// A server came.
    Came,
    /// The server went.
    Went,
    /// The bus is gone, and this link with it.
    Over,
}

/// A living connection. Dropping it ends the listening.
pub(crate) struct Link {
    connection: Connection,
    proxy: NotificationsProxy<'static>,
    heard: mpsc::Receiver<Heard>,
    listening: AbortHandle,
    server: Option<Server>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Link {
    /// Connects and listens. Nothing is started by it on the bus.
    pub(crate) async fn open(bus: &Bus) -> Result<Self, NotifyError> {
        let connection = bus.connection().await?;
        let from_server = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(NAME)?
            .path(PATH)?
            .interface(NAME)?
            .build();
        let owners = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")?
            .interface("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .add_arg(NAME)?
            .build();
        let from_server = MessageStream::for_match_rule(from_server, &connection, None).await?;
        let owners = MessageStream::for_match_rule(owners, &connection, None).await?;
        let proxy = NotificationsProxy::builder(&connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let (sender, heard) = mpsc::channel(HEARD_MAX);
        let guid = connection.server_guid().to_string();
        let mut messages = select(from_server, owners);
        let listening = tokio::spawn(async move {
            while let Some(Ok(message)) = messages.next().await {
                let Some(heard) = understood(&message, &guid) else {
                    continue;
                };
                if sender.send(heard).await.is_err() {
                    return;
                }
            }
            // Nobody listens any more where this fails.
            let _ = sender.send(Heard::Over).await;
        });
        Ok(Self {
            connection,
            proxy,
            heard,
            listening: listening.abort_handle(),
            server: None,
        })
    }

    /// What comes next. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Heard {
        let heard = self.heard.recv().await.unwrap_or(Heard::Over);
        if matches!(heard, Heard::Came | Heard::Went) {
            self.server = None;
        }
        heard
    }

    /// Who shows notifications now; the bus may start somebody who does.
    pub(crate) async fn server(&mut self) -> Result<Server, NotifyError> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let (name, _, version, _) = self.proxy.get_server_information().await?;
        let mut capabilities = self.proxy.get_capabilities().await?;
        capabilities.truncate(CAPABILITIES_MAX);
        let bus = DBusProxy::new(&self.connection).await?;
        let owner = bus.get_name_owner(BusName::try_from(NAME).map_err(zbus::Error::from)?);
        let owner = owner.await.map_err(zbus::Error::from)?;
        let server = Server {
            identity: identity(&self.connection.server_guid().to_string(), owner.as_str()),
            name: said(&name),
            version: said(&version),
            capabilities: capabilities.iter().map(|can| said(can)).collect(),
        };
        Ok(self.server.insert(server).clone())
    }

    /// Shows it.
    pub(crate) async fn show(&mut self, bubble: &Bubble) -> Result<Shown, NotifyError> {
        let server = self.server().await?;
        let (title, body) = bubble.texts(&server);
        let hints: HashMap<&str, Value<'_>> = bubble.hints();
        let call = (
            APP_NAME,
            bubble.replaces,
            "",
            title,
            body,
            bubble.actions(&server),
            hints,
            bubble.expires(),
        );
        let reply = self.proxy.inner().call_method("Notify", &call).await?;
        let id = reply.body().deserialize::<u32>()?;
        // Who answered: another one may have come in this moment.
        let header = reply.header();
        let owner = header.sender().map(ToString::to_string);
        let guid = self.connection.server_guid().to_string();
        Ok(Shown {
            server: owner.map_or(server.identity, |owner| identity(&guid, &owner)),
            id,
        })
    }

    /// Takes it away; one that is gone already is fine.
    pub(crate) async fn close(&mut self, id: u32) {
        if let Err(error) = self.proxy.close_notification(id).await {
            tracing::debug!(%error, "a notification could not be closed");
        }
    }

    /// Whether the desktop holds notifications back, as far as it says. Only some do.
    pub(crate) async fn do_not_disturb(&mut self) -> Option<bool> {
        // KDE's property of the server itself, and dunst's own.
        for (interface, property) in [(NAME, "Inhibited"), ("org.dunstproject.cmd0", "paused")] {
            let which = (interface, property);
            let asked = self.connection.call_method(
                Some(NAME),
                PATH,
                Some("org.freedesktop.DBus.Properties"),
                "Get",
                &which,
            );
            let Ok(reply) = asked.await else { continue };
            if let Ok(Value::Bool(held)) = reply.body().deserialize::<Value<'_>>() {
                return Some(held);
            }
        }
        None
    }
}

fn identity(bus: &str, owner: &str) -> String {
    format!("{bus}/{owner}")
}

/// What a signal says, where it is one of those that are waited for.
fn understood(message: &Message, bus: &str) -> Option<Heard> {
    let header = message.header();
    let body = message.body();
    let sender = header.sender()?;
    let shown = |id| Shown {
        server: identity(bus, sender),
        id,
    };
    match header.member()?.as_str() {
        "ActionInvoked" => {
            let (id, key) = body.deserialize::<(u32, String)>().ok()?;
            Some(Heard::Acted {
                shown: shown(id),
                key,
            })
        }
        "NotificationClosed" => {
            let (id, reason) = body.deserialize::<(u32, u32)>().ok()?;
            Some(Heard::Closed {
                shown: shown(id),
                by_hand: reason == 2,
            })
        }
        "NameOwnerChanged" => {
            let (_, _, new) = body.deserialize::<(String, String, String)>().ok()?;
            Some(if new.is_empty() {
                Heard::Went
            } else {
                Heard::Came
            })
        }
        _ => None,
    }
}
