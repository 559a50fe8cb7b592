//! One request of a wire: read, run, answered.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use convergio_config::Settings;
use convergio_contract::{
    Uuid,
    run::{RunInfo, RunState},
};
use convergio_gateway::{Asked, Fault, FaultKind, Wire, Writer, parse, parse_to_count};
use convergio_runs::{NewToken, RunKind};
use futures_util::stream;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::json;
use tokio::time::timeout;

use super::{
    fault,
    feed::{Ended, Feed},
    http::{App, fault_response, internal, json_response},
};
use crate::{
    bus::run::LiveRun,
    daemon::{Daemon, Phase, now_ms},
    run_kinds::gateway::{Request as Run, supervise},
};

/// Bytes of a request: pictures travel inside of it.
pub(super) const BODY_MAX_BYTES: usize = 32 << 20;
/// Bytes that need no place among the long ones, and are understood on the spot.
const SHORT_BYTES: u64 = 1 << 20;
/// A request has to be here within this.
const BODY_WITHIN: Duration = Duration::from_secs(60);
/// After so long without a word the program is told that somebody works.
const PING_AFTER: Duration = Duration::from_secs(15);

/// Ends the run where nobody waits for it any more.
struct Waiting {
    app: Arc<App>,
    run: Arc<LiveRun>,
    token: String,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // An ended run takes no notice.
        self.run.cancel("the program went away");
        self.app.daemon.gateway.ends(&self.token, self.run.id);
    }
}

/// The settings that hold for programs: those of the daemon's own environment.
pub(super) fn settings(daemon: &Daemon) -> Result<Settings, Fault> {
    let settings = daemon.configuration.own_settings();
    settings.map_err(|error| fault::of_rpc(&error, None))
}

/// Takes a body apart.
type Parse = fn(Wire, &[u8]) -> Result<Asked, Fault>;

async fn read(
    app: &App,
    (wire, parse): (Wire, Parse),
    headers: &HeaderMap,
    body: Body,
) -> Result<Asked, Fault> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(Fault::invalid(
            "content-encoding",
            "requests are taken as they are, not compressed",
        ));
    }
    let too_large = || {
        Fault::new(
            FaultKind::TooLarge,
            format!("Convergio: a request has at most {BODY_MAX_BYTES} bytes"),
        )
    };
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_MAX_BYTES as u64) {
        return Err(too_large());
    }
    let long = length.is_none_or(|length| length > SHORT_BYTES);
    let reading = async {
        let _place = match long {
            true => Some(app.long_bodies.acquire().await),
            false => None,
        };
        let collected = Limited::new(body, BODY_MAX_BYTES).collect().await;
        let bytes = match collected {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
            Err(error) => {
                return Err(Fault::new(
                    FaultKind::Invalid,
                    format!("Convergio: the request broke off: {error}"),
                ));
            }
        };
        if !long {
            return parse(wire, &bytes);
        }
        // Others don't wait while it is taken apart.
        let parsed = app
            .daemon
            .background
            .run("read a request", move || parse(wire, &bytes));
        parsed.await.map_err(|error| fault::of_rpc(&error, None))?
    };
    match timeout(BODY_WITHIN, reading).await {
        Ok(read) => read,
        Err(_) => Err(Fault::new(
            FaultKind::Invalid,
            "Convergio: the request did not come in time",
        )),
    }
}

/// Whether the answer may be kept and given again, as the program says; none where it does not.
fn says_cache(headers: &HeaderMap) -> Result<Option<bool>, Fault> {
    const NAME: &str = "x-convergio-cache";
    match headers.get(NAME).map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(b"on") => Ok(Some(true)),
        Some(b"off") => Ok(Some(false)),
        Some(_) => Err(Fault::invalid(NAME, "takes on or off")),
    }
}

async fn understood(
    app: &App,
    wire: Wire,
    request: Request,
) -> Result<(NewToken, Asked, Option<bool>), Fault> {
    let (parts, body) = request.into_parts();
    app.daemon.gateway.counted();
    let token = app.token(&parts.uri, &parts.headers).await?;
    let cache = says_cache(&parts.headers)?;
    match read(app, (wire, parse), &parts.headers, body).await {
        Ok(asked) => Ok((token, asked, cache)),
        Err(fault) => {
            app.daemon.gateway.has_failed(&token.name);
            Err(fault)
        }
    }
}

/// Guesses how many tokens a request has. Nothing leaves.
pub(super) async fn count(app: &App, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    app.daemon.gateway.counted();
    let counted = async {
        app.token(&parts.uri, &parts.headers).await?;
        read(app, (Wire::Messages, parse_to_count), &parts.headers, body).await
    };
    match counted.await {
        Ok(asked) => {
            let body = json!({"input_tokens": asked.input_tokens_guess()});
            let mut response = json_response(StatusCode::OK, &body);
            response.headers_mut().insert(
                HeaderName::from_static("x-convergio-estimate"),
                HeaderValue::from_static("true"),
            );
            response
        }
        Err(fault) => fault_response(Wire::Messages, &fault),
    }
}

