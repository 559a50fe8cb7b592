//! Where a provider is, and how it is spoken to.

use std::{collections::BTreeMap, fmt, time::Duration};

use convergio_egress::{ExtraRoots, Origin, SecretString, Timeouts, Url};
use convergio_models_api::ModelRequest;
use serde::Deserialize;

use crate::{
    catalog::{Catalog, ModelRow, ProviderRow},
    kind::Kind,
};

/// How an answer of a given shape is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonSupport {
    /// The provider holds the answer to the schema.
    Schema,
    /// The provider holds the answer to JSON; its shape is described in the prompt.
    Object,
    /// The model is made to call a tool whose arguments are the answer (older Anthropic models;
    /// newer ones refuse a forced call).
    Tool,
    /// The prompt asks for it, nothing more.
    Prompt,
}

/// The field of a Chat Completions request that bounds the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// What compatible servers know.
    #[default]
    MaxTokens,
    /// What OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

/// Which of OpenAI's two interfaces a model is asked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Chat Completions, which compatible servers know too.
    #[default]
    Chat,
    /// Responses: the one that gives a reasoning model its own reasoning back.
    Responses,
}

/// How a model is told how much to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningForm {
    /// By one word: OpenAI's `reasoning_effort` and `reasoning.effort`.
    Effort,
    /// By an object that has the word or a number of tokens: OpenRouter's `reasoning`.
    Object,
    /// Anthropic's newer models: `thinking` is adaptive, and `output_config` has the word.
    Adaptive,
    /// The same for those that think in any case: not at all is a little there.
    Always,
    /// The same for those that at least note something down between their tools.
    BetweenTools,
    /// Anthropic's older models: `thinking` has a number of tokens.
    Budget,
    /// Not at all: nothing is sent, and who wants it gets an error.
    None,
}

/// Details in which servers of one kind differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// How the answer is bounded.
    pub max_tokens: MaxTokensField,
    /// Whether `stream_options.include_usage` may be sent. Servers that refuse it report usage
    /// anyway, or not at all.
    pub usage_option: bool,
    /// How JSON is asked for, where the model's own row says nothing.
    pub json: JsonSupport,
    /// How its models are told how much to reason; none: as the kind has it. A model's own row
    /// comes first.
    pub reasoning: Option<ReasoningForm>,
    /// Reasoning is given back with the turn that it led to, as `reasoning_content`.
    pub return_reasoning: bool,
    /// Streams end with `[DONE]`. Where they don't, an answer that said why it stopped is whole
    /// when its stream ends.
    pub end_marker: bool,
    /// Its models take a temperature, where their own rows say nothing.
    pub sampling: bool,
    /// Through which interface its models are asked, where their own rows say nothing.
    pub api: Api,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            max_tokens: MaxTokensField::default(),
            usage_option: true,
            json: JsonSupport::Schema,
            reasoning: None,
            return_reasoning: false,
            end_marker: true,
            sampling: true,
            api: Api::default(),
        }
    }
}

/// What Azure wants to know besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Azure {
    /// `api-version`, such as `2024-10-21`. Without one the address is of the `v1` form, where the
    /// deployment stands in the body instead of the path.
    pub api_version: Option<String>,
    /// The key is a token of Microsoft Entra ID, sent as a bearer's, not a key of the resource.
    pub entra: bool,
    /// Deployments by model; a model without one is deployed under its own name.
    pub deployments: BTreeMap<String, String>,
}

/// What is known of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelTraits {
    /// Tokens of prompt and answer together.
    pub context: Option<u64>,
    /// Tokens of an answer.
    pub max_output: Option<u64>,
    /// How JSON is asked for.
    pub json: Option<JsonSupport>,
    /// Through which interface it is asked.
    pub api: Option<Api>,
    /// How it is told how much to reason.
    pub reasoning: Option<ReasoningForm>,
    /// It takes a temperature. Where it does not, it is asked without: it is a wish.
    pub sampling: Option<bool>,
}

impl From<&ModelRow> for ModelTraits {
    fn from(row: &ModelRow) -> Self {
        Self {
            context: Some(row.context),
            max_output: Some(row.max_output),
            json: row.json,
            api: row.api,
            reasoning: row.reasoning_form,
            sampling: row.sampling,
        }
    }
}

/// Models that think say nothing while they do, and not all providers ping meanwhile.
const FIRST_BYTE: Duration = Duration::from_secs(300);
const IDLE: Duration = Duration::from_secs(120);

