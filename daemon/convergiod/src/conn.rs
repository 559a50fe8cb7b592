//! One connection: lines in, calls run, lines out.

use std::{
    collections::HashMap,
    future::poll_fn,
    os::unix::net::UnixStream as StdStream,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use convergio_contract::{ErrorCode, RpcError, daemon::InitializeParams, limits::IN_FLIGHT_MAX};
use convergio_transport::{
    frame::{FrameFault, FrameReader, Line, check},
    message::{self, Incoming},
    stream,
};
use jsonrpsee_types::Id;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    net::UnixStream,
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Sleep, sleep},
};

use crate::{
    accept::Slot,
    bus::run::Reader,
    daemon::Daemon,
    dispatch::{self, Answer, Boxed, Call},
    lanes::{Outbox, STALL, write_out},
};

/// How long a connection may take to initialize.
pub(crate) const INITIALIZE_WITHIN: Duration = Duration::from_secs(10);
/// Lines longer than this are parsed on a thread of their own, so that others don't wait.
const PARSE_HERE_BYTES: usize = 128 * 1024;
/// Subscriptions of one connection at one time.
const SUBSCRIPTIONS_MAX: usize = 64;
/// The longest request id that is taken, in bytes.
const ID_MAX_BYTES: usize = 128;

/// What the parts of a connection share.
pub(crate) struct Conn {
    /// For the log.
    pub(crate) number: u64,
    /// Lines on their way out.
    pub(crate) outbox: Arc<Outbox>,
    /// What the client said about itself; set by `initialize`.
    client: OnceLock<InitializeParams>,
    calls: Mutex<HashMap<Id<'static>, AbortHandle>>,
    /// Counts subscriptions to topics: the latest one holds.
    pub(crate) topics: watch::Sender<u64>,
    /// Readers whose subscription was closed because they stalled: they still count.
    stalled: Mutex<Vec<Reader>>,
    /// The number of the next failed call, for its trace id.
    failures: AtomicU64,
    /// The next line is here already: what is answered now may wait for its answer.
    more_follows: AtomicBool,
}

/// One open subscription of a connection; counted until dropped.
pub(crate) struct Subscribed(Arc<Conn>);

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.0.outbox.stream_ended();
    }
}

impl Conn {
    fn new(number: u64) -> Self {
        Self {
            number,
            outbox: Arc::new(Outbox::new(STALL)),
            client: OnceLock::new(),
            calls: Mutex::default(),
            topics: watch::Sender::new(0),
            stalled: Mutex::default(),
            failures: AtomicU64::new(1),
            more_follows: AtomicBool::new(false),
        }
    }

    /// Who calls; none before `initialize`.
    pub(crate) fn client(&self) -> Option<&InitializeParams> {
        self.client.get()
    }

    /// Marks the connection as initialized; false if it was already.
    pub(crate) fn set_client(&self, client: InitializeParams) -> bool {
        self.client.set(client).is_ok()
    }

    /// Counts one more subscription; none where there are too many.
    pub(crate) fn subscription(self: &Arc<Self>) -> Result<Subscribed, RpcError> {
        let open = self.outbox.stream_began();
        let counted = Subscribed(Arc::clone(self));
        if open > SUBSCRIPTIONS_MAX {
            return Err(
                RpcError::new(ErrorCode::Overloaded, "too many subscriptions are open")
                    .why(format!("the limit of a connection is {SUBSCRIPTIONS_MAX}")),
            );
        }
        Ok(counted)
    }

    /// Keeps a reader whose subscription stalled until the connection ends.
    pub(crate) fn keep_stalled(&self, reader: Reader) {
        let mut stalled = self.stalled.lock().unwrap_or_else(PoisonError::into_inner);
        if stalled.len() < SUBSCRIPTIONS_MAX {
            stalled.push(reader);
        }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Id<'static>, AbortHandle>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, daemon: &Daemon, id: &Id<'_>, mut error: RpcError) {
        if let Some(data) = &mut error.data {
            let count = self.failures.fetch_add(1, Ordering::Relaxed);
            let trace = format!("{}-{}-{count}", daemon.epoch, self.number);
            if error.code == ErrorCode::Internal.code()
                || error.code == ErrorCode::StorageError.code()
            {
                tracing::warn!(
                    trace,
                    code = error.code,
                    message = error.message,
                    why = data.why,
                    "call failed"
                );
            } else {
                tracing::debug!(
                    trace,
                    code = error.code,
                    message = error.message,
                    "call refused"
                );
            }
            data.trace_id = Some(trace);
        }
        let mut line = Vec::new();
        if message::append_error(&mut line, id, &error).is_ok() {
            self.respond(line);
        }
    }

    fn respond(&self, line: Vec<u8>) {
        if self.more_follows.load(Ordering::Relaxed) {
            self.outbox.respond_with_next(line);
        } else {
            self.outbox.respond(line);
        }
    }

