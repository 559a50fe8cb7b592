//! The one end of an attempt.

use convergio_models_api::{Resource, Usage};
use convergio_store::Tx;
use uuid::Uuid;

use crate::admit::HOLD_MAX_NANO;
use crate::attempt::{self, Attempt, AttemptState, End, UsageSource};
use crate::budget::{self, BudgetState};
use crate::clock::{self, Now};
use crate::error::LedgerError;
use crate::price;
use crate::rates::{Cost, Rates};
use crate::transfer::{self, Kind, NewTransfer};
use crate::window;

/// The most of one resource that a provider is believed to have used in one call: the longest
/// contexts of models hold some ten million tokens.
const BELIEVED_MAX: u64 = 100_000_000;
/// A provider's own words that are kept at most, in bytes.
const WORDS_BYTES_MAX: usize = 256;

/// How a call ended, as far as money goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnding {
    /// The provider said what it used. Where it left out the input or the output, the most that it
    /// can have been is taken, and flagged as an estimate.
    Reported(Usage),
    /// It broke off, was cancelled, or never said: the dearer of the provider's last word and of
    /// what was counted here.
    Partial {
        /// The last cumulative usage, if any came.
        usage: Usage,
        /// Output tokens that were counted here.
        counted_output: u64,
        /// Input tokens at most.
        input_ceiling: u64,
    },
    /// It broke off before it said what it wrote, and may have reasoned where nobody sees it: what
    /// was held is taken.
    Unseen(Usage),
    /// No byte of the request was sent.
    NothingSent,
    /// The provider answered with an error before any output: it bills nothing.
    RefusedWhole,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which.
    pub attempt_id: Uuid,
    /// How.
    pub ending: AttemptEnding,
    /// The provider's name for the call; its first 256 bytes are kept.
    pub provider_req_id: Option<String>,
    /// The model that answered, where it said so; its first 256 bytes are kept.
    pub model: Option<String>,
    /// Why it stopped: a stop reason or an error's class; its first 256 bytes are kept.
    pub stop: Option<String>,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub attempt_id: Uuid,
    /// The run that pays.
    pub run_id: Uuid,
    /// What it cost, overage included, nano-USD.
    pub amount_nano: i64,
    /// What of that was beyond the hold, nano-USD.
    pub overage_nano: i64,
    /// What was held, nano-USD.
    pub hold_nano: i64,
    /// Where the figures come from.
    pub source: UsageSource,
    /// What was used, estimates included.
    pub usage: Usage,
    /// What was used and has no price: not in the amount.
    pub unpriced: Vec<Resource>,
    /// The budgets that it counted in, as they are after it.
    pub budgets: Vec<BudgetState>,
}

