//! Who sets a limit, and what that does to the windows under way.

use convergio_store::{Connection, Tx, at};
use rusqlite::params;
use uuid::Uuid;

use crate::budget::{self, Budget, BudgetName, BudgetSpec, Mode, Scope, Window};
use crate::clock::{self, Now};
use crate::error::LedgerError;
use crate::transfer::NANO_USD;
use crate::window;

const SET: &str = "set a budget";

/// Budgets that the settings may name.
pub const SETTINGS_BUDGETS_MAX: usize = 100;

/// Sets what may be spent on models in a day of the zone's calendar, by everybody together. Usage
/// is never reset by it: what was spent today counts, whatever limit or zone it was spent under.
/// Another limit than before is a person's answer to a frozen budget, and thaws it.
///
/// # Errors
/// As [`set_budget`]'s.
pub fn set_day_budget(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    limit_nano: i64,
    zone: &str,
    now: Now,
) -> Result<(), LedgerError> {
    let spec = BudgetSpec {
        scope: Scope::Tenant,
        scope_key: String::new(),
        window: Window::Day,
        limit_nano,
        mode: Mode::Stop,
    };
    set(tx, tenant_id, &spec, zone, false, now)
}

/// Sets a limit. Usage is never reset by it: what was spent in the window counts, whatever limit or
/// zone it was spent under, and also where there was no such budget. Another limit than before is a
/// person's answer to a frozen budget, and thaws it.
///
/// # Errors
/// [`LedgerError::TimeZone`] for a zone that is unknown here, [`LedgerError::Invalid`] for a
/// negative limit or a scope without a key.
pub fn set_budget(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    spec: &BudgetSpec,
    zone: &str,
    now: Now,
) -> Result<(), LedgerError> {
    set(tx, tenant_id, spec, zone, false, now)
}

/// Takes a limit away; `false` where there was none. What was spent stays in the books, and counts
/// again if the limit comes back.
///
/// # Errors
/// What the store said.
pub fn remove_budget(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    scope: Scope,
    scope_key: &str,
    window: Window,
) -> Result<bool, LedgerError> {
    let removed = tx
        .execute(
            "DELETE FROM budget WHERE tenant_id = ?1 AND unit = ?2 AND scope = ?3 \
             AND scope_key = ?4 AND window = ?5",
            params![tenant_id, NANO_USD, scope, scope_key, window],
        )
        .map_err(at(tx, "remove a budget"))?;
    Ok(removed > 0)
}

/// Makes the budgets that the settings name those that are in force: sets them, and removes what
/// they named before. Budgets that were set on their own stay.
///
/// # Errors
/// As [`set_budget`]'s, and [`LedgerError::Invalid`] for more than [`SETTINGS_BUDGETS_MAX`].
pub fn sync_budgets(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    specs: &[BudgetSpec],
    zone: &str,
    now: Now,
) -> Result<(), LedgerError> {
    if specs.len() > SETTINGS_BUDGETS_MAX {
        return Err(LedgerError::Invalid {
            what: "budgets",
            reason: "more than 100",
        });
    }
    for known in of_settings(tx, tenant_id)? {
        let name = &known.name;
        let named = specs.iter().any(|spec| {
            (spec.scope, &spec.scope_key, spec.window) == (name.scope, &name.scope_key, name.window)
        });
        if !named {
            remove_budget(tx, tenant_id, name.scope, &name.scope_key, name.window)?;
        }
    }
    for spec in specs {
        set(tx, tenant_id, spec, zone, true, now)?;
    }
    Ok(())
}

fn of_settings(conn: &Connection, tenant_id: Uuid) -> Result<Vec<Budget>, LedgerError> {
    let sql = format!(
        "SELECT {} FROM budget INDEXED BY budget_of_settings \
         WHERE tenant_id = ?1 AND of_settings = 1",
        budget::COLUMNS
    );
    Ok(conn
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map([tenant_id], Budget::from_row)?
                .collect()
        })
        .map_err(at(conn, SET))?)
}

fn set(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    spec: &BudgetSpec,
    zone: &str,
    of_settings: bool,
    now: Now,
) -> Result<(), LedgerError> {
    window::zone(zone)?;
    if (spec.scope == Scope::Tenant) != spec.scope_key.is_empty() {
        return Err(LedgerError::Invalid {
            what: "a budget's scope",
            reason: "a name belongs to every scope but that of everybody",
        });
    }
    let stops = spec.mode == Mode::Stop;
    let before = budget::find(tx, tenant_id, spec.scope, &spec.scope_key, spec.window)?;
    if let Some(before) = &before
        && before.limit == spec.limit_nano
        && before.tz == zone
        && before.stops == stops
    {
        return Ok(());
    }
    let id = put(tx, tenant_id, spec, zone, of_settings, now)?;
    let budget = Budget {
        name: BudgetName {
            id,
            scope: spec.scope,
            scope_key: spec.scope_key.clone(),
            window: spec.window,
        },
        tz: zone.to_owned(),
        limit: spec.limit_nano,
        stops,
    };
    let another_zone = before.as_ref().is_some_and(|before| before.tz != zone);
    let thawed_seq: i64 = if before.is_none_or(|before| before.limit != spec.limit_nano) {
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
    // Each run's and each session's window is opened by its own first call.
    if !matches!(spec.window, Window::Run | Window::Session) {
        let now = clock::effective(tx, tenant_id, now)?;
        if let Some(key) = budget.window_at(Uuid::nil(), None, now.wall_ms)? {
            if another_zone {
                // A window of this zone from before the last change lacks what was held since.
                window::forget(tx, &key)?;
            }
            window::open(tx, tenant_id, &budget, &key)?;
        }
    }
    tx.execute(
        "UPDATE budget_window SET thawed_seq = ?2, asked_ms = 0 WHERE budget_id = ?1",
        params![id, thawed_seq],
    )
    .map_err(at(tx, SET))?;
    Ok(())
}

/// What a run may spend in all.
pub(crate) fn set_run_budget(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    run_id: Uuid,
    limit_nano: i64,
    now: Now,
) -> Result<(), LedgerError> {
    let spec = BudgetSpec {
        scope: Scope::Run,
        scope_key: run_id.simple().to_string(),
        window: Window::Run,
        limit_nano,
        mode: Mode::Stop,
    };
    put(tx, tenant_id, &spec, "UTC", false, now).map(drop)
}

fn put(
    tx: &Tx<'_>,
    tenant_id: Uuid,
    spec: &BudgetSpec,
    tz: &str,
    of_settings: bool,
    now: Now,
) -> Result<Uuid, LedgerError> {
    if spec.limit_nano < 0 {
        return Err(LedgerError::Invalid {
            what: "a budget's limit",
            reason: "below zero",
        });
    }
    Ok(tx
        .prepare_cached(
            "INSERT INTO budget (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, \
             mode, of_settings, created_ms, changed_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11) \
             ON CONFLICT (tenant_id, unit, scope, scope_key, window) DO UPDATE \
             SET tz = excluded.tz, limit_amount = excluded.limit_amount, mode = excluded.mode, \
                 of_settings = excluded.of_settings, changed_ms = excluded.changed_ms \
             RETURNING id",
        )
        .and_then(|mut statement| {
            statement.query_row(
                params![
                    tenant_id,
                    Uuid::now_v7(),
                    spec.scope,
                    spec.scope_key,
                    spec.window,
                    tz,
                    NANO_USD,
                    spec.limit_nano,
                    spec.mode,
                    of_settings,
                    now.wall_ms
                ],
                |row| row.get(0),
            )
        })
        .map_err(at(tx, SET))?)
}
