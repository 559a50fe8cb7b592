//! `kill -9` of the client and of the daemon at every step of a question.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use convergio_fake_provider::{At, Dialect, Event, FakeProvider, Gate, Reply, Script};
use convergio_store::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{House, readers::params};
use crate::{
    crash::{Told, holds_what_was_told},
    frames::Dice,
    harness::{
        daemon::Daemon,
        process::signal,
        wire::{Wire, is_terminal, new_id},
    },
};

/// How far a question came before somebody was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The request is written, nothing is known of it.
    Sent,
    /// The daemon has answered that it runs.
    Accepted,
    /// The provider has the whole request, and has sent nothing.
    Admitted,
    /// The provider's first byte has left.
    FirstByte,
    /// Some of the answer has come.
    MidStream,
    /// The end was told.
    Settled,
}

const STEPS: [Step; 6] = [
    Step::Sent,
    Step::Accepted,
    Step::Admitted,
    Step::FirstByte,
    Step::MidStream,
    Step::Settled,
];

/// Words of an answer.
const WORDS: usize = 12;

impl Step {
    /// An answer that comes no further than this step until `gate` opens.
    fn reply(self, gate: &Gate, dice: &mut Dice) -> Reply {
        let reply = Reply::deltas((0..WORDS).map(|word| format!("word{word} "))).usage(40, 12);
        match self {
            Self::Sent | Self::Accepted | Self::Admitted => reply.delay_until(gate),
            Self::FirstByte => reply.hold_at(At::Wire(1), gate),
            Self::MidStream => {
                let at = 1 + dice.roll(WORDS as u64 - 2) as usize;
                reply.hold_at(At::Delta(at), gate)
            }
            Self::Settled => reply,
        }
    }

    /// Waits until the call has come so far.
    fn reached(self, provider: &FakeProvider, gate: &Gate) {
        match self {
            Self::Sent | Self::Accepted => {}
            Self::Admitted => provider.wait(Event::Requests(1)).unwrap(),
            Self::FirstByte => provider.wait(Event::FirstByteSent(0)).unwrap(),
            Self::MidStream => gate.wait_reached(1).unwrap(),
            Self::Settled => provider.wait(Event::Ended(0)).unwrap(),
        }
    }

    /// The provider has the request for certain.
    fn was_called(self) -> bool {
        !matches!(self, Self::Sent | Self::Accepted)
    }
}

/// One home through many deaths; each question has a provider of its own.
struct Scene {
    house: House,
}

impl Scene {
    fn new() -> Self {
        Self {
            house: House::new(Script::new()),
        }
    }

