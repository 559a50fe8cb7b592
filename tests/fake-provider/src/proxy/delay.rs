//! A network with a round trip.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{CONNECTIONS_MAX, READ_BYTES, listen};
use crate::thread::Thread;

/// What is on its way in one direction, in pieces of at most 16 KiB.
const FLYING_MAX: usize = 4096;

/// A TCP proxy whose connections cost a round trip to open and half a one for every byte.
///
/// The system accepts on loopback at once, so the trip of opening is added to what the client
/// sends first: nothing arrives before one and a half trips after the connection was opened.
/// A client that sends at once sees exactly what it would see over such a network, and one that
/// opens a connection long before it needs it saves exactly what it would save.
#[derive(Debug)]
pub struct DelayProxy {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    _thread: Thread,
}

impl DelayProxy {
    /// Starts one before `upstream`.
    ///
    /// # Panics
    /// Where there is no free port or no thread.
    #[expect(clippy::panic, reason = "a test without its proxy has failed already")]
    pub fn start(upstream: SocketAddr, rtt: Duration) -> Self {
        Self::try_start(upstream, rtt).unwrap_or_else(|error| panic!("no proxy: {error}"))
    }

    /// Starts one before `upstream`.
    ///
    /// # Errors
    /// Where there is no free port or no thread.
    pub fn try_start(upstream: SocketAddr, rtt: Duration) -> io::Result<Self> {
        let (listener, addr) = listen()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let thread = Thread::start("delay-proxy", move || serve(listener, upstream, rtt, count))?;
        Ok(Self {
            addr,
            connections,
            _thread: thread,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its origin under `http` or `https`.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr)
    }

    /// Connections that were opened.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(
    listener: std::net::TcpListener,
    upstream: SocketAddr,
    rtt: Duration,
    count: Arc<AtomicUsize>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Ok((client, _)) = accepted else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(connection(client, upstream, rtt));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, upstream: SocketAddr, rtt: Duration) {
    let opened = Instant::now();
    let Ok(server) = TcpStream::connect(upstream).await else {
        // As over a network: the refusal takes a round trip, and here it is a reset.
        sleep_until(opened + rtt).await;
        let _ = client.set_zero_linger();
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = fly(from_client, to_server, rtt / 2, opened + rtt + rtt / 2);
    let down = fly(from_server, to_client, rtt / 2, opened);
    tokio::join!(up, down);
}

/// Carries bytes and their end, each `delay` later, and nothing before `earliest`.
async fn fly(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
    earliest: Instant,
) {
    let (take_off, mut flying) = mpsc::channel::<(Instant, Option<Bytes>)>(FLYING_MAX);
    let read = async move {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(READ_BYTES);
            let read = from.read_buf(&mut buffer).await;
            let lands = (Instant::now() + delay).max(earliest);
            let bytes = match read {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(buffer.split().freeze()),
            };
            let last = bytes.is_none();
            if take_off.send((lands, bytes)).await.is_err() || last {
                return;
            }
        }
    };
    let write = async move {
        while let Some((lands, bytes)) = flying.recv().await {
            sleep_until(lands).await;
            let written = match bytes {
                Some(bytes) => to.write_all(&bytes).await,
                None => to.shutdown().await,
            };
            if written.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
