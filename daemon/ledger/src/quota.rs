//! Quotas: so many free reviews, questions or queries of an agent in a stretch of time, on the same
//! books as money. What is the user's own, keys and models of this machine, has none.

use std::fmt;

use convergio_store::{Connection, StoreError, Tx, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::budget::{self, Budget, Window};
use crate::clock::{self, Now};
use crate::error::LedgerError;
use crate::text_enum::text_enum;
use crate::transfer::{self, Kind, NewRow};
use crate::window::{self, WindowKey};

/// What a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Reviews.
    Review,
    /// Questions.
    Question,
    /// Searches.
    Query,
}

text_enum!(Unit {
    Review = "review",
    Question = "question",
    Query = "query",
});

/// Whose quota of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota<'a> {
    /// Whose books.
    pub tenant_id: Uuid,
    /// The agent that it binds.
    pub agent: &'a str,
    /// What it counts.
    pub unit: Unit,
}

impl Quota<'_> {
    fn used(&self) -> String {
        format!("used/{}/{}", self.unit, self.agent)
    }

    fn granted(&self) -> String {
        format!("granted/{}/{}", self.unit, self.agent)
    }
}

/// What a quota leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaLeft {
    /// In one stretch.
    pub limit: i64,
    /// Used in the present one, reservations included.
    pub used: i64,
    /// When the next one begins, UTC; none for one without an end. A clock that was set back
    /// ([`crate::clock_suspect`]) begins none.
    pub renews_at_ms: Option<i64>,
}

/// Why nothing is reserved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QuotaError {
    /// It is used up, or was never granted.
    #[error("{agent} has no {unit} left: {used} of {limit}")]
    Exhausted {
        /// The agent.
        agent: String,
        /// What is used up.
        unit: Unit,
        /// In one stretch.
        limit: i64,
        /// Used in the present one.
        used: i64,
        /// When the next one begins, UTC; none where it never does.
        renews_at_ms: Option<i64>,
    },
    /// The books could not be read or written: then nothing is given.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<StoreError> for QuotaError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

/// A reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved(Uuid);

impl Reserved {
    /// The id of its transfer.
    #[must_use]
    pub const fn id(self) -> Uuid {
        self.0
    }

