//! What waits to be written to one connection: two lanes in front of one socket.
//!
//! Responses and notices take the control lane, which always has room: a connection whose control
//! lane is long is not read from, so what a peer can make us hold is bounded. Events take the
//! stream lane, into which a subscription puts the next one only when there is room, so a reader
//! that stalls costs its lane and nothing more.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io::{self, Write},
    os::unix::net::UnixStream as StdStream,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::Notify,
    time::timeout,
};

/// What goes to the socket in one system call, at most, unless one message is longer.
const WRITE_BYTES: usize = 64 * 1024;
/// Control lane length, in bytes, above which no further request is read.
const CONTROL_FULL_BYTES: usize = 256 * 1024;
/// Stream lane length, in bytes, above which subscriptions wait.
const STREAM_FULL_BYTES: usize = 256 * 1024;
/// How long a write may stand still.
pub(crate) const STALL: Duration = Duration::from_secs(30);

/// One message, newline included.
enum Message {
    Response(Vec<u8>),
    Notice(Vec<u8>),
}

impl Message {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Response(bytes) | Self::Notice(bytes) => bytes,
        }
    }
}

#[derive(Default)]
struct State {
    control: VecDeque<Message>,
    control_bytes: usize,
    stream: VecDeque<Arc<[u8]>>,
    stream_bytes: usize,
    /// Counts stalls: a subscription that was opened before the last one is closed.
    stalls: u64,
    /// The writer has taken bytes that are not on the socket yet.
    writing: bool,
    /// Subscriptions that have more to send, or may have.
    streams: usize,
}

/// Why an event cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// The connection is gone.
    Closed,
    /// The peer has not read for [`STALL`]; the connection stands.
    Stalled,
}

/// The outgoing side of one connection.
pub(crate) struct Outbox {
    /// For a response that nothing stands before: it is written at once, by whoever has it.
    direct: OnceLock<Arc<StdStream>>,
    state: Mutex<State>,
    filled: Notify,
    emptied: Notify,
    closed: AtomicBool,
    closing: Notify,
    stall: Duration,
}

impl Outbox {
    /// An empty one; `stall` is [`STALL`] outside of tests.
    pub(crate) fn new(stall: Duration) -> Self {
        Self {
            direct: OnceLock::new(),
            state: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            stall,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets responses be written without a detour over the writer's task.
    pub(crate) fn write_directly_to(&self, socket: Arc<StdStream>) {
        // Set once, before the first line is read.
        let _ = self.direct.set(socket);
    }

    /// Sends a response, or queues it where something stands before it. Never waits, never drops.
    pub(crate) fn respond(&self, line: Vec<u8>) {
        let written = match self.direct.get() {
            Some(socket) => self.write_now(socket, &line),
            None => Some(0),
        };
        match written {
            Some(count) if count == line.len() => {}
            Some(0) => self.push(Message::Response(line)),
            Some(count) => self.push(Message::Response(line[count..].to_vec())),
            None => self.close(),
        }
    }

    /// Queues a response behind which another one follows at once: they go in one write.
    pub(crate) fn respond_with_next(&self, line: Vec<u8>) {
        self.push(Message::Response(line));
    }

    /// How much of `line` is on the socket; none where the peer is gone.
    fn write_now(&self, socket: &StdStream, line: &[u8]) -> Option<usize> {
        let state = self.state();
        if state.writing || !state.control.is_empty() || !state.stream.is_empty() {
            return Some(0);
        }
        write_some(socket, line)
    }

    /// Queues a notice that nobody waits for: it does not count as unanswered.
    pub(crate) fn notice(&self, line: Vec<u8>) {
        self.push(Message::Notice(line));
    }

    fn push(&self, message: Message) {
        if self.is_closed() {
            return;
        }
        let mut state = self.state();
        state.control_bytes += message.bytes().len();
        state.control.push_back(message);
        drop(state);
        self.filled.notify_one();
    }

    /// The number that a new subscription passes to [`Self::send_event`].
    pub(crate) fn stalls(&self) -> u64 {
        self.state().stalls
    }

    /// Sends an event: at once where nothing stands before it, else as soon as the stream lane has
    /// room.
    pub(crate) async fn send_event(&self, line: &Arc<[u8]>, opened: u64) -> Result<(), StreamEnd> {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            {
                let mut state = self.state();
                if self.is_closed() {
                    return Err(StreamEnd::Closed);
                }
                if state.stalls != opened {
                    return Err(StreamEnd::Stalled);
                }
                let idle = !state.writing && state.control.is_empty() && state.stream.is_empty();
                if let (true, Some(socket)) = (idle, self.direct.get()) {
                    match write_some(socket, line) {
                        Some(count) if count == line.len() => return Ok(()),
                        Some(0) => {}
                        Some(count) => {
                            // The rest of a line goes before anything else.
                            drop(state);
                            self.push(Message::Notice(line[count..].to_vec()));
                            return Ok(());
                        }
                        None => {
                            drop(state);
                            self.close();
                            return Err(StreamEnd::Closed);
                        }
                    }
                }
                if state.stream_bytes < STREAM_FULL_BYTES {
                    state.stream_bytes += line.len();
                    state.stream.push_back(Arc::clone(line));
                    drop(state);
                    self.filled.notify_one();
                    return Ok(());
                }
            }
            emptied.await;
        }
    }

    /// Whether the control lane is short enough for another request to be read.
    pub(crate) fn has_room_now(&self) -> bool {
        self.state().control_bytes < CONTROL_FULL_BYTES
    }

    /// Waits until the control lane is short enough for another request to be read.
    pub(crate) async fn has_room(&self) {
        self.wait_until(|state| state.control_bytes < CONTROL_FULL_BYTES)
            .await;
    }

    /// Counts one more subscription, until [`Self::stream_ended`].
    pub(crate) fn stream_began(&self) -> usize {
        let mut state = self.state();
        state.streams += 1;
        state.streams
    }

    /// A subscription has nothing more to send.
    pub(crate) fn stream_ended(&self) {
        self.state().streams -= 1;
        self.emptied.notify_waiters();
    }

    /// Waits until no subscription has more to send and everything queued is on the socket, or
    /// the connection is closed.
    pub(crate) async fn flushed(&self) {
        self.wait_until(|state| {
            state.streams == 0
                && state.control.is_empty()
                && state.stream.is_empty()
                && !state.writing
        })
        .await;
    }

    async fn wait_until(&self, ready: impl Fn(&State) -> bool) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.is_closed() || ready(&self.state()) {
                return;
            }
            emptied.await;
        }
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits for the end of the connection.
    pub(crate) async fn closed(&self) {
        loop {
            let closing = self.closing.notified();
            tokio::pin!(closing);
            closing.as_mut().enable();
            if self.is_closed() {
                return;
            }
            closing.await;
        }
    }

