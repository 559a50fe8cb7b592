//! A token's way from the provider's write to a reader: straight through a socket (the floor),
//! through the daemon to our client, and through the daemon and `cv` to a pipe. Then how long
//! 10,000 tokens take that come as fast as they can.
//!
//! The provider notes a token's time after its write, so all latencies are short by the same
//! moment; the differences are exact, the ratios a little too large.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use convergio_benches::{
    ask::{Asker, QUESTION, body, connect},
    binaries, median, percentile, row,
};
use convergio_client::Client;
use convergio_contract::{
    EventBody, Uuid,
    chat::{Input, InputKind, RunStart, RunStartParams, SessionUse},
    run::RunOptions,
    secret::SecretText,
};
use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script};

const PACED: usize = 1_000;
const PACE: Duration = Duration::from_millis(1);
const MANY: usize = 10_000;
const MAX_OUTPUT: u32 = 20_000;
const ROUNDS: usize = 3;
const MANY_ROUNDS: usize = 7;

/// When each token was read.
type Times = Vec<Instant>;

fn main() {
    let binaries = binaries();
    paced(&binaries);
    many(&binaries);
}

fn provider(tokens: usize, pace: Option<Duration>) -> FakeProvider {
    let reply = Reply::deltas((0..tokens).map(|number| format!("w{number} ")));
    let reply = match pace {
        Some(pace) => reply.pace(pace),
        None => reply,
    };
    FakeProvider::start(Script::always(reply))
}

fn paced(binaries: &Path) {
    let provider = provider(PACED, Some(PACE));
    let asker = Asker::new(binaries, &provider.base_url(Dialect::OpenAi), None);
    let runtime = runtime();
    by_cv(&asker);
    let client = runtime.block_on(connect(asker.home.path()));
    let (mut direct, mut ours, mut printed) = (Vec::new(), Vec::new(), Vec::new());
    let latencies = |times: Times| {
        assert_eq!(times.len(), PACED);
        let sent = provider.requests().pop().expect("a request").deltas_sent;
        let pairs = times.into_iter().zip(sent);
        pairs
            .map(|(read, sent)| read.saturating_duration_since(sent))
            .collect::<Vec<_>>()
    };
    for _ in 0..ROUNDS {
        direct.extend(latencies(straight(&provider)));
        ours.extend(latencies(runtime.block_on(by_client(&client, &asker))));
        printed.extend(latencies(by_cv(&asker)));
    }
    println!("token_hop: {PACED} tokens, one each {PACE:?}, {ROUNDS} rounds");
    for percent in [50, 99] {
        let floor = percentile(&mut direct, percent);
        let other = format!("raw socket, p{percent}");
        let what = format!("a token, our client, p{percent}");
        row(&what, percentile(&mut ours, percent), &other, floor, None);
        let what = format!("a token, printed by cv, p{percent}");
        row(
            &what,
            percentile(&mut printed, percent),
            &other,
            floor,
            None,
        );
    }
}

fn many(binaries: &Path) {
    let provider = provider(MANY, None);
    let asker = Asker::new(binaries, &provider.base_url(Dialect::OpenAi), None);
    let runtime = runtime();
    by_cv(&asker);
    let client = runtime.block_on(connect(asker.home.path()));
    let (mut direct, mut ours, mut printed) = (Vec::new(), Vec::new(), Vec::new());
    let took = |start: Instant, times: Times| {
        assert_eq!(times.len(), MANY);
        times.last().expect("tokens").duration_since(start)
    };
    for _ in 0..MANY_ROUNDS {
        let start = Instant::now();
        direct.push(took(start, straight(&provider)));
        let start = Instant::now();
        ours.push(took(start, runtime.block_on(by_client(&client, &asker))));
        let start = Instant::now();
        printed.push(took(start, by_cv(&asker)));
    }
    let floor = median(&mut direct);
    println!(
        "token_hop: {MANY} tokens at once, from the question to the last, {MANY_ROUNDS} rounds"
    );
    for (what, samples) in [("our client", &mut ours), ("printed by cv", &mut printed)] {
        let took = median(samples);
        let rate = MANY as f64 / took.as_secs_f64();
        let what = format!("{what}, {rate:.0} a second");
        row(&what, took, "raw socket", floor, None);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The least that a reader can do: it looks at every line for a token.
fn straight(provider: &FakeProvider) -> Times {
    let mut stream = TcpStream::connect(provider.addr()).unwrap();
    stream.set_nodelay(true).unwrap();
    let body = body(Some(MAX_OUTPUT));
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer x\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        provider.addr(),
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut times = Vec::with_capacity(MANY);
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.starts_with("data: [DONE]") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it ended early");
        if line.contains("\"content\":\"w") {
            times.push(Instant::now());
        }
    }
    times
}

async fn by_client(client: &Client, asker: &Asker) -> Times {
    let run_id = Uuid::now_v7();
    let params = RunStartParams {
        run_id,
        input: vec![Input {
            kind: InputKind::Prompt,
            name: None,
            text: QUESTION.to_owned(),
        }],
        root: asker.home.path().display().to_string(),
        session: SessionUse::New,
        system: None,
        template: None,
        variables: BTreeMap::new(),
        output_schema: None,
        options: RunOptions {
            max_output: Some(MAX_OUTPUT),
            keys: BTreeMap::from([("MOCK_KEY".to_owned(), SecretText::new("sk-bench"))]),
            ..RunOptions::default()
        },
    };
    let started = client.queue::<RunStart>(&params).unwrap();
    let mut events = client.subscribe(run_id, 0).unwrap();
    client.flush().await.unwrap();
    started.response().await.unwrap();
    let mut times = Vec::with_capacity(MANY);
    while let Some(event) = events.next().await.unwrap() {
        if let EventBody::Delta { text, .. } = event.body {
            note(text.as_bytes(), &mut times);
        }
    }
    times
}

fn by_cv(asker: &Asker) -> Times {
    let limit = MAX_OUTPUT.to_string();
    let mut command: Command = asker.cv(&["--max-output", &limit]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut times = Vec::with_capacity(MANY);
    let mut buffer = [0; 64 * 1024];
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        note(&buffer[..read], &mut times);
    }
    assert!(child.wait().unwrap().success());
    times
}

/// Each token begins with its own `w`.
fn note(text: &[u8], times: &mut Times) {
    let now = Instant::now();
    times.extend(text.iter().filter(|byte| **byte == b'w').map(|_| now));
}