/// A server here loads tens of gigabytes first, and reads a long prompt slowly.
const FIRST_BYTE_LOCAL: Duration = Duration::from_secs(900);

/// How long each wait may take where nobody says otherwise: 10 s to connect, 300 s to the first
/// byte (900 s where the model is `local`), 120 s between pieces.
pub fn usual_timeouts(local: bool) -> Timeouts {
    Timeouts {
        first_byte: if local { FIRST_BYTE_LOCAL } else { FIRST_BYTE },
        idle: IDLE,
        ..Timeouts::default()
    }
}

/// One configured provider and the key to use there. `Debug` shows no key.
#[derive(Clone)]
pub struct Endpoint {
    /// The configured name; requests name it too.
    pub name: String,
    /// Which dialect.
    pub kind: Kind,
    /// Where paths are appended: with `/v1` for OpenAI's kind, the root for the others.
    pub base_url: Url,
    /// No key: no header that would carry one.
    pub key: Option<SecretString>,
    /// Roots to trust beside the platform's.
    pub extra_roots: Option<ExtraRoots>,
    /// The user wrote that this endpoint may be spoken to in the clear across the network.
    pub allow_plain_http: bool,
    /// How long each wait may take; at first [`usual_timeouts`].
    pub timeouts: Timeouts,
    /// Details of the dialect.
    pub dialect: Dialect,
    /// The user, or the catalogue, says that models here run on this machine.
    pub local: bool,
    /// What is known of models, by id; may be empty.
    pub models: BTreeMap<String, ModelTraits>,
    /// For Azure alone.
    pub azure: Azure,
}

impl Endpoint {
    /// A provider that only configuration knows. Details of the dialect come from the catalogue's
    /// row of the same kind and host, when there is one.
    pub fn new(name: impl Into<String>, kind: Kind, base_url: Url) -> Self {
        let row = Catalog::builtin()
            .providers()
            .iter()
            .find(|row| !row.local && row.kind == kind && row.base_url.host() == base_url.host());
        let mut endpoint = Self {
            name: name.into(),
            kind,
            base_url,
            key: None,
            extra_roots: None,
            allow_plain_http: false,
            timeouts: usual_timeouts(false),
            dialect: Dialect::default(),
            local: false,
            models: BTreeMap::new(),
            azure: Azure::default(),
        };
        if let Some(row) = row {
            endpoint.dialect = row.dialect;
            endpoint.models = traits(row);
        }
        endpoint
    }

    /// A provider as the catalogue has it; the key is the caller's to add.
    pub fn from_row(row: &ProviderRow) -> Self {
        Self {
            dialect: row.dialect,
            local: row.local,
            models: traits(row),
            timeouts: usual_timeouts(row.local),
            ..Self::new(row.name.clone(), row.kind, row.base_url.clone())
        }
    }

    /// Scheme, host and port, as permits and egress rows name them; empty when the URL is neither
    /// `http` nor `https`.
    pub fn origin(&self) -> String {
        self.egress_origin()
            .map_or_else(String::new, |origin| origin.to_string())
    }

    /// Whether it is certainly this machine.
    pub fn is_loopback(&self) -> bool {
        self.egress_origin()
            .is_some_and(|origin| origin.is_loopback())
    }

    /// Whether this model runs on this machine: said to be local, at a loopback address, and not
    /// one of the models that Ollama hands on to its cloud.
    pub fn is_local_model(&self, model: &str) -> bool {
        self.local && self.may_be_local(model)
    }

    pub(crate) fn may_be_local(&self, model: &str) -> bool {
        self.is_loopback() && !(self.kind == Kind::Ollama && is_cloud_model(model))
    }

    pub(crate) fn egress_origin(&self) -> Option<Origin> {
        Origin::of(&self.base_url)
    }

    fn traits(&self, model: &str) -> ModelTraits {
        self.models.get(model).copied().unwrap_or_default()
    }

    /// How the answer's shape is asked for. Where the model has tools of its own it is not made to
    /// call the one that takes the answer.
    pub(crate) fn json_support(&self, request: &ModelRequest) -> JsonSupport {
        let support = self.traits(&request.model).json;
        match support.unwrap_or(self.dialect.json) {
            JsonSupport::Tool if !request.tools.is_empty() => JsonSupport::Prompt,
            support => support,
        }
    }

    /// The dialect of this model's bodies and answers.
    pub(crate) fn spoken(&self, model: &str) -> Kind {
        match (
            self.kind,
            self.traits(model).api.unwrap_or(self.dialect.api),
        ) {
            (Kind::OpenAi | Kind::Azure, Api::Responses) => Kind::OpenAiResponses,
            (kind, _) => kind,
        }
    }

