//! Power cuts and failing syncs under the store: what was answered stays, and nothing is half.
//!
//! `CONVERGIO_CYCLES` sets the number of seeds (100 otherwise, four cuts each); a failure prints its seed
//! and `CONVERGIO_SEED` runs just that one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/power_cut/mod.rs"]
mod power_cut;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use convergio_store::{DATABASE_FILE, Health, Migration, Store, StoreError, StoreOptions, at};
use power_cut::{Disk, Plan, Rng, VFS};

const PAIRS: &[Migration] = &[Migration {
    version: 1,
    name: "pairs",
    sql: "CREATE TABLE left_half (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
          CREATE TABLE right_half (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;",
}];

fn options(dir: &Path) -> StoreOptions {
    let mut options = StoreOptions::new(dir);
    options.migrations = PAIRS;
    options.vfs = Some(VFS.into());
    options
}

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("CONVERGIO_SEED") {
        return vec![seed];
    }
    (0..number("CONVERGIO_CYCLES").unwrap_or(100)).collect()
}

/// Two rows in two tables, one transaction.
async fn put(store: &Store, n: i64, size: usize) -> Result<(), StoreError> {
    store
        .write("put a pair", move |tx| {
            let body = "x".repeat(size);
            for table in ["left_half", "right_half"] {
                tx.execute(
                    &format!("INSERT INTO {table} (n, body) VALUES (?1, ?2)"),
                    (n, &body),
                )
                .map_err(at(tx, "put a pair"))?;
            }
            Ok(())
        })
        .await
}

async fn present(store: &Store) -> (BTreeSet<i64>, BTreeSet<i64>) {
    store
        .read("read pairs", |conn| {
            let half = |table: &str| {
                conn.prepare(&format!("SELECT n FROM {table}"))
                    .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
                    .map_err(at(conn, "read pairs"))
            };
            Ok::<_, StoreError>((half("left_half")?, half("right_half")?))
        })
        .await
        .unwrap()
}

/// Writes from several tasks at once until the numbers are used up or the disk is dead. Answers
/// what was acknowledged, and how many were refused.
async fn traffic(store: &Store, disk: &Arc<Disk>, rng: &mut Rng, from: i64) -> (Vec<i64>, usize) {
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (store, disk, mut rng) = (store.clone(), Arc::clone(disk), Rng::new(rng.next()));
            tokio::spawn(async move {
                let (mut acknowledged, mut refused) = (Vec::new(), 0);
                for n in 0..6 {
                    let n = from + task * 6 + n;
                    let size = 1 + rng.below(9_000) as usize;
                    match put(&store, n, size).await {
                        Ok(()) => acknowledged.push(n),
                        Err(_) => refused += 1,
                    }
                    if rng.below(12) == 0 {
                        let _ = store.scrub().await;
                    }
                    if disk.is_dead() {
                        break;
                    }
                }
                (acknowledged, refused)
            })
        })
        .collect();
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for task in tasks {
        let (some, not) = task.await.unwrap();
        acknowledged.extend(some);
        refused += not;
    }
    (acknowledged, refused)
}

