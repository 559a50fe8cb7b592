//! From the start of the process to the first byte on stdout: `cv ask` through a warm daemon
//! beside curl, before the same provider; on loopback, and over TLS behind 60 ms of round trip.
//!
//! Before the first byte leaves one commit is on the disk, and it cannot be faster than the disk:
//! the time of one sync in this very run is taken off where that is said.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{path::Path, process::Command, time::Duration};

use convergio_benches::{
    ask::{Asker, first_byte},
    binaries, median, percentile, row, sync_of,
};
use convergio_fake_provider::{Certificate, DelayProxy, Dialect, FakeProvider, Reply, Script};

const ROUNDS: usize = 200;
const PEER_ROUNDS: usize = 10;
const FAR_ROUNDS: usize = 20;
const RTT: Duration = Duration::from_millis(60);
/// What cv may take beyond curl and the sync.
const BEYOND_CURL: Duration = Duration::from_millis(2);
/// What the first commit appends to the write-ahead log: 35 frames of a page (counted by strace).
const COMMIT_BYTES: usize = 35 * (4096 + 24);

fn main() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("SKIPPED first_token_overhead: this machine has no curl");
        return;
    }
    let binaries = binaries();
    near(&binaries);
    far(&binaries);
}

fn script() -> Script {
    Script::always(Reply::text("Hello from nobody at all."))
}

struct Measured {
    cv: Vec<Duration>,
    curl: Vec<Duration>,
    sync: Vec<Duration>,
}

fn alternate(asker: &Asker, rounds: usize) -> Measured {
    // Starts the daemon, and opens its connection and its log.
    for _ in 0..3 {
        first_byte(asker.cv(&[]));
        first_byte(asker.curl());
    }
    let mut measured = Measured {
        cv: Vec::new(),
        curl: Vec::new(),
        sync: Vec::new(),
    };
    for _ in 0..rounds {
        measured.cv.push(first_byte(asker.cv(&[])));
        measured.curl.push(first_byte(asker.curl()));
        measured
            .sync
            .push(sync_of(asker.home.path(), 3, COMMIT_BYTES));
    }
    measured
}

fn near(binaries: &Path) {
    let provider = FakeProvider::start(script());
    let asker = Asker::new(binaries, &provider.base_url(Dialect::OpenAi), None);
    let mut measured = alternate(&asker, ROUNDS);
    let sync = median(&mut measured.sync);
    println!("first_token_overhead: loopback, {ROUNDS} rounds; one sync takes {sync:.1?} here");
    let (cv, curl) = (median(&mut measured.cv), median(&mut measured.curl));
    row("first byte, cv, warm daemon", cv, "curl", curl, None);
    let beyond_ms = (cv.as_secs_f64() - sync.as_secs_f64() - curl.as_secs_f64()) * 1e3;
    let verdict = if beyond_ms <= BEYOND_CURL.as_secs_f64() * 1e3 {
        "ok"
    } else {
        "MISSED"
    };
    println!("  beyond curl and one sync: {beyond_ms:.1} ms, at most {BEYOND_CURL:?}: {verdict}");
    row(
        "first byte, p99",
        percentile(&mut measured.cv, 99),
        "curl, p99",
        percentile(&mut measured.curl, 99),
        None,
    );
    match std::env::var_os("CONVERGIO_PEERS") {
        Some(programs) => {
            let llm = || first_byte(asker.llm(Path::new(&programs)));
            llm();
            let mut samples: Vec<Duration> = (0..PEER_ROUNDS).map(|_| llm()).collect();
            let llm = median(&mut samples);
            row("first byte, cv, warm daemon", cv, "llm", llm, Some(1.0));
        }
        None => println!("SKIPPED llm: CONVERGIO_PEERS is not set (just bench-peers)"),
    }
}

fn far(binaries: &Path) {
    let provider = FakeProvider::start(script().tls(Certificate::Valid));
    let proxy = DelayProxy::start(provider.addr(), RTT);
    let base = format!("{}/v1", proxy.url("https"));
    let pem = provider.ca_pem().expect("a certificate");
    let asker = Asker::new(binaries, &base, Some(pem));
    let mut measured = alternate(&asker, FAR_ROUNDS);
    let sync = median(&mut measured.sync);
    println!(
        "first_token_overhead: TLS, round trip {RTT:?}, {FAR_ROUNDS} rounds; one sync takes \
         {sync:.1?} here"
    );
    let (cv, curl) = (median(&mut measured.cv), median(&mut measured.curl));
    row("first byte, cv, warm daemon", cv, "curl", curl, Some(0.7));
    let without = cv.saturating_sub(sync);
    row(
        "first byte, without the sync",
        without,
        "curl",
        curl,
        Some(0.6),
    );
}
