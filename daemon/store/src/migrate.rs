//! Forward-only migrations, one transaction each, after a backup.

use std::path::Path;

use rusqlite::Connection;

use crate::backup;
use crate::connection::APPLICATION_ID;
use crate::error::{StoreError, at};

/// One step of the schema. Imports nothing that can change: the SQL text is all there is to it.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The `user_version` after it; consecutive from 1.
    pub version: i64,
    /// The file's name, for errors.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// The daemon's migrations. A new one is a file in `migrations/` and a row here.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "0001_runs",
        sql: include_str!("../migrations/0001_runs.sql"),
    },
    Migration {
        version: 2,
        name: "0002_models",
        sql: include_str!("../migrations/0002_models.sql"),
    },
    Migration {
        version: 3,
        name: "0003_money",
        sql: include_str!("../migrations/0003_money.sql"),
    },
    Migration {
        version: 4,
        name: "0004_tasks",
        sql: include_str!("../migrations/0004_tasks.sql"),
    },
];

/// The newest schema that this release knows.
pub const KNOWN_VERSION: i64 = newest(MIGRATIONS);

/// The version after the last of `migrations`.
pub(crate) const fn newest(migrations: &[Migration]) -> i64 {
    match migrations.last() {
        Some(last) => last.version,
        None => 0,
    }
}

const READ_VERSION: &str = "read the schema's version";

/// `user_version`, after the checks that the file is ours.
pub(crate) fn version(conn: &Connection, path: &Path, known: i64) -> Result<i64, StoreError> {
    let pragma = |name| {
        conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(at(conn, READ_VERSION))
    };
    let found = pragma("user_version")?;
    let owner = pragma("application_id")?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(at(conn, READ_VERSION))?;
    let empty = found == 0 && owner == 0 && tables == 0;
    if owner != APPLICATION_ID && !empty {
        return Err(StoreError::Foreign {
            path: path.to_path_buf(),
            found: owner,
        });
    }
    if found > known {
        return Err(StoreError::SchemaNewer {
            found,
            known,
            path: path.to_path_buf(),
        });
    }
    Ok(found)
}

/// Brings the database to the newest of `migrations`. A database with content is backed up first,
/// into `backups` (none for one in memory).
pub(crate) fn run(
    conn: &Connection,
    path: &Path,
    migrations: &[Migration],
    backups: Option<&Path>,
) -> Result<(), StoreError> {
    let known = newest(migrations);
    let found = version(conn, path, known)?;
    if found == known {
        return Ok(());
    }
    if let (Some(dir), true) = (backups, found > 0) {
        backup::before_migration(conn, dir, found, known)?;
    }
    // Only outside of a transaction does this setting take effect; a step that rebuilds a table
    // would otherwise cascade.
    let foreign_keys = |on: bool| {
        conn.pragma_update(None, "foreign_keys", on)
            .map_err(at(conn, "prepare a migration"))
    };
    foreign_keys(false)?;
    let stepped = migrations
        .iter()
        .filter(|step| step.version > found)
        .try_for_each(|step| apply(conn, path, step));
    foreign_keys(true)?;
    stepped
}

fn apply(conn: &Connection, path: &Path, step: &Migration) -> Result<(), StoreError> {
    let outcome = conn
        .execute_batch("BEGIN IMMEDIATE")
        .and_then(|()| conn.execute_batch(step.sql))
        .and_then(|()| orphans(conn))
        .and_then(|orphans| {
            if orphans > 0 {
                return Ok(Some(format!("{orphans} rows would lose their parent")));
            }
            conn.pragma_update(None, "application_id", APPLICATION_ID)?;
            conn.pragma_update(None, "user_version", step.version)?;
            conn.execute_batch("COMMIT")?;
            Ok(None)
        });
    let reason = match outcome {
        Ok(None) => return Ok(()),
        Ok(Some(reason)) => reason,
        Err(error) => {
            roll_back(conn);
            let sorted = StoreError::from_sqlite(path, "migrate the database", error);
            match sorted {
                StoreError::Sql { source, .. } => format!("{}: {source}", step.name),
                // A full disk or a damaged file is that, not a faulty migration.
                other => return Err(other),
            }
        }
    };
    roll_back(conn);
    Err(StoreError::Migration {
        path: path.to_path_buf(),
        version: step.version,
        reason,
    })
}

fn orphans(conn: &Connection) -> rusqlite::Result<usize> {
    let mut check = conn.prepare("PRAGMA foreign_key_check")?;
    let mut rows = check.query([])?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn roll_back(conn: &Connection) {
    if !conn.is_autocommit()
        && let Err(error) = conn.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a migration could not be rolled back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration {
        version: 1,
        name: "one",
        sql: "CREATE TABLE a (x INTEGER PRIMARY KEY) STRICT; INSERT INTO a VALUES (7);",
    };

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn versions_are_consecutive_from_one() {
        for (step, version) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(step.version, version, "{}", step.name);
        }
    }

    #[test]
    fn a_failing_step_leaves_the_step_before() {
        let conn = memory();
        let bad = Migration {
            version: 2,
            name: "two",
            sql: "INSERT INTO a VALUES (8); INSERT INTO nowhere VALUES (1);",
        };
        let error = run(&conn, Path::new("x"), &[ONE, bad], None).unwrap_err();
        assert!(
            matches!(&error, StoreError::Migration { version: 2, reason, .. } if reason.contains("nowhere")),
            "{error}"
        );
        assert_eq!(version(&conn, Path::new("x"), 1).unwrap(), 1);
        let rows: i64 = conn
            .query_row("SELECT count(*) FROM a", [], |r| r.get(0))
            .unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn orphaned_rows_stop_a_step() {
        let conn = memory();
        let bad = Migration {
            version: 2,
            name: "two",
            sql: "CREATE TABLE b (x INTEGER REFERENCES a (x)) STRICT; INSERT INTO b VALUES (9);",
        };
        let error = run(&conn, Path::new("x"), &[ONE, bad], None).unwrap_err();
        assert!(
            matches!(error, StoreError::Migration { version: 2, .. }),
            "{error}"
        );
        assert!(conn.is_autocommit());
    }

    #[test]
    fn another_programs_file_is_refused() {
        let conn = memory();
        conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
        let error = run(&conn, Path::new("x"), MIGRATIONS, None).unwrap_err();
        assert!(
            matches!(error, StoreError::Foreign { found: 0, .. }),
            "{error}"
        );
    }

    #[test]
    fn the_local_tenant_and_profile_have_version_7_ids() {
        let conn = memory();
        run(&conn, Path::new("x"), MIGRATIONS, None).unwrap();
        let ids: Vec<String> = conn
            .prepare("SELECT hex(id) FROM tenant UNION ALL SELECT hex(id) FROM profile UNION ALL SELECT hex(subject_id) FROM profile")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(ids.len(), 3);
        for id in ids {
            assert_eq!(id.len(), 32, "{id}");
            assert_eq!(&id[12..13], "7", "{id}");
            assert!("89AB".contains(&id[16..17]), "{id}");
        }
    }
}
