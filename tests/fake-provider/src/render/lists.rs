//! Lists of models, versions, and what is not there.

use serde_json::{Value, json};

use crate::{reply::Reply, request::Request};

/// The answer to a request that is no model call.
pub(crate) fn list(request: &Request, models: &[String]) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    let value = match path {
        "/api/version" => json!({ "version": "0.13.0" }),
        "/api/tags" => json!({ "models": each(models, tag) }),
        "/api/show" => shown(),
        "/" => return Reply::body(200, "text/plain; charset=utf-8", "Ollama is running"),
        _ if request.method == "GET" && path.ends_with("/models") => {
            let anthropic = request.header("anthropic-version").is_some()
                || request.header("x-api-key").is_some();
            if anthropic {
                json!({
                    "data": each(models, anthropic_model),
                    "has_more": false,
                    "first_id": models.first(),
                    "last_id": models.last(),
                })
            } else if path.contains("/v1beta") {
                json!({ "models": each(models, gemini_model) })
            } else {
                json!({ "object": "list", "data": each(models, openai_model) })
            }
        }
        _ => {
            let body = json!({ "error": {
                "message": format!("Unknown request URL: {} {path}.", request.method),
                "type": "invalid_request_error",
                "param": null,
                "code": "unknown_url",
            }});
            return Reply::body(404, "application/json", body.to_string());
        }
    };
    Reply::body(200, "application/json", value.to_string())
}

fn each(models: &[String], row: fn(&str) -> Value) -> Vec<Value> {
    models.iter().map(|id| row(id)).collect()
}

fn openai_model(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 1_760_000_000, "owned_by": "fake" })
}

fn anthropic_model(id: &str) -> Value {
    json!({
        "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z",
    })
}

fn gemini_model(id: &str) -> Value {
    json!({
        "name": format!("models/{id}"),
        "displayName": id,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

/// What Ollama says of a model, without its templates and licences.
fn shown() -> Value {
    json!({
        "details": { "format": "gguf", "family": "llama", "quantization_level": "Q4_0" },
        "model_info": { "general.architecture": "llama", "llama.context_length": 131_072 },
        "capabilities": ["completion", "tools"],
        "modified_at": "2026-01-01T00:00:00.000000000Z",
    })
}

fn tag(id: &str) -> Value {
    json!({
        "name": id,
        "model": id,
        "modified_at": "2026-01-01T00:00:00.000000000Z",
        "size": 4_661_224_676_u64,
        "digest": "365c0bd3c000a25d28ddbf732fe1c6add414de7275464c4e4d1c3b5fcb5d8ad1",
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "8.0B",
            "quantization_level": "Q4_0",
        },
    })
}
