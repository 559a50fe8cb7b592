//! The catalogue: who speaks which dialect, where, and what it costs. Data, compiled in.

use std::{collections::BTreeSet, sync::LazyLock};

use convergio_egress::{Origin, Url};
use convergio_models_api::Capabilities;
use serde::{Deserialize, Deserializer, de::Error as _};
use thiserror::Error;

use crate::{
    endpoint::{Api, Dialect, JsonSupport, ReasoningForm},
    kind::Kind,
    price::Price,
};

/// Reserved for names of hosts that never exist.
const NO_HOST: &str = ".invalid";

/// What a model may be good for, by which routers choose among a provider's models.
pub const TAGS: [&str; 4] = ["fast", "smart", "code", "cheap"];

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
    /// Its customers each have an address of their own, and this row has none that answers.
    pub fn needs_address(&self) -> bool {
        let host = self.base_url.host_str();
        host.is_some_and(|host| host.ends_with(NO_HOST))
    }

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
    /// What it can do beside text.
    #[serde(deserialize_with = "capabilities")]
    pub capabilities: Capabilities,
    /// What it is good for, of [`TAGS`].
    #[serde(default)]
    pub tags: Vec<String>,
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
                check(&row.name, model, &mut ids)?;
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

/// The words of a row's list as what they say.
fn capabilities<'de, D: Deserializer<'de>>(list: D) -> Result<Capabilities, D::Error> {
    let mut can = Capabilities::default();
    for word in Vec::<String>::deserialize(list)? {
        *match word.as_str() {
            "tools" => &mut can.tools,
            "vision" => &mut can.vision,
            "reasoning" => &mut can.reasoning,
            "cache" => &mut can.cache,
            "json" => &mut can.json,
            _ => return Err(D::Error::custom(format!("{word:?} is no capability"))),
        } = true;
    }
    Ok(can)
}

/// Whether a row of a model of this provider holds together, and its ids are not taken.
pub(crate) fn check<'a>(
    provider: &str,
    model: &'a ModelRow,
    ids: &mut BTreeSet<&'a String>,
) -> Result<(), CatalogError> {
    let wrong = |what| {
        Err(CatalogError::Row {
            row: format!("{provider}/{}", model.id),
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
    if model.tags.iter().any(|tag| !TAGS.contains(&&**tag)) {
        return wrong("a tag of it is unknown");
    }
    match model.price.as_ref().and_then(Price::fault) {
        Some(what) => wrong(what),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

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
            "azure",
            "gemini",
        ] {
            assert!(parsed.provider(name).is_some(), "{name}");
        }
        for name in ["anthropic", "openai", "gemini"] {
            let row = parsed.provider(name).unwrap();
            let default = row.default_model.as_deref().unwrap();
            assert!(row.model(default).unwrap().price.is_some(), "{name}");
        }
        let names = parsed.key_env_names();
        assert!(names.contains(&"ANTHROPIC_API_KEY") && names.contains(&"OPENAI_API_KEY"));
        for row in parsed.providers() {
            assert!(row.kind.is_supported(), "{}", row.name);
            assert_eq!(row.local, row.key_env.is_empty(), "{}", row.name);
            // Which one is meant must not depend on the order of rows.
            for tag in TAGS {
                let tagged = row
                    .models
                    .iter()
                    .filter(|it| it.tags.iter().any(|own| own == tag));
                assert!(tagged.count() <= 2, "{} {tag}", row.name);
            }
        }
        assert!(parsed.provider("azure").unwrap().needs_address());
        assert!(!parsed.provider("openai").unwrap().needs_address());
    }

    #[test]
    fn every_row_is_whole_and_every_price_is_dated_and_sourced() {
        let mut models = 0;
        for provider in Catalog::builtin().providers() {
            for model in &provider.models {
                let name = format!("{}/{}", provider.name, model.id);
                models += 1;
                assert!(model.capabilities.tools, "{name}");
                assert!(
                    model.context >= 100_000 && model.max_output >= 8_000,
                    "{name}"
                );
                let price = model.price.as_ref().unwrap();
                assert!(price.source.starts_with("https://"), "{name}");
                let day: Date = price.as_of.parse().unwrap();
                assert!(day.year() == 2026, "{name}");
                // What a provider charges for keeping or reading is known where it keeps.
                if model.capabilities.cache {
                    assert!(price.cache_read.is_some(), "{name}");
                }
            }
        }
        assert!(models >= 45, "{models}");
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
                "[[provider.model]]\nid = \"m\"\ncontext = 10\nmax_output = 5\ncapabilities = []\n{rest}"
            ))
        };
        assert!(model("").is_ok());
        let price = |input: &str| {
            model(&format!(
                "price = {{ input = \"{input}\", output = \"1\", source = \"https://a.test\", as_of = \"2026-11-20\" }}"
            ))
        };
        assert!(price("0.125").is_ok());
        assert!(model("tags = [\"fast\"]").is_ok());
        assert!(model("tags = [\"slow\"]").is_err());
        let next = |from: &str| {
            model(&format!(
                "price = {{ input = \"1\", output = \"1\", source = \"https://a.test\", as_of = \"2026-11-20\", \
                 next = {{ from = \"{from}\", input = \"2\", output = \"2\" }} }}"
            ))
        };
        assert!(next("2026-11-21").is_ok());
        assert!(next("2026-11-20").is_err() && next("soon").is_err());
        for bad in ["", ".5", "1.", "1e3", "-1", "1,5", "0.0000000001"] {
            assert!(price(bad).is_err(), "{bad}");
        }
        for bad in [
            "default_model = \"m\"",
            "local = true",
            "unknown = 1",
            "[[provider]]\nname = \"a\"\ntitle = \"\"\nkind = \"openai\"\nbase_url = \"https://b.test\"\ndocs_url = \"\"",
            "[[provider.model]]\nid = \"m\"\ncontext = 10\nmax_output = 11\ncapabilities = []",
            "[[provider.model]]\nid = \"m\"\naliases = [\"m\"]\ncontext = 10\nmax_output = 1\ncapabilities = []",
        ] {
            assert!(row(bad).is_err(), "{bad}");
        }
    }
}
