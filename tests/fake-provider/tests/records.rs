//! What a server tells of its requests.

use std::io::Write;

use convergio_fake_provider::{Billed, Dialect, End, Event, FakeProvider, Reply, Script};
use serde_json::json;

use crate::client::{ask, ask_with, call, connect, path, request, response, streamed};

#[test]
fn requests_are_told_as_they_came() {
    let provider = FakeProvider::start(Script::always(Reply::text("one two").usage(100, 20)));
    let mut body = call(Dialect::Anthropic);
    body["system"] = "Be brief.".into();
    let headers = "x-api-key: sk-canary\r\nX-Odd:  Value \r\n";
    let answer = ask_with(&provider, "/v1/messages?beta=true", headers, &body);
    provider.wait(Event::Ended(0)).unwrap();
    let request = provider.request(0).unwrap();
    assert_eq!((request.index, request.connection), (0, 0));
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/v1/messages?beta=true")
    );
    assert_eq!(request.dialect, Some(Dialect::Anthropic));
    assert_eq!(request.header("x-odd"), Some("Value"));
    assert_eq!(request.key(), Some("sk-canary"));
    assert_eq!(request.model().as_deref(), Some("gpt-test"));
    assert_eq!(request.prompt(), "Be brief.\nhi there");
    assert_eq!(request.max_output(), Some(100));
    assert!(request.is_stream());
    assert_eq!(request.json(), body);
    assert_eq!(request.end, End::Complete);
    assert_eq!(request.bytes_sent, answer.wire as u64);
    assert_eq!(request.deltas_sent.len(), 2);
    assert!(request.arrived <= request.first_byte_sent.unwrap());
    let billed = Billed {
        calls: 1,
        input_tokens: 100,
        output_tokens: 20,
    };
    assert_eq!(provider.billed(), billed);
}

#[test]
fn connections_are_kept_and_counted() {
    let provider = FakeProvider::start(Script::always(Reply::text("one two")));
    let mut stream = connect(provider.addr());
    for index in 0..3 {
        stream.write_all(&streamed(Dialect::OpenAi)).unwrap();
        assert_eq!(response(&mut stream).status, 200);
        assert_eq!(provider.request(index).unwrap().connection, 0);
    }
    ask(&provider, Dialect::OpenAi);
    provider.wait(Event::Connections(2)).unwrap();
    assert_eq!(provider.connections(), 2);
    let sent = (streamed(Dialect::OpenAi).len() * 4) as u64;
    assert_eq!(provider.bytes_received(), sent);
}

#[test]
fn bodies_may_be_chunked_and_requests_pipelined() {
    let provider = FakeProvider::start(Script::always(Reply::text("one")));
    let body = call(Dialect::OpenAi).to_string();
    let (first, rest) = body.split_at(10);
    let chunked = format!(
        "POST {} HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{first}\r\n{:x};x=y\r\n{rest}\r\n0\r\n\r\n",
        path(Dialect::OpenAi),
        first.len(),
        rest.len(),
    );
    let mut both = chunked.into_bytes();
    both.extend(streamed(Dialect::OpenAi));
    let mut stream = connect(provider.addr());
    stream.write_all(&both).unwrap();
    assert_eq!(response(&mut stream).status, 200);
    assert_eq!(response(&mut stream).status, 200);
    assert_eq!(provider.request(0).unwrap().json(), call(Dialect::OpenAi));
}

#[test]
fn a_reply_can_be_made_from_its_request() {
    let script = Script::answer(|request| Reply::text(&request.prompt().to_uppercase()));
    let provider = FakeProvider::start(script);
    let answer = ask(&provider, Dialect::Ollama);
    assert!(answer.body.contains("HI "), "{}", answer.body);
}

#[test]
fn a_path_can_have_an_answer_of_its_own() {
    let script = Script::new().on("/v1/embeddings", Reply::body(200, "application/json", "{}"));
    let provider = FakeProvider::start(script);
    let wire = request("/v1/embeddings", "", &json!({}));
    let mut stream = connect(provider.addr());
    stream.write_all(&wire).unwrap();
    assert_eq!(response(&mut stream).body, "{}");
}

#[test]
fn waiting_works_on_a_runtime_too() {
    let provider = FakeProvider::start(Script::always(Reply::text("one")));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let arrived = provider.happened(Event::Requests(1));
    let mut stream = connect(provider.addr());
    stream.write_all(&streamed(Dialect::OpenAi)).unwrap();
    runtime.block_on(arrived).unwrap();
    let never = provider.happened(Event::Requests(99));
    drop(provider);
    assert!(runtime.block_on(never).is_err(), "it was stopped");
}

#[test]
fn a_stopped_server_refuses() {
    let provider = FakeProvider::start(Script::new());
    let addr = provider.addr();
    provider.stop();
    assert!(std::net::TcpStream::connect(addr).is_err());
}
