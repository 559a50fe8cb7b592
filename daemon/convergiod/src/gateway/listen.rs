//! Connections: from this machine alone, so many at one time, and none that only waits.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::Router;
use convergio_config::GatewayAddress;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{Instant, Sleep, timeout},
};

/// Connections at one time.
const CONNECTIONS_MAX: usize = 64;
/// A head has to come within this, and a connection that is kept has to be used again.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a head. What is read at one time may hold a little more.
pub(super) const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// A program that takes nothing for so long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(60);
/// Between two tries where the system has no descriptor left.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Places for connections.
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// Connections that are open: a place is taken before anybody has come.
    open: AtomicU32,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            open: AtomicU32::new(0),
        }
    }
}

impl Places {
    /// How many are open.
    pub(super) fn taken(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }
}

/// What is listened on.
pub(super) struct Bound {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) port: u16,
    pub(super) url: String,
}

/// Binds this machine's own addresses; there is no way to name another one.
pub(super) async fn bind(address: GatewayAddress, port: u16) -> io::Result<Bound> {
    let v4 = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let v6 = |port| TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    let mut listeners = Vec::new();
    let port = match address {
        GatewayAddress::V6 => {
            let listener = v6(port).await?;
            let port = listener.local_addr()?.port();
            listeners.push(listener);
            port
        }
        GatewayAddress::V4 | GatewayAddress::Loopback => {
            let listener = v4(port).await?;
            let port = listener.local_addr()?.port();
            listeners.push(listener);
            if address == GatewayAddress::Loopback {
                match v6(port).await {
                    Ok(listener) => listeners.push(listener),
                    // Many machines have none; programs are told the other one.
                    Err(error) => tracing::debug!(%error, "the gateway is not on [::1]"),
                }
            }
            port
        }
    };
    let host = match address {
        GatewayAddress::V6 => "[::1]",
        GatewayAddress::V4 | GatewayAddress::Loopback => "127.0.0.1",
    };
    Ok(Bound {
        listeners,
        port,
        url: format!("http://{host}:{port}"),
    })
}

/// Takes connections until it is told to stop; those that are open end with their request.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    places: Arc<Places>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let next = async {
            let place = Arc::clone(&places.free).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let next = tokio::select! {
            biased;
            () = stop(&mut stopped) => return,
            next = next => next,
        };
        let (stream, place) = match next {
            None => return,
            Some((Ok((stream, _)), place)) => (stream, place),
            Some((Err(error), _)) => {
                tracing::warn!(%error, "the gateway could not take a connection");
                let _ = timeout(LOOK_AGAIN, stop(&mut stopped)).await;
                continue;
            }
        };
        // Pieces of an answer leave as they come.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection of the gateway");
        }
        let (router, stopped) = (router.clone(), stopped.clone());
        let places = Arc::clone(&places);
        tokio::spawn(async move {
            places.open.fetch_add(1, Ordering::Relaxed);
            talk(stream, router, stopped).await;
            places.open.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
}

/// Waits for the end.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    // Nobody who could say it any more is the end as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_MAX_BYTES)
        .max_headers(HEADERS_MAX);
    let io = TokioIo::new(Bounded::new(stream));
    let connection = server.serve_connection(io, TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the gateway");
    }
}

/// A connection whose other end has to take what is written to it.
struct Bounded<S> {
    stream: S,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Bounded<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            waiting: None,
        }
    }

    /// `polled`, or an error where nothing was taken for too long.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let waiting = self.waiting.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_WITHIN))
        });
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
