//! How the daemon is.

use std::time::Instant;

use convergio_contract::{
    RpcError,
    health::{HealthDoctor, HealthDoctorResponse, HealthGet, HealthGetResponse, HealthState},
    method::Empty,
};

use convergio_store::Health;

use crate::{
    daemon::{Daemon, Phase},
    dispatch::{Call, Handle},
    doctor, version,
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
    /// Bytes that left for other machines, of what is still written down.
    async fn bytes_sent(&self) -> Result<u64, RpcError> {
        let tenant = self.runs().tenant();
        let read = self
            .store
            .read("add up what left the machine", move |conn| {
                convergio_runs::egress_by_destination(conn, tenant)
            });
        let places = read.await.map_err(super::runs_error)?;
        let elsewhere = places
            .into_iter()
            .filter(|(destination, _)| !super::privacy::is_loopback(destination));
        Ok(elsewhere.fold(0, |sum: u64, (_, bytes)| sum.saturating_add(bytes)))
    }
}

impl Handle<HealthDoctor> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<HealthDoctorResponse, RpcError> {
        let subject = doctor::Subject::of_daemon(self);
        // A store in memory says nothing about the file.
        let problems = match self.store.health() {
            Health::Unsaved { .. } => None,
            _ => Some(self.store.integrity_check().await),
        };
        let checks = self
            .background
            .run("examine the installation", move || {
                doctor::examine(&subject, problems)
            })
            .await?;
        Ok(HealthDoctorResponse { checks })
    }
}
