//! The stretches that a budget's limit is for, and the figures it is asked by: a cache of the
//! transfers.

use convergio_store::{Connection, Tx, at};
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use crate::budget::{Budget, Scope, Window};
use crate::error::LedgerError;

const READ: &str = "read a budget's window";
const COUNT: &str = "count in a budget's window";

/// Windows that one replay looks at.
const REPLAY_MAX: i64 = 10_000;

/// One window of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WindowKey {
    pub(crate) budget_id: Uuid,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// The run or session of such a window.
    pub(crate) bucket: String,
}

/// What is in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) posted: i64,
    pub(crate) pending: i64,
    pub(crate) over_seq: i64,
    pub(crate) thawed_seq: i64,
    /// When a person was asked whether to go on although little is left; 0 for never.
    pub(crate) asked_ms: i64,
}

impl Figures {
    pub(crate) fn frozen(&self) -> bool {
        self.over_seq > self.thawed_seq
    }

    /// What the limit leaves; nothing below zero.
    pub(crate) fn room(&self, limit: i64) -> i64 {
        limit
            .saturating_sub(self.posted)
            .saturating_sub(self.pending)
            .max(0)
    }
}

/// A window whose figures were not those of the transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowDifference {
    /// The budget.
    pub budget_id: Uuid,
    /// The window's beginning, UTC; 0 for a run's or a session's.
    pub start_ms: i64,
    /// Spent, as it was cached, nano-USD.
    pub cached_posted_nano: i64,
    /// Held, as it was cached, nano-USD.
    pub cached_pending_nano: i64,
    /// Spent, by the transfers, nano-USD.
    pub posted_nano: i64,
    /// Held, by the transfers, nano-USD.
    pub pending_nano: i64,
}

