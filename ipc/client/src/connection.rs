//! One connection: queued writes, a reader task, calls by id.

use std::{
    collections::HashMap,
    io,
    marker::PhantomData,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use convergio_contract::{
    ErrorCode, Method, RpcError, RunEvent, Uuid,
    daemon::{Initialize, InitializeParams, InitializeResponse},
    limits::LINE_MAX_BYTES,
    topic::TopicEvent,
};
use convergio_transport::{
    frame::{FrameReader, Line},
    message,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::{
    io::AsyncWriteExt,
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
    time::timeout,
};

use crate::{ClientError, ClientOptions, incoming::hand_out, spawn};

/// Events of one run that may wait for their reader. A reader that is further behind subscribes
/// anew after the last event it saw.
const EVENTS_MAX: usize = 4096;
/// Topics' events that may wait for their reader. One that is further behind subscribes anew.
const TOPIC_EVENTS_MAX: usize = 256;

/// Connections in a row that may end before they are answered.
const EARLY_ENDS_MAX: u32 = 3;

pub(crate) type Outcome = Result<Box<RawValue>, RpcError>;

#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) calls: HashMap<u64, oneshot::Sender<Outcome>>,
    pub(crate) runs: HashMap<Uuid, mpsc::Sender<RunEvent>>,
    pub(crate) topics: Option<mpsc::Sender<TopicEvent>>,
    out: Vec<u8>,
    /// What was sent so far, until the handshake is answered: a daemon that ends before it
    /// answers has done nothing of it, and the next one gets it again.
    sent: Option<Vec<u8>>,
    ended: Option<Option<String>>,
}

#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Mutex<Shared>>,
    write: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    next_id: AtomicU64,
    handshake: watch::Receiver<Option<Result<InitializeResponse, RpcError>>>,
    reader: AbortHandle,
}

