//! Errors of the daemon's parts as they travel: sorted once, here.

use convergio_contract::{ErrorCode, RpcError};
use convergio_store::StoreError;

/// An error of the database.
pub(crate) fn store(error: &StoreError) -> RpcError {
    let answer = RpcError::new(
        match error {
            StoreError::Panicked { .. } | StoreError::TransactionEnded { .. } => {
                ErrorCode::Internal
            }
            StoreError::Closed { .. } => ErrorCode::Overloaded,
            _ => ErrorCode::StorageError,
        },
        error.to_string(),
    );
    match error {
        StoreError::DiskFull { .. } => answer
            .why("the disk or the quota is full; nothing was changed")
            .hint("df -h"),
        StoreError::Closed { .. } => answer.why("the daemon is ending").hint("cv status"),
        _ => answer.hint("cv doctor"),
    }
}

/// A fault of the daemon.
pub(crate) fn internal(what: impl Into<String>, why: impl Into<String>) -> RpcError {
    RpcError::new(ErrorCode::Internal, what)
        .why(why)
        .hint("cv logs")
}

/// A parameter that does not fit.
pub(crate) fn invalid(what: impl Into<String>) -> RpcError {
    RpcError::new(ErrorCode::InvalidParams, what)
}

/// No such run.
pub(crate) fn no_such_run(id: convergio_contract::Uuid) -> RpcError {
    RpcError::new(ErrorCode::NotFound, format!("there is no run {id}"))
        .why("it never was, or it is no longer kept")
        .hint("cv runs")
}
