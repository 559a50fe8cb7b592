//! Budgets: limits on what may be spent in a stretch of time or in a run.

use std::fmt;

use convergio_store::{Connection, at};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use crate::clock::{self, Now};
use crate::error::LedgerError;
use crate::text_enum::text_enum;
use crate::transfer::NANO_USD;
use crate::window::{self, Figures, WindowKey};

const READ: &str = "read budgets";

/// Budgets that are listed at most.
const LIST_MAX: i64 = 1_000;
/// The bucket of a window without an end.
const TOTAL: &str = "total";

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
    /// What came in with a token of the gateway.
    Token,
}

text_enum!(Scope {
    Tenant = "tenant",
    Profile = "profile",
    Agent = "agent",
    Plugin = "plugin",
    Provider = "provider",
    Session = "session",
    Run = "run",
    Token = "token",
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
    /// All of its life, however long that is.
    Total,
}

text_enum!(Window {
    Day = "day",
    Month = "month",
    Run = "run",
    Session = "session",
    Total = "total",
});

/// What a limit does when it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Nothing more is admitted.
    Stop,
    /// It is said, and goes on.
    Warn,
}

text_enum!(Mode {
    Stop = "stop",
    Warn = "warn",
});

/// A limit that somebody sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSpec {
    /// Whose spending it limits.
    pub scope: Scope,
    /// Which agent, provider, token, … by name; ids as 32 hexadecimal digits; empty for everybody.
    pub scope_key: String,
    /// The stretch that it is for. `Run` and `Session` are for each one of the scope's.
    pub window: Window,
    /// Nano-USD, not negative.
    pub limit_nano: i64,
    /// What it does.
    pub mode: Mode,
}

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
            Window::Total => "the budget",
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
    /// It stops, and doesn't only warn.
    pub stops: bool,
    /// A person was asked whether to go on although little is left, and said yes.
    pub asked: bool,
    /// The window's beginning, UTC; none for one outside of the calendar.
    pub starts_at_ms: Option<i64>,
    /// The window's end, UTC; none for one outside of the calendar.
    pub resets_at_ms: Option<i64>,
    /// The highest of 80, 95 and 100 % of the limit that what was just settled reached.
    pub crossed_percent: Option<u8>,
}

impl BudgetState {
    /// So much of its limit is spent, or more. Never of a limit of nothing.
    #[must_use]
    pub fn is_spent(&self, percent: u8) -> bool {
        reached(self.posted_nano, self.limit_nano, percent)
    }
}

pub(crate) fn reached(spent: i64, limit: i64, percent: u8) -> bool {
    limit > 0 && i128::from(spent) * 100 >= i128::from(limit) * i128::from(percent)
}

/// A budget's row.
pub(crate) struct Budget {
    pub(crate) name: BudgetName,
    pub(crate) tz: String,
    pub(crate) limit: i64,
    /// It stops, and doesn't only warn.
    pub(crate) stops: bool,
}

pub(crate) const COLUMNS: &str = "id, scope, scope_key, window, tz, limit_amount, mode = 'stop'";

impl Budget {
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
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
            (Window::Total, _) => TOTAL.to_owned(),
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
            stops: self.stops,
            asked: figures.asked_ms > 0,
            starts_at_ms: of_calendar(key.start_ms),
            resets_at_ms: of_calendar(key.end_ms),
            crossed_percent: None,
        }
    }
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
        stops: true,
        asked: false,
        starts_at_ms: Some(start_ms),
        resets_at_ms: Some(end_ms),
        crossed_percent: None,
    })
}

/// The budgets of a day, a month and a whole life with what is spent in their present windows.
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
         AND window IN ('day', 'month', 'total') AND scope NOT IN ('run', 'session') \
         ORDER BY scope <> 'tenant', scope, scope_key, window LIMIT ?3"
    );
    let all: Vec<Budget> = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(params![tenant_id, NANO_USD, LIST_MAX], Budget::from_row)?
                .collect()
        })
        .map_err(at(conn, READ))?;
    let now = clock::effective(conn, tenant_id, now)?;
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
    pub(crate) token: Option<&'a str>,
}

/// All budgets that limit a call, in the order of their ids.
pub(crate) fn matching(
    conn: &Connection,
    tenant_id: Uuid,
    spender: &Spender<'_>,
) -> Result<Vec<Budget>, LedgerError> {
    // By the index of the unique names, which the planner takes for no better than the tenant's
    // rows: a thousand budgets of former runs are not looked at. NULL matches none.
    let sql = format!(
        "SELECT {COLUMNS} FROM budget INDEXED BY sqlite_autoindex_budget_3 \
         WHERE tenant_id = ?1 AND unit = ?2 AND (scope, scope_key) IN \
         (VALUES ('tenant', ''), ('profile', ?3), ('run', ?4), ('session', ?5), ('agent', ?6), \
          ('plugin', ?7), ('provider', ?8), ('token', ?9)) ORDER BY id"
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
                        spender.provider,
                        spender.token
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

pub(crate) fn find(
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
