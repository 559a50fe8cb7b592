//! Prices between two releases: a list that somebody signed whom the user trusts. Pure; whoever
//! fetches and keeps one does it elsewhere.
//!
//! The list is TOML, its signature that of minisign. It may say what models of providers cost that
//! the catalogue knows, and which there are; it cannot say where a provider is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use minisign_verify::{PublicKey, Signature};
use serde::Deserialize;
use thiserror::Error;

use crate::catalog::{Catalog, CatalogError, ModelRow, check};

/// The form that this release reads.
const FORMAT: u32 = 1;

/// A list from further ahead than this was not made now: clocks differ, but not so much.
const AHEAD_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// Why a list is not used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PriceFileError {
    /// More than [`PriceFile::MAX_BYTES`], or more models than anybody has.
    #[error("the price list is larger than a price list is: {what}")]
    TooLarge {
        /// What is too much.
        what: &'static str,
    },
    /// No trusted key made its signature.
    #[error("the price list is not signed by a key that is trusted: {why}")]
    NotTrusted {
        /// More exactly.
        why: String,
    },
    /// It is of a form that this release does not read.
    #[error("the price list is of form {found}, and this release reads form {FORMAT}")]
    Format {
        /// Its form.
        found: u32,
    },
    /// It is not what a price list is.
    #[error("the price list cannot be read: {0}")]
    Form(String),
    /// One of its rows is wrong.
    #[error(transparent)]
    Row(#[from] CatalogError),
    /// It says to be of a time that has not come.
    #[error("the price list says to be of {issued}, which has not come yet")]
    Ahead {
        /// Its time.
        issued: Timestamp,
    },
    /// What is in force is as new, or newer.
    #[error("the price list is of {issued}, and what is in force is of {in_force}")]
    NotNewer {
        /// Its time.
        issued: Timestamp,
        /// The time of what is in force.
        in_force: Timestamp,
    },
}

/// A public key of minisign.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedKey {
    key: PublicKey,
    text: String,
}

impl TrustedKey {
    /// A key as minisign prints it: one line of base64 that begins with `RW`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let key = PublicKey::from_base64(text).ok()?;
        Some(Self {
            key,
            text: text.to_owned(),
        })
    }

    /// It, as minisign prints it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TrustedKey({})", self.text)
    }
}

/// A price list that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceFile {
    /// When it was made.
    pub issued: Timestamp,
    /// Who made it, in its own words; not checked by anybody.
    pub publisher: String,
    models: BTreeMap<String, Vec<ModelRow>>,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "format")]
    _format: u32,
    issued: String,
    publisher: String,
    #[serde(default)]
    provider: Vec<Models>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Models {
    name: String,
    #[serde(default)]
    model: Vec<ModelRow>,
}

impl PriceFile {
    /// Bytes that a list may have.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Bytes that its signature may have.
    pub const MAX_SIGNATURE_BYTES: usize = 4 << 10;

    /// Models that it may have.
    const MAX_MODELS: usize = 5_000;

    /// Reads a list whose signature one of `trusted` made. Nothing of the text is looked at before
    /// that is known.
    ///
    /// # Errors
    /// [`PriceFileError`], but for [`PriceFileError::NotNewer`].
    pub fn verified(
        text: &str,
        signature: &str,
        trusted: &[TrustedKey],
        now: Timestamp,
    ) -> Result<(Self, TrustedKey), PriceFileError> {
        if text.len() > Self::MAX_BYTES {
            return Err(PriceFileError::TooLarge { what: "1 MiB" });
        }
        if signature.len() > Self::MAX_SIGNATURE_BYTES {
            return Err(PriceFileError::TooLarge {
                what: "a signature of 4 KiB",
            });
        }
        let untrusted = |why: &str| PriceFileError::NotTrusted {
            why: why.to_owned(),
        };
        if trusted.is_empty() {
            return Err(untrusted("no key is"));
        }
        let signature = Signature::decode(signature)
            .map_err(|_| untrusted("what should be its signature is none of minisign's"))?;
        let signer = trusted.iter().find(|trusted| {
            // Only what was hashed first: the older kind signs no more than fits in memory.
            let verified = trusted.key.verify(text.as_bytes(), &signature, false);
            verified.is_ok()
        });
        let signer = signer.ok_or_else(|| untrusted("none of them made this signature"))?;
        Ok((Self::parse(text, now)?, signer.clone()))
    }

