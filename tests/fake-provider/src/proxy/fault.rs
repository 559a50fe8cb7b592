//! A network that breaks.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{CONNECTIONS_MAX, READ_BYTES, listen};
use crate::{gate::Gate, thread::Thread};

/// Which bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Those of the server.
    ToClient,
    /// Those of the client.
    ToServer,
}

/// What happens to the connection, on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is closed (FIN).
    Close,
    /// It is reset (RST).
    Reset,
    /// This direction falls silent, until it is released.
    Stall,
}

/// What happens after how many bytes in which direction. TLS is bytes like any others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose bytes are counted.
    pub direction: Direction,
    /// Bytes that still pass.
    pub after_bytes: u64,
    /// What happens then.
    pub action: Action,
}

type Faults = Box<dyn FnMut(usize) -> Option<Fault> + Send>;

/// A TCP proxy that breaks the connections that it is told to.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    stalls: Gate,
    _thread: Thread,
}

impl FaultProxy {
    /// Starts one before `upstream`; `faults` is asked for each connection, from 0.
    ///
    /// # Panics
    /// Where there is no free port or no thread.
    #[expect(clippy::panic, reason = "a test without its proxy has failed already")]
    pub fn start(
        upstream: SocketAddr,
        faults: impl FnMut(usize) -> Option<Fault> + Send + 'static,
    ) -> Self {
        Self::try_start(upstream, Box::new(faults))
            .unwrap_or_else(|error| panic!("no proxy: {error}"))
    }

    fn try_start(upstream: SocketAddr, faults: Faults) -> io::Result<Self> {
        let (listener, addr) = listen()?;
        let shared = Arc::new(Shared {
            upstream,
            faults: Mutex::new(faults),
            stalls: Gate::new(),
        });
        let connections = Arc::new(AtomicUsize::new(0));
        let stalls = shared.stalls.clone();
        let count = connections.clone();
        let thread = Thread::start("fault-proxy", move || serve(listener, shared, count))?;
        Ok(Self {
            addr,
            connections,
            stalls,
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

    /// Ends every stall, present and future.
    pub fn release(&self) {
        self.stalls.open();
    }
}

struct Shared {
    upstream: SocketAddr,
    faults: Mutex<Faults>,
    stalls: Gate,
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>, count: Arc<AtomicUsize>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Ok((client, _)) = accepted else { continue };
                let number = count.fetch_add(1, Ordering::SeqCst);
                let fault = {
                    let mut faults = shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
                    faults(number)
                };
                connections.spawn(connection(client, shared.clone(), fault));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut client: TcpStream, shared: Arc<Shared>, fault: Option<Fault>) {
    let Ok(mut server) = TcpStream::connect(shared.upstream).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let broke = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let of = |direction| fault.filter(|fault| fault.direction == direction);
        let up = carry(
            from_client,
            to_server,
            of(Direction::ToServer),
            &shared.stalls,
        );
        let down = carry(
            from_server,
            to_client,
            of(Direction::ToClient),
            &shared.stalls,
        );
        tokio::pin!(up, down);
        // A direction that ended by itself leaves the other one open; a fault ends both.
        let mut ended = (false, false);
        loop {
            let broke = tokio::select! {
                broke = &mut up, if !ended.0 => { ended.0 = true; broke }
                broke = &mut down, if !ended.1 => { ended.1 = true; broke }
            };
            if broke.is_some() || ended == (true, true) {
                break broke;
            }
        }
    };
    if broke == Some(Action::Reset) {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

/// Carries bytes and their end; says what broke.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    fault: Option<Fault>,
    stalls: &Gate,
) -> Option<Action> {
    let mut passed = 0;
    let mut buffer = vec![0; READ_BYTES];
    let mut fault = fault;
    loop {
        if let Some(Fault {
            after_bytes,
            action,
            ..
        }) = fault
            && passed == after_bytes
        {
            if action != Action::Stall {
                return Some(action);
            }
            stalls.pass().await;
            fault = None;
        }
        let room = fault.map_or(u64::MAX, |fault| fault.after_bytes - passed);
        let room = usize::try_from(room).map_or(READ_BYTES, |room| room.min(READ_BYTES));
        let read = match from.read(buffer.get_mut(..room)?).await {
            Ok(0) | Err(_) => {
                let _ = to.shutdown().await;
                return None;
            }
            Ok(read) => read,
        };
        if to.write_all(buffer.get(..read)?).await.is_err() {
            return None;
        }
        passed += read as u64;
    }
}
