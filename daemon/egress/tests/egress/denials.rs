//! What must not be sent is not sent: nobody is even connected to.

use convergio_egress::{Denial, Egress, EgressError, Method, Origin, ProxySettings, Request, Url};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{gate, listen, permit, permit_for, post, read_head, send, url};

async fn denied(request: Request) -> Denial {
    let error = send(&gate(), request).await.unwrap_err();
    assert!(!error.may_have_been_sent());
    match error {
        EgressError::Denied { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_permit_is_good_for_its_own_origin_only() {
    let (listener, address) = listen().await;
    let port = address.port();
    let target = url(&format!("http://{address}/"));
    for other in [
        format!("http://localhost:{port}"),
        format!("https://{address}"),
        "http://127.0.0.1:1".to_owned(),
        format!("http://127.0.0.2:{port}"),
    ] {
        let permitted = Origin::of(&url(&other)).unwrap();
        let permit = permit_for(permitted.clone());
        let error = gate().send(permit, post(&target)).await.unwrap_err();
        let why = Denial::OtherOrigin {
            permitted: Box::new(permitted),
            asked: Box::new(Origin::of(&target).unwrap()),
        };
        assert_eq!(error, EgressError::Denied { why });
    }
    // The next to come is this one, so nobody came before.
    let mark = tokio::net::TcpStream::connect(address).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(first, mark.local_addr().unwrap());
}

#[tokio::test]
async fn plain_http_goes_nowhere_but_home() {
    for target in [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://0.0.0.0:11434/",
        "http://[fe80::1]/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
    ] {
        assert_eq!(
            denied(post(&url(target))).await,
            Denial::PlainHttp,
            "{target}"
        );
    }
    // The user's word lets it pass this rule: it fails later, at connecting.
    let (listener, address) = listen().await;
    drop(listener);
    let target = url(&format!("http://0.0.0.0:{}/", address.port()));
    let request = post(&target).allow_plain_http(true);
    let error = send(&gate(), request).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn users_and_passwords_in_urls_are_refused() {
    for target in ["https://me@example.com/", "https://:hunter2@example.com/"] {
        let target = url(target);
        let error = gate()
            .send(permit(&target), post(&target))
            .await
            .unwrap_err();
        let why = Denial::Userinfo;
        assert_eq!(error, EgressError::Denied { why });
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn other_schemes_are_refused() {
    let target = url("ftp://example.com/");
    let some = permit(&url("https://example.com"));
    let error = gate().send(some, post(&target)).await.unwrap_err();
    let why = Denial::Scheme;
    assert_eq!(error, EgressError::Denied { why });
}

#[tokio::test]
async fn the_guard_refuses_every_spelling_of_an_inner_address() {
    let (listener, address) = listen().await;
    let port = address.port();
    for host in [
        "127.0.0.1",
        "0.0.0.0",
        "127.1",
        "0177.0.0.1",
        "0x7f000001",
        "2130706433",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LOCALHOST.",
        "169.254.169.254",
        "2852039166",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "192.168.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "[fe80::1]",
        "１２７.0.0.1",
        "127。0。0。1",
    ] {
        for scheme in ["http", "https"] {
            let target = url(&format!("{scheme}://{host}:{port}/"));
            let request = Request::new(Method::Get, target).allow_plain_http(true);
            assert_eq!(denied(request).await, Denial::NotPublic, "{scheme} {host}");
        }
    }
    let mark = tokio::net::TcpStream::connect(address).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(first, mark.local_addr().unwrap());
}

#[tokio::test]
async fn headers_that_would_reframe_or_redirect_are_refused() {
    let target = url("https://example.com/");
    for (name, value) in [
        ("Host", "evil.test"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("proxy-authorization", "x"),
        ("x-ok", "a\r\nx-injected: b"),
        ("bad name", "x"),
        ("", "x"),
    ] {
        let request = post(&target).secret_header(name, value.to_owned().into());
        let error = send(&gate(), request).await.unwrap_err();
        assert!(matches!(error, EgressError::Request { .. }), "{error:?}");
        assert!(!error.to_string().contains("injected"));
    }
}

fn through(proxy: &str) -> Egress {
    Egress::new(ProxySettings {
        all: Some(proxy.to_owned().into()),
        ..ProxySettings::default()
    })
}

#[tokio::test]
async fn a_proxy_sees_configured_endpoints_and_neither_loopback_nor_guarded_requests() {
    let (proxy, at) = listen().await;
    let gate = through(&at.to_string());

    // Loopback goes straight: nobody listens there, and the proxy would have answered.
    let (closed, address) = listen().await;
    drop(closed);
    let direct = post(&url(&format!("http://{address}/")));
    let error = send(&gate, direct).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");

    // The guard checks the address that it dials, so it dials itself.
    let guarded = Request::new(Method::Get, url("https://no-such-host.invalid/"));
    let error = send(&gate, guarded).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");

    // A configured endpoint goes through, tunnelled, and is not resolved here.
    let server = tokio::spawn(async move {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let refusal = b"HTTP/1.1 403 No\r\n\r\n";
        stream.write_all(refusal).await.unwrap();
        head
    });
    let target: Url = url("https://no-such-host.invalid/p?q");
    let request = post(&target).secret_header("x-key", "canary".to_owned().into());
    assert_eq!(request.origin(), Origin::of(&target));
    let error = send(&gate, request).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    let head = server.await.unwrap();
    assert!(
        head.starts_with("CONNECT no-such-host.invalid:443 "),
        "{head}"
    );
    assert!(!head.contains("canary") && !head.contains("/p"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_an_error_and_never_passed_by() {
    for proxy in ["gopher://127.0.0.1:70", "http://", "unix:///run/proxy"] {
        let request = post(&url("https://no-such-host.invalid/"));
        let error = send(&through(proxy), request).await.unwrap_err();
        assert!(matches!(error, EgressError::Setup { .. }), "{error:?}");
        assert!(!error.may_have_been_sent());
    }
}

#[tokio::test]
async fn a_socks_proxy_is_asked_for_the_name() {
    let (proxy, at) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut asked = vec![0; 5];
        stream.read_exact(&mut asked).await.unwrap();
        let mut name = vec![0; usize::from(asked[4])];
        stream.read_exact(&mut name).await.unwrap();
        String::from_utf8(name).unwrap()
    });
    let gate = through(&format!("socks5h://{at}"));
    let error = send(&gate, post(&url("https://no-such-host.invalid/"))).await;
    let error = error.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    assert_eq!(server.await.unwrap(), "no-such-host.invalid");
}
