//! A secret in the prompt, in a pipe or in a file stays here: another machine's model reads
//! `[redacted]`, a model on this machine all of it.

use std::fs;

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script};
use serde_json::{Value, json};

use super::{House, KEY, three_lines};
use crate::harness::{
    http::{self, Answered},
    wire::Wire,
};

/// Of the right form; nobody's.
const AWS: &str = "AKIAQ3EGZ7L2MWXK9TPV";
const GITHUB: &str = "ghp_R7kZ2mXqP9sLw4TnB6vYc1HdJf8GaE3uKo5N";

fn script() -> Script {
    Script::always(Reply::text("Hello.").usage(10, 5))
}

fn bodies(house: &House) -> String {
    let calls = house.provider.calls();
    let bodies = calls
        .iter()
        .map(|call| String::from_utf8_lossy(&call.body).into_owned());
    bodies.collect()
}

/// Asks with a secret in the prompt and in a file, and another one in the pipe.
fn ask(house: &House, more: &[&str]) -> crate::harness::home::Ran {
    fs::write(house.folder.join("a.env"), format!("AWS_KEY={AWS}\n")).expect("a file");
    let prompt = format!("why is {AWS} refused?");
    let mut arguments = vec!["ask", prompt.as_str(), "-a", "a.env"];
    arguments.extend(more);
    house.cv_with_input(&arguments, format!("token: {GITHUB}\n").as_bytes())
}

#[test]
fn another_machine_never_reads_a_secret_of_a_question() {
    let house = House::new(script());
    let ran = ask(&house, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let note = "2 secrets masked before the question left";
    assert!(ran.err.contains(note), "{ran:?}");
    let sent = bodies(&house);
    assert!(sent.contains("why is [redacted] refused?"), "{sent}");
    // The conversation goes on, and keeps what was written.
    let ran = house.cv(&["ask", "-c", "--format", "json", "and now?"]);
    let answer: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(answer["redactions"], 2, "{answer}");
    let sent = bodies(&house);
    assert_eq!(house.provider.calls().len(), 2, "{sent}");
    assert!(!sent.contains(AWS) && !sent.contains(GITHUB), "{sent}");
    let mut wire = Wire::open(&house.home);
    let left = wire.result("privacy.egress", json!({}));
    assert_eq!(left["rows"][0]["redactions"], 2, "{left}");
    assert_eq!(left["rows"][1]["redactions"], 2, "{left}");
    let id = answer["session_id"].clone();
    let kept = wire.result("session.get", json!({"session_id": id}));
    assert!(kept.to_string().contains(AWS), "{kept}");
    let ran = ask(&house, &["-q"]);
    assert!(!ran.err.contains("masked"), "{ran:?}");
}

#[test]
fn a_preview_counts_the_secrets_and_sends_nothing() {
    let house = House::new(script());
    let ran = ask(&house, &["--dry-run", "--format", "json"]);
    let preview: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(preview["redactions"], 2, "{preview}");
    assert_eq!(house.provider.connections(), 0);
}

#[test]
fn a_model_on_this_machine_reads_the_question_whole() {
    let house = House::speaking(Dialect::Ollama, script());
    let ran = ask(&house, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.err.contains("masked"), "{ran:?}");
    let sent = bodies(&house);
    assert!(sent.contains(AWS) && sent.contains(GITHUB), "{sent}");
}

/// A house in which nothing with a secret may leave. `models` goes before its provider's table.
fn strict(models: &str) -> House {
    let house = House::new(script());
    let file = house.home.convergio().join("config/config.toml");
    let text = fs::read_to_string(&file).expect("a file");
    house.configure(&format!("[privacy]\nsecrets = \"refuse\"\n{models}{text}"));
    house
}

#[test]
fn where_secrets_are_refused_nothing_leaves_and_the_places_are_told() {
    let house = strict("");
    let ran = ask(&house, &[]);
    three_lines(&ran, 8);
    for told in [
        "AWS access key in line 1 of the question",
        "GitHub token in line 1 of stdin",
        "cv config explain privacy.secrets",
    ] {
        assert!(ran.err.contains(told), "{told}: {ran:?}");
    }
    assert!(
        !ran.err.contains(AWS) && !ran.err.contains(GITHUB),
        "{ran:?}"
    );
    assert_eq!(house.provider.connections(), 0);
    let ran = house.cv(&["ask", "why, without any?"]);
    assert_eq!((ran.code, ran.out.trim()), (Some(0), "Hello."), "{ran:?}");
    assert_eq!(house.provider.calls().len(), 1);
}

#[test]
fn a_preview_says_that_a_secret_would_be_refused() {
    let house = strict("");
    let ran = ask(&house, &["--dry-run", "--format", "json"]);
    assert_eq!(ran.code, Some(8), "{ran:?}");
    let first = ran.out.lines().next().expect("a line");
    let preview: Value = serde_json::from_str(first).expect("JSON");
    let slug = &preview["refusal"]["data"]["slug"];
    assert_eq!(slug, "egress_denied", "{ran:?}");
    assert_eq!(house.provider.connections(), 0);
}

#[test]
fn a_model_on_this_machine_reads_what_no_other_may() {
    let here = FakeProvider::start(script());
    let base = here.base_url(Dialect::Ollama);
    let house = strict(&format!(
        "[provider.here]\nkind = \"ollama\"\nbase_url = \"{base}\"\n"
    ));
    let file = house.home.convergio().join("config/config.toml");
    let text = fs::read_to_string(&file).expect("a file");
    let default = "default = \"mock/gpt-test\"\n";
    let both = format!("{default}fallback = [\"here/llama\"]\n");
    house.configure(&text.replace(default, &both));
    let ran = ask(&house, &[]);
    assert_eq!((ran.code, ran.out.trim()), (Some(0), "Hello."), "{ran:?}");
    assert_eq!(house.provider.connections(), 0);
    let read: String = here.calls().iter().map(|call| call.prompt()).collect();
    assert!(read.contains(AWS) && read.contains(GITHUB), "{read}");
}

/// Asks through the gateway with a secret in a tool's result and one in what the tool was called
/// with.
fn with_tools(house: &House) -> Answered {
    let mut wire = Wire::open(&house.home);
    let keys = json!({"MOCK_KEY": KEY});
    let made = wire.result("token.create", json!({"name": "tool", "keys": keys}));
    let base = made["gateway"]["url"].as_str().expect("it listens");
    let secret = made["secret"].as_str().expect("a secret");
    let body = json!({
        "model": "mock/gpt-test", "max_tokens": 100,
        "tools": [{"name": "read", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "what is in it?"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"with": GITHUB}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1",
                 "content": [{"type": "text", "text": format!("one\nAWS_KEY={AWS}\n")}]}]},
        ],
    });
    let headers = [("x-api-key", secret), ("anthropic-version", "2023-06-01")];
    http::post(base, "/v1/messages", &headers, &body).expect("an answer")
}

