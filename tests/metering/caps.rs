//! A budget is kept before the provider is called.

use std::sync::Barrier;

use convergio_fake_provider::{Reply, Script};

use super::{DEAR, asked, capped, day, is_sound, question};
use crate::{
    ask::three_lines,
    harness::{
        daemon::Daemon,
        wire::{Wire, new_id},
    },
};

const DOLLAR: u64 = 1_000_000_000;

/// Check 1. The provider bills 1.3 times what was asked for.
#[test]
fn of_fifty_ten_cent_calls_at_once_against_a_dollar_ten_arrive_and_overage_freezes() {
    let script = Script::answer(|request| {
        let asked = request.max_output().expect("a limit");
        let reply = Reply::text("So be it.").usage(40, asked * 13 / 10);
        reply.ignoring_max_output()
    });
    let house = capped(script, DOLLAR);
    let _daemon = Daemon::start(&house.home);
    let together = Barrier::new(50);
    let refused: Vec<i64> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(|| {
                    let mut wire = Wire::open(&house.home);
                    let params = question(&house, &new_id(), "Why?", 990);
                    together.wait();
                    asked(&mut wire, &params).err().map(|error| {
                        let code = error["code"].as_i64();
                        code.unwrap_or_else(|| panic!("{error}"))
                    })
                })
            })
            .collect();
        let ends = callers.into_iter().map(|one| one.join().expect("an end"));
        ends.flatten().collect()
    });
    let calls = house.provider.calls().len();
    assert!((1..=10).contains(&calls), "{calls} calls reached it");
    assert_eq!(refused.len(), 50 - calls, "{refused:?}");
    assert!(refused.iter().all(|code| *code == -32030), "{refused:?}");
    // All that it billed is in the books, what went beyond the holds too.
    let billed = DEAR.of(house.provider.billed());
    let total = is_sound(&house, "after fifty");
    assert_eq!(total["amount_nano_usd"], billed, "{total}");
    let mut wire = Wire::open(&house.home);
    let day = day(&mut wire);
    assert_eq!(day["posted_nano_usd"], billed, "{day}");
    assert_eq!(day["frozen"], true, "{day}");
    // Whatever is left, a frozen budget admits nothing.
    let error = asked(&mut wire, &question(&house, &new_id(), "Why?", 256)).unwrap_err();
    assert_eq!(error["code"], -32030, "{error}");
    assert_eq!(house.provider.calls().len(), calls);
}

/// Check 1 without a lie: what a provider that heeds its limits bills never passes the cap.
#[test]
fn fifty_at_once_spend_the_dollar_and_not_a_nano_more() {
    let script = Script::answer(|request| {
        let asked = request.max_output().expect("a limit");
        Reply::text("So be it.")
            .usage(40, asked)
            .ignoring_max_output()
    });
    let house = capped(script, DOLLAR);
    let _daemon = Daemon::start(&house.home);
    let mut wire = Wire::open(&house.home);
    let mut ends = Vec::new();
    for _ in 0..50 {
        let params = question(&house, &new_id(), "Why?", 1_000);
        ends.push(asked(&mut wire, &params).is_ok());
    }
    let billed = DEAR.of(house.provider.billed());
    assert!(billed <= DOLLAR, "{billed} of {DOLLAR}");
    // What is left would not pay for the smallest answer.
    assert!(billed > DOLLAR * 9 / 10, "{billed} of {DOLLAR}");
    assert_eq!(
        ends.iter().filter(|end| **end).count(),
        house.provider.calls().len()
    );
    assert!(!ends[49], "the last one finds nothing");
    let total = is_sound(&house, "after fifty in a row");
    assert_eq!(total["amount_nano_usd"], billed, "{total}");
}

/// Check 6.
#[test]
fn a_model_without_a_price_is_denied_before_a_byte_leaves() {
    let house = capped(Script::always(Reply::text("never")), DOLLAR);
    for arguments in [
        &["ask", "hi", "--model", "mock/gpt-unheard-of"][..],
        &[
            "ask",
            "hi",
            "--model",
            "mock/gpt-unheard-of",
            "--max-cost",
            "900",
        ],
    ] {
        let ran = house.cv(arguments);
        three_lines(&ran, 4);
        assert!(ran.err.contains("price"), "{ran:?}");
    }
    let mut wire = Wire::open(&house.home);
    let mut params = question(&house, &new_id(), "hi", 256);
    params["model"] = "mock/gpt-unheard-of".into();
    let error = asked(&mut wire, &params).unwrap_err();
    assert_eq!(error["code"], -32034, "{error}");
    assert_eq!(house.provider.connections(), 0, "nothing was even opened");
    assert_eq!(house.provider.bytes_received(), 0);
    let total = is_sound(&house, "after refusals");
    assert_eq!(total["attempts"], 0, "{total}");
}

/// A limit of nobody would stop nothing: it is refused, and those that there are are named.
#[test]
fn nobody_who_is_not_there_has_a_limit() {
    let house = capped(Script::always(Reply::text("Hello.")), 1_000_000_000);
    let _daemon = Daemon::start(&house.home);
    let made = house.cv(&["token", "create", "robot", "--max", "5"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    for (of, name, named) in [("--token", "robt", "robot"), ("--provider", "mok", "mock")] {
        let ran = house.cv(&["budget", "set", "total", "5.00", of, name]);
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(ran.err.contains(named), "{ran:?}");
    }
    for (of, name) in [("--token", "robot"), ("--provider", "mock")] {
        let ran = house.cv(&["budget", "set", "total", "4.00", of, name]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let listed = house.cv(&["budget", "list"]);
    assert!(
        !listed.out.contains("mok") && !listed.out.contains("robt"),
        "{listed:?}"
    );
}