/// The machine's time zone by its IANA name; `UTC` where it has none.
#[must_use]
pub fn local_zone() -> String {
    let zone = TimeZone::system();
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// A zone by its name.
pub(crate) fn zone(name: &str) -> Result<TimeZone, LedgerError> {
    TimeZone::get(name).map_err(|error| LedgerError::TimeZone {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}

/// The window that `now_ms` lies in: start, and end, which lies outside. Days and months are those
/// of the zone's calendar, of 23 or 25 hours where a clock is changed.
pub(crate) fn span(window: Window, tz: &str, now_ms: i64) -> Result<(i64, i64), LedgerError> {
    let calendar = || -> Result<(i64, i64), String> {
        let zone = TimeZone::get(tz).map_err(|error| error.to_string())?;
        let now = Timestamp::from_millisecond(now_ms).map_err(|error| error.to_string())?;
        let today = now.to_zoned(zone.clone()).date();
        let (first, next) = if window == Window::Month {
            let last = today.last_of_month();
            (today.first_of_month(), last.tomorrow())
        } else {
            (today, today.tomorrow())
        };
        let begins = |date: jiff::civil::Date| {
            date.to_zoned(zone.clone())
                .map(|begin| begin.timestamp().as_millisecond())
                .map_err(|error| error.to_string())
        };
        Ok((begins(first)?, begins(next.map_err(|e| e.to_string())?)?))
    };
    match window {
        Window::Run | Window::Session | Window::Total => Ok((0, i64::MAX)),
        Window::Day | Window::Month => calendar().map_err(|reason| LedgerError::TimeZone {
            name: tz.to_owned(),
            reason,
        }),
    }
}

fn figures_from(row: &Row<'_>, first: usize) -> rusqlite::Result<Figures> {
    Ok(Figures {
        posted: row.get(first)?,
        pending: row.get(first + 1)?,
        over_seq: row.get(first + 2)?,
        thawed_seq: row.get(first + 3)?,
        asked_ms: row.get(first + 4)?,
    })
}

pub(crate) fn read(conn: &Connection, key: &WindowKey) -> Result<Option<Figures>, LedgerError> {
    Ok(conn
        .prepare_cached(
            "SELECT posted, pending, over_seq, thawed_seq, asked_ms FROM budget_window \
             WHERE budget_id = ?1 AND start_ms = ?2 AND end_ms = ?3 AND bucket = ?4",
        )
        .and_then(|mut statement| {
            statement
                .query_row(
                    params![key.budget_id, key.start_ms, key.end_ms, key.bucket],
                    |row| figures_from(row, 0),
                )
                .optional()
        })
        .map_err(at(conn, READ))?)
}

/// The window's figures. A window that is new begins with what was held and spent in it before
/// there was such a budget, or while its days were another zone's.
pub(crate) fn open(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    budget: &Budget,
    key: &WindowKey,
) -> Result<Figures, LedgerError> {
    if let Some(figures) = read(tx, key)? {
        return Ok(figures);
    }
    begin(tx, key)?;
    let select = "INSERT INTO transfer_window (transfer_id, budget_id, start_ms, end_ms, bucket) \
                  SELECT t.id, ?1, ?2, ?3, ?4";
    let of_scope = "CASE ?5 WHEN 'tenant' THEN 1 WHEN 'agent' THEN a.agent = ?6 \
                    WHEN 'plugin' THEN a.plugin = ?6 WHEN 'provider' THEN a.provider = ?6 \
                    WHEN 'profile' THEN lower(hex(a.subject_id)) = ?6 \
                    WHEN 'session' THEN lower(hex(a.session_id)) = ?6 \
                    WHEN 'run' THEN lower(hex(a.run_id)) = ?6 \
                    WHEN 'token' THEN a.token = ?6 ELSE 0 END";
    let scope = params![
        key.budget_id,
        key.start_ms,
        key.end_ms,
        key.bucket,
        budget.name.scope,
        budget.name.scope_key,
        tenant_id
    ];
    let from = match budget.name.window {
        Window::Total if budget.name.scope == Scope::Token => {
            "FROM attempt a JOIN transfer t ON t.attempt_id = a.id AND t.kind = 'pending' \
             WHERE a.tenant_id = ?7 AND a.token = ?6"
        }
        Window::Day | Window::Month | Window::Total => {
            "FROM transfer t JOIN attempt a ON a.id = t.attempt_id \
             WHERE t.tenant_id = ?7 AND t.kind = 'pending' AND t.wall_ms >= ?2 AND t.wall_ms < ?3"
        }
        Window::Run => {
            "FROM attempt a JOIN transfer t ON t.attempt_id = a.id AND t.kind = 'pending' \
             WHERE a.run_id = unhex(?4) AND a.tenant_id = ?7"
        }
        Window::Session => {
            "FROM attempt a JOIN transfer t ON t.attempt_id = a.id AND t.kind = 'pending' \
             WHERE a.session_id = unhex(?4) AND a.tenant_id = ?7"
        }
    };
    let linked = tx
        .execute(&format!("{select} {from} AND {of_scope}"), scope)
        .map_err(at(tx, COUNT))?;
    if linked > 0 {
        write(tx, key, &replay(tx, key)?)?;
    }
    Ok(read(tx, key)?.unwrap_or_default())
}

/// A window with nothing in it.
pub(crate) fn begin(tx: &Tx<'_>, key: &WindowKey) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO budget_window (budget_id, start_ms, end_ms, bucket) VALUES (?1, ?2, ?3, ?4)",
        params![key.budget_id, key.start_ms, key.end_ms, key.bucket],
    )
    .map_err(at(tx, COUNT))?;
    Ok(())
}

/// Forgets a window, so that [`open`] counts it anew.
pub(crate) fn forget(tx: &Tx<'_>, key: &WindowKey) -> Result<(), LedgerError> {
    for table in ["transfer_window", "budget_window"] {
        tx.execute(
            &format!(
                "DELETE FROM {table} \
                 WHERE budget_id = ?1 AND start_ms = ?2 AND end_ms = ?3 AND bucket = ?4"
            ),
            params![key.budget_id, key.start_ms, key.end_ms, key.bucket],
        )
        .map_err(at(tx, COUNT))?;
    }
    Ok(())
}

/// Counts a hold, if there is room for it: the one condition that keeps a limit.
pub(crate) fn hold(
    tx: &Tx<'_>,
    key: &WindowKey,
    amount: i64,
    limit: Option<i64>,
) -> Result<bool, LedgerError> {
    let changed = tx
        .prepare_cached(
            "UPDATE budget_window SET pending = pending + ?5 \
             WHERE budget_id = ?1 AND start_ms = ?2 AND end_ms = ?3 AND bucket = ?4 \
               AND (?6 IS NULL OR (over_seq <= thawed_seq AND posted + pending + ?5 <= ?6))",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                key.budget_id,
                key.start_ms,
                key.end_ms,
                key.bucket,
                amount,
                limit
            ])
        })
        .map_err(at(tx, COUNT))?;
    Ok(changed == 1)
}

