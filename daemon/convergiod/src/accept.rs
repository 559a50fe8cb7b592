//! Who gets in: one user, so many connections, and never more than there are file descriptors.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use convergio_contract::{ErrorCode, RpcError, limits::CONNECTIONS_MAX};
use convergio_transport::{
    frame::{FrameReader, Line, check},
    message::{self, Incoming},
    socket::peer_uid,
};
use jsonrpsee_types::Id;
use rustix::{io::Errno, process::Resource};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    sync::{Notify, Semaphore},
    time::timeout,
};

use crate::{conn, daemon::Daemon, lanes::Outbox};

/// Descriptors kept for the database's readers, settings, log rotation, the two buses and refusals.
const RESERVED_FILES: u64 = 32;
/// Connections even where descriptors are short: below this nothing would work at all.
const CONNECTIONS_MIN: usize = 4;
/// Connections beyond the limit that are being told so, at one time.
const REFUSALS_MAX: usize = 4;
/// Evicted connections that may still be closing.
const CLOSING_MAX: usize = 4;
/// How long a connection that was closed may take to end, before a newcomer is refused for it.
const ENDED_WITHIN: Duration = Duration::from_millis(500);
/// While waiting for that, how long before looking again without being told.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a refused peer may take to say what it wants.
const REFUSE_WITHIN: Duration = Duration::from_secs(1);
/// What is read of a refused peer's first line, in bytes.
const REFUSED_LINE_BYTES: usize = 64 * 1024;

#[derive(Default)]
struct Open {
    initialized: bool,
    outbox: Weak<Outbox>,
    /// Subscriptions to topics: while it does nothing else, it is not in use.
    listening: u32,
    /// Calls under way that were made while it listened.
    calls: u32,
}

impl Open {
    fn only_listens(&self) -> bool {
        self.listening > 0 && self.calls == 0
    }
}

/// The connections that are open.
pub(crate) struct Connections {
    max: usize,
    open: Mutex<BTreeMap<u64, Open>>,
    next: AtomicU64,
    /// One has ended.
    pub(crate) freed: Notify,
}

