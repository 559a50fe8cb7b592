//! What a gateway adds: questions through ours, every one in the books, beside the same questions
//! straight to the provider and through LiteLLM's proxy and Portkey's gateway, which keep none.
//!
//! One upstream, one load generator, one run. `CONVERGIO_GATEWAY_PEERS` names the folder with the
//! peers (`just bench-gateway` fills it); what is not there is skipped, loudly.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use convergio_benches::{
    binaries,
    gateway::Gateway,
    load::{Answered, Asking, Load, Target, saturate},
    median,
    memory::{processor_time, proportional_set_bytes},
    percentile, sync_of,
    upstream::Upstream,
};

/// Questions one behind the other.
const ROUNDS: usize = 300;
/// Connections that ask at once.
const WIDTH: usize = 32;
/// How long they ask.
const SATURATED: Duration = Duration::from_secs(6);
/// How long a peer may take to start.
const START_WITHIN: Duration = Duration::from_secs(90);
/// What one admission appends to the write-ahead log.
const COMMIT_BYTES: usize = 16 * (4096 + 24);

/// A program that stands between, and what it takes.
struct Peer {
    target: Target,
    pid: u32,
    child: Option<Child>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn main() {
    let upstream = Upstream::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut peers = Vec::new();
    let gateway = Gateway::start(&binaries(), &upstream);
    match &gateway {
        Ok(gateway) => peers.push(Peer {
            target: gateway.target(),
            pid: gateway.pid(),
            child: None,
        }),
        Err(why) => println!("SKIPPED ours: {why}"),
    }
    match std::env::var_os("CONVERGIO_GATEWAY_PEERS") {
        Some(folder) => {
            let folder = Path::new(&folder);
            peers.extend(runtime.block_on(litellm(folder, &upstream)));
            peers.extend(runtime.block_on(portkey(folder, &upstream)));
        }
        None => println!("SKIPPED LiteLLM, Portkey: CONVERGIO_GATEWAY_PEERS is not set"),
    }
    let direct = Target {
        name: "direct".into(),
        addr: upstream.addr,
        path: "/v1/chat/completions".into(),
        model: "gpt-test".into(),
        headers: String::new(),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let sync = sync_of(folder.path(), 200, COMMIT_BYTES);
    println!("gateway_overhead: {ROUNDS} rounds; one sync of a commit takes {sync:.1?} here");
    for stream in [false, true] {
        runtime.block_on(latencies(&direct, &peers, stream, sync));
    }
    for stream in [false, true] {
        runtime.block_on(throughputs(&direct, &peers, stream));
    }
    for peer in &peers {
        let bytes = proportional_set_bytes(peer.pid);
        println!(
            "memory behind it   {:<12} {:>8.1} MB",
            peer.target.name,
            bytes as f64 / 1e6
        );
    }
    let Ok(gateway) = gateway else { return };
    let books = gateway.in_the_books().expect("the books");
    println!(
        "ours in the books: {} calls, {} open, held {} nano-USD; the upstream answered {}",
        books.attempts,
        books.open,
        books.pending_nano_usd,
        upstream.served()
    );
    assert_eq!(
        (books.open, books.pending_nano_usd),
        (0, 0),
        "a hold leaked"
    );
}

fn how(stream: bool) -> &'static str {
    if stream { "streamed" } else { "whole" }
}

/// Those that answer at all; of the others it is said why not.
async fn answering<'t>(direct: &'t Target, peers: &'t [Peer], stream: bool) -> Vec<&'t Target> {
    let mut targets = Vec::new();
    for target in std::iter::once(direct).chain(peers.iter().map(|peer| &peer.target)) {
        match Asking::new(target, stream).ask().await {
            Ok(_) => targets.push(target),
            Err(why) => println!("SKIPPED {}: {why}", how(stream)),
        }
    }
    targets
}

async fn latencies(direct: &Target, peers: &[Peer], stream: bool, sync: Duration) {
    let targets = answering(direct, peers, stream).await;
    let mut asking: Vec<Asking> = targets.iter().map(|one| Asking::new(one, stream)).collect();
    let mut samples: Vec<Vec<Answered>> = vec![Vec::new(); asking.len()];
    for round in 0..ROUNDS + 20 {
        for (one, samples) in asking.iter_mut().zip(&mut samples) {
            let answered = one.ask().await.expect("an answer");
            // The first ones also open and compile.
            if round >= 20 {
                samples.push(answered);
            }
        }
    }
    let of = |samples: &[Answered], percent, take: fn(&Answered) -> Duration| {
        let mut all: Vec<Duration> = samples.iter().map(take).collect();
        percentile(&mut all, percent)
    };
    let whole = |answered: &Answered| answered.whole;
    let first = |answered: &Answered| answered.first_byte;
    let floor: Vec<f64> = [
        (50, whole as fn(&Answered) -> Duration),
        (99, whole),
        (50, first),
    ]
    .into_iter()
    .map(|(percent, take)| of(&samples[0], percent, take).as_secs_f64() * 1e3)
    .collect();
    for (target, samples) in targets.iter().zip(&samples) {
        let ms = |percent, take| of(samples, percent, take).as_secs_f64() * 1e3;
        let (p50, p99, first) = (ms(50, whole), ms(99, whole), ms(50, first));
        println!(
            "{:<8} {:<12} p50 {p50:>7.2} ms, added {:>7.2}   p99 {p99:>7.2} ms, added {:>7.2}   \
             first byte p50 {first:>7.2} ms, added {:>7.2}",
            how(stream),
            target.name,
            p50 - floor[0],
            p99 - floor[1],
            first - floor[2],
        );
        if target.name == "ours" {
            let beyond = p50 - floor[0] - sync.as_secs_f64() * 1e3;
            let verdict = if beyond <= 1.0 { "ok" } else { "MISSED" };
            println!("  beyond one sync: {beyond:.2} ms at p50, at most 1: {verdict}");
        }
    }
}

async fn throughputs(direct: &Target, peers: &[Peer], stream: bool) {
    let mut loads: Vec<(&str, Load)> = Vec::new();
    for target in answering(direct, peers, stream).await {
        let peer = peers.iter().find(|peer| peer.target.name == target.name);
        let used = || peer.map_or(Duration::ZERO, |peer| processor_time(peer.pid));
        let before = used();
        let mut load = saturate(target, stream, WIDTH, SATURATED).await;
        let each = (used() - before).as_secs_f64() * 1e3 / load.answered.max(1) as f64;
        println!(
            "{:<8} {:<12} {WIDTH} at once: {:>8.0} a second   p50 {:>8.1?}   p99 {:>8.1?}   \
             processor {each:.2} ms each   failed {}",
            how(stream),
            target.name,
            load.per_second(),
            median(&mut load.whole),
            percentile(&mut load.whole, 99),
            load.failed,
        );
        if let Some(failure) = &load.failure {
            println!("  the first failure: {failure}");
        }
        loads.push((&target.name, load));
    }
    let rate = |name: &str| {
        let of = loads.iter().find(|(target, _)| *target == name);
        of.map(|(_, load)| load.per_second())
    };
    if let (Some(ours), Some(litellm)) = (rate("ours"), rate("LiteLLM")) {
        let ratio = ours / litellm;
        let verdict = if ratio >= 20.0 { "ok" } else { "MISSED" };
        println!("  ours beside LiteLLM: {ratio:.1} times, at least 20: {verdict}");
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

async fn litellm(folder: &Path, upstream: &Upstream) -> Option<Peer> {
    let program = folder.join("litellm/bin/litellm");
    if !program.exists() {
        println!("SKIPPED LiteLLM: {} is not there", program.display());
        return None;
    }
    let port = free_port();
    let config = convergio_benches::root().join("benches/peers/gateway/litellm.yaml");
    let mut command = Command::new(program);
    command
        .args([
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--config",
        ])
        .arg(config)
        .env("UPSTREAM", format!("http://{}/v1", upstream.addr))
        .env("LITELLM_LOG", "ERROR")
        // Its price list would come from the network.
        .env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    let target = Target {
        name: "LiteLLM".into(),
        addr: ([127, 0, 0, 1], port).into(),
        path: "/v1/chat/completions".into(),
        model: "gpt-test".into(),
        headers: "authorization: Bearer sk-bench-master\r\n".into(),
    };
    Some(started(command, target).await)
}

async fn portkey(folder: &Path, upstream: &Upstream) -> Option<Peer> {
    let script = folder.join("portkey/node_modules/@portkey-ai/gateway/build/start-server.js");
    if !script.exists() {
        println!("SKIPPED Portkey: {} is not there", script.display());
        return None;
    }
    let port = free_port();
    let mut command = Command::new("node");
    command
        .arg(script)
        .arg(format!("--port={port}"))
        .arg("--headless")
        // It calls no private address otherwise.
        .env("TRUSTED_CUSTOM_HOSTS", "127.0.0.1,localhost");
    let target = Target {
        name: "Portkey".into(),
        addr: ([127, 0, 0, 1], port).into(),
        path: "/v1/chat/completions".into(),
        model: "gpt-test".into(),
        headers: format!(
            "authorization: Bearer sk-bench\r\nx-portkey-provider: openai\r\n\
             x-portkey-custom-host: http://{}/v1\r\n",
            upstream.addr
        ),
    };
    Some(started(command, target).await)
}

async fn started(mut command: Command, target: Target) -> Peer {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the peer starts");
    let peer = Peer {
        pid: child.id(),
        target,
        child: Some(child),
    };
    let begun = Instant::now();
    loop {
        match Asking::new(&peer.target, false).ask().await {
            Ok(_) => return peer,
            Err(error) => assert!(begun.elapsed() < START_WITHIN, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
