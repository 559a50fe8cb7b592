//! The JSON Schema of the settings file, made from the table.

use serde_json::{Map, Value, json};

use crate::keys::{KEYS, KeySpec, Kind, SWITCH_WORDS};
use crate::migrate::CONFIG_VERSION;

/// A JSON Schema (2020-12) that accepts what `config.toml` may hold.
pub fn json_schema() -> Value {
    let mut sections: Map<String, Value> = Map::new();
    for spec in KEYS {
        let section = sections.entry(spec.section).or_insert_with(
            || json!({"type": "object", "additionalProperties": false, "properties": {}}),
        );
        if let Some(properties) = section["properties"].as_object_mut() {
            properties.insert(spec.name.to_owned(), property(spec));
        }
    }
    sections.insert(
        "config_version".to_owned(),
        json!({
            "type": "integer", "minimum": 1, "maximum": CONFIG_VERSION,
            "description": "The version of this file's format",
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Convergio settings",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    })
}

fn property(spec: &KeySpec) -> Value {
    let mut property = match spec.kind {
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer { min, max } => {
            json!({"type": "integer", "minimum": min, "maximum": max})
        }
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::Switches => {
            json!({"type": "object", "additionalProperties": {"enum": SWITCH_WORDS}})
        }
    };
    property["description"] = json!(spec.doc);
    if spec.kind != Kind::Switches {
        property["default"] = json!(spec.default_value());
    }
    property
}
