//! HTTP/1.1 as little as a load generator and a scripted upstream need: messages over a kept
//! connection, with a length or in chunks.

use std::{io, time::Instant};

use tokio::{io::AsyncReadExt, net::TcpStream};

/// No head or body of the benches is larger.
const MESSAGE_MAX_BYTES: usize = 16 << 20;

/// A request or an answer.
#[derive(Debug)]
pub struct HttpMessage {
    /// Up to the empty line.
    pub head: String,
    /// Without the marks of its chunks.
    pub body: Vec<u8>,
    /// When the first byte of the body was there.
    pub body_began: Instant,
}

impl HttpMessage {
    /// The value of a header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The status of an answer.
    pub fn status(&self) -> u16 {
        let word = self.head.split(' ').nth(1);
        word.and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

fn header<'t>(head: &'t str, name: &str) -> Option<&'t str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then_some(value.trim())
    })
}

/// Reads messages one behind the other.
#[derive(Debug, Default)]
pub struct HttpReader {
    buffer: Vec<u8>,
}

impl HttpReader {
    async fn more(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        if self.buffer.len() > MESSAGE_MAX_BYTES {
            return Err(io::Error::other("the message is too long"));
        }
        self.buffer.reserve(16 << 10);
        match stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next message.
    ///
    /// # Errors
    /// The connection ended before or within it, or it is no HTTP.
    pub async fn read(&mut self, stream: &mut TcpStream) -> io::Result<HttpMessage> {
        let end = loop {
            let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            match end {
                Some(end) => break end,
                None => self.more(stream).await?,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let chunked = header(&head, "transfer-encoding").is_some_and(|how| how.contains("chunked"));
        if !chunked {
            let length = header(&head, "content-length").and_then(|length| length.parse().ok());
            let length: usize = length.unwrap_or(0);
            let mut body_began = Instant::now();
            while self.buffer.len() < length {
                let empty = self.buffer.is_empty();
                self.more(stream).await?;
                if empty {
                    body_began = Instant::now();
                }
            }
            let body = self.buffer.drain(..length).collect();
            return Ok(HttpMessage {
                head,
                body,
                body_began,
            });
        }
        let mut body = Vec::new();
        let mut body_began = None;
        loop {
            let line = self.line(stream).await?;
            body_began.get_or_insert_with(Instant::now);
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            while self.buffer.len() < size + 2 {
                self.more(stream).await?;
            }
            body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
            if size == 0 {
                break;
            }
        }
        Ok(HttpMessage {
            head,
            body,
            body_began: body_began.unwrap_or_else(Instant::now),
        })
    }

    async fn line(&mut self, stream: &mut TcpStream) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return Ok(line);
            }
            self.more(stream).await?;
        }
    }
}
