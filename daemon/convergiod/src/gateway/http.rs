//! Who may come in, and where to.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use convergio_gateway::{
    Fault, FaultKind, Wire,
    access::{self, Head, Refused},
    listing,
};
use convergio_runs::NewToken;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{fault::TOKEN_FAULT, listen::HEAD_MAX_BYTES, models, wire};
use crate::{
    daemon::{Daemon, now_ms},
    failure, rpc,
};

/// What all requests share.
pub(super) struct App {
    pub(super) daemon: Arc<Daemon>,
    port: u16,
    allowed_origins: Vec<String>,
    /// Long bodies that are read at one time.
    pub(super) long_bodies: tokio::sync::Semaphore,
}

/// Long bodies that are read at one time; each has [`wire::BODY_MAX_BYTES`] at most.
const LONG_BODIES: usize = 4;

impl App {
    pub(super) fn new(daemon: Arc<Daemon>, port: u16, allowed_origins: Vec<String>) -> Self {
        Self {
            daemon,
            port,
            allowed_origins,
            long_bodies: tokio::sync::Semaphore::new(LONG_BODIES),
        }
    }

    /// The token that a request presents, where it is good.
    pub(super) async fn token(&self, uri: &Uri, headers: &HeaderMap) -> Result<NewToken, Fault> {
        let (authorizations, api_keys) = (all(headers, "authorization"), all(headers, "x-api-key"));
        let head = Head {
            query: uri.query(),
            authorizations: &authorizations,
            api_keys: &api_keys,
            ..Head::default()
        };
        let hash = access::presented(&head).map_err(refused)?.hash();
        let same = |found: &convergio_runs::Token| {
            let known = convergio_gateway::token::TokenHash(found.token.hash);
            found.is_good(now_ms()) && known.matches(&hash)
        };
        let presented = &self.daemon.gateway.presented;
        let number = match presented.find(&hash.0) {
            Ok(found) if same(&found) => return Ok(found.token.clone()),
            Ok(_) => return Err(refused(Refused::BadToken)),
            Err(number) => number,
        };
        let (tenant, key) = (self.daemon.runs().tenant(), hash.0);
        let read = self.daemon.store.read("find a token", move |conn| {
            convergio_runs::find_token(conn, tenant, key)
        });
        let found = read
            .await
            .map_err(|error| super::fault::of_rpc(&rpc::runs_error(error), None))?;
        match found.filter(same) {
            Some(found) => {
                let found = Arc::new(found);
                presented.keep(number, &found);
                Ok(Arc::unwrap_or_clone(found).token)
            }
            None => Err(refused(Refused::BadToken)),
        }
    }
}

fn refused(refused: Refused) -> Fault {
    let kind = match refused.status() {
        403 => FaultKind::Permission,
        _ => FaultKind::Authentication,
    };
    Fault::new(kind, format!("Convergio: {}", refused.message())).code(TOKEN_FAULT)
}

fn all<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h [u8]> {
    let values = headers.get_all(name).iter();
    values.map(HeaderValue::as_bytes).collect()
}

/// The paths.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/v1/models", get(list))
        .route("/v1/models/{*id}", get(one))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/responses", post(responses))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(from_fn_with_state(Arc::clone(&app), at_the_door))
        .with_state(app)
}

/// Host and origin, before anything else is looked at.
async fn at_the_door(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (method, headers) = (request.method().clone(), request.headers());
    let (hosts, origins) = (all(headers, "host"), all(headers, "origin"));
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let head = Head {
        authority,
        hosts: &hosts,
        origins: &origins,
        ..Head::default()
    };
    let origin = match access::place(&head, app.port, &app.allowed_origins) {
        Ok(origin) => origin.and_then(|origin| HeaderValue::from_str(origin).ok()),
        Err(error) => return problem(error.status(), "forbidden", error.message()),
    };
    let heads = headers.iter();
    let sizes = heads.map(|(name, value)| name.as_str().len() + value.len());
    if sizes.sum::<usize>() + request.uri().path().len() > HEAD_MAX_BYTES {
        let why = format!("a head has at most {HEAD_MAX_BYTES} bytes");
        return problem(431, "too_large", &why);
    }
    let mut response = match &origin {
        // A browser asks before it sends for a page that is allowed.
        Some(_) if method == Method::OPTIONS => preflight(),
        _ => next.run(request).await,
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, x-api-key, content-type, anthropic-version, anthropic-beta",
        ),
    );
    response
}

async fn healthz() -> Response {
    json_response(StatusCode::OK, &json!({"status": "ok"}))
}

/// The wire that a request means whose path is not here.
fn wire_meant(request: &Request) -> Wire {
    let path = request.uri().path();
    match wire_of(request.headers()) {
        Wire::Chat if path.starts_with("/v1/messages") => Wire::Messages,
        wire => wire,
    }
}