    /// Ends the connection; what is queued is dropped.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let mut state = self.state();
        state.control = VecDeque::new();
        state.stream = VecDeque::new();
        state.writing = false;
        drop(state);
        self.filled.notify_one();
        self.emptied.notify_waiters();
        self.closing.notify_waiters();
    }

    /// Moves the next messages into `buffer`, control first; whether a response is among them.
    async fn take(&self, buffer: &mut Vec<u8>) -> Option<bool> {
        loop {
            if self.is_closed() {
                return None;
            }
            let mut response = false;
            {
                let mut state = self.state();
                while let Some(message) = state.control.front() {
                    if !buffer.is_empty() && buffer.len() + message.bytes().len() > WRITE_BYTES {
                        break;
                    }
                    response |= matches!(message, Message::Response(_));
                    buffer.extend_from_slice(message.bytes());
                    state.control_bytes -= message.bytes().len();
                    state.control.pop_front();
                }
                while let Some(line) = state.stream.front() {
                    if !state.control.is_empty()
                        || (!buffer.is_empty() && buffer.len() + line.len() > WRITE_BYTES)
                    {
                        break;
                    }
                    buffer.extend_from_slice(line);
                    state.stream_bytes -= line.len();
                    state.stream.pop_front();
                }
                state.writing = !buffer.is_empty();
            }
            if !buffer.is_empty() {
                return Some(response);
            }
            self.filled.notified().await;
        }
    }

    fn written(&self) {
        self.state().writing = false;
        self.emptied.notify_waiters();
    }

    /// Nothing could be written for [`STALL`]. Events are dropped (they are in the run's log);
    /// whether the connection must end, because a response waits.
    fn stalled(&self, response: bool) -> bool {
        let mut state = self.state();
        state.stalls += 1;
        state.stream = VecDeque::new();
        state.stream_bytes = 0;
        let waiting = |message: &Message| matches!(message, Message::Response(_));
        let must_end = response || state.control.iter().any(waiting);
        drop(state);
        self.emptied.notify_waiters();
        must_end
    }
}

/// How many of the bytes the socket takes now; none where the peer is gone.
fn write_some(mut socket: &StdStream, line: &[u8]) -> Option<usize> {
    match socket.write(line) {
        Ok(count) => Some(count),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(0),
        Err(_) => None,
    }
}

/// Writes what the outbox holds until the connection ends.
pub(crate) async fn write_out(outbox: Arc<Outbox>, mut socket: impl AsyncWrite + Unpin) {
    let mut buffer = Vec::new();
    while let Some(response) = outbox.take(&mut buffer).await {
        if !write_all(&outbox, &mut socket, &buffer, response).await {
            break;
        }
        outbox.written();
        if buffer.capacity() > WRITE_BYTES {
            buffer = Vec::new();
        } else {
            buffer.clear();
        }
    }
    outbox.close();
}

async fn write_all(
    outbox: &Outbox,
    socket: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    response: bool,
) -> bool {
    while !bytes.is_empty() {
        // Mostly there is room at once: no timer, nothing to wait for.
        let at_once = {
            let write = socket.write(bytes);
            tokio::pin!(write);
            poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await
        };
        if let Poll::Ready(written) = at_once {
            match written {
                Ok(0) | Err(_) => return false,
                Ok(count) => bytes = &bytes[count..],
            }
            continue;
        }
        let written = tokio::select! {
            biased;
            written = timeout(outbox.stall, socket.write(bytes)) => written,
            () = outbox.closed() => return false,
        };
        match written {
            Ok(Ok(0) | Err(_)) => return false,
            Ok(Ok(count)) => bytes = &bytes[count..],
            Err(_) if outbox.stalled(response) => return false,
            Err(_) => {}
        }
    }
    true
}

#[cfg(test)]
mod tests;
