//! What every provider sends, and what it must become.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::LazyLock};

use convergio_egress::Egress;
use convergio_fake_provider::{FakeProvider, Reply, Script};
use convergio_models_api::{ModelEvent, StopReason, Usage};
use convergio_models_remote::{
    Expectation, JsonSupport, Kind, ModelTraits, ProviderRow, StreamDecoder,
};
use serde::Deserialize;

use crate::{
    rows::{row, rows},
    support::{Outcome, call_with, egress, endpoint_of, request},
};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamCase {
    file: String,
    pub(crate) text: String,
    #[serde(default)]
    reasoning: String,
    stop: Option<String>,
    usage: Option<BTreeMap<String, u64>>,
    #[serde(default)]
    json_by_tool: bool,
    /// The provider's row says that it leaves the end marker out.
    #[serde(default)]
    no_end_marker: bool,
    #[serde(default)]
    tool_calls: Vec<Call>,
    /// What the provider wants back with its reasoning.
    #[serde(default)]
    signatures: Vec<String>,
    /// Reasoning that is withheld.
    #[serde(default)]
    redacted: Vec<String>,
    class: Option<String>,
    says: Option<String>,
    code: Option<String>,
    request_id: Option<String>,
    model: Option<String>,
    /// The answer, head and body.
    #[serde(skip)]
    pub(crate) head: String,
    #[serde(skip)]
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
    signature: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorCase {
    name: String,
    status: u16,
    body: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    class: String,
    says: Option<String>,
    code: Option<String>,
    retry_after_ms: Option<u64>,
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct Streams {
    stream: Vec<StreamCase>,
}

#[derive(Deserialize)]
struct Errors {
    error: Vec<ErrorCase>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn read(provider: &str, file: &str) -> String {
    let path = folder().join(provider).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: every provider of the catalogue has fixtures",
            path.display()
        )
    })
}

pub(crate) fn own_streams(provider: &str) -> Vec<StreamCase> {
    let streams: Streams = toml::from_str(&read(provider, "streams.toml")).unwrap();
    let mut cases = streams.stream;
    for case in &mut cases {
        let text = read(provider, &case.file);
        let (head, body) = text.split_once("\n\n").unwrap();
        case.head = head.replace('\n', "\r\n");
        case.body = body.as_bytes().to_vec();
    }
    cases
}

pub(crate) fn own_errors(provider: &str) -> Vec<ErrorCase> {
    let errors: Errors = toml::from_str(&read(provider, "errors.toml")).unwrap();
    errors.error
}

/// The provider whose fixtures show the whole dialect: the one that is called like it.
pub(crate) fn speaker(kind: Kind) -> &'static str {
    kind.as_str()
}

/// What a provider sends: its own, and all of its dialect.
fn streams(row: &ProviderRow) -> Vec<StreamCase> {
    let mut cases = own_streams(&row.name);
    assert_eq!(cases[0].file, "success.http", "{}", row.name);
    if speaker(row.kind) != row.name {
        cases.extend(own_streams(speaker(row.kind)));
    }
    cases
}

/// The plain success of every provider.
pub(crate) fn successes() -> Vec<(&'static ProviderRow, StreamCase)> {
    let rows = rows().into_iter();
    rows.map(|row| (row, own_streams(&row.name).remove(0)))
        .collect()
}

/// The body of every stream of every dialect.
pub(crate) fn bodies() -> &'static [(Kind, Vec<u8>)] {
    static BODIES: LazyLock<Vec<(Kind, Vec<u8>)>> = LazyLock::new(|| {
        let kinds = Kind::ALL.iter();
        kinds
            .flat_map(|&kind| {
                let cases = own_streams(speaker(kind)).into_iter();
                cases.map(move |case| (kind, case.body))
            })
            .collect()
    });
    &BODIES
}

/// The whole response on the wire.
pub(crate) fn response(case: &StreamCase) -> Vec<u8> {
    let length = case.body.len();
    let mut bytes = format!("{}\r\ncontent-length: {length}\r\n\r\n", case.head).into_bytes();
    bytes.extend_from_slice(&case.body);
    bytes
}

pub(crate) fn decode(kind: Kind, json_by_tool: bool, pieces: &[&[u8]], ended: bool) -> Outcome {
    let expectation = Expectation {
        json_by_tool,
        ..Expectation::default()
    };
    decode_expecting(kind, expectation, pieces, ended)
}

fn decode_expecting(
    kind: Kind,
    expectation: Expectation,
    pieces: &[&[u8]],
    ended: bool,
) -> Outcome {
    let mut decoder = StreamDecoder::new(kind, expectation).unwrap();
    let mut outcome = Outcome::default();
    for piece in pieces {
        if decoder.feed(piece, &mut outcome.events).is_err() {
            return outcome;
        }
    }
    if ended {
        let _ = decoder.finish(&mut outcome.events);
    }
    outcome
}

