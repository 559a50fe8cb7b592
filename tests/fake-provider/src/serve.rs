//! A connection's life: read a request, write its reply as the script has it, again.

use std::{
    future::Future,
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    gate::Gate,
    http::Incoming,
    record::{End, Record},
    render::{self, Facts, Plan, Tail, plan::Step},
    reply::Reply,
    script::Script,
    wire::Wire,
};

/// A server needs no more at once; a client that opens more has a bug that should show.
const CONNECTIONS_MAX: usize = 1024;
/// Bytes that a client may send before it has the reply to what it sent before.
const PIPELINED_MAX_BYTES: usize = 1 << 20;
const TAIL_CHUNK_BYTES: usize = 64 << 10;

/// What the connections of one server share.
pub(crate) struct Shared {
    pub(crate) script: Mutex<Script>,
    pub(crate) record: Record,
    pub(crate) stalls: Gate,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Accepts until it is dropped.
pub(crate) async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Ok((tcp, _)) = accepted else { continue };
                let id = shared.record.change(|log| {
                    log.connections += 1;
                    log.connections - 1
                });
                connections.spawn(connection(tcp, id, shared.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(tcp: TcpStream, id: usize, shared: Arc<Shared>) {
    // Each write is a segment of its own: splits and single tokens are what is tested here.
    let _ = tcp.set_nodelay(true);
    let wire = match &shared.tls {
        None => Wire::Plain(tcp),
        Some(acceptor) => match acceptor.accept(tcp).await {
            Ok(tls) => Wire::Tls(Box::new(tls)),
            // A client that does not trust the certificate; the test looks at the client.
            Err(_) => return,
        },
    };
    let (reader, mut writer) = split(wire);
    let mut incoming = Incoming::new(reader, shared.record.clone());
    while let Some(request) = incoming.request(id).await {
        let request = shared.record.arrive(request);
        let facts = Facts::of(&request);
        let reply = {
            let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
            let models = script.listed_models();
            script
                .reply(&request)
                .unwrap_or_else(|| render::list(&request, &models))
        };
        let plan = render::plan(&reply, &facts);
        let reply = Replying {
            reply: &reply,
            facts: &facts,
            plan: &plan,
            index: request.index,
            shared: &shared,
        };
        let end = reply.write(&mut writer, &mut incoming).await;
        if end != End::Complete || !plan.keep_alive {
            let notify = end == End::Complete && plan.close_notify;
            return close(incoming.into_reader(), writer, end, notify).await;
        }
    }
}

async fn close(reader: ReadHalf<Wire>, mut writer: WriteHalf<Wire>, end: End, notify: bool) {
    if notify {
        let _ = writer.shutdown().await;
    }
    let wire = reader.unsplit(writer);
    if end == End::Reset {
        let _ = wire.tcp().set_zero_linger();
    }
}

struct Replying<'a> {
    reply: &'a Reply,
    facts: &'a Facts,
    plan: &'a Plan,
    index: usize,
    shared: &'a Shared,
}

impl Replying<'_> {
    /// Writes the reply and records how it ended.
    async fn write<R: AsyncRead + Unpin>(
        &self,
        writer: &mut WriteHalf<Wire>,
        incoming: &mut Incoming<R>,
    ) -> End {
        self.bill(0);
        let end = while_connected(incoming, self.steps(writer)).await;
        let end = match end {
            Some(Ok(end)) => end,
            Some(Err(_)) | None => End::ClientGone,
        };
        self.shared
            .record
            .update(self.index, |request| request.end = end);
        end
    }

    async fn steps<W: AsyncWrite + Unpin>(&self, writer: &mut W) -> io::Result<End> {
        let mut written = 0;
        let mut deltas = 0;
        for (offset, step) in &self.plan.steps {
            // Billed before it is sent: a client that has read it finds it on the bill.
            if matches!(step, Step::Delta) {
                deltas += 1;
                self.bill(deltas);
            }
            self.send(writer, &mut written, *offset).await?;
            match step {
                Step::Flush => {}
                Step::Delta => {
                    let now = Instant::now();
                    self.shared
                        .record
                        .update(self.index, |request| request.deltas_sent.push(now));
                }
                Step::Wait(time) => tokio::time::sleep(*time).await,
                Step::Hold(gate) => gate.pass().await,
                Step::Stall => {
                    self.shared
                        .record
                        .update(self.index, |request| request.stalled = true);
                    self.shared.stalls.pass().await;
                }
                Step::Close => return Ok(End::Closed),
                Step::Reset => return Ok(End::Reset),
            }
        }
        self.send(writer, &mut written, self.plan.bytes.len())
            .await?;
        if let Some(tail) = self.plan.tail {
            self.tail(writer, tail).await?;
        }
        Ok(End::Complete)
    }

    async fn send<W: AsyncWrite + Unpin>(
        &self,
        writer: &mut W,
        written: &mut usize,
        to: usize,
    ) -> io::Result<()> {
        let bytes = self.plan.bytes.get(*written..to).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        writer.write_all(bytes).await?;
        writer.flush().await?;
        *written = to;
        self.sent(bytes.len());
        Ok(())
    }

    async fn tail<W: AsyncWrite + Unpin>(&self, writer: &mut W, tail: Tail) -> io::Result<()> {
        let mut left = tail.bytes;
        while left > 0 {
            let size =
                usize::try_from(left).map_or(TAIL_CHUNK_BYTES, |left| left.min(TAIL_CHUNK_BYTES));
            let line = vec![b'a'; size];
            if tail.chunked {
                let head = format!("{size:x}\r\n");
                writer.write_all(head.as_bytes()).await?;
                writer.write_all(&line).await?;
                writer.write_all(b"\r\n").await?;
            } else {
                writer.write_all(&line).await?;
            }
            self.sent(size);
            left -= size as u64;
        }
        writer.flush().await
    }

    fn sent(&self, bytes: usize) {
        let now = Instant::now();
        self.shared.record.change(|log| {
            log.bytes_sent += bytes as u64;
            if let Some(request) = log.requests.get_mut(self.index) {
                request.bytes_sent += bytes as u64;
                request.first_byte_sent.get_or_insert(now);
            }
        });
    }

    fn bill(&self, deltas: usize) {
        let billed = render::billed(self.reply, self.facts, self.plan, deltas);
        self.shared
            .record
            .update(self.index, |request| request.billed = billed);
    }
}

/// Runs `work` while the client is there; `None` when it went first.
async fn while_connected<R: AsyncRead + Unpin, T>(
    incoming: &mut Incoming<R>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        let room = incoming.buffer.len() < PIPELINED_MAX_BYTES;
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            connected = incoming.more(), if room => {
                if !connected {
                    return None;
                }
            }
        }
    }
}
