//! Budgets: limits on what may be spent in a stretch of time or in a run.

use std::fmt;

use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use crate::clock::Now;
use crate::error::LedgerError;
use crate::text_enum::text_enum;
use crate::transfer::NANO_USD;
use crate::window::{self, Figures, WindowKey};

const SET: &str = "set a budget";
const READ: &str = "read budgets";

/// Budgets of the calendar that are listed at most.
const LIST_MAX: i64 = 1_000;

/// Whose spending a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everybody's.
    Tenant,
    /// A profile's.
    Profile,
    /// An agent's.
    Agent,
    /// A plugin's.
    Plugin,
    /// What a provider is paid.
    Provider,
    /// A conversation's.
    Session,
    /// A run's.
    Run,
}

text_enum!(Scope {
    Tenant = "tenant",
    Profile = "profile",
    Agent = "agent",
    Plugin = "plugin",
    Provider = "provider",
    Session = "session",
    Run = "run",
});

/// The stretch that a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// A day of the calendar, in the budget's time zone.
    Day,
    /// A month of the calendar, in the budget's time zone.
    Month,
    /// A run.
    Run,
    /// A conversation.
    Session,
}

text_enum!(Window {
    Day = "day",
    Month = "month",
    Run = "run",
    Session = "session",
});

/// Which budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetName {
    /// Its id.
    pub id: Uuid,
    /// Whose spending it limits.
    pub scope: Scope,
    /// Which agent, provider, …; ids as 32 hexadecimal digits; empty for everybody.
    pub scope_key: String,
    /// The stretch that its limit is for.
    pub window: Window,
}

impl fmt::Display for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.window {
            Window::Day => "the daily budget",
            Window::Month => "the monthly budget",
            Window::Run => "the run's budget",
            Window::Session => "the session's budget",
        })?;
        match self.scope {
            Scope::Tenant | Scope::Run | Scope::Session => Ok(()),
            scope => write!(f, " of {scope} {}", self.scope_key),
        }
    }
}

/// A budget and its present window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetState {
    /// Which.
    pub name: BudgetName,
    /// Its limit, nano-USD.
    pub limit_nano: i64,
    /// Spent in the window, nano-USD.
    pub posted_nano: i64,
    /// Held by calls under way, nano-USD.
    pub pending_nano: i64,
    /// A provider billed more than was held: nothing more is admitted in this window until a person
    /// sets another limit.
    pub frozen: bool,
    /// The window's beginning, UTC; none for a run's or a session's.
    pub starts_at_ms: Option<i64>,
    /// The window's end, UTC; none for a run's or a session's.
    pub resets_at_ms: Option<i64>,
    /// What was just settled took the spending from below 80 % of the limit to 80 % or more.
    pub crossed_80: bool,
}

/// A budget's row.
pub(crate) struct Budget {
    pub(crate) name: BudgetName,
    pub(crate) tz: String,
    pub(crate) limit: i64,
    /// It stops, and doesn't only warn.
    pub(crate) stops: bool,
}

const COLUMNS: &str = "id, scope, scope_key, window, tz, limit_amount, mode = 'stop'";

impl Budget {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: BudgetName {
                id: row.get(0)?,
                scope: row.get(1)?,
                scope_key: row.get(2)?,
                window: row.get(3)?,
            },
            tz: row.get(4)?,
            limit: row.get(5)?,
            stops: row.get(6)?,
        })
    }

    /// The window of this budget that a call lies in; `None` for a call outside of any session.
    pub(crate) fn window_at(
        &self,
        run_id: Uuid,
        session_id: Option<Uuid>,
        now_ms: i64,
    ) -> Result<Option<WindowKey>, LedgerError> {
        let (start_ms, end_ms) = window::span(self.name.window, &self.tz, now_ms)?;
        let bucket = match (self.name.window, session_id) {
            (Window::Day | Window::Month, _) => String::new(),
            (Window::Run, _) => run_id.simple().to_string(),
            (Window::Session, Some(id)) => id.simple().to_string(),
            (Window::Session, None) => return Ok(None),
        };
        Ok(Some(WindowKey {
            budget_id: self.name.id,
            start_ms,
            end_ms,
            bucket,
        }))
    }

    pub(crate) fn state(&self, key: &WindowKey, figures: &Figures) -> BudgetState {
        let of_calendar = |ms| key.bucket.is_empty().then_some(ms);
        BudgetState {
            name: self.name.clone(),
            limit_nano: self.limit,
            posted_nano: figures.posted,
            pending_nano: figures.pending,
            frozen: figures.frozen(),
            starts_at_ms: of_calendar(key.start_ms),
            resets_at_ms: of_calendar(key.end_ms),
            crossed_80: false,
        }
    }
}

