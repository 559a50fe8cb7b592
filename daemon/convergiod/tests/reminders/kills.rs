//! `kill -9` between claim, notification and record, and between an answer and its commit: each
//! reminder is shown at least once, and again only as what it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use convergiod::{BootOptions, Clock, boot};

use crate::{
    desk::{Bus, Note, Server, Stops},
    house::{HOUR, House, MINUTE, NINE, Row, Task, task},
};

const CHILD_HOME: &str = "CONVERGIO_TEST_REMINDERS_HOME";
const CHILD_BUS: &str = "CONVERGIO_TEST_REMINDERS_BUS";
/// Where nothing else is said.
const CYCLES: usize = 30;

/// Where the daemon dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// At any moment after its start: before or in the commit of the claim, or a little behind it.
    Claiming,
    /// The claim is durable, and nothing was shown.
    Claimed,
    /// It was shown, and the daemon does not know it yet.
    Notified,
    /// The daemon knows it, and may have written it down.
    Recording,
    /// It is written down.
    Recorded,
    /// Somebody presses "Done".
    Answering,
}

const STEPS: [Step; 6] = [
    Step::Claiming,
    Step::Claimed,
    Step::Notified,
    Step::Recording,
    Step::Recorded,
    Step::Answering,
];

/// A sequence that a seed decides.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs in the child until it is killed.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let Some(home) = std::env::var_os(CHILD_HOME).map(PathBuf::from) else {
        return;
    };
    let mut options = BootOptions::under(&home);
    options.surroundings.buses.session = std::env::var(CHILD_BUS).ok();
    options.clock = Clock::of(|| NINE);
    let daemon = boot(options).expect("a daemon");
    drop(daemon.wait());
}

/// A daemon that can be killed.
struct Killed(Child);

impl Killed {
    fn start(house: &House, bus: &Bus) -> Self {
        let child = Command::new(std::env::current_exe().expect("the test knows where it is"))
            .args(["--exact", "kills::child", "--ignored", "--nocapture"])
            .env(CHILD_HOME, house.folder())
            .env(CHILD_BUS, bus.address())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the test starts itself");
        Self(child)
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // SIGKILL; one that is gone already does not mind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a screen showed, by reminder.
fn by_identity(notes: &[Note]) -> BTreeMap<&str, Vec<&Note>> {
    let mut shown: BTreeMap<&str, Vec<&Note>> = BTreeMap::new();
    for note in notes {
        if !note.occurrence.is_empty() {
            shown.entry(&note.occurrence).or_default().push(note);
        }
    }
    shown
}

fn ids(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

/// The first life, up to its death. What was shown in it.
fn live_and_die(house: &House, bus: &Bus, step: Step, dice: &mut Dice, tasks: usize) -> Vec<Note> {
    let stops = match step {
        Step::Claimed => Stops::AtInformation,
        Step::Notified => Stops::AtNotify,
        _ => Stops::Never,
    };
    let server = Server::with(bus, stops, &["actions", "body", "body-markup"]);
    let daemon = Killed::start(house, bus);
    match step {
        Step::Claiming => {
            // Any moment will do: the first reminder that can be seen, or some looks before it.
            let mut looks = dice.roll(3);
            let claimed = || match house.folder().join("data/core.db-wal").exists() {
                true => !house.rows().is_empty(),
                false => false,
            };
            while !claimed() && looks > 0 {
                looks -= 1;
                std::thread::yield_now();
            }
        }
        Step::Claimed => drop(server.wait(|seen| seen.informed > 0)),
        Step::Notified | Step::Recording => drop(server.notes(1)),
        Step::Recorded => drop(house.all(tasks, "shown")),
        Step::Answering => {
            house.all(tasks, "shown");
            let note = server.notes(tasks).remove(0);
            server.press(note.id, &note.key("done"));
            if dice.roll(2) == 1 {
                house.wait(|rows| rows.iter().any(|row| row.state == "done"));
            }
        }
    }
    drop(daemon);
    server.so_far()
}

/// `just campaign-kill-reminders` plays 1,000 of them.
#[test]
fn a_daemon_killed_at_any_step_shows_each_reminder_and_again_only_as_what_it_was() {
    let Some(bus) = Bus::start("kills between claim and record") else {
        return;
    };
    let cycles = number("CONVERGIO_CYCLES").map_or(CYCLES, |count| count as usize);
    let seed = number("CONVERGIO_SEED").unwrap_or(1);
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1));
    let (mut twice, mut answered) = (0, 0);
    for cycle in 0..cycles {
        let step = STEPS[match cycle < STEPS.len() {
            true => cycle,
            false => dice.roll(STEPS.len() as u64) as usize,
        }];
        let when = format!("cycle {cycle} of seed {seed}, {step:?}");
        let house = House::new();
        let count = 1 + dice.roll(4) as usize;
        let tasks: Vec<Task> = (0..count)
            .map(|at| {
                let back = 1 + dice.roll(30) as i64;
                task(&format!("task {at}"), NINE - back * MINUTE)
            })
            .collect();
        house.put(&tasks, NINE - HOUR);
        let mut notes = live_and_die(&house, &bus, step, &mut dice, count);
        // Nothing was shown that was not written down before.
        let durable = house.rows();
        let shown = by_identity(&notes);
        assert!(
            shown.keys().all(|id| ids(&durable).contains(id)),
            "{when}: shown before it was durable"
        );
        match step {
            Step::Claimed => {
                assert!(notes.is_empty(), "{when}");
                assert!(durable.iter().all(|row| row.state == "claimed"), "{when}");
            }
            Step::Notified => {
                let told = durable.iter().any(|row| row.state == "shown");
                assert!(!told, "{when}: recorded what nobody confirmed");
            }
            Step::Recorded => assert_eq!(shown.len(), count, "{when}"),
            _ => {}
        }
        // The next life, and another server.
        let server = Server::start(&bus);
        let daemon = Killed::start(&house, &bus);
        let over = |state: &str| matches!(state, "shown" | "done" | "dismissed");
        let rows =
            house.wait(|rows| rows.len() == count && rows.iter().all(|row| over(&row.state)));
        // Of what waits, everything is on the new screen.
        let waiting = rows.iter().filter(|row| row.state == "shown").count();
        let again = server.notes(waiting);
        assert_eq!(by_identity(&again).len(), waiting, "{when}");
        drop(daemon);
        notes.extend(server.so_far());
        let rows = house.rows();
        assert_eq!(rows.len(), count, "{when}: a reminder twice: {rows:#?}");
        assert!(
            durable
                .iter()
                .all(|row| ids(&rows).contains(row.id.as_str())),
            "{when}: a reminder became another one"
        );
        let shown = by_identity(&notes);
        assert_eq!(
            shown.keys().copied().collect::<BTreeSet<_>>(),
            ids(&rows),
            "{when}: each is shown, and nothing else"
        );
        for same in shown.values() {
            let first = same[0];
            for other in same {
                assert_eq!(
                    (&other.title, &other.body, &other.stack),
                    (&first.title, &first.body, &first.stack),
                    "{when}: another identity"
                );
            }
            twice += usize::from(same.len() > 1);
        }
        answered += rows.iter().filter(|row| row.state == "done").count();
    }
    eprintln!(
        "{cycles} cycles: {twice} reminders were shown again as what they were, {answered} answered"
    );
    assert!(twice > 0 && answered > 0);
}
