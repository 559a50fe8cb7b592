//! What a durable event costs beyond the sync that it can't do without. Run by hand:
//! `cargo test --release -p convergio-runs --test latency -- --ignored --nocapture`
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "used in part here, in full by other tests")]
#[path = "../../store/tests/support/power_cut/mod.rs"]
mod power_cut;
#[expect(dead_code, reason = "used in part here, in full by other tests")]
mod support;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use convergio_runs::{Retention, Runs};
use convergio_store::{Store, StoreOptions};
use power_cut::{Disk, Plan, VFS};
use support::{finding, new_run};

const ROUNDS: u64 = 2_000;

struct Times(Vec<Duration>);

impl Times {
    fn p(&mut self, percent: usize) -> f64 {
        self.0.sort();
        self.0[self.0.len() * percent / 100].as_secs_f64() * 1e6
    }

    fn line(&mut self, what: &str) -> String {
        format!(
            "{what:<44} p50 {:8.1} µs   p99 {:8.1} µs",
            self.p(50),
            self.p(99)
        )
    }
}

async fn open(dir: &Path, vfs: bool) -> Runs {
    let mut options = StoreOptions::new(dir);
    options.vfs = vfs.then(|| VFS.into());
    let store = Store::open(&options).unwrap();
    Runs::new(store, Retention::default()).await.unwrap()
}

/// One event at a time on an idle store.
async fn appends(runs: &Runs) -> Times {
    let new = new_run();
    let id = new.id;
    runs.accept(new).await.unwrap();
    let mut times = Vec::new();
    for seq in 1..=ROUNDS {
        let events = vec![finding(id, seq)];
        let start = Instant::now();
        runs.append(id, events).await.unwrap();
        times.push(start.elapsed());
    }
    Times(times)
}

/// The floor: so many bytes into the log of the same file system, and a sync.
fn raw(dir: &Path, frames: usize) -> Times {
    let mut file = File::create(dir.join("raw")).unwrap();
    let bytes = vec![7; frames * (4096 + 24)];
    let times = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&bytes).unwrap();
            file.sync_all().unwrap();
            start.elapsed()
        })
        .collect();
    Times(times)
}

#[tokio::test]
#[ignore = "a measurement"]
async fn a_write_beyond_its_sync() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let runs = open(&dir, false).await;
    println!(
        "{}",
        raw(home.path(), 2).line("write of 2 log frames + fsync (floor)")
    );
    println!(
        "{}",
        appends(&runs).await.line("append of one event, real disk")
    );
    println!(
        "{}",
        raw(home.path(), 2).line("write of 2 log frames + fsync (floor), again")
    );

    let mut times = Times(Vec::new());
    let id = runs
        .list(convergio_runs::ListFilter::default())
        .await
        .unwrap()
        .runs[0]
        .id;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        runs.events(id, ROUNDS - 10, 100).await.unwrap();
        times.0.push(start.elapsed());
    }
    println!("{}", times.line("read of 10 events"));

    let start = Instant::now();
    let all: Vec<_> = (0..64)
        .map(|_| {
            let runs = runs.clone();
            tokio::spawn(async move {
                let new = new_run();
                let id = new.id;
                runs.accept(new).await.unwrap();
                for seq in 1..=50 {
                    runs.append(id, vec![finding(id, seq)]).await.unwrap();
                }
            })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    let took = start.elapsed();
    println!(
        "64 runs at once, 51 durable writes each: {:.0} writes/s",
        64.0 * 51.0 / took.as_secs_f64()
    );
    runs.store().clone().close().await.unwrap();

    let started = Instant::now();
    let runs = open(&dir, false).await;
    println!(
        "open of an existing store + tenant look-up: {:.1} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    runs.store().clone().close().await.unwrap();

    let disk = Disk::install(&dir);
    let runs = open(&dir, true).await;
    appends(&runs).await;
    disk.arm(Plan::default(), 0);
    let mut times = appends(&runs).await;
    println!("{}", times.line("append of one event, syncs for nothing"));
    println!(
        "  with {:.3} syncs and {:.2} writes per append",
        disk.syncs() as f64 / ROUNDS as f64,
        (disk.operations() - disk.syncs()) as f64 / ROUNDS as f64
    );
}
