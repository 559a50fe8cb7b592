//! The forms that a setting's text can have, and how each is checked.

use url::{Host, Url};

use crate::catalog::is_environment_name;

/// The most that an amount of money may be, in nano-USD: a million dollars.
const USD_MAX_NANO: i64 = 1_000_000 * NANO_PER_USD;
const NANO_PER_USD: i64 = 1_000_000_000;
/// Decimals of a nano-USD.
const USD_MAX_DECIMALS: usize = 9;
const PROVIDER_NAME_MAX_BYTES: usize = 64;
const MODEL_ID_MAX_BYTES: usize = 200;
const TEXT_MAX_BYTES: usize = 4_096;

/// What a text must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `provider/model`, parted at the first slash.
    ModelRef,
    /// The same, or a name for several: `fast`, or one of the user's own.
    ModelOrAlias,
    /// A provider's name: letters, digits, `_` and `-`.
    ProviderName,
    /// US dollars with at most nine decimals, for instance `2.00`.
    Usd,
    /// A limit of a part of what is spent: [`crate::ScopedLimit`].
    Limit,
    /// An `http` or `https` address without credentials, query or fragment.
    Url,
    /// The name of a variable of the environment.
    VariableName,
    /// A line that `/bin/sh -c` runs.
    Command,
    /// An absolute path.
    AbsolutePath,
    /// A public key of minisign.
    SigningKey,
    /// A name that somebody else gave: letters, digits, `.`, `_` and `-`.
    Word,
    /// From a time of day to another, past midnight too: [`hours_of_day`].
    Hours,
}

impl Form {
    /// The form in words, as it follows "takes".
    pub fn describe(self) -> &'static str {
        match self {
            Self::ModelRef => "\"provider/model\"",
            Self::ModelOrAlias => "\"provider/model\", or a name for models such as \"fast\"",
            Self::ProviderName => "a provider's name (letters, digits, `_` and `-`)",
            Self::Usd => "US dollars in quotes, such as \"2.00\", with at most 9 decimals",
            Self::Limit => {
                "limits such as \"provider:mock monthly 5.00\" or \"agent:rex daily 1.00 warn\""
            }
            Self::Url => "an http or https address without credentials, `?` or `#`",
            Self::VariableName => "a variable's name, such as \"MOCK_KEY\"",
            Self::Command => "a command line",
            Self::AbsolutePath => "an absolute path",
            Self::SigningKey => "a public key of minisign: 56 characters that begin with RW",
            Self::Word => "a name of 1 to 64 letters, digits, `.`, `_` and `-`",
            Self::Hours => "two times of day, such as \"22:00-07:00\"",
        }
    }

    /// A text of this form, as it is typed in a shell.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::ModelRef | Self::ModelOrAlias => "ollama/llama3.2",
            Self::ProviderName => "ollama",
            Self::Usd => "2.00",
            Self::Limit => "provider:mock monthly 5.00",
            Self::Url => "https://example.org/v1",
            Self::VariableName => "MOCK_KEY",
            Self::Command => "'pass show mock'",
            Self::AbsolutePath => "/etc/ssl/certs/mock.pem",
            // Whoever types a hint trusts what stands in it: no key of anybody.
            Self::SigningKey => "\"$(tail -n 1 minisign.pub)\"",
            Self::Word => "preview",
            Self::Hours => "22:00-07:00",
        }
    }

    pub(crate) fn allows(self, text: &str) -> bool {
        match self {
            Self::ModelRef => text
                .split_once('/')
                .is_some_and(|(provider, model)| is_provider_name(provider) && is_model_id(model)),
            Self::ModelOrAlias => Self::ModelRef.allows(text) || Self::Word.allows(text),
            Self::ProviderName => is_provider_name(text),
            Self::Usd => nano_usd(text).is_some(),
            Self::Limit => crate::ScopedLimit::read(text).is_some(),
            Self::Url => url(text).is_some(),
            Self::VariableName => is_environment_name(text),
            Self::Command => {
                !text.trim().is_empty()
                    && text.len() <= TEXT_MAX_BYTES
                    && !text.contains(['\0', '\n', '\r'])
            }
            Self::SigningKey => {
                let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
                text.len() == 56 && text.starts_with("RW") && text.bytes().all(base64)
            }
            Self::AbsolutePath => {
                text.starts_with('/') && text.len() <= TEXT_MAX_BYTES && !text.contains('\0')
            }
            Self::Hours => hours_of_day(text).is_some(),
            Self::Word => {
                (1..=PROVIDER_NAME_MAX_BYTES).contains(&text.len())
                    && text.starts_with(|first: char| first.is_ascii_alphanumeric())
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            }
        }
    }
}

