//! The keys of a provider and of a model, and how their names are read.

use crate::catalog::{Place, Refusal, Target, closest};
use crate::error::{ErrorKind, quoted};
use crate::forms::{Form, is_model_id, is_provider_name};
use crate::keys::{KeySpec, Kind};

use super::settings::ProviderKind;

/// The table that holds every provider's.
pub(crate) const SECTION: &str = "provider";

const MILLISECONDS: Kind = Kind::Integer {
    min: 100,
    max: 3_600_000,
};
const TOKENS: Kind = Kind::Integer {
    min: 1,
    max: 100_000_000,
};

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> KeySpec {
    KeySpec::optional(SECTION, name, kind, doc)
}

/// The keys of `[provider.NAME]`.
pub(crate) static PROVIDER_KEYS: &[KeySpec] = &[
    key(
        "kind",
        Kind::Choice(ProviderKind::WORDS),
        "Which wire the provider speaks",
    ),
    key(
        "base_url",
        Kind::Text(Form::Url),
        "Where it is; the kind's own address where none is set",
    ),
    key(
        "key_env",
        Kind::Text(Form::VariableName),
        "The variable that holds its key",
    ),
    key(
        "key_cmd",
        Kind::Text(Form::Command),
        "A command that prints its key; /bin/sh -c runs it",
    ),
    key(
        "ca_file",
        Kind::Text(Form::AbsolutePath),
        "A PEM file with certificates to trust besides the system's",
    ),
    key(
        "api_version",
        Kind::Text(Form::Word),
        "For Azure: the api-version of its dated addresses; the v1 form where none is set",
    ),
    key(
        "auth",
        Kind::Choice(&["key", "entra"]),
        "For Azure: what its key is, the resource's own or a token of Microsoft Entra ID",
    ),
    key(
        "local",
        Kind::Boolean,
        "It answers on this machine and passes nothing on; only true on a loopback address",
    ),
    key(
        "allow_plain_http",
        Kind::Boolean,
        "Keys and text may go to it unencrypted; not needed on this machine",
    ),
    key(
        "concurrency",
        Kind::Integer { min: 1, max: 256 },
        "How many calls it may have at once",
    ),
    key(
        "connect_timeout_ms",
        MILLISECONDS,
        "How long a connection may take to stand",
    ),
    key(
        "first_byte_timeout_ms",
        MILLISECONDS,
        "How long its answer may take to begin",
    ),
    key(
        "idle_timeout_ms",
        MILLISECONDS,
        "How long it may be silent within an answer",
    ),
];

/// The keys of `[provider.NAME.model."ID"]`.
pub(crate) static MODEL_KEYS: &[KeySpec] = &[
    key(
        "price.input",
        Kind::Text(Form::Usd),
        "Dollars for a million tokens that are sent",
    ),
    key(
        "price.output",
        Kind::Text(Form::Usd),
        "Dollars for a million tokens of answer",
    ),
    key(
        "price.cache_read",
        Kind::Text(Form::Usd),
        "Dollars for a million tokens that were in the provider's cache",
    ),
    key(
        "price.cache_write",
        Kind::Text(Form::Usd),
        "Dollars for a million tokens that are put into the provider's cache",
    ),
    key(
        "price.cache_write_1h",
        Kind::Text(Form::Usd),
        "Dollars for a million tokens that are put into the provider's cache for an hour",
    ),
    key(
        "context",
        TOKENS,
        "How many tokens it takes, question and answer together",
    ),
    key("max_output", TOKENS, "How many tokens its answer can have"),
    key(
        "json",
        Kind::Boolean,
        "It keeps to a JSON schema when asked",
    ),
    key("tools", Kind::Boolean, "It calls tools"),
    key("vision", Kind::Boolean, "It sees pictures"),
    key(
        "reasoning",
        Kind::Boolean,
        "It reasons before it answers, and may be told how much",
    ),
    key("cache", Kind::Boolean, "Its provider keeps prompts"),
    key(
        "deployment",
        Kind::Text(Form::Word),
        "For Azure: what it is deployed as; its own id where none is set",
    ),
    key(
        "api",
        Kind::Choice(&["chat", "responses"]),
        "Through which of OpenAI's interfaces it is asked",
    ),
    key(
        "sampling",
        Kind::Boolean,
        "It takes a temperature; one that does not is asked without",
    ),
];

