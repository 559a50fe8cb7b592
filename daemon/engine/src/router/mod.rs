//! Which models may answer, in which order, and why; and why the others may not. Pure.

mod names;

use convergio_models_api::{Capabilities, Policy};
use thiserror::Error;

use crate::{
    causes::{Cause, Causes},
    health::{Cooling, State},
};

pub use names::{Need, Target, wait};

/// What a request needs of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What it must be able to do.
    pub capabilities: Capabilities,
    /// Tokens of the question at least.
    pub tokens_at_least: u64,
}

/// What is known of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Tokens that it reads and writes at most together.
    pub context: Option<u64>,
    /// What it can do; none where nobody says: then it is tried.
    pub capabilities: Option<Capabilities>,
    /// What the question is expected to cost; none where nobody says what it costs.
    pub expected_nano_usd: Option<i64>,
    /// What is held of the budgets for it.
    pub hold_nano_usd: Option<i64>,
    /// How it is at the moment.
    pub state: State,
}

/// A model that somebody named or that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub target: Target,
    /// It runs on this machine.
    pub local: bool,
    /// What is known of it.
    pub facts: Facts,
}

/// A model of a chain, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Which.
    pub candidate: Candidate,
    /// For which failures of the one before.
    pub on: Causes,
}

/// A name for several models, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// What it is called.
    pub name: String,
    /// Its models, the best first.
    pub rungs: Vec<Candidate>,
    /// Only this machine's.
    pub local_only: bool,
    /// What costs least goes first, whatever the policy says.
    pub by_cost: bool,
    /// The settings name it, not the caller.
    pub by_settings: bool,
}

/// What the router chooses from. Of the first four the first that is there counts.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Named by the caller: it or none.
    pub explicit: Option<Candidate>,
    /// Several, named with one word by the caller, or by the settings.
    pub ladder: Option<Ladder>,
    /// Named by the settings.
    pub configured: Option<Candidate>,
    /// Where nothing is named: what was found and could answer, in the order of preference within
    /// each kind.
    pub found: Vec<Candidate>,
    /// Named by the settings for when the first fails, in order.
    pub fallback: Vec<Fallback>,
    /// Where answers may come from.
    pub policy: Policy,
    /// What the request needs.
    pub needs: Needs,
}

/// One way to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which model.
    pub target: Target,
    /// It runs on this machine.
    pub local: bool,
    /// Why it is tried, for a person.
    pub reason: String,
    /// For which failures of the one before; the first is tried whatever stands here.
    pub on: Causes,
    /// What is known of it.
    pub facts: Facts,
}

/// Why a model is not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It would leave the machine, and nothing may.
    NotLocal,
    /// It cannot do this.
    Missing(Vec<Need>),
    /// The question is longer than it reads.
    TooLong {
        /// Tokens of the question at least.
        tokens: u64,
        /// Tokens that it reads.
        context: u64,
    },
    /// Nobody says what it costs.
    NoPrice,
    /// It is left alone for now.
    Cooling(Cooling),
    /// Its provider is not there.
    NoProvider,
    /// Another one was named, or found before it.
    NotAsked,
}

/// A model that is not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub target: Target,
    /// It runs on this machine.
    pub local: bool,
    /// Why.
    pub why: Unfit,
}

/// The ways to an answer, in order; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Tried one after the other.
    pub routes: Vec<Route>,
    /// Not tried.
    pub left_out: Vec<LeftOut>,
    /// What would have been tried first, had it been fit: the first route stands in for it.
    pub first_choice: Option<LeftOut>,
    /// The policy that it was made under.
    pub policy: Policy,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoModel {
    /// Nothing is named and nothing was found.
    #[error("no model is configured and none was found")]
    Nothing,
    /// What is named would leave the machine.
    #[error("{target} does not run on this machine, and nothing may leave it")]
    NotLocal {
        /// What was named.
        target: Target,
    },
    /// What is named cannot answer this, or not now.
    #[error("{} cannot answer this: {}", .0.target, .0.why)]
    Unfit(LeftOut),
}

/// A candidate on its way into the plan.
struct Draft {
    candidate: Candidate,
    reason: String,
    on: Causes,
    /// It was named: it is tried although nobody says what it costs, so that this is told.
    named: bool,
}

