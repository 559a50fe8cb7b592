//! Whether a call may be made: the one place that hands out permits.

use convergio_models_api::{ModelRequest, Permit, Permitted, Policy};
use convergio_store::{Connection, Tx, at};
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use crate::attempt::{AttemptState, QUANTITY_MAX};
use crate::budget::{self, Budget, BudgetState, Spender};
use crate::clock::{self, Now};
use crate::error::{BudgetDenied, Denied, LedgerError, PolicyReason};
use crate::limits;
use crate::place::on_this_machine;
use crate::price::{self, PriceVersion};
use crate::rates::Rates;
use crate::transfer::{self, Kind, NewTransfer};
use crate::window::{self, Figures, WindowKey};

/// Output tokens below which an answer is not worth asking for: a limit that leaves less refuses.
pub const OUTPUT_FLOOR: u32 = 256;

/// The most that one call may hold, nano-USD: a million dollars.
pub(crate) const HOLD_MAX_NANO: i64 = 1_000_000_000_000_000;

const ADMIT: &str = "admit a model call";

/// A call that somebody wants to make.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Whose books.
    pub tenant_id: Uuid,
    /// Whose profile.
    pub profile_id: Uuid,
    /// The run that pays.
    pub run_id: Uuid,
    /// The conversation that it belongs to.
    pub session_id: Option<Uuid>,
    /// The policy in force.
    pub policy: Policy,
    /// What is asked, of which model of which provider.
    pub request: ModelRequest,
    /// The model runs on this machine.
    pub local: bool,
    /// Scheme, host and port that the bytes go to; empty for a model inside the daemon.
    pub destination: String,
    /// The row that says what leaves, written in the same transaction. Needed for what is not
    /// local.
    pub egress_id: Option<Uuid>,
    /// The table that it is priced by. Needed for what is not local; a local model costs nothing.
    pub prices: Option<PriceVersion>,
    /// Input tokens at most.
    pub input_ceiling: u64,
    /// The output may be cut to what the budgets leave, down to [`OUTPUT_FLOOR`].
    pub may_clamp: bool,
    /// What the whole run may cost, nano-USD; the same for all of its attempts.
    pub max_cost_nano: Option<i64>,
    /// The agent that asks.
    pub agent: Option<String>,
    /// The plugin that asks.
    pub plugin: Option<String>,
    /// The client that it was asked through.
    pub client: Option<String>,
    /// The name of the gateway's token that it came in with.
    pub token: Option<String>,
    /// The folder that it is about.
    pub root: Option<String>,
}

/// What an admission would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What would be held, nano-USD.
    pub hold_nano: i64,
    /// Output tokens that would be asked for at most.
    pub max_output: u32,
    /// The budgets that it would count in, as they are before it.
    pub budgets: Vec<BudgetState>,
}

/// A budget that a call counts in.
struct Counted {
    budget: Budget,
    key: WindowKey,
    figures: Figures,
}

/// Admits a call, or says why not. What it answers is good once the transaction is committed: its
/// row says `dispatched` before the first byte leaves, and its hold counts in every budget that
/// limits it. Where nobody set a daily limit ([`crate::set_day_budget`]) only models of this
/// machine are admitted. An error has changed nothing, and the transaction may go on.
///
/// # Errors
/// [`Denied`]; what the books can't answer is denied as well.
pub fn admit(
    tx: &Tx<'_>,
    admission: Admission,
    now: Now,
) -> Result<Permitted<ModelRequest>, Denied> {
    let statement = |sql| {
        tx.prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map_err(at(tx, ADMIT))
    };
    statement("SAVEPOINT admission")?;
    match admit_within(tx, admission, now) {
        Ok(permitted) => {
            statement("RELEASE admission")?;
            Ok(permitted)
        }
        Err(denied) => {
            // After an error of the disk there is no savepoint any more, and nothing to undo.
            let undone = tx.execute_batch("ROLLBACK TO admission; RELEASE admission");
            match (&denied, undone) {
                (Denied::Ledger(_), _) | (_, Ok(())) => Err(denied),
                (_, Err(error)) => Err(at(tx, ADMIT)(error).into()),
            }
        }
    }
}

/// What [`admit`] would answer now, without doing it.
///
/// # Errors
/// As [`admit`]'s.
pub fn preview(conn: &Connection, admission: &Admission, now: Now) -> Result<Preview, Denied> {
    let subject_id = allowed(conn, admission)?;
    if admission.local {
        return Ok(Preview {
            hold_nano: 0,
            max_output: admission.request.max_output,
            budgets: Vec::new(),
        });
    }
    let rates = priced(conn, admission)?;
    let now = clock::effective(conn, admission.tenant_id, now)?;
    let mut counted = Vec::new();
    for budget in limiting(conn, admission, subject_id)? {
        let key = budget.window_at(admission.run_id, admission.session_id, now.wall_ms)?;
        if let Some(key) = key {
            let figures = window::read(conn, &key)?.unwrap_or_default();
            counted.push(Counted {
                budget,
                key,
                figures,
            });
        }
    }
    let (hold_nano, max_output) = fit(&rates, admission, &counted)?;
    if let Some(limit) = admission.max_cost_nano
        && counted
            .iter()
            .all(|one| one.budget.name.scope != budget::Scope::Run)
        && hold_nano > limit
    {
        let key = admission.run_id.simple().to_string();
        let name = (budget::Scope::Run, key, budget::Window::Run);
        return Err(not_kept(name, limit, hold_nano));
    }
    Ok(Preview {
        hold_nano,
        max_output,
        budgets: counted
            .iter()
            .map(|one| one.budget.state(&one.key, &one.figures))
            .collect(),
    })
}

