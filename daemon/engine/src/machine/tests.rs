use proptest::prelude::*;

use super::*;

mod tools;
use crate::causes::Causes;

fn error(class: ErrorClass) -> ModelError {
    ModelError {
        provider: "p".into(),
        class,
        message: "m".into(),
        status: None,
        code: None,
        retry_after_ms: None,
        request_id: None,
    }
}

fn step(reason: &str) -> Step {
    Step {
        reason: reason.into(),
        on: Causes::ALL,
        context: None,
    }
}

fn machine(routes: usize) -> Machine {
    let steps = (0..routes).map(|route| step(&format!("route {route}")));
    Machine::new(steps.collect(), Limits::default())
}

fn admitted() -> Input {
    Input::Admitted { max_output: 100 }
}

fn text(text: &str) -> Input {
    Input::Event(ModelEvent::Text(text.into()))
}

fn ask(effects: &[Effect]) -> (usize, u32) {
    match effects.last() {
        Some(Effect::Admit(ask)) => (ask.route, ask.attempt),
        other => panic!("no admission but {other:?}"),
    }
}

#[test]
fn an_answer_is_shown_settled_and_finished() {
    let mut machine = machine(1);
    assert_eq!(ask(&machine.step(Input::Start, 0.0)), (0, 1));
    assert_eq!(machine.step(admitted(), 0.0), [Effect::Open]);
    assert!(matches!(
        machine.step(text("Hi"), 0.0)[..],
        [Effect::Show(_)]
    ));
    let usage = Usage::default()
        .with(convergio_models_api::Resource::InUncached, 3)
        .with(convergio_models_api::Resource::OutText, 1);
    machine.step(Input::Event(ModelEvent::Usage(usage)), 0.0);
    assert!(
        machine
            .step(Input::Event(ModelEvent::Stop(StopReason::End)), 0.0)
            .is_empty()
    );
    let end = machine.step(Input::StreamEnded, 0.0);
    assert!(matches!(
        &end[..],
        [
            Effect::Settle {
                ending: Ending::Reported(_),
                ..
            },
            Effect::Finish(Outcome::Answered(StopReason::End))
        ]
    ));
    assert_eq!(machine.parts(), ["Hi"]);
}

#[test]
fn what_the_provider_did_not_count_is_owed_by_what_came() {
    let mut machine = machine(1);
    machine.step(Input::Start, 0.0);
    machine.step(admitted(), 0.0);
    machine.step(text("twelve bytes"), 0.0);
    machine.step(Input::Event(ModelEvent::Stop(StopReason::End)), 0.0);
    let end = machine.step(Input::StreamEnded, 0.0);
    let Effect::Settle { ending, .. } = &end[0] else {
        panic!("{end:?}")
    };
    let usage = Usage::default();
    assert_eq!(
        *ending,
        Ending::Partial {
            usage,
            counted_output: 12
        }
    );
}

#[test]
fn a_passing_failure_is_tried_again_and_then_the_next_route() {
    let mut machine = machine(2);
    machine.step(Input::Start, 0.0);
    for attempt in 1..=3 {
        machine.step(admitted(), 0.0);
        let effects = machine.step(Input::Failed(error(ErrorClass::Overloaded)), 1.0);
        assert!(matches!(
            effects[0],
            Effect::Settle {
                ending: Ending::RefusedWhole,
                ..
            }
        ));
        if attempt < 3 {
            let wait_ms = 500 << (attempt - 1);
            assert_eq!(effects[1], Effect::Wait { wait_ms });
            assert_eq!(ask(&machine.step(Input::TimerFired, 0.0)), (0, attempt + 1));
        } else {
            assert_eq!(ask(&effects), (1, 4));
        }
    }
}

#[test]
fn another_key_is_not_tried_twice() {
    for class in [
        ErrorClass::Auth,
        ErrorClass::Billing,
        ErrorClass::ModelNotFound,
        ErrorClass::ContextOverflow,
    ] {
        let mut machine = machine(2);
        machine.step(Input::Start, 0.0);
        machine.step(admitted(), 0.0);
        let effects = machine.step(Input::Failed(error(class)), 0.0);
        assert_eq!(ask(&effects), (1, 2), "{class}");
    }
}

#[test]
fn a_provider_that_asks_for_patience_gets_it_up_to_a_bound() {
    for (asked, expected) in [(2_000, Some(2_000)), (60_000, Some(60_000)), (60_001, None)] {
        let mut machine = machine(1);
        machine.step(Input::Start, 0.0);
        machine.step(admitted(), 0.0);
        let mut limited = error(ErrorClass::RateLimited);
        limited.retry_after_ms = Some(asked);
        let effects = machine.step(Input::Failed(limited.clone()), 0.0);
        let expected = match expected {
            Some(wait_ms) => Effect::Wait { wait_ms },
            None => Effect::Finish(Outcome::Failed(limited)),
        };
        assert_eq!(effects[1], expected);
    }
}

