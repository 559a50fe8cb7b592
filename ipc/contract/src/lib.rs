//! The wire contract: every method, parameter, response, event, limit and error of the daemon's
//! JSON-RPC 2.0 interface, declared once. No I/O.
//!
//! A method is one [`Method`] declaration in the file of its resource and one row in
//! [`for_each_method`]. The daemon's dispatcher, the typed client and the OpenRPC document are
//! all made from that table, so a method that one of them lacks does not compile.

pub mod audit;
pub mod books;
pub mod budget;
pub mod chat;
pub mod config;
pub mod daemon;
pub mod error;
pub mod event;
pub mod finding;
pub mod health;
pub mod limits;
pub mod logs;
pub mod menu;
pub mod method;
pub mod model;
pub mod notify;
pub mod openrpc;
pub mod price;
pub mod privacy;
pub mod provider;
pub mod review;
pub mod route;
pub mod run;
pub mod search;
pub mod secret;
pub mod session;
pub mod task;
pub mod template;
pub mod token;
pub mod topic;
pub mod undo;
pub mod usage;

pub use error::{ErrorCode, ErrorData, RpcError};
pub use event::{EventBody, RunEvent};
pub use method::Method;
pub use secret::SecretText;
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
            $crate::chat::RunStart,
            $crate::chat::RunPreview,
            $crate::chat::RunResume,
            $crate::session::SessionList,
            $crate::session::SessionGet,
            $crate::session::SessionDelete,
            $crate::review::ReviewStart,
            $crate::review::ReviewPreview,
            $crate::review::ReviewLatest,
            $crate::review::ReviewAllow,
            $crate::review::ReviewSilences,
            $crate::review::ReviewUnallow,
            $crate::undo::UndoPut,
            $crate::undo::UndoList,
            $crate::undo::UndoApply,
            $crate::model::ModelList,
            $crate::price::PricesShow,
            $crate::price::PricesUpdate,
            $crate::price::PricesRollback,
            $crate::route::RouteExplain,
            $crate::provider::ProviderList,
            $crate::provider::ProviderAdd,
            $crate::provider::ProviderSetKey,
            $crate::provider::ProviderTest,
            $crate::provider::ProviderRemove,
            $crate::usage::UsageQuery,
            $crate::audit::UsageWhy,
            $crate::books::UsageVerify,
            $crate::books::UsageExport,
            $crate::books::UsageReconcile,
            $crate::audit::UsageDispute,
            $crate::audit::UsageDisputes,
            $crate::budget::BudgetList,
            $crate::budget::BudgetSet,
            $crate::budget::BudgetRemove,
            $crate::budget::BudgetPreview,
            $crate::privacy::PrivacyEgress,
            $crate::template::TemplateSave,
            $crate::template::TemplateList,
            $crate::template::TemplateRemove,
            $crate::task::TaskCreate,
            $crate::task::TaskPreview,
            $crate::task::TaskGet,
            $crate::task::TaskList,
            $crate::task::TaskUpdate,
            $crate::task::TaskComplete,
            $crate::task::TaskSnooze,
            $crate::task::TaskDelete,
            $crate::task::TaskExport,
            $crate::task::TaskImport,
            $crate::task::TaskInbox,
            $crate::token::TokenCreate,
            $crate::token::TokenList,
            $crate::token::TokenRevoke,
            $crate::token::GatewayStatus,
            $crate::config::ConfigGet,
            $crate::config::ConfigSet,
            $crate::config::ConfigUnset,
            $crate::config::ConfigExplain,
            $crate::config::ConfigSchema,
            $crate::notify::NotifyTest,
            $crate::search::SearchQuery,
            $crate::menu::MenuGet,
            $crate::menu::MenuAct,
            $crate::menu::BackgroundPause,
            $crate::menu::BackgroundGet,
            $crate::topic::EventsSubscribe,
            $crate::topic::EventsUnsubscribe,
        }
    };
}
