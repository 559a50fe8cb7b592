//! What is set about models, providers and money, as types.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use super::{Said, Tables, boolean, integer, text};
use crate::forms::{Form, is_loopback, nano_usd, url};
use crate::keys::{
    BUDGET_DAILY_USD, BUDGET_LIMITS, BUDGET_MONTHLY_USD, KeySpec, MODELS_ALIAS,
    MODELS_ALLOWED_PROVIDERS, MODELS_DEFAULT, MODELS_FALLBACK, MODELS_FALLBACK_ON, MODELS_POLICY,
    MODELS_REVIEW, SECRETS_FILE,
};
use crate::limits::{ScopedLimit, limits};
use crate::settings::Settings;
use crate::value::{Layer, Origin, Value};

/// The most that models may cost in a day where nobody set another amount: a
/// dollar, in nano-USD.
pub const DEFAULT_DAILY_NANO_USD: i64 = 1_000_000_000;

/// Which models are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models {
    /// Asked where a command names none.
    pub default: Option<ModelRef>,
    /// The same, where the settings name several by one word.
    pub default_alias: Option<String>,
    /// Reviews; `default` where none is set.
    pub review: Option<ModelRef>,
    /// Asked in this order when the one before can't answer.
    pub fallback: Vec<ModelRef>,
    /// Asked instead of `fallback` after one kind of failure, by [`crate::FALLBACK_CAUSES`].
    pub fallback_on: BTreeMap<String, Vec<ModelRef>>,
    /// Names of the user's own for models, each a chain.
    pub alias: BTreeMap<String, Vec<ModelRef>>,
    /// Which ones may be asked at all, and in which order.
    pub policy: ModelPolicy,
    /// The only providers that may be asked; `None` for every one.
    pub allowed_providers: Option<Vec<String>>,
}

/// A model of a provider: `provider/model`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRef {
    /// The provider's name.
    pub provider: String,
    /// The model's id; it may itself hold slashes.
    pub model: String,
}

/// A text that names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a model is named \"provider/model\"")]
pub struct NotAModel;

impl FromStr for ModelRef {
    type Err = NotAModel;

    fn from_str(text: &str) -> Result<Self, NotAModel> {
        match text.split_once('/') {
            Some((provider, model)) if Form::ModelRef.allows(text) => Ok(Self {
                provider: provider.to_owned(),
                model: model.to_owned(),
            }),
            _ => Err(NotAModel),
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.provider, self.model)
    }
}

/// Which models may be asked, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModelPolicy {
    /// Local ones when they can do it, then others within the budget.
    #[default]
    LocalFirst,
    /// Others within the budget, then local ones.
    CloudFirst,
    /// Local ones only: a hard line.
    LocalOnly,
    /// Whichever costs least.
    Cheapest,
}

impl ModelPolicy {
    /// As it stands in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LocalFirst => "local-first",
            Self::CloudFirst => "cloud-first",
            Self::LocalOnly => "local-only",
            Self::Cheapest => "cheapest",
        }
    }

    fn read(word: &str) -> Self {
        match word {
            "cloud-first" => Self::CloudFirst,
            "cheapest" => Self::Cheapest,
            "local-first" => Self::LocalFirst,
            // The table lets no other word through; if it did, this is the
            // reading that sends nothing away.
            _ => Self::LocalOnly,
        }
    }
}

/// How much may be spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSettings {
    /// The most of a day in nano-USD; `None` when nobody set it.
    pub daily_nano_usd: Option<i64>,
    /// Who set it.
    pub layer: Layer,
    /// What a month, a provider, an agent, … may cost.
    pub limits: Vec<ScopedLimit>,
}

impl BudgetSettings {
    /// The most of a day in nano-USD, the default where nobody set it.
    pub fn effective_daily_nano_usd(&self) -> i64 {
        self.daily_nano_usd.unwrap_or(DEFAULT_DAILY_NANO_USD)
    }
}

