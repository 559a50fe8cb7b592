//! A provider over HTTP: one permitted request, one answer as it comes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use convergio_egress::{Body, Egress, Method, Reach, Request, Response, SecretString, Url};
use convergio_models_api::{
    ErrorClass, ModelError, ModelEvent, ModelRequest, ModelStream, Permitted, Provider, StopReason,
};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use thiserror::Error;

use crate::{
    decode::{Expectation, StreamDecoder},
    endpoint::{Endpoint, JsonSupport},
    failure::Failures,
    kind::{Framing, KeyHeader, Kind},
    lines::MAX_ANSWER_BYTES,
    permit::{self, Sendable},
    retry_after::retry_after_ms,
    text::Redaction,
};

/// Bytes of an error's body that are read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// After its end marker an answer is read to the end of its body, so that the connection can carry
/// the next one; not for longer, and not for more, than this.
const DRAIN: Duration = Duration::from_secs(1);
const MAX_DRAIN_BYTES: u64 = 64 << 10;

/// Why there is no provider.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemoteError {
    /// The kind is known and not spoken yet.
    #[error("providers of kind «{kind}» are not supported yet")]
    NotSupportedYet {
        /// Which.
        kind: Kind,
    },
    /// Nothing can be sent there.
    #[error("the address of «{name}» is neither http nor https")]
    BadBaseUrl {
        /// The provider.
        name: String,
    },
}

/// A provider over HTTP. Making one does nothing but hold what it is given: one for each run.
#[derive(Clone, Debug)]
pub struct Remote {
    endpoint: Arc<Endpoint>,
    egress: Egress,
}

impl Remote {
    /// A provider at `endpoint`, through `egress`.
    ///
    /// # Errors
    /// [`RemoteError`] for a kind that is not spoken yet and for an address that is no HTTP.
    pub fn new(endpoint: Endpoint, egress: Egress) -> Result<Self, RemoteError> {
        if !endpoint.kind.is_supported() {
            return Err(RemoteError::NotSupportedYet {
                kind: endpoint.kind,
            });
        }
        if endpoint.egress_origin().is_none() {
            return Err(RemoteError::BadBaseUrl {
                name: endpoint.name,
            });
        }
        Ok(Self {
            endpoint: Arc::new(endpoint),
            egress,
        })
    }

    /// Where, and how.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Provider for Remote {
    fn wire_bytes(&self, request: &ModelRequest) -> u64 {
        // A request that cannot be written is not sent either.
        body(&self.endpoint, request).map_or(0, |body| body.len() as u64)
    }

    fn destination(&self) -> String {
        self.endpoint.origin()
    }

    fn stream(&self, request: Permitted<ModelRequest>) -> ModelStream {
        let call = Call {
            failures: failures(&self.endpoint),
            endpoint: Arc::clone(&self.endpoint),
            egress: self.egress.clone(),
            events: VecDeque::new(),
            state: State::Admitted(Box::new(request)),
        };
        Box::pin(futures_util::stream::unfold(call, |mut call| async move {
            let item = call.next().await?;
            Some((item, call))
        }))
    }
}

pub(crate) fn failures(endpoint: &Endpoint) -> Failures {
    Failures {
        provider: endpoint.name.clone(),
        redaction: Redaction::new(endpoint.key.as_ref()),
        request_id: None,
    }
}

fn body(endpoint: &Endpoint, request: &ModelRequest) -> Result<Vec<u8>, String> {
    match endpoint.kind.wire() {
        Some(wire) => (wire.body)(endpoint, request),
        None => {
            let kind = endpoint.kind;
            Err(RemoteError::NotSupportedYet { kind }.to_string())
        }
    }
}

