//! Hostile and unlucky clients: whatever one of them sends or fails to read, memory stays
//! bounded and others don't notice.

use std::{
    io::Write,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::harness::{
    binaries,
    daemon::Daemon,
    diffs,
    home::Home,
    process::{LIMIT, cpu_ticks, readable_within, run, status_field, writable_within},
    skip,
    wire::{Wire, handshake, new_id, review_params},
};

/// What a daemon may hold in memory while clients do their worst, in kB: its own few MiB, a line
/// of 8 MiB while it is read and once more while it is parsed, and room for the allocator.
const RSS_MAX_KB: u64 = 64 * 1024;

fn daemon() -> (Home, Daemon) {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    (home, daemon)
}

fn answers(wire: &mut Wire) -> Duration {
    let asked = Instant::now();
    wire.result("health.get", json!({}));
    asked.elapsed()
}

/// What it held at most. The pages of its program, which are a file's, do not count: a program with
/// its debug lines has tens of MiB of them.
fn peak_kb(daemon: &Daemon) -> u64 {
    status_field(daemon.pid, "VmHWM").saturating_sub(status_field(daemon.pid, "RssFile"))
}

fn is_bounded(daemon: &Daemon) {
    let peak_kb = peak_kb(daemon);
    assert!(peak_kb < RSS_MAX_KB, "the daemon held {peak_kb} kB");
}

#[test]
fn a_line_beyond_the_limit_is_refused_and_the_connection_goes_on() {
    let (home, daemon) = daemon();
    let mut wire = Wire::open(&home);
    let mut line = br#"{"jsonrpc":"2.0","id":7,"method":"health.get","params":{"x":""#.to_vec();
    line.resize(9 * 1024 * 1024, b'x');
    line.extend_from_slice(b"\"}}\n");
    wire.send(&line);
    let refused = wire.line();
    assert_eq!(refused["error"]["code"], -32026, "{refused}");
    answers(&mut wire);
    is_bounded(&daemon);
}

#[test]
fn the_deepest_nesting_costs_nothing() {
    let (home, daemon) = daemon();
    let mut wire = Wire::open(&home);
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        wire.send(format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health.get\",\"params\":{open}1{close}}}\n").as_bytes());
        let refused = wire.line();
        assert!(refused["error"]["code"].is_number(), "{refused}");
        wire.send(format!("{open}\n").as_bytes());
        let refused = wire.line();
        assert!(refused["error"]["code"].is_number(), "{refused}");
    }
    answers(&mut wire);
    is_bounded(&daemon);
}

#[test]
fn bytes_that_are_no_text_are_refused_one_by_one() {
    let (home, _daemon) = daemon();
    let mut wire = Wire::open(&home);
    wire.send(b"\xff\xfe\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health.get\xc0\"}\n\x00\n");
    for _ in 0..3 {
        let refused = wire.line();
        assert!(refused["error"]["code"].is_number(), "{refused}");
    }
    answers(&mut wire);
}

#[test]
fn a_batch_of_any_size_is_one_error() {
    let (home, daemon) = daemon();
    let mut wire = Wire::open(&home);
    let call = r#"{"id":1,"method":"a"}"#;
    let whole = r#"{"jsonrpc":"2.0","id":1,"method":"health.get"}"#;
    for (call, code) in [(call, -32600), (whole, -32026)] {
        let mut batch = format!("[{call}").into_bytes();
        for _ in 1..280_000 {
            batch.push(b',');
            batch.extend_from_slice(call.as_bytes());
        }
        batch.extend_from_slice(b"]\n");
        wire.send(&batch);
        let refused = wire.line();
        assert_eq!(refused["error"]["code"], code, "{refused}");
        // One error, not 280,000: the next line answers the next call.
        let id = wire.request("health.get", json!({}));
        assert_eq!(wire.line()["id"], id);
    }
    is_bounded(&daemon);
}

