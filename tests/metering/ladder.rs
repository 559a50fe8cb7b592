//! What happens as a budget runs out: less is asked for, then a cheaper model is asked, then one on
//! this machine, and where there is none the answer is no.
//!
//! Free quotas (five reviews a day, and none more by setting back the clock) belong to agents of
//! packs. No method, verb or pack reaches them yet, so they are tested where they are: in the
//! ledger's own tests.

use convergio_fake_provider::{Billed, Dialect, FakeProvider, Reply, Script};
use serde_json::Value;

use super::Price;
use crate::{
    ask::{House, json_of, lines_of, three_lines},
    routes::{DAILY, Other, house},
};

/// What `routes::house` says of a model, and of one whose provider is called `cheap…`.
const USUAL: Price = Price {
    input: 3_000_000_000,
    output: 15_000_000_000,
};
const CHEAP: Price = Price {
    input: 100_000_000,
    output: 400_000_000,
};
const MODELS: &str = "[models]\ndefault = \"mock/gpt-test\"\nfallback = [\"cheap/m\"]\n";
const WANTED: u64 = 4_096;

fn answering(name: &str) -> Script {
    Script::always(Reply::text(&format!("{name} answers.")).usage(10, 5))
}

fn cheap() -> Other {
    Other {
        script: answering("cheap"),
        ..Other::answering("cheap", "m")
    }
}

fn here() -> Other {
    Other {
        name: "here",
        dialect: Dialect::Ollama,
        script: answering("this machine"),
        more: "local = true",
        model: "llama",
    }
}

fn spent(house: &House) -> u64 {
    let usage = json_of(&house.cv(&["usage", "--format", "json"]));
    usage["total"]["amount_nano_usd"]
        .as_u64()
        .unwrap_or_else(|| panic!("{usage}"))
}

/// Leaves so much of the day's budget, nano-USD.
fn leave(house: &House, room_nano_usd: u64) {
    let limit = super::usd(spent(house) + room_nano_usd);
    let ran = house.cv(&["budget", "set", "daily", &limit]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// Asks, and answers with the lines of the run; `who` must have answered.
fn ask(house: &House, who: &str) -> Vec<Value> {
    let ran = house.cv(&["ask", "hi", "--format", "ndjson"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains(&format!("{who} answers.")), "{ran:?}");
    lines_of(&ran)
}

/// `from` and `to` of every step down that was told.
fn steps(lines: &[Value]) -> Vec<(String, String)> {
    let told = lines.iter().filter(|line| line["type"] == "downgraded");
    told.map(|line| {
        let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{line}"));
        assert!(!text("reason").is_empty(), "{line}");
        (text("from").to_owned(), text("to").to_owned())
    })
    .collect()
}

fn asked_for(provider: &FakeProvider) -> u64 {
    let calls = provider.calls();
    let last = calls.last().expect("a call");
    last.max_output().expect("a limit")
}

fn step(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

#[test]
fn as_a_budget_runs_out_less_is_asked_for_then_a_cheaper_model_then_this_machine() {
    let (house, fakes) = house(answering("mock"), "", MODELS, DAILY, vec![cheap(), here()]);
    // There is enough.
    let lines = ask(&house, "mock");
    assert_eq!(steps(&lines), vec![]);
    assert_eq!(asked_for(&house.provider), WANTED);

    // Not for the longest answer, but for a shorter one of the same model.
    leave(&house, 20_000_000);
    let lines = ask(&house, "mock");
    let less = asked_for(&house.provider);
    assert!((256..WANTED).contains(&less), "{less}");
    assert!(less * USUAL.output / 1_000_000 <= 20_000_000, "{less}");
    assert_eq!(
        steps(&lines),
        vec![step(
            &format!("max_output {WANTED}"),
            &format!("max_output {less}")
        )]
    );
    let ran = house.cv(&["ask", "hi"]);
    assert!(ran.err.contains(" instead of max_output 4096: "), "{ran:?}");

    // Not for the shortest that is worth asking for: the cheaper one, whole.
    leave(&house, 2_000_000);
    let (mock, calls) = (house.provider.calls().len(), fakes[0].calls().len());
    let lines = ask(&house, "cheap");
    assert_eq!(steps(&lines), vec![step("mock/gpt-test", "cheap/m")]);
    assert_eq!(asked_for(&fakes[0]), WANTED);
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("asking cheap/m instead"), "{ran:?}");
    assert_eq!(house.provider.calls().len(), mock, "nothing was sent there");
    assert_eq!(fakes[0].calls().len(), calls + 2);

    // The cheaper one gets shorter too.
    leave(&house, 500_000);
    let lines = ask(&house, "cheap");
    let less = asked_for(&fakes[0]);
    assert!((256..WANTED).contains(&less), "{less}");
    assert_eq!(steps(&lines).len(), 2, "{lines:?}");

    // Nor for that one: this machine answers, and costs nothing.
    leave(&house, 50_000);
    let before = spent(&house);
    let calls = fakes[0].calls().len();
    let lines = ask(&house, "this machine");
    let told = steps(&lines);
    assert_eq!(told.last().expect("a step").1, "here/llama", "{told:?}");
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("asking here/llama instead"), "{ran:?}");
    assert_eq!(spent(&house), before);
    assert_eq!(house.provider.calls().len(), mock, "nothing was sent there");
    assert_eq!(fakes[0].calls().len(), calls, "nor there");

    // Who names a model gets that one or an error.
    let ran = house.cv(&["ask", "hi", "--model", "mock/gpt-test"]);
    three_lines(&ran, 4);
    assert!(ran.err.contains("cv budget set"), "{ran:?}");
    assert_eq!(house.provider.calls().len(), mock, "nothing was sent there");

    // To the last digit what both bill.
    let billed = |price: Price, billed: Billed| price.of(billed);
    let bill = billed(USUAL, house.provider.billed()) + billed(CHEAP, fakes[0].billed());
    assert_eq!(spent(&house), bill);
    let verified = house.cv(&["usage", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn where_nothing_runs_here_the_last_step_is_a_no_before_a_byte_leaves() {
    let (house, fakes) = house(answering("mock"), "", MODELS, DAILY, vec![cheap()]);
    ask(&house, "mock");
    leave(&house, 50_000);
    let (mock, before) = (house.provider.calls().len(), spent(&house));
    for arguments in [
        &["ask", "hi"][..],
        &["ask", "hi", "--format", "json"],
        &["ask", "hi", "--max-cost", "5"],
    ] {
        let ran = house.cv(arguments);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(ran.err.contains("budget"), "{ran:?}");
    }
    three_lines(&house.cv(&["ask", "hi"]), 4);
    assert_eq!(house.provider.calls().len(), mock);
    assert_eq!(fakes[0].calls().len(), 0);
    assert_eq!(spent(&house), before);
}
