//! Proxies, as the composition hands them over.

use std::fmt;

use reqwest::{NoProxy, Proxy};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::EgressError;

/// The kinds of proxies that the client speaks to.
const KINDS: &[&str] = &["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// Which proxies to use for configured endpoints. `Debug` shows which there are, never a URL: they
/// may hold passwords.
///
/// This crate reads no environment: the composition says what the variables were. Loopback never
/// goes through a proxy, whatever stands here, and neither does [`crate::Reach::Public`].
#[derive(Clone, Default)]
pub struct ProxySettings {
    /// For `http` destinations.
    pub http: Option<SecretString>,
    /// For `https` destinations.
    pub https: Option<SecretString>,
    /// For what the two above leave open.
    pub all: Option<SecretString>,
    /// Hosts, domains and networks that are reached directly, separated by commas.
    pub no_proxy: Option<String>,
}

impl ProxySettings {
    /// From the customary variables (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`; lower
    /// case wins, upper case serves too), looked up through `variable`.
    #[must_use]
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let find = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
            value.filter(|value| !value.trim().is_empty())
        };
        Self {
            http: find("http_proxy").map(SecretString::from),
            https: find("https_proxy").map(SecretString::from),
            all: find("all_proxy").map(SecretString::from),
            no_proxy: find("no_proxy"),
        }
    }

    /// Whether there is any proxy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none() && self.all.is_none()
    }

    /// The client's rules, in the order in which they are asked.
    pub(crate) fn rules(&self) -> Result<Vec<Proxy>, EgressError> {
        type Rule = fn(String) -> reqwest::Result<Proxy>;
        let made: [(&Option<SecretString>, &str, Rule); 3] = [
            (&self.http, "http", Proxy::http),
            (&self.https, "https", Proxy::https),
            (&self.all, "all", Proxy::all),
        ];
        let mut rules = Vec::new();
        for (url, which, rule) in made {
            let Some(url) = url else { continue };
            let url = url.expose_secret().trim();
            // Most write `host:port`, which would read as a scheme.
            let url = if url.contains("://") {
                url.to_owned()
            } else {
                format!("http://{url}")
            };
            // The client would pass by a proxy of a kind that it doesn't know. No error shows the
            // URL, which may hold a password.
            let unusable = || EgressError::Setup {
                what: format!("the {which} proxy is not the URL of an HTTP or SOCKS proxy"),
            };
            let parsed = Url::parse(&url).map_err(|_| unusable())?;
            if !KINDS.contains(&parsed.scheme()) || !parsed.has_host() {
                return Err(unusable());
            }
            let rule = rule(url).map_err(|_| unusable())?;
            let direct = self.no_proxy.as_deref().and_then(NoProxy::from_string);
            rules.push(rule.no_proxy(direct));
        }
        Ok(rules)
    }
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ProxySettings")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("all", &self.all.is_some())
            .field("no_proxy", &self.no_proxy.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_wins_and_empty_is_absent() {
        let settings = ProxySettings::from_variables(|name| {
            let value = match name {
                "https_proxy" => "http://low.test:1",
                "HTTPS_PROXY" => "http://up.test:2",
                "ALL_PROXY" => "socks5h://all.test",
                "http_proxy" => " ",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(settings.https.unwrap().expose_secret(), "http://low.test:1");
        assert_eq!(settings.all.unwrap().expose_secret(), "socks5h://all.test");
        assert!(settings.http.is_none() && settings.no_proxy.is_none());
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_that_hides_it() {
        let settings = ProxySettings {
            all: Some("http://me:hunter2@[bad".to_owned().into()),
            ..ProxySettings::default()
        };
        let text = settings.rules().unwrap_err().to_string();
        assert!(text.contains("all proxy"), "{text}");
        assert!(!format!("{text} {settings:?}").contains("hunter2"));
    }
}
