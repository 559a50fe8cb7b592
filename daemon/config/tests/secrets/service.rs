//! A bus of a test's own, and a Secret Service on it that does as it is told.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't set up its bus must stop"
)]

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convergio_config::secrets::Keychain;
use zbus::object_server::ObjectServer;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, fdo};

/// How long the test's own bus may take; it never should.
const DEADLINE: Duration = Duration::from_secs(20);
const SERVICE: &str = "/org/freedesktop/secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";

/// A private bus; nothing starts by itself on it.
pub(crate) struct Bus {
    daemon: Child,
    pub(crate) folder: tempfile::TempDir,
}

impl Bus {
    /// `None` where the machine has no `dbus-daemon`.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">
             <busconfig><type>session</type><listen>unix:path={}</listen>
             <policy context=\"default\"><allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy>
             </busconfig>",
            folder.path().join("bus").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let mut stdout = BufReader::new(daemon.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:"), "{line}");
        Some(Self { daemon, folder })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    pub(crate) fn keychain(&self) -> Keychain {
        Keychain::SecretService {
            address: self.address(),
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let builder = zbus::connection::Builder::address(self.address().as_str());
        let connected = tokio::time::timeout(DEADLINE, builder.unwrap().build());
        connected.await.expect("the bus answers").unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What the fake does, and what was done to it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) locked: bool,
    /// No default collection.
    pub(crate) empty: bool,
    /// Never answers a question about secrets.
    pub(crate) hangs: bool,
    /// Every time that somebody asked to unlock, which would ask the user.
    pub(crate) unlocks: usize,
    /// Every time that a secret was read.
    pub(crate) reads: usize,
    items: BTreeMap<u32, (HashMap<String, String>, Vec<u8>)>,
    next: u32,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<State>>);

impl Fake {
    /// Takes the well-known name on the bus. It is there while the connection is.
    pub(crate) async fn serve(&self, bus: &Bus) -> Connection {
        let connection = bus.connect().await;
        let server = connection.object_server();
        server.at(SERVICE, Service(self.clone())).await.unwrap();
        let collection = CollectionObject(self.clone());
        server.at(COLLECTION, collection).await.unwrap();
        connection
            .request_name("org.freedesktop.secrets")
            .await
            .unwrap();
        connection
    }

    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn matching(&self, wanted: &HashMap<String, String>) -> Vec<OwnedObjectPath> {
        let state = self.state();
        let items = state.items.iter();
        items
            .filter(|(_, (has, _))| {
                wanted
                    .iter()
                    .all(|(key, value)| has.get(key) == Some(value))
            })
            .map(|(id, _)| item_path(*id))
            .collect()
    }
}

fn item_path(id: u32) -> OwnedObjectPath {
    ObjectPath::try_from(format!("{COLLECTION}/{id}"))
        .unwrap()
        .into()
}

fn nowhere() -> OwnedObjectPath {
    ObjectPath::try_from("/").unwrap().into()
}

type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

struct Service(Fake);

#[zbus::interface(name = "org.freedesktop.Secret.Service")]
impl Service {
    async fn open_session(
        &self,
        algorithm: String,
        _input: OwnedValue,
    ) -> fdo::Result<(OwnedValue, OwnedObjectPath)> {
        if self.0.state().hangs {
            pending::<()>().await;
        }
        if algorithm != "plain" {
            return Err(fdo::Error::NotSupported(algorithm));
        }
        let session = ObjectPath::try_from(format!("{SERVICE}/session/1")).unwrap();
        Ok((Value::from("").try_to_owned().unwrap(), session.into()))
    }

    fn read_alias(&self, name: String) -> OwnedObjectPath {
        if name == "default" && !self.0.state().empty {
            ObjectPath::try_from(COLLECTION).unwrap().into()
        } else {
            nowhere()
        }
    }

    fn search_items(
        &self,
        attributes: HashMap<String, String>,
    ) -> (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) {
        let found = self.0.matching(&attributes);
        if self.0.state().locked {
            (Vec::new(), found)
        } else {
            (found, Vec::new())
        }
    }

    async fn unlock(
        &self,
        _objects: Vec<OwnedObjectPath>,
    ) -> (Vec<OwnedObjectPath>, OwnedObjectPath) {
        self.0.state().unlocks += 1;
        // There is no prompter: it would wait for ever.
        pending().await
    }
}

struct CollectionObject(Fake);

#[zbus::interface(name = "org.freedesktop.Secret.Collection")]
impl CollectionObject {
    async fn create_item(
        &self,
        properties: HashMap<String, OwnedValue>,
        secret: Secret,
        replace: bool,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> fdo::Result<(OwnedObjectPath, OwnedObjectPath)> {
        let attributes = properties["org.freedesktop.Secret.Item.Attributes"]
            .try_clone()
            .unwrap();
        let attributes: HashMap<String, String> = attributes.try_into().unwrap();
        assert!(replace && !self.0.state().locked);
        let known = self.0.matching(&attributes).into_iter().next();
        let id = {
            let mut state = self.0.state();
            let id = match &known {
                Some(path) => path.rsplit('/').next().unwrap().parse().unwrap(),
                None => {
                    state.next += 1;
                    state.next
                }
            };
            state.items.insert(id, (attributes, secret.2));
            id
        };
        if known.is_none() {
            let item = ItemObject(self.0.clone(), id);
            server.at(item_path(id), item).await.unwrap();
        }
        Ok((item_path(id), nowhere()))
    }

    #[zbus(property)]
    fn locked(&self) -> bool {
        self.0.state().locked
    }
}

struct ItemObject(Fake, u32);

#[zbus::interface(name = "org.freedesktop.Secret.Item")]
impl ItemObject {
    fn get_secret(&self, session: OwnedObjectPath) -> fdo::Result<(Secret,)> {
        let mut state = self.0.state();
        if state.locked {
            return Err(fdo::Error::AccessDenied("locked".to_owned()));
        }
        state.reads += 1;
        let secret = state.items[&self.1].1.clone();
        Ok(((session, Vec::new(), secret, "text/plain".to_owned()),))
    }

    fn delete(&self) -> OwnedObjectPath {
        self.0.state().items.remove(&self.1);
        nowhere()
    }

    #[zbus(property)]
    fn locked(&self) -> bool {
        self.0.state().locked
    }
}