#[test]
fn after_the_first_token_nothing_is_tried_again() {
    let call = ModelEvent::ToolCall {
        index: 0,
        id: "call_1".into(),
        name: "look".into(),
        signature: None,
    };
    for begun in [
        text("a"),
        Input::Event(ModelEvent::Reasoning("hm".into())),
        Input::Event(call),
    ] {
        let mut machine = machine(3);
        machine.step(Input::Start, 0.0);
        machine.step(admitted(), 0.0);
        machine.step(begun, 0.0);
        let effects = machine.step(Input::Failed(error(ErrorClass::Overloaded)), 0.0);
        assert!(matches!(
            &effects[..],
            [
                Effect::Settle {
                    ending: Ending::Partial { .. },
                    ..
                },
                Effect::Finish(Outcome::Failed(_))
            ]
        ));
    }
}

#[test]
fn a_refused_route_gives_way_unless_nothing_may_follow() {
    let refused = |verdict| Input::Refused {
        verdict,
        reason: "no key".into(),
    };
    let mut machine_ = machine(2);
    machine_.step(Input::Start, 0.0);
    let effects = machine_.step(refused(Verdict::Next(Cause::Unusable)), 0.0);
    let Some(Effect::Admit(ask)) = effects.last() else {
        panic!("{effects:?}")
    };
    assert_eq!(ask.reason, "route 1: no key");
    let end = [Effect::Finish(Outcome::Refused)];
    assert_eq!(
        machine_.step(refused(Verdict::Next(Cause::Unusable)), 0.0),
        end
    );
    let mut machine_ = machine(2);
    machine_.step(Input::Start, 0.0);
    assert_eq!(machine_.step(refused(Verdict::Stop), 0.0), end);
}

#[test]
fn an_answer_beyond_its_bound_ends_and_a_long_one_has_parts() {
    let limits = Limits {
        answer_max_bytes: PART_BYTES_MAX * 2,
        ..Limits::default()
    };
    let mut machine = Machine::new(vec![step("r")], limits);
    machine.step(Input::Start, 0.0);
    machine.step(admitted(), 0.0);
    // Two bytes each, so that a part ends between characters.
    machine.step(text("x"), 0.0);
    machine.step(text(&"é".repeat(PART_BYTES_MAX / 2)), 0.0);
    assert_eq!(machine.parts().len(), 2);
    assert!(
        machine
            .parts()
            .iter()
            .all(|part| part.len() <= PART_BYTES_MAX)
    );
    let end = machine.step(text(&"y".repeat(PART_BYTES_MAX)), 0.0);
    assert!(matches!(
        &end[..],
        [Effect::Settle { .. }, Effect::Finish(Outcome::Failed(error))] if error.class == ErrorClass::TooLarge
    ));
}

fn class() -> impl Strategy<Value = ErrorClass> {
    prop::sample::select(vec![
        ErrorClass::Auth,
        ErrorClass::RateLimited,
        ErrorClass::Overloaded,
        ErrorClass::BadRequest,
        ErrorClass::Server,
        ErrorClass::Connect,
        ErrorClass::Timeout(Phase::FirstByte),
        ErrorClass::ConnectionLost,
        ErrorClass::BrokenStream,
        ErrorClass::Denied,
    ])
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Start),
        Just(Input::Admitted { max_output: 9 }),
        Just(Input::Admitted { max_output: 9 }),
        Just(Input::AdmittedTooLate),
        prop::bool::ANY.prop_map(|stop| Input::Refused {
            verdict: if stop {
                Verdict::Stop
            } else {
                Verdict::Next(Cause::Unusable)
            },
            reason: "r".into(),
        }),
        Just(Input::Event(ModelEvent::Started {
            request_id: None,
            model: None
        })),
        ".{1,8}".prop_map(|text| Input::Event(ModelEvent::Text(text))),
        ".{1,8}".prop_map(|text| Input::Event(ModelEvent::Reasoning(text))),
        ".{1,8}".prop_map(|text| Input::Event(ModelEvent::ReasoningSignature(text))),
        (0u32..3).prop_map(|index| Input::Event(ModelEvent::ToolCall {
            index,
            id: format!("call_{index}"),
            name: "look".into(),
            signature: None,
        })),
        (0u32..3).prop_map(|index| Input::Event(ModelEvent::ToolArguments {
            index,
            json: "{}".into(),
        })),
        Just(Input::Event(ModelEvent::Usage(Usage::default()))),
        Just(Input::Event(ModelEvent::Stop(StopReason::End))),
        (class(), prop::option::of(0u64..90_000)).prop_map(|(class, retry_after_ms)| {
            Input::Failed(ModelError {
                retry_after_ms,
                ..error(class)
            })
        }),
        Just(Input::StreamEnded),
        Just(Input::TimerFired),
        Just(Input::TimerFired),
        Just(Input::Cancelled),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_every_attempt_is_settled_once_and_none_follows_the_first_token(
        routes in 1usize..4,
        inputs in prop::collection::vec(any_input(), 0..80),
    ) {
        let mut machine = machine(routes);
        let limits = Limits::default();
        let (mut admissions, mut opened, mut settled, mut finished) = (0, 0, 0, 0);
        let (mut begun, mut waited, mut shown) = (false, 0, String::new());
        let all = std::iter::once(Input::Start).chain(inputs).chain([Input::Cancelled]);
        for input in all {
            let too_late = matches!(input, Input::AdmittedTooLate);
            for effect in machine.step(input, 0.5) {
                prop_assert_eq!(finished, 0, "nothing follows the end");
                match effect {
                    Effect::Admit(_) => {
                        prop_assert!(!begun, "an attempt after the first token");
                        prop_assert_eq!(opened, settled, "two attempts at once");
                        admissions += 1;
                    }
                    Effect::Open => opened += 1,
                    Effect::Show(piece) => {
                        prop_assert_eq!(opened, settled + 1);
                        begun |= !matches!(
                            piece,
                            Shown::Event(ModelEvent::Started { .. } | ModelEvent::Usage(_))
                        );
                        if let Shown::Piece { channel: Channel::Text, text, .. } = &piece {
                            shown.push_str(text);
                        }
                    }
                    Effect::Settle { ending, .. } => {
                        if too_late {
                            // Admitted all the same, and never made.
                            prop_assert_eq!(ending, Ending::NothingSent);
                            opened += 1;
                        }
                        settled += 1;
                    }
                    Effect::Wait { wait_ms } => {
                        prop_assert_eq!(opened, settled, "money is held while waiting");
                        waited += wait_ms;
                    }
                    Effect::Finish(_) => {
                        finished += 1;
                        prop_assert_eq!(opened, settled);
                    }
                }
            }
        }
        prop_assert_eq!(finished, 1);
        prop_assert_eq!(opened, settled);
        prop_assert!(admissions <= routes * (limits.retries as usize + 1));
        prop_assert!(waited <= limits.wait_total_max_ms);
        prop_assert_eq!(machine.parts().concat(), shown);
    }
}