    /// How this model is told how much to reason.
    pub(crate) fn reasoning_form(&self, model: &str) -> ReasoningForm {
        let said = self.traits(model).reasoning.or(self.dialect.reasoning);
        said.unwrap_or(match self.kind {
            Kind::Anthropic => ReasoningForm::Adaptive,
            _ => ReasoningForm::Effort,
        })
    }

    /// What the request says to a model that takes it.
    pub(crate) fn sampling(&self, request: &ModelRequest) -> (Option<f32>, Option<f32>) {
        let takes = self.traits(&request.model).sampling;
        if takes.unwrap_or(self.dialect.sampling) {
            (request.temperature, request.top_p)
        } else {
            (None, None)
        }
    }

    pub(crate) fn context(&self, model: &str) -> Option<u64> {
        self.models.get(model).and_then(|traits| traits.context)
    }

    /// `path` below the base; a first segment that the base already ends with is not doubled.
    pub(crate) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        let last = url
            .path_segments()
            .and_then(|mut segments| segments.rfind(|segment| !segment.is_empty()))
            .map(str::to_owned);
        let path = match path {
            [first, rest @ ..] if last.as_deref() == Some(*first) => rest,
            whole => whole,
        };
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

fn traits(row: &ProviderRow) -> BTreeMap<String, ModelTraits> {
    row.models
        .iter()
        .flat_map(|model| {
            std::iter::once(&model.id)
                .chain(&model.aliases)
                .map(move |id| (id.clone(), model.into()))
        })
        .collect()
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("origin", &self.origin())
            .field("has_key", &self.key.is_some())
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

/// Whether an Ollama model id names a model in Ollama's cloud (`…:cloud`, `…-cloud`): a server on
/// this machine answers for it and sends the prompt away, so it is never local.
pub fn is_cloud_model(id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    id.ends_with(":cloud") || id.ends_with("-cloud")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(kind: Kind, base: &str) -> Endpoint {
        Endpoint::new("x", kind, Url::parse(base).unwrap())
    }

    #[test]
    fn paths_are_appended_and_not_doubled() {
        let messages = |base: &str| {
            endpoint(Kind::Anthropic, base)
                .url(&["v1", "messages"])
                .to_string()
        };
        assert_eq!(messages("https://a.test"), "https://a.test/v1/messages");
        assert_eq!(messages("https://a.test/v1/"), "https://a.test/v1/messages");
        assert_eq!(messages("https://a.test/p"), "https://a.test/p/v1/messages");
        let chat = |base: &str| {
            endpoint(Kind::OpenAi, base)
                .url(&["chat", "completions"])
                .to_string()
        };
        assert_eq!(
            chat("https://a.test/v1/"),
            "https://a.test/v1/chat/completions"
        );
        assert_eq!(
            chat("https://a.test/v1?k=1"),
            "https://a.test/v1/chat/completions?k=1"
        );
    }

    #[test]
    fn a_known_host_brings_its_details_and_an_unknown_one_sensible_ones() {
        let known = endpoint(Kind::OpenAi, "https://api.openai.com/v1");
        assert_eq!(
            known.dialect.max_tokens,
            MaxTokensField::MaxCompletionTokens
        );
        let unknown = endpoint(Kind::OpenAi, "http://127.0.0.1:9000/v1");
        assert_eq!(unknown.dialect, Dialect::default());
        assert_eq!(unknown.dialect.max_tokens, MaxTokensField::MaxTokens);
    }

    #[test]
    fn local_takes_the_word_the_address_and_the_model() {
        let mut here = endpoint(Kind::Ollama, "http://127.0.0.1:11434");
        assert!(!here.is_local_model("llama3.2:1b"));
        here.local = true;
        assert!(here.is_local_model("llama3.2:1b"));
        assert!(!here.is_local_model("gpt-oss:120b-cloud"));
        assert!(!here.is_local_model("glm-4.6:Cloud"));
        let mut there = endpoint(Kind::Ollama, "http://192.168.0.9:11434");
        there.local = true;
        assert!(!there.is_local_model("llama3.2:1b"));
    }

    #[test]
    fn debug_shows_no_key() {
        let mut with_key = endpoint(Kind::OpenAi, "https://user:pass@a.test/v1?token=t0ken");
        with_key.key = Some("sk-canary-123456".to_owned().into());
        let shown = format!("{with_key:?}");
        for secret in ["canary", "pass", "t0ken"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
