//! What metering promises holds through the gateway too: whatever breaks behind it is said in the
//! wire's own words, whoever is killed, and however many call at once.

use std::{
    collections::BTreeSet,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
};

use convergio_fake_provider::{At, Dialect, Event, FakeProvider, Gate, Reply, Script};
use serde_json::{Value, json};

use super::{DEAR, is_sound, sdks::token, settings};
use crate::{
    ask::{House, KEY},
    frames::Dice,
    harness::{
        books::Books,
        daemon::Daemon,
        http::{self, Answered},
        process::status_field,
        wire::{Wire, new_id},
    },
};

const DOLLAR: u64 = 1_000_000_000;

/// Who is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wired {
    Chat,
    Messages,
}

impl Wired {
    fn post(self, base: &str, secret: &str, text: &str, stream: bool) -> Option<Answered> {
        let body = json!({
            "model": "mock/gpt-test", "max_tokens": 300, "stream": stream,
            "messages": [{"role": "user", "content": text}],
        });
        let bearer = format!("Bearer {secret}");
        match self {
            Self::Chat => http::post(
                base,
                "/v1/chat/completions",
                &[("authorization", &bearer)],
                &body,
            ),
            Self::Messages => {
                let headers = [("x-api-key", secret), ("anthropic-version", "2023-06-01")];
                http::post(base, "/v1/messages", &headers, &body)
            }
        }
    }

    /// The text of a stream's events, and whether it ended as it should.
    fn heard(self, answer: &Answered) -> (String, bool) {
        let events = answer.events();
        let texts = events.iter().filter_map(|event| match self {
            Self::Chat => event["choices"][0]["delta"]["content"].as_str(),
            Self::Messages => event["delta"]["text"].as_str(),
        });
        let ended = events.iter().any(|event| match self {
            Self::Chat => event == "[DONE]",
            Self::Messages => event["type"] == "message_stop",
        });
        (texts.collect(), ended)
    }

    /// The error that its events or its body tell.
    fn error(self, answer: &Answered) -> Option<Value> {
        let events = answer.events();
        let found = events.into_iter().find(|event| event["error"].is_object());
        let found = found.or_else(|| serde_json::from_str(&answer.body).ok())?;
        let error = found["error"].clone();
        assert!(
            error["message"].is_string() && error["type"].is_string(),
            "{answer:?}"
        );
        (self == Self::Chat || found["type"] == "error").then_some(error)
    }
}

/// A house with a daemon, a gateway and a token.
struct Front {
    house: House,
    daemon: Daemon,
    base: String,
    secret: String,
    /// The token is good while this lasts.
    _wire: Wire,
}

impl Front {
    fn before(provider: FakeProvider, upstream: Dialect, base: &str, max_usd: &str) -> Self {
        let house = House::before(provider, upstream, base, "");
        house.configure(&settings(upstream, base, 100 * DOLLAR, DEAR));
        let daemon = Daemon::start(&house.home);
        let mut wire = Wire::open(&house.home);
        let (secret, base) = token(&mut wire, &format!("proof-{}", new_id()), max_usd);
        let base = base
            .trim_end_matches('/')
            .trim_end_matches("/v1")
            .to_owned();
        Self {
            house,
            daemon,
            base,
            secret,
            _wire: wire,
        }
    }

    fn new(upstream: Dialect, script: Script, max_usd: &str) -> Self {
        let provider = FakeProvider::start(script);
        let base = provider.base_url(upstream);
        Self::before(provider, upstream, &base, max_usd)
    }

    fn post(&self, wired: Wired, text: &str, stream: bool) -> Answered {
        let answer = wired.post(&self.base, &self.secret, text, stream);
        answer.expect("an answer")
    }
}

/// What breaks, the text that came before, and the statuses of a caller that does not stream.
fn faults() -> Vec<(Reply, &'static str, &'static [u16])> {
    let text = || Reply::text("One two three");
    vec![
        (text().reset_after(At::Delta(2)), "One two ", &[502]),
        (text().close_after(At::Delta(2)), "One two ", &[502]),
        (text().no_end_marker(), "One two three", &[502]),
        (
            text().fail_after(2, "overloaded_error", "Overloaded"),
            "One two ",
            &[502, 503, 529],
        ),
        (text().then_endless_line(64 << 20), "One two three", &[502]),
        (Reply::endless_line(1 << 30), "", &[502]),
        (
            Reply::body(200, "text/html", "<h1>Welcome</h1>"),
            "",
            // From the sixth failure on it is left alone.
            &[502, 503, 529],
        ),
        (Reply::raw("SSH-2.0-OpenSSH_9.9\r\n"), "", &[502]),
        (
            Reply::error(429, "rate_limit_error", "Slow down").header("retry-after", "1000000000"),
            "",
            &[429],
        ),
        (
            Reply::error(401, "authentication_error", "No such key"),
            "",
            &[401, 502, 503],
        ),
        (
            Reply::error(529, "overloaded_error", "Overloaded"),
            "",
            &[502, 503, 529],
        ),
    ]
}

