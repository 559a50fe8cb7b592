//! How long things are kept, and their going in slices short enough to be nobody's delay.

use convergio_store::{Tx, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::error::RunsError;
use crate::run::{DELETED, PURGING, RunState, Tenant};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const PRUNE: &str = "remove what has expired";

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A run's events, after its end.
    pub content_ms: i64,
    /// A run's row, after its end; and what it sent out of the machine, after that left.
    pub run_ms: i64,
    /// An undo entry, after its making.
    pub undo_ms: i64,
}

impl Default for Retention {
    /// 7 days, 13 months, 30 days.
    fn default() -> Self {
        Self {
            content_ms: 7 * DAY_MS,
            run_ms: 395 * DAY_MS,
            undo_ms: 30 * DAY_MS,
        }
    }
}

/// What a slice removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: usize,
    /// Runs that lost their content and kept their row.
    pub purged: usize,
    /// Rows of runs.
    pub runs: usize,
    /// Undo entries.
    pub undos: usize,
    /// Messages of deleted sessions.
    pub messages: usize,
    /// Rows of deleted sessions.
    pub sessions: usize,
    /// Rows of what left the machine.
    pub egress: usize,
    /// Answers that were kept.
    pub answers: usize,
}

impl Pruned {
    /// Rows touched.
    #[must_use]
    pub fn total(&self) -> usize {
        self.events
            + self.purged
            + self.runs
            + self.undos
            + self.messages
            + self.sessions
            + self.egress
            + self.answers
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.purged += other.purged;
        self.runs += other.runs;
        self.undos += other.undos;
        self.messages += other.messages;
        self.sessions += other.sessions;
        self.egress += other.egress;
        self.answers += other.answers;
    }
}

/// Marks an ended run as deleted: from this commit on it can't be seen, and [`prune`] removes it.
///
/// # Errors
/// [`RunsError::StillRunning`], [`RunsError::NotFound`].
pub fn delete(tx: &Tx<'_>, tenant: Tenant, run_id: Uuid) -> Result<(), RunsError> {
    const DELETE: &str = "delete a run";
    let state: Option<RunState> = tx
        .query_row(
            "SELECT state FROM run WHERE tenant_id = ?1 AND id = ?2 AND expires_ms IS NOT 0",
            params![tenant.0, run_id],
            |row| row.get(0),
        )
        .optional()
        .map_err(at(tx, DELETE))?;
    match state {
        None => Err(RunsError::NotFound {
            what: "run",
            id: run_id,
        }),
        Some(RunState::Running) => Err(RunsError::StillRunning { id: run_id }),
        Some(_) => {
            tx.execute(
                "UPDATE run SET expires_ms = ?2, purged_ms = NULL WHERE id = ?1",
                params![run_id, DELETED],
            )
            .map_err(at(tx, DELETE))?;
            crate::answer::forget_of_run(tx, run_id)?;
            Ok(())
        }
    }
}

