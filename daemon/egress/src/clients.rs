//! The long-lived clients: made when they are first needed, kept so that connections stay warm.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect, retry};
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use rustls_platform_verifier::Verifier;
use tokio::sync::Mutex;

use crate::{
    EgressError, ExtraRoots, Origin, ProxySettings, Reach, Request, progress::Watched,
    resolver::Resolver,
};

/// One for loopback, one for the web, one for the providers and a few for CA files of their own.
const MAX_CLIENTS: usize = 8;
/// A conversation's pauses; a warm connection saves its round trips.
const POOL_IDLE: Duration = Duration::from_secs(300);
/// As many as a provider gets calls at once where nobody says how many it takes: none is opened
/// anew for every call of a program that makes them side by side.
const POOL_IDLE_PER_HOST: usize = 64;
/// What a server may send ahead of a reader that is slow.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const MAX_HEADER_LIST_BYTES: u32 = 64 * 1024;
/// Unanswered bytes for this long mean that the way is gone, as after a suspend.
#[cfg(target_os = "linux")]
const UNANSWERED: Duration = Duration::from_secs(30);

/// What tells clients apart. Two that differ never share a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    public_only: bool,
    secure: bool,
    proxied: bool,
    roots: Option<[u8; 32]>,
}

/// The clients, latest used last.
#[derive(Debug)]
pub(crate) struct Clients {
    proxies: ProxySettings,
    made: Mutex<Vec<(Kind, Client)>>,
}

impl Clients {
    pub(crate) fn new(proxies: ProxySettings) -> Self {
        Self {
            proxies,
            made: Mutex::new(Vec::new()),
        }
    }

    /// The client for `request`, which goes to `origin`.
    pub(crate) async fn get(
        &self,
        request: &Request,
        origin: &Origin,
    ) -> Result<Client, EgressError> {
        let public_only = request.reach == Reach::Public;
        let roots = request.extra_roots.as_ref();
        let roots = roots.filter(|_| origin.is_secure());
        let kind = Kind {
            public_only,
            secure: origin.is_secure(),
            proxied: !public_only && !origin.is_loopback() && !self.proxies.is_empty(),
            roots: roots.map(ExtraRoots::digest),
        };
        // Held while one is made, so that two requests at once do not make two.
        let mut made = self.made.lock().await;
        if let Some(at) = made.iter().position(|(other, _)| *other == kind) {
            let entry = made.remove(at);
            let client = entry.1.clone();
            made.push(entry);
            return Ok(client);
        }
        let client = self.make(&kind, roots.cloned()).await?;
        if made.len() >= MAX_CLIENTS {
            made.remove(0);
        }
        made.push((kind, client.clone()));
        Ok(client)
    }

    async fn make(&self, kind: &Kind, roots: Option<ExtraRoots>) -> Result<Client, EgressError> {
        let tls = if kind.secure {
            // Reading the platform's roots takes milliseconds that others would wait.
            let made = tokio::task::spawn_blocking(move || tls_with_roots(roots)).await;
            made.unwrap_or_else(|error| Err(setup(format!("reading the roots failed: {error}"))))?
        } else {
            // Never used, and costs nothing: plain http needs no roots in memory.
            tls_without_roots()?
        };
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .dns_resolver(Resolver {
                public_only: kind.public_only,
            })
            .connector_layer(Watched)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(60))
            .tcp_keepalive_interval(Duration::from_secs(15))
            .tcp_keepalive_retries(3)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_keep_alive_timeout(Duration::from_secs(20))
            // A daemon that is idle does not wake up to ping.
            .http2_keep_alive_while_idle(false)
            .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
            .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_max_header_list_size(MAX_HEADER_LIST_BYTES);
        #[cfg(target_os = "linux")]
        {
            builder = builder.tcp_user_timeout(UNANSWERED);
        }
        if kind.proxied {
            for proxy in self.proxies.rules()? {
                builder = builder.proxy(proxy);
            }
        }
        builder
            .build()
            .map_err(|error| setup(format!("no HTTP client: {}", error.without_url())))
    }
}

fn setup(what: String) -> EgressError {
    EgressError::Setup { what }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Trusts what the platform trusts, and `extra` beside it.
fn tls_with_roots(extra: Option<ExtraRoots>) -> Result<ClientConfig, EgressError> {
    let provider = provider();
    let extra = extra.iter().flat_map(ExtraRoots::certificates);
    let verifier =
        Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(|error| {
            setup(format!(
                "no trusted roots: {error}; install the system's CA certificates or set a CA file"
            ))
        })?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(format!("no TLS: {error}")))?
        // The library's word for any verifier of one's own; this is the platform's.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn tls_without_roots() -> Result<ClientConfig, EgressError> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(format!("no TLS: {error}")))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}
