//! Conversations: their messages in order, the latest one of a folder, their deletion.

use std::fmt;
use std::str::FromStr;

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{RunsError, bounded, version_7};
use crate::run::{DELETED, Tenant, text_enum};

/// A message's text at most, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// Messages of one session at most.
pub const SESSION_MESSAGES_MAX: u64 = 10_000;

/// Messages that are read back at once at most.
const READ_MESSAGES_MAX: usize = 1_000;
/// Sessions in one page at most.
const PAGE_MAX: usize = 200;

const READ: &str = "read sessions";
const APPEND: &str = "keep a message";
const DELETE: &str = "delete a session";

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    /// Standing instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

text_enum!(MessageRole {
    System = "system",
    User = "user",
    Assistant = "assistant",
});

/// A conversation before it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// UUIDv7.
    pub id: Uuid,
    /// Whose it is.
    pub profile_id: Uuid,
    /// The folder that it is about; 4 KiB at most.
    pub root: Option<String>,
    /// What it is called; 1 KiB at most.
    pub title: Option<String>,
    /// Who it is with; 256 bytes at most.
    pub agent: Option<String>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub profile_id: Uuid,
    /// Who it is with.
    pub agent: Option<String>,
    /// The folder that it is about.
    pub root: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// Since when, UTC.
    pub created_ms: i64,
    /// When its last message came, UTC.
    pub active_ms: i64,
    /// How many messages it has.
    pub messages: u64,
}

/// A message before it has a `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// UUIDv7.
    pub id: Uuid,
    /// Who speaks.
    pub role: MessageRole,
    /// What; [`MESSAGE_BYTES_MAX`] at most.
    pub body: String,
    /// The model that said it; 512 bytes at most.
    pub model: Option<String>,
    /// Where it was sent: a destination, or empty for a model inside the daemon; 1 KiB at most.
    pub recipient: Option<String>,
    /// The run that it belongs to.
    pub run_id: Option<Uuid>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// From 1, without a gap.
    pub seq: u64,
    /// The message before it.
    pub parent_id: Option<Uuid>,
    /// Who speaks.
    pub role: MessageRole,
    /// What.
    pub body: String,
    /// The model that said it.
    pub model: Option<String>,
    /// Where it was sent.
    pub recipient: Option<String>,
    /// The run that it belongs to.
    pub run_id: Option<Uuid>,
    /// When it came, UTC.
    pub created_ms: i64,
}

/// Which sessions.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Only of this folder.
    pub root: Option<String>,
    /// Behind this one: [`SessionPage::next`] of the page before.
    pub cursor: Option<SessionCursor>,
    /// How many, 200 at most.
    pub limit: usize,
}

/// A place in the list. Its text form is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCursor {
    active_ms: i64,
    id: Uuid,
}

impl fmt::Display for SessionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.active_ms, self.id.simple())
    }
}

impl FromStr for SessionCursor {
    type Err = RunsError;

    fn from_str(text: &str) -> Result<Self, RunsError> {
        let read = |text: &str| {
            let (active_ms, id) = text.split_once('.')?;
            Some(Self {
                active_ms: active_ms.parse().ok()?,
                id: id.parse().ok()?,
            })
        };
        read(text).ok_or(RunsError::Invalid {
            what: "cursor",
            reason: "not one that was handed out",
        })
    }
}

/// A stretch of the list, the last used first.
#[derive(Debug, Clone, Default)]
pub struct SessionPage {
    /// The last used first.
    pub sessions: Vec<Session>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<SessionCursor>,
}

const COLUMNS: &str = "id, profile_id, agent, root, title, created_ms, active_ms, \
     (SELECT coalesce(max(seq), 0) FROM message WHERE message.session_id = session.id)";

impl Session {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            profile_id: row.get(1)?,
            agent: row.get(2)?,
            root: row.get(3)?,
            title: row.get(4)?,
            created_ms: row.get(5)?,
            active_ms: row.get(6)?,
            messages: row.get::<_, i64>(7)?.unsigned_abs(),
        })
    }
}

