//! The same promises where requests share a connection.

use bytes::Bytes;
use convergio_egress::{EgressError, Method, Phase, Reach, Request, Timeouts};
use h2::server::SendResponse;
use hyper::http;
use tokio::{net::TcpListener, sync::mpsc};

use crate::support::{Authority, PATIENT, SHORT, gate, listen, post, send, url};

/// Serves one connection; hands out what is asked on it.
fn serve(
    listener: TcpListener,
    authority: &Authority,
) -> mpsc::Receiver<(http::Request<h2::RecvStream>, SendResponse<Bytes>)> {
    let tls = authority.acceptor("localhost", &["h2", "http/1.1"], |_| {});
    let (asked, asks) = mpsc::channel(8);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(tls.accept(stream).await.unwrap())
            .await
            .unwrap();
        while let Some(Ok(ask)) = connection.accept().await {
            if asked.send(ask).await.is_err() {
                break;
            }
        }
    });
    asks
}

fn answer(respond: &mut SendResponse<Bytes>, part: &'static str) -> h2::SendStream<Bytes> {
    let head = http::Response::new(());
    let mut stream = respond.send_response(head, false).unwrap();
    let part = Bytes::from_static(part.as_bytes());
    stream.send_data(part, false).unwrap();
    stream
}

fn ask(authority: &Authority, port: u16) -> Request {
    post(&url(&format!("https://localhost:{port}/"))).extra_roots(Some(authority.roots()))
}

#[tokio::test]
async fn streams_share_a_connection_and_fall_alone() {
    let authority = Authority::new();
    let (listener, address) = listen().await;
    let mut asks = serve(listener, &authority);
    let gate = gate();
    let port = address.port();
    let first = tokio::spawn({
        let (gate, request) = (gate.clone(), ask(&authority, port));
        async move { send(&gate, request).await }
    });
    let (request, mut respond) = asks.recv().await.unwrap();
    assert_eq!(request.version(), http::Version::HTTP_2);
    let mut falling = answer(&mut respond, "one");
    let mut first = first.await.unwrap().unwrap().into_body();
    assert_eq!(first.next().await.unwrap().unwrap(), "one");

    // The second goes on the same connection: nobody accepts another.
    let second = tokio::spawn({
        let (gate, request) = (gate.clone(), ask(&authority, port));
        async move { send(&gate, request).await }
    });
    let (_, mut respond) = asks.recv().await.unwrap();
    let mut standing = answer(&mut respond, "two");
    let mut second = second.await.unwrap().unwrap().into_body();
    assert_eq!(second.next().await.unwrap().unwrap(), "two");

    falling.send_reset(h2::Reason::INTERNAL_ERROR);
    let lost = EgressError::Reset { received_bytes: 3 };
    assert_eq!(first.next().await, Some(Err(lost)));
    standing.send_data(Bytes::from_static(b"!"), true).unwrap();
    assert_eq!(second.next().await.unwrap().unwrap(), "!");
    assert_eq!(second.next().await, None);
}

#[tokio::test]
async fn a_stream_that_is_refused_is_not_asked_for_again() {
    // The protocol lets a client repeat what was refused; here only the caller decides that.
    let authority = Authority::new();
    let (listener, address) = listen().await;
    let mut asks = serve(listener, &authority);
    let gate = gate();
    let refused = tokio::spawn({
        // Without a body, which could not be sent twice anyhow.
        let target = url(&format!("https://localhost:{}/", address.port()));
        let request = Request::new(Method::Get, target)
            .reach(Reach::Configured)
            .timeouts(PATIENT)
            .extra_roots(Some(authority.roots()));
        let gate = gate.clone();
        async move { send(&gate, request).await }
    });
    let (_, mut respond) = asks.recv().await.unwrap();
    respond.send_reset(h2::Reason::REFUSED_STREAM);
    let error = refused.await.unwrap().unwrap_err();
    assert_eq!(error, EgressError::Reset { received_bytes: 0 });
    drop(gate);
    assert!(asks.recv().await.is_none(), "asked a second time");
}

#[tokio::test]
async fn waits_are_bounded_on_shared_connections_too() {
    let authority = Authority::new();
    let (listener, address) = listen().await;
    let mut asks = serve(listener, &authority);
    let gate = gate();
    let request = ask(&authority, address.port()).timeouts(Timeouts {
        first_byte: SHORT,
        ..PATIENT
    });
    let error = send(&gate, request).await.unwrap_err();
    let phase = Phase::FirstByte;
    assert_eq!(
        error,
        EgressError::Timeout {
            phase,
            after: SHORT
        }
    );
    let (_, _silent) = asks.recv().await.unwrap();

    let request = ask(&authority, address.port()).timeouts(Timeouts {
        idle: SHORT,
        ..PATIENT
    });
    let stalled = tokio::spawn({
        let gate = gate.clone();
        async move { send(&gate, request).await }
    });
    let (_, mut respond) = asks.recv().await.unwrap();
    let _stream = answer(&mut respond, "half");
    let mut body = stalled.await.unwrap().unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "half");
    let phase = Phase::Idle;
    let late = EgressError::Timeout {
        phase,
        after: SHORT,
    };
    assert_eq!(body.next().await, Some(Err(late)));
}