    /// Reads a list, whoever made it.
    ///
    /// # Errors
    /// [`PriceFileError`] for what is no list, or of another form, or from ahead of `now`.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, PriceFileError> {
        if text.len() > Self::MAX_BYTES {
            return Err(PriceFileError::TooLarge { what: "1 MiB" });
        }
        let form = |error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            PriceFileError::Form(format!("{line}{}", error.message()))
        };
        let head: Head = toml::from_str(text).map_err(form)?;
        if head.format != FORMAT {
            return Err(PriceFileError::Format { found: head.format });
        }
        let file: File = toml::from_str(text).map_err(form)?;
        if file.publisher.len() > 200 || file.publisher.contains(char::is_control) {
            return Err(PriceFileError::Form("its publisher is no name".to_owned()));
        }
        let issued = moment(&file.issued).ok_or_else(|| {
            let what = "`issued` is a moment, such as \"2026-11-21T09:00:00Z\", or a day";
            PriceFileError::Form(what.to_owned())
        })?;
        let ahead_ms = issued.as_millisecond() - now.as_millisecond();
        if ahead_ms > AHEAD_MAX_MS {
            return Err(PriceFileError::Ahead { issued });
        }
        let all = file.provider.iter().map(|provider| provider.model.len());
        if all.sum::<usize>() > Self::MAX_MODELS {
            return Err(PriceFileError::TooLarge {
                what: "5,000 models",
            });
        }
        let mut models = BTreeMap::new();
        for provider in file.provider {
            let wrong = |what| {
                PriceFileError::Row(CatalogError::Row {
                    row: provider.name.chars().take(64).collect(),
                    what,
                })
            };
            let row = Catalog::builtin().provider(&provider.name);
            let row = row.ok_or_else(|| wrong("the catalogue has no such provider"))?;
            if row.local {
                return Err(wrong("what runs on this machine costs nothing"));
            }
            let mut ids = BTreeSet::new();
            for model in &provider.model {
                check(&provider.name, model, &mut ids)?;
                if model.price.as_ref().is_some_and(|price| price.is_nothing()) {
                    return Err(wrong("a price of nothing is the user's own to set"));
                }
            }
            if models
                .insert(provider.name.clone(), provider.model)
                .is_some()
            {
                return Err(wrong("it is there twice"));
            }
        }
        Ok(Self {
            issued,
            publisher: file.publisher,
            models,
        })
    }

    /// Whether it may take the place of one of that time. Prices never go back by themselves.
    ///
    /// # Errors
    /// [`PriceFileError::NotNewer`].
    pub fn replaces(&self, in_force: Option<Timestamp>) -> Result<(), PriceFileError> {
        match in_force {
            Some(in_force) if self.issued <= in_force => Err(PriceFileError::NotNewer {
                issued: self.issued,
                in_force,
            }),
            _ => Ok(()),
        }
    }

    /// The models of a provider, in the list's order.
    pub fn models(&self, provider: &str) -> &[ModelRow] {
        self.models.get(provider).map_or(&[], Vec::as_slice)
    }

    /// A model of a provider, by id or alias.
    pub fn model(&self, provider: &str, id: &str) -> Option<&ModelRow> {
        let mut models = self.models(provider).iter();
        models.find(|row| row.id == id || row.aliases.iter().any(|alias| alias == id))
    }

    /// Every model, with its provider's name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &ModelRow)> {
        let providers = self.models.iter();
        providers.flat_map(|(name, rows)| rows.iter().map(move |row| (name.as_str(), row)))
    }
}

