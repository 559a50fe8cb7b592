//! A disk that is really full: a small tmpfs in a mount namespace of its own.
//!
//! Needs `unshare` and the right to mount (root, or user namespaces). Where that is missing the
//! test says so and skips, unless `CONVERGIO_REQUIRE_SERVICES=1`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use convergio_store::{
    DATABASE_FILE, Health, Migration, Store, StoreError, StoreOptions, at, integrity_check,
};

const DISK: &str = "CONVERGIO_TEST_FULL_DISK";

const ONE: Migration = Migration {
    version: 1,
    name: "one",
    sql: "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;",
};

const TWO: &[Migration] = &[
    ONE,
    Migration {
        version: 2,
        name: "two",
        sql: "ALTER TABLE note ADD COLUMN title TEXT NOT NULL DEFAULT '';",
    },
];

fn options(dir: &Path) -> StoreOptions {
    let mut options = StoreOptions::new(dir);
    options.migrations = &[ONE];
    options
}

async fn put(store: &Store, body: &str) -> Result<(), StoreError> {
    let body = body.to_string();
    store
        .write("put a note", move |tx| {
            tx.execute("INSERT INTO note (body) VALUES (?1)", [body])
                .map(|_| ())
                .map_err(at(tx, "put a note"))
        })
        .await
}

async fn notes(store: &Store) -> Vec<String> {
    store
        .read("read notes", |conn| {
            conn.prepare("SELECT body FROM note ORDER BY id")
                .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
                .map_err(at(conn, "read notes"))
        })
        .await
        .unwrap()
}

fn assert_no_space(store: &Store) {
    let health = store.health();
    let said = matches!(&health, Health::ReadOnly { why } if why.contains("no space is left"));
    assert!(said, "{health:?}");
}

/// Takes all the room that is left, to the last byte.
struct Filler(PathBuf);

impl Filler {
    fn new(disk: &Path) -> Self {
        let path = disk.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        for size in [65_536, 4_096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        Self(path)
    }

    /// Gives it back.
    fn free(self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// Takes every file name that is left.
fn fill_names(disk: &Path) -> Vec<PathBuf> {
    (0..)
        .map(|n| disk.join(format!("name-{n}")))
        .take_while(|path| fs::File::create(path).is_ok())
        .collect()
}

#[test]
fn a_full_disk_stops_writes_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let root = rustix::process::geteuid().is_root();
    let script =
        "mount -t tmpfs -o size=2m,nr_inodes=64,mode=0700 tmpfs \"$1\" && shift && exec \"$@\"";
    let child = Command::new("unshare")
        .args(if root { &["-m"][..] } else { &["-rm"][..] })
        .args(["sh", "-c", script, "sh"])
        .arg(home.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "inside", "--ignored", "--nocapture"])
        .env(DISK, home.path())
        .output();
    let required = std::env::var("CONVERGIO_REQUIRE_SERVICES").is_ok_and(|set| set == "1");
    match child {
        Ok(out) => {
            let (stdout, stderr) = (
                String::from_utf8_lossy(&out.stdout),
                String::from_utf8_lossy(&out.stderr),
            );
            if stdout.contains("running 1 test") {
                assert!(out.status.success(), "{stdout}\n{stderr}");
                assert!(stdout.contains("every scenario ran"), "{stdout}\n{stderr}");
                return;
            }
            assert!(!required, "no mount namespace: {stderr}");
            let line = format!("SKIPPED the full disk: no mount namespace here: {stderr}\n");
            // Not `eprintln!`, which is kept from sight where a test passes.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        }
        Err(error) => {
            assert!(!required, "no unshare: {error}");
            let line = format!("SKIPPED the full disk: no unshare here: {error}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        }
    }
}

/// Runs inside of the namespace.
#[tokio::test]
#[ignore = "started by the test above"]
async fn inside() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return;
    };
    no_database_and_no_room(&disk.clone()).await;
    filling_up_while_open(&disk.clone()).await;
    a_full_disk_lends_the_log_its_own_room(&disk.clone()).await;
    full_at_the_start(&disk.clone()).await;
    full_at_the_start_after_a_crash(&disk.clone()).await;
    no_name_left_at_the_start(&disk.clone()).await;
    no_room_to_migrate(&disk.clone()).await;
    a_disk_that_is_read_only(&disk.clone()).await;
    println!("every scenario ran");
}

async fn no_database_and_no_room(disk: &Path) {
    let dir = disk.join("new");
    let filler = Filler::new(disk);
    let store = Store::open(&options(&dir)).unwrap();
    assert!(
        matches!(store.health(), Health::Unsaved { why } if why.contains("no space is left")),
        "{:?}",
        store.health()
    );
    put(&store, "in memory").await.unwrap();
    assert_eq!(notes(&store).await, ["in memory"]);
    assert!(
        matches!(store.health(), Health::Unsaved { .. }),
        "a write that works saves nothing"
    );
    store.close().await.unwrap();
    filler.free();
    let store = Store::open(&options(&dir)).unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert!(notes(&store).await.is_empty());
    store.close().await.unwrap();
    fs::remove_dir_all(&dir).unwrap();
}

async fn filling_up_while_open(disk: &Path) {
    let dir = disk.join("filling");
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, "before").await.unwrap();
    let filler = Filler::new(disk);
    let large = "x".repeat(100_000);
    for _ in 0..2 {
        let error = put(&store, &large).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::DiskFull { path, .. } if path.ends_with(DATABASE_FILE)),
            "{error}"
        );
    }
    assert!(matches!(store.health(), Health::ReadOnly { .. }));
    assert_eq!(notes(&store).await, ["before"]);
    let error = store.backup_to(&disk.join("copy.db")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::DiskFull { path, .. } if path.ends_with("copy.db")),
        "{error}"
    );
    assert!(
        !disk.join("copy.db.partial").exists(),
        "a failed backup leaves nothing"
    );
    filler.free();
    put(&store, "after").await.unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert_eq!(notes(&store).await, ["before", "after"]);
    store.close().await.unwrap();
    fs::remove_dir_all(&dir).unwrap();
}

