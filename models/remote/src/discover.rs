//! Which models a provider has.

use convergio_egress::{Egress, EgressPermit, Method, Url};
use convergio_models_api::{Capabilities, ErrorClass, ModelError};
use serde_json::Value;

use crate::{
    decode::count,
    endpoint::{Endpoint, is_cloud_model},
    gemini,
    kind::Kind,
    ollama::show::{self, ModelDescription},
    remote::{failures, refusal, request},
    text::Redaction,
};

/// Models that are read from one list.
const MAX_MODELS: usize = 10_000;

/// Bytes that a list may have.
const MAX_LIST_BYTES: u64 = 16 << 20;

/// A model that a provider says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// Its id, as requests name it.
    pub id: String,
    /// It runs on this machine: never so for providers in the cloud, nor for models that an Ollama
    /// server here hands on to a cloud.
    pub local: bool,
    /// The machine to which an Ollama server hands it on.
    pub remote_host: Option<String>,
    /// What it takes on disk, in bytes.
    pub size_bytes: Option<u64>,
    /// Tokens of prompt and answer together, where the list says so.
    pub context: Option<u64>,
    /// Tokens of an answer, where the list says so.
    pub max_output: Option<u64>,
    /// What it can do, where somebody says so: see [`describe_model`].
    pub capabilities: Option<Capabilities>,
    /// The list's name for this very file; the same model under the same name may change.
    pub digest: Option<String>,
}

/// Bytes that the description of a model may have: templates and licences are in it.
const MAX_DESCRIPTION_BYTES: u64 = 4 << 20;

/// The address that [`describe_model`] asks; `None` for servers that describe nothing.
pub fn describe_model_url(endpoint: &Endpoint) -> Option<Url> {
    (endpoint.kind == Kind::Ollama).then(|| endpoint.url(show::PATH))
}

/// Asks an Ollama server what one of its models is. Sends once, to the endpoint's origin.
///
/// # Errors
/// As a call; `bad_request` for servers that describe nothing.
pub async fn describe_model(
    egress: &Egress,
    permit: EgressPermit,
    endpoint: &Endpoint,
    model: &str,
) -> Result<ModelDescription, ModelError> {
    let failures = failures(endpoint);
    let Some(url) = describe_model_url(endpoint) else {
        let why = "providers of this kind describe no models";
        return Err(failures.error(ErrorClass::BadRequest, why));
    };
    let body = serde_json::json!({ "model": model }).to_string();
    let request = request(endpoint, Method::Post, url)
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .max_response_bytes(MAX_DESCRIPTION_BYTES)
        .body(body.into_bytes());
    let answer = egress.send(permit, request).await;
    let response = answer.map_err(|error| failures.egress(&error))?;
    if !(200..300).contains(&response.status()) {
        return Err(refusal(&failures, response).await);
    }
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| failures.egress(&error))?;
    let said = serde_json::from_slice::<Value>(&body).ok();
    said.as_ref().and_then(show::description).ok_or_else(|| {
        let message = "what came describes no model";
        failures.error(ErrorClass::BrokenStream, message)
    })
}

/// The address that [`list_models`] asks; for kinds that are not spoken yet, the base.
pub fn list_models_url(endpoint: &Endpoint) -> Url {
    match endpoint.kind.wire() {
        Some(wire) => (wire.list_url)(endpoint),
        None => endpoint.base_url.clone(),
    }
}

/// Asks a provider for its models; with the endpoint's key where it has one, so a wrong key shows
/// (but for providers that list to anybody). Sends once, to the endpoint's origin.
///
/// # Errors
/// As a call: [`ModelError`] by class; `bad_request` for kinds that are not spoken yet.
pub async fn list_models(
    egress: &Egress,
    permit: EgressPermit,
    endpoint: &Endpoint,
) -> Result<Vec<ListedModel>, ModelError> {
    let mut failures = failures(endpoint);
    if !endpoint.kind.is_supported() {
        let why = crate::RemoteError::NotSupportedYet {
            kind: endpoint.kind,
        };
        return Err(failures.error(ErrorClass::BadRequest, why.to_string()));
    }
    let request = request(endpoint, Method::Get, list_models_url(endpoint))
        .header("accept", "application/json")
        .max_response_bytes(MAX_LIST_BYTES);
    let answer = egress.send(permit, request).await;
    let response = answer.map_err(|error| failures.egress(&error))?;
    if !(200..300).contains(&response.status()) {
        return Err(refusal(&failures, response).await);
    }
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| failures.egress(&error))?;
    let list = serde_json::from_slice::<Value>(&body).ok();
    let list = list.as_ref().and_then(|list| models(endpoint, list));
    failures.request_id = None;
    list.ok_or_else(|| {
        let message = "what came is no list of models";
        failures.error(ErrorClass::BrokenStream, message)
    })
}