/// What requests of every kind share: bounds, and the key where its dialect wants it.
pub(crate) fn request(endpoint: &Endpoint, method: Method, url: Url) -> Request {
    let request = Request::new(method, url)
        .reach(Reach::Configured)
        .allow_plain_http(endpoint.allow_plain_http)
        .extra_roots(endpoint.extra_roots.clone())
        .timeouts(endpoint.timeouts)
        .header(
            "user-agent",
            concat!("convergio/", env!("CARGO_PKG_VERSION")),
        );
    let wire = endpoint.kind.wire();
    let headers = wire.map_or(&[][..], |wire| wire.headers);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let Some(key) = &endpoint.key else {
        return request;
    };
    match wire.map_or(KeyHeader::Bearer, |wire| (wire.key)(endpoint)) {
        KeyHeader::Named(name) => request.secret_header(name, key.clone()),
        KeyHeader::Bearer => {
            let bearer = SecretString::from(format!("Bearer {}", key.expose_secret()));
            request.secret_header("authorization", bearer)
        }
    }
}

enum State {
    /// Nothing was sent so far.
    Admitted(Box<Permitted<ModelRequest>>),
    Reading(Box<Reading>),
    /// What is left to hand over ends the stream.
    Ended(Option<Box<ModelError>>),
}

struct Reading {
    body: Body,
    decoder: StreamDecoder,
}

/// One call. Dropping it ends the connection.
struct Call {
    endpoint: Arc<Endpoint>,
    egress: Egress,
    failures: Failures,
    events: VecDeque<ModelEvent>,
    state: State,
}

impl Call {
    async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Ok(event));
            }
            match std::mem::replace(&mut self.state, State::Ended(None)) {
                State::Admitted(request) => {
                    self.state = match self.send(*request).await {
                        Ok(reading) => State::Reading(Box::new(reading)),
                        Err(error) => State::Ended(Some(Box::new(error))),
                    };
                }
                State::Reading(mut reading) => {
                    let chunk = reading.body.next().await;
                    self.state = self.read(chunk, reading);
                }
                State::Ended(error) => return error.map(|error| Err(*error)),
            }
        }
    }

    async fn send(&mut self, admitted: Permitted<ModelRequest>) -> Result<Reading, ModelError> {
        let Sendable {
            request: wanted,
            egress,
            local,
        } = permit::sendable(admitted, &self.endpoint)?;
        let endpoint = &self.endpoint;
        let body = body(endpoint, &wanted).map_err(|why| {
            // The request is at fault, and no rule of ours: it is written for another wire.
            self.failures
                .error(ErrorClass::BadRequest, format!("not sent: {why}"))
        })?;
        let Some(wire) = endpoint.kind.wire() else {
            let kind = endpoint.kind;
            let why = RemoteError::NotSupportedYet { kind }.to_string();
            return Err(self.failures.error(ErrorClass::BadRequest, why));
        };
        let url = (wire.url)(endpoint, &wanted);
        let request = request(endpoint, Method::Post, url)
            .header("content-type", "application/json")
            .header("accept", wire.framing.media_type())
            .max_response_bytes(MAX_ANSWER_BYTES)
            .body(body);
        let answer = self.egress.send(egress, request).await;
        let response = answer.map_err(|error| self.failures.egress(&error))?;
        self.failures.request_id = request_id(&response, &self.failures.redaction);

        let expectation = Expectation {
            json_by_tool: wanted.output_schema.is_some()
                && endpoint.json_support(&wanted) == JsonSupport::Tool,
            local,
            no_end_marker: !endpoint.dialect.end_marker,
        };
        let spoken = endpoint.spoken(&wanted.model);
        let status = response.status();
        if let Some(error) = self.not_of_a_model(&response) {
            return Err(error);
        }
        let is_json = wire.framing == Framing::Events
            && response
                .header("content-type")
                .is_some_and(|value| value.starts_with("application/json"));
        match StreamDecoder::new(spoken, expectation) {
            Some(decoder) if (200..300).contains(&status) && !is_json => Ok(Reading {
                body: response.into_body(),
                decoder,
            }),
            _ => Err(refusal(&self.failures, response).await),
        }
    }

    /// What says in its head that no model's answer follows, or none that can be read.
    fn not_of_a_model(&self, response: &Response) -> Option<ModelError> {
        let status = response.status();
        if !(200..300).contains(&status) {
            return None;
        }
        let head = |name| {
            response
                .header(name)
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let (media_type, coding) = (head("content-type"), head("content-encoding"));
        let mut error = if media_type.starts_with("text/html") {
            // Of a portal in between, or of another server: no model was asked, so nothing is owed.
            let what = "a web page answered instead of a model: is the provider's base_url right?";
            self.failures.error(ErrorClass::Server, what)
        } else if !matches!(&*coding, "" | "identity") {
            // The answer is in there, and owed.
            let what = "the answer came compressed, which nobody asked for";
            self.failures.error(ErrorClass::BrokenStream, what)
        } else {
            return None;
        };
        error.status = Some(status);
        Some(error)
    }

    /// What a piece of the body, or its end, makes of the call.
    fn read(
        &mut self,
        chunk: Option<Result<impl AsRef<[u8]>, convergio_egress::EgressError>>,
        mut reading: Box<Reading>,
    ) -> State {
        let mut events = Vec::new();
        let failed = match chunk {
            Some(Ok(bytes)) => reading.decoder.feed(bytes.as_ref(), &mut events).err(),
            Some(Err(error)) => {
                return State::Ended(Some(Box::new(self.failures.egress(&error))));
            }
            None => reading.decoder.finish(&mut events).err(),
        };
        for event in events {
            let event = self.named(event);
            self.events.push_back(event);
        }
        if let Some(error) = failed {
            return State::Ended(Some(Box::new(self.failures.decode(&error))));
        }
        if reading.decoder.is_done() {
            drain(reading.body);
            return State::Ended(None);
        }
        State::Reading(reading)
    }

    /// The header's name for the call is the one that the provider's support asks for. Whatever
    /// name a provider gives holds no key.
    fn named(&mut self, event: ModelEvent) -> ModelEvent {
        match event {
            ModelEvent::Started { request_id, model } => {
                let redaction = &self.failures.redaction;
                let request_id = request_id.map(|id| redaction.name(&id));
                let model = model.map(|model| redaction.name(&model));
                if self.failures.request_id.is_none() {
                    self.failures.request_id = request_id;
                }
                ModelEvent::Started {
                    request_id: self.failures.request_id.clone(),
                    model,
                }
            }
            ModelEvent::Stop(StopReason::Other(word)) => {
                ModelEvent::Stop(StopReason::Other(self.failures.redaction.name(&word)))
            }
            other => other,
        }
    }
}

