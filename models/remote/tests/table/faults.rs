//! What breaks on the way, for every provider: the stated error, and nothing lost before it.

use convergio_egress::ExtraRoots;
use convergio_fake_provider::{At, Certificate, Event, FakeProvider, Reply, Script};
use convergio_models_api::{ModelEvent, Provider};
use convergio_models_remote::{Kind, Remote};
use futures_util::{StreamExt as _, stream};

use crate::{
    fixtures::{decode, response, successes},
    rows::rows,
    support::{
        Outcome, call, call_with, egress, endpoint, endpoint_of, permit, permitted, request,
        short_waits,
    },
};

const KINDS: &[Kind] = Kind::ALL;

/// Calls on the way at once.
const AT_ONCE: usize = 8;

fn texts(outcome: &Outcome) -> (String, String, usize) {
    let stops = outcome.events.iter();
    let stops = stops.filter(|event| matches!(event, ModelEvent::Stop(_)));
    (outcome.text(), outcome.reasoning(), stops.count())
}

/// Sends the success of every provider up to each byte, and ends the connection there. Those that
/// speak another's dialect are cut at every thirteenth: the code is the same.
async fn cut_at_every_byte(end: fn(Reply, usize) -> Reply, framed: bool, expected: &str) {
    let egress = &egress();
    for (row, case) in &successes() {
        let mut wire = response(case);
        if !framed {
            wire = format!("{}\r\nconnection: close\r\n\r\n", case.head).into_bytes();
            wire.extend_from_slice(&case.body);
        }
        let head = wire.len() - case.body.len();
        let total = wire.len();
        let script = Script::answer(move |request| {
            let body = String::from_utf8_lossy(&request.body);
            let at = body.split("cut at <").nth(1).unwrap().split('>').next();
            end(Reply::raw(wire.clone()), at.unwrap().parse().unwrap())
        });
        let server = FakeProvider::start(script.any_path());
        let endpoint = &endpoint_of(row, &server);
        let speaks_for_all = row.name == row.kind.as_str();
        let step = if speaks_for_all { 1 } else { 13 };
        let calls = (1..total).step_by(step).map(|at| async move {
            let mut wanted = request(&row.name);
            wanted.system = None;
            wanted.messages[0] = convergio_models_api::Message::text(
                convergio_models_api::Role::User,
                format!("cut at <{at}>"),
            );
            (at, call_with(egress, endpoint, wanted).await)
        });
        let mut outcomes = stream::iter(calls).buffer_unordered(AT_ONCE);
        while let Some((at, outcome)) = outcomes.next().await {
            let where_ = format!("{} at byte {at} of {total}", row.name);
            let before = case.body.get(..at.saturating_sub(head)).unwrap();
            // Without a length the end of the connection is the end of the body.
            let whole = decode(row.kind, false, &[before], !framed && at >= head);
            assert_eq!(texts(&outcome), texts(&whole), "{where_}");
            let complete = texts(&whole).2 == 1;
            let class = (!complete).then_some(if at < head {
                "connection_lost"
            } else {
                expected
            });
            assert_eq!(outcome.class(), class, "{where_}: {:?}", outcome.error);
        }
    }
}

