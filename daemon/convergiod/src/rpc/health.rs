//! How the daemon is.

use std::{collections::BTreeMap, time::Instant};

use convergio_config::Settings;

use convergio_contract::{
    RpcError,
    health::{
        Check, HealthDoctor, HealthDoctorResponse, HealthGet, HealthGetResponse, HealthState,
    },
    method::Empty,
};

use convergio_store::Health;

use crate::{
    daemon::{Daemon, Phase},
    dispatch::{Call, Handle},
    doctor,
    notifications::Link,
    providers::seen::everybody,
    version,
};

impl Handle<HealthGet> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<HealthGetResponse, RpcError> {
        let mut reasons = Vec::new();
        let store = self.store.health();
        reasons.extend(store.why().map(str::to_owned));
        let now = Instant::now();
        reasons.extend(self.configuration.fault(now));
        let bytes_sent = match self.bytes_sent().await {
            Ok(bytes) => bytes,
            Err(error) => {
                reasons.push(format!(
                    "what left the machine cannot be told: {}",
                    error.message
                ));
                0
            }
        };
        let draining = self.phase() != Phase::Serving;
        let state = if draining {
            HealthState::Draining
        } else if reasons.is_empty() {
            HealthState::Ok
        } else {
            HealthState::Degraded
        };
        let shown = &self.shown;
        Ok(HealthGetResponse {
            state,
            reasons,
            version: version::OURS.to_owned(),
            pid: shown.pid,
            started_by: self.started_by,
            uptime_ms: u64::try_from(now.saturating_duration_since(self.started).as_millis())
                .unwrap_or(u64::MAX),
            socket: shown.socket.clone(),
            data_dir: shown.data_dir.clone(),
            log_file: shown.log_file.clone(),
            config_file: shown.config_file.clone(),
            saving: store.is_ok(),
            connections: u32::try_from(self.connections.count()).unwrap_or(u32::MAX),
            runs_active: u32::try_from(self.live.running_count()).unwrap_or(u32::MAX),
            bytes_sent,
        })
    }
}

impl Daemon {
    async fn examine_models(&self, settings: &Settings) -> Vec<Check> {
        let mut configured = everybody(settings, &self.models.lists);
        configured.retain(|(provider, _)| provider.in_settings);
        let keys = BTreeMap::new();
        let secrets = &self.models.secrets;
        let (keychain, file, budgets, providers) = tokio::join!(
            secrets.keychain_state(),
            secrets.file_state(),
            self.budgets(settings),
            self.look_at(settings, &keys, configured),
        );
        let mut checks = Vec::new();
        let mut failed = |what: &str, error: RpcError| {
            checks.push(doctor::fault(
                "models",
                format!("{what}: {}", error.message),
                "models may not be asked",
                "cv logs",
            ));
        };
        let budgets = budgets.unwrap_or_else(|error| {
            failed("the budgets cannot be read", error);
            Vec::new()
        });
        let providers = providers.unwrap_or_else(|error| {
            failed("the providers cannot be looked at", error);
            Vec::new()
        });
        checks.extend(doctor::models::judge(&doctor::models::Found {
            keychain,
            file,
            file_allowed: settings.secrets_file(),
            budgets,
            prices: self.models.lists.problem(),
            providers,
        }));
        checks
    }

    /// Whether reminders can be shown. Shows nothing; the bus may start a server for it.
    async fn examine_notifications(&self) -> Check {
        let server = match Link::open(&self.desktop.session).await {
            Ok(mut link) => link.server().await,
            Err(error) => Err(error),
        };
        doctor::notifications::judge(&doctor::notifications::Found {
            enabled: self.configuration.own().notifications().enabled,
            server: server.map(|server| (server.said(), server.can("actions"))),
            menu_bar: self.topics.has_shower(),
        })
    }

    /// Bytes that left for other machines, of what is still written down.
    async fn bytes_sent(&self) -> Result<u64, RpcError> {
        let tenant = self.runs().tenant();
        let read = self
            .store
            .read("add up what left the machine", move |conn| {
                convergio_runs::egress_by_destination(conn, tenant, None, None)
            });
        let places = read.await.map_err(super::runs_error)?;
        let elsewhere = places
            .into_iter()
            .filter(|(destination, _)| !crate::egress::is_loopback(destination));
        Ok(elsewhere.fold(0, |sum: u64, (_, totals)| sum.saturating_add(totals.bytes)))
    }
}

impl Handle<HealthDoctor> for Daemon {
    async fn handle(&self, call: Call, _params: Empty) -> Result<HealthDoctorResponse, RpcError> {
        let subject = doctor::Subject::of_daemon(self);
        // A store in memory says nothing about the file.
        let problems = match self.store.health() {
            Health::Unsaved { .. } => None,
            _ => Some(self.store.integrity_check().await),
        };
        let mut checks = self
            .background
            .run("examine the installation", move || {
                doctor::examine(&subject, problems)
            })
            .await?;
        // Settings that cannot be read have their own check.
        if let Ok(settings) = self.settings_of(&call) {
            checks.extend(self.examine_models(&settings).await);
        }
        checks.extend(self.examine_gateway());
        checks.extend(self.desktop.examine());
        checks.push(self.examine_notifications().await);
        Ok(HealthDoctorResponse { checks })
    }
}
