//! Connections that break, lie, or never end.

use convergio_egress::{ConnectFailure, EgressError, Origin, Request};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::support::{answer_once, gate, listen, ok, permit, post, read_request, reset, send, url};

const WHOLE: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";

/// What came of a request: the body's text so far, and the error that ended it.
async fn outcome(request: Request) -> (String, Option<EgressError>) {
    let answer = match send(&gate(), request).await {
        Ok(answer) => answer,
        Err(error) => return (String::new(), Some(error)),
    };
    let mut body = answer.into_body();
    let mut text = Vec::new();
    loop {
        match body.next().await {
            Some(Ok(chunk)) => text.extend_from_slice(&chunk),
            Some(Err(error)) => {
                assert_eq!(body.next().await, None, "an ended body stays ended");
                return (String::from_utf8(text).unwrap(), Some(error));
            }
            None => return (String::from_utf8(text).unwrap(), None),
        }
    }
}

/// Serves the first `cut` bytes of [`WHOLE`] and ends the connection, by reset or by closing.
async fn cut_at(cut: usize, by_reset: bool) -> (String, Option<EgressError>) {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(&WHOLE.as_bytes()[..cut]).await.unwrap();
        if by_reset {
            reset(stream);
        }
    });
    let outcome = outcome(post(&url(&format!("http://{address}/")))).await;
    server.await.unwrap();
    outcome
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_is_a_loss_and_never_an_end() {
    for cut in 0..WHOLE.len() {
        for by_reset in [false, true] {
            let (text, error) = cut_at(cut, by_reset).await;
            assert!("hello, world".starts_with(&text), "{cut}: {text:?}");
            let received_bytes = text.len() as u64;
            let lost = Some(EgressError::Reset { received_bytes });
            assert_eq!(error, lost, "cut at {cut}, reset: {by_reset}");
            // A close delivers all that was sent before; a reset may overtake it.
            let sent = WHOLE[..cut].contains("hello");
            assert!(
                by_reset || !sent || text.starts_with("hello"),
                "{cut}: {text:?}"
            );
        }
    }
    let (text, error) = cut_at(WHOLE.len(), false).await;
    assert_eq!((text.as_str(), error), ("hello, world", None));
}

#[tokio::test]
async fn an_answer_shorter_than_announced_is_a_loss() {
    let (listener, address) = listen().await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort".to_vec();
    let server = tokio::spawn(answer_once(listener, answer));
    let (text, error) = outcome(post(&url(&format!("http://{address}/")))).await;
    assert_eq!(text, "short");
    assert_eq!(error, Some(EgressError::Reset { received_bytes: 5 }));
    server.await.unwrap();
}

#[tokio::test]
async fn what_is_not_http_breaks_the_protocol() {
    for answer in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ] {
        let (listener, address) = listen().await;
        let server = tokio::spawn(answer_once(listener, answer.as_bytes().to_vec()));
        let (text, error) = outcome(post(&url(&format!("http://{address}/")))).await;
        assert_eq!(text, "");
        let error = error.unwrap();
        assert!(
            matches!(error, EgressError::Protocol { .. }),
            "{answer:?}: {error:?}"
        );
        server.await.unwrap();
    }
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        let mut sent = 0_u64;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {
            sent += 4096;
        }
        sent
    });
    let (_, error) = outcome(post(&url(&format!("http://{address}/")))).await;
    assert!(
        matches!(error, Some(EgressError::Protocol { .. })),
        "{error:?}"
    );
    // What was read is bounded; the rest sat in the sockets' buffers.
    assert!(server.await.unwrap() < 64 << 20);
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let (listener, address) = listen().await;
    drop(listener);
    let (_, error) = outcome(post(&url(&format!("http://{address}/")))).await;
    let error = error.unwrap();
    let why = ConnectFailure::Refused;
    assert_eq!(error, EgressError::Connect { why });
    assert!(!error.may_have_been_sent());
}

#[tokio::test]
async fn a_name_that_nobody_has_is_a_dns_failure() {
    let request = post(&url("https://no-such-host.invalid/"));
    let error = send(&gate(), request).await.unwrap_err();
    let why = ConnectFailure::Dns;
    assert_eq!(error, EgressError::Connect { why });
}

