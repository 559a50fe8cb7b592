//! `kill -9` at every named step of a call: what metering promises holds after each, and the next
//! boot goes on from there.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use convergio_fake_provider::{At, Dialect, Event, FakeProvider, Gate, Reply, Script};
use rustix::process::Signal;
use serde_json::json;

use super::{Price, asked, is_sound, question, settings};
use crate::{
    ask::House,
    crash::{Told, holds_what_was_told},
    frames::Dice,
    harness::{
        books::Books,
        daemon::Daemon,
        process::{LIMIT, ended_within, signal},
        skip,
        wire::{Wire, is_terminal, new_id},
    },
};

/// Where the daemon dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// In the commit that holds the money: some of it is written, nothing is synced.
    Reserve,
    /// The hold may be durable; on the way to the network or to whoever asked.
    Dispatch,
    /// The provider has the whole request, and has sent nothing.
    Dispatched,
    /// The provider's first byte has left.
    FirstByte,
    /// Some of the answer has come.
    MidStream,
    /// The provider has refused the first attempt.
    BetweenAttempts,
    /// The provider has the second attempt.
    SecondAttempt,
    /// In the commit that settles an answer.
    Settle,
    /// In the commit that settles what somebody cancelled.
    SettleCancelled,
    /// In the commit that settles a refused attempt, or the next one's admission.
    SettleRefused,
    /// The end was told.
    Settled,
}

const STEPS: [Step; 11] = [
    Step::Reserve,
    Step::Dispatch,
    Step::Dispatched,
    Step::FirstByte,
    Step::MidStream,
    Step::BetweenAttempts,
    Step::SecondAttempt,
    Step::Settle,
    Step::SettleCancelled,
    Step::SettleRefused,
    Step::Settled,
];

/// Words of an answer.
const WORDS: usize = 12;

/// Money enough for many holds.
const DAILY_NANO_USD: u64 = 900_000_000_000;

/// The system calls of a commit, and those that carry bytes elsewhere.
const COMMIT: [&str; 2] = ["fdatasync", "pwrite64"];
const SENDING: [&str; 2] = ["connect", "sendto,writev,sendmsg,write"];

impl Step {
    /// An answer that comes no further than this step until `gate` opens.
    fn script(self, gate: &Gate, dice: &mut Dice) -> Script {
        let reply = Reply::deltas((0..WORDS).map(|word| format!("word{word} "))).usage(20, 12);
        let refusal = Reply::error(500, "server_error", "The server had an error");
        let at = 1 + dice.roll(WORDS as u64 - 2) as usize;
        match self {
            Self::Reserve | Self::Dispatch | Self::Settled => Script::always(reply),
            Self::Dispatched => Script::always(reply.delay_until(gate)),
            Self::FirstByte => Script::always(reply.hold_at(At::Wire(1), gate)),
            Self::MidStream | Self::Settle | Self::SettleCancelled => {
                Script::always(reply.hold_at(At::Delta(at), gate))
            }
            Self::BetweenAttempts | Self::SecondAttempt => {
                Script::replies([refusal]).otherwise(reply.delay_until(gate))
            }
            Self::SettleRefused => Script::replies([refusal.delay_until(gate)]).otherwise(reply),
        }
    }

    /// Waits until the call has come so far.
    fn reached(self, provider: &FakeProvider, gate: &Gate) {
        let event = match self {
            Self::Reserve | Self::Dispatch | Self::Settled => return,
            Self::MidStream | Self::Settle | Self::SettleCancelled => {
                return gate.wait_reached(1).unwrap();
            }
            Self::Dispatched | Self::SettleRefused => Event::Requests(1),
            Self::FirstByte => Event::FirstByteSent(0),
            Self::BetweenAttempts => Event::Ended(0),
            Self::SecondAttempt => Event::Requests(2),
        };
        provider.wait(event).unwrap();
    }

    /// Wire attempts that were made at most.
    fn attempts(self) -> usize {
        match self {
            Self::BetweenAttempts | Self::SecondAttempt | Self::SettleRefused => 2,
            _ => 1,
        }
    }

    /// The provider had the request before the daemon died.
    fn was_called(self) -> bool {
        !matches!(self, Self::Reserve | Self::Dispatch)
    }

