//! The answer: status, headers, and a body that is bounded in bytes and in every wait.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use reqwest::header::HeaderMap;
use tokio::time::{Instant, Sleep};

use crate::{EgressError, Phase, failure};

/// An answer that began. `Debug` shows status and header names.
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl Response {
    /// The HTTP status; never 300 to 399.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers. Text of others: it may hold anything.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header, when it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, to be read as it comes. Dropping it ends the call.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

pub(crate) type Chunks = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// The bounds of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// When the first chunk is overdue, and how long that wait was meant to be.
    pub(crate) first_byte: (Instant, Duration),
    pub(crate) idle: Duration,
    /// When all of it is overdue, and how long it was meant to take.
    pub(crate) total: Option<(Instant, Duration)>,
    pub(crate) max_bytes: u64,
}

/// A body as it arrives. It ends with `None` after a whole body, or with one error, after which it
/// stays ended. Nothing is read ahead: who does not poll holds the sender back.
pub struct Body {
    /// `None` once it ended, so that the connection is let go at once.
    chunks: Option<Chunks>,
    bounds: Bounds,
    received_bytes: u64,
    /// The wait that is running, made when there is one.
    waiting: Option<(Pin<Box<Sleep>>, Phase, Duration)>,
    began: bool,
    /// There was more than allowed; the last of what is allowed was delivered.
    over: bool,
}

impl Body {
    pub(crate) fn new(chunks: Chunks, bounds: Bounds) -> Self {
        Self {
            chunks: Some(chunks),
            bounds,
            received_bytes: 0,
            waiting: None,
            began: false,
            over: false,
        }
    }

    /// The next chunk, never empty; `None` when the body is complete or ended with an error
    /// before. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Bytes, EgressError>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// All of it at once.
    ///
    /// # Errors
    /// Whatever ends the body before it is complete; what had arrived is dropped.
    pub async fn collect(mut self) -> Result<Vec<u8>, EgressError> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.next().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole)
    }

    /// Bytes delivered so far.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    fn end(&mut self, error: EgressError) -> Poll<Option<Result<Bytes, EgressError>>> {
        self.chunks = None;
        self.waiting = None;
        Poll::Ready(Some(Err(error)))
    }

    /// The wait that ends first from now on.
    fn wait(&self) -> (Pin<Box<Sleep>>, Phase, Duration) {
        let (mut at, mut phase, mut after) = if self.began {
            let idle = self.bounds.idle;
            (Instant::now() + idle, Phase::Idle, idle)
        } else {
            let (at, after) = self.bounds.first_byte;
            (at, Phase::FirstByte, after)
        };
        if let Some((total_at, total)) = self.bounds.total
            && total_at < at
        {
            (at, phase, after) = (total_at, Phase::Total, total);
        }
        (Box::pin(tokio::time::sleep_until(at)), phase, after)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, EgressError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, EgressError>>> {
        let body = &mut *self;
        let limit_bytes = body.bounds.max_bytes;
        loop {
            if body.over && body.chunks.is_some() {
                return body.end(EgressError::TooLarge { limit_bytes });
            }
            // A sender that never pauses never lets a wait run.
            if let Some((at, after)) = body.bounds.total
                && body.chunks.is_some()
                && Instant::now() >= at
            {
                let phase = Phase::Total;
                return body.end(EgressError::Timeout { phase, after });
            }
            let Some(chunks) = body.chunks.as_mut() else {
                return Poll::Ready(None);
            };
            let mut chunk = match chunks.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => continue,
                Poll::Ready(Some(Ok(chunk))) => chunk,
                Poll::Ready(Some(Err(error))) => {
                    let error = failure::in_answer(&error, body.received_bytes);
                    return body.end(error);
                }
                Poll::Ready(None) => {
                    body.chunks = None;
                    body.waiting = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    if body.waiting.is_none() {
                        body.waiting = Some(body.wait());
                    }
                    if let Some((sleep, phase, after)) = body.waiting.as_mut()
                        && sleep.as_mut().poll(context).is_ready()
                    {
                        let (phase, after) = (*phase, *after);
                        return body.end(EgressError::Timeout { phase, after });
                    }
                    return Poll::Pending;
                }
            };
            body.waiting = None;
            body.began = true;
            let room = limit_bytes - body.received_bytes;
            if room == 0 {
                return body.end(EgressError::TooLarge { limit_bytes });
            }
            // What is within the bound is delivered; the next poll says that there was more.
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            if chunk.len() > room {
                chunk.truncate(room);
                body.over = true;
            }
            body.received_bytes += chunk.len() as u64;
            return Poll::Ready(Some(Ok(chunk)));
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Body")
            .field("received_bytes", &self.received_bytes)
            .field("ended", &self.chunks.is_none())
            .finish_non_exhaustive()
    }
}
