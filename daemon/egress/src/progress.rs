//! How far one request has come, so that each wait is measured from where it began.
//!
//! The HTTP client alone knows when it connects and when it writes. A layer around its connector
//! and the request's own body tell; a task-local names the request that a connection is made for.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tower_layer::Layer;
use tower_service::Service;

/// Bodies are handed over in pieces of this size, so that sending one counts as progress.
const PIECE_BYTES: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

tokio::task_local! {
    /// The request that is being sent by this task.
    pub(crate) static UNDER_WAY: Arc<Progress>;
}

/// Connecting took longer than the request allows.
#[derive(Debug, Error)]
#[error("connecting took too long")]
pub(crate) struct ConnectTimedOut;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A warm connection may have been found; nothing was seen yet.
    Begun(Instant),
    /// A connection is being made.
    Connecting(Instant),
    /// There is a connection, or bytes of the body went into one.
    Sending(Instant),
}

/// How far one request has come.
#[derive(Debug)]
pub(crate) struct Progress {
    step: watch::Sender<Step>,
    connect: Duration,
    first_byte: Duration,
}

impl Progress {
    pub(crate) fn begin(connect: Duration, first_byte: Duration) -> Arc<Self> {
        let (step, _) = watch::channel(Step::Begun(Instant::now()));
        Arc::new(Self {
            step,
            connect,
            first_byte,
        })
    }

    /// When the wait for the first byte is over, as far as is known now.
    pub(crate) fn first_byte_deadline(&self) -> Instant {
        match *self.step.borrow() {
            Step::Begun(at) | Step::Sending(at) => at + self.first_byte,
            // The connector itself keeps the bound of connecting. This is for a request that went
            // out on another connection meanwhile, without a body that would have told.
            Step::Connecting(at) => at + self.connect + self.first_byte,
        }
    }

    /// Resolves when the first byte is overdue; never before.
    pub(crate) async fn overdue(&self) {
        let mut changes = self.step.subscribe();
        loop {
            let deadline = self.first_byte_deadline();
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    fn connecting(&self) {
        self.step.send_replace(Step::Connecting(Instant::now()));
    }

    fn connected(&self) {
        self.step.send_if_modified(|step| {
            let waited_for = matches!(step, Step::Connecting(_));
            if waited_for {
                *step = Step::Sending(Instant::now());
            }
            waited_for
        });
    }

    fn sending(&self) {
        self.step.send_replace(Step::Sending(Instant::now()));
    }
}

/// Bounds connecting by what the request allows, and tells the request about it.
#[derive(Debug, Clone)]
pub(crate) struct Watched;

impl<S> Layer<S> for Watched {
    type Service = WatchedConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WatchedConnector { inner }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct WatchedConnector<S> {
    inner: S,
}

impl<S, Target> Service<Target> for WatchedConnector<S>
where
    S: Service<Target, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let progress = UNDER_WAY.try_with(Arc::clone).ok();
        let connecting = self.inner.call(target);
        Box::pin(async move {
            let Some(progress) = progress else {
                return connecting.await;
            };
            progress.connecting();
            let connection = timeout(progress.connect, connecting)
                .await
                .map_err(|_| BoxError::from(ConnectTimedOut))??;
            progress.connected();
            Ok(connection)
        })
    }
}

/// The request's body; says when it is taken.
#[derive(Debug)]
pub(crate) struct Outgoing {
    rest: Bytes,
    progress: Arc<Progress>,
}

impl Outgoing {
    pub(crate) fn new(body: Bytes, progress: Arc<Progress>) -> Self {
        Self {
            rest: body,
            progress,
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        self.progress.sending();
        let len = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
