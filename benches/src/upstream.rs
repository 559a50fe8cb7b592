//! A model provider that takes no time: it answers every question in OpenAI's dialect at once, so
//! that what stands before it is all that is measured.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{io::AsyncWriteExt, net::TcpListener, net::TcpStream};

use crate::http::HttpReader;

/// What it says.
pub const WORDS: &str = "Hello from nobody at all, in sixteen words or so, one behind the other.";
/// How a streamed answer ends.
pub const DONE: &str = "[DONE]";

/// The server, on a thread of its own until the process ends.
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens.
    pub addr: SocketAddr,
    served: Arc<AtomicU64>,
}

impl Upstream {
    /// Starts it on a free port of loopback.
    ///
    /// # Panics
    /// Where there is no port or thread to be had.
    #[expect(
        clippy::expect_used,
        reason = "a bench that cannot measure fails by panicking"
    )]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let addr = listener.local_addr().expect("an address");
        let served = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&served);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let serve = async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((stream, _)) = listener.accept().await {
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    // A connection that ends is no failure of the server's.
                    let _ = answer(stream, &counter).await;
                });
            }
        };
        std::thread::spawn(move || runtime.block_on(serve));
        Self { addr, served }
    }

    /// Questions that were answered.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }
}

async fn answer(mut stream: TcpStream, served: &AtomicU64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = HttpReader::default();
    let (whole, streamed) = (whole(), streamed());
    loop {
        let request = reader.read(&mut stream).await?;
        let body = String::from_utf8_lossy(&request.body);
        let wants_stream = body.contains("\"stream\":true") || body.contains("\"stream\": true");
        let answer = if wants_stream { &streamed } else { &whole };
        served.fetch_add(1, Ordering::Relaxed);
        stream.write_all(answer.as_bytes()).await?;
    }
}

const USAGE: &str = r#""usage":{"prompt_tokens":12,"completion_tokens":16,"total_tokens":28}"#;

fn whole() -> String {
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-test","choices":[{{"index":0,"message":{{"role":"assistant","content":"{WORDS}"}},"finish_reason":"stop"}}],{USAGE}}}"#
    );
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn streamed() -> String {
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\
             \"created\":1700000000,\"model\":\"gpt-test\",\"choices\":[{choices}]{usage}}}\n\n"
        )
    };
    let delta = |delta: &str, finish: &str| {
        format!("{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}")
    };
    let mut events = vec![chunk(
        &delta("\"role\":\"assistant\",\"content\":\"\"", "null"),
        "",
    )];
    events.extend(
        WORDS
            .split_inclusive(' ')
            .map(|word| chunk(&delta(&format!("\"content\":\"{word}\""), "null"), "")),
    );
    events.push(chunk(&delta("", "\"stop\""), ""));
    events.push(chunk("", &format!(",{USAGE}")));
    events.push(format!("data: {DONE}\n\n"));
    let mut answer = String::from(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for event in events {
        let _ = write!(answer, "{:x}\r\n{event}\r\n", event.len());
    }
    answer.push_str("0\r\n\r\n");
    answer
}