/// A provider that the user or the policy named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Its name: `[provider.NAME]`.
    pub name: String,
    /// Which wire it speaks.
    pub kind: ProviderKind,
    /// Where it is; the kind's own address where none is set.
    pub base_url: Option<Url>,
    /// The variable that holds its key.
    pub key_env: Option<String>,
    /// A command that prints its key.
    pub key_cmd: Option<String>,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Azure's `api-version`; its `v1` form where none is set.
    pub api_version: Option<String>,
    /// Its key is a token of Microsoft Entra ID.
    pub entra: bool,
    /// It answers on this machine and passes nothing on. Where the file does
    /// not say: an Ollama on a loopback address does, unless a price is given
    /// for one of its models; nobody else.
    pub local: bool,
    /// Unencrypted calls to another machine are the user's explicit wish.
    pub allow_plain_http: bool,
    /// How many calls it may have at once.
    pub concurrency: Option<u32>,
    /// How long it may take.
    pub timeouts: ProviderTimeouts,
    /// What is known about its models, by id.
    pub models: BTreeMap<String, ModelSettings>,
    /// Where it was named.
    pub origin: Origin,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $word:literal;)+) => {
        /// Which wire a provider speaks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProviderKind {
            $($(#[$doc])* $kind,)+
        }

        impl ProviderKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// All of them, as they stand in the file.
            pub(crate) const WORDS: &[&str] = &[$($word),+];

            /// As it stands in the file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }

            /// The kind of this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$kind),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// Anthropic Messages.
    Anthropic, "anthropic";
    /// OpenAI Chat Completions, and everything compatible.
    OpenAi, "openai";
    /// OpenAI Responses.
    OpenAiResponses, "openai-responses";
    /// OpenAI on Azure.
    Azure, "azure";
    /// Google's Gemini.
    Gemini, "gemini";
    /// Ollama.
    Ollama, "ollama";
}

/// How long a provider may take; `None` where nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderTimeouts {
    /// Until a connection stands.
    pub connect_timeout_ms: Option<u64>,
    /// Until the answer begins.
    pub first_byte_timeout_ms: Option<u64>,
    /// Between two parts of an answer.
    pub idle_timeout_ms: Option<u64>,
}

/// What the user says about a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelSettings {
    /// What it costs.
    pub price: Option<Price>,
    /// How many tokens it takes, question and answer together.
    pub context_tokens: Option<u64>,
    /// How many tokens its answer can have.
    pub max_output_tokens: Option<u64>,
    /// Whether it keeps to a JSON schema.
    pub json: Option<bool>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it sees pictures.
    pub vision: Option<bool>,
    /// Whether it reasons and may be told how much.
    pub reasoning: Option<bool>,
    /// Whether its provider keeps prompts.
    pub cache: Option<bool>,
    /// What it is deployed as at Azure.
    pub deployment: Option<String>,
    /// Whether it is asked through OpenAI's Responses, not Chat Completions.
    pub responses: Option<bool>,
    /// Whether it takes a temperature.
    pub sampling: Option<bool>,
}

/// Prices in nano-USD for a million tokens: $3 is 3,000,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Tokens that are sent.
    pub input: i64,
    /// Tokens of answer.
    pub output: i64,
    /// Sent tokens that were in the provider's cache.
    pub cache_read: Option<i64>,
    /// Sent tokens that are put into the provider's cache.
    pub cache_write: Option<i64>,
    /// The same where it keeps them for an hour; as `cache_write` where none is given.
    pub cache_write_1h: Option<i64>,
}

impl Settings {
    /// Which models are asked.
    pub fn models(&self) -> Models {
        Models {
            default: self.model(&MODELS_DEFAULT),
            default_alias: self
                .entry(&MODELS_DEFAULT.dotted())
                .map(|(_, entry)| entry.value.to_string())
                .filter(|text| !text.contains('/')),
            review: self.model(&MODELS_REVIEW),
            fallback: self
                .texts(&MODELS_FALLBACK)
                .unwrap_or_default()
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
            fallback_on: self.chains(&MODELS_FALLBACK_ON),
            alias: self.chains(&MODELS_ALIAS),
            policy: ModelPolicy::read(self.value(&MODELS_POLICY)),
            allowed_providers: self.texts(&MODELS_ALLOWED_PROVIDERS).map(<[_]>::to_vec),
        }
    }

    /// The chains of a table of them, the strongest layer's of each name.
    fn chains(&self, spec: &KeySpec) -> BTreeMap<String, Vec<ModelRef>> {
        let prefix = format!("{}.", spec.dotted());
        let mut chains = BTreeMap::new();
        for (_, values) in self.layers() {
            for (name, entry) in values {
                if let (Some(name), Value::List(texts)) = (name.strip_prefix(&prefix), &entry.value)
                {
                    let chain = texts.iter().filter_map(|text| text.parse().ok());
                    chains.insert(name.to_owned(), chain.collect());
                }
            }
        }
        chains
    }

    /// Whether `models.allowed_providers` lets this one be asked, a built-in
    /// one too.
    pub fn provider_allowed(&self, name: &str) -> bool {
        self.texts(&MODELS_ALLOWED_PROVIDERS)
            .is_none_or(|allowed| allowed.iter().any(|one| one == name))
    }