#[tokio::test]
async fn a_reset_at_every_byte_loses_nothing_that_came_before() {
    cut_at_every_byte(
        |reply, at| reply.reset_after(At::Wire(at)),
        true,
        "connection_lost",
    )
    .await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_a_lost_connection() {
    cut_at_every_byte(
        |reply, at| reply.close_after(At::Wire(at)),
        true,
        "connection_lost",
    )
    .await;
}

#[tokio::test]
async fn an_end_at_every_byte_without_the_marker_is_a_broken_stream() {
    cut_at_every_byte(
        |reply, at| reply.close_after(At::Wire(at)),
        false,
        "broken_stream",
    )
    .await;
}

#[tokio::test]
async fn a_line_of_a_gigabyte_is_bounded() {
    for (row, case) in &successes() {
        // Up to where all the text is there, and the end marker is not.
        let text_at = |at: &usize| decode(row.kind, false, &[&case.body[..*at]], false).text();
        let texts_end = (0..case.body.len()).find(|at| text_at(at) == case.text);
        let before = &case.body[..texts_end.unwrap()];
        let mut wire = format!("{}\r\nconnection: close\r\n\r\n", case.head).into_bytes();
        wire.extend_from_slice(before);
        let reply = Reply::raw(wire).then_endless_line(1 << 30);
        let server = FakeProvider::start(Script::always(reply).any_path());
        let outcome = call(&endpoint_of(row, &server)).await;
        assert_eq!(outcome.class(), Some("too_large"), "{}", row.name);
        assert_eq!(outcome.text(), case.text, "{}", row.name);
        server.happened(Event::Ended(0)).await.unwrap();
        assert!(server.bytes_sent() < 64 << 20, "{}", row.name);
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_is_bounded() {
    for &kind in KINDS {
        let piece = "x".repeat(64 << 10);
        let reply = Reply::deltas(vec![piece; 600]).ignoring_max_output();
        let server = FakeProvider::start(Script::always(reply));
        let outcome = call(&endpoint(kind, &server)).await;
        assert_eq!(outcome.class(), Some("too_large"), "{kind}");
        let bytes = outcome.text().len();
        assert!((30 << 20..=32 << 20).contains(&bytes), "{kind} {bytes}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for row in rows() {
        let elsewhere = FakeProvider::start(Script::always(Reply::text("caught")));
        let to = format!("{}/v1/messages", elsewhere.url());
        let server = FakeProvider::start(Script::always(Reply::redirect(&to)).any_path());
        let outcome = call(&endpoint_of(row, &server)).await;
        assert_eq!(outcome.class(), Some("redirect"), "{}", row.name);
        assert!(outcome.error.unwrap().message.contains(&elsewhere.url()));
        assert_eq!(elsewhere.connections(), 0, "{}", row.name);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_gets_no_byte_of_the_request() {
    let bad = [
        Certificate::SelfSigned,
        Certificate::WrongName,
        Certificate::Expired,
        Certificate::NotYetValid,
    ];
    for (row, case) in &successes() {
        let reply = Reply::raw(response(case));
        for certificate in bad {
            let script = Script::always(reply.clone()).any_path().tls(certificate);
            let server = FakeProvider::start(script);
            let mut endpoint = endpoint_of(row, &server);
            endpoint.extra_roots = Some(ExtraRoots::read(server.ca_pem().unwrap()).unwrap());
            let outcome = call(&endpoint).await;
            let where_ = format!("{} {certificate:?}", row.name);
            assert_eq!(
                outcome.class(),
                Some("tls"),
                "{where_}: {:?}",
                outcome.error
            );
            assert_eq!(server.requests().len(), 0, "{where_}");
        }
        let script = Script::always(reply).any_path().tls(Certificate::Valid);
        let server = FakeProvider::start(script);
        let mut endpoint = endpoint_of(row, &server);
        assert_eq!(call(&endpoint).await.class(), Some("tls"), "{}", row.name);
        endpoint.extra_roots = Some(ExtraRoots::read(server.ca_pem().unwrap()).unwrap());
        let outcome = call(&endpoint).await;
        assert_eq!(outcome.error, None, "{}", row.name);
        assert_eq!(texts(&outcome).2, 1, "{}", row.name);
    }
}

#[tokio::test]
async fn silence_is_a_timeout_that_says_which() {
    for (row, case) in &successes() {
        let silent = FakeProvider::start(Script::always(Reply::silence()).any_path());
        let mut endpoint = endpoint_of(row, &silent);
        endpoint.timeouts = short_waits();
        let outcome = call(&endpoint).await;
        assert_eq!(outcome.class(), Some("timeout_first_byte"), "{}", row.name);

        let wire = response(case);
        let half = case.body.len() / 2;
        let before = &case.body[..case.body.len() - half];
        let at = At::Wire(wire.len() - half);
        let stalled = Reply::raw(wire).stall_after(at);
        let stalled = FakeProvider::start(Script::always(stalled).any_path());
        let mut endpoint = endpoint_of(row, &stalled);
        endpoint.timeouts.idle = short_waits().idle;
        let outcome = call(&endpoint).await;
        assert_eq!(outcome.class(), Some("timeout_idle"), "{}", row.name);
        let text = decode(row.kind, false, &[before], false).text();
        assert_eq!(outcome.text(), text, "{}", row.name);
    }
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    for row in rows() {
        let server = FakeProvider::start(Script::new());
        let endpoint = endpoint_of(row, &server);
        server.stop();
        let outcome = call(&endpoint).await;
        assert_eq!(outcome.class(), Some("connect"), "{}", row.name);
        assert!(outcome.error.unwrap().class.nothing_sent());
    }
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_a_broken_one() {
    for &kind in KINDS {
        let nonsense: [&[u8]; 4] = [
            b"data: {\"choices\": [}\n\ndata: [DONE]\n\n",
            b"data: 7\n\n{\"done\":",
            b"\xff\xfe\x00\n\n",
            b"",
        ];
        for body in nonsense {
            let server = FakeProvider::start(Script::always(Reply::fixture(body)));
            let outcome = call(&endpoint(kind, &server)).await;
            assert_eq!(outcome.class(), Some("broken_stream"), "{kind} {body:?}");
            assert_eq!(outcome.text(), "", "{kind} {body:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_models_answer_by_its_head_says_so() {
    let said = async |kind, reply: Reply| {
        let server = FakeProvider::start(Script::always(reply));
        let outcome = call(&endpoint(kind, &server)).await;
        assert_eq!(outcome.events, [], "{kind}");
        let error = outcome.error.unwrap();
        assert_eq!(error.status, Some(200), "{kind}");
        (error.class.as_str(), error.message)
    };
    for &kind in KINDS {
        let page = Reply::body(200, "text/html; charset=utf-8", "<html>Log in</html>");
        let (class, message) = said(kind, page).await;
        assert_eq!(class, "server", "{kind}");
        assert!(message.contains("a web page answered"), "{message}");
        let packed = Reply::text("hi").header("content-encoding", "gzip");
        let (class, message) = said(kind, packed).await;
        assert_eq!(class, "broken_stream", "{kind}");
        assert!(message.contains("compressed"), "{message}");
    }
}

#[tokio::test]
async fn an_error_may_break_off_and_may_repeat_the_key() {
    for &kind in KINDS {
        let says = format!("Incorrect API key provided: {}.", crate::support::KEY);
        let error = Reply::error(401, "authentication_error", &says);
        let server = FakeProvider::start(Script::always(error.clone()));
        let outcome = call(&endpoint(kind, &server)).await;
        assert_eq!(outcome.class(), Some("auth"), "{kind}");
        let message = outcome.error.unwrap().message;
        assert!(
            message.contains("Incorrect API key provided: •••"),
            "{message}"
        );

        let server = FakeProvider::start(Script::always(error.close_after(At::Body(30))));
        let outcome = call(&endpoint(kind, &server)).await;
        assert_eq!(outcome.class(), Some("auth"), "{kind}");
    }
}

#[tokio::test]
async fn no_name_that_a_provider_gives_holds_the_key() {
    let key = crate::support::KEY;
    let stream = format!(
        "data: {{\"id\":\"{key}\",\"model\":\"{key}\",\"choices\":[{{\"index\":0,\"delta\":{{}},\
         \"finish_reason\":\"{key}\"}}]}}\n\ndata: [DONE]\n\n"
    );
    let head = format!("HTTP/1.1 200 OK\r\nx-request-id: {key}\r\nconnection: close\r\n\r\n");
    let server = FakeProvider::start(Script::always(Reply::raw(head + &stream)));
    // The call itself checks that nothing shows the key.
    let outcome = call(&endpoint(Kind::OpenAi, &server)).await;
    assert_eq!(outcome.error, None);
    let shown = format!("{:?}", outcome.events);
    assert_eq!(shown.matches("•••").count(), 3, "{shown}");
}

#[tokio::test]
async fn dropping_the_stream_ends_the_call() {
    for &kind in KINDS {
        let reply = Reply::text("ein zwei drei").stall_after(At::Delta(1));
        let server = FakeProvider::start(Script::always(reply));
        let endpoint = endpoint(kind, &server);
        let remote = Remote::new(endpoint.clone(), egress()).unwrap();
        let mut stream = remote.stream(permitted(request("mock"), permit(&endpoint)));
        loop {
            match stream.next().await {
                Some(Ok(ModelEvent::Text(text))) if !text.is_empty() => break,
                Some(Ok(_)) => {}
                other => panic!("{kind}: {other:?}"),
            }
        }
        drop(stream);
        server.happened(Event::ClientGone(0)).await.unwrap();
        assert_eq!(server.calls().len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn nothing_is_sent_before_somebody_listens_nor_without_a_permit_that_covers_it() {
    for &kind in KINDS {
        let server = FakeProvider::start(Script::always(Reply::text("x")));
        let endpoint = endpoint(kind, &server);
        let remote = Remote::new(endpoint.clone(), egress()).unwrap();
        drop(remote.stream(permitted(request("mock"), permit(&endpoint))));
        let mut elsewhere = permit(&endpoint);
        elsewhere.destination = "http://127.0.0.1:1".to_owned();
        let mut stream = remote.stream(permitted(request("mock"), elsewhere));
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.class.as_str(), "denied", "{kind}");
        assert!(stream.next().await.is_none(), "{kind}");
        assert_eq!(server.connections(), 0, "{kind}");
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    for &kind in KINDS {
        let egress = egress();
        let server = FakeProvider::start(Script::always(Reply::text("ein zwei").no_usage()));
        let endpoint = endpoint(kind, &server);
        for _ in 0..10 {
            let outcome = call_with(&egress, &endpoint, request("mock")).await;
            assert_eq!(outcome.text(), "ein zwei", "{kind}");
        }
        assert!(server.connections() < 10, "{kind}");
    }
}
