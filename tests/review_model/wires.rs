//! Every dialect, with a schema and without.

use convergio_fake_provider::Dialect;

use super::{CART, Desk, fault, model, titles};

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
