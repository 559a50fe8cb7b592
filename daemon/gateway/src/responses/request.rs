//! The request.

use convergio_models_api::{ModelRequest, Part, Role, ToolCall};
use serde_json::{Value, json};

use crate::{
    ask::{Asked, MAX_OUTPUT_DEFAULT, MESSAGES_MAX, Turns, Wire, ignored, tool_name},
    chat::request::{data_url, effort, output_schema, whole_arguments},
    fault::Fault,
    read::{Object, Read, text},
    responses::tools::{FREE_TEXT, Tools, choice, known_as, settle},
};

/// What changes the answer and cannot be had.
const REFUSED: [(&str, &str); 5] = [
    (
        "previous_response_id",
        "nothing is kept here: send the whole conversation as `input`",
    ),
    (
        "conversation",
        "nothing is kept here: send the whole conversation as `input`",
    ),
    ("prompt", "saved prompts are the provider's"),
    ("top_logprobs", "probabilities are not offered"),
    ("moderation", "is not offered"),
];

pub(crate) fn read(value: Value) -> Read<Asked> {
    let mut fields = Object::new("", value)?;
    for (name, why) in REFUSED {
        if fields.has(name) {
            return Err(Fault::unsupported(name, why));
        }
    }
    if fields.flag("background")? == Some(true) {
        return Err(Fault::unsupported("background", "answers are not kept"));
    }
    let model = fields.needed_text("model")?;
    let stream = fields.flag("stream")?.unwrap_or(false);
    let mut request = ModelRequest {
        max_output: fields
            .tokens("max_output_tokens")?
            .unwrap_or(MAX_OUTPUT_DEFAULT),
        temperature: fields.number("temperature", 0.0, 2.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        parallel_tools: fields.flag("parallel_tool_calls")?,
        ..ModelRequest::default()
    };
    let mut left = Vec::new();
    if let Some(mut reasoning) = fields.object("reasoning")? {
        request.reasoning = effort(reasoning.text("effort")?)?;
        left.extend(reasoning.left());
    }
    if let Some(mut shape) = fields.object("text")? {
        format(&mut shape, &mut request)?;
        left.extend(shape.left());
    }
    let mut tools = Tools::default();
    tools.list(&mut fields, None)?;
    request.tool_choice = choice(&mut fields)?;
    let system: Vec<String> = fields.text("instructions")?.into_iter().collect();
    let input = fields
        .take("input")
        .ok_or_else(|| fields.missing("input"))?;
    turns(input, system, &mut request, &mut tools)?;
    let (tool_forms, left_out) = settle(tools, &mut request)?;
    left.extend(left_out);
    left.extend(fields.left());
    Ok(Asked {
        wire: Wire::Responses,
        model,
        request,
        stream,
        include_usage: true,
        ignored: ignored(left.into_iter()),
        tool_forms,
    })
}

fn format(shape: &mut Object, request: &mut ModelRequest) -> Read<()> {
    let Some(mut format) = shape.object("format")? else {
        return Ok(());
    };
    match format.needed_text("type")?.as_str() {
        "text" => {}
        "json_object" => request.json_object = true,
        "json_schema" => request.output_schema = Some(output_schema(&mut format)?),
        _ => {
            return Err(Fault::unsupported(
                format.at("type"),
                "must be text, json_object or json_schema",
            ));
        }
    }
    Ok(())
}

fn turns(
    input: Value,
    mut system: Vec<String>,
    request: &mut ModelRequest,
    tools: &mut Tools,
) -> Read<()> {
    let list = match input {
        Value::String(words) => vec![json!({"role": "user", "content": words})],
        Value::Array(list) => list,
        _ => return Err(Fault::invalid("input", "must be a string or a list")),
    };
    if list.len() > MESSAGES_MAX {
        return Err(Fault::invalid(
            "input",
            format!("at most {MESSAGES_MAX} items are taken"),
        ));
    }
    let mut turns = Turns::default();
    for (index, value) in list.into_iter().enumerate() {
        let mut item = Object::new(format!("input[{index}]"), value)?;
        let kind = item.text("type")?.unwrap_or_else(|| "message".to_owned());
        match kind.as_str() {
            "message" => match item.needed_text("role")?.as_str() {
                "system" | "developer" => {
                    for part in content(&mut item, "content")? {
                        let Part::Text { text } = part else {
                            return Err(Fault::unsupported(
                                item.at("content"),
                                "only text is taken here",
                            ));
                        };
                        system.push(text);
                    }
                }
                "user" => turns.push(Role::User, content(&mut item, "content")?),
                "assistant" => turns.push(Role::Assistant, content(&mut item, "content")?),
                other => {
                    return Err(Fault::unsupported(
                        item.at("role"),
                        format!("there is no role {other:?} here"),
                    ));
                }
            },
            // Tools that are told of along the way count as those at the beginning.
            "additional_tools" => tools.list(&mut item, None)?,
            "reasoning" => turns.push(Role::Assistant, vec![reasoning(&mut item)?]),
            "function_call" => {
                let arguments = item.text("arguments")?.unwrap_or_default();
                let arguments = whole_arguments(&item.at("arguments"), arguments)?;
                turns.push(Role::Assistant, vec![called(&mut item, arguments)?]);
            }
            "custom_tool_call" => {
                let words = item.text("input")?.unwrap_or_default();
                let arguments = json!({FREE_TEXT: words}).to_string();
                turns.push(Role::Assistant, vec![called(&mut item, arguments)?]);
            }
            "function_call_output" | "custom_tool_call_output" => {
                let result = Part::ToolResult {
                    id: item.needed_text("call_id")?,
                    content: content(&mut item, "output")?,
                    is_error: false,
                };
                turns.push(Role::User, vec![result]);
            }
            other => {
                return Err(Fault::unsupported(
                    item.at("type"),
                    format!("an item of type {other:?} is not taken"),
                ));
            }
        }
    }
    request.system = (!system.is_empty()).then(|| system.join("\n\n"));
    request.messages = turns.finish().map_err(|mut fault| {
        fault.param = Some("input".to_owned());
        fault
    })?;
    Ok(())
}

fn called(item: &mut Object, arguments: String) -> Read<Part> {
    let name = tool_name(item.at("name"), item.needed_text("name")?)?;
    let namespace = item.text("namespace")?;
    Ok(Part::ToolCall(ToolCall {
        id: item.needed_text("call_id")?,
        name: known_as(namespace.as_deref(), &name),
        arguments,
        signature: None,
    }))
}

fn reasoning(item: &mut Object) -> Read<Part> {
    let mut words = String::new();
    for (index, value) in item
        .list("summary")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let mut part = Object::new(format!("{}[{index}]", item.at("summary")), value)?;
        words.push_str(&part.needed_text("text")?);
    }
    Ok(Part::Reasoning {
        text: words,
        signature: item
            .text("encrypted_content")?
            .filter(|text| !text.is_empty()),
        redacted: false,
    })
}

/// A string, or a list of parts; empty texts are left out.
fn content(item: &mut Object, name: &str) -> Read<Vec<Part>> {
    let list = match item.take(name) {
        None => return Ok(Vec::new()),
        Some(Value::String(words)) if words.is_empty() => return Ok(Vec::new()),
        Some(Value::String(words)) => return Ok(vec![text(words)]),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(item.wrong(name, "a string or a list", &other)),
    };
    let mut parts = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let mut part = Object::new(format!("{}[{index}]", item.at(name)), value)?;
        match part.needed_text("type")?.as_str() {
            "input_text" | "output_text" | "text" => {
                let words = part.needed_text("text")?;
                if !words.is_empty() {
                    parts.push(text(words));
                }
            }
            "refusal" => parts.push(text(part.needed_text("refusal")?)),
            "input_image" => {
                let place = part.at("image_url");
                parts.push(data_url(place, &part.needed_text("image_url")?)?);
            }
            other => {
                return Err(Fault::unsupported(
                    part.at("type"),
                    format!("a part of type {other:?} is not taken"),
                ));
            }
        }
    }
    Ok(parts)
}
