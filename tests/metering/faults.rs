//! What a provider says about usage and waiting that no good provider says: each is read as it was
//! meant, once, or refused in words; the books are right after all of it.

use convergio_fake_provider::{Dialect, Reply, Script};
use serde_json::Value;

use super::is_sound;
use crate::ask::{House, json_of, three_lines};

const ALL: [Dialect; 5] = [
    Dialect::OpenAi,
    Dialect::Responses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Ollama,
];

/// What providers may say of one answer: "Hello there." for 20 tokens and 3.
fn usage_again(dialect: Dialect) -> String {
    let lines: &[&str] = match dialect {
        Dialect::OpenAi => &[
            r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello "},"finish_reason":null}],"usage":{"prompt_tokens":20,"completion_tokens":1,"total_tokens":21}}"#,
            r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":[{"index":0,"delta":{"content":"there."},"finish_reason":null}],"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}"#,
            r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}"#,
            r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}"#,
            r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}"#,
            "data: [DONE]",
        ],
        Dialect::Responses => &[
            "event: response.created",
            r#"data: {"type":"response.created","sequence_number":0,"response":{"id":"r1","object":"response","created_at":1,"status":"in_progress","model":"gpt-test","output":[],"usage":{"input_tokens":20,"output_tokens":1,"total_tokens":21}}}"#,
            "",
            "event: response.output_item.added",
            r#"data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"m1","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
            "",
            "event: response.output_text.delta",
            r#"data: {"type":"response.output_text.delta","sequence_number":2,"item_id":"m1","output_index":0,"content_index":0,"delta":"Hello there."}"#,
            "",
            "event: response.completed",
            r#"data: {"type":"response.completed","sequence_number":3,"response":{"id":"r1","object":"response","created_at":1,"status":"completed","model":"gpt-test","output":[{"id":"m1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello there.","annotations":[]}]}],"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":23}}}"#,
        ],
        Dialect::Anthropic => &[
            "event: message_start",
            r#"data: {"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"gpt-test","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":1}}}"#,
            "",
            "event: content_block_start",
            r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            "",
            "event: content_block_delta",
            r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello there."}}"#,
            "",
            "event: content_block_stop",
            r#"data: {"type":"content_block_stop","index":0}"#,
            "",
            "event: message_delta",
            r#"data: {"type":"message_delta","delta":{},"usage":{"input_tokens":20,"output_tokens":2}}"#,
            "",
            "event: message_delta",
            r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":20,"output_tokens":3}}"#,
            "",
            "event: message_stop",
            r#"data: {"type":"message_stop"}"#,
        ],
        Dialect::Gemini => &[
            r#"data: {"candidates":[{"content":{"parts":[{"text":"Hello "}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":1,"totalTokenCount":21},"modelVersion":"gpt-test","responseId":"g1"}"#,
            "",
            r#"data: {"candidates":[{"content":{"parts":[{"text":"there."}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":2,"totalTokenCount":22},"modelVersion":"gpt-test","responseId":"g1"}"#,
            "",
            r#"data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":3,"totalTokenCount":23},"modelVersion":"gpt-test","responseId":"g1"}"#,
        ],
        Dialect::Ollama => &[
            r#"{"model":"gpt-test","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hello "},"done":false,"prompt_eval_count":20,"eval_count":1}"#,
            r#"{"model":"gpt-test","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"there."},"done":false,"prompt_eval_count":20,"eval_count":2}"#,
            r#"{"model":"gpt-test","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":20,"eval_count":3}"#,
        ],
    };
    let between = if dialect == Dialect::OpenAi {
        "\n\n"
    } else {
        "\n"
    };
    format!("{}\n\n", lines.join(between))
}

