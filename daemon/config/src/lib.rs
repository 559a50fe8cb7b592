//! Where Convergio keeps its files, and what its settings are.
//!
//! Settings come in layers: defaults < the user's file < environment < flags <
//! managed policy. Every effective value knows which layer and which line,
//! variable or flag it came from. A file that can't be understood is an error
//! with its line and column and the way out; it is never skipped.
//!
//! Keys of providers are found and kept in [`secrets`].
//!
//! This crate reads no process environment except in [`Environment::capture`]
//! and [`secrets::SecretSources::capture`], and knows nothing of the daemon's
//! other crates.

mod catalog;
mod config;
mod document;
mod edit;
mod error;
mod file;
mod forms;
mod gateway;
mod keys;
mod limits;
mod migrate;
mod notifications;
mod parse;
mod paths;
mod policy;
mod prices;
mod providers;
mod schema;
pub mod secrets;
mod settings;
mod value;
mod variables;

pub use catalog::Catalog;
pub use config::{Config, Health, Inspection};
pub use edit::{Editor, PlannedEdit, Revision, restore};
pub use error::{ConfigError, ErrorKind, Fault};
pub use forms::{Form, hours_of_day, is_loopback, is_provider_name, nano_usd};
pub use gateway::{GatewayAddress, GatewaySettings};
pub use keys::{
    BUDGET_DAILY_USD, BUDGET_LIMITS, BUDGET_MONTHLY_USD, CACHE_ENABLED, CACHE_MAX_BYTES,
    CACHE_TTL_HOURS, DAEMON_IDLE_EXIT_MS, FALLBACK_CAUSES, GATEWAY_ADDRESS,
    GATEWAY_ALLOWED_ORIGINS, GATEWAY_ENABLED, GATEWAY_PORT, KEYS, Key, KeySpec, Kind,
    LOG_KEEP_FILES, LOG_LEVEL, LOG_MAX_BYTES, MODELS_ALIAS, MODELS_ALLOWED_PROVIDERS,
    MODELS_COOLDOWN_AFTER, MODELS_DEFAULT, MODELS_FALLBACK, MODELS_FALLBACK_ON, MODELS_POLICY,
    MODELS_REVIEW, NOTIFICATIONS_CRITICAL, NOTIFICATIONS_ENABLED, NOTIFICATIONS_MAX_PER_HOUR,
    NOTIFICATIONS_QUIET_HOURS, PRICES_TRUSTED_KEYS, PRIVACY_SECRETS, RETENTION_EVENT_LOG_DAYS,
    RETENTION_REVIEW_DAYS, RETENTION_UNDO_DAYS, REVIEW_FAIL_ON, REVIEW_MAX_FINDINGS,
    REVIEW_MIN_SEVERITY, REVIEW_RULES, REVIEW_STRICT, SECRETS_FILE,
};
pub use limits::{LimitScope, LimitWindow, ScopedLimit};
pub use migrate::CONFIG_VERSION;
pub use notifications::NotificationSettings;
pub use parse::MAX_FAULTS;
pub use paths::{Environment, Os, Paths};
pub use providers::{
    BudgetSettings, DEFAULT_DAILY_NANO_USD, ModelPolicy, ModelRef, ModelSettings, Models,
    NotAModel, Price, ProviderKind, ProviderSettings, ProviderTimeouts,
};
pub use schema::json_schema;
pub use settings::{Explanation, FlagSetting, LayerValue, Resolved, Settings};
pub use value::{Entry, Layer, Origin, Value};