/// A house whose gateway listens.
fn with_gateway(house: House) -> House {
    let file = house.home.convergio().join("config/config.toml");
    let text = fs::read_to_string(&file).expect("a file");
    house.configure(&format!("[gateway]\nenabled = true\n{text}"));
    assert_eq!(house.cv(&["status"]).code, Some(0));
    house
}

#[test]
fn what_tools_said_leaves_the_gateway_without_its_secrets() {
    let house = with_gateway(House::new(script()));
    let answer = with_tools(&house);
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = bodies(&house);
    assert!(sent.contains("[redacted]"), "{sent}");
    assert!(!sent.contains(AWS) && !sent.contains(GITHUB), "{sent}");
    let left = Wire::open(&house.home).result("privacy.egress", json!({}));
    assert_eq!(left["rows"][0]["redactions"], 2, "{left}");
}

#[test]
fn a_secret_that_a_tool_said_is_refused_at_the_gateway_where_secrets_are() {
    let house = with_gateway(strict(""));
    let answer = with_tools(&house);
    assert_eq!(answer.status, 403, "{answer:?}");
    for told in [
        "AWS access key in line 2 of a tool's result",
        "GitHub token",
    ] {
        assert!(answer.body.contains(told), "{told}: {answer:?}");
    }
    let body = &answer.body;
    assert!(!body.contains(AWS) && !body.contains(GITHUB), "{body}");
    assert_eq!(house.provider.connections(), 0);
}
