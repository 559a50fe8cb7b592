use std::collections::BTreeMap;

use convergio_models_api::ModelRequest;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ask::ToolForm;

mod reading;

use reading::{Read, lines, read_chat, read_messages, read_responses};

fn forms() -> BTreeMap<String, ToolForm> {
    let form = |name: &str, namespace: Option<&str>, free_text| ToolForm {
        name: name.into(),
        namespace: namespace.map(str::to_owned),
        free_text,
    };
    BTreeMap::from([
        ("tool_1".to_owned(), form("tool_1", None, true)),
        (
            "clock__sleep".to_owned(),
            form("sleep", Some("clock"), false),
        ),
    ])
}

fn asked(wire: Wire, stream: bool) -> Asked {
    Asked {
        wire,
        model: "asked".into(),
        request: ModelRequest::default(),
        stream,
        include_usage: true,
        ignored: Vec::new(),
        tool_forms: forms(),
    }
}

fn end(stop: StopReason) -> End {
    End {
        stop,
        used: Counts {
            input: 3,
            cache_read: 5,
            cache_write_5m: 7,
            cache_write_1h: 0,
            output: 11,
            reasoning: 2,
        },
    }
}

fn streamed(wire: Wire, events: &[ModelEvent], end: &End) -> Vec<u8> {
    let mut writer = Writer::new(&asked(wire, true), "id", 1);
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    writer.finish(end, &mut out);
    out
}

fn call(index: u32) -> ModelEvent {
    ModelEvent::ToolCall {
        index,
        id: format!("call_{index}"),
        name: format!("tool_{index}"),
        signature: None,
    }
}

fn more(index: u32, json: &str) -> ModelEvent {
    ModelEvent::ToolArguments {
        index,
        json: json.into(),
    }
}

#[test]
fn messages_begin_and_end_as_their_documentation_says() {
    let events = [
        ModelEvent::Started {
            request_id: None,
            model: Some("claude-y".into()),
        },
        ModelEvent::Usage(Usage::default().with(Resource::InUncached, 25)),
        ModelEvent::Text("Hello".into()),
        ModelEvent::Text("!".into()),
        call(0),
        more(0, "{\"a\":"),
        more(0, "1}"),
    ];
    let out = streamed(Wire::Messages, &events, &end(StopReason::ToolUse));
    let lines = lines(&out);
    let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let start: Value = serde_json::from_str(&lines[0].1).unwrap();
    assert_eq!(start["message"]["model"], "claude-y");
    assert_eq!(start["message"]["id"], "msg_id");
    assert_eq!(start["message"]["usage"]["input_tokens"], 25);
    let last: Value = serde_json::from_str(&lines[10].1).unwrap();
    assert_eq!(last["delta"]["stop_reason"], "tool_use");
    assert_eq!(last["usage"]["cache_read_input_tokens"], 5);
}

#[test]
fn one_body_holds_what_a_stream_would() {
    let events = [
        ModelEvent::Reasoning("hm".into()),
        ModelEvent::ReasoningSignature("sig".into()),
        ModelEvent::Text("Hello".into()),
        call(0),
        more(0, "{\"a\":1}"),
    ];
    let whole = |wire| {
        let mut writer = Writer::new(&asked(wire, false), "id", 1);
        let mut out = Vec::new();
        for event in &events {
            writer.event(event, &mut out);
        }
        assert!(out.is_empty());
        writer.body(&end(StopReason::ToolUse))
    };
    assert_eq!(
        whole(Wire::Messages)["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "call_0", "name": "tool_0", "input": {"a": 1}},
        ])
    );
    let chat = whole(Wire::Chat);
    let choice = &chat["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], "Hello");
    assert_eq!(
        choice["message"]["tool_calls"][0]["function"]["arguments"],
        "{\"a\":1}"
    );
    assert_eq!(chat["usage"]["total_tokens"], 26);
}

#[test]
fn a_tool_that_takes_any_text_is_called_with_it() {
    let call = ModelEvent::ToolCall {
        index: 0,
        id: "c".into(),
        name: "tool_1".into(),
        signature: None,
    };
    let events = [
        call,
        more(0, "{\"input\":\"*** Begin"),
        more(0, " Patch\"}"),
    ];
    let out = streamed(Wire::Responses, &events, &end(StopReason::ToolUse));
    assert_eq!(
        read_responses(&out).calls["c"],
        ("tool_1".to_owned(), "*** Begin Patch".to_owned())
    );
}

#[test]
fn an_empty_answer_is_an_answer() {
    for wire in [Wire::Chat, Wire::Messages, Wire::Responses] {
        let out = streamed(wire, &[], &end(StopReason::End));
        let read = match wire {
            Wire::Chat => read_chat(&out),
            Wire::Messages => read_messages(&out),
            Wire::Responses => read_responses(&out),
        };
        assert_eq!(read.text, "");
        let body = Writer::new(&asked(wire, false), "id", 1).body(&end(StopReason::End));
        assert!(body.is_object());
    }
}

