//! What of a question another machine may read: all but its secrets, or nothing of it where the
//! settings say so. A model on this machine gets it whole, and so does the conversation that is
//! kept here.

use std::{borrow::Cow, ops::Range, sync::Arc};

use convergio_config::{PRIVACY_SECRETS, Settings, secrets::Redactor};
use convergio_contract::{ErrorCode, RpcError};
use convergio_models_api::{Message, ModelRequest, Part, Role, ToolChoice};
use serde_json::Value;

use super::json_texts;
use crate::failure::internal;

/// Less text than this is searched where it stands: a thread of its own costs more.
const SEARCHED_AT_ONCE_MAX_BYTES: u64 = 16 << 10;
/// Of a file's name, where a secret in it is told.
const FILE_NAME_MAX_BYTES: usize = 120;
/// Places that an error names.
const PLACES_TOLD_MAX: usize = 5;

/// A request as it may leave this machine.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// Without the secrets.
    pub(crate) request: ModelRequest,
    /// Distinct secrets that were masked.
    pub(crate) redactions: u32,
    /// What some of them are and where they stand, never the secrets themselves.
    pub(crate) places: Arc<[String]>,
}

/// The settings let nothing leave that holds a secret.
pub(crate) fn refuses_secrets(settings: &Settings) -> bool {
    settings.value(&PRIVACY_SECRETS) == "refuse"
}

/// Why `what` is not sent where nothing with a secret may leave.
pub(crate) fn holds_secrets(what: &str, redactions: u32, places: &[String]) -> RpcError {
    let count = match redactions {
        1 => "a secret".to_owned(),
        many => format!("{many} secrets"),
    };
    let mut why = places
        .iter()
        .take(PLACES_TOLD_MAX)
        .cloned()
        .collect::<Vec<_>>();
    if places.len() > why.len() {
        why.push("and others".to_owned());
    }
    why.push("what holds a secret does not leave this machine, and nothing was sent".to_owned());
    RpcError::new(ErrorCode::EgressDenied, format!("{what} holds {count}"))
        .why(why.join("; "))
        .hint("cv config explain privacy.secrets")
}

/// The request without its secrets: those whose form the review knows, and this machine's own
/// keys.
///
/// # Errors
/// What cannot be searched is not sent.
pub(crate) async fn outgoing(
    request: ModelRequest,
    redactor: Redactor,
) -> Result<Outgoing, RpcError> {
    if request.text_bytes() <= SEARCHED_AT_ONCE_MAX_BYTES {
        return mask(request, &redactor);
    }
    let masking = tokio::task::spawn_blocking(move || mask(request, &redactor));
    masking.await.unwrap_or_else(|error| {
        Err(internal(
            "the question could not be searched for secrets",
            error.to_string(),
        ))
    })
}

/// The schemas that the model reads, in a fixed order.
fn schemas(request: &mut ModelRequest) -> Vec<&mut serde_json::Value> {
    let shape = request.output_schema.iter_mut();
    let tools = request.tools.iter_mut();
    shape
        .map(|shape| &mut shape.schema)
        .chain(tools.map(|tool| &mut tool.input_schema))
        .collect()
}

/// What is searched and never changed, because it would mean something else: names, ids, what ends
/// an answer, what a provider signed. With what a person calls it.
fn fixed(request: &ModelRequest) -> Vec<(&'static str, String)> {
    let mut fixed = vec![("the model's name", request.model.clone())];
    let mut add = |name, text: &str| fixed.push((name, text.to_owned()));
    for stop in &request.stop_sequences {
        add("a stop sequence", stop);
    }
    if let Some(shape) = &request.output_schema {
        add("the name of the answer's schema", &shape.name);
    }
    for tool in &request.tools {
        add("the name of a tool", &tool.name);
    }
    if let ToolChoice::Named(name) = &request.tool_choice {
        add("the name of a tool", name);
    }
    for part in request.parts() {
        match part {
            Part::ToolCall(call) => {
                add("the id of a tool's call", &call.id);
                add("the name of a called tool", &call.name);
                if let Some(signature) = &call.signature {
                    add("the signature of a tool's call", signature);
                }
            }
            Part::ToolResult { id, .. } => add("the id of a tool's result", id),
            Part::Reasoning {
                text, signature, ..
            } => {
                add("what a model reasoned", text);
                if let Some(signature) = signature {
                    add("the signature of what a model reasoned", signature);
                }
            }
            Part::Image(image) => add("a picture's type", &image.media_type),
            Part::Text { .. } => {}
        }
    }
    fixed
}

