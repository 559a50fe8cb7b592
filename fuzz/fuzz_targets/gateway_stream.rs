//! What a provider streamed, written for a program of another maker and read as that program would:
//! text, calls and reason to stop are the same.

#![no_main]

use convergio_gateway::{Counts, End, Wire, Writer, parse};
use convergio_models_api::{ModelEvent, StopReason};
use convergio_models_remote::{Expectation, Kind, StreamDecoder};
use libfuzzer_sys::fuzz_target;

const CHAT: &[u8] = br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGES: &[u8] =
    br#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

/// The events, where they are a whole answer.
fn decode(kind: Kind, stream: &[u8]) -> Option<Vec<ModelEvent>> {
    let expectation = Expectation {
        json_by_tool: false,
        local: false,
        no_end_marker: false,
    };
    let mut decoder = StreamDecoder::new(kind, expectation).expect("the kind is supported");
    let mut events = Vec::new();
    decoder.feed(stream, &mut events).ok()?;
    decoder.finish(&mut events).ok()?;
    Some(events)
}

#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    calls: Vec<(String, String, String)>,
    stop: Option<StopReason>,
}

fn said(events: &[ModelEvent]) -> Said {
    let mut said = Said::default();
    for event in events {
        match event {
            ModelEvent::Text(more) => said.text.push_str(more),
            ModelEvent::ToolCall { id, name, .. } => {
                said.calls.push((id.clone(), name.clone(), String::new()));
            }
            ModelEvent::ToolArguments { index, json } => {
                said.calls[*index as usize].2.push_str(json);
            }
            ModelEvent::Stop(stop) => said.stop = Some(stop.clone()),
            _ => {}
        }
    }
    for (_, _, arguments) in &mut said.calls {
        // An object without fields may be left out.
        if arguments.is_empty() {
            arguments.push_str("{}");
        }
        let value: serde_json::Value = serde_json::from_str(arguments).expect("an object");
        *arguments = value.to_string();
    }
    said
}

fuzz_target!(|input: &[u8]| {
    let [choice, stream @ ..] = input else { return };
    let kind = Kind::ALL[usize::from(*choice) % Kind::ALL.len()];
    let Some(events) = decode(kind, stream) else {
        return;
    };
    let before = said(&events);
    let Some(stop) = before.stop.clone() else {
        return;
    };
    // What only its provider knows has no word on another's wire.
    if matches!(stop, StopReason::Other(_)) {
        return;
    }
    for (wire, body, reader) in [
        (Wire::Chat, CHAT, Kind::OpenAi),
        (Wire::Messages, MESSAGES, Kind::Anthropic),
    ] {
        let asked = parse(wire, body).expect("a request");
        let mut writer = Writer::new(&asked, "run-1", 1);
        let mut out = Vec::new();
        for event in &events {
            writer.event(event, &mut out);
        }
        let end = End {
            stop: stop.clone(),
            used: Counts::default(),
        };
        writer.finish(&end, &mut out);
        let read = decode(reader, &out);
        let text = String::from_utf8_lossy(&out);
        let read = said(&read.unwrap_or_else(|| panic!("{wire:?} cannot be read: {text}")));
        assert_eq!(
            (&read.text, &read.calls),
            (&before.text, &before.calls),
            "{wire:?}: {text}"
        );
        let whole = |said: &Said| said.stop.as_ref().map(StopReason::is_whole);
        assert_eq!(whole(&read), whole(&before), "{wire:?}: {text}");
    }
});