    /// Dies by itself, at one of these system calls.
    fn dies_at(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Reserve | Self::Settle | Self::SettleCancelled | Self::SettleRefused => {
                Some(COMMIT)
            }
            Self::Dispatch => Some(SENDING),
            _ => None,
        }
    }
}

/// strace on a living daemon: kills it when it enters a certain system call.
struct Trap(Child);

impl Trap {
    /// Whether this machine lets one process trace another that it did not start.
    fn can_be_set(house: &House) -> bool {
        let mut sleeper = house.home.command("sleep");
        let Ok(mut sleeper) = sleeper.arg("30").spawn() else {
            return false;
        };
        let mut strace = house.home.command("strace");
        strace.args(["-o", "/dev/null", "-p", &sleeper.id().to_string()]);
        let (mut strace, said) = started(strace);
        signal(sleeper.id(), Signal::KILL);
        let _ = (sleeper.wait(), strace.wait());
        said.contains("attached")
    }

    fn set(house: &House, daemon: &Daemon, calls: &str, number: u64) -> Self {
        let mut strace = house.home.command("strace");
        strace
            .args(["-f", "-o", "/dev/null", "-e"])
            .arg(format!("trace={calls}"))
            .arg("-e")
            .arg(format!("inject={calls}:signal=KILL:when={number}"))
            .args(["-p", &daemon.pid.to_string()]);
        let (child, said) = started(strace);
        assert!(said.contains("attached"), "strace cannot attach: {said}");
        Self(child)
    }
}

/// strace, and its first line.
fn started(mut strace: Command) -> (Child, String) {
    strace
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = strace.spawn().expect("strace starts");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line of strace's");
    // Whatever it says of further threads is read, or it would wait for us.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    (child, line)
}

