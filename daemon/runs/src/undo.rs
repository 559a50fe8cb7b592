//! The way back from a change to a file: what it was, and what it must be now to go back safely.

use convergio_store::{Tx, at};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{RunsError, bounded, version_7};
use crate::retention::Retention;
use crate::run::{Hash32, Tenant, text_enum};

/// A file's content that is kept at most. A larger file can't be changed with a way back.
pub const IMAGE_BYTES_MAX: usize = 16 << 20;

/// Entries in one list at most.
const LIST_MAX: usize = 200;

const PUT: &str = "keep the way back";
const READ: &str = "read undo entries";

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoState {
    /// Kept; the change may be on the disk.
    Recorded,
    /// The file was put back.
    Undone,
    /// The change never came to be, or the user let it go.
    Dropped,
}

text_enum!(UndoState {
    Recorded = "recorded",
    Undone = "undone",
    Dropped = "dropped",
});

/// An entry before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUndo {
    /// Made by the client, UUIDv7: a repeated put of the same is one entry.
    pub id: Uuid,
    /// The verb that makes the change (`fix`, `allow`, `config`); 64 bytes at most.
    pub verb: String,
    /// The git top level (or folder) that the file lies in.
    pub root: Option<String>,
    /// The file, absolute; 4 KiB at most.
    pub path: String,
    /// Its content before; `None` if it doesn't exist. [`IMAGE_BYTES_MAX`] at most.
    pub before_image: Option<Vec<u8>>,
    /// Its mode before.
    pub before_mode: Option<u32>,
    /// SHA-256 of its content after; `None` if the change removes it.
    pub after_hash: Option<[u8; 32]>,
    /// The review that led to it; forgotten if there is no such run (any more).
    pub run_id: Option<Uuid>,
    /// The fingerprint of the finding that it answers.
    pub finding: Option<String>,
}

/// An entry without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoEntry {
    /// Its id.
    pub id: Uuid,
    /// The verb that made the change.
    pub verb: String,
    /// The folder.
    pub root: Option<String>,
    /// The file.
    pub path: String,
    /// Size of the content before; `None` if the file didn't exist.
    pub before_bytes: Option<u64>,
    /// The file's mode before.
    pub before_mode: Option<u32>,
    /// SHA-256 of the content after; `None` if the change removed the file.
    pub after_hash: Option<[u8; 32]>,
    /// The review that led to it.
    pub run_id: Option<Uuid>,
    /// The finding that it answers.
    pub finding: Option<String>,
    /// What became of it.
    pub state: UndoState,
    /// When it was kept, UTC.
    pub created_ms: i64,
}

/// An entry with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// Everything else.
    pub entry: UndoEntry,
    /// The file's content before; `None`: it didn't exist, going back removes it.
    pub before_image: Option<Vec<u8>>,
}

const COLUMNS: &str = "id, verb, root, path, length(before_image), before_mode, after_hash, \
     run_id, finding, state, created_ms";

impl UndoEntry {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            verb: row.get(1)?,
            root: row.get(2)?,
            path: row.get(3)?,
            before_bytes: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
            before_mode: row.get(5)?,
            after_hash: row.get::<_, Option<Hash32>>(6)?.map(|hash| hash.0),
            run_id: row.get(7)?,
            finding: row.get(8)?,
            state: row.get(9)?,
            created_ms: row.get(10)?,
        })
    }
}

/// Keeps a way back. Durable when the commit is: only then may the client write the file. The same
/// entry again is fine.
///
/// # Errors
/// [`RunsError::Conflict`] for the same id with another content; [`RunsError::TooLarge`].
pub fn put(
    tx: &Tx<'_>,
    tenant: Tenant,
    new: &NewUndo,
    now_ms: i64,
    retention: &Retention,
) -> Result<(), RunsError> {
    version_7("undo_id", new.id)?;
    bounded("verb (bytes)", Some(&new.verb), 64)?;
    bounded("root (bytes)", new.root.as_deref(), 4096)?;
    bounded("path (bytes)", Some(&new.path), 4096)?;
    bounded("finding (bytes)", new.finding.as_deref(), 128)?;
    let size = new.before_image.as_ref().map_or(0, Vec::len);
    if size > IMAGE_BYTES_MAX {
        return Err(RunsError::TooLarge {
            what: "the file (bytes)",
            size,
            limit: IMAGE_BYTES_MAX,
        });
    }
    if let Some(kept) = find(tx, tenant, new.id)? {
        let same = kept.entry.path == new.path
            && kept.entry.verb == new.verb
            && kept.entry.after_hash == new.after_hash
            && kept.before_image == new.before_image;
        return if same {
            Ok(())
        } else {
            Err(RunsError::Conflict {
                what: "undo entry",
                id: new.id,
            })
        };
    }
    tx.execute(
        "INSERT INTO undo (tenant_id, id, verb, root, path, before_image, before_mode, after_hash, \
         run_id, finding, state, created_ms, changed_ms, expires_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, \
         (SELECT id FROM run WHERE tenant_id = ?1 AND id = ?9), ?10, ?11, ?12, ?12, ?13)",
        params![
            tenant.0,
            new.id,
            new.verb,
            new.root,
            new.path,
            new.before_image,
            new.before_mode,
            new.after_hash.map(Hash32),
            new.run_id,
            new.finding,
            UndoState::Recorded,
            now_ms,
            now_ms.saturating_add(retention.undo_ms)
        ],
    )
    .map_err(at(tx, PUT))?;
    Ok(())
}