/// `CONVERGIO_BYTE_PAUSE_MS=1000` is the campaign.
#[test]
fn a_client_may_send_byte_by_byte() {
    let pause_ms = std::env::var("CONVERGIO_BYTE_PAUSE_MS").map_or(0, |text| {
        text.parse().expect("CONVERGIO_BYTE_PAUSE_MS is a number")
    });
    let (home, _daemon) = daemon();
    let mut other = Wire::open(&home);
    let mut slow = Wire::connect(&home.socket());
    let mut line =
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": handshake("0.0.1")})
            .to_string()
            .into_bytes();
    line.push(b'\n');
    // A handshake must come in time, so in a campaign only what follows is slow.
    if pause_ms > 0 {
        slow.send(&line);
        slow.response(0);
        line.clear();
    }
    line.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health.get\"}\n");
    for byte in line {
        if pause_ms > 0 {
            // Nothing comes before the line is whole.
            let pause = Duration::from_millis(pause_ms);
            assert!(!readable_within(&slow.stream, pause));
        }
        assert!(writable_within(&slow.stream, LIMIT));
        slow.send(&[byte]);
        answers(&mut other);
    }
    assert!(slow.response(1)["result"].is_object());
}

#[test]
fn a_diff_that_swells_is_refused_at_the_limit() {
    let (home, daemon) = daemon();
    let mut sh = home.command("sh");
    sh.args(["-c", "head -c 300000000 /dev/zero | gzip -1 | base64 -w0"]);
    let bomb = run(&mut sh, b"").out;
    assert!(bomb.len() > 100_000 && bomb.len() < 4_000_000);
    let mut params = review_params(&new_id(), &home.folder("w"), "");
    params["diff"] = json!({"encoding": "gzip", "data": bomb});
    let mut wire = Wire::open(&home);
    assert_eq!(wire.error_code("review.start", params), -32026);
    answers(&mut wire);
    let peak_kb = peak_kb(&daemon);
    assert!(peak_kb < 3 * RSS_MAX_KB, "the daemon held {peak_kb} kB");
}

#[test]
fn noise_is_answered_line_by_line() {
    let (home, daemon) = daemon();
    let mut dice = Dice::seeded();
    let mut wire = Wire::open(&home);
    let pieces: [&[u8]; 16] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b":",
        b",",
        b"null",
        b"1e999",
        b"\"id\"",
        b"\"jsonrpc\"",
        b"\"2.0\"",
        b"\"method\"",
        b"\xff",
        b"\0",
    ];
    for _ in 0..2_000 {
        let mut line = Vec::new();
        for _ in 0..=dice.roll(12) {
            line.extend_from_slice(pieces[dice.roll(16) as usize]);
        }
        line.push(b'\n');
        wire.send(&line);
        let answer = wire.line();
        assert!(answer["error"]["code"].is_number(), "{line:?}: {answer}");
    }
    answers(&mut wire);
    is_bounded(&daemon);
}

/// Writes requests until nothing more is taken, and gives how many bytes were.
fn stuff(wire: &Wire, line: &[u8], max_bytes: usize) -> usize {
    let mut stream = &wire.stream;
    stream.set_nonblocking(true).expect("a socket");
    let mut written = 0;
    while written < max_bytes && writable_within(stream, Duration::from_secs(2)) {
        let from = written % line.len();
        match stream.write(&line[from..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // Closing a client that does not read is an answer too.
            Err(_) => break,
        }
    }
    written
}

#[test]
fn a_reader_that_never_reads_is_held_back_and_hurts_nobody() {
    let (home, daemon) = daemon();
    let mut other = Wire::open(&home);
    let deaf = Wire::open(&home);
    let max_bytes = 16 * 1024 * 1024;
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}\n";
    let written = stuff(&deaf, request, max_bytes);
    assert!(
        written < max_bytes,
        "the daemon took {written} bytes of requests"
    );
    assert!(answers(&mut other) < Duration::from_secs(1));
    is_bounded(&daemon);
}