async fn nothing_here(State(app): State<Arc<App>>, request: Request) -> Response {
    let wire = wire_meant(&request);
    // Who presents no token learns nothing of what is here.
    if let Err(fault) = app.token(request.uri(), request.headers()).await {
        return fault_response(wire, &fault);
    }
    let why = "Convergio: there is no such path: this gateway has /v1/models, \
               /v1/chat/completions, /v1/responses, /v1/messages and /v1/messages/count_tokens";
    let fault = Fault::new(FaultKind::NotFound, why).code("unknown_path");
    fault_response(wire, &fault)
}

async fn not_so(State(app): State<Arc<App>>, request: Request) -> Response {
    let wire = wire_meant(&request);
    if let Err(fault) = app.token(request.uri(), request.headers()).await {
        return fault_response(wire, &fault);
    }
    let (method, path) = (request.method(), request.uri().path());
    let why = format!("Convergio: {path} does not take {method}");
    let fault = Fault::new(FaultKind::Invalid, why).code("method_not_allowed");
    let mut response = fault_response(wire, &fault);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

fn wire_of(headers: &HeaderMap) -> Wire {
    match headers.contains_key("anthropic-version") {
        true => Wire::Messages,
        false => Wire::Chat,
    }
}

async fn listed(app: &App, parts: &Parts) -> Result<Vec<listing::Listed>, Fault> {
    let token = app.token(&parts.uri, &parts.headers).await?;
    let settings = wire::settings(&app.daemon)?;
    let all = app.daemon.models.configured(&settings);
    // What runs on this machine; each server is given a moment, and remembered for another one.
    let here = all.values().filter(|provider| provider.local);
    let here = here.map(|provider| async {
        let found = app.daemon.models_here(provider).await;
        let ids = found.into_iter().map(|model| model.id);
        (provider.name.clone(), ids.collect::<Vec<_>>())
    });
    let here = join_all(here).await;
    Ok(models::listed(&all, here, &token))
}

async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let wire = wire_of(&parts.headers);
    match listed(&app, &parts).await {
        Ok(models) => json_response(
            StatusCode::OK,
            &match wire {
                Wire::Messages => listing::anthropic(&models),
                _ => listing::openai(&models),
            },
        ),
        Err(fault) => fault_response(wire, &fault),
    }
}

async fn one(
    State(app): State<Arc<App>>,
    // Decoded: the official clients send the slash of `provider/model` as %2F.
    Path(wanted): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let wire = wire_of(&parts.headers);
    let found = listed(&app, &parts).await.and_then(|models| {
        let found = models.into_iter().find(|model| model.id == wanted);
        found.ok_or_else(|| {
            Fault::new(
                FaultKind::NotFound,
                "Convergio: there is no such model: GET /v1/models lists them",
            )
        })
    });
    match found {
        Ok(model) => json_response(
            StatusCode::OK,
            &match wire {
                Wire::Messages => listing::anthropic_one(&model),
                _ => listing::openai_one(&model),
            },
        ),
        Err(fault) => fault_response(wire, &fault),
    }
}

async fn chat(State(app): State<Arc<App>>, request: Request) -> Response {
    wire::answer(&app, Wire::Chat, request).await
}

async fn responses(State(app): State<Arc<App>>, request: Request) -> Response {
    wire::answer(&app, Wire::Responses, request).await
}

async fn messages(State(app): State<Arc<App>>, request: Request) -> Response {
    wire::answer(&app, Wire::Messages, request).await
}

async fn count_tokens(State(app): State<Arc<App>>, request: Request) -> Response {
    wire::count(&app, request).await
}

/// A response with a JSON body.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// An error outside of any wire: RFC 9457.
fn problem(status: u16, slug: &str, detail: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({
        "type": format!("urn:convergio:error:{slug}"),
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = json_response(status, &body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    challenge(&mut response);
    response
}

/// An error in a wire's own form.
pub(super) fn fault_response(wire: Wire, fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status(wire));
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(status, &fault.body(wire));
    let headers = response.headers_mut();
    if let Some(wait_ms) = fault.retry_after_ms {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(wait_ms.div_ceil(1_000)),
        );
    }
    // The official clients obey it.
    headers.insert(
        HeaderName::from_static("x-should-retry"),
        HeaderValue::from_static(if fault.retryable { "true" } else { "false" }),
    );
    if fault.code.as_deref() == Some(TOKEN_FAULT) {
        challenge(&mut response);
    }
    response
}

fn challenge(response: &mut Response) {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"convergio\""),
        );
    }
}

/// A fault of ours, before any run.
pub(super) fn internal(what: &'static str, why: impl Into<String>) -> Fault {
    super::fault::of_rpc(&failure::internal(what, why), None)
}
