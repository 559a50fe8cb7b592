//! Questions over kept connections: one at a time, or as many as are answered.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

use crate::{
    http::HttpReader,
    upstream::{DONE, WORDS},
};

/// Who is asked.
#[derive(Clone, Debug)]
pub struct Target {
    /// For the table.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its path.
    pub path: String,
    /// The model, by the name that it knows.
    pub model: String,
    /// Lines of the head, each with its end.
    pub headers: String,
}

impl Target {
    /// The bytes of a question.
    pub fn request(&self, stream: bool) -> Vec<u8> {
        let options = match stream {
            true => ",\"stream\":true,\"stream_options\":{\"include_usage\":true}",
            false => "",
        };
        let body = format!(
            "{{\"model\":\"{}\",\"max_tokens\":64,\"messages\":[{{\"role\":\"user\",\
             \"content\":\"Say hello.\"}}]{options}}}",
            self.model
        );
        format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{}content-length: \
             {}\r\n\r\n{body}",
            self.path,
            self.addr,
            self.headers,
            body.len()
        )
        .into_bytes()
    }
}

/// How long an answer took.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// To the first byte of its body.
    pub first_byte: Duration,
    /// To its last.
    pub whole: Duration,
}

/// A kept connection.
#[derive(Debug)]
pub struct Asking {
    target: Target,
    stream: bool,
    request: Vec<u8>,
    open: Option<(TcpStream, HttpReader)>,
}

impl Asking {
    /// Opens nothing yet.
    pub fn new(target: &Target, stream: bool) -> Self {
        Self {
            request: target.request(stream),
            target: target.clone(),
            stream,
            open: None,
        }
    }

    /// Asks once. Only the right answer counts as one.
    ///
    /// # Errors
    /// What came instead.
    pub async fn ask(&mut self) -> Result<Answered, String> {
        let start = Instant::now();
        let asked = self.exchange(start).await;
        if asked.is_err() {
            self.open = None;
        }
        asked.map_err(|error| format!("{}: {error}", self.target.name))
    }

    async fn exchange(&mut self, start: Instant) -> Result<Answered, String> {
        let (stream, reader) = match &mut self.open {
            Some(open) => open,
            None => {
                let stream = TcpStream::connect(self.target.addr).await;
                let stream = stream.map_err(|error| error.to_string())?;
                stream
                    .set_nodelay(true)
                    .map_err(|error| error.to_string())?;
                self.open.insert((stream, HttpReader::default()))
            }
        };
        let sent = stream.write_all(&self.request).await;
        sent.map_err(|error| error.to_string())?;
        let answer = reader
            .read(stream)
            .await
            .map_err(|error| error.to_string())?;
        let whole = start.elapsed();
        let body = String::from_utf8_lossy(&answer.body);
        let right = match self.stream {
            // What stands between the words differs by who passes them on.
            true => body.contains(DONE) && WORDS.split(' ').all(|word| body.contains(word)),
            false => body.contains(WORDS),
        };
        if answer.status() != 200 || !right {
            let end = body.floor_char_boundary(600);
            return Err(format!("{} {}", answer.status(), &body[..end]));
        }
        let closes = answer.header("connection");
        if closes.is_some_and(|how| how.eq_ignore_ascii_case("close")) {
            self.open = None;
        }
        Ok(Answered {
            first_byte: answer.body_began.saturating_duration_since(start),
            whole,
        })
    }
}

/// What came of asking as much as is answered.
#[derive(Debug, Default)]
pub struct Load {
    /// Right answers.
    pub answered: usize,
    /// How long each took.
    pub whole: Vec<Duration>,
    /// Everything else.
    pub failed: usize,
    /// The first failure.
    pub failure: Option<String>,
    /// How long all took.
    pub took: Duration,
}

impl Load {
    /// Right answers a second.
    pub fn per_second(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}

/// Asks over so many connections at once for so long.
pub async fn saturate(target: &Target, stream: bool, width: usize, duration: Duration) -> Load {
    let start = Instant::now();
    let end = start + duration;
    let mut asking = JoinSet::new();
    for _ in 0..width {
        let mut one = Asking::new(target, stream);
        asking.spawn(async move {
            let mut load = Load::default();
            while Instant::now() < end {
                match one.ask().await {
                    Ok(answered) => load.whole.push(answered.whole),
                    Err(error) => {
                        load.failed += 1;
                        load.failure.get_or_insert(error);
                    }
                }
            }
            load
        });
    }
    let mut load = Load::default();
    while let Some(Ok(one)) = asking.join_next().await {
        load.whole.extend(one.whole);
        load.failed += one.failed;
        load.failure = load.failure.or(one.failure);
    }
    load.answered = load.whole.len();
    load.took = start.elapsed();
    load
}