/// Notes that a hold counts in a window.
pub(crate) fn link(tx: &Tx<'_>, transfer_id: Uuid, key: &WindowKey) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "INSERT INTO transfer_window (transfer_id, budget_id, start_ms, end_ms, bucket) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            transfer_id,
            key.budget_id,
            key.start_ms,
            key.end_ms,
            key.bucket
        ])
    })
    .map_err(at(tx, COUNT))?;
    Ok(())
}

/// The windows that a hold counts in.
pub(crate) fn of_hold(conn: &Connection, transfer_id: Uuid) -> Result<Vec<WindowKey>, LedgerError> {
    Ok(conn
        .prepare_cached(
            "SELECT budget_id, start_ms, end_ms, bucket FROM transfer_window \
             WHERE transfer_id = ?1 ORDER BY budget_id, start_ms, end_ms, bucket",
        )
        .and_then(|mut statement| {
            statement
                .query_map([transfer_id], |row| {
                    Ok(WindowKey {
                        budget_id: row.get(0)?,
                        start_ms: row.get(1)?,
                        end_ms: row.get(2)?,
                        bucket: row.get(3)?,
                    })
                })?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

/// Counts the end of a hold. An attempt ends whatever its cache says: figures that don't fit are
/// found and rebuilt by the next replay.
pub(crate) fn resolve(
    tx: &Tx<'_>,
    key: &WindowKey,
    hold: i64,
    spent: i64,
    over_seq: Option<i64>,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE budget_window SET pending = max(pending - ?5, 0), posted = posted + ?6, \
         over_seq = max(over_seq, ?7) \
         WHERE budget_id = ?1 AND start_ms = ?2 AND end_ms = ?3 AND bucket = ?4",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            key.budget_id,
            key.start_ms,
            key.end_ms,
            key.bucket,
            hold,
            spent,
            over_seq.unwrap_or(0)
        ])
    })
    .map_err(at(tx, COUNT))?;
    Ok(())
}

/// A window's figures by its transfers.
pub(crate) fn replay(conn: &Connection, key: &WindowKey) -> Result<Figures, LedgerError> {
    Ok(conn
        .prepare_cached(
            "SELECT coalesce(sum(CASE r.kind WHEN 'post' THEN r.amount ELSE 0 END), 0) \
                  + coalesce(sum(o.amount), 0), \
                coalesce(sum(CASE WHEN r.id IS NULL THEN p.amount ELSE 0 END), 0), \
                coalesce(max(o.seq), 0), 0, 0 \
             FROM transfer_window w JOIN transfer p ON p.id = w.transfer_id \
             LEFT JOIN transfer r ON r.pending_id = p.id AND r.kind IN ('post', 'void', 'expire') \
             LEFT JOIN transfer o ON o.pending_id = p.id AND o.kind = 'overage' \
             WHERE w.budget_id = ?1 AND w.start_ms = ?2 AND w.end_ms = ?3 AND w.bucket = ?4",
        )
        .and_then(|mut statement| {
            statement.query_row(
                params![key.budget_id, key.start_ms, key.end_ms, key.bucket],
                |row| figures_from(row, 0),
            )
        })
        .map_err(at(conn, "replay the ledger"))?)
}

