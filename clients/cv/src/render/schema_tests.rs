//! What other programs read, against their own schemas where those are at hand.

use std::path::PathBuf;

use serde_json::Value;

use super::{Detail, ReviewFormat, samples};
use crate::output::layout::Layout;

/// A schema, or a loud word that the test does nothing.
fn schema(name: &str) -> Option<Value> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/testdata/schemas")
        .join(name);
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(
            std::env::var_os("CONVERGIO_REQUIRE_SCHEMAS").is_none(),
            "{} is required and missing",
            file.display()
        );
        // Not `eprintln!`, which is kept from sight where a test passes.
        let line = format!("SKIPPED validation: {} is missing\n", file.display());
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        return None;
    };
    Some(serde_json::from_str(&text).expect("a schema is JSON"))
}

fn check(schema: &Value, document: &Value) {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn rendered(format: ReviewFormat) -> Vec<String> {
    [
        samples::golden(),
        samples::full(),
        samples::events(&[], samples::coverage(), samples::summary(&[])),
    ]
    .iter()
    .map(|events| samples::rendered(format, Detail::default(), Layout::default(), events))
    .collect()
}

#[test]
fn sarif_is_valid() {
    let Some(schema) = schema("sarif-schema-2.1.0.json") else {
        return;
    };
    for text in rendered(ReviewFormat::Sarif) {
        check(&schema, &serde_json::from_str(&text).expect("JSON"));
    }
    // The schema must be able to say no.
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(!validator.is_valid(&serde_json::json!({"version": "2.1.0"})));
}

#[test]
fn rdjson_is_valid() {
    let Some(schema) = schema("rdf/DiagnosticResult.json") else {
        return;
    };
    for text in rendered(ReviewFormat::Rdjson) {
        check(&schema, &serde_json::from_str(&text).expect("JSON"));
    }
}

#[test]
fn every_line_of_rdjsonl_is_valid() {
    let Some(schema) = schema("rdf/Diagnostic.json") else {
        return;
    };
    let mut lines = 0;
    for text in rendered(ReviewFormat::Rdjsonl) {
        for line in text.lines() {
            lines += 1;
            check(&schema, &serde_json::from_str(line).expect("JSON"));
        }
    }
    assert_eq!(lines, 4);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(!validator.is_valid(&serde_json::json!({"severity": "BAD"})));
}
