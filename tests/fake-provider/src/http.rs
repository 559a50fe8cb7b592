//! Reading requests: HTTP/1.1, bodies by length or chunked.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    record::{Billed, End, Record},
    request::{Dialect, Request},
};

const HEAD_MAX_BYTES: usize = 64 << 10;
const BODY_MAX_BYTES: usize = 64 << 20;

/// The reading half of a connection, with what was read beyond the last request.
pub(crate) struct Incoming<R> {
    reader: R,
    pub(crate) buffer: Vec<u8>,
    record: Record,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(crate) fn new(reader: R, record: Record) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            record,
        }
    }

    pub(crate) fn into_reader(self) -> R {
        self.reader
    }

    /// Reads more; false at the end or on an error.
    pub(crate) async fn more(&mut self) -> bool {
        let before = self.buffer.len();
        self.buffer.reserve(16 << 10);
        match self.reader.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => false,
            Ok(_) => {
                let read = self.buffer.len() - before;
                self.record.change(|log| log.bytes_received += read as u64);
                true
            }
        }
    }

    /// The next request; `None` when the connection ended, or when what came is none.
    pub(crate) async fn request(&mut self, connection: usize) -> Option<Request> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > HEAD_MAX_BYTES || !self.more().await {
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let header = |name: &str| {
            let found = headers.iter().find(|(other, _)| other == name);
            found.map(|(_, value)| value.clone())
        };
        let chunked = header("transfer-encoding").is_some_and(|value| value == "chunked");
        let body = if chunked {
            self.chunks().await?
        } else {
            let length = header("content-length").map_or(Some(0), |length| length.parse().ok())?;
            self.exactly(length).await?
        };
        let dialect = Some(&path)
            .filter(|_| method == "POST")
            .and_then(|path| Dialect::of(path));
        Some(Request {
            index: 0,
            connection,
            method,
            path,
            headers,
            body,
            dialect,
            arrived: Instant::now(),
            first_byte_sent: None,
            deltas_sent: Vec::new(),
            bytes_sent: 0,
            billed: Billed::default(),
            end: End::Open,
            stalled: false,
        })
    }

    async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        if length > BODY_MAX_BYTES {
            return None;
        }
        while self.buffer.len() < length {
            if !self.more().await {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = find(&self.buffer, b"\r\n") {
                    break end;
                }
                if self.buffer.len() > HEAD_MAX_BYTES || !self.more().await {
                    return None;
                }
            };
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let size = std::str::from_utf8(line.get(..end)?).ok()?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            if body.len() + size > BODY_MAX_BYTES {
                return None;
            }
            let chunk = self.exactly(size + 2).await?;
            if size == 0 {
                return Some(body);
            }
            body.extend(chunk.get(..size)?);
        }
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .position(|window| window == needle)
}
