//! JSON Schemas as providers take them. Whoever asked checks the answer against the schema it
//! meant, so what is left out here costs guidance, not correctness.

use serde_json::{Map, Value};

/// Keywords that Anthropic's structured outputs refuse.
const REFUSED_BY_ANTHROPIC: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "$schema",
];

/// Every object closed, and without the keywords that are refused.
pub(crate) fn for_anthropic(schema: &Value) -> Value {
    mapped(schema, &|object| {
        for keyword in REFUSED_BY_ANTHROPIC {
            object.remove(*keyword);
        }
        // Only 0 and 1 are known there.
        if object
            .get("minItems")
            .is_some_and(|least| least.as_u64().is_none_or(|least| least > 1))
        {
            object.remove("minItems");
        }
        if object.contains_key("properties") || has_type(object, "object") {
            object.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
    })
}

/// Whether OpenAI's strict mode takes it: every object closed, every property required.
pub(crate) fn is_strict(schema: &Value) -> bool {
    let Value::Object(object) = schema else {
        return true;
    };
    if has_type(object, "object") || object.contains_key("properties") {
        let closed = object.get("additionalProperties") == Some(&Value::Bool(false));
        let required: Vec<&str> = object
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let all_required = object
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|properties| properties.keys().all(|name| required.contains(&&**name)));
        if !closed || !all_required {
            return false;
        }
    }
    subschemas(object).all(is_strict)
}

fn has_type(object: &Map<String, Value>, name: &str) -> bool {
    match object.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    }
}

/// Keywords whose value is a schema, a list of them, or a map of them.
const ONE: &[&str] = &["items", "not", "additionalProperties", "contains"];
const LISTS: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems"];
const MAPS: &[&str] = &["properties", "$defs", "definitions", "patternProperties"];

fn subschemas(object: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let one = ONE.iter().filter_map(|name| object.get(*name));
    let lists = LISTS
        .iter()
        .filter_map(|name| object.get(*name)?.as_array())
        .flatten();
    let maps = MAPS
        .iter()
        .filter_map(|name| object.get(*name)?.as_object())
        .flat_map(Map::values);
    one.chain(lists).chain(maps)
}

fn mapped(schema: &Value, change: &impl Fn(&mut Map<String, Value>)) -> Value {
    let Value::Object(object) = schema else {
        return schema.clone();
    };
    let mut object = object.clone();
    for (name, value) in &mut object {
        let name = name.as_str();
        match value {
            Value::Object(inner) if MAPS.contains(&name) => {
                for value in inner.values_mut() {
                    *value = mapped(value, change);
                }
            }
            Value::Array(inner) if LISTS.contains(&name) => {
                for value in inner {
                    *value = mapped(value, change);
                }
            }
            value if ONE.contains(&name) => *value = mapped(value, change),
            _ => {}
        }
    }
    change(&mut object);
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn anthropic_gets_closed_objects_without_what_it_refuses() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "line": {"type": "integer", "minimum": 1},
                "minimum": {"type": "string", "maxLength": 9},
                "list": {"type": "array", "minItems": 3, "items": {"type": "object", "properties": {}}},
                "kind": {"anyOf": [{"type": "null"}, {"type": ["object", "null"]}]}
            },
            "required": ["line"]
        });
        assert_eq!(
            for_anthropic(&schema),
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "line": {"type": "integer"},
                    "minimum": {"type": "string"},
                    "list": {"type": "array", "items":
                        {"type": "object", "properties": {}, "additionalProperties": false}},
                    "kind": {"anyOf": [{"type": "null"},
                        {"type": ["object", "null"], "additionalProperties": false}]}
                },
                "required": ["line"]
            })
        );
    }

    #[test]
    fn strict_needs_closed_objects_with_everything_required() {
        let good = json!({"type": "object", "additionalProperties": false, "required": ["a"],
            "properties": {"a": {"type": "array", "items": {"type": "string"}}}});
        assert!(is_strict(&good));
        let mut open = good.clone();
        open["properties"]["a"]["items"] = json!({"type": "object", "properties": {}});
        assert!(!is_strict(&open));
        let mut optional = good;
        optional["properties"]["b"] = json!({"type": "string"});
        assert!(!is_strict(&optional));
    }
}