pub(crate) fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Nothing panics while it holds the lock, and the state is whole between statements.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    pub(crate) fn open(
        stream: UnixStream,
        handshake: &InitializeParams,
        options: Arc<ClientOptions>,
    ) -> Result<Arc<Self>, ClientError> {
        let shared = Arc::new(Mutex::new(Shared {
            sent: Some(Vec::new()),
            ..Shared::default()
        }));
        let (answer, answered) = oneshot::channel();
        {
            let mut shared = lock(&shared);
            shared.calls.insert(0, answer);
            message::append_request(&mut shared.out, 0, Initialize::NAME, handshake)
                .map_err(|error| malformed(Initialize::NAME, &error))?;
        }
        let (done, handshake) = watch::channel(None);
        let (read, write) = stream.into_split();
        let write = Arc::new(tokio::sync::Mutex::new(write));
        let reader = tokio::spawn(read_all(
            read,
            Reading {
                shared: Arc::clone(&shared),
                write: Arc::clone(&write),
                options,
                handshake: Some(answered),
                done,
            },
        ));
        Ok(Arc::new(Self {
            shared,
            write,
            next_id: AtomicU64::new(1),
            handshake,
            reader: reader.abort_handle(),
        }))
    }

    pub(crate) async fn initialized(&self) -> Result<InitializeResponse, ClientError> {
        let mut handshake = self.handshake.clone();
        let wait = handshake.wait_for(Option::is_some);
        let answered = timeout(Duration::from_millis(Initialize::TIMEOUT_MS), wait).await;
        let answered = answered.map_err(|_| timed_out::<Initialize>())?;
        match answered.ok().as_deref() {
            Some(Some(Ok(response))) => Ok(response.clone()),
            Some(Some(Err(error))) => Err(error.clone().into()),
            Some(None) | None => Err(self.disconnected()),
        }
    }

    pub(crate) fn disconnected(&self) -> ClientError {
        let why = lock(&self.shared).ended.clone().flatten();
        ClientError::Disconnected { why }
    }

    pub(crate) fn queue<M: Method>(
        connection: &Arc<Self>,
        params: &M::Params,
    ) -> Result<Pending<M>, ClientError> {
        let id = connection.next_id.fetch_add(1, Ordering::Relaxed);
        let mut line = Vec::new();
        message::append_request(&mut line, id, M::NAME, params)
            .map_err(|error| malformed(M::NAME, &error))?;
        if line.len() > LINE_MAX_BYTES {
            return Err(ClientError::TooLarge {
                bytes: line.len(),
                max_bytes: LINE_MAX_BYTES,
            });
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut shared = lock(&connection.shared);
            if let Some(why) = &shared.ended {
                return Err(ClientError::Disconnected { why: why.clone() });
            }
            shared.calls.insert(id, answer);
            shared.out.extend_from_slice(&line);
        }
        let connection = Arc::clone(connection);
        Ok(Pending {
            connection,
            id,
            answered: Some(answered),
            method: PhantomData,
        })
    }

    pub(crate) async fn flush(&self) -> Result<(), ClientError> {
        let mut write = self.write.lock().await;
        loop {
            let out = {
                let mut shared = lock(&self.shared);
                let out = std::mem::take(&mut shared.out);
                if let Some(sent) = &mut shared.sent {
                    sent.extend_from_slice(&out);
                }
                out
            };
            if out.is_empty() {
                return Ok(());
            }
            if let Err(error) = write.write_all(&out).await {
                // What the daemon said before it closed is worth more than "broken pipe".
                return match error.kind() {
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ok(()),
                    _ => Err(ClientError::Disconnected {
                        why: Some(error.to_string()),
                    }),
                };
            }
        }
    }

    /// Registers a reader of a run's events. The daemon is asked by `run.subscribe`.
    pub(crate) fn listen(&self, run_id: Uuid) -> mpsc::Receiver<RunEvent> {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        let mut shared = lock(&self.shared);
        if shared.ended.is_none() {
            shared.runs.insert(run_id, sender);
        }
        receiver
    }

    /// Registers the reader of topics; the last one holds. The daemon is asked by
    /// `events.subscribe`.
    pub(crate) fn listen_to_topics(&self) -> mpsc::Receiver<TopicEvent> {
        let (sender, receiver) = mpsc::channel(TOPIC_EVENTS_MAX);
        let mut shared = lock(&self.shared);
        if shared.ended.is_none() {
            shared.topics = Some(sender);
        }
        receiver
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.shared).ended.is_some()
    }

    /// Takes a call off the list and tells the daemon, as far as that goes without waiting.
    fn cancel(&self, id: u64) {
        let mut shared = lock(&self.shared);
        if shared.calls.remove(&id).is_none() || shared.ended.is_some() {
            return;
        }
        #[derive(serde::Serialize)]
        struct Cancel {
            id: u64,
        }
        if message::append_notification(&mut shared.out, "$/cancel", &Cancel { id }).is_err() {
            return;
        }
        // Whoever holds the writer sends it in its loop.
        if let Ok(write) = self.write.try_lock()
            && let Ok(written) = write.try_write(&shared.out)
        {
            let written: Vec<u8> = shared.out.drain(..written).collect();
            if let Some(sent) = &mut shared.sent {
                sent.extend_from_slice(&written);
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A call on its way. Dropping it sends `$/cancel`.
#[derive(Debug)]
pub struct Pending<M: Method> {
    connection: Arc<Connection>,
    id: u64,
    answered: Option<oneshot::Receiver<Outcome>>,
    method: PhantomData<fn() -> M>,
}

impl<M: Method> Pending<M> {
    /// Waits for the response, at most the method's own timeout. Call after `flush`.
    pub async fn response(self) -> Result<M::Response, ClientError> {
        self.response_within(Duration::from_millis(M::TIMEOUT_MS))
            .await
    }

    /// Waits for the response, at most `limit`.
    pub async fn response_within(mut self, limit: Duration) -> Result<M::Response, ClientError> {
        timeout(limit, self.wait())
            .await
            .map_err(|_| ClientError::Timeout {
                method: M::NAME,
                timeout_ms: limit.as_millis().try_into().unwrap_or(u64::MAX),
            })?
    }

    /// Waits for the response without a limit. Safe to cancel: the call stays under way until
    /// this is dropped.
    pub(crate) async fn wait(&mut self) -> Result<M::Response, ClientError> {
        let Some(answered) = &mut self.answered else {
            return Err(self.connection.disconnected());
        };
        let outcome = match answered.await {
            Err(_) => Err(self.connection.disconnected()),
            Ok(Err(error)) if error.kind() == Some(ErrorCode::NotInitialized) => {
                // The reason is in the handshake's answer, which came before.
                self.connection
                    .initialized()
                    .await
                    .err()
                    .map_or(Err(error.into()), Err)
            }
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(result)) => read::<M::Response>(M::NAME, &result),
        };
        self.answered = None;
        outcome
    }
}

impl<M: Method> Drop for Pending<M> {
    fn drop(&mut self) {
        if self.answered.is_some() {
            self.connection.cancel(self.id);
        }
    }
}

fn timed_out<M: Method>() -> ClientError {
    ClientError::Timeout {
        method: M::NAME,
        timeout_ms: M::TIMEOUT_MS,
    }
}

fn malformed(method: &'static str, why: &impl ToString) -> ClientError {
    ClientError::Malformed {
        method,
        why: why.to_string(),
    }
}

fn read<T: DeserializeOwned>(method: &'static str, result: &RawValue) -> Result<T, ClientError> {
    serde_json::from_str(result.get()).map_err(|error| malformed(method, &error))
}

/// What the reader of a connection works with.
struct Reading {
    shared: Arc<Mutex<Shared>>,
    write: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    options: Arc<ClientOptions>,
    /// Until the handshake is answered.
    handshake: Option<oneshot::Receiver<Outcome>>,
    done: watch::Sender<Option<Result<InitializeResponse, RpcError>>>,
}

/// Why a stream is read no further.
enum Ended {
    /// The handshake was not answered, or by a daemon that is ending.
    Early(Option<String>),
    /// For good.
    Over(Option<String>),
}

async fn read_all(mut read: OwnedReadHalf, mut reading: Reading) {
    let mut attempts = 0;
    let why = loop {
        match reading.stream(read).await {
            Ended::Early(why) if attempts < EARLY_ENDS_MAX => {
                attempts += 1;
                match reading.again().await {
                    Some(fresh) => read = fresh,
                    None => break why,
                }
            }
            Ended::Early(why) | Ended::Over(why) => break why,
        }
    };
    let mut shared = lock(&reading.shared);
    shared.ended = Some(why);
    shared.sent = None;
    shared.calls.clear();
    shared.runs.clear();
    shared.topics = None;
}

impl Reading {
    async fn stream(&mut self, read: OwnedReadHalf) -> Ended {
        let mut reader = FrameReader::new(read);
        let why = loop {
            match reader.next().await {
                Ok(Some(Line::Complete(line))) => {
                    if let Err(why) = hand_out(&line, &self.shared) {
                        return Ended::Over(Some(why));
                    }
                    if let Some(why) = self.greet() {
                        return Ended::Early(Some(why));
                    }
                }
                Ok(Some(Line::TooLong)) => {
                    return Ended::Over(Some("it sent a line over the limit".to_owned()));
                }
                Ok(None) => break None,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        match self.handshake {
            Some(_) => Ended::Early(why),
            None => Ended::Over(why),
        }
    }

    /// Passes the handshake's answer on, if it has come. Gives what a daemon says that is ending
    /// and asks to come again.
    fn greet(&mut self) -> Option<String> {
        let mut waiting = self.handshake.take()?;
        match waiting.try_recv() {
            Ok(Ok(result)) => {
                lock(&self.shared).sent = None;
                let response = serde_json::from_str(result.get());
                self.done.send_replace(Some(response.map_err(|error| {
                    RpcError::new(ErrorCode::VersionUnsupported, error.to_string())
                })));
                None
            }
            Ok(Err(error)) => {
                let at_once = Some(0);
                let come_again = error
                    .data
                    .as_ref()
                    .is_some_and(|data| data.retry_after_ms == at_once);
                if !come_again {
                    lock(&self.shared).sent = None;
                    self.done.send_replace(Some(Err(error)));
                    return None;
                }
                let (answer, answered) = oneshot::channel();
                lock(&self.shared).calls.insert(0, answer);
                self.handshake = Some(answered);
                Some(error.message)
            }
            Err(_) => {
                self.handshake = Some(waiting);
                None
            }
        }
    }

    /// Connects anew, starting the daemon where that is allowed, and sends everything again.
    async fn again(&mut self) -> Option<OwnedReadHalf> {
        let (stream, _) = spawn::connect_or_start(&self.options).await.ok()?;
        let (read, mut fresh) = stream.into_split();
        let mut write = self.write.lock().await;
        let sent = lock(&self.shared).sent.clone().unwrap_or_default();
        fresh.write_all(&sent).await.ok()?;
        *write = fresh;
        Some(read)
    }
}
