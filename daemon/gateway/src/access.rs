//! Who may speak to the gateway. A web page must not, whatever it knows: in this order `Host` names
//! this machine and our port, `Origin` is absent or allowed, and a token is presented.

use crate::token::{PREFIX, TokenText};

/// The head of a request, as far as access depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// Host and port of an address in absolute form.
    pub authority: Option<&'a str>,
    /// Every `Host` header.
    pub hosts: &'a [&'a [u8]],
    /// Every `Origin` header.
    pub origins: &'a [&'a [u8]],
    /// Behind the `?`.
    pub query: Option<&'a str>,
    /// Every `Authorization` header.
    pub authorizations: &'a [&'a [u8]],
    /// Every `x-api-key` header.
    pub api_keys: &'a [&'a [u8]],
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is for another host, or does not say for which: 403.
    Host,
    /// A web page sent it that is not allowed to: 403.
    Origin,
    /// Its address holds what looks like a token, where logs would keep it: 401.
    TokenInQuery,
    /// It presents no token: 401.
    NoToken,
    /// It presents several tokens that differ, or something that is none: 401.
    BadToken,
}

impl Refused {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::Host | Self::Origin => 403,
            Self::TokenInQuery | Self::NoToken | Self::BadToken => 401,
        }
    }

    /// Why, for a person.
    pub fn message(self) -> &'static str {
        match self {
            Self::Host => {
                "the Host header must name 127.0.0.1, localhost or [::1] with this port, once"
            }
            Self::Origin => {
                "web pages are not served: this Origin is not in gateway.allowed_origins"
            }
            Self::TokenInQuery => {
                "a token never stands in the address: send `Authorization: Bearer TOKEN`"
            }
            Self::NoToken => {
                "a token is needed: `cv token create NAME` makes one; send it as \
                 `Authorization: Bearer TOKEN` or `x-api-key: TOKEN`"
            }
            Self::BadToken => {
                "this token is unknown, expired or revoked: `cv token list` shows those that are \
                 good"
            }
        }
    }
}

/// Checks host and origin; gives back the origin that is allowed, where a page sent it.
///
/// # Errors
/// [`Refused::Host`], [`Refused::Origin`].
pub fn place<'a>(
    head: &Head<'a>,
    port: u16,
    allowed_origins: &[String],
) -> Result<Option<&'a str>, Refused> {
    let [host] = head.hosts else {
        return Err(Refused::Host);
    };
    let authority = head.authority.map(str::as_bytes);
    if !ours(host, port) || authority.is_some_and(|authority| !ours(authority, port)) {
        return Err(Refused::Host);
    }
    match head.origins {
        [] => Ok(None),
        [origin] => {
            let origin = std::str::from_utf8(origin).map_err(|_| Refused::Origin)?;
            // Exactly: `null`, another port or a longer name is another page.
            match allowed_origins.iter().any(|allowed| allowed == origin) {
                true => Ok(Some(origin)),
                false => Err(Refused::Origin),
            }
        }
        _ => Err(Refused::Origin),
    }
}

fn ours(host: &[u8], port: u16) -> bool {
    let Some(colon) = host.iter().rposition(|byte| *byte == b':') else {
        return false;
    };
    let (name, number) = (&host[..colon], &host[colon + 1..]);
    let named = name == b"127.0.0.1" || name == b"[::1]" || name.eq_ignore_ascii_case(b"localhost");
    named && number == port.to_string().as_bytes()
}

/// The token that a request presents.
///
/// # Errors
/// [`Refused::TokenInQuery`], [`Refused::NoToken`], [`Refused::BadToken`].
pub fn presented(head: &Head<'_>) -> Result<TokenText, Refused> {
    if head.query.is_some_and(holds_token) {
        return Err(Refused::TokenInQuery);
    }
    let mut found: Option<&str> = None;
    let bearers = head.authorizations.iter().map(|value| bearer(value));
    let keys = head.api_keys.iter().map(|value| plain(value));
    for presented in bearers.chain(keys) {
        let presented = presented.ok_or(Refused::BadToken)?;
        if found.is_some_and(|before| before != presented) {
            return Err(Refused::BadToken);
        }
        found = Some(presented);
    }
    found.map(TokenText::presented).ok_or(Refused::NoToken)
}

fn plain(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?.trim();
    (!text.is_empty()).then_some(text)
}

