//! Answers that are kept: given again, free, to the same question, until they are deleted.

use convergio_fake_provider::{Reply, Script};
use serde_json::json;

use super::{DAILY, house};
use crate::{
    ask::{House, json_of, lines_of},
    harness::wire::Wire,
};

const MODELS: &str = "[models]\ndefault = \"mock/gpt-test\"\n";

fn kept(script: Script) -> House {
    house(script, "", MODELS, DAILY, Vec::new()).0
}

#[test]
fn the_same_question_is_answered_again_without_asking_and_without_cost() {
    let house = kept(Script::replies([Reply::text("Rome, of course.")]));
    let first = house.cv(&["ask", "--cache", "capital of Italy?"]);
    assert_eq!(first.out.trim(), "Rome, of course.", "{first:?}");
    assert!(!first.err.contains("cached"), "{first:?}");
    let again = house.cv(&["ask", "--cache", "capital of Italy?"]);
    assert_eq!(again.out, first.out, "{again:?}");
    assert!(again.err.contains("cached"), "{again:?}");
    assert_eq!(house.provider.calls().len(), 1);
    let told = house.cv(&["ask", "--cache", "capital of Italy?", "--format", "ndjson"]);
    let lines = lines_of(&told);
    let used = lines
        .iter()
        .find(|line| line["type"] == "usage")
        .expect("usage");
    assert_eq!(used["cached"], true, "{used}");
    assert_eq!(used["amount_nano_usd"], 0);
    let usage = json_of(&house.cv(&["usage", "--format", "json"]));
    assert_eq!(usage["total"]["attempts"], 1, "{usage}");
    assert_eq!(usage["cached"], 2, "{usage}");
    let run = used["run_id"].as_str().expect("a run");
    let one = house.cv(&["usage", "--run", run, "--format", "json"]);
    assert_eq!(json_of(&one)["cached"], 1, "{one:?}");
    let earlier = house.cv(&["usage", "--until", "2026-01-01", "--format", "json"]);
    assert_eq!(json_of(&earlier)["cached"], 0, "{earlier:?}");
    let text = house.cv(&["usage"]);
    let said = "2 more calls were answered from kept answers, free";
    assert!(text.err.contains(said), "{text:?}");
    // Another question, another limit, and who does not ask for it: asked anew (and refused here).
    for other in [
        &["ask", "--cache", "capital of France?"][..],
        &["ask", "--cache", "--max-output", "9", "capital of Italy?"],
        &["ask", "capital of Italy?"],
    ] {
        assert_eq!(house.cv(other).code, Some(3), "{other:?}");
    }
}

#[test]
fn what_is_no_whole_answer_is_not_kept() {
    let house = kept(Script::replies([
        Reply::deltas(["one ", "two ", "three ", "four "]).fail_after(2, "server_error", "oh"),
        Reply::text("a b c d e f g h i j k l"),
        Reply::refusal("No."),
        Reply::text("Whole."),
    ]));
    let ask = |more: &[&str]| house.cv(&[&["ask", "--cache", "q"], more].concat());
    assert_eq!(ask(&[]).code, Some(3));
    assert_eq!(
        ask(&["--max-output", "3"]).code,
        Some(6),
        "cut at its limit"
    );
    ask(&["--max-output", "3"]);
    let whole = ask(&["--max-output", "3"]);
    assert_eq!(whole.out.trim(), "Whole.", "{whole:?}");
    assert_eq!(house.provider.calls().len(), 4);
}

#[test]
fn an_answer_goes_with_its_conversation_and_nothing_ephemeral_is_kept() {
    let house = kept(Script::always(Reply::text("Rome.")));
    let ask = || house.cv(&["ask", "--cache", "capital of Italy?", "--format", "json"]);
    let first = json_of(&ask());
    let session = first["session_id"]
        .as_str()
        .expect("a conversation")
        .to_owned();
    ask();
    assert_eq!(house.provider.calls().len(), 1);
    Wire::open(&house.home).result("session.delete", json!({"session_id": session}));
    ask();
    assert_eq!(
        house.provider.calls().len(),
        2,
        "it was deleted with its conversation"
    );
    let both = house.cv(&["ask", "--cache", "--ephemeral", "hi"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}