/// A text of the request that is JSON.
struct Json {
    /// Which of the searched texts.
    number: usize,
    value: Value,
    /// Where its own texts are among the searched ones, where it needs that.
    leaves: Option<Range<usize>>,
}

fn mask(mut request: ModelRequest, redactor: &Redactor) -> Result<Outgoing, RpcError> {
    let unsearched = |error: convergio_review::Unsearched| {
        internal(
            "the question could not be searched for secrets",
            format!("{error}; nothing was sent"),
        )
    };
    let mut written: Vec<String> = Vec::new();
    for text in request.texts_mut() {
        written.push(text.clone());
    }
    let schemas_from = written.len();
    for schema in schemas(&mut request) {
        written.push(schema.to_string());
    }
    let mut names = names(&request);
    let own = written.len();
    let mut json: Vec<Json> = Vec::new();
    for number in (schemas_from..own).chain(arguments(&request)) {
        let raw = written.get(number).map(String::as_str).unwrap_or_default();
        if let Ok(value) = serde_json::from_str(raw) {
            json.push(Json {
                number,
                value,
                leaves: None,
            });
        }
    }
    for (name, text) in fixed(&request) {
        names.push(name.to_owned());
        written.push(text);
    }
    for one in &json {
        if !json_texts::may_hide(written.get(one.number).map_or("", String::as_str)) {
            continue;
        }
        for key in json_texts::texts(&one.value).1 {
            names.push("the keys of JSON".to_owned());
            written.push(key);
        }
    }
    let mut unchanged = own..written.len();
    for one in &mut json {
        if !json_texts::may_hide(written.get(one.number).map_or("", String::as_str)) {
            continue;
        }
        let start = written.len();
        for leaf in json_texts::texts(&one.value).0 {
            names.push(names.get(one.number).cloned().unwrap_or_default());
            written.push(leaf);
        }
        one.leaves = Some(start..written.len());
    }
    let texts: Vec<&str> = written.iter().map(String::as_str).collect();
    let masked = convergio_review::mask_secrets(&texts).map_err(unsearched)?;
    let mut redactions = masked.count;
    let mut places: Vec<String> = Vec::new();
    for place in &masked.places {
        let text = texts.get(place.text).copied().unwrap_or_default();
        let place_name = locate(names.get(place.text), text, place.start);
        places.push(format!("{} {place_name}", place.kind));
    }
    let mut changed: Vec<Option<String>> = Vec::with_capacity(texts.len());
    for (number, text) in masked.texts.into_iter().enumerate() {
        // Keys of this machine have no form that a rule would know.
        let without = match redactor.redact(&text) {
            Cow::Owned(without) => {
                redactions = redactions.saturating_add(1);
                let differ = |(one, other): (u8, u8)| one != other;
                let start = text.bytes().zip(without.bytes()).position(differ);
                let place = locate(names.get(number), &text, start.unwrap_or(0));
                places.push(format!("a key of this machine {place}"));
                Some(without)
            }
            Cow::Borrowed(_) => match text {
                Cow::Owned(without) => Some(without),
                Cow::Borrowed(_) => None,
            },
        };
        changed.push(without);
    }
    // A file's name may hold one too.
    for place in &mut places {
        let without = convergio_review::mask_secrets(&[place]).map(|mut name| name.texts.pop());
        let without = without.ok().flatten().unwrap_or_default();
        *place = redactor.redact(&without).into_owned();
    }
    let found: Vec<bool> = changed.iter().map(Option::is_some).collect();
    let is_changed = |number: &usize| found.get(*number).is_some_and(|found| *found);
    if let Some(number) = unchanged.find(is_changed) {
        return Err(unmaskable(names.get(number), redactions, &places));
    }
    for one in &json {
        let own: Option<Vec<String>> = one.leaves.clone().map(|leaves| {
            let text = |number: usize| changed.get(number).cloned().flatten();
            let was = |number: usize| written.get(number).cloned().unwrap_or_default();
            leaves.map(|n| text(n).unwrap_or_else(|| was(n))).collect()
        });
        let hidden = one
            .leaves
            .clone()
            .is_some_and(|mut all| all.any(|n| is_changed(&n)));
        if !hidden && !is_changed(&one.number) {
            continue;
        }
        let raw = changed.get(one.number).and_then(Option::as_deref);
        let raw = raw.or(written.get(one.number).map(String::as_str));
        let after = json_texts::without(&one.value, raw.unwrap_or_default(), own.as_deref());
        let Some(after) = after else {
            return Err(unmaskable(names.get(one.number), redactions, &places));
        };
        if let Some(place) = changed.get_mut(one.number) {
            *place = Some(after.to_string());
        }
    }
    let mut changed = changed.into_iter();
    for text in request.texts_mut() {
        if let Some(without) = changed.next().flatten() {
            *text = without;
        }
    }
    for schema in schemas(&mut request) {
        if let Some(without) = changed.next().flatten() {
            *schema = serde_json::from_str(&without)
                .map_err(|_| unmaskable(None, redactions, &places))?;
        }
    }
    Ok(Outgoing {
        request,
        redactions,
        places: places.into(),
    })
}

