//! The D-Bus interface.

use std::{
    collections::HashMap,
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use convergio_client::{Client, ClientOptions};
use convergio_contract::{
    search::{SearchQuery, SearchQueryParams, SearchResult},
    task::TaskLocale,
};
use tokio::{
    process::Command,
    sync::{Notify, mpsc},
    time::timeout,
};
use zbus::{interface, zvariant::Value};

use crate::found::{Meta, RESULTS_MAX, Remembered, meta_of, verbs, words};

/// Longer is not waited for the daemon while somebody types.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);

/// Why something that was chosen did not happen.
pub type Failed = String;

/// What GNOME talks to.
#[derive(Debug)]
pub struct Provider {
    options: ClientOptions,
    cv: PathBuf,
    locale: TaskLocale,
    client: tokio::sync::Mutex<Option<Client>>,
    remembered: Mutex<Remembered>,
    used: std::sync::Arc<Notify>,
    failed: mpsc::Sender<Failed>,
}

impl Provider {
    /// One that asks the daemon of `options` and acts through the program `cv`. `used` hears every
    /// call, `failed` what did not happen.
    #[must_use]
    pub fn new(
        options: ClientOptions,
        cv: PathBuf,
        locale: TaskLocale,
        used: std::sync::Arc<Notify>,
        failed: mpsc::Sender<Failed>,
    ) -> Self {
        Self {
            // Typing starts nothing.
            options: ClientOptions {
                daemon: None,
                ..options
            },
            cv,
            locale,
            client: tokio::sync::Mutex::new(None),
            remembered: Mutex::default(),
            used,
            failed,
        }
    }

    fn remember(&self, meta: Meta) {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(meta);
    }

    /// What the daemon finds; nothing where none answers in time.
    async fn found(&self, text: &str) -> Vec<SearchResult> {
        let params = SearchQueryParams {
            text: text.to_owned(),
            limit: u32::try_from(RESULTS_MAX).ok(),
            locale: self.locale.clone(),
        };
        let asking = async {
            let mut kept = self.client.lock().await;
            // A daemon that went away meanwhile is noticed by the first call, and the one that came
            // instead is asked once.
            for _ in 0..2 {
                let client = match kept.take() {
                    Some(client) => client,
                    None => Client::connect(self.options.clone()).await.ok()?,
                };
                match client.call::<SearchQuery>(&params).await {
                    Ok(answer) => {
                        *kept = Some(client);
                        return Some(answer.results);
                    }
                    Err(error) if error.is_disconnected() => {}
                    Err(_) => return None,
                }
            }
            None
        };
        timeout(ANSWER_WITHIN, asking)
            .await
            .ok()
            .flatten()
            .unwrap_or_default()
    }

    async fn search(&self, terms: &[String]) -> Vec<String> {
        self.used.notify_one();
        let Some(text) = words(terms) else {
            return Vec::new();
        };
        let mut ids = Vec::new();
        for result in self.found(&text).await {
            ids.push(result.id.clone());
            self.remember(meta_of(&result));
        }
        ids.extend(verbs(&text));
        ids
    }

    /// Does what a result stands for. The words are one argument of a program, and no shell sees
    /// them.
    fn act(&self, id: &str) {
        self.used.notify_one();
        let started = Command::new(&self.cv)
            .arg("pick")
            .arg(format!("--run={id}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let failed = self.failed.clone();
        match started {
            Ok(mut child) => {
                tokio::spawn(async move {
                    if let Ok(status) = child.wait().await
                        && !status.success()
                    {
                        let _ = failed.send(format!("`cv pick` ended with {status}")).await;
                    }
                });
            }
            Err(error) => {
                let _ = failed.try_send(format!("{}: {error}", self.cv.display()));
            }
        }
    }
}

#[interface(name = "org.gnome.Shell.SearchProvider2")]
impl Provider {
    /// What is found for words that were just begun.
    async fn get_initial_result_set(&self, terms: Vec<String>) -> Vec<String> {
        self.search(&terms).await
    }

    /// What is found for more words. The daemon answers fast enough to look anew.
    async fn get_subsearch_result_set(
        &self,
        _previous_results: Vec<String>,
        terms: Vec<String>,
    ) -> Vec<String> {
        self.search(&terms).await
    }

    /// What is shown of results.
    async fn get_result_metas(
        &self,
        identifiers: Vec<String>,
    ) -> Vec<HashMap<String, Value<'static>>> {
        self.used.notify_one();
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        identifiers
            .iter()
            .take(2 * RESULTS_MAX)
            .filter_map(|id| remembered.get(id))
            .map(|meta| {
                HashMap::from([
                    ("id".to_owned(), Value::from(meta.id)),
                    ("name".to_owned(), Value::from(meta.name)),
                    ("description".to_owned(), Value::from(meta.description)),
                    ("gicon".to_owned(), Value::from(meta.icon.to_owned())),
                ])
            })
            .collect()
    }

    /// A result was chosen.
    async fn activate_result(&self, identifier: String, _terms: Vec<String>, _timestamp: u32) {
        self.act(&identifier);
    }

    /// The whole search was chosen: what was typed is asked.
    async fn launch_search(&self, terms: Vec<String>, _timestamp: u32) {
        if let Some(text) = words(&terms) {
            self.act(&format!("ask:{text}"));
        }
    }
}