/// The models of a list; `None` when it is none.
pub(crate) fn models(endpoint: &Endpoint, list: &Value) -> Option<Vec<ListedModel>> {
    let field = endpoint.kind.wire()?.list_field;
    let rows = match &list[field] {
        Value::Array(rows) => rows.as_slice(),
        // An Ollama without models says null.
        Value::Null if list.get(field).is_some() => &[],
        _ => return None,
    };
    let redaction = Redaction::new(endpoint.key.as_ref());
    let models = rows.iter().take(MAX_MODELS).filter_map(|row| {
        let id = ["id", "model", "name"]
            .iter()
            .find_map(|name| row[*name].as_str())?;
        // Google's list says what each can be asked for; embeddings and pictures are no answers.
        if let Some(methods) = row["supportedGenerationMethods"].as_array()
            && !methods.iter().any(|method| method == "generateContent")
        {
            return None;
        }
        let id = match endpoint.kind {
            Kind::Gemini => id.strip_prefix(gemini::ID_PREFIX).unwrap_or(id),
            _ => id,
        };
        // An id that had to be changed to be shown could not be asked for.
        if id.is_empty() || redaction.name(id) != id {
            return None;
        }
        let remote_host = row["remote_host"].as_str().filter(|host| !host.is_empty());
        let is_remote = remote_host.is_some()
            || row["remote_model"]
                .as_str()
                .is_some_and(|it| !it.is_empty());
        let mut ignored = convergio_models_api::Usage::default();
        let context = [
            "context_length",
            "max_context_length",
            "context_window",
            "max_model_len",
            "max_input_tokens",
            "inputTokenLimit",
        ]
        .iter()
        .find_map(|name| count(row.get(*name), &mut ignored));
        let max_output = [
            "outputTokenLimit",
            "max_completion_tokens",
            "max_output_tokens",
        ]
        .iter()
        .find_map(|name| count(row.get(*name), &mut ignored));
        Some(ListedModel {
            id: id.to_owned(),
            local: endpoint.is_local_model(id) && !is_remote && !is_cloud_model(id),
            remote_host: remote_host.map(|host| redaction.name(host)),
            size_bytes: row["size"].as_u64(),
            context,
            max_output,
            capabilities: None,
            digest: row["digest"].as_str().map(|digest| redaction.name(digest)),
        })
    });
    Some(models.collect())
}

#[cfg(test)]
mod tests {
    use convergio_fake_provider::{FakeProvider, Script};
    use serde_json::json;

    use super::*;
    use crate::{catalog::Catalog, permit};

    fn endpoint(name: &str) -> Endpoint {
        Endpoint::from_row(Catalog::builtin().provider(name).unwrap())
    }

    #[test]
    fn ollamas_cloud_models_are_not_local() {
        let list = json!({"models": [
            {"name": "llama3.2:1b", "model": "llama3.2:1b", "size": 1_321_098_329_u64},
            {"name": "gpt-oss:120b-cloud", "model": "gpt-oss:120b-cloud",
             "remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com:443", "size": 384},
            {"name": "mine", "model": "mine", "remote_host": "https://ollama.com:443"},
            {"name": "glm-4.6:cloud", "model": "glm-4.6:cloud"},
            {"name": "bad\u{1b}[2J"},
            {"size": 3}
        ]});
        let models = models(&endpoint("ollama"), &list).unwrap();
        let local: Vec<_> = models.iter().map(|it| (&*it.id, it.local)).collect();
        assert_eq!(
            local,
            [
                ("llama3.2:1b", true),
                ("gpt-oss:120b-cloud", false),
                ("mine", false),
                ("glm-4.6:cloud", false)
            ]
        );
        assert_eq!(models[0].size_bytes, Some(1_321_098_329));
        assert_eq!(
            models[1].remote_host.as_deref(),
            Some("https://ollama.com:443")
        );
    }