/// Which of the texts that people or tools wrote are what a tool was called with.
fn arguments(request: &ModelRequest) -> Vec<usize> {
    let mut numbers = Vec::new();
    let mut number = usize::from(request.system.is_some());
    for part in request.messages.iter().flat_map(|turn| &turn.parts) {
        match part {
            Part::ToolCall(_) => {
                numbers.push(number);
                number += 1;
            }
            Part::Text { .. } => number += 1,
            Part::ToolResult { content, .. } => {
                let texts = content.iter();
                number += texts
                    .filter(|part| matches!(part, Part::Text { .. }))
                    .count();
            }
            Part::Image(_) | Part::Reasoning { .. } => {}
        }
    }
    numbers
}

/// Why nothing is sent, whatever the settings say of secrets elsewhere.
fn unmaskable(name: Option<&String>, redactions: u32, places: &[String]) -> RpcError {
    let name = name.map_or("a schema", String::as_str);
    let mut places = places.to_vec();
    places.truncate(PLACES_TOLD_MAX - 1);
    places.push(format!(
        "in {name} it can't be masked without changing what is asked"
    ));
    holds_secrets("the question", redactions.max(1), &places)
}

/// What a person calls each text, in the order in which they are searched.
fn names(request: &ModelRequest) -> Vec<String> {
    let mut names: Vec<String> = request
        .system
        .iter()
        .map(|_| "the standing instructions".to_owned())
        .collect();
    let last = request.messages.len().saturating_sub(1);
    for (number, message) in request.messages.iter().enumerate() {
        names.extend(message.parts.iter().flat_map(|part| match part {
            Part::Text { .. } => vec![turn(message, number == last)],
            Part::ToolCall(call) => vec![format!("what {:?} was called with", call.name)],
            Part::ToolResult { content, .. } => {
                let texts = content
                    .iter()
                    .filter(|inner| matches!(inner, Part::Text { .. }));
                texts.map(|_| "a tool's result".to_owned()).collect()
            }
            Part::Image(_) | Part::Reasoning { .. } => Vec::new(),
        }));
    }
    let described = request
        .tools
        .iter()
        .filter(|tool| tool.description.is_some());
    names.extend(described.map(|tool| format!("the description of {:?}", tool.name)));
    let shape = request.output_schema.iter();
    names.extend(shape.map(|_| "the answer's schema".to_owned()));
    let tools = request.tools.iter();
    names.extend(tools.map(|tool| format!("the schema of {:?}", tool.name)));
    names
}

fn turn(message: &Message, last: bool) -> String {
    let name = match (message.role, last) {
        (Role::User, true) => "the question",
        (Role::User, false) => "an earlier question",
        (Role::Assistant, _) => "an earlier answer",
    };
    name.to_owned()
}

/// In which line a place is: of the file that stands there between its marks, else of the text.
fn locate(name: Option<&String>, text: &str, start: usize) -> String {
    let before = text.get(..start).unwrap_or_default();
    for (lines, line) in before.rsplit('\n').enumerate() {
        if line.starts_with("</file") || line.starts_with("</stdin") {
            break;
        }
        if lines > 0 && line.starts_with("<stdin") {
            return format!("in line {lines} of stdin");
        }
        let file = line.strip_prefix("<file name=\"");
        if let Some((file, _)) = file.and_then(|rest| rest.split_once('"')) {
            let file: String = file.chars().filter(|c| !c.is_control()).collect();
            let end = file.floor_char_boundary(FILE_NAME_MAX_BYTES);
            return format!("in line {lines} of {}", &file[..end]);
        }
    }
    let line = before.matches('\n').count() + 1;
    let name = name.map_or("the question", String::as_str);
    format!("in line {line} of {name}")
}

#[cfg(test)]
mod tests;
