//! Limits on what may be spent: shown, set and taken away.

use convergio_config::{
    ConfigError, Editor, LimitScope, LimitWindow, PlannedEdit, ScopedLimit, Settings, Value,
    nano_usd,
};
use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    budget::{
        BudgetInfo, BudgetList, BudgetListResponse, BudgetPreview, BudgetPreviewParams,
        BudgetPreviewResponse, BudgetRemove, BudgetRemoveParams, BudgetRoom, BudgetSet,
        BudgetSetParams,
    },
    method::Empty,
};
use convergio_ledger::{
    BudgetName, BudgetSpec, BudgetState, LedgerError, Mode, Now, Scope, Window,
};

use super::{
    budget_place::{DAILY, MONTHLY, Place, find_place, label},
    runs_error,
};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    providers::failure::ledger as ledger_error,
    run_kinds::accounts::budget_info,
};

/// The setting behind the limits that have none of their own.
const LIMITS: &str = "budget.limits";
/// Names of tokens in an error.
const TOKENS_TOLD: usize = 10;

/// The limits that the settings name, but for the day's of everybody.
pub(crate) fn specs(settings: &Settings) -> Vec<BudgetSpec> {
    let limits = settings.budget().limits.into_iter();
    limits
        .map(|limit| BudgetSpec {
            scope: match limit.scope {
                LimitScope::All => Scope::Tenant,
                LimitScope::Provider => Scope::Provider,
                LimitScope::Agent => Scope::Agent,
                LimitScope::Plugin => Scope::Plugin,
            },
            scope_key: limit.name,
            window: match limit.window {
                LimitWindow::Daily => Window::Day,
                LimitWindow::Monthly => Window::Month,
                LimitWindow::Run => Window::Run,
                LimitWindow::Session => Window::Session,
                LimitWindow::Total => Window::Total,
            },
            limit_nano: limit.limit_nano_usd,
            mode: if limit.warns { Mode::Warn } else { Mode::Stop },
        })
        .collect()
}

fn place(spec: &BudgetSpec) -> (Scope, &str, Window) {
    (spec.scope, &spec.scope_key, spec.window)
}

fn listed_window(window: Window) -> bool {
    matches!(window, Window::Day | Window::Month | Window::Total)
}

fn unopened(spec: &BudgetSpec) -> BudgetState {
    BudgetState {
        name: BudgetName {
            id: Uuid::nil(),
            scope: spec.scope,
            scope_key: spec.scope_key.clone(),
            window: spec.window,
        },
        limit_nano: spec.limit_nano,
        posted_nano: 0,
        pending_nano: 0,
        frozen: false,
        stops: spec.mode == Mode::Stop,
        asked: false,
        starts_at_ms: None,
        resets_at_ms: None,
        crossed_percent: None,
    }
}

/// Whether the books have just these limits of the settings, as far as they are listed.
fn in_force(states: &[BudgetState], specs: &[BudgetSpec]) -> bool {
    let kept = specs.iter().all(|spec| {
        let same = |state: &&BudgetState| {
            let name = &state.name;
            place(spec) == (name.scope, name.scope_key.as_str(), name.window)
        };
        let known = states.iter().find(same);
        !listed_window(spec.window)
            || known.is_some_and(|known| {
                known.limit_nano == spec.limit_nano && known.stops == (spec.mode == Mode::Stop)
            })
    });
    let everybodys_day =
        |state: &BudgetState| (state.name.scope, state.name.window) == (Scope::Tenant, Window::Day);
    kept && states
        .iter()
        .filter(|state| state.name.scope != Scope::Token && !everybodys_day(state))
        .all(|state| {
            let name = &state.name;
            let same = |spec: &BudgetSpec| {
                place(spec) == (name.scope, name.scope_key.as_str(), name.window)
            };
            specs.iter().any(same)
        })
}

impl Daemon {
    /// The budgets as they stand under these settings: the next call is admitted under them,
    /// whatever limits the last one was admitted under. Everybody's day comes first.
    pub(crate) async fn budgets(&self, settings: &Settings) -> Result<Vec<BudgetInfo>, RpcError> {
        let budget = settings.budget();
        let chosen = budget.daily_nano_usd.is_some();
        let states = self.budget_states(settings).await?;
        Ok(states
            .iter()
            .map(|state| budget_info(state, chosen))
            .collect())
    }

