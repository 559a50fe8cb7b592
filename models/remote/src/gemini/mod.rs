//! Gemini's own API: <https://ai.google.dev/api/generate-content>, a whole response in each event.
//!
//! Nothing marks the end but a finish reason and the end of the body behind it.

mod answer;
mod body;

use convergio_egress::Url;
use convergio_models_api::ModelRequest;

use crate::{
    endpoint::Endpoint,
    kind::{Framing, KeyHeader, Wire},
};

/// How it is spoken.
pub(crate) const WIRE: Wire = Wire {
    body: body::body,
    url,
    framing: Framing::Events,
    decoder: |_| Box::new(answer::GeminiDecoder::default()),
    // Never in the URL, which others write into logs.
    key: |_| KeyHeader::Named("x-goog-api-key"),
    headers: &[],
    list_url,
    list_field: "models",
};

const VERSION: &str = "v1beta";

/// What stands before each id in lists and paths.
pub(crate) const ID_PREFIX: &str = "models/";

/// Marks signatures that this dialect handed out, so that nobody else's are sent to it. No
/// signature has a colon of its own: they are base64.
const SIGNATURE_PREFIX: &str = "gemini:";

fn url(endpoint: &Endpoint, request: &ModelRequest) -> Url {
    let method = format!("{}:streamGenerateContent", bare(&request.model));
    let mut url = endpoint.url(&[VERSION, "models", &method]);
    url.query_pairs_mut().append_pair("alt", "sse");
    url
}

fn list_url(endpoint: &Endpoint) -> Url {
    let mut url = endpoint.url(&[VERSION, "models"]);
    url.query_pairs_mut().append_pair("pageSize", "1000");
    url
}

fn bare(model: &str) -> &str {
    model.strip_prefix(ID_PREFIX).unwrap_or(model)
}

#[cfg(test)]
fn endpoint() -> Endpoint {
    let base = "https://generativelanguage.googleapis.com";
    Endpoint::new("gemini", crate::kind::Kind::Gemini, base.parse().unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_stands_in_the_path_and_the_key_does_not() {
        let mut request = ModelRequest {
            model: "gemini-3.8-flash".to_owned(),
            ..ModelRequest::default()
        };
        let expected = "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse";
        assert_eq!(url(&endpoint(), &request).as_str(), expected);
        request.model = "models/gemini-3.8-flash".to_owned();
        assert_eq!(url(&endpoint(), &request).as_str(), expected);
        request.model = "../../x?key=1".to_owned();
        let hostile = url(&endpoint(), &request);
        assert_eq!(hostile.query(), Some("alt=sse"));
        assert!(hostile.path().starts_with("/v1beta/models/"), "{hostile}");
    }
}
