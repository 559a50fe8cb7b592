//! Connections stay warm, and nothing is sent twice.

use convergio_egress::{EgressError, Method, Reach, Request};
use tokio::io::AsyncWriteExt;

use crate::support::{Authority, PATIENT, gate, listen, ok, post, read_request, reset, send, url};

#[tokio::test]
async fn the_next_request_takes_the_same_connection() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_request(&mut stream).await;
            stream.write_all(&ok("fine")).await.unwrap();
        }
        listener
    });
    let gate = gate();
    for method in [Method::Post, Method::Get, Method::Delete] {
        let target = url(&format!("http://{address}/"));
        let request = Request::new(method, target)
            .reach(Reach::Configured)
            .timeouts(PATIENT);
        // A clone is the same gate.
        let answer = send(&gate.clone(), request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap(), b"fine");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_tls_connection_is_kept_and_shared_by_equal_roots() {
    let authority = Authority::new();
    let (listener, address) = listen().await;
    let tls = authority.acceptor("localhost", &["http/1.1"], |_| {});
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tls.accept(stream).await.unwrap();
        for _ in 0..3 {
            read_request(&mut stream).await;
            stream.write_all(&ok("fine")).await.unwrap();
        }
        // Held until the last answer was read, so that nobody needs another connection.
        (listener, stream)
    });
    let gate = gate();
    let target = url(&format!("https://localhost:{}/", address.port()));
    for _ in 0..3 {
        // Read anew, as a changed configuration would.
        let request = post(&target).extra_roots(Some(authority.roots()));
        let answer = send(&gate, request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap(), b"fine");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_request_that_was_sent_is_never_sent_again() {
    // A kept connection takes the second request and dies: whether it was carried out is unknown.
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(&ok("fine")).await.unwrap();
        let second = read_request(&mut stream).await;
        reset(stream);
        (listener, second)
    });
    let gate = gate();
    let target = url(&format!("http://{address}/"));
    let first = send(&gate, post(&target)).await.unwrap();
    assert_eq!(first.into_body().collect().await.unwrap(), b"fine");
    let error = send(&gate, post(&target)).await.unwrap_err();
    assert_eq!(error, EgressError::Reset { received_bytes: 0 });
    assert!(error.may_have_been_sent());
    let (listener, second) = server.await.unwrap();
    assert!(second.starts_with("POST / HTTP/1.1\r\n"), "{second}");
    // The next to come is this one, so nobody tried again.
    let mark = tokio::net::TcpStream::connect(address).await.unwrap();
    let (_, next) = listener.accept().await.unwrap();
    assert_eq!(next, mark.local_addr().unwrap());
}

#[tokio::test]
async fn a_request_carries_what_was_asked_and_nothing_of_ours() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(crate::support::answer_once(listener, ok("")));
    let target = url(&format!("http://{address}/v1/chat?q=a%20b#part"));
    let request = post(&target)
        .header("Content-Type", "application/json")
        .secret_header("X-Api-Key", "k".to_owned().into())
        .body("{\"a\":1}");
    send(&gate(), request).await.unwrap();
    let sent = server.await.unwrap();
    let mut lines: Vec<&str> = sent.lines().collect();
    assert_eq!(lines.remove(0), "POST /v1/chat?q=a%20b HTTP/1.1");
    assert_eq!(lines.pop(), Some("{\"a\":1}"));
    lines.sort_unstable();
    let host = format!("host: {address}");
    let expected = [
        "",
        "accept: */*",
        "content-length: 7",
        "content-type: application/json",
        host.as_str(),
        "x-api-key: k",
    ];
    assert_eq!(lines, expected);
}
