//! What real providers refuse. A fake that takes anything hides a client's mistakes.

use serde_json::Value;

use crate::{
    reply::Reply,
    request::{Dialect, Request},
};

/// The refusal of a call with a wrong key or none.
pub(crate) fn wrong_key(dialect: Option<Dialect>) -> Reply {
    match dialect {
        Some(Dialect::Anthropic) => Reply::error(401, "authentication_error", "invalid x-api-key"),
        Some(Dialect::Gemini) => Reply::error(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
        ),
        _ => Reply::error(
            401,
            "invalid_request_error",
            "Incorrect API key provided. You can find your API key in your account.",
        )
        .code("invalid_api_key"),
    }
}

/// The refusal of a call for a model that is not there.
pub(crate) fn unknown_model(dialect: Dialect, model: &str) -> Reply {
    match dialect {
        Dialect::Anthropic => Reply::error(404, "not_found_error", &format!("model: {model}")),
        Dialect::Gemini => Reply::error(
            404,
            "NOT_FOUND",
            &format!("models/{model} is not found for API version v1beta"),
        ),
        Dialect::Ollama => Reply::error(404, "not_found", &format!("model '{model}' not found")),
        Dialect::OpenAi | Dialect::Responses => Reply::error(
            404,
            "invalid_request_error",
            &format!("The model `{model}` does not exist or you do not have access to it."),
        )
        .code("model_not_found"),
    }
}

/// The refusal of a malformed call; `None` when it is well-formed.
pub(crate) fn refusal(dialect: Dialect, request: &Request) -> Option<Reply> {
    let complaint = complaint(dialect, request)?;
    let kind = match dialect {
        Dialect::Gemini => "INVALID_ARGUMENT",
        _ => "invalid_request_error",
    };
    Some(Reply::error(400, kind, &complaint))
}

fn complaint(dialect: Dialect, request: &Request) -> Option<String> {
    if request.method != "POST" {
        return Some(format!("{} is not allowed here", request.method));
    }
    let json_type = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    // Ollama takes a body of any type.
    if !json_type && dialect != Dialect::Ollama {
        return Some("content-type: must be application/json".to_owned());
    }
    let body = request.json();
    if !body.is_object() {
        return Some("We could not parse the JSON body of your request.".to_owned());
    }
    if request.model().is_none_or(|model| model.is_empty()) {
        return Some("model: Field required".to_owned());
    }
    match dialect {
        Dialect::Anthropic => anthropic(request, &body),
        Dialect::OpenAi => openai(&body),
        Dialect::Responses => responses(&body),
        Dialect::Gemini => gemini(&body),
        Dialect::Ollama => messages(&body, &["system", "user", "assistant", "tool"]),
    }
}

fn messages(body: &Value, roles: &[&str]) -> Option<String> {
    let Some(messages) = body["messages"].as_array() else {
        return Some("messages: Field required".to_owned());
    };
    if messages.is_empty() {
        return Some("messages: at least one message is required".to_owned());
    }
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if !roles.contains(&role) {
            return Some(format!("messages.{index}.role: unknown role {role:?}"));
        }
        let content = &message["content"];
        let calls = message.get("tool_calls").is_some();
        if !content.is_string() && !content.is_array() && !calls {
            return Some(format!("messages.{index}.content: Field required"));
        }
    }
    None
}

fn anthropic(request: &Request, body: &Value) -> Option<String> {
    if request.header("anthropic-version").is_none() {
        return Some("anthropic-version: header is required".to_owned());
    }
    if body["max_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
        return Some("max_tokens: Field required".to_owned());
    }
    if let Some(complaint) = messages(body, &["user", "assistant"]) {
        return Some(complaint);
    }
    if body["messages"][0]["role"] != "user" {
        return Some("messages: first message must use the \"user\" role".to_owned());
    }
    let empty = |content: &Value| match content {
        Value::String(text) => text.is_empty(),
        Value::Array(blocks) => blocks
            .iter()
            .any(|block| block["type"] == "text" && block["text"] == ""),
        _ => false,
    };
    if body["messages"]
        .as_array()
        .is_some_and(|all| all.iter().any(|message| empty(&message["content"])))
    {
        return Some("messages: text content blocks must be non-empty".to_owned());
    }
    let tools = body["tools"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if tools
        .iter()
        .any(|tool| tool["name"].as_str().is_none() || !tool["input_schema"].is_object())
    {
        return Some("tools: name and input_schema are required".to_owned());
    }
    None
}

fn openai(body: &Value) -> Option<String> {
    if body
        .get("stream_options")
        .is_some_and(|options| !options.is_null())
        && body["stream"] != Value::Bool(true)
    {
        return Some(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.".to_owned(),
        );
    }
    let format = &body["response_format"];
    if format["type"] == "json_schema"
        && (format["json_schema"]["name"].as_str().is_none()
            || !format["json_schema"]["schema"].is_object())
    {
        return Some("Missing required parameter: 'response_format.json_schema'.".to_owned());
    }
    let tools = body["tools"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if tools
        .iter()
        .any(|tool| tool["type"] != "function" || tool["function"]["name"].as_str().is_none())
    {
        return Some("Missing required parameter: 'tools[0].function'.".to_owned());
    }
    let roles = [
        "developer",
        "system",
        "user",
        "assistant",
        "tool",
        "function",
    ];
    messages(body, &roles)
}

fn responses(body: &Value) -> Option<String> {
    let items = match &body["input"] {
        Value::String(text) if !text.is_empty() => return None,
        Value::Array(items) if !items.is_empty() => items,
        _ => return Some("Missing required parameter: 'input'.".to_owned()),
    };
    for (index, item) in items.iter().enumerate() {
        let is_text = |field: &str| item[field].is_string();
        let whole = match item["type"].as_str().unwrap_or("message") {
            "message" => is_text("role") && (is_text("content") || item["content"].is_array()),
            "reasoning" => is_text("id") && item["summary"].is_array(),
            "function_call" => is_text("call_id") && is_text("name") && is_text("arguments"),
            "function_call_output" => {
                is_text("call_id") && (is_text("output") || item["output"].is_array())
            }
            _ => false,
        };
        if !whole {
            return Some(format!("Invalid value: 'input[{index}]'."));
        }
    }
    let tools = body["tools"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let bad = |tool: &Value| {
        tool["type"] != "function" || !tool["name"].is_string() || !tool["parameters"].is_object()
    };
    if tools.iter().any(bad) {
        return Some("Missing required parameter: 'tools[0].name'.".to_owned());
    }
    let format = &body["text"]["format"];
    if format["type"] == "json_schema"
        && (!format["name"].is_string() || !format["schema"].is_object())
    {
        return Some("Missing required parameter: 'text.format.name'.".to_owned());
    }
    (!body["stop"].is_null()).then(|| "Unknown parameter: 'stop'.".to_owned())
}

fn gemini(body: &Value) -> Option<String> {
    let contents = body["contents"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if contents.is_empty() {
        return Some("* GenerateContentRequest.contents: contents is not specified".to_owned());
    }
    for content in contents {
        let role = content["role"].as_str().unwrap_or("user");
        if !["user", "model", "function"].contains(&role) {
            return Some("Please use a valid role: user, model.".to_owned());
        }
        if content["parts"].as_array().is_none_or(Vec::is_empty) {
            return Some("* GenerateContentRequest.contents.parts: must not be empty".to_owned());
        }
    }
    None
}
