//! The desktop around us, over D-Bus: who we are to others, sleep, battery, network. Everything
//! here is optional: where a bus or a service is missing, the daemon is quiet and goes on.
//!
//! Nothing polls. A bus that is not there is looked for with each tick of the daemon's one timer
//! (a look at a file); a service that is not there tells when it comes.

pub(crate) mod bus;
pub(crate) mod held;
mod network;
mod power;
mod presence;
mod sleep;
mod watched;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use convergio_contract::health::Check;
use tokio::sync::{Notify, watch};
use zbus::Connection;

use bus::Bus;

use crate::{daemon::Daemon, doctor, surroundings::Buses};

/// How each part stands; `None` while it is not there.
#[derive(Clone, Debug, Default)]
struct Seen {
    presence: Option<String>,
    sleep: Option<String>,
    battery: Option<String>,
    network: Option<String>,
}

/// The connections to the desktop.
pub(crate) struct Desktop {
    /// The user's bus.
    pub(crate) session: Bus,
    /// The machine's bus.
    pub(crate) system: Bus,
    seen: Mutex<Seen>,
    /// The session bus may be there again.
    session_back: Notify,
    /// The system bus may be there again.
    system_back: Notify,
    /// The machine woke up.
    resumed: Notify,
}

impl Desktop {
    /// Nothing is opened yet.
    pub(crate) fn new(buses: &Buses) -> Self {
        Self {
            session: Bus::new("session", buses.session.clone()),
            system: Bus::new("system", buses.system.clone()),
            seen: Mutex::default(),
            session_back: Notify::new(),
            system_back: Notify::new(),
            resumed: Notify::new(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks whether a bus that was missed is there.
    pub(crate) fn tick(&self) {
        if self.session.is_missed() && self.session.seems_there().is_ok() {
            self.session_back.notify_one();
        }
        if self.system.is_missed() && self.system.seems_there().is_ok() {
            self.system_back.notify_one();
        }
    }

    /// What there is, for `cv doctor`. Nothing of it is a fault: it may all be missing.
    pub(crate) fn examine(&self) -> Vec<Check> {
        let seen = self.seen().clone();
        [
            ("desktop", "the session bus", seen.presence),
            (
                "sleep",
                "login1 (a word before the machine sleeps)",
                seen.sleep,
            ),
            ("battery", "UPower (battery or mains)", seen.battery),
            ("network", "NetworkManager (online or not)", seen.network),
        ]
        .into_iter()
        .map(|(id, what, seen)| match seen {
            Some(said) => doctor::fine(id, said),
            None => doctor::fine(id, format!("{what} is not there: nothing depends on it")),
        })
        .collect()
    }
}

/// Attends to both buses until it is dropped. Returns never.
pub(crate) async fn attend(daemon: Arc<Daemon>) {
    let desktop = &daemon.desktop;
    let session = async {
        let mut turn = Turn::of(&desktop.session, &desktop.session_back);
        loop {
            let bus = turn.next().await;
            attend_session(&bus, &daemon).await;
            desktop.seen().presence = None;
        }
    };
    let system = async {
        let mut turn = Turn::of(&desktop.system, &desktop.system_back);
        loop {
            let bus = turn.next().await;
            attend_system(&bus, &daemon).await;
        }
    };
    tokio::join!(session, system);
}

/// The connections to a bus, one after another.
struct Turn<'a> {
    bus: &'a Bus,
    back: &'a Notify,
    made: watch::Receiver<u64>,
    begun: bool,
}

impl<'a> Turn<'a> {
    fn of(bus: &'a Bus, back: &'a Notify) -> Self {
        Self {
            bus,
            back,
            made: bus.watch(),
            begun: false,
        }
    }

    /// The next connection; the first is tried at once, others when the bus may be there again or
    /// somebody else has made one.
    async fn next(&mut self) -> Connection {
        loop {
            if std::mem::replace(&mut self.begun, true) {
                tokio::select! {
                    () = self.back.notified() => {}
                    // Its sender is in the bus.
                    _ = self.made.changed() => {}
                }
            }
            match self.bus.connection().await {
                Ok(connection) => {
                    // From here on another one is somebody else's.
                    self.made.mark_unchanged();
                    return connection;
                }
                Err(error) => tracing::debug!(%error, "nothing is heard from a bus"),
            }
        }
    }
}

async fn attend_session(bus: &Connection, daemon: &Arc<Daemon>) {
    match presence::offer(bus, daemon).await {
        Ok(said) => {
            tracing::debug!(said, "on the session bus");
            daemon.desktop.seen().presence = Some(said);
        }
        Err(error) => tracing::info!(%error, "others do not find us on the session bus"),
    }
    bus.closed().await;
}

async fn attend_system(bus: &Connection, daemon: &Daemon) {
    let all = async {
        tokio::join!(
            watched::while_there(bus, sleep::SERVICE, || sleep::attend(bus, daemon)),
            watched::while_there(bus, power::SERVICE, || power::attend(bus, daemon)),
            watched::while_there(bus, network::SERVICE, || network::attend(bus, daemon)),
        );
        // What cannot be followed is not tried again on this connection.
        bus.closed().await;
    };
    tokio::select! {
        () = all => {}
        () = bus.closed() => {}
    }
}

/// Undoes something when it goes out of scope, however that comes.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