    /// The same, as the books have them.
    pub(crate) async fn budget_states(
        &self,
        settings: &Settings,
    ) -> Result<Vec<BudgetState>, RpcError> {
        let limit_nano = settings.budget().effective_daily_nano_usd();
        let tenant = self.runs().tenant().id();
        let specs = specs(settings);
        // Each run and each conversation has a window of its own; here they are but their limits.
        let of_each = specs.iter().filter(|spec| !listed_window(spec.window));
        let of_each: Vec<BudgetState> = of_each.map(unopened).collect();
        let read = || {
            self.store.read("read the budgets", move |conn| {
                convergio_ledger::budgets(conn, tenant, Now::system())
            })
        };
        let mut states = read().await.map_err(|error| ledger_error(&error))?;
        if !in_force(&states, &specs) {
            let zone = self.models.zone.clone();
            let write = self.store.write("keep the budgets", move |tx| {
                convergio_ledger::sync_budgets(tx, tenant, &specs, &zone, Now::system())
            });
            match write.await {
                Ok(()) => states = read().await.map_err(|error| ledger_error(&error))?,
                // They are set before the next call is admitted, or nothing is.
                Err(LedgerError::Store(error)) => {
                    tracing::warn!(%error, "the budgets of the settings are not kept yet");
                }
                Err(error) => return Err(ledger_error(&error)),
            }
        }
        let everybodys_day = |state: &BudgetState| {
            (state.name.scope, state.name.window) == (Scope::Tenant, Window::Day)
        };
        match states.iter().position(everybodys_day) {
            Some(at) => {
                states[at].limit_nano = limit_nano;
                states[..=at].rotate_right(1);
            }
            // Nothing was ever admitted.
            None => {
                let day =
                    convergio_ledger::unspent_day(limit_nano, &self.models.zone, Now::system());
                states.insert(0, day.map_err(|error| ledger_error(&error))?);
            }
        }
        states.extend(of_each);
        Ok(states)
    }

    /// A limit of a token that is not there would stop nothing.
    async fn refuse_unknown_token(&self, name: &str) -> Result<(), RpcError> {
        let tenant = self.runs().tenant();
        let now_ms = Now::system().wall_ms;
        let read = self.store.read("look for a token", move |conn| {
            convergio_runs::list_tokens(conn, tenant, now_ms)
        });
        let tokens = read.await.map_err(runs_error)?;
        let good = tokens.iter().filter(|token| token.is_good(now_ms));
        let names: Vec<&str> = good.map(|token| token.token.name.as_str()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        let why = match names.len() {
            0 => "there is none that is good".to_owned(),
            n if n > TOKENS_TOLD => {
                format!("there are {}, and more", names[..TOKENS_TOLD].join(", "))
            }
            _ => format!("there is {}", names.join(", ")),
        };
        let error = RpcError::new(ErrorCode::NotFound, format!("there is no token {name:?}"));
        Err(error.why(why).hint("cv token list"))
    }

    /// Writes settings as a change that `cv undo` takes back, and lets the books know.
    async fn write_limits(
        &self,
        call: &Call,
        label: &str,
        plan: PlannedEdit,
    ) -> Result<BudgetListResponse, RpcError> {
        if plan.changes_anything() {
            self.write_settings(label, plan).await?;
        }
        let settings = self.settings_of(call)?;
        let limit_nano = settings.budget().effective_daily_nano_usd();
        let specs = specs(&settings);
        let tenant = self.runs().tenant().id();
        let zone = self.models.zone.clone();
        let write = self.store.write("set a budget", move |tx| {
            let now = Now::system();
            convergio_ledger::set_day_budget(tx, tenant, limit_nano, &zone, now)?;
            convergio_ledger::sync_budgets(tx, tenant, &specs, &zone, now)
        });
        write.await.map_err(|error| ledger_error(&error))?;
        Ok(BudgetListResponse {
            budgets: self.budgets(&settings).await?,
        })
    }
}

/// Writes the list; an empty one goes.
fn write_list<'a>(
    editor: &Editor,
    limits: impl Iterator<Item = &'a ScopedLimit>,
) -> Result<PlannedEdit, ConfigError> {
    let texts: Vec<String> = limits.map(ToString::to_string).collect();
    match texts.is_empty() {
        true => editor.unset(LIMITS, None),
        false => editor.set(LIMITS, &texts.join(","), None),
    }
}

impl Handle<BudgetList> for Daemon {
    async fn handle(&self, call: Call, _params: Empty) -> Result<BudgetListResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        Ok(BudgetListResponse {
            budgets: self.budgets(&settings).await?,
        })
    }
}