async fn check(store: &Store, acknowledged: &BTreeSet<i64>, what: &str) {
    let (left, right) = present(store).await;
    let lost: Vec<_> = acknowledged.difference(&left).collect();
    assert!(lost.is_empty(), "{what}: acknowledged and lost: {lost:?}");
    assert_eq!(left, right, "{what}: half a transaction");
    let problems = store.integrity_check().await.unwrap();
    assert!(problems.is_empty(), "{what}: {problems:?}");
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_to_a_power_cut() {
    let (mut cuts, mut kept) = (0, 0);
    for seed in seeds() {
        let what = format!("seed {seed}");
        let mut rng = Rng::new(seed);
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        let mut acknowledged = BTreeSet::new();
        drop(Store::open(&plain(&dir)).unwrap().close().await);
        let disk = Disk::install(&dir);
        for cycle in 0..4 {
            let plan = Plan {
                cut_at: Some(1 + rng.below(150)),
                ..Plan::default()
            };
            disk.arm(plan, rng.next());
            if let Ok(store) = Store::open(&options(&dir)) {
                let (some, _) = traffic(&store, &disk, &mut rng, cycle * 100).await;
                acknowledged.extend(some);
                let _ = store.close().await;
            }
            cuts += usize::from(disk.is_dead());
            disk.crash();
            disk.arm(Plan::default(), 0);
            let store = Store::open(&options(&dir)).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(store.health(), Health::Ok, "{what}");
            check(&store, &acknowledged, &what).await;
            store.close().await.unwrap();
        }
        kept += acknowledged.len();
        power_cut::remove(&disk);
    }
    let few = seeds().len() < 100;
    println!("{cuts} power cuts, {kept} acknowledged transactions kept");
    assert!(few || (cuts > 0 && kept > 0), "the test tested nothing");
}

#[tokio::test]
async fn what_a_reader_saw_after_a_crash_survives_a_power_cut() {
    let mut seen_unsynced = 0;
    for seed in seeds() {
        let what = format!("seed {seed}");
        let mut rng = Rng::new(seed);
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        drop(Store::open(&plain(&dir)).unwrap().close().await);
        let disk = Disk::install(&dir);
        let plan = Plan {
            kill_at: Some(5 + rng.below(60)),
            ..Plan::default()
        };
        disk.arm(plan, rng.next());
        let mut acknowledged = BTreeSet::new();
        if let Ok(store) = Store::open(&options(&dir)) {
            let (some, _) = traffic(&store, &disk, &mut rng, 0).await;
            acknowledged.extend(some);
            let _ = store.close().await;
        }
        disk.restart();
        let store = Store::open(&options(&dir)).unwrap_or_else(|e| panic!("{what}: {e}"));
        check(&store, &acknowledged, &what).await;
        let (seen, _) = present(&store).await;
        seen_unsynced += seen.difference(&acknowledged).count();
        let plan = Plan {
            cut_at: Some(1),
            ..Plan::default()
        };
        disk.arm(plan, rng.next());
        let _ = store.close().await;
        disk.crash();
        let store = Store::open(&options(&dir)).unwrap_or_else(|e| panic!("{what}: {e}"));
        check(&store, &seen, &format!("{what}, seen before")).await;
        store.close().await.unwrap();
        power_cut::remove(&disk);
    }
    let few = seeds().len() < 100;
    println!("{seen_unsynced} transactions seen that nobody had acknowledged");
    assert!(few || seen_unsynced > 0, "the test tested nothing");
}

#[tokio::test]
async fn a_failed_sync_is_an_error_and_what_follows_it_is_durable() {
    let (mut errors, mut kept) = (0, 0);
    for seed in seeds() {
        let what = format!("seed {seed}");
        let mut rng = Rng::new(seed);
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        drop(Store::open(&plain(&dir)).unwrap().close().await);
        let disk = Disk::install(&dir);
        let plan = Plan {
            sync_error_at: Some(1 + rng.below(60)),
            cut_at: Some(80 + rng.below(150)),
            ..Plan::default()
        };
        disk.arm(plan, rng.next());
        let mut acknowledged = BTreeSet::new();
        if let Ok(store) = Store::open(&options(&dir)) {
            for round in 0..3 {
                let (some, refused) = traffic(&store, &disk, &mut rng, round * 100).await;
                acknowledged.extend(some);
                errors += refused;
                let healthy = put(&store, 1_000 + round, 10).await.is_ok();
                if healthy {
                    acknowledged.insert(1_000 + round);
                    assert_eq!(
                        store.health(),
                        Health::Ok,
                        "{what}: a write that works is health"
                    );
                } else {
                    assert!(matches!(store.health(), Health::Failing { .. }), "{what}");
                }
            }
            let _ = store.close().await;
        }
        disk.crash();
        let store = Store::open(&options(&dir)).unwrap_or_else(|e| panic!("{what}: {e}"));
        check(&store, &acknowledged, &what).await;
        store.close().await.unwrap();
        kept += acknowledged.len();
        power_cut::remove(&disk);
    }
    let few = seeds().len() < 100;
    println!("{errors} refused writes, {kept} acknowledged transactions kept");
    assert!(few || (errors > 0 && kept > 0), "the test tested nothing");
}

#[tokio::test]
async fn a_write_costs_one_sync() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    drop(Store::open(&plain(&dir)).unwrap().close().await);
    let disk = Disk::install(&dir);
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, 0, 10).await.unwrap();
    disk.arm(Plan::default(), 0);
    for n in 1..=10 {
        put(&store, n, 100).await.unwrap();
        assert_eq!(disk.syncs(), n.unsigned_abs());
    }
    let operations = disk.operations();
    present(&store).await;
    assert_eq!(disk.operations(), operations, "reading changes nothing");
}