/// Ends an attempt: posts what it cost, records what is beyond the hold, frees the rest.
///
/// # Errors
/// [`LedgerError::AlreadyEnded`] for the second end of an attempt, [`LedgerError::NotFound`], or
/// what the store said.
pub fn settle(tx: &Tx<'_>, settlement: &Settlement, now: Now) -> Result<Settled, LedgerError> {
    let attempt = attempt::open(tx, settlement.attempt_id)?;
    let (mut usage, mut source) = match &settlement.ending {
        AttemptEnding::Reported(usage) => {
            let (usage, doubted) = believed(usage);
            let (usage, source) = whole(&usage, attempt.input_ceiling, attempt.max_output);
            let ceiling = doubted.then_some(UsageSource::EstimateCeiling);
            (usage, ceiling.unwrap_or(source))
        }
        AttemptEnding::Partial {
            usage,
            counted_output,
            input_ceiling,
        } => {
            let (usage, _) = whole(&believed(usage).0, *input_ceiling, *counted_output);
            (at_least(usage, *counted_output), UsageSource::Estimate)
        }
        AttemptEnding::Unseen(usage) => {
            let usage = believed(usage).0;
            let (usage, _) = whole(&usage, attempt.input_ceiling, attempt.max_output);
            (
                at_least(usage, attempt.max_output),
                UsageSource::EstimateCeiling,
            )
        }
        AttemptEnding::NothingSent | AttemptEnding::RefusedWhole => {
            (Usage::default(), UsageSource::Nothing)
        }
    };
    let (state, cost) = if source == UsageSource::Nothing {
        (AttemptState::Voided, nothing())
    } else if attempt.local {
        (AttemptState::Settled, nothing())
    } else if source == UsageSource::EstimateCeiling {
        (AttemptState::Settled, held(&attempt))
    } else {
        let cost = rates(tx, &attempt)?.cost(&usage);
        match cost {
            Ok(cost) if cost.total_nano <= HOLD_MAX_NANO => (AttemptState::Settled, cost),
            // Nobody bills a million dollars for a call: the figures are wrong, the hold is not.
            _ => {
                usage.inconsistent = true;
                source = UsageSource::EstimateCeiling;
                (AttemptState::Settled, held(&attempt))
            }
        }
    };
    let paid = resolve(tx, &attempt, state, cost.total_nano, now)?;
    attempt::end(
        tx,
        attempt.id,
        &End {
            state,
            source,
            cost_nano: cost.total_nano,
            usage: &usage,
            lines: &cost.lines,
            provider_req_id: words(settlement.provider_req_id.as_deref()),
            answered_by: words(settlement.model.as_deref()),
            stop: words(settlement.stop.as_deref()),
        },
        now.wall_ms,
    )?;
    Ok(Settled {
        attempt_id: attempt.id,
        run_id: attempt.run_id,
        amount_nano: cost.total_nano,
        overage_nano: paid.overage_nano,
        hold_nano: attempt.hold_nano,
        source,
        usage,
        unpriced: cost.unpriced,
        budgets: paid.budgets,
    })
}

/// What resolving a hold did.
pub(crate) struct Paid {
    pub(crate) overage_nano: i64,
    pub(crate) budgets: Vec<BudgetState>,
}

/// Resolves an attempt's hold: posted with what it cost, or void.
pub(crate) fn resolve(
    tx: &Tx<'_>,
    attempt: &Attempt,
    state: AttemptState,
    cost_nano: i64,
    now: Now,
) -> Result<Paid, LedgerError> {
    let mut paid = Paid {
        overage_nano: 0,
        budgets: Vec::new(),
    };
    // The books' time never goes back, whatever the system's clock does.
    let now = clock::advance(tx, attempt.tenant_id, now)?;
    let Some((hold_id, hold_nano)) = transfer::hold_of(tx, attempt.id)? else {
        if attempt.local {
            return Ok(paid);
        }
        return Err(LedgerError::Damaged {
            detail: format!("attempt {} has no hold", attempt.id),
        });
    };
    let write = |kind, amount_nano| {
        transfer::append(
            tx,
            &NewTransfer {
                tenant_id: attempt.tenant_id,
                kind,
                pending_id: Some(hold_id),
                attempt_id: attempt.id,
                provider: &attempt.provider,
                model: &attempt.model,
                amount_nano,
            },
            now,
        )
    };
    let mut over_seq = None;
    if state == AttemptState::Voided {
        write(Kind::Void, hold_nano)?;
    } else {
        write(Kind::Post, cost_nano.min(hold_nano))?;
        paid.overage_nano = cost_nano.saturating_sub(hold_nano).max(0);
        if paid.overage_nano > 0 {
            over_seq = Some(write(Kind::Overage, paid.overage_nano)?.seq);
        }
    }
    for key in window::of_hold(tx, hold_id)? {
        window::resolve(tx, &key, hold_nano, cost_nano, over_seq)?;
        let budget = budget::get(tx, key.budget_id)?;
        let figures = window::read(tx, &key)?.unwrap_or_default();
        let mut state = budget.state(&key, &figures);
        let before = figures.posted.saturating_sub(cost_nano);
        state.crossed_percent = crossed(before, figures.posted, budget.limit);
        paid.budgets.push(state);
    }
    Ok(paid)
}

/// The highest of 80, 95 and 100 % that was reached just now.
fn crossed(before: i64, posted: i64, limit: i64) -> Option<u8> {
    let reached = |spent, percent| budget::reached(spent, limit, percent);
    [100, 95, 80]
        .into_iter()
        .find(|&percent| !reached(before, percent) && reached(posted, percent))
}

