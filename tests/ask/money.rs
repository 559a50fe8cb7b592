//! Policy and budget say no before a byte leaves.

use std::time::{Duration, Instant};

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script};

use super::{House, three_lines};

/// The fake's table without a price.
fn unpriced(base: &str, more: &str) -> String {
    format!(
        "[models]\ndefault = \"mock/gpt-test\"\n{more}\n\
         [provider.mock]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n"
    )
}

#[test]
fn a_model_without_a_price_is_denied_and_told_nothing() {
    let house = House::new(Script::always(Reply::text("never")));
    house.configure(&unpriced(&house.provider.base_url(Dialect::OpenAi), ""));
    let ran = house.cv(&["ask", "hi"]);
    three_lines(&ran, 4);
    assert!(ran.err.contains("price"), "{ran:?}");
    assert_eq!(house.provider.connections(), 0);
}

#[test]
fn local_only_is_a_hard_line() {
    let house = House::new(Script::always(Reply::text("never")));
    let ran = house.cv(&["ask", "hi", "--local-only", "--model", "mock/gpt-test"]);
    three_lines(&ran, 8);
    assert_eq!(house.provider.connections(), 0);
    let base = house.provider.base_url(Dialect::OpenAi);
    house.configure(&unpriced(&base, "policy = \"local-only\""));
    let ran = house.cv(&["ask", "hi", "--model", "mock/gpt-test"]);
    three_lines(&ran, 8);
    assert_eq!(house.provider.connections(), 0);
}

/// A house whose day may cost so much.
fn capped(script: Script, daily_usd: &str) -> House {
    let provider = FakeProvider::start(script);
    let base = provider.base_url(Dialect::OpenAi);
    let house = House::before(provider, Dialect::OpenAi, &base, "");
    house.configure(&format!(
        "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"{daily_usd}\"\n\
         [provider.mock]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
         [provider.mock.model.\"gpt-test\"]\n\
         price = {{ input = \"3.00\", output = \"100.00\" }}\ncontext = 128000\n"
    ));
    house
}

#[test]
fn a_cap_that_nobody_chose_is_a_dollar_and_is_said() {
    let house = House::new(Script::always(Reply::text("Hello.").usage(1_000, 100)));
    let base = house.provider.base_url(Dialect::OpenAi);
    house.configure(&format!(
        "{}[provider.mock.model.\"gpt-test\"]\n\
         price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n",
        unpriced(&base, "")
    ));
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("cv budget set daily"), "{ran:?}");
    let usage = house.usage();
    let budget = &usage["budgets"][0];
    assert_eq!(budget["limit_nano_usd"], 1_000_000_000, "{usage}");
    assert_eq!(budget["chosen"], false, "{usage}");
    assert_eq!(budget["posted_nano_usd"], 4_500_000, "{usage}");
}

#[test]
fn a_used_up_budget_sends_nothing() {
    let house = capped(Script::always(Reply::text("never")), "0");
    three_lines(&house.cv(&["ask", "hi"]), 4);
    assert_eq!(house.provider.connections(), 0);
}

#[test]
fn a_cost_beyond_what_one_run_may_cost_is_refused() {
    let house = House::new(Script::always(Reply::text("never")));
    let ran = house.cv(&["ask", "hi", "--max-cost", "0.000001"]);
    three_lines(&ran, 4);
    assert_eq!(house.provider.connections(), 0);
}

#[test]
fn fifty_at_once_never_pass_the_cap() {
    // 1,000 tokens of output at $100 a million hold ten cents each.
    // The last one is given what is left, and the provider heeds it.
    let reply = Reply::deltas((0..1_000).map(|_| "word "));
    let house = capped(Script::always(reply), "1.00");
    // One daemon, and not one client more than it takes at once.
    assert_eq!(house.cv(&["status"]).code, Some(0));
    let begin = Instant::now();
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| house.cv(&["ask", "hi", "--max-output", "1000", "-q"]).code))
            .collect();
        asked
            .into_iter()
            .map(|one| one.join().expect("it ended"))
            .collect()
    });
    assert!(begin.elapsed() < Duration::from_secs(60));
    let done = codes.iter().filter(|code| **code == Some(0)).count();
    assert!(
        codes.iter().all(|code| matches!(code, Some(0 | 4 | 6))),
        "{codes:?}"
    );
    assert!((1..=10).contains(&done), "{codes:?}");
    assert!(house.provider.calls().len() <= 10, "{codes:?}");
    let usage = house.usage();
    let total = &usage["total"];
    assert_eq!(total["open"], 0, "{usage}");
    assert!(
        total["amount_nano_usd"].as_i64() <= Some(1_000_000_000),
        "{usage}"
    );
    let budget = &usage["budgets"][0];
    assert_eq!(budget["pending_nano_usd"], 0, "{usage}");
    assert_eq!(budget["frozen"], false, "{usage}");
}

#[test]
fn a_provider_that_bills_more_than_was_held_freezes_the_budget() {
    // It was told to stop at 300 tokens, and says that it wrote 5,000.
    let reply = Reply::text("Hello.").usage(10, 5_000);
    let house = capped(Script::always(reply), "1.00");
    let ran = house.cv(&["ask", "hi", "--max-output", "300"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let usage = house.usage();
    let amount = &usage["total"]["amount_nano_usd"];
    assert_eq!(*amount, 500_030_000, "all of it is recorded: {usage}");
    assert_eq!(usage["budgets"][0]["frozen"], true, "{usage}");
    assert!(
        ran.err.contains("The daily budget is frozen") && ran.err.contains("budget set daily 2.00"),
        "{ran:?}"
    );
    three_lines(&house.cv(&["ask", "hi"]), 4);
    assert_eq!(house.provider.calls().len(), 1);
}

#[test]
fn an_idempotent_run_is_called_once() {
    let house = House::new(Script::always(Reply::text("Once.")));
    let ran = house.cv(&["ask", "hi", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let run = super::json_of(&ran)["run_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // Reading it again is no call.
    for _ in 0..3 {
        let again = house.cv(&["attach", &run]);
        assert_eq!(
            (again.code, again.out.trim_end()),
            (Some(0), "Once."),
            "{again:?}"
        );
    }
    assert_eq!(house.provider.calls().len(), 1);
    house.settled();
}
