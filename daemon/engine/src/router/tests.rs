use convergio_models_api::ErrorClass;
use proptest::prelude::*;

use super::*;

fn candidate(name: &str, local: bool) -> Candidate {
    let (provider, model) = name.split_once('/').unwrap();
    Candidate {
        target: Target {
            provider: provider.into(),
            model: model.into(),
        },
        local,
        facts: Facts {
            expected_nano_usd: Some(if local { 0 } else { 1_000 }),
            ..Facts::default()
        },
    }
}

fn costing(name: &str, nano: i64) -> Candidate {
    let mut candidate = candidate(name, false);
    candidate.facts.expected_nano_usd = Some(nano);
    candidate
}

fn fallback(candidate: Candidate) -> Fallback {
    Fallback {
        candidate,
        on: Causes::ALL,
    }
}

fn names(plan: &Plan) -> Vec<String> {
    let routes = plan.routes.iter();
    routes.map(|route| route.target.to_string()).collect()
}

#[test]
fn what_the_caller_names_is_tried_alone() {
    let selection = Selection {
        explicit: Some(candidate("a/x", false)),
        configured: Some(candidate("b/y", false)),
        fallback: vec![fallback(candidate("c/z", true))],
        ..Selection::default()
    };
    let plan = plan(selection).unwrap();
    assert_eq!(names(&plan), ["a/x"]);
    assert_eq!(plan.left_out.len(), 2);
}

#[test]
fn the_fallback_list_follows_what_is_configured_without_repetition() {
    let selection = Selection {
        configured: Some(candidate("b/y", false)),
        fallback: vec![
            fallback(candidate("b/y", false)),
            Fallback {
                candidate: candidate("c/z", true),
                on: Causes::only(Cause::Budget),
            },
            Fallback {
                candidate: candidate("c/z", true),
                on: Causes::only(Cause::Network),
            },
        ],
        found: vec![candidate("d/w", true)],
        ..Selection::default()
    };
    let plan = plan(selection).unwrap();
    assert_eq!(names(&plan), ["b/y", "c/z"]);
    let both: Causes = [Cause::Budget, Cause::Network].into_iter().collect();
    assert_eq!(plan.routes[1].on, both);
    assert!(plan.has_way_out(Cause::Budget) && !plan.has_way_out(Cause::Auth));
}