fn held(attempt: &Attempt) -> Cost {
    Cost {
        total_nano: attempt.hold_nano,
        ..nothing()
    }
}

fn nothing() -> Cost {
    Cost {
        total_nano: 0,
        lines: Vec::new(),
        unpriced: Vec::new(),
    }
}

fn rates(tx: &Tx<'_>, attempt: &Attempt) -> Result<Rates, LedgerError> {
    let rates = match attempt.prices {
        Some(version) => price::rates(tx, version, &attempt.provider, &attempt.model)?,
        None => None,
    };
    rates.ok_or_else(|| LedgerError::Damaged {
        detail: format!("attempt {} lost its prices", attempt.id),
    })
}

/// A usage that knows both its input and its output: what it lacks is filled with the most.
fn whole(usage: &Usage, input: u64, output: u64) -> (Usage, UsageSource) {
    let (mut usage, mut source) = (*usage, UsageSource::Reported);
    if usage.input_tokens().is_none() {
        usage.set(Resource::InUncached, Some(input));
        source = UsageSource::Estimate;
    }
    if usage.output_tokens().is_none() {
        usage.set(Resource::OutText, Some(output));
        source = UsageSource::Estimate;
    }
    (usage, source)
}

/// A usage of no less output than was counted.
fn at_least(mut usage: Usage, counted: u64) -> Usage {
    let missing = counted.saturating_sub(usage.output_tokens().unwrap_or(0));
    if missing > 0 {
        let text = usage.get(Resource::OutText).unwrap_or(0);
        usage.set(Resource::OutText, Some(text.saturating_add(missing)));
    }
    usage
}

/// What a provider said, and whether it is doubted: who tells of more than a call can have used is
/// believed nothing, and that is flagged.
fn believed(said: &Usage) -> (Usage, bool) {
    let absurd = |&resource: &Resource| said.get(resource).is_some_and(|n| n > BELIEVED_MAX);
    if !Resource::ALL.iter().any(absurd) {
        return (*said, false);
    }
    let mut nothing = Usage::default();
    nothing.inconsistent = true;
    (nothing, true)
}

fn words(text: Option<&str>) -> Option<&str> {
    text.map(|text| {
        let end = text.floor_char_boundary(WORDS_BYTES_MAX.min(text.len()));
        &text[..end]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_is_taken_for_the_most() {
        let said = Usage::default().with(Resource::InUncached, 3);
        let (usage, source) = whole(&said, 100, 50);
        assert_eq!(usage, said.with(Resource::OutText, 50));
        assert_eq!(source, UsageSource::Estimate);
        let zero = said.with(Resource::OutText, 0);
        assert_eq!(whole(&zero, 100, 50), (zero, UsageSource::Reported));
    }

    #[test]
    fn the_highest_mark_that_was_passed_is_told() {
        for (before, posted, told) in [
            (0, 79, None),
            (0, 80, Some(80)),
            (80, 94, None),
            (80, 95, Some(95)),
            (0, 99, Some(95)),
            (96, 100, Some(100)),
            (100, 140, None),
        ] {
            assert_eq!(crossed(before, posted, 100), told, "{before} to {posted}");
        }
        assert_eq!(crossed(0, 5, 0), None);
    }

    #[test]
    fn counted_output_is_a_floor() {
        let said = Usage::default()
            .with(Resource::OutText, 5)
            .with(Resource::OutReasoning, 20);
        assert_eq!(at_least(said, 25), said);
        assert_eq!(at_least(said, 30), said.with(Resource::OutText, 10));
    }

    #[test]
    fn words_are_cut_between_characters() {
        let long = "é".repeat(300);
        assert_eq!(words(Some(&long)).map(str::len), Some(256));
        let odd = format!("x{long}");
        assert_eq!(words(Some(&odd)).map(str::len), Some(255));
        assert_eq!(words(Some("short")), Some("short"));
        assert_eq!(words(None), None);
    }
}