async fn a_full_disk_lends_the_log_its_own_room(disk: &Path) {
    let dir = disk.join("log");
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, "0").await.unwrap();
    // From here on only the log grows.
    assert!(store.scrub().await.unwrap());
    let change = async |n: i64| {
        store
            .write("change a note", move |tx| {
                tx.execute("UPDATE note SET body = ?1", [n.to_string()])
                    .map(|_| ())
                    .map_err(at(tx, "change a note"))
            })
            .await
    };
    for n in 1..=20 {
        change(n).await.unwrap();
    }
    let filler = Filler::new(disk);
    let error: StoreError = change(21).await.unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    change(22).await.unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert_eq!(notes(&store).await, ["22"]);
    store.close().await.unwrap();
    filler.free();
    fs::remove_dir_all(&dir).unwrap();
}

async fn full_at_the_start(disk: &Path) {
    let dir = disk.join("start");
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, "before").await.unwrap();
    store.close().await.unwrap();
    let filler = Filler::new(disk);
    let store = Store::open(&options(&dir)).unwrap();
    assert_no_space(&store);
    assert_eq!(notes(&store).await, ["before"]);
    let error = put(&store, "no").await.unwrap_err();
    assert!(error.is_unwritable(), "{error}");
    assert_eq!(notes(&store).await, ["before"]);
    filler.free();
    put(&store, "after").await.unwrap();
    assert_eq!(store.health(), Health::Ok);
    store.close().await.unwrap();
    let store = Store::open(&options(&dir)).unwrap();
    assert_eq!(notes(&store).await, ["before", "after"]);
    store.close().await.unwrap();
    fs::remove_dir_all(&dir).unwrap();
}

async fn full_at_the_start_after_a_crash(disk: &Path) {
    let (live, dir) = (disk.join("live"), disk.join("crashed"));
    let store = Store::open(&options(&live)).unwrap();
    put(&store, "in the log").await.unwrap();
    fs::create_dir(&dir).unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("{DATABASE_FILE}{suffix}");
        fs::copy(live.join(&name), dir.join(&name)).unwrap();
    }
    store.close().await.unwrap();
    fs::remove_dir_all(&live).unwrap();
    let filler = Filler::new(disk);
    let store = Store::open(&options(&dir)).unwrap();
    assert_no_space(&store);
    assert_eq!(notes(&store).await, ["in the log"]);
    let large = "x".repeat(100_000);
    let error = put(&store, &large).await.unwrap_err();
    assert!(error.is_unwritable(), "{error}");
    filler.free();
    put(&store, "after").await.unwrap();
    store.close().await.unwrap();
    let store = Store::open(&options(&dir)).unwrap();
    assert_eq!(notes(&store).await, ["in the log", "after"]);
    store.close().await.unwrap();
    fs::remove_dir_all(&dir).unwrap();
}