/// Compares cached figures with the transfers: windows that are open or hold something, or all.
pub(crate) fn differences(
    conn: &Connection,
    tenant_id: Uuid,
    open_at_ms: Option<i64>,
) -> Result<Vec<(WindowKey, Figures, WindowDifference)>, LedgerError> {
    // A run's window never ends by the calendar; it is looked at while something is held in it.
    let windows: Vec<(WindowKey, Figures)> = conn
        .prepare_cached(
            "SELECT w.budget_id, w.start_ms, w.end_ms, w.bucket, w.posted, w.pending, \
                w.over_seq, w.thawed_seq, w.asked_ms \
             FROM budget b JOIN budget_window w ON w.budget_id = b.id \
             WHERE b.tenant_id = ?1 \
               AND (?2 IS NULL OR w.pending > 0 OR (w.end_ms > ?2 AND w.bucket IN ('', 'total'))) \
             ORDER BY w.start_ms DESC LIMIT ?3",
        )
        .and_then(|mut statement| {
            let limit = open_at_ms.map_or(i64::MAX, |_| REPLAY_MAX);
            statement
                .query_map(params![tenant_id, open_at_ms, limit], |row| {
                    let key = WindowKey {
                        budget_id: row.get(0)?,
                        start_ms: row.get(1)?,
                        end_ms: row.get(2)?,
                        bucket: row.get(3)?,
                    };
                    Ok((key, figures_from(row, 4)?))
                })?
                .collect()
        })
        .map_err(at(conn, "replay the ledger"))?;
    let mut found = Vec::new();
    for (key, cached) in windows {
        let true_figures = replay(conn, &key)?;
        let same = cached.posted == true_figures.posted
            && cached.pending == true_figures.pending
            && cached.over_seq == true_figures.over_seq;
        if !same {
            let difference = WindowDifference {
                budget_id: key.budget_id,
                start_ms: key.start_ms,
                cached_posted_nano: cached.posted,
                cached_pending_nano: cached.pending,
                posted_nano: true_figures.posted,
                pending_nano: true_figures.pending,
            };
            found.push((key, true_figures, difference));
        }
    }
    Ok(found)
}

/// Overwrites cached figures with replayed ones; what a person answered for stays.
pub(crate) fn write(tx: &Tx<'_>, key: &WindowKey, figures: &Figures) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE budget_window SET posted = ?5, pending = ?6, over_seq = ?7 \
         WHERE budget_id = ?1 AND start_ms = ?2 AND end_ms = ?3 AND bucket = ?4",
        params![
            key.budget_id,
            key.start_ms,
            key.end_ms,
            key.bucket,
            figures.posted,
            figures.pending,
            figures.over_seq
        ],
    )
    .map_err(at(tx, COUNT))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use convergio_store::{Store, StoreOptions};

    use super::*;
    use crate::clock::Now;
    use crate::limits;

    /// The condition in the database holds by itself, whatever was looked at before.
    #[tokio::test]
    async fn a_window_takes_no_hold_beyond_its_limit() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreOptions::new(home.path())).unwrap();
        store
            .write("test", |tx| -> Result<(), LedgerError> {
                let tenant: Uuid = tx
                    .query_row("SELECT id FROM tenant", [], |row| row.get(0))
                    .map_err(at(tx, "test"))?;
                limits::set_day_budget(tx, tenant, 100, "UTC", Now::system())?;
                let (budget_id, start_ms, end_ms) = tx
                    .query_row(
                        "SELECT budget_id, start_ms, end_ms FROM budget_window",
                        [],
                        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                    )
                    .map_err(at(tx, "test"))?;
                let key = WindowKey {
                    budget_id,
                    start_ms,
                    end_ms,
                    bucket: String::new(),
                };
                assert!(!hold(tx, &key, 101, Some(100))?);
                assert!(hold(tx, &key, 60, Some(100))?);
                assert!(!hold(tx, &key, 41, Some(100))?);
                assert!(hold(tx, &key, 40, Some(100))?);
                assert!(!hold(tx, &key, 1, Some(100))?);
                // What is held and spent counts alike.
                resolve(tx, &key, 60, 60, None)?;
                assert!(!hold(tx, &key, 1, Some(100))?);
                resolve(tx, &key, 40, 10, None)?;
                assert!(hold(tx, &key, 30, Some(100))?);
                resolve(tx, &key, 30, 0, None)?;
                // Frozen; a budget that only warns takes it all the same.
                resolve(tx, &key, 0, 0, Some(5))?;
                assert!(!hold(tx, &key, 1, Some(100))?);
                assert!(hold(tx, &key, 1_000, None)?);
                let figures = read(tx, &key)?.unwrap();
                assert_eq!((figures.posted, figures.pending), (70, 1_000));
                Ok(())
            })
            .await
            .unwrap();
    }
}
