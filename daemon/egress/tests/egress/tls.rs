//! Who cannot prove who he is gets nothing.

use convergio_egress::{EgressError, ExtraRoots, TlsFailure};
use tokio::io::AsyncWriteExt;

use crate::support::{
    Authority, acceptor, answer_once, gate, listen, ok, post, read_request, send, url,
};

/// Asks a server that answers TLS with `tls`, trusting `roots`.
async fn ask(
    tls: tokio_rustls::TlsAcceptor,
    roots: Option<ExtraRoots>,
) -> Result<Vec<u8>, EgressError> {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Who is refused sees the handshake fail, or the connection end without a request.
        let Ok(mut stream) = tls.accept(stream).await else {
            return String::new();
        };
        let request = read_request(&mut stream).await;
        if !request.is_empty() {
            stream.write_all(&ok("secure")).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        request
    });
    let target = url(&format!("https://localhost:{}/", address.port()));
    let request = post(&target)
        .extra_roots(roots)
        .secret_header("x-key", "canary".to_owned().into());
    let answer = match send(&gate(), request).await {
        Ok(answer) => answer.into_body().collect().await,
        Err(error) => Err(error),
    };
    let seen = server.await.unwrap();
    assert_eq!(answer.is_ok(), seen.contains("canary"), "{answer:?}");
    answer
}

async fn refused(tls: tokio_rustls::TlsAcceptor, roots: Option<ExtraRoots>) -> TlsFailure {
    let error = ask(tls, roots).await.unwrap_err();
    assert!(!error.may_have_been_sent());
    match error {
        EgressError::Tls { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_ca_file_is_trusted_beside_the_platform() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let other = Authority::new().pem();
    std::fs::write(&path, format!("# ours\n{other}\n{}", authority.pem())).unwrap();
    let tls = authority.acceptor("localhost", &["http/1.1"], |_| {});
    let roots = ExtraRoots::read(&path).unwrap();
    assert_eq!(ask(tls, Some(roots)).await.unwrap(), b"secure");
}

#[tokio::test]
async fn an_issuer_that_nobody_knows_is_refused() {
    let authority = Authority::new();
    let tls = || authority.acceptor("localhost", &[], |_| {});
    let stranger = Authority::new().roots();
    let unknown = TlsFailure::UnknownIssuer;
    assert_eq!(refused(tls(), Some(stranger)).await, unknown);
    // Without a CA file there are the platform's roots, or none on a bare machine.
    match ask(tls(), None).await.unwrap_err() {
        EgressError::Tls { why } => assert_eq!(why, unknown),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_one_endpoint_trusts_another_does_not() {
    let authority = Authority::new();
    let tls = authority.acceptor("localhost", &["http/1.1"], |_| {});
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tls.accept(stream).await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(&ok("secure")).await.unwrap();
        // The connection stays open, for whoever would take it.
        let (other, _) = listener.accept().await.unwrap();
        let refused = tls.accept(other).await.is_err();
        (stream, refused)
    });
    let gate = gate();
    let target = url(&format!("https://localhost:{}/", address.port()));
    let trusted = post(&target).extra_roots(Some(authority.roots()));
    let answer = send(&gate, trusted).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), b"secure");
    let stranger = post(&target).extra_roots(Some(Authority::new().roots()));
    let error = send(&gate, stranger).await.unwrap_err();
    let why = TlsFailure::UnknownIssuer;
    assert_eq!(error, EgressError::Tls { why });
    let (_, refused) = server.await.unwrap();
    assert!(refused);
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let tls = acceptor(&certificate, &key, &[]);
    let roots = Authority::new().roots();
    assert_eq!(refused(tls, Some(roots)).await, TlsFailure::UnknownIssuer);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let tls = authority.acceptor("localhost.evil.test", &[], |_| {});
    let why = refused(tls, Some(authority.roots())).await;
    assert_eq!(why, TlsFailure::WrongName);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let authority = Authority::new();
    let past = authority.acceptor("localhost", &[], |parameters| {
        parameters.not_before = rcgen::date_time_ymd(2001, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let why = refused(past, Some(authority.roots())).await;
    assert_eq!(why, TlsFailure::Expired);
    let future = authority.acceptor("localhost", &[], |parameters| {
        parameters.not_before = rcgen::date_time_ymd(3001, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(3002, 1, 1);
    });
    let why = refused(future, Some(authority.roots())).await;
    assert_eq!(why, TlsFailure::NotYetValid);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_called_that() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(answer_plainly(listener));
    let error = send(&gate(), post(&url(&format!("https://{address}/")))).await;
    let error = error.unwrap_err();
    assert!(
        matches!(
            &error,
            EgressError::Tls {
                why: TlsFailure::NotSpoken
            }
        ),
        "{error:?}"
    );
    assert!(!error.may_have_been_sent());
    server.await.unwrap();
}

async fn answer_plainly(listener: tokio::net::TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&ok("plain")).await.unwrap();
    // Until the other side has had enough.
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
}

#[tokio::test]
async fn a_connection_that_ends_in_the_handshake_is_no_connection() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let error = send(&gate(), post(&url(&format!("https://{address}/")))).await;
    let error = error.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn a_body_cut_without_goodbye_is_a_loss() {
    // No length and no chunks: only TLS can say whether this was all.
    let authority = Authority::new();
    let tls = authority.acceptor("localhost", &["http/1.1"], |_| {});
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tls.accept(stream).await.unwrap();
        read_request(&mut stream).await;
        let part = b"HTTP/1.1 200 OK\r\n\r\nhalf";
        stream.write_all(part).await.unwrap();
        stream.flush().await.unwrap();
        // The socket below is closed, TLS says nothing.
    });
    let target = url(&format!("https://localhost:{}/", address.port()));
    let request = post(&target).extra_roots(Some(authority.roots()));
    let mut body = send(&gate(), request).await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "half");
    let lost = EgressError::Reset { received_bytes: 4 };
    assert_eq!(body.next().await, Some(Err(lost)));
    server.await.unwrap();
}

#[tokio::test]
async fn what_looks_plain_is_served_plain() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(answer_once(listener, ok("plain")));
    // Roots are no reason to refuse plain http to this machine.
    let request =
        post(&url(&format!("http://{address}/"))).extra_roots(Some(Authority::new().roots()));
    let answer = send(&gate(), request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), b"plain");
    server.await.unwrap();
}
