//! Each attempt has one end in the books, whoever dies, whoever asks again.

use std::sync::Barrier;

use convergio_fake_provider::{At, Dialect, Event, FakeProvider, Gate, Reply, Script};
use serde_json::json;

use super::{DEAR, asked, capped, day, is_sound, question, settings};
use crate::{
    ask::House,
    harness::{
        books::Books,
        daemon::Daemon,
        wire::{Wire, new_id},
    },
};

const DOLLAR: u64 = 1_000_000_000;

/// Check 2.
#[test]
fn a_kill_mid_stream_posts_the_hold_once_and_the_next_boot_admits_what_is_left() {
    let gate = Gate::new();
    let held = Reply::deltas((0..40).map(|_| "word ")).hold_at(At::Delta(7), &gate);
    let after = Reply::text("Hello.").usage(40, 3);
    let house = capped(Script::replies([held]).otherwise(after), DOLLAR);
    let daemon = Daemon::start(&house.home);
    let mut wire = Wire::open(&house.home);
    let killed = question(&house, &new_id(), "Why?", 6_000);
    wire.result("run.start", killed.clone());
    gate.wait_reached(1).unwrap();
    daemon.kill();
    gate.open();

    let daemon = Daemon::start(&house.home);
    let total = is_sound(&house, "after the kill");
    let posted = total["amount_nano_usd"].as_u64().expect("an amount");
    // Six thousand tokens of output, and the input's ceiling.
    assert!((600_000_000..610_000_000).contains(&posted), "{total}");
    assert_eq!(total["attempts"], 1, "{total}");
    assert_eq!(total["estimated"], 1, "the flag of an estimate: {total}");
    let books = Books::open(&house.home);
    let unknown = "SELECT count(*) FROM attempt \
         WHERE state = 'unknown' AND usage_source = 'estimate_ceiling'";
    assert_eq!(books.count(unknown), 1);
    let mut wire = Wire::open(&house.home);
    assert_eq!(day(&mut wire)["posted_nano_usd"], posted);
    // A second boot finds nothing more to post.
    daemon.kill();
    let _daemon = Daemon::start(&house.home);
    let again = is_sound(&house, "after a second boot");
    assert_eq!(again, total);
    let mut wire = Wire::open(&house.home);
    // What is left pays for less than four thousand tokens.
    let end = asked(&mut wire, &question(&house, &new_id(), "Why?", 6_000)).unwrap();
    assert_eq!(end["type"], "completed", "{end}");
    let granted = house.provider.calls()[1].max_output().expect("a limit");
    assert!((3_500..=3_999).contains(&granted), "{granted}");
    // The same question again is told its end, and calls nobody.
    let end = asked(&mut wire, &killed).unwrap();
    assert_eq!(end["type"], "failed", "{end}");
    assert_eq!(house.provider.calls().len(), 2);
    is_sound(&house, "at the end");
}

/// Check 3.
#[test]
fn two_errors_and_an_answer_are_three_attempts_with_three_resolutions() {
    let house = capped(
        Script::replies([
            Reply::error(500, "server_error", "The server had an error"),
            Reply::error(500, "server_error", "The server had an error"),
            Reply::text("At last.").usage(1_000, 100),
        ]),
        DOLLAR,
    );
    let _daemon = Daemon::start(&house.home);
    let mut wire = Wire::open(&house.home);
    let run_id = new_id();
    let end = asked(&mut wire, &question(&house, &run_id, "Why?", 1_000)).unwrap();
    assert_eq!(end["type"], "completed", "{end}");
    assert_eq!(house.provider.calls().len(), 3);
    let books = Books::open(&house.home);
    assert_eq!(books.attempts_of(&run_id), 3);
    for (kind, count) in [("pending", 3), ("void", 2), ("post", 1), ("overage", 0)] {
        let sql = format!("SELECT count(*) FROM transfer WHERE kind = '{kind}'");
        assert_eq!(books.count(&sql), count, "{kind}");
    }
    let total = is_sound(&house, "after retries");
    assert_eq!(total["amount_nano_usd"], DEAR.of(house.provider.billed()));
    // 1,000 × $3 + 100 × $100 a million.
    assert_eq!(total["amount_nano_usd"], 13_000_000, "{total}");
}