    /// Answers a call, unless `$/cancel` has.
    fn finish(&self, daemon: &Daemon, id: &Id<'static>, answer: Answer) {
        if self.calls().remove(id).is_some() {
            self.answer(daemon, id, answer);
        }
    }

    fn answer(&self, daemon: &Daemon, id: &Id<'static>, answer: Answer) {
        match answer {
            Ok(line) => self.respond(line),
            Err(error) => self.refuse(daemon, id, error),
        }
    }

    fn cancel(&self, daemon: &Daemon, id: &Id<'static>) {
        let Some(running) = self.calls().remove(id) else {
            return;
        };
        running.abort();
        self.refuse(
            daemon,
            id,
            RpcError::new(ErrorCode::Cancelled, "the request was cancelled"),
        );
    }
}

#[derive(Deserialize)]
struct CancelParams<'a> {
    #[serde(borrow)]
    id: Id<'a>,
}

/// What a line asks for.
enum Order {
    Start {
        id: Id<'static>,
        call: Call,
        body: Result<Boxed<Answer>, RpcError>,
    },
    Refuse(Id<'static>, RpcError),
    Cancel(Id<'static>),
    Nothing,
}

/// Serves a connection until it ends. Its calls and subscriptions end with it.
pub(crate) async fn serve(daemon: Arc<Daemon>, stream: UnixStream, slot: Slot) {
    let conn = Arc::new(Conn::new(slot.number));
    slot.attach(&conn.outbox);
    let halves = stream.into_std().and_then(stream::split);
    let (read, write) = match halves {
        Ok(halves) => halves,
        Err(error) => {
            tracing::warn!(conn = conn.number, %error, "a connection could not be served");
            return;
        }
    };
    let socket = write.socket();
    conn.outbox.write_directly_to(Arc::clone(&socket));
    let writer = tokio::spawn(write_out(Arc::clone(&conn.outbox), write));
    let mut frames = FrameReader::new(read);
    let mut tasks = JoinSet::new();
    let mut late = Some(Box::pin(sleep(INITIALIZE_WITHIN)));
    let closed = conn.outbox.closed();
    tokio::pin!(closed);
    let mut ahead = None;
    loop {
        let next = async {
            if !conn.outbox.has_room_now() {
                conn.outbox.has_room().await;
            }
            match ahead.take() {
                Some(line) => Ok(Some(line)),
                None => frames.next().await,
            }
        };
        let line = tokio::select! {
            biased;
            () = &mut closed => break,
            () = elapsed(&mut late) => {
                tracing::info!(conn = conn.number, "closed: not initialized in time");
                conn.outbox.close();
                break;
            }
            line = next => line,
        };
        ahead = frames.take_line();
        conn.more_follows.store(ahead.is_some(), Ordering::Relaxed);
        match line {
            Ok(Some(Line::Complete(line))) => {
                let order = read_order(&daemon, &conn, line).await;
                carry_out(&daemon, &conn, order, &mut tasks).await;
                if late.is_some() && conn.client().is_some() {
                    late = None;
                    slot.initialized();
                }
            }
            Ok(Some(Line::TooLong)) => {
                let error = RpcError::new(ErrorCode::TooLarge, "a line was longer than the limit")
                    .why(format!(
                        "the limit is {} bytes",
                        convergio_contract::limits::LINE_MAX_BYTES
                    ));
                conn.refuse(&daemon, &Id::Null, error);
            }
            Ok(None) => {
                finish_after_end_of_input(&conn, &socket, &mut tasks).await;
                break;
            }
            Err(error) => {
                tracing::debug!(conn = conn.number, %error, "connection broke");
                break;
            }
        }
        while !tasks.is_empty() && tasks.try_join_next().is_some() {}
    }
    conn.outbox.close();
    tasks.shutdown().await;
    let _ = writer.await;
}

/// A peer that only closed its sending side still gets its answers; one that is gone does not.
async fn finish_after_end_of_input(conn: &Conn, socket: &StdStream, tasks: &mut JoinSet<()>) {
    let all = async {
        while tasks.join_next().await.is_some() {}
        conn.outbox.flushed().await;
    };
    let gone = async {
        if let Err(error) = stream::hung_up(socket).await {
            tracing::debug!(conn = conn.number, %error, "a peer's end cannot be watched");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = conn.outbox.closed() => {}
        () = all => {}
        () = gone => {}
    }
}

async fn read_order(daemon: &Arc<Daemon>, conn: &Arc<Conn>, line: bytes::Bytes) -> Order {
    if line.len() <= PARSE_HERE_BYTES {
        return order(daemon, conn, &line);
    }
    let (daemon_there, conn_there) = (Arc::clone(daemon), Arc::clone(conn));
    let parsed = daemon
        .background
        .run("read a request", move || {
            order(&daemon_there, &conn_there, &line)
        })
        .await;
    parsed.unwrap_or_else(|error| Order::Refuse(Id::Null, error))
}

fn order(daemon: &Arc<Daemon>, conn: &Arc<Conn>, line: &[u8]) -> Order {
    let text = match check(line) {
        Ok(text) => text,
        Err(fault) => {
            let code = match fault {
                FrameFault::NotUtf8 => ErrorCode::ParseError,
                FrameFault::TooDeep => ErrorCode::TooLarge,
                FrameFault::Batch => ErrorCode::InvalidRequest,
            };
            return Order::Refuse(Id::Null, RpcError::new(code, fault.to_string()));
        }
    };
    match message::parse(text) {
        Ok(Incoming::Request { id, method, params }) => {
            request(daemon, conn, id.into_owned(), &method, params)
        }
        Ok(Incoming::Notification { method, params }) if method == "$/cancel" => {
            let named = params
                .and_then(|params| serde_json::from_str::<CancelParams<'_>>(params.get()).ok())
                .map(|params| params.id.into_owned());
            named.map_or(Order::Nothing, Order::Cancel)
        }
        Ok(Incoming::Notification { .. } | Incoming::Response { .. }) => Order::Nothing,
        Err(wrong) => {
            let error = RpcError::new(wrong.code, "the line is not a request").why(wrong.message);
            Order::Refuse(wrong.id.into_owned(), error)
        }
    }
}

fn request(
    daemon: &Arc<Daemon>,
    conn: &Arc<Conn>,
    id: Id<'static>,
    method: &str,
    params: Option<&RawValue>,
) -> Order {
    let invalid = |why: &str| RpcError::new(ErrorCode::InvalidRequest, why);
    match &id {
        Id::Null => return Order::Refuse(id, invalid("a request's id is a number or a string")),
        Id::Str(text) if text.len() > ID_MAX_BYTES => {
            return Order::Refuse(Id::Null, invalid("the request's id is too long"));
        }
        Id::Str(_) | Id::Number(_) => {}
    }
    let entry = match dispatch::find(method) {
        Ok(entry) => entry,
        Err(error) => return Order::Refuse(id, error),
    };
    if !entry.before_initialize && conn.client().is_none() {
        let error = RpcError::new(
            ErrorCode::NotInitialized,
            format!("{method} was called before initialize"),
        );
        return Order::Refuse(id, error);
    }
    let (open, in_use) = {
        let calls = conn.calls();
        (calls.len(), calls.contains_key(&id))
    };
    if open >= IN_FLIGHT_MAX {
        let error = RpcError::new(ErrorCode::Overloaded, "too many requests are unanswered")
            .why(format!("the limit of a connection is {IN_FLIGHT_MAX}"));
        return Order::Refuse(id, error);
    }
    if in_use {
        // Answered without an id, so that the running request keeps its one response.
        return Order::Refuse(Id::Null, invalid("a request with this id is unanswered"));
    }
    let call = Call::new(Arc::clone(conn));
    let body = (entry.start)(Arc::clone(daemon), call.clone(), id.clone(), params);
    Order::Start { id, call, body }
}

async fn carry_out(daemon: &Arc<Daemon>, conn: &Arc<Conn>, order: Order, tasks: &mut JoinSet<()>) {
    let (id, call, mut body) = match order {
        Order::Start {
            id,
            call,
            body: Ok(body),
        } => (id, call, body),
        Order::Start {
            id,
            body: Err(error),
            ..
        } => return conn.answer(daemon, &id, Err(error)),
        Order::Refuse(id, error) => return conn.refuse(daemon, &id, error),
        Order::Cancel(id) => return conn.cancel(daemon, &id),
        Order::Nothing => return,
    };
    // Most bodies answer at once: no task, no switch. `initialize` always does, so that a request
    // pipelined behind it finds the connection initialized.
    if let Poll::Ready(answer) = poll_once(body.as_mut()).await {
        conn.answer(daemon, &id, answer);
        start_follower(&call, tasks);
        return;
    }
    // Held until the call is in it: its task may end at once, elsewhere.
    let mut calls = conn.calls();
    let (daemon, conn_there, key) = (Arc::clone(daemon), Arc::clone(conn), id.clone());
    let running = tasks.spawn(async move {
        let answer = body.await;
        conn_there.finish(&daemon, &id, answer);
        if let Some(follower) = call.take_then() {
            follower.await;
        }
    });
    calls.insert(key, running);
}

fn start_follower(call: &Call, tasks: &mut JoinSet<()>) {
    if let Some(follower) = call.take_then() {
        tasks.spawn(follower);
    }
}

async fn elapsed(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

#[cfg(test)]
mod tests;