#[test]
fn usage_that_is_told_again_and_again_is_billed_once() {
    for dialect in ALL {
        let reply = Reply::fixture(usage_again(dialect));
        let house = House::speaking(dialect, Script::always(reply));
        let ran = house.cv(&["ask", "hi", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{dialect:?}: {ran:?}");
        assert_eq!(json_of(&ran)["answer"], "Hello there.", "{dialect:?}");
        let total = house.settled();
        assert_eq!(total["input_tokens"], 20, "{dialect:?}: {total}");
        assert_eq!(total["output_tokens"], 3, "{dialect:?}: {total}");
        assert_eq!(total["estimated"], 0, "{dialect:?}: {total}");
        // 20 × $3 + 3 × $15 a million; a model of this machine is free.
        let nano = if dialect == Dialect::Ollama {
            0
        } else {
            105_000
        };
        assert_eq!(total["amount_nano_usd"], nano, "{dialect:?}: {total}");
        is_sound(&house, &format!("{dialect:?}"));
    }
}

/// Nobody waits for these, and no arithmetic overflows.
#[test]
fn a_wait_beyond_all_reason_is_said_and_not_kept() {
    for wait in [
        "1000000000",
        "18446744073709551615",
        "99999999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        for dialect in ALL {
            let reply =
                Reply::error(429, "rate_limit_error", "Slow down").header("retry-after", wait);
            let house = House::speaking(dialect, Script::always(reply));
            let what = format!("{dialect:?}, {wait}");
            let ran = house.cv(&["ask", "hi", "--format", "json"]);
            assert_eq!(ran.code, Some(3), "{what}: {ran:?}");
            let document = json_of(&ran);
            assert_eq!(
                document["error"]["slug"], "rate_limited",
                "{what}: {document}"
            );
            let after: &Value = &document["error"]["retry_after_ms"];
            assert!(
                after.is_null() || after.as_u64() > Some(0),
                "{what}: {document}"
            );
            let total = house.settled();
            assert_eq!(total["amount_nano_usd"], 0, "{what}: {total}");
            is_sound(&house, &what);
        }
    }
    let reply = Reply::error(429, "rate_limit_error", "Slow down").retry_after(1_000_000_000);
    let house = House::new(Script::always(reply));
    three_lines(&house.cv(&["ask", "hi"]), 3);
    assert_eq!(house.provider.calls().len(), 1, "nobody waits 31 years");
}

/// Counts that cannot be: more of a part than of the whole, or more than any number holds.
#[test]
fn usage_that_contradicts_itself_is_billed_by_the_higher_reading() {
    let chunk = |usage: &str| {
        format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
             \"model\":\"gpt-test\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Hello.\"}},\
             \"finish_reason\":\"stop\"}}]}}\n\n\
             data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
             \"model\":\"gpt-test\",\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n"
        )
    };
    for (usage, at_least) in [
        // 5 cached of 2: the cache's own price is unknown here, so the input's is taken.
        (
            r#"{"prompt_tokens":2,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}"#,
            5 * 3_000 + 3 * 15_000,
        ),
        // 9 of 3 were reasoning.
        (
            r#"{"prompt_tokens":2,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":9}}"#,
            2 * 3_000 + 9 * 15_000,
        ),
        (r#"{"prompt_tokens":0,"completion_tokens":0}"#, 0),
    ] {
        let house = House::new(Script::always(Reply::fixture(chunk(usage))));
        let ran = house.cv(&["ask", "hi"]);
        assert_eq!(ran.code, Some(0), "{usage}: {ran:?}");
        let total = house.settled();
        let amount = total["amount_nano_usd"].as_i64().expect("an amount");
        assert!(amount >= at_least, "{usage}: {total}");
        is_sound(&house, usage);
    }
    for usage in [
        r#"{"prompt_tokens":-4,"completion_tokens":3}"#,
        r#"{"prompt_tokens":1e300,"completion_tokens":3}"#,
        r#"{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615}"#,
        r#"{"prompt_tokens":"many","completion_tokens":3}"#,
        r#""none""#,
    ] {
        let house = House::new(Script::always(Reply::fixture(chunk(usage))));
        let ran = house.cv(&["ask", "hi"]);
        assert!(matches!(ran.code, Some(0 | 3)), "{usage}: {ran:?}");
        assert_eq!(ran.out.trim_end(), "Hello.", "{usage}: what came is shown");
        let total = house.settled();
        assert!(
            total["amount_nano_usd"].as_i64() > Some(0),
            "{usage}: {total}"
        );
        is_sound(&house, usage);
    }
}
