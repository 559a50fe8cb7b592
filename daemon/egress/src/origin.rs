//! Where a request goes, without what it says there.

use std::fmt;

use url::{Host, Url};

/// Scheme, host and port of an `http` or `https` URL; the unit that a permit is for.
///
/// Holds neither userinfo nor path nor query, so it may be shown and logged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// The origin of `url`; `None` when its scheme is neither `http` nor `https`.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self {
            secure,
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    /// Whether it is `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host as URLs write it: lower case, IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The port, also where the URL leaves it to the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is this machine for certain: a loopback literal, or `localhost`, which the
    /// resolver here never asks anybody about.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.to_canonical().is_loopback(),
            Host::Domain(name) => is_localhost(name),
        }
    }

    pub(crate) fn parsed_host(&self) -> &Host<String> {
        &self.host
    }
}

pub(crate) fn is_localhost(name: &str) -> bool {
    name.strip_suffix('.')
        .unwrap_or(name)
        .eq_ignore_ascii_case("localhost")
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure {
            ("https", 443)
        } else {
            ("http", 80)
        };
        write!(out, "{scheme}://{}", self.host)?;
        if self.port == usual {
            Ok(())
        } else {
            write!(out, ":{}", self.port)
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(&Url::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn ports_are_compared_as_they_are_dialled() {
        assert_eq!(origin("https://a.test/x"), origin("https://A.test:443/y?z"));
        assert_ne!(origin("https://a.test"), origin("http://a.test"));
        assert_ne!(origin("https://a.test"), origin("https://a.test:444"));
        assert_ne!(origin("https://a.test"), origin("https://a.test.evil.test"));
    }

    #[test]
    fn it_shows_neither_user_nor_query() {
        let shown = origin("https://user:word@a.test:8443/p?key=k#f");
        assert_eq!(shown.to_string(), "https://a.test:8443");
        assert_eq!(origin("http://[::1]:80/").to_string(), "http://[::1]");
    }

    #[test]
    fn loopback_is_known_in_every_spelling() {
        for text in [
            "http://localhost:1",
            "http://LOCALHOST.",
            "http://127.9.8.7",
            "http://2130706433",
            "http://0x7f.1",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(origin(text).is_loopback(), "{text}");
        }
        for text in [
            "http://localhost.evil.test",
            "http://0.0.0.0",
            "http://[::]",
            "http://10.0.0.1",
            "http://127.0.0.1.nip.test",
        ] {
            assert!(!origin(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn other_schemes_have_no_origin() {
        for text in ["file:///etc/passwd", "ftp://a.test", "data:,x"] {
            assert_eq!(Origin::of(&Url::parse(text).unwrap()), None, "{text}");
        }
    }
}
