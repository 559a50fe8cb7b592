//! Tools that an answer calls.

use super::*;

#[test]
fn tool_calls_are_kept_whole_and_in_order() {
    let mut machine = machine(1);
    machine.step(Input::Start, 0.0);
    machine.step(admitted(), 0.0);
    let call = |index: u32| {
        Input::Event(ModelEvent::ToolCall {
            index,
            id: format!("call_{index}"),
            name: "look".into(),
            signature: None,
        })
    };
    let arguments = |index, json: &str| {
        Input::Event(ModelEvent::ToolArguments {
            index,
            json: json.into(),
        })
    };
    for input in [
        call(0),
        call(1),
        arguments(1, "{}"),
        arguments(0, "{\"a\""),
        arguments(0, ":1}"),
    ] {
        let effects = machine.step(input, 0.0);
        assert!(matches!(&effects[..], [Effect::Show(Shown::Event(_))]));
    }
    let (text, calls) = machine.into_parts();
    assert!(text.is_empty());
    let calls: Vec<_> = calls
        .iter()
        .map(|call| (call.id.as_str(), call.arguments.as_str()))
        .collect();
    assert_eq!(calls, [("call_0", "{\"a\":1}"), ("call_1", "{}")]);
}

#[test]
fn a_tool_call_that_is_out_of_order_or_never_began_breaks_the_answer() {
    let skipped = ModelEvent::ToolCall {
        index: 1,
        id: "call_1".into(),
        name: "look".into(),
        signature: None,
    };
    let unknown = ModelEvent::ToolArguments {
        index: 0,
        json: "{}".into(),
    };
    for event in [skipped, unknown] {
        let mut machine = machine(1);
        machine.step(Input::Start, 0.0);
        machine.step(admitted(), 0.0);
        machine.step(text("a"), 0.0);
        let effects = machine.step(Input::Event(event), 0.0);
        let Some(Effect::Finish(Outcome::Failed(error))) = effects.last() else {
            panic!("{effects:?}");
        };
        assert_eq!(error.class, ErrorClass::BrokenStream);
    }
}