    /// How much may be spent.
    pub fn budget(&self) -> BudgetSettings {
        // The values were checked when they were read; were one unreadable all the same, nothing
        // may be spent on its account.
        let usd = |spec: &KeySpec| {
            let (layer, entry) = self.entry(&spec.dotted())?;
            Some((layer, nano_usd(&entry.value.to_string()).unwrap_or(0)))
        };
        let daily = usd(&BUDGET_DAILY_USD);
        let texts = self.texts(&BUDGET_LIMITS).unwrap_or_default();
        BudgetSettings {
            daily_nano_usd: daily.map(|(_, nano_usd)| nano_usd),
            layer: daily.map_or(Layer::Default, |(layer, _)| layer),
            limits: limits(
                usd(&BUDGET_MONTHLY_USD).map(|(_, nano_usd)| nano_usd),
                texts.iter().map(String::as_str),
            ),
        }
    }

    /// Whether keys may be kept in the encrypted file.
    pub fn secrets_file(&self) -> bool {
        self.value(&SECRETS_FILE)
    }

    /// The providers that the user's file and the policy name. Those that are
    /// built in are not among them, unless something is said about them.
    pub fn providers(&self) -> BTreeMap<String, ProviderSettings> {
        Tables::collect(self.layers())
            .into_iter()
            .filter_map(|(name, tables)| Some((name.clone(), provider(name, &tables)?)))
            .collect()
    }

    fn model(&self, spec: &KeySpec) -> Option<ModelRef> {
        let (_, entry) = self.entry(&spec.dotted())?;
        entry.value.to_string().parse().ok()
    }

    pub(crate) fn texts(&self, spec: &KeySpec) -> Option<&[String]> {
        match self.entry(&spec.dotted()) {
            Some((_, entry)) => match &entry.value {
                Value::List(texts) => Some(texts),
                _ => None,
            },
            None => None,
        }
    }
}

/// The kind that a provider's table has: the one it says, or the one it is
/// named after.
pub(super) fn kind(name: &str, tables: &Tables) -> Option<ProviderKind> {
    ProviderKind::from_word(tables.text("kind").unwrap_or(name))
}

/// Whether a provider is on this machine and passes nothing on. Who bills for
/// it passes it on to somebody.
fn local(
    kind: ProviderKind,
    base_url: Option<&Url>,
    said: Option<bool>,
    models: &BTreeMap<String, ModelSettings>,
) -> bool {
    let loopback = match base_url {
        Some(url) => is_loopback(url),
        None => kind == ProviderKind::Ollama,
    };
    let mut prices = models.values().filter_map(|model| model.price.as_ref());
    let is_billed = prices.any(|price| price.input > 0 || price.output > 0);
    loopback && said.unwrap_or(kind == ProviderKind::Ollama && !is_billed)
}

/// What is said of a model.
fn model(keys: &BTreeMap<&'static str, Said>) -> ModelSettings {
    let price = |name: &str| text(keys, name).and_then(nano_usd);
    ModelSettings {
        price: price("price.input")
            .zip(price("price.output"))
            .map(|(input, output)| Price {
                input,
                output,
                cache_read: price("price.cache_read"),
                cache_write: price("price.cache_write"),
                cache_write_1h: price("price.cache_write_1h"),
            }),
        context_tokens: integer(keys, "context"),
        max_output_tokens: integer(keys, "max_output"),
        json: boolean(keys, "json"),
        tools: boolean(keys, "tools"),
        vision: boolean(keys, "vision"),
        reasoning: boolean(keys, "reasoning"),
        cache: boolean(keys, "cache"),
        deployment: text(keys, "deployment").map(str::to_owned),
        responses: text(keys, "api").map(|api| api == "responses"),
        sampling: boolean(keys, "sampling"),
    }
}

fn provider(name: String, tables: &Tables) -> Option<ProviderSettings> {
    let kind = kind(&name, tables)?;
    let base_url = tables.text("base_url").and_then(url);
    let models: BTreeMap<String, ModelSettings> = tables
        .models
        .iter()
        .map(|(id, keys)| (id.clone(), model(keys)))
        .collect();
    Some(ProviderSettings {
        kind,
        local: local(kind, base_url.as_ref(), tables.boolean("local"), &models),
        base_url,
        key_env: tables.text("key_env").map(str::to_owned),
        key_cmd: tables.text("key_cmd").map(str::to_owned),
        ca_file: tables.text("ca_file").map(PathBuf::from),
        api_version: tables.text("api_version").map(str::to_owned),
        entra: tables.text("auth") == Some("entra"),
        allow_plain_http: tables.boolean("allow_plain_http").unwrap_or(false),
        concurrency: tables
            .integer("concurrency")
            .and_then(|count| u32::try_from(count).ok()),
        timeouts: ProviderTimeouts {
            connect_timeout_ms: tables.integer("connect_timeout_ms"),
            first_byte_timeout_ms: tables.integer("first_byte_timeout_ms"),
            idle_timeout_ms: tables.integer("idle_timeout_ms"),
        },
        models,
        origin: tables.first()?.1.origin.clone(),
        name,
    })
}