#[test]
fn each_cause_leads_to_the_route_that_is_there_for_it() {
    let only = |cause, context| Step {
        on: Causes::only(cause),
        context,
        ..step("spare")
    };
    let steps = vec![
        Step {
            context: Some(100),
            ..step("first")
        },
        only(Cause::RateLimit, None),
        only(Cause::Context, Some(50)),
        only(Cause::Context, Some(200)),
        only(Cause::Budget, None),
    ];
    let next = |effects: &[Effect]| match effects.last() {
        Some(Effect::Admit(ask)) => Some((ask.route, ask.instead_of.first().map(|it| it.cause))),
        _ => None,
    };
    for (class, expected) in [
        (ErrorClass::RateLimited, Some(1)),
        (ErrorClass::ContextOverflow, Some(3)),
        (ErrorClass::Auth, None),
        (ErrorClass::BadRequest, None),
    ] {
        let mut machine = Machine::new(
            steps.clone(),
            Limits {
                retries: 0,
                ..Limits::default()
            },
        );
        machine.step(Input::Start, 0.0);
        machine.step(admitted(), 0.0);
        let effects = machine.step(Input::Failed(error(class)), 0.0);
        let expected = expected.map(|route| (route, Cause::of(class)));
        assert_eq!(next(&effects), expected, "{class}");
    }
    let mut machine = Machine::new(steps, Limits::default());
    machine.step(Input::Start, 0.0);
    let refused = Input::Refused {
        verdict: Verdict::Next(Cause::Budget),
        reason: "no budget is left".into(),
    };
    let effects = machine.step(refused, 0.0);
    assert_eq!(next(&effects), Some((4, Some(Cause::Budget))));
}

#[test]
fn nobody_waits_long_while_another_route_may_answer() {
    for (routes, waits) in [(1, true), (2, false)] {
        let mut machine = machine(routes);
        machine.step(Input::Start, 0.0);
        machine.step(admitted(), 0.0);
        let mut limited = error(ErrorClass::RateLimited);
        limited.retry_after_ms = Some(10_000);
        let effects = machine.step(Input::Failed(limited), 0.0);
        assert_eq!(effects[1] == Effect::Wait { wait_ms: 10_000 }, waits);
    }
}

#[test]
fn an_answer_beyond_a_bound_is_owed_for_whole() {
    for before in [Vec::new(), vec![text("Hi")]] {
        let mut machine = machine(1);
        machine.step(Input::Start, 0.0);
        machine.step(admitted(), 0.0);
        for input in before {
            machine.step(input, 0.0);
        }
        let effects = machine.step(Input::Failed(error(ErrorClass::TooLarge)), 0.0);
        let Some(Effect::Settle {
            ending: Ending::Partial { counted_output, .. },
            ..
        }) = effects.first()
        else {
            panic!("{effects:?}")
        };
        assert_eq!(*counted_output, 100);
    }
}
