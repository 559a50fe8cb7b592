//! What a server answers.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use crate::{render::validity, reply::Reply, request::Request, tls::Certificate};

type Answer = Box<dyn FnMut(&Request) -> Reply + Send>;

/// What a server answers to which request.
///
/// Model calls take from the queue, then from the closure or the default. Lists of models and
/// versions are answered by themselves, and so is a malformed call: with the 400 that a real
/// provider gives.
#[derive(Default)]
pub struct Script {
    queue: VecDeque<Reply>,
    otherwise: Option<Reply>,
    answer: Option<Answer>,
    paths: HashMap<String, Reply>,
    pub(crate) models: Option<Vec<String>>,
    key: Option<String>,
    pub(crate) certificate: Option<Certificate>,
    lenient: bool,
    any_path: bool,
}

impl fmt::Debug for Script {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Script")
            .field("queued", &self.queue.len())
            .finish_non_exhaustive()
    }
}

impl Script {
    /// No reply: each model call is answered with a 500 that says so.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same reply to every model call.
    pub fn always(reply: Reply) -> Self {
        Self::new().otherwise(reply)
    }

    /// One reply per model call, in order.
    pub fn replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self {
            queue: replies.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A reply that is made from the request.
    pub fn answer(answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self {
            answer: Some(Box::new(answer)),
            ..Self::default()
        }
    }

    /// Adds a reply to the queue.
    #[must_use]
    pub fn then(mut self, reply: Reply) -> Self {
        self.queue.push_back(reply);
        self
    }

    /// The reply once the queue is empty.
    #[must_use]
    pub fn otherwise(mut self, reply: Reply) -> Self {
        self.otherwise = Some(reply);
        self
    }

    /// This path (without its query) is always answered so, and without looking at its validity.
    #[must_use]
    pub fn on(mut self, path: &str, reply: Reply) -> Self {
        self.paths.insert(path.to_owned(), reply);
        self
    }

    /// The models that there are; a call for another is refused as unknown. By default
    /// `gpt-test` is listed and no call is refused.
    #[must_use]
    pub fn models<'a>(mut self, ids: impl IntoIterator<Item = &'a str>) -> Self {
        self.models = Some(ids.into_iter().map(str::to_owned).collect());
        self
    }

    /// Refuses requests with another key or none, as the dialect does.
    #[must_use]
    pub fn require_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Speaks HTTPS with such a certificate.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Takes malformed model calls too.
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Answers a `POST` to a path of no dialect that is known here as a model call too, and looks
    /// at nothing in it: for recorded replies ([`Reply::raw`]) of any dialect.
    #[must_use]
    pub fn any_path(mut self) -> Self {
        self.any_path = true;
        self
    }

    pub(crate) fn listed_models(&self) -> Vec<String> {
        self.models
            .clone()
            .unwrap_or_else(|| vec!["gpt-test".to_owned()])
    }

    /// The reply to a request; `None` for a list that the renderer answers by itself.
    pub(crate) fn reply(&mut self, request: &Request) -> Option<Reply> {
        let path = request.path.split('?').next().unwrap_or_default();
        if let Some(reply) = self.paths.get(path) {
            return Some(reply.clone());
        }
        if let Some(key) = &self.key
            && request.key() != Some(key)
        {
            return Some(validity::wrong_key(request.dialect));
        }
        let Some(dialect) = request.dialect else {
            return (self.any_path && request.method == "POST").then(|| self.next(request));
        };
        if !self.lenient {
            if let Some(refused) = validity::refusal(dialect, request) {
                return Some(refused);
            }
            if let Some(models) = &self.models {
                let model = request.model().unwrap_or_default();
                if !models.contains(&model) {
                    return Some(validity::unknown_model(dialect, &model));
                }
            }
        }
        Some(self.next(request))
    }

    fn next(&mut self, request: &Request) -> Reply {
        if let Some(reply) = self.queue.pop_front() {
            return reply;
        }
        if let Some(answer) = &mut self.answer {
            return answer(request);
        }
        self.otherwise
            .clone()
            .unwrap_or_else(|| Reply::error(500, "api_error", "script exhausted"))
    }
}
