//! The catalogue: who speaks which dialect, where, and what it costs. Data, compiled in.

use std::{collections::BTreeSet, sync::LazyLock};

use convergio_egress::{Origin, Url};
use serde::Deserialize;
use thiserror::Error;

use crate::{
    endpoint::{Api, Dialect, JsonSupport, ReasoningForm},
    kind::Kind,
};

const BUILTIN: &str = include_str!("../catalog.toml");

/// Why a catalogue cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CatalogError {
    /// It is not the TOML that a catalogue is.
    #[error("the catalogue cannot be read: {0}")]
    Form(String),
    /// A row contradicts itself or another.
    #[error("the catalogue's row {row} is wrong: {what}")]
    Row {
        /// The provider, or provider and model.
        row: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// Providers and their models.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    text: String,
    providers: Vec<ProviderRow>,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderRow {
    /// What configuration and requests call it.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Which dialect it speaks.
    pub kind: Kind,
    /// Where it is.
    pub base_url: Url,
    /// Environment variables that may hold its key, in order of preference; none: it needs no key.
    #[serde(default)]
    pub key_env: Vec<String>,
    /// Where its documentation is.
    pub docs_url: String,
    /// A server on this machine: whatever it answers costs nothing, explicitly.
    #[serde(default)]
    pub local: bool,
    /// What is used where nobody names a model.
    pub default_model: Option<String>,
    /// Details of the dialect.
    #[serde(default)]
    pub dialect: Dialect,
    /// Models with a sourced row. Others can be used too, once somebody says what they cost.
    #[serde(default, rename = "model")]
    pub models: Vec<ModelRow>,
}

impl ProviderRow {
    /// A model by its id or one of its aliases.
    pub fn model(&self, id: &str) -> Option<&ModelRow> {
        self.models
            .iter()
            .find(|row| row.id == id || row.aliases.iter().any(|alias| alias == id))
    }
}

/// A model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRow {
    /// The provider's id.
    pub id: String,
    /// Other ids of the same model at the same price.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Tokens of prompt and answer together.
    pub context: u64,
    /// Tokens of an answer.
    pub max_output: u64,
    /// How JSON is asked for, where it differs from the provider's way.
    pub json: Option<JsonSupport>,
    /// Through which interface it is asked, where it differs from the provider's way.
    pub api: Option<Api>,
    /// How it is told how much to reason, where it differs from the provider's way.
    pub reasoning_form: Option<ReasoningForm>,
    /// Whether it takes a temperature, where it differs from the provider's way.
    pub sampling: Option<bool>,
    /// The family of its tokenizer; none: UTF-8 bytes are the bound.
    pub tokenizer: Option<String>,
    /// What it costs. Without a price it is not called.
    pub price: Option<Price>,
}

/// US dollars per million tokens, as decimal strings: money is never a float.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input that no cache had.
    pub input: String,
    /// Output, reasoning included.
    pub output: String,
    /// Input read from a cache.
    pub cache_read: Option<String>,
    /// Input written to a cache of five minutes, or of the provider's usual time.
    pub cache_write_5m: Option<String>,
    /// Input written to a cache of an hour.
    pub cache_write_1h: Option<String>,
    /// Other prices for the whole request when its prompt is long; ascending.
    #[serde(default)]
    pub tiers: Vec<PriceTier>,
    /// Where this was read.
    pub source: String,
    /// The day on which it was so, `YYYY-MM-DD`.
    pub as_of: String,
}

/// The price of a whole request whose prompt is long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTier {
    /// It holds for prompts of **more** tokens than this, of all input classes together.
    pub over_prompt_tokens: u64,
    /// As in [`Price`].
    pub input: String,
    /// As in [`Price`].
    pub output: String,
    /// As in [`Price`].
    pub cache_read: Option<String>,
    /// As in [`Price`].
    pub cache_write_5m: Option<String>,
    /// As in [`Price`].
    pub cache_write_1h: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<ProviderRow>,
}

impl Catalog {
    /// The catalogue of this release; read at its first use.
    pub fn builtin() -> &'static Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
            // A test reads it; a release in which it cannot be read does not exist.
            Catalog::parse(BUILTIN).unwrap_or_default()
        });
        &CATALOG
    }

    /// Reads a catalogue.
    ///
    /// # Errors
    /// [`CatalogError`] when it has not the form of one, or when a row is wrong: twice the same
    /// name, a default model without a row, a price that is no decimal or has no source, a local
    /// provider that is not at this machine.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let file: File =
            toml::from_str(text).map_err(|error| CatalogError::Form(error.to_string()))?;
        let mut names = BTreeSet::new();
        for row in &file.provider {
            let wrong = |what| {
                Err(CatalogError::Row {
                    row: row.name.clone(),
                    what,
                })
            };
            if row.name.is_empty() || !names.insert(&row.name) {
                return wrong("its name is empty or taken");
            }
            let Some(origin) = Origin::of(&row.base_url) else {
                return wrong("its address is neither http nor https");
            };
            if row.local != origin.is_loopback() {
                return wrong("local and at this machine are one");
            }
            if let Some(default) = &row.default_model
                && row.model(default).is_none()
            {
                return wrong("its default model has no row");
            }
            let mut ids = BTreeSet::new();
            for model in &row.models {
                check(row, model, &mut ids)?;
            }
        }
        Ok(Self {
            text: text.to_owned(),
            providers: file.provider,
        })
    }

    /// The text that it was read from; its hash identifies the prices.
    pub fn version_text(&self) -> &str {
        &self.text
    }

    /// All providers, in the catalogue's order.
    pub fn providers(&self) -> &[ProviderRow] {
        &self.providers
    }

    /// A provider by name.
    pub fn provider(&self, name: &str) -> Option<&ProviderRow> {
        self.providers.iter().find(|row| row.name == name)
    }

    /// A model of a provider, by id or alias.
    pub fn model(&self, provider: &str, model: &str) -> Option<&ModelRow> {
        self.provider(provider)?.model(model)
    }

    /// Every environment variable that may hold a key: what a client hands over. Sorted, unique.
    pub fn key_env_names(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self
            .providers
            .iter()
            .flat_map(|row| row.key_env.iter().map(String::as_str))
            .collect();
        names.into_iter().collect()
    }
}