/// A moment, or a day: its beginning, in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let day = || {
        let day: Date = text.parse().ok()?;
        Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn list(rest: &str) -> String {
        format!(
            r#"format = 1
            issued = "2026-11-21T00:00:00Z"
            publisher = "somebody"
            [[provider]]
            name = "openai"
            [[provider.model]]
            id = "gpt-6.1-sol"
            context = 1_050_000
            max_output = 128_000
            capabilities = ["tools"]
            price = {{ input = "3.00", output = "12.00", source = "https://a.test", as_of = "2026-11-21" }}
            {rest}"#
        )
    }

    #[test]
    fn a_list_says_what_models_cost_and_nothing_else() {
        let read = PriceFile::parse(&list(""), now()).unwrap();
        let model = read.model("openai", "gpt-6.1-sol").unwrap();
        assert_eq!(model.price.as_ref().unwrap().input, "3.00");
        assert!(read.model("anthropic", "gpt-6.1-sol").is_none());
        for bad in [
            "[[provider]]\nname = \"ollama\"",
            "[[provider]]\nname = \"nobody\"",
            "[[provider]]\nname = \"openai\"",
            "[[provider]]\nname = \"xai\"\nbase_url = \"https://evil.test\"",
            "[[provider.model]]\nid = \"free\"\ncontext = 10\nmax_output = 1\ncapabilities = []\n\
             price = { input = \"0.00\", output = \"0\", source = \"https://a.test\", as_of = \"2026-11-21\" }",
            "[[provider.model]]\nid = \"bad\"\ncontext = 10\nmax_output = 1\ncapabilities = []\n\
             price = { input = \"-1\", output = \"1\", source = \"https://a.test\", as_of = \"2026-11-21\" }",
        ] {
            assert!(PriceFile::parse(&list(bad), now()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_list_that_is_described_is_one_and_what_is_wrong_has_its_line() {
        let page = include_str!("../../../docs/models.md");
        let (_, list) = page.split_once("```toml\nformat = 1").unwrap();
        let (list, _) = list.split_once("```").unwrap();
        let list = format!("format = 1{list}");
        let read = PriceFile::parse(&list, now()).unwrap();
        assert_eq!(read.all().count(), 1);
        let told = |list: &str| PriceFile::parse(list, now()).unwrap_err().to_string();
        let sourceless = list.replace("source = ", "# ");
        assert!(told(&sourceless).contains("line 13: missing field `source`"));
        let issued = |by: &str| list.replace("2026-11-21T09:00:00Z", by);
        let day = PriceFile::parse(&issued("2026-11-21"), now()).unwrap();
        assert_eq!(day.issued.to_string(), "2026-11-21T00:00:00Z");
        assert!(told(&issued("yesterday")).contains("`issued` is a moment"));
    }

    #[test]
    fn other_forms_other_times_and_too_much_are_refused() {
        let newer = list("").replace("format = 1", "format = 2\nunknown = true");
        assert_eq!(
            PriceFile::parse(&newer, now()),
            Err(PriceFileError::Format { found: 2 })
        );
        let ahead = list("").replace("2026-11-21T00", "2026-11-23T00");
        let refused = PriceFile::parse(&ahead, now());
        assert!(matches!(refused, Err(PriceFileError::Ahead { .. })));
        let long = list(&format!("# {}", "x".repeat(PriceFile::MAX_BYTES)));
        let refused = PriceFile::parse(&long, now());
        assert!(matches!(refused, Err(PriceFileError::TooLarge { .. })));
        let read = PriceFile::parse(&list(""), now()).unwrap();
        assert!(read.replaces(None).is_ok());
        assert!(read.replaces("2026-11-20T00:00:00Z".parse().ok()).is_ok());
        assert!(read.replaces(Some(read.issued)).is_err());
    }

    #[test]
    fn nothing_is_read_that_nobody_trusted_signed() {
        let key = TrustedKey::parse(KEY).unwrap();
        assert!(TrustedKey::parse("RWx").is_none());
        let refused = |signature: &str, keys: &[TrustedKey]| {
            let read = PriceFile::verified("not even TOML", signature, keys, now());
            matches!(read, Err(PriceFileError::NotTrusted { .. }))
        };
        assert!(refused("", &[]));
        assert!(refused("", std::slice::from_ref(&key)));
        // minisign's own example: a signature of «test».
        let signature = "untrusted comment: signature from minisign secret key\n\
            RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/\
            z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
            trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
            wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==";
        assert!(refused(signature, std::slice::from_ref(&key)));
        let read = PriceFile::verified("test", signature, &[key], now());
        assert!(matches!(read, Err(PriceFileError::Form(_))), "{read:?}");
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_whole_and_nothing_else_is(
            at in 0_usize..600,
            cut in 0_usize..40,
            put in "[ -~\\n]{0,40}",
        ) {
            let valid = list("");
            let at = at.min(valid.len());
            let end = (at + cut).min(valid.len());
            let changed = format!("{}{put}{}", &valid[..at], &valid[end..]);
            if let Ok(read) = PriceFile::parse(&changed, now()) {
                for (provider, row) in read.all() {
                    let known = Catalog::builtin().provider(provider);
                    prop_assert!(known.is_some_and(|known| !known.local));
                    prop_assert!(row.max_output > 0 && row.max_output <= row.context);
                    let priced = row.price.as_ref().is_none_or(|price| price.fault().is_none());
                    prop_assert!(priced);
                }
            }
        }
    }
}
