//! A bus of the test's own, and a notification server on it that does as it is told.

use std::{
    collections::HashMap,
    future::pending,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::mpsc as async_mpsc;
use zbus::{
    message::Header,
    names::OwnedUniqueName,
    object_server::SignalEmitter,
    zvariant::{OwnedValue, Value},
};

/// Beyond this a test has failed, whatever it waited for.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
const PATH: &str = "/org/freedesktop/Notifications";
const ORDERS_MAX: usize = 64;

/// A private bus on which nothing starts by itself.
pub(crate) struct Bus {
    daemon: Child,
    folder: tempfile::TempDir,
}

impl Bus {
    /// `None`, said loudly, where this machine has none.
    pub(crate) fn start(what: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let bus = Self::start_in(folder);
        if bus.is_none() {
            let required = std::env::var("CONVERGIO_REQUIRE_SERVICES").is_ok_and(|on| on == "1");
            assert!(!required, "{what} needs dbus-daemon");
            let _ = writeln!(std::io::stderr(), "SKIPPED {what}: no dbus-daemon");
        }
        bus
    }

    fn start_in(folder: tempfile::TempDir) -> Option<Self> {
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>unix:path={}</listen>\n\
             <policy context=\"default\"><allow send_destination=\"*\"/>\
             <allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
            folder.path().join("bus").display()
        );
        std::fs::write(&config, text).expect("a file");
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let mut output = BufReader::new(daemon.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("an address");
        assert!(line.starts_with("unix:"), "{line}");
        Some(Self { daemon, folder })
    }

    /// Where it listens; the same after [`Self::restart`].
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    /// Ends it, and starts another one in its place.
    pub(crate) fn restart(mut self) -> Self {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        drop(self);
        Self::start_in(folder).expect("it started before")
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What a server was asked to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// What it called it.
    pub(crate) id: u32,
    pub(crate) replaces: u32,
    pub(crate) title: String,
    pub(crate) body: String,
    /// Keys and labels.
    pub(crate) actions: Vec<String>,
    pub(crate) occurrence: String,
    pub(crate) stack: String,
    pub(crate) urgency: u8,
    pub(crate) expires: i32,
}

impl Note {
    /// The key of a button: `done`, `snooze`, `open`.
    pub(crate) fn key(&self, verb: &str) -> String {
        let begins = |key: &&String| key.split(':').next() == Some(verb);
        self.actions.iter().find(begins).expect("a button").clone()
    }
}

/// Where the server stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stops {
    /// Nowhere.
    #[default]
    Never,
    /// It never says who it is.
    AtInformation,
    /// It shows a notification, and never says so.
    AtNotify,
    /// It refuses to show anything.
    Refusing,
}

/// What happened so far.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) notes: Vec<Note>,
    pub(crate) informed: usize,
    pub(crate) closed: Vec<u32>,
    next: u32,
    /// Who asked for each: what is pressed is told to them alone, as dunst does.
    owners: HashMap<u32, OwnedUniqueName>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

enum Order {
    Act(u32, String),
    Close(u32, u32),
}

/// A notification server, until it is dropped.
pub(crate) struct Server {
    shared: Arc<Shared>,
    orders: Option<async_mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// One that can do everything.
    pub(crate) fn start(bus: &Bus) -> Self {
        Self::with(bus, Stops::Never, &["actions", "body", "body-markup"])
    }

    /// One that stops somewhere, or can do less.
    pub(crate) fn with(bus: &Bus, stops: Stops, capabilities: &[&str]) -> Self {
        let shared = Arc::new(Shared::default());
        let (orders, mut taken) = async_mpsc::channel(ORDERS_MAX);
        let (ready, serves) = mpsc::sync_channel(1);
        let object = Object {
            shared: Arc::clone(&shared),
            stops,
            capabilities: capabilities.iter().map(|&can| can.to_owned()).collect(),
        };
        let address = bus.address();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let told = Arc::clone(&object.shared);
            runtime.block_on(async {
                let connection = zbus::connection::Builder::address(address.as_str())
                    .unwrap()
                    .serve_at(PATH, object)
                    .unwrap()
                    .name("org.freedesktop.Notifications")
                    .unwrap()
                    .build()
                    .await
                    .expect("the bus takes it");
                let object = connection.object_server().interface::<_, Object>(PATH);
                let object = object.await.expect("it is served");
                ready.send(()).expect("somebody waits");
                while let Some(order) = taken.recv().await {
                    let (Order::Act(id, _) | Order::Close(id, _)) = order;
                    let owner = told.seen.lock().unwrap().owners.get(&id).cloned();
                    let mut emitter = object.signal_emitter().to_owned();
                    if let Some(owner) = owner {
                        emitter = emitter.set_destination(owner.into_inner().into());
                    }
                    match order {
                        Order::Act(id, key) => Object::action_invoked(&emitter, id, &key).await,
                        Order::Close(id, why) => {
                            Object::notification_closed(&emitter, id, why).await
                        }
                    }
                    .expect("a signal is sent");
                }
            });
        });
        serves.recv_timeout(LIMIT).expect("it serves");
        Self {
            shared,
            orders: Some(orders),
            thread: Some(thread),
        }
    }

    /// Waits until something is so.
    pub(crate) fn wait(&self, so: impl Fn(&Seen) -> bool) -> MutexGuard<'_, Seen> {
        let seen = self.shared.seen.lock().unwrap();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(seen, LIMIT, |seen| !so(seen));
        let (seen, timed_out) = waited.unwrap();
        assert!(!timed_out.timed_out(), "it did not come: {:#?}", seen.notes);
        seen
    }

    /// Waits for so many notifications.
    pub(crate) fn notes(&self, count: usize) -> Vec<Note> {
        self.wait(|seen| seen.notes.len() >= count).notes.clone()
    }

    /// What it has been asked to show by now.
    pub(crate) fn so_far(&self) -> Vec<Note> {
        self.shared.seen.lock().unwrap().notes.clone()
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("it runs");
        assert!(orders.blocking_send(order).is_ok(), "it runs");
    }

    /// Somebody presses a button; a server takes the notification away then.
    pub(crate) fn press(&self, id: u32, key: &str) {
        self.order(Order::Act(id, key.to_owned()));
        self.order(Order::Close(id, 2));
    }

    /// Somebody closes it by hand.
    pub(crate) fn dismiss(&self, id: u32) {
        self.order(Order::Close(id, 2));
    }

    /// It goes by itself.
    pub(crate) fn expire(&self, id: u32) {
        self.order(Order::Close(id, 1));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its thread ends with the last order.
        self.orders = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Object {
    shared: Arc<Shared>,
    stops: Stops,
    capabilities: Vec<String>,
}

impl Object {
    fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let noted = change(&mut self.shared.seen.lock().unwrap());
        self.shared.changed.notify_all();
        noted
    }
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Object {
    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    async fn notify(
        &self,
        app_name: String,
        replaces_id: u32,
        _icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        expires: i32,
        #[zbus(header)] header: Header<'_>,
    ) -> zbus::fdo::Result<u32> {
        assert_eq!(app_name, "Convergio");
        if self.stops == Stops::Refusing {
            return Err(zbus::fdo::Error::LimitsExceeded("no more".to_owned()));
        }
        let text = |name: &str| match hints.get(name).map(|value| &**value) {
            Some(Value::Str(text)) => text.to_string(),
            _ => String::new(),
        };
        let urgency = match hints.get("urgency").map(|value| &**value) {
            Some(Value::U8(urgency)) => *urgency,
            _ => u8::MAX,
        };
        let id = self.note(|seen| {
            let id = match replaces_id {
                0 => {
                    seen.next += 1;
                    seen.next
                }
                id => id,
            };
            let owner = header.sender().expect("it comes over a bus").to_owned();
            seen.owners.insert(id, owner.into());
            seen.notes.push(Note {
                id,
                replaces: replaces_id,
                title,
                body,
                actions,
                occurrence: text("x-convergio-occurrence"),
                stack: text("x-dunst-stack-tag"),
                urgency,
                expires,
            });
            id
        });
        if self.stops == Stops::AtNotify {
            pending::<()>().await;
        }
        Ok(id)
    }

    async fn close_notification(
        &self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        id: u32,
    ) {
        self.note(|seen| seen.closed.push(id));
        Self::notification_closed(&emitter, id, 3).await.unwrap();
    }

    fn get_capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    async fn get_server_information(&self) -> (String, String, String, String) {
        self.note(|seen| seen.informed += 1);
        if self.stops == Stops::AtInformation {
            pending::<()>().await;
        }
        let said = ["desk", "Convergio's tests", "1.0", "1.2"];
        let [name, vendor, version, of] = said.map(str::to_owned);
        (name, vendor, version, of)
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, key: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}
