//! What of a question another machine may read: all but its secrets, or nothing of it where the
//! settings say so. A model on this machine gets it whole, and so does the conversation that is
//! kept here.

use std::{borrow::Cow, sync::Arc};

use convergio_config::{PRIVACY_SECRETS, Settings, secrets::Redactor};
use convergio_contract::{ErrorCode, RpcError};
use convergio_models_api::{Message, ModelRequest, Part, Role};

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

fn mask(mut request: ModelRequest, redactor: &Redactor) -> Result<Outgoing, RpcError> {
    let shapes: Vec<String> = schemas(&mut request)
        .into_iter()
        .map(|schema| schema.to_string())
        .collect();
    let written: Vec<String> = request
        .texts_mut()
        .into_iter()
        .map(|text| text.clone())
        .collect();
    let mut texts: Vec<&str> = written.iter().map(String::as_str).collect();
    texts.extend(shapes.iter().map(String::as_str));
    let masked = convergio_review::mask_secrets(&texts).map_err(|error| {
        internal(
            "the question could not be searched for secrets",
            format!("{error}; nothing was sent"),
        )
    })?;
    let mut redactions = masked.count;
    let names = (masked.count > 0).then(|| names(&request));
    let mut places: Vec<String> = Vec::new();
    for place in &masked.places {
        let name = names.iter().flatten().nth(place.text);
        let text = texts.get(place.text).copied().unwrap_or_default();
        places.push(format!(
            "{} {}",
            place.kind,
            locate(name, text, place.start)
        ));
    }
    let mut changed = Vec::with_capacity(texts.len());
    for (number, text) in masked.texts.into_iter().enumerate() {
        // Keys of this machine have no form that a rule would know.
        let without = match redactor.redact(&text) {
            Cow::Owned(without) => {
                redactions = redactions.saturating_add(1);
                let names = self::names(&request);
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
    let mut changed = changed.into_iter();
    for text in request.texts_mut() {
        if let Some(without) = changed.next().flatten() {
            *text = without;
        }
    }
    for schema in schemas(&mut request) {
        if let Some(without) = changed.next().flatten() {
            *schema = serde_json::from_str(&without).map_err(|_| {
                RpcError::new(ErrorCode::InvalidParams, "a schema holds a secret")
                    .why("it cannot be masked there; nothing was sent")
                    .hint("cv ask --help")
            })?;
        }
    }
    Ok(Outgoing {
        request,
        redactions,
        places: places.into(),
    })
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
mod tests {
    use convergio_models_api::{OutputSchema, Tool, ToolCall};
    use serde_json::json;

    use super::*;

    /// Of the right form; nobody's.
    const AWS: &str = "AKIAQ3EGZ7L2MWXK9TPV";

    fn text(text: &str) -> Part {
        Part::Text { text: text.into() }
    }

    #[test]
    fn every_text_that_is_searched_has_its_name() {
        let call = ToolCall {
            id: "1".into(),
            name: "read".into(),
            arguments: "{}".into(),
            signature: None,
        };
        let result = Part::ToolResult {
            id: "1".into(),
            content: vec![text("one"), text("two")],
            is_error: false,
        };
        let user = |parts| Message {
            role: Role::User,
            parts,
        };
        let tool = |description: Option<&str>| Tool {
            name: "read".into(),
            description: description.map(str::to_owned),
            input_schema: json!({}),
            strict: false,
        };
        let mut request = ModelRequest {
            system: Some("be short".into()),
            messages: vec![
                Message::text(Role::User, "read it"),
                Message {
                    role: Role::Assistant,
                    parts: vec![text("yes"), Part::ToolCall(call)],
                },
                user(vec![result, text("and?")]),
            ],
            tools: vec![tool(None), tool(Some("reads"))],
            output_schema: Some(OutputSchema {
                name: "shape".into(),
                schema: json!({}),
            }),
            ..ModelRequest::default()
        };
        let searched = request.texts_mut().len() + schemas(&mut request).len();
        assert_eq!(names(&request).len(), searched);
        assert_eq!(
            names(&request),
            [
                "the standing instructions",
                "an earlier question",
                "an earlier answer",
                "what \"read\" was called with",
                "a tool's result",
                "a tool's result",
                "the question",
                "the description of \"read\"",
                "the answer's schema",
                "the schema of \"read\"",
                "the schema of \"read\"",
            ]
        );
    }

    #[test]
    fn a_place_is_a_line_of_the_file_or_of_the_text() {
        let question = "the question".to_owned();
        let at = |text: &str| locate(Some(&question), text, text.find(AWS).unwrap());
        assert_eq!(at(AWS), "in line 1 of the question");
        assert_eq!(at(&format!("a\nb {AWS}")), "in line 2 of the question");
        let file = format!("why?\n\n<file name=\"a.env\">\nx\nKEY={AWS}\n</file>\n");
        assert_eq!(at(&file), "in line 2 of a.env");
        let behind = format!("<stdin>\nx\n</stdin>\n{AWS}");
        assert_eq!(at(&behind), "in line 4 of the question");
        let piped = format!("<stdin id=\"0\">\n{AWS}\n</stdin id=\"0\">\n");
        assert_eq!(at(&piped), "in line 1 of stdin");
    }

    #[test]
    fn a_refusal_names_kind_and_place_and_never_the_secret() {
        let request = ModelRequest {
            messages: vec![Message::text(Role::User, format!("why is\n{AWS} refused?"))],
            ..ModelRequest::default()
        };
        let masked = mask(request, &Redactor::default()).unwrap();
        assert_eq!(
            &*masked.places,
            ["AWS access key in line 2 of the question"]
        );
        let told = holds_secrets("the question", masked.redactions, &masked.places);
        let said = serde_json::to_string(&told).unwrap();
        assert!(said.contains("AWS access key in line 2"), "{said}");
        assert!(!said.contains(AWS), "{said}");
    }

    #[test]
    fn a_secret_in_a_files_name_is_not_told_either() {
        let file = format!("why?\n<file name=\"{AWS}.txt\">\n{AWS}\n</file>\n");
        let request = ModelRequest {
            messages: vec![Message::text(Role::User, file)],
            ..ModelRequest::default()
        };
        let masked = mask(request, &Redactor::default()).unwrap();
        assert!(!masked.places.concat().contains(AWS), "{:?}", masked.places);
        assert_eq!(masked.redactions, 1);
    }
}
