//! Old databases, newer ones, backups and their return.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use convergio_store::{
    BACKUPS_DIR, DATABASE_FILE, Health, KNOWN_VERSION, MIGRATIONS, Migration, Store, StoreError,
    StoreOptions, at, restore,
};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

/// Migrations that were released, and their SHA-256: they never change again.
const FROZEN: &[(&str, &str)] = &[
    (
        "0001_runs",
        "b1d747b67f6bad3fa994f947efc1b5ef210c6e79e21a34d876d0f503fe78dbb6",
    ),
    (
        "0002_models",
        "5b3a39ddac6e8100ef7f275cac1e9dd8d9f9cc8d54e707ffd6adea6e79e797ea",
    ),
    (
        "0003_money",
        "1e29514034a6b1a3deecfb925b275d1aeae02410ce31a94179dc1b756f0a7ec5",
    ),
    (
        "0004_tasks",
        "35761ef6eeb41c44961a8e458cb776c0bb9a2e1e84f1cfd6297ab446a3912e0f",
    ),
];

fn compat(version: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/compat")
        .join(format!("core-v{version}.sql"))
}

#[test]
fn released_migrations_never_change() {
    for (name, hash) in FROZEN {
        let step = MIGRATIONS.iter().find(|step| step.name == *name).unwrap();
        let mut found = String::new();
        for byte in Sha256::digest(step.sql) {
            write!(found, "{byte:02x}").unwrap();
        }
        assert_eq!(
            &found, hash,
            "{name} was released: write a new migration instead"
        );
    }
    assert_eq!(
        FROZEN.len(),
        MIGRATIONS.len(),
        "add the new migration's hash"
    );
}

/// Every table, index and trigger, as the database describes it.
fn schema(conn: &Connection) -> Vec<(String, String)> {
    conn.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn tables(conn: &Connection) -> Vec<String> {
    conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn counts(conn: &Connection) -> Vec<(String, i64)> {
    tables(conn)
        .into_iter()
        .map(|table| {
            let count = conn
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                    row.get(0)
                })
                .unwrap();
            (table, count)
        })
        .collect()
}

#[tokio::test]
async fn every_released_schema_migrates() {
    for version in 1..=KNOWN_VERSION {
        let fixture = compat(version);
        let sql = std::fs::read_to_string(&fixture)
            .unwrap_or_else(|e| panic!("{}: {e}: run `freeze_schema`", fixture.display()));
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        std::fs::create_dir(&dir).unwrap();
        let old = Connection::open(dir.join(DATABASE_FILE)).unwrap();
        old.execute_batch(&sql).unwrap();
        let before = counts(&old);
        assert!(before.iter().all(|(_, rows)| *rows > 0), "{before:?}");
        drop(old);

        let store = Store::open(&StoreOptions::new(&dir)).unwrap();
        assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
        store.close().await.unwrap();
        let migrated = Connection::open(dir.join(DATABASE_FILE)).unwrap();
        for (table, rows) in before {
            let after = counts(&migrated)
                .into_iter()
                .find(|(name, _)| *name == table);
            assert_eq!(after, Some((table, rows)), "from version {version}");
        }

        let fresh_dir = home.path().join("fresh");
        Store::open(&StoreOptions::new(&fresh_dir))
            .unwrap()
            .close()
            .await
            .unwrap();
        let fresh = Connection::open(fresh_dir.join(DATABASE_FILE)).unwrap();
        assert_eq!(schema(&migrated), schema(&fresh), "from version {version}");
    }
}

