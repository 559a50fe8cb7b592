//! What servers on this machine say of their models: asked once for each file, when models are
//! listed, and never while an answer is waited for.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use convergio_models_api::Policy;
use convergio_models_remote::{ListedModel, ModelDescription, describe_model, describe_model_url};
use futures_util::{StreamExt as _, stream};
use tokio::time::{Duration, timeout};

use super::Configured;
use crate::{daemon::Daemon, egress::Leaving};

/// Models of one server that are described.
const DESCRIBED_MAX: usize = 64;
/// Descriptions that are kept.
const KEPT_MAX: usize = 512;
/// Asked at one time.
const AT_ONCE: usize = 4;
/// What is not said in this time, all together, is not known.
const DESCRIBE_WITHIN: Duration = Duration::from_secs(2);

/// Descriptions by server and file.
#[derive(Debug, Default)]
pub(crate) struct Descriptions {
    known: Mutex<HashMap<(String, String), ModelDescription>>,
}

/// What a description is kept under. A list that names no file names the model itself, whose file
/// may change: it is asked anew by the next daemon.
fn key(origin: &str, model: &ListedModel) -> (String, String) {
    let file = model.digest.as_ref().unwrap_or(&model.id);
    (origin.to_owned(), file.clone())
}

impl Descriptions {
    fn get(&self, origin: &str, model: &ListedModel) -> Option<ModelDescription> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&key(origin, model)).copied()
    }

    fn put(&self, origin: &str, model: &ListedModel, said: ModelDescription) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(key(origin, model), said);
    }

    /// Adds to each what is known of it.
    pub(crate) fn fill(&self, origin: &str, models: &mut Vec<ListedModel>) {
        models.retain_mut(|model| {
            let Some(said) = self.get(origin, model) else {
                return true;
            };
            model.context = model.context.or(said.context);
            model.capabilities = model.capabilities.or(said.capabilities);
            said.answers
        });
    }
}

impl Daemon {
    /// Asks a server on this machine what the models are that it lists, where it can be asked and
    /// was not yet, and adds what it says.
    pub(crate) async fn describe_here(&self, provider: &Configured, models: &mut Vec<ListedModel>) {
        let Ok(endpoint) = provider.endpoint(None) else {
            return;
        };
        let (Some(url), true) = (describe_model_url(&endpoint), endpoint.is_loopback()) else {
            return;
        };
        let origin = endpoint.origin();
        let is_unknown = |model: &&ListedModel| {
            model.local && self.models.described.get(&origin, model).is_none()
        };
        let unknown: Vec<ListedModel> = models
            .iter()
            .filter(is_unknown)
            .take(DESCRIBED_MAX)
            .cloned()
            .collect();
        let (endpoint, origin, url) = (&endpoint, &origin, &url);
        let ask = stream::iter(unknown)
            .map(|model| async move {
                let leaving = Leaving {
                    url: url.clone(),
                    bytes: model.id.len() as u64,
                    purpose: "look at a model on this machine".to_owned(),
                    policy: Policy::LocalOnly,
                    model: Some(format!("{}/{}", provider.name, model.id)),
                    run_id: None,
                };
                let permit = self.permit(leaving).await.ok()?;
                let said = describe_model(&self.models.egress, permit, endpoint, &model.id);
                let said = said.await.ok()?;
                self.models.described.put(origin, &model, said);
                Some(())
            })
            .buffer_unordered(AT_ONCE)
            .for_each(|_| std::future::ready(()));
        // What was said until then counts.
        let _ = timeout(DESCRIBE_WITHIN, ask).await;
        self.models.described.fill(origin, models);
    }
}