/// Sets what may be spent on models in a day of the zone's calendar, by everybody together. Usage
/// is never reset by it: what was spent today counts, whatever limit or zone it was spent under.
/// Another limit than before is a person's answer to a frozen budget, and thaws it.
///
/// # Errors
/// [`LedgerError::TimeZone`] for a zone that is unknown here, [`LedgerError::Invalid`] for a
/// negative limit.
pub fn set_day_budget(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    limit_nano: i64,
    zone: &str,
    now: Now,
) -> Result<(), LedgerError> {
    window::zone(zone)?;
    let before = find(tx, tenant_id, Scope::Tenant, "", Window::Day)?;
    if let Some(before) = &before
        && before.limit == limit_nano
        && before.tz == zone
    {
        return Ok(());
    }
    let name = (Scope::Tenant, "", Window::Day);
    let id = put(tx, tenant_id, name, zone, limit_nano, now)?;
    let budget = Budget {
        name: BudgetName {
            id,
            scope: Scope::Tenant,
            scope_key: String::new(),
            window: Window::Day,
        },
        tz: zone.to_owned(),
        limit: limit_nano,
        stops: true,
    };
    // No run's: the day's window asks for none.
    let Some(key) = budget.window_at(Uuid::nil(), None, now.wall_ms)? else {
        return Ok(());
    };
    let another_zone = before.as_ref().is_some_and(|before| before.tz != zone);
    let thawed_seq: i64 = if before.is_none_or(|before| before.limit != limit_nano) {
        tx.query_row(
            "SELECT coalesce(max(seq), 0) FROM transfer WHERE tenant_id = ?1",
            [tenant_id],
            |row| row.get(0),
        )
    } else {
        tx.query_row(
            "SELECT coalesce(max(thawed_seq), 0) FROM budget_window WHERE budget_id = ?1",
            [id],
            |row| row.get(0),
        )
    }
    .map_err(at(tx, SET))?;
    if another_zone {
        // A window of this zone from before the last change lacks what was held since.
        window::forget(tx, &key)?;
    }
    window::open(tx, tenant_id, &budget, &key)?;
    tx.execute(
        "UPDATE budget_window SET thawed_seq = ?2 WHERE budget_id = ?1",
        params![id, thawed_seq],
    )
    .map_err(at(tx, SET))?;
    Ok(())
}

/// The day's budget as it stands before the first call under it: this limit, nothing spent.
///
/// # Errors
/// [`LedgerError::TimeZone`] for a zone that is unknown here.
pub fn unspent_day(limit_nano: i64, zone: &str, now: Now) -> Result<BudgetState, LedgerError> {
    let (start_ms, end_ms) = window::span(Window::Day, zone, now.wall_ms)?;
    Ok(BudgetState {
        name: BudgetName {
            id: Uuid::nil(),
            scope: Scope::Tenant,
            scope_key: String::new(),
            window: Window::Day,
        },
        limit_nano,
        posted_nano: 0,
        pending_nano: 0,
        frozen: false,
        starts_at_ms: Some(start_ms),
        resets_at_ms: Some(end_ms),
        crossed_80: false,
    })
}