fn admit_within(
    tx: &Tx<'_>,
    mut admission: Admission,
    now: Now,
) -> Result<Permitted<ModelRequest>, Denied> {
    let subject_id = allowed(tx, &admission)?;
    // Budgets go by the time that the books have seen, the attempt by the system's: where a wrong
    // clock was set right, that is when it was.
    let started_ms = now.wall_ms;
    let now = clock::advance(tx, admission.tenant_id, now)?;
    let attempt_id = Uuid::now_v7();
    let mut hold_nano = 0;
    if !admission.local {
        let rates = priced(tx, &admission)?;
        if let Some(limit) = admission.max_cost_nano {
            limits::set_run_budget(tx, admission.tenant_id, admission.run_id, limit, now)?;
        }
        let mut counted = Vec::new();
        for budget in limiting(tx, &admission, subject_id)? {
            let key = budget.window_at(admission.run_id, admission.session_id, now.wall_ms)?;
            if let Some(key) = key {
                let figures = window::open(tx, admission.tenant_id, &budget, &key)?;
                counted.push(Counted {
                    budget,
                    key,
                    figures,
                });
            }
        }
        (hold_nano, admission.request.max_output) = fit(&rates, &admission, &counted)?;
        let pending = transfer::append(
            tx,
            &NewTransfer {
                tenant_id: admission.tenant_id,
                kind: Kind::Pending,
                pending_id: None,
                attempt_id,
                provider: &admission.request.provider,
                model: &admission.request.model,
                amount_nano: hold_nano,
            },
            now,
        )?;
        for one in &counted {
            let limit = one.budget.stops.then_some(one.budget.limit);
            if !window::hold(tx, &one.key, hold_nano, limit)? {
                return Err(no_room(one, hold_nano));
            }
            window::link(tx, pending.id, &one.key)?;
        }
    }
    insert(
        tx, &admission, attempt_id, subject_id, hold_nano, started_ms,
    )?;
    let permit = Permit {
        attempt_id,
        run_id: admission.run_id,
        tenant_id: admission.tenant_id,
        profile_id: admission.profile_id,
        policy: admission.policy,
        local: admission.local,
        destination: admission.destination,
        egress_id: admission.egress_id,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the admission: policy and budgets said yes, and the rows are in this transaction"
    )]
    Ok(Permitted::granted_by_admission(admission.request, permit))
}

/// What no money can buy. Answers the profile's pseudonym.
fn allowed(conn: &Connection, admission: &Admission) -> Result<Uuid, Denied> {
    let invalid = |what, reason| Err(LedgerError::Invalid { what, reason }.into());
    let denied = |reason| {
        Err(Denied::Policy {
            reason,
            model: format!("{}/{}", admission.request.provider, admission.request.model),
            destination: admission.destination.clone(),
        })
    };
    if admission.request.max_output == 0 {
        return invalid("max_output", "an answer of no tokens");
    }
    if admission.input_ceiling > QUANTITY_MAX {
        return invalid("input_ceiling", "more tokens than can be counted");
    }
    let profile: Option<(Uuid, String)> = conn
        .prepare_cached("SELECT subject_id, age_band FROM profile WHERE tenant_id = ?1 AND id = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![admission.tenant_id, admission.profile_id], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()
        })
        .map_err(at(conn, ADMIT))?;
    let Some((subject_id, age_band)) = profile else {
        return Err(LedgerError::NotFound {
            what: "profile",
            id: admission.profile_id,
        }
        .into());
    };
    if admission.local {
        if !on_this_machine(&admission.destination) {
            return denied(PolicyReason::NotThisMachine);
        }
        return Ok(subject_id);
    }
    if admission.policy == Policy::LocalOnly {
        return denied(PolicyReason::LocalOnly);
    }
    // A consent has no table yet, so nobody has given one.
    if age_band != "adult" {
        return denied(PolicyReason::UnderAge);
    }
    if admission.destination.is_empty() {
        return invalid(
            "destination",
            "a call that leaves the machine goes somewhere",
        );
    }
    if admission.egress_id.is_none() {
        return invalid(
            "egress_id",
            "a call that leaves the machine is written down",
        );
    }
    Ok(subject_id)
}

