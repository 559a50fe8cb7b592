//! What "one row" means: a row's text is all that anybody writes, and a name that no code knows
//! speaks its whole dialect, under its own limits and with its own key.

use convergio_fake_provider::{FakeProvider, Reply, Script};
use convergio_models_api::ModelRequest;
use convergio_models_remote::Catalog;

use crate::{
    fixtures::{error_has_its_class, own_errors, own_streams, speaker, stream_becomes},
    support::{call_with, egress, endpoint_of, request},
};

#[tokio::test]
async fn a_new_compatible_provider_is_one_row() {
    const ROW: &str = r#"
[[provider]]
name = "newcomer"
title = "Newcomer"
kind = "openai"
base_url = "https://api.newcomer.test/api/v7"
key_env = ["NEWCOMER_API_KEY"]
docs_url = "https://newcomer.test/docs"
default_model = "newcomer-1"
dialect = { max_tokens = "max_completion_tokens", usage_option = false, json = "object" }

[[provider.model]]
id = "newcomer-1"
context = 131_072
max_output = 8_192
capabilities = ["tools", "json"]
sampling = false
price = { input = "0.20", output = "0.80", source = "https://newcomer.test/prices", as_of = "2026-11-20" }
"#;
    let text = format!("{}{ROW}", Catalog::builtin().version_text());
    let catalog = Catalog::parse(&text).unwrap();
    assert!(catalog.key_env_names().contains(&"NEWCOMER_API_KEY"));
    let row = catalog.provider("newcomer").unwrap();
    let egress = egress();
    for case in own_streams(speaker(row.kind)) {
        stream_becomes(&egress, row, &case).await;
    }
    for case in own_errors(speaker(row.kind)) {
        error_has_its_class(&egress, row, &case).await;
    }

    let server = FakeProvider::start(Script::always(Reply::text("Guten Tag.").usage(7, 3)));
    let endpoint = endpoint_of(row, &server);
    let request = ModelRequest {
        model: row.default_model.clone().unwrap(),
        temperature: Some(0.5),
        output_schema: Some(crate::requests::schema()),
        ..request(&row.name)
    };
    let outcome = call_with(&egress, &endpoint, request).await;
    assert_eq!(outcome.text(), "Guten Tag.");
    assert_eq!(outcome.error, None);
    let call = server.request(0).unwrap();
    assert_eq!(call.path, "/api/v7/chat/completions");
    assert_eq!(call.key(), Some(crate::support::KEY));
    let body = call.json();
    assert_eq!(body["max_completion_tokens"], 64);
    assert_eq!(body["response_format"]["type"], "json_object");
    for absent in ["max_tokens", "stream_options", "temperature"] {
        assert_eq!(body.get(absent), None, "{absent}");
    }
}
