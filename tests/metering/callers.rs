//! A thousand callers on one budget, round after round, before a provider that fails, breaks off and
//! forgets its usage: by its own count the budget is never passed, and nothing stays held.

use std::sync::{
    Arc, Barrier,
    atomic::{AtomicU64, Ordering},
};

use convergio_contract::limits::IN_FLIGHT_MAX;
use convergio_fake_provider::{At, Reply, Request, Script};
use serde_json::{Value, json};

use super::{DEAR, capped, day, is_sound, question};
use crate::{
    ask::House,
    frames::Dice,
    harness::{
        daemon::Daemon,
        wire::{Wire, is_terminal, new_id},
    },
};

/// Tokens that every caller asks for.
const WANTED: u32 = 300;
/// What a round may cost: a few dozen of its callers' holds.
const ROUND_NANO_USD: u64 = 2_000_000_000;

pub(super) fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

/// What this provider makes of a call: mostly an answer of any length up to the limit.
fn answer(request: &Request, dice: u64) -> Reply {
    let limit = request.max_output().expect("a limit");
    // The odd number makes neighbours differ; each call's fate is its own number's.
    let mut dice = Dice::new(dice.wrapping_mul(31) + 7);
    let tokens = 1 + dice.roll(limit);
    // A token is a byte of text at least, or nobody but the provider could count what came.
    let third = "so ".repeat(tokens as usize / 9 + 1);
    let reply = Reply::deltas([third.clone(), third.clone(), third])
        .usage(8, tokens)
        .ignoring_max_output();
    // So few fail that five in a row, after which nobody is asked for a while, are not to be met.
    match dice.roll(30) {
        0 => Reply::error(500, "server_error", "The server had an error"),
        1 => reply.reset_after(At::Delta(2)),
        2 => reply.close_after(At::Delta(1)),
        // Its own count is one for each delta then.
        3 => Reply::text("nobody counted this").no_usage(),
        _ => reply,
    }
}

/// How a connection's callers ended.
#[derive(Default)]
struct Ended {
    refused: usize,
    completed: usize,
    failed: usize,
}

/// Sends all of a connection's questions at once and reads them all to their ends.
fn call(house: &House, callers: usize, together: &Barrier) -> Ended {
    let mut wire = Wire::open(&house.home);
    let runs: Vec<String> = (0..callers).map(|_| new_id()).collect();
    let mut lines = Vec::new();
    for (id, run_id) in (1_u64..).zip(&runs) {
        let params = question(house, run_id, "Why?", WANTED);
        let line = json!({"jsonrpc": "2.0", "id": id, "method": "run.start", "params": params});
        lines.extend(line.to_string().into_bytes());
        lines.push(b'\n');
    }
    together.wait();
    wire.send(&lines);
    let mut ended = Ended::default();
    let mut open = Vec::new();
    let mut answers = 0;
    while answers < callers {
        let line = wire.line();
        let Some(id) = line["id"].as_u64() else {
            continue;
        };
        answers += 1;
        let run_id = &runs[id as usize - 1];
        if line["error"].is_null() {
            assert_eq!(line["result"]["run_id"], **run_id, "{line}");
            open.push(run_id);
        } else {
            assert_eq!(line["error"]["code"], -32030, "{line}");
            ended.refused += 1;
        }
    }
    for (id, run_id) in (1_000_u64..).zip(&open) {
        let params = json!({"run_id": run_id, "after_seq": 0});
        let line = json!({"jsonrpc": "2.0", "id": id, "method": "run.subscribe", "params": params});
        wire.send_line(&line);
    }
    let mut last = 0;
    while last < open.len() {
        let line = wire.line();
        assert!(line["error"].is_null(), "{line}");
        let event: &Value = &line["params"];
        if is_terminal(event) {
            last += 1;
            match event["type"] == "completed" {
                true => ended.completed += 1,
                false => ended.failed += 1,
            }
        }
    }
    ended
}

/// `just campaign-budget` plays 100 rounds of 1,000 callers.
#[test]
fn callers_at_once_never_pass_their_budget_by_the_providers_own_count() {
    let callers = from_environment("CONVERGIO_CALLERS", 100);
    let rounds = from_environment("CONVERGIO_ROUNDS", 3);
    let mut dice = Dice::seeded();
    let calls = Arc::new(AtomicU64::new(dice.roll(1 << 40)));
    let script =
        Script::answer(move |request| answer(request, calls.fetch_add(1, Ordering::SeqCst)));
    let house = capped(script, ROUND_NANO_USD);
    let _daemon = Daemon::start(&house.home);
    // Fewer than the daemon takes at once: somebody looks at the budget meanwhile.
    let connections = callers.div_ceil(IN_FLIGHT_MAX).max(callers.min(50));
    let mut all = Ended::default();
    let mut wire = Wire::open(&house.home);
    for round in 0..rounds {
        let before = DEAR.of(house.provider.billed());
        let posted = day(&mut wire)["posted_nano_usd"].as_u64().expect("a sum");
        let limit = posted + ROUND_NANO_USD;
        let params = json!({"window": "day", "limit_usd": super::usd(limit)});
        wire.result("budget.set", params);
        let together = Barrier::new(connections);
        let ends: Vec<Ended> = std::thread::scope(|scope| {
            let (house, together) = (&house, &together);
            let threads: Vec<_> = (0..connections)
                .map(|number| {
                    let share = callers / connections + usize::from(number < callers % connections);
                    scope.spawn(move || call(house, share, together))
                })
                .collect();
            let ends = threads.into_iter().map(|one| one.join().expect("an end"));
            ends.collect()
        });
        let when = format!("round {round}");
        let after = day(&mut wire);
        let billed = DEAR.of(house.provider.billed());
        // The provider's own count, on the nano: broken and uncounted answers are in it.
        assert!(billed <= limit, "{when}: {billed} of {limit}: {after}");
        assert!(billed > before, "{when}: nobody was called");
        let posted_now = after["posted_nano_usd"].as_u64().expect("a sum");
        assert!(
            billed <= posted_now,
            "{when}: less is in the books: {after}"
        );
        assert!(posted_now <= limit, "{when}: {after}");
        assert_eq!(after["frozen"], false, "{when}: {after}");
        for one in ends {
            all.refused += one.refused;
            all.completed += one.completed;
            all.failed += one.failed;
        }
        let total = is_sound(&house, &when);
        assert_eq!(total["attempts"], house.provider.calls().len(), "{when}");
    }
    assert_eq!(all.refused + all.completed + all.failed, callers * rounds);
    // A budget that nobody came near, or that let nobody in, would prove nothing.
    assert!(all.refused > 0 && all.completed > 0 && all.failed > 0);
    eprintln!(
        "{rounds} rounds of {callers}: {} completed, {} failed, {} refused; {} calls, {} of {} \
         nano-USD by the provider's count",
        all.completed,
        all.failed,
        all.refused,
        house.provider.calls().len(),
        DEAR.of(house.provider.billed()),
        day(&mut wire)["limit_nano_usd"],
    );
}
