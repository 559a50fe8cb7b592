//! What holds for the stream of every dialect, whatever bytes come.

use convergio_models_api::ModelEvent;
use convergio_models_remote::{DecodeError, Expectation, Kind, StreamDecoder};

type Decoded = (Vec<ModelEvent>, Option<DecodeError>);

fn decode(kind: Kind, expectation: Expectation, pieces: &[&[u8]]) -> Decoded {
    let mut decoder = StreamDecoder::new(kind, expectation).expect("the kind is supported");
    let mut events = Vec::new();
    let mut error = None;
    for piece in pieces {
        error = decoder.feed(piece, &mut events).err();
        if error.is_some() {
            break;
        }
    }
    if error.is_none() {
        error = decoder.finish(&mut events).err();
    }
    assert_eq!(
        decoder.is_done(),
        error.is_none(),
        "it ends with its marker or with an error"
    );
    (events, error)
}

/// The first two bytes choose what is expected and where the rest is cut.
pub fn check(kind: Kind, input: &[u8]) {
    let [choice, cut, stream @ ..] = input else {
        return;
    };
    let expectation = Expectation {
        json_by_tool: choice & 1 == 1,
        local: choice & 2 == 2,
        no_end_marker: choice & 4 == 4,
    };
    let whole = decode(kind, expectation, &[stream]);
    let at = usize::from(*cut) * stream.len() / 255;
    assert_eq!(
        decode(kind, expectation, &[&stream[..at], &stream[at..]]),
        whole
    );
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(kind, expectation, &bytes), whole);

    let (events, error) = whole;
    let mut shown = 0;
    let mut arguments: Vec<String> = Vec::new();
    for event in &events {
        match event {
            ModelEvent::Text(text) | ModelEvent::Reasoning(text) => {
                assert!(!text.is_empty());
                shown += text.len();
            }
            ModelEvent::ToolCall { index, .. } => {
                assert_eq!(*index as usize, arguments.len(), "calls begin in order");
                arguments.push(String::new());
            }
            ModelEvent::ToolArguments { index, json } => {
                assert!(!json.is_empty());
                arguments[*index as usize].push_str(json);
                shown += json.len();
            }
            ModelEvent::Started { request_id, model } => {
                for name in [request_id, model].into_iter().flatten() {
                    assert!(name.chars().count() <= 121 && !name.contains(char::is_control));
                }
            }
            ModelEvent::ReasoningSignature(_)
            | ModelEvent::RedactedReasoning(_)
            | ModelEvent::Usage(_)
            | ModelEvent::Stop(_) => {}
        }
    }
    // A call without arguments is the one text that no byte stands for, and what is copied from
    // JSON may be written shorter there than here.
    assert!(
        shown <= 6 * stream.len() + 2 * arguments.len(),
        "{shown} bytes of {}",
        stream.len()
    );
    let stops = events
        .iter()
        .filter(|event| matches!(event, ModelEvent::Stop(_)));
    assert_eq!(stops.count(), usize::from(error.is_none()));
    if error.is_none() {
        // Some providers say what was used behind it.
        let mut ends = events.iter().rev();
        let last = ends.find(|event| !matches!(event, ModelEvent::Usage(_)));
        assert!(matches!(last, Some(ModelEvent::Stop(_))));
        for json in arguments.iter().filter(|json| !json.is_empty()) {
            let value: serde_json::Value = serde_json::from_str(json).expect("whole arguments");
            assert!(value.is_object(), "{json}");
        }
    }
}
