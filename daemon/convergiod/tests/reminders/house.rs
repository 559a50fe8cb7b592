//! A home with tasks in it, and daemons that live there one after the other.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use convergio_store::{Connection, Store, StoreOptions};
use convergio_tasks::{
    Basis, Repeat,
    book::{self, BookError, Fields, NewTask, NewTimes, Priority},
};
use convergiod::{BootOptions, Clock, Running, boot};
use jiff::{Timestamp, tz::TimeZone};
use tempfile::TempDir;
use uuid::Uuid;

use crate::desk::LIMIT;

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Sunday, 22 November 2026, 09:00 UTC.
pub(crate) const NINE: i64 = 1_795_338_000_000;

/// A time as a reminder says it here: `Sun 22 Nov, 09:00`.
pub(crate) fn said(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).expect("a time");
    let here = TimeZone::system().to_datetime(at);
    here.strftime("%a %-d %b, %H:%M").to_string()
}

/// A task to be written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Task {
    pub(crate) title: String,
    pub(crate) notes: String,
    pub(crate) due_ms: i64,
    pub(crate) rrule: Option<String>,
    pub(crate) urgent: bool,
}

/// A task due at some time.
pub(crate) fn task(title: &str, due_ms: i64) -> Task {
    Task {
        title: title.to_owned(),
        due_ms,
        ..Task::default()
    }
}

/// A reminder as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) task: u64,
    pub(crate) state: String,
    pub(crate) missed: u32,
    pub(crate) due_ms: i64,
}

/// A home, and the time in it.
pub(crate) struct House {
    home: TempDir,
    now_ms: Arc<AtomicI64>,
}

impl House {
    /// It is nine o'clock.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("config")).expect("a folder");
        Self {
            home,
            now_ms: Arc::new(AtomicI64::new(NINE)),
        }
    }

    /// The same, for another process.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// Writes the settings.
    pub(crate) fn configure(&self, settings: &str) {
        std::fs::write(self.home.path().join("config/config.toml"), settings).expect("a file");
    }

    /// It is another time. A daemon hears of it by [`Running::look_at_the_clock`].
    pub(crate) fn set_clock(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// A daemon whose session bus is there.
    pub(crate) fn boot(&self, bus: Option<String>) -> Running {
        let mut options = BootOptions::under(self.home.path());
        options.surroundings.buses.session = bus;
        let now_ms = Arc::clone(&self.now_ms);
        options.clock = Clock::of(move || now_ms.load(Ordering::SeqCst));
        boot(options).expect("a daemon")
    }

    /// Writes tasks down while no daemon runs. What time it is then decides what has passed.
    pub(crate) fn put(&self, tasks: &[Task], now_ms: i64) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let new: Vec<NewTask> = tasks.iter().map(new_task).collect();
        runtime.block_on(async {
            let options = StoreOptions::new(&self.home.path().join("data"));
            let store = Store::open(&options).expect("a database");
            let write = store.write("write tasks down", move |tx| {
                let tenant = convergio_runs::local_tenant(tx).expect("a tenant");
                let profile = convergio_runs::local_profile(tx, tenant).expect("a profile");
                for task in &new {
                    book::create(tx, tenant.id(), profile, task, now_ms)?;
                }
                Ok::<_, BookError>(())
            });
            write.await.expect("tasks are written");
            store.close().await.expect("it closes");
        });
    }

    /// Every reminder, oldest first.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let database = Connection::open(self.home.path().join("data/core.db")).expect("a database");
        let mut statement = database
            .prepare(
                "SELECT o.id, t.number, o.state, o.missed, o.due_ms FROM occurrence o
                 JOIN task t ON t.id = o.task_id ORDER BY o.fired_ms, o.id",
            )
            .expect("a table");
        let rows = statement.query_map([], |row| {
            let id: [u8; 16] = row.get(0)?;
            Ok(Row {
                id: Uuid::from_bytes(id).to_string(),
                task: u64::try_from(row.get::<_, i64>(1)?).expect("a number"),
                state: row.get(2)?,
                missed: row.get(3)?,
                due_ms: row.get(4)?,
            })
        });
        rows.expect("rows").map(|row| row.expect("a row")).collect()
    }

    /// Waits until the reminders are so.
    pub(crate) fn wait(&self, so: impl Fn(&[Row]) -> bool) -> Vec<Row> {
        let begun = Instant::now();
        loop {
            let rows = self.rows();
            if so(&rows) {
                return rows;
            }
            assert!(begun.elapsed() < LIMIT, "it did not come: {rows:#?}");
            // The database tells nobody; whoever reads it lets the daemon write.
            std::thread::yield_now();
        }
    }

    /// Waits until every reminder is in this state, and there are so many.
    pub(crate) fn all(&self, count: usize, state: &str) -> Vec<Row> {
        self.wait(|rows| rows.len() == count && rows.iter().all(|row| row.state == state))
    }
}

fn new_task(task: &Task) -> NewTask {
    let due = Timestamp::from_millisecond(task.due_ms).expect("a time");
    NewTask {
        id: Uuid::now_v7(),
        request_hash: None,
        uid: None,
        fields: Fields {
            title: Some(task.title.clone()),
            notes: Some(task.notes.clone()),
            priority: task.urgent.then_some(Some(Priority::High)),
            times: Some(Some(NewTimes {
                due: TimeZone::UTC.to_datetime(due),
                zone: "UTC".to_owned(),
                all_day: false,
            })),
            repeat: task.rrule.clone().map(|rrule| {
                Some(Repeat {
                    rrule,
                    basis: Basis::Schedule,
                })
            }),
            ..Fields::default()
        },
        created_ms: None,
        completed_ms: None,
    }
}