async fn no_name_left_at_the_start(disk: &Path) {
    let dir = disk.join("names");
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, "before").await.unwrap();
    store.close().await.unwrap();
    let names = fill_names(disk);
    let store = Store::open(&options(&dir)).unwrap();
    assert_no_space(&store);
    assert_eq!(notes(&store).await, ["before"]);
    let error = put(&store, "no").await.unwrap_err();
    assert!(error.is_unwritable(), "{error}");
    for name in names {
        fs::remove_file(name).unwrap();
    }
    put(&store, "after").await.unwrap();
    assert_eq!(store.health(), Health::Ok);
    store.close().await.unwrap();
    let store = Store::open(&options(&dir)).unwrap();
    assert_eq!(notes(&store).await, ["before", "after"]);
    store.close().await.unwrap();
    fs::remove_dir_all(&dir).unwrap();
}

async fn no_room_to_migrate(disk: &Path) {
    let dir = disk.join("older");
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, "older").await.unwrap();
    store.close().await.unwrap();
    let before = fs::read(dir.join(DATABASE_FILE)).unwrap();
    let filler = Filler::new(disk);
    let mut newer = options(&dir);
    newer.migrations = TWO;
    let store = Store::open(&newer).unwrap();
    assert!(
        matches!(store.health(), Health::Unsaved { .. }),
        "{:?}",
        store.health()
    );
    put(&store, "in memory").await.unwrap();
    store.close().await.unwrap();
    assert_eq!(fs::read(dir.join(DATABASE_FILE)).unwrap(), before);
    filler.free();
    let store = Store::open(&newer).unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert_eq!(notes(&store).await, ["older"]);
    store.close().await.unwrap();
    fs::remove_dir_all(&dir).unwrap();
}

fn remount(disk: &Path, how: &str) {
    let done = Command::new("mount")
        .args(["-o", &format!("remount,{how}")])
        .arg(disk)
        .status();
    assert!(done.unwrap().success(), "mount -o remount,{how}");
}

async fn a_disk_that_is_read_only(disk: &Path) {
    let (dir, crashed) = (disk.join("kept"), disk.join("crashed"));
    let store = Store::open(&options(&dir)).unwrap();
    put(&store, "before").await.unwrap();
    fs::create_dir(&crashed).unwrap();
    fs::set_permissions(&crashed, fs::Permissions::from_mode(0o700)).unwrap();
    for name in [DATABASE_FILE.to_owned(), format!("{DATABASE_FILE}-wal")] {
        fs::copy(dir.join(&name), crashed.join(&name)).unwrap();
    }
    store.close().await.unwrap();
    remount(disk, "ro");

    assert!(
        integrity_check(&dir.join(DATABASE_FILE))
            .unwrap()
            .is_empty()
    );
    let store = Store::open(&options(&dir)).unwrap();
    let health = store.health();
    assert!(
        matches!(&health, Health::ReadOnly { why } if why.contains("read-only")),
        "{health:?}"
    );
    assert_eq!(notes(&store).await, ["before"]);
    let error = put(&store, "more").await.unwrap_err();
    assert!(error.is_unwritable(), "{error}");
    store.close().await.unwrap();

    // A log whose index cannot be made is neither obeyed nor ignored.
    let store = Store::open(&options(&crashed)).unwrap();
    let health = store.health();
    assert!(
        matches!(&health, Health::Unsaved { why } if why.contains("read-only")),
        "{health:?}"
    );
    store.close().await.unwrap();
    let error = integrity_check(&crashed.join(DATABASE_FILE)).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");

    let store = Store::open(&options(&disk.join("never"))).unwrap();
    assert!(matches!(store.health(), Health::Unsaved { .. }));
    store.close().await.unwrap();

    remount(disk, "rw");
    for dir in [dir, crashed] {
        let store = Store::open(&options(&dir)).unwrap();
        assert_eq!(notes(&store).await, ["before"], "{}", dir.display());
        store.close().await.unwrap();
        fs::remove_dir_all(&dir).unwrap();
    }
}
