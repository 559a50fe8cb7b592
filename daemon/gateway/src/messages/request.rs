//! The request.

use std::collections::BTreeMap;

use convergio_models_api::{
    CacheAfter, CacheBreakpoint, ModelRequest, OutputSchema, Part, ReasoningEffort, Role, Tool,
    ToolCall, ToolChoice,
};
use serde_json::Value;

use crate::{
    ask::{Asked, MESSAGES_MAX, TOOLS_MAX, Turns, Wire, ignored, tool_name},
    fault::Fault,
    read::{Object, Read, image, text},
};

/// Places where a prompt's cache may end.
const CACHE_MAX: usize = 4;

pub(crate) fn read(value: Value) -> Read<Asked> {
    let mut fields = Object::new("", value)?;
    for name in ["container", "mcp_servers"] {
        match fields.take(name) {
            None => {}
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(_) => return Err(Fault::unsupported(name, "is not offered")),
        }
    }
    let model = fields.needed_text("model")?;
    let stream = fields.flag("stream")?.unwrap_or(false);
    let max_output = fields
        .tokens("max_tokens")?
        .ok_or_else(|| fields.missing("max_tokens"));
    let mut request = ModelRequest {
        max_output: max_output?,
        temperature: fields.number("temperature", 0.0, 1.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        stop_sequences: fields.stops("stop_sequences")?,
        ..ModelRequest::default()
    };
    let mut cache = Vec::new();
    system(&mut fields, &mut request, &mut cache)?;
    tools(&mut fields, &mut request, &mut cache)?;
    thinking(&mut fields, &mut request)?;
    let messages = fields
        .list("messages")?
        .ok_or_else(|| fields.missing("messages"))?;
    turns(messages, &mut request, &mut cache)?;
    if cache.len() > CACHE_MAX {
        return Err(Fault::invalid(
            "cache_control",
            format!("at most {CACHE_MAX} places are taken"),
        ));
    }
    request.cache = cache;
    Ok(Asked {
        wire: Wire::Messages,
        model,
        request,
        stream,
        include_usage: true,
        ignored: ignored(fields.left()),
        tool_forms: BTreeMap::new(),
    })
}

/// Whether the cache may end here, and whether it is kept for an hour.
fn cache_control(object: &mut Object) -> Read<Option<bool>> {
    let Some(mut control) = object.object("cache_control")? else {
        return Ok(None);
    };
    let ttl = control.text("ttl")?;
    Ok(Some(ttl.as_deref() == Some("1h")))
}

fn system(
    fields: &mut Object,
    request: &mut ModelRequest,
    cache: &mut Vec<CacheBreakpoint>,
) -> Read<()> {
    let list = match fields.take("system") {
        None => return Ok(()),
        Some(Value::String(text)) => {
            request.system = (!text.is_empty()).then_some(text);
            return Ok(());
        }
        Some(Value::Array(list)) => list,
        Some(other) => return Err(fields.wrong("system", "a string or a list", &other)),
    };
    let mut all: Vec<String> = Vec::new();
    let mut hour = None;
    for (index, value) in list.into_iter().enumerate() {
        let mut block = Object::new(format!("system[{index}]"), value)?;
        only(&mut block, "text")?;
        hour = cache_control(&mut block)?.or(hour);
        let text = block.needed_text("text")?;
        if !text.is_empty() {
            all.push(text);
        }
    }
    request.system = (!all.is_empty()).then(|| all.join("\n\n"));
    if let Some(hour) = hour.filter(|_| request.system.is_some()) {
        cache.push(CacheBreakpoint {
            after: CacheAfter::System,
            hour,
        });
    }
    Ok(())
}

fn only(block: &mut Object, wanted: &str) -> Read<()> {
    match block.text("type")?.as_deref() {
        None => Ok(()),
        Some(found) if found == wanted => Ok(()),
        Some(other) => Err(Fault::unsupported(
            block.at("type"),
            format!("only {wanted} is taken here, not {other:?}"),
        )),
    }
}

fn tools(
    fields: &mut Object,
    request: &mut ModelRequest,
    cache: &mut Vec<CacheBreakpoint>,
) -> Read<()> {
    let list = fields.list("tools")?.unwrap_or_default();
    if list.len() > TOOLS_MAX {
        return Err(Fault::invalid(
            "tools",
            format!("at most {TOOLS_MAX} are taken"),
        ));
    }
    let mut hour = None;
    for (index, value) in list.into_iter().enumerate() {
        let mut tool = Object::new(format!("tools[{index}]"), value)?;
        if let Some(kind) = tool.text("type")?.filter(|kind| kind != "custom") {
            return Err(Fault::unsupported(
                tool.at("type"),
                format!("tools that the provider runs are not offered: {kind:?}"),
            ));
        }
        hour = cache_control(&mut tool)?.or(hour);
        let schema = match tool.take("input_schema") {
            Some(schema) if Object::is_object(&schema) => schema,
            Some(other) => return Err(tool.wrong("input_schema", "an object", &other)),
            None => return Err(tool.missing("input_schema")),
        };
        request.tools.push(Tool {
            name: tool_name(tool.at("name"), tool.needed_text("name")?)?,
            description: tool.text("description")?,
            input_schema: schema,
            strict: tool.flag("strict")?.unwrap_or(false),
        });
    }
    if let Some(hour) = hour {
        cache.push(CacheBreakpoint {
            after: CacheAfter::Tools,
            hour,
        });
    }
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok(());
    };
    if let Some(alone) = choice.flag("disable_parallel_tool_use")? {
        request.parallel_tools = Some(!alone);
    }
    request.tool_choice = match choice.needed_text("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.needed_text("name")?),
        _ => {
            return Err(Fault::invalid(
                choice.at("type"),
                "must be auto, any, none or tool",
            ));
        }
    };
    Ok(())
}

