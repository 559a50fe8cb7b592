//! Schemas of the answers, as strict as providers want them: every property required, none more.

use serde_json::{Value, json};

/// The schema of the first pass: `{"findings": […]}`.
pub fn findings_schema() -> Value {
    let suggestion = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["line_start", "line_end", "original", "replacement"],
        "properties": {
            "line_start": { "type": "integer" },
            "line_end": { "type": "integer" },
            "original": { "type": "string" },
            "replacement": { "type": ["string", "null"] },
        },
    });
    let finding = json!({
        "type": "object",
        "additionalProperties": false,
        "required": [
            "path", "line_start", "line_end", "quote", "severity", "confidence", "title", "body",
            "trigger", "suggestion",
        ],
        "properties": {
            "path": { "type": "string" },
            "line_start": { "type": "integer" },
            "line_end": { "type": "integer" },
            "quote": { "type": "string" },
            "severity": { "type": "string", "enum": ["critical", "major", "minor", "nit"] },
            "confidence": { "type": "number" },
            "title": { "type": "string" },
            "body": { "type": "string" },
            "trigger": { "type": "string" },
            "suggestion": { "anyOf": [{ "type": "null" }, suggestion] },
        },
    });
    list("findings", finding)
}

/// The schema of the second pass: `{"verdicts": […]}`.
pub fn verdicts_schema() -> Value {
    let verdict = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["n", "reason", "stands"],
        "properties": {
            "n": { "type": "integer" },
            "reason": { "type": "string" },
            "stands": { "type": "boolean" },
        },
    });
    list("verdicts", verdict)
}

fn list(name: &str, items: Value) -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert(name.to_owned(), json!({ "type": "array", "items": items }));
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": [name],
        "properties": properties,
    })
}