    /// The reservation of this transfer.
    #[must_use]
    pub const fn of(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Grants an agent so much in each day, month or in all. Granting anew resets no use.
///
/// # Errors
/// [`LedgerError::Invalid`] for a window of a run or session, a nameless agent or a negative limit;
/// [`LedgerError::TimeZone`].
pub fn grant(
    tx: &Tx<'_>,
    quota: &Quota<'_>,
    window: Window,
    limit: i64,
    zone: &str,
    now: Now,
) -> Result<(), LedgerError> {
    window::zone(zone)?;
    let invalid = |reason| {
        Err(LedgerError::Invalid {
            what: "quota",
            reason,
        })
    };
    if matches!(window, Window::Run | Window::Session) {
        return invalid("for a day, a month or in all");
    }
    if limit < 0 || quota.agent.is_empty() {
        return invalid("an agent's, and not below zero");
    }
    let known: Option<(i64, String)> = tx
        .prepare_cached(
            "SELECT limit_amount, tz FROM budget WHERE tenant_id = ?1 AND unit = ?2 \
             AND scope = 'agent' AND scope_key = ?3 AND window = ?4",
        )
        .and_then(|mut statement| {
            statement
                .query_row(
                    params![quota.tenant_id, quota.unit, quota.agent, window],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()
        })
        .map_err(at(tx, "grant a quota"))?;
    if known
        .as_ref()
        .is_some_and(|(known, tz)| *known == limit && tz == zone)
    {
        return Ok(());
    }
    let now = clock::advance(tx, quota.tenant_id, now)?;
    tx.execute(
        "INSERT INTO budget (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, mode, \
         created_ms, changed_ms) VALUES (?1, ?2, 'agent', ?3, ?4, ?5, ?6, ?7, 'stop', ?8, ?8) \
         ON CONFLICT (tenant_id, unit, scope, scope_key, window) DO UPDATE \
         SET tz = excluded.tz, limit_amount = excluded.limit_amount, \
             changed_ms = excluded.changed_ms",
        params![
            quota.tenant_id,
            Uuid::now_v7(),
            quota.agent,
            window,
            zone,
            quota.unit,
            limit,
            now.wall_ms
        ],
    )
    .map_err(at(tx, "grant a quota"))?;
    let (granted, used) = (quota.granted(), quota.used());
    write(
        tx,
        quota.tenant_id,
        Kind::Grant,
        None,
        (&granted, &used),
        quota.unit.as_str(),
        limit,
        now,
    )?;
    Ok(())
}

/// Reserves one, in every stretch that it counts in, or says that there is none.
///
/// # Errors
/// [`QuotaError`]; nothing was changed, and the transaction may go on.
pub fn reserve(tx: &Tx<'_>, quota: &Quota<'_>, now: Now) -> Result<Reserved, QuotaError> {
    let now = clock::advance(tx, quota.tenant_id, now)?;
    let budgets = granted(tx, quota)?;
    let exhausted = |limit, used, renews_at_ms| QuotaError::Exhausted {
        agent: quota.agent.to_owned(),
        unit: quota.unit,
        limit,
        used,
        renews_at_ms,
    };
    if budgets.is_empty() {
        return Err(exhausted(0, 0, None));
    }
    let mut counted = Vec::with_capacity(budgets.len());
    // All are looked at before any is counted in: a refusal has changed nothing.
    for budget in budgets {
        let Some(key) = budget.window_at(Uuid::nil(), None, now.wall_ms)? else {
            continue;
        };
        let figures = open(tx, quota, &budget, &key)?;
        let used = figures.posted.saturating_add(figures.pending);
        if used >= budget.limit {
            let renews = key.bucket.is_empty().then_some(key.end_ms);
            return Err(exhausted(budget.limit, used, renews));
        }
        counted.push((budget.limit, key));
    }
    let (used, granted) = (quota.used(), quota.granted());
    let unit = quota.unit.as_str();
    let hold = write(
        tx,
        quota.tenant_id,
        Kind::Pending,
        None,
        (&used, &granted),
        unit,
        1,
        now,
    )?;
    for (limit, key) in &counted {
        if !window::hold(tx, key, 1, Some(*limit))? {
            return Err(LedgerError::Damaged {
                detail: "a quota's figures changed within one transaction".to_owned(),
            }
            .into());
        }
        window::link(tx, hold, key)?;
    }
    Ok(Reserved(hold))
}

/// The first useful output came: the reservation is used.
///
/// # Errors
/// [`LedgerError::NotFound`], [`LedgerError::Invalid`] for one that has its end, or what the store
/// said.
pub fn post(tx: &Tx<'_>, tenant_id: Uuid, reserved: Reserved, now: Now) -> Result<(), LedgerError> {
    end(tx, tenant_id, reserved.0, Kind::Post, now)
}

/// It came to nothing: the reservation is free again.
///
/// # Errors
/// As [`post`]'s.
pub fn void(tx: &Tx<'_>, tenant_id: Uuid, reserved: Reserved, now: Now) -> Result<(), LedgerError> {
    end(tx, tenant_id, reserved.0, Kind::Void, now)
}

/// What every stretch of a quota leaves; nothing where none was granted.
///
/// # Errors
/// What the store said.
pub fn left(conn: &Connection, quota: &Quota<'_>, now: Now) -> Result<Vec<QuotaLeft>, LedgerError> {
    let now = clock::effective(conn, quota.tenant_id, now)?;
    let mut all = Vec::new();
    for budget in granted(conn, quota)? {
        if let Some(key) = budget.window_at(Uuid::nil(), None, now.wall_ms)? {
            let figures = window::read(conn, &key)?.unwrap_or_default();
            all.push(QuotaLeft {
                limit: budget.limit,
                used: figures.posted.saturating_add(figures.pending),
                renews_at_ms: key.bucket.is_empty().then_some(key.end_ms),
            });
        }
    }
    Ok(all)
}

/// Frees what a former process reserved and never used: nothing useful came of it.
pub(crate) fn recover(tx: &Tx<'_>, tenant_id: Uuid, now: Now) -> Result<Vec<Uuid>, LedgerError> {
    let open: Vec<Uuid> = tx
        .prepare_cached(
            "SELECT p.id FROM transfer p WHERE p.tenant_id = ?1 AND p.kind = 'pending' \
             AND p.unit <> 'nano_usd' AND NOT EXISTS (SELECT 1 FROM transfer r \
                WHERE r.pending_id = p.id AND r.kind IN ('post', 'void', 'expire')) ORDER BY p.seq",
        )
        .and_then(|mut statement| {
            statement
                .query_map([tenant_id], |row| row.get(0))?
                .collect()
        })
        .map_err(at(tx, "find interrupted reservations"))?;
    for hold in &open {
        end(tx, tenant_id, *hold, Kind::Void, now)?;
    }
    Ok(open)
}

fn granted(conn: &Connection, quota: &Quota<'_>) -> Result<Vec<Budget>, LedgerError> {
    let sql = format!(
        "SELECT {} FROM budget WHERE tenant_id = ?1 AND unit = ?2 AND scope = 'agent' \
         AND scope_key = ?3 ORDER BY id",
        budget::COLUMNS
    );
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![quota.tenant_id, quota.unit, quota.agent],
                    Budget::from_row,
                )?
                .collect()
        })
        .map_err(at(conn, "read quotas"))?)
}