fn priced(conn: &Connection, admission: &Admission) -> Result<Rates, Denied> {
    let (provider, model) = (&admission.request.provider, &admission.request.model);
    let rates = match admission.prices {
        Some(version) => price::rates(conn, version, provider, model)?,
        None => None,
    };
    rates.ok_or_else(|| Denied::PriceUnknown {
        provider: provider.clone(),
        model: model.clone(),
    })
}

fn limiting(
    conn: &Connection,
    admission: &Admission,
    subject_id: Uuid,
) -> Result<Vec<Budget>, LedgerError> {
    let spender = Spender {
        subject_id,
        run_id: admission.run_id,
        session_id: admission.session_id,
        agent: admission.agent.as_deref(),
        plugin: admission.plugin.as_deref(),
        provider: &admission.request.provider,
        token: admission.token.as_deref(),
    };
    budget::matching(conn, admission.tenant_id, &spender)
}

/// The hold, and the output that it is for, within what every budget leaves.
fn fit(rates: &Rates, admission: &Admission, counted: &[Counted]) -> Result<(i64, u32), Denied> {
    let wanted = admission.request.max_output;
    let whole = rates.hold(admission.input_ceiling, wanted)?;
    if whole > HOLD_MAX_NANO {
        return Err(crate::money::MoneyError::TooLarge.into());
    }
    let stops = || counted.iter().filter(|one| one.budget.stops);
    if let Some(frozen) = stops().find(|one| one.figures.frozen()) {
        return Err(no_room(frozen, whole));
    }
    // Who was never given a daily limit may spend nothing: a limit that somebody forgot to set is
    // not one without end.
    let daily = |one: &&Counted| {
        (one.budget.name.scope, one.budget.name.window)
            == (budget::Scope::Tenant, budget::Window::Day)
    };
    let tightest = stops().min_by_key(|one| one.figures.room(one.budget.limit));
    let (Some(tightest), true) = (tightest, stops().any(|one| daily(&one))) else {
        let name = (budget::Scope::Tenant, String::new(), budget::Window::Day);
        return Err(not_kept(name, 0, whole));
    };
    // A limit that was passed leaves less than nothing, and nothing is what even a free call needs.
    let passed = tightest
        .figures
        .posted
        .saturating_add(tightest.figures.pending)
        > tightest.budget.limit;
    let room = tightest.figures.room(tightest.budget.limit);
    if whole <= room && !passed {
        return Ok((whole, wanted));
    }
    if !admission.may_clamp {
        return Err(no_room(tightest, whole));
    }
    let floor = wanted.min(OUTPUT_FLOOR);
    let output = rates.output_within(admission.input_ceiling, wanted, room)?;
    if output < floor || passed {
        return Err(no_room(
            tightest,
            rates.hold(admission.input_ceiling, floor)?,
        ));
    }
    Ok((rates.hold(admission.input_ceiling, output)?, output))
}

fn no_room(one: &Counted, needed_nano: i64) -> Denied {
    let state = one.budget.state(&one.key, &one.figures);
    Denied::Budget(Box::new(BudgetDenied {
        which: state.name,
        limit_nano: state.limit_nano,
        posted_nano: state.posted_nano,
        pending_nano: state.pending_nano,
        needed_nano,
        frozen: state.frozen,
        resets_at_ms: state.resets_at_ms,
    }))
}

/// The refusal of a budget that has no row.
fn not_kept(
    (scope, scope_key, window): (budget::Scope, String, budget::Window),
    limit_nano: i64,
    needed_nano: i64,
) -> Denied {
    Denied::Budget(Box::new(BudgetDenied {
        which: budget::BudgetName {
            id: Uuid::nil(),
            scope,
            scope_key,
            window,
        },
        limit_nano,
        posted_nano: 0,
        pending_nano: 0,
        needed_nano,
        frozen: false,
        resets_at_ms: None,
    }))
}

fn insert(
    tx: &Tx<'_>,
    admission: &Admission,
    attempt_id: Uuid,
    subject_id: Uuid,
    hold_nano: i64,
    started_ms: i64,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "INSERT INTO attempt (tenant_id, id, run_id, n, session_id, subject_id, agent, plugin, \
         client, root, provider, model, local, policy, state, price_version_id, input_ceiling, \
         max_output, est_nano, started_ms, token) \
         VALUES (?1, ?2, ?3, (SELECT coalesce(max(n), 0) + 1 FROM attempt WHERE run_id = ?3), \
         ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )
    .and_then(|mut statement| {
        statement.execute(params![
            admission.tenant_id,
            attempt_id,
            admission.run_id,
            admission.session_id,
            subject_id,
            admission.agent,
            admission.plugin,
            admission.client,
            admission.root,
            admission.request.provider,
            admission.request.model,
            admission.local,
            admission.policy.as_str(),
            AttemptState::Dispatched,
            admission
                .prices
                .filter(|_| !admission.local)
                .map(|version| version.0),
            i64::try_from(admission.input_ceiling).unwrap_or(i64::MAX),
            admission.request.max_output,
            hold_nano,
            started_ms,
            admission.token
        ])
    })
    .map_err(at(tx, ADMIT))?;
    Ok(())
}