impl Draft {
    fn new(candidate: Candidate, reason: impl Into<String>, named: bool) -> Self {
        Self {
            candidate,
            reason: reason.into(),
            on: Causes::ALL,
            named,
        }
    }
}

fn by_cost(drafts: &mut [Draft]) {
    // What nobody knows comes last; what costs the same keeps its order.
    drafts.sort_by_key(|draft| match draft.candidate.local {
        true => 0,
        false => draft.candidate.facts.expected_nano_usd.unwrap_or(i64::MAX),
    });
}

fn stand_in(one: Fallback) -> Draft {
    Draft {
        on: one.on,
        ..Draft::new(one.candidate, "configured fallback", true)
    }
}

/// What a selection puts forward, in order, and what it passes over.
fn drafts(selection: Selection) -> (Vec<Draft>, Vec<Candidate>) {
    let policy = selection.policy;
    let mut passed: Vec<Candidate> = Vec::new();
    let fallback = selection.fallback.into_iter();
    let ladder = selection.ladder;
    if let Some(explicit) = selection.explicit {
        passed.extend(ladder.into_iter().flat_map(|ladder| ladder.rungs));
        passed.extend(selection.configured);
        passed.extend(selection.found);
        passed.extend(fallback.map(|one| one.candidate));
        return (vec![Draft::new(explicit, "asked for", true)], passed);
    }
    if let Some(ladder) = ladder {
        passed.extend(selection.configured);
        passed.extend(selection.found);
        let (behind, left): (Vec<_>, Vec<_>) =
            fallback.partition(|one| one.candidate.local || !ladder.local_only);
        passed.extend(left.into_iter().map(|one| one.candidate));
        let named = match ladder.by_settings {
            true => "configured",
            false => "asked for",
        };
        let reason = format!("{named} as {}", ladder.name);
        let (mut rungs, rest): (Vec<_>, Vec<_>) = ladder
            .rungs
            .into_iter()
            .partition(|rung| rung.local || !ladder.local_only);
        passed.extend(rest);
        let mut drafts: Vec<Draft> = rungs
            .drain(..)
            .map(|rung| Draft::new(rung, reason.clone(), false))
            .collect();
        if ladder.by_cost {
            by_cost(&mut drafts);
        }
        drafts.extend(behind.into_iter().map(stand_in));
        if policy == Policy::Cheapest {
            by_cost(&mut drafts);
        }
        return (drafts, passed);
    }
    let mut drafts: Vec<Draft> = Vec::new();
    if let Some(configured) = selection.configured {
        passed.extend(selection.found);
        drafts.push(Draft::new(configured, "configured", true));
    } else {
        let found = selection.found.into_iter().map(|candidate| {
            let reason = match candidate.local {
                true => "found on this machine",
                false => "its key was found",
            };
            Draft::new(candidate, reason, false)
        });
        drafts.extend(found);
        match policy {
            Policy::LocalFirst | Policy::LocalOnly => {
                drafts.sort_by_key(|draft| !draft.candidate.local);
            }
            Policy::CloudFirst => drafts.sort_by_key(|draft| draft.candidate.local),
            Policy::Cheapest => by_cost(&mut drafts),
        }
        // One that fits is enough: what answers where nobody chose does not wander.
        let fits = |draft: &Draft| unfit(draft, policy, &selection.needs).is_none();
        let first = drafts.iter().position(fits).unwrap_or(0);
        let rest = drafts.split_off((first + 1).min(drafts.len()));
        passed.extend(rest.into_iter().map(|draft| draft.candidate));
    }
    drafts.extend(fallback.map(stand_in));
    if policy == Policy::Cheapest {
        by_cost(&mut drafts);
    }
    (drafts, passed)
}

/// Why a model is not tried; none where it is.
fn unfit(draft: &Draft, policy: Policy, needs: &Needs) -> Option<Unfit> {
    draft.candidate.unfit(draft.named, policy, needs)
}

impl Candidate {
    /// It would be tried although nobody named it.
    pub fn fits(&self, policy: Policy, needs: &Needs) -> bool {
        self.unfit(false, policy, needs).is_none()
    }

