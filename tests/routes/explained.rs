//! `cv route explain`: the plan and why, with nothing sent.

use convergio_fake_provider::Script;

use super::{DAILY, Other, house};
use crate::ask::{json_of, three_lines};

const MODELS: &str = "[models]\ndefault = \"mock/gpt-test\"\nfallback = [\"cheap/m\"]\n\
                      [models.alias]\nmine = [\"cheap/m\", \"mock/gpt-test\"]\n";

#[test]
fn a_plan_is_told_with_costs_and_reasons_and_nothing_is_sent() {
    let cheap = Other::answering("cheap", "m");
    let (house, fakes) = house(Script::new(), "vision = false", MODELS, DAILY, vec![cheap]);
    let explain = |more: &[&str]| {
        let arguments = [&["route", "explain", "hi there", "--format", "json"], more].concat();
        json_of(&house.cv(&arguments))
    };
    let names = |plan: &serde_json::Value| -> Vec<String> {
        let routes = plan["routes"].as_array().expect("routes");
        routes
            .iter()
            .map(|route| route["model"].as_str().expect("a name").to_owned())
            .collect()
    };
    let usual = explain(&[]);
    assert_eq!(names(&usual), ["mock/gpt-test", "cheap/m"], "{usual}");
    for route in usual["routes"].as_array().expect("routes") {
        assert!(!route["reason"].as_str().expect("a reason").is_empty());
        let (expected, hold) = (&route["expected_nano_usd"], &route["hold_nano_usd"]);
        assert!(expected.as_i64().expect("a cost") > 0);
        assert!(hold.as_i64() >= expected.as_i64(), "{route}");
        assert_eq!(route["health"], "ready");
    }
    assert_eq!(usual, explain(&[]), "the same question has the same plan");
    assert_eq!(
        names(&explain(&["--policy", "cheapest"])),
        ["cheap/m", "mock/gpt-test"]
    );
    assert_eq!(
        names(&explain(&["--model", "mine"])),
        ["cheap/m", "mock/gpt-test"]
    );
    let seeing = explain(&["--vision"]);
    assert_eq!(names(&seeing), ["cheap/m"], "{seeing}");
    assert_eq!(seeing["left_out"][0]["model"], "mock/gpt-test");
    assert_eq!(seeing["left_out"][0]["reason"], "it sees no pictures");
    let text = house.cv(&["route", "explain", "hi"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.out.contains("configured fallback"), "{text:?}");
    // What nobody would answer is refused as the question would be.
    three_lines(&house.cv(&["route", "explain", "hi", "--local-only"]), 8);
    three_lines(
        &house.cv(&["route", "explain", "hi", "--model", "nosuch"]),
        2,
    );
    assert!(house.provider.requests().is_empty() && fakes[0].requests().is_empty());
    assert_eq!(
        json_of(&house.cv(&["usage", "--format", "json"]))["total"]["attempts"],
        0
    );
}

#[test]
fn one_word_names_several_models() {
    let cheap = Other::answering("cheap", "m");
    let (house, fakes) = house(Script::new(), "", MODELS, DAILY, vec![cheap]);
    let ran = house.cv(&["ask", "--model", "mine", "hi"]);
    assert_eq!(ran.out.trim(), "cheap answers.", "{ran:?}");
    assert_eq!(fakes[0].calls().len(), 1);
    let private = house.cv(&["ask", "--model", "private", "hi"]);
    assert_ne!(private.code, Some(0), "nothing runs here: {private:?}");
    assert!(house.provider.calls().is_empty());
}
