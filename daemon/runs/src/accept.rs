//! Taking on a run, once.

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::error::{RunsError, bounded, version_7};
use crate::run::{COLUMNS, DELETED, Hash32, Run, RunKind, RunState, Tenant};

const ACCEPT: &str = "accept a run";

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Made by the client, UUIDv7.
    pub id: Uuid,
    /// What is to be run.
    pub kind: RunKind,
    /// The conversation, if it belongs to one.
    pub session_id: Option<Uuid>,
    /// The git top level (or folder) that it is about; 4 KiB at most.
    pub root: Option<String>,
    /// What of it was asked for; 4 KiB at most.
    pub selection: Option<String>,
    /// The revision that the diff starts from; 128 bytes at most.
    pub base_sha: Option<String>,
    /// SHA-256 of everything that makes this request this request.
    pub request_hash: [u8; 32],
    /// The client's key against doing it twice; 256 bytes at most.
    pub idempotency_key: Option<String>,
    /// Its content goes when it ends.
    pub ephemeral: bool,
}

/// The answer to a request for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is new and running: do it.
    New(Run),
    /// The same request came before: answer from its log, under this run's id. Don't do it again.
    Replay(Run),
}

impl Accepted {
    /// The run, new or not.
    #[must_use]
    pub fn run(&self) -> &Run {
        match self {
            Self::New(run) | Self::Replay(run) => run,
        }
    }
}

/// Takes on a run, or finds that it was taken on before: by its id or its idempotency key, with
/// the same hash.
///
/// # Errors
/// [`RunsError::Conflict`] for the same id or key with another hash, or an id and a key that
/// belong to two runs; [`RunsError::NotFound`] for an unknown session.
pub fn accept(
    tx: &Tx<'_>,
    tenant: Tenant,
    new: &NewRun,
    now_ms: i64,
) -> Result<Accepted, RunsError> {
    version_7("run_id", new.id)?;
    bounded("root (bytes)", new.root.as_deref(), 4096)?;
    bounded("selection (bytes)", new.selection.as_deref(), 4096)?;
    bounded("base_sha (bytes)", new.base_sha.as_deref(), 128)?;
    bounded(
        "idempotency_key (bytes)",
        new.idempotency_key.as_deref(),
        256,
    )?;
    let by_id = find(tx, "id = ?2", tenant, &new.id)?;
    let by_key = match &new.idempotency_key {
        Some(key) => find(tx, "idempotency_key = ?2", tenant, key)?,
        None => None,
    };
    let conflict = |what, run: &Run| Err(RunsError::Conflict { what, id: run.id });
    match (by_id, by_key) {
        (Some(run), _) if run.request_hash != new.request_hash => conflict("run id", &run),
        (_, Some(run)) if run.request_hash != new.request_hash => conflict("idempotency key", &run),
        (Some(one), Some(other)) if one.id != other.id => conflict("idempotency key", &other),
        // Deleted, its last rows on their way out.
        (Some(run), _) | (None, Some(run)) if run.expires_ms == Some(DELETED) => {
            conflict("run id", &run)
        }
        (Some(run), _) | (None, Some(run)) => Ok(Accepted::Replay(run)),
        (None, None) => insert(tx, tenant, new, now_ms).map(Accepted::New),
    }
}

/// The run that a key was given to, if it is known.
///
/// # Errors
/// What the store said.
pub fn by_key(conn: &Connection, tenant: Tenant, key: &str) -> Result<Option<Run>, RunsError> {
    find(conn, "idempotency_key = ?2", tenant, &key)
}

fn find(
    tx: &Connection,
    condition: &'static str,
    tenant: Tenant,
    value: &dyn rusqlite::ToSql,
) -> Result<Option<Run>, RunsError> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE tenant_id = ?1 AND {condition}");
    Ok(tx
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant.0, value], Run::from_row)
                .optional()
        })
        .map_err(at(tx, ACCEPT))?)
}

fn insert(tx: &Tx<'_>, tenant: Tenant, new: &NewRun, now_ms: i64) -> Result<Run, RunsError> {
    if let Some(session_id) = new.session_id {
        let known: bool = tx
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM session WHERE tenant_id = ?1 AND id = ?2 AND deleted_ms IS NULL)",
                params![tenant.0, session_id],
                |row| row.get(0),
            )
            .map_err(at(tx, ACCEPT))?;
        if !known {
            return Err(RunsError::NotFound {
                what: "session",
                id: session_id,
            });
        }
    }
    let sql = format!(
        "INSERT INTO run (tenant_id, id, session_id, kind, state, root, selection, base_sha, \
         request_hash, idempotency_key, ephemeral, started_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING {COLUMNS}"
    );
    Ok(tx
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement.query_row(
                params![
                    tenant.0,
                    new.id,
                    new.session_id,
                    new.kind,
                    RunState::Running,
                    new.root,
                    new.selection,
                    new.base_sha,
                    Hash32(new.request_hash),
                    new.idempotency_key,
                    new.ephemeral,
                    now_ms
                ],
                Run::from_row,
            )
        })
        .map_err(at(tx, ACCEPT))?)
}