impl Connections {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            open: Mutex::default(),
            next: AtomicU64::new(1),
            freed: Notify::new(),
        }
    }

    /// As many as the contract says, or fewer where the process may not open enough files.
    pub(crate) fn from_file_limit() -> Self {
        let open = std::fs::read_dir("/dev/fd").map_or(16, |entries| entries.count() as u64);
        let limit = rustix::process::getrlimit(Resource::Nofile).current;
        Self::new(limit.map_or(CONNECTIONS_MAX, |limit| {
            let free = limit.saturating_sub(open + RESERVED_FILES);
            usize::try_from(free)
                .unwrap_or(CONNECTIONS_MAX)
                .clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
        }))
    }

    /// The limit.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open().len()
    }

    /// How many are open and do more than listen to topics: a menu bar that looks on keeps no
    /// daemon alive.
    pub(crate) fn in_use(&self) -> usize {
        let open = self.open();
        open.values().filter(|open| !open.only_listens()).count()
    }

    /// A connection listens to topics until this is dropped.
    pub(crate) fn listens(self: &Arc<Self>, number: u64) -> Listening {
        self.with(number, |open| open.listening += 1);
        // Whether somebody needs the daemon may look different now.
        self.freed.notify_waiters();
        Listening {
            number,
            connections: Arc::clone(self),
        }
    }

    /// A connection that may be listening makes a call, which ends when this is dropped.
    pub(crate) fn calls(self: &Arc<Self>, number: u64) -> Calling {
        self.with(number, |open| open.calls += 1);
        Calling {
            number,
            connections: Arc::clone(self),
        }
    }

    fn with(&self, number: u64, change: impl FnOnce(&mut Open)) {
        if let Some(open) = self.open().get_mut(&number) {
            change(open);
        }
    }

    /// Waits until nobody is connected, and nobody who waits to be accepted has come.
    pub(crate) async fn none(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            // One turn for the accepting task.
            tokio::task::yield_now().await;
            if self.count() == 0 {
                return;
            }
            freed.await;
        }
    }

    /// Waits until what is on its way on every connection was sent: responses, and the events of
    /// runs that have ended.
    pub(crate) async fn flushed(&self) {
        let outboxes: Vec<Arc<Outbox>> = self
            .open()
            .values()
            .filter_map(|open| open.outbox.upgrade())
            .collect();
        for outbox in outboxes {
            outbox.flushed().await;
        }
    }

    /// Closes every connection.
    pub(crate) fn close_all(&self) {
        let outboxes: Vec<Arc<Outbox>> = self
            .open()
            .values()
            .filter_map(|open| open.outbox.upgrade())
            .collect();
        for outbox in outboxes {
            outbox.close();
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, made by closing the oldest connection that has not initialized if need be.
    fn admit(self: &Arc<Self>) -> Admission {
        let mut open = self.open();
        let mut evicted = None;
        if open.len() >= self.max {
            let living = |open: &Open| open.outbox.upgrade().filter(|outbox| !outbox.is_closed());
            let oldest = open
                .iter()
                .filter(|(_, open)| !open.initialized)
                .find_map(|(number, open)| living(open).map(|outbox| (*number, outbox)));
            match oldest {
                Some(oldest) => evicted = Some(oldest),
                None if open.values().all(|open| living(open).is_some()) => return Admission::Full,
                None => return Admission::Soon,
            }
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(number, Open::default());
        drop(open);
        if let Some((number, outbox)) = evicted {
            tracing::debug!(
                conn = number,
                "closed: others wait and it has not initialized"
            );
            outbox.close();
        }
        Admission::Place(Slot {
            number,
            connections: Arc::clone(self),
        })
    }

    /// A place, waited for where a connection is just ending; none where all are in use.
    pub(crate) async fn place(self: &Arc<Self>) -> Option<Slot> {
        let waited_from = Instant::now();
        loop {
            let freed = self.freed.notified();
            match self.admit() {
                Admission::Place(slot) => return Some(slot),
                Admission::Soon if waited_from.elapsed() < ENDED_WITHIN => {
                    // One that has only just begun is not told from one that ends, and does not
                    // free its place.
                    let _ = timeout(LOOK_AGAIN, freed).await;
                }
                Admission::Full | Admission::Soon => return None,
            }
        }
    }
}

/// A connection that listens to topics, until dropped.
pub(crate) struct Listening {
    number: u64,
    connections: Arc<Connections>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.connections
            .with(self.number, |open| open.listening -= 1);
    }
}

/// A call of a connection that listens to topics, until dropped.
pub(crate) struct Calling {
    number: u64,
    connections: Arc<Connections>,
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.connections.with(self.number, |open| open.calls -= 1);
        self.connections.freed.notify_waiters();
    }
}

/// Whether one more gets in.
enum Admission {
    /// Here.
    Place(Slot),
    /// Somebody is leaving.
    Soon,
    /// Everybody stays.
    Full,
}

/// A connection's place among the open ones, until dropped.
pub(crate) struct Slot {
    /// For the log.
    pub(crate) number: u64,
    connections: Arc<Connections>,
}

impl Slot {
    /// Lets the connection be closed from outside.
    pub(crate) fn attach(&self, outbox: &Arc<Outbox>) {
        if let Some(open) = self.connections.open().get_mut(&self.number) {
            open.outbox = Arc::downgrade(outbox);
        }
    }

    /// From here on it is not closed for others.
    pub(crate) fn initialized(&self) {
        if let Some(open) = self.connections.open().get_mut(&self.number) {
            open.initialized = true;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.freed.notify_waiters();
    }
}

/// Accepts until dropped. Returns only where the listener is broken.
pub(crate) async fn accept(daemon: Arc<Daemon>, listener: Arc<UnixListener>) -> io::Error {
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let mut foreign = 0u64;
    loop {
        while daemon.connections.count() >= daemon.connections.max() + CLOSING_MAX {
            let freed = daemon.connections.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if daemon.connections.count() >= daemon.connections.max() + CLOSING_MAX {
                freed.await;
            }
        }
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
                    tracing::warn!(%error, "cannot accept; waiting for a connection to end");
                    // Other processes may be what is short: nothing tells when they are done.
                    let freed = daemon.connections.freed.notified();
                    let _ = timeout(Duration::from_millis(100), freed).await;
                    continue;
                }
                Some(Errno::CONNABORTED | Errno::INTR | Errno::AGAIN) => continue,
                _ => return error,
            },
        };
        match peer_uid(&stream) {
            Ok(uid) if uid == daemon.peer_uid => {}
            found => {
                foreign += 1;
                if foreign.is_power_of_two() {
                    tracing::warn!(?found, times = foreign, "closed: the peer is another user");
                }
                continue;
            }
        }
        if let Some(slot) = daemon.connections.place().await {
            tokio::spawn(conn::serve(Arc::clone(&daemon), stream, slot));
        } else if let Ok(permit) = Arc::clone(&refusals).acquire_owned().await {
            let error = RpcError::new(ErrorCode::Overloaded, "too many clients are connected")
                .why(format!("the limit is {}", daemon.connections.max()))
                .hint("cv status");
            tokio::spawn(async move {
                refuse(stream, error).await;
                drop(permit);
            });
        }
        // The newcomer reads what it has sent before the next one may take its place.
        tokio::task::yield_now().await;
    }
}

