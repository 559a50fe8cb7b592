//! TLS, and networks that are slow or broken.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use convergio_fake_provider::{
    Action, Certificate, DelayProxy, Dialect, Direction, Event, FakeProvider, Fault, FaultProxy,
    Reply, Script,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::client::{connect, drain, response, streamed};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn tls(provider: &FakeProvider, tcp: TcpStream) -> Tls {
    let mut roots = RootCertStore::empty();
    let pem = provider.ca_pem().unwrap();
    roots
        .add(CertificateDer::from_pem_file(pem).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp)
}

#[test]
fn only_the_valid_certificate_is_trusted() {
    for (certificate, complaint) in [
        (Certificate::Valid, ""),
        (Certificate::WrongName, "not valid for name"),
        (Certificate::Expired, "expired"),
        (Certificate::NotYetValid, "not valid yet"),
        (Certificate::SelfSigned, "UnknownIssuer"),
    ] {
        let provider = FakeProvider::start(Script::always(Reply::text("safe")).tls(certificate));
        assert!(provider.url().starts_with("https://127.0.0.1:"));
        let mut stream = tls(&provider, connect(provider.addr()));
        let sent = stream.write_all(&streamed(Dialect::OpenAi));
        if certificate == Certificate::Valid {
            sent.unwrap();
            assert!(response(&mut stream).body.contains("safe"));
        } else {
            let error = sent.unwrap_err().to_string();
            assert!(error.contains(complaint), "{certificate:?}: {error}");
            assert_eq!(provider.requests().len(), 0, "nothing was said");
        }
    }
}

#[test]
fn faults_work_under_tls_too() {
    let reply = Reply::text("one two");
    let at = reply.head_len(Dialect::OpenAi, "gpt-test");
    let script = Script::replies([reply.clone().reset_after(at), reply.close_after(at)]);
    let provider = FakeProvider::start(script.tls(Certificate::Valid));
    for kind in [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof] {
        let mut stream = tls(&provider, connect(provider.addr()));
        stream.write_all(&streamed(Dialect::OpenAi)).unwrap();
        let (got, end) = drain(&mut stream);
        assert_eq!(got.len(), at);
        assert_eq!(end.unwrap_err().kind(), kind, "TLS was not closed");
    }
}

#[test]
fn a_round_trip_is_paid_for_the_connection_and_for_each_turn() {
    let rtt = Duration::from_millis(60);
    let provider = FakeProvider::start(Script::always(Reply::text("far")).tls(Certificate::Valid));
    let proxy = DelayProxy::start(provider.addr(), rtt);
    let begin = Instant::now();
    let mut stream = tls(&provider, connect(proxy.addr()));
    stream.write_all(&streamed(Dialect::OpenAi)).unwrap();
    assert!(response(&mut stream).body.contains("far"));
    // Opening, TLS 1.3, request.
    assert!(begin.elapsed() >= rtt * 3, "{:?}", begin.elapsed());
    let begin = Instant::now();
    stream.write_all(&streamed(Dialect::OpenAi)).unwrap();
    response(&mut stream);
    assert!(begin.elapsed() >= rtt, "warm, and still far");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_delayed_connection_carries_everything_in_order() {
    let text = "word ".repeat(20_000);
    let provider = FakeProvider::start(Script::always(Reply::text(&text).in_deltas(50)));
    let proxy = DelayProxy::start(provider.addr(), Duration::from_millis(2));
    let mut stream = connect(proxy.addr());
    stream.write_all(&streamed(Dialect::Ollama)).unwrap();
    let answer = response(&mut stream);
    let all: String = answer
        .events()
        .iter()
        .filter_map(|event| event["message"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(all, text);
    drop(stream);
    let mut stream = connect(proxy.addr());
    provider.stop();
    let mut byte = [0];
    assert!(
        matches!(stream.read(&mut byte), Ok(0) | Err(_)),
        "the end is carried too"
    );
}

#[test]
fn a_network_breaks_at_a_byte_of_either_direction() {
    let provider = FakeProvider::start(Script::always(Reply::text("one two")));
    let fault = |direction, after_bytes, action| Fault {
        direction,
        after_bytes,
        action,
    };
    let faults = [
        Some(fault(Direction::ToClient, 33, Action::Reset)),
        Some(fault(Direction::ToClient, 34, Action::Close)),
        Some(fault(Direction::ToServer, 10, Action::Close)),
        Some(fault(Direction::ToServer, 0, Action::Reset)),
        None,
    ];
    let proxy = FaultProxy::start(provider.addr(), move |number| faults[number]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(proxy.addr());
        // The network may be gone before everything is said.
        let _ = stream.write_all(&streamed(Dialect::OpenAi));
        let (got, end) = drain(&mut stream);
        seen.push((got.len(), end.map_err(|error| error.kind())));
    }
    assert_eq!(seen[0], (33, Err(ErrorKind::ConnectionReset)));
    assert_eq!(seen[1].0, 34);
    // What the client said in vain may turn the close into a reset.
    assert_eq!((seen[2].0, seen[3].0), (0, 0));
    assert_eq!(provider.requests().len(), 2, "two never arrived");
    let mut stream = connect(proxy.addr());
    stream.write_all(&streamed(Dialect::OpenAi)).unwrap();
    assert_eq!(response(&mut stream).status, 200);
    assert_eq!(proxy.connections(), 5);
}

#[test]
fn a_network_falls_silent_and_comes_back() {
    let provider = FakeProvider::start(Script::always(Reply::text("one two")));
    let proxy = FaultProxy::start(provider.addr(), |_| {
        Some(Fault {
            direction: Direction::ToServer,
            after_bytes: 20,
            action: Action::Stall,
        })
    });
    let mut stream = connect(proxy.addr());
    stream.write_all(&streamed(Dialect::OpenAi)).unwrap();
    provider.wait(Event::Connections(1)).unwrap();
    assert_eq!(provider.requests().len(), 0);
    proxy.release();
    assert!(response(&mut stream).body.contains("two"));
}
