//! The gate itself.

use std::{future::Future, sync::Arc};

use reqwest::header::LOCATION;
use tokio::time::Instant;

use crate::{
    EgressError, EgressPermit, Method, Origin, Phase, ProxySettings, Request, Response,
    clients::Clients,
    failure, guard,
    progress::{Outgoing, Progress, UNDER_WAY},
    response::{Body, Bounds},
};

/// The one HTTP client of the daemon. Cheap to make and to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Egress {
    clients: Arc<Clients>,
}

impl Egress {
    /// A gate that uses `proxies`. Builds and connects nothing yet.
    #[must_use]
    pub fn new(proxies: ProxySettings) -> Self {
        Self {
            clients: Arc::new(Clients::new(proxies)),
        }
    }

    /// Sends `request` once and waits for the answer to begin. Dropping the future or the body
    /// ends the call and its connection.
    ///
    /// # Errors
    /// Every [`EgressError`]; [`EgressError::may_have_been_sent`] says whether the other side may
    /// have seen any of it. Statuses of 400 and above are answers, not errors.
    pub async fn send(
        &self,
        permit: EgressPermit,
        request: Request,
    ) -> Result<Response, EgressError> {
        let total = request.timeouts.total;
        let total = total.map(|after| (Instant::now() + after, after));
        let answer = self.exchange(permit, request, total);
        let Some((at, after)) = total else {
            return Box::pin(answer).await;
        };
        match tokio::time::timeout_at(at, Box::pin(answer)).await {
            Ok(answer) => answer,
            Err(_) => Err(EgressError::Timeout {
                phase: Phase::Total,
                after,
            }),
        }
    }

    async fn exchange(
        &self,
        permit: EgressPermit,
        request: Request,
        total: Option<(Instant, std::time::Duration)>,
    ) -> Result<Response, EgressError> {
        let origin = guard::admit(permit, &request)?;
        let headers = request.header_map()?;
        let client = self.clients.get(&request, &origin).await?;
        let timeouts = request.timeouts;
        let progress = Progress::begin(timeouts.connect, timeouts.first_byte);

        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut wire = reqwest::Request::new(method, request.url.clone());
        *wire.headers_mut() = headers;
        *wire.body_mut() = request
            .body
            .map(|body| reqwest::Body::wrap(Outgoing::new(body, Arc::clone(&progress))));
        let answer = UNDER_WAY.scope(Arc::clone(&progress), client.execute(wire));
        let answer = first_of(answer, &progress).await;
        let Some(answer) = answer else {
            return Err(EgressError::Timeout {
                phase: Phase::FirstByte,
                after: timeouts.first_byte,
            });
        };
        let answer = answer.map_err(|error| failure::before_answer(&error, timeouts.connect))?;

        let status = answer.status().as_u16();
        if answer.status().is_redirection() {
            let location = answer.headers().get(LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            let to = location.and_then(|location| request.url.join(location).ok());
            let to_origin = to.as_ref().and_then(Origin::of);
            return Err(EgressError::Redirect { status, to_origin });
        }
        let headers = answer.headers().clone();
        let bounds = Bounds {
            first_byte: (progress.first_byte_deadline(), timeouts.first_byte),
            idle: timeouts.idle,
            total,
            max_bytes: request.max_response_bytes,
        };
        Ok(Response {
            status,
            headers,
            body: Body::new(Box::pin(answer.bytes_stream()), bounds),
        })
    }
}

/// The answer, or `None` when it is overdue.
async fn first_of<F: Future>(answer: F, progress: &Progress) -> Option<F::Output> {
    tokio::select! {
        biased;
        answer = answer => Some(answer),
        () = progress.overdue() => None,
    }
}
