//! The tools that a program offers, and what its calls are called on the wire.

use std::collections::BTreeMap;

use convergio_models_api::{ModelRequest, Tool, ToolChoice};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    ask::{TOOLS_MAX, ToolForm, tool_name},
    chat::request::function_tool,
    fault::Fault,
    read::{Object, Read},
};

/// The one argument of a tool that takes any text.
pub(crate) const FREE_TEXT: &str = "input";
/// Bytes that a tool's name may have.
const NAME_MAX_BYTES: usize = 64;
/// What stands between a namespace and a name.
const BETWEEN: &str = "__";

/// The tools as they are read, one list after the other.
#[derive(Default)]
pub(crate) struct Tools {
    /// What the model is told of.
    pub(crate) offered: Vec<Tool>,
    /// Those whose calls are no plain function calls, by the name that the model knows.
    pub(crate) forms: BTreeMap<String, ToolForm>,
    /// What the model is not told of.
    pub(crate) left_out: Vec<String>,
}

impl Tools {
    /// Reads a list of tools. Tools that the provider would run are left out: a tool that the model
    /// is not told of changes no word of the conversation.
    pub(crate) fn list(&mut self, fields: &mut Object, namespace: Option<&str>) -> Read<()> {
        let list = fields.list("tools")?.unwrap_or_default();
        for (index, value) in list.into_iter().enumerate() {
            let mut tool = Object::new(format!("{}[{index}]", fields.at("tools")), value)?;
            let kind = tool.needed_text("type")?;
            match (kind.as_str(), namespace) {
                ("function", _) => self.offer(function_tool(tool)?, namespace, false)?,
                ("custom", _) => self.offer(free_text_tool(tool)?, namespace, true)?,
                ("namespace", None) => {
                    let name = tool.needed_text("name")?;
                    let about = tool.text("description")?;
                    let first = self.offered.len();
                    self.list(&mut tool, Some(&name))?;
                    if let (Some(about), Some(first)) = (about, self.offered.get_mut(first)) {
                        // Said once, where the group begins.
                        let own = first.description.take().unwrap_or_default();
                        first.description = Some(format!("[{name}: {about}]\n\n{own}"));
                    }
                }
                (hosted, _) => self.left_out.push(format!("{}({hosted})", tool.path)),
            }
            if self.offered.len() > TOOLS_MAX {
                let message = format!("at most {TOOLS_MAX} are taken");
                return Err(Fault::invalid("tools", message));
            }
        }
        Ok(())
    }

    fn offer(&mut self, mut tool: Tool, namespace: Option<&str>, free_text: bool) -> Read<()> {
        let name = tool.name.clone();
        tool.name = known_as(namespace, &name);
        let form = (free_text || namespace.is_some()).then(|| ToolForm {
            name,
            namespace: namespace.map(str::to_owned),
            free_text,
        });
        let known = self
            .offered
            .iter_mut()
            .find(|other| other.name == tool.name);
        match known {
            // Told again along the way: the last word counts.
            Some(known) if self.forms.get(&tool.name) == form.as_ref() => *known = tool,
            Some(_) => {
                let message = format!("{:?} is the name of two tools", tool.name);
                return Err(Fault::invalid("tools", message));
            }
            None => {
                if let Some(form) = form {
                    self.forms.insert(tool.name.clone(), form);
                }
                self.offered.push(tool);
            }
        }
        Ok(())
    }
}

/// What the model calls a tool of a namespace. The same for the same pair, because conversations
/// come back with it.
pub(crate) fn known_as(namespace: Option<&str>, name: &str) -> String {
    let Some(namespace) = namespace else {
        return name.to_owned();
    };
    let fits = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
        true => c,
        false => '_',
    };
    let both: String = format!("{namespace}{BETWEEN}{name}")
        .chars()
        .map(fits)
        .collect();
    if both.len() <= NAME_MAX_BYTES && both.starts_with(namespace) {
        return both;
    }
    // Cut or changed: what tells it from its likes goes behind it.
    let hash = Sha256::digest(format!("{namespace}\0{name}").as_bytes());
    let mark: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let kept: String = both.chars().take(NAME_MAX_BYTES - 1 - mark.len()).collect();
    format!("{kept}_{mark}")
}

/// Which tool is to be called.
pub(crate) fn choice(fields: &mut Object) -> Read<ToolChoice> {
    match fields.take("tool_choice") {
        None => Ok(ToolChoice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(Fault::invalid(
                "tool_choice",
                "must be auto, none, required or a function",
            )),
        },
        Some(value) => {
            let mut choice = Object::new("tool_choice", value)?;
            match choice.needed_text("type")?.as_str() {
                "function" | "custom" => {
                    let name = choice.needed_text("name")?;
                    let namespace = choice.text("namespace")?;
                    Ok(ToolChoice::Named(known_as(namespace.as_deref(), &name)))
                }
                _ => Err(Fault::unsupported(
                    choice.at("type"),
                    "only functions are offered",
                )),
            }
        }
    }
}

/// Puts the tools into the request.
pub(crate) fn settle(tools: Tools, request: &mut ModelRequest) -> Read<ToolsTold> {
    if tools.offered.is_empty() && !tools.left_out.is_empty() {
        return Err(Fault::unsupported(
            "tools",
            "tools that the provider runs are not offered",
        ));
    }
    request.tools = tools.offered;
    Ok((tools.forms, tools.left_out))
}

/// How calls are written, and what was left out.
pub(crate) type ToolsTold = (BTreeMap<String, ToolForm>, Vec<String>);

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