/// Makes one run of a request, and answers it.
pub(super) async fn answer(app: &Arc<App>, wire: Wire, request: Request) -> Response {
    let (token, asked, cache) = match understood(app, wire, request).await {
        Ok(understood) => understood,
        Err(fault) => return fault_response(wire, &fault),
    };
    let ignored = asked.ignored.join(", ");
    let name = token.name.clone();
    let (mut response, id) = match start(app, token, asked, cache) {
        Ok((waiting, feed, writer, stream)) => {
            let id = waiting.run.id;
            let told = Arc::clone(&feed);
            let answered = match stream {
                true => streamed(waiting, feed, writer).await,
                false => whole(waiting, feed, writer).await,
            };
            match answered {
                Ok(mut response) => {
                    if told.was_kept() {
                        response.headers_mut().insert(
                            HeaderName::from_static("x-convergio-cached"),
                            HeaderValue::from_static("true"),
                        );
                    }
                    (response, Some(id))
                }
                Err(fault) => {
                    match fault.kind {
                        FaultKind::Billing => app.daemon.gateway.was_refused(&name),
                        _ => app.daemon.gateway.has_failed(&name),
                    }
                    (fault_response(wire, &fault), Some(id))
                }
            }
        }
        Err(fault) => (fault_response(wire, &fault), None),
    };
    let headers = response.headers_mut();
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        // Each official client looks for one of them.
        headers.insert(HeaderName::from_static("x-request-id"), id.clone());
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    if !ignored.is_empty()
        && let Ok(ignored) = HeaderValue::from_str(&ignored)
    {
        headers.insert(HeaderName::from_static("x-convergio-ignored"), ignored);
    }
    response
}

type Started = (Waiting, Arc<Feed>, Writer, bool);

fn start(
    app: &Arc<App>,
    token: NewToken,
    asked: Asked,
    cache: Option<bool>,
) -> Result<Started, Fault> {
    let daemon = &app.daemon;
    if daemon.phase() != Phase::Serving {
        return Err(Fault::new(
            FaultKind::Overloaded,
            "Convergio: the daemon is ending",
        ));
    }
    let settings = settings(daemon)?;
    let info = RunInfo {
        run_id: Uuid::now_v7(),
        kind: RunKind::Gateway.as_str().to_owned(),
        state: RunState::Running,
        root: String::new(),
        selection: String::new(),
        started_ms: now_ms(),
        ended_ms: None,
        findings: None,
        last_seq: 0,
        saved: true,
        error: None,
    };
    let place = daemon
        .live
        .register(info)
        .map_err(|_| internal("the request cannot run", "its id is taken"))?;
    let run = Arc::clone(&place.run);
    let (feed, stream) = (Arc::new(Feed::default()), asked.stream);
    let id = run.id.simple().to_string();
    let writer = Writer::new(&asked, &id, now_ms() / 1_000);
    let keys = daemon.gateway.keys(&token.name);
    let waiting = Waiting {
        app: Arc::clone(app),
        run: Arc::clone(&run),
        token: token.name.clone(),
    };
    daemon.gateway.begins(&token.name, &run);
    let request = Run {
        asked,
        token,
        settings,
        cache,
        keys,
    };
    // Its own task: what the program does not wait for is still settled.
    tokio::spawn(supervise(
        Arc::clone(daemon),
        place,
        request,
        Arc::clone(&feed),
    ));
    Ok((waiting, feed, writer, stream))
}

async fn whole(waiting: Waiting, feed: Arc<Feed>, mut writer: Writer) -> Result<Response, Fault> {
    let (events, ended) = feed.whole().await;
    drop(waiting);
    let whole = ended?;
    let mut none = Vec::new();
    for event in &events {
        writer.event(event, &mut none);
    }
    let mut response = json_response(StatusCode::OK, &writer.body(&whole.end));
    response.headers_mut().insert(
        HeaderName::from_static("x-convergio-cost-nano-usd"),
        HeaderValue::from(whole.amount_nano_usd),
    );
    Ok(response)
}

/// An answer on its way, piece by piece.
struct Course {
    /// Dropped with the stream: a program that goes away ends its run.
    _waiting: Waiting,
    feed: Arc<Feed>,
    writer: Writer,
    done: bool,
}

impl Course {
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        while out.is_empty() && !self.done {
            match timeout(PING_AFTER, self.feed.take()).await {
                Ok((events, ended)) => {
                    for event in &events {
                        self.writer.event(event, &mut out);
                    }
                    if let Some(ended) = ended {
                        self.finish(ended, &mut out);
                    }
                }
                Err(_) => self.writer.ping(&mut out),
            }
        }
        (!out.is_empty()).then(|| Bytes::from(out))
    }

    fn finish(&mut self, ended: Ended, out: &mut Vec<u8>) {
        self.done = true;
        match ended {
            Ok(whole) => self.writer.finish(&whole.end, out),
            Err(fault) => self.writer.fail(&fault, out),
        }
    }
}

async fn streamed(waiting: Waiting, feed: Arc<Feed>, writer: Writer) -> Result<Response, Fault> {
    // What fails before its first word is an error with a status of its own.
    let mut first = None;
    if let Ok(false) = timeout(PING_AFTER, feed.begun()).await {
        let (events, ended) = feed.whole().await;
        let whole = ended?;
        first = Some((events, whole));
    }
    let mut course = Course {
        _waiting: waiting,
        feed,
        writer,
        done: false,
    };
    let body = match first {
        Some((events, whole)) => {
            let mut out = Vec::new();
            for event in &events {
                course.writer.event(event, &mut out);
            }
            course.finish(Ok(whole), &mut out);
            Body::from(out)
        }
        None => Body::from_stream(stream::unfold(course, |mut course| async move {
            let piece = course.next().await?;
            Some((Ok::<_, Infallible>(piece), course))
        })),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
