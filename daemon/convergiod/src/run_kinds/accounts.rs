//! What a run owes: attempts that ended and are settled with its next commit, at the latest with
//! its last.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use convergio_contract::{EventBody, Uuid, budget::BudgetInfo, model::UsageReport};
use convergio_engine::{Ending, Settlement};
use convergio_ledger::{
    AttemptDetail, AttemptEnding, BudgetState, LedgerError, Now, Scope, Settled, UsageSource,
    Window,
};
use convergio_models_api::{ErrorClass, Usage};
use convergio_store::Tx;

/// An attempt that was admitted.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// From 1, within the run.
    pub(crate) n: u32,
    /// The provider's configured name.
    pub(crate) provider: String,
    /// The model's id.
    pub(crate) model: String,
    /// It runs on this machine.
    pub(crate) local: bool,
    /// Input tokens at most.
    pub(crate) input_ceiling: u64,
    /// Bytes of the request that leave this machine.
    pub(crate) bytes_away: u64,
    /// It may reason where nobody sees it.
    pub(crate) may_reason: bool,
}

/// What the settled attempts of a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// None where nobody counted.
    pub(crate) input_tokens: Option<u64>,
    /// None where nobody counted.
    pub(crate) output_tokens: Option<u64>,
    pub(crate) amount_nano_usd: i64,
    pub(crate) estimated: bool,
    pub(crate) attempts: u32,
    /// Bytes that left the machine.
    pub(crate) bytes_sent: u64,
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    }
}

impl Totals {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: sum(self.input_tokens, other.input_tokens),
            output_tokens: sum(self.output_tokens, other.output_tokens),
            amount_nano_usd: self.amount_nano_usd.saturating_add(other.amount_nano_usd),
            estimated: self.estimated || other.estimated,
            attempts: self.attempts.saturating_add(other.attempts),
            bytes_sent: self.bytes_sent.saturating_add(other.bytes_sent),
        }
    }
}

#[derive(Default)]
struct State {
    admitted: u32,
    open: BTreeMap<Uuid, Attempt>,
    due: Vec<Due>,
    /// Being written, by the number of the write.
    writing: HashMap<u64, Vec<Due>>,
    writes: u64,
    totals: Totals,
}

/// An attempt that ended.
#[derive(Clone)]
struct Due {
    attempt: Attempt,
    settlement: convergio_ledger::Settlement,
}

/// One run's accounts.
#[derive(Default)]
pub(crate) struct Accounts {
    state: Mutex<State>,
    /// The daily limit was chosen by somebody.
    cap_chosen: std::sync::atomic::AtomicBool,
}

/// What was settled in a transaction.
#[derive(Default)]
pub(crate) struct Entered {
    pub(crate) bodies: Vec<EventBody>,
    pub(crate) totals: Totals,
}

