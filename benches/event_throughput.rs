//! A finished run's events, read again through our client, beside the same bytes through a raw
//! socket between two processes (the floor).

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
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use convergio_benches::{Home, ask::connect, binaries, diff, median, row};
use convergio_client::Client;
use convergio_contract::{
    Uuid,
    run::{RunList, RunListParams},
};

const EVENTS: usize = 4_000;
const ROUNDS: usize = 15;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments
        .get(1)
        .is_some_and(|argument| argument == "--feed")
    {
        return feed(Path::new(&arguments[2]), Path::new(&arguments[3]));
    }
    let binaries = binaries();
    let home = Home::new(&binaries);
    let input = home.path().join("input.diff");
    std::fs::write(&input, diff::one_finding_each(EVENTS)).unwrap();
    let mut review = home.cv(&["review", "--format", "ndjson"]);
    review.stdin(std::fs::File::open(&input).unwrap());
    let lines = home.path().join("events.ndjson");
    let reviewed = review.output().unwrap();
    assert!(reviewed.status.success(), "{reviewed:?}");
    std::fs::write(&lines, &reviewed.stdout).unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(connect(home.path()));
    let runs = runtime
        .block_on(client.call::<RunList>(&RunListParams::default()))
        .unwrap();
    let run_id = runs.runs.first().expect("the review is listed").run_id;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    let mut count = 0;
    for round in 0..ROUNDS {
        let (events, took) = runtime.block_on(read(&client, run_id));
        count = events;
        ours.push(took);
        floor.push(raw(home.path(), &lines, round));
    }
    assert!(count > EVENTS, "{count} events");
    let (ours, floor) = (median(&mut ours), median(&mut floor));
    let rate = count as f64 / ours.as_secs_f64();
    println!("event_throughput: {count} events of one run, {rate:.0} a second");
    row(
        "events, parsed and in order",
        ours,
        "same bytes, raw socket",
        floor,
        None,
    );
}

async fn read(client: &Client, run_id: Uuid) -> (usize, Duration) {
    let start = Instant::now();
    let mut events = client.subscribe(run_id, 0).unwrap();
    let mut count = 0;
    while events.next().await.unwrap().is_some() {
        count += 1;
    }
    (count, start.elapsed())
}

/// Another process sends the same lines; this one splits them, and no more.
fn raw(folder: &Path, lines: &Path, round: usize) -> Duration {
    let socket = folder.join(format!("feed{round}.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    let mut feeder = Command::new(std::env::current_exe().unwrap());
    let feeder = feeder
        .arg("--feed")
        .arg(&socket)
        .arg(lines)
        .stdin(Stdio::null());
    let mut feeder = feeder.spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let start = Instant::now();
    stream.write_all(b"go\n").unwrap();
    let count = BufReader::with_capacity(64 * 1024, stream)
        .lines()
        .map_while(Result::ok)
        .count();
    let took = start.elapsed();
    assert!(count >= EVENTS);
    feeder.wait().unwrap();
    took
}

fn feed(socket: &Path, lines: &Path) {
    let text = std::fs::read(lines).unwrap();
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut go = String::new();
    BufReader::new(stream.try_clone().unwrap())
        .read_line(&mut go)
        .unwrap();
    for chunk in text.chunks(64 * 1024) {
        stream.write_all(chunk).unwrap();
    }
}
