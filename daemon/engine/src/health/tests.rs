use proptest::prelude::*;

use super::*;

fn target() -> Target {
    Target {
        provider: "p".into(),
        model: "m".into(),
    }
}

/// Without regard to how long they go on.
fn limits() -> BreakerLimits {
    BreakerLimits {
        streak_ms: 0,
        ..BreakerLimits::default()
    }
}

fn failed(class: ErrorClass) -> Outcome {
    Outcome::Failed {
        class,
        retry_after_ms: None,
    }
}

fn fail(health: &mut Health, now_ms: u64, class: ErrorClass, times: u32) {
    for _ in 0..times {
        health.ended(&target(), now_ms, failed(class), &limits());
    }
}

#[test]
fn it_opens_after_so_many_failures_and_lets_one_probe_through() {
    let mut health = Health::default();
    fail(&mut health, 1_000, ErrorClass::Overloaded, 4);
    assert_eq!(health.state(&target(), 1_000), State::Ready);
    fail(&mut health, 1_000, ErrorClass::Overloaded, 1);
    let cooling = health.enter(&target(), 2_000).unwrap_err();
    assert_eq!((cooling.who.as_str(), cooling.for_ms), ("p/m", 4_000));
    assert_eq!(cooling.failures, 5);
    // Another model of the provider is no worse for it.
    let other = Target {
        model: "n".into(),
        ..target()
    };
    assert_eq!(health.state(&other, 2_000), State::Ready);
    assert_eq!(health.state(&target(), 6_000), State::Probing);
    health.enter(&target(), 6_000).unwrap();
    assert!(
        health.enter(&target(), 6_000).is_err(),
        "one probe at a time"
    );
    // The probe fails: twice as long.
    fail(&mut health, 6_500, ErrorClass::Overloaded, 1);
    assert_eq!(health.enter(&target(), 6_500).unwrap_err().for_ms, 10_000);
    health.enter(&target(), 16_500).unwrap();
    health.ended(&target(), 16_600, Outcome::Answered, &limits());
    assert_eq!(health.state(&target(), 16_600), State::Ready);
    assert!(health.of_provider("p", 16_600).is_empty());
}

#[test]
fn a_probe_that_was_cancelled_leaves_its_turn_to_the_next() {
    let mut health = Health::default();
    fail(&mut health, 0, ErrorClass::Server, 5);
    health.enter(&target(), 5_000).unwrap();
    health.ended(&target(), 5_001, Outcome::Unknown, &limits());
    health.enter(&target(), 5_002).unwrap();
}

#[test]
fn connections_are_the_providers_affair_and_an_error_of_the_request_proves_it_well() {
    let mut health = Health::default();
    fail(&mut health, 0, ErrorClass::Connect, 3);
    let other = Target {
        model: "n".into(),
        ..target()
    };
    let State::Cooling(cooling) = health.state(&other, 0) else {
        panic!("the provider is not reached")
    };
    assert_eq!(cooling.who, "p");
    health.enter(&other, 5_000).unwrap();
    health.ended(&other, 5_000, failed(ErrorClass::BadRequest), &limits());
    assert_eq!(health.state(&target(), 5_000), State::Ready);
}

#[test]
fn long_patience_is_kept_up_to_a_bound_and_short_patience_is_the_callers_affair() {
    for (asked, expected) in [
        (60_000, None),
        (90_000, Some(90_000)),
        (u64::MAX, Some(600_000)),
    ] {
        let mut health = Health::default();
        let outcome = Outcome::Failed {
            class: ErrorClass::RateLimited,
            retry_after_ms: Some(asked),
        };
        health.ended(&target(), 0, outcome, &limits());
        let told = health.enter(&target(), 0).err();
        assert_eq!(told.map(|cooling| cooling.for_ms), expected, "{asked}");
    }
    let mut health = Health::default();
    let asked = Outcome::Failed {
        class: ErrorClass::RateLimited,
        retry_after_ms: Some(90_000),
    };
    health.ended(&target(), 0, asked, &limits());
    health.clear("p");
    assert_eq!(health.state(&target(), 0), State::Ready);
}