    #[test]
    fn lists_of_every_kind_are_read() {
        let list = json!({"object": "list", "data": [{"id": "gpt-test", "object": "model"},
            {"id": "m", "max_model_len": 4096}]});
        let found = models(&endpoint("openai"), &list).unwrap();
        assert!(!found[0].local);
        assert_eq!(found[1].context, Some(4096));
        assert!(models(&endpoint("vllm"), &list).unwrap()[0].local);
        assert_eq!(
            models(&endpoint("anthropic"), &json!({"data": []})),
            Some(vec![])
        );
        assert_eq!(
            models(&endpoint("ollama"), &json!({"models": null})),
            Some(vec![])
        );
        assert_eq!(models(&endpoint("openai"), &json!({"models": []})), None);
        assert_eq!(models(&endpoint("openai"), &json!("x")), None);
        let list = json!({"models": [
            {"name": "models/gemini-test", "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
             "supportedGenerationMethods": ["generateContent", "countTokens"]},
            {"name": "models/embed-test", "supportedGenerationMethods": ["embedContent"]}]});
        let found = models(&endpoint("gemini"), &list).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].id, found[0].local), ("gemini-test", false));
        assert_eq!(found[0].context, Some(1_048_576));
        assert_eq!(found[0].max_output, Some(65_536));
    }

    #[test]
    fn addresses_are_below_the_base() {
        let url = |name: &str| list_models_url(&endpoint(name)).to_string();
        assert_eq!(
            url("anthropic"),
            "https://api.anthropic.com/v1/models?limit=1000"
        );
        assert_eq!(url("openai"), "https://api.openai.com/v1/models");
        assert_eq!(url("ollama"), "http://127.0.0.1:11434/api/tags");
    }

    #[tokio::test]
    async fn lists_are_asked_for_with_the_key_and_errors_have_their_class() {
        let egress = Egress::new(convergio_egress::ProxySettings::default());
        for (name, path) in [
            ("anthropic", "/v1/models?limit=1000"),
            ("openai", "/v1/models"),
            ("ollama", "/api/tags"),
            ("gemini", "/v1beta/models?pageSize=1000"),
        ] {
            let script = Script::new().models(["gpt-test"]).require_key("sk-canary");
            let server = FakeProvider::start(script);
            let mut endpoint = endpoint(name);
            let mut base_url = Url::parse(&server.url()).unwrap();
            base_url.set_path(endpoint.base_url.path());
            endpoint.base_url = base_url;
            endpoint.key = Some("sk-canary".to_owned().into());
            let list = async |endpoint: &Endpoint| {
                let permit = permit::for_tests(endpoint);
                list_models(&egress, permit, endpoint).await
            };
            let models = list(&endpoint).await.unwrap();
            assert_eq!(models[0].id, "gpt-test", "{name}");
            let asked = server.request(0).unwrap();
            assert_eq!((&*asked.method, &*asked.path), ("GET", path));
            assert_eq!(asked.key(), Some("sk-canary"), "{name}");
            endpoint.key = Some("sk-wrong-key".to_owned().into());
            let error = list(&endpoint).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Auth, "{name}: {error}");
        }
    }

    #[tokio::test]
    async fn a_model_here_is_described_by_its_server() {
        let said = json!({"details": {"family": "llama"}, "capabilities": ["completion", "vision"],
            "model_info": {"general.architecture": "llama", "llama.context_length": 131_072}});
        let reply = convergio_fake_provider::Reply::body(200, "application/json", said.to_string());
        let server = FakeProvider::start(Script::new().on("/api/show", reply));
        let egress = Egress::new(convergio_egress::ProxySettings::default());
        let mut endpoint = endpoint("ollama");
        endpoint.base_url = Url::parse(&server.url()).unwrap();
        let permit = permit::for_tests(&endpoint);
        let described = describe_model(&egress, permit, &endpoint, "llama3.2").await;
        let described = described.unwrap();
        assert_eq!(described.context, Some(131_072));
        assert!(described.capabilities.unwrap().vision);
        assert_eq!(
            server.request(0).unwrap().json(),
            json!({"model": "llama3.2"})
        );
        endpoint.kind = Kind::OpenAi;
        let permit = permit::for_tests(&endpoint);
        let refused = describe_model(&egress, permit, &endpoint, "x").await;
        assert_eq!(refused.unwrap_err().class, ErrorClass::BadRequest);
    }
}