fn bearer(value: &[u8]) -> Option<&str> {
    let text = plain(value)?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Whether a query names a token, or holds one under whatever name.
fn holds_token(query: &str) -> bool {
    const NAMES: [&str; 8] = [
        "key",
        "api_key",
        "api-key",
        "apikey",
        "token",
        "access_token",
        "auth",
        "authorization",
    ];
    query.contains(PREFIX)
        || query.split('&').any(|pair| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 4141;

    fn place_of(
        hosts: &[&[u8]],
        origins: &[&[u8]],
        authority: Option<&str>,
    ) -> Result<(), Refused> {
        let head = Head {
            hosts,
            origins,
            authority,
            ..Head::default()
        };
        let allowed = ["https://app.example".to_owned()];
        place(&head, PORT, &allowed).map(|_| ())
    }

    #[test]
    fn only_this_machines_names_with_our_port_are_hosts() {
        for good in [
            "127.0.0.1:4141",
            "localhost:4141",
            "LOCALHOST:4141",
            "[::1]:4141",
        ] {
            assert_eq!(place_of(&[good.as_bytes()], &[], None), Ok(()), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1",
            "localhost",
            "127.0.0.1:4142",
            "127.0.0.1:04141",
            "127.0.0.1:4141 ",
            "0.0.0.0:4141",
            "127.0.0.2:4141",
            "[::]:4141",
            "::1:4141",
            "evil.example:4141",
            "localhost.evil.example:4141",
            "127.0.0.1.evil.example:4141",
            "user@127.0.0.1:4141",
            "localhost:4141:4141",
            "localhost.:4141",
            "127.1:4141",
            "2130706433:4141",
        ] {
            assert_eq!(
                place_of(&[bad.as_bytes()], &[], None),
                Err(Refused::Host),
                "{bad:?}"
            );
        }
        assert_eq!(place_of(&[], &[], None), Err(Refused::Host));
        let twice: &[&[u8]] = &[b"127.0.0.1:4141", b"127.0.0.1:4141"];
        assert_eq!(place_of(twice, &[], None), Err(Refused::Host));
        let good: &[&[u8]] = &[b"127.0.0.1:4141"];
        assert_eq!(
            place_of(good, &[], Some("evil.example")),
            Err(Refused::Host)
        );
        assert_eq!(place_of(good, &[], Some("127.0.0.1:4141")), Ok(()));
    }

    #[test]
    fn only_allowed_pages_send() {
        let host: &[&[u8]] = &[b"127.0.0.1:4141"];
        assert_eq!(place_of(host, &[b"https://app.example"], None), Ok(()));
        let bad: [&[&[u8]]; 6] = [
            &[b"null"],
            &[b"http://127.0.0.1:4141"],
            &[b"https://app.example.evil"],
            &[b"https://app.example:444"],
            &[b"\xff"],
            &[b"https://app.example", b"https://app.example"],
        ];
        for origins in bad {
            assert_eq!(place_of(host, origins, None), Err(Refused::Origin));
        }
    }

    fn token_of(
        authorizations: &[&[u8]],
        api_keys: &[&[u8]],
        query: Option<&str>,
    ) -> Result<String, Refused> {
        let head = Head {
            authorizations,
            api_keys,
            query,
            ..Head::default()
        };
        presented(&head).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_comes_in_a_header_once() {
        let token = || Ok("cvt_x".to_owned());
        assert_eq!(token_of(&[b"Bearer cvt_x"], &[], None), token());
        assert_eq!(
            token_of(&[b"bearer  cvt_x"], &[], Some("beta=true")),
            token()
        );
        assert_eq!(token_of(&[], &[b"cvt_x"], None), token());
        assert_eq!(token_of(&[b"Bearer cvt_x"], &[b"cvt_x"], None), token());
        assert_eq!(token_of(&[], &[], None), Err(Refused::NoToken));
        type Headers<'a> = &'a [&'a [u8]];
        let bad: [(Headers<'_>, Headers<'_>); 6] = [
            (&[b"Bearer cvt_x"], &[b"cvt_y"]),
            (&[b"Basic cvt_x"], &[]),
            (&[b"cvt_x"], &[]),
            (&[b"Bearer "], &[]),
            (&[b"Bearer \xff"], &[]),
            (&[], &[b""]),
        ];
        for (authorizations, keys) in bad {
            assert_eq!(token_of(authorizations, keys, None), Err(Refused::BadToken));
        }
        for query in [
            "api_key=1",
            "a=b&Token=1",
            "key",
            "x=cvt_1",
            "access_token=cvt_x",
        ] {
            assert_eq!(
                token_of(&[b"Bearer cvt_x"], &[], Some(query)),
                Err(Refused::TokenInQuery),
                "{query}"
            );
        }
    }
}
