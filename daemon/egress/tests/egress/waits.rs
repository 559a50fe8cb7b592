//! Every wait ends, and says which one it was.

use std::time::Duration;

use convergio_egress::{EgressError, Method, Phase, Reach, Request, Timeouts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

use crate::support::{PATIENT, SHORT, gate, listen, ok, post, read_head, read_request, send, url};

fn timed_out(phase: Phase) -> EgressError {
    EgressError::Timeout {
        phase,
        after: SHORT,
    }
}

#[tokio::test]
async fn a_handshake_that_nobody_answers_is_a_connect_timeout() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move { listener.accept().await.unwrap() });
    let request = post(&url(&format!("https://{address}/"))).timeouts(Timeouts {
        connect: SHORT,
        ..PATIENT
    });
    let error = send(&gate(), request).await.unwrap_err();
    assert_eq!(error, timed_out(Phase::Connect));
    assert!(!error.may_have_been_sent());
    drop(server.await.unwrap());
}

#[tokio::test]
async fn a_server_that_reads_and_stays_silent_is_a_first_byte_timeout() {
    for method in [Method::Get, Method::Post] {
        let (listener, address) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            // The connection is let go, not kept for another.
            read_request(&mut stream).await
        });
        let request = Request::new(method, url(&format!("http://{address}/")))
            .reach(Reach::Configured)
            .timeouts(Timeouts {
                first_byte: SHORT,
                ..PATIENT
            });
        let error = send(&gate(), request).await.unwrap_err();
        assert_eq!(error, timed_out(Phase::FirstByte));
        assert!(error.may_have_been_sent());
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test]
async fn headers_without_a_body_are_still_no_first_byte() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        read_request(&mut stream).await
    });
    let request = post(&url(&format!("http://{address}/"))).timeouts(Timeouts {
        first_byte: SHORT,
        ..PATIENT
    });
    let mut body = send(&gate(), request).await.unwrap().into_body();
    assert_eq!(body.next().await, Some(Err(timed_out(Phase::FirstByte))));
    assert_eq!(body.next().await, None);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_an_idle_timeout_that_keeps_what_came() {
    let (listener, address) = listen().await;
    let (waits, waited_for) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
        stream.write_all(head).await.unwrap();
        waited_for.await.unwrap();
        stream.write_all(b"half").await.unwrap();
        read_request(&mut stream).await
    });
    let request = post(&url(&format!("http://{address}/"))).timeouts(Timeouts {
        idle: SHORT,
        ..PATIENT
    });
    let mut body = send(&gate(), request).await.unwrap().into_body();
    // The wait for the first byte has begun, and must not go on as the next one's.
    let (first, ()) = tokio::join!(body.next(), async { waits.send(()).unwrap() });
    assert_eq!(first.unwrap().unwrap(), "half");
    assert_eq!(body.next().await, Some(Err(timed_out(Phase::Idle))));
    assert_eq!(body.next().await, None);
    assert_eq!(body.received_bytes(), 4);
    // The connection is gone while the body is still held.
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn the_total_bounds_the_beginning_the_body_and_a_stream_without_pause() {
    let total = Timeouts {
        total: Some(SHORT),
        ..PATIENT
    };
    // Before the answer.
    let (listener, address) = listen().await;
    let silent = tokio::spawn(async move { listener.accept().await.unwrap() });
    let request = post(&url(&format!("http://{address}/"))).timeouts(total);
    let error = send(&gate(), request).await.unwrap_err();
    assert_eq!(error, timed_out(Phase::Total));
    drop(silent.await.unwrap());

    // A body that never ends and never pauses.
    let (listener, address) = listen().await;
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    let request = post(&url(&format!("http://{address}/")))
        .max_response_bytes(u64::MAX)
        .timeouts(total);
    let mut body = send(&gate(), request).await.unwrap().into_body();
    let error = loop {
        if let Err(error) = body.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error, timed_out(Phase::Total));
    endless.await.unwrap();
}

#[tokio::test]
async fn the_first_byte_is_counted_from_the_last_byte_of_the_request() {
    // The request takes several times the bound to be read, and the answer comes at once.
    const BODY_BYTES: usize = 64 << 20;
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let began = std::time::Instant::now();
        let mut left = BODY_BYTES;
        let mut buffer = vec![0; 512 * 1024];
        read_head(&mut stream).await;
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        while left > 0 {
            pause.tick().await;
            left -= stream.read(&mut buffer).await.unwrap();
        }
        stream.write_all(&ok("done")).await.unwrap();
        began.elapsed()
    });
    let bound = Duration::from_millis(600);
    let request = post(&url(&format!("http://{address}/")))
        .body(vec![b'x'; BODY_BYTES])
        .timeouts(Timeouts {
            first_byte: bound,
            ..PATIENT
        });
    let answer = send(&gate(), request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), b"done");
    assert!(server.await.unwrap() > bound, "the test measures nothing");
}

#[tokio::test]
async fn a_reader_that_is_slow_is_not_taken_for_a_silent_sender() {
    let (listener, address) = listen().await;
    let (more, asked) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let part = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na";
        stream.write_all(part).await.unwrap();
        asked.await.unwrap();
        stream.write_all(b"b").await.unwrap();
    });
    let request = post(&url(&format!("http://{address}/"))).timeouts(Timeouts {
        idle: Duration::from_millis(500),
        ..PATIENT
    });
    let mut body = send(&gate(), request).await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "a");
    // Longer than the bound, by the reader's own choice.
    tokio::time::sleep(Duration::from_millis(600)).await;
    more.send(()).unwrap();
    server.await.unwrap();
    assert_eq!(body.next().await.unwrap().unwrap(), "b");
    assert_eq!(body.next().await, None);
}