/// How much it reasons: `thinking`, and the effort and format of `output_config`.
fn thinking(fields: &mut Object, request: &mut ModelRequest) -> Read<()> {
    let mut effort = None;
    let mut format = fields.object("output_format")?;
    if let Some(mut config) = fields.object("output_config")? {
        effort = match config.text("effort")?.as_deref() {
            None => None,
            Some("low") => Some(ReasoningEffort::Low),
            Some("medium") => Some(ReasoningEffort::Medium),
            Some("high" | "xhigh" | "max") => Some(ReasoningEffort::High),
            Some(_) => {
                return Err(Fault::invalid(
                    config.at("effort"),
                    "must be low, medium, high or max",
                ));
            }
        };
        format = config.object("format")?.or(format);
    }
    if let Some(mut format) = format {
        only(&mut format, "json_schema")?;
        let schema = match format.take("schema") {
            Some(schema) if Object::is_object(&schema) => schema,
            Some(other) => return Err(format.wrong("schema", "an object", &other)),
            None => return Err(format.missing("schema")),
        };
        request.output_schema = Some(OutputSchema {
            name: "answer".to_owned(),
            schema,
        });
    }
    let Some(mut thinking) = fields.object("thinking")? else {
        request.reasoning = effort.unwrap_or_default();
        return Ok(());
    };
    request.reasoning = match thinking.needed_text("type")?.as_str() {
        "disabled" => ReasoningEffort::Off,
        "adaptive" => effort.unwrap_or(ReasoningEffort::High),
        "enabled" => {
            let budget = thinking
                .tokens("budget_tokens")?
                .ok_or_else(|| thinking.missing("budget_tokens"))?;
            if budget >= request.max_output {
                return Err(Fault::invalid(
                    thinking.at("budget_tokens"),
                    "must be less than max_tokens",
                ));
            }
            ReasoningEffort::BudgetTokens(budget)
        }
        _ => {
            return Err(Fault::invalid(
                thinking.at("type"),
                "must be enabled, disabled or adaptive",
            ));
        }
    };
    Ok(())
}

fn turns(
    messages: Vec<Value>,
    request: &mut ModelRequest,
    cache: &mut Vec<CacheBreakpoint>,
) -> Read<()> {
    if messages.len() > MESSAGES_MAX {
        return Err(Fault::invalid(
            "messages",
            format!("at most {MESSAGES_MAX} are taken"),
        ));
    }
    let mut turns = Turns::default();
    for (index, value) in messages.into_iter().enumerate() {
        let mut message = Object::new(format!("messages[{index}]"), value)?;
        let role = match message.needed_text("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => {
                more_instructions(&mut message, request)?;
                continue;
            }
            other => {
                return Err(Fault::unsupported(
                    message.at("role"),
                    format!("there is no role {other:?} here"),
                ));
            }
        };
        let (parts, hour) = content(&mut message, role)?;
        if parts.is_empty() && role == Role::User {
            return Err(Fault::invalid(message.at("content"), "is empty"));
        }
        turns.push(role, parts);
        if let (Some(hour), Some(last)) = (hour, turns.messages.len().checked_sub(1)) {
            let after = CacheAfter::Message(last);
            cache.retain(|known| known.after != after);
            cache.push(CacheBreakpoint { after, hour });
        }
    }
    request.messages = turns.finish()?;
    Ok(())
}