#[test]
fn what_breaks_behind_the_gateway_is_said_in_the_wires_own_words_and_paid_once() {
    for upstream in [Dialect::OpenAi, Dialect::Anthropic] {
        for (reply, before, statuses) in faults() {
            let what = format!("{upstream:?} {reply:?}");
            let front = Front::new(upstream, Script::always(reply), "50");
            for wired in [Wired::Chat, Wired::Messages] {
                let what = format!("{wired:?} before {what}");
                let answer = front.post(wired, "hi", true);
                assert!(answer.whole, "{what}: {answer:?}");
                let (text, ended) = wired.heard(&answer);
                assert_eq!(text, before, "{what}: {answer:?}");
                assert!(
                    !ended,
                    "{what}: it is cut, and says that it is whole: {answer:?}"
                );
                let error = wired.error(&answer);
                assert!(error.is_some(), "{what}: nothing is said: {answer:?}");
                if before.is_empty() {
                    assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
                }
                assert!(!answer.body.contains(KEY), "{what}: {answer:?}");

                let answer = front.post(wired, "hi", false);
                assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
                assert!(wired.error(&answer).is_some(), "{what}: {answer:?}");
                assert!(!answer.body.contains(KEY), "{what}: {answer:?}");
            }
            let peak_kb = status_field(front.daemon.pid, "VmHWM");
            assert!(peak_kb < 200_000, "{what}: {peak_kb} kB");
            let total = is_sound(&front.house, &what);
            // After such a wait nobody is asked for a while: then there is no attempt to pay.
            let runs = total["runs"].as_u64().expect("a number");
            assert!((1..=4).contains(&runs), "{what}: one run each: {total}");
            assert_eq!(
                total["attempts"],
                front.house.provider.calls().len(),
                "{what}: {total}"
            );
        }
    }
}

#[test]
fn a_redirect_behind_the_gateway_takes_no_key_along() {
    let elsewhere = FakeProvider::start(Script::always(Reply::text("stolen")));
    let to = format!("{}/v1/chat/completions", elsewhere.url());
    let front = Front::new(Dialect::OpenAi, Script::always(Reply::redirect(&to)), "50");
    for wired in [Wired::Chat, Wired::Messages] {
        let answer = front.post(wired, "hi", true);
        assert_eq!(answer.status, 502, "{answer:?}");
        assert!(wired.error(&answer).is_some(), "{answer:?}");
    }
    assert_eq!(elsewhere.connections(), 0);
    is_sound(&front.house, "after redirects");
}

/// Every caller has a connection of its own; refusals have the status that SDKs do not repeat.
#[test]
fn callers_of_one_token_never_pass_its_budget_by_the_providers_own_count() {
    let callers = super::callers::from_environment("CONVERGIO_CALLERS", 60);
    let script = Script::answer(|request| {
        let limit = request.max_output().expect("a limit");
        let mut dice = Dice::new(request.index as u64 + 1);
        let tokens = 1 + dice.roll(limit);
        let third = "so ".repeat(tokens as usize / 9 + 1);
        let reply = Reply::deltas([third.clone(), third.clone(), third])
            .usage(8, tokens)
            .ignoring_max_output();
        match dice.roll(30) {
            0 => reply.reset_after(At::Delta(2)),
            1 => Reply::text("nobody counted this").no_usage(),
            _ => reply,
        }
    });
    // Forty-odd cents: a dozen holds of three cents, of which each is mostly given back.
    let front = Front::new(Dialect::OpenAi, script, "0.42");
    let next = AtomicUsize::new(0);
    let threads = callers.min(50);
    let together = Barrier::new(threads);
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..threads {
            let (next, together, refused, front) = (&next, &together, &refused, &front);
            scope.spawn(move || {
                together.wait();
                while next.fetch_add(1, Ordering::SeqCst) < callers {
                    let wired = if number % 2 == 0 {
                        Wired::Chat
                    } else {
                        Wired::Messages
                    };
                    let answer = front.post(wired, "Why?", number % 3 != 0);
                    if answer.status == 402 {
                        assert!(wired.error(&answer).is_some(), "{answer:?}");
                        refused.fetch_add(1, Ordering::SeqCst);
                    } else {
                        assert!(matches!(answer.status, 200 | 502), "{answer:?}");
                    }
                }
            });
        }
    });
    let billed = DEAR.of(front.house.provider.billed());
    assert!(billed > 0 && billed <= 420_000_000, "{billed}");
    assert!(
        refused.load(Ordering::SeqCst) > 0,
        "nobody came near the cap"
    );
    let total = is_sound(&front.house, "after the callers");
    assert_eq!(
        total["attempts"],
        front.house.provider.calls().len(),
        "{total}"
    );
    let paid = total["amount_nano_usd"].as_u64().expect("an amount");
    assert!(billed <= paid && paid <= 420_000_000, "{billed}: {total}");
}

