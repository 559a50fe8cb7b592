//! What a program reads of each wire.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The data of a stream, each with its event's name.
pub(super) fn lines(stream: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(stream).unwrap();
    assert!(text.ends_with("\n\n"));
    let block = |block: &str| {
        let mut name = String::new();
        let mut data = String::new();
        for line in block.lines() {
            if let Some(rest) = line.strip_prefix("event: ") {
                name = rest.to_owned();
            } else if let Some(rest) = line.strip_prefix("data: ") {
                data = rest.to_owned();
            }
        }
        (name, data)
    };
    text.trim_end().split("\n\n").map(block).collect()
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) text: String,
    pub(super) reasoning: String,
    /// Name and arguments, by id.
    pub(super) calls: BTreeMap<String, (String, String)>,
    pub(super) stop: String,
    pub(super) output: u64,
}

pub(super) fn read_chat(stream: &[u8]) -> Read {
    let mut read = Read::default();
    let mut ids = BTreeMap::new();
    let lines = lines(stream);
    assert_eq!(lines.last().unwrap().1, "[DONE]");
    for (_, data) in &lines[..lines.len() - 1] {
        let chunk: Value = serde_json::from_str(data).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        if let Some(usage) = chunk["usage"].as_object() {
            read.output = usage["completion_tokens"].as_u64().unwrap();
            assert_eq!(usage["prompt_tokens"], 15);
            assert_eq!(chunk["choices"], json!([]));
            continue;
        }
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        read.text
            .push_str(delta["content"].as_str().unwrap_or_default());
        read.reasoning
            .push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().unwrap();
            if let Some(id) = call["id"].as_str() {
                ids.insert(index, id.to_owned());
                let name = call["function"]["name"].as_str().unwrap().to_owned();
                read.calls.insert(id.to_owned(), (name, String::new()));
            }
            let more = call["function"]["arguments"].as_str().unwrap();
            read.calls.get_mut(&ids[&index]).unwrap().1.push_str(more);
        }
        if let Some(stop) = choice["finish_reason"].as_str() {
            read.stop = stop.to_owned();
        }
    }
    read
}

/// Reads as the official clients do, and checks the order of events.
pub(super) fn read_messages(stream: &[u8]) -> Read {
    let mut read = Read::default();
    let mut blocks: Vec<(String, String, bool)> = Vec::new();
    let lines = lines(stream);
    let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0], "message_start");
    assert_eq!(names[names.len() - 2..], ["message_delta", "message_stop"]);
    for (name, data) in &lines {
        let value: Value = serde_json::from_str(data).unwrap();
        assert_eq!(&value["type"], name);
        let index = value["index"].as_u64().map(|index| index as usize);
        match name.as_str() {
            "content_block_start" => {
                assert_eq!(index, Some(blocks.len()));
                let block = &value["content_block"];
                let kind = block["type"].as_str().unwrap().to_owned();
                let mut id = String::new();
                if kind == "tool_use" {
                    id = block["id"].as_str().unwrap().to_owned();
                    let name = block["name"].as_str().unwrap().to_owned();
                    read.calls.insert(id.clone(), (name, String::new()));
                }
                blocks.push((kind, id, true));
            }
            "content_block_delta" => {
                let (kind, id, open) = &blocks[index.unwrap()];
                assert!(*open, "a delta behind its block's end");
                let delta = &value["delta"];
                match (kind.as_str(), delta["type"].as_str().unwrap()) {
                    ("text", "text_delta") => read.text.push_str(delta["text"].as_str().unwrap()),
                    ("thinking", "thinking_delta") => {
                        read.reasoning.push_str(delta["thinking"].as_str().unwrap());
                    }
                    ("thinking", "signature_delta") => {}
                    ("tool_use", "input_json_delta") => read
                        .calls
                        .get_mut(id)
                        .unwrap()
                        .1
                        .push_str(delta["partial_json"].as_str().unwrap()),
                    other => panic!("{other:?}"),
                }
            }
            "content_block_stop" => {
                let open = &mut blocks[index.unwrap()].2;
                assert!(std::mem::replace(open, false), "stopped twice");
            }
            "message_delta" => {
                read.stop = value["delta"]["stop_reason"].as_str().unwrap().to_owned();
                read.output = value["usage"]["output_tokens"].as_u64().unwrap();
                assert!(blocks.iter().all(|(.., open)| !open), "a block stays open");
            }
            "message_start" | "message_stop" | "ping" => {}
            other => panic!("{other}"),
        }
    }
    read
}

/// Reads as agents do, which act on whole items, and checks them against the pieces.
pub(super) fn read_responses(stream: &[u8]) -> Read {
    let mut read = Read::default();
    let (mut pieces, mut thoughts) = (String::new(), String::new());
    let mut open = std::collections::BTreeSet::new();
    let lines = lines(stream);
    assert_eq!(lines[0].0, "response.created");
    for (sequence, (name, data)) in lines.iter().enumerate() {
        let value: Value = serde_json::from_str(data).unwrap();
        assert_eq!(&value["type"], name);
        assert_eq!(value["sequence_number"], sequence);
        let place = value["output_index"].as_u64();
        let item = &value["item"];
        match name.as_str() {
            "response.output_item.added" => assert!(open.insert(place.unwrap())),
            "response.output_item.done" => {
                assert!(open.remove(&place.unwrap()));
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                match item["type"].as_str().unwrap() {
                    "message" => read.text.push_str(&text(&item["content"][0]["text"])),
                    "reasoning" => {
                        let summary = item["summary"][0]["text"].as_str();
                        read.reasoning.push_str(summary.unwrap_or_default());
                    }
                    "function_call" => {
                        let call = (text(&item["name"]), text(&item["arguments"]));
                        read.calls.insert(text(&item["call_id"]), call);
                    }
                    "custom_tool_call" => {
                        let call = (text(&item["name"]), text(&item["input"]));
                        read.calls.insert(text(&item["call_id"]), call);
                    }
                    other => panic!("{other}"),
                }
            }
            "response.output_text.delta" => pieces.push_str(value["delta"].as_str().unwrap()),
            "response.reasoning_summary_text.delta" => {
                thoughts.push_str(value["delta"].as_str().unwrap());
            }
            "response.completed" => {
                assert!(open.is_empty(), "an item stays open");
                assert_eq!(sequence + 1, lines.len());
                let response = &value["response"];
                assert!(
                    response["output"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .all(Value::is_object)
                );
                read.stop = response["status"].as_str().unwrap().to_owned();
                read.output = response["usage"]["output_tokens"].as_u64().unwrap();
            }
            _ => {}
        }
    }
    assert_eq!(pieces, read.text);
    assert_eq!(thoughts, read.reasoning);
    read
}