    /// The settings name this provider from now on, and money enough for many questions.
    fn meet(&self, provider: &FakeProvider) {
        let base = provider.base_url(Dialect::OpenAi);
        self.house.configure(&format!(
            "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"900.00\"\n\
             [provider.mock]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
             [provider.mock.model.\"gpt-test\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n"
        ));
    }

    /// The database, as another process reads it.
    fn books(&self) -> Connection {
        let file = self.house.home.convergio().join("data/core.db");
        Connection::open(file).expect("the database opens")
    }
}

fn count(books: &Connection, sql: &str) -> i64 {
    books
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Nothing runs: every hold was resolved exactly once, every attempt has one end.
fn is_settled(scene: &Scene, wire: &mut Wire, when: &str) {
    let usage = wire.result("usage.query", json!({}));
    assert_eq!(usage["total"]["open"], 0, "{when}: {usage}");
    for budget in usage["budgets"].as_array().expect("budgets") {
        assert_eq!(
            budget["pending_nano_usd"], 0,
            "{when}: a hold leaked: {usage}"
        );
    }
    let books = scene.books();
    let holds_without_one_end = "SELECT count(*) FROM transfer AS hold WHERE kind = 'pending' AND \
         (SELECT count(*) FROM transfer WHERE pending_id = hold.id \
          AND kind IN ('post', 'void', 'expire')) <> 1";
    assert_eq!(count(&books, holds_without_one_end), 0, "{when}");
    let attempts_without_an_end =
        "SELECT count(*) FROM attempt WHERE state IN ('reserved', 'dispatched')";
    assert_eq!(count(&books, attempts_without_an_end), 0, "{when}");
    let runs_asked_twice = "SELECT count(*) FROM \
         (SELECT run_id FROM attempt GROUP BY run_id HAVING count(*) > 1)";
    assert_eq!(count(&books, runs_asked_twice), 0, "{when}");
}

/// The run's log tells of each attempt once what it came to.
fn tells_its_cost_once(events: &[Value], calls: usize, when: &str) {
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    let (plans, usages) = (of("plan"), of("usage"));
    assert!(plans <= 1 && calls <= plans, "{when}: {events:?}");
    assert_eq!(usages, plans, "{when}: {events:?}");
}

/// The step of a cycle: each once, then as the dice fall.
fn step_of(cycle: usize, dice: &mut Dice) -> Step {
    let rolled = dice.roll(STEPS.len() as u64) as usize;
    STEPS[if cycle < STEPS.len() { cycle } else { rolled }]
}

fn cycles() -> usize {
    std::env::var("CONVERGIO_CYCLES").map_or(STEPS.len(), |text| {
        text.parse().expect("CONVERGIO_CYCLES is a number")
    })
}

/// `just campaign-kill-ask` plays 1,000 of them.
#[test]
fn a_daemon_killed_at_any_step_settles_once_and_calls_nobody_again() {
    let scene = Scene::new();
    let mut dice = Dice::seeded();
    let mut called = 0;
    for cycle in 0..cycles() {
        let step = step_of(cycle, &mut dice);
        let when = format!("cycle {cycle}, {step:?}");
        let gate = Gate::new();
        let provider = FakeProvider::start(Script::always(step.reply(&gate, &mut dice)));
        scene.meet(&provider);
        let daemon = Daemon::start(&scene.house.home);
        let mut wire = Wire::open(&scene.house.home);
        let mut told = Told {
            run_id: new_id(),
            ..Told::default()
        };
        let params = params(&scene.house, &told.run_id, &told.run_id, "Why?");
        let started = wire.request("run.start", params);
        wire.request(
            "run.subscribe",
            json!({"run_id": told.run_id, "after_seq": 0}),
        );
        if step != Step::Sent {
            let answer = wire.response(started);
            assert!(answer["error"].is_null(), "{when}: {answer}");
            told.accepted = true;
        }
        if step == Step::Settled {
            told.events = wire.events_to_end();
        }
        if step == Step::MidStream {
            while !told.events.iter().any(|event| event["type"] == "delta") {
                let event = wire.try_event().expect("the daemon keeps the connection");
                told.events.push(event);
            }
        }
        step.reached(&provider, &gate);
        daemon.kill();
        gate.open();

        let daemon = Daemon::start(&scene.house.home);
        let mut wire = Wire::open(&scene.house.home);
        let events = holds_what_was_told(&mut wire, &told);
        let asked = provider.calls().len();
        assert!(asked <= 1, "{when}: the call was sent again");
        assert!(!step.was_called() || asked == 1, "{when}");
        tells_its_cost_once(&events, asked, &when);
        if let Some(last) = events.last() {
            let whole = step == Step::Settled;
            assert_eq!(last["type"] == "completed", whole, "{when}: {last}");
        }
        is_settled(&scene, &mut wire, &when);
        called += asked as i64;
        daemon.kill();
    }
    // The books that were looked through are those of these calls.
    let attempts = count(&scene.books(), "SELECT count(*) FROM attempt");
    assert!(called > 0 && attempts >= called, "{attempts} for {called}");
}

/// A client is a process of its own here, and dies as one.
#[test]
fn a_client_killed_at_any_step_costs_what_came_and_loses_nothing() {
    let scene = Scene::new();
    let mut dice = Dice::seeded();
    for cycle in 0..cycles() {
        let step = step_of(cycle, &mut dice);
        let goes_on = dice.roll(2) == 0;
        let when = format!("cycle {cycle}, {step:?}, goes on: {goes_on}");
        let gate = Gate::new();
        let provider = FakeProvider::start(Script::always(step.reply(&gate, &mut dice)));
        scene.meet(&provider);
        let daemon = Daemon::start(&scene.house.home);
        let mut wire = Wire::open(&scene.house.home);
        let before = wire.result("run.list", json!({"limit": 1}))["runs"][0]["run_id"].clone();
        let mut client = ask(&scene.house);
        let mut lines = BufReader::new(client.stdout.take().expect("a pipe")).lines();
        // What was written whole was told.
        let mut seen: Vec<Value> = Vec::new();
        let mut read_until = |wanted: &dyn Fn(&Value) -> bool| {
            while !seen.last().is_some_and(wanted) {
                let line = lines.next().expect("another line").expect("text");
                seen.push(serde_json::from_str(&line).expect("JSON"));
            }
        };
        match step {
            Step::Sent => {}
            Step::Accepted => read_until(&|line| line["type"] == "started"),
            Step::Admitted | Step::FirstByte => {}
            Step::MidStream => read_until(&|line| line["type"] == "delta"),
            Step::Settled => read_until(&is_terminal),
        }
        step.reached(&provider, &gate);
        signal(client.id(), Signal::KILL);
        client.wait().expect("it ended");
        if goes_on || !step.was_called() || step == Step::Settled {
            gate.open();
        } else {
            // After two seconds of grace the call is broken off.
            provider.wait(Event::ClientGone(0)).unwrap();
            gate.open();
        }
        let latest = wire.result("run.list", json!({"limit": 1}))["runs"][0]["run_id"].clone();
        if latest == before {
            assert!(
                !step.was_called() && seen.is_empty(),
                "{when}: its run is gone"
            );
            daemon.kill();
            continue;
        }
        wire.result("run.subscribe", json!({"run_id": latest, "after_seq": 0}));
        let mut events = wire.events_to_end();
        events.retain(|event| !event["seq"].is_null());
        for line in seen.iter().filter(|line| !line["seq"].is_null()) {
            let there =
                |event: &&Value| event["seq"] == line["seq"] && event["type"] == line["type"];
            assert_eq!(
                events.iter().filter(there).count(),
                1,
                "{when}: {line} was lost"
            );
        }
        let asked = provider.calls().len();
        assert!(asked <= 1, "{when}: the call was sent again");
        tells_its_cost_once(&events, asked, &when);
        is_settled(&scene, &mut wire, &when);
        daemon.kill();
    }
}

/// `cv ask` with its events on a pipe.
fn ask(house: &House) -> Child {
    let mut command = house.command(&["ask", "Why?", "--format", "ndjson"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().expect("cv starts")
}