/// The key behind `provider.NAME.key` or `provider.NAME.model.ID.key`; `None`
/// when the name is not about a provider. The id may be in quotes and may hold
/// dots: the key is what stands last.
pub(crate) fn find(name: &str) -> Option<Result<Target, Refusal>> {
    let rest = match name.strip_prefix(SECTION)? {
        "" => return Some(Err(a_table(name))),
        rest => rest.strip_prefix('.')?,
    };
    let (provider, key) = match rest.split_once('.') {
        Some((provider, key)) => (provider, Some(key)),
        None => (rest, None),
    };
    if !is_provider_name(provider) {
        return Some(Err(bad_provider(provider)));
    }
    let Some(key) = key else {
        return Some(Err(a_table(name)));
    };
    Some(match key.strip_prefix("model.") {
        Some(key) => find_model(name, provider, key),
        None if key == "model" => Err(a_table(name)),
        None => provider_key(provider, key),
    })
}

/// The key of a provider.
pub(super) fn provider_key(provider: &str, key: &str) -> Result<Target, Refusal> {
    match PROVIDER_KEYS.iter().find(|spec| spec.name == key) {
        Some(spec) => Ok(Target {
            spec,
            place: Place::Provider(provider.to_owned()),
        }),
        None => {
            let names = PROVIDER_KEYS.iter().map(|spec| spec.name).chain(["model"]);
            Err(Refusal {
                kind: ErrorKind::UnknownKey,
                reason: format!("a provider has no setting {}", quoted(key)),
                nearest: closest(key, names).map(|near| format!("{SECTION}.{provider}.{near}")),
            })
        }
    }
}

/// The key of a model.
pub(super) fn model_key(provider: &str, id: &str, key: &str) -> Result<Target, Refusal> {
    if !is_model_id(id) {
        return Err(Refusal {
            kind: ErrorKind::OutOfRange,
            reason: format!(
                "{} can't be a model's id: it takes 1 to 200 letters, digits and signs, and \
                 neither blanks nor quotes",
                quoted(id)
            ),
            nearest: None,
        });
    }
    match MODEL_KEYS.iter().find(|spec| spec.name == key) {
        Some(spec) => Ok(Target {
            spec,
            place: Place::Model {
                provider: provider.to_owned(),
                id: id.to_owned(),
            },
        }),
        None => Err(Refusal {
            kind: ErrorKind::UnknownKey,
            reason: format!("a model has no setting {}", quoted(key)),
            nearest: closest(key, MODEL_KEYS.iter().map(|spec| spec.name))
                .map(|near| format!("{SECTION}.{provider}.model.\"{id}\".{near}")),
        }),
    }
}

fn find_model(name: &str, provider: &str, rest: &str) -> Result<Target, Refusal> {
    let known = MODEL_KEYS.iter().find_map(|spec| {
        let id = rest.strip_suffix(spec.name)?.strip_suffix('.')?;
        Some((id, spec.name))
    });
    match known.or_else(|| rest.rsplit_once('.')) {
        Some((id, key)) => model_key(provider, unquoted(id), key),
        None => Err(a_table(name)),
    }
}

fn unquoted(id: &str) -> &str {
    id.strip_prefix('"')
        .and_then(|id| id.strip_suffix('"'))
        .unwrap_or(id)
}

pub(super) fn bad_provider(name: &str) -> Refusal {
    Refusal {
        kind: ErrorKind::OutOfRange,
        reason: format!(
            "{} can't be a provider's name: it takes 1 to 64 letters, digits, `_` and `-`",
            quoted(name)
        ),
        nearest: None,
    }
}

fn a_table(name: &str) -> Refusal {
    Refusal {
        kind: ErrorKind::WrongType,
        reason: format!("{} is a table of settings, not a value", quoted(name)),
        nearest: Some(format!(
            "{}.kind",
            name.split(".model").next().unwrap_or(name)
        )),
    }
}
