//! What a server saw and sent, and waiting for it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{request::Request, watched::Watched};

/// How long a wait may last where nothing else is said: a failed test, not a slow one.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What a provider would write on its bill, by its own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Model calls that were not refused.
    pub calls: u64,
    /// Input tokens, cached ones too.
    pub input_tokens: u64,
    /// Output tokens that were produced before the reply ended, however it ended.
    pub output_tokens: u64,
}

/// How the reply to a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not yet.
    Open,
    /// Everything was written.
    Complete,
    /// The script closed the connection before the end.
    Closed,
    /// The script reset the connection.
    Reset,
    /// The client closed or reset the connection before everything was written.
    ClientGone,
}

/// Something that a test can wait for. A `request` is the index of a request in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many TCP connections were accepted in all.
    Connections(usize),
    /// So many requests were read to their end in all.
    Requests(usize),
    /// The first byte of a request's reply was written.
    FirstByteSent(usize),
    /// So many bytes of a request's reply, head and framing included, were written.
    BytesSent(usize, u64),
    /// So many deltas of a request's reply were written.
    DeltasSent(usize, usize),
    /// A request's reply has come to its stall.
    Stalled(usize),
    /// The client went before a request's reply was complete.
    ClientGone(usize),
    /// A request's reply has ended, in whatever way.
    Ended(usize),
}

/// An awaited event did not happen in time.
#[derive(Clone, PartialEq, Eq)]
pub struct Missed {
    pub(crate) awaited: String,
    pub(crate) seen: String,
    pub(crate) deadline: Duration,
}

impl fmt::Display for Missed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            awaited,
            seen,
            deadline,
        } = self;
        write!(out, "{awaited} did not happen within {deadline:?}: {seen}")
    }
}

impl fmt::Debug for Missed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl std::error::Error for Missed {}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) connections: usize,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) requests: Vec<Request>,
}

impl Log {
    fn has(&self, event: Event) -> bool {
        let request = |index: usize| self.requests.get(index);
        match event {
            Event::Connections(count) => self.connections >= count,
            Event::Requests(count) => self.requests.len() >= count,
            Event::FirstByteSent(index) => {
                request(index).is_some_and(|request| request.first_byte_sent.is_some())
            }
            Event::BytesSent(index, bytes) => {
                request(index).is_some_and(|request| request.bytes_sent >= bytes)
            }
            Event::DeltasSent(index, count) => {
                request(index).is_some_and(|request| request.deltas_sent.len() >= count)
            }
            Event::Stalled(index) => request(index).is_some_and(|request| request.stalled),
            Event::ClientGone(index) => {
                request(index).is_some_and(|request| request.end == End::ClientGone)
            }
            Event::Ended(index) => request(index).is_some_and(|request| request.end != End::Open),
        }
    }

    fn summary(&self) -> String {
        let requests: Vec<String> = self
            .requests
            .iter()
            .map(|request| {
                format!(
                    "{} {} {:?} after {} bytes{}",
                    request.method,
                    request.path,
                    request.end,
                    request.bytes_sent,
                    if request.stalled { ", stalled" } else { "" },
                )
            })
            .collect();
        format!(
            "{} connections, {} requests {requests:?}",
            self.connections,
            requests.len()
        )
    }
}

/// The log of one server, shared by its connections and its owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<Watched<Log>>);

impl Record {
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Log) -> R) -> R {
        self.0.look(look)
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Log) -> R) -> R {
        self.0.change(change)
    }

    /// Adds a request and gives its index.
    pub(crate) fn arrive(&self, mut request: Request) -> Request {
        self.change(|log| {
            request.index = log.requests.len();
            request.arrived = Instant::now();
            log.requests.push(request.clone());
        });
        request
    }

    pub(crate) fn update(&self, index: usize, update: impl FnOnce(&mut Request)) {
        self.change(|log| {
            if let Some(request) = log.requests.get_mut(index) {
                update(request);
            }
        });
    }

    pub(crate) fn wait(&self, event: Event, deadline: Duration) -> Result<(), Missed> {
        if self.0.wait(deadline, |log| log.has(event)) {
            return Ok(());
        }
        Err(self.missed(event, deadline))
    }

    pub(crate) async fn happened(self, event: Event, deadline: Duration) -> Result<(), Missed> {
        let until = self.0.until(|log| log.has(event));
        match tokio::time::timeout(deadline, until).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.missed(event, deadline)),
        }
    }

    fn missed(&self, event: Event, deadline: Duration) -> Missed {
        Missed {
            awaited: format!("{event:?}"),
            seen: self.look(Log::summary),
            deadline,
        }
    }
}