/// Arguments that a provider sent as an object are written again, and in which order depends on how
/// the JSON library was built.
fn without_key_order(calls: &[Call]) -> Vec<(Call, Option<serde_json::Value>)> {
    let one = |call: &Call| {
        let value = serde_json::from_str(&call.arguments).ok();
        let mut call = call.clone();
        if value.is_some() {
            call.arguments.clear();
        }
        (call, value)
    };
    calls.iter().map(one).collect()
}

fn check(case: &StreamCase, outcome: &Outcome, where_: &str) {
    assert_eq!(outcome.text(), case.text, "{where_}");
    assert_eq!(outcome.reasoning(), case.reasoning, "{where_}");
    let calls = tool_calls(&outcome.events, where_);
    if case.class.is_none() {
        assert_eq!(
            without_key_order(&calls),
            without_key_order(&case.tool_calls),
            "{where_}"
        );
    }
    let mut signatures = Vec::new();
    let mut redacted = Vec::new();
    for event in &outcome.events {
        match event {
            ModelEvent::ReasoningSignature(signature) => signatures.push(signature.clone()),
            ModelEvent::RedactedReasoning(data) => redacted.push(data.clone()),
            _ => {}
        }
    }
    assert_eq!(signatures, case.signatures, "{where_}");
    assert_eq!(redacted, case.redacted, "{where_}");
    let usage = outcome.events.iter().rev().find_map(|event| match event {
        ModelEvent::Usage(usage) => Some(*usage),
        _ => None,
    });
    let reported = usage.filter(|usage| !usage.is_empty()).map(by_name);
    assert_eq!(reported, case.usage, "{where_}");
    assert!(usage.is_none_or(|usage| !usage.inconsistent), "{where_}");
    let stops: Vec<&StopReason> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            ModelEvent::Stop(stop) => Some(stop),
            _ => None,
        })
        .collect();
    let expected: Vec<&String> = case.stop.iter().collect();
    let shown: Vec<String> = stops.iter().map(ToString::to_string).collect();
    assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{where_}");
    if case.stop.is_some() {
        assert!(
            matches!(outcome.events.last(), Some(ModelEvent::Stop(_))),
            "{where_}"
        );
    }
    let starts = outcome
        .events
        .iter()
        .filter(|event| matches!(event, ModelEvent::Started { .. }))
        .count();
    assert_eq!(starts, 1, "{where_}");
    assert!(
        matches!(outcome.events[0], ModelEvent::Started { .. }),
        "{where_}"
    );
}

/// The calls of an answer, each piece where it belongs.
pub(crate) fn tool_calls(events: &[ModelEvent], where_: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for event in events {
        match event {
            ModelEvent::ToolCall {
                index,
                id,
                name,
                signature,
            } => {
                assert_eq!(*index as usize, calls.len(), "{where_}");
                calls.push(Call {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    signature: signature.clone(),
                });
            }
            ModelEvent::ToolArguments { index, json } => {
                assert!(!json.is_empty(), "{where_}");
                calls[*index as usize].arguments.push_str(json);
            }
            _ => {}
        }
    }
    calls
}

fn by_name(usage: Usage) -> BTreeMap<String, u64> {
    usage
        .reported()
        .map(|(resource, quantity)| (resource.to_string(), quantity))
        .collect()
}

#[tokio::test]
async fn every_stream_of_every_provider_becomes_what_it_says() {
    let egress = egress();
    for row in rows() {
        for case in streams(row) {
            stream_becomes(&egress, row, &case).await;
        }
    }
}

/// Serves a stream whole and in pieces, as if this provider sent it.
pub(crate) async fn stream_becomes(egress: &Egress, row: &ProviderRow, case: &StreamCase) {
    for cut in [None, Some(1), Some(7)] {
        let where_ = format!("{} {} {cut:?}", row.name, case.file);
        let mut reply = Reply::raw(response(case));
        if let Some(bytes) = cut {
            reply = reply.split_every(bytes);
        }
        let server = FakeProvider::start(Script::always(reply).any_path());
        let mut endpoint = endpoint_of(row, &server);
        endpoint.dialect.end_marker &= !case.no_end_marker;
        let mut request = request(&row.name);
        if case.json_by_tool {
            let traits = ModelTraits {
                json: Some(JsonSupport::Tool),
                ..ModelTraits::default()
            };
            endpoint.models.insert("m".to_owned(), traits);
            request.output_schema = Some(crate::requests::schema());
        }
        let outcome = call_with(egress, &endpoint, request).await;
        check(case, &outcome, &where_);
        assert_eq!(outcome.class(), case.class.as_deref(), "{where_}");
        if let Some(error) = &outcome.error {
            let says = case.says.as_deref().unwrap_or("");
            assert!(error.message.contains(says), "{where_}: {error}");
            if case.code.is_some() {
                assert_eq!(error.code, case.code, "{where_}");
            }
            if case.request_id.is_some() {
                assert_eq!(error.request_id, case.request_id, "{where_}");
            }
        }
        let ModelEvent::Started { request_id, model } = &outcome.events[0] else {
            panic!("{where_}");
        };
        if case.request_id.is_some() {
            assert_eq!(*request_id, case.request_id, "{where_}");
        }
        if case.model.is_some() {
            assert_eq!(*model, case.model, "{where_}");
        }
        let calls = server.requests();
        assert_eq!(calls.len(), 1, "{where_}");
        // In whichever header the dialect has it.
        let key = calls[0].headers.iter().filter(|(_, value)| {
            value.strip_prefix("Bearer ").unwrap_or(value) == crate::support::KEY
        });
        assert_eq!(key.count(), 1, "{where_}");
    }
}

