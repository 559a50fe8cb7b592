//! The JSON Schema of the settings file, made from the table.

use serde_json::{Map, Value, json};

use crate::forms::Form;
use crate::keys::{KEYS, KeySpec, Kind, SWITCH_WORDS};
use crate::migrate::CONFIG_VERSION;
use crate::providers::{MODEL_KEYS, PROVIDER_KEYS, SECTION};

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
    sections.insert(SECTION.to_owned(), providers());
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
        Kind::Text(form) => text(form),
        Kind::List(form) => json!({"type": "array", "items": text(form)}),
        Kind::Lists(form, names) => {
            let names = match names.is_empty() {
                true => json!({"pattern": LIST_NAME_PATTERN}),
                false => json!({"enum": names}),
            };
            let list = json!({"type": "array", "items": text(form)});
            json!({"type": "object", "propertyNames": names, "additionalProperties": list})
        }
    };
    property["description"] = json!(spec.doc);
    if !spec.is_table() && spec.default_value() != crate::value::Value::Unset {
        property["default"] = json!(spec.default_value());
    }
    property
}

fn text(form: Form) -> Value {
    let pattern = match form {
        Form::ModelRef => "^[A-Za-z0-9][A-Za-z0-9_-]*/.+$",
        Form::ModelOrAlias => "^[A-Za-z0-9]([A-Za-z0-9_-]*/.+|[A-Za-z0-9._-]{0,63})$",
        Form::ProviderName => PROVIDER_NAME_PATTERN,
        Form::Usd => r"^[0-9]+(\.[0-9]{1,9})?$",
        Form::Limit => {
            "^(all|(provider|agent|plugin):[A-Za-z0-9][A-Za-z0-9_-]*) (daily|monthly|run|session|total) [0-9]+(\\.[0-9]{1,9})?( warn)?$"
        }
        Form::Url => "^[Hh][Tt][Tt][Pp][Ss]?://[^?#@]+$",
        Form::VariableName => "^[A-Za-z_][A-Za-z0-9_]*$",
        Form::Command => r"^[^\r\n]+$",
        Form::AbsolutePath => "^/",
        Form::Word => "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        Form::Hours => "^([01]?[0-9]|2[0-3]):[0-5][0-9]-([01]?[0-9]|2[0-3]):[0-5][0-9]$",
        Form::SigningKey => "^RW[A-Za-z0-9+/=]{54}$",
    };
    json!({"type": "string", "pattern": pattern})
}

const LIST_NAME_PATTERN: &str = "^[a-z][a-z0-9-]{0,63}$";
const PROVIDER_NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";

fn providers() -> Value {
    let mut provider = object(PROVIDER_KEYS);
    provider["properties"]["model"] = json!({
        "type": "object",
        "description": "What is known about single models, by their ids",
        "additionalProperties": object(MODEL_KEYS),
    });
    json!({
        "type": "object",
        "description": "Who is asked for answers, by a name of your own",
        "propertyNames": {"pattern": PROVIDER_NAME_PATTERN},
        "additionalProperties": provider,
    })
}

/// An object with these keys; `price.input` is `input` within `price`.
fn object(keys: &[KeySpec]) -> Value {
    let empty = || json!({"type": "object", "additionalProperties": false, "properties": {}});
    let mut object = empty();
    for spec in keys {
        match spec.name.split_once('.') {
            None => object["properties"][spec.name] = property(spec),
            Some((table, name)) => {
                if object["properties"].get(table).is_none() {
                    object["properties"][table] = empty();
                }
                object["properties"][table]["properties"][name] = property(spec);
            }
        }
    }
    object
}
