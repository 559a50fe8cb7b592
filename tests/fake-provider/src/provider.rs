//! A running server and what it tells.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    gate::Gate,
    record::{Billed, DEADLINE, Event, Missed, Record},
    request::{Dialect, Request},
    script::Script,
    serve::{Shared, serve},
    thread::Thread,
    tls::Authority,
};

/// A provider on a free port of 127.0.0.1, stopped when it is dropped.
#[derive(Debug)]
pub struct FakeProvider {
    addr: SocketAddr,
    record: Record,
    stalls: Gate,
    // Dropped before what it serves with.
    thread: Thread,
    authority: Option<Authority>,
}

impl FakeProvider {
    /// Starts one.
    ///
    /// # Panics
    /// Where there is no free port, no thread or no temporary folder.
    #[expect(clippy::panic, reason = "a test without its server has failed already")]
    pub fn start(script: Script) -> Self {
        Self::try_start(script, 0).unwrap_or_else(|error| panic!("no fake provider: {error}"))
    }

    /// Starts one on this port of 127.0.0.1; on a free one when it is 0.
    ///
    /// # Errors
    /// Where the port is taken, or there is no thread or temporary folder.
    pub fn try_start(script: Script, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let authority = script.certificate.map(Authority::new).transpose()?;
        let record = Record::default();
        let stalls = Gate::new();
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            record: record.clone(),
            stalls: stalls.clone(),
            tls: authority.as_ref().map(Authority::acceptor),
        });
        let thread = Thread::start("fake-provider", move || serve(listener, shared))?;
        Ok(Self {
            addr,
            record,
            stalls,
            authority,
            thread,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its origin, for instance `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        let scheme = match self.authority {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{}", self.addr)
    }

    /// What clients of a dialect are configured with.
    pub fn base_url(&self, dialect: Dialect) -> String {
        self.url() + prefix(dialect)
    }

    /// The certificate of its authority, as a PEM file. For [`crate::Certificate::SelfSigned`]
    /// it is one that did not sign what the server shows.
    pub fn ca_pem(&self) -> Option<&Path> {
        self.authority.as_ref().map(Authority::pem)
    }

    /// All requests in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.record.look(|log| log.requests.clone())
    }

    /// Only the model calls.
    pub fn calls(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.dialect.is_some());
        requests
    }

    /// One request, by its index.
    pub fn request(&self, index: usize) -> Option<Request> {
        self.record.look(|log| log.requests.get(index).cloned())
    }

    /// TCP connections that were accepted.
    pub fn connections(&self) -> usize {
        self.record.look(|log| log.connections)
    }

    /// Bytes of requests, TLS not counted.
    pub fn bytes_received(&self) -> u64 {
        self.record.look(|log| log.bytes_received)
    }

    /// Bytes of replies, TLS not counted.
    pub fn bytes_sent(&self) -> u64 {
        self.record.look(|log| log.bytes_sent)
    }

    /// What it would bill for all calls, by its own count.
    pub fn billed(&self) -> Billed {
        self.record.look(|log| {
            log.requests
                .iter()
                .fold(Billed::default(), |sum, request| Billed {
                    calls: sum.calls + request.billed.calls,
                    input_tokens: sum.input_tokens + request.billed.input_tokens,
                    output_tokens: sum.output_tokens + request.billed.output_tokens,
                })
        })
    }

    /// Blocks until something happened, at most 20 s.
    ///
    /// # Errors
    /// When it did not.
    pub fn wait(&self, event: Event) -> Result<(), Missed> {
        self.wait_for(event, DEADLINE)
    }

    /// Blocks until something happened.
    ///
    /// # Errors
    /// When it did not within `deadline`.
    pub fn wait_for(&self, event: Event, deadline: Duration) -> Result<(), Missed> {
        self.record.wait(event, deadline)
    }

    /// Resolves when something happened, for tests that run on a runtime. The deadline of 20 s
    /// is kept over here, whatever clock that runtime has.
    ///
    /// # Errors
    /// When it did not happen.
    pub fn happened(&self, event: Event) -> impl Future<Output = Result<(), Missed>> + use<> {
        let record = self.record.clone();
        let task = self
            .thread
            .runtime()
            .spawn(record.happened(event, DEADLINE));
        async move {
            task.await.unwrap_or_else(|error| {
                Err(Missed {
                    awaited: format!("{event:?}"),
                    seen: format!("the provider was stopped: {error}"),
                    deadline: DEADLINE,
                })
            })
        }
    }

    /// Ends every stall, present and future.
    pub fn release(&self) {
        self.stalls.open();
    }

    /// Stops it: from now on connections are refused. Open ones are closed.
    pub fn stop(self) {}
}

/// What a dialect's base URL has behind the origin.
fn prefix(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => "/v1",
        Dialect::Gemini => "/v1beta",
        Dialect::Anthropic | Dialect::Ollama => "",
    }
}