/// Answers the peer's first request with an error.
pub(crate) async fn refuse(mut stream: UnixStream, error: RpcError) {
    let (read, mut write) = stream.split();
    let mut frames = FrameReader::with_limit(read, REFUSED_LINE_BYTES);
    let first = timeout(REFUSE_WITHIN, frames.next()).await;
    let id = match &first {
        Ok(Ok(Some(Line::Complete(line)))) => check(line)
            .ok()
            .and_then(|text| message::parse(text).ok())
            .and_then(|message| match message {
                Incoming::Request { id, .. } => Some(id.into_owned()),
                Incoming::Notification { .. } | Incoming::Response { .. } => None,
            }),
        _ => None,
    };
    let mut line = Vec::new();
    if message::append_error(&mut line, &id.unwrap_or(Id::Null), &error).is_ok() {
        // A peer that does not read its refusal loses it.
        let _ = timeout(REFUSE_WITHIN, write.write_all(&line)).await;
    }
}

/// Answers whoever waits in the listener's queue with an error.
pub(crate) async fn refuse_queued(listener: &UnixListener, error: &RpcError) {
    let mut refusals = tokio::task::JoinSet::new();
    while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
        if refusals.len() >= REFUSALS_MAX * 4 {
            refusals.join_next().await;
        }
        refusals.spawn(refuse(stream, error.clone()));
    }
    while refusals.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::STALL;

    #[test]
    fn the_oldest_connection_that_has_not_initialized_makes_room() {
        let connections = Arc::new(Connections::new(2));
        let admitted = |connections: &Arc<Connections>| match connections.admit() {
            Admission::Place(slot) => Some(slot),
            Admission::Soon | Admission::Full => None,
        };
        let first = admitted(&connections).unwrap();
        let second = admitted(&connections).unwrap();
        let outboxes = [Arc::new(Outbox::new(STALL)), Arc::new(Outbox::new(STALL))];
        first.attach(&outboxes[0]);
        second.attach(&outboxes[1]);
        first.initialized();
        let third = admitted(&connections).unwrap();
        assert!(!outboxes[0].is_closed() && outboxes[1].is_closed());
        third.initialized();
        drop(second);
        assert!(admitted(&connections).is_none());
        drop(first);
        assert!(admitted(&connections).is_some());
    }

    #[test]
    fn who_only_listens_does_not_use_the_daemon() {
        let connections = Arc::new(Connections::new(4));
        let Admission::Place(slot) = connections.admit() else {
            panic!("no place");
        };
        assert_eq!(connections.in_use(), 1);
        let first = connections.listens(slot.number);
        let second = connections.listens(slot.number);
        drop(first);
        assert_eq!((connections.in_use(), connections.count()), (0, 1));
        let call = connections.calls(slot.number);
        assert_eq!(connections.in_use(), 1);
        drop(call);
        assert_eq!(connections.in_use(), 0);
        drop(second);
        assert_eq!(connections.in_use(), 1);
        // What is dropped behind the connection does no harm.
        let late = connections.listens(slot.number);
        drop(slot);
        drop(late);
        assert_eq!(connections.in_use(), 0);
    }

    #[test]
    fn few_descriptors_mean_few_connections_but_never_none() {
        let max = Connections::from_file_limit().max();
        assert!((CONNECTIONS_MIN..=CONNECTIONS_MAX).contains(&max), "{max}");
    }
}
