//! Limits beside the day's, and what a person is asked before money is spent.

use convergio_fake_provider::{Reply, Script};
use serde_json::{Value, json};

use super::{asked, capped, is_sound, question};
use crate::{
    ask::{House, KEY, three_lines},
    harness::{
        binaries, skip,
        terminal::{Shown, run_typing},
        wire::{Wire, new_id},
    },
};

const DOLLAR: u64 = 1_000_000_000;

/// Ten tokens in, a thousand out: ten cents.
fn ten_cents() -> Reply {
    Reply::text("Hello.").usage(10, 1_000)
}

fn budgets(house: &House) -> Vec<Value> {
    let ran = house.cv(&["budget", "list", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let listed: Value = serde_json::from_str(&ran.out).expect("JSON");
    listed["budgets"].as_array().expect("budgets").clone()
}

fn ask(house: &House) -> crate::harness::home::Ran {
    house.cv(&["ask", "hi", "--max-output", "1000", "-q"])
}

/// Asks with a terminal of its own, where somebody types.
fn at_terminal(house: &House, arguments: &[&str], talk: &[(&str, &str)]) -> Option<Shown> {
    if !skip::has_program("setsid") {
        skip::loudly("questions at the terminal", "setsid");
        return None;
    }
    let mut command = house.home.command("setsid");
    command
        .args(["--ctty", "--wait"])
        .arg(binaries().join("cv"))
        .args(arguments)
        .arg("--no-stdin")
        .env("MOCK_KEY", KEY)
        .current_dir(&house.folder);
    Some(run_typing(command, 100, talk))
}

fn done(house: &House, arguments: &[&str]) {
    let ran = house.cv(arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_month_and_a_provider_stop_as_the_day_does_and_undo_takes_them_back() {
    let house = capped(Script::always(ten_cents()), 10 * DOLLAR);
    for (set, what) in [
        (&["monthly", "0.11"][..], "the monthly budget"),
        (
            &["daily", "0.11", "--provider", "mock"][..],
            "provider mock",
        ),
        (
            &["total", "0.11", "--provider", "mock"][..],
            "provider mock",
        ),
        (&["run", "0.001"][..], "the run's budget"),
    ] {
        done(&house, &[&["budget", "set"], set].concat());
        let before = house.provider.calls().len();
        // What fits is done; what was spent before the limit counts.
        let first = ask(&house);
        if before == 0 {
            assert!(matches!(first.code, Some(0 | 6)), "{first:?}");
            assert_eq!(house.provider.calls().len(), 1);
        }
        let calls = house.provider.calls().len();
        let ran = ask(&house);
        three_lines(&ran, 4);
        assert!(ran.err.contains(what), "{what}: {ran:?}");
        assert_eq!(house.provider.calls().len(), calls, "{what}");
        done(&house, &["undo"]);
        assert_eq!(budgets(&house).len(), 1, "only the day is left");
    }
    assert!(matches!(ask(&house).code, Some(0 | 6)));
    is_sound(&house, "after limits came and went");
}

#[test]
fn a_limit_that_is_only_told_stops_nothing() {
    let house = capped(Script::always(ten_cents()), 10 * DOLLAR);
    done(
        &house,
        &[
            "budget",
            "set",
            "monthly",
            "0.05",
            "--provider",
            "mock",
            "--mode",
            "warn",
        ],
    );
    let ran = house.cv(&["ask", "hi", "--max-output", "1000"]);
    assert!(matches!(ran.code, Some(0 | 6)), "{ran:?}");
    assert!(ran.err.contains("budget"), "it is told: {ran:?}");
    assert!(matches!(ask(&house).code, Some(0 | 6)));
    let month = budgets(&house)
        .into_iter()
        .find(|budget| budget["window"] == "month")
        .expect("the month");
    assert_eq!(
        (&month["scope"], &month["scope_key"]),
        (&json!("provider"), &json!("mock"))
    );
    assert_eq!(month["warns"], true);
    assert!(
        month["posted_nano_usd"].as_u64() >= Some(DOLLAR / 5),
        "{month}"
    );
    three_lines(
        &house.cv(&["budget", "set", "daily", "1", "--mode", "warn"]),
        2,
    );
    done(&house, &["budget", "rm", "monthly", "--provider", "mock"]);
    assert_eq!(budgets(&house).len(), 1);
    three_lines(&house.cv(&["budget", "rm", "monthly"]), 2);
}

#[test]
fn a_preview_names_every_budget_and_sends_nothing() {
    let house = capped(Script::always(ten_cents()), 10 * DOLLAR);
    done(
        &house,
        &["budget", "set", "monthly", "0.05", "--provider", "mock"],
    );
    let ran = house.cv(&["budget", "preview", "hi", "--max-output", "1000"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.out.contains("everybody day"), "{ran:?}");
    assert!(ran.out.contains("does not fit"), "{ran:?}");
    let ran = house.cv(&[
        "budget",
        "preview",
        "hi",
        "--max-output",
        "100",
        "--format",
        "json",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(told["budgets"]["fits"], true, "{told}");
    assert_eq!(
        told["budgets"]["counts_in"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(house.provider.connections(), 0);
}

/// 7,500 tokens of output, a quarter of the limit, are expected: 75 cents.
const DEAR: [&str; 4] = ["ask", "hi", "--max-output", "30000"];

#[test]
fn a_dear_run_needs_a_yes_and_the_hint_is_one() {
    let house = capped(Script::always(ten_cents()), 10 * DOLLAR);
    let ran = house.cv(&DEAR);
    three_lines(&ran, 4);
    assert!(ran.err.contains("would cost about"), "{ran:?}");
    assert_eq!(house.provider.connections(), 0);
    let (_, amount) = ran.err.split_once("--max-cost ").expect("a way out");
    let amount: String = amount
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
        .collect();
    let less = house.cv(&[&DEAR[..], &["--max-cost", "1.00"]].concat());
    three_lines(&less, 4);
    assert_eq!(house.provider.connections(), 0);
    let ran = house.cv(&[&DEAR[..], &["--max-cost", &amount]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(house.provider.calls().len(), 1);
    // Answers of this model are short, it turns out: the next one is expected to be so.
    let ran = house.cv(&DEAR);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    is_sound(&house, "after a yes");
}

#[test]
fn a_yes_is_good_once_and_for_that_request_alone() {
    let house = capped(Script::always(ten_cents()), 10 * DOLLAR);
    assert_eq!(house.cv(&["status"]).code, Some(0));
    let mut wire = Wire::open(&house.home);
    let dear = |text: &str, token: &Value| {
        let mut params = question(&house, &new_id(), text, 30_000);
        params["cost_token"] = token.clone();
        params
    };
    let refused = asked(&mut wire, &dear("hi", &Value::Null)).expect_err("a question");
    assert_eq!(
        refused["data"]["slug"], "confirmation_required",
        "{refused}"
    );
    let cost = &refused["data"]["cost"];
    assert!(
        cost["expected_nano_usd"].as_u64() > Some(DOLLAR / 2),
        "{cost}"
    );
    assert!(
        cost["ceiling_nano_usd"].as_u64() >= Some(3 * DOLLAR),
        "{cost}"
    );
    let token = &cost["cost_token"];
    let other = asked(&mut wire, &dear("something else", token)).expect_err("another request");
    assert_ne!(other["data"]["cost"]["cost_token"], *token);
    assert_eq!(house.provider.connections(), 0);
    // The daemon may have been started anew in between.
    done(&house, &["stop"]);
    done(&house, &["status"]);
    let mut wire = Wire::open(&house.home);
    let yes = dear("hi", token);
    asked(&mut wire, &yes).expect("it goes");
    let replayed = wire.result("run.start", yes);
    assert_eq!(
        replayed["replayed"], true,
        "the same request again: {replayed}"
    );
    assert_eq!(house.provider.calls().len(), 1);
    is_sound(&house, "after one yes");
}

#[test]
fn what_is_likely_is_one_figure_everywhere() {
    let house = capped(
        Script::always(Reply::text("Yes.").usage(10, 5)),
        10 * DOLLAR,
    );
    assert_eq!(house.cv(&["status"]).code, Some(0));
    let mut wire = Wire::open(&house.home);
    let params = question(&house, &new_id(), "hi", 30_000);
    let told = |wire: &mut Wire| {
        let preview = wire.result("run.preview", params.clone());
        let explained = wire.result("route.explain", json!({"question": params.clone()}));
        let likely = preview["cost_expected_nano_usd"].clone();
        assert_eq!(
            likely, explained["routes"][0]["expected_nano_usd"],
            "{explained}"
        );
        likely.as_u64().expect("a figure")
    };
    let likely = told(&mut wire);
    let refused = asked(&mut wire, &params).expect_err("a question");
    assert_eq!(
        refused["data"]["cost"]["expected_nano_usd"], likely,
        "{refused}"
    );
    // Answers of this model are short, as is known from now on.
    asked(&mut wire, &question(&house, &new_id(), "hi", 100)).expect("it goes");
    let likely = told(&mut wire);
    assert!(likely < DOLLAR / 100, "{likely}");
    let again = question(&house, &new_id(), "hi", 30_000);
    asked(&mut wire, &again).expect("nobody is asked about so little");
    is_sound(&house, "after both");
}

#[test]
fn at_a_terminal_the_person_is_asked_with_the_numbers() {
    let house = capped(Script::always(ten_cents()), 10 * DOLLAR);
    let ask = |answer| at_terminal(&house, &DEAR, &[("Go on? [y/N]", answer)]);
    let Some(no) = ask("n\n") else { return };
    assert_eq!(no.code, Some(4), "{}", no.seen);
    assert_eq!(house.provider.connections(), 0);
    let yes = ask("y\n").expect("it was there before");
    assert_eq!(yes.code, Some(0), "{}", yes.seen);
    assert!(yes.seen.contains("would cost about"), "{}", yes.seen);
    assert_eq!(house.provider.calls().len(), 1);
}

#[test]
fn little_is_left_and_the_person_is_asked_once() {
    let house = capped(Script::always(ten_cents()), DOLLAR);
    assert_eq!(ask(&house).code, Some(0));
    // Ten of ten and a half cents are spent.
    done(&house, &["budget", "set", "daily", "0.105"]);
    let typing = |answer| {
        let arguments = ["ask", "hi", "--max-output", "20"];
        at_terminal(&house, &arguments, &[("Go on? [y/N]", answer)])
    };
    let Some(no) = typing("n\n") else { return };
    assert_eq!(no.code, Some(4), "{}", no.seen);
    assert!(no.seen.contains("nearly spent"), "{}", no.seen);
    assert_eq!(house.provider.calls().len(), 1);
    let yes = typing("y\n").expect("it was there before");
    assert!(!yes.seen.contains("error"), "{}", yes.seen);
    assert_eq!(house.provider.calls().len(), 2);
}

#[test]
fn what_is_used_up_is_refused_and_nobody_is_asked_about_it() {
    let house = capped(Script::always(ten_cents()), DOLLAR);
    assert_eq!(ask(&house).code, Some(0));
    // What was spent passes both.
    for limit in ["0.05", "0.10"] {
        done(&house, &["budget", "set", "daily", limit]);
        let arguments = ["ask", "hi", "--max-output", "20"];
        let Some(no) = at_terminal(&house, &arguments, &[]) else {
            return;
        };
        assert_eq!(no.code, Some(4), "{}", no.seen);
        assert!(!no.seen.contains("Go on?"), "{}", no.seen);
        assert!(no.seen.contains("is used up"), "{}", no.seen);
        assert!(!no.seen.contains("--max-cost"), "{}", no.seen);
    }
    assert_eq!(house.provider.calls().len(), 1);
}

#[test]
fn no_to_the_first_cap_is_kept() {
    let house = capped(Script::always(ten_cents()), DOLLAR);
    let base = house
        .provider
        .base_url(convergio_fake_provider::Dialect::OpenAi);
    house.configure(&format!(
        "[models]\ndefault = \"mock/gpt-test\"\n[provider.mock]\nkind = \"openai\"\n\
         base_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
         [provider.mock.model.\"gpt-test\"]\nprice = {{ input = \"3.00\", output = \"100.00\" }}\n"
    ));
    let asking = at_terminal(&house, &["ask", "hi"], &[("n for never]", "n\n")]);
    let Some(no) = asking else { return };
    assert_eq!(no.code, Some(4), "{}", no.seen);
    // What asks next, a script, spends nothing either.
    three_lines(&ask(&house), 4);
    assert_eq!(house.provider.connections(), 0);
    assert_eq!(budgets(&house)[0]["limit_nano_usd"], 0);
    done(&house, &["undo"]);
    assert_eq!(budgets(&house)[0]["chosen"], false);
}