#[test]
fn an_error_in_the_middle_is_the_wires_own() {
    let fault = Fault::new(crate::FaultKind::Overloaded, "later");
    let mut out = Vec::new();
    Writer::new(&asked(Wire::Messages, true), "id", 1).fail(&fault, &mut out);
    assert!(out.starts_with(b"event: error\ndata: {"));
    let mut out = Vec::new();
    Writer::new(&asked(Wire::Responses, true), "id", 1).fail(&fault, &mut out);
    let lines = lines(&out);
    assert_eq!(lines.last().unwrap().0, "response.failed");
    let mut out = Vec::new();
    Writer::new(&asked(Wire::Chat, true), "id", 1).fail(&fault, &mut out);
    assert!(out.starts_with(b"data: {\"error\":{"));
}

/// Pieces of two calls that come in any mixture, with text and reasoning between.
fn any_events() -> impl Strategy<Value = Vec<ModelEvent>> {
    let piece = prop_oneof![
        "[a-zé\\n\"\\\\🦀]{1,6}".prop_map(ModelEvent::Text),
        "[a-z\\n]{1,6}".prop_map(ModelEvent::Reasoning),
        Just(ModelEvent::ReasoningSignature("s".into())),
        Just(ModelEvent::RedactedReasoning("d".into())),
        Just(ModelEvent::Usage(Usage::default())),
        (0..3_u32).prop_map(|index| more(index, "")),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|mut events| {
        let arguments = ["{\"k", "ey\":", "[1,2", "]}"];
        let mut begun = Vec::new();
        for event in &mut events {
            let ModelEvent::ToolArguments { index, .. } = event else {
                continue;
            };
            // The first piece of a call is its beginning; calls are numbered as they begin.
            let which = *index as usize;
            *event = match begun.get_mut(which) {
                None => {
                    begun.push(0_usize);
                    call(u32::try_from(begun.len() - 1).unwrap())
                }
                Some(sent) if *sent < arguments.len() => {
                    *sent += 1;
                    more(*index, arguments[*sent - 1])
                }
                Some(_) => ModelEvent::Text("x".into()),
            };
        }
        for (index, sent) in begun.iter().enumerate() {
            let index = u32::try_from(index).unwrap();
            for piece in &arguments[*sent..] {
                events.push(more(index, piece));
            }
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_streamed_reads_back_as_it_was(events in any_events()) {
        let mut expected = Read { output: 11, ..Read::default() };
        let mut names = BTreeMap::new();
        for event in &events {
            match event {
                ModelEvent::Text(text) => expected.text.push_str(text),
                ModelEvent::Reasoning(text) => expected.reasoning.push_str(text),
                ModelEvent::ToolCall { index, id, name, .. } => {
                    names.insert(*index, id.clone());
                    expected.calls.insert(id.clone(), (name.clone(), String::new()));
                }
                ModelEvent::ToolArguments { index, json } => {
                    expected.calls.get_mut(&names[index]).unwrap().1.push_str(json);
                }
                _ => {}
            }
        }
        let stop = if expected.calls.is_empty() { StopReason::End } else { StopReason::ToolUse };
        let end = end(stop);
        expected.stop = if expected.calls.is_empty() { "stop" } else { "tool_calls" }.into();
        prop_assert_eq!(&read_chat(&streamed(Wire::Chat, &events, &end)), &expected);
        expected.stop = if expected.calls.is_empty() { "end_turn" } else { "tool_use" }.into();
        prop_assert_eq!(&read_messages(&streamed(Wire::Messages, &events, &end)), &expected);
        expected.stop = "completed".into();
        // The second tool takes any text: nothing is in the argument that would be it.
        if let Some(free) = expected.calls.get_mut("call_1") {
            free.1.clear();
        }
        prop_assert_eq!(&read_responses(&streamed(Wire::Responses, &events, &end)), &expected);
    }
}

#[test]
fn a_call_of_a_namespaces_tool_goes_back_under_its_own_name() {
    let mut writer = Writer::new(&asked(Wire::Responses, false), "id", 1);
    let events = [
        ModelEvent::ToolCall {
            index: 0,
            id: "c1".into(),
            name: "clock__sleep".into(),
            signature: None,
        },
        ModelEvent::ToolArguments {
            index: 0,
            json: "{\"ms\":1}".into(),
        },
    ];
    for event in &events {
        writer.event(event, &mut Vec::new());
    }
    let body = writer.body(&end(StopReason::ToolUse));
    let item = &body["output"][0];
    assert_eq!(
        (&item["name"], &item["namespace"], &item["arguments"]),
        (&json!("sleep"), &json!("clock"), &json!("{\"ms\":1}"))
    );
    let out = streamed(Wire::Responses, &events, &end(StopReason::ToolUse));
    let lines = lines(&out);
    let items = lines
        .iter()
        .filter(|(name, _)| name.starts_with("response.output_item"));
    for (_, data) in items {
        assert!(data.contains(r#""name":"sleep""#) && data.contains(r#""namespace":"clock""#));
    }
}
