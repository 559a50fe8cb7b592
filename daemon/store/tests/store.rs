//! The store as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use convergio_store::{DATABASE_FILE, Health, Migration, Store, StoreError, StoreOptions, at};

const NOTES: &[Migration] = &[Migration {
    version: 1,
    name: "notes",
    sql: "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT;",
}];

fn options(dir: &Path) -> StoreOptions {
    let mut options = StoreOptions::new(dir);
    options.migrations = NOTES;
    options
}

async fn put(store: &Store, body: String) -> Result<i64, StoreError> {
    store
        .write("put a note", move |tx| {
            tx.execute("INSERT INTO note (body) VALUES (?1)", [body])
                .map_err(at(tx, "put a note"))?;
            Ok(tx.last_insert_rowid())
        })
        .await
}

async fn count(store: &Store) -> i64 {
    store
        .read("count notes", |conn| {
            conn.query_row("SELECT count(*) FROM note", [], |row| row.get(0))
                .map_err(at(conn, "count notes"))
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let store = Store::open(&options(&dir)).unwrap();
    assert_eq!(store.health(), Health::Ok);
    put(&store, "one".into()).await.unwrap();
    assert_eq!(count(&store).await, 1);
    store.close().await.unwrap();
    assert!(
        !dir.join("core.db-wal").exists(),
        "a clean end leaves no log"
    );
    let store = Store::open(&options(&dir)).unwrap();
    assert_eq!(count(&store).await, 1);
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn folder_and_files_are_private() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("a").join("data");
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, "one".into()).await.unwrap();
    count(&store).await;
    assert_eq!(dir.metadata().unwrap().mode() & 0o7777, 0o700);
    for name in [DATABASE_FILE, "core.db-wal", "core.db-shm"] {
        let mode = dir.join(name).metadata().unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o600, "{name} has mode {mode:o}");
    }
}

#[tokio::test]
async fn a_folder_that_others_can_write_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("open");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o770)).unwrap();
    let error = Store::open(&options(&dir)).unwrap_err();
    assert!(matches!(error, StoreError::UnsafeFolder { .. }), "{error}");
    let dir = home.path().join("linked");
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", dir.join(DATABASE_FILE)).unwrap();
    let error = Store::open(&options(&dir)).unwrap_err();
    assert!(matches!(error, StoreError::UnsafeFolder { .. }), "{error}");
}

#[tokio::test]
async fn the_settings_are_those_of_the_contract() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&options(&home.path().join("d"))).unwrap();
    let read = store
        .read("read settings", |conn| settings(conn, &["query_only"]))
        .await
        .unwrap();
    assert_eq!(read, [2, 1, 1, 0, 1]);
    let written = store
        .write("read settings", |tx| settings(tx, &["wal_autocheckpoint"]))
        .await
        .unwrap();
    assert_eq!(written, [2, 1, 1, 0, 0]);
}

/// synchronous (2 is FULL), `foreign_keys`, `secure_delete`, `trusted_schema`, then the others.
fn settings(conn: &rusqlite::Connection, others: &[&str]) -> Result<Vec<i64>, StoreError> {
    [
        "synchronous",
        "foreign_keys",
        "secure_delete",
        "trusted_schema",
    ]
    .iter()
    .chain(others)
    .map(|name| {
        conn.pragma_query_value(None, name, |row| row.get(0))
            .map_err(at(conn, "read settings"))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_job_leaves_its_neighbours_alone() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&options(&home.path().join("d"))).unwrap();
    put(&store, "taken".into()).await.unwrap();
    // The first job holds the writer until all others are queued, so that they share a transaction.
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (go, gate) = std::sync::mpsc::sync_channel::<()>(1);
    let holder = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write("hold", move |_| {
                    started.send(()).unwrap();
                    gate.recv().unwrap();
                    Ok::<_, StoreError>(())
                })
                .await
        }
    });
    has_started.await.unwrap();
    let polled = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..20)
        .map(|n| {
            let (store, polled) = (store.clone(), Arc::clone(&polled));
            tokio::spawn(async move {
                polled.fetch_add(1, Ordering::SeqCst);
                match n {
                    3 => put(&store, "taken".into()).await.map(|_| ()),
                    7 => store.write("panic", |_| panic!("on purpose")).await,
                    11 => {
                        store
                            .write("half", |tx| {
                                tx.execute("INSERT INTO note (body) VALUES ('half')", [])
                                    .unwrap();
                                Err(StoreError::Closed { activity: "half" })
                            })
                            .await
                    }
                    n => put(&store, n.to_string()).await.map(|_| ()),
                }
            })
        })
        .collect();
    while polled.load(Ordering::SeqCst) < 20 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    holder.await.unwrap().unwrap();
    let mut failed = Vec::new();
    for (n, job) in jobs.into_iter().enumerate() {
        if let Err(error) = job.await.unwrap() {
            failed.push((n, error));
        }
    }
    assert!(
        matches!(
            &failed[..],
            [
                (3, StoreError::Sql { .. }),
                (7, StoreError::Panicked { .. }),
                (11, StoreError::Closed { .. })
            ]
        ),
        "{failed:?}"
    );
    assert_eq!(count(&store).await, 18);
}