/// Begins a conversation.
///
/// # Errors
/// [`RunsError::Conflict`] for an id that was used before, [`RunsError::NotFound`] for an unknown
/// profile, [`RunsError::TooLarge`].
pub fn create_session(
    tx: &Tx<'_>,
    tenant: Tenant,
    new: &NewSession,
    now_ms: i64,
) -> Result<Session, RunsError> {
    const CREATE: &str = "begin a session";
    version_7("session_id", new.id)?;
    bounded("root (bytes)", new.root.as_deref(), 4096)?;
    bounded("title (bytes)", new.title.as_deref(), 1024)?;
    bounded("agent (bytes)", new.agent.as_deref(), 256)?;
    let exists = |sql: &str, id: Uuid| {
        tx.query_row(sql, params![tenant.0, id], |row| row.get::<_, bool>(0))
            .map_err(at(tx, CREATE))
    };
    let profile = "SELECT EXISTS (SELECT 1 FROM profile WHERE tenant_id = ?1 AND id = ?2)";
    if !exists(profile, new.profile_id)? {
        return Err(RunsError::NotFound {
            what: "profile",
            id: new.profile_id,
        });
    }
    // Ids are unique over all tenants, deleted sessions included.
    if exists(
        "SELECT EXISTS (SELECT 1 FROM session WHERE id = ?2 AND ?1 = ?1)",
        new.id,
    )? {
        return Err(RunsError::Conflict {
            what: "session id",
            id: new.id,
        });
    }
    tx.execute(
        "INSERT INTO session (tenant_id, id, profile_id, agent, root, title, created_ms, active_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        params![
            tenant.0,
            new.id,
            new.profile_id,
            new.agent,
            new.root,
            new.title,
            now_ms
        ],
    )
    .map_err(at(tx, CREATE))?;
    get_session(tx, tenant, new.id)
}

/// A conversation.
///
/// # Errors
/// [`RunsError::NotFound`], also for one that is deleted; or what the store said.
pub fn get_session(conn: &Connection, tenant: Tenant, id: Uuid) -> Result<Session, RunsError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM session WHERE tenant_id = ?1 AND id = ?2 AND deleted_ms IS NULL"
    );
    conn.prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.0, id], Session::from_row)
                .optional()
        })
        .map_err(at(conn, READ))?
        .ok_or(RunsError::NotFound {
            what: "session",
            id,
        })
}

/// The conversation that was used last in a folder.
///
/// # Errors
/// What the store said.
pub fn latest_session(
    conn: &Connection,
    tenant: Tenant,
    root: &str,
) -> Result<Option<Session>, RunsError> {
    let filter = SessionFilter {
        root: Some(root.to_owned()),
        cursor: None,
        limit: 1,
    };
    let page = list_sessions(conn, tenant, &filter)?;
    Ok(page.sessions.into_iter().next())
}

/// Conversations, the last used first.
///
/// # Errors
/// What the store said.
pub fn list_sessions(
    conn: &Connection,
    tenant: Tenant,
    filter: &SessionFilter,
) -> Result<SessionPage, RunsError> {
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let (active_ms, id) = match filter.cursor {
        Some(cursor) => (cursor.active_ms, cursor.id),
        None => (i64::MAX, Uuid::max()),
    };
    // Two texts, so that each has its index.
    let of_root = if filter.root.is_some() {
        "root = ?4"
    } else {
        "?4 IS NULL"
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM session WHERE tenant_id = ?1 AND (active_ms, id) < (?2, ?3) \
         AND {of_root} AND deleted_ms IS NULL ORDER BY active_ms DESC, id DESC LIMIT ?5"
    );
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut sessions: Vec<Session> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![tenant.0, active_ms, id, filter.root, one_more],
                    Session::from_row,
                )?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let next = sessions
        .last()
        .filter(|_| more)
        .map(|session| SessionCursor {
            active_ms: session.active_ms,
            id: session.id,
        });
    Ok(SessionPage { sessions, next })
}

