//! What a run is.

use std::fmt;

use convergio_store::at;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::RunsError;

/// Whose rows: the key that leads every root table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant(pub(crate) Uuid);

impl Tenant {
    /// Its id.
    #[must_use]
    pub fn id(self) -> Uuid {
        self.0
    }
}

/// The one tenant of a machine that is nobody's server.
///
/// # Errors
/// What the store said.
pub fn local_tenant(conn: &Connection) -> Result<Tenant, RunsError> {
    let id = conn
        .query_row("SELECT id FROM tenant WHERE mode = 'local'", [], |row| {
            row.get(0)
        })
        .map_err(at(conn, "find the local tenant"))?;
    Ok(Tenant(id))
}

/// The one profile of that tenant.
///
/// # Errors
/// What the store said.
pub fn local_profile(conn: &Connection, tenant: Tenant) -> Result<Uuid, RunsError> {
    Ok(conn
        .query_row(
            "SELECT id FROM profile WHERE tenant_id = ?1 ORDER BY id LIMIT 1",
            [tenant.0],
            |row| row.get(0),
        )
        .map_err(at(conn, "find the local profile"))?)
}

/// Stores an enum as the text of its one table, and refuses any other text on the way back.
macro_rules! text_enum {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::RunsError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::RunsError::Invalid {
                        what: stringify!($name),
                        reason: "unknown name",
                    }),
                }
            }
        }

        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(
                value: rusqlite::types::ValueRef<'_>,
            ) -> rusqlite::types::FromSqlResult<Self> {
                value
                    .as_str()?
                    .parse()
                    .map_err(|error: $crate::RunsError| {
                        rusqlite::types::FromSqlError::Other(Box::new(error))
                    })
            }
        }
    };
}
pub(crate) use text_enum;

/// What is being run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A review of a diff.
    Review,
    /// A conversation's turn.
    Chat,
    /// A request of a program that came in through the gateway.
    Gateway,
}

text_enum!(RunKind {
    Review = "review",
    Chat = "chat",
    Gateway = "gateway",
});

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Accepted, not ended.
    Running,
    /// Ended by itself.
    Completed,
    /// Ended by an error; `outcome` is its slug.
    Failed,
    /// Ended on request.
    Cancelled,
}

text_enum!(RunState {
    Running = "running",
    Completed = "completed",
    Failed = "failed",
    Cancelled = "cancelled",
});

/// 32 bytes, SHA-256 by convention.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash32(pub(crate) [u8; 32]);

impl fmt::Debug for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl ToSql for Hash32 {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for Hash32 {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| FromSqlError::InvalidBlobSize {
                expected_size: 32,
                blob_size: bytes.len(),
            })
    }
}

/// A run, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Made by the client, UUIDv7.
    pub id: Uuid,
    /// What is being run.
    pub kind: RunKind,
    /// The conversation, if it belongs to one.
    pub session_id: Option<Uuid>,
    /// Where it stands.
    pub state: RunState,
    /// The git top level (or folder) that it is about, absolute.
    pub root: Option<String>,
    /// What of it was asked for, in the client's words ("staged", "HEAD~1"); compared, not parsed.
    pub selection: Option<String>,
    /// The revision that the diff started from.
    pub base_sha: Option<String>,
    /// SHA-256 of the request: the same id with another hash is another request.
    pub request_hash: [u8; 32],
    /// The client's key against doing it twice.
    pub idempotency_key: Option<String>,
    /// Its content goes when it ends.
    pub ephemeral: bool,
    /// How it ended, as a slug: for instance `complete`, `incomplete`, `interrupted`.
    pub outcome: Option<String>,
    /// Accepted at, UTC.
    pub started_ms: i64,
    /// Ended at, UTC; `None` exactly while it runs.
    pub ended_ms: Option<i64>,
    /// When its events may go, UTC.
    pub expires_ms: Option<i64>,
    /// When its events went, UTC: after that the run is a row without content.
    pub purged_ms: Option<i64>,
    /// The last event that is kept; 0 for none.
    pub last_seq: u64,
}

/// `expires_ms` of a run that is deleted: it can't be seen, its rows are on their way out.
pub(crate) const DELETED: i64 = 0;

/// `expires_ms` of a run that has lost a part of its events: what is left of them can't be seen.
pub(crate) const PURGING: i64 = -1;

/// The columns of [`Run`], for [`Run::from_row`].
pub(crate) const COLUMNS: &str = "id, kind, session_id, state, root, selection, base_sha, \
     request_hash, idempotency_key, ephemeral, outcome, started_ms, ended_ms, expires_ms, purged_ms, \
     CASE WHEN expires_ms <= 0 THEN 0 ELSE \
     (SELECT coalesce(max(seq), 0) FROM event_log WHERE event_log.run_id = run.id) END";

impl Run {
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            session_id: row.get(2)?,
            state: row.get(3)?,
            root: row.get(4)?,
            selection: row.get(5)?,
            base_sha: row.get(6)?,
            request_hash: row.get::<_, Hash32>(7)?.0,
            idempotency_key: row.get(8)?,
            ephemeral: row.get(9)?,
            outcome: row.get(10)?,
            started_ms: row.get(11)?,
            ended_ms: row.get(12)?,
            expires_ms: row
                .get::<_, Option<i64>>(13)?
                .filter(|expires_ms| *expires_ms != PURGING),
            purged_ms: row.get(14)?,
            last_seq: row.get::<_, i64>(15)?.unsigned_abs(),
        })
    }
}