fn request_id(response: &Response, redaction: &Redaction) -> Option<String> {
    let id = ["request-id", "x-request-id"]
        .iter()
        .find_map(|name| response.header(name))?;
    let id = redaction.name(id);
    (!id.is_empty()).then_some(id)
}

/// The error of an answer that is none.
pub(crate) async fn refusal(failures: &Failures, response: Response) -> ModelError {
    let status = response.status();
    let wait = retry_after_ms(|name| response.header(name), Timestamp::now());
    let mut said = Vec::new();
    let mut body = response.into_body();
    // A body that breaks off says what it says; the status is what counts.
    while let Some(Ok(chunk)) = body.next().await {
        let room = MAX_ERROR_BYTES - said.len();
        said.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if said.len() == MAX_ERROR_BYTES {
            break;
        }
    }
    if (200..300).contains(&status) {
        let has_error = serde_json::from_slice::<serde_json::Value>(&said)
            .is_ok_and(|value| value.get("error").is_some_and(|error| !error.is_null()));
        if !has_error {
            let message = "the provider answered with JSON instead of a stream";
            return failures.error(ErrorClass::BrokenStream, message);
        }
    }
    failures.status(status, &said, wait)
}

/// Reads what is behind the end marker, usually nothing, so that the connection stays usable.
fn drain(mut body: Body) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    let limit_bytes = body.received_bytes().saturating_add(MAX_DRAIN_BYTES);
    runtime.spawn(tokio::time::timeout(DRAIN, async move {
        while let Some(Ok(_)) = body.next().await {
            if body.received_bytes() > limit_bytes {
                break;
            }
        }
    }));
}