/// Appends a message to a conversation, behind the one before. Answers its `seq`.
///
/// # Errors
/// [`RunsError::NotFound`] for an unknown or deleted session or an unknown run,
/// [`RunsError::TooLarge`] above [`MESSAGE_BYTES_MAX`] or [`SESSION_MESSAGES_MAX`],
/// [`RunsError::Invalid`] for a message of an ephemeral run, which leaves none.
pub fn append_message(
    tx: &Tx<'_>,
    tenant: Tenant,
    session_id: Uuid,
    new: &NewMessage,
    now_ms: i64,
) -> Result<u64, RunsError> {
    version_7("message_id", new.id)?;
    bounded("message (bytes)", Some(&new.body), MESSAGE_BYTES_MAX)?;
    bounded("model (bytes)", new.model.as_deref(), 512)?;
    bounded("recipient (bytes)", new.recipient.as_deref(), 1024)?;
    get_session(tx, tenant, session_id)?;
    if let Some(run_id) = new.run_id {
        let ephemeral: Option<bool> = tx
            .prepare_cached("SELECT ephemeral FROM run WHERE tenant_id = ?1 AND id = ?2")
            .and_then(|mut statement| {
                statement
                    .query_row(params![tenant.0, run_id], |row| row.get(0))
                    .optional()
            })
            .map_err(at(tx, APPEND))?;
        match ephemeral {
            None => {
                return Err(RunsError::NotFound {
                    what: "run",
                    id: run_id,
                });
            }
            Some(true) => {
                return Err(RunsError::Invalid {
                    what: "message",
                    reason: "an ephemeral run leaves none",
                });
            }
            Some(false) => {}
        }
    }
    let last: Option<(i64, Uuid)> = tx
        .prepare_cached(
            "SELECT seq, id FROM message WHERE session_id = ?1 ORDER BY seq DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([session_id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(at(tx, APPEND))?;
    let seq = last.map_or(0, |(seq, _)| seq) + 1;
    if seq.unsigned_abs() > SESSION_MESSAGES_MAX {
        return Err(RunsError::TooLarge {
            what: "the session (messages)",
            size: usize::try_from(seq).unwrap_or(usize::MAX),
            limit: SESSION_MESSAGES_MAX as usize,
        });
    }
    tx.prepare_cached(
        "INSERT INTO message (session_id, seq, id, parent_id, role, body, model, recipient, \
         run_id, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            session_id,
            seq,
            new.id,
            last.map(|(_, id)| id),
            new.role,
            new.body,
            new.model,
            new.recipient,
            new.run_id,
            now_ms
        ])
    })
    .map_err(at(tx, APPEND))?;
    tx.prepare_cached("UPDATE session SET active_ms = max(active_ms, ?2) WHERE id = ?1")
        .and_then(|mut statement| statement.execute(params![session_id, now_ms]))
        .map_err(at(tx, APPEND))?;
    Ok(seq.unsigned_abs())
}

/// The last `limit` messages of a conversation (1,000 at most), the oldest of them first.
///
/// # Errors
/// [`RunsError::NotFound`], or what the store said.
pub fn messages(
    conn: &Connection,
    tenant: Tenant,
    session_id: Uuid,
    limit: usize,
) -> Result<Vec<Message>, RunsError> {
    get_session(conn, tenant, session_id)?;
    let limit = i64::try_from(limit.clamp(1, READ_MESSAGES_MAX)).unwrap_or(i64::MAX);
    let mut last: Vec<Message> = conn
        .prepare_cached(
            "SELECT id, seq, parent_id, role, body, model, recipient, run_id, created_ms \
             FROM message WHERE session_id = ?1 ORDER BY seq DESC LIMIT ?2",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![session_id, limit], |row| {
                    Ok(Message {
                        id: row.get(0)?,
                        seq: row.get::<_, i64>(1)?.unsigned_abs(),
                        parent_id: row.get(2)?,
                        role: row.get(3)?,
                        body: row.get(4)?,
                        model: row.get(5)?,
                        recipient: row.get(6)?,
                        run_id: row.get(7)?,
                        created_ms: row.get(8)?,
                    })
                })?
                .collect()
        })
        .map_err(at(conn, READ))?;
    last.reverse();
    Ok(last)
}

/// Marks a conversation and its runs as deleted: from this commit on they can't be seen, and
/// [`crate::prune`] removes messages, events and rows. Answers the runs.
///
/// # Errors
/// [`RunsError::StillRunning`] while one of its runs does; [`RunsError::NotFound`].
pub fn delete_session(
    tx: &Tx<'_>,
    tenant: Tenant,
    id: Uuid,
    now_ms: i64,
) -> Result<Vec<Uuid>, RunsError> {
    get_session(tx, tenant, id)?;
    let running: Option<Uuid> = tx
        .query_row(
            "SELECT id FROM run WHERE session_id = ?1 AND state = 'running' LIMIT 1",
            [id],
            |row| row.get(0),
        )
        .optional()
        .map_err(at(tx, DELETE))?;
    if let Some(id) = running {
        return Err(RunsError::StillRunning { id });
    }
    let runs = tx
        .prepare(
            "UPDATE run SET expires_ms = ?2, purged_ms = NULL WHERE session_id = ?1 RETURNING id",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![id, DELETED], |row| row.get(0))?
                .collect()
        })
        .map_err(at(tx, DELETE))?;
    crate::answer::forget_of_session(tx, id)?;
    tx.execute(
        "UPDATE session SET deleted_ms = ?2, title = NULL WHERE id = ?1",
        params![id, now_ms],
    )
    .map_err(at(tx, DELETE))?;
    Ok(runs)
}