#[test]
fn a_subscriber_that_never_reads_does_not_stop_its_run() {
    let (home, daemon) = daemon();
    let folder = home.folder("w");
    let mut other = Wire::open(&home);
    let mut deaf = Wire::open(&home);
    let run_id = new_id();
    let diff = diffs::with_findings(3_000);
    // Both in one write, and nothing is ever read.
    deaf.request("review.start", review_params(&run_id, &folder, &diff));
    deaf.request("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
    let started = Instant::now();
    // The other client can subscribe as soon as the run is there.
    loop {
        let answer = other.call("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
        if answer["error"].is_null() {
            break;
        }
        assert_eq!(answer["error"]["code"], -32024, "{answer}");
        assert!(started.elapsed() < LIMIT);
    }
    let events = other.events_to_end();
    assert_eq!(events.last().expect("events")["type"], "completed");
    assert!(answers(&mut other) < Duration::from_secs(1));
    is_bounded(&daemon);
}

#[test]
fn five_thousand_connections_do_not_lock_anybody_out() {
    const CONNECTIONS: usize = 5_000;
    let files = getrlimit(Resource::Nofile);
    let wanted = (CONNECTIONS + 1_000) as u64;
    if files.maximum.is_some_and(|max| max < wanted) {
        skip::loudly("the flood of connections", "limit of 6,000 open files");
        return;
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(files.current.unwrap_or(wanted).max(wanted)),
            maximum: files.maximum,
        },
    )
    .expect("a higher limit");

    let home = Home::new();
    let mut command = home.command("sh");
    command
        .args(["-c", "ulimit -n 64; exec \"$0\" serve --spawned"])
        .arg(binaries().join("convergiod"));
    let daemon = Daemon::start_by(&home, command);
    let mut established = Wire::open(&home);
    let socket = home.socket();
    let (mut slowest, mut answered) = (Duration::ZERO, 0);
    let flood = std::thread::scope(|scope| {
        let flood = scope.spawn(|| -> Vec<UnixStream> {
            let connect = |_| UnixStream::connect(&socket).expect("the queue moves on");
            (0..CONNECTIONS).map(connect).collect()
        });
        while !flood.is_finished() {
            slowest = slowest.max(answers(&mut established));
            answered += 1;
        }
        flood.join().expect("the flood connects")
    });
    assert!(
        answered > 0 && slowest < Duration::from_secs(1),
        "{slowest:?}"
    );

    // All of them are still there, and nothing happens: nor does the daemon.
    let before = cpu_ticks(daemon.pid);
    let quiet = Instant::now();
    assert!(!readable_within(
        &established.stream,
        Duration::from_secs(1)
    ));
    let ticks = cpu_ticks(daemon.pid) - before;
    assert!(
        ticks < 50,
        "{ticks} ticks of 10 ms in {:?} of quiet",
        quiet.elapsed()
    );
    answers(&mut established);

    drop(flood);
    let after = Instant::now();
    let mut newcomer = Wire::open(&home);
    answers(&mut newcomer);
    assert!(
        after.elapsed() < Duration::from_secs(1),
        "{:?}",
        after.elapsed()
    );
    answers(&mut established);
    is_bounded(&daemon);
}

/// A request that waits until it is cancelled.
fn waiting_request(wire: &mut Wire) -> impl Fn(&mut Wire) -> u64 + use<> {
    let cursor = wire.result("logs.read", json!({"limit": 1}))["cursor"].take();
    move |wire| {
        let params = json!({"cursor": cursor, "limit": 1, "wait_ms": 30_000});
        wire.request("logs.read", params)
    }
}

#[test]
fn beyond_64_in_flight_a_request_is_answered_with_overloaded() {
    let (home, _daemon) = daemon();
    let mut wire = Wire::open(&home);
    let wait = waiting_request(&mut wire);
    let ids: Vec<u64> = (0..70).map(|_| wait(&mut wire)).collect();
    for id in &ids[64..] {
        let refused = wire.response(*id);
        assert_eq!(refused["error"]["code"], -32027, "{refused}");
        assert_eq!(refused["error"]["data"]["retryable"], true);
    }
    for id in &ids {
        wire.notify("$/cancel", json!({"id": id}));
    }
    for id in &ids[..64] {
        assert_eq!(wire.response(*id)["error"]["code"], -32800);
    }
    answers(&mut wire);
}

/// A small generator, so that a failure can be played again from its seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From `CONVERGIO_SEED`, else 1.
    pub(crate) fn seeded() -> Self {
        let seed = std::env::var("CONVERGIO_SEED")
            .map_or(1, |text| text.parse().expect("CONVERGIO_SEED is a number"));
        eprintln!("seed {seed}");
        Self::new(seed)
    }

    /// 0 to `below` - 1.
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

#[test]
fn a_thousand_requests_cancelled_at_random_have_a_thousand_responses() {
    let (home, _daemon) = daemon();
    let mut wire = Wire::open(&home);
    let wait = waiting_request(&mut wire);
    let mut dice = Dice::seeded();
    let mut open: Vec<u64> = Vec::new();
    let mut sent = std::collections::BTreeMap::new();
    let count = |line: &Value, sent: &mut std::collections::BTreeMap<u64, u32>| -> u64 {
        let id = line["id"].as_u64().unwrap_or_else(|| panic!("{line}"));
        *sent.get_mut(&id).unwrap_or_else(|| panic!("{line}")) += 1;
        id
    };
    let mut cancelled = 0;
    while sent.len() < 1_000 {
        let id = match dice.roll(4) {
            0 => wire.request("health.get", json!({})),
            1 => wire.request("run.list", json!({})),
            2 => wire.request("rpc.discover", json!({})),
            _ => wait(&mut wire),
        };
        sent.insert(id, 0);
        open.push(id);
        let full = open.len() >= 60;
        if full || dice.roll(3) == 0 {
            // Any request so far, answered ones and strangers too.
            let any = dice.roll(sent.len() as u64 + 2);
            let known = sent.keys().nth(any as usize).copied();
            wire.notify("$/cancel", json!({"id": known.unwrap_or(1 << 40)}));
            cancelled += 1;
        }
        if full {
            for id in &open {
                wire.notify("$/cancel", json!({"id": id}));
            }
            while !open.is_empty() {
                let line = wire.line();
                let id = count(&line, &mut sent);
                open.retain(|other| *other != id);
            }
        }
    }
    for id in &open {
        wire.notify("$/cancel", json!({"id": id}));
    }
    wire.stream
        .shutdown(std::net::Shutdown::Write)
        .expect("a socket");
    while let Some(line) = wire.try_line() {
        count(&line, &mut sent);
    }
    assert!(cancelled > 100);
    assert!(sent.values().all(|responses| *responses == 1), "{sent:?}");
}

#[test]
fn another_user_is_not_served() {
    if !rustix::process::getuid().is_root() {
        skip::loudly("the test of a foreign user", "root");
        return;
    }
    let (home, _daemon) = daemon();
    // The modes that keep others out are opened wide, so that only the peer check is left.
    let open = |path: &std::path::Path, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("a mode");
    };
    let socket = home.socket();
    open(home.everything(), 0o755);
    open(&home.convergio(), 0o755);
    open(socket.parent().expect("a folder"), 0o755);
    open(&socket, 0o666);
    let mut nobody = Command::new("setpriv");
    nobody
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c"])
        .arg(
            "import os, socket, sys\n\
             s = socket.socket(socket.AF_UNIX)\n\
             s.settimeout(20)\n\
             s.connect(sys.argv[1])\n\
             try:\n\
             \x20   s.sendall(sys.argv[2].encode() + b'\\n')\n\
             \x20   answer = s.recv(65536)\n\
             except (BrokenPipeError, ConnectionResetError):\n\
             \x20   answer = b''\n\
             print(os.getuid(), len(answer))",
        )
        .arg(&socket)
        .arg(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": handshake("0.1.0")}).to_string());
    if !skip::has_program("setpriv") || !std::path::Path::new("/usr/bin/python3").exists() {
        skip::loudly("the test of a foreign user", "setpriv and python3");
        return;
    }
    let ran = run(&mut nobody, b"");
    assert_eq!(ran.out, "65534 0\n", "{ran:?}");
    answers(&mut Wire::open(&home));
}