impl Accounts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the daily limit was chosen by somebody.
    pub(crate) fn cap_was_chosen(&self, chosen: bool) {
        self.cap_chosen
            .store(chosen, std::sync::atomic::Ordering::Relaxed);
    }

    /// Takes an attempt into the books, inside of the transaction that admits it; its number.
    pub(crate) fn admitted(&self, id: Uuid, attempt: impl FnOnce(u32) -> Attempt) -> u32 {
        let mut state = self.state();
        state.admitted += 1;
        let n = state.admitted;
        state.open.insert(id, attempt(n));
        n
    }

    /// Takes the end of an attempt; it is settled with the next commit.
    pub(crate) fn ended(&self, settlement: Settlement) {
        let mut state = self.state();
        let Some(attempt) = state.open.remove(&settlement.attempt_id) else {
            tracing::error!(attempt = %settlement.attempt_id, "an attempt ended twice");
            return;
        };
        let settlement = convergio_ledger::Settlement {
            attempt_id: settlement.attempt_id,
            ending: ending(settlement.ending, &attempt),
            provider_req_id: settlement.request_id,
            model: settlement.model,
            stop: Some(match settlement.stop {
                _ if settlement.cancelled => "cancelled".to_owned(),
                Ok(stop) => stop.to_string(),
                Err(class) => ErrorClass::as_str(class).to_owned(),
            }),
        };
        state.due.push(Due {
            attempt,
            settlement,
        });
    }

    /// Something waits to be settled.
    pub(crate) fn owes(&self) -> bool {
        !self.state().due.is_empty()
    }

    /// The number of a write that is about to begin.
    pub(crate) fn begin(&self) -> u64 {
        let mut state = self.state();
        state.writes += 1;
        state.writes
    }

    /// Settles what is due inside of write `number`; the last one also what was admitted and never
    /// made.
    pub(crate) fn settle(
        &self,
        tx: &Tx<'_>,
        number: u64,
        last: bool,
        now: Now,
    ) -> Result<Entered, LedgerError> {
        let due = {
            let mut state = self.state();
            let mut due = std::mem::take(&mut state.due);
            if last {
                let never_made = std::mem::take(&mut state.open).into_iter();
                due.extend(never_made.map(|(attempt_id, attempt)| Due {
                    attempt,
                    settlement: convergio_ledger::Settlement {
                        attempt_id,
                        ending: AttemptEnding::NothingSent,
                        provider_req_id: None,
                        model: None,
                        stop: Some("cancelled".to_owned()),
                    },
                }));
            }
            state.writing.insert(number, due.clone());
            due
        };
        let mut entered = Entered::default();
        for one in due {
            match convergio_ledger::settle(tx, &one.settlement, now) {
                Ok(settled) => self.enter(&one.attempt, &settled, &mut entered),
                // Its admission came to nothing.
                Err(LedgerError::NotFound { .. }) => {}
                Err(LedgerError::AlreadyEnded { attempt_id, state }) => {
                    tracing::error!(attempt = %attempt_id, ?state, "an attempt was settled before");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(entered)
    }

    fn enter(&self, attempt: &Attempt, settled: &Settled, entered: &mut Entered) {
        let sent = settled.source != UsageSource::Nothing;
        entered.bodies.push(EventBody::Usage(Box::new(UsageReport {
            attempt: attempt.n,
            provider: attempt.provider.clone(),
            model: attempt.model.clone(),
            resources: resources(&settled.usage),
            amount_nano_usd: settled.amount_nano,
            source: source(settled.source).to_owned(),
            local: attempt.local,
            cached: false,
        })));
        let chosen = self.cap_chosen.load(std::sync::atomic::Ordering::Relaxed);
        let crossed = settled
            .budgets
            .iter()
            .filter(|budget| budget.crossed_percent.is_some());
        let warning = |budget| EventBody::BudgetWarning(Box::new(budget_info(budget, chosen)));
        entered.bodies.extend(crossed.map(warning));
        entered.totals = entered.totals.plus(Totals {
            input_tokens: settled.usage.input_tokens(),
            output_tokens: settled.usage.output_tokens(),
            amount_nano_usd: settled.amount_nano,
            estimated: !matches!(settled.source, UsageSource::Reported | UsageSource::Nothing),
            attempts: 1,
            bytes_sent: if sent { attempt.bytes_away } else { 0 },
        });
    }

    /// Write `number` is on the disk.
    pub(crate) fn written(&self, number: u64, totals: Totals) {
        let mut state = self.state();
        state.writing.remove(&number);
        state.totals = state.totals.plus(totals);
    }

    /// Write `number` came to nothing: what it would have settled is due again.
    pub(crate) fn not_written(&self, number: u64) {
        let mut state = self.state();
        if let Some(due) = state.writing.remove(&number) {
            state.due.extend(due);
        }
    }

    /// What the run came to so far.
    pub(crate) fn totals(&self) -> Totals {
        self.state().totals
    }
}

fn resources(usage: &Usage) -> BTreeMap<String, u64> {
    let quantities = usage.reported();
    quantities
        .map(|(resource, quantity)| (resource.as_str().to_owned(), quantity))
        .collect()
}

fn source(source: UsageSource) -> &'static str {
    match source {
        UsageSource::Reported => "provider",
        UsageSource::Nothing => "none",
        UsageSource::Estimate | UsageSource::EstimateCeiling => "counted",
    }
}

/// What an attempt came to that a former daemon left, for its run's log.
pub(crate) fn left_behind(attempt: AttemptDetail) -> EventBody {
    EventBody::Usage(Box::new(UsageReport {
        attempt: attempt.n,
        provider: attempt.provider,
        model: attempt.model,
        resources: resources(&attempt.usage),
        amount_nano_usd: attempt.cost_nano.unwrap_or_default(),
        source: attempt.source.map_or("none", source).to_owned(),
        local: attempt.local,
        cached: false,
    }))
}

fn ending(ending: Ending, attempt: &Attempt) -> AttemptEnding {
    match ending {
        Ending::Reported(usage) => AttemptEnding::Reported(usage),
        // What came so far says nothing of what was reasoned behind it.
        Ending::Partial { usage, .. } if attempt.may_reason && !attempt.local => {
            AttemptEnding::Unseen(usage)
        }
        Ending::Partial {
            usage,
            counted_output,
        } => AttemptEnding::Partial {
            usage,
            counted_output,
            input_ceiling: attempt.input_ceiling,
        },
        Ending::NothingSent => AttemptEnding::NothingSent,
        Ending::RefusedWhole => AttemptEnding::RefusedWhole,
    }
}

/// A budget as it travels.
pub(crate) fn budget_info(budget: &BudgetState, chosen: bool) -> BudgetInfo {
    // Only everybody's day has a limit that nobody chose.
    let everybodys_day = (budget.name.scope, budget.name.window) == (Scope::Tenant, Window::Day);
    BudgetInfo {
        scope: budget.name.scope.as_str().to_owned(),
        scope_key: budget.name.scope_key.clone(),
        window: budget.name.window.as_str().to_owned(),
        limit_nano_usd: budget.limit_nano,
        posted_nano_usd: budget.posted_nano,
        pending_nano_usd: budget.pending_nano,
        resets_ms: budget.resets_at_ms.unwrap_or_default(),
        chosen: chosen || !everybodys_day,
        frozen: budget.frozen,
        warns: !budget.stops,
    }
}
