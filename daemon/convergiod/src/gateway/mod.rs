//! The gateway: programs that speak the wires of others, on this machine's own addresses alone.
//!
//! [`listen`] takes connections, [`http`] lets in who may come in, [`wire`] makes one run of each
//! request. What the wires look like is `convergio-gateway`'s affair.

pub(crate) mod fault;
pub(crate) mod feed;
mod http;
mod listen;
pub(crate) mod models;
pub(crate) mod presented;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use convergio_config::GatewaySettings;
use convergio_contract::{
    ErrorCode, RpcError, Uuid, health::Check, secret::SecretText, token::GatewayStatusResponse,
};
use tokio::sync::watch;

use crate::{bus::run::LiveRun, daemon::Daemon, doctor};

/// Pauses before the tries that follow a failed one; the daemon's own tick tries from then on. Who
/// has the port is often only about to leave.
const TRY_AGAIN: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Listening.
struct Open {
    url: String,
    settings: GatewaySettings,
    /// Told to end.
    stop: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// Why it does not listen although it should.
    error: Option<String>,
    /// Somebody tries again already.
    trying: bool,
    /// Tokens for which it listens, whatever the settings say.
    wanted: BTreeSet<String>,
    /// Keys that came with tokens, by the token's name.
    keys: HashMap<String, BTreeMap<String, SecretText>>,
    /// Requests that no budget was left for, by the token's name.
    refused: HashMap<String, u64>,
    /// Requests that ended in another error before a word of an answer, by the token's name.
    failed: HashMap<String, u64>,
    /// Runs in progress, by the token's name.
    running: HashMap<String, BTreeMap<Uuid, Arc<LiveRun>>>,
}

/// The gateway of a daemon.
#[derive(Default)]
pub(crate) struct Gateway {
    state: Mutex<State>,
    /// One at a time opens or closes it.
    turn: tokio::sync::Mutex<()>,
    connections: Arc<listen::Places>,
    requests: AtomicU64,
    /// Tokens that were presented lately.
    pub(crate) presented: Arc<presented::Presented>,
}

impl Gateway {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It listens, or would if it could: the daemon stays.
    pub(crate) fn is_wanted(&self) -> bool {
        let state = self.state();
        state.open.is_some() || state.error.is_some()
    }

    /// Keeps the keys that came with a token, while the daemon lives.
    pub(crate) fn keep_keys(&self, token: &str, keys: BTreeMap<String, SecretText>) {
        if !keys.is_empty() {
            self.state().keys.insert(token.to_owned(), keys);
        }
    }

    fn keys(&self, token: &str) -> BTreeMap<String, SecretText> {
        self.state().keys.get(token).cloned().unwrap_or_default()
    }

    /// Requests of a token that no budget was left for.
    pub(crate) fn refused(&self, token: &str) -> u64 {
        self.state().refused.get(token).copied().unwrap_or(0)
    }

    fn was_refused(&self, token: &str) {
        *self.state().refused.entry(token.to_owned()).or_default() += 1;
    }

    /// Requests of a token that ended in an error other than a budget's.
    pub(crate) fn failed(&self, token: &str) -> u64 {
        self.state().failed.get(token).copied().unwrap_or(0)
    }

    fn has_failed(&self, token: &str) {
        *self.state().failed.entry(token.to_owned()).or_default() += 1;
    }

    fn begins(&self, token: &str, run: &Arc<LiveRun>) {
        let mut state = self.state();
        let runs = state.running.entry(token.to_owned()).or_default();
        runs.insert(run.id, Arc::clone(run));
    }

    fn ends(&self, token: &str, run: Uuid) {
        let mut state = self.state();
        if let Some(runs) = state.running.get_mut(token) {
            runs.remove(&run);
            if runs.is_empty() {
                state.running.remove(token);
            }
        }
    }

    /// Forgets what is kept for a token, and ends its calls.
    pub(crate) fn forget(&self, token: &str) {
        let mut state = self.state();
        state.keys.remove(token);
        state.wanted.remove(token);
        let running = state.running.get(token).cloned().unwrap_or_default();
        drop(state);
        for run in running.into_values() {
            run.cancel(fault::TAKEN_BACK);
        }
    }