/// The budgets of the calendar with what is spent in their present windows.
///
/// # Errors
/// What the store said.
pub fn budgets(
    conn: &Connection,
    tenant_id: Uuid,
    now: Now,
) -> Result<Vec<BudgetState>, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM budget WHERE tenant_id = ?1 AND unit = ?2 \
         AND window IN ('day', 'month') AND scope <> 'run' ORDER BY scope, scope_key, window LIMIT ?3"
    );
    let all: Vec<Budget> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, NANO_USD, LIST_MAX], Budget::from_row)?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let mut states = Vec::with_capacity(all.len());
    for budget in all {
        if let Some(key) = budget.window_at(Uuid::nil(), None, now.wall_ms)? {
            let figures = window::read(conn, &key)?.unwrap_or_default();
            states.push(budget.state(&key, &figures));
        }
    }
    Ok(states)
}

/// Who spends, for finding the budgets that limit it.
pub(crate) struct Spender<'a> {
    pub(crate) subject_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) session_id: Option<Uuid>,
    pub(crate) agent: Option<&'a str>,
    pub(crate) plugin: Option<&'a str>,
    pub(crate) provider: &'a str,
}

/// All budgets that limit a call, in the order of their ids.
pub(crate) fn matching(
    conn: &Connection,
    tenant_id: Uuid,
    spender: &Spender<'_>,
) -> Result<Vec<Budget>, LedgerError> {
    // Row values, so that a thousand budgets of former runs are not looked at. NULL matches none.
    let sql = format!(
        "SELECT {COLUMNS} FROM budget WHERE tenant_id = ?1 AND unit = ?2 AND (scope, scope_key) IN \
         (VALUES ('tenant', ''), ('profile', ?3), ('run', ?4), ('session', ?5), ('agent', ?6), \
          ('plugin', ?7), ('provider', ?8)) ORDER BY id"
    );
    let hex = |id: Uuid| id.simple().to_string();
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(
                    params![
                        tenant_id,
                        NANO_USD,
                        hex(spender.subject_id),
                        hex(spender.run_id),
                        spender.session_id.map(hex),
                        spender.agent,
                        spender.plugin,
                        spender.provider
                    ],
                    Budget::from_row,
                )?
                .collect()
        })
        .map_err(at(conn, READ))?)
}

pub(crate) fn get(conn: &Connection, id: Uuid) -> Result<Budget, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM budget WHERE id = ?1");
    conn.prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([id], Budget::from_row).optional())
        .map_err(at(conn, READ))?
        .ok_or(LedgerError::NotFound { what: "budget", id })
}

fn find(
    conn: &Connection,
    tenant_id: Uuid,
    scope: Scope,
    scope_key: &str,
    window: Window,
) -> Result<Option<Budget>, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM budget WHERE tenant_id = ?1 AND unit = ?2 AND scope = ?3 \
         AND scope_key = ?4 AND window = ?5"
    );
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_row(
                    params![tenant_id, NANO_USD, scope, scope_key, window],
                    Budget::from_row,
                )
                .optional()
        })
        .map_err(at(conn, READ))?)
}

/// What a run may spend in all.
pub(crate) fn set_run_budget(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    run_id: Uuid,
    limit_nano: i64,
    now: Now,
) -> Result<(), LedgerError> {
    let key = run_id.simple().to_string();
    let name = (Scope::Run, key.as_str(), Window::Run);
    put(tx, tenant_id, name, "UTC", limit_nano, now).map(drop)
}

fn put(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    (scope, scope_key, window): (Scope, &str, Window),
    tz: &str,
    limit_nano: i64,
    now: Now,
) -> Result<Uuid, LedgerError> {
    if limit_nano < 0 {
        return Err(LedgerError::Invalid {
            what: "a budget's limit",
            reason: "below zero",
        });
    }
    Ok(tx
        .prepare_cached(
            "INSERT INTO budget (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, \
             mode, created_ms, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'stop', ?9, ?9) \
             ON CONFLICT (tenant_id, unit, scope, scope_key, window) DO UPDATE \
             SET tz = excluded.tz, limit_amount = excluded.limit_amount, \
                 changed_ms = excluded.changed_ms RETURNING id",
        )
        .and_then(|mut statement| {
            statement.query_row(
                params![
                    tenant_id,
                    Uuid::now_v7(),
                    scope,
                    scope_key,
                    window,
                    tz,
                    NANO_USD,
                    limit_nano,
                    now.wall_ms
                ],
                |row| row.get(0),
            )
        })
        .map_err(at(tx, SET))?)
}
