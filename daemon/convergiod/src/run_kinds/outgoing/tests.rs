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

/// A request that has something in every place that a text may have.
fn full() -> ModelRequest {
    let call = ToolCall {
        id: "call-1".into(),
        name: "read".into(),
        arguments: r#"{"path":"a.txt","deep":[{"note":"first"}]}"#.into(),
        signature: Some("c2lnbmVk".into()),
    };
    let result = Part::ToolResult {
        id: "call-1".into(),
        content: vec![text("what it said")],
        is_error: false,
    };
    let reasoning = Part::Reasoning {
        text: "hm".into(),
        signature: Some("c2lnbmVk".into()),
        redacted: false,
    };
    let schema =
        json!({"type": "object", "description": "it", "properties": {"x": {"enum": ["a"]}}});
    ModelRequest {
        provider: "mock".into(),
        model: "large".into(),
        system: Some("be short".into()),
        messages: vec![
            Message::text(Role::User, "read it"),
            Message {
                role: Role::Assistant,
                parts: vec![reasoning, text("yes"), Part::ToolCall(call)],
            },
            Message {
                role: Role::User,
                parts: vec![result, text("and?")],
            },
        ],
        output_schema: Some(OutputSchema {
            name: "shape".into(),
            schema: schema.clone(),
        }),
        tools: vec![Tool {
            name: "read".into(),
            description: Some("reads".into()),
            input_schema: schema,
            strict: false,
        }],
        tool_choice: ToolChoice::Named("read".into()),
        stop_sequences: vec!["END".into()],
        ..ModelRequest::default()
    }
}

/// Every way to a text or a key below a value.
fn ways(value: &Value, way: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match value {
        Value::String(_) => found.push(way.clone()),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                way.push(number.to_string());
                ways(item, way, found);
                way.pop();
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                way.push(key.clone());
                ways(item, way, found);
                way.pop();
            }
        }
        _ => {}
    }
}

#[test]
fn a_secret_leaves_from_no_place_of_a_request() {
    let whole = serde_json::to_value(full()).unwrap();
    let mut found = Vec::new();
    ways(&whole, &mut Vec::new(), &mut found);
    let (mut tried, mut refused) = (0, 0);
    let escaped = AWS.replacen('A', "\\u0041", 1);
    let forms = [
        AWS.to_owned(),
        format!("key\n{AWS}\nend"),
        format!("\"{AWS}\""),
        format!(r#"{{"path":"{AWS}"}}"#),
        format!(r#"{{"{AWS}":"a"}}"#),
        format!(r#"{{"path":"{escaped}"}}"#),
        format!(r#"{{"{escaped}":1}}"#),
        format!(r#"{{"path":["x\n{AWS}","{escaped} and {AWS}"]}}"#),
    ];
    for (way, form) in found
        .iter()
        .flat_map(|way| forms.iter().map(move |f| (way, f)))
    {
        let mut changed = whole.clone();
        let pointer: String = way.iter().map(|step| format!("/{step}")).collect();
        *changed.pointer_mut(&pointer).unwrap() = json!(form);
        // Not every text may be any text: roles and kinds are words of ours. The name of the
        // provider is what the user calls it, and is not sent.
        let Ok(request) = serde_json::from_value::<ModelRequest>(changed) else {
            continue;
        };
        if pointer == "/provider" {
            continue;
        }
        tried += 1;
        let outgoing = match mask(request, &Redactor::default()) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                let told = serde_json::to_string(&error).unwrap();
                assert_eq!(error.code, ErrorCode::EgressDenied.code(), "{told}");
                assert!(
                    !told.contains(AWS) && told.contains("can't be masked"),
                    "{told}"
                );
                refused += 1;
                continue;
            }
        };
        let is_read = form.contains(AWS) || pointer.ends_with("/arguments");
        assert_eq!(outgoing.redactions > 0, is_read, "{pointer}: {form}");
        let mut seen = serde_json::to_string(&outgoing.request).unwrap();
        for part in outgoing.request.parts() {
            if let Part::ToolCall(call) = part {
                let read: Result<Value, _> = serde_json::from_str(&call.arguments);
                seen.push_str(&read.map_or_else(|_| String::new(), |read| read.to_string()));
            }
        }
        assert!(!seen.contains(AWS), "{pointer}: {form}: {seen}");
    }
    assert!(
        tried > 100 && refused > 50 && refused < tried,
        "{refused} of {tried}"
    );
}

#[test]
fn a_schema_keeps_its_keys_or_does_not_leave() {
    let mut request = full();
    let mut tool = request.tools[0].clone();
    tool.input_schema = json!({"properties": {AWS: {"type": "string"}}});
    request.tools = vec![tool];
    let told = mask(request, &Redactor::default()).map(|_| ()).unwrap_err();
    assert_eq!(told.code, ErrorCode::EgressDenied.code());
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