fn check<'a>(
    provider: &ProviderRow,
    model: &'a ModelRow,
    ids: &mut BTreeSet<&'a String>,
) -> Result<(), CatalogError> {
    let wrong = |what| {
        Err(CatalogError::Row {
            row: format!("{}/{}", provider.name, model.id),
            what,
        })
    };
    for id in std::iter::once(&model.id).chain(&model.aliases) {
        if id.is_empty() || !ids.insert(id) {
            return wrong("an id is empty or taken");
        }
    }
    if model.max_output == 0 || model.max_output > model.context {
        return wrong("its answers do not fit its context");
    }
    let Some(price) = &model.price else {
        return Ok(());
    };
    let always = [&price.input, &price.output];
    let sometimes = [
        &price.cache_read,
        &price.cache_write_5m,
        &price.cache_write_1h,
    ];
    let in_tiers = price.tiers.iter().flat_map(|tier| {
        let always = [Some(&tier.input), Some(&tier.output)];
        let sometimes = [
            tier.cache_read.as_ref(),
            tier.cache_write_5m.as_ref(),
            tier.cache_write_1h.as_ref(),
        ];
        always.into_iter().chain(sometimes).flatten()
    });
    let amounts = always
        .into_iter()
        .chain(sometimes.into_iter().flatten())
        .chain(in_tiers);
    for amount in amounts {
        if !is_decimal(amount) {
            return wrong("a price is no decimal");
        }
    }
    if !price.tiers.is_sorted_by_key(|tier| tier.over_prompt_tokens) {
        return wrong("its tiers do not ascend");
    }
    if !price.source.starts_with("https://") || price.as_of.parse::<jiff::civil::Date>().is_err() {
        return wrong("a price needs its source and its day");
    }
    Ok(())
}

/// Digits, and perhaps a point with at most nine digits behind it.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && whole.len() <= 9 && fraction.len() <= 9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_of_this_release_can_be_read() {
        let parsed = Catalog::parse(BUILTIN).unwrap();
        assert_eq!(parsed.providers(), Catalog::builtin().providers());
        for name in [
            "anthropic",
            "openai",
            "ollama",
            "openrouter",
            "mistral",
            "groq",
            "deepseek",
            "xai",
            "lmstudio",
            "llamacpp",
            "vllm",
            "mlx",
        ] {
            assert!(parsed.provider(name).is_some(), "{name}");
        }
        for name in ["anthropic", "openai"] {
            let row = parsed.provider(name).unwrap();
            let default = row.default_model.as_deref().unwrap();
            assert!(row.model(default).unwrap().price.is_some(), "{name}");
        }
        let names = parsed.key_env_names();
        assert!(names.contains(&"ANTHROPIC_API_KEY") && names.contains(&"OPENAI_API_KEY"));
        for row in parsed.providers() {
            assert!(row.kind.is_supported(), "{}", row.name);
            assert_eq!(row.local, row.key_env.is_empty(), "{}", row.name);
            let models_have_prices = row.models.iter().all(|model| model.price.is_some());
            assert!(models_have_prices, "{}", row.name);
        }
    }

    fn row(change: &str) -> Result<Catalog, CatalogError> {
        let base = r#"
            [[provider]]
            name = "a"
            title = "A"
            kind = "openai"
            base_url = "https://a.test/v1"
            docs_url = "https://a.test/docs"
            "#;
        Catalog::parse(&format!("{base}\n{change}"))
    }

    #[test]
    fn rows_that_are_wrong_are_refused() {
        assert!(row("").is_ok());
        let model = |rest: &str| {
            row(&format!(
                "[[provider.model]]\nid = \"m\"\ncontext = 10\nmax_output = 5\n{rest}"
            ))
        };
        assert!(model("").is_ok());
        let price = |input: &str| {
            model(&format!(
                "price = {{ input = \"{input}\", output = \"1\", source = \"https://a.test\", as_of = \"2026-11-20\" }}"
            ))
        };
        assert!(price("0.125").is_ok());
        for bad in ["", ".5", "1.", "1e3", "-1", "1,5", "0.0000000001"] {
            assert!(price(bad).is_err(), "{bad}");
        }
        for bad in [
            "default_model = \"m\"",
            "local = true",
            "unknown = 1",
            "[[provider]]\nname = \"a\"\ntitle = \"\"\nkind = \"openai\"\nbase_url = \"https://b.test\"\ndocs_url = \"\"",
            "[[provider.model]]\nid = \"m\"\ncontext = 10\nmax_output = 11",
            "[[provider.model]]\nid = \"m\"\naliases = [\"m\"]\ncontext = 10\nmax_output = 1",
        ] {
            assert!(row(bad).is_err(), "{bad}");
        }
    }
}