/// Instructions in the middle of a conversation stand with the others: a request has one place for
/// them.
fn more_instructions(message: &mut Object, request: &mut ModelRequest) -> Read<()> {
    let (parts, _) = content(message, Role::User)?;
    for part in parts {
        let Part::Text { text } = part else {
            return Err(Fault::unsupported(
                message.at("content"),
                "only text is taken here",
            ));
        };
        let system = request.system.get_or_insert_default();
        if !system.is_empty() {
            system.push_str("\n\n");
        }
        system.push_str(&text);
    }
    Ok(())
}

/// A message's parts, and whether the cache may end behind it.
fn content(message: &mut Object, role: Role) -> Read<(Vec<Part>, Option<bool>)> {
    let list = match message.take("content") {
        None => return Err(message.missing("content")),
        Some(Value::String(content)) if content.is_empty() => return Ok((Vec::new(), None)),
        Some(Value::String(content)) => return Ok((vec![text(content)], None)),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(message.wrong("content", "a string or a list", &other)),
    };
    let mut parts = Vec::new();
    let mut hour = None;
    for (index, value) in list.into_iter().enumerate() {
        let mut block = Object::new(format!("{}[{index}]", message.at("content")), value)?;
        hour = cache_control(&mut block)?.or(hour);
        parts.extend(part(&mut block, role)?);
    }
    Ok((parts, hour))
}

fn part(block: &mut Object, role: Role) -> Read<Option<Part>> {
    let kind = block.needed_text("type")?;
    Ok(Some(match (kind.as_str(), role) {
        ("text", _) => {
            let words = block.needed_text("text")?;
            if words.is_empty() {
                return Ok(None);
            }
            text(words)
        }
        ("image", Role::User) => picture(block)?,
        ("thinking", Role::Assistant) => Part::Reasoning {
            text: block.text("thinking")?.unwrap_or_default(),
            signature: block.text("signature")?.filter(|text| !text.is_empty()),
            redacted: false,
        },
        ("redacted_thinking", Role::Assistant) => Part::Reasoning {
            text: String::new(),
            signature: Some(block.needed_text("data")?),
            redacted: true,
        },
        ("tool_use", Role::Assistant) => {
            let arguments = match block.take("input") {
                Some(input) if Object::is_object(&input) => input.to_string(),
                Some(other) => return Err(block.wrong("input", "an object", &other)),
                None => return Err(block.missing("input")),
            };
            Part::ToolCall(ToolCall {
                id: block.needed_text("id")?,
                name: tool_name(block.at("name"), block.needed_text("name")?)?,
                arguments,
                signature: None,
            })
        }
        ("tool_result", Role::User) => Part::ToolResult {
            id: block.needed_text("tool_use_id")?,
            content: result(block)?,
            is_error: block.flag("is_error")?.unwrap_or(false),
        },
        _ => {
            let speaker = match role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            return Err(Fault::unsupported(
                block.at("type"),
                format!("a block of type {kind:?} is not taken from the {speaker}"),
            ));
        }
    }))
}

fn picture(block: &mut Object) -> Read<Part> {
    let mut source = block.needed_object("source")?;
    match source.needed_text("type")?.as_str() {
        "base64" => {
            let place = source.at("data");
            let media_type = source.needed_text("media_type")?;
            image(&place, media_type, source.needed_text("data")?)
        }
        _ => Err(Fault::unsupported(
            source.at("type"),
            "a picture comes as base64; addresses are not fetched",
        )),
    }
}

fn result(block: &mut Object) -> Read<Vec<Part>> {
    let list = match block.take("content") {
        None => return Ok(Vec::new()),
        Some(Value::String(content)) if content.is_empty() => return Ok(Vec::new()),
        Some(Value::String(content)) => return Ok(vec![text(content)]),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(block.wrong("content", "a string or a list", &other)),
    };
    let mut parts = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let mut inner = Object::new(format!("{}[{index}]", block.at("content")), value)?;
        match inner.needed_text("type")?.as_str() {
            "text" => {
                let words = inner.needed_text("text")?;
                if !words.is_empty() {
                    parts.push(text(words));
                }
            }
            "image" => parts.push(picture(&mut inner)?),
            other => {
                return Err(Fault::unsupported(
                    inner.at("type"),
                    format!("a block of type {other:?} is not taken from a tool"),
                ));
            }
        }
    }
    Ok(parts)
}
