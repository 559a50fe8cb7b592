//! Handshake, shutdown, self-description.

use std::cmp::Ordering;
use std::sync::LazyLock;

use convergio_contract::{
    ErrorCode, PROTOCOL_VERSIONS, RpcError,
    daemon::{
        Discover, Initialize, InitializeParams, InitializeResponse, ServerInfo, Shutdown,
        ShutdownParams, ShutdownResponse, ShutdownWhen,
    },
    health::StartedBy,
    limits::{DIFF_MAX_BYTES, IN_FLIGHT_MAX, LINE_MAX_BYTES, Limits, NESTING_MAX},
    method::Empty,
};
use sha2::{Digest, Sha256};

use crate::{
    daemon::{Daemon, Phase},
    dispatch::{Call, Handle},
    failure,
    run_kinds::request::hex,
    version,
};

/// The committed document; a test of the contract compares it with the generated one.
const DOCUMENT: &str = include_str!("../../../../docs/openrpc.json");

/// Hex SHA-256 of the document.
static SCHEMA_HASH: LazyLock<String> = LazyLock::new(|| hex(&Sha256::digest(DOCUMENT)));

impl Handle<Initialize> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: InitializeParams,
    ) -> Result<InitializeResponse, RpcError> {
        let common = PROTOCOL_VERSIONS.iter().find(|ours| {
            params
                .protocol_versions
                .iter()
                .any(|theirs| theirs == *ours)
        });
        let Some(protocol_version) = common else {
            return Err(RpcError::new(
                ErrorCode::VersionUnsupported,
                "client and daemon have no wire version in common",
            )
            .why(format!(
                "the daemon (version {}) speaks {}",
                version::OURS,
                PROTOCOL_VERSIONS.join(", ")
            ))
            .hint("cv doctor"));
        };
        // One that somebody started by hand ends by hand.
        if self.started_by != StartedBy::Foreground
            && version::compare(&params.client.version, version::OURS) == Some(Ordering::Greater)
        {
            tracing::info!(
                client = params.client.version,
                "a newer client is here: the daemon ends when it is idle"
            );
            self.end_when_idle();
        }
        if !call.conn.set_client(params) {
            return Err(RpcError::new(
                ErrorCode::InvalidRequest,
                "this connection is initialized already",
            ));
        }
        let (missed, missed_more) = self.reminders.missed();
        Ok(InitializeResponse {
            protocol_version: (*protocol_version).to_owned(),
            server: ServerInfo {
                name: "convergiod".to_owned(),
                version: version::OURS.to_owned(),
                build: build(),
            },
            capabilities: vec!["review".to_owned(), "undo".to_owned()],
            limits: Limits {
                line_max_bytes: LINE_MAX_BYTES as u64,
                nesting_max: NESTING_MAX as u32,
                in_flight_max: IN_FLIGHT_MAX as u32,
                connections_max: u32::try_from(self.connections.max()).unwrap_or(u32::MAX),
                diff_max_bytes: DIFF_MAX_BYTES as u64,
            },
            schema_hash: SCHEMA_HASH.clone(),
            epoch: self.epoch.clone(),
            missed,
            missed_more,
        })
    }
}

fn build() -> String {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    format!(
        "{} {} {profile}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

impl Handle<Shutdown> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: ShutdownParams,
    ) -> Result<ShutdownResponse, RpcError> {
        let theirs = call
            .conn
            .client()
            .map_or("", |client| client.client.version.as_str());
        // A version that cannot be read may be an older one.
        if !matches!(
            version::compare(theirs, version::OURS),
            Some(Ordering::Equal | Ordering::Greater)
        ) {
            return Err(RpcError::new(
                ErrorCode::Forbidden,
                "an older client does not stop a newer daemon",
            )
            .why(format!(
                "the client is version {theirs:?}, the daemon {}",
                version::OURS
            ))
            .hint(format!("kill -TERM {}", std::process::id())));
        }
        match params.when {
            ShutdownWhen::Drain => {
                tracing::info!("a client asked for the end");
                self.advance(Phase::Draining);
            }
            ShutdownWhen::Idle => self.end_when_idle(),
        }
        Ok(ShutdownResponse {
            pid: std::process::id(),
            runs_active: u32::try_from(self.live.running_count()).unwrap_or(u32::MAX),
        })
    }
}

impl Handle<Discover> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<serde_json::Value, RpcError> {
        serde_json::from_str(DOCUMENT)
            .map_err(|error| failure::internal("the document cannot be read", error.to_string()))
    }
}