/// Which callers make an id of their own.
type OwnIds = fn(usize) -> bool;

/// Twenty callers at once with one key: the runs that they are told.
fn twenty_at_once(house: &House, key: &str, own_ids: OwnIds) -> Vec<String> {
    let together = Barrier::new(20);
    let one = &|number| {
        let mut wire = Wire::open(&house.home);
        let id = if own_ids(number) {
            new_id()
        } else {
            key.to_owned()
        };
        let mut params = question(house, &id, "Why?", 1_000);
        params["idempotency_key"] = key.into();
        together.wait();
        let started = wire.result("run.start", params);
        let run = started["run_id"].as_str().expect("an id").to_owned();
        wire.result("run.subscribe", json!({"run_id": run, "after_seq": 0}));
        let end = wire.events_to_end().pop().expect("an end");
        assert_eq!(end["type"], "completed", "{end}");
        run
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..20)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        let ends = callers.into_iter().map(|one| one.join().expect("an end"));
        ends.collect()
    })
}

/// Check 4, of callers that keep the run's id, of such that make one each time, and of both.
#[test]
fn one_idempotency_key_twenty_times_is_one_call() {
    let kinds: [(&str, OwnIds); 3] = [
        ("the run's id", |_| false),
        ("own ids", |_| true),
        ("both", |number| number % 2 == 0),
    ];
    for (kind, own_ids) in kinds {
        let house = capped(Script::always(Reply::text("Once.")), DOLLAR);
        let daemon = Daemon::start(&house.home);
        let key = new_id();
        let runs = twenty_at_once(&house, &key, own_ids);
        assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
        assert_eq!(house.provider.calls().len(), 1, "{kind}");
        let total = is_sound(&house, "after twenty");
        assert_eq!(total["attempts"], 1, "{total}");
        // A daemon that was not there when the key was first used knows it too.
        daemon.kill();
        let _daemon = Daemon::start(&house.home);
        let mut wire = Wire::open(&house.home);
        let mut params = question(&house, &new_id(), "Why?", 1_000);
        params["idempotency_key"] = key.as_str().into();
        let again = wire.result("run.start", params.clone());
        assert_eq!(again["run_id"], runs[0], "{again}");
        assert_eq!(again["replayed"], true, "{again}");
        params["input"][0]["text"] = "Why else?".into();
        params["run_id"] = new_id().into();
        assert_eq!(wire.error_code("run.start", params), -32025, "a conflict");
        assert_eq!(house.provider.calls().len(), 1, "{kind}");
    }
}

/// Check 5.
#[test]
fn cached_input_is_billed_by_class_and_once() {
    let reply = Reply::text("A summary.").usage(3, 550).cache(0, 12_304, 0);
    let provider = FakeProvider::start(Script::always(reply));
    let base = provider.base_url(Dialect::Anthropic);
    let house = House::before(provider, Dialect::Anthropic, &base, "");
    let text = settings(Dialect::Anthropic, &base, DOLLAR, DEAR).replace(
        "price = { input = \"3.000000000\", output = \"100.000000000\" }",
        "price = { input = \"3.00\", output = \"15.00\", cache_read = \"0.30\", \
         cache_write = \"3.75\" }",
    );
    assert!(text.contains("cache_write"), "{text}");
    house.configure(&text);
    let _daemon = Daemon::start(&house.home);
    let mut wire = Wire::open(&house.home);
    // The input is as long as it is said to be.
    let question = question(&house, &new_id(), &"why ".repeat(3_100), 1_000);
    let end = asked(&mut wire, &question).unwrap();
    assert_eq!(end["type"], "completed", "{end}");
    house.provider.wait(Event::Ended(0)).unwrap();
    let total = is_sound(&house, "after a cache write");
    // 3 × $3, 12,304 × $3.75, 550 × $15 a million; nothing for nothing read.
    let nano = 3 * 3_000 + 12_304 * 3_750 + 550 * 15_000;
    assert_eq!(total["amount_nano_usd"], nano, "{total}");
    assert_eq!(total["input_tokens"], 12_307, "{total}");
    assert_eq!(total["output_tokens"], 550, "{total}");
    let books = Books::open(&house.home);
    let usage = books.rows("SELECT usage_json, lines_json FROM attempt");
    assert_eq!(usage.len(), 1, "{usage:?}");
    assert_eq!(
        books.count("SELECT count(*) FROM transfer WHERE kind = 'overage'"),
        0
    );
}

