//! Every dialect, with a schema and without.

use convergio_fake_provider::{Dialect, Reply, Script};
use serde_json::json;

use super::{CART, Desk, endings::files, fault, model, titles};

fn looks(desk: &Desk) {
    let (ran, document) = desk.json(&[], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        titles(&document["findings"]),
        ["Division by zero for an empty cart"]
    );
    assert_eq!(document["summary"]["model"]["complete"], true, "{document}");
}

#[test]
fn anthropic_openai_and_ollama_are_held_to_the_schema() {
    for (dialect, field) in [
        (Dialect::Anthropic, None),
        (Dialect::OpenAi, Some("response_format")),
        (Dialect::Ollama, Some("format")),
    ] {
        let desk = Desk::with(dialect, model(vec![fault()], true), "", "context = 128000");
        looks(&desk);
        let body = desk.provider.calls()[0].json();
        if let Some(field) = field {
            assert!(!body[field].is_null(), "{body}");
        }
    }
}

#[test]
fn a_model_without_schemas_is_asked_in_words() {
    let desk = Desk::with(
        Dialect::OpenAi,
        model(vec![fault()], true),
        "",
        "context = 128000\njson = false",
    );
    looks(&desk);
    let body = desk.provider.calls()[0].json();
    assert!(body["response_format"].is_null(), "{body}");
}

#[test]
fn a_model_on_this_machine_is_free_and_sees_no_secret_either() {
    let desk = Desk::with(
        Dialect::Ollama,
        model(vec![fault()], true),
        "local = true",
        "context = 32000",
    );
    let (ran, document) = desk.json(&["--local-only"], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let summary = &document["summary"];
    assert_eq!(summary["bytes_sent"], 0, "{summary}");
    assert_eq!(summary["model"]["local"], true, "{summary}");
    assert_eq!(summary["model"]["amount_nano_usd"], 0, "{summary}");
    assert_eq!(titles(&document["findings"]).len(), 1);
}

#[test]
fn the_instructions_of_many_looks_are_written_once_and_read_by_those_behind() {
    let of_model = "context = 16000\ncache = true";
    let script = Script::answer(|_| Reply::json(&json!({"findings": []})));
    let desk = Desk::with(Dialect::Anthropic, script, "", of_model);
    desk.configure(Dialect::Anthropic, "20.00", "", "", of_model);
    let (ran, document) = desk.json(&[], &files(200));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let layer = &document["summary"]["model"];
    assert!(layer["chunks"].as_u64() > Some(5), "{layer}");
    let marked = |desk: &Desk| -> (usize, usize) {
        let calls = desk.provider.calls();
        let kept = calls.iter().filter(|call| {
            let body = call.json();
            assert!(
                !body["messages"].to_string().contains("cache_control"),
                "{body}"
            );
            body["system"][0]["cache_control"]["type"] == "ephemeral"
        });
        (kept.count(), calls.len())
    };
    // Four go at once: three of them can neither write for the others nor read yet.
    let (kept, all) = marked(&desk);
    assert_eq!(kept, all - 3, "of {all}");

    let desk = Desk::with(
        Dialect::Anthropic,
        model(vec![fault()], true),
        "",
        "context = 128000\ncache = true",
    );
    looks(&desk);
    assert_eq!(
        marked(&desk),
        (0, 2),
        "one look and its second are one each"
    );
}
