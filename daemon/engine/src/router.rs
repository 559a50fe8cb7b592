//! Which models may answer, in which order, and why. Pure.

use std::fmt;

use convergio_models_api::Policy;
use thiserror::Error;

/// A model by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The provider's configured name.
    pub provider: String,
    /// The model's id as that provider knows it.
    pub model: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// A model that somebody named or that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub target: Target,
    /// It runs on this machine.
    pub local: bool,
}

/// What the router chooses from.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Named by the caller: it or none.
    pub explicit: Option<Candidate>,
    /// Named by the settings.
    pub configured: Option<Candidate>,
    /// Named by the settings for when the first fails, in order.
    pub fallback: Vec<Candidate>,
    /// Where nothing is named: what was found and could answer, in the order of preference within
    /// each kind.
    pub found: Vec<Candidate>,
    /// Where answers may come from.
    pub policy: Policy,
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
}

/// The ways to an answer, in order; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Tried one after the other.
    pub routes: Vec<Route>,
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
}

/// The plan.
///
/// A model that the caller names is tried alone. Else the configured one and the fallback list,
/// else what was found, this machine's first unless the policy says otherwise. `local-only` drops
/// whatever is not local.
///
/// # Errors
/// [`NoModel`] where no route is left.
pub fn plan(selection: Selection) -> Result<Plan, NoModel> {
    let policy = selection.policy;
    let named = |candidate: Candidate, reason: &str| Route {
        target: candidate.target,
        local: candidate.local,
        reason: reason.to_owned(),
    };
    let mut routes: Vec<Route> = Vec::new();
    if let Some(explicit) = selection.explicit {
        routes.push(named(explicit, "asked for"));
    } else if let Some(configured) = selection.configured {
        routes.push(named(configured, "configured"));
        let fallback = selection.fallback.into_iter();
        routes.extend(fallback.map(|candidate| named(candidate, "configured fallback")));
    } else {
        let mut found = selection.found;
        match policy {
            Policy::LocalFirst | Policy::LocalOnly | Policy::Cheapest => {
                found.sort_by_key(|candidate| !candidate.local);
            }
            Policy::CloudFirst => found.sort_by_key(|candidate| candidate.local),
        }
        let fallback = selection.fallback.into_iter();
        routes.extend(found.into_iter().take(1).map(|candidate| {
            let reason = if candidate.local {
                "found on this machine"
            } else {
                "its key was found"
            };
            named(candidate, reason)
        }));
        routes.extend(fallback.map(|candidate| named(candidate, "configured fallback")));
    }
    let mut unique: Vec<Route> = Vec::with_capacity(routes.len());
    for route in routes {
        if !unique.iter().any(|other| other.target == route.target) {
            unique.push(route);
        }
    }
    let first = unique.first().map(|route| route.target.clone());
    if policy == Policy::LocalOnly {
        unique.retain(|route| route.local);
    }
    match (unique.is_empty(), first) {
        (false, _) => Ok(Plan {
            routes: unique,
            policy,
        }),
        (true, Some(target)) => Err(NoModel::NotLocal { target }),
        (true, None) => Err(NoModel::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, local: bool) -> Candidate {
        let (provider, model) = name.split_once('/').unwrap();
        Candidate {
            target: Target {
                provider: provider.into(),
                model: model.into(),
            },
            local,
        }
    }

    fn names(plan: &Plan) -> Vec<String> {
        plan.routes
            .iter()
            .map(|route| route.target.to_string())
            .collect()
    }

    #[test]
    fn what_the_caller_names_is_tried_alone() {
        let selection = Selection {
            explicit: Some(candidate("a/x", false)),
            configured: Some(candidate("b/y", false)),
            fallback: vec![candidate("c/z", true)],
            ..Selection::default()
        };
        assert_eq!(names(&plan(selection).unwrap()), ["a/x"]);
    }

    #[test]
    fn the_fallback_list_follows_what_is_configured_without_repetition() {
        let selection = Selection {
            configured: Some(candidate("b/y", false)),
            fallback: vec![candidate("b/y", false), candidate("c/z", true)],
            found: vec![candidate("d/w", true)],
            ..Selection::default()
        };
        assert_eq!(names(&plan(selection).unwrap()), ["b/y", "c/z"]);
    }

    #[test]
    fn where_nothing_is_named_the_policy_chooses_among_what_was_found() {
        let found = vec![candidate("cloud/x", false), candidate("ollama/y", true)];
        for (policy, expected) in [
            (Policy::LocalFirst, "ollama/y"),
            (Policy::CloudFirst, "cloud/x"),
            (Policy::LocalOnly, "ollama/y"),
        ] {
            let selection = Selection {
                found: found.clone(),
                policy,
                ..Selection::default()
            };
            assert_eq!(names(&plan(selection).unwrap()), [expected], "{policy}");
        }
    }

    #[test]
    fn local_only_leaves_nothing_that_is_not_local() {
        let selection = |fallback| Selection {
            configured: Some(candidate("cloud/x", false)),
            fallback,
            policy: Policy::LocalOnly,
            ..Selection::default()
        };
        let target = candidate("cloud/x", false).target;
        assert_eq!(plan(selection(vec![])), Err(NoModel::NotLocal { target }));
        let kept = plan(selection(vec![candidate("ollama/y", true)])).unwrap();
        assert_eq!(names(&kept), ["ollama/y"]);
        let nothing = Selection::default();
        assert_eq!(plan(nothing), Err(NoModel::Nothing));
    }
}