#[test]
fn streams_cut_anywhere_become_the_same() {
    for row in rows() {
        for case in own_streams(&row.name) {
            let body = &*case.body;
            let expectation = Expectation {
                json_by_tool: case.json_by_tool,
                no_end_marker: case.no_end_marker,
                ..Expectation::default()
            };
            let decoded = |pieces: &[&[u8]]| decode_expecting(row.kind, expectation, pieces, true);
            let whole = decoded(&[body]);
            check(&case, &whole, &case.file);
            for at in 0..=body.len() {
                let cut = decoded(&[&body[..at], &body[at..]]);
                assert_eq!(cut, whole, "{} {} at {at}", row.name, case.file);
            }
            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(decoded(&bytes), whole, "{} {}", row.name, case.file);
        }
    }
}

#[tokio::test]
async fn every_documented_error_has_its_class() {
    let egress = egress();
    for row in rows() {
        let mut cases = own_errors(&row.name);
        assert!(!cases.is_empty(), "{}", row.name);
        if speaker(row.kind) != row.name {
            cases.extend(own_errors(speaker(row.kind)));
        }
        for case in cases {
            error_has_its_class(&egress, row, &case).await;
        }
    }
}

/// Serves an error as if this provider sent it.
pub(crate) async fn error_has_its_class(egress: &Egress, row: &ProviderRow, case: &ErrorCase) {
    let where_ = format!("{} {}", row.name, case.name);
    let mut reply = Reply::body(case.status, "application/json", case.body.clone());
    if let Some(kind) = case.headers.get("content-type") {
        reply = Reply::body(case.status, kind, case.body.clone());
    }
    for (name, value) in case
        .headers
        .iter()
        .filter(|(name, _)| *name != "content-type")
    {
        reply = reply.header(name, value);
    }
    if let Some(id) = &case.request_id {
        reply = reply.request_id(id);
    }
    let server = FakeProvider::start(Script::always(reply).any_path());
    let endpoint = endpoint_of(row, &server);
    let outcome = call_with(egress, &endpoint, request(&row.name)).await;
    assert_eq!(outcome.events, [], "{where_}");
    assert_eq!(outcome.class(), Some(&*case.class), "{where_}");
    let error = outcome.error.unwrap();
    assert_eq!(error.provider, row.name, "{where_}");
    if case.status >= 400 {
        assert_eq!(error.status, Some(case.status), "{where_}");
    }
    assert_eq!(error.retry_after_ms, case.retry_after_ms, "{where_}");
    let says = case.says.as_deref().unwrap_or("");
    assert!(error.message.contains(says), "{where_}: {error}");
    if case.code.is_some() {
        assert_eq!(error.code, case.code, "{where_}");
    }
    if case.request_id.is_some() {
        assert_eq!(error.request_id, case.request_id, "{where_}");
    }
}

#[test]
fn each_dialect_shows_all_that_can_happen_and_each_folder_is_a_provider() {
    for kind in Kind::ALL.iter().copied().filter(|kind| kind.is_supported()) {
        let cases = own_streams(speaker(kind));
        let has = |is: &dyn Fn(&StreamCase) -> bool| cases.iter().any(is);
        assert!(
            has(&|it| it.usage.is_none() && it.stop.as_deref() == Some("end")),
            "{kind}"
        );
        assert!(
            has(&|it| it.stop.as_deref() == Some("max_output")),
            "{kind}"
        );
        assert!(
            has(&|it| it.class.as_deref() == Some("overloaded")),
            "{kind}"
        );
        assert!(
            has(&|it| it.class.as_deref() == Some("broken_stream")),
            "{kind}"
        );
        assert!(has(&|it| it.tool_calls.len() > 1), "{kind}");
        // Ollama's API has no word for a refusal, and Gemini's filter has the same as its model.
        let refuses = has(&|it| matches!(it.stop.as_deref(), Some("refusal" | "content_filter")));
        assert!(refuses || kind == Kind::Ollama, "{kind}");
        let errors = own_errors(speaker(kind));
        for class in [
            "auth",
            "rate_limited",
            "overloaded",
            "server",
            "context_overflow",
        ] {
            assert!(errors.iter().any(|it| it.class == class), "{kind} {class}");
        }
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_dir() {
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        assert!(row(&name).is_some(), "{name}");
        for file in fs::read_dir(entry.path()).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let named = own_streams(&name).iter().any(|case| case.file == file);
            assert!(
                named || file.ends_with(".toml"),
                "nothing is said of {name}/{file}"
            );
        }
    }
}
