//! Why a daemon did not start, and what a client that waits is told.

use std::io;

use convergio_config::ConfigError;
use convergio_contract::{ErrorCode, RpcError};
use convergio_runs::RunsError;
use convergio_store::StoreError;
use convergio_transport::{
    endpoint::EndpointError,
    folder::FolderError,
    lock::{LockError, Owner},
    socket::ListenError,
};
use thiserror::Error;

/// Why the daemon did not start.
#[derive(Debug, Error)]
pub enum BootError {
    /// Another daemon lives.
    #[error("another daemon is running{}", .owner.as_ref().map(|owner| format!(" (process {})", owner.pid)).unwrap_or_default())]
    AlreadyRunning {
        /// What it wrote about itself.
        owner: Option<Owner>,
    },
    /// There is no place for the files.
    #[error(transparent)]
    Paths(#[from] ConfigError),
    /// There is no place for the socket.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A folder is not safe.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The lock could not be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The socket could not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runs could not be read.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// The event loop, its timer or a thread could not be had.
    #[error("cannot {activity}: {source}")]
    Io {
        /// What was tried.
        activity: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl BootError {
    /// As a client that waits for the start reads it.
    pub fn to_rpc(&self) -> RpcError {
        let (code, hint) = match self {
            Self::AlreadyRunning { .. } => (ErrorCode::Overloaded, "cv status".to_owned()),
            Self::Folder(FolderError::WritableByOthers { path, .. })
            | Self::Listen(ListenError::Folder(FolderError::WritableByOthers { path, .. })) => (
                ErrorCode::Forbidden,
                format!("chmod go-w '{}'", path.display()),
            ),
            Self::Folder(FolderError::NotASocket { path, .. })
            | Self::Listen(ListenError::Folder(FolderError::NotASocket { path, .. })) => {
                let path = path.display();
                (ErrorCode::Forbidden, format!("mv '{path}' '{path}.old'"))
            }
            Self::Folder(_) | Self::Listen(_) | Self::Lock(_) => {
                (ErrorCode::Forbidden, "cv doctor".to_owned())
            }
            Self::Paths(error) => (ErrorCode::Forbidden, error.hint().to_owned()),
            Self::Endpoint(_) => (ErrorCode::Forbidden, "export HOME=~".to_owned()),
            Self::Store(_) | Self::Runs(_) => (ErrorCode::StorageError, "cv doctor".to_owned()),
            Self::Io { .. } => (ErrorCode::Internal, "cv doctor".to_owned()),
        };
        RpcError::new(code, self.to_string()).hint(hint)
    }
}