/// Writes the fixture of the newest schema, once.
#[tokio::test]
#[ignore = "run by hand when a migration is released"]
async fn freeze_schema() {
    let path = compat(KNOWN_VERSION);
    if path.exists() {
        println!("{} is frozen", path.display());
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    Store::open(&StoreOptions::new(&dir))
        .unwrap()
        .close()
        .await
        .unwrap();
    let conn = Connection::open(dir.join(DATABASE_FILE)).unwrap();
    conn.execute_batch(include_str!("support/sample_rows.sql"))
        .unwrap();
    let mut sql = String::from(
        "-- A database of this schema, frozen. Never edited.\nPRAGMA foreign_keys = OFF;\nBEGIN;\n",
    );
    for (_, statement) in schema(&conn)
        .iter()
        .filter(|(_, sql)| sql.starts_with("CREATE TABLE"))
    {
        writeln!(sql, "{statement};").unwrap();
    }
    for table in tables(&conn) {
        let columns: Vec<String> = conn
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let quoted: Vec<String> = columns
            .iter()
            .map(|name| format!("quote({name})"))
            .collect();
        let rows: Vec<String> = conn
            .prepare(&format!(
                "SELECT {} FROM {table}",
                quoted.join(" || ', ' || ")
            ))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for row in rows {
            writeln!(
                sql,
                "INSERT INTO {table} ({}) VALUES ({row});",
                columns.join(", ")
            )
            .unwrap();
        }
    }
    for (_, statement) in schema(&conn)
        .iter()
        .filter(|(_, sql)| !sql.starts_with("CREATE TABLE"))
    {
        writeln!(sql, "{statement};").unwrap();
    }
    for pragma in ["application_id", "user_version"] {
        let value: i64 = conn
            .pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap();
        writeln!(sql, "PRAGMA {pragma} = {value};").unwrap();
    }
    sql.push_str("COMMIT;\n");
    std::fs::write(&path, sql).unwrap();
}

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

fn options(dir: &Path, migrations: &'static [Migration]) -> StoreOptions {
    let mut options = StoreOptions::new(dir);
    options.migrations = migrations;
    options
}

async fn put(store: &Store, body: &'static str) {
    store
        .write("put a note", move |tx| {
            tx.execute("INSERT INTO note (body) VALUES (?1)", [body])
                .map_err(at(tx, "put a note"))
        })
        .await
        .unwrap();
}

fn backups(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(dir.join(BACKUPS_DIR))
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    all.sort();
    all
}

#[tokio::test]
async fn a_migration_backs_up_first_and_keeps_three() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let store = Store::open(&options(&dir, &[ONE])).unwrap();
    assert!(backups(&dir).is_empty(), "a new database needs none");
    put(&store, "old").await;
    store.close().await.unwrap();
    std::fs::create_dir(dir.join(BACKUPS_DIR)).unwrap();
    let now_ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    // One is older than 35 days, three are of a moment ago.
    for made_ms in [1, now_ms - 3, now_ms - 2, now_ms - 1] {
        let name = format!("before-schema-1-from-0-{made_ms:013}.db");
        std::fs::write(dir.join(BACKUPS_DIR).join(name), "old").unwrap();
    }
    std::fs::write(dir.join(BACKUPS_DIR).join("mine.db"), "a person's own").unwrap();

    let store = Store::open(&options(&dir, TWO)).unwrap();
    store.close().await.unwrap();
    let kept = backups(&dir);
    assert_eq!(kept.len(), 4, "three, and what a person made: {kept:?}");
    assert!(kept[3].ends_with("mine.db"));
    assert!(
        kept[0]
            .to_string_lossy()
            .contains(&(now_ms - 2).to_string()),
        "{kept:?}"
    );
    assert_eq!(kept[2].metadata().unwrap().mode() & 0o777, 0o600);
    let backup = Connection::open(&kept[2]).unwrap();
    let version: i64 = backup
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .unwrap();
    let body: String = backup
        .query_row("SELECT body FROM note", [], |r| r.get(0))
        .unwrap();
    assert_eq!((version, body.as_str()), (1, "old"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    Store::open(&options(&dir, TWO))
        .unwrap()
        .close()
        .await
        .unwrap();
    let before = std::fs::read(dir.join(DATABASE_FILE)).unwrap();
    let error = Store::open(&options(&dir, &[ONE])).unwrap_err();
    assert!(
        matches!(&error, StoreError::SchemaNewer { found: 2, known: 1, path } if path.ends_with(DATABASE_FILE)),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("install the newer release again")
    );
    assert_eq!(std::fs::read(dir.join(DATABASE_FILE)).unwrap(), before);
}

const REAL: &str = "INSERT INTO review_silence (tenant_id, root, fingerprint, rule, reason, created_ms) \
     SELECT id, '/r', ?1, 'rule', 'why', 1 FROM tenant";

async fn silence(store: &Store, fingerprint: &'static str) {
    store
        .write("silence", move |tx| {
            tx.execute(REAL, [fingerprint]).map_err(at(tx, "silence"))
        })
        .await
        .unwrap();
}

async fn silences(store: &Store) -> Vec<String> {
    store
        .read("read", |conn| {
            conn.prepare("SELECT fingerprint FROM review_silence ORDER BY 1")
                .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
                .map_err(at(conn, "read"))
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_backup_comes_back_and_the_old_database_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let copy = home.path().join("copy.db");
    let store = Store::open(&StoreOptions::new(&dir)).unwrap();
    silence(&store, "kept").await;
    let report = store.backup_to(&copy).await.unwrap();
    assert_eq!((report.version, &report.path), (KNOWN_VERSION, &copy));
    assert_eq!(copy.metadata().unwrap().mode() & 0o777, 0o600);
    let error = store.backup_to(&copy).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    silence(&store, "later").await;
    // As after a crash: the log holds what the database doesn't.
    for suffix in ["", "-wal"] {
        let name = format!("{DATABASE_FILE}{suffix}");
        std::fs::copy(dir.join(&name), home.path().join(&name)).unwrap();
    }
    store.close().await.unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("{DATABASE_FILE}{suffix}");
        std::fs::copy(home.path().join(&name), dir.join(&name)).unwrap();
    }
    assert!(dir.join("core.db-wal").metadata().unwrap().len() > 0);

    let report = restore(&dir, &copy).unwrap();
    let store = Store::open(&StoreOptions::new(&dir)).unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert_eq!(silences(&store).await, ["kept"]);
    silence(&store, "new").await;
    store.close().await.unwrap();

    let aside = report.kept_aside.unwrap();
    assert_eq!(restore(&dir, &aside).unwrap().version, KNOWN_VERSION);
    let store = Store::open(&StoreOptions::new(&dir)).unwrap();
    assert_eq!(silences(&store).await, ["kept", "later"]);
}

#[tokio::test]
async fn an_unfit_backup_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let store = Store::open(&StoreOptions::new(&dir)).unwrap();
    silence(&store, "kept").await;
    let sound = home.path().join("sound.db");
    store.backup_to(&sound).await.unwrap();
    store.close().await.unwrap();

    let bad = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = home.path().join(name);
        let mut bytes = std::fs::read(&sound).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        restore(&dir, &path).unwrap_err()
    };
    let error = bad("torn.db", &|bytes| bytes.truncate(9_000));
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let error = bad("noise.db", &|bytes| bytes[4096..12_288].fill(0x5a));
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let error = bad("text.db", &|bytes| {
        *bytes = b"hello, this is not a database".repeat(99);
    });
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    // user_version, in the header at offset 60.
    let error = bad("newer.db", &|bytes| {
        bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    });
    assert!(
        matches!(error, StoreError::SchemaNewer { found: 999, .. }),
        "{error}"
    );
    // application_id, at offset 68.
    let error = bad("foreign.db", &|bytes| bytes[68..72].fill(7));
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    let error = restore(&dir, &home.path().join("nowhere.db")).unwrap_err();
    assert!(
        matches!(error, StoreError::Device { .. } | StoreError::Io { .. }),
        "{error}"
    );

    let left: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, [DATABASE_FILE]);
    let store = Store::open(&StoreOptions::new(&dir)).unwrap();
    assert_eq!(silences(&store).await, ["kept"]);
}

#[tokio::test]
async fn a_damaged_database_gives_way_to_a_backup() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let copy = home.path().join("copy.db");
    let store = Store::open(&StoreOptions::new(&dir)).unwrap();
    silence(&store, "kept").await;
    store.backup_to(&copy).await.unwrap();
    silence(&store, "later").await;
    let log = std::fs::read(dir.join("core.db-wal")).unwrap();
    store.close().await.unwrap();
    std::fs::write(dir.join(DATABASE_FILE), "ruins ".repeat(2_000)).unwrap();
    assert!(Store::open(&StoreOptions::new(&dir)).is_err());
    let report = restore(&dir, &copy).unwrap();
    let aside = std::fs::read(report.kept_aside.unwrap()).unwrap();
    assert!(aside.starts_with(b"ruins "));

    // A log that was left beside the ruins must not be played into the backup.
    std::fs::write(dir.join(DATABASE_FILE), "ruins ".repeat(2_000)).unwrap();
    std::fs::write(dir.join("core.db-wal"), &log).unwrap();
    restore(&dir, &copy).unwrap();
    assert!(!dir.join("core.db-wal").exists());
    let store = Store::open(&StoreOptions::new(&dir)).unwrap();
    assert_eq!(silences(&store).await, ["kept"]);
}