    /// How it stands.
    pub(crate) fn status(&self, enabled: bool) -> GatewayStatusResponse {
        let state = self.state();
        GatewayStatusResponse {
            enabled,
            url: state.open.as_ref().map(|open| open.url.clone()),
            error: state.error.clone(),
            connections: self.connections.taken(),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }

    fn counted(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}

/// The name of its check.
const GATEWAY: &str = "gateway";

/// The way to another port than the one that is taken.
fn other_port(taken: u16) -> String {
    let other = taken.checked_add(1).unwrap_or(0);
    format!("cv config set gateway.port {other}")
}

impl Daemon {
    /// Opens or closes the gateway, as settings and tokens want it.
    pub(crate) async fn sync_gateway(&self) -> Result<(), RpcError> {
        let synced = self.open_or_close().await;
        if synced.is_err() {
            self.try_again();
        }
        synced
    }

    /// Tries again a few times, sooner than the next tick.
    fn try_again(&self) {
        if std::mem::replace(&mut self.gateway.state().trying, true) {
            return;
        }
        let this = self.this.clone();
        tokio::spawn(async move {
            for pause in TRY_AGAIN {
                tokio::time::sleep(pause).await;
                let Some(daemon) = this.upgrade() else {
                    return;
                };
                if daemon.open_or_close().await.is_ok() {
                    break;
                }
            }
            if let Some(daemon) = this.upgrade() {
                daemon.gateway.state().trying = false;
            }
        });
    }

    async fn open_or_close(&self) -> Result<(), RpcError> {
        let _turn = self.gateway.turn.lock().await;
        let mut settings = self.configuration.own().gateway();
        let serving = self.phase() == crate::daemon::Phase::Serving;
        let wanted = !self.gateway.state().wanted.is_empty();
        if !serving || !(settings.enabled || wanted) {
            self.close_gateway();
            self.gateway.state().error = None;
            return Ok(());
        }
        if !settings.enabled {
            // For tokens of programs that are told where it is: any port will do, and so nobody
            // else's is in the way.
            settings.port = 0;
        }
        let same = |open: &Open| {
            // A program that runs knows its address: it stays while it is wanted.
            let elsewhere = settings.enabled && open.settings.port != settings.port;
            let stays = open.settings.address == settings.address && (!elsewhere || wanted);
            stays && open.settings.allowed_origins == settings.allowed_origins
        };
        if self.gateway.state().open.as_ref().is_some_and(same) {
            return Ok(());
        }
        self.close_gateway();
        let opened = self.open_gateway(&settings).await;
        let mut state = self.gateway.state();
        match opened {
            Ok(open) => {
                tracing::info!(url = %open.url, "the gateway listens");
                state.open = Some(open);
                state.error = None;
                Ok(())
            }
            Err(error) => {
                let at = format!("port {}: {error}", settings.port);
                if state.error.as_ref() != Some(&at) {
                    tracing::warn!(error = %at, "the gateway does not listen");
                    state.error = Some(at.clone());
                }
                Err(
                    RpcError::new(ErrorCode::Conflict, "the gateway cannot listen")
                        .why(at)
                        .hint(other_port(settings.port)),
                )
            }
        }
    }

    /// What `cv doctor` says of it; nothing where it is off.
    pub(crate) fn examine_gateway(&self) -> Option<Check> {
        let settings = self.configuration.own().gateway();
        let status = self.gateway.status(settings.enabled);
        match (status.url, status.error) {
            (Some(url), _) => Some(doctor::fine(
                GATEWAY,
                format!("the gateway listens at {url}"),
            )),
            (None, Some(error)) => Some(doctor::fault(
                GATEWAY,
                format!("the gateway does not listen: {error}"),
                "programs that use it reach nobody; it is tried again all the time",
                other_port(settings.port),
            )),
            (None, None) => None,
        }
    }

    /// As [`Self::sync_gateway`], for whoever cannot do anything about it: `gateway.status` and the
    /// log tell why it is not there.
    pub(crate) async fn tend_gateway(&self) {
        let _ = self.sync_gateway().await;
    }

    /// Opens the gateway for a token, whatever the settings say.
    pub(crate) async fn want_gateway(&self, token: &str) -> Result<(), RpcError> {
        self.gateway.state().wanted.insert(token.to_owned());
        self.sync_gateway().await
    }

    /// Ends it: new connections are refused, requests in progress go on to their end.
    pub(crate) fn close_gateway(&self) {
        if let Some(open) = self.gateway.state().open.take() {
            tracing::info!(url = %open.url, "the gateway is closed");
            open.stop.send_replace(true);
        }
    }

    async fn open_gateway(&self, settings: &GatewaySettings) -> std::io::Result<Open> {
        let bound = listen::bind(settings.address, settings.port).await?;
        let (stop, stopped) = watch::channel(false);
        let Some(daemon) = self.this.upgrade() else {
            return Err(std::io::Error::other("the daemon is ending"));
        };
        let app = Arc::new(http::App::new(
            daemon,
            bound.port,
            settings.allowed_origins.clone(),
        ));
        let url = bound.url.clone();
        let places = Arc::clone(&self.gateway.connections);
        for listener in bound.listeners {
            let router = http::router(Arc::clone(&app));
            let serving = listen::serve(listener, router, Arc::clone(&places), stopped.clone());
            tokio::spawn(serving);
        }
        Ok(Open {
            url,
            settings: settings.clone(),
            stop,
        })
    }
}
