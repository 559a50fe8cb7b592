//! OpenAI's models as Azure hosts them: other addresses, another key's header, deployments instead
//! of models, and a filter that speaks up in the stream.
//! <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>.

use convergio_egress::Url;
use convergio_models_api::ModelRequest;

use crate::{
    endpoint::Endpoint,
    kind::{Framing, KeyHeader, Kind, Wire},
    openai,
};

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body: |endpoint, request| openai::body(endpoint, request, deployment(endpoint, request)),
    url,
    framing: Framing::Events,
    decoder: |expectation| Box::new(openai::Decoder::new(expectation.no_end_marker)),
    key: |endpoint| match endpoint.azure.entra {
        true => KeyHeader::Bearer,
        false => KeyHeader::Named("api-key"),
    },
    headers: &[],
    list_url: |endpoint| address(endpoint, &["models"]),
    list_field: "data",
};

/// What a model is deployed as.
fn deployment<'a>(endpoint: &'a Endpoint, request: &'a ModelRequest) -> &'a str {
    let deployments = &endpoint.azure.deployments;
    deployments.get(&request.model).unwrap_or(&request.model)
}

fn url(endpoint: &Endpoint, request: &ModelRequest) -> Url {
    let versioned = endpoint.azure.api_version.is_some();
    match endpoint.spoken(&request.model) {
        Kind::OpenAiResponses => address(endpoint, &["responses"]),
        _ if versioned => {
            let deployment = deployment(endpoint, request);
            address(
                endpoint,
                &["deployments", deployment, "chat", "completions"],
            )
        }
        _ => address(endpoint, &["chat", "completions"]),
    }
}

/// Below `…/openai/v1`, or `…/openai` with the version in the query. The base may be the
/// resource's own address or go as far as that.
fn address(endpoint: &Endpoint, path: &[&str]) -> Url {
    let mut base = endpoint.clone();
    let version = endpoint.azure.api_version.as_deref();
    let last = |url: &Url| {
        let mut segments = url.path_segments()?.filter(|segment| !segment.is_empty());
        segments.next_back().map(str::to_owned)
    };
    if let Ok(mut segments) = base.base_url.path_segments_mut() {
        segments.pop_if_empty();
    }
    if version.is_some()
        && last(&base.base_url).as_deref() == Some("v1")
        && let Ok(mut segments) = base.base_url.path_segments_mut()
    {
        segments.pop();
    }
    let mut whole = Vec::new();
    match last(&base.base_url).as_deref() {
        Some("v1") => {}
        Some("openai") if version.is_some() => {}
        Some("openai") => whole.push("v1"),
        _ if version.is_some() => whole.push("openai"),
        _ => whole.extend(["openai", "v1"]),
    }
    whole.extend(path);
    let mut url = base.url(&whole);
    if let Some(version) = version {
        url.query_pairs_mut().append_pair("api-version", version);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Api;

    fn addresses(base: &str, version: Option<&str>) -> (String, String) {
        let mut endpoint = Endpoint::new("az", Kind::Azure, Url::parse(base).unwrap());
        endpoint.azure.api_version = version.map(str::to_owned);
        let deployments = &mut endpoint.azure.deployments;
        deployments.insert("gpt-test".to_owned(), "mine".to_owned());
        let request = ModelRequest {
            model: "gpt-test".to_owned(),
            ..ModelRequest::default()
        };
        let chat = url(&endpoint, &request).to_string();
        endpoint.dialect.api = Api::Responses;
        (chat, url(&endpoint, &request).to_string())
    }

    #[test]
    fn both_forms_of_addresses_are_made_from_any_base() {
        for base in [
            "https://r.openai.azure.com",
            "https://r.openai.azure.com/openai",
            "https://r.openai.azure.com/openai/",
            "https://r.openai.azure.com/openai/v1/",
        ] {
            let (chat, responses) = addresses(base, None);
            assert_eq!(
                chat,
                "https://r.openai.azure.com/openai/v1/chat/completions"
            );
            assert_eq!(responses, "https://r.openai.azure.com/openai/v1/responses");
            let (chat, responses) = addresses(base, Some("2024-10-21"));
            assert_eq!(
                chat,
                "https://r.openai.azure.com/openai/deployments/mine/chat/completions\
                 ?api-version=2024-10-21",
                "{base}"
            );
            assert_eq!(
                responses,
                "https://r.openai.azure.com/openai/responses?api-version=2024-10-21"
            );
        }
    }
}