#[tokio::test]
async fn localhost_finds_a_server_on_either_loopback() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(at).await else {
            assert!(at.starts_with('['), "no IPv4 loopback");
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(answer_once(listener, ok("here")));
        let (text, error) = outcome(post(&url(&format!("http://localhost:{port}/")))).await;
        assert_eq!((text.as_str(), error), ("here", None), "{at}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_gigabyte_on_one_line_is_cut_at_the_bound() {
    const GIGABYTE: usize = 1 << 30;
    const MAX: u64 = 1_000_003;
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {GIGABYTE}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        let part = vec![b'x'; 64 * 1024];
        while sent < GIGABYTE && stream.write_all(&part).await.is_ok() {
            sent += part.len();
        }
        sent
    });
    let request = post(&url(&format!("http://{address}/"))).max_response_bytes(MAX);
    let mut body = send(&gate(), request).await.unwrap().into_body();
    let mut received = 0;
    let error = loop {
        match body.next().await.unwrap() {
            Ok(chunk) => {
                assert!(chunk.len() <= 1 << 20, "a chunk of {}", chunk.len());
                received += chunk.len() as u64;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(received, MAX, "all within the bound is delivered");
    assert_eq!(error, EgressError::TooLarge { limit_bytes: MAX });
    // The sender was cut off while the body is still held.
    assert!(server.await.unwrap() < 128 << 20);
    drop(body);
}

#[tokio::test]
async fn a_body_of_exactly_the_bound_is_whole() {
    for (max, whole) in [(5, true), (4, false), (0, false)] {
        let (listener, address) = listen().await;
        let server = tokio::spawn(answer_once(listener, ok("12345")));
        let request = post(&url(&format!("http://{address}/"))).max_response_bytes(max);
        let (text, error) = outcome(request).await;
        assert_eq!(text, &"12345"[..usize::try_from(max).unwrap()]);
        assert_eq!(error.is_none(), whole, "{max}: {error:?}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_stays_here() {
    let (elsewhere, other) = listen().await;
    for status in [301, 302, 303, 307, 308] {
        let (listener, address) = listen().await;
        let answer = format!(
            "HTTP/1.1 {status} Go\r\nlocation: http://{other}/steal?key=1\r\n\
             content-length: 0\r\n\r\n"
        );
        let server = tokio::spawn(answer_once(listener, answer.into_bytes()));
        let request = post(&url(&format!("http://{address}/")))
            .secret_header("authorization", "Bearer canary".to_owned().into());
        let error = send(&gate(), request).await.unwrap_err();
        let to_origin = Origin::of(&url(&format!("http://{other}")));
        assert_eq!(error, EgressError::Redirect { status, to_origin });
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(&other.to_string()) && !shown.contains("steal"));
        assert!(server.await.unwrap().contains("Bearer canary"));
    }
    // Whoever was pointed to can say that nobody came: the next to come is this one.
    let mark = tokio::net::TcpStream::connect(other).await.unwrap();
    let (_, first) = elsewhere.accept().await.unwrap();
    assert_eq!(first, mark.local_addr().unwrap());
}

#[tokio::test]
async fn a_redirect_to_nowhere_in_particular_is_one_too() {
    for location in ["", "location: \r\n", "location: file:///etc/passwd\r\n"] {
        let (listener, address) = listen().await;
        let answer = format!("HTTP/1.1 304 Same\r\n{location}\r\n");
        let server = tokio::spawn(answer_once(listener, answer.into_bytes()));
        let error = send(&gate(), post(&url(&format!("http://{address}/")))).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, EgressError::Redirect { status: 304, .. }),
            "{error:?}"
        );
        server.await.unwrap();
    }
}

#[tokio::test]
async fn dropping_the_call_or_the_body_lets_the_connection_go() {
    // Before the answer.
    let (listener, address) = listen().await;
    let target = url(&format!("http://{address}/"));
    let gate = gate();
    let (arrived, seen) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        arrived.send(()).unwrap();
        let end = read_request(&mut stream).await;
        (listener, end)
    });
    tokio::select! {
        answer = gate.send(permit(&target), post(&target)) => panic!("{answer:?}"),
        seen = seen => seen.unwrap(),
    }
    let (listener, end) = server.await.unwrap();
    assert_eq!(end, "", "closed by the caller");

    // In the middle of the body.
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let part = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        stream.write_all(part).await.unwrap();
        read_request(&mut stream).await
    });
    let mut body = send(&gate, post(&target)).await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "half");
    drop(body);
    assert_eq!(server.await.unwrap(), "", "closed by the caller");
}