#[test]
fn where_nothing_is_named_the_policy_chooses_among_what_was_found() {
    let found = vec![candidate("cloud/x", false), candidate("ollama/y", true)];
    for (policy, expected) in [
        (Policy::LocalFirst, "ollama/y"),
        (Policy::CloudFirst, "cloud/x"),
        (Policy::LocalOnly, "ollama/y"),
        (Policy::Cheapest, "ollama/y"),
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
fn cheapest_goes_by_expected_cost_and_the_unknown_comes_last() {
    let mut unknown = candidate("q/u", false);
    unknown.facts.expected_nano_usd = None;
    let selection = Selection {
        configured: Some(costing("a/dear", 900)),
        fallback: vec![
            fallback(unknown),
            fallback(costing("b/cheap", 10)),
            fallback(candidate("ollama/y", true)),
        ],
        policy: Policy::Cheapest,
        ..Selection::default()
    };
    let plan = plan(selection).unwrap();
    assert_eq!(names(&plan), ["ollama/y", "b/cheap", "a/dear", "q/u"]);
    assert_eq!(
        plan.routes[1].reason,
        "configured fallback; by expected cost"
    );
}

#[test]
fn local_only_leaves_nothing_that_is_not_local() {
    let selection = |more| Selection {
        configured: Some(candidate("cloud/x", false)),
        fallback: more,
        policy: Policy::LocalOnly,
        ..Selection::default()
    };
    let target = candidate("cloud/x", false).target;
    assert_eq!(plan(selection(vec![])), Err(NoModel::NotLocal { target }));
    let kept = plan(selection(vec![fallback(candidate("ollama/y", true))])).unwrap();
    assert_eq!(names(&kept), ["ollama/y"]);
    assert_eq!(kept.left_out[0].why, Unfit::NotLocal);
    assert_eq!(plan(Selection::default()), Err(NoModel::Nothing));
}

#[test]
fn what_cannot_do_it_is_left_out_and_said() {
    let mut blind = candidate("a/blind", false);
    blind.facts.capabilities = Some(Capabilities::default());
    let mut short = candidate("b/short", false);
    short.facts.context = Some(100);
    let mut resting = candidate("c/resting", false);
    resting.facts.state = State::Cooling(Cooling {
        who: "c".into(),
        for_ms: 4_200,
        class: ErrorClass::Overloaded,
        failures: 5,
    });
    let selection = Selection {
        configured: Some(blind.clone()),
        fallback: [short, resting, candidate("d/good", false)]
            .map(fallback)
            .into(),
        needs: Needs {
            capabilities: Capabilities {
                vision: true,
                json: true,
                ..Capabilities::default()
            },
            tokens_at_least: 200,
        },
        ..Selection::default()
    };
    assert!(!blind.fits(selection.policy, &selection.needs));
    assert!(candidate("d/good", false).fits(selection.policy, &selection.needs));
    let alone = Selection {
        explicit: Some(blind),
        fallback: Vec::new(),
        configured: None,
        ..selection.clone()
    };
    let plan_ = plan(selection).unwrap();
    assert_eq!(names(&plan_), ["d/good"]);
    assert_eq!(plan_.first_choice.as_ref(), plan_.left_out.first());
    let why: Vec<String> = plan_
        .left_out
        .iter()
        .map(|left| left.why.to_string())
        .collect();
    assert_eq!(
        why,
        [
            "it sees no pictures",
            "the question has more than 200 tokens, and it reads 100",
            "c failed 5 times in a row (overloaded); it is asked again in 5 s",
        ]
    );
    assert!(matches!(plan(alone), Err(NoModel::Unfit(_))));
}

#[test]
fn a_ladder_is_climbed_from_its_first_rung_and_private_stays_here() {
    let ladder = |local_only, by_cost| Selection {
        ladder: Some(Ladder {
            name: "fast".into(),
            rungs: vec![costing("a/x", 9), costing("b/y", 1), candidate("o/l", true)],
            local_only,
            by_cost,
            by_settings: false,
        }),
        ..Selection::default()
    };
    let fast = plan(ladder(false, false)).unwrap();
    assert_eq!(names(&fast), ["a/x", "b/y", "o/l"]);
    assert_eq!(fast.routes[0].reason, "asked for as fast");
    assert_eq!(
        names(&plan(ladder(false, true)).unwrap()),
        ["o/l", "b/y", "a/x"]
    );
    let private = plan(ladder(true, false)).unwrap();
    assert_eq!(names(&private), ["o/l"]);
    assert_eq!(private.left_out.len(), 2);
    // Where the settings name it, the fallback chain stands behind it, and crosses no line.
    let chain = [candidate("z/away", false), candidate("o/here", true)];
    let of_settings = |local_only| {
        let mut selection = ladder(local_only, false);
        selection.ladder.as_mut().unwrap().by_settings = true;
        selection.fallback = chain
            .iter()
            .cloned()
            .map(|candidate| Fallback {
                candidate,
                on: Causes::ALL,
            })
            .collect();
        plan(selection).unwrap()
    };
    let all = of_settings(false);
    assert_eq!(names(&all), ["a/x", "b/y", "o/l", "z/away", "o/here"]);
    assert_eq!(all.routes[0].reason, "configured as fast");
    assert_eq!(names(&of_settings(true)), ["o/l", "o/here"]);
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let state = prop_oneof![
        4 => Just(State::Ready),
        1 => Just(State::Probing),
        1 => Just(State::Cooling(Cooling {
            who: "p".into(),
            for_ms: 1,
            class: ErrorClass::Server,
            failures: 5,
        })),
    ];
    (
        0u8..4,
        0u8..3,
        any::<bool>(),
        prop::option::of(0i64..5),
        prop::option::of(0u64..4),
        prop::option::of(any::<(bool, bool)>()),
        state,
    )
        .prop_map(
            |(provider, model, local, cost, context, can, state)| Candidate {
                target: Target {
                    provider: format!("p{provider}{}", if local { "l" } else { "" }),
                    model: format!("m{model}"),
                },
                local,
                facts: Facts {
                    context,
                    capabilities: can.map(|(tools, vision)| Capabilities {
                        tools,
                        vision,
                        ..Capabilities::default()
                    }),
                    expected_nano_usd: if local { Some(0) } else { cost },
                    hold_nano_usd: cost,
                    state,
                },
            },
        )
}

fn any_selection() -> impl Strategy<Value = Selection> {
    let many = || prop::collection::vec(any_candidate(), 0..5);
    let ladder =
        (many(), any::<(bool, bool)>()).prop_map(|(rungs, (local_only, by_cost))| Ladder {
            name: "l".into(),
            rungs,
            local_only,
            by_cost,
            by_settings: by_cost != local_only,
        });
    let chain = (any_candidate(), 0u16..1024).prop_map(|(candidate, bits)| Fallback {
        candidate,
        on: Cause::ALL
            .into_iter()
            .filter(|cause| bits & (1 << *cause as u16) != 0)
            .collect(),
    });
    (
        prop::option::weighted(0.2, any_candidate()),
        prop::option::weighted(0.3, ladder),
        prop::option::of(any_candidate()),
        many(),
        prop::collection::vec(chain, 0..5),
        prop::sample::select(Policy::ALL.to_vec()),
        (any::<(bool, bool)>(), 0u64..4),
    )
        .prop_map(
            |(explicit, ladder, configured, found, fallback, policy, ((tools, vision), tokens))| {
                Selection {
                    explicit,
                    ladder,
                    configured,
                    found,
                    fallback,
                    policy,
                    needs: Needs {
                        capabilities: Capabilities {
                            tools,
                            vision,
                            ..Capabilities::default()
                        },
                        tokens_at_least: tokens,
                    },
                }
            },
        )
}

fn all(selection: &Selection) -> Vec<Target> {
    let ladder = selection.ladder.iter().flat_map(|ladder| &ladder.rungs);
    selection
        .explicit
        .iter()
        .chain(ladder)
        .chain(&selection.configured)
        .chain(&selection.found)
        .chain(selection.fallback.iter().map(|one| &one.candidate))
        .map(|candidate| candidate.target.clone())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_plan_is_the_same_each_time_loses_nobody_and_keeps_its_promises(
        selection in any_selection()
    ) {
        let made = plan(selection.clone());
        prop_assert_eq!(&made, &plan(selection.clone()));
        let Ok(made) = made else {
            return Ok(());
        };
        prop_assert!(!made.routes.is_empty());
        for target in all(&selection) {
            let routed = made.routes.iter().filter(|route| route.target == target).count();
            let left = made.left_out.iter().any(|left| left.target == target);
            prop_assert!(routed <= 1, "{target} twice");
            prop_assert!(routed == 1 || left, "{target} is lost");
        }
        for left in &made.left_out {
            prop_assert!(!left.why.to_string().is_empty());
        }
        let needs = selection.needs;
        for route in &made.routes {
            prop_assert!(!route.reason.is_empty());
            prop_assert!(route.local || selection.policy != Policy::LocalOnly);
            if let Some(has) = route.facts.capabilities {
                prop_assert!(has.tools || !needs.capabilities.tools);
                prop_assert!(has.vision || !needs.capabilities.vision);
            }
            prop_assert!(route.facts.context.is_none_or(|context| context >= needs.tokens_at_least));
            let cooling = matches!(route.facts.state, State::Cooling(_));
            prop_assert!(route.local || !cooling);
        }
        if let Some(explicit) = &selection.explicit {
            prop_assert_eq!(made.routes.len(), 1);
            prop_assert_eq!(&made.routes[0].target, &explicit.target);
        }
        if selection.policy == Policy::Cheapest {
            let cost = |route: &Route| match route.local {
                true => 0,
                false => route.facts.expected_nano_usd.unwrap_or(i64::MAX),
            };
            prop_assert!(made.routes.is_sorted_by_key(cost));
        }
    }
}
