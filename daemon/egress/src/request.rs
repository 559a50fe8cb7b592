//! What is asked of the gate: destination, headers, body, bounds.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{EgressError, ExtraRoots, Origin};

/// Headers that would change who is asked or where a message ends.
const NOT_THE_CALLERS: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "upgrade",
    "te",
    "trailer",
    "expect",
];

/// The methods that anybody here needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Sends a body.
    Post,
    /// Removes.
    Delete,
}

/// How far a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reach {
    /// Only public addresses: literals and everything that a name resolves to are checked, and the
    /// address that was checked is the one dialled. For URLs that a model, a page or a plugin
    /// names. Never goes through a proxy, which would resolve by itself.
    #[default]
    Public,
    /// Anywhere, because the user wrote this endpoint into the configuration.
    Configured,
}

/// How long each wait may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving, connecting and the TLS handshake together.
    pub connect: Duration,
    /// From the last byte of the request handed to the connection to the first byte of the
    /// answer's body.
    pub first_byte: Duration,
    /// Between two chunks of the answer's body, counted only while somebody waits for one.
    pub idle: Duration,
    /// From the call of `send` to the end of the body; `None` leaves it to the others.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    /// 10 s to connect, 120 s to the first byte (models think), 60 s between chunks, no total.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            total: None,
        }
    }
}

enum HeaderText {
    Plain(String),
    Secret(SecretString),
}

/// One request. `Debug` shows method, origin and header names, nothing else.
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    headers: Vec<(String, HeaderText)>,
    pub(crate) body: Option<Bytes>,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_response_bytes: u64,
    pub(crate) reach: Reach,
    pub(crate) allow_plain_http: bool,
    pub(crate) extra_roots: Option<ExtraRoots>,
}

impl Request {
    /// How many bytes of body an answer may have unless [`Request::max_response_bytes`] says
    /// otherwise.
    pub const DEFAULT_MAX_RESPONSE_BYTES: u64 = 64 << 20;

    /// A request with the default bounds, to public addresses only.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            timeouts: Timeouts::default(),
            max_response_bytes: Self::DEFAULT_MAX_RESPONSE_BYTES,
            reach: Reach::default(),
            allow_plain_http: false,
            extra_roots: None,
        }
    }

    /// Adds a header. Names and values are checked by `send`, which refuses line breaks and the
    /// headers that would redirect or reframe the request (`Host`, `Content-Length`, …).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = HeaderText::Plain(value.into());
        self.headers.push((name.into(), value));
        self
    }

    /// Adds a header whose value is shown nowhere and that HTTP/2 does not index.
    #[must_use]
    pub fn secret_header(mut self, name: impl Into<String>, value: SecretString) -> Self {
        self.headers.push((name.into(), HeaderText::Secret(value)));
        self
    }

    /// Sets the body; its length is sent with it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets how long each wait may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how many bytes of body the answer may have. Those within the bound are delivered, then
    /// the stream ends with [`EgressError::TooLarge`].
    #[must_use]
    pub fn max_response_bytes(mut self, max: u64) -> Self {
        self.max_response_bytes = max;
        self
    }

    /// Sets how far it may reach.
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Lets it go unencrypted to a host that is not this machine.
    ///
    /// Without it plain `http` reaches only loopback literals and `localhost`: anybody on the way
    /// could read the key and the text. Only the user's own configuration may say otherwise.
    #[must_use]
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// Trusts these roots beside the platform's.
    #[must_use]
    pub fn extra_roots(mut self, roots: Option<ExtraRoots>) -> Self {
        self.extra_roots = roots;
        self
    }

    /// Where it goes; `None` when the URL is neither `http` nor `https`.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        Origin::of(&self.url)
    }

    /// The headers as they are sent, secret ones marked.
    pub(crate) fn header_map(&self) -> Result<HeaderMap, EgressError> {
        let invalid = |name: &str, what: &str| EgressError::Request {
            what: format!("the header {name:?} {what}"),
        };
        let mut map = HeaderMap::new();
        for (name, text) in &self.headers {
            let key = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid(name, "has an impossible name"))?;
            if NOT_THE_CALLERS.contains(&key.as_str()) {
                return Err(invalid(name, "is not the caller's to set"));
            }
            let (bytes, secret) = match text {
                HeaderText::Plain(text) => (text.as_str(), false),
                HeaderText::Secret(text) => (text.expose_secret(), true),
            };
            let mut value = HeaderValue::from_str(bytes)
                .map_err(|_| invalid(name, "has a value that HTTP cannot carry"))?;
            value.set_sensitive(secret);
            map.append(key, value);
        }
        Ok(map)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        out.debug_struct("Request")
            .field("method", &self.method)
            .field("origin", &self.origin())
            .field("headers", &names)
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secret_headers_are_marked_and_nothing_shows_a_value() {
        let request = Request::new(
            Method::Get,
            Url::parse("https://a.test/?q=hunter2").unwrap(),
        )
        .header("x-plain", "hunter2")
        .secret_header("x-key", "hunter2".to_owned().into())
        .body("hunter2");
        let map = request.header_map().unwrap();
        assert!(map["x-key"].is_sensitive() && !map["x-plain"].is_sensitive());
        let shown = format!("{request:?}");
        assert!(
            shown.contains("x-key") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