impl Handle<BudgetSet> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: BudgetSetParams,
    ) -> Result<BudgetListResponse, RpcError> {
        let amount = params.limit_usd.trim();
        let Some(limit_nano_usd) = nano_usd(amount) else {
            return Err(failure::invalid(format!("{amount:?} is no amount"))
                .why("US dollars, such as 2.00, with at most 9 decimals and a million at most")
                .hint("cv budget set daily 2.00"));
        };
        let settings = self.settings_of(&call)?;
        let label = label(
            "set",
            &params.window,
            amount,
            params.of.as_ref(),
            params.warns,
        );
        let plan = match find_place(params.of, &params.window, params.warns)? {
            Place::Key(key) => self.editor().set(key, amount, None),
            Place::Listed(mut limit) => {
                if limit.scope == LimitScope::Provider {
                    // A limit of nobody would stop nothing.
                    self.provider(&settings, &limit.name)?;
                }
                limit.limit_nano_usd = limit_nano_usd;
                let month = (limit.scope, limit.window) == (LimitScope::All, LimitWindow::Monthly);
                if month && is_set(&settings, MONTHLY) {
                    return Err(failure::invalid("the month has a limit that stops")
                        .why("one that is only told takes its place once it is gone")
                        .hint("cv budget rm monthly"));
                }
                if ScopedLimit::read(&limit.to_string()).as_ref() != Some(&limit) {
                    return Err(failure::invalid(format!("no limit can be {limit:?}"))
                        .why("names are of letters, digits, `_` and `-`")
                        .hint("cv budget list"));
                }
                let known = listed(&settings);
                let others = known.iter().filter(|known| !known.same_place(&limit));
                write_list(&self.editor(), others.chain([&limit]))
            }
            Place::Token(name, window) => {
                self.refuse_unknown_token(&name).await?;
                let spec = BudgetSpec {
                    scope: Scope::Token,
                    scope_key: name,
                    window,
                    limit_nano: limit_nano_usd,
                    mode: Mode::Stop,
                };
                let tenant = self.runs().tenant().id();
                let zone = self.models.zone.clone();
                let write = self.store.write("set a token's budget", move |tx| {
                    convergio_ledger::set_budget(tx, tenant, &spec, &zone, Now::system())
                });
                write.await.map_err(|error| ledger_error(&error))?;
                return Ok(BudgetListResponse {
                    budgets: self.budgets(&settings).await?,
                });
            }
        };
        let plan = plan.map_err(|error| self.configuration.error(&error))?;
        self.write_limits(&call, &label, plan).await
    }
}

fn is_set(settings: &Settings, key: &str) -> bool {
    settings
        .get(key)
        .is_ok_and(|resolved| resolved.value != Value::Unset)
}

/// The limits of the list, without the month's own setting.
fn listed(settings: &Settings) -> Vec<ScopedLimit> {
    let own = is_set(settings, MONTHLY);
    let mut limits = settings.budget().limits;
    limits.retain(|limit| {
        !own || (limit.scope, limit.window) != (LimitScope::All, LimitWindow::Monthly)
    });
    limits
}

fn no_such_limit() -> RpcError {
    RpcError::new(ErrorCode::NotFound, "there is no such limit")
        .why("nothing was changed")
        .hint("cv budget list")
}

impl Handle<BudgetRemove> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: BudgetRemoveParams,
    ) -> Result<BudgetListResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        let label = label("rm", &params.window, "", params.of.as_ref(), false);
        let plan = match find_place(params.of, &params.window, false)? {
            Place::Key(DAILY) if settings.budget().daily_nano_usd.is_none() => {
                return Err(no_such_limit());
            }
            Place::Key(MONTHLY) if !is_set(&settings, MONTHLY) => {
                let limits = listed(&settings);
                let is_month = |limit: &&ScopedLimit| {
                    (limit.scope, limit.window) == (LimitScope::All, LimitWindow::Monthly)
                };
                if !limits.iter().any(|limit| is_month(&limit)) {
                    return Err(no_such_limit());
                }
                let others = limits.iter().filter(|limit| !is_month(limit));
                write_list(&self.editor(), others)
            }
            Place::Key(key) => self.editor().unset(key, None),
            Place::Listed(limit) => {
                let limits = listed(&settings);
                if !limits.iter().any(|known| known.same_place(&limit)) {
                    return Err(no_such_limit());
                }
                let others = limits.iter().filter(|known| !known.same_place(&limit));
                write_list(&self.editor(), others)
            }
            Place::Token(..) => {
                return Err(failure::invalid("a token keeps its limit")
                    .why(
                        "without one it could spend all that everybody may; set another, or end it",
                    )
                    .hint("cv token list"));
            }
        };
        let plan = plan.map_err(|error| self.configuration.error(&error))?;
        self.write_limits(&call, &label, plan).await
    }
}

impl Handle<BudgetPreview> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: BudgetPreviewParams,
    ) -> Result<BudgetPreviewResponse, RpcError> {
        if params.hold_nano_usd < 0 {
            return Err(failure::invalid("a call holds nothing below zero").hint("cv budget list"));
        }
        let settings = self.settings_of(&call)?;
        let chosen = settings.budget().daily_nano_usd.is_some();
        let states = self.budget_states(&settings).await?;
        let counts = |state: &&BudgetState| match state.name.scope {
            Scope::Tenant => true,
            Scope::Provider => state.name.scope_key == params.provider,
            Scope::Agent => params.agent.as_ref() == Some(&state.name.scope_key),
            _ => false,
        };
        let counts_in: Vec<BudgetRoom> = states
            .iter()
            .filter(counts)
            .map(|state| {
                let used = state.posted_nano.saturating_add(state.pending_nano);
                let room_nano_usd = state.limit_nano.saturating_sub(used).max(0);
                BudgetRoom {
                    budget: budget_info(state, chosen),
                    room_nano_usd,
                    fits: !state.frozen
                        && used <= state.limit_nano
                        && params.hold_nano_usd <= room_nano_usd,
                }
            })
            .collect();
        Ok(BudgetPreviewResponse {
            fits: counts_in.iter().all(|room| room.fits || room.budget.warns),
            counts_in,
        })
    }
}