/// Where the daemon dies, or its caller.
#[derive(Clone, Copy, Debug)]
enum Step {
    Dispatched,
    FirstByte,
    MidStream,
    Ended,
    CallerGone,
}

const STEPS: [Step; 5] = [
    Step::Dispatched,
    Step::FirstByte,
    Step::MidStream,
    Step::Ended,
    Step::CallerGone,
];

impl Step {
    fn reply(self, gate: &Gate) -> Reply {
        let reply = Reply::deltas((0..12).map(|word| format!("word{word} "))).usage(20, 12);
        match self {
            Self::Dispatched => reply.delay_until(gate),
            Self::FirstByte => reply.hold_at(At::Wire(1), gate),
            Self::MidStream | Self::CallerGone => reply.hold_at(At::Delta(5), gate),
            Self::Ended => reply,
        }
    }

    fn event(self) -> Event {
        match self {
            Self::Dispatched => Event::Requests(1),
            Self::FirstByte => Event::FirstByteSent(0),
            Self::MidStream | Self::CallerGone => Event::DeltasSent(0, 5),
            Self::Ended => Event::Ended(0),
        }
    }
}

/// `just campaign-kill-money` plays many of them.
#[test]
fn a_daemon_killed_behind_its_gateway_keeps_every_promise_of_its_books() {
    let mut dice = Dice::seeded();
    let cycles = super::callers::from_environment("CONVERGIO_CYCLES", STEPS.len());
    let mut house: Option<House> = None;
    let mut history = BTreeSet::new();
    let (mut calls, mut billed) = (0, 0);
    for cycle in 0..cycles {
        let rolled = dice.roll(STEPS.len() as u64) as usize;
        let step = STEPS[if cycle < STEPS.len() { cycle } else { rolled }];
        let (wired, stream) = ([Wired::Chat, Wired::Messages][cycle % 2], dice.roll(3) > 0);
        let what = format!("cycle {cycle}, {step:?}, {wired:?}, streamed: {stream}");
        let gate = Gate::new();
        let provider = FakeProvider::start(Script::always(step.reply(&gate)));
        let base = provider.base_url(Dialect::OpenAi);
        let here = match house.take() {
            Some(mut house) => {
                house.provider = provider;
                house
            }
            None => House::before(provider, Dialect::OpenAi, &base, ""),
        };
        here.configure(&settings(Dialect::OpenAi, &base, 900 * DOLLAR, DEAR));
        let daemon = Daemon::start(&here.home);
        let mut wire = Wire::open(&here.home);
        let (secret, base) = token(&mut wire, &format!("proof-{}", new_id()), "50");
        let base = base
            .trim_end_matches('/')
            .trim_end_matches("/v1")
            .to_owned();
        std::thread::scope(|scope| {
            let caller = scope.spawn(|| match step {
                // Its request is sent, and its connection closed mid-stream.
                Step::CallerGone => gone(&base, &secret, &here.provider),
                _ => wired.post(&base, &secret, "Why?", stream),
            });
            here.provider.wait(step.event()).unwrap();
            if matches!(step, Step::CallerGone) {
                caller.join().expect("it left");
                here.provider.wait(Event::ClientGone(0)).unwrap();
                daemon.kill();
            } else {
                daemon.kill();
                let answer = caller.join().expect("it ended");
                // What was not settled never looks whole.
                if let Some(answer) = answer.filter(|answer| stream && answer.status == 200) {
                    let (text, ended) = wired.heard(&answer);
                    assert!(!ended || text.contains("word11"), "{what}: {answer:?}");
                }
            }
            gate.open();
        });
        let daemon = Daemon::start(&here.home);
        calls += here.provider.calls().len();
        billed += DEAR.of(here.provider.billed());
        assert_eq!(here.provider.calls().len(), 1, "{what}: it was sent again");
        let total = is_sound(&here, &what);
        assert!(
            total["attempts"].as_u64() >= Some(calls as u64),
            "{what}: {total}"
        );
        let paid = total["amount_nano_usd"].as_u64().expect("an amount");
        assert!(paid >= billed, "{what}: {billed}: {total}");
        let now = Books::open(&here.home).history();
        assert!(history.is_subset(&now), "{what}: history was written again");
        history = now;
        // The secret outlives no daemon: its keys were in memory.
        daemon.kill();
        house = Some(here);
    }
    eprintln!("{cycles} cycles: {calls} calls");
}

/// Asks for a stream and leaves when some of it has come.
fn gone(base: &str, secret: &str, provider: &FakeProvider) -> Option<Answered> {
    use std::io::{Read, Write};
    let host = base.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(host).expect("a gateway");
    let body = json!({
        "model": "mock/gpt-test", "max_tokens": 300, "stream": true,
        "messages": [{"role": "user", "content": "Why?"}],
    })
    .to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    provider.wait(Event::DeltasSent(0, 5)).unwrap();
    let mut some = [0; 64];
    let count = stream.read(&mut some).expect("some of it");
    assert!(count > 0);
    None
}
