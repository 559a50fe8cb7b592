//! The OpenRPC 1.3 document of the contract, made from the method table.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    ErrorCode, Method, PROTOCOL_VERSIONS, RunEvent,
    event::{RUN_CLOSED, RUN_EVENT, RunClosed},
    for_each_method,
    topic::{TOPIC_NOTIFICATION, TopicEvent},
};

/// The document, with keys in a stable order.
pub fn document() -> Value {
    let settings = SchemaSettings::draft07()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut methods = Vec::new();
    macro_rules! describe_all {
        ($($method:path,)+) => { $(methods.push(describe::<$method>(&mut generator));)+ };
    }
    for_each_method!(describe_all);
    let event = generator.subschema_for::<RunEvent>();
    let closed = generator.subschema_for::<RunClosed>();
    let topic = generator.subschema_for::<TopicEvent>();
    let errors: Map<String, Value> = ErrorCode::ALL
        .iter()
        .map(|code| {
            let entry = json!({
                "code": code.code(),
                "message": code.slug(),
                "data": {"http_status": code.http_status(), "retryable": code.retryable()},
            });
            (code.slug().to_owned(), entry)
        })
        .collect();
    let schemas = generator.take_definitions(true);
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Convergio",
            "description": "JSON-RPC 2.0 over a Unix socket, one UTF-8 object per line. Batches are rejected.",
            "version": PROTOCOL_VERSIONS[0],
            "license": {"name": "MIT"},
        },
        "methods": methods,
        "components": {"schemas": schemas, "errors": errors},
        "x-notifications": [
            {"name": RUN_EVENT, "direction": "server to client", "params": event},
            {"name": RUN_CLOSED, "direction": "server to client", "params": closed},
            {"name": TOPIC_NOTIFICATION, "direction": "server to client", "params": topic},
            {"name": "$/cancel", "direction": "client to server", "params": {
                "type": "object",
                "properties": {"id": {"description": "The id of the request to cancel."}},
                "required": ["id"],
            }},
        ],
    })
}

/// The document as it is committed and answered by `rpc.discover`.
pub fn document_text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

fn describe<M: Method>(generator: &mut SchemaGenerator) -> Value {
    let params_name = type_name::<M::Params>();
    let result_name = type_name::<M::Response>();
    let result = generator.subschema_for::<M::Response>();
    let params = params_of(
        generator.root_schema_for::<M::Params>().to_value(),
        generator,
    );
    json!({
        "name": M::NAME,
        "summary": M::SUMMARY.lines().map(str::trim).collect::<Vec<_>>().join(" "),
        "paramStructure": "by-name",
        "params": params,
        "x-params": params_name,
        "x-timeout-ms": M::TIMEOUT_MS,
        "x-before-initialize": M::BEFORE_INITIALIZE,
        "result": {"name": result_name, "schema": result},
    })
}

fn params_of(schema: Value, generator: &mut SchemaGenerator) -> Vec<Value> {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| {
            names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default();
    if let Some(Value::Object(definitions)) = schema.pointer("/components/schemas") {
        for (name, definition) in definitions {
            generator
                .definitions_mut()
                .entry(name.clone())
                .or_insert_with(|| definition.clone());
        }
    }
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(name, schema)| {
            json!({"name": name, "required": required.contains(name), "schema": schema})
        })
        .collect()
}

fn type_name<T>() -> String {
    let full = std::any::type_name::<T>();
    full.rsplit("::").next().unwrap_or(full).to_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    /// `UPDATE_GENERATED=1 cargo test -p convergio-contract` rewrites the committed file.
    #[test]
    fn the_committed_document_is_the_generated_one() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openrpc.json");
        let generated = document_text();
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(&path, &generated).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "docs/openrpc.json differs: run `just generate`"
        );
    }

    #[test]
    fn every_method_is_described_once_with_named_params() {
        let document = document();
        let methods = document["methods"].as_array().unwrap();
        let mut names: Vec<&str> = methods
            .iter()
            .map(|m| m["name"].as_str().unwrap())
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let start = methods
            .iter()
            .find(|m| m["name"] == "review.start")
            .unwrap();
        let params = start["params"].as_array().unwrap();
        assert!(
            params
                .iter()
                .any(|p| p["name"] == "run_id" && p["required"] == true)
        );
        assert!(
            params
                .iter()
                .any(|p| p["name"] == "idempotency_key" && p["required"] == false)
        );
    }

    #[test]
    fn every_reference_resolves() {
        let document = document();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(target)) = map.get("$ref") {
                        let pointer = target.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{target}");
                    }
                    open.extend(map.values());
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}
