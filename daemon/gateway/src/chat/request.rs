//! The request.

use std::collections::BTreeMap;

use convergio_models_api::{
    ModelRequest, OutputSchema, Part, ReasoningEffort, Role, Tool, ToolCall, ToolChoice,
};
use serde_json::{Value, json};

use crate::{
    ask::{Asked, MAX_OUTPUT_DEFAULT, MESSAGES_MAX, TOOLS_MAX, Turns, Wire, ignored, tool_name},
    fault::Fault,
    read::{Object, Read, image, text},
};

/// What changes the answer and cannot be had.
const REFUSED: [(&str, &str); 8] = [
    ("functions", "use `tools`"),
    ("function_call", "use `tool_choice`"),
    ("audio", "only text is answered"),
    ("web_search_options", "no provider's own search is offered"),
    ("top_logprobs", "probabilities are not offered"),
    ("logit_bias", "probabilities cannot be changed"),
    ("moderation", "is not offered"),
    ("background", "answers are not kept"),
];

/// What changes the answer unless it has this value.
fn refuse_but(fields: &mut Object, name: &str, harmless: &[Value]) -> Read<()> {
    match fields.take(name) {
        Some(value) if !harmless.contains(&value) => {
            Err(Fault::unsupported(fields.at(name), "is not offered"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn read(value: Value) -> Read<Asked> {
    let mut fields = Object::new("", value)?;
    for (name, why) in REFUSED {
        if fields.has(name) {
            return Err(Fault::unsupported(name, why));
        }
    }
    refuse_but(&mut fields, "n", &[json!(1)])?;
    refuse_but(&mut fields, "logprobs", &[json!(false)])?;
    refuse_but(&mut fields, "modalities", &[json!(["text"])])?;
    for penalty in ["frequency_penalty", "presence_penalty"] {
        refuse_but(&mut fields, penalty, &[json!(0), json!(0.0)])?;
    }
    let model = fields.needed_text("model")?;
    let stream = fields.flag("stream")?.unwrap_or(false);
    let include_usage = match fields.object("stream_options")? {
        Some(mut options) => options.flag("include_usage")?.unwrap_or(false),
        None => false,
    };
    // Both are read: the older one counts where the newer one is not there.
    let older = fields.tokens("max_tokens")?;
    let newer = fields.tokens("max_completion_tokens")?;
    let mut request = ModelRequest {
        max_output: newer.or(older).unwrap_or(MAX_OUTPUT_DEFAULT),
        temperature: fields.number("temperature", 0.0, 2.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        stop_sequences: fields.stops("stop")?,
        parallel_tools: fields.flag("parallel_tool_calls")?,
        reasoning: effort(fields.text("reasoning_effort")?)?,
        ..ModelRequest::default()
    };
    tools(&mut fields, &mut request)?;
    format(&mut fields, &mut request)?;
    let messages = fields
        .list("messages")?
        .ok_or_else(|| fields.missing("messages"))?;
    turns(messages, &mut request)?;
    let mut left: Vec<String> = fields.left().collect();
    if newer.is_some() && older.is_some_and(|older| Some(older) != newer) {
        left.push("max_tokens".to_owned());
    }
    Ok(Asked {
        wire: Wire::Chat,
        model,
        request,
        stream,
        include_usage,
        ignored: ignored(left.into_iter()),
        tool_forms: BTreeMap::new(),
    })
}

pub(crate) fn effort(name: Option<String>) -> Read<ReasoningEffort> {
    Ok(match name.as_deref() {
        None => ReasoningEffort::Default,
        Some("none") => ReasoningEffort::Off,
        Some("minimal" | "low") => ReasoningEffort::Low,
        Some("medium") => ReasoningEffort::Medium,
        Some("high" | "xhigh" | "max") => ReasoningEffort::High,
        Some(_) => {
            return Err(Fault::invalid(
                "reasoning_effort",
                "must be none, minimal, low, medium, high or xhigh",
            ));
        }
    })
}

fn tools(fields: &mut Object, request: &mut ModelRequest) -> Read<()> {
    let list = fields.list("tools")?.unwrap_or_default();
    if list.len() > TOOLS_MAX {
        return Err(Fault::invalid(
            "tools",
            format!("at most {TOOLS_MAX} are taken"),
        ));
    }
    for (index, value) in list.into_iter().enumerate() {
        let mut tool = Object::new(format!("tools[{index}]"), value)?;
        only_functions(&mut tool)?;
        let function = tool.needed_object("function")?;
        request.tools.push(function_tool(function)?);
    }
    request.tool_choice = match fields.take("tool_choice") {
        None => ToolChoice::Auto,
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => {
                return Err(Fault::invalid(
                    "tool_choice",
                    "must be auto, none, required or a function",
                ));
            }
        },
        Some(value) => {
            let mut choice = Object::new("tool_choice", value)?;
            only_functions(&mut choice)?;
            let mut function = choice.needed_object("function")?;
            ToolChoice::Named(function.needed_text("name")?)
        }
    };
    Ok(())
}

fn only_functions(object: &mut Object) -> Read<()> {
    match object.text("type")?.as_deref() {
        None | Some("function") => Ok(()),
        Some(other) => Err(Fault::unsupported(
            object.at("type"),
            format!("only functions are offered, not {other:?}"),
        )),
    }
}

pub(crate) fn function_tool(mut function: Object) -> Read<Tool> {
    let name = tool_name(function.at("name"), function.needed_text("name")?)?;
    let schema = match function.take("parameters") {
        None => json!({"type": "object", "properties": {}}),
        Some(schema) if Object::is_object(&schema) => schema,
        Some(other) => return Err(function.wrong("parameters", "an object", &other)),
    };
    Ok(Tool {
        name,
        description: function.text("description")?,
        input_schema: schema,
        strict: function.flag("strict")?.unwrap_or(false),
    })
}

fn format(fields: &mut Object, request: &mut ModelRequest) -> Read<()> {
    let Some(mut format) = fields.object("response_format")? else {
        return Ok(());
    };
    match format.needed_text("type")?.as_str() {
        "text" => {}
        "json_object" => request.json_object = true,
        "json_schema" => {
            let mut schema = format.needed_object("json_schema")?;
            request.output_schema = Some(output_schema(&mut schema)?);
        }
        _ => {
            return Err(Fault::unsupported(
                format.at("type"),
                "must be text, json_object or json_schema",
            ));
        }
    }
    Ok(())
}

pub(crate) fn output_schema(from: &mut Object) -> Read<OutputSchema> {
    let name = match from.text("name")? {
        Some(name) => tool_name(from.at("name"), name)?,
        None => "answer".to_owned(),
    };
    let schema = match from.take("schema") {
        Some(schema) if Object::is_object(&schema) => schema,
        Some(other) => return Err(from.wrong("schema", "an object", &other)),
        None => return Err(from.missing("schema")),
    };
    Ok(OutputSchema { name, schema })
}

fn turns(messages: Vec<Value>, request: &mut ModelRequest) -> Read<()> {
    if messages.len() > MESSAGES_MAX {
        return Err(Fault::invalid(
            "messages",
            format!("at most {MESSAGES_MAX} are taken"),
        ));
    }
    let mut system: Vec<String> = Vec::new();
    let mut turns = Turns::default();
    for (index, value) in messages.into_iter().enumerate() {
        let mut message = Object::new(format!("messages[{index}]"), value)?;
        match message.needed_text("role")?.as_str() {
            "system" | "developer" => system.extend(texts(&mut message)?),
            "user" => turns.push(Role::User, user(&mut message)?),
            "assistant" => turns.push(Role::Assistant, assistant(&mut message)?),
            "tool" => {
                let result = Part::ToolResult {
                    id: message.needed_text("tool_call_id")?,
                    content: texts(&mut message)?.into_iter().map(text).collect(),
                    is_error: false,
                };
                turns.push(Role::User, vec![result]);
            }
            other => {
                let message = format!("there is no role {other:?} here");
                return Err(Fault::unsupported(
                    format!("messages[{index}].role"),
                    message,
                ));
            }
        }
    }
    request.system = (!system.is_empty()).then(|| system.join("\n\n"));
    request.messages = turns.finish()?;
    Ok(())
}

/// Content that is text alone; empty texts are left out.
fn texts(message: &mut Object) -> Read<Vec<String>> {
    let mut all = Vec::new();
    for part in parts(message)? {
        match part {
            Part::Text { text } => all.push(text),
            _ => {
                return Err(Fault::unsupported(
                    message.at("content"),
                    "only text is taken here",
                ));
            }
        }
    }
    Ok(all)
}

fn user(message: &mut Object) -> Read<Vec<Part>> {
    let parts = parts(message)?;
    match parts.is_empty() {
        true => Err(Fault::invalid(message.at("content"), "is empty")),
        false => Ok(parts),
    }
}

/// A string, or a list of parts.
fn parts(message: &mut Object) -> Read<Vec<Part>> {
    let list = match message.take("content") {
        None => return Ok(Vec::new()),
        Some(Value::String(content)) if content.is_empty() => return Ok(Vec::new()),
        Some(Value::String(content)) => return Ok(vec![text(content)]),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(message.wrong("content", "a string or a list", &other)),
    };
    let mut parts = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let mut part = Object::new(format!("{}[{index}]", message.at("content")), value)?;
        match part.needed_text("type")?.as_str() {
            "text" => {
                let words = part.needed_text("text")?;
                if !words.is_empty() {
                    parts.push(text(words));
                }
            }
            "refusal" => parts.push(text(part.needed_text("refusal")?)),
            "image_url" => {
                let mut url = part.needed_object("image_url")?;
                let place = url.at("url");
                parts.push(data_url(place, &url.needed_text("url")?)?);
            }
            other => {
                let message = format!("a part of type {other:?} is not taken");
                return Err(Fault::unsupported(part.at("type"), message));
            }
        }
    }
    Ok(parts)
}

/// A picture as `data:image/png;base64,…`. An address is not followed: nothing leaves this machine
/// that was not asked for.
pub(crate) fn data_url(place: String, url: &str) -> Read<Part> {
    let parsed = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match parsed {
        Some((media_type, base64)) => image(&place, media_type.to_owned(), base64.to_owned()),
        None => Err(Fault::unsupported(
            place,
            "a picture comes as data:image/png;base64,…; addresses are not fetched",
        )),
    }
}

fn assistant(message: &mut Object) -> Read<Vec<Part>> {
    if message.has("audio") || message.has("function_call") {
        return Err(Fault::unsupported(
            message.at("audio, function_call"),
            "is not taken",
        ));
    }
    let mut parts = parts(message)?;
    if let Some(refusal) = message.text("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(text(refusal));
    }
    let calls = message.list("tool_calls")?.unwrap_or_default();
    for (index, value) in calls.into_iter().enumerate() {
        let mut call = Object::new(format!("{}[{index}]", message.at("tool_calls")), value)?;
        only_functions(&mut call)?;
        let id = call.needed_text("id")?;
        let signature = signature(&mut call)?;
        let mut function = call.needed_object("function")?;
        let arguments = function.text("arguments")?.unwrap_or_default();
        parts.push(Part::ToolCall(ToolCall {
            id,
            name: tool_name(function.at("name"), function.needed_text("name")?)?,
            arguments: whole_arguments(&function.at("arguments"), arguments)?,
            signature,
        }));
    }
    Ok(parts)
}

/// What Gemini wants back with a call, where its own compatible wire has it.
fn signature(call: &mut Object) -> Read<Option<String>> {
    let Some(mut extra) = call.object("extra_content")? else {
        return Ok(None);
    };
    match extra.object("google")? {
        Some(mut google) => google.text("thought_signature"),
        None => Ok(None),
    }
}

/// The arguments of a call are one JSON object.
pub(crate) fn whole_arguments(place: &str, arguments: String) -> Read<String> {
    if arguments.trim().is_empty() {
        return Ok("{}".to_owned());
    }
    match serde_json::from_str::<serde_json::Map<String, Value>>(&arguments) {
        Ok(_) => Ok(arguments),
        Err(_) => Err(Fault::invalid(place, "must be one JSON object, as text")),
    }
}