#[tokio::test]
async fn waiting_jobs_share_a_sync() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    drop(Store::open(&plain(&dir)).unwrap().close().await);
    let disk = Disk::install(&dir);
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, 0, 10).await.unwrap();
    disk.arm(Plan::default(), 0);
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (go, gate) = std::sync::mpsc::sync_channel::<()>(1);
    let hold = store.write("hold", move |_| {
        started.send(()).unwrap();
        gate.recv().unwrap();
        Ok::<_, StoreError>(())
    });
    let puts = async {
        has_started.await.unwrap();
        let mut all: Vec<_> = (1..=50).map(|n| Box::pin(put(&store, n, 10))).collect();
        // Polled once, each is in the queue.
        for one in &mut all {
            assert!(
                std::future::poll_fn(|cx| {
                    std::task::Poll::Ready(one.as_mut().poll(cx).is_pending())
                })
                .await
            );
        }
        go.send(()).unwrap();
        for one in all {
            one.await.unwrap();
        }
    };
    let (held, ()) = tokio::join!(hold, puts);
    held.unwrap();
    assert_eq!(disk.syncs(), 1);
    assert_eq!(present(&store).await.0.len(), 51);
}

#[tokio::test]
async fn a_disk_that_fills_up_is_read_only_until_it_has_room() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    drop(Store::open(&plain(&dir)).unwrap().close().await);
    let disk = Disk::install(&dir);
    let store = Store::open(&options(&dir)).unwrap();
    let mut health = store.watch_health();
    put(&store, 1, 10).await.unwrap();
    disk.arm(
        Plan {
            full_from: Some(0),
            ..Plan::default()
        },
        0,
    );
    for _ in 0..3 {
        let error = put(&store, 2, 10).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::DiskFull { path, .. } if path.ends_with(DATABASE_FILE)),
            "{error}"
        );
    }
    assert!(matches!(store.health(), Health::ReadOnly { why } if why.contains("no space")));
    assert!(health.has_changed().unwrap());
    health.mark_unchanged();
    assert_eq!(present(&store).await.0.len(), 1);
    disk.arm(Plan::default(), 0);
    put(&store, 2, 10).await.unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert!(health.has_changed().unwrap());
}

#[tokio::test]
async fn a_disk_that_fills_up_in_mid_statement_says_so_too() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    drop(Store::open(&plain(&dir)).unwrap().close().await);
    let disk = Disk::install(&dir);
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, 1, 10).await.unwrap();
    disk.arm(
        Plan {
            full_from: Some(20),
            ..Plan::default()
        },
        0,
    );
    // Larger than the page cache, so that the log is written before the commit.
    let error = put(&store, 2, 8 << 20).await.unwrap_err();
    assert!(matches!(&error, StoreError::DiskFull { .. }), "{error}");
    assert!(matches!(store.health(), Health::ReadOnly { .. }));
    disk.arm(Plan::default(), 0);
    put(&store, 2, 8 << 20).await.unwrap();
    assert_eq!(store.health(), Health::Ok);
    check(&store, &BTreeSet::from([1, 2]), "with room again").await;
}

/// The same database on the usual file system: made once, before the cuts begin.
fn plain(dir: &Path) -> StoreOptions {
    let mut options = options(dir);
    options.vfs = None;
    options
}
