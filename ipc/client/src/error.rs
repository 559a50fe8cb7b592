//! What can go wrong between a client and the daemon.

use std::{io, path::PathBuf};

use convergio_contract::RpcError;
use convergio_transport::{folder::FolderError, lock::LockError};
use thiserror::Error;

/// Why a call has no result.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The daemon answered with an error.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// No daemon runs, and this call does not start one.
    #[error("no daemon is listening on {socket}")]
    NotRunning {
        /// Where it was looked for.
        socket: PathBuf,
    },
    /// The socket could not be reached.
    #[error("cannot reach the daemon at {socket}: {source}")]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Something unfit stands at the socket's place.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A lock could not be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The daemon's binary could not be started.
    #[error("cannot start {daemon}: {source}")]
    Spawn {
        /// The binary.
        daemon: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The daemon started and gave up.
    #[error("the daemon did not start: {why}")]
    StartFailed {
        /// What it said.
        why: String,
        /// A command that gets the person on, if it named one.
        hint: Option<String>,
    },
    /// Nothing came in time.
    #[error("no answer to {method} within {timeout_ms} ms")]
    Timeout {
        /// The method, or what was waited for.
        method: &'static str,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// The connection ended before the answer.
    #[error("the daemon closed the connection{}", .why.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Disconnected {
        /// The system's reason, if there was one.
        why: Option<String>,
    },
    /// The message would be longer than a line may be.
    #[error("the request is {bytes} bytes long; a line holds {max_bytes}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The other side does not speak the contract.
    #[error("the daemon's answer to {method} does not fit the contract: {why}")]
    Malformed {
        /// The method.
        method: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl ClientError {
    /// The connection is gone; another one may serve.
    pub fn is_disconnected(&self) -> bool {
        matches!(
            self,
            Self::Disconnected { .. } | Self::Connect { .. } | Self::NotRunning { .. }
        )
    }
}
