//! Arbitrary bytes as the body of a request on a wire of others: it is understood or refused, never
//! more than what came, and what is understood has the form that dialects rely on.

#![no_main]

use convergio_gateway::{Wire, parse};
use convergio_models_api::{Part, Role};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for wire in [Wire::Chat, Wire::Messages] {
        let Ok(asked) = parse(wire, input) else {
            continue;
        };
        assert_eq!(asked.wire, wire);
        let request = &asked.request;
        assert!(request.provider.is_empty() && request.model.is_empty());
        assert!(request.max_output > 0);
        assert!(request.text_bytes() <= 8 * input.len() as u64);
        assert!(asked.input_tokens_guess() <= 1_700 * (input.len() as u64 + 1));
        for message in &request.messages {
            assert!(!message.parts.is_empty());
            for part in &message.parts {
                match part {
                    Part::ToolCall(_) | Part::Reasoning { .. } => {
                        assert_eq!(message.role, Role::Assistant);
                    }
                    Part::ToolResult { .. } => assert_eq!(message.role, Role::User),
                    Part::Text { .. } | Part::Image(_) => {}
                }
            }
        }
    }
});