/// The latest entries, the newest first, `limit` (200 at most); of one folder if one is given.
///
/// # Errors
/// What the store said.
pub fn list(
    conn: &Connection,
    tenant: Tenant,
    root: Option<&str>,
    limit: usize,
) -> Result<Vec<UndoEntry>, RunsError> {
    let limit = i64::try_from(limit.clamp(1, LIST_MAX)).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM undo WHERE tenant_id = ?1 AND (?2 IS NULL OR root = ?2) \
         ORDER BY created_ms DESC, id DESC LIMIT ?3"
    );
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant.0, root, limit], UndoEntry::from_row)?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// One entry with its content.
///
/// # Errors
/// [`RunsError::NotFound`], or what the store said.
pub fn get(conn: &Connection, tenant: Tenant, id: Uuid) -> Result<Undo, RunsError> {
    find(conn, tenant, id)?.ok_or(RunsError::NotFound {
        what: "undo entry",
        id,
    })
}

/// The latest entry that can still be undone; of one folder if one is given.
///
/// # Errors
/// What the store said.
pub fn latest(
    conn: &Connection,
    tenant: Tenant,
    root: Option<&str>,
) -> Result<Option<Undo>, RunsError> {
    let id: Option<Uuid> = conn
        .prepare_cached(
            "SELECT id FROM undo WHERE tenant_id = ?1 AND (?2 IS NULL OR root = ?2) \
             AND state = 'recorded' ORDER BY created_ms DESC, id DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.0, root], |row| row.get(0))
                .optional()
        })
        .map_err(at(conn, READ))?;
    match id {
        Some(id) => get(conn, tenant, id).map(Some),
        None => Ok(None),
    }
}

/// Marks an entry as undone or dropped, after the file is as it should be. Marking it the same way
/// again is fine.
///
/// # Errors
/// [`RunsError::UndoSpent`] when it was marked another way, [`RunsError::NotFound`];
/// [`RunsError::Invalid`] for `Recorded`, to which nothing goes back.
pub fn set_state(
    tx: &Tx<'_>,
    tenant: Tenant,
    id: Uuid,
    state: UndoState,
    now_ms: i64,
) -> Result<(), RunsError> {
    const MARK: &str = "mark an undo entry";
    if state == UndoState::Recorded {
        return Err(RunsError::Invalid {
            what: "state",
            reason: "nothing goes back to recorded",
        });
    }
    let present: Option<UndoState> = tx
        .query_row(
            "SELECT state FROM undo WHERE tenant_id = ?1 AND id = ?2",
            params![tenant.0, id],
            |row| row.get(0),
        )
        .optional()
        .map_err(at(tx, MARK))?;
    match present {
        None => Err(RunsError::NotFound {
            what: "undo entry",
            id,
        }),
        Some(UndoState::Recorded) => {
            tx.execute(
                "UPDATE undo SET state = ?3, changed_ms = ?4 WHERE tenant_id = ?1 AND id = ?2",
                params![tenant.0, id, state, now_ms],
            )
            .map_err(at(tx, MARK))?;
            Ok(())
        }
        Some(present) if present == state => Ok(()),
        Some(present) => Err(RunsError::UndoSpent {
            id,
            state: present.as_str(),
        }),
    }
}

fn find(conn: &Connection, tenant: Tenant, id: Uuid) -> Result<Option<Undo>, RunsError> {
    let sql = format!("SELECT {COLUMNS}, before_image FROM undo WHERE tenant_id = ?1 AND id = ?2");
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.0, id], |row| {
                    Ok(Undo {
                        entry: UndoEntry::from_row(row)?,
                        before_image: row.get(11)?,
                    })
                })
                .optional()
        })
        .map_err(at(conn, READ))?)
}
