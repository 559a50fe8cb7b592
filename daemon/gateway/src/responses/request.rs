//! The request.

use convergio_models_api::{ModelRequest, Part, Role, Tool, ToolCall, ToolChoice};
use serde_json::{Value, json};

use crate::{
    ask::{Asked, MAX_OUTPUT_DEFAULT, MESSAGES_MAX, TOOLS_MAX, Turns, Wire, ignored, tool_name},
    chat::request::{data_url, effort, function_tool, output_schema, whole_arguments},
    fault::Fault,
    read::{Object, Read, text},
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

/// The one argument of a tool that takes any text.
pub(crate) const FREE_TEXT: &str = "input";

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
    if let Some(mut reasoning) = fields.object("reasoning")? {
        request.reasoning = effort(reasoning.text("effort")?)?;
    }
    if let Some(mut shape) = fields.object("text")? {
        format(&mut shape, &mut request)?;
    }
    let mut left_out = Vec::new();
    let mut free_text_tools = tools(&mut fields, &mut request, &mut left_out)?;
    let system: Vec<String> = fields.text("instructions")?.into_iter().collect();
    let input = fields
        .take("input")
        .ok_or_else(|| fields.missing("input"))?;
    let told = (&mut free_text_tools, &mut left_out);
    turns(input, system, &mut request, told)?;
    if request.tools.is_empty() && !left_out.is_empty() {
        return Err(Fault::unsupported(
            "tools",
            "tools that the provider runs are not offered",
        ));
    }
    left_out.extend(fields.left());
    Ok(Asked {
        wire: Wire::Responses,
        model,
        request,
        stream,
        include_usage: true,
        ignored: ignored(left_out.into_iter()),
        free_text_tools,
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

/// Reads the tools; the names of those that take any text.
fn tools(
    fields: &mut Object,
    request: &mut ModelRequest,
    left_out: &mut Vec<String>,
) -> Read<Vec<String>> {
    let list = fields.list("tools")?.unwrap_or_default();
    if list.len() > TOOLS_MAX {
        return Err(Fault::invalid(
            "tools",
            format!("at most {TOOLS_MAX} are taken"),
        ));
    }
    let mut free = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let mut tool = Object::new(format!("{}[{index}]", fields.at("tools")), value)?;
        match tool.needed_text("type")?.as_str() {
            "function" => request.tools.push(function_tool(tool)?),
            "custom" => {
                let made = free_text_tool(tool)?;
                free.push(made.name.clone());
                request.tools.push(made);
            }
            // A tool that the model is not told of changes no word of the conversation.
            hosted => left_out.push(format!("{}({hosted})", tool.path)),
        }
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
            match choice.needed_text("type")?.as_str() {
                "function" | "custom" => ToolChoice::Named(choice.needed_text("name")?),
                _ => {
                    return Err(Fault::unsupported(
                        choice.at("type"),
                        "only functions are offered",
                    ));
                }
            }
        }
    };
    Ok(free)
}

/// A tool that takes any text: a function of one argument. Its grammar is told, not enforced.
fn free_text_tool(mut tool: Object) -> Read<Tool> {
    let name = tool_name(tool.at("name"), tool.needed_text("name")?)?;
    let mut description = tool.text("description")?.unwrap_or_default();
    if let Some(mut format) = tool.object("format")?
        && let Some(grammar) = format.text("definition")?
    {
        let syntax = format.text("syntax")?.unwrap_or_default();
        description.push_str(&format!(
            "\n\n`{FREE_TEXT}` must fit this {syntax} grammar:\n{grammar}"
        ));
    }
    Ok(Tool {
        name,
        description: (!description.is_empty()).then_some(description),
        input_schema: json!({
            "type": "object",
            "properties": {FREE_TEXT: {"type": "string"}},
            "required": [FREE_TEXT],
            "additionalProperties": false,
        }),
        strict: false,
    })
}

fn turns(
    input: Value,
    mut system: Vec<String>,
    request: &mut ModelRequest,
    (free, left_out): (&mut Vec<String>, &mut Vec<String>),
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
            "additional_tools" => {
                let choice = request.tool_choice.clone();
                free.extend(tools(&mut item, request, left_out)?);
                request.tool_choice = choice;
            }
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
    Ok(Part::ToolCall(ToolCall {
        id: item.needed_text("call_id")?,
        name: tool_name(item.at("name"), item.needed_text("name")?)?,
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