    fn unfit(&self, named: bool, policy: Policy, needs: &Needs) -> Option<Unfit> {
        let Self { local, facts, .. } = self;
        if policy == Policy::LocalOnly && !local {
            return Some(Unfit::NotLocal);
        }
        if let Some(has) = facts.capabilities {
            let missing = Need::missing(has, needs.capabilities);
            if !missing.is_empty() {
                return Some(Unfit::Missing(missing));
            }
        }
        if let Some(context) = facts.context
            && needs.tokens_at_least > context
        {
            let tokens = needs.tokens_at_least;
            return Some(Unfit::TooLong { tokens, context });
        }
        if !named && !local && facts.expected_nano_usd.is_none() {
            return Some(Unfit::NoPrice);
        }
        match &facts.state {
            State::Cooling(cooling) if !local => Some(Unfit::Cooling(cooling.clone())),
            State::Cooling(_) | State::Ready | State::Probing => None,
        }
    }
}

/// The plan.
///
/// A model that the caller names is tried alone; a ladder from its best rung on, and behind
/// it the fallback chain, where there is one. Else the
/// configured model and the fallback chain, else the first of what was found, this machine's first
/// unless the policy says otherwise. `cheapest` puts what is expected to cost least first,
/// `local-only` drops whatever is not local. What cannot do what the request needs, and what is
/// left alone for now, is left out and said.
///
/// # Errors
/// [`NoModel`] where no route is left.
pub fn plan(selection: Selection) -> Result<Plan, NoModel> {
    let (policy, needs) = (selection.policy, selection.needs);
    let (drafts, passed) = drafts(selection);
    let (mut routes, mut left_out): (Vec<Route>, Vec<LeftOut>) = (Vec::new(), Vec::new());
    let mut leads = false;
    // What the first one is left alone for: who does not stand in for that is not asked now either.
    let mut cooling: Option<Cause> = None;
    for draft in drafts {
        if let Some(known) = routes
            .iter_mut()
            .find(|route| route.target == draft.candidate.target)
        {
            known.on = known.on.and(draft.on);
            continue;
        }
        let mut why = unfit(&draft, policy, &needs);
        if cooling.is_some_and(|cause| routes.is_empty() && !draft.on.contains(cause)) {
            why = why.or(Some(Unfit::NotAsked));
        }
        if let (Some(Unfit::Cooling(left)), None) = (&why, cooling) {
            cooling = Cause::of(left.class);
        }
        let Candidate {
            target,
            local,
            facts,
        } = draft.candidate;
        match why {
            Some(why) => {
                leads |= routes.is_empty() && left_out.is_empty();
                left_out.push(LeftOut { target, local, why });
            }
            None => {
                let reason = match (&facts.state, policy) {
                    (State::Probing, _) => format!("{}; it failed a moment ago", draft.reason),
                    (_, Policy::Cheapest) => match facts.expected_nano_usd {
                        Some(_) | None if local => format!("{}; costs nothing", draft.reason),
                        Some(_) => format!("{}; by expected cost", draft.reason),
                        None => draft.reason,
                    },
                    _ => draft.reason,
                };
                routes.push(Route {
                    target,
                    local,
                    reason,
                    on: draft.on,
                    facts,
                });
            }
        }
    }
    let first = left_out.first().cloned();
    let first_choice = first
        .clone()
        .filter(|left| leads && left.why != Unfit::NotLocal);
    for Candidate { target, local, .. } in passed {
        let known = routes.iter().any(|route| route.target == target)
            || left_out.iter().any(|left| left.target == target);
        if !known {
            let why = Unfit::NotAsked;
            left_out.push(LeftOut { target, local, why });
        }
    }
    match (routes.is_empty(), first) {
        (false, _) => Ok(Plan {
            routes,
            left_out,
            first_choice,
            policy,
        }),
        (
            true,
            Some(LeftOut {
                target,
                why: Unfit::NotLocal,
                ..
            }),
        ) => Err(NoModel::NotLocal { target }),
        (true, Some(left)) => Err(NoModel::Unfit(left)),
        (true, None) => Err(NoModel::Nothing),
    }
}

impl Plan {
    /// What the machine goes by.
    pub fn steps(&self) -> Vec<crate::machine::Step> {
        let step = |route: &Route| crate::machine::Step {
            reason: route.reason.clone(),
            on: route.on,
            context: route.facts.context,
        };
        self.routes.iter().map(step).collect()
    }

    /// Whether some route may follow the first one's failure for this cause.
    pub fn has_way_out(&self, cause: Cause) -> bool {
        self.routes
            .iter()
            .skip(1)
            .any(|route| route.on.contains(cause))
    }
}

#[cfg(test)]
mod tests;