#[tokio::test]
async fn a_job_that_ends_the_transaction_is_an_error_and_keeps_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&options(&home.path().join("d"))).unwrap();
    let error = store
        .write("cheat", |tx| {
            tx.execute_batch("INSERT INTO note (body) VALUES ('x'); ROLLBACK")
                .map_err(at(tx, "cheat"))
        })
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::TransactionEnded { .. }),
        "{error}"
    );
    assert_eq!(count(&store).await, 0);
    put(&store, "next".into()).await.unwrap();
    assert_eq!(store.health(), Health::Ok);
}

#[tokio::test]
async fn readers_cannot_write() {
    let home = tempfile::tempdir().unwrap();
    for store in [
        Store::open(&options(&home.path().join("d"))).unwrap(),
        Store::in_memory(&options(home.path()), "test").unwrap(),
    ] {
        let error = store
            .read("sneak", |conn| {
                conn.execute("INSERT INTO note (body) VALUES ('x')", [])
                    .map_err(at(conn, "sneak"))
            })
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        put(&store, "still".into()).await.unwrap();
        assert_eq!(count(&store).await, 1);
    }
}

#[tokio::test]
async fn a_reader_sees_one_state() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&options(&home.path().join("d"))).unwrap();
    put(&store, "one".into()).await.unwrap();
    let (first, seen) = tokio::sync::oneshot::channel();
    let (go, gate) = std::sync::mpsc::sync_channel::<()>(1);
    let reading = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .read("read twice", move |conn| {
                    let count = || {
                        conn.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0))
                            .map_err(at(conn, "read twice"))
                    };
                    let before = count()?;
                    first.send(()).unwrap();
                    gate.recv().unwrap();
                    Ok::<_, StoreError>((before, count()?))
                })
                .await
        }
    });
    seen.await.unwrap();
    put(&store, "two".into()).await.unwrap();
    go.send(()).unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), (1, 1));
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn memory_is_unsaved_and_works() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::in_memory(&options(home.path()), "the disk is full").unwrap();
    put(&store, "one".into()).await.unwrap();
    assert_eq!(count(&store).await, 1);
    assert_eq!(store.path(), None);
    assert!(matches!(store.health(), Health::Unsaved { why } if why == "the disk is full"));
    assert!(store.scrub().await.unwrap());
    let copy = home.path().join("copy.db");
    assert_eq!(store.backup_to(&copy).await.unwrap().version, 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&options(&home.path().join("d"))).unwrap();
    let other = store.clone();
    store.close().await.unwrap();
    let error = put(&other, "late".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed { .. }), "{error}");
    let error = other
        .read("late", |_| Ok::<_, StoreError>(()))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Closed { .. }), "{error}");
    other.close().await.unwrap();
}

#[tokio::test]
async fn the_log_is_bounded() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("d");
    let store = Store::open(&options(&dir)).unwrap();
    let mut largest = 0;
    for n in 0..60 {
        put(&store, format!("{n}{}", "x".repeat(400_000)))
            .await
            .unwrap();
        largest = largest.max(dir.join("core.db-wal").metadata().unwrap().len());
    }
    assert!(
        largest < 6 << 20,
        "the log reached {largest} bytes for 24 MB written"
    );
    assert!(store.scrub().await.unwrap());
    assert_eq!(dir.join("core.db-wal").metadata().unwrap().len(), 0);
}

#[tokio::test]
async fn a_damaged_file_is_a_typed_error() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("d");
    let store = Store::open(&options(&dir)).unwrap();
    for n in 0..50 {
        put(&store, format!("{n}{}", "x".repeat(1_000)))
            .await
            .unwrap();
    }
    store.close().await.unwrap();
    let file = dir.join(DATABASE_FILE);
    assert_eq!(
        convergio_store::integrity_check(&file).unwrap(),
        Vec::<String>::new()
    );

    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4096 * 3..4096 * 5].fill(0x5a);
    std::fs::write(&file, &bytes).unwrap();
    let problems = convergio_store::integrity_check(&file);
    assert!(
        matches!(&problems, Err(StoreError::Damaged { .. }))
            || problems.is_ok_and(|p| !p.is_empty())
    );

    std::fs::write(
        &file,
        b"not a database at all, but long enough to be looked at as one",
    )
    .unwrap();
    let error = Store::open(&options(&dir)).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("core.db"), "{error}");
}
