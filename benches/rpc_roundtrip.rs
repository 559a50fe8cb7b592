//! One call and its answer: a raw socket echo in another process as the floor, the daemon asked
//! by the same raw client (the daemon's share), and by our own client.
//!
//! All of them share one processor. On two, a round trip is 10 or 50 µs for the echo as for the
//! daemon, by where the scheduler happens to put the pair, and the ratio is that luck.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};

use convergio_benches::{Home, ask::connect, binaries, percentile, row, time};
use convergio_contract::{health::HealthGet, method::Empty};

const CALLS: usize = 10_000;
const ROUNDS: usize = 10;
const REQUEST: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health.get\",\"params\":{}}\n";

struct Echo(Child);

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments
        .get(1)
        .is_some_and(|argument| argument == "--echo")
    {
        return echo(Path::new(&arguments[2]), &arguments[3]);
    }
    let binaries = binaries();
    // The echo and the daemon inherit it.
    let mut one = CpuSet::new();
    one.set(sched_getcpu());
    sched_setaffinity(None, &one).expect("the bench may choose its processor");
    let home = Home::new(&binaries);
    home.start();
    let mut daemon = Raw::connect(&home.socket());
    daemon.initialize();
    // The echo answers with a line as long as the daemon's, so that both move the same bytes.
    let answer = daemon.call(REQUEST);
    let socket = home.path().join("echo.sock");
    let mut server = Command::new(std::env::current_exe().unwrap());
    let server = server
        .arg("--echo")
        .arg(&socket)
        .arg(&answer)
        .spawn()
        .unwrap();
    let _server = Echo(server);
    let mut echo = loop {
        if let Ok(stream) = UnixStream::connect(&socket) {
            break Raw::new(stream);
        }
        std::thread::yield_now();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(connect(home.path()));
    let (mut floor, mut share, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..CALLS / ROUNDS {
            floor.push(time(|| drop(echo.call(REQUEST))));
        }
        for _ in 0..CALLS / ROUNDS {
            share.push(time(|| drop(daemon.call(REQUEST))));
        }
        runtime.block_on(async {
            for _ in 0..CALLS / ROUNDS {
                let start = std::time::Instant::now();
                client.call::<HealthGet>(&Empty {}).await.unwrap();
                ours.push(start.elapsed());
            }
        });
    }
    println!(
        "rpc_roundtrip: {CALLS} calls of health.get, {} bytes of answer",
        answer.len()
    );
    let p = |samples: &mut Vec<Duration>, percent| percentile(samples, percent);
    let (floor50, floor99) = (p(&mut floor, 50), p(&mut floor, 99));
    row(
        "p50, daemon's share (raw client)",
        p(&mut share, 50),
        "raw echo",
        floor50,
        Some(1.3),
    );
    row(
        "p50, our client",
        p(&mut ours, 50),
        "raw echo",
        floor50,
        Some(2.5),
    );
    row(
        "p99, daemon's share (raw client)",
        p(&mut share, 99),
        "raw echo",
        floor99,
        None,
    );
    row(
        "p99, our client",
        p(&mut ours, 99),
        "raw echo",
        floor99,
        None,
    );
}

/// Answers every line with the same line: the least that a server in another process can do.
fn echo(socket: &Path, answer: &str) {
    // In a session of its own, as the daemon is: the scheduler groups by session.
    rustix::process::setsid().unwrap();
    let listener = UnixListener::bind(socket).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        writer.write_all(answer.as_bytes()).unwrap();
        line.clear();
    }
}

struct Raw {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    line: String,
}

impl Raw {
    fn connect(socket: &Path) -> Self {
        Self::new(UnixStream::connect(socket).expect("the daemon listens"))
    }

    fn new(stream: UnixStream) -> Self {
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self {
            reader,
            writer: stream,
            line: String::new(),
        }
    }

    fn initialize(&mut self) {
        let version = convergio_contract::PROTOCOL_VERSIONS[0];
        let answer = self.call(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocol_versions\":[\"{version}\"],\"client\":{{\"name\":\"bench\",\"version\":\"{}\"}}}}}}\n",
            env!("CARGO_PKG_VERSION"),
        ));
        assert!(answer.contains("\"result\""), "{answer}");
    }

    fn call(&mut self, request: &str) -> String {
        self.writer.write_all(request.as_bytes()).unwrap();
        self.line.clear();
        assert!(
            self.reader.read_line(&mut self.line).unwrap() > 0,
            "the server is gone"
        );
        self.line.clone()
    }
}