#[test]
fn old_failures_count_no_more_and_none_ever_where_it_is_switched_off() {
    let mut health = Health::default();
    fail(&mut health, 0, ErrorClass::Server, 4);
    fail(&mut health, 200_000, ErrorClass::Server, 4);
    assert_eq!(health.state(&target(), 200_000), State::Ready);
    let never = BreakerLimits {
        failures: 0,
        connect_failures: 0,
        ..limits()
    };
    for class in [ErrorClass::Server, ErrorClass::Connect] {
        for _ in 0..50 {
            health.ended(&target(), 0, failed(class), &never);
        }
    }
    assert_eq!(health.state(&target(), 0), State::Ready);
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Enter,
    End(u8),
}

proptest! {
    #[test]
    fn nobody_is_shut_out_for_longer_than_the_bound_and_one_probe_goes_at_a_time(
        steps in prop::collection::vec(
            prop_oneof![
                (0u64..40_000).prop_map(Step::Pass),
                Just(Step::Enter),
                (0u8..5).prop_map(Step::End),
            ],
            0..120,
        )
    ) {
        let (mut health, limits, mut now, mut open) =
            (Health::default(), limits(), 0, 0);
        for step in steps {
            match step {
                Step::Pass(ms) => now += ms,
                Step::Enter => match health.enter(&target(), now) {
                    Ok(()) => open += 1,
                    Err(cooling) => {
                        prop_assert!(cooling.for_ms <= limits.cooldown_max_ms);
                        // Where nothing is on its way the door opens by itself.
                        if open == 0 {
                            now += limits.cooldown_max_ms;
                            prop_assert!(health.enter(&target(), now).is_ok());
                            open += 1;
                        }
                    }
                },
                Step::End(how) if open > 0 => {
                    let outcome = match how {
                        0 => Outcome::Answered,
                        1 => Outcome::Unknown,
                        2 => failed(ErrorClass::Connect),
                        3 => failed(ErrorClass::Overloaded),
                        _ => failed(ErrorClass::Auth),
                    };
                    open -= 1;
                    health.ended(&target(), now, outcome, &limits);
                }
                Step::End(_) => {}
            }
            if health.state(&target(), now) == State::Probing {
                let mut one = health.clone();
                prop_assert!(one.enter(&target(), now).is_ok());
                prop_assert!(one.enter(&target(), now).is_err());
            }
        }
    }
}

#[test]
fn many_calls_that_fail_together_open_nothing_before_the_streak_goes_on() {
    let usual = BreakerLimits::default();
    let mut health = Health::default();
    for _ in 0..100 {
        health.ended(&target(), 1_000, failed(ErrorClass::Server), &usual);
    }
    assert_eq!(health.state(&target(), 1_000), State::Ready);
    health.ended(&target(), 3_000, failed(ErrorClass::Server), &usual);
    assert!(health.enter(&target(), 3_000).is_err());
    let mut health = Health::default();
    for at in [1_000, 2_000, 2_500, 2_600, 3_500] {
        health.ended(&target(), at, failed(ErrorClass::Server), &usual);
        let outcome = Outcome::Answered;
        health.ended(&target(), at + 1, outcome, &usual);
    }
    assert_eq!(health.state(&target(), 4_000), State::Ready);
}

#[test]
fn offline_is_where_several_cannot_be_reached_and_nobody_was_heard_since() {
    let provider = |name: &str| Target {
        provider: name.into(),
        model: "m".into(),
    };
    let mut health = Health::default();
    let unreached = failed(ErrorClass::Connect);
    health.ended(&provider("a"), 10, unreached, &limits());
    assert!(!health.is_offline(10), "it may be a's own fault");
    health.ended(&provider("b"), 20, unreached, &limits());
    assert!(health.is_offline(20));
    assert!(!health.is_offline(100_000));
    health.ended(&provider("c"), 30, failed(ErrorClass::Auth), &limits());
    assert!(!health.is_offline(30), "somebody answered");
}