/// The window's figures. One that is new begins with what was used in it before.
fn open(
    tx: &Tx<'_>,
    quota: &Quota<'_>,
    budget: &Budget,
    key: &WindowKey,
) -> Result<window::Figures, LedgerError> {
    if let Some(figures) = window::read(tx, key)? {
        return Ok(figures);
    }
    window::begin(tx, key)?;
    let (from_ms, to_ms) = match budget.name.window {
        Window::Total => (i64::MIN, i64::MAX),
        _ => (key.start_ms, key.end_ms),
    };
    let linked = tx
        .execute(
            "INSERT INTO transfer_window (transfer_id, budget_id, start_ms, end_ms, bucket) \
             SELECT id, ?1, ?2, ?3, ?4 FROM transfer WHERE tenant_id = ?5 AND debit = ?6 \
             AND kind = 'pending' AND unit <> 'nano_usd' AND wall_ms >= ?7 AND wall_ms < ?8",
            params![
                key.budget_id,
                key.start_ms,
                key.end_ms,
                key.bucket,
                quota.tenant_id,
                quota.used(),
                from_ms,
                to_ms
            ],
        )
        .map_err(at(tx, "count in a quota's window"))?;
    if linked > 0 {
        window::write(tx, key, &window::replay(tx, key)?)?;
    }
    Ok(window::read(tx, key)?.unwrap_or_default())
}

fn end(tx: &Tx<'_>, tenant_id: Uuid, hold: Uuid, kind: Kind, now: Now) -> Result<(), LedgerError> {
    let found: Option<(String, String, String, i64, bool)> = tx
        .prepare_cached(
            "SELECT debit, credit, unit, amount, EXISTS (SELECT 1 FROM transfer r \
                WHERE r.pending_id = p.id AND r.kind IN ('post', 'void', 'expire')) \
             FROM transfer p WHERE tenant_id = ?1 AND id = ?2 AND kind = 'pending' \
             AND unit <> 'nano_usd'",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![tenant_id, hold], |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                    ))
                })
                .optional()
        })
        .map_err(at(tx, "end a reservation"))?;
    let Some((debit, credit, unit, amount, ended)) = found else {
        return Err(LedgerError::NotFound {
            what: "reservation",
            id: hold,
        });
    };
    if ended {
        return Err(LedgerError::Invalid {
            what: "reservation",
            reason: "it has its end",
        });
    }
    write(
        tx,
        tenant_id,
        kind,
        Some(hold),
        (&debit, &credit),
        &unit,
        amount,
        now,
    )?;
    let spent = if kind == Kind::Post { amount } else { 0 };
    for key in window::of_hold(tx, hold)? {
        window::resolve(tx, &key, amount, spent, None)?;
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
fn write(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    kind: Kind,
    pending_id: Option<Uuid>,
    (debit, credit): (&str, &str),
    unit: &str,
    amount: i64,
    now: Now,
) -> Result<Uuid, LedgerError> {
    let row = NewRow {
        tenant_id,
        kind,
        pending_id,
        debit,
        credit,
        unit,
        amount,
        attempt_id: None,
    };
    Ok(transfer::append_row(tx, &row, now)?.id)
}