/// An amount in nano-USD from decimal US dollars: digits, and at most nine of
/// them after a point. No sign, no exponent, at most a million dollars; `None`
/// for anything else.
pub fn nano_usd(text: &str) -> Option<i64> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 12
        || decimals.len() > USD_MAX_DECIMALS
        || !digits(whole)
        || !digits(decimals)
    {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = format!("{decimals:0<USD_MAX_DECIMALS$}").parse().ok()?;
    whole
        .checked_mul(NANO_PER_USD)?
        .checked_add(fraction)
        .filter(|amount| *amount <= USD_MAX_NANO)
}

/// Minutes after midnight at which a part of the day begins and ends, from `22:00-07:00`. Where it
/// ends before it begins it goes past midnight. `None` for anything else, and for a part that
/// begins when it ends.
pub fn hours_of_day(text: &str) -> Option<(u16, u16)> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minute_of_day(from)?, minute_of_day(until)?);
    (from != until).then_some((from, until))
}

/// `7:05` and `07:05` are 425; `24:00` is no time of day.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, most: u16| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let number: u16 = part.parse().ok().filter(|_| digits)?;
        (number <= most).then_some(number)
    };
    if !(1..=2).contains(&hours.len()) || minutes.len() != 2 {
        return None;
    }
    Some(number(hours, 23)? * 60 + number(minutes, 59)?)
}

/// Whether a provider can have this name: 1 to 64 letters, digits, `_` and
/// `-`, the first a letter or digit.
pub fn is_provider_name(name: &str) -> bool {
    (1..=PROVIDER_NAME_MAX_BYTES).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether a model can have this id: dots, slashes and colons are fine, blanks
/// and quotes are not.
pub(crate) fn is_model_id(id: &str) -> bool {
    (1..=MODEL_ID_MAX_BYTES).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"'`\\".contains(&byte))
}

/// An address that a provider may have.
pub(crate) fn url(text: &str) -> Option<Url> {
    if text.len() > TEXT_MAX_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(url)
}

/// Whether an address leads to this machine and nowhere else: a loopback
/// literal, or `localhost`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_are_read_without_floats() {
        for (text, nano) in [
            ("2.00", 2_000_000_000),
            ("0", 0),
            ("0.1", 100_000_000),
            ("0.000000001", 1),
            ("1000000", USD_MAX_NANO),
            ("007.5", 7_500_000_000),
        ] {
            assert_eq!(nano_usd(text), Some(nano), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            " 1",
            "0.0000000001",
            "1000000.01",
            "99999999999999",
            "1.2.3",
            "$1",
            "١",
        ] {
            assert_eq!(nano_usd(text), None, "{text}");
        }
    }

    #[test]
    fn hours_are_two_times_of_day() {
        for (text, hours) in [
            ("22:00-07:00", Some((1_320, 420))),
            ("7:05-7:06", Some((425, 426))),
            ("00:00-23:59", Some((0, 1_439))),
            ("", None),
            ("22:00", None),
            ("22-07", None),
            ("22:00-22:00", None),
            ("24:00-07:00", None),
            ("22:60-07:00", None),
            ("22:0-07:00", None),
            ("+2:00-07:00", None),
            ("022:00-07:00", None),
            ("22:00 - 07:00", None),
            ("٢٢:00-07:00", None),
        ] {
            assert_eq!(hours_of_day(text), hours, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_is_read_back(nano in 0..=USD_MAX_NANO) {
            let text = format!("{}.{:09}", nano / NANO_PER_USD, nano % NANO_PER_USD);
            prop_assert_eq!(nano_usd(&text), Some(nano));
        }

        #[test]
        fn no_text_upsets_the_readers(text in ".{0,40}") {
            if let Some(nano) = nano_usd(&text) {
                prop_assert!((0..=USD_MAX_NANO).contains(&nano));
            }
            let _ = url(&text).as_ref().map(is_loopback);
            if let Some((from, until)) = hours_of_day(&text) {
                prop_assert!(from < 1_440 && until < 1_440 && from != until);
            }
        }
    }

    #[test]
    fn addresses_are_plain_and_loopback_is_literal() {
        for (text, loopback) in [
            ("http://127.0.0.1:9000/v1", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:1", true),
            ("http://LOCALHOST:1/", true),
            ("http://2130706433/", true),
            ("https://api.example.org/v1", false),
            ("http://localhost.example.org/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("http://10.0.0.1/", false),
            ("http://0.0.0.0/", false),
        ] {
            assert_eq!(
                url(text).as_ref().map(is_loopback),
                Some(loopback),
                "{text}"
            );
        }
        for text in [
            "ftp://a/",
            "http://",
            "http:// a/",
            "a.b",
            "/v1",
            "https://user:pw@a/",
            "https://user@a/",
            "https://a/?key=1",
            "https://a/#f",
            "file:///etc/passwd",
        ] {
            assert_eq!(url(text), None, "{text}");
        }
    }
}