/// A model that thinks out of sight is paid for what it may have thought: a stream that breaks has
/// no last word on it.
#[test]
fn what_may_have_been_thought_unseen_is_in_the_books_when_a_stream_breaks() {
    for (dialect, name, model, key) in [
        (
            Dialect::Responses,
            "openai",
            "gpt-6.1-sol",
            "OPENAI_API_KEY",
        ),
        (
            Dialect::Anthropic,
            "anthropic",
            "claude-opus-5-5",
            "ANTHROPIC_API_KEY",
        ),
        (
            Dialect::Gemini,
            "gemini",
            "gemini-4-argon",
            "GEMINI_API_KEY",
        ),
    ] {
        // Nine hundred tokens, of which a reader sees nine bytes.
        let reply = Reply::deltas(["so ", "be ", "it "])
            .usage(8, 900)
            .ignoring_max_output()
            .close_after(At::Delta(2));
        let house = House::speaking(dialect, Script::always(reply));
        let base = house.provider.base_url(dialect);
        house.configure(&format!(
            "[budget]\ndaily_usd = \"50.00\"\n[provider.{name}]\nbase_url = \"{base}\"\n\
             [provider.{name}.model.\"{model}\"]\n\
             price = {{ input = \"3.00\", output = \"100.00\" }}\n"
        ));
        let _daemon = Daemon::start(&house.home);
        let mut wire = Wire::open(&house.home);
        let mut params = question(&house, &new_id(), "Why?", 1_000);
        params["model"] = format!("{name}/{model}").into();
        params["keys"] = json!({key: "sk-test"});
        let end = asked(&mut wire, &params).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(end["type"], "failed", "{name}: {end}");
        let billed = house.provider.billed();
        assert_eq!(billed.output_tokens, 600, "{name}");
        let total = is_sound(&house, name);
        let paid = total["amount_nano_usd"].as_u64().expect("an amount");
        assert!(
            paid >= DEAR.of(billed),
            "{name}: {billed:?} is billed: {total}"
        );
    }
}

/// A model that nobody knows may think as well; one of which the settings say that it does not is
/// paid for what was seen.
#[test]
fn a_model_that_nobody_knows_may_have_thought_too() {
    for (said, all) in [("", true), ("reasoning = false\n", false)] {
        let reply = Reply::deltas(["so ", "be ", "it "])
            .usage(8, 900)
            .ignoring_max_output()
            .close_after(At::Delta(2));
        let house = House::speaking(Dialect::OpenAi, Script::always(reply));
        let base = house.provider.base_url(Dialect::OpenAi);
        house.configure(&format!(
            "[budget]\ndaily_usd = \"50.00\"\n[provider.new]\nkind = \"openai\"\n\
             base_url = \"{base}\"\n[provider.new.model.\"never-heard-of\"]\n\
             price = {{ input = \"3.00\", output = \"100.00\" }}\n{said}"
        ));
        let _daemon = Daemon::start(&house.home);
        let mut wire = Wire::open(&house.home);
        let mut params = question(&house, &new_id(), "Why?", 1_000);
        params["model"] = "new/never-heard-of".into();
        let end = asked(&mut wire, &params).unwrap_or_else(|error| panic!("{said}: {error}"));
        assert_eq!(end["type"], "failed", "{said}: {end}");
        let total = is_sound(&house, said);
        let paid = total["amount_nano_usd"].as_u64().expect("an amount");
        // A thousand tokens of output were held.
        assert_eq!(paid >= 100_000_000, all, "{said}: {total}");
        assert_eq!(total["estimated"], 1, "{said}: {total}");
    }
}
