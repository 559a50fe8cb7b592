//! Calls as the daemon makes them, against servers on loopback.

use convergio_egress::{Egress, ProxySettings, Timeouts, Url};
use convergio_fake_provider::FakeProvider;
use convergio_models_api::{
    Message, ModelError, ModelEvent, ModelRequest, Permit, Permitted, Policy, Provider, Role,
};
use convergio_models_remote::{Endpoint, Kind, ProviderRow, Remote};
use futures_util::StreamExt as _;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const KEY: &str = "sk-canary-0f9e8d7c6b5a-key";

/// The provider of a row, as if it were at the server's address.
pub(crate) fn endpoint_of(row: &ProviderRow, server: &FakeProvider) -> Endpoint {
    let mut endpoint = Endpoint::from_row(row);
    let mut base_url = Url::parse(&server.url()).unwrap();
    base_url.set_path(row.base_url.path());
    endpoint.base_url = base_url;
    endpoint.key = Some(KEY.to_owned().into());
    endpoint
}

pub(crate) fn endpoint(kind: Kind, server: &FakeProvider) -> Endpoint {
    let path = match kind {
        Kind::OpenAi | Kind::OpenAiResponses => "/v1",
        Kind::Gemini => "/v1beta",
        _ => "",
    };
    let base_url = Url::parse(&format!("{}{path}", server.url())).unwrap();
    let mut endpoint = Endpoint::new("mock", kind, base_url);
    endpoint.key = Some(KEY.to_owned().into());
    endpoint
}

pub(crate) fn request(provider: &str) -> ModelRequest {
    ModelRequest {
        provider: provider.to_owned(),
        model: "m".to_owned(),
        system: Some("Be brief.".to_owned()),
        messages: vec![Message::text(Role::User, "hi")],
        max_output: 64,
        temperature: None,
        output_schema: None,
        ..ModelRequest::default()
    }
}

pub(crate) fn permit(endpoint: &Endpoint) -> Permit {
    Permit {
        attempt_id: Uuid::now_v7(),
        run_id: Uuid::now_v7(),
        tenant_id: Uuid::nil(),
        profile_id: Uuid::nil(),
        policy: Policy::LocalFirst,
        local: false,
        destination: endpoint.origin(),
        egress_id: Some(Uuid::now_v7()),
    }
}

pub(crate) fn permitted(request: ModelRequest, permit: Permit) -> Permitted<ModelRequest> {
    #[expect(
        clippy::disallowed_methods,
        reason = "stands for the ledger's admission"
    )]
    Permitted::granted_by_admission(request, permit)
}

pub(crate) fn egress() -> Egress {
    Egress::new(ProxySettings::default())
}

/// What came of a call.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<ModelEvent>,
    pub(crate) error: Option<ModelError>,
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        self.texts(|event| match event {
            ModelEvent::Text(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn reasoning(&self) -> String {
        self.texts(|event| match event {
            ModelEvent::Reasoning(text) => Some(text),
            _ => None,
        })
    }

    fn texts(&self, take: impl Fn(&ModelEvent) -> Option<&String>) -> String {
        self.events.iter().filter_map(take).cloned().collect()
    }

    pub(crate) fn class(&self) -> Option<&'static str> {
        self.error.as_ref().map(|error| error.class.as_str())
    }
}

pub(crate) async fn call_with(
    egress: &Egress,
    endpoint: &Endpoint,
    request: ModelRequest,
) -> Outcome {
    let remote = Remote::new(endpoint.clone(), egress.clone()).unwrap();
    let mut stream = remote.stream(permitted(request, permit(endpoint)));
    let mut outcome = Outcome::default();
    while let Some(item) = stream.next().await {
        assert!(outcome.error.is_none(), "something came behind an error");
        match item {
            Ok(event) => outcome.events.push(event),
            Err(error) => outcome.error = Some(error),
        }
    }
    let shown = format!("{outcome:?}");
    assert!(!shown.contains("0f9e8d7c"), "the key is shown: {shown}");
    outcome
}

pub(crate) async fn call(endpoint: &Endpoint) -> Outcome {
    call_with(&egress(), endpoint, request(&endpoint.name)).await
}

pub(crate) fn short_waits() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(10),
        first_byte: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        total: None,
    }
}
