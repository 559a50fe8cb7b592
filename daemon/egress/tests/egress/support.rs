//! A server that does exactly what a test says, and short ways to ask it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use convergio_egress::{
    Egress, EgressError, EgressPermit, ExtraRoots, Method, Origin, ProxySettings, Reach, Request,
    Response, Timeouts, Url,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Longer than any test takes; a test that waits for it fails.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// A bound that a test means to reach.
pub(crate) const SHORT: Duration = Duration::from_millis(80);

pub(crate) const PATIENT: Timeouts = Timeouts {
    connect: LONG,
    first_byte: LONG,
    idle: LONG,
    total: None,
};

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the gate's own tests stand in for the commit"
)]
pub(crate) fn permit_for(origin: Origin) -> EgressPermit {
    EgressPermit::granted_after_commit("row-1", origin, "a test")
}

pub(crate) fn permit(url: &Url) -> EgressPermit {
    permit_for(Origin::of(url).unwrap())
}

pub(crate) fn gate() -> Egress {
    Egress::new(ProxySettings::default())
}

/// A request to a configured endpoint with a small body.
pub(crate) fn post(url: &Url) -> Request {
    Request::new(Method::Post, url.clone())
        .reach(Reach::Configured)
        .timeouts(PATIENT)
        .body("{}")
}

pub(crate) async fn send(gate: &Egress, request: Request) -> Result<Response, EgressError> {
    let origin = request.origin().unwrap();
    gate.send(permit_for(origin), request).await
}

/// Reads one request's head; what there is of it when the connection ends.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        // A reset is an end too.
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Reads one request: its head, and as much body as it announces. Empty when the other side closed
/// instead of asking.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let text = read_head(stream).await;
    let head = text.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    text + std::str::from_utf8(&body).unwrap()
}

/// Accepts one connection, reads one request and answers with `bytes`, then closes.
pub(crate) async fn answer_once(listener: TcpListener, bytes: Vec<u8>) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let request = read_request(&mut stream).await;
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    request
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Ends the connection with a reset instead of an orderly close.
pub(crate) fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

/// A certificate authority of one test.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        // Names of their own: two roots of one name would be told apart by signature only.
        let name = format!("root {:?}", key.public_key_raw());
        let common = rcgen::DnType::CommonName;
        parameters.distinguished_name.push(common, &name[..60]);
        let certificate = parameters.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(parameters, key);
        Self {
            certificate,
            issuer,
        }
    }

    pub(crate) fn roots(&self) -> ExtraRoots {
        ExtraRoots::from_pem(self.pem().as_bytes()).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A TLS server's side with a certificate for `name`, changed by `change`.
    pub(crate) fn acceptor(
        &self,
        name: &str,
        protocols: &[&str],
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> tokio_rustls::TlsAcceptor {
        let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut parameters);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        acceptor(&certificate, &key, protocols)
    }
}

pub(crate) fn acceptor(
    certificate: &rcgen::Certificate,
    key: &rcgen::KeyPair,
    protocols: &[&str],
) -> tokio_rustls::TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}
