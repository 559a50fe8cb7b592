//! Recorded streams with something wrong in them: whatever comes, a decoder ends with `Stop` or
//! with an error, says the same however the stream is cut, and hands on no call that is none.

use convergio_models_api::ModelEvent;
use convergio_models_remote::{DecodeError, Expectation, Kind, StreamDecoder};
use proptest::prelude::*;

use crate::fixtures::bodies;

/// What happens to a stream.
#[derive(Clone, Debug)]
enum Change {
    /// A byte becomes another.
    Byte(usize, u8),
    /// A piece is missing.
    Without(usize, usize),
    /// A piece comes twice.
    Twice(usize, usize),
    /// Something stands between.
    Insert(usize, &'static str),
    /// It ends here.
    End(usize),
}

/// Pieces that mean something in one dialect or another.
const PIECES: &[&str] = &[
    "\n\n",
    "data: [DONE]\n\n",
    "data: {}\n\n",
    "data: null\n\n",
    "null",
    "\"",
    "{",
    "}",
    "[]",
    "\\u0000",
    "-1",
    "18446744073709551616",
    "\"index\":7,",
    "\"id\":\"\",",
    "data: {\"error\":{\"message\":\"no\"}}\n\n",
    "data: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "data: {\"type\":\"message_stop\"}\n\n",
    "data: {\"type\":\"response.completed\",\"response\":{}}\n\n",
    "data: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":1,\"delta\":\"}\"}\n\n",
    "{\"done\":true,\"done_reason\":\"stop\"}\n",
];

fn change() -> impl Strategy<Value = Change> {
    let at = || 0..100_000_usize;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (at(), 1..200_usize).prop_map(|(at, len)| Change::Without(at, len)),
        (at(), 1..400_usize).prop_map(|(at, len)| Change::Twice(at, len)),
        (at(), prop::sample::select(PIECES)).prop_map(|(at, text)| Change::Insert(at, text)),
        at().prop_map(Change::End),
    ]
}

fn changed(body: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut body = body.to_vec();
    for change in changes {
        let size = body.len().max(1);
        let piece = |at: usize, len: usize| {
            let start = at % size;
            start.min(body.len())..(start + len).min(body.len())
        };
        match *change {
            Change::Byte(at, byte) => {
                if let Some(old) = body.get_mut(at % size) {
                    *old = byte;
                }
            }
            Change::Without(at, len) => {
                let gone = piece(at, len);
                body.drain(gone);
            }
            Change::Twice(at, len) => {
                let piece = piece(at, len);
                let again = body[piece.clone()].to_vec();
                body.splice(piece.end..piece.end, again);
            }
            Change::Insert(at, text) => {
                let at = (at % size).min(body.len());
                body.splice(at..at, text.bytes());
            }
            Change::End(at) => body.truncate(at % size),
        }
    }
    body
}

type Decoded = (Vec<ModelEvent>, Option<DecodeError>);

fn decode(kind: Kind, expectation: Expectation, pieces: &[&[u8]]) -> Decoded {
    let mut decoder = StreamDecoder::new(kind, expectation).unwrap();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut events) {
            return (events, Some(error));
        }
    }
    let error = decoder.finish(&mut events).err();
    (events, error)
}

fn check((events, error): &Decoded) {
    let mut calls: Vec<String> = Vec::new();
    let mut stops = 0;
    for event in events {
        match event {
            ModelEvent::Text(text) | ModelEvent::Reasoning(text) => assert!(!text.is_empty()),
            ModelEvent::ToolCall {
                index, id, name, ..
            } => {
                assert_eq!(*index as usize, calls.len());
                assert!(!id.is_empty() && !name.is_empty());
                assert!(!id.contains(char::is_control) && !name.contains(char::is_control));
                calls.push(String::new());
            }
            ModelEvent::ToolArguments { index, json } => {
                assert!(!json.is_empty());
                calls[*index as usize].push_str(json);
            }
            ModelEvent::Stop(_) => stops += 1,
            _ => {}
        }
    }
    assert_eq!(stops, usize::from(error.is_none()));
    if error.is_none() {
        assert!(matches!(events.last(), Some(ModelEvent::Stop(_))));
        for call in calls {
            let parsed: serde_json::Value = serde_json::from_str(&call).unwrap();
            assert!(parsed.is_object(), "{call}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn broken_streams_end_in_order(
        which in 0..10_000_usize,
        changes in prop::collection::vec(change(), 1..5),
        cut in 0..100_000_usize,
        json_by_tool: bool,
        no_end_marker: bool,
    ) {
        let bodies = bodies();
        let (kind, body) = &bodies[which % bodies.len()];
        let body = changed(body, &changes);
        let expectation = Expectation { json_by_tool, no_end_marker, ..Expectation::default() };
        let whole = decode(*kind, expectation, &[&body]);
        check(&whole);
        let at = cut % (body.len() + 1);
        prop_assert_eq!(&decode(*kind, expectation, &[&body[..at], &body[at..]]), &whole);
    }
}