impl Drop for Trap {
    fn drop(&mut self) {
        // Detached where the daemon lives, or gone with it already.
        signal(self.0.id(), Signal::INT);
        if !ended_within(self.0.id(), LIMIT) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
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

/// Until the run has ended or the daemon is gone: what was told meanwhile.
fn listen(wire: &mut Wire, told: &mut Told) {
    while let Some(event) = wire.try_event() {
        let last = is_terminal(&event);
        told.events.push(event);
        if last {
            return;
        }
    }
}

/// Asks and is interrupted by the daemon's death.
fn ask_and_die(house: &House, step: Step, gate: &Gate, dice: &mut Dice, told: &mut Told) {
    let daemon = Daemon::start(&house.home);
    let mut wire = Wire::open(&house.home);
    let (early, which, number) = (step.dies_at(), dice.roll(2), 1 + dice.roll(6));
    // Of a commit there is one sync, and several pages; of sendings a few.
    let trap = early.map(|calls| {
        let call = calls[which as usize];
        let many = which == 1;
        move |daemon: &Daemon| Trap::set(house, daemon, call, if many { number } else { 1 })
    });
    let mut traps = Vec::new();
    if !step.was_called() {
        traps.extend(trap.as_ref().map(|trap| trap(&daemon)));
    }
    let params = question(house, &told.run_id, &format!("Why {}?", told.run_id), 4_000);
    let started = wire.request("run.start", params);
    wire.request(
        "run.subscribe",
        json!({"run_id": told.run_id, "after_seq": 0}),
    );
    if let Some(answer) = wire.try_response(started) {
        assert!(answer["error"].is_null(), "{step:?}: {answer}");
        told.accepted = true;
    }
    step.reached(&house.provider, gate);
    if step.was_called() {
        traps.extend(trap.as_ref().map(|trap| trap(&daemon)));
    }
    if step == Step::SettleCancelled {
        wire.request("run.cancel", json!({"run_id": told.run_id}));
    } else if step.dies_at().is_some() {
        gate.open();
    }
    if step.dies_at().is_some() || step == Step::Settled {
        // A system call that was never made lets it live to its end.
        listen(&mut wire, told);
    }
    daemon.kill();
    gate.open();
    drop(traps);
}

/// A scene through many deaths: another price each time, another provider each time.
struct Scene {
    house: House,
    /// What had ended before.
    history: BTreeSet<String>,
    /// What providers have billed, nano-USD, by their own counts.
    billed: u64,
    /// Calls that reached a provider.
    calls: usize,
}

impl Scene {
    fn meet(&mut self, provider: FakeProvider, dice: &mut Dice) -> Price {
        let base = provider.base_url(Dialect::OpenAi);
        let price = Price {
            input: (1 + dice.roll(9)) * 1_000_000_000,
            output: (1 + dice.roll(99)) * 1_000_000_000,
        };
        self.house.provider = provider;
        let text = settings(Dialect::OpenAi, &base, DAILY_NANO_USD, price);
        self.house.configure(&text);
        price
    }

    /// What has ended is as it was, byte for byte, whatever it would cost now.
    fn remembers(&mut self, when: &str) {
        let now = Books::open(&self.house.home).history();
        let lost: Vec<_> = self.history.difference(&now).collect();
        assert!(
            lost.is_empty(),
            "{when}: history was written again: {lost:#?}"
        );
        self.history = now;
    }
}

/// `just campaign-kill-money` plays 2,000 of them.
#[test]
fn a_daemon_killed_at_any_step_of_a_call_keeps_every_promise_of_its_books() {
    if !skip::has_program("strace") {
        return skip::loudly("kills inside commits", "strace");
    }
    let mut dice = Dice::seeded();
    let mut scene = Scene {
        house: House::new(Script::new()),
        history: BTreeSet::new(),
        billed: 0,
        calls: 0,
    };
    if !Trap::can_be_set(&scene.house) {
        return skip::loudly("kills inside commits", "leave to trace other processes");
    }
    let mut ends = [0_usize; 3];
    for cycle in 0..cycles() {
        let step = step_of(cycle, &mut dice);
        let when = format!("cycle {cycle}, {step:?}");
        let gate = Gate::new();
        let provider = FakeProvider::start(step.script(&gate, &mut dice));
        let price = scene.meet(provider, &mut dice);
        let mut told = Told {
            run_id: new_id(),
            ..Told::default()
        };
        ask_and_die(&scene.house, step, &gate, &mut dice, &mut told);
        let before = scene.house.provider.calls().len();
        assert!(before <= step.attempts(), "{when}: {before} calls");
        assert!(!step.was_called() || before > 0, "{when}");

        let daemon = Daemon::start(&scene.house.home);
        let mut wire = Wire::open(&scene.house.home);
        let events = holds_what_was_told(&mut wire, &told);
        is_sound(&scene.house, &when);
        scene.remembers(&when);
        let books = Books::open(&scene.house.home);
        // No byte left without a row that says so.
        let attempts = books.attempts_of(&told.run_id);
        assert!(
            attempts >= before as i64,
            "{when}: {attempts} for {before} calls"
        );
        ends[match events.last() {
            None => 0,
            Some(last) if last["type"] == "completed" => 1,
            Some(_) => 2,
        }] += 1;
        // The same question again: whoever was accepted is told its end, and nobody is called.
        let text = format!("Why {}?", told.run_id);
        let again = question(&scene.house, &told.run_id, &text, 4_000);
        let end = asked(&mut wire, &again).unwrap_or_else(|error| panic!("{when}: {error}"));
        let calls = scene.house.provider.calls().len();
        match events.last() {
            Some(last) => {
                assert_eq!(end["seq"], last["seq"], "{when}: another end");
                assert_eq!(calls, before, "{when}: the call was sent again");
            }
            None => {
                assert_eq!(before, 0, "{when}: it left before it was durable");
                assert_eq!(end["type"], "completed", "{when}: {end}");
                assert_eq!(calls, step.attempts(), "{when}");
            }
        }
        scene.billed += price.of(scene.house.provider.billed());
        scene.calls += calls;
        let total = is_sound(&scene.house, &when);
        let paid = total["amount_nano_usd"].as_u64().expect("an amount");
        assert!(
            paid >= scene.billed,
            "{when}: {} is billed: {total}",
            scene.billed
        );
        assert!(
            total["attempts"].as_u64() >= Some(scene.calls as u64),
            "{when}"
        );
        daemon.kill();
    }
    let [lost, completed, failed] = ends;
    assert!(scene.calls > 0 && failed > 0);
    eprintln!(
        "{} cycles: {lost} died before they were durable, {completed} were whole, {failed} were \
         interrupted; {} calls",
        lost + completed + failed,
        scene.calls
    );
}
