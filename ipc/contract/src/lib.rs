//! The wire contract: every method, parameter, response, event, limit and error of the daemon's
//! JSON-RPC 2.0 interface, declared once. No I/O.
//!
//! A method is one [`Method`] declaration in the file of its resource and one row in
//! [`for_each_method`]. The daemon's dispatcher, the typed client and the OpenRPC document are
//! all made from that table, so a method that one of them lacks does not compile.

pub mod config;
pub mod daemon;
pub mod error;
pub mod event;
pub mod finding;
pub mod health;
pub mod limits;
pub mod logs;
pub mod method;
pub mod openrpc;
pub mod review;
pub mod run;
pub mod undo;

pub use error::{ErrorCode, ErrorData, RpcError};
pub use event::{EventBody, RunEvent};
pub use method::Method;
pub use uuid::Uuid;

/// Wire versions that this build speaks, newest first. Additive changes keep the date.
pub const PROTOCOL_VERSIONS: &[&str] = &["2026-11-20"];

/// Calls the macro named by the argument with the path of every [`Method`] of the contract.
#[macro_export]
macro_rules! for_each_method {
    ($callback:ident) => {
        $callback! {
            $crate::daemon::Initialize,
            $crate::daemon::Shutdown,
            $crate::daemon::Discover,
            $crate::health::HealthGet,
            $crate::health::HealthDoctor,
            $crate::logs::LogsRead,
            $crate::run::RunSubscribe,
            $crate::run::RunGet,
            $crate::run::RunList,
            $crate::run::RunCancel,
            $crate::review::ReviewStart,
            $crate::review::ReviewLatest,
            $crate::review::ReviewAllow,
            $crate::review::ReviewSilences,
            $crate::review::ReviewUnallow,
            $crate::undo::UndoPut,
            $crate::undo::UndoList,
            $crate::undo::UndoApply,
            $crate::config::ConfigGet,
            $crate::config::ConfigSet,
            $crate::config::ConfigUnset,
            $crate::config::ConfigExplain,
            $crate::config::ConfigSchema,
        }
    };
}