/// Removes at most about `limit` rows that have expired: events of ended runs, then rows of runs
/// long past, then undo entries, deleted sessions with their messages, and what left the machine
/// long ago. A slice that removes nothing says that all is done.
///
/// # Errors
/// What the store said.
pub fn prune(
    tx: &Tx<'_>,
    now_ms: i64,
    retention: &Retention,
    limit: usize,
) -> Result<Pruned, RunsError> {
    let mut pruned = Pruned::default();
    let mut left = limit;
    while left > 0 {
        // The partial index holds just the runs that have content to lose.
        let due: Option<(Uuid, i64)> = tx
            .prepare_cached(
                "SELECT id, expires_ms FROM run \
                 WHERE expires_ms <= ?1 AND expires_ms IS NOT NULL AND purged_ms IS NULL \
                   AND state <> 'running' ORDER BY expires_ms LIMIT 1",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([now_ms], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(at(tx, PRUNE))?;
        let Some((run_id, expires_ms)) = due else {
            break;
        };
        let events = execute(
            tx,
            "DELETE FROM event_log WHERE rowid IN \
             (SELECT rowid FROM event_log WHERE run_id = ?1 ORDER BY seq DESC LIMIT ?2)",
            params![run_id, as_limit(left)],
        )?;
        pruned.events += events;
        left -= events.min(left);
        if left == 0 {
            // There may be more of them, but no reader is shown half a log.
            execute(
                tx,
                "UPDATE run SET expires_ms = ?2 WHERE id = ?1 AND expires_ms > 0",
                params![run_id, PURGING],
            )?;
            break;
        }
        if expires_ms == DELETED {
            pruned.runs += execute(tx, "DELETE FROM run WHERE id = ?1", params![run_id])?;
        } else {
            pruned.answers += crate::answer::forget_of_run(tx, run_id)?;
            pruned.purged += execute(
                tx,
                "UPDATE run SET purged_ms = ?2, expires_ms = max(expires_ms, 1) WHERE id = ?1",
                params![run_id, now_ms],
            )?;
        }
        left -= 1;
    }
    let runs = execute(
        tx,
        "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE purged_ms IS NOT NULL \
         AND ended_ms <= ?1 LIMIT ?2)",
        params![now_ms.saturating_sub(retention.run_ms), as_limit(left)],
    )?;
    pruned.runs += runs;
    left -= runs.min(left);
    let answers = execute(
        tx,
        "DELETE FROM kept_answer WHERE rowid IN \
         (SELECT rowid FROM kept_answer WHERE expires_ms <= ?1 LIMIT ?2)",
        params![now_ms, as_limit(left)],
    )?;
    pruned.answers += answers;
    left -= answers.min(left);
    pruned.undos += execute(
        tx,
        "DELETE FROM undo WHERE rowid IN (SELECT rowid FROM undo WHERE expires_ms <= ?1 LIMIT ?2)",
        params![now_ms, as_limit(left)],
    )?;
    left -= pruned.undos.min(left);
    prune_sessions(tx, &mut pruned, left)?;
    left -= (pruned.messages + pruned.sessions).min(left);
    pruned.egress += execute(
        tx,
        "DELETE FROM egress WHERE id IN (SELECT e.id FROM tenant t \
         JOIN egress e ON e.tenant_id = t.id AND e.at_ms <= ?1 LIMIT ?2)",
        params![now_ms.saturating_sub(retention.run_ms), as_limit(left)],
    )?;
    Ok(pruned)
}

/// The messages of deleted sessions, the last ones first, and the rows of those that have neither
/// messages nor runs left.
fn prune_sessions(tx: &Tx<'_>, pruned: &mut Pruned, limit: usize) -> Result<(), RunsError> {
    pruned.messages += execute(
        tx,
        "DELETE FROM message WHERE rowid IN (SELECT m.rowid FROM session s \
         JOIN message m ON m.session_id = s.id WHERE s.deleted_ms IS NOT NULL \
         ORDER BY s.id, m.seq DESC LIMIT ?1)",
        params![as_limit(limit)],
    )?;
    let left = limit - pruned.messages.min(limit);
    pruned.sessions += execute(
        tx,
        "DELETE FROM session WHERE id IN (SELECT s.id FROM session s \
         WHERE s.deleted_ms IS NOT NULL \
           AND NOT EXISTS (SELECT 1 FROM message WHERE session_id = s.id) \
           AND NOT EXISTS (SELECT 1 FROM run WHERE session_id = s.id) LIMIT ?1)",
        params![as_limit(left)],
    )?;
    Ok(())
}

fn execute(tx: &Tx<'_>, sql: &str, params: impl rusqlite::Params) -> Result<usize, RunsError> {
    Ok(tx
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(at(tx, PRUNE))?)
}

fn as_limit(left: usize) -> i64 {
    i64::try_from(left).unwrap_or(i64::MAX)
}
